"""Heat maps to scored boxes, and boxes from one frame to another.

Boxes are x1, y1, x2, y2 in pixels, 0-based and half-open: x2 - x1 is the width, and the
box of a whole (H, W) map is 0, 0, W, H. VOC files count from 1 and include the last
pixel; `to_voc` and `from_voc` translate. Columns after the fourth travel along.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage


def boxes_from_heatmap(
    heatmap: np.ndarray, threshold: float = 0.5, max_boxes: int = 1
) -> np.ndarray:
    """Return (N, 5) boxes x1, y1, x2, y2, score around the bright parts, best first.

    heatmap: (H, W), finite, >= 0. The pixels of at least `threshold` (0 < t <= 1) times
    the map's maximum fall into components whose pixels touch by a side or a corner; a
    box is the tight one around a component, half-open, in the map's own pixels. Its
    score is the component's share of the sum of the whole map, in (0, 1]. A map of
    zeros has no box; a constant one has one box, the whole map, of score 1.

    At most `max_boxes` are kept. A single box around the largest component at a share
    of the maximum is how Zhou et al. localise with CAM ("Learning deep features for
    discriminative localization", CVPR 2016, https://arxiv.org/abs/1512.04150, 3.1);
    here "largest" is by mass, not by area.

    Raises ValueError for another number of dimensions, for NaN, infinite or negative
    values, and for options out of range.
    """
    heatmap = np.asarray(heatmap)
    _check(heatmap, threshold, max_boxes)
    peak = heatmap.max()
    if peak == 0:
        return np.zeros((0, 5))
    bright = (heatmap >= threshold * peak).astype(np.uint8)  # (H, W)
    _, labels = cv2.connectedComponents(bright, connectivity=8, ltype=cv2.CV_32S)
    boxes = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[rows, columns] == label
        mass = heatmap[rows, columns].sum(dtype=float, where=inside)
        boxes.append((columns.start, rows.start, columns.stop, rows.stop, mass))
    boxes = np.array(boxes, float).reshape(-1, 5)  # (N, 5)
    boxes[:, 4] /= heatmap.sum(dtype=float)
    return boxes[np.argsort(-boxes[:, 4], kind="stable")][:max_boxes]


def to_voc(boxes: np.ndarray) -> np.ndarray:
    """Return half-open boxes (N, 4+) as VOC corners: 1-based, last pixel included.

    The first pixel has the number 1 and the last one keeps its number: x1 + 1, y1 + 1,
    x2, y2, so that x2 - x1 + 1 is again the width.
    """
    boxes = _float_rows(boxes)
    boxes[:, :2] += 1
    return boxes


def from_voc(boxes: np.ndarray) -> np.ndarray:
    """Return VOC corners (N, 4+) as half-open boxes; undoes `to_voc`."""
    boxes = _float_rows(boxes)
    boxes[:, :2] -= 1
    return boxes


def centre_box(
    width: float, height: float, area: float = 0.3, score: float = 1.0
) -> np.ndarray:
    """Return (1, 5) the course's baseline: a box amid the image, whatever is in it.

    It has the image's centre and aspect and `area` (0 to 1) of its area: x1, y1, x2, y2
    = (1 -+ sqrt(area)) / 2 of width and height, not rounded, and `score`.

    Frame: half-open, as everywhere. The course's code hands these very numbers to the
    evaluation, which reads them as VOC corners: a box one pixel wider and higher. Do as
    it does to get its published numbers: `evaluate({id: centre_box(w, h)}, ...)`,
    without `to_voc`.
    """
    if not 0 < area <= 1:
        raise ValueError(f"area {area}: expected a share of the image, above 0 to 1")
    if min(width, height) <= 0:
        raise ValueError(f"image of {width} x {height}: expected sides above 0")
    low, high = (1 - area**0.5) / 2, (1 + area**0.5) / 2
    return np.array([[low * width, low * height, high * width, high * height, score]])


def _float_rows(boxes: np.ndarray) -> np.ndarray:
    """Return a copy of boxes (N, 4+) as floats; `[]` has no rows."""
    boxes = np.array(boxes, float)
    if boxes.shape == (0,):
        return np.zeros((0, 4))
    if boxes.ndim != 2 or boxes.shape[1] < 4:
        raise ValueError(f"boxes of shape {boxes.shape}: expected (N, 4) or wider")
    return boxes


def _check(heatmap: np.ndarray, threshold: float, max_boxes: int) -> None:
    if heatmap.ndim != 2 or not heatmap.size:
        raise ValueError(f"heatmap of shape {heatmap.shape}: expected (H, W)")
    low = heatmap.min()
    if not np.isfinite([low, heatmap.max()]).all() or low < 0:
        raise ValueError(
            f"heatmap from {low} to {heatmap.max()}: expected finite values >= 0"
        )
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold}: expected above 0, at most 1")
    if max_boxes < 1:
        raise ValueError(f"max_boxes {max_boxes}: expected at least 1")
