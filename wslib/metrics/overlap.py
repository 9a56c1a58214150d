"""How much two regions overlap: every IoU of boxes and of masks that there is.

Arrays of NumPy give an array, tensors of PyTorch a tensor, with a gradient, where they
are. Boxes are x1, y1, x2, y2 in any one unit, corners sorted, (..., 4) or wider.
Leading axes are broadcast: `box_iou(a, b)` compares boxes of the same row, and
`box_iou(a[:, None], b[None])` all pairs (N, M).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch

Array = TypeVar("Array", np.ndarray, torch.Tensor)


def box_iou(boxes: Array, others: Array, pixel: int = 0) -> Array:
    """Return the intersection over union of boxes (..., 4) and (..., 4): (...) in
    [0, 1].

    `pixel` is added to widths and heights: 0 if x2 and y2 are the box's edges, 1 if
    they are its last pixels. The IoU of two boxes without area is 0.
    """
    boxes, others = _floats(boxes), _floats(others)
    both, either = _both_and_either(boxes, others, pixel)
    return _ratio(both, either)


def generalised_iou(boxes: Array, others: Array) -> Array:
    """Return the generalised IoU of boxes (..., 4) and (..., 4): (...) in [-1, 1]
    (Rezatofighi et al. 2019, algorithm 1, https://arxiv.org/abs/1902.09630).

    It is the IoU less the share of the smallest box around both that neither of them
    covers. So it has a slope, toward each other, for boxes that do not touch. Unit
    squares one apart: -1/3; -1 where even the box around both has no area.
    """
    boxes, others = _floats(boxes), _floats(others)
    both, either = _both_and_either(boxes, others)
    low = _module(boxes).minimum(boxes[..., :2], others[..., :2])
    high = _module(boxes).maximum(boxes[..., 2:4], others[..., 2:4])
    hull = _area(high - low).clip(1e-9)
    return _ratio(both, either) - (hull - either) / hull


def mask_iou(masks: Array, others: Array, empty: float = 1.0) -> Array:
    """Return the intersection over union of masks (..., H, W) bool, shape (...).

    Leading axes are broadcast: three masks (3, H, W) and a true one (H, W) give (3,).
    Two empty masks are the same, 1, unless `empty` says otherwise. Raises ValueError
    for sizes that differ and for masks that are not bool.
    """
    masks, others = checked_masks(masks), checked_masks(others)
    if masks.shape[-2:] != others.shape[-2:]:
        shapes = f"masks {tuple(masks.shape)} and {tuple(others.shape)}"
        raise ValueError(f"{shapes}: expected the same (H, W)")
    both, either = (masks & others).sum((-2, -1)), (masks | others).sum((-2, -1))
    return _module(masks).where(either == 0, empty, both / either.clip(1))[()]


def checked_masks(masks: Array, ndim: int | None = None) -> Array:
    """Return masks (..., H, W); raise ValueError unless they are bool, of `ndim`."""
    masks = masks if isinstance(masks, torch.Tensor) else np.asarray(masks)
    right = masks.dtype == _module(masks).bool and masks.ndim >= 2
    if not right or ndim not in (None, masks.ndim):
        got = f"mask of shape {tuple(masks.shape)}, {masks.dtype}"
        raise ValueError(f"{got}: expected (H, W) bool")
    return masks


def _floats(boxes: Array) -> Array:
    return boxes if isinstance(boxes, torch.Tensor) else np.asarray(boxes, float)


def _module(array: Array):
    return torch if isinstance(array, torch.Tensor) else np


def _area(sides: Array) -> Array:
    """(..., 2) -> (...), 0 for corners that come in the wrong order."""
    sides = sides.clip(0)
    return sides[..., 0] * sides[..., 1]


def _both_and_either(boxes: Array, others: Array, pixel: int = 0):
    """Intersections and unions, (...) each."""
    low = _module(boxes).maximum(boxes[..., :2], others[..., :2])
    high = _module(boxes).minimum(boxes[..., 2:4], others[..., 2:4])
    both = _area(high - low + pixel)
    areas = [_area(b[..., 2:4] - b[..., :2] + pixel) for b in (boxes, others)]
    return both, areas[0] + areas[1] - both


def _ratio(both: Array, either: Array) -> Array:
    """Their ratio, 0 where there is nothing; its gradient is finite there, too."""
    return both / _module(either).where(either == 0, 1, either)
