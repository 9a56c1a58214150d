"""How sure is a number that was measured on a few hundred images?

Percentile intervals from the bootstrap over images (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 13), paired differences between two
detectors, and Wilson's interval for a share.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from wslib.metrics.detection import Boxes, Counted, Protocol, match


class Interval(NamedTuple):
    """A measured value between its bounds."""

    value: float
    low: float
    high: float


def mean_interval(
    values: np.ndarray,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    groups: Sequence[Hashable] | None = None,
) -> Interval:
    """Return the mean of values (N,) of images, or (R, N) of images in R runs, and its
    percentile interval when images, and runs, are drawn anew with replacement.

    `groups` names for each image what it shares with others, the photograph that it is
    a crop of for instance: then whole groups are drawn, as only they are independent.
    Images of NaN are left out; without any other all three are NaN. Same count, n and
    seed: same draws, so that two means can be compared. Raises ValueError for no
    images, n < 1, a level outside (0, 1), and an image that is NaN in some runs only.
    """
    values = np.atleast_2d(np.asarray(values, float))
    _check(values.shape[1], n, level)
    groups = range(values.shape[1]) if groups is None else list(groups)
    if len(groups) != values.shape[1]:
        counts = f"{len(groups)} groups, {values.shape[1]} images"
        raise ValueError(f"{counts}: expected one for each")
    known = ~np.isnan(values).all(0)
    values, groups = values[:, known], pd.factorize(pd.Series(groups)[known])[0]
    if np.isnan(values).any():
        raise ValueError("the runs know boxes of other pictures: expected the same")
    if not values.size:
        return Interval(np.nan, np.nan, np.nan)
    sums = np.stack([np.bincount(groups, row) for row in values])  # (R, G)
    sizes = np.bincount(groups)  # (G,)
    generator, (runs, count) = np.random.default_rng(seed), sums.shape
    draws = np.empty(n)
    for i in range(n):
        rows = generator.integers(runs, size=runs)
        times = np.bincount(generator.integers(count, size=count), minlength=count)
        draws[i] = sums[rows].mean(0) @ times / (sizes @ times)
    return Interval(float(values.mean()), *map(float, _bounds(draws, level)))


def evaluate_with_intervals(
    detections: Boxes,
    ground_truth: Boxes,
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str | Protocol = "course",
    images: Sequence[Hashable] | None = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return `detection.evaluate` with percentile intervals over images, in percent.

    A row per metric and threshold: `metric` ("ap", "recall"), `iou`, `value`, `low`,
    `high`. Give as `images` every id that was looked at, those without any box too:
    they can be drawn like the others. Matching is done once; a draw only reweights the
    detections. (With ties in list order, an image drawn twice stands twice in a row.)
    """
    matches = match(detections, ground_truth, protocol, images)
    _check(len(matches.images), n, level)
    counted = [matches.at(t) for t in iou_thresholds]
    draws = replicates(counted, len(matches.images), n, seed)  # (n, 2, T)
    return _frame(measure(counted), draws, matches.protocol, iou_thresholds, level)


def compare_detectors(
    detectors: Mapping[str, Boxes],
    ground_truth: Boxes,
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str | Protocol = "course",
    images: Sequence[Hashable] | None = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return a row per detector, in percent, all measured on the same drawn images.

    `detectors` maps a name to its detections. Columns: `detector`; `AP t` and `recall
    t` for each threshold t; and the bounds of each as `AP t low`, `AP t high`, ...
    Arguments otherwise as for `evaluate_with_intervals`.
    """
    rows, attrs = [], {}
    for name, detections in detectors.items():
        measured = evaluate_with_intervals(
            detections, ground_truth, iou_thresholds, protocol, images, n, seed, level
        )
        row, attrs = {"detector": name}, measured.attrs
        for one in measured.itertuples():
            column = f"{'AP' if one.metric == 'ap' else 'recall'} {one.iou}"
            row |= {column: one.value, f"{column} low": one.low}
            row[f"{column} high"] = one.high
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.attrs = attrs
    return frame


def paired_difference(
    detections: Boxes,
    others: Boxes,
    ground_truth: Boxes,
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str | Protocol = "course",
    images: Sequence[Hashable] | None = None,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Return how much better `detections` are than `others`, in percentage points.

    The same frame as from `evaluate_with_intervals`, of AP and recall of the first
    minus those of the second. Both are measured on the same drawn images: what makes
    an image hard for both cancels, and the interval is narrower than two single ones
    suggest.
    """
    if images is None:
        images = list(dict.fromkeys([*detections, *others, *ground_truth]))
    _check(len(images), n, level)
    pair = [match(d, ground_truth, protocol, images) for d in (detections, others)]
    counted = [[m.at(t) for t in iou_thresholds] for m in pair]
    value = np.subtract(*(measure(c) for c in counted))
    draws = np.subtract(*(replicates(c, len(images), n, seed) for c in counted))
    return _frame(value, draws, pair[0].protocol, iou_thresholds, level)


def wilson(successes: int, total: int, level: float = 0.95) -> Interval:
    """Return the share successes / total (0 to 1) with Wilson's score interval.

    Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22, 1927. It stays inside [0, 1] and has a width even at 0 of n. For 17 of 50
    dogs: 0.34, from 0.22 to 0.48. Raises ValueError unless 0 <= successes <= total > 0.
    """
    if not (total > 0 and 0 <= successes <= total):
        raise ValueError(f"{successes} of {total}: expected 0 to {total}, of 1 or more")
    _check(total, 1, level)
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / total
    centre = share + z**2 / (2 * total)
    half = z * ((share * (1 - share) + z**2 / (4 * total)) / total) ** 0.5
    scale = 1 + z**2 / total
    low, high = (centre - half) / scale, (centre + half) / scale
    return Interval(share, min(max(low, 0.0), share), max(min(high, 1.0), share))


def _draw(count: int, n: int, seed: int) -> Iterator[np.ndarray]:
    """Yield n times `count` positions, drawn with replacement."""
    generator = np.random.default_rng(seed)
    for _ in range(n):
        yield generator.integers(count, size=count)


def measure(counted: Sequence[Counted], draws: np.ndarray | None = None) -> np.ndarray:
    """Return AP and recall at each threshold, in percent. # (2, T)"""
    return 100 * np.array([c.ap_and_recall(draws) for c in counted]).T


def replicates(
    counted: Sequence[Counted], images: int, n: int, seed: int
) -> np.ndarray:
    """Return AP and recall of n bootstrap samples, in percent. # (n, 2, T)"""
    times = (np.bincount(k, minlength=images) for k in _draw(images, n, seed))
    return np.array([measure(counted, draws) for draws in times])


def _frame(
    value: np.ndarray,
    draws: np.ndarray,
    protocol: Protocol,
    thresholds: Sequence[float],
    level: float,
) -> pd.DataFrame:
    low, high = _bounds(draws, level)  # (2, T)
    count = len(thresholds)
    frame = pd.DataFrame(
        {
            "metric": np.repeat(["ap", "recall"], count),
            "iou": np.tile(np.asarray(thresholds, float), 2),
            "value": value.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
        }
    )
    frame.attrs["protocol"] = str(protocol)
    return frame


def _bounds(draws: np.ndarray, level: float) -> np.ndarray:
    """Return the (low, high) quantiles over the first axis, NaN draws left out."""
    quantiles = [(1 - level) / 2, (1 + level) / 2]
    if np.isnan(draws).all():
        return np.full((2, *draws.shape[1:]), np.nan)
    return np.nanquantile(draws, quantiles, axis=0)


def _check(images: int, n: int, level: float) -> None:
    if images < 1 or n < 1 or not 0 < level < 1:
        got = f"{images} images, n = {n}, level {level}"
        raise ValueError(f"{got}: expected 1 or more, 1 or more, a share in (0, 1)")


SURE = 0.9  # of the draws have to gain


class Ladder:
    """Detectors that are built step by step, each step tried on the same images.

    Its measure is the mean of AP over `iou_thresholds`. A step is kept if it gains over
    the last one kept in at least 90 % of `n` bootstrap samples of the `images` (both
    are measured on the same drawn images). Choose on other images than those that the
    result is measured on. Arguments and errors as for `bootstrap.paired_difference`.
    """

    def __init__(
        self,
        ground_truth: Boxes,
        iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
        protocol: str | Protocol = "course",
        images: Sequence[Hashable] | None = None,
        n: int = 1000,
        seed: int = 0,
        level: float = 0.95,
    ) -> None:
        self.ground_truth, self.iou_thresholds = ground_truth, list(iou_thresholds)
        self.images = list(ground_truth if images is None else images)
        self.protocol, self.n, self.seed, self.level = protocol, n, seed, level
        self._rows: list[dict] = []
        self._below: tuple[float, np.ndarray] | None = None

    def step(self, name: str, detections: Boxes) -> bool:
        """Measure a step; return whether it is kept. The first one always is."""
        matches = match(detections, self.ground_truth, self.protocol, self.images)
        counted = [matches.at(t) for t in self.iou_thresholds]
        ap = measure(counted)[0]  # (T,)
        draws = replicates(counted, len(self.images), self.n, self.seed)  # (n, 2, T)
        here = float(ap.mean()), draws[:, 0].mean(1)
        gain = self._gain(*here)
        self._below = here if gain["kept"] else self._below
        columns = {f"AP {t}": v for t, v in zip(self.iou_thresholds, ap, strict=True)}
        self._rows.append({"step": name, **columns, **gain})
        self._said = str(matches.protocol)
        return gain["kept"]

    def frame(self) -> pd.DataFrame:
        """A row per step, in percent: `step`; `AP t` for each threshold t; `gain`, of
        their mean over that of the last step kept before, with the bounds of its
        percentile interval, `gain low` and `gain high`; `kept`."""
        if not self._rows:
            raise ValueError("ladder: no step was tried")
        frame = pd.DataFrame(self._rows)
        frame.attrs["protocol"] = self._said
        return frame

    def _gain(self, mean: float, draws: np.ndarray) -> dict[str, float | bool]:
        if self._below is None:
            nothing = dict.fromkeys(("gain", "gain low", "gain high"), np.nan)
            return nothing | {"kept": True}
        gains = draws - self._below[1]
        gains = gains[np.isfinite(gains)]  # in some draws there is no object
        ends = [(1 - self.level) / 2, (1 + self.level) / 2]
        low, high = np.quantile(gains, ends) if len(gains) else (np.nan, np.nan)
        kept = len(gains) > 0 and bool((gains > 0).mean() >= SURE)
        gain = mean - self._below[0]
        return {"gain": gain, "gain low": low, "gain high": high, "kept": kept}
