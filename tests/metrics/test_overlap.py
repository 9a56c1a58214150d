"""The overlap of pairs of boxes: by hand, beside torchvision's, and where it leads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import wslib  # noqa: F401  torchvision imports after it
from wslib.metrics.overlap import box_iou, generalised_iou, mask_iou

UNIT = [0.0, 0.0, 1.0, 1.0]
BY_HAND = [  # box, other, IoU, generalised IoU
    (UNIT, UNIT, 1, 1),
    (UNIT, [2.0, 0.0, 3.0, 1.0], 0, -1 / 3),  # a gap of 1: hull 3, covered 2
    (UNIT, [0.0, 2.0, 1.0, 3.0], 0, -1 / 3),  # the same, one above the other
    (UNIT, [1.0, 0.0, 2.0, 1.0], 0, 0),  # an edge in common
    (UNIT, [1.0, 1.0, 2.0, 2.0], 0, -1 / 2),  # a corner: hull 4, covered 2
    (UNIT, [0.25, 0.25, 0.75, 0.75], 1 / 4, 1 / 4),  # inside: the hull is covered
    (UNIT, [0.5, 0.0, 1.5, 1.0], 1 / 3, 1 / 3),
    ([0, 0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0], 1 / 7, 1 / 7 - 2 / 9),
    ([0, 0, 4.0, 1.0], [3.0, 0.0, 4.0, 5.0], 1 / 8, 1 / 8 - 12 / 20),  # x is not y
    (UNIT, [0.5, 0.5, 0.5, 0.5], 0, 0),  # a point inside
    (UNIT, [0.5, 0.0, 0.5, 1.0], 0, 0),  # a line inside
    ([0.0, 0, 0, 0], [1.0, 1.0, 1.0, 1.0], 0, -1),  # two points: nothing is covered
    ([1.0, 1, 1, 1], [1.0, 1.0, 1.0, 1.0], 0, -1),  # one point twice: no hull
]


def random_boxes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, 2, generator=generator).sort(1).values
    return corners.flatten(1)  # (N, 4)


@pytest.mark.parametrize("scale", [1, 300])  # as a ratio of the image, and in pixels
def test_boxes_by_hand(scale):
    boxes, others, ious, generalised = map(
        torch.tensor, zip(*BY_HAND, strict=True)
    )  # (N, 4), (N, 4), (N,), (N,)
    for pair in ((boxes, others), (others, boxes)):
        pair = [scale * part for part in pair]
        torch.testing.assert_close(box_iou(*pair), ious)
        torch.testing.assert_close(generalised_iou(*pair), generalised)


@pytest.mark.parametrize("pixel", [0, 1])
def test_arrays_and_tensors_agree_and_leading_axes_are_broadcast(pixel):
    boxes, others = random_boxes(9, 2).double(), random_boxes(7, 3).double()
    pairs = box_iou(boxes[:, None], others[None], pixel)  # (9, 7)
    arrays = box_iou(boxes.numpy()[:, None], others.numpy()[None], pixel)
    assert isinstance(arrays, np.ndarray) and pairs.shape == (9, 7)
    np.testing.assert_allclose(arrays, pairs.numpy(), rtol=1e-12)
    for i, j in np.ndindex(9, 7):
        assert pairs[i, j] == box_iou(boxes[i], others[j], pixel)
    hulls = generalised_iou(boxes.numpy()[:7], others.numpy())
    np.testing.assert_allclose(hulls, generalised_iou(boxes[:7], others).numpy())


def test_corners_in_the_wrong_order_have_no_area():
    for wrong in ([1.0, 0, 0, 1], [0.0, 1, 1, 0], [1.0, 1, 0, 0]):
        assert box_iou(torch.tensor(wrong), torch.tensor(UNIT)) == 0


def test_what_is_unknown_stays_unknown():
    nothing = [np.nan] * 4
    assert np.isnan(box_iou(nothing, UNIT)) and np.isnan(generalised_iou(UNIT, nothing))
    assert box_iou(torch.tensor(nothing), torch.tensor(UNIT)).isnan()


def test_a_point_on_a_point_has_a_finite_gradient():
    point = torch.full((1, 4), 0.5, requires_grad=True)
    (box_iou(point, point.detach()) + generalised_iou(point, point.detach())).backward()
    assert point.grad.isfinite().all()


def test_masks_as_tensors():
    masks = torch.tensor([[[1, 1, 0], [0, 0, 0]], [[0] * 3] * 2], dtype=torch.bool)
    full = torch.ones(2, 3, dtype=torch.bool)
    assert mask_iou(masks, full).tolist() == [pytest.approx(1 / 3), 0]
    assert mask_iou(masks, ~full).tolist() == [0, 1]
    assert mask_iou(masks, ~full, empty=0.0).tolist() == [0, 0]
    assert mask_iou(masks.numpy(), full.numpy()).tolist() == [1 / 3, 0]


def test_agree_with_torchvision():
    from torchvision.ops import box_iou as peer
    from torchvision.ops import generalized_box_iou

    boxes, others = random_boxes(200, 0), random_boxes(200, 1)
    mine = generalised_iou(boxes, others)
    assert mine.min() < -0.5 and mine.max() > 0.4
    torch.testing.assert_close(mine, generalized_box_iou(boxes, others).diag())
    torch.testing.assert_close(box_iou(boxes, others), peer(boxes, others).diag())


def test_the_generalised_iou_pulls_boxes_that_do_not_touch():
    target = torch.tensor([[0.7, 0.6, 0.9, 0.8]])
    box = torch.tensor([[0.1, 0.2, 0.3, 0.3]], requires_grad=True)
    (1 - generalised_iou(box, target)).sum().backward()
    # downhill: the corner that is nearer grows toward the target
    assert (box.grad[0, 2:] < 0).all()
    step = (box - 0.05 * box.grad).detach()
    assert generalised_iou(step, target) > generalised_iou(box, target)
    other = torch.tensor([[0.1, 0.2, 0.3, 0.3]])
    turned = (1 - other[:, [2, 3, 0, 1]]).requires_grad_()  # from the other side
    (1 - generalised_iou(turned, 1 - target[:, [2, 3, 0, 1]])).sum().backward()
    torch.testing.assert_close(turned.grad, -box.grad[:, [2, 3, 0, 1]])
    flat = torch.tensor([[0.1, 0.2, 0.3, 0.3]], requires_grad=True)
    box_iou(flat, target).sum().backward()
    assert not flat.grad.any()  # the plain IoU does not know where to go


def test_a_last_pixel_counts_where_boxes_include_it():
    """5 x 5 and 2 x 5 pixels share 2 x 4; as edges, 4 x 4 and 1 x 4 share 1 x 3."""
    one, other = [1, 2, 5, 6], [3, 1, 4, 5]
    assert box_iou(one, other, pixel=1) == pytest.approx(8 / (25 + 10 - 8))
    assert box_iou(one, other) == pytest.approx(3 / (16 + 4 - 3))
    assert box_iou([3, 3, 3, 3], [3, 3, 3, 3], pixel=1) == 1
