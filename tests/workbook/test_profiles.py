"""Profiles, and the data and weights that their parameters name."""

import pytest

from wslib.workbook.sources.profiles import find_profiles, threads_of


def test_what_the_parameters_name(tmp_path):
    for name, text in {
        "full/a.yml": "dataset: voc2007\nbackbone: resnet50\nnetworks: [alexnet]\n",
        "full/b.yml": "pretrained: [resnet18, lite0]\nsam: null\n",
        "own/a.yml": "dataset: rendered\nlocalizer_backbone: alexnet\n",
        "smoke/a.yml": "",
        "an.yml": "dataset: none",
    }.items():
        (tmp_path / "params" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "params" / name).write_text(text)
    found = find_profiles(tmp_path)
    assert list(found) == ["smoke", "full", "own"]
    assert found["full"] == {"voc2007", "resnet50", "resnet18", "lite0", "None"}
    assert found["own"] == {"rendered", "alexnet"} and found["smoke"] == set()


def test_without_any(tmp_path):
    assert find_profiles(tmp_path) == {}


def test_what_cannot_be_read(tmp_path):
    (tmp_path / "params" / "full").mkdir(parents=True)
    (tmp_path / "params" / "full" / "bad.yml").write_text("a: [")
    with pytest.raises(Exception, match="bad.yml: not YAML"):
        find_profiles(tmp_path)


@pytest.mark.parametrize(
    "profile, jobs, granted, number",
    [
        *[(p, jobs, "", "2") for p in ("smoke", "sample") for jobs in (1, 2, 9)],
        ("full", 1, "", None), ("full", 2, "", "4"), ("full", 99, "", "1"),
        ("smoke", 1, "3", "3"), ("full", 1, "6", "6"),
    ],
)  # fmt: skip
def test_threads_are_those_of_the_profile_or_shared(
    monkeypatch, profile, jobs, granted, number
):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", granted)
    said = threads_of(profile, jobs)
    assert said.get("OMP_NUM_THREADS") == number
    assert ("OMP_WAIT_POLICY" in said) == (jobs > 1)
