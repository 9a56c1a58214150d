"""What the detector gets wrong, and what each kind of error costs.

After Hoiem et al., "Diagnosing error in object detectors", ECCV 2012, and TIDE (Bolya
et al., ECCV 2020, https://arxiv.org/abs/2008.08115), for one class, whose detections
cannot have another's label, and with a kind that weak supervision is known for: one box
around several objects. Every detection and every object has exactly one fate.

A detection is, the first that fits:
  right         IoU over the threshold, and the first to find its object (the one of the
                image that it overlaps most; `detection`)
  ignored       the same for a difficult object, where the protocol ignores those
  duplicate     IoU over the threshold with an object that was found already
  false image   in an image without an object of the class
  merged        holds at least half the area of each of two or more objects
  wrong extent  IoU of at least `near`
  background    anything else: the class is there, but not here

An object is right when it is found; ignored when the protocol says so; and otherwise
charged to the box that came closest to it: one of wrong extent or merged that overlaps
no other object more (IoU of at least `near`), or one that holds at least half of it and
of another object; that one makes it merged, even if it is right for the other. Without
such a box it is missed: no box was there for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wslib.metrics.detection import Boxes, Counted, Matches, Protocol, evaluate, match
from wslib.metrics.overlap import box_iou

__all__ = ["KINDS", "error_budget", "fates", "object_fates", "oracle_ladder"]

KINDS = (
    "right",
    "duplicate",
    "wrong extent",
    "merged",
    "false image",
    "background",
    "missed",
    "ignored",
)


def error_budget(
    detections: Boxes,
    ground_truth: Boxes,
    iou_threshold: float = 0.5,
    protocol: str | Protocol = "course",
    near: float = 0.1,
) -> pd.DataFrame:
    """Return a row per kind: `kind`, `objects`, `detections`, and the AP it costs.

    The counts sum to the number of objects and of detections. `ap_lost` is by how many
    percentage points AP rises when this kind alone is mended, never below 0; the kinds
    do not sum to what is missing, since one error hides another. To mend is, for
      wrong extent                          to take the box of its object
      merged                                to give way to the boxes of its objects
      duplicate, false image, background    to vanish
      missed                                not to be looked for: nobody knows at which
                                            score it would be found (as TIDE)
    where of several boxes that then find an object the first stays, the others vanish.
    `.attrs` has the `protocol` in words, the IoU threshold as `iou`, and `ap`, percent.
    NaN where there is nothing to be found. Arguments otherwise as `detection.evaluate`.

    Raises ValueError as that does, and unless 0 < near <= iou_threshold <= 1.
    """
    judged = _judge(detections, ground_truth, iou_threshold, protocol, near)
    ap = judged.mended("right").ap_and_recall()[0]
    lost = [judged.mended(kind).ap_and_recall()[0] - ap for kind in KINDS]
    counts = {
        "objects": [int((judged.object_fate == kind).sum()) for kind in KINDS],
        "detections": [int((judged.fate == kind).sum()) for kind in KINDS],
    }
    frame = pd.DataFrame({"kind": KINDS, **counts, "ap_lost": 100 * np.array(lost)})
    if judged.matches.protocol.difficult == "count":
        frame = frame[frame["kind"] != "ignored"]
    frame.attrs |= {"protocol": str(judged.matches.protocol)}
    frame.attrs |= {"iou": float(iou_threshold), "ap": 100 * ap}
    return frame


def fates(
    detections: Boxes,
    ground_truth: Boxes,
    iou_threshold: float = 0.5,
    protocol: str | Protocol = "course",
    near: float = 0.1,
) -> pd.DataFrame:
    """Return a row per detection, best first: `image`, `row`, `score`, `iou`, `fate`.

    `row` is its position among the boxes of the image, `iou` that with the object it
    overlaps most. Arguments and errors as for `error_budget`.
    """
    judged = _judge(detections, ground_truth, iou_threshold, protocol, near)
    m = judged.matches
    columns = {"row": m.row, "score": m.score, "iou": m.iou, "fate": judged.fate}
    return pd.DataFrame({"image": [m.images[k] for k in m.image], **columns})


def object_fates(
    detections: Boxes,
    ground_truth: Boxes,
    iou_threshold: float = 0.5,
    protocol: str | Protocol = "course",
    near: float = 0.1,
) -> pd.DataFrame:
    """Return a row per object: `image`, `row`, `iou`, `detection`, `fate`.

    `detection` is the position, among the boxes of the image, of the box that found the
    object or came closest, and `iou` that with it; -1 and 0 for an object that is
    missed or ignored. Arguments and errors as for `error_budget`.
    """
    judged = _judge(detections, ground_truth, iou_threshold, protocol, near)
    m, closest = judged.matches, judged.closest
    iou, row = np.zeros(len(m.object_row)), np.full(len(m.object_row), -1)
    iou[closest["object"]] = closest["iou"]
    row[closest["object"]] = m.row[closest["detection"]]
    columns = {"row": m.object_row, "iou": iou, "detection": row}
    columns["fate"] = judged.object_fate
    return pd.DataFrame({"image": [m.images[k] for k in m.object_image], **columns})


@dataclass(frozen=True)
class _Judged:
    """The fates of the detections (D,) and of the objects (G,) of `matches`.

    pairs: which detection can stand for which object when its kind of error is mended:
    `detection`, `object`, `iou`, `kind`. closest: of these the one that each object is
    charged to, if any.
    """

    matches: Matches
    outcome: np.ndarray
    fate: np.ndarray
    object_fate: np.ndarray
    pairs: pd.DataFrame
    closest: pd.DataFrame

    def mended(self, kind: str) -> Counted:
        """Return what is counted when this kind of error is mended."""
        m, gone = self.matches, self.fate == kind
        moved = self.pairs[(self.pairs["kind"] == kind) & gone[self.pairs["detection"]]]
        right = self.closest[self.closest["kind"].isin(["right", kind])]
        hits = pd.concat([moved, right]).sort_values("detection", kind="stable")
        hits = hits[m.positive[hits["object"]]].drop_duplicates("object")
        wrong = np.flatnonzero((self.outcome == 0) & ~gone)
        rows = np.concatenate([wrong, hits["detection"]]).astype(int)
        order = np.argsort(rows, kind="stable")
        rows, correct = rows[order], (np.arange(len(rows)) >= len(wrong))[order]
        sought = (
            m.positive if kind != "missed" else m.positive & (self.object_fate != kind)
        )
        positives = np.bincount(m.object_image[sought], minlength=len(m.images))
        return Counted(m.protocol, m.image[rows], m.score[rows], correct, positives)


def _judge(
    detections: Boxes,
    ground_truth: Boxes,
    iou_threshold: float,
    protocol: str | Protocol,
    near: float,
) -> _Judged:
    check_near(near, iou_threshold)
    m = match(detections, ground_truth, protocol)
    outcome, held = m.outcomes(iou_threshold), _held(m, detections, ground_truth)
    enough = m.iou > iou_threshold
    if not m.protocol.strict:
        enough |= m.iou == iou_threshold
    there = np.isin(m.image, m.object_image)
    merged = np.isin(np.arange(len(m.row)), held["detection"])
    fate = np.select(
        [outcome == 1, outcome == -1, enough, ~there, merged, m.iou >= near],
        ["right", "ignored", "duplicate", "false image", "merged", "wrong extent"],
        "background",
    )
    stands = np.isin(fate, ["right", "wrong extent", "merged"])
    own = np.flatnonzero(stands & (m.iou >= near))
    columns = {"object": m.best[own], "iou": m.iou[own], "kind": fate[own]}
    pairs = pd.concat([pd.DataFrame({"detection": own, **columns}), held])
    pairs = pairs.assign(wrong=pairs["kind"] != "right", far=-pairs["iou"])
    closest = pairs.sort_values(["wrong", "far", "detection"])
    closest = closest[m.positive[closest["object"]]].drop_duplicates("object")
    objects = np.where(m.positive, "missed", "ignored").astype(fate.dtype)
    objects[closest["object"]] = closest["kind"]
    return _Judged(m, outcome, fate, objects, pairs, closest)


def _held(m: Matches, detections: Boxes, ground_truth: Boxes) -> pd.DataFrame:
    """Return detection, object and IoU where a box holds half of several objects."""
    pairs, a, b = _pairs(m, detections, ground_truth)
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    shared = np.maximum(high - low + m.protocol.pixel, 0).prod(axis=1)  # (P,) area
    area = (b[:, 2:] - b[:, :2] + m.protocol.pixel).prod(axis=1)
    pairs = pairs[(shared > 0) & (shared >= area / 2)]
    several = pairs.groupby("detection")["object"].transform("size") >= 2
    return pairs[several].assign(kind="merged")


def _pairs(
    m: Matches, detections: Boxes, ground_truth: Boxes
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return all pairs within an image, and (P, 4) their boxes and their objects."""
    a = _corners(detections, m.images, m.image, m.row)
    b = _corners(ground_truth, m.images, m.object_image, m.object_row)
    left = pd.DataFrame({"image": m.image, "detection": np.arange(len(a))})
    right = pd.DataFrame({"image": m.object_image, "object": np.arange(len(b))})
    pairs = left.merge(right, on="image").drop(columns="image")
    a, b = a[pairs["detection"]], b[pairs["object"]]
    return pairs.assign(iou=box_iou(a, b, m.protocol.pixel)), a, b


def _corners(boxes: Boxes, images: list, image: np.ndarray, row: np.ndarray):
    corners = [boxes[images[i]][k][:4] for i, k in zip(image, row, strict=True)]
    return np.array(corners, float).reshape(-1, 4)


def oracle_ladder(
    detections: Boxes,
    ground_truth: Boxes,
    boxes_by_threshold: Mapping[float, Boxes] | None = None,
    iou_thresholds: Sequence[float] = (0.3, 0.4, 0.5),
    protocol: str | Protocol = "course",
    near: float = 0.1,
) -> pd.DataFrame:
    """Return AP and recall, in percent, of detectors that are told part of the truth.

    A row per `rung` ("as measured", and what `oracle_presence`, `oracle_threshold`,
    `oracle_extent` give, and the first and the last together), and the columns `AP t`
    and `recall t` for each IoU threshold t. The rung of the thresholds is left out
    without `boxes_by_threshold`. Presence and extent cannot lower AP; a threshold that
    fits each image best can, where it adds boxes or turns the ranking.

    Raises ValueError as `detection.evaluate` does, and unless 0 < near <= the smallest
    IoU threshold.
    """
    present = oracle_presence(detections, ground_truth)
    rungs = {"as measured": detections, "presence": present}
    if boxes_by_threshold is not None:
        chosen = oracle_threshold(
            detections, ground_truth, boxes_by_threshold, protocol
        )
        rungs["threshold per image"] = chosen
    check_near(near, min(iou_thresholds, default=1))
    for name, boxes in (("extent", detections), ("presence + extent", present)):
        rungs[name] = oracle_extent(boxes, ground_truth, near, protocol)
    measured = [
        evaluate(b, ground_truth, iou_thresholds, protocol) for b in rungs.values()
    ]
    frame = pd.DataFrame({"rung": [*rungs]})
    for metric, name in (("ap", "AP"), ("recall", "recall")):
        for t in iou_thresholds:
            frame[f"{name} {t}"] = [m.loc[metric, float(t)] for m in measured]
    frame.attrs = measured[0].attrs
    return frame


def oracle_presence(detections: Boxes, ground_truth: Boxes) -> dict:
    """Return the detections of the images that have an object."""
    return {i: b for i, b in detections.items() if np.size(ground_truth.get(i, ()))}


def oracle_threshold(
    detections: Boxes,
    ground_truth: Boxes,
    boxes_by_threshold: Mapping[float, Boxes],
    protocol: str | Protocol = "course",
) -> dict:
    """Return the detections, those of an image with an object from its best threshold.

    boxes_by_threshold: {threshold of the map: {image id: (N, 5)}}, as `sweep` of
    `wslib.boxes.maps` gives. Best is the largest mean, over the objects of the
    image, of the IoU with the closest box; of equals fewer boxes, then the lower
    threshold. Raises ValueError where there is no threshold, and for boxes as `match`
    does.
    """
    if not boxes_by_threshold:
        raise ValueError("boxes_by_threshold: empty, expected at least one threshold")
    chosen, ranks = dict(detections), {}
    for threshold in sorted(boxes_by_threshold):
        boxes = boxes_by_threshold[threshold]
        matches = match(boxes, ground_truth, protocol)  # checks the boxes
        for i in dict.fromkeys(matches.images[k] for k in matches.object_image):
            candidates = boxes.get(i, ())
            rank = (
                _fit(candidates, ground_truth[i], matches.protocol.pixel),
                -len(candidates),
            )
            if i not in ranks or rank > ranks[i]:
                ranks[i], chosen[i] = rank, candidates
    return chosen


def oracle_extent(
    detections: Boxes,
    ground_truth: Boxes,
    near: float = 0.1,
    protocol: str | Protocol = "course",
) -> dict:
    """Return the detections, the first one at each object in that object's own box.

    It is the best scored of those that overlap this object most, with IoU >= `near`.
    The others stay as they are: late ones are duplicates or wrong, as they were.
    """
    check_near(near, 1)
    m = match(detections, ground_truth, protocol)
    stretched = {i: np.array(boxes, float) for i, boxes in detections.items()}
    at = np.flatnonzero((m.iou >= near) & (m.best >= 0))
    for k in at[np.unique(m.best[at], return_index=True)[1]]:
        image = m.images[m.image[k]]
        box = np.asarray(ground_truth[image], float)[m.object_row[m.best[k]], :4]
        stretched[image][m.row[k], :4] = box
    return stretched


def check_near(near: float, highest: float) -> None:
    """Raise ValueError unless 0 < near <= highest, an IoU threshold."""
    if not 0 < near <= highest:
        raise ValueError(f"near {near}: expected above 0, at most the IoU of {highest}")


def _fit(boxes: np.ndarray, objects: np.ndarray, pixel: int) -> float:
    """Return the mean, over the objects, of the IoU with the closest box; 0 without."""
    boxes, objects = np.asarray(boxes, float), np.asarray(objects, float)
    if not boxes.size:
        return 0.0
    return float(box_iou(boxes[:, None], objects[None], pixel).max(axis=0).mean())
