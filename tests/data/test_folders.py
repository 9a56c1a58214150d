"""Where data are found, and where the build derives some."""

from pathlib import Path

import pytest

from wslib.data.folders import (
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


def test_a_remedy_of_its_own_stands_in_the_place_of_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="fetch it with `wslib data fetch a`, "):
        dataset_folder("a", "list")
    with pytest.raises(FileNotFoundError, match="list: not found; take 'b', or set W"):
        dataset_folder("a", "list", "take 'b'")
