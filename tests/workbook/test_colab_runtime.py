"""What a notebook for Colab does while it runs: packages, parameters, downloads."""

import importlib
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

from wslib.workbook.notebooks import colab_runtime
from wslib.workbook.notebooks.colab_runtime import (
    KEPT,
    SetupError,
    fetch,
    install_missing,
    settle,
)

KNOBS = {
    "seed": ("int", 0),
    "rate": ("float", 0.1),
    "kind": ("Literal['drawn', 'voc']", "drawn"),
    "limit": ("int | None", None),
    "counts": ("dict[str, int]", {"train": 3}),
}
PROFILES = {
    "smoke": {"counts": {"train": 1}, "rate": 0.5},
    "sample": {"seed": 7},
    "full": {"kind": "voc", "limit": 9},
}
DEFAULTS = {name: default for name, (_, default) in KNOBS.items()}
FORM = {**DEFAULTS, **PROFILES["sample"]}  # as the notebook shows it


def settled(profile, **typed):
    return settle({**FORM, **typed, "other": 1}, KNOBS, PROFILES, profile, "sample")


# ------------------------------------------------------------------- the parameters


def test_untouched_form_is_the_profile(capsys):
    assert settled("sample") == FORM
    assert capsys.readouterr().out == "profile sample: as the form shows it\n"
    for profile, values in PROFILES.items():
        assert settled(profile) == {**DEFAULTS, **values}


def test_what_the_reader_changed_wins(capsys):
    assert settled("full", limit=3, rate=1) == {
        "seed": 0, "rate": 1.0, "kind": "voc", "limit": 3, "counts": {"train": 3},
    }  # fmt: skip
    assert capsys.readouterr().out == (
        "profile full: seed = 0, kind = 'voc'\nchanged by you: rate = 1.0, limit = 3\n"
    )


@pytest.mark.parametrize(
    "typed, line",
    [
        ({"kind": "vok"}, "the form: kind must be one of drawn, voc, not 'vok'"),
        ({"seed": 1.5}, "the form: seed must be int, not 1.5"),
        ({"rate": "1e-4"}, "the form: rate must be float, not '1e-4'"),
        ({"counts": {"train": "3"}}, "the form: counts must be dict[str, int], not"),
    ],
)
def test_wrong_value_is_one_line(typed, line):
    with pytest.raises(SetupError) as error:
        settled("full", **typed)
    assert str(error.value).startswith(line)
    assert error.value._render_traceback_() == [f"SetupError: {error.value}"]


def test_form_that_was_not_run():
    form = {name: value for name, value in FORM.items() if name != "kind"}
    with pytest.raises(SetupError, match="^kind: not set; run the cell above first$"):
        settle(form, KNOBS, PROFILES, "full", "sample")
    with pytest.raises(SetupError, match="'ful', expected one of smoke, sample, full"):
        settled("ful")


def test_values_are_not_shared_with_the_profiles():
    settled("smoke")["counts"]["train"] = 99
    assert PROFILES["smoke"] == {"counts": {"train": 1}, "rate": 0.5}


# --------------------------------------------------------------------- the packages


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry with two packages, one of which wants another numpy; what is
    installed goes to a folder of its own."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a kernel of Jupyter does
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "site"))
    (tmp_path / "site").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    wheel(tmp_path, "tinyaddition")
    wheel(tmp_path, "greedyaddition", "Requires-Dist: numpy<1\n")
    return tmp_path


def wheel(folder, name, more=""):
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "VALUE = 1\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\n"
        f"Name: {name}\nVersion: 1.0\n{more}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)


def test_missing_package_is_added(registry, capsys):
    assert install_missing({"tinyaddition": "tinyaddition", "numpy": "numpy"}) == [
        "tinyaddition"
    ]
    assert importlib.import_module("tinyaddition").VALUE == 1
    said = capsys.readouterr().out
    assert said.startswith("packages: installed tinyaddition; torch ")
    assert f"numpy {version('numpy')} are as they were" in said


def test_package_that_would_change_another_is_refused(registry):
    before = sorted(os.listdir(registry / "site"))
    with pytest.raises(SetupError, match="^greedyaddition: not installed; pip: ") as e:
        install_missing({"greedyaddition": "greedyaddition"})
    assert "\n" not in str(e.value) and "conflict" in str(e.value)
    assert sorted(os.listdir(registry / "site")) == before


def test_unknown_package_is_one_line(registry):
    start = "^nowhere-at-all==1.0: not installed; pip: Could not find a version"
    with pytest.raises(SetupError, match=start) as error:
        install_missing({"nowhere_at_all": "nowhere-at-all==1.0"})
    assert "\n" not in str(error.value) and "is there a network?" in str(error.value)


@pytest.fixture
def commands(monkeypatch):
    """Take the place of processes; by its first two words, what each is answered: the
    text that it prints, or its status."""
    answers = {}

    def run(command, **options):
        answer = answers[" ".join(command[1:4]) if command[1] == "-m" else command[1]]
        answer = answer(command) if callable(answer) else answer
        status, text = (answer, "") if isinstance(answer, int) else (0, answer)
        return subprocess.CompletedProcess(command, status, text, "")

    monkeypatch.setattr(subprocess, "run", run)
    return answers


def test_nothing_missing_nothing_called(commands, capsys):
    commands["-c"] = 0  # the part is there
    assert install_missing({"numpy": "numpy", "cv2": "x", "cv2.ximgproc": "x"}) == []
    assert capsys.readouterr().out == "packages: all are here, nothing is installed\n"


def test_all_that_is_installed_is_frozen(commands):
    seen = []

    def install(command):
        (file,) = (w.split("=", 1)[1] for w in command if w.startswith("--constraint="))
        seen.append(Path(file).read_text(encoding="utf-8"))
        return 0

    commands["-m pip list"] = "numpy==1.2+x\nolder===odd\n"
    commands["-m pip install"] = install
    with pytest.raises(SetupError, match="^nowhere: installed, but cannot be imported"):
        install_missing({"nowhere": "nowhere"})
    assert seen == ["numpy==1.2+x\nolder===odd\n"]


def test_part_that_is_missing_is_said(commands, capsys):
    commands |= {"-m pip list": "", "-m pip install": 0}
    commands["-c"] = lambda command: int("nopart" in command[2])
    with pytest.raises(SetupError, match="json.nopart"):
        install_missing({"json.nopart": "better-json", "json.dumps": "other"})
    said = capsys.readouterr().out
    assert said == "json is here, but without json.nopart: better-json goes over it\n"


def test_numpy_that_changed_is_said(commands, monkeypatch):
    versions, real = iter(["1", "1", "1", "1", "1", "2"]), importlib.metadata.version

    def version(name: str) -> str:
        return next(versions) if name in KEPT else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    here = iter([1, 0])  # the status: not before, but after
    commands |= {"-m pip list": "", "-m pip install": 0}
    commands["-c"] = lambda command: next(here)
    with pytest.raises(SetupError, match="pip has changed numpy 2: restart"):
        install_missing({"json.some": "some"})


def test_torch_is_never_installed(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "torch" else real(n)
    )
    with pytest.raises(SetupError, match="^torch: not installed here, and this"):
        install_missing({"numpy": "numpy"})


def test_no_pip_is_one_line(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SetupError, match="^pip: status 1$"):
        install_missing({"nowhere_at_all": "nowhere"})


# --------------------------------------------------------------------- the downloads


def row(what, path, fetch=None, below="data", instead=None):
    return {
        "what": what, "size": "1 MB", "below": below, "path": path, "fetch": fetch,
        "instead": instead,
    }  # fmt: skip


@pytest.fixture
def fetchers(tmp_path, monkeypatch):
    """A module whose functions fetch."""
    file = tmp_path / "fetching_for_test.py"
    file.write_text(
        "calls = []\n"
        "def good(name):\n    calls.append(name)\n"
        "def bad(name):\n    raise RuntimeError('http://x: no connection')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    yield importlib.import_module("fetching_for_test")
    del sys.modules["fetching_for_test"]


def test_only_what_is_named_is_fetched(fetchers, tmp_path, capsys):
    known = {
        "voc": row("VOC", "voc/a", "fetching_for_test.good"),
        "vit": row("weights", "sam/v.pth"),
        "res": row("ResNet", "r.pth", below="torch"),
        "other": row("other", "o", "fetching_for_test.bad"),
    }
    fetch({"kind": "voc", "more": {"sam": ["vit", 3]}, "n": None}, known)
    data = tmp_path / "data"
    assert capsys.readouterr().out == (
        f"VOC: 1 MB, goes to {data}/voc/a\nweights: 1 MB, goes to {data}/sam/v.pth\n"
    )
    assert fetchers.calls == ["voc"]
    fetch({"kind": "res"}, known)
    assert "/checkpoints/r.pth" in capsys.readouterr().out
    fetch({"kind": "drawn"}, known)
    assert capsys.readouterr().out == "to download: nothing\n"
    assert fetchers.calls == ["voc"]


def test_what_is_here_is_said_and_still_checked(fetchers, tmp_path, capsys):
    (tmp_path / "data/voc").mkdir(parents=True)
    known = {"voc": row("VOC", "voc", "fetching_for_test.good")}
    fetch({"kind": "voc"}, known)
    assert capsys.readouterr().out == f"VOC: is in {tmp_path}/data/voc\n"
    assert fetchers.calls == ["voc"]


def test_what_does_instead_is_not_fetched(fetchers, tmp_path, capsys):
    known = {"c": row("CIFAR", "c/bin", "fetching_for_test.good", instead="c.zip")}
    fetch({"kind": "c"}, known)
    assert fetchers.calls == ["c"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/c.zip").touch()
    capsys.readouterr()
    fetch({"kind": "c"}, known)
    assert fetchers.calls == ["c"]
    assert capsys.readouterr().out == f"CIFAR: is in {tmp_path}/data/c.zip\n"


def test_failed_download_is_one_line(fetchers):
    known = {"voc": row("VOC", "voc", "fetching_for_test.bad")}
    with pytest.raises(SetupError, match="^http://x: no connection$"):
        fetch({"kind": "voc"}, known)


# ------------------------------------------------------------------------ the tables


def test_tables_lose_what_only_the_book_reads():
    class Shown:
        def __init__(self, text):
            self._repr_markdown_ = lambda: text

    text = "| **2.0** [[1–3]]{.small} |\n\n[Note [a](b), `x`.]{.small}\n"
    assert colab_runtime.plain_markdown(Shown(text)) == (
        "| **2.0** <small>[1–3]</small> |\n\n<small>Note [a](b), `x`.</small>\n"
    )
    assert colab_runtime.plain_markdown(Shown("plain [a](b)")) == "plain [a](b)"


def test_without_jupyter_there_is_nothing_to_do():
    assert colab_runtime.show_plain_tables() is None
