"""Sets of images: a split, its first images, or files."""

from pathlib import Path

import numpy as np
import pytest

from wslib.data.image_sets import ImageSet, check_apart

SIZE = "<size><width>90</width><height>60</height></size>"
OBJECT = (
    "<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin>"
    "<ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)


@pytest.fixture
def voc(tmp_path, monkeypatch):
    """VOC2007 with three images in `val`: nothing, a dog, a car and a hard bottle."""
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path))
    root = tmp_path / "voc2007" / "VOCdevkit" / "VOC2007"
    things = {
        "1": "",
        "2": OBJECT.format("dog", 0, 16, 11, 45, 30),
        "3": OBJECT.format("car", 0, 1, 2, 3, 4)
        + OBJECT.format("bottle", 1, 80, 50, 84, 59),
    }
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    for image_id, objects in things.items():
        (root / "JPEGImages" / f"{image_id}.jpg").touch()
        text = f"<annotation>{SIZE}{objects}</annotation>"
        (root / "Annotations" / f"{image_id}.xml").write_text(text)
    (root / "ImageSets/Main/val.txt").write_text("1\n2\n3\n")
    (root / "ImageSets/Main/test.txt").write_text("3\n")
    return root


def test_a_split_or_its_first_images(voc):
    images = ImageSet.from_split("voc2007", "val")
    assert images.ids == ["1", "2", "3"] and len(images) == 3
    assert images.paths[1] == voc / "JPEGImages" / "2.jpg"
    assert (images.dataset, images.split, images.counts) == ("voc2007", "val", {})
    assert ImageSet.from_split("voc2007", "val", 2).ids == ["1", "2"]


def test_labels_boxes_and_objects(voc):
    images = ImageSet.from_split("voc2007", "val")
    assert images.labels.shape == (3, 20) and images.labels.sum() == 2 - 1
    assert [len(boxes) for boxes in images.ground_truth("dog").values()] == [0, 1, 0]
    objects = images.objects()
    assert objects["1"].shape == (0, 5)
    assert objects["2"].tolist() == [[16, 11, 45, 30, 0]]
    assert objects["3"].tolist() == [[1, 2, 3, 4, 0], [80, 50, 84, 59, 1]]


def test_images_that_are_gone(voc):
    (voc / "JPEGImages" / "2.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="1 of 3 images are missing"):
        ImageSet.from_split("voc2007", "val")
    assert len(ImageSet.from_split("voc2007", "val", present=False)) == 3


def test_files_by_themselves(tmp_path):
    path = tmp_path / "a.png"
    path.touch()
    images = ImageSet.from_files([path, path])
    assert (images.dataset, images.ids, images.paths) == ("files", [str(path)], [path])
    with pytest.raises(FileNotFoundError, match="b.png: no such image"):
        ImageSet.from_files([path, Path("b.png")])


def test_nothing_is_validated_on_what_is_trained_on(voc):
    val, test = (ImageSet.from_split("voc2007", name) for name in ("val", "test"))
    with pytest.raises(ValueError, match="--validate test: 1 images of it are learnt"):
        check_apart(val, test)
    check_apart(ImageSet.from_split("voc2007", "val", 2), test)
    assert np.array_equal(val.labels[2:], test.labels)
