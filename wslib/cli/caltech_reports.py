"""`wslib caltech eval`: how right a network is, in text or JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from wslib.cli.printing import print_json
from wslib.data.caltech import LABELS, Pictures, load_pixels, read_caltech, read_csv
from wslib.metrics.bootstrap import Interval
from wslib.metrics.single_box import GOOD_IOU, by_label, measure_boxes, summarise
from wslib.models.two_heads import TwoHeadNetwork, load_detector
from wslib.practical.detector_training import predict
from wslib.practical.views import Examples
from wslib.runtime.device import pick_device

PARTS = {"train": "train set", "val": "validation set", "test": "test set"}
BOXES = ["iou", "good", "box_loss"]  # what a picture without a true box has not


@dataclass(frozen=True)
class Measured:
    """A set of pictures: what it is called, and a row for each of them."""

    name: str
    frame: pd.DataFrame  # of `measure_boxes`
    rendered: bool


def evaluate(
    model: Path, data: Sequence[Path], mirrored: bool, device: str, for_programs: bool
) -> None:
    """Measure a network on CSVs and folders, and print it."""
    detector, about = open_model(model, device)
    sets = {name: read_pictures(path) for name, path in _named(model, data).items()}
    measured = []
    for name, pictures in sets.items():
        examples = read_examples(pictures, detector.input_size, name)
        frame = measure(detector, examples, mirrored)
        measured.append(Measured(name, frame, pictures.rendered))
    told = {"model": str(model), "network": about["network"], "mirrored": mirrored}
    report(measured, told, for_programs)


def open_model(path: Path, device: str) -> tuple[TwoHeadNetwork, dict]:
    """The detector in a file, where it is to compute, and what is known about it."""
    detector, about = load_detector(path)
    if about["classes"] != list(LABELS):
        text = f"its classes are {', '.join(about['classes'])}"
        raise ValueError(f"{path}: {text}, expected {', '.join(LABELS)}")
    return detector.to(pick_device(device)), about


def _named(model: Path, data: Sequence[Path]) -> dict[str, Path]:
    """What is to be measured, by name; without `data`, what lies beside the model."""
    if data:
        return {str(path): path for path in data}
    beside = {name: model.with_name(f"{part}.csv") for part, name in PARTS.items()}
    found = {name: path for name, path in beside.items() if path.is_file()}
    if not found:
        text = "no train.csv, val.csv or test.csv beside it; name a CSV or a folder"
        raise ValueError(f"{model}: {text}")
    return found


def read_pictures(path: Path) -> Pictures:
    """The annotated pictures of a CSV, or of a folder."""
    return read_caltech(path) if path.is_dir() else read_csv(path)


def read_examples(pictures: Pictures, size: int, name: str) -> Examples:
    """The pictures, decoded to `size` x `size`, with their labels and boxes."""
    pixels = load_pixels(pictures, size, desc=f"reading {name}")
    labels, boxes = map(torch.from_numpy, (pictures.labels, pictures.ratios))
    return Examples(pixels, labels, boxes)


def measure(
    detector: TwoHeadNetwork, examples: Examples, mirrored: bool
) -> pd.DataFrame:
    """What the network says of each example, compared with the truth."""
    told = predict(detector, examples.pixels, mirrored, "looking")
    truth = examples.labels.numpy(), examples.boxes.numpy()
    return measure_boxes(told.labels, told.boxes, *truth, told.logits)


def summary(frame: pd.DataFrame) -> dict[str, Interval]:
    """`wslib.metrics.single_box.summarise`, without the boxes where none is known."""
    known = frame["iou"].notna().any()
    return summarise([frame if known else frame.drop(columns=BOXES)])


def report(sets: Sequence[Measured], about: Mapping, for_programs: bool) -> None:
    """Print the measures of each set: as the practical's eval.py does, or as JSON."""
    if for_programs:
        return print_json({**about, "sets": [_record(measured) for measured in sets]})
    for measured in sets:
        print("\n".join(_lines(measured)))
    text = "95 % intervals in brackets: of shares Wilson's, of the mean by bootstrap"
    print(text + ("; mean of picture and mirror image" if about["mirrored"] else ""))


def _lines(measured: Measured) -> list[str]:
    whole, *labels = by_label(measured.frame, LABELS).to_dict("records")
    drawn = " (rendered pictures)" if measured.rendered else ""
    lines = [f"*** {measured.name} accuracy{drawn}"]
    lines.append(f"Mean accuracy for all labels: {_accuracy(whole)}")
    for row in labels:
        lines.append(f"    Mean accuracy for label {row['label']}: {_accuracy(row)}")
        lines.append(f"             {row['right']} over {row['count']} samples")
    return lines + _box_lines(measured.frame, labels)


def _box_lines(frame: pd.DataFrame, labels: Sequence[Mapping]) -> list[str]:
    told, known = summary(frame), frame["iou"].count()
    if not known:
        return ["No true boxes are known"]
    lines = [f"Mean box IoU: {_number(told['iou'])}"]
    lines += [
        f"    Mean box IoU for label {row['label']}: {row['iou']:.4f}"
        for row in labels
        if math.isfinite(row["iou"])
    ]
    lines.append(f"IoU above {GOOD_IOU}: {_number(told['good'])}")
    return [*lines, f"             {int(frame['good'].sum())} over {known} boxes"]


def _accuracy(row: Mapping) -> str:
    return _number(Interval(row["accuracy"], row["low"], row["high"]))


def _number(interval: Interval) -> str:
    value, low, high = interval
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def _record(measured: Measured) -> dict:
    told = {"name": measured.name, "pictures": len(measured.frame)}
    told["boxes"] = int(measured.frame["iou"].count())
    told["rendered"] = measured.rendered
    told["measures"] = {k: v._asdict() for k, v in summary(measured.frame).items()}
    told["labels"] = by_label(measured.frame, LABELS).to_dict("records")
    return told
