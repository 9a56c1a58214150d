"""Pictures to learn segmentation from: their masks are where the things are."""

from dataclasses import replace

import numpy as np
import pytest

from wslib.data.backgrounds import RESERVED
from wslib.data.rendered.drawn import segments as module
from wslib.data.rendered.drawn.segments import (
    ALL,
    GRID,
    LEAST,
    PHOTOGRAPHS,
    SIZE,
    WITHOUT_SHAPES,
    draw_segments,
    ground,
    random_outline,
)

SHAPES = {(128, 128), (96, 128), (128, 96), (85, 128), (128, 85)}


def draw(seed: int):
    return draw_segments(np.random.default_rng(seed))


@pytest.fixture
def plain(monkeypatch):
    """White things on black, seen by a perfect camera; none is too small."""
    monkeypatch.setattr(
        module, "ground", lambda _, shape, style: np.zeros((*shape, 3), "f4")
    )
    monkeypatch.setattr(module, "filling", lambda *_: np.full(3, 255, np.float32))
    monkeypatch.setattr(module, "as_a_camera", lambda _, view: view.astype(np.uint8))
    monkeypatch.setattr(module, "LEAST", 0)


def in_cells(picture: np.ndarray) -> np.ndarray:
    """A picture's first channel, its pixels sorted into cells: (GRID, GRID, 4)."""
    cells = picture[..., 0].reshape(GRID, 2, GRID, 2).swapaxes(1, 2)
    return cells.reshape(GRID, GRID, 4).astype(float)


def test_shapes_and_ranges():
    shapes, counts = set(), set()
    for seed in range(60):
        drawn = draw(seed)
        (h, w), covers = drawn.shape, drawn.covers
        shapes.add((h, w)), counts.add(len(covers))
        assert (drawn.picture.shape, drawn.picture.dtype) == ((SIZE, SIZE, 3), np.uint8)
        assert covers.shape[1:] == (GRID, GRID) and covers.dtype == np.uint8
        assert max(h, w) == SIZE
        assert drawn.picture[:h, :w].std() > 0  # there is something to be seen
        assert not drawn.picture[h:].any() and not drawn.picture[:, w:].any()
        rows, columns = -(-h // 2), -(-w // 2)
        assert not covers[:, rows:].any() and not covers[:, :, columns:].any()
        assert (covers >= 128).sum((1, 2)).min() >= LEAST
    assert shapes == SHAPES
    assert {1, 2, 3} <= counts and max(counts) <= 8  # four things, a part of each


def test_the_same_seed_draws_the_same():
    one, two, other = draw(5), draw(5), draw(6)
    assert one.shape == two.shape
    np.testing.assert_array_equal(one.picture, two.picture)
    np.testing.assert_array_equal(one.covers, two.covers)
    assert not np.array_equal(one.picture, other.picture)


def test_nothing_is_painted_outside_of_the_covers(plain):
    for seed in range(40):
        drawn = draw(seed)
        cells, most = in_cells(drawn.picture), drawn.covers.max(0)
        assert cells[most == 0].max(initial=0) <= 2  # of 255: 0 once it is rounded
        assert cells[most == 255].min(initial=255) >= 0.35 * 254  # the lightest veil


def test_the_cover_of_one_opaque_thing_is_what_was_painted(plain):
    seen = 0
    for seed in range(60):
        drawn = draw(seed)
        if len(drawn.covers) == 1 and drawn.picture.max() == 255:
            seen += 1
            painted = in_cells(drawn.picture).mean(2)
            np.testing.assert_allclose(painted, drawn.covers[0], atol=1.5)
    assert seen >= 5


def square(low: float, high: float) -> np.ndarray:
    """Corners of the pixels `low` to `high`, the last not among them."""
    return np.array([[low, low], [high, low], [high, high], [low, high]], float)


def test_what_lies_on_top_hides_and_a_part_does_not():
    rng, view, covers = np.random.default_rng(0), np.zeros((96, 128, 3), "f4"), []
    module._paint(view, covers, rng, square(20, 60), ALL)
    module._paint(view, covers, rng, square(40, 80), ALL)
    module._paint(view, covers, rng, square(64, 72), ALL, part=True)
    below, above, part = (cover > 0.9 for cover in covers)
    assert below[22:58, 22:38].all() and not below[42:58, 42:58].any()
    assert above[42:78, 42:78].all() and part[66:70, 66:70].all()
    assert not (below & above).any() and (part & above).sum() == part.sum()
    assert not covers[0][:18].any() and not covers[1][83:].any()
    assert view[50, 30].any() and view[70, 70].any() and not view[10, 10].any()
    beyond = square(110, 140) + [40, 0]  # to the right of the picture
    module._paint(view, covers, rng, beyond, ALL)
    assert not covers[3].any() and module._cells(covers).shape == (4, GRID, GRID)


def test_too_small_things_are_not_asked_for(plain, monkeypatch):
    counted = {seed: len(draw(seed).covers) for seed in range(30)}
    monkeypatch.setattr(module, "LEAST", LEAST)
    kept = {seed: draw(seed).covers for seed in range(30)}
    assert all(len(covers) for covers in kept.values())
    assert any(len(kept[seed]) < counted[seed] for seed in kept)


@pytest.mark.parametrize("kind", dict.fromkeys(ALL.kinds), ids=lambda k: k.__name__)
def test_outlines_have_an_area_round_their_middle(kind):
    style = replace(ALL, kinds=(kind,))
    rng = np.random.default_rng(3)
    for _ in range(20):
        outline = random_outline(rng, (96, 128), style)
        assert outline.ndim == 2 and outline.shape[1] == 2 and len(outline) >= 3
        assert np.isfinite(outline).all()
        assert np.ptp(outline, axis=0).max() <= 2 * 1.8 * 1.6 * 0.42 * 96
        middle = module._cover(outline - outline.mean(0) + SIZE / 2)
        assert middle.sum() > 30 and 0 <= middle.min() <= middle.max() <= 1


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_grounds_of_every_kind(shape):
    for seed in range(12):
        view = ground(np.random.default_rng(seed), shape)
        assert (view.shape, view.dtype) == ((*shape, 3), np.float32)
        assert np.isfinite(view).all() and view.flags.c_contiguous


def test_the_photographs_of_the_tests_are_never_read(monkeypatch):
    kept_back = {*RESERVED, "motorcycle_left.png"}
    assert not kept_back & set(PHOTOGRAPHS)
    read, reader = [], module.read_image
    monkeypatch.setattr(module, "read_image", lambda p: read.append(p) or reader(p))
    module._photograph.cache_clear()
    for seed in range(120):
        draw(seed)
    names = [path.name for path in read]
    assert set(names) <= set(PHOTOGRAPHS) and not kept_back & set(names)
    assert len(names) == len(set(names)) >= 9  # each is read once


def test_without_shapes_nothing_is_seen_through_and_no_outline_is_regular(monkeypatch):
    drawn = []

    def noting(kind):
        return lambda rng: drawn.append(kind.__name__) or kind(rng)

    style = replace(WITHOUT_SHAPES, kinds=[noting(k) for k in WITHOUT_SHAPES.kinds])
    monkeypatch.setattr(module, "filling", lambda rng, beneath: 0.0)
    monkeypatch.setattr(module, "as_a_camera", lambda rng, view: view)
    for seed in range(60):
        one = draw_segments(np.random.default_rng(seed), style)
        cells = one.picture.reshape(GRID, 2, GRID, 2, 3).max((1, 3, 4))
        assert (cells[one.covers.max(0) == 255] <= 2).all()  # black, and opaque
    assert set(drawn) == {"_blob", "_angular", "_arch"}


def test_all_kinds_are_the_default():
    one, other = (draw_segments(np.random.default_rng(3), s) for s in (None, ALL))
    assert np.array_equal(one.picture, other.picture)
