"""Measures for one label and one box to a picture, as in the Caltech practical.

Boxes are x1, y1, x2, y2 as a ratio of the image, corners sorted. Nothing found is a
label of -1 and a box of NaN: wrong, with an IoU of 0 and the largest loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from wslib.metrics.bootstrap import Interval, mean_interval, wilson
from wslib.metrics.overlap import box_iou, generalised_iou

GOOD_IOU = 0.7
WORST = 2.0  # 1 - GIoU of boxes that are infinitely far from each other
MEASURES = {  # their names in tables, and in the frames of `measure_boxes`
    "loss": "loss",
    "accuracy": "accuracy",
    "IoU": "iou",
    "IoU > 0.7": "good",
    "box loss": "box_loss",
}
SHARES = ("accuracy", "iou", "good")


def measure_boxes(
    labels: np.ndarray,
    boxes: np.ndarray,
    true_labels: np.ndarray,
    true_boxes: np.ndarray,
    logits: np.ndarray | None = None,
) -> pd.DataFrame:
    """Compare what was said of N pictures with the truth: a row for each.

    labels (N,), boxes (N, 4), and the same of the truth; a true box of NaN is not
    known. Columns: `label` (the true one), `said`, `accuracy` (1 where they agree, else
    0), `iou`, `good` (1 where the IoU is above 0.7, else 0), `box_loss` (1 - GIoU), NaN
    where no true box is known; with `logits` (N, n) also `loss`, the cross-entropy.

    Raises ValueError where the numbers of rows differ, or logits are NaN.
    """
    parts = [labels, boxes, true_labels, true_boxes]
    counts = {len(part) for part in parts + ([] if logits is None else [logits])}
    if len(counts) > 1:
        raise ValueError(f"rows {sorted(counts)}, expected as many of each")
    labels, true_labels = np.asarray(labels), np.asarray(true_labels)
    predicted, true = (
        torch.as_tensor(np.array(b, np.float64)) for b in (boxes, true_boxes)
    )
    missed, known = predicted.isnan().any(1), ~true.isnan().any(1)
    iou = box_iou(predicted, true).masked_fill(missed, 0).where(known, torch.nan)
    box_loss = (1 - generalised_iou(predicted, true)).masked_fill(missed, WORST)
    frame = pd.DataFrame({"label": true_labels, "said": labels})
    frame["accuracy"] = (labels == true_labels).astype(float)
    frame["iou"] = iou.numpy()
    frame["good"] = (iou > GOOD_IOU).double().where(known, torch.nan).numpy()
    frame["box_loss"] = box_loss.where(known, torch.nan).numpy()
    if logits is not None:
        logits, targets = torch.as_tensor(logits), torch.as_tensor(true_labels)
        loss = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        if loss.isnan().any():
            raise ValueError(f"NaN logits of picture {int(loss.isnan().nonzero()[0])}")
        frame["loss"] = loss.numpy()
    return frame


def mean_boxes(labels: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The mean box of each class, (n, 4), of those that are known: what an answer is
    worth that does not look. labels (N,) in 0..n-1, boxes (N, 4). NaN for a class that
    has none."""
    means = pd.DataFrame(np.asarray(boxes, float)).groupby(np.asarray(labels)).mean()
    return means.reindex(range(means.index.max() + 1)).to_numpy()


def summarise(
    runs: Sequence[pd.DataFrame],
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    groups: np.ndarray | None = None,
) -> dict[str, Interval]:
    """The mean of each measure over pictures and runs, with its percentile interval.

    `runs` are frames of `measure_boxes` of the same pictures, one for each seed of the
    training. The bootstrap draws both anew, runs and pictures, with replacement; of two
    or three runs it hardly knows how much they differ. Pictures of one number in
    `groups` (N,) are drawn together. Where all answers are right there is no spread to
    draw from: the interval of a share of one run, and of all or nothing, is Wilson's,
    of as many as there are groups.
    """
    intervals = {}
    for name in MEASURES.values():
        if name in runs[0]:
            values = np.stack([run[name].to_numpy(float) for run in runs])  # (R, N)
            intervals[name] = mean_interval(values, n, seed, level, groups)
            share, known = intervals[name].value, ~np.isnan(values[0])
            alone = groups is None or len(set(groups)) == len(groups)
            count = known.sum() if alone else len(set(groups[known]))
            binary = count and name in ("accuracy", "good")
            if binary and (share in (0, 1) or (alone and len(runs) == 1)):
                intervals[name] = wilson(round(share * count), count, level)
    return intervals


def as_detections(
    labels: np.ndarray, boxes: np.ndarray, scores: np.ndarray, names: Sequence[str]
) -> dict[str, dict[int, np.ndarray]]:
    """Turn one label (N,), box (N, 4) and score (N,) to a picture into the detections
    of each class, {name: {row: (1, 5)}}, for `wslib.metrics.classwise`. A label below 0
    and a box of NaN are no detection."""
    rows = np.column_stack([boxes, scores])  # (N, 5)
    found = (np.asarray(labels) >= 0) & ~np.isnan(rows).any(1)
    return {
        name: {int(k): rows[k : k + 1] for k in np.flatnonzero(found & (labels == c))}
        for c, name in enumerate(names)
    }


ERRORS = ("wrong class", "nothing found", "shifted", "too large", "too small")


def error_kinds(
    measured: pd.DataFrame, boxes: np.ndarray, true_boxes: np.ndarray
) -> np.ndarray:
    """Name what is wrong with each of N predictions: one of `ERRORS`, or "" for a right
    class and an IoU above 0.7, or no true box that is known.

    A box is shifted if it would be good with its centre on the true one's; else it is
    too large or too small, by its area.
    """
    predicted, true = (np.array(b, np.float64) for b in (boxes, true_boxes))
    size, true_size = (b[:, 2:] - b[:, :2] for b in (predicted, true))
    centred = box_iou(*(np.pad(sides, ((0, 0), (2, 0))) for sides in (size, true_size)))
    kinds = np.where(size.prod(1) > true_size.prod(1), "too large", "too small")
    kinds = np.where(centred > GOOD_IOU, "shifted", kinds)
    kinds = np.where(measured["good"] == 0, kinds, "")
    kinds = np.where(measured["accuracy"] == 1, kinds, "wrong class")
    return np.where(np.isnan(predicted).any(1), "nothing found", kinds)


def by_label(measured: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A row for each class and one for all: `label`, `count`, `right`, `accuracy` with
    Wilson's `low` and `high`, `iou`, `good`. Shares are 0 to 1."""
    groups = {"all": measured}
    groups |= {name: measured[measured["label"] == k] for k, name in enumerate(names)}
    rows = []
    for name, part in groups.items():
        if len(part):
            right = int(part["accuracy"].sum())
            row = {"label": name, "count": len(part), "right": right}
            row |= wilson(right, len(part))._asdict()
            rows.append(row | part[["iou", "good"]].mean().to_dict())
    return pd.DataFrame(rows).rename(columns={"value": "accuracy"})


def table_of_runs(
    runs: Mapping[str, Sequence[pd.DataFrame]],
    shown: Sequence[str],
    n: int = 1000,
    seed: int = 0,
    others: Mapping[str, Sequence] | None = None,
    groups: np.ndarray | None = None,
) -> pd.DataFrame:
    """A row for each name, in the first column: the columns `others`, then what
    `summarise` says of its runs, as far as it is `shown`, of "loss", "accuracy", "IoU",
    "IoU > 0.7" and "box loss"; last the bounds, as "IoU low", "IoU high". Shares and
    the IoU are in percent here; what was not measured is NaN. `groups` as there."""
    intervals = [summarise(frames, n, seed, groups=groups) for frames in runs.values()]
    columns, bounds = {"": list(runs), **(others or {})}, {}
    for title in shown:
        measure = MEASURES[title]
        scale = 100 if measure in SHARES else 1
        unknown = Interval(np.nan, np.nan, np.nan)
        values = np.array([row.get(measure, unknown) for row in intervals]) * scale
        columns[title] = values[:, 0]
        bounds |= {f"{title} low": values[:, 1], f"{title} high": values[:, 2]}
    return pd.DataFrame(columns | bounds)
