"""Average precision of image classification with several labels per image.

Fractions, 0 to 1. A label is 1 (present), 0 (absent) or -1 (left out: the class is only
there as an object marked difficult, as in VOC's per-class image lists).
"""

from __future__ import annotations

import numpy as np

from wslib.metrics.curves import curve


def average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the average precision of one class: scores (N,), labels (N,) in 1, 0, -1.

    The sum over groups of equal scores of precision times the gain in recall, which is
    what scikit-learn's `average_precision_score` computes. NaN when
    no label is 1.

    Raises ValueError for shapes that differ, other labels, and scores not finite.
    """
    scores, labels = np.asarray(scores, float), np.asarray(labels)
    _check(scores, labels, ndim=1)
    scores, labels = scores[labels >= 0], labels[labels >= 0]
    positives = int((labels == 1).sum())
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    recall, precision, _ = curve(scores[order], labels[order] == 1, positives)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def mean_average_precision(
    scores: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the mean over classes, and the average precision of each class. # (C,)

    scores (N, C), labels (N, C) in 1, 0, -1. A class without positives has NaN and is
    left out of the mean; the mean is NaN when every class is. Errors as for
    `average_precision`.
    """
    scores, labels = np.asarray(scores, float), np.asarray(labels)
    _check(scores, labels, ndim=2)
    columns = zip(scores.T, labels.T, strict=True)
    each = np.array([average_precision(s, y) for s, y in columns])
    known = each[~np.isnan(each)]
    return (float(known.mean()) if known.size else float("nan")), each


def mean_recall(
    scores: np.ndarray, labels: np.ndarray, threshold: float = 0.5
) -> tuple[float, np.ndarray]:
    """Return the mean over classes, and the recall of each class. # (C,)

    The recall of a class is the share of the images labelled 1 whose score reaches
    `threshold`: 0 where nothing does. scores (N, C), labels (N, C) in 1, 0, -1. A class
    without positives has NaN and is left out of the mean; the mean is NaN when every
    class is. Unlike average precision it asks of a score how high it is, not only where
    it stands in the list. Errors as for `average_precision`.
    """
    scores, labels = np.asarray(scores, float), np.asarray(labels)
    _check(scores, labels, ndim=2)
    positives = (labels == 1).sum(0)
    hits = ((labels == 1) & (scores >= threshold)).sum(0)
    each = np.where(positives > 0, hits / np.maximum(positives, 1), np.nan)  # (C,)
    known = each[~np.isnan(each)]
    return (float(known.mean()) if known.size else float("nan")), each


def _check(scores: np.ndarray, labels: np.ndarray, ndim: int) -> None:
    if scores.shape != labels.shape or scores.ndim != ndim:
        wanted = "(N,)" if ndim == 1 else "(N, C)"
        raise ValueError(
            f"scores {scores.shape} and labels {labels.shape}: expected both {wanted}"
        )
    wrong = ~np.isin(labels, (-1, 0, 1))
    if wrong.any():
        raise ValueError(f"label {labels[wrong][0]}: expected 1, 0 or -1 (left out)")
    if not np.isfinite(scores).all():
        place = [int(k) for k in np.argwhere(~np.isfinite(scores))[0]]
        raise ValueError(f"scores{place}: {scores[tuple(place)]} is not finite")
