"""The detector's settings, and how they are chosen: on training images, by steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from wslib.evidence import Evidence, Kind
from wslib.localisation import ClassMaps, detect, detect_masks, sweep
from wslib.metrics.detection import evaluate
from wslib.metrics.ladder import Ladder
from wslib.metrics.matching import Boxes
from wslib.progress import progress
from wslib.segment import grabcut

Read = Callable[[str], np.ndarray]


@dataclass(frozen=True)
class Recipe:
    """From evidence to boxes.

    kind: of map, see `Evidence.class_maps`; threshold, max_boxes, area_power, second:
    see `wslib.localisation.detect`; masks: whether GrabCut makes a mask of each map,
    and the boxes are the masks'.
    """

    kind: Kind = "gradcam"
    max_boxes: int = 1
    area_power: float = 0.0
    second: float = 0.0
    masks: bool = False
    threshold: float = 0.2

    def maps(self, evidence: Evidence, target: int) -> ClassMaps:
        """The maps and scores of class number `target`."""
        return evidence.class_maps(target, self.kind)

    def detect(
        self, evidence: Evidence, target: int, read: Read | None = None
    ) -> dict[str, np.ndarray]:
        """The boxes of class number `target`: {id: (N, 5)}, VOC corners and a score.
        `read(id)` gives the image, which only masks need."""
        maps = self.maps(evidence, target)
        if not self.masks:
            return detect(maps, self.threshold, *self.boxes)
        if read is None:
            raise ValueError("masks need the images: give `read`")
        segment = partial(grabcut, threshold=self.threshold)
        return detect_masks(maps, read, segment, self.max_boxes, self.area_power)

    @property
    def boxes(self) -> tuple[int, float, float]:
        """What `localisation.sweep` has to know: max_boxes, area_power, second."""
        return self.max_boxes, self.area_power, self.second

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in asdict(self).items())


def sweep_thresholds(
    recipe: Recipe,
    evidence: Evidence,
    target: int,
    ground_truth: Boxes,
    thresholds: Sequence[float],
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str = "course",
) -> pd.DataFrame:
    """AP in percent, a row per threshold of the map and a column per IoU threshold, on
    those of the images that hold the class. Raises ValueError where none does."""
    rows = [k for k, i in enumerate(evidence.ids) if len(ground_truth[i])]
    if not rows:
        raise ValueError("no image to choose a threshold on holds the class")
    maps = recipe.maps(evidence.of(rows), target)
    truth = {i: ground_truth[i] for i in maps.ids}
    found = sweep(maps, thresholds, *recipe.boxes)
    ap = {
        t: evaluate(boxes, truth, iou_thresholds, protocol).loc["ap"]
        for t, boxes in found.items()
    }
    return pd.DataFrame(ap).T  # (T, IoU)


def climb(
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
    frame of `wslib.metrics.ladder.Ladder`, with the `threshold` of each step.

    `steps` maps a name to the settings of a `Recipe` that the step changes; the first
    is where the climb begins. Each step has the best of the `thresholds` by the mean
    AP of `sweep_thresholds`; masks start from the threshold of the maps. The evidence
    has to be of images that the heads were not fitted to (`wslib.teaching.cross_fit`).
    """
    ladder = Ladder(ground_truth, iou_thresholds, protocol, evidence.ids, n, seed)
    best, chosen = Recipe(), []
    for name, changes in progress(steps.items(), "steps", len(steps)):
        tried = replace(best, **changes)
        if not tried.masks:
            measured = (ground_truth, thresholds, iou_thresholds, protocol)
            swept = sweep_thresholds(tried, evidence, target, *measured)
            tried = replace(tried, threshold=float(swept.mean(axis=1).idxmax()))
        chosen.append(tried.threshold)
        if ladder.step(name, tried.detect(evidence, target, read)):
            best = tried
    frame = ladder.frame()
    frame.insert(1, "threshold", chosen)
    return best, frame
