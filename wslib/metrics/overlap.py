"""The overlap of pairs of boxes as tensors, with a gradient: areas, IoU, generalised
IoU.

Boxes are x1, y1, x2, y2, continuous, in any one unit: (N, 4).
"""

from __future__ import annotations

import torch
from torch import Tensor


def areas(boxes: Tensor) -> Tensor:
    """(N, 4) -> (N,), 0 for boxes whose corners come in the wrong order."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0).unbind(1)
    return width * height


def _overlap(boxes: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """Intersections and unions of pairs, (N,) each."""
    corners = (
        torch.maximum(boxes[:, :2], others[:, :2]),
        torch.minimum(boxes[:, 2:], others[:, 2:]),
    )
    intersection = areas(torch.cat(corners, 1))
    return intersection, areas(boxes) + areas(others) - intersection


def paired_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """The IoU of each box with the other of the same row: (N, 4), (N, 4) -> (N,) in
    [0, 1]; 0 where neither has an area. Corners must be sorted."""
    intersection, union = _overlap(boxes, others)
    return intersection / union.clamp(min=1e-9)


def generalised_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """The generalised IoU of pairs, (N,) in [-1, 1] (Rezatofighi et al. 2019, algorithm
    1, https://arxiv.org/abs/1902.09630): the IoU less the share of the smallest box
    around both that neither of them covers. So it has a slope, toward each other, for
    boxes that do not touch. Unit squares one apart: -1/3; -1 where even the box around
    both has no area. Corners must be sorted."""
    intersection, union = _overlap(boxes, others)
    corners = (
        torch.minimum(boxes[:, :2], others[:, :2]),
        torch.maximum(boxes[:, 2:], others[:, 2:]),
    )
    hull = areas(torch.cat(corners, 1)).clamp(min=1e-9)
    return intersection / union.clamp(min=1e-9) - (hull - union) / hull
