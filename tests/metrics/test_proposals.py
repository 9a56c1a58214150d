"""Recall of proposals: by hand, against a slow count, and at the edges."""

import numpy as np
import pytest

from wslib.metrics.overlap import box_iou
from wslib.metrics.proposals import (
    AVERAGED,
    average_recall,
    best_ious,
    measure_recall,
    proposal_recall,
)

# VOC corners: the object is 10 x 10 pixels, and its IoU with the boxes 0.5, 0.8, 1.
TRUTH = {"a": [[1, 1, 10, 10]], "b": [[1, 1, 10, 10], [21, 1, 30, 10]]}
BOXES = {
    "a": [[1, 1, 10, 5], [1, 1, 10, 8], [1, 1, 10, 10]],
    "b": [[21, 1, 30, 8]],
}


def test_recall_by_hand():
    frame = proposal_recall(BOXES, TRUTH, counts=(1, 2, 3, 9), iou_thresholds=(0.5, 1))
    assert list(frame) == ["count", "recall 0.5", "recall 1", "boxes"]
    assert frame["count"].tolist() == [1, 2, 3, 9]
    third = 100 / 3
    np.testing.assert_allclose(frame["recall 0.5"], [2 * third] * 4)
    np.testing.assert_allclose(frame["recall 1"], [0, 0, third, third])
    assert frame["boxes"].tolist() == [1, 1.5, 2, 2]


def test_best_ious_by_hand():
    best = best_ious(BOXES, TRUTH, counts=(3, 1, 2))
    np.testing.assert_allclose(best, [[1, 0, 0.8], [0.5, 0, 0.8], [0.8, 0, 0.8]])


def test_a_worse_box_takes_nothing_away():
    boxes = {"a": BOXES["a"][::-1]}
    best = best_ious(boxes, {"a": TRUTH["a"]}, counts=(1, 2, 3))
    assert best.tolist() == [[1], [1], [1]]


def test_average_recall_by_hand():
    """At 0.5 to 0.8 two of three objects are reached by all the boxes, then one."""
    got = average_recall(BOXES, TRUTH, counts=(1, 2, 3))
    # first box: a at 0.5 only; b's at 0.5 to 0.8, seven thresholds
    wanted = [100 * (1 + 7) / 30, 100 * (7 + 7) / 30, 100 * (10 + 7) / 30]
    np.testing.assert_allclose(got, wanted)
    assert [*AVERAGED] == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


def test_equality_is_enough():
    frame = proposal_recall(BOXES, TRUTH, (1,), (0.5, 0.51, 0.8, 0.81))
    third = 100 / 3
    np.testing.assert_allclose(frame.iloc[0, 1:5], [2 * third, third, third, 0])


def test_pixel_is_the_last_one_inside_by_default():
    truth, boxes = {"a": [[1, 1, 1, 1]]}, {"a": [[1, 1, 1, 1]]}
    assert best_ious(boxes, truth, (1,)).tolist() == [[1]]
    assert best_ious(boxes, truth, (1,), pixel=0).tolist() == [[0]]
    half = {"a": [[0, 0, 10, 5]]}, {"a": [[0, 0, 10, 10]]}
    assert best_ious(*half, (1,), pixel=0).tolist() == [[0.5]]
    assert average_recall(*half, (1,), pixel=0).tolist() == [10]
    frame = proposal_recall(*half, (1,), (0.5, 0.51), pixel=0)
    assert frame.iloc[0, 1:3].tolist() == [100, 0]


def test_scores_are_not_read_and_objects_that_are_difficult_are_left_out():
    truth = {"a": [[1, 1, 10, 10, 1], [21, 1, 30, 10, 0]], "b": [[1, 1, 5, 5, 1]]}
    boxes = {"a": [[1, 1, 10, 10, 0.1, 7], [21, 1, 30, 10, 0.9, 7]]}
    assert best_ious(boxes, truth, (1, 2)).tolist() == [[0], [1]]
    frame = proposal_recall(boxes, truth, (1, 2), (0.5,))
    assert frame["recall 0.5"].tolist() == [0, 100]
    assert frame["boxes"].tolist() == [0.5, 1]


def test_images_are_those_of_the_ground_truth():
    others = {**BOXES, "c": [[1, 1, 10, 10]] * 50}
    one = proposal_recall(others, TRUTH)
    assert one.equals(proposal_recall(BOXES, TRUTH))
    assert one["count"].tolist() == [10, 30, 100, 300, 1000]
    none = proposal_recall({}, TRUTH, (5,))
    assert none.iloc[0].tolist() == [5, 0, 0, 0]
    assert average_recall({"a": []}, TRUTH, (5,)).tolist() == [0]


@pytest.mark.filterwarnings("error")
def test_without_an_object_recall_is_unknown():
    for truth in ({"a": []}, {"a": np.zeros((0, 5))}, {"a": [[1, 1, 2, 2, 1]]}):
        frame = proposal_recall(BOXES, truth, (2,))
        assert frame[["recall 0.5", "recall 0.7"]].isna().all(axis=None)
        assert frame["boxes"].tolist() == [2]
        assert np.isnan(average_recall(BOXES, truth, (2,))).all()
        assert best_ious(BOXES, truth, (2, 3)).shape == (2, 0)
    assert proposal_recall({}, {}, (2,)).iloc[0, 1:].isna().all()


def test_as_a_slow_count_does(seed=0):
    rng = np.random.default_rng(seed)
    truth, boxes = {}, {}
    for image in range(6):
        corners = rng.integers(1, 40, (rng.integers(0, 9), 2))
        sides = rng.integers(0, 25, corners.shape)
        truth[image] = np.column_stack([corners, corners + sides])
        corners = rng.integers(1, 40, (rng.integers(0, 30), 2))
        sides = rng.integers(0, 25, corners.shape)
        boxes[image] = np.column_stack([corners, corners + sides])
    counts, thresholds = (1, 4, 17, 99), (0.2, 0.5)
    frame = proposal_recall(boxes, truth, counts, thresholds)
    for row, count in enumerate(counts):
        for t in thresholds:
            hits = [
                any(box_iou(box, thing, 1) >= t for box in boxes[image][:count])
                for image in truth
                for thing in truth[image]
            ]
            assert frame[f"recall {t}"][row] == pytest.approx(100 * np.mean(hits))
    assert 0 < frame["recall 0.5"].iloc[-1] < 100


@pytest.mark.parametrize(
    "boxes, message",
    [
        ([1, 2, 3, 4], r"proposals\['a'\]: shape \(4,\), expected \(P, 4\)"),
        ([[1, 2, 3]], r"proposals\['a'\]: shape \(1, 3\)"),
        ([[1, 1, 2, 2], [1, 1, np.nan, 2]], r"proposals\['a'\], row 1: .*nan"),
        ([[1, 1, 2, np.inf]], r"row 0: .*inf.*, expected finite"),
        ([[3, 1, 2, 2]], "expected finite x1 <= x2 and y1 <= y2"),
        ([[1, 3, 2, 2]], "y1 <= y2"),
    ],
)
def test_wrong_proposals_are_named(boxes, message):
    for measure in (proposal_recall, average_recall, best_ious):
        with pytest.raises(ValueError, match=message):
            measure({"a": boxes}, TRUTH)


def test_wrong_ground_truth_is_named():
    with pytest.raises(ValueError, match=r"ground_truth\['a'\], row 0: .*x1 <= x2"):
        best_ious(BOXES, {"a": [[5, 1, 2, 2]]})
    with pytest.raises(ValueError, match=r"ground_truth\['a'\]: shape \(1, 6\)"):
        best_ious(BOXES, {"a": [[1, 1, 2, 2, 0, 0]]})
    with pytest.raises(ValueError, match="difficult 3.0, expected 0 or 1"):
        proposal_recall(BOXES, {"a": [[1, 1, 2, 2, 3]]})


def test_counts_and_thresholds_out_of_range_are_refused():
    for measure in (proposal_recall, average_recall, best_ious):
        with pytest.raises(ValueError, match="count 0: expected 1 box or more"):
            measure(BOXES, TRUTH, (3, 0))
    for t in (0, -0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=f"IoU threshold {t}: expected above 0"):
            proposal_recall(BOXES, TRUTH, iou_thresholds=(0.5, t))


def test_recall_and_ar_beside_each_other_in_the_order_of_the_counts():
    """The second box is the object; the other object is difficult."""
    boxes = np.array([[61, 41, 90, 60, 0.9], [16, 11, 45, 30, 0.5]])
    truth = {"a": np.array([[16, 11, 45, 30, 0], [1, 1, 2, 2, 1]])}
    frame = measure_recall({"a": boxes}, truth, [2, 1, 2], [1.0, 1.0])
    assert frame.to_dict("list") == {
        **{"count": [1, 2], "recall 1.0": [0, 100], "AR": [0, 100], "boxes": [1, 2]}
    }
    with pytest.raises(ValueError, match=r"IoU threshold 2.0: expected above 0"):
        measure_recall({}, {}, [1], [2.0])
