"""Losses of a network that says what is in a picture and in which box.

Boxes are x1, y1, x2, y2, continuous, as a ratio of the image: (N, 4). The areas'
ratios, such as the IoU, are the same in pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from wslib.metrics.overlap import generalised_iou


def sort_corners(boxes: Tensor) -> Tensor:
    """Boxes (N, 4) with x1 <= x2 and y1 <= y2.

    Four sigmoids know nothing of each other: a box may come out inverted, and what
    that means to an IoU depends on its formula. Sorted, it is a box like any other."""
    first, second = boxes[:, :2], boxes[:, 2:]
    return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], 1)


BOX_LOSSES = {
    "l1": lambda boxes, truth: (boxes - truth).abs().mean(1),
    "mse": lambda boxes, truth: (boxes - truth).square().mean(1),
    "giou": lambda boxes, truth: 1 - generalised_iou(boxes, truth),
    "giou+l1": lambda boxes, truth: (
        1 - generalised_iou(boxes, truth) + 5 * (boxes - truth).abs().mean(1)
    ),
}


class DetectorLoss:
    """Cross-entropy of the classes plus `weight` times a loss of the boxes.

    Called with outputs (logits (B, n), boxes (B, 4)) and targets (labels (B,), boxes
    (B, 4)); a true box of NaN says nothing, and its image counts for the class alone.
    `pop` tells the means of both parts, of the boxes' over those that are known, and of
    the share of right classes, over all images since the last `pop`. Raises ValueError
    for an unknown kind, and a weight that is not finite or below 0.
    """

    def __init__(self, kind: str = "giou", weight: float = 1.0) -> None:
        if kind not in BOX_LOSSES:
            expected = ", ".join(BOX_LOSSES)
            raise ValueError(f"box loss {kind!r}, expected one of {expected}")
        if not 0 <= weight < math.inf:
            raise ValueError(f"weight of the box loss {weight}, expected 0 or more")
        self.box_loss, self.weight = BOX_LOSSES[kind], weight
        self.parts: list[Tensor] = []

    def __call__(self, outputs, targets) -> Tensor:
        (logits, boxes), (labels, truth) = outputs, targets
        known = ~truth.isnan().any(1)
        class_loss = F.cross_entropy(logits, labels)
        of_boxes = self.box_loss(sort_corners(boxes[known]), truth[known])
        box_loss = of_boxes.sum() / max(len(of_boxes), 1)
        right = (logits.argmax(1) == labels).float().mean()
        parts = torch.stack([class_loss.detach(), box_loss.detach(), right])
        counts = parts.new_tensor([len(labels), len(of_boxes), len(labels)])
        self.parts.append(torch.stack([parts, counts]))
        return class_loss + self.weight * box_loss

    def pop(self) -> dict[str, float]:
        """`class_loss`, `box_loss`, `accuracy` of the batches since the last time, of
        which there must be one; `box_loss` is NaN where no box was known."""
        rows, self.parts = torch.stack(self.parts), []  # (batches, 2, 3)
        means, counts = rows.unbind(1)
        means = (means * counts).sum(0) / counts.sum(0)
        class_loss, box_loss, accuracy = means.tolist()
        return {"class_loss": class_loss, "box_loss": box_loss, "accuracy": accuracy}
