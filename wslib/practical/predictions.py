"""What a detector finds in files: class and box, beside the truth where it is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from wslib.data.caltech import LABELS
from wslib.data.image_files import find_pictures
from wslib.data.images import read_image, read_or_complain, resize_image
from wslib.metrics.single_box import measure_boxes
from wslib.models.two_heads import TwoHeadNetwork
from wslib.practical.detector_training import predict
from wslib.practical.evaluation import read_pictures
from wslib.practical.views import squares
from wslib.runtime.kept import written_whole
from wslib.runtime.progress import progress

BATCH = 32  # pictures that are held at a time
UNKNOWN = -1  # the label of a picture without an annotation
CORNERS = ("x1", "y1", "x2", "y2")
COLUMNS = ("path", "label", "probability", *CORNERS)
TRUTH = ("true_label", "iou")


@dataclass(frozen=True, eq=False)
class Targets:
    """N files, each once, their labels (N,) and boxes (N, 4) in pixels, upright;
    UNKNOWN and NaN where nothing is known. `notes`: a line for each box left out."""

    files: list[Path]
    labels: np.ndarray
    boxes: np.ndarray
    notes: list[str]

    def take(self, rows: np.ndarray | Sequence[int]) -> Targets:
        """The files of these rows, in this order; without notes."""
        files = [self.files[row] for row in rows]
        return Targets(files, self.labels[rows], self.boxes[rows], [])


@dataclass(frozen=True, eq=False)
class Prediction:
    """Class and box of one picture, boxes (4,) in its pixels, upright."""

    path: Path
    image: np.ndarray | None  # (H, W, 3) uint8; None once it is drawn
    label: int
    probability: float
    box: np.ndarray
    true_label: int  # or UNKNOWN
    true_box: np.ndarray  # NaN where not known
    iou: float  # NaN where no true box is known
    good: bool  # neither is the class wrong, nor is the IoU 0.7 or less
    classes: Sequence[str] = LABELS

    @property
    def captions(self) -> list[str]:
        """The class; and a second one of the truth, if anything of that is known."""
        known = []
        if self.true_label not in (UNKNOWN, self.label):
            known.append(f"true: {self.classes[self.true_label]}")
        if not math.isnan(self.iou):
            known.append(f"IoU {self.iou:.2f}")
        first = f"{self.classes[self.label]} {self.probability:.2f}"
        return [first, ", ".join(known)] if known else [first]

    @property
    def drawn_boxes(self) -> dict[str, list[np.ndarray]]:
        """The boxes by the kind of line: true, and found or wrong."""
        true = [] if np.isnan(self.true_box).any() else [self.true_box]
        return {"true": true, "found" if self.good else "wrong": [self.box]}

    @property
    def row(self) -> dict:
        """A row of predictions.csv."""
        row = {"path": str(self.path), "label": self.classes[self.label]}
        row["probability"] = round(self.probability, 4)
        corners = np.round(self.box.astype(float), 2).tolist()
        row |= dict(zip(CORNERS, corners, strict=True))
        if self.true_label != UNKNOWN:
            row |= {
                "true_label": self.classes[self.true_label],
                "iou": round(self.iou, 4),
            }
        return row

    def shrink(self, longest: int) -> Prediction:
        """Read the picture, its longer side at most `longest` pixels; the boxes move
        along."""
        image = read_image(self.path)
        height, width = image.shape[:2]
        scale = min(1, longest / max(width, height))
        small = [max(1, round(scale * side)) for side in (width, height)]
        ratio = np.array(small * 2) / (width, height, width, height)
        boxes = {"box": self.box * ratio, "true_box": self.true_box * ratio}
        return replace(self, image=resize_image(image, *small), **boxes)

    def __str__(self) -> str:
        corners = " ".join(f"{corner:.0f}" for corner in self.box)
        return f"{self.path}: {', '.join(self.captions)}, box {corners}"


def gather_targets(
    paths: Sequence[Path], besides: Path, classes: Sequence[str] = LABELS
) -> Targets:
    """List the pictures of CSVs, of folders with images/ and annotations/, of other
    folders (without what lies in `besides`), and single ones. Raises FileNotFoundError,
    ValueError for a folder without pictures, and the errors of a CSV."""
    files, labels, boxes, notes = [], [], [], []
    for path in paths:
        listed = path.suffix.lower() == ".csv" and not path.is_dir()
        if listed or (path / "annotations").is_dir():
            known = read_pictures(path, classes)
            inside, its_labels, its_boxes = known.paths, known.labels, known.boxes
            notes += known.notes
        else:
            inside = find_pictures(path, besides)
            its_labels = np.full(len(inside), UNKNOWN)
            its_boxes = np.full((len(inside), 4), np.nan)
        files += inside
        labels.append(its_labels)
        boxes.append(its_boxes)
    first = {}
    for row, file in enumerate(files):
        first.setdefault(file.resolve(), row)
    targets = Targets(files, np.concatenate(labels), np.concatenate(boxes), notes)
    return replace(targets.take(list(first.values())), notes=notes)


def check_known(targets: Targets) -> None:
    """Raise ValueError for a file of which no true label is known."""
    if (targets.labels == UNKNOWN).any():
        file = targets.files[(targets.labels == UNKNOWN).argmax()]
        text = "no true label is known, so --only-failures cannot tell; give a CSV"
        raise ValueError(f"{file}: {text}")


def predict_all(
    detector: TwoHeadNetwork, targets: Targets, mirrored: bool, about: Mapping
) -> Iterator[tuple[list[Prediction], list[str]]]:
    """Yield what `predict_files` returns, for some files at a time; `about` is what
    the detector's file says of it."""
    count = len(targets.files)
    batches = np.array_split(np.arange(count), math.ceil(count / BATCH))
    for rows in progress(batches, "predicting"):
        yield predict_files(detector, targets.take(rows), mirrored, about["classes"])


def predict_files(
    detector: TwoHeadNetwork,
    targets: Targets,
    mirrored: bool = False,
    classes: Sequence[str] = LABELS,
) -> tuple[list[Prediction], list[str]]:
    """Predict class and box of a batch of files; also return a line for each file that
    cannot be read. `mirrored` as in `predict`."""
    with ThreadPoolExecutor(2, thread_name_prefix="pictures") as pool:
        images = list(pool.map(read_or_complain, targets.files))
    rows = [row for row, image in enumerate(images) if not isinstance(image, str)]
    complaints = [image for image in images if isinstance(image, str)]
    if not rows:
        return [], complaints
    images, targets = [images[row] for row in rows], targets.take(rows)
    result = predict(detector, squares(images, detector.input_size), mirrored)
    sizes = np.array([image.shape[1::-1] * 2 for image in images])  # w, h, w, h
    truth = (targets.labels, targets.boxes / sizes)
    measured = measure_boxes(result.labels, result.boxes, *truth)
    good = (measured["accuracy"] == 1) & (measured["good"] != 0)
    good |= targets.labels == UNKNOWN
    likely = result.probabilities.max(1)
    fields = zip(
        *(targets.files, images, result.labels.tolist(), likely.tolist()),
        *(result.boxes * sizes, targets.labels.tolist(), targets.boxes),
        *(measured["iou"], good),
        strict=True,
    )
    return [Prediction(*of_one, classes) for of_one in fields], complaints


def write_csv(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write a row for each prediction; where no truth is known, without columns for
    it. Whole or not at all."""
    known = any(one.true_label != UNKNOWN for one in predictions)
    columns = [*COLUMNS, *TRUTH] if known else [*COLUMNS]
    frame = pd.DataFrame([one.row for one in predictions], columns=columns)
    with written_whole(path) as part:
        frame.to_csv(part, index=False, errors="backslashreplace")  # of odd names
