"""Pictures from elsewhere."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from wslib.data.own_photos import SHIPPED, read_strangers


def save(path, size=(30, 20), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 10, 10)).save(path, **options)


def test_without_a_folder_there_are_those_that_packages_ship(tmp_path):
    strangers, left_out = read_strangers(tmp_path / "none")
    assert [s.name for s in strangers] == list(SHIPPED)
    assert left_out == f"There is no folder `{tmp_path}/none` with pictures of yours."
    assert [s.label for s in strangers] == ["face", "motorcycle", ""]
    assert all(s.image.dtype == np.uint8 and s.image.ndim == 3 for s in strangers)


def test_labels_are_the_names_of_folders(tmp_path):
    save(tmp_path / "own" / "face" / "me.jpg")
    save(tmp_path / "own" / "holiday" / "cat.PNG")
    strangers, _ = read_strangers(tmp_path / "own")
    own = {s.name: s for s in strangers[len(SHIPPED) :]}
    assert own["me.jpg"].label == "face" and own["cat.PNG"].label is None
    assert own["me.jpg"].is_right("face") is True
    assert own["me.jpg"].is_right("airplane") is False
    assert own["cat.PNG"].is_right("airplane") is None


def test_of_other_classes_nobody_knows_whether_the_shipped_ones_show_them(tmp_path):
    save(tmp_path / "cup" / "mine.jpg")
    strangers, _ = read_strangers(tmp_path, classes=("cup", "face"))
    assert [s.label for s in strangers] == ["face", None, None, "cup"]
    assert [s.truth for s in strangers] == ["face", "not known", "not known", "cup"]
    assert read_strangers(tmp_path)[0][2].truth == "none of them"


def test_a_turned_picture_is_upright(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees
    save(tmp_path / "phone.jpg", size=(40, 20), exif=exif)
    strangers, _ = read_strangers(tmp_path)
    assert strangers[-1].image.shape == (40, 20, 3)


def test_a_name_that_is_no_text_can_be_written(tmp_path):
    save(tmp_path / os.fsdecode(b"caf\xe9.jpg"))
    (tmp_path / os.fsdecode(b"th\xe9.jpg")).write_bytes(b"no picture")
    strangers, left_out = read_strangers(tmp_path)
    assert strangers[-1].name == r"caf\udce9.jpg"
    assert left_out == r"Left out: no readable pictures: th\udce9.jpg."


def test_what_is_left_out_is_named(tmp_path):
    for k in range(4):
        save(tmp_path / f"{k}.png")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    (tmp_path / "notes.txt").write_text("no picture")
    strangers, left_out = read_strangers(tmp_path, limit=3)
    assert [s.name for s in strangers[len(SHIPPED) :]] == ["0.png", "2.png"]
    assert left_out == "Left out: no readable pictures: 1.png; 1 more than are shown."


def test_the_folder_is_noted_for_the_build(tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(notes))
    (tmp_path / "own").mkdir()
    read_strangers(tmp_path / "own")
    assert str(tmp_path / "own") in notes.read_text()
