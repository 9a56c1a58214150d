"""The reader of the course's shapes, on a small set made by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wslib.data.datasets import open_shapes
from wslib.data.shapes import KINDS, SPLITS, Shapes, Split

MASK = np.zeros((6, 8), bool)
MASK[2:5, 3:7] = True


def write(root: Path, image_id: str, kind: str = "star", mask=None) -> None:
    """One image, its mask, a Pillow image, and its label."""
    for part in ("images", "masks", "labels"):
        (root / part / image_id).parent.mkdir(parents=True, exist_ok=True)
    picture = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    Image.fromarray(picture).save(root / "images" / f"{image_id}.png")
    mask = Image.fromarray(MASK) if mask is None else mask
    mask.save(root / "masks" / f"{image_id}.png")
    (root / "labels" / f"{image_id}.txt").write_text(kind)


@pytest.fixture
def shapes(tmp_path) -> Shapes:
    for split in SPLITS:
        for name, kind in (("b", "diamond\n"), ("a", "circle"), ("10", " star ")):
            write(tmp_path, f"{split}/{name}", kind)
    return Shapes(tmp_path)


def line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_kinds_in_the_order_of_the_course():
    assert KINDS == ("circle", "square", "triangle", "star", "diamond")


def test_ids_are_sorted_and_name_their_split(shapes):
    assert shapes.ids("val") == ["val/10", "val/a", "val/b"]
    assert shapes.ids("test", 2) == ["test/10", "test/a"]
    assert not shapes.rendered
    with pytest.raises(ValueError, match="limit is 0, expected 1 or more"):
        shapes.ids("test", 0)


def test_image_mask_and_label(shapes):
    assert shapes.image_path("val/a") == shapes.root / "images" / "val" / "a.png"
    image = shapes.image("val/a")
    assert (image.shape, image.dtype) == ((6, 8, 3), np.uint8)
    assert image[0, 1].tolist() == [3, 4, 5]
    mask = shapes.mask("val/a")
    assert mask.dtype == bool and (mask == MASK).all()
    assert shapes.label("val/b") == 4
    labels = shapes.labels(shapes.ids("train"))
    assert labels.tolist() == [3, 0, 4] and labels.dtype == np.int64
    assert shapes.labels([]).shape == (0,)


def palette(numbers: np.ndarray, first=(9, 9, 9), second=(0, 0, 0)) -> Image.Image:
    image = Image.fromarray(numbers.astype(np.uint8), "P")
    image.putpalette([*first, *second])
    return image


GREY = MASK.astype(np.uint8)
MASKS = {
    "1 bit": Image.fromarray(MASK),
    "0 and 1": Image.fromarray(GREY),
    "0 and 255": Image.fromarray(GREY * 255),
    "16 bits": Image.fromarray(GREY.astype(np.uint16) * 300),
    "palette": palette(GREY),  # its numbers count, not its colours
    "colours": Image.fromarray(np.stack([GREY * 0, GREY * 7, GREY * 0], 2)),
    "transparency": Image.fromarray(
        np.stack([GREY, GREY, GREY, np.full_like(GREY, 255)], 2)
    ),
    "grey, opaque": Image.fromarray(GREY * 255).convert("LA"),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_of_every_kind(tmp_path, name):
    write(tmp_path, "train/a", mask=MASKS[name])
    assert (Shapes(tmp_path).mask("train/a") == MASK).all()


@pytest.mark.parametrize("folder", ["images", "masks", "labels"])
def test_no_folder_and_no_split(shapes, folder):
    (shapes.root / folder / "val").rename(shapes.root / folder / "other")
    with pytest.raises(FileNotFoundError, match=f"{folder}/val: no such split") as e:
        shapes.ids("val")
    assert line(e).endswith("there are train, test")
    (shapes.root / folder).rename(shapes.root / "gone")
    with pytest.raises(FileNotFoundError, match=f"{folder}: no such folder; exp") as e:
        Shapes(shapes.root)
    assert str(shapes.root) in line(e)


def test_an_empty_split(shapes):
    for path in (shapes.root / "images" / "val").iterdir():
        path.rename(path.with_suffix(".jpg"))
    with pytest.raises(ValueError, match="images/val: no images, expected PNG") as e:
        shapes.ids("val")
    assert line(e)


@pytest.mark.parametrize("folder, ending", [("masks", "png"), ("labels", "txt")])
def test_an_image_without_mask_or_label(shapes, folder, ending):
    for name in ("10", "b"):
        (shapes.root / folder / "train" / f"{name}.{ending}").unlink()
    with pytest.raises(FileNotFoundError, match=f"10.{ending} and 1 more: not") as e:
        shapes.ids("train", 1)
    assert str(shapes.root / folder / "train") in line(e)
    assert len(shapes.ids("val")) == 3  # the other splits are whole
    read = shapes.mask if folder == "masks" else shapes.label
    with pytest.raises(FileNotFoundError, match=f"b.{ending}: no such (image|label)"):
        read("train/b")


def test_a_mask_of_another_size(shapes):
    Image.fromarray(MASK.T).save(shapes.root / "masks" / "val" / "a.png")
    said = "a.png: 6 x 8 pixels, expected those of its image, 8 x 6"
    with pytest.raises(ValueError, match=said) as e:
        shapes.mask("val/a")
    assert line(e)


@pytest.mark.parametrize("text", ["hexagon", "", "Star", "circle square", "4"])
def test_an_unknown_kind(shapes, text):
    (shapes.root / "labels" / "val" / "a.txt").write_text(text)
    said = f"a.txt: '{text}', expected circle, square, triangle, star or diamond"
    with pytest.raises(ValueError, match=said) as e:
        shapes.labels(shapes.ids("val"))
    assert line(e)


def test_files_that_are_no_pictures(shapes):
    for part in ("images", "masks"):
        path = shapes.root / part / "val" / "a.png"
        whole = path.read_bytes()
        read = shapes.image if part == "images" else shapes.mask
        for content in (b"", b"nothing", whole[: len(whole) // 2]):
            path.write_bytes(content)
            with pytest.raises(ValueError, match="a.png: not a readable image") as e:
                read("val/a")
            assert line(e)
        path.write_bytes(whole)
    with pytest.raises(FileNotFoundError, match=r"z\.png: no such image"):
        shapes.image("val/z")


def test_a_whole_split_in_memory(shapes):
    split = shapes.load("val")
    assert isinstance(split, Split) and len(split) == 3
    assert split.ids == shapes.ids("val") == ["val/10", "val/a", "val/b"]
    assert (split.images.shape, split.images.dtype) == ((3, 6, 8, 3), np.uint8)
    assert (split.masks.shape, split.masks.dtype) == ((3, 6, 8), bool)
    assert split.labels.tolist() == [3, 0, 4] and split.labels.dtype == np.int64
    for i, image_id in enumerate(split.ids):
        assert (split.images[i] == shapes.image(image_id)).all()
        assert (split.masks[i] == MASK).all()
    assert (split.pixels.shape, split.pixels.dtype) == ((3, 3, 6, 8), torch.uint8)
    assert split.pixels[2, 1, 4, 5] == split.images[2, 4, 5, 1]


def test_a_part_of_a_split(shapes):
    (shapes.root / "images" / "train" / "b.png").write_bytes(b"damaged, and not read")
    split = shapes.load("train", 2)
    assert split.ids == ["train/10", "train/a"] and len(split.pixels) == 2
    assert len(shapes.load("test", 99)) == 3
    with pytest.raises(ValueError, match="b.png: not a readable image") as e:
        shapes.load("train")
    assert line(e)


def test_what_cannot_be_loaded(shapes):
    with pytest.raises(ValueError, match="limit is 0, expected 1 or more"):
        shapes.load("val", 0)
    with pytest.raises(FileNotFoundError, match="no such split"):
        shapes.load("trainval")
    (shapes.root / "labels" / "val" / "a.txt").write_text("heptagon")
    with pytest.raises(ValueError, match="a.txt: 'heptagon', expected circle"):
        shapes.load("val")
    Image.fromarray(MASK.T).save(shapes.root / "masks" / "test" / "b.png")
    with pytest.raises(ValueError, match="b.png: 6 x 8 pixels, expected those of its"):
        shapes.load("test")
    tall = np.zeros((8, 6, 3), np.uint8)
    Image.fromarray(tall).save(shapes.root / "images" / "train" / "a.png")
    with pytest.raises(ValueError, match="a.png: 6 x 8 pixels, expected 8 x 6$") as e:
        shapes.load("train")
    assert line(e)


def test_open_the_set_of_the_course(shapes, tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(tmp_path / "notes"))
    with pytest.raises(FileNotFoundError, match="wslib data fetch synthetic_sh") as e:
        open_shapes("synthetic_shapes")
    assert line(e)
    (tmp_path / "data" / "synthetic_shapes").mkdir(parents=True)
    for part in ("images", "masks", "labels"):
        (tmp_path / part).rename(tmp_path / "data" / "synthetic_shapes" / part)
    opened = open_shapes("synthetic_shapes", train=5, seed=9)  # these mean nothing
    assert len(opened.ids("train")) == 3 and not opened.rendered
    noted = (tmp_path / "notes").read_text().splitlines()
    assert str((opened.root / "masks" / "test").resolve()) in noted
    with pytest.raises(
        ValueError, match="data set 'cifar100', expected 'synthetic_"
    ) as e:
        open_shapes("cifar100")
    assert line(e)


@pytest.mark.parametrize("text", ["{", "[]", '"a"', "é"])
def test_photographs_that_are_not_told(shapes, text):
    (shapes.root / "photographs.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"photographs\.json: ") as e:
        shapes.photographs(["val/a"])
    assert line(e)
    (shapes.root / "photographs.json").write_text('{"val/a": "x.png"}')
    assert shapes.photographs(["val/a", "val/b"]) == ["x.png", "val/b"]
