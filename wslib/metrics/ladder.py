"""Is a step of the detector worth keeping? Each is measured against those before it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from wslib.metrics.bootstrap import measure, replicates
from wslib.metrics.matching import Boxes, Protocol, match

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
