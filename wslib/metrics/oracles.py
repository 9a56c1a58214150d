"""Where does the rest lie? Detectors that are told part of the truth.

What an oracle could still give: who knew which images hold the class, which threshold
suits each map, or how far each object reaches. The step from rung to rung says which of
these is worth working on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from wslib.metrics.detection import evaluate
from wslib.metrics.matching import Boxes, Protocol, match
from wslib.metrics.overlap import box_iou


def oracle_ladder(
    detections: Boxes,
    ground_truth: Boxes,
    boxes_by_threshold: Mapping[float, Boxes] | None = None,
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str | Protocol = "course",
    near: float = 0.1,
) -> pd.DataFrame:
    """Return AP and recall, in percent, of detectors that are told part of the truth.

    A row per `rung` ("as measured", and what `oracle_presence`, `oracle_threshold`,
    `oracle_extent` give, and the first and the last together), and the columns `AP t`
    and `recall t` for each IoU threshold t. The rung of the thresholds is left out
    without `boxes_by_threshold`. Presence and extent cannot lower AP; a threshold that
    fits each image best can, where it adds boxes or turns the ranking.

    Raises ValueError as `detection.evaluate` does, and unless 0 < near <= the smallest
    IoU threshold.
    """
    present = oracle_presence(detections, ground_truth)
    rungs = {"as measured": detections, "presence": present}
    if boxes_by_threshold is not None:
        told = oracle_threshold(detections, ground_truth, boxes_by_threshold, protocol)
        rungs["threshold per image"] = told
    check_near(near, min(iou_thresholds, default=1))
    for name, boxes in (("extent", detections), ("presence + extent", present)):
        rungs[name] = oracle_extent(boxes, ground_truth, near, protocol)
    measured = [
        evaluate(b, ground_truth, iou_thresholds, protocol) for b in rungs.values()
    ]
    frame = pd.DataFrame({"rung": [*rungs]})
    for metric, name in (("ap", "AP"), ("recall", "recall")):
        for t in iou_thresholds:
            frame[f"{name} {t}"] = [m.loc[metric, float(t)] for m in measured]
    frame.attrs = measured[0].attrs
    return frame


def oracle_presence(detections: Boxes, ground_truth: Boxes) -> dict:
    """Return the detections of the images that have an object."""
    return {i: b for i, b in detections.items() if np.size(ground_truth.get(i, ()))}


def oracle_threshold(
    detections: Boxes,
    ground_truth: Boxes,
    boxes_by_threshold: Mapping[float, Boxes],
    protocol: str | Protocol = "course",
) -> dict:
    """Return the detections, those of an image with an object from its best threshold.

    boxes_by_threshold: {threshold of the map: {image id: (N, 5)}}, as `sweep` of
    `wslib.boxes.localisation` gives. Best is the largest mean, over the objects of the
    image, of the IoU with the closest box; of equals fewer boxes, then the lower
    threshold. Raises ValueError where there is no threshold, and for boxes as `match`
    does.
    """
    if not boxes_by_threshold:
        raise ValueError("boxes_by_threshold: empty, expected at least one threshold")
    told, ranks = dict(detections), {}
    for threshold in sorted(boxes_by_threshold):
        boxes = boxes_by_threshold[threshold]
        matches = match(boxes, ground_truth, protocol)  # checks the boxes
        for i in dict.fromkeys(matches.images[k] for k in matches.object_image):
            found = boxes.get(i, ())
            rank = (_fit(found, ground_truth[i], matches.protocol.pixel), -len(found))
            if i not in ranks or rank > ranks[i]:
                ranks[i], told[i] = rank, found
    return told


def oracle_extent(
    detections: Boxes,
    ground_truth: Boxes,
    near: float = 0.1,
    protocol: str | Protocol = "course",
) -> dict:
    """Return the detections, the first one at each object in that object's own box.

    It is the best scored of those that overlap this object most, with IoU >= `near`.
    The others stay as they are: late ones are duplicates or wrong, as they were.
    """
    check_near(near, 1)
    m = match(detections, ground_truth, protocol)
    told = {i: np.array(boxes, float) for i, boxes in detections.items()}
    at = np.flatnonzero((m.iou >= near) & (m.best >= 0))
    for k in at[np.unique(m.best[at], return_index=True)[1]]:
        image = m.images[m.image[k]]
        box = np.asarray(ground_truth[image], float)[m.object_row[m.best[k]], :4]
        told[image][m.row[k], :4] = box
    return told


def check_near(near: float, highest: float) -> None:
    """Raise ValueError unless 0 < near <= highest, an IoU threshold."""
    if not 0 < near <= highest:
        raise ValueError(f"near {near}: expected above 0, at most the IoU of {highest}")


def _fit(boxes: np.ndarray, objects: np.ndarray, pixel: int) -> float:
    """Return the mean, over the objects, of the IoU with the closest box; 0 without."""
    boxes, objects = np.asarray(boxes, float), np.asarray(objects, float)
    if not boxes.size:
        return 0.0
    return float(box_iou(boxes[:, None], objects[None], pixel).max(axis=0).mean())
