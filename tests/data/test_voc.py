"""VOC2007 as it is found on disk, its warts included."""

import os

import numpy as np
import pytest
from PIL import Image

from wslib.data.datasets import learn_and_examine, open_voc2007
from wslib.data.voc import (
    CLASSES,
    VOC2007,
    VocObject,
    read_annotation,
)


def xml(*objects: str, size: str = "<width>100</width><height>80</height>") -> str:
    size = f"<size>{size}<depth>3</depth></size>" if size else ""
    return f"<annotation>{size}{''.join(objects)}</annotation>"


def thing(name="dog", box=(10, 20, 30, 40), extra="<difficult>0</difficult>") -> str:
    tags = zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    corners = "".join(f"<{tag}>{v}</{tag}>" for tag, v in tags)
    return f"<object><name>{name}</name>{extra}<bndbox>{corners}</bndbox></object>"


HARD = "<difficult>1</difficult>"
PART = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"


@pytest.fixture
def root(tmp_path):
    """Four images, the second without a picture, the third without an object."""
    base = tmp_path / "VOCdevkit" / "VOC2007"
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (base / name).mkdir(parents=True)
    texts = {
        "000001": xml(thing(), thing("person", ("45.70", "1", "100", "80"), HARD)),
        "000002": xml(thing("cat", extra=""), thing("cat", (1, 1, 2, 2), HARD)),
        "000003": xml(),
        "000004": xml(thing("dog", (5, 6, 7, 8), HARD + PART), size=""),
    }
    for name, text in texts.items():
        (base / "Annotations" / f"{name}.xml").write_text(text)
        if name != "000002":
            Image.new("RGB", (100, 80)).save(base / "JPEGImages" / f"{name}.jpg")
    lists = base / "ImageSets" / "Main"
    (lists / "train.txt").write_bytes(b"000001\r\n000002\r\n000003\r\n000004\r\n")
    (lists / "val.txt").write_bytes(b"000003 \n\n")
    (lists / "dog_train.txt").write_bytes(b"000001  1\r\n000002 -1\r\n")
    return tmp_path


@pytest.mark.parametrize("below", ["", "VOCdevkit", "VOCdevkit/VOC2007"])
def test_opens_from_each_level(root, below):
    voc = VOC2007(root / below)
    assert voc.ids("train") == ["000001", "000002", "000003", "000004"]
    assert voc.ids("train", limit=2) == ["000001", "000002"]
    assert voc.ids("val") == ["000003"]
    assert not voc.rendered


def test_complaints_about_folders_and_splits(root, tmp_path):
    with pytest.raises(FileNotFoundError, match="expected VOCdevkit/VOC2007/ImageSets"):
        VOC2007(tmp_path / "VOCdevkit" / "VOC2007" / "Annotations")
    voc = VOC2007(root)
    with pytest.raises(ValueError, match="no split 'tset'; there are train, val$"):
        voc.ids("tset")
    with pytest.raises(ValueError, match="limit is 0"):
        voc.ids("train", limit=0)
    twice = root / "VOCdevkit/VOC2007/ImageSets/Main/test.txt"
    twice.write_text("000001\n000001\n")
    with pytest.raises(ValueError, match=r"test\.txt: 000001 comes twice, exp"):
        voc.ids("test")


def test_lists_that_windows_has_written(root):
    voc, lists = VOC2007(root), root / "VOCdevkit/VOC2007/ImageSets/Main"
    (lists / "test.txt").write_bytes(b"\xef\xbb\xbf000001\r\n000003\r\n")
    assert voc.ids("test") == ["000001", "000003"]
    (lists / "test.txt").write_bytes("000001 é".encode("latin-1"))
    with pytest.raises(ValueError, match=r"test\.txt: 'utf-8' codec can't decode"):
        voc.ids("test")
    (lists / "test.txt").write_text("\n \n")
    with pytest.raises(ValueError, match=r"test\.txt: empty, expected image ids"):
        voc.ids("test")


@pytest.mark.parametrize("size", [(80, 100), (100, 81), (200, 160)])
def test_an_annotation_of_another_picture(root, size):
    voc, sides = VOC2007(root), "<width>{}</width><height>{}</height>".format(*size)
    (voc.root / "Annotations/000001.xml").write_text(xml(thing(), size=sides))
    told = "000001.xml: size {} x {}, but the upright image has 100 x 80".format(*size)
    with pytest.raises(ValueError, match=told):
        voc.annotation("000001")


def test_boxes_are_of_the_upright_picture(root):
    """A camera held upright has stored 100 x 80 pixels lying; 80 x 100 are meant."""
    voc, exif = VOC2007(root), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 80)).save(voc.image_path("000001"), exif=exif)
    with pytest.raises(ValueError, match="size 100 x 80, but the upright image has 80"):
        voc.annotation("000001")
    sides = "<width>80</width><height>100</height>"
    note = xml(thing(box=(70, 90, 80, 100)), size=sides)
    (voc.root / "Annotations/000001.xml").write_text(note)
    assert voc.annotation("000001").objects[0].box == (70, 90, 80, 100)
    assert voc.image("000001").shape == (100, 80, 3)


@pytest.mark.parametrize(
    "said, meant", [("True", True), ("false", False), (" 1 ", True)]
)
def test_difficult_in_words(root, said, meant):
    path = VOC2007(root).root / "Annotations/000003.xml"
    path.write_text(xml(thing(extra=f"<difficult>{said}</difficult>")))
    assert read_annotation(path).objects[0].difficult is meant


def test_nothing_is_examined_that_was_learnt(root):
    voc = VOC2007(root)
    lists = root / "VOCdevkit/VOC2007/ImageSets/Main"
    (lists / "test.txt").write_text("000001\n000003\n")
    (lists / "rest.txt").write_text("000004\n")
    assert learn_and_examine(voc, "dog", "test", "rest") == (
        ["000001", "000003"], ["000004"],
    )  # fmt: skip
    with pytest.raises(ValueError, match="'train' and 'val' share 1 images"):
        learn_and_examine(voc, "dog", "train", "val")
    with pytest.raises(ValueError, match="split 'rest' holds no person among 1 images"):
        learn_and_examine(voc, "person", "test", "rest")
    with pytest.raises(ValueError, match="no class 'dogs'; VOC has aeroplane"):
        learn_and_examine(voc, "dogs", "test", "rest")


def test_rendered_options_are_known():
    with pytest.raises(ValueError, match="'vall'.*expected some of"):
        open_voc2007("rendered", vall=2)


def test_annotation(root):
    voc = VOC2007(root)
    first = voc.annotation("000001")
    assert (first.image_id, first.width, first.height) == ("000001", 100, 80)
    assert first.objects == (
        VocObject("dog", (10.0, 20.0, 30.0, 40.0), False),
        VocObject("person", (45.7, 1.0, 100.0, 80.0), True),
    )
    assert voc.annotation("000001") is first
    assert voc.annotation("000003").objects == ()
    assert not voc.annotation("000002").objects[0].difficult


def test_size_comes_from_the_image_where_the_file_has_none(root):
    voc = VOC2007(root)
    last = voc.annotation("000004")
    assert (last.width, last.height) == (100, 80)
    assert last.objects == (VocObject("dog", (5.0, 6.0, 7.0, 8.0), True),)
    voc.image_path("000004").unlink()
    with pytest.raises(FileNotFoundError, match=r"4\.xml: no size, and no image"):
        VOC2007(root).annotation("000004")


def test_labels(root):
    voc = VOC2007(root)
    labels = voc.labels(voc.ids("train"))
    assert (labels.shape, labels.dtype) == ((4, 20), np.int8)
    dog, cat, person = (CLASSES.index(name) for name in ("dog", "cat", "person"))
    assert labels[:, dog].tolist() == [1, 0, 0, -1]
    assert labels[:, cat].tolist() == [0, 1, 0, 0]  # one easy cat is enough
    assert labels[:, person].tolist() == [-1, 0, 0, 0]
    assert np.abs(labels).sum() == 4


def test_ground_truth(root):
    voc = VOC2007(root)
    ids = voc.ids("train")
    truth = voc.ground_truth(ids, "dog")
    assert list(truth) == ids
    assert truth["000001"].tolist() == [[10, 20, 30, 40, 0]]
    assert truth["000002"].shape == truth["000003"].shape == (0, 5)
    assert truth["000004"].tolist() == [[5, 6, 7, 8, 1]]
    assert voc.ground_truth(ids, "dog", difficult=False)["000004"].shape == (0, 5)
    with pytest.raises(ValueError, match="no class 'dgo'; VOC has aeroplane, "):
        voc.ground_truth(ids, "dgo")


def test_images(root):
    voc = VOC2007(root)
    assert voc.image("000001").shape == (80, 100, 3)
    with pytest.raises(FileNotFoundError, match=r"000002\.jpg: no such image"):
        voc.image("000002")


def test_few_missing_images_are_left_out_and_many_are_an_error(root):
    voc = VOC2007(root)
    folder = voc.image_path("x").parent
    many = [f"1{k:05d}" for k in range(100)]
    for name in many:
        (folder / f"{name}.jpg").touch()
    with pytest.warns(UserWarning, match=r"1 of 101 images are missing \(000002\)"):
        assert voc.available([*many[:50], "000002", *many[50:]]) == many
    with pytest.raises(FileNotFoundError, match="1 of 4 images.*data fetch") as error:
        voc.available(voc.ids("train"))
    assert "\n" not in str(error.value)
    assert voc.available(["000001"]) == ["000001"]


@pytest.mark.parametrize(
    "text, complaint",
    [
        (xml(thing("unicorn")), "unknown class 'unicorn'"),
        (xml(thing(box=(30, 20, 10, 40))), "expected x1 <= x2"),
        (xml(thing(extra="<difficult>2</difficult>")), "dog with difficult '2', exp"),
        (
            xml(size="<width>inf</width><height>80</height>"),
            "size inf x 80, expected num",
        ),
        (
            xml(size="<width>nan</width><height>80</height>"),
            "size nan x 80, expected num",
        ),
        ('<?xml version="1.0" encoding="foo"?>' + xml(), "unknown encoding: foo"),
        (xml(thing(box=(10, "nan", 30, 40))), "expected finite"),
        (xml(thing(box=(10, 20, "inf", 40))), "expected finite"),
        (xml(thing(box=(10, 20, "wide", 40))), "could not convert"),
        (xml(thing(box=(101, 20, 130, 40))), "outside 100 x 80"),
        (xml("<object><name>dog</name></object>"), "dog without a complete bndbox"),
        ("<annotation><object>", "no element found"),
        ("", "no element found"),
    ],
)
def test_bad_annotations_are_one_line_naming_the_file(tmp_path, text, complaint):
    path = tmp_path / "000007.xml"
    path.write_text(text)
    with pytest.raises(ValueError, match=complaint) as error:
        read_annotation(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_missing_annotation(root):
    with pytest.raises(FileNotFoundError, match=r"000009\.xml: no such file"):
        VOC2007(root).annotation("000009")


def test_box_that_leaves_the_image_is_clipped_with_a_warning(tmp_path):
    path = tmp_path / "000007.xml"
    path.write_text(xml(thing(box=(0, -3, 120, 80))))
    with pytest.warns(UserWarning, match=r"000007\.xml: a box left the image"):
        annotation = read_annotation(path)
    assert annotation.objects[0].box == (1, 1, 100, 80)


def test_unknown_data_set():
    with pytest.raises(
        ValueError, match="'voc2012', expected 'voc2007', 'rendered' or a folder"
    ):
        open_voc2007("voc2012")


@pytest.fixture(scope="module")
def photographs():
    try:
        return open_voc2007()
    except FileNotFoundError as error:
        pytest.skip(f"needs the photographs of VOC2007: {error}")


@pytest.mark.skipif(not os.environ.get("WSLIB_DATA"), reason="WSLIB_DATA is not set")
def test_the_photographs(photographs):
    test = photographs.ids("test")
    assert len(test) == 4952 and not photographs.rendered
    dogs = photographs.ground_truth(test[:500], "dog")
    assert len(dogs) == 500 and sum(map(len, dogs.values())) == 50
    assert sum(map(len, photographs.ground_truth(test, "dog").values())) == 530
    assert (len(photographs.ids("trainval")), len(photographs.ids("val", 500))) == (
        5011,
        500,
    )


@pytest.mark.skipif(not os.environ.get("WSLIB_DATA"), reason="WSLIB_DATA is not set")
def test_labels_agree_with_the_official_lists(photographs):
    ids = photographs.ids("train")
    labels = photographs.labels(ids)
    for name in ("dog", "sofa", "person"):
        path = photographs.root / "ImageSets" / "Main" / f"{name}_train.txt"
        official = {i: int(v) for i, v in map(str.split, path.read_text().splitlines())}
        ours = dict(zip(ids, labels[:, CLASSES.index(name)].tolist(), strict=True))
        meaning = {1: 1, 0: -1, -1: 0}  # the lists: 1 present, -1 absent, 0 difficult
        assert {i: meaning[value] for i, value in ours.items()} == official


def test_a_mask_is_read_by_class_and_void(root):
    voc = VOC2007(root)
    image_id = voc.ids("train")[0]
    assert voc.class_mask(image_id, "dog") is None
    folder = voc.root / "SegmentationClass"
    folder.mkdir()
    number = np.zeros((4, 6), np.uint8)
    number[1, 2:5], number[0, 0] = 12, 255  # dogs are number 12
    picture = Image.fromarray(number, "P")
    picture.putpalette([k for k in range(256) for _ in "rgb"])
    picture.save(folder / f"{image_id}.png")
    mask, void = voc.class_mask(image_id, "dog")
    assert np.argwhere(mask).tolist() == [[1, 2], [1, 3], [1, 4]]
    assert np.argwhere(void).tolist() == [[0, 0]]
    assert not voc.class_mask(image_id, "cat")[0].any()
    Image.fromarray(number, "L").save(folder / f"{image_id}.png")
    with pytest.raises(ValueError, match="mode L, expected a palette image"):
        voc.class_mask(image_id, "dog")
