"""Losses of boxes by hand and beside torchvision's; what counts for a batch."""

from __future__ import annotations

import math

import pytest
import torch

import wslib  # noqa: F401  torchvision imports after it
from wslib.metrics.overlap import box_iou, generalised_iou
from wslib.training.losses import BOX_LOSSES, DetectorLoss, sort_corners

UNIT = [0.0, 0.0, 1.0, 1.0]
NAN = [math.nan] * 4


def random_boxes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    return sort_corners(torch.rand(count, 4, generator=generator))


def test_agree_with_torchvision():
    from torchvision.ops import generalized_box_iou_loss

    boxes, others = random_boxes(200, 0), random_boxes(200, 1)
    peer = generalized_box_iou_loss(boxes, others)
    torch.testing.assert_close(BOX_LOSSES["giou"](boxes, others), peer)


def test_corners_are_sorted_once_and_for_all():
    told = torch.tensor(
        [[0.8, 0.1, 0.2, 0.5], [0.1, 0.9, 0.3, 0.2], [0.7, 0.8, 0, 0.1]]
    )
    box = torch.tensor([[0.2, 0.1, 0.8, 0.5], [0.1, 0.2, 0.3, 0.9], [0, 0.1, 0.7, 0.8]])
    assert torch.equal(sort_corners(told), box)
    assert torch.equal(sort_corners(box), box)
    assert torch.equal(generalised_iou(sort_corners(told), box), torch.ones(3))
    told.requires_grad_()  # each coordinate is still its own
    weights = torch.tensor([1.0, 2, 3, 4])
    (sort_corners(told) * weights).sum().backward()
    expected = [[3, 2, 1, 4], [1, 4, 3, 2], [3, 4, 1, 2]]
    assert told.grad.tolist() == expected
    assert sort_corners(torch.tensor([NAN])).isnan().all()


def test_downhill_leads_to_the_target():
    target = torch.tensor([[0.1, 0.6, 0.5, 0.9], [0.55, 0.05, 0.95, 0.3]])
    told = torch.tensor([[1.5, -2, 2, -1], [-1.0, 2.0, -2, 1]], requires_grad=True)
    optimizer = torch.optim.Adam([told], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        box = sort_corners(told.sigmoid())
        BOX_LOSSES["giou"](box, target).sum().backward()
        optimizer.step()
    assert (box_iou(sort_corners(told.sigmoid()), target) > 0.95).all()


@pytest.mark.parametrize("kind", BOX_LOSSES)
@pytest.mark.parametrize(
    "box", [[0.5] * 4, [0.2, 0.5, 0.8, 0.5], [0, 0, 0, 0.0], UNIT, [0.3, 0.3, 0.6, 0.6]]
)
def test_no_loss_and_no_slope_without_end(kind, box):
    for truth in ([0.3, 0.3, 0.6, 0.6], [0.5] * 4, UNIT):
        boxes = torch.tensor([box], requires_grad=True)
        loss = BOX_LOSSES[kind](sort_corners(boxes), torch.tensor([truth])).sum()
        loss.backward()
        assert loss.isfinite() and boxes.grad.isfinite().all()


LOGITS = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
LABELS = torch.tensor([0, 1])
CLASS_LOSS = -(math.log(0.5) + math.log(0.1)) / 2
BOXES = torch.tensor([[0.0, 0, 0.5, 0.5], [0.9, 0.7, 0.1, 0.3]])  # the second inverted
TRUTH = torch.tensor([[0.5, 0, 1, 0.5], [0.1, 0.3, 0.9, 0.9]])
L1, MSE = (0.25 + 0.05) / 2, (0.125 + 0.01) / 2  # means over corners, then boxes
GIOU = (1 + (1 - 0.32 / 0.48)) / 2  # side by side; two thirds of the height


@pytest.mark.parametrize(
    ("kind", "box_loss"),
    [("l1", L1), ("mse", MSE), ("giou", GIOU), ("giou+l1", GIOU + 5 * L1)],
)
@pytest.mark.parametrize("weight", [1, 0.25, 0])
def test_the_loss_of_a_batch_by_hand(kind, box_loss, weight):
    loss = DetectorLoss(kind, weight)
    value = loss((LOGITS, BOXES), (LABELS, TRUTH))
    assert value.item() == pytest.approx(CLASS_LOSS + weight * box_loss, rel=1e-5)
    told = loss.pop()
    assert list(told) == ["class_loss", "box_loss", "accuracy"]
    assert told["class_loss"] == pytest.approx(CLASS_LOSS, rel=1e-5)
    assert told["box_loss"] == pytest.approx(box_loss, rel=1e-5)  # without the weight
    assert told["accuracy"] == 0.5


def test_defaults():
    value = DetectorLoss()((LOGITS, BOXES), (LABELS, TRUTH)).item()
    assert value == pytest.approx(CLASS_LOSS + GIOU, rel=1e-5)


def test_a_box_of_nan_counts_for_the_class_alone():
    truth = torch.stack([TRUTH[0], torch.tensor(NAN)])
    logits, boxes = LOGITS.clone().requires_grad_(), BOXES.clone().requires_grad_()
    loss = DetectorLoss("l1")
    value = loss((logits, boxes), (LABELS, truth))
    assert value.item() == pytest.approx(CLASS_LOSS + 0.25, rel=1e-5)
    value.backward()
    assert logits.grad.abs().sum(1).min() > 0
    assert boxes.grad[0].any() and not boxes.grad[1].any()
    assert loss.pop()["box_loss"] == pytest.approx(0.25)


@pytest.mark.parametrize("kind", BOX_LOSSES)
def test_a_batch_without_a_known_box(kind):
    logits, boxes = LOGITS.clone().requires_grad_(), BOXES.clone().requires_grad_()
    loss = DetectorLoss(kind)
    value = loss((logits, boxes), (LABELS, torch.tensor([NAN, NAN])))
    value.backward()
    assert value.item() == pytest.approx(CLASS_LOSS, rel=1e-5)
    assert logits.grad.isfinite().all() and torch.equal(boxes.grad, torch.zeros(2, 4))
    told = loss.pop()
    assert told["class_loss"] == pytest.approx(CLASS_LOSS, rel=1e-5)
    assert math.isnan(told["box_loss"])  # nothing is known of it


def test_means_are_over_images_and_not_over_batches():
    loss = DetectorLoss("l1")
    logits, labels = LOGITS[[0, 0, 0, 1]], LABELS[[0, 0, 0, 1]]
    boxes, truth = BOXES[[0, 0, 0, 1]], TRUTH[[0, 0, 0, 1]].clone()
    truth[:2] = math.nan
    for rows in ([0, 1, 2], [3]):
        loss((logits[rows], boxes[rows]), (labels[rows], truth[rows]))
    told = loss.pop()
    assert told["accuracy"] == 0.75
    expected = -(3 * math.log(0.5) + math.log(0.1)) / 4
    assert told["class_loss"] == pytest.approx(expected, rel=1e-5)
    assert told["box_loss"] == pytest.approx(L1, rel=1e-5)  # of the two known boxes
    loss((LOGITS[:1], BOXES[:1]), (LABELS[:1], TRUTH[:1]))
    assert loss.pop()["accuracy"] == 1  # and the first ones are forgotten


def test_what_is_not_finite_shows():
    logits = torch.full((2, 3), math.nan)
    assert DetectorLoss()((logits, BOXES), (LABELS, TRUTH)).isnan()
    boxes = torch.tensor([NAN, NAN])
    assert DetectorLoss()((LOGITS, boxes), (LABELS, TRUTH)).isnan()


def test_unknown_loss():
    with pytest.raises(ValueError) as error:
        DetectorLoss("diou")
    expected = "box loss 'diou', expected one of l1, mse, giou, giou+l1"
    assert str(error.value) == expected


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -1])
def test_a_weight_that_nobody_meant(weight):
    with pytest.raises(ValueError, match=f"loss {weight}, expected 0 or more"):
        DetectorLoss("giou", weight)
    assert DetectorLoss("giou", 0).weight == 0
