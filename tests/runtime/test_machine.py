"""The machine: what it is, and how to install something on it."""

import sys
from pathlib import Path

import pytest

from wslib.runtime import machine
from wslib.runtime.machine import install, shorten


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
