"""Suppression: against the definition in two loops, and cases one can see."""

import numpy as np
import pytest
import torch

from wslib.boxes.nms import nms, nms_of_classes


def iou(a, b) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def by_definition(boxes, scores, threshold) -> list[int]:
    boxes, kept = boxes.tolist(), []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i].item(), i)):
        if all(iou(boxes[i], boxes[k]) <= threshold for k in kept):
            kept.append(i)
    return kept


def some_boxes(seed: int, count: int = 120):
    """Boxes on a coarse grid, so that many coincide, touch, tie and lack an area."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 12, (count, 2, 2))
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1).astype(float)
    scores = rng.integers(0, 9, count) / 8
    return torch.tensor(boxes), torch.tensor(scores), rng


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 1])
def test_it_is_the_definition(seed, threshold):
    boxes, scores, _ = some_boxes(seed)
    kept = nms(boxes, scores, threshold)
    assert kept.dtype == torch.int64
    assert kept.tolist() == by_definition(boxes, scores, threshold)


def test_smooth_boxes_in_either_precision():
    rng = np.random.default_rng(7)
    corners = torch.tensor(rng.random((80, 2)) * 50)
    boxes = torch.cat([corners, corners + torch.tensor(rng.random((80, 2)) * 40)], 1)
    scores = torch.tensor(rng.random(80))
    expected = by_definition(boxes, scores, 0.4)
    assert nms(boxes, scores, 0.4).tolist() == expected
    assert nms(boxes.float(), scores.float(), 0.4).tolist() == expected


def test_at_the_threshold_a_box_stays():
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 5]])  # an IoU of exactly 1/2
    scores = torch.tensor([0.9, 0.8])
    assert nms(boxes, scores, 0.5).tolist() == [0, 1]
    assert nms(boxes, scores, 0.49).tolist() == [0]


def test_a_suppressed_box_suppresses_nothing():
    row = torch.tensor([[0.0, 0, 10, 1], [4, 0, 14, 1], [8, 0, 18, 1]])
    assert nms(row, torch.tensor([3.0, 2, 1]), 0.3).tolist() == [0, 2]
    assert nms(row, torch.tensor([1.0, 3, 2]), 0.3).tolist() == [1]


def test_equal_scores_go_by_position():
    boxes = torch.tensor([[0.0, 0, 2, 2]] * 3 + [[5.0, 5, 6, 6]] * 2)
    assert nms(boxes, torch.ones(5), 0.5).tolist() == [0, 3]
    infinite = torch.tensor([0, -torch.inf, torch.inf, 1, 1])
    assert nms(boxes, infinite, 0.5).tolist() == [2, 3]


def test_boxes_without_area_stay_and_strike_nothing():
    boxes = torch.tensor([[3.0, 3, 3, 3], [3, 3, 3, 3], [0, 3, 9, 3], [0, 0, 9, 9]])
    assert nms(boxes, torch.arange(4.0), 0.0).tolist() == [3, 2, 1, 0]


def test_nothing_in_nothing_out():
    none = torch.zeros(0, 4), torch.zeros(0)
    kept = nms(*none, 0.5)
    assert kept.shape == (0,) and kept.dtype == torch.int64


@pytest.mark.parametrize(
    ("boxes", "scores", "threshold", "message"),
    [
        ([[0, 0, 1]], [1], 0.5, r"boxes \(1, 3\), scores \(1,\): expected \(N, 4\)"),
        ([[0, 0, 1, 1]], [1, 2], 0.5, r"scores \(2,\)"),
        ([[0, 0, 1, 1], [0, 0, np.nan, 1]], [1, 2], 0.5, "box 1 is .*nan"),
        ([[0, 0, np.inf, 1]], [1], 0.5, "box 0 is .*inf"),
        ([[5, 0, 1, 1]], [1], 0.5, r"box 0 is \[5.0, 0.0, 1.0, 1.0\]: expected finite"),
        ([[0, 0, 1, 1]], [np.nan], 0.5, "score of box 0 is NaN"),
        ([[0, 0, 1, 1]], [1], 50, "IoU threshold 50: expected 0 to 1"),
        ([[0, 0, 1, 1]], [1], np.nan, "IoU threshold nan"),
    ],
)
def test_errors(boxes, scores, threshold, message):
    boxes, scores = torch.tensor(boxes).float(), torch.tensor(scores).float()
    with pytest.raises(ValueError, match=message) as error:
        nms(boxes, scores, threshold)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [0, 0.3, 0.5, 1])
def test_classes_side_by_side_are_one_after_the_other(seed, threshold):
    boxes, _, rng = some_boxes(seed, 60)
    scores = torch.tensor(rng.integers(0, 9, (60, 4)) / 8)  # many ties
    kept = nms_of_classes(boxes, scores, threshold)
    assert kept.shape == (60, 4) and kept.dtype == torch.bool
    for column, of in zip(kept.T, scores.T, strict=True):
        expected = by_definition(boxes, of, threshold)
        assert column.nonzero()[:, 0].tolist() == sorted(expected)
    single = nms_of_classes(boxes.float(), scores.float(), threshold)
    assert torch.equal(single, kept)


def test_classes_on_smooth_boxes():
    rng = np.random.default_rng(7)
    corners = torch.tensor(rng.random((80, 2)) * 400)
    boxes = torch.cat([corners, corners + torch.tensor(rng.random((80, 2)) * 300)], 1)
    scores = torch.tensor(rng.random((80, 6)))
    for kind in (torch.float64, torch.float32):
        for threshold in np.linspace(0.1, 0.8, 8):
            kept = nms_of_classes(boxes.to(kind), scores.to(kind), threshold)
            for column, of in zip(kept.T, scores.T, strict=True):
                expected = sorted(by_definition(boxes, of, threshold))
                assert column.nonzero()[:, 0].tolist() == expected


def test_a_long_chain_of_classes_is_decided_to_its_end():
    """Of boxes in a row, each over the next, every other one stays."""
    low = torch.arange(40.0)[:, None]
    row = torch.cat([low, low * 0, low + 1.8, low * 0 + 1], 1)  # an IoU of 0.29
    fall = torch.arange(40.0).flip(0)
    kept = nms_of_classes(row, torch.stack([fall, fall.flip(0)], 1), 0.25)
    assert kept[:, 0].nonzero()[:, 0].tolist() == list(range(0, 40, 2))
    assert kept[:, 1].nonzero()[:, 0].tolist() == list(range(1, 40, 2))


def test_classes_with_boxes_without_area_or_with_none():
    boxes = torch.tensor([[3.0, 3, 3, 3], [3, 3, 3, 3], [0, 3, 9, 3], [0, 0, 9, 9]])
    assert nms_of_classes(boxes, torch.ones(4, 2), 0.0).all()
    assert nms_of_classes(boxes[:1], torch.ones(1, 3), 0.5).tolist() == [[True] * 3]
    none = nms_of_classes(torch.zeros(0, 4), torch.zeros(0, 3), 0.5)
    assert none.shape == (0, 3) and none.dtype == torch.bool


def test_infinite_scores_of_classes():
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 3]])
    scores = torch.tensor([[torch.inf, -torch.inf], [0.0, 1.0]])
    kept = nms_of_classes(boxes, scores, 0.5)
    assert kept.tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize(
    ("boxes", "scores", "threshold", "message"),
    [
        ([[0, 0, 1, 1]], [[1, 2], [3, 4]], 0.5, r"boxes \(1, 4\), scores \(2,\)"),
        ([[0, 0, 1, 1]], [1], 0.5, r"scores \(\): expected"),
        ([[0, 0, 1, 1]] * 2, [[1, 1], [1, np.nan]], 0.5, "score of box 1 is NaN"),
        ([[5, 0, 1, 1]], [[1, 2]], 0.5, "box 0 is"),
        ([[0, 0, 1, 1]], [[1, 2]], 1.5, "IoU threshold 1.5: expected 0 to 1"),
    ],
)
def test_errors_of_classes_side_by_side(boxes, scores, threshold, message):
    boxes, scores = torch.tensor(boxes).float(), torch.tensor(scores).float()
    with pytest.raises(ValueError, match=message) as error:
        nms_of_classes(boxes, scores, threshold)
    assert "\n" not in str(error.value)
