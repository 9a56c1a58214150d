"""How good are points and the masks made of them? Measures of an image and of a set.

Masks are (H, W) bool, points rows (x, y) in pixels; a point belongs to the pixel in
column floor(x + 0.5) and row floor(y + 0.5), the one whose middle is nearest. Shares
and IoUs are 0 to 1. What is found in an image has the attributes of
`wslib.prompting.pipelines.Segmentation`: `prompt` (points, labels, box), masks, scores,
best.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping

import numpy as np
import pandas as pd

from wslib.metrics.bootstrap import Interval, mean_interval, wilson
from wslib.metrics.overlap import checked_masks, mask_iou

GOOD_IOU = 0.65  # what the course wants
MEASURES = {
    "hit rate": "hit",
    "distance": "distance",
    "relative distance": "relative_distance",
    "IoU": "iou",
    f"IoU >= {GOOD_IOU}": "good",
    "IoU of the best mask": "oracle_iou",
}  # name in `summarise` -> column of `measure_masks`
COLUMNS = [
    "hit", "distance", "relative_distance", "clear", "iou", "good", "oracle_iou",
    "score",
]  # fmt: skip


def is_good(iou: np.ndarray) -> np.ndarray:
    """Return where an IoU is at least 0.65. Exactly 0.65 is, however it was computed:
    13 / 20, or 0.3 + 0.35, which in floating point is a little less."""
    return np.asarray(iou) >= GOOD_IOU - 1e-12


def centre_of_mass(mask: np.ndarray) -> np.ndarray:
    """Return (2,) x, y: the mean place of a mask's pixels; NaN for an empty one. It may
    lie outside of the mask (a C)."""
    rows, columns = np.nonzero(checked_masks(mask, 2))
    if not len(rows):
        return np.full(2, np.nan)
    return np.array([columns.mean(), rows.mean()])


def hit_rate(points: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of the points (n, 2) that lie in the mask; NaN for no points. A
    point outside of the picture is outside of the mask."""
    points, mask = _points(points), checked_masks(mask, 2)
    if not len(points):
        return float("nan")
    pixels = np.floor(points + 0.5).astype(int)
    inside = ((pixels >= 0) & (pixels < mask.shape[::-1])).all(1)
    columns, rows = pixels[inside].T
    return float(mask[rows, columns].sum() / len(points))


def distance(points: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean distance of the points (n, 2) from the mask's centre of mass, in
    pixels; NaN for no points and for an empty mask."""
    points = _points(points)
    if not len(points):
        return float("nan")
    return float(np.hypot(*(points - centre_of_mass(mask)).T).mean())


def relative_distance(points: np.ndarray, mask: np.ndarray) -> float:
    """Return `distance` in sizes of the object, the square root of its area: the same
    for the same picture at twice the resolution."""
    far = distance(points, mask)
    return float(far / np.sqrt(np.count_nonzero(mask) or np.nan))


def measure_masks(
    segmentations: Iterable,
    masks: Iterable[np.ndarray],
    ids: Iterable[Hashable],
    photographs: Iterable[Hashable] | None = None,
) -> pd.DataFrame:
    """Return a row per image: what was found in it against its true mask (H, W) bool.

    Columns: `id`; of the foreground points, `hit` (the share in the mask), `distance`
    and `relative_distance` (means); `clear`, the share of the background points that
    lie outside of the mask; `iou` of the mask with the highest score, `good` (1 where
    that is at least 0.65, else 0), `oracle_iou`, the best of the masks, and `score`,
    the IoU that the predictor expected. NaN where there is nothing to measure: no point
    of that kind. But with neither a point nor a box the image is missed: `hit` 0.
    `photograph` says what the image is a crop of, by default its own id: what
    `summarise` and `paired` draw anew.

    Raises ValueError for counts and sizes that differ and masks that are not bool.
    """
    segmentations, masks, ids = list(segmentations), list(masks), list(ids)
    if not len(segmentations) == len(masks) == len(ids):
        counts = f"{len(segmentations)} answers, {len(masks)} masks, {len(ids)} ids"
        raise ValueError(f"{counts}: expected as many of each")
    rows = [_measured(*pair) for pair in zip(segmentations, masks, strict=True)]
    photographs = ids if photographs is None else list(photographs)
    frame = pd.DataFrame(rows, columns=COLUMNS).assign(id=ids, photograph=photographs)
    return frame[["id", *COLUMNS, "photograph"]]


def summarise(
    frame: pd.DataFrame, n: int = 1000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Return the means over the images of a `measure_masks` frame, with intervals.

    A row per measure (`MEASURES`): `measure`, `value`, `low`, `high`; images without a
    value are left out of theirs. A column of zeros and ones is a share and has Wilson's
    interval, which has a width even at 500 of 500; the others have the bootstrap's,
    over images. Where images share a `photograph`, all have the bootstrap's, over
    photographs. Raises ValueError for no images.
    """
    rows, groups = [], _groups(frame)
    shared = groups is not None and groups.duplicated().any()
    for measure, column in MEASURES.items():
        values = frame[column].dropna().to_numpy(float)
        if len(values) and np.isin(values, (0, 1)).all() and not shared:
            interval = wilson(int(values.sum()), len(values), level)
        else:
            interval = mean_interval(frame[column], n, seed, level, groups)
        rows.append((measure, *interval))
    return pd.DataFrame(rows, columns=["measure", "value", "low", "high"])


def compare(
    frames: Mapping[str, pd.DataFrame], n: int = 1000, seed: int = 0, level=0.95
) -> pd.DataFrame:
    """Return what `summarise` says of several frames side by side: a row for each, a
    column per measure, and its bounds in "MEASURE low" and "MEASURE high"."""
    rows = {}
    for name, frame in frames.items():
        rows[name] = {}
        for measure, *interval in summarise(frame, n, seed, level).itertuples(False):
            names = (measure, f"{measure} low", f"{measure} high")
            rows[name] |= dict(zip(names, interval, strict=True))
    return pd.DataFrame.from_dict(rows, orient="index")


def paired(
    frame: pd.DataFrame,
    others: pd.DataFrame,
    column: str = "iou",
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Return how much higher a column's mean is in `frame` than in `others`, over the
    same images, with the bootstrap's interval of the difference, over photographs.

    Rows are matched by `id`; what makes an image hard for both cancels. Images without
    a value in either are left out. Raises ValueError for different or repeated ids.
    """
    first, second = (f.set_index("id")[column].astype(float) for f in (frame, others))
    for name, ids in (("frame", first.index), ("others", second.index)):
        if not ids.is_unique:
            raise ValueError(f"{name}: id {ids[ids.duplicated()][0]} stands twice")
    alone = first.index.symmetric_difference(second.index)
    if len(alone):
        raise ValueError(f"id {alone[0]} is in one frame only, expected the same ids")
    differences = first - second.reindex(first.index)
    return mean_interval(differences, n, seed, level, _groups(frame))


def _groups(frame: pd.DataFrame) -> pd.Series | None:
    """The photographs of a frame; None where it does not know them."""
    return frame["photograph"] if "photograph" in frame else None


def _measured(segmentation, mask: np.ndarray) -> tuple[float, ...]:
    """Return one image's row, in the order of COLUMNS."""
    points, labels = (
        _points(segmentation.prompt.points),
        np.asarray(segmentation.prompt.labels),
    )
    foreground, background = points[labels == 1], points[labels == 0]
    hit = hit_rate(foreground, mask)
    if not len(foreground) and segmentation.prompt.box is None:
        hit = 0.0
    ious = mask_iou(segmentation.masks, mask)  # (n,)
    iou = float(ious[segmentation.best])
    return (
        hit,
        distance(foreground, mask),
        relative_distance(foreground, mask),
        1 - hit_rate(background, mask),
        iou,
        float(is_good(iou)),
        float(ious.max()),
        float(segmentation.scores[segmentation.best]),
    )


def _points(points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, float)
    if points.shape == (0,):
        return np.zeros((0, 2))
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        got = points.tolist() if points.size <= 4 else f"shape {points.shape}"
        raise ValueError(f"points {got}: expected finite (n, 2)")
    return points


def every_mask(
    segmentations: Iterable, masks: Iterable
) -> tuple[np.ndarray, np.ndarray]:
    """Return the score and the IoU of each mask of all answers, (N,) each."""
    pairs = list(zip(segmentations, masks, strict=True))
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
