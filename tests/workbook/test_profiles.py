"""Profiles, and the data and weights that their parameters name."""

import pytest

from wslib.workbook.profiles import find_profiles


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
