"""Precision against recall, and the area below: what every kind of AP shares.

A *row* is one scored prediction, right (1) or wrong (0). Rows come sorted by falling
score. The functions here speak in fractions, 0 to 1.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Points = Literal[11, "all"]


def curve(
    scores: np.ndarray,
    correct: np.ndarray,
    positives: float,
    weights: np.ndarray | None = None,
    grouped: bool = True,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return recall, precision and score after each row, or each group of equal scores.

    `scores` and `correct` are (N,), sorted by falling score; `positives` is the number
    of objects to be found, the denominator of recall (0 gives NaN). With `grouped`,
    rows of equal score are counted at once, so their order cannot matter; otherwise
    one after the other, in list order. `weights` (N,) counts a row several times, or
    not at all: an image drawn twice by the bootstrap weighs 2.
    """
    scores = np.asarray(scores, float)
    weights = np.ones(len(scores)) if weights is None else np.asarray(weights, float)
    hits = np.cumsum(weights * correct)
    counted = np.cumsum(weights)
    keep = counted > 0
    if grouped and len(scores):
        keep &= np.append(scores[1:] != scores[:-1], True)
    hits, counted, scores = hits[keep], counted[keep], scores[keep]
    recall = hits / positives if positives else np.full(len(hits), np.nan)
    return recall, hits / counted, scores


def average_precision_from_curve(
    recall: np.ndarray, precision: np.ndarray, points: Points = "all"
) -> float:
    """Return the area below a precision-recall curve, 0 to 1, as PASCAL VOC takes it.

    Precision at recall r is the best precision at any recall >= r. `points=11` averages
    it at r = 0, 0.1, ... 1 (VOC2007; Everingham et al., IJCV 2010, section 4.2,
    https://doi.org/10.1007/s11263-009-0275-4); `points="all"` integrates it over every
    change of recall (VOC2010 and later). An empty curve gives 0, NaN recall gives NaN.
    Recall has to be in rising order, as `curve` returns it; else ValueError.

    The eleven values are i / 10: in `np.arange(0, 1.1, 0.1)` the fourth is
    0.30000000000000004, and a curve that ends at recall 3 / 10 would miss it.
    """
    recall, precision = np.asarray(recall, float), np.asarray(precision, float)
    if recall.shape != precision.shape or recall.ndim != 1:
        raise ValueError(
            f"recall {recall.shape} and precision {precision.shape}: "
            "expected two vectors of the same length"
        )
    if np.isnan(recall).any():
        return float("nan")
    if (np.diff(recall) < 0).any():
        raise ValueError("recall: expected values in rising order")
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if points == "all":
        return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
    if points != 11:
        raise ValueError(f'points {points!r}: expected 11 or "all"')
    first = np.searchsorted(recall, np.arange(11) / 10)  # first row with recall >= i/10
    return float(np.append(envelope, 0.0)[first].mean())
