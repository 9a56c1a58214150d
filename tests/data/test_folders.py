"""Where data are found, and how derived folders come to be."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wslib.data.folders import (
    build_once,
    data_root,
    dataset_folder,
    derived_root,
)
from wslib.runtime.project import note_dependency


def test_roots_follow_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("WSLIB_DATA", raising=False)
    monkeypatch.delenv("WSLIB_BUILD", raising=False)
    assert (data_root(), derived_root()) == (Path("data"), Path("build"))
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "d"))
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "b" / "smoke"))
    assert (data_root(), derived_root()) == (tmp_path / "d", tmp_path / "b")


def test_dataset_folder_is_found_and_noted(monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path))
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(tmp_path / "notes"))
    (tmp_path / "birds" / "list").mkdir(parents=True)
    assert dataset_folder("birds", "list") == tmp_path / "birds"
    note_dependency(tmp_path / "more")
    noted = (tmp_path / "notes").read_text().splitlines()
    assert noted == [str(tmp_path / "birds"), str(tmp_path / "more")]


def test_missing_data_set_is_one_line_that_helps(monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path))
    (tmp_path / "birds").mkdir()
    with pytest.raises(
        FileNotFoundError, match="birds/list: not found.*data fetch birds.*WSLIB"
    ) as e:
        dataset_folder("birds", "list")
    assert "\n" not in str(e.value)


def test_nothing_is_noted_without_the_variable(monkeypatch, tmp_path):
    monkeypatch.delenv("WSLIB_DATA_NOTES", raising=False)
    note_dependency(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_builds_once(tmp_path):
    calls = []

    def build(part):
        calls.append(part)
        (part / "file").write_text("x")

    for _ in range(2):
        assert build_once(tmp_path / "sub" / "set", build) == tmp_path / "sub" / "set"
    assert len(calls) == 1
    assert (tmp_path / "sub" / "set" / "file").read_text() == "x"
    assert [p for p in (tmp_path / "sub").iterdir() if "part" in p.name] == []


def test_failure_leaves_nothing(tmp_path):
    def build(part):
        (part / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "set", build)
    assert not (tmp_path / "set").exists()
    assert not list(tmp_path.glob("*part*")) + list(tmp_path.glob(".*part*"))


SLOW = """
import sys, time
from pathlib import Path
from wslib.data.folders import build_once
def build(part):
    print("building", flush=True)
    (part / "half").write_text("x")
    time.sleep(float(sys.argv[2]))
    (part / "whole").write_text("x")
build_once(Path(sys.argv[1]), build)
"""


def start(folder: Path, seconds: float) -> subprocess.Popen:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, str(folder), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX locks and signals")
def test_two_processes_build_once_and_a_killed_one_leaves_no_half(tmp_path):
    folder = tmp_path / "set"
    killed = start(folder, 60)
    assert killed.stdout.readline() == "building\n"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not folder.exists() and len(list(tmp_path.glob(".*part-*"))) == 1
    first = start(folder, 1.5)
    assert first.stdout.readline() == "building\n"
    began = time.time()
    second = start(folder, 1.5)
    assert [first.wait(30), second.wait(30)] == [0, 0] and time.time() - began < 25
    assert second.stdout.read() == ""
    assert sorted(p.name for p in folder.iterdir()) == ["half", "whole"]
    assert not list(tmp_path.glob(".*part-*"))
    for process in (killed, first, second):
        process.stdout.close()
