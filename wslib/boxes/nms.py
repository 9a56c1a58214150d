"""Non-maximum suppression in plain PyTorch: of boxes that overlap, the best remains.

torchvision's own `nms` is compiled, and missing where its wheel does not fit the torch
beside it (see `wslib.runtime.torchvision_import`). This one keeps its convention and
runs on any device.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wslib.metrics.overlap import box_iou


@torch.no_grad()
def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the positions (K,) int64 of the boxes to keep, best first.

    boxes: (N, 4) x1, y1, x2, y2 in any one unit, taken as continuous (a width is
    x2 - x1); scores: (N,). From the best box down, one is kept unless its IoU with a
    kept one is above `iou_threshold` (0 to 1); at equality it stays. Equal scores go
    by position, the lowest first. A box without area overlaps nothing. The greedy rule
    is that of Felzenszwalb et al. 2010, https://doi.org/10.1109/TPAMI.2009.167, 4.

    Raises ValueError for other shapes, coordinates that are not finite, x2 < x1 or
    y2 < y1, a score that is NaN, and a threshold outside 0 to 1.
    """
    _check(boxes, scores, iou_threshold)
    left = torch.sort(scores, descending=True, stable=True).indices  # (N,)
    boxes = boxes if boxes.dtype == torch.float64 else boxes.float()
    kept = []
    while len(left):  # one round a kept box: it strikes out those that overlap it
        best, left = left[0], left[1:]
        kept.append(best)
        left = left[box_iou(boxes[best], boxes[left]) <= iou_threshold]
    return torch.stack(kept) if kept else left


@torch.no_grad()
def nms_of_classes(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """As `nms`, for n classes that score the same boxes: boxes (N, 4), scores (N, n)
    -> (N, n) bool, true where a class keeps a box.

    All classes go down their lists side by side: a box stays unless one that is before
    it, stays and overlaps it. This is put in again until nothing changes, which takes
    as many rounds as the longest chain of boxes that decide about each other, and the
    overlaps are computed once. Errors as `nms`.
    """
    _check(boxes, scores.amax(-1), iou_threshold)  # NaN where one of them is
    if not len(boxes):
        return torch.zeros_like(scores, dtype=torch.bool)
    boxes = boxes if boxes.dtype == torch.float64 else boxes.float()
    overlaps = box_iou(boxes[:, None], boxes[None]) > iou_threshold  # (N, N)
    order = torch.sort(scores, dim=0, descending=True, stable=True).indices.T  # (n, N)
    before = overlaps[order[:, :, None], order[:, None, :]].tril(-1).float()
    stays, decided = torch.ones(order.shape, device=boxes.device), None  # (n, N)
    while decided is None or not torch.equal(stays, decided):
        decided = stays
        stays = (before @ decided[..., None] == 0)[..., 0].float()
    return torch.zeros_like(stays).scatter(1, order, stays).bool().T


def _check(boxes: Tensor, scores: Tensor, iou_threshold: float) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        shapes = f"boxes {tuple(boxes.shape)}, scores {tuple(scores.shape)}"
        raise ValueError(f"{shapes}: expected (N, 4) and (N,)")
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f"IoU threshold {iou_threshold}: expected 0 to 1")
    bad = ~torch.isfinite(boxes).all(1) | (boxes[:, 2:] < boxes[:, :2]).any(1)
    if bad.any():
        row = int(bad.nonzero()[0])
        expected = "expected finite x1 <= x2, y1 <= y2"
        raise ValueError(f"box {row} is {boxes[row].tolist()}: {expected}")
    if torch.isnan(scores).any():
        row = int(torch.isnan(scores).nonzero()[0])
        raise ValueError(f"the score of box {row} is NaN: expected a number")
