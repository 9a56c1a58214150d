"""How many objects could be found at all among the boxes that are proposed?

What no proposal comes close to, a detector that chooses among them must miss. Boxes are
VOC corners, as in `detection` (`wslib.boxes.boxes.to_voc` makes them), the proposals
of an image are listed best first; columns after the fourth are not read. Objects marked
difficult (a fifth column of the ground truth) are left out. The images are those of the
ground truth; one without proposals has no boxes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from wslib.metrics.detection import Boxes, match
from wslib.metrics.overlap import box_iou

COUNTS = (10, 30, 100, 300, 1000)
AVERAGED = np.arange(50, 100, 5) / 100  # the IoU thresholds of average recall


def proposal_recall(
    proposals: Boxes,
    ground_truth: Boxes,
    counts: Sequence[int] = COUNTS,
    iou_thresholds: Sequence[float] = (0.5, 0.7),
    pixel: int = 1,
) -> pd.DataFrame:
    """Return the share of the objects that one of the first boxes is close to, percent.

    proposals: {image id: (P, 4) or wider}; ground_truth: {image id: (M, 4) or (M, 5)}.
    A row per count: `count`, the boxes that an image may have; `recall t` for each IoU
    threshold t, of the objects of all images with a box of IoU >= t; and `boxes`, the
    mean number that the images do have. NaN without an object.

    Raises ValueError for a count below 1 and a threshold outside (0, 1], and, naming
    the image, for boxes as `detection.evaluate` does.
    """
    for t in iou_thresholds:
        if not 0 < t <= 1:
            raise ValueError(f"IoU threshold {t}: expected above 0, at most 1")
    best = best_ious(proposals, ground_truth, counts, pixel)  # (C, G)
    frame = pd.DataFrame({"count": list(counts)})
    for t in iou_thresholds:
        frame[f"recall {t}"] = _percent(best >= t)
    there = [len(proposals.get(i, ())) for i in ground_truth]  # (I,)
    used = np.minimum.outer(counts, there).astype(float)  # (C, I)
    frame["boxes"] = used.mean(1) if there else np.nan
    return frame


def average_recall(
    proposals: Boxes,
    ground_truth: Boxes,
    counts: Sequence[int] = COUNTS,
    pixel: int = 1,
) -> np.ndarray:
    """Return (C,) the mean of the recall at IoU 0.5, 0.55, ... 0.95, in percent, of the
    first boxes of each image, as many as each of `counts` says.

    Of the measures of proposals, this one goes best with the AP of the detectors that
    use them (Hosang et al., "What makes for effective detection proposals?", TPAMI
    2016, https://doi.org/10.1109/TPAMI.2015.2465908, which integrates over the IoU;
    the ten thresholds are COCO's). Arguments and errors as for `proposal_recall`.
    """
    best = best_ious(proposals, ground_truth, counts, pixel)  # (C, G)
    return np.mean([_percent(best >= t) for t in AVERAGED], axis=0)


def measure_recall(
    proposals: Boxes, truth: Boxes, counts: Sequence[int], ious: Sequence[float]
) -> pd.DataFrame:
    """Return the frame of `proposal_recall`, a row for each count in order, with
    `average_recall` as a column AR beside the others. Arguments and errors as there."""
    counts, ious = sorted(set(counts)), list(dict.fromkeys(ious))
    frame = proposal_recall(proposals, truth, counts, ious)
    frame.insert(len(ious) + 1, "AR", average_recall(proposals, truth, counts))
    return frame


def best_ious(
    proposals: Boxes,
    ground_truth: Boxes,
    counts: Sequence[int] = COUNTS,
    pixel: int = 1,
) -> np.ndarray:
    """Return (C, G) the IoU of each object with the closest of the first boxes of its
    image, as many as each of `counts` says: what a curve of recall against IoU counts.

    Objects come image by image, in the order of `ground_truth`; 0 without a box.
    Arguments and errors as for `proposal_recall`.
    """
    for count in counts:
        if count < 1:
            raise ValueError(f"count {count}: expected 1 box or more")
    match({}, ground_truth)  # checks the boxes
    columns = [np.zeros((len(counts), 0))]
    for image in ground_truth:
        objects = _counting(ground_truth[image])  # (M, 4)
        boxes = _checked(proposals.get(image, ()), image)  # (P, 4)
        iou = box_iou(boxes[:, None], objects[None], pixel)  # (P, M)
        so_far = np.maximum.accumulate(np.vstack([np.zeros((1, len(objects))), iou]))
        columns.append(so_far[np.minimum(counts, len(boxes))])  # (C, M)
    return np.concatenate(columns, axis=1)


def _counting(objects: np.ndarray) -> np.ndarray:
    """The boxes (M, 4) of the objects that are not difficult."""
    objects = np.asarray(objects, float)
    if not objects.size:
        return np.zeros((0, 4))
    return objects[objects[:, 4] == 0, :4] if objects.shape[1] > 4 else objects


def _checked(boxes: np.ndarray, image: Hashable) -> np.ndarray:
    boxes = np.asarray(boxes, float)
    if not boxes.size:
        return np.zeros((0, 4))
    place = f"proposals[{image!r}]"
    if boxes.ndim != 2 or boxes.shape[1] < 4:
        raise ValueError(f"{place}: shape {boxes.shape}, expected (P, 4) or wider")
    boxes = boxes[:, :4]
    bad = ~np.isfinite(boxes).all(1) | (boxes[:, 2:] < boxes[:, :2]).any(1)
    if bad.any():
        row = int(np.argmax(bad))
        expected = "expected finite x1 <= x2 and y1 <= y2"
        raise ValueError(f"{place}, row {row}: {boxes[row].tolist()}, {expected}")
    return boxes


def _percent(hits: np.ndarray) -> np.ndarray:
    """Of (C, G) bool the share that is true, (C,); NaN without an object."""
    return 100 * hits.mean(1) if hits.shape[1] else np.full(len(hits), np.nan)
