"""The detector's settings, and how they are chosen: on training images, by steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from wslib.boxes.evidence import KINDS, Evidence, Kind
from wslib.boxes.grabcut import grabcut
from wslib.boxes.maps import ClassMaps, detect, detect_masks, sweep
from wslib.metrics.bootstrap import Ladder
from wslib.metrics.detection import Boxes, evaluate
from wslib.runtime.progress import progress

MOST_POWER = 10  # of the area; beyond it only the largest box counts
Read = Callable[[str], np.ndarray]
THRESHOLDS = [
    0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6,
]  # of the maps, from which each class has its own  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """From evidence to boxes.

    kind: of map, see `Evidence.class_maps`; threshold, max_boxes, area_power, second:
    see `wslib.boxes.maps.detect`; masks: whether GrabCut makes a mask of each
    map, and the boxes are the masks'. Raises ValueError for a threshold that is not
    above 0 and at most 1, a `second` that is no share, a power beyond `MOST_POWER`, and
    fewer boxes than one.
    """

    kind: Kind = "gradcam"
    max_boxes: int = 1
    area_power: float = 0.0
    second: float = 0.0
    masks: bool = False
    threshold: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold {self.threshold}: expected above 0, at most 1")
        if not 0 <= self.second <= 1:
            raise ValueError(f"second {self.second}: expected 0 to 1")
        if not abs(self.area_power) <= MOST_POWER:
            allowed = f"-{MOST_POWER} to {MOST_POWER}"
            raise ValueError(f"area_power {self.area_power}: expected {allowed}")
        if self.max_boxes < 1:
            raise ValueError(f"max_boxes {self.max_boxes}: expected 1 or more")

    def maps(self, evidence: Evidence, target: int) -> ClassMaps:
        """The maps and scores of class number `target`."""
        return evidence.class_maps(target, self.kind)

    def detect(
        self, evidence: Evidence, target: int, read: Read | None = None
    ) -> dict[str, np.ndarray]:
        """The boxes of class number `target`: {id: (N, 5)}, VOC corners and a score.
        `read(id)` gives the image, which only masks need."""
        return self.detect_in(self.maps(evidence, target), read)

    def detect_in(
        self, maps: ClassMaps, read: Read | None = None
    ) -> dict[str, np.ndarray]:
        """As `detect`, in maps that there are already; `kind` makes no difference."""
        if not self.masks:
            return detect(maps, self.threshold, *self.boxes)
        if read is None:
            raise ValueError("masks need the images: give `read`")
        segment = partial(grabcut, threshold=self.threshold)
        return detect_masks(maps, read, segment, self.max_boxes, self.area_power)

    @property
    def boxes(self) -> tuple[int, float, float]:
        """The settings that `maps.sweep` needs: max_boxes, area_power, second."""
        return self.max_boxes, self.area_power, self.second

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


# The steps that gained on VOC2007's `train`.
DEFAULT_RECIPE = Recipe("combined", max_boxes=3, area_power=0.2, second=0.1)


def sweep_thresholds(
    recipe: Recipe,
    maps: ClassMaps,
    ground_truth: Boxes,
    thresholds: Sequence[float],
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str = "course",
) -> pd.DataFrame:
    """Return AP in percent, a row per threshold of the maps and a column per IoU
    threshold, on those of the images that hold the class. Raises ValueError where none
    does. `recipe` makes the boxes; its kind and its threshold make no difference."""
    rows = [k for k, i in enumerate(maps.ids) if len(ground_truth[i])]
    if not rows:
        raise ValueError("no image to choose a threshold on holds the class")
    maps = maps.take(rows)
    truth = {i: ground_truth[i] for i in maps.ids}
    ap = {
        t: evaluate(boxes, truth, iou_thresholds, protocol).loc["ap"]
        for t, boxes in sweep(maps, thresholds, *recipe.boxes).items()
    }
    return pd.DataFrame(ap).T  # (T, IoU)


def best_threshold(recipe: Recipe, *swept, **options) -> float:
    """Return the one with the best mean AP in `sweep_thresholds`, whose arguments it
    has."""
    return float(sweep_thresholds(recipe, *swept, **options).mean(axis=1).idxmax())


def choose_thresholds(
    evidence: Evidence,
    ground_truths: Mapping[str, Boxes],
    recipe: Recipe = DEFAULT_RECIPE,
    thresholds: Sequence[float] = THRESHOLDS,
    enough: int = 300,
    kinds: Sequence[Kind] = KINDS,
) -> dict[str, dict[str, float]]:
    """The `best_threshold` for each kind of map and each class: {kind: {class: t}}.

    `ground_truths` are the boxes of each class, in the order of the evidence's classes;
    the first `enough` images with the class choose, and a class in no image has no
    threshold. The evidence has to be that of `wslib.boxes.fitting.cross_fit`.
    """
    chosen: dict[str, dict[str, float]] = {kind: {} for kind in kinds}
    classes = progress(ground_truths.items(), "thresholds", len(ground_truths))
    for target, (name, truth) in enumerate(classes):
        rows = [k for k, i in enumerate(evidence.ids) if len(truth[i])][:enough]
        some = evidence.take(rows)
        for kind in kinds if rows else ():
            maps = some.class_maps(target, kind)
            chosen[kind][name] = best_threshold(recipe, maps, truth, thresholds)
    return chosen


def select_steps(
    steps: Mapping[str, Mapping],
    evidence: Evidence,
    target: int,
    ground_truth: Boxes,
    thresholds: Sequence[float],
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str = "course",
    read: Read | None = None,
    n: int = 1000,
    seed: int = 0,
) -> tuple[Recipe, pd.DataFrame]:
    """Try steps one after the other; return the recipe of those that are kept, and the
    frame of `wslib.metrics.bootstrap.Ladder`, with the `threshold` of each step.

    `steps` maps a name to the settings of a `Recipe` that the step changes; the first
    is where the climb begins. Each step has the best of the `thresholds` by the mean AP
    of `sweep_thresholds`; masks start from the threshold of the maps. The evidence has
    to be of images that the heads were not fitted to
    (`wslib.boxes.fitting.cross_fit`).
    """
    ladder = Ladder(ground_truth, iou_thresholds, protocol, evidence.ids, n, seed)
    best, chosen = Recipe(), []
    for name, changes in progress(steps.items(), "steps", len(steps)):
        tried = replace(best, **changes)
        if not tried.masks:
            swept = tried.maps(evidence, target), ground_truth, thresholds
            best_one = best_threshold(tried, *swept, iou_thresholds, protocol)
            tried = replace(tried, threshold=best_one)
        chosen.append(tried.threshold)
        if ladder.step(name, tried.detect(evidence, target, read)):
            best = tried
    frame = ladder.frame()
    frame.insert(1, "threshold", chosen)
    return best, frame
