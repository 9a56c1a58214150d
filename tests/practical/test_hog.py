"""HOG features: what a window sees, at whatever place and size."""

import cv2
import numpy as np
import pytest

from wslib.practical.hog import (
    CELL,
    DEPTH,
    Level,
    Pyramid,
    Template,
    Window,
    hog_blocks,
)


@pytest.fixture(scope="module")
def noise():
    image = np.random.default_rng(0).integers(0, 256, (96, 136, 3), np.uint8)
    return cv2.GaussianBlur(image, (0, 0), 2)


def test_a_block_is_named_by_its_first_cell(noise):
    blocks = hog_blocks(noise)
    assert blocks.shape == (96 // 8 - 1, 136 // 8 - 1, DEPTH)
    square = (16, 16), (16, 16), (8, 8), (8, 8), 9
    one = cv2.HOGDescriptor(*square)
    for i, j in ((0, 0), (3, 9), (10, 15)):  # OpenCV's own, at a place x, y
        direct = one.compute(noise, locations=[(8 * j, 8 * i)])
        np.testing.assert_allclose(blocks[i, j], direct, atol=1e-5)


def test_a_window_of_the_shared_map_is_the_window_alone(noise):
    shared = hog_blocks(noise)[2:6, 5:12]
    alone = hog_blocks(noise[16:56, 40:104])
    np.testing.assert_array_equal(shared[1:-1, 1:-1], alone[1:-1, 1:-1])
    size, block, cell = (64, 40), (16, 16), (8, 8)  # its edge knows what is beyond it
    descriptor = cv2.HOGDescriptor(size, block, cell, cell, 9)
    whole = descriptor.compute(noise, locations=[(40, 16)]).reshape(7, 4, DEPTH)
    np.testing.assert_allclose(shared, whole.transpose(1, 0, 2), atol=1e-5)


def test_an_upright_edge_has_one_direction():
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 14:] = 200
    block = hog_blocks(image)[0, 0].reshape(4, 9)  # column of cells by column
    assert block.sum() > 0
    strongest = block.sum(0).argsort()[-2:]  # a gradient of 0 degrees: first and last
    assert sorted(strongest.tolist()) == [0, 8]
    np.testing.assert_allclose(
        hog_blocks(255 - image)[0, 0].sum(), block.sum(), rtol=0.1
    )


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((8, 40), (0, 4)),
        ((40, 8), (4, 0)),
        ((3, 3), (0, 0)),
        ((16, 23), (1, 1)),
        ((31, 47), (2, 4)),
    ],
)
def test_only_whole_cells_count(size, shape):
    pixels = np.random.default_rng(0).integers(256, size=(*size, 3)).astype(np.uint8)
    blocks = hog_blocks(pixels)
    assert blocks.shape == (*shape, DEPTH)
    whole = pixels[: size[0] // 8 * 8, : size[1] // 8 * 8]
    np.testing.assert_array_equal(blocks, hog_blocks(whole))


def test_levels_halve_in_an_octave(noise):
    levels = Pyramid(size=128, levels=5, per_octave=2)(noise)
    assert [level.size for level in levels] == [(136, 96)] * 5
    widths = [level.scale[0] * 136 for level in levels]
    assert widths == pytest.approx([128, 91, 64, 45, 32])
    assert levels[0].scale[1] * 96 == pytest.approx(90)
    # 90 rows: to 96 for whole cells, a cell more on both sides, a block fewer
    assert levels[0].blocks.shape == (13, 17, DEPTH)


@pytest.mark.parametrize("shape", [(1, 1), (2, 100), (100, 2), (3, 5)])
def test_small_and_slender_pictures_have_levels(shape):
    levels = Pyramid()(np.zeros((*shape, 3), np.uint8))
    assert len(levels) == 9
    assert all(np.isfinite(level.blocks).all() for level in levels)
    assert Window(30, 30, 200, 200).places(levels[0]) == (0, 0)


def test_the_window_has_the_median_aspect_and_the_area():
    window = Window.of(
        np.array([[0, 0, 20, 10], [5, 5, 65, 15], [0, 0, 400, 100]]), 36, 1
    )
    assert window.width / window.height == pytest.approx(4)
    assert window.width * window.height == pytest.approx(36 * CELL**2)
    assert (window.columns, window.rows) == (
        13,
        4,
    )  # 12 x 3 cells, 2 more, a block less
    assert window.pixels == (14 * CELL, 5 * CELL)


def test_boxes_of_places_in_the_picture():
    window = Window(3, 5, 32, 16)  # 48 x 32 pixels, 8 around the object
    level = Level(np.zeros((9, 9, DEPTH)), np.array([0.5, 0.25]), (150, 200))
    boxes = window.boxes(level, np.array([0, 2, 6]), np.array([0, 1, 4]))
    # the window at 0, 0 begins in the border, a cell before the picture
    assert boxes.tolist() == [[0, 0, 64, 64], [16, 64, 80, 128], [64, 192, 128, 200]]
    assert window.places(level) == (7, 5)
    assert window.all_boxes(level).shape == (7, 5, 4)
    assert window.all_boxes(level)[2, 1].tolist() == [16, 64, 80, 128]


def test_what_a_box_looks_like_is_what_the_window_sees_there(noise):
    window = Window(4, 6, 40.0, 24.0)  # 56 x 40 pixels
    box = np.array([24.0, 32, 64, 56])  # of the window's size: nothing is pulled
    seen = window.blocks_of(noise, box)
    assert seen.shape == (4, 6, DEPTH)
    np.testing.assert_array_equal(seen, hog_blocks(noise[24:64, 16:72]))
    level = Pyramid(size=136, levels=1)(noise)[0]
    there = level.blocks[4:8, 3:9]  # a cell further, for the border
    assert window.boxes(level, np.array(4), np.array(3)).tolist() == box.tolist()
    np.testing.assert_allclose(seen[1:-1, 1:-1], there[1:-1, 1:-1], atol=1e-6)


def test_boxes_at_the_edge_look_past_it(noise):
    window = Window(4, 6, 40.0, 24.0)
    for box in ([0, 0, 40, 24], [96, 72, 136, 96], [0, 0, 136, 96], [50, 50, 51, 51]):
        seen = window.blocks_of(noise, np.array(box, float))
        assert seen.shape == (4, 6, DEPTH) and np.isfinite(seen).all()


def test_responses_are_products_of_each_window(noise):
    level = Pyramid(size=100, levels=1)(noise)[0]
    weights = np.random.default_rng(1).normal(size=(3, 5, DEPTH)).astype(np.float32)
    template = Template(Window(3, 5, 32, 16), weights, -0.5)
    found = template.respond(level)
    assert found.shape == template.window.places(level)
    for i, j in ((0, 0), (2, 4), (found.shape[0] - 1, found.shape[1] - 1)):
        window = level.blocks[i : i + 3, j : j + 5]
        assert found[i, j] == pytest.approx((window * weights).sum() - 0.5, abs=1e-3)
    tall = Template(Window(99, 5, 32, 16), np.zeros((99, 5, DEPTH), np.float32), 1.0)
    assert tall.respond(level).shape == (0, 0)


@pytest.mark.parametrize("name", ["size", "levels", "per_octave"])
def test_a_pyramid_has_a_size(name):
    with pytest.raises(ValueError, match=f"{name} is 0, expected 1 or more"):
        Pyramid(**{name: 0})
