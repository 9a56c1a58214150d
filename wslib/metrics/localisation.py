"""Does the map show the object? What weakly supervised localisation is measured by.

Unlike AP, these measures ask of a class only in the images that hold it, and so leave
out how well the images are told apart: an image of `ground_truth` counts if it has at
least one box there, and other images are not looked at. Objects marked difficult are
objects like the others. Boxes are VOC corners, as in `detection`.

A frame, and the mean that goes with it, is in percent; a single share (0 to 1) comes as
a number or as an `Interval` (Wilson's, over images).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import zip_longest

import numpy as np
import pandas as pd

from wslib.metrics.bootstrap import Interval, wilson
from wslib.metrics.detection import Boxes, Matches, Protocol, match


def max_box_acc(
    boxes_by_threshold: Mapping[float, Boxes],
    ground_truth: Boxes,
    iou_thresholds: Sequence[float] = (0.3, 0.5, 0.7),
    pixel: int = 1,
) -> tuple[float, pd.DataFrame]:
    """Return MaxBoxAccV2 and the accuracies it is the mean of, in percent.

    boxes_by_threshold: {threshold of the map: {image id: (N, 4) or (N, 5) boxes}}, of
    all components of each map, as `sweep` of `wslib.boxes.maps` gives them. An
    image is right if any of its boxes has IoU >= `iou` with any of its objects. The
    frame has a row per IoU threshold: `iou`, `accuracy`, and the map's `threshold` that
    is best there for the whole data set, the lowest of equals. (Choe et al.,
    "Evaluating weakly supervised object localization methods right", CVPR 2020 and
    TPAMI 2022, https://arxiv.org/abs/2007.04178. The threshold is chosen on what is
    measured: the number bounds what one threshold can give, and is no measurement of a
    detector.)

    Raises ValueError for no threshold, for no image with an object, for an IoU
    threshold outside (0, 1], and for boxes as `detection.evaluate` does.
    """
    if not boxes_by_threshold or not len(iou_thresholds):
        raise ValueError("max_box_acc: no thresholds, expected at least one of each")
    _check_iou(iou_thresholds)
    thresholds = sorted(boxes_by_threshold)
    best = [_best_iou(boxes_by_threshold[t], ground_truth, pixel) for t in thresholds]
    right = np.array(best)[..., None] >= np.asarray(iou_thresholds)  # (T, I, D)
    accuracy = 100 * right.mean(axis=1)  # (T, D)
    frame = pd.DataFrame(
        {
            "iou": np.asarray(iou_thresholds, float),
            "accuracy": accuracy.max(axis=0),
            "threshold": np.array(thresholds, float)[accuracy.argmax(axis=0)],
        }
    )
    return float(frame["accuracy"].mean()), frame


def pxap(
    maps: Iterable[np.ndarray],
    masks: Iterable[np.ndarray],
    ignore: Iterable[np.ndarray | None] = (),
    levels: int = 1001,
) -> float:
    """Return pixel average precision, 0 to 1: how well the maps rank the pixels.

    maps: (H, W) each, in [0, 1]; masks: (H, W) bool, true on the object; ignore: (H, W)
    bool or None each, true where a pixel counts as neither (a void border). All may be
    generators. The pixels of all images are one ranking: precision times the gain in
    recall, summed over thresholds (PxAP of Choe et al., as for `max_box_acc`). A value
    counts as the nearest of `levels` equally spaced ones, so that only two histograms
    are held; on such values it is scikit-learn's `average_precision_score`. NaN where
    no mask has a pixel.

    Raises ValueError, naming the position, for shapes that differ, values outside
    [0, 1], masks that are not bool, and more of one than of the other.
    """
    if levels < 2:
        raise ValueError(f"levels {levels}: expected at least 2")
    true, counted = np.zeros((2, levels), int)
    for k, (values, mask, void) in enumerate(zip_longest(maps, masks, ignore)):
        values, mask, counts = _pixels(values, mask, void, k)
        level = np.rint(values * (levels - 1)).astype(int)
        true += np.bincount(level[mask & counts], minlength=levels)
        counted += np.bincount(level[counts], minlength=levels)
    if not true.any():
        return float("nan")
    true, counted = np.cumsum(true[::-1]), np.cumsum(counted[::-1])
    precision = true / np.maximum(counted, 1)
    return float(np.sum(np.diff(true, prepend=0) * precision) / true[-1])


def pointing_game(
    points: Mapping[Hashable, Sequence[float]],
    ground_truth: Boxes,
    tolerance: float = 15,
) -> Interval:
    """Return the share of the images whose map has its peak on an object, 0 to 1.

    points: {image id: (x, y)} in 0-based pixels of the image, x to the right, so that
    (0, 0) is the pixel that VOC's corners call 1, 1. A point hits a box that is first
    enlarged by `tolerance` pixels on each side (corners stay square). An image with an
    object and without a point is missed. (Zhang et al., "Top-down neural attention by
    excitation backprop", ECCV 2016, https://arxiv.org/abs/1608.00507; there one hit or
    miss per image and class, and a tolerance of 15 pixels.)

    Raises ValueError for a point that is not two finite numbers, a negative tolerance,
    no image with an object, and boxes as `detection.evaluate` does.
    """
    if not 0 <= tolerance < np.inf:
        raise ValueError(f"tolerance {tolerance}: expected pixels, 0 or more")
    images = _images(ground_truth)
    match({}, ground_truth, images=images)  # checks the boxes
    hits = 0
    for i in images:
        x, y = 1 + _point(points[i], i) if i in points else (np.nan, np.nan)
        x1, y1, x2, y2 = np.asarray(ground_truth[i], float)[:, :4].T  # (M,) each
        inside = (x1 - tolerance <= x) & (x <= x2 + tolerance)
        hits += bool((inside & (y1 - tolerance <= y) & (y <= y2 + tolerance)).any())
    return wilson(hits, len(images))


def corloc(
    detections: Boxes,
    ground_truth: Boxes,
    iou_threshold: float = 0.5,
    strict: bool = False,
    pixel: int = 1,
) -> Interval:
    """Return the share of the images whose first box is on an object, 0 to 1.

    detections: {image id: (N, 5) x1, y1, x2, y2, score}; the first box is the one with
    the best score, of equal scores the one that comes first. It is right with IoU >=
    `iou_threshold` with any object of the image (with `strict`, IoU > it); an image
    without a box is missed. (Deselaers et al., "Weakly supervised localization and
    learning with generic knowledge", IJCV 2012,
    https://doi.org/10.1007/s11263-012-0538-3.)

    Raises ValueError for an IoU threshold outside (0, 1], for no image with an object,
    and for boxes as `detection.evaluate` does.
    """
    _check_iou([iou_threshold])
    matches = _match(detections, ground_truth, pixel)
    first = np.unique(matches.image, return_index=True)[1]  # of each image
    iou = matches.iou[first]
    right = iou > iou_threshold if strict else iou >= iou_threshold
    return wilson(int(right.sum()), len(matches.images))


def _best_iou(boxes: Boxes, ground_truth: Boxes, pixel: int) -> np.ndarray:
    """Return the largest IoU of any box with any object, per image with objects."""
    rows = {i: np.asarray(b, float) for i, b in boxes.items()}
    scored = {
        i: np.pad(b, ((0, 0), (0, 1))) if b.ndim == 2 and b.shape[1] == 4 else b
        for i, b in rows.items()
    }
    matches = _match(scored, ground_truth, pixel)
    best = np.zeros(len(matches.images))
    np.maximum.at(best, matches.image, matches.iou)
    return best


def _match(boxes: Boxes, ground_truth: Boxes, pixel: int) -> Matches:
    """Match within the images that have an object; equal scores keep their order."""
    protocol = Protocol("localisation", "all", "count", pixel, ties="list order")
    return match(boxes, ground_truth, protocol, _images(ground_truth))


def _images(ground_truth: Boxes) -> list[Hashable]:
    images = [i for i, boxes in ground_truth.items() if np.size(boxes)]
    if not images:
        raise ValueError("ground_truth: no image has a box, expected at least one")
    return images


def _check_iou(iou_thresholds: Sequence[float]) -> None:
    for threshold in iou_thresholds:
        if not 0 < threshold <= 1:
            raise ValueError(f"IoU threshold {threshold}: expected above 0, at most 1")


def _point(point: Sequence[float], image: Hashable) -> np.ndarray:
    point = np.asarray(point, float)
    if point.shape != (2,) or not np.isfinite(point).all():
        raise ValueError(f"points[{image!r}]: {point.tolist()}, expected finite (x, y)")
    return point


def _pixels(
    values: np.ndarray | None, mask: np.ndarray | None, void: np.ndarray | None, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one map, its mask and which of its pixels count, checked. # (H, W) each"""
    if values is None or mask is None:
        short = "maps" if values is None else "masks"
        raise ValueError(f"{short}: no number {k}, expected as many maps as masks")
    values, mask = np.asarray(values, float), np.asarray(mask)
    void = np.zeros(mask.shape, bool) if void is None else np.asarray(void)
    for name, array in (("masks", mask), ("ignore", void)):
        if array.dtype != bool:
            raise ValueError(f"{name}[{k}]: {array.dtype}, expected bool")
        if array.shape != values.shape or values.ndim != 2:
            sizes = f"shape {array.shape} beside a map of {values.shape}"
            raise ValueError(f"{name}[{k}]: {sizes}, expected the same (H, W)")
    if not ((values >= 0) & (values <= 1)).all():
        low, high = values.min(), values.max()
        raise ValueError(f"maps[{k}]: from {low} to {high}, expected 0 to 1")
    return values, mask, ~void
