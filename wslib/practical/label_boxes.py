"""Boxes from a network that was shown none: around the heat map of what it says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from wslib.boxes.boxes import boxes_from_heatmap
from wslib.boxes.maps import explain_images
from wslib.cam import GradCAM
from wslib.metrics.overlap import box_iou
from wslib.models.two_heads import TwoHeadNetwork


class ClassHead(nn.Module):
    """The logits alone of a network with two heads, as a map's method wants them."""

    def __init__(self, detector: TwoHeadNetwork) -> None:
        super().__init__()
        self.detector, self.normalize = detector, detector.normalize

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, S, S) -> logits (B, n), without the box."""
        return self.detector(images)[0]


def class_maps(detector: TwoHeadNetwork, pixels: Tensor) -> np.ndarray:
    """Return the Grad-CAM maps (N, P, P), 0 to 1, of pictures (N, 3, P, P) uint8, for
    the class that the detector says, at the output of its features."""
    cam = GradCAM(ClassHead(detector), [detector.features])
    return explain_images(cam, pixels, (detector.input_size,) * 2).maps


def map_boxes(maps: np.ndarray, threshold: float) -> np.ndarray:
    """Return a box (N, 4) for each of the maps (N, h, w), as a ratio of the picture:
    around the heaviest part of at least `threshold` times the map's highest value. It
    is NaN for a map of zeros."""
    sizes = np.tile(maps.shape[:0:-1], 2)  # w, h, w, h
    boxes = np.full((len(maps), 4), np.nan)
    for row, heatmap in enumerate(maps):
        found = boxes_from_heatmap(heatmap, threshold)
        boxes[row] = found[0, :4] / sizes if len(found) else np.nan
    return boxes


def best_map_threshold(
    maps: np.ndarray, boxes: np.ndarray, thresholds: Sequence[float]
) -> float:
    """Return the threshold of `map_boxes` with the highest mean IoU with true boxes
    (N, 4); a true box of NaN is passed over. The smallest among equals."""
    known = ~np.isnan(boxes).any(1)
    ious = [
        np.nan_to_num(box_iou(map_boxes(maps[known], t), boxes[known])).mean()
        for t in thresholds
    ]
    return float(thresholds[int(np.argmax(ious))])
