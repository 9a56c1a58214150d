"""Shapes drawn on pictures: of known area, half-transparent, the same each time."""

import json
import math
import os
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from wslib.data import backgrounds
from wslib.data.backgrounds import CROPS, RESERVED, Crops, photograph_crops
from wslib.data.cifar10 import BATCHES, BINARY, cifar10_pictures
from wslib.data.datasets import open_shapes
from wslib.data.rendered import shapes as module
from wslib.data.rendered.drawn.shapes import (
    OUTLINES,
    blend,
    coverage,
    draw_colour,
    draw_cover,
    lay_shape,
    outline,
)
from wslib.data.rendered.shapes import draw_item, render_shapes, rendered_shapes
from wslib.data.shapes import KINDS, SPLITS, Shapes

COUNTS = {"train": 20, "val": 5, "test": 10}


def flat(*values: int) -> list[np.ndarray]:
    """Pictures of one grey each, 32 x 32, as CIFAR-10's are."""
    return [np.full((32, 32, 3), value, np.uint8) for value in values]


PICTURES = {"train": flat(*range(0, 100, 5)), "val": flat(120), "test": flat(200, 250)}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Shapes:
    folder = tmp_path_factory.mktemp("shapes")
    return Shapes(render_shapes(folder, PICTURES, COUNTS, 3, "greys"))


def extent(mask: np.ndarray) -> int:
    return int(np.ptp(np.nonzero(mask), axis=1).max() + 1)


def files(root: Path) -> dict[str, bytes]:
    paths = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


# The photographs below


def test_the_photograph_of_each_image_is_written_down(tmp_path):
    crops = {split: Crops(split) for split in SPLITS}
    rendered = Shapes(render_shapes(tmp_path, crops, COUNTS, 3))
    test = rendered.load("test")
    assert set(test.photographs) <= set(RESERVED) and len(test) == COUNTS["test"]
    for i, name in enumerate(test.photographs):
        number = module.picture_number(crops["test"], "test", i, 3)
        assert crops["test"].photograph(number) == name
    assert not set(rendered.load("val").photographs) & set(RESERVED)


def test_pictures_of_unknown_origin_stand_for_themselves(shapes):
    val = shapes.load("val")
    assert val.photographs == val.ids


def test_a_crop_is_of_the_photograph_that_it_names(monkeypatch):
    names = []
    region = backgrounds.region_of
    monkeypatch.setattr(
        backgrounds,
        "region_of",
        lambda name, split: (names.append(name), region(name, split))[1],
    )
    crops = Crops("test")
    for k in range(8):
        crops[k]
    assert names == [crops.photograph(k) for k in range(8)]
    assert crops.photograph(-1) == crops.photograph(CROPS - 1)


# One shape


def test_coverage_of_a_square_is_exact():
    square = np.array([(2, 1), (6, 1), (6, 5), (2, 5)], float) - 0.5
    cover = coverage(square, 9, 7)
    assert (cover.shape, cover.dtype) == ((7, 9), np.float32)
    expected = np.zeros((7, 9))
    expected[1:5, 2:6] = 1
    assert (cover == expected).all()
    shifted = coverage(square + (0.25, 0.5), 9, 7)
    assert shifted[1].tolist() == [0, 0, 0.375, 0.5, 0.5, 0.5, 0.125, 0, 0]
    assert shifted[3, 1:8].tolist() == [0, 0.75, 1, 1, 1, 0.25, 0]
    assert coverage(square[::-1], 9, 7).sum() == 16  # either way round


@pytest.mark.parametrize(
    "kind, area",
    [  # of a shape whose longer side is 1, not turned
        ("circle", math.pi / 4),
        ("square", 1),
        ("triangle", math.sqrt(3) / 4),
        ("diamond", 0.8 / 2),
    ],
)
def test_areas(kind, area):
    for side in (13.0, 16.3, 19.0):
        cover = coverage(outline(kind, side) + (31.7, 23.4), 64, 48)
        assert cover.sum() == pytest.approx(area * side**2, rel=0.01)
        assert (cover >= 0.5).sum() == pytest.approx(area * side**2, rel=0.08)


def test_a_turned_square_keeps_its_shape():
    corners = outline("square", 16, 10)
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)
    turn = math.cos(math.radians(10)) + math.sin(math.radians(10))
    assert sides == pytest.approx([16 / turn] * 4)
    cover = coverage(corners + (30, 20), 64, 48)
    assert cover.sum() == pytest.approx((16 / turn) ** 2, rel=0.01)


def test_outlines_are_centred_and_as_large_as_said():
    assert tuple(OUTLINES) == KINDS
    for kind in KINDS:
        points = outline(kind, 15, -7)
        low, high = points.min(axis=0), points.max(axis=0)
        assert (high - low).max() == pytest.approx(15)
        assert low + high == pytest.approx([0, 0], abs=1e-9)
    with pytest.raises(ValueError, match="shape 'hexagon', expected one of circle, s"):
        outline("hexagon", 15)


def test_the_star_is_a_pentagram():
    star = outline("star", 10)
    assert star[0] == pytest.approx([0, star[:, 1].min()], abs=1e-9)  # points up
    for k in range(0, 10, 2):  # from tip to tip but one, through two inner corners
        tip, one, two, far = star[k], star[(k + 1) % 10], star[(k + 3) % 10], None
        far = star[(k + 4) % 10]
        for inner in (one, two):
            a, b = inner - tip, far - tip
            assert a[0] * b[1] - a[1] * b[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_every_cover_is_of_13_to_19_pixels_and_wholly_inside(kind):
    rng = np.random.default_rng(5)
    sizes, whole = set(), coverage(outline(kind, 16) + (31, 23), 64, 48).sum()
    for _ in range(150):
        cover = draw_cover(rng, kind, 64, 48)
        sizes.add(extent(cover >= 0.5))
        ratio = cover.sum() / whole * 16**2  # nothing was cut off
        assert 10.5**2 <= ratio <= 22**2
    assert sizes == set(range(13, 20))


def test_a_shape_that_barely_fits_is_not_cut():
    rng = np.random.default_rng(0)
    for _ in range(50):
        cover = draw_cover(rng, "square", 21, 21)
        mask = cover >= 0.5
        assert 13 <= extent(mask) <= 19
        # turned by 10 degrees, a square fills 73 % of its bounding box
        assert mask.sum() > 0.7 * extent(mask) ** 2 - 8


def test_blend_is_half_transparent():
    picture = np.zeros((1, 3, 3), np.uint8) + np.uint8([100, 0, 50])
    cover = np.array([[0, 0.5, 1]], np.float32)
    mixed = blend(picture, cover, np.array([200, 100, 51]), 0.4)
    assert mixed.dtype == np.uint8
    assert mixed[0].tolist() == [[100, 0, 50], [120, 20, 50], [140, 40, 50]]
    assert picture[0, 2].tolist() == [100, 0, 50]  # is left alone


def test_colours_are_any_but_the_one_beneath():
    rng = np.random.default_rng(1)
    beneath = np.array([90, 120, 60])
    colours = np.array([draw_colour(rng, beneath) for _ in range(2000)])
    distances = np.linalg.norm(colours - beneath, axis=1)
    assert distances.min() >= 60
    assert (distances < 90).sum() > 30  # and no more than that is asked for
    assert (colours.min(axis=0) < 5).all() and (colours.max(axis=0) > 250).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_laid_over_a_picture(kind):
    rng = np.random.default_rng(7)
    picture = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
    for seed in range(20):
        image, mask = lay_shape(np.random.default_rng(seed), picture, kind)
        assert (image.shape, image.dtype) == ((48, 64, 3), np.uint8)
        assert (mask.shape, mask.dtype) == ((48, 64), bool)
        thick, square = np.pad(mask, 2).astype(np.uint8), np.ones((5, 5), np.uint8)
        core = cv2.erode(thick, square)[2:-2, 2:-2] > 0
        away = cv2.dilate(thick, square)[2:-2, 2:-2] == 0
        if kind != "star":  # whose tips reach farther than their mask
            assert (image[away] == picture[away]).all()
        before, after = picture[core].astype(float), image[core].astype(float)
        for channel in range(3):  # after = (1 - a) before + a colour
            slope, shift = np.polyfit(before[:, channel], after[:, channel], 1)
            assert 0.4 - 0.02 <= 1 - slope <= 0.6 + 0.02
            assert -2 <= shift / (1 - slope) <= 257  # the colour
            error = after[:, channel] - slope * before[:, channel] - shift
            assert np.abs(error).max() < 1.1  # it was rounded


# A data set


def test_the_layout_is_that_of_the_reader(shapes):
    assert shapes.rendered
    assert {split: len(shapes.ids(split)) for split in SPLITS} == COUNTS
    assert shapes.ids("val")[0] == "val/0001"
    about = json.loads((shapes.root / "RENDERED.json").read_text())
    assert about["pictures"] == "greys" and "again with other shapes" in about["about"]
    assert (about["seed"], about["test_seed"]) == (3, 1_000_006)
    assert {split: about[split] for split in SPLITS} == COUNTS


def test_round_trip(shapes):
    for split in SPLITS:
        for i, image_id in enumerate(shapes.ids(split)):
            image, mask, kind = draw_item(PICTURES[split], split, i, 3)
            assert (image == shapes.image(image_id)).all()
            assert (mask == shapes.mask(image_id)).all()
            assert KINDS.index(kind) == shapes.label(image_id)


def test_kinds_are_balanced_and_shuffled(shapes):
    labels = shapes.labels(shapes.ids("train"))
    assert np.bincount(labels).tolist() == [4] * 5
    rows = {tuple(row) for row in labels.reshape(4, 5)}
    assert len(rows) > 1 and all(sorted(row) == [0, 1, 2, 3, 4] for row in rows)


def grey_of(image: np.ndarray) -> int:
    """The grey of a flat picture, where no shape is: the commonest value."""
    return Counter(map(tuple, image.reshape(-1, 3).tolist())).most_common(1)[0][0][0]


def test_each_picture_comes_once_before_any_comes_twice(shapes):
    greys = [grey_of(shapes.image(i)) for i in shapes.ids("train")]
    assert sorted(greys) == list(range(0, 100, 5)) != greys
    greys = [grey_of(shapes.image(i)) for i in shapes.ids("test")]
    assert [sorted(greys[k : k + 2]) for k in range(0, 10, 2)] == [[200, 250]] * 5
    masks = {shapes.mask(i).tobytes() for i in shapes.ids("test")}
    assert len(masks) == 10  # with other shapes


def test_same_seed_same_bytes(shapes, tmp_path):
    again = render_shapes(tmp_path / "again", PICTURES, COUNTS, 3, "greys")
    assert files(again) == files(shapes.root)
    other = files(render_shapes(tmp_path / "other", PICTURES, COUNTS, 4, "greys"))
    for split in SPLITS:
        name = f"masks/{split}/0001.png"
        assert other[name] != files(again)[name]


def test_more_images_leave_the_others_as_they_are(shapes, tmp_path):
    few = render_shapes(tmp_path, PICTURES, {"train": 7, "val": 2, "test": 3}, 3)
    all_files = files(shapes.root)
    for name, content in files(few).items():
        if name != "RENDERED.json":
            assert all_files[name] == content


def test_splits_are_drawn_by_different_numbers():
    pictures = flat(80)
    drawn = {
        draw_item(pictures, split, i, seed)[1].tobytes()
        for split in SPLITS
        for i in range(10)
        for seed in (0, 1, 2)
    }
    assert len(drawn) == 90


def test_pictures_of_any_size(tmp_path):
    tall = [np.zeros((300, 100, 3), np.uint8)]
    image, mask, _ = draw_item(tall, "val", 0)
    assert image.shape == (48, 64, 3) and mask.shape == (48, 64)


def test_silly_numbers(tmp_path):
    for count in (0, -1, 99_999_999_999):
        with pytest.raises(ValueError, match=f"n_val is {count}, expected 1 to 100000"):
            render_shapes(tmp_path / "a", PICTURES, {**COUNTS, "val": count})
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=f"seed is {seed}, expected 0 to 429496"):
            render_shapes(tmp_path / "a", PICTURES, COUNTS, seed)
    with pytest.raises(ValueError, match="no pictures for val, expected 1 or more"):
        render_shapes(tmp_path / "a", {**PICTURES, "val": []}, COUNTS)
    assert not (tmp_path / "a").exists()
    with pytest.raises(ValueError, match="pictures 'imagenet', expected rendered or c"):
        rendered_shapes("imagenet")


# Where the pictures come from


def test_crops_are_as_large_as_cifar10_and_the_same_each_time():
    for split in SPLITS:
        crops = Crops(split)
        assert len(crops) == CROPS
        for k in (0, 1, 500, CROPS - 1):
            crop = crops[k]
            assert (crop.shape, crop.dtype) == ((32, 32, 3), np.uint8)
            assert crop.flags.c_contiguous and (Crops(split)[k] == crop).all()
        assert (crops[CROPS - 1] == crops[-1]).all() and not (
            crops[0] == crops[1]
        ).all()
        with pytest.raises(IndexError):
            crops[CROPS]


def test_splits_share_no_part_of_a_photograph(monkeypatch):
    taken, sizes = {split: set() for split in SPLITS}, set()
    names = (*RESERVED, *backgrounds.OTHERS)

    def numbered(path):  # the photograph's number, the column
        image = np.zeros((1400, 1500, 3), np.uint8)
        image[:, :, 0] = names.index(Path(path).name)
        image[:, :, 1], image[:, :, 2] = divmod(np.arange(1500), 256)
        return image

    def kept(crop, width, height):
        sizes.add(crop.shape[:2])
        taken[split].update(map(tuple, crop[0].tolist()))
        return crop

    monkeypatch.setattr(backgrounds, "read_image", numbered)
    monkeypatch.setattr(backgrounds, "resize_image", kept)
    backgrounds.region_of.cache_clear()
    try:
        for split in SPLITS:
            for k in range(400):
                Crops(split)[k]
    finally:
        backgrounds.region_of.cache_clear()
    assert not taken["train"] & taken["val"]
    photographs = {s: {names[row[0]] for row in taken[s]} for s in SPLITS}
    assert photographs["test"] == set(RESERVED)
    assert photographs["train"] == photographs["val"] == set(backgrounds.OTHERS)
    assert min(w for _, w in sizes) < 80 and max(w for _, w in sizes) > 1300
    assert all(w >= 64 and h == round(w * 3 / 4) for h, w in sizes)


def test_nobody_else_draws_on_the_reserved_photographs():
    assert RESERVED == ("astronaut.png", "coffee.png", "motorcycle_right.png")
    assert not set(backgrounds.OTHERS) & {*RESERVED, "motorcycle_left.png"}


def test_the_sample_set_is_drawn_once(monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build" / "smoke"))
    first = open_shapes("rendered", train=6, val=2, test=3, seed=1)
    assert first.rendered and [len(first.ids(s)) for s in SPLITS] == [6, 2, 3]
    assert first.root.parent == tmp_path / "build" / "data"
    about = json.loads((first.root / "RENDERED.json").read_text())
    assert about["pictures"].startswith("crops of photographs from matplotlib 3.")

    def never(*args):
        raise AssertionError("drawn twice")

    monkeypatch.setattr(module, "render_shapes", never)
    assert open_shapes(train=6, val=2, test=3, seed=1).root == first.root
    with pytest.raises(AssertionError):
        open_shapes(train=6, val=2, test=3, seed=2)


def test_the_sample_set_is_drawn_on_its_crops():
    crops = photograph_crops()[0]["test"]
    image, mask, _ = draw_item(crops, "test", 0)
    outside = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    first = module._order(module.TEST_SEED, 2, 0, 0, CROPS)[0]
    crop = cv2.resize(crops[int(first)], (64, 48), interpolation=cv2.INTER_LINEAR)
    assert outside.sum() > 2000 and (crop[outside] == image[outside]).all()


@pytest.fixture
def data(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build" / "smoke"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write_binary(data: Path, rows: int = 9) -> None:
    """Picture number n (over all files) has red n, green 100 + n, and blue 7 in its
    first row, else 200."""
    (data / BINARY).mkdir(parents=True)
    n = 0
    for names in BATCHES.values():
        for name in names:
            content = b""
            for _ in range(rows):
                content += bytes([n % 10]) + bytes([n]) * 1024 + bytes([100 + n]) * 1024
                content += bytes([7]) * 32 + bytes([200]) * 992
                n += 1
            (data / BINARY / name).write_bytes(content)


def write_zip(data: Path, **numbers) -> None:
    """JPEGs of one grey each, {part: greys}."""
    with zipfile.ZipFile(data / "cifar10_pictures.zip", "w") as archive:
        for part, greys in numbers.items():
            for k, grey in enumerate(greys):
                _, code = cv2.imencode(".jpg", flat(grey)[0])
                name = (
                    f"cifar10_pictures/{part}/{'cat' if k % 2 else 'dog'}/{k:04d}.jpg"
                )
                archive.writestr(name, code.tobytes())


def test_binary_files_of_cifar10(data):
    write_binary(data)
    parts, source = cifar10_pictures()
    assert (len(parts["train"]), len(parts["test"])) == (45, 9)
    assert source == "cifar-10-batches-bin (54)"
    picture = parts["train"][10]  # the second of the second file
    assert (picture.shape, picture.dtype) == ((32, 32, 3), np.uint8)
    assert picture[0, 5].tolist() == [10, 110, 7]
    assert picture[1, 0].tolist() == [10, 110, 200]
    assert parts["test"][8][0, 0, 0] == 53
    with pytest.raises(IndexError):
        parts["test"][9]


def test_zip_of_cifar10(data):
    write_zip(data, train=[40, 80, 120], test=[160])
    parts, source = cifar10_pictures()
    assert [int(p[3, 3, 0]) for p in parts["train"]] == [80, 40, 120]  # cat, then dog
    assert [p.shape for p in parts["test"]] == [(32, 32, 3)]
    assert source.startswith("cifar10_pictures.zip (")
    write_zip(data, train=[40, 80, 121], test=[160])
    assert cifar10_pictures()[1] != source
    write_binary(data)  # is better
    assert cifar10_pictures()[1].startswith("cifar-10-batches-bin")


def test_train_and_val_have_different_pictures(data):
    write_binary(data)
    pictures, _ = backgrounds.cifar10_splits()
    numbers = {s: {int(p[0, 0, 0]) for p in pictures[s]} for s in SPLITS}
    assert {s: len(pictures[s]) for s in SPLITS} == {"train": 35, "val": 10, "test": 9}
    assert not numbers["train"] & numbers["val"]
    assert numbers["train"] | numbers["val"] == set(range(45))
    assert numbers["test"] == set(range(45, 54))


def test_a_set_on_cifar10(data):
    write_zip(data, train=range(0, 180, 20), test=[200])
    shapes = open_shapes("cifar10", train=7, val=3, test=2, seed=4)
    assert [len(shapes.ids(s)) for s in SPLITS] == [7, 3, 2]
    assert shapes.root.name.startswith("shapes-cifar10-")
    assert {grey_of(shapes.image(i)) for i in shapes.ids("test")} == {200}
    assert len({grey_of(shapes.image(i)) for i in shapes.ids("train")}) == 7
    write_zip(data, train=range(0, 180, 20), test=[201])
    assert open_shapes("cifar10", train=7, val=3, test=2, seed=4).root != shapes.root


def test_no_cifar10_says_what_to_run(data):
    with pytest.raises(FileNotFoundError, match="wslib data fetch cifar10`") as error:
        open_shapes("cifar10")
    assert "\n" not in str(error.value) and str(data / BINARY) in str(error.value)


def test_damaged_cifar10(data):
    archive = data / "cifar10_pictures.zip"
    archive.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="zip: damaged, or no archive"):
        open_shapes("cifar10")
    write_zip(data, train=range(9))
    with pytest.raises(ValueError, match="in it is called cifar10_pictures/test/CLASS"):
        open_shapes("cifar10")
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("cifar10_pictures/test/cat/0.jpg", b"no picture")
    with pytest.raises(ValueError, match=r"cat/0\.jpg: expected a JPEG of 32 x 32"):
        open_shapes("cifar10", train=1, val=1, test=1)
    built = data.parent / "build" / "data"
    assert [p for p in built.iterdir() if p.is_dir()] == []  # nothing half done
    write_binary(data)
    (data / BINARY / "data_batch_3.bin").write_bytes(bytes(3074))
    with pytest.raises(ValueError, match="_3.bin: 3,074 bytes, expected a multiple"):
        open_shapes("cifar10")


REAL = Path(os.environ.get("WSLIB_DATA") or "data", "cifar10_pictures.zip")


@pytest.mark.skipif(not REAL.is_file(), reason="needs cifar10_pictures.zip")
def test_the_real_pictures(monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build" / "smoke"))
    pictures, _ = backgrounds.cifar10_splits()
    assert len(pictures["train"]) >= 3500 and len(pictures["val"]) >= 1000
    assert len(pictures["test"]) >= 500
    shapes = open_shapes("cifar10", train=50, val=10, test=20)
    for split in SPLITS:
        for image_id in shapes.ids(split):
            assert shapes.image(image_id).shape == (48, 64, 3)
            assert 13 <= extent(shapes.mask(image_id)) <= 19
    assert np.bincount(shapes.labels(shapes.ids("train"))).tolist() == [10] * 5
