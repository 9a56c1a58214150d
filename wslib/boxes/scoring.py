"""Detections beside the truth: baselines, measures with intervals, right and wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from wslib.boxes.boxes import centre_box, from_voc
from wslib.boxes.detections import Detections, load_maps
from wslib.boxes.recipe import Recipe
from wslib.data.datasets import open_voc2007
from wslib.data.image_sets import ImageSet
from wslib.data.images import read_image
from wslib.metrics.bootstrap import evaluate_with_intervals
from wslib.metrics.classification import mean_average_precision
from wslib.metrics.detection import Boxes, evaluate
from wslib.metrics.localisation import corloc
from wslib.metrics.overlap import box_iou
from wslib.models.checkpoints import naming

CENTRAL = 0.3  # of the image, the area of the baselines' box
RIGHT = 0.5  # IoU above which a box is right
LABELS = {"AP": "ap", "recall": "recall", "CorLoc": "corloc"}  # of the measures


def centre_detections(
    images: ImageSet, truth: Boxes, probabilities: np.ndarray | None = None
) -> dict[str, Boxes]:
    """Put a central box into images, as the course's baselines: A in all, with score 1;
    B where `truth` has an object; C, as A, with the `probabilities` (N,) as scores.

    The boxes are read as VOC corners as they are: see `wslib.boxes.boxes.centre_box`.
    """

    def amid(image_id: str, score: float = 1.0) -> np.ndarray:
        note = images.voc.annotation(image_id)
        return centre_box(note.width, note.height, area=CENTRAL, score=score)

    baselines = {"A": {i: amid(i) for i in truth}}
    baselines["B"] = {i: amid(i) for i in truth if len(truth[i])}
    if probabilities is not None:
        scored = zip(truth, probabilities.tolist(), strict=True)
        baselines["C"] = {i: amid(i, score) for i, score in scored}
    return baselines


def compare_detectors(
    detectors: dict[str, Boxes], truth: Boxes, ious: Sequence[float], protocol: str
) -> pd.DataFrame:
    """Measure several detectors: a row for each, AP and recall in percent at up to
    three IoU. Raises ValueError for more of them."""
    if len(ious) > 3:
        raise ValueError(f"--iou given {len(ious)} times: a row has room for 3")
    rows = []
    for name, boxes in detectors.items():
        measured = evaluate(boxes, truth, ious, protocol)
        row = {"detector": name}
        for label in ("AP", "recall"):
            row |= {f"{label} {i}": measured.loc[LABELS[label], i] for i in ious}
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.attrs = measured.attrs
    return frame


def open_images(path: Path, detections: Detections) -> ImageSet:
    """Open the data set that the detections in a file were made in. Raises ValueError
    for files of no data set, which have no true boxes, and for counts that are none."""
    with naming(path):
        if detections.dataset == "files":
            raise ValueError("found in files of no data set, without true boxes")
        counts = detections.recipe.get("rendered", {})
        if not isinstance(counts, dict):
            raise ValueError(f"rendered {counts!r}, expected counts")
        voc = open_voc2007(detections.dataset, **counts)
    ids = list(detections.boxes)
    paths = [voc.image_path(i) for i in ids]
    return ImageSet(detections.dataset, detections.split, ids, paths, voc, counts)


def open_truth(path: Path, detections: Detections) -> tuple[ImageSet, Boxes]:
    """Open the images of the detections in a file, and the true boxes of their class.
    Raises ValueError where there is none of it; errors as `open_images`."""
    images = open_images(path, detections)
    truth = images.ground_truth(detections.class_name)
    if not count_boxes(truth):
        text = f"no {detections.class_name} in its {len(truth)} images"
        raise ValueError(f"{path}: {text}")
    return images, truth


def find_files(
    path: Path, detections: Detections, ids: Sequence[str]
) -> tuple[dict[Path, str], Boxes]:
    """Find the file of each of these images, {file: id}, and the true boxes of the
    class; of files of no data set none are known. Errors as `open_images`."""
    if detections.dataset == "files":
        return {Path(image_id): image_id for image_id in ids}, {}
    images = open_images(path, detections)
    files = {images.voc.image_path(image_id): image_id for image_id in ids}
    return files, images.ground_truth(detections.class_name)


def detect_again(
    path: Path, detections: Detections, images: ImageSet, thresholds: Sequence[float]
) -> dict[float, Detections]:
    """Draw boxes around the maps beside the detections in the file `path`, at each of
    the thresholds, and otherwise as those were drawn. No network runs, and only masks
    need the `images`. Raises ValueError for a recipe that is none and for a threshold
    that is not above 0 and at most 1; errors as `load_maps`."""
    settings, names = detections.recipe, [field.name for field in fields(Recipe)]
    try:
        recipe = Recipe(**{name: settings[name] for name in names})
    except (KeyError, TypeError):
        text = f"expected {', '.join(names)}, as `wslib voc detect` writes them"
        raise ValueError(f"{path}: recipe {settings}: {text}") from None
    recipes = {t: replace(recipe, threshold=t) for t in thresholds}
    maps = load_maps(path, detections)
    paths = dict(zip(images.ids, images.paths, strict=True))
    return {
        t: replace(
            detections,
            boxes=recipe.detect_in(maps, lambda i: read_image(paths[i])),
            recipe={**settings, "threshold": t},
        )
        for t, recipe in recipes.items()
    }


def measure_classes(
    probabilities: np.ndarray, images: ImageSet
) -> tuple[float, pd.DataFrame]:
    """Measure the classification of images, (N, n): mAP, and a row for each class that
    there is, with its number of images and its AP. In percent."""
    labels = images.labels
    mean, each = mean_average_precision(probabilities, labels)
    positive = (labels == 1).sum(0)
    frame = pd.DataFrame(
        {"class": images.classes, "images": positive, "AP": 100 * each}
    )
    return 100 * mean, frame[positive > 0]


def measure_detections(
    boxes: Boxes, truth: Boxes, ious: Sequence[float], protocol: str, draws: int
) -> pd.DataFrame:
    """Measure boxes with 95 % intervals over images: the frame of
    `evaluate_with_intervals`, in percent, with CorLoc ("corloc") below."""
    images = list(truth)
    frame = evaluate_with_intervals(boxes, truth, ious, protocol, images, draws)
    first = 100 * pd.DataFrame([corloc(boxes, truth, iou) for iou in ious])
    first = first.assign(metric="corloc", iou=ious)
    joined = pd.concat([frame, first], ignore_index=True)
    joined.attrs = frame.attrs
    return joined


def arrange_by_iou(frame: pd.DataFrame) -> pd.DataFrame:
    """Rearrange what `measure_detections` returns: a row for each IoU, a column for
    each measure, its bounds beside it as "AP low" and "AP high"."""
    wide = pd.DataFrame({"IoU": [f"{iou:g}" for iou in frame["iou"].unique()]})
    for label, metric in LABELS.items():
        part = frame[frame["metric"] == metric]
        wide[label] = part["value"].to_numpy()
        wide[f"{label} low"] = part["low"].to_numpy()
        wide[f"{label} high"] = part["high"].to_numpy()
    wide.attrs = frame.attrs
    return wide


def judge_boxes(boxes: np.ndarray, true: np.ndarray | None) -> dict[str, np.ndarray]:
    """Sort boxes (N, 5) into `found`, right, and `wrong` beside the `true` (M, 4+).
    All in VOC corners, returned half-open; without a known truth (None) all are right.
    """
    if true is None:
        return {"true": np.zeros((0, 5)), "found": from_voc(boxes), "wrong": ()}
    iou = box_iou(boxes[:, None], true[None], pixel=1).max(1, initial=0)  # (N,)
    right = {
        "found": from_voc(boxes[iou > RIGHT]),
        "wrong": from_voc(boxes[iou <= RIGHT]),
    }
    return {"true": from_voc(true), **right}


def choose_images(
    path: Path, detections: Detections, n: int, seed: int, named: Sequence[str]
) -> list[str]:
    """Take the ids that are named; else draw `n` of all from `seed`. Raises ValueError
    for an image that the detections are not of."""
    for image_id in named:
        if image_id not in detections.boxes:
            some = ", ".join([*detections.boxes][:5])
            raise ValueError(f"{path}: no image {image_id!r} in it; it has {some}, ...")
    if named:
        return list(dict.fromkeys(named))
    ids = list(detections.boxes)
    rng = np.random.default_rng(seed)
    return [ids[k] for k in rng.permutation(len(ids))[:n]]


def count_boxes(boxes: Boxes) -> int:
    """Count the boxes of all images."""
    return sum(map(len, boxes.values()))
