"""The rendered sample of the Caltech practical: layout, boxes, the same each time."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import wslib
from wslib.data import backgrounds
from wslib.data.images import read_image
from wslib.data.rendered import caltech as module
from wslib.data.rendered.caltech import (
    label_counts,
    render_caltech,
    rendered_caltech,
)
from wslib.data.rendered.drawn import people, photographs, portraits
from wslib.data.rendered.drawn.drawing import Drawing
from wslib.data.rendered.drawn.portraits import draw_picture
from wslib.data.rendered.drawn.sprites import Sprite, extent, lay_sprite, visible_mask
from wslib.data.rendered.drawn.vehicles import RUBBER, aeroplane, motorcycle
from wslib.runtime.imports import imported_modules

LABELS = ("face", "motorcycle", "airplane")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return render_caltech(tmp_path_factory.mktemp("drawn"), 15, seed=4, workers=2)


def rows(folder: Path, label: str) -> list[list[str]]:
    with open(folder / "annotations" / f"{label}.csv", newline="") as file:
        return list(csv.reader(file))


def test_counts_are_in_the_real_proportions():
    assert label_counts(2033) == {"face": 435, "motorcycle": 798, "airplane": 800}
    assert label_counts(3) == dict.fromkeys(LABELS, 1)
    for count in (4, 5, 7, 60, 599, 600):
        counts = label_counts(count)
        assert sum(counts.values()) == count and min(counts.values()) >= 1
        assert abs(counts["motorcycle"] - counts["airplane"]) <= 1
    assert label_counts(600) == {"face": 129, "motorcycle": 235, "airplane": 236}


def test_layout_and_rows(folder):
    assert sorted(p.name for p in folder.iterdir()) == [
        "RENDERED.json", "annotations", "images",
    ]  # fmt: skip
    for label, count in label_counts(15).items():
        names = [f"image_{k:04d}.jpg" for k in range(1, count + 1)]
        found = sorted(p.name for p in (folder / "images" / label).iterdir())
        table = rows(folder, label)
        assert found == names == [row[0] for row in table]
        for row in table:
            assert len(row) == 6 and row[5] == label
            x1, y1, x2, y2 = map(int, row[1:5])
            image = read_image(folder / "images" / label / row[0])
            height, width = image.shape[:2]
            assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
            assert 180 <= width <= 270 and 60 <= height <= 210


def test_it_says_that_it_is_rendered(folder):
    about = json.loads((folder / "RENDERED.json").read_text())
    assert about["seed"] == 4 and about["count"] == 15
    assert [about[label] for label in LABELS] == list(label_counts(15).values())


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }


def test_same_seed_same_bytes_whatever_the_workers(tmp_path):
    one, four = (files(render_caltech(tmp_path / str(w), 5, 2, w)) for w in (1, 4))
    assert one == four
    other = files(render_caltech(tmp_path / "other", 3, seed=3))
    for label in LABELS:
        name = f"images/{label}/image_0001.jpg"
        assert one[name] != other[name]


def test_more_pictures_leave_the_others_as_they_are(folder, tmp_path):
    few = render_caltech(tmp_path, 4, seed=4)
    for label in LABELS:
        table = rows(few, label)
        assert table == rows(folder, label)[: len(table)]
        for row in table:
            mine, theirs = (f / "images" / label / row[0] for f in (few, folder))
            assert mine.read_bytes() == theirs.read_bytes()


def test_boxes_are_tight_round_the_mask(folder):
    for place, label in enumerate(LABELS):
        for k, row in enumerate(rows(folder, label), 1):
            image, mask = draw_picture(label, np.random.default_rng((4, place, k)))
            assert mask.shape == image.shape[:2] and image.dtype == np.uint8
            x1, y1, x2, y2 = map(int, row[1:5])
            inside = mask[y1:y2, x1:x2]
            assert inside.sum() == mask.sum() > 0
            assert inside[0].any() and inside[-1].any()
            assert inside[:, 0].any() and inside[:, -1].any()


def test_extent_of_one_pixel_and_of_a_block():
    mask = np.zeros((20, 30), bool)
    mask[4, 7] = True
    assert extent(mask) == (7, 4, 8, 5)
    mask[4:9, 7:12] = True
    assert extent(mask) == (7, 4, 12, 9)


def test_a_sprite_is_cut_at_the_borders_and_its_shadow_falls_beside_it():
    picture = np.zeros((10, 20, 4), np.float32)
    picture[:, 5:] = (200, 100, 0, 1)
    view = np.full((50, 40, 3), 90, np.float32)
    sprite = Sprite("", picture, 28, -4, 6)
    lay_sprite(view, sprite)
    mask = visible_mask(sprite, (50, 40))
    assert extent(mask) == (33, 0, 40, 6)
    assert (view[mask] == (200, 100, 0)).all() and (view[~mask] == 90).all()
    lay_sprite(view, Sprite("", picture, 4, 20, 30, 0.5))
    assert view[29, 10].tolist() == [200, 100, 0]
    assert view[31, 14].max() < 85 and (view[40:] == 90).all()


def test_objects_are_large_and_lie_in_different_places():
    for place, label in enumerate(LABELS):
        centres, areas = [], []
        for k in range(12):
            _, mask = draw_picture(label, np.random.default_rng((8, place, k)))
            height, width = mask.shape
            x1, y1, x2, y2 = extent(mask)
            centres.append(((x1 + x2) / 2 / width, (y1 + y2) / 2 / height))
            areas.append((x2 - x1) * (y2 - y1) / width / height)
            assert 0.05 < areas[-1] < 0.9
        assert np.std(centres, axis=0).min() > 0.02 and np.std(areas) > 0.04


@pytest.mark.parametrize("label", ["motorcycle", "airplane"])
def test_what_is_in_front_of_it_is_no_part_of_it(label, monkeypatch):
    block = np.ones((300, 110, 4), np.float32)
    front = Sprite("", block, 0, 0, np.inf)
    monkeypatch.setattr(portraits, "place_clutter", lambda *_: [front])
    for seed in range(4):
        image, mask = draw_picture(label, np.random.default_rng(seed))
        assert image[:, 5:105].mean() < 40 and not mask[:, :110].any()


def test_a_face_ends_at_the_chin_however_long_the_hair(monkeypatch):
    looks = people.random_looks(np.random.default_rng(3))
    long = dataclasses.replace(looks, long=3.0)
    monkeypatch.setattr(people, "random_looks", lambda _: long)
    for seed in range(6):
        _, mask = draw_picture("face", np.random.default_rng(seed))
        x1, y1, x2, y2 = extent(mask)
        assert 0.8 < (y2 - y1) / (x2 - x1) < 1.5


def test_motorcycles_stand_on_two_wheels():
    for seed in range(20):
        drawing = Drawing()
        motorcycle(drawing, np.random.default_rng(seed))
        low, high = drawing.extent()
        assert abs(low[1]) < 0.02 and 1.2 < (high - low)[0] / (high - low)[1] < 2.2
        assert low[0] < -0.7 and high[0] > 0.9


def test_airplanes_are_long_and_stand_on_two_wheels():
    for seed in range(20):
        for landed in (True, False):
            drawing = Drawing()
            aeroplane(drawing, np.random.default_rng(seed), landed)
            wide, high = np.subtract(*drawing.extent()[::-1])
            assert wide > 1.8 * high
            tyres = [s for s in drawing.shapes if s.colour.tolist() == [*RUBBER]]
            feet = [tyre.polygons[0][:, 1].min() for tyre in tyres]
            assert len(feet) == 2 if landed else len(feet) in (0, 2)
            assert not feet or feet[0] == pytest.approx(feet[1])


def test_reserved_photographs_are_not_used(monkeypatch, tmp_path):
    seen = set()

    def noted(path):
        seen.add(Path(path).name)
        return read_image(path)

    monkeypatch.setattr(photographs, "read_image", noted)
    photographs.piece.cache_clear()
    for name in photographs.PIECES:
        photographs.piece(name)
    render_caltech(tmp_path, 30, seed=1)
    assert seen and not seen & {*backgrounds.RESERVED, "motorcycle_left.png"}
    assert seen <= set(backgrounds.OTHERS)


def test_bad_arguments(tmp_path):
    for count in (2, 0, -5, 99_999_999_999, True, 3.5):
        with pytest.raises(ValueError, match=f"count is {count}, expected 3 to 100000"):
            render_caltech(tmp_path, count)
        with pytest.raises(ValueError, match="expected 3 to 100000"):
            rendered_caltech(count)
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=f"seed is {seed}, expected 0 to 429496"):
            render_caltech(tmp_path, 3, seed=seed)
    with pytest.raises(ValueError, match="workers is 0, expected 1 or more"):
        render_caltech(tmp_path, 3, workers=0)
    assert list(tmp_path.iterdir()) == []


def test_drawn_only_once(monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build" / "smoke"))
    first = rendered_caltech(3, seed=1)
    assert first.parent == tmp_path / "build" / "data"
    assert first.name.startswith("caltech3-rendered-") and len(files(first)) == 7

    def never(*args, **options):
        raise AssertionError("drawn twice")

    monkeypatch.setattr(module, "render_caltech", never)
    assert rendered_caltech(3, seed=1) == first
    with pytest.raises(AssertionError):
        rendered_caltech(3, seed=2)


def test_what_draws_is_part_of_the_hash():
    drawn = set(Path(photographs.__file__).parent.glob("*.py"))
    root = Path(wslib.__file__).parent
    reached = set(imported_modules(Path(module.__file__), root))
    assert {"portraits.py", "sprites.py", "vehicles.py"} <= {
        path.name for path in drawn & reached
    }
