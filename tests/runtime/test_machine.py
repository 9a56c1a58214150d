"""The machine: what it is, what is installed on it, and what is missing."""

import importlib
import shutil
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from wslib.runtime import machine
from wslib.runtime.machine import BAD, LESS, OK, install, shorten


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(check) -> dict:
    return {finding.name: finding for finding in check()}


def test_how_to_install_is_said_for_this_python(place, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert install("x") == "python3 -m pip install x"
    pip = place / ".venv" / "bin" / "pip"
    pip.parent.mkdir(parents=True)
    pip.touch()
    monkeypatch.setattr(sys, "executable", str(pip.with_name("python")))
    assert install("x") == ".venv/bin/pip install x"


def test_short_paths(place, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: place.parent)
    assert shorten(place / "a" / "b") == shorten(Path("a/b")) == "a/b"
    assert shorten(place.parent / "c") == "~/c"
    assert shorten(Path("/elsewhere")) == "/elsewhere"


def test_memory_is_free_and_all():
    memory = machine.find_memory()
    assert memory is None or 0 < memory[0] <= memory[1]


def test_processor_has_cores():
    assert ", " in machine.find_processor() and "core" in machine.find_processor()


def test_version_of_a_program(place, monkeypatch):
    program = place / "prog"
    program.write_text('#!/bin/sh\necho "Prog 3.1"\necho more\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    assert machine.find_version("prog") == "Prog 3.1"
    assert machine.find_version("no-such-program") is None


def test_what_a_package_declares():
    needed = machine.declared_packages("wslib")
    assert "torch" in needed and set(needed.values()) == {""}
    assert "pytest" not in needed


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """A folder of packages that takes the place of all others: `packages(name=...)`."""
    site = tmp_path / "site"

    def add(name: str, version: str | None, *files: str, record: str = ""):
        info = site / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        head = f"Version: {version}\n" if version else ""
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n{head}")
        (info / "RECORD").write_text("".join(f"{x},,\n" for x in record.split()))
        for file in files:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).touch()

    monkeypatch.setattr(sys, "path", [str(site)])
    importlib.invalidate_caches()
    yield add
    monkeypatch.undo()
    importlib.invalidate_caches()


def test_packages_that_are_missing_torn_or_others(packages):
    packages("good", "1.0", "good/__init__.py", record="good/__init__.py good/a.py")
    packages("torn", "1.0", "torn/a.py", record="torn/__init__.py torn/a.py")
    packages("nameless", None)
    packages("local", "2.0+cpu")
    packages("newer", "3.1")
    wanted = {"good": "1.0", "torn": "1.0", "nameless": "1", "local": "2.0"}
    wanted |= {"newer": "3.0", "absent": "4"}
    found = {f.name: f for f in machine.compare(wanted, "requirements.txt")}
    assert found["packages"].found == "2 of 6 as requirements.txt has them"
    assert found["newer"].found == "3.1 where requirements.txt has 3.0"
    assert found["newer"].status == LESS
    assert found["newer"].remedy.endswith("pip install newer==3.0")
    assert (found["absent"].status, found["absent"].found) == (BAD, "not installed")
    assert found["torn"].found == found["nameless"].found == "files of it are missing"
    assert found["torn"].status == BAD
    assert found["torn"].remedy.endswith("--force-reinstall --no-deps torn==1.0")
    assert set(found) == {"packages", "newer", "absent", "torn", "nameless"}


def test_pins_are_read_as_pip_reads_them(place):
    path = place / "requirements.txt"
    path.write_text(
        "# torch==9\ntorch==2.13.0\nopen-cv.x==4.1.0.9  # 5.0 drops\n\nnumpy>=2\n"
    )
    assert machine.read_pins(path) == {"torch": "2.13.0", "open-cv.x": "4.1.0.9"}
    path.unlink()
    assert machine.read_pins(path) == {}
    needed = {f.name: f for f in machine.check_packages()}
    assert "16 of 16 that wslib needs" == needed["packages"].found


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 18))
    first = next(machine.check_python())
    assert first.status == BAD and "Python 3.11 or later" in first.remedy


def test_torchvision_made_for_another_torch(monkeypatch):
    versions = {"torch": "2.12.0+cu130", "torchvision": "0.28.0"}
    monkeypatch.setattr(metadata, "version", versions.__getitem__)
    monkeypatch.setattr(metadata, "requires", lambda _: ["numpy", "torch==2.13.0"])
    (found,) = machine.check_torchvision()
    assert found.status == BAD and found.remedy.endswith("install torch==2.13.0")
    assert found.found == "0.28.0, made for torch 2.13.0, beside 2.12.0+cu130"
    versions["torch"] = "2.13.0+cpu"
    (found,) = machine.check_torchvision()
    assert (found.status, found.found) == (OK, "0.28.0, made for this torch")


def test_graphics(monkeypatch, place):
    assert rows(machine.check_torch)["GPU"].found.startswith("none; `full`")
    (place / "nvidia-smi").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(place))
    assert "does not reach" in rows(machine.check_torch)["GPU"].found
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**31, 2**33))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "H200")
    found = rows(machine.check_torch)["GPU"]
    assert (found.status, found.found) == (OK, "H200, 2.0 GiB free of 8.0 GiB")


def test_little_room(monkeypatch, place):
    usage = type("Usage", (), {"free": 2**29})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = rows(machine.check_computer)["disk"]
    assert found.status == LESS and found.found == f"0.5 GiB free in {place}"
