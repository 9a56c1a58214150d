"""Heat maps to points: hand-made maps whose answer one can see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from wslib.prompting.points import (
    background_points,
    component,
    image_centre,
    innermost,
    mask_box,
    mask_point,
    peak,
    prompt_box,
    spread_peaks,
    weighted_centre,
)

FINDERS = [peak, weighted_centre, innermost, spread_peaks, background_points]
C_SHAPE = ["......", ".9999.", ".9....", ".9....", ".9999.", "......"]


def draw(*lines: str) -> np.ndarray:
    """A map from rows of digits, 0 to 9 tenths; a dot is 0."""
    rows = [[int(c.replace(".", "0")) for c in line] for line in lines]
    return np.array(rows, np.float32) / 10


@pytest.fixture
def right():
    """48 high, 64 wide, the object at x 58 to 62 and y 20 to 26."""
    heatmap = np.zeros((48, 64), np.float32)
    heatmap[20:27, 58:63] = 0.6
    heatmap[23, 60] = 1
    return heatmap


def test_x_comes_first_on_a_map_that_is_not_square(right):
    for find in (peak, weighted_centre, innermost):
        points = find(right)
        assert points.tolist() == [[60, 23]] and points.dtype == np.float64
    assert prompt_box(right).tolist() == [58, 20, 63, 27]
    assert mask_box(right > 0).tolist() == [58, 20, 63, 27]
    assert spread_peaks(right, 1).tolist() == [[60, 23]]
    inside = (background_points(right) >= 0) & (background_points(right) < (64, 48))
    assert inside.all()


def test_the_baseline_is_the_centre_of_the_picture():
    assert image_centre((48, 64, 3)).tolist() == [[32, 24]]
    assert image_centre((5, 8)).tolist() == [[4, 2]]
    assert image_centre((1, 1)).tolist() == [[0, 0]]


@pytest.mark.parametrize("find", FINDERS)
def test_a_map_of_zeros_has_no_points(find):
    points = find(np.zeros((4, 6), np.float32))
    assert points.shape == (0, 2) and points.dtype == np.float64
    assert prompt_box(np.zeros((4, 6))) is None
    assert not component(np.zeros((4, 6))).any()


def test_a_constant_map_points_at_its_middle_and_at_no_background():
    flat = np.full((5, 9), 0.3, np.float32)
    for find in (peak, weighted_centre, innermost):
        assert find(flat).tolist() == [[4, 2]]
    assert background_points(flat).shape == (0, 2)
    assert prompt_box(flat, margin=1).tolist() == [0, 0, 9, 5]


def test_of_equal_peaks_the_one_nearest_to_their_mean():
    assert peak(draw("9.99...9")).tolist() == [[3, 0]]  # of 0, 2, 3, 7: mean 3
    assert peak(draw("9.9")).tolist() == [[0, 0]]  # both as near: the first


def test_the_component_is_that_of_the_peak_not_the_largest():
    heatmap = draw("9..888", "...888")
    assert component(heatmap).tolist() == (heatmap == heatmap[0, 0]).tolist()
    assert component(draw("9..", ".5.", "..4"), 0.5).sum() == 2  # corners touch
    assert component(draw("9..", ".5.", "..4"), 1.0).sum() == 1


def test_centre_of_mass_weighs_by_heat():
    assert weighted_centre(draw("8.", "2."), 0.2).tolist() == [[0, pytest.approx(0.2)]]
    assert weighted_centre(draw("8.", "2."), 0.5).tolist() == [[0, 0]]
    heatmap = 0.5 + np.random.default_rng(0).random((7, 12)) / 2
    y, x = ndimage.center_of_mass(heatmap)
    np.testing.assert_allclose(weighted_centre(heatmap, 0.1), [[x, y]])


def test_points_of_a_c_shape_lie_in_it():
    c = draw(*C_SHAPE)
    outside = ndimage.center_of_mass(c)
    assert not component(c)[tuple(np.rint(outside).astype(int))]
    assert weighted_centre(c).tolist() == [[1, 2]]  # nearest to (2.1, 2.5), the first
    [[x, y]] = innermost(c)
    assert c[int(y), int(x)] > 0


def test_innermost_is_farthest_from_the_border_that_the_pictures_is_too():
    club = draw(".........", ".999.....", ".99999999", ".999.....", ".........")
    assert innermost(club).tolist() == [[2, 2]]
    edge = np.zeros((5, 9))
    edge[:, 6:] = 1  # touches three sides of the picture
    assert innermost(edge).tolist() == [[7, 2]]
    assert mask_point(draw("999999999") > 0).tolist() == [[4, 0]]


def test_oracles_of_true_masks():
    two = draw("9......", "...999.", "...999.", "...999.") > 0
    assert mask_point(two).tolist() == [[4, 2]]  # in the larger of two parts
    assert mask_box(two).tolist() == [0, 0, 6, 4]  # around both
    assert mask_point(np.zeros((3, 4), bool)).shape == (0, 2)
    assert mask_box(np.zeros((3, 4), bool)) is None


def test_spread_peaks_are_high_and_apart():
    heatmap = draw("98.......", "97......7", "........6")
    # at 5 tenths the component has 4 pixels: one size is 2 pixels
    assert spread_peaks(heatmap, 5, 0.5, 1).tolist() == [[0, 0], [8, 1]]
    assert spread_peaks(heatmap, 5, 0.9, 1).tolist() == [[0, 0]]
    near = spread_peaks(heatmap, 9, 0.5, 0.5).tolist()
    assert near[:3] == [[0, 0], [0, 1], [1, 0]] and len(near) == 6
    assert spread_peaks(heatmap, 2, 0.5, 0.5).tolist() == near[:2]


def test_background_points_stand_around_the_object():
    heatmap = np.zeros((40, 60), np.float32)
    heatmap[18:22, 40:44] = 1  # one size is 4 pixels
    heatmap[0, 0] = 0.4
    points = background_points(heatmap, 4, 0.5, 1)
    assert len(points) == 4
    away = ndimage.distance_transform_edt(heatmap < 1)
    columns, rows = points.astype(int).T
    assert ((away[rows, columns] >= 4) & (away[rows, columns] < 5)).all()
    towards = np.sign(points - (41.5, 19.5))
    assert len(np.unique(towards, axis=0)) == 4  # one on each side, or in each corner
    nearer = background_points(heatmap, 4, 0.5, 0.5)
    assert np.ptp(nearer, 0).max() < np.ptp(points, 0).max()


def test_background_points_avoid_what_is_warm():
    heatmap = np.full((9, 20), 0.2, np.float32)
    heatmap[4, 4] = 1
    heatmap[:, 7:10] = 0.9  # another object, right where the ring passes
    heatmap[4, 1] = 0.1  # the coldest place of the ring
    points = background_points(heatmap, 3, 0.5, 3)
    assert points[0].tolist() == [1, 4]
    columns, rows = points.astype(int).T
    assert (heatmap[rows, columns] < 0.5).all()


def test_background_points_where_there_is_little_room_or_none():
    heatmap = np.ones((5, 9), np.float32)
    heatmap[:, -1] = 0
    assert background_points(heatmap, 9, 0.5, 0.1).tolist()[0] == [8, 0]
    assert len(background_points(heatmap, 9, 0.5, 0.1)) == 5  # all of them, once each
    assert background_points(heatmap, 9, 0.5, 1).shape == (0, 2)


def test_a_margin_is_relative_and_ends_at_the_picture(right):
    box = prompt_box(right, margin=0.5)
    assert box == pytest.approx([58 - 35**0.5 / 2, 20 - 35**0.5 / 2, 64,
                                 27 + 35**0.5 / 2])  # fmt: skip


def test_twice_the_picture_gives_twice_the_lengths():
    heatmap = np.zeros((30, 50))
    heatmap[12:18, 20:26] = 1
    doubled = heatmap.repeat(2, 0).repeat(2, 1)
    small, large = (prompt_box(h, margin=0.25) for h in (heatmap, doubled))
    np.testing.assert_allclose(2 * small, large)
    small, large = (background_points(h, 4, 0.5, 0.5) for h in (heatmap, doubled))
    np.testing.assert_allclose(np.ptp(2 * small, 0), np.ptp(large, 0), atol=3)


MAPS = arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.integers(1, 12)),
    elements=st.sampled_from([0, 0.1, 0.25, 0.5, 0.75, 1]),
)


@settings(max_examples=100, deadline=None)
@given(MAPS, st.sampled_from([0.1, 0.5, 1.0]))
def test_points_are_in_the_component_and_background_points_are_not(heatmap, threshold):
    inside = component(heatmap, threshold)
    assert inside.any() == heatmap.any()
    found = [find(heatmap, threshold=threshold) for find in FINDERS[1:]]
    for points in (peak(heatmap), *found):
        columns, rows = np.floor(points + 0.5).astype(int).T
        assert ((columns >= 0) & (columns < heatmap.shape[1])).all()
        assert ((rows >= 0) & (rows < heatmap.shape[0])).all()
        assert len(np.unique(points, axis=0)) == len(points)
        if points is found[-1]:
            assert not inside[rows, columns].any()
        elif points is found[-2]:
            assert (heatmap[rows, columns] >= threshold * heatmap.max()).all()
        else:
            assert inside[rows, columns].all() and len(points) == heatmap.any()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999))
def test_a_turned_map_gives_turned_points(seed):
    heatmap = np.random.default_rng(seed).random((9, 14))
    for find in (peak, weighted_centre, spread_peaks):
        np.testing.assert_allclose(find(heatmap)[:, ::-1], find(heatmap.T))
    np.testing.assert_array_equal(
        prompt_box(heatmap)[[1, 0, 3, 2]], prompt_box(heatmap.T)
    )


@pytest.mark.parametrize("find", [*FINDERS, prompt_box])
@pytest.mark.parametrize(
    ("heatmap", "message"),
    [
        (np.zeros((1, 4, 4)), r"shape \(1, 4, 4\): expected \(H, W\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        (np.array([[0, np.nan]]), "nan"),
        (np.array([[0, np.inf]]), "inf"),
        (np.array([[-0.5, 1]]), "from -0.5 to 1.0: expected finite values >= 0"),
    ],
)
def test_maps_that_are_none(find, heatmap, message):
    with pytest.raises(ValueError, match=message) as error:
        find(heatmap)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda h: innermost(h, 0), "threshold 0: expected above 0, at most 1"),
        (lambda h: weighted_centre(h, np.nan), "threshold nan"),
        (lambda h: spread_peaks(h, 0), "k 0: expected at least 1"),
        (lambda h: spread_peaks(h, distance=0), "distance 0: expected a length"),
        (lambda h: background_points(h, distance=np.inf), "distance inf"),
        (lambda h: prompt_box(h, margin=-1), "margin -1"),
        (lambda h: mask_point(h), r"\(2, 3\), float64: expected \(H, W\) bool"),
        (lambda h: mask_box(h[None] > 0), r"mask of shape \(1, 2, 3\)"),
        (lambda h: image_centre((4,)), r"shape \(4,\)"),
        (lambda h: image_centre((0, 4)), r"shape \(0, 4\)"),
    ],
)
def test_settings_out_of_range(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call(np.ones((2, 3)))
    assert "\n" not in str(error.value)
