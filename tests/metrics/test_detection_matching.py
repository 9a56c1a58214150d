"""Overlap, who found what, and boxes that make no sense."""

import numpy as np
import pytest

from wslib.metrics.detection import Protocol, evaluate, match
from wslib.metrics.overlap import box_iou


def test_iou_known_answers():
    assert box_iou([1, 2, 5, 6], [3, 1, 4, 5], pixel=1) == pytest.approx(8 / 27)
    assert box_iou([0, 0, 2, 2], [1, 1, 3, 3]) == pytest.approx(1 / 7)
    assert box_iou([0, 0, 1, 1], [1, 0, 2, 1]) == 0  # share an edge
    assert box_iou([0, 0, 1, 1], [1, 0, 2, 1], pixel=1) == pytest.approx(2 / 6)
    assert box_iou([3, 3, 3, 3], [3, 3, 3, 3]) == 0  # no area
    assert box_iou([3, 3, 3, 3], [3, 3, 3, 3], pixel=1) == 1


def test_iou_of_all_pairs_agrees_with_coco():
    mask = pytest.importorskip("pycocotools.mask")
    corners = np.random.default_rng(0).uniform(0, 50, (30, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    a, b = boxes[:12], boxes[12:]
    sides = [np.hstack([c[:, :2], c[:, 2:] - c[:, :2]]) for c in (a, b)]
    expected = mask.iou(*sides, [0] * len(b))
    np.testing.assert_allclose(box_iou(a[:, None], b[None]), expected)


def test_matches_say_who_found_what():
    truth = {"a": [[1, 1, 10, 10]], "b": [[50, 50, 60, 60], [1, 1, 10, 10]]}
    found = {"b": [[1, 1, 10, 10, 0.2], [1, 1, 10, 5, 0.9]], "c": [[1, 1, 2, 2, 0.5]]}
    matches = match(found, truth)
    assert matches.images == ["b", "c", "a"]
    assert [matches.images[k] for k in matches.image] == ["b", "c", "b"]
    assert matches.row.tolist() == [1, 0, 0]
    np.testing.assert_allclose(matches.iou, [0.5, 0, 1])
    assert matches.object_row[matches.best[matches.best >= 0]].tolist() == [1, 1]
    assert matches.outcomes(0.4).tolist() == [1, 0, 0]
    assert matches.outcomes(0.5).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("detections", "truth", "message"),
    [
        ({"7": [[1, 1, 2, 2, np.nan]]}, {}, r"detections\['7'\], row 0: .*nan.*finite"),
        ({"7": [[1, 1, 2, 2, np.inf]]}, {}, r"detections\['7'\], row 0: .*inf.*finite"),
        ({3: [[1, 1, 2, 2, 0], [5, 1, 2, 2, 0]]}, {}, r"detections\[3\], row 1: \[5.0"),
        ({"7": [[1, 1, 2, 2]]}, {}, r"detections\['7'\]: shape \(1, 4\)"),
        ({"7": [1, 1, 2, 2, 1]}, {}, r"detections\['7'\]: shape \(5,\)"),
        ({}, {"7": [[1, 5, 2, 2]]}, r"ground_truth\['7'\], row 0: .*y1 <= y2"),
        ({}, {"7": [[1, 1, 2, 2, 0, 0]]}, r"ground_truth\['7'\]: shape \(1, 6\)"),
        ({}, {"7": [[1, 1, 2, 2, 0.5]]}, r"ground_truth\['7'\], row 0: difficult 0.5"),
    ],
)
def test_bad_boxes_are_named(detections, truth, message):
    with pytest.raises(ValueError, match=message) as error:
        evaluate(detections, truth)
    assert "\n" not in str(error.value)


def test_bad_options_are_named():
    with pytest.raises(ValueError, match="protocol 'voc12': expected one of"):
        evaluate({}, {}, protocol="voc12")
    with pytest.raises(ValueError, match="protocol x: ties 'random'"):
        Protocol("x", ties="random")
    with pytest.raises(ValueError, match="IoU threshold 50: expected 0 to 1"):
        evaluate({}, {}, [50])


EQUAL = [[1, 1, 10, 10, 0], [21, 1, 30, 10, 0]]  # each a third of what is found


@pytest.mark.parametrize("ties", ["group", "list order"])
def test_of_objects_with_equal_iou(ties):
    """Grouped, the one with the smaller coordinates; listed, the first in the list."""
    found = {"a": [[1, 1, 30, 10, 0.5]]}
    protocol = Protocol("x", "all", "count", 1, ties=ties)
    for truth in (EQUAL, EQUAL[::-1]):
        matches = match(found, {"a": truth}, protocol)
        row = matches.object_row[matches.best[0]]
        expected = EQUAL[0] if ties == "group" else truth[0]
        assert truth[row] == expected


def test_of_equals_the_one_that_counts_is_preferred():
    found = {"a": [[1, 1, 30, 10, 0.5]]}
    hard, easy = [1, 1, 10, 10, 1], [21, 1, 30, 10, 0]
    for truth in ([hard, easy], [easy, hard]):
        matches = match(found, {"a": truth}, Protocol("x", "all", "ignore", 1))
        assert truth[matches.object_row[matches.best[0]]] == easy
        assert matches.positive[matches.best[0]]


def test_of_equal_scores_the_larger_iou_goes_first():
    found = {"a": [[1, 1, 10, 6, 0.5], [1, 1, 10, 10, 0.5]]}
    matches = match(found, {"a": EQUAL[:1]}, "voc10")
    assert matches.row.tolist() == [1, 0] and matches.iou.tolist() == [1, 0.6]


def test_who_overlaps_nothing_has_found_nothing():
    """Not even at an IoU of 0, which it reaches."""
    matches = match({"a": [[50, 50, 60, 60, 0.5]]}, {"a": EQUAL}, "voc10")
    assert matches.best.tolist() == [-1] and matches.iou.tolist() == [0]
    assert matches.outcomes(0).tolist() == [0]
