"""What `wslib caltech predict` looks at, and what it finds there."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from wslib.cli.caltech_reports import read_pictures
from wslib.cli.segment_pictures import SUFFIXES
from wslib.data.caltech import LABELS, Pictures
from wslib.data.images import read_image, resize_image
from wslib.metrics.single_box import measure_boxes
from wslib.models.two_heads import TwoHeadNetwork
from wslib.practical.detector_training import predict

UNKNOWN = -1  # the label of a picture without an annotation
MISSING = np.full((1, 4), np.nan)


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in one picture."""

    path: Path
    image: np.ndarray | None  # (H, W, 3) uint8; None once it is drawn
    label: int
    probability: float
    box: np.ndarray  # (4,) pixels of the file
    true_label: int  # or UNKNOWN
    true_box: np.ndarray  # (4,) pixels of the file, NaN where not known
    iou: float  # NaN where no true box is known
    good: bool  # neither is the class wrong, nor is the IoU 0.7 or less

    @property
    def captions(self) -> list[str]:
        """What it is said to be; and what is known of that, if anything."""
        known = []
        if self.true_label not in (UNKNOWN, self.label):
            known.append(f"true: {LABELS[self.true_label]}")
        if not math.isnan(self.iou):
            known.append(f"IoU {self.iou:.2f}")
        said = f"{LABELS[self.label]} {self.probability:.2f}"
        return [said, ", ".join(known)] if known else [said]

    @property
    def row(self) -> dict:
        """A row of predictions.csv."""
        row = {"path": str(self.path), "label": LABELS[self.label]}
        row["probability"] = round(self.probability, 4)
        corners = np.round(self.box.astype(float), 2).tolist()
        row |= dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True))
        if self.true_label != UNKNOWN:
            row |= {"true_label": LABELS[self.true_label], "iou": round(self.iou, 4)}
        return row

    def __str__(self) -> str:
        corners = " ".join(f"{corner:.0f}" for corner in self.box)
        return f"{self.path}: {', '.join(self.captions)}, box {corners}"


def find_pictures(
    paths: Sequence[Path], out: Path
) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """N files, each once, their labels (N,), and boxes (N, 4) in pixels of the file;
    UNKNOWN and NaN where nothing is known. What lies in `out` is left out of folders.

    Raises FileNotFoundError, ValueError for a folder without pictures, and the errors
    of a CSV; its rows without a usable box are told on standard error."""
    files, labels, boxes = [], [], []
    for path in paths:
        known = _annotated(path)
        if known is not None:
            for note in known.notes:
                print(f"wslib: {note}", file=sys.stderr)
            inside, of_boxes, of_labels = known.paths, known.boxes, known.labels
        else:
            inside = _plain_files(path, out)
            of_boxes = np.repeat(MISSING, len(inside), axis=0)
            of_labels = np.full(len(inside), UNKNOWN)
        files += inside
        labels.append(of_labels)
        boxes.append(of_boxes)
    first = {}
    for row, file in enumerate(files):
        first.setdefault(file.resolve(), row)
    rows = list(first.values())
    files = [files[row] for row in rows]
    return files, np.concatenate(labels)[rows], np.concatenate(boxes)[rows]


def _annotated(path: Path) -> Pictures | None:
    """The pictures with their truth, where there is any."""
    listed = path.suffix.lower() == ".csv" and not path.is_dir()
    return read_pictures(path) if listed or (path / "annotations").is_dir() else None


def _plain_files(path: Path, out: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such picture, folder or CSV")
    inside = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix.lower() in SUFFIXES and file.is_file()
        if out.resolve() not in file.resolve().parents
    ]
    if not inside:
        raise ValueError(f"{path}: no pictures in this folder, nor below it")
    return inside


def look_at(
    detector: TwoHeadNetwork,
    files: Sequence[Path],
    labels: np.ndarray,
    boxes: np.ndarray,
    mirrored: bool,
) -> tuple[list[Found], list[str]]:
    """What is found in a batch of files, and a complaint, one line, for each one that
    cannot be read. `labels` (N,) and `boxes` (N, 4) as `find_pictures` gives them."""
    with ThreadPoolExecutor(2, thread_name_prefix="pictures") as pool:
        images = list(pool.map(_read, files))
    rows = [row for row, image in enumerate(images) if not isinstance(image, str)]
    complaints = [image for image in images if isinstance(image, str)]
    if not rows:
        return [], complaints
    images, S = [images[row] for row in rows], detector.input_size
    pixels = np.stack([resize_image(i, S, S).transpose(2, 0, 1) for i in images])
    told = predict(detector, torch.from_numpy(pixels), mirrored)
    sizes = np.array([image.shape[1::-1] * 2 for image in images])  # w, h, w, h
    labels, boxes = labels[rows], boxes[rows]
    measured = measure_boxes(told.labels, told.boxes, labels, boxes / sizes)
    good = (measured["accuracy"] == 1) & (measured["good"] != 0)
    good |= labels == UNKNOWN
    likely = torch.from_numpy(told.logits).softmax(1).amax(1).numpy()
    fields = zip(
        *([files[row] for row in rows], images, told.labels.tolist(), likely.tolist()),
        *(told.boxes * sizes, labels.tolist(), boxes, measured["iou"], good),
        strict=True,
    )
    return [Found(*of_one) for of_one in fields], complaints


def _read(path: Path) -> np.ndarray | str:
    try:
        return read_image(path)
    except (OSError, ValueError) as error:
        return str(error)
