"""A person's own pictures: the layouts, and what is wrong in them, file by file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from wslib.data.datasets import open_caltech, open_voc2007
from wslib.data.own_folders import read_own_folder
from wslib.data.own_sets import OwnPictures, own_pictures, summarise_folder
from wslib.data.rendered.own import draw_folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The same ten pictures in the three layouts."""
    root = tmp_path_factory.mktemp("own")
    layouts = ("VOC", "CSV", "COCO")
    return {name: draw_folder(root / name, name, count=10) for name in layouts}


@pytest.mark.parametrize("layout", ["VOC", "CSV", "COCO"])
def test_each_layout_says_the_same(folders, layout):
    found, voc = (read_own_folder(folders[name]) for name in (layout, "VOC"))
    assert (found.layout, found.problems) == (layout, [])
    assert found.classes == ("ball", "tree")
    assert found.count_boxes() == {"ball": 5, "tree": 5}
    stems = {path.stem: i for i, path in found.paths.items()}
    for stem, note in voc.annotations.items():
        assert found.annotations[stems[stem]].objects == note.objects


def test_it_is_asked_as_voc_is(folders):
    own = open_voc2007(str(folders["CSV"]), train=300, seed=3)
    assert own.source == "own pictures in CSV/" and own.classes == ("ball", "tree")
    train, test = own.ids("trainval"), own.ids("test")
    assert len(train) + len(test) == 10 and not set(train) & set(test)
    assert own.labels(train).shape == (len(train), 2)
    assert (own.labels(test).sum(1) == 1).all()
    ball = own.ground_truth(own.ids("test", 1), "ball")
    assert [*ball] == test[:1]
    assert own.image(test[0]).shape[2] == 3 and own.class_mask(test[0], "ball") is None
    assert OwnPictures(folders["CSV"], seed=3).ids("test") == test
    assert OwnPictures(folders["CSV"], seed=4).ids("test") != test
    with pytest.raises(ValueError, match="no class 'dog'; CSV has ball, tree"):
        own.ground_truth(test, "dog")
    with pytest.raises(ValueError, match="no split 'tset'; there are train, val"):
        own.ids("tset")
    with pytest.raises(ValueError, match="no picture 'x'"):
        own.image_path("x")


def test_one_box_to_a_picture_is_that_of_the_largest_object(tmp_path):
    folder = draw_folder(tmp_path / "own", "CSV", count=4)
    with open(folder / "boxes.csv", "a") as file:
        file.write("ball/000.jpg,0,0,2,2\nball/002.jpg,0,0,150,150,tree\n")
    pictures = open_caltech(str(folder))
    assert pictures.classes == ("ball", "tree")
    assert pictures.source == "own pictures in own/" and not pictures.rendered
    assert pictures.labels.tolist() == [0, 1, 1, 1]
    at = [path.name for path in pictures.paths].index("002.jpg")
    assert pictures.boxes[at].tolist() == [0, 0, 150, 150]
    assert np.isfinite(pictures.ratios).all() and pictures.ratios.max() <= 1


def test_lists_of_voc_and_names_of_coco_are_the_splits(folders, tmp_path):
    voc = draw_folder(tmp_path / "voc", "VOC", count=4)
    lists = voc / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("000\n001\n")
    (lists / "val.txt").write_text("002 1\ngone\n")
    own = OwnPictures(voc)
    assert (own.ids("train"), own.ids("val")) == (["000", "001"], ["002"])
    assert own.ids("trainval") == ["000", "001", "002"]
    assert own.folder.problems == [
        f"{lists}/val.txt: 1 of its 2 pictures cannot be used"
    ]
    with pytest.raises(ValueError, match="no split 'test'; there are train, val"):
        own.ids("test")
    coco = draw_folder(tmp_path / "coco", "COCO", count=4)
    content = json.loads((coco / "boxes.json").read_text())
    (coco / "boxes.json").unlink()
    for name, some in {"train": slice(3), "test": slice(3, 4)}.items():
        part = {**content, "images": content["images"][some]}
        numbers = {image["id"] for image in part["images"]}
        part["annotations"] = [
            item for item in content["annotations"] if item["image_id"] in numbers
        ]
        (coco / f"{name}2017.json").write_text(json.dumps(part))
    own = OwnPictures(coco)
    assert (len(own.ids("train")), len(own.ids("test"))) == (3, 1)


def test_what_is_wrong_is_said_file_by_file(tmp_path):
    folder = draw_folder(tmp_path / "own", "CSV", count=8)
    Image.new("RGB", (20, 20)).save(folder / "ball" / "new.png")
    (folder / "tree" / "001.jpg").write_text("no picture")
    with open(folder / "boxes.csv", "a") as file:
        file.write("ball/000.jpg,9,9,5,5\nball/gone.jpg,1,1,2,2\n")
        file.write("ball/002.jpg,-5,0,9,9\nball/002.jpg,1,2,3\nball/002.jpg,a,1,2,3\n")
        file.write("ball/002.jpg,nan,1,2,3\n\n")
    for name in ("cube", "lamp", ".hidden"):
        (folder / name).mkdir()
    Image.new("RGB", (20, 20)).save(folder / "cube" / "a.png")
    said = "\n".join(summarise_folder(folder)["problems"])
    for text in (
        "ball/new.png: no box in a CSV; left out",
        "tree/001.jpg: not a readable picture; left out",
        "line 10: ball with the box (10.0, 10.0, 5.0, 5.0), expected x1 <= x2, "
        "y1 <= y2, counted from 1; left out",
        "line 11: no picture ball/gone.jpg; left out",
        "line 12: a box left the picture; it was cut",
        "line 13: 'ball/002.jpg,1,2,3', expected NAME,x1,y1,x2,y2",
        "line 14: 'ball/002.jpg,a,1,2,3', expected NAME,x1,y1,x2,y2",
        "own/cube: no box in a CSV for its 1 pictures; left out",
        "own/lamp: no picture of this class; left out",
        "line 15: ball with the box (nan, ",
    ):
        assert text in said
    assert said.count("\n") == 9  # and the heading is none


def test_a_category_of_which_there_is_no_box_is_named(tmp_path):
    folder = draw_folder(tmp_path / "own", "COCO", count=4)
    content = json.loads((folder / "boxes.json").read_text())
    content["categories"].append({"id": 99, "name": "spoon"})
    (folder / "boxes.json").write_text(json.dumps(content))
    assert read_own_folder(folder).problems == [f"{folder}: no box of spoon; left out"]


def test_a_truncated_picture_and_a_wrong_size_are_found(tmp_path):
    folder = draw_folder(tmp_path / "own", "VOC", count=9)
    picture = folder / "JPEGImages" / "000.jpg"
    picture.write_bytes(picture.read_bytes()[:2000])
    Image.new("RGB", (20, 10)).save(folder / "JPEGImages" / "001.jpg")
    (folder / "JPEGImages" / "002.jpg").unlink()
    (folder / "Annotations" / "003.xml").write_text("<annotation>")
    (folder / "Annotations" / "004.xml").unlink()
    summary = summarise_folder(folder)
    said = "\n".join(summary["problems"])
    assert "000.jpg: not a readable image: " in said
    assert "001.xml: size " in said
    assert "the upright image has 20 x 10: its boxes are of another picture" in said
    assert "002.xml: no such picture in JPEGImages; left out" in said
    assert "003.xml: no element found: line 1" in said
    assert "004.jpg: no annotation; left out" in said
    assert summary["pictures"] == 5


def test_of_few_pictures_it_says_what_they_can_tell(folders):
    summary = summarise_folder(folders["COCO"])
    assert summary["classes"]["tree"] == {"pictures": 5, "boxes": 5}
    assert [*summary["classes"]] == ["ball", "tree"]  # the chapter's order
    assert summary["drawn"] and sum(summary["splits"].values()) >= 10
    assert "pictures of tree: 1, each 100 % of its result" in summary["advice"]
    assert "too few to tell methods apart" in summary["advice"]


def test_a_class_that_every_picture_shows_is_named(folders, tmp_path):
    assert "every picture" not in summarise_folder(folders["CSV"])["advice"]
    folder = draw_folder(tmp_path / "own", "CSV", count=8)
    rows = [row for row in (folder / "boxes.csv").open() if not row.startswith("tree")]
    (folder / "boxes.csv").write_text("".join(rows))
    with pytest.raises(ValueError, match="all objects are ball, expected two classes"):
        own_pictures(folder)
    advice = summarise_folder(folder)["advice"]
    assert advice.endswith("; every picture shows ball: nothing to tell that from")


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="none: no such folder"):
        read_own_folder(tmp_path / "none")
    with pytest.raises(ValueError, match="no boxes here; expected Annotations"):
        read_own_folder(tmp_path)
    (tmp_path / "boxes.csv").write_text("a.jpg,1,2,3,4\n")
    with pytest.raises(
        ValueError, match="CSV without a box to be used; first: .*a.jpg"
    ):
        read_own_folder(tmp_path)
    few = draw_folder(tmp_path / "few", "CSV", count=4)
    with pytest.raises(ValueError, match="class 'ball' is in 2 pictures, expected 3"):
        OwnPictures(few)


def test_the_build_is_told_what_was_read(folders, tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(notes))
    own_pictures(folders["CSV"])
    told = notes.read_text().splitlines()
    assert {str(folders["CSV"] / n) for n in ("boxes.csv", "ball", "tree")} <= {*told}
