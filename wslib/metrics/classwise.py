"""Average precision of a detector of many classes: of each, and their mean, mAP."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from wslib.metrics.bootstrap import replicates
from wslib.metrics.detection import Boxes, Counted, Protocol, match
from wslib.metrics.localisation import corloc

Classes = Mapping[str, Boxes]  # {class: {image id: boxes}}


def classwise_ap(
    detections: Classes,
    truths: Classes,
    iou_threshold: float = 0.5,
    protocol: str | Protocol = "voc07",
) -> pd.Series:
    """Return the average precision of each class of `truths`, in percent.

    found: {class: {image id: (N, 5)}}, truths: {class: {image id: (M, 4) or (M, 5)}},
    VOC corners. NaN for a class without an object to be found, 0 for one that is not in
    `found`. Errors as `detection.evaluate`.
    """
    counted = _count(detections, truths, iou_threshold, protocol, None)
    return pd.Series({name: 100 * c.ap_and_recall()[0] for name, c in counted.items()})


def classwise_corloc(
    detections: Classes, truths: Classes, iou_threshold: float = 0.5
) -> pd.Series:
    """Return CorLoc of each class, in percent: the share of its images whose first box
    is on an object; NaN for a class in no image. See `localisation.corloc`."""
    shares = {}
    for name, truth in truths.items():
        inside = {i: boxes for i, boxes in truth.items() if len(boxes)}
        boxes = {i: b for i, b in detections.get(name, {}).items() if i in inside}
        right = corloc(boxes, inside, iou_threshold).value if inside else np.nan
        shares[name] = 100 * right
    return pd.Series(shares)


def mean_ap(
    systems: Mapping[str, Classes],
    truths: Classes,
    images: Sequence[Hashable],
    iou_threshold: float = 0.5,
    protocol: str | Protocol = "voc07",
    n: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return mAP of several detectors with bootstrap intervals over images, percent.

    A row each: `mAP`, `low`, `high`; and `gain`, `gain low`, `gain high`, what it has
    over the first one, on the same draws of images. A draw takes all classes of an
    image; the mean is over classes that it has an object of. The intervals are those
    of percentiles: as a class with few objects is drawn out now and then, and as AP of
    few objects is lumpy, the value need not lie in their middle. Errors as
    `classwise_ap`, and ValueError for no detector, no images, or n < 1.
    """
    if not systems or not len(images) or n < 1:
        given = f"{len(systems)} detectors, {len(images)} images, n = {n}"
        raise ValueError(f"{given}: expected 1 or more of each")
    values, draws = {}, {}
    for name, detections in systems.items():
        counted = list(
            _count(detections, truths, iou_threshold, protocol, list(images)).values()
        )
        values[name] = _mean([100 * c.ap_and_recall()[0] for c in counted])
        drawn = replicates(counted, len(images), n, seed)[:, 0]  # (n, classes)
        draws[name] = np.array([_mean(row) for row in drawn])
    first, rows = next(iter(values)), []
    bounds = [(1 - level) / 2, (1 + level) / 2]
    for name, value in values.items():
        low, high = np.nanquantile(draws[name], bounds)
        gains = np.nanquantile(draws[name] - draws[first], bounds)
        row = {"system": name, "mAP": value, "low": low, "high": high}
        row |= {"gain": value - values[first], "gain low": gains[0]}
        rows.append(row | {"gain high": gains[1]})
    return pd.DataFrame(rows)


def _count(detections, truths, iou_threshold, protocol, images) -> dict[str, Counted]:
    return {
        name: match(detections.get(name, {}), truth, protocol, images).at(iou_threshold)
        for name, truth in truths.items()
    }


def _mean(values) -> float:
    known = np.asarray(values)[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
