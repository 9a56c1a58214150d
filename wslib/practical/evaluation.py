"""Measure a detector on sets of pictures, and say it as the practical does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from wslib.data.caltech import LABELS, Pictures, read_caltech, read_csv
from wslib.data.own_sets import own_pictures
from wslib.metrics.bootstrap import Interval
from wslib.metrics.single_box import GOOD_IOU, by_label, summarise
from wslib.models.two_heads import TwoHeadNetwork, load_detector
from wslib.practical.detector_training import predict
from wslib.practical.lab import compare
from wslib.practical.views import Examples
from wslib.runtime.device import pick_device

PARTS = {"train": "train set", "val": "validation set", "test": "test set"}
BOXES = ["iou", "good", "box_loss"]  # what a picture without a true box has not


@dataclass(frozen=True, eq=False)
class MeasuredSet:
    """A set of pictures: its name, a row of `measure_boxes` for each of them, and
    whether they were drawn by code."""

    name: str
    frame: pd.DataFrame
    rendered: bool
    classes: Sequence[str] = LABELS

    @property
    def measures(self) -> dict[str, Interval]:
        """The means with their intervals, without the boxes where none is known."""
        known = self.frame["iou"].notna().any()
        return summarise([self.frame if known else self.frame.drop(columns=BOXES)])

    @property
    def labels(self) -> list[dict]:
        """A row for all labels ("all"), and one for each."""
        return by_label(self.frame, self.classes).to_dict("records")

    @property
    def record(self) -> dict:
        """All of it, for JSON."""
        boxes, measures = int(self.frame["iou"].count()), self.measures.items()
        return {
            **{"name": self.name, "pictures": len(self.frame), "boxes": boxes},
            "rendered": self.rendered,
            "measures": {name: interval._asdict() for name, interval in measures},
            "labels": self.labels,
        }

    def __str__(self) -> str:
        """Return the lines that the practical's eval.py prints."""
        whole, *labels = self.labels
        drawn = " (rendered pictures)" if self.rendered else ""
        lines = [f"*** {self.name} accuracy{drawn}"]
        lines.append(f"Mean accuracy for all labels: {_accuracy(whole)}")
        for row in labels:
            name, right, count = row["label"], row["right"], row["count"]
            lines.append(f"    Mean accuracy for label {name}: {_accuracy(row)}")
            lines.append(f"             {right} over {count} samples")
        return "\n".join(lines + _box_lines(self, labels))


def open_detector(path: Path, device: str) -> tuple[TwoHeadNetwork, dict]:
    """Open the detector in a file, on a device, with what is known about it: its
    `classes`, ... Errors as `load_detector`."""
    detector, about = load_detector(path)
    return detector.to(pick_device(device)), about


def open_sets(
    model: Path, paths: Sequence[Path], classes: Sequence[str] = LABELS
) -> dict[str, Pictures]:
    """Open CSVs and folders of pictures of these classes by name; without any, what
    lies beside the model. Raises ValueError where nothing does; errors as
    `read_pictures`."""
    named = {str(path): path for path in paths}
    if not paths:
        beside = {name: model.with_name(f"{part}.csv") for part, name in PARTS.items()}
        named = {name: path for name, path in beside.items() if path.is_file()}
    if not named:
        text = "no train.csv, val.csv or test.csv beside it; name a CSV or a folder"
        raise ValueError(f"{model}: {text}")
    return {name: read_pictures(path, classes) for name, path in named.items()}


def read_pictures(path: Path, classes: Sequence[str] = LABELS) -> Pictures:
    """Read the annotated pictures of a CSV, or of a folder, the practical's or a
    person's own. Raises ValueError, one line that names it, for a class that is not one
    of these; errors as its reader."""
    if not path.is_dir():
        return read_csv(path, classes)
    if (path / "annotations" / f"{classes[0]}.csv").is_file():
        return read_caltech(path, classes)
    pictures = own_pictures(path)
    for name in pictures.classes:
        if name not in classes:
            text = f"pictures of {name!r}, expected {', '.join(classes)}"
            raise ValueError(f"{path}: {text}")
    order = np.array([classes.index(name) for name in pictures.classes])
    labels = order[pictures.labels]
    return replace(pictures, labels=labels, classes=tuple(classes))


def measure_set(
    detector: TwoHeadNetwork,
    pictures: Pictures,
    name: str,
    examples: Examples | None = None,
    mirrored: bool = False,
) -> MeasuredSet:
    """Compare what the detector says of pictures with the truth. `examples` are the
    pictures decoded, if they are already; `mirrored` as in `predict`."""
    if examples is None:
        examples = Examples.read(pictures, detector.input_size, f"reading {name}")
    predictions = predict(detector, examples.pixels, mirrored, "predicting")
    frame = compare(predictions, examples)
    return MeasuredSet(name, frame, pictures.rendered, pictures.classes)


def _box_lines(measured: MeasuredSet, labels: Sequence[Mapping]) -> list[str]:
    measures, known = measured.measures, measured.frame["iou"].count()
    if not known:
        return ["No true boxes are known"]
    lines = [f"Mean box IoU: {_number(measures['iou'])}"]
    lines += [
        f"    Mean box IoU for label {row['label']}: {row['iou']:.4f}"
        for row in labels
        if math.isfinite(row["iou"])
    ]
    lines.append(f"IoU above {GOOD_IOU}: {_number(measures['good'])}")
    good = int(measured.frame["good"].sum())
    return [*lines, f"             {good} over {known} boxes"]


def _accuracy(row: Mapping) -> str:
    return _number(Interval(row["accuracy"], row["low"], row["high"]))


def _number(interval: Interval) -> str:
    value, low, high = interval
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"
