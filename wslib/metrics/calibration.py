"""Does a segmenter know how good its masks are? Expected against measured IoU."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from wslib.metrics.overlap import mask_iou


def every_mask(found: Iterable, masks: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Return the score and the IoU of each mask of all answers, (N,) each."""
    pairs = list(zip(found, masks, strict=True))
    ious = [mask_iou(answer.masks, mask) for answer, mask in pairs]
    return np.concatenate([a.scores for a, _ in pairs]), np.concatenate(ious)


def calibration(
    scores: np.ndarray, ious: np.ndarray, bins: int = 10
) -> tuple[float, pd.DataFrame]:
    """Return how far expected IoUs are from measured ones, and where.

    The frame has a row per bin of `bins` equal ones of the score with a mask in it:
    `low` and `high` of the bin, `count`, and the mean `score` and `iou` of its masks; a
    score outside [0, 1] is in the first or last. The number is the mean over the masks
    of the gap |score - iou| of their bin's means: the expected calibration error
    (Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning",
    AAAI 2015), of IoUs. Raises ValueError for lengths that differ, none, or NaN.
    """
    scores, ious = np.asarray(scores, float), np.asarray(ious, float)
    if scores.shape != ious.shape or scores.ndim != 1 or not len(scores):
        shapes = f"scores {scores.shape} and ious {ious.shape}"
        raise ValueError(f"{shapes}: expected both (N,), 1 or more")
    if bins < 1 or not np.isfinite([scores, ious]).all():
        raise ValueError(f"bins {bins} and scores: expected 1 or more, all finite")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, scores, "right") - 1, 0, bins - 1)
    groups = pd.DataFrame({"score": scores, "iou": ious}).groupby(place)
    frame = groups.mean()
    gap = np.average((frame["score"] - frame["iou"]).abs(), weights=groups.size())
    frame.insert(0, "count", groups.size())
    frame.insert(0, "high", edges[frame.index + 1])
    frame.insert(0, "low", edges[frame.index])
    return float(gap), frame.reset_index(drop=True)
