"""Heat maps to boxes: hand-made maps whose answer one can see."""

import numpy as np
import pytest

from wslib.boxes.boxes import (
    boxes_from_heatmap,
    centre_box,
    from_voc,
    to_voc,
)


def draw(*lines: str) -> np.ndarray:
    """A map from rows of digits, 0 to 9 tenths; a dot is 0."""
    rows = [[int(c.replace(".", "0")) for c in line] for line in lines]
    return np.array(rows, np.float32) / 10


def test_one_blob_on_a_map_that_is_not_square():
    boxes = boxes_from_heatmap(
        draw(
            "........",
            ".....99.",
            "........",
        )
    )
    assert boxes.tolist() == [[5, 1, 7, 2, 1]]  # x first; swapped it would be 1, 5


def test_corners_touch():
    diagonal = draw("9...", ".9..", "..9.")
    assert boxes_from_heatmap(diagonal).tolist() == [[0, 0, 3, 3, 1]]


def test_border_and_single_pixels():
    corners = draw("9...", "....", "...9")
    boxes = boxes_from_heatmap(corners, max_boxes=5)
    assert boxes.tolist() == [[0, 0, 1, 1, 0.5], [3, 2, 4, 3, 0.5]]
    whole = np.ones((3, 5), np.float32)
    assert boxes_from_heatmap(whole, 1.0).tolist() == [[0, 0, 5, 3, 1]]


def test_c_shape_is_one_box_with_a_hole():
    c = draw("....", ".999", ".9..", ".999")
    assert boxes_from_heatmap(c).tolist() == [[1, 1, 4, 4, 1]]


def test_nested_shapes_are_two_components():
    ring = draw("99999", "9...9", "9.9.9", "9...9", "99999")
    boxes = boxes_from_heatmap(ring, max_boxes=9)
    np.testing.assert_allclose(boxes, [[0, 0, 5, 5, 16 / 17], [2, 2, 3, 3, 1 / 17]])


def test_two_blobs_best_is_the_heavier_not_the_larger():
    two = draw("99.....", "99.5555", ".......")  # masses 36 and 20, of 56 in all
    boxes = boxes_from_heatmap(two, threshold=0.5, max_boxes=2)
    np.testing.assert_allclose(boxes[:, 4], [36 / 56, 20 / 56])
    assert boxes[:, :4].tolist() == [[0, 0, 2, 2], [3, 1, 7, 2]]
    assert boxes_from_heatmap(two).tolist() == boxes[:1].tolist()


def test_score_is_a_share_of_the_whole_map_dim_pixels_included():
    boxes = boxes_from_heatmap(draw("8...2"), threshold=0.5)
    np.testing.assert_allclose(boxes, [[0, 0, 1, 1, 0.8]])


def test_threshold_is_relative_to_the_maximum_and_reached_by_equality():
    steps = np.array([[0.0, 0.25, 0.5, 1.0, 0.0]], np.float32)
    for scale in (1, 8, 0.125):
        boxes = boxes_from_heatmap(steps * scale, threshold=0.5)
        assert boxes[0, :4].tolist() == [2, 0, 4, 1]
    assert boxes_from_heatmap(steps, 0.5001)[0, :4].tolist() == [3, 0, 4, 1]
    assert boxes_from_heatmap(steps, 0.25)[0, :4].tolist() == [1, 0, 4, 1]
    tenth = np.array([[0.1, 1.0]], np.float32)  # float32(0.1) > 0.1 and yet equal
    assert boxes_from_heatmap(tenth, 0.1)[0, :4].tolist() == [0, 0, 2, 1]


def test_a_lower_threshold_never_gives_a_smaller_box_around_the_peak():
    heatmap = np.random.default_rng(0).random((12, 17)) ** 3
    areas = []
    for threshold in (1.0, 0.7, 0.4, 0.1):
        boxes = boxes_from_heatmap(heatmap, threshold, max_boxes=99)
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        [box] = [b for b in boxes if b[0] <= x < b[2] and b[1] <= y < b[3]][:1]
        areas.append((box[2] - box[0]) * (box[3] - box[1]))
    assert areas == sorted(areas)


def test_turned_map_gives_turned_boxes():
    heatmap = np.random.default_rng(1).random((9, 14))
    boxes = boxes_from_heatmap(heatmap, 0.8, max_boxes=99)
    turned = boxes_from_heatmap(heatmap.T, 0.8, max_boxes=99)[:, [1, 0, 3, 2, 4]]
    np.testing.assert_allclose(sorted(boxes.tolist()), sorted(turned.tolist()))
    assert (np.diff(boxes[:, 4]) <= 0).all()


def test_zeros_have_no_box():
    assert boxes_from_heatmap(np.zeros((4, 6), np.float32)).shape == (0, 5)


def test_other_number_types():
    assert boxes_from_heatmap(np.array([[0, 200, 90]], np.uint8)).tolist() == [
        [1, 0, 2, 1, 200 / 290]
    ]
    assert boxes_from_heatmap(np.array([[False, True]])).tolist() == [[1, 0, 2, 1, 1]]


@pytest.mark.parametrize(
    ("heatmap", "options", "message"),
    [
        (np.zeros((1, 4, 4)), {}, r"shape \(1, 4, 4\): expected \(H, W\)"),
        (np.zeros((0, 4)), {}, r"shape \(0, 4\)"),
        (np.array([[0, np.nan]]), {}, "nan"),
        (np.array([[0, np.inf]]), {}, "inf"),
        (np.array([[-0.5, 1]]), {}, "from -0.5 to 1.0: expected finite values >= 0"),
        (np.ones((2, 2)), {"threshold": 0}, "threshold 0"),
        (np.ones((2, 2)), {"threshold": 1.1}, "threshold 1.1"),
        (np.ones((2, 2)), {"threshold": float("nan")}, "threshold nan"),
        (np.ones((2, 2)), {"max_boxes": 0}, "max_boxes 0"),
    ],
)
def test_errors(heatmap, options, message):
    with pytest.raises(ValueError, match=message) as error:
        boxes_from_heatmap(heatmap, **options)
    assert "\n" not in str(error.value)


def test_voc_corners_and_back():
    boxes = np.array([[0, 0, 500, 375, 0.9]])
    corners = to_voc(boxes)
    assert corners.tolist() == [[1, 1, 500, 375, 0.9]]
    assert (corners[:, 2] - corners[:, 0] + 1).tolist() == [500]
    np.testing.assert_array_equal(from_voc(corners), boxes)
    assert boxes[0, 0] == 0  # a copy
    assert to_voc([]).shape == (0, 4)
    with pytest.raises(ValueError, match=r"shape \(4,\): expected \(N, 4\)"):
        to_voc(np.zeros(4))


def test_centre_box_has_the_centre_aspect_and_area():
    [[x1, y1, x2, y2, score]] = centre_box(500, 200, score=0.7)
    assert (x1 + x2, y1 + y2, score) == pytest.approx((500, 200, 0.7))
    assert (x2 - x1) / (y2 - y1) == pytest.approx(2.5)
    assert (x2 - x1) * (y2 - y1) == pytest.approx(0.3 * 500 * 200)
    np.testing.assert_allclose(centre_box(8, 6, 1.0), [[0, 0, 8, 6, 1]])
    with pytest.raises(ValueError, match="area 30"):
        centre_box(500, 375, area=30)
    with pytest.raises(ValueError, match="image of 0 x 375"):
        centre_box(0, 375)
