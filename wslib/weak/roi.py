"""Regions of interest: the features of boxes, from the map of the whole image."""

from __future__ import annotations

import torch
from torch import Tensor


def roi_align(maps: Tensor, boxes: Tensor, size: int, samples: int = 2) -> Tensor:
    """The features of boxes: map (C, h, w), boxes (P, 4) -> (P, C, size, size).

    Boxes are x1, y1, x2, y2 as a ratio of the image, which the map covers whole. Each
    is parted into size x size bins; a bin is the mean of samples x samples points,
    between whose neighbouring places the map is interpolated; outside of its outermost
    centres it goes on as it is there. Nothing is rounded (He et al. 2017, 3,
    https://arxiv.org/abs/1703.06870; torchvision's `roi_align` with `aligned=True`).

    All of that is linear in the map. The weight of a place is the product of one for
    its column and one for its row, so that the features of all boxes are one product of
    matrices: (C, h w) by (h w, P size size).

    Raises ValueError for other shapes, boxes that are not finite or leave the image,
    and x2 < x1 or y2 < y1.
    """
    _check(maps, boxes)
    C, h, w = maps.shape
    columns = _weights(boxes[:, 0], boxes[:, 2], w, size, samples).to(maps)
    rows = _weights(boxes[:, 1], boxes[:, 3], h, size, samples).to(maps)
    weights = torch.einsum("piy,pjx->pijyx", rows, columns)  # (P, size, size, h, w)
    aligned = weights.reshape(-1, h * w) @ maps.reshape(C, h * w).T  # (P size size, C)
    return aligned.view(len(boxes), size, size, C).permute(0, 3, 1, 2)


def _weights(low: Tensor, high: Tensor, n: int, size: int, samples: int) -> Tensor:
    """What each of n places along one axis counts in each bin: (P, size, n), sum 1.

    low, high (P,): from where to where the boxes reach, as a ratio of the axis. A point
    between two centres takes of each what is left of 1 after its distance to it.
    """
    steps = (torch.arange(size * samples, device=low.device) + 0.5) / (size * samples)
    points = n * (low[:, None] + (high - low)[:, None] * steps)  # (P, S)
    points = points.clamp(0.5, n - 0.5)
    centres = torch.arange(n, device=low.device) + 0.5
    hats = (1 - (points[..., None] - centres).abs()).clamp(min=0)  # (P, S, n)
    return hats.view(len(low), size, samples, n).mean(2)


def enlarged(boxes: Tensor, factor: float) -> Tensor:
    """Boxes (P, 4) as a ratio of the image, `factor` times as wide and as high about
    their centres, clipped to the image."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) * factor / 2
    return torch.cat([centres - half, centres + half], 1).clamp(0, 1)


def mirrored(boxes: Tensor) -> Tensor:
    """Boxes (P, 4) as a ratio of the image -> where they are in its mirror image."""
    x1, y1, x2, y2 = boxes.unbind(1)
    return torch.stack([1 - x2, y1, 1 - x1, y2], 1)


def _check(maps: Tensor, boxes: Tensor) -> None:
    if maps.ndim != 3 or boxes.ndim != 2 or boxes.shape[1] != 4:
        shapes = f"map {tuple(maps.shape)}, boxes {tuple(boxes.shape)}"
        raise ValueError(f"{shapes}: expected (C, h, w) and (P, 4)")
    inside = (boxes >= 0) & (boxes <= 1)  # false for NaN
    bad = ~inside.all(1) | (boxes[:, 2:] < boxes[:, :2]).any(1)
    if bad.any():
        row = int(bad.nonzero()[0])
        expected = "expected 0 <= x1 <= x2 <= 1, and y the same"
        raise ValueError(f"box {row} is {boxes[row].tolist()}: {expected}")
