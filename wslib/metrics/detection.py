"""Which detections belong to which objects, what counts, and the average precision.

`match` joins the two once; `evaluate` gives AP and recall, in the words of PASCAL VOC,
and `precision_recall` the curve behind them, whose area `curves` takes.

Boxes are VOC corners: x1, y1, x2, y2, 1-based, the last pixel included, so that a width
is x2 - x1 + 1. `wslib.boxes.boxes.to_voc` makes them from half-open boxes.

The rules go back to Everingham et al., "The PASCAL Visual Object Classes (VOC)
Challenge", IJCV 2010, https://doi.org/10.1007/s11263-009-0275-4, section 4.2, and to
`VOCevaldet.m` of the development kit. Details differ between benchmarks, and each moves
the number: `PROTOCOLS` names them.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from wslib.metrics.curves import Points, average_precision_from_curve, curve
from wslib.metrics.overlap import box_iou

Boxes = Mapping[Hashable, np.ndarray]


@dataclass(frozen=True)
class Protocol:
    """The small print of a detection benchmark.

    points: AP from 11 recall levels, or from all changes of recall ("all").
    difficult: "count" objects marked difficult like the others, or "ignore" them: they
        are not missed, and who finds one is neither right nor wrong.
    pixel: 1 if x2 and y2 lie inside the box (VOC), 0 if they are its edges (COCO).
    strict: a match needs IoU > threshold; otherwise >= is enough.
    ties: equal scores are counted at once ("group"), or in "list order".
    """

    name: str
    points: Points = "all"
    difficult: Literal["ignore", "count"] = "ignore"
    pixel: Literal[0, 1] = 1
    strict: bool = False
    ties: Literal["group", "list order"] = "group"

    def __post_init__(self) -> None:
        for field, allowed in {
            "points": (11, "all"),
            "difficult": ("ignore", "count"),
            "pixel": (0, 1),
            "ties": ("group", "list order"),
        }.items():
            if getattr(self, field) not in allowed:
                raise ValueError(
                    f"protocol {self.name}: {field} {getattr(self, field)!r}, "
                    f"expected one of {allowed}"
                )

    def __str__(self) -> str:
        """Return the protocol in a line of words, to be printed with the number."""
        counted = {"ignore": "ignored", "count": "counted"}[self.difficult]
        ties = {"group": "counted at once", "list order": "in list order"}[self.ties]
        return (
            f"{self.name}: {self.points}-point AP, IoU {'>' if self.strict else '≥'} "
            f"threshold, difficult objects {counted}, +{self.pixel} pixel, "
            f"equal scores {ties}"
        )


PROTOCOLS = {
    # What the course's evaluation does; its published tables depend on list order.
    "course": Protocol("course", "all", "count", strict=True, ties="list order"),
    # The development kits: `ovmax >= VOCopts.minoverlap`, difficult objects skipped.
    "voc07": Protocol("voc07", 11),
    "voc10": Protocol("voc10", "all"),
}


@dataclass(frozen=True)
class Matches:
    """All detections, in the order in which the protocol counts them; all objects.

    images: ids. image: (D,) position in `images`; row: (D,) position among the
    detections of that image; score: (D,). iou: (D,) overlap with the best object of
    the image; best: (D,) that object's position, -1 where nothing overlaps.
    object_image, object_row: (G,) where each object comes from; positive: (G,) whether
    it is to be found, false for a difficult one that the protocol ignores.
    """

    protocol: Protocol
    images: list[Hashable]
    image: np.ndarray
    row: np.ndarray
    score: np.ndarray
    iou: np.ndarray
    best: np.ndarray
    object_image: np.ndarray
    object_row: np.ndarray
    positive: np.ndarray

    def outcomes(self, iou_threshold: float) -> np.ndarray:
        """Return (D,) 1 for a true positive, 0 for a false one, -1 for an ignored one.

        As in VOC, a detection belongs to the object that it overlaps most, even when
        that one has been found already: then it is a false positive. (COCO lets it
        take another one.) Raises ValueError for a threshold outside 0 to 1.
        """
        if not 0 <= iou_threshold <= 1:
            raise ValueError(f"IoU threshold {iou_threshold}: expected 0 to 1")
        enough = self.iou > iou_threshold
        if not self.protocol.strict:
            enough |= self.iou == iou_threshold
        hits = np.flatnonzero(enough & (self.best >= 0))
        outcome = np.zeros(len(self.score), int)
        outcome[hits[np.unique(self.best[hits], return_index=True)[1]]] = 1
        outcome[hits[~self.positive[self.best[hits]]]] = -1
        return outcome

    def at(self, iou_threshold: float) -> Counted:
        """Return what is counted at this IoU threshold."""
        outcome = self.outcomes(iou_threshold)
        rows = outcome >= 0
        objects = self.object_image[self.positive]
        return Counted(
            self.protocol,
            self.image[rows],
            self.score[rows],
            outcome[rows],
            np.bincount(objects, minlength=len(self.images)),
        )


@dataclass(frozen=True)
class Counted:
    """The detections that count at one IoU threshold, and the objects to be found.

    image, score, correct (0 or 1): (D,), in the protocol's order; positives: (I,) the
    objects of each image. `draws` (I,) below counts how often each image is taken, and
    is once if left out: matching happens within images, so none needs to be repeated.
    """

    protocol: Protocol
    image: np.ndarray
    score: np.ndarray
    correct: np.ndarray
    positives: np.ndarray

    def curve(
        self, draws: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return recall, precision and score, as `curves.curve` does."""
        weights = None if draws is None else draws[self.image]
        positives = float(np.sum(self.positives if draws is None else self._of(draws)))
        grouped = self.protocol.ties == "group"
        return curve(self.score, self.correct, positives, weights, grouped)

    def ap_and_recall(self, draws: np.ndarray | None = None) -> tuple[float, float]:
        """Return AP and final recall, 0 to 1; NaN where there is nothing to find."""
        if not np.any(self.positives if draws is None else self._of(draws)):
            return float("nan"), float("nan")
        recall, precision, _ = self.curve(draws)
        ap = average_precision_from_curve(recall, precision, self.protocol.points)
        return ap, float(recall[-1]) if len(recall) else 0.0

    def _of(self, draws: np.ndarray) -> np.ndarray:
        return self.positives * draws


def match(
    detections: Boxes,
    ground_truth: Boxes,
    protocol: str | Protocol = "course",
    images: Sequence[Hashable] | None = None,
) -> Matches:
    """Give every detection the object of its image that it overlaps most.

    Arguments and errors as for `evaluate`; `images`, if given, selects and
    orders the ids. Matching is done once for all thresholds and bootstrap samples.

    With ties="group" nothing depends on any order. Of equal scores, those with the
    larger IoU go first; of objects with equal IoU, one that counts is preferred to one
    that is ignored, then the one with the smaller coordinates. With "list order" the
    detections keep the order in which `detections` lists them (a stable sort by score)
    and the first of the objects with equal IoU is taken, as in the devkit.
    """
    protocol = _protocol(protocol)
    if images is None:
        images = [*detections, *(i for i in ground_truth if i not in detections)]
    detected, image, row = _stack(detections, images, "detections", 5)
    objects, object_image, object_row = _stack(ground_truth, images, "ground_truth", 4)
    for k in np.flatnonzero(~np.isin(objects[:, 4], (0, 1)))[:1]:
        place = f"ground_truth[{images[object_image[k]]!r}], row {object_row[k]}"
        raise ValueError(f"{place}: difficult {objects[k, 4]}, expected 0 or 1")
    positive = (objects[:, 4] == 0) | (protocol.difficult == "count")
    if protocol.ties == "group":
        order = np.lexsort((*objects[:, 3::-1].T, ~positive, object_image))
        objects, object_image, object_row, positive = (
            a[order] for a in (objects, object_image, object_row, positive)
        )
    iou, best = _best_object(detected, image, objects, object_image, protocol.pixel)
    score = detected[:, 4]
    by_score = (-score,) if protocol.ties == "list order" else (-iou, -score)
    order = np.lexsort(by_score)  # stable; the last key is the first to be looked at
    detected = (a[order] for a in (image, row, score, iou, best))
    return Matches(
        protocol, list(images), *detected, object_image, object_row, positive
    )


def evaluate(
    detections: Boxes,
    ground_truth: Boxes,
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str | Protocol = "course",
) -> pd.DataFrame:
    """Return average precision and final recall, in percent, at each IoU threshold.

    detections: {image id: (N, 5) x1, y1, x2, y2, score}; ground_truth: {image id:
    (M, 4) x1, y1, x2, y2, or (M, 5) with `difficult` last}; an id missing from either
    has no boxes there. VOC corners; one class only.
    The frame has the rows `ap` and `recall`, a column per threshold, and the protocol
    in words as `.attrs["protocol"]`. Without detections both are 0; without an object
    to be found (none at all, or all ignored) both are NaN.

    Raises ValueError, naming the image, for a wrong number of columns, for coordinates
    or scores that are not finite, and for a box with x2 < x1 or y2 < y1.
    """
    matches = match(detections, ground_truth, protocol)
    columns = {float(t): matches.at(t).ap_and_recall() for t in iou_thresholds}
    frame = pd.DataFrame(columns, index=["ap", "recall"], dtype=float) * 100
    frame.attrs["protocol"] = str(matches.protocol)
    return frame


def precision_recall(
    detections: Boxes,
    ground_truth: Boxes,
    iou_threshold: float = 0.5,
    protocol: str | Protocol = "course",
) -> pd.DataFrame:
    """Return the curve behind `evaluate`: score, recall, precision (0 to 1) per row.

    A row is one detection, or one group of equal scores, best first; detections of
    ignored objects are left out. Arguments and errors as for `evaluate`.
    """
    matches = match(detections, ground_truth, protocol)
    recall, precision, scores = matches.at(iou_threshold).curve()
    frame = pd.DataFrame({"score": scores, "recall": recall, "precision": precision})
    frame.attrs["protocol"] = str(matches.protocol)
    return frame


def _protocol(protocol: str | Protocol) -> Protocol:
    if isinstance(protocol, Protocol):
        return protocol
    if protocol not in PROTOCOLS:
        known = ", ".join(PROTOCOLS)
        raise ValueError(f"protocol {protocol!r}: expected one of {known}")
    return PROTOCOLS[protocol]


def _best_object(
    detected: np.ndarray,
    image: np.ndarray,
    objects: np.ndarray,
    object_image: np.ndarray,
    pixel: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return (D,) largest IoU and (D,) its object, the first of equals; else 0 and -1.

    `object_image` is sorted. All pairs within all images are compared at once.
    """
    start = np.searchsorted(object_image, image)
    count = np.searchsorted(object_image, image, side="right") - start  # (D,)
    pair_detected = np.repeat(np.arange(len(detected)), count)  # (P,)
    offset = np.arange(len(pair_detected)) - np.repeat(np.cumsum(count) - count, count)
    pair_object = start[pair_detected] + offset
    overlap = box_iou(detected[pair_detected], objects[pair_object], pixel)
    order = np.lexsort((pair_object, -overlap, pair_detected))
    which, first = np.unique(pair_detected[order], return_index=True)
    iou, best = np.zeros(len(detected)), np.full(len(detected), -1)
    iou[which] = overlap[order][first]
    best[which] = np.where(iou[which] > 0, pair_object[order][first], -1)
    return iou, best


def _stack(
    boxes: Boxes, images: Sequence[Hashable], name: str, columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all boxes (N, 5), checked, and (N,) their image and their row therein."""
    arrays = [_as_rows(boxes.get(i, ()), columns, f"{name}[{i!r}]") for i in images]
    counts = [len(array) for array in arrays]
    stacked = np.concatenate([np.zeros((0, 5)), *arrays])  # (N, 5)
    image = np.repeat(np.arange(len(arrays)), counts)
    row = np.concatenate([np.zeros(0, int), *map(np.arange, counts)])
    inverted = (stacked[:, 2:4] < stacked[:, :2]).any(axis=1)
    for wrong, what in (
        (~np.isfinite(stacked).all(axis=1), "expected finite numbers"),
        (inverted, "expected x1 <= x2 and y1 <= y2"),
    ):
        if wrong.any():
            k = int(np.argmax(wrong))
            place = f"{name}[{images[image[k]]!r}], row {row[k]}"
            raise ValueError(f"{place}: {stacked[k].tolist()}, {what}")
    return stacked, image, row


def _as_rows(boxes: np.ndarray, columns: int, place: str) -> np.ndarray:
    """Return boxes as (N, 5) floats; with `columns` = 4 the fifth may be missing."""
    array = np.asarray(boxes, float)
    if not array.size:
        return np.zeros((0, 5))
    if array.ndim != 2 or not columns <= array.shape[1] <= 5:
        wanted = "(N, 5)" if columns == 5 else "(M, 4) or (M, 5)"
        raise ValueError(f"{place}: shape {array.shape}, expected {wanted}")
    return array if array.shape[1] == 5 else np.pad(array, ((0, 0), (0, 1)))
