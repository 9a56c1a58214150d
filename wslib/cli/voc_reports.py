"""What the commands of `wslib voc` print: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wslib.boxes.boxes import centre_box
from wslib.boxes.detections import Detections, as_json, save_detections
from wslib.cli.printing import print_json
from wslib.data.datasets import open_voc2007
from wslib.data.voc import CLASSES, VOC2007
from wslib.metrics.bootstrap import evaluate_with_intervals
from wslib.metrics.classification import mean_average_precision
from wslib.metrics.detection import evaluate
from wslib.metrics.errors import error_budget
from wslib.metrics.localisation import corloc
from wslib.metrics.matching import Boxes
from wslib.show.tables import Table

MEASURED = ("AP", "recall", "CorLoc")
CLASSIFICATION = "average precision of each class, not interpolated, percent; images "
CLASSIFICATION += "with difficult objects of the class only are left out"


def baselines(
    voc: VOC2007, truth: Boxes, probabilities: np.ndarray | None = None
) -> dict[str, Boxes]:
    """The course's detectors that see no place; C where there are probabilities (N,).

    The boxes are read as VOC corners as they are: see `wslib.boxes.boxes.centre_box`.
    """

    def amid(image_id: str, score: float = 1.0) -> np.ndarray:
        note = voc.annotation(image_id)
        return centre_box(note.width, note.height, area=0.3, score=score)

    found = {"A": {i: amid(i) for i in truth}}
    found["B"] = {i: amid(i) for i in truth if len(truth[i])}
    if probabilities is not None:
        scored = zip(truth, probabilities.tolist(), strict=True)
        found["C"] = {i: amid(i, score) for i, score in scored}
    return found


def report_baselines(
    detectors: Mapping[str, Boxes],
    truth: Boxes,
    ious: Sequence[float],
    protocol: str,
    about: dict,
    digits: int,
    for_programs: bool,
) -> None:
    """A row for each detector: AP and recall in percent at up to three IoU."""
    ious = list(dict.fromkeys(ious))
    if len(ious) > 3:
        raise ValueError(f"--iou given {len(ious)} times: a row has room for 3")
    rows = []
    for name, found in detectors.items():
        measured = evaluate(found, truth, ious, protocol)
        row = {"detector": name}
        for label, metric in (("AP", "ap"), ("recall", "recall")):
            row |= {f"{label} {iou}": measured.loc[metric, iou] for iou in ious}
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.attrs = measured.attrs
    about = {**about, "images": len(truth), "objects": _count(truth)}
    if for_programs:
        rows = frame.to_dict("records")
        return print_json({**about, **frame.attrs, "baselines": rows})
    print(_line(about))
    print(_table(frame, digits))


def report_classes(
    told: np.ndarray, labels: np.ndarray, about: dict, digits: int, for_programs: bool
) -> None:
    """AP of each class that there is, and the mean. told, labels: (N, 20)."""
    mean, each = mean_average_precision(told, labels)
    images = (labels == 1).sum(0)
    frame = pd.DataFrame({"class": CLASSES, "images": images, "AP": 100 * each})
    frame = frame[frame["images"] > 0]
    if for_programs:
        classes = dict(zip(frame["class"], frame["AP"], strict=True))
        return print_json({**about, "mAP": 100 * mean, "AP": classes})
    frame.attrs["protocol"] = CLASSIFICATION
    frame = frame.sort_values("AP", ascending=False).reset_index(drop=True)
    print(_line(about))
    print(_table(frame, digits))
    print(f"mAP {100 * mean:.{digits}f} % over {len(frame)} classes")


def report_boxes(found: Detections, out: Path | None, for_programs: bool) -> None:
    """Save the boxes, or print them all."""
    told = (
        f"{_count(found.boxes)} {found.class_name} boxes in {len(found.boxes)} images"
    )
    if out is not None:
        save_detections(out, found)
        told += f", saved in {out}"
    if for_programs:
        print(as_json(found), end="")
    elif out is not None:
        print(told)
    else:
        for image_id, boxes in found.boxes.items():
            for *box, score in boxes.tolist():
                print(image_id, *(f"{corner:g}" for corner in box), f"{score:.4g}")


def truth_of(path: Path, found: Detections) -> tuple[VOC2007, Boxes]:
    """The data set of the images, and their true boxes. Raises ValueError where there
    are none."""
    if found.dataset == "files":
        raise ValueError(f"{path}: found in files of no data set, without true boxes")
    try:
        voc = open_voc2007(found.dataset, **found.recipe.get("rendered", {}))
    except TypeError:
        counts = found.recipe["rendered"]
        raise ValueError(f"{path}: rendered {counts!r}, expected counts") from None
    return voc, voc.ground_truth(found.boxes, found.class_name)


def report_score(
    path: Path,
    found: Detections,
    ious: Sequence[float],
    protocol: str,
    draws: int,
    digits: int,
    for_programs: bool,
) -> None:
    """AP, recall and CorLoc with intervals, and the errors at the last IoU."""
    truth, ious = truth_of(path, found)[1], list(dict.fromkeys(ious))
    if not any(map(len, truth.values())):
        raise ValueError(f"{path}: no {found.class_name} in its {len(truth)} images")
    frame = _measured(found.boxes, truth, ious, protocol, draws)
    budget = error_budget(found.boxes, truth, ious[-1], protocol, min(0.1, ious[-1]))
    about = {"class": found.class_name, "dataset": found.dataset, "split": found.split}
    about["images"] = len(truth)
    about["objects"], about["boxes"] = (_count(b) for b in (truth, found.boxes))
    if for_programs:
        about |= {"model": found.model, "recipe": found.recipe, **frame.attrs}
        about["measures"] = frame.to_dict("records")
        about["errors"] = {"iou": ious[-1], "kinds": budget.to_dict("records")}
        return print_json(about)
    print(_line(about))
    recipe = {k: v for k, v in found.recipe.items() if k != "rendered"}
    print(_line({"model": found.model, **recipe}), end="\n\n")
    print(_table(_by_iou(frame), digits, MEASURED))
    budget.attrs = {}  # the protocol stands above
    print(f"\nErrors at IoU {ious[-1]:g}, and the points of AP that each kind costs:")
    print(_table(budget.rename(columns={"ap_lost": "AP lost"}), digits))


def _measured(
    boxes: Boxes, truth: Boxes, ious: Sequence[float], protocol: str, draws: int
) -> pd.DataFrame:
    """The frame of `evaluate_with_intervals`, in percent, with CorLoc below."""
    images = list(truth)
    frame = evaluate_with_intervals(boxes, truth, ious, protocol, images, draws)
    first = 100 * pd.DataFrame([corloc(boxes, truth, iou) for iou in ious])
    first = first.assign(metric="corloc", iou=ious)
    joined = pd.concat([frame, first], ignore_index=True)
    joined.attrs = frame.attrs
    return joined


def _by_iou(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each IoU; the bounds of each number in columns beside it."""
    wide = pd.DataFrame({"IoU": [f"{iou:g}" for iou in frame["iou"].unique()]})
    for label in MEASURED:
        part = frame[frame["metric"] == label.lower()]
        wide[label] = part["value"].to_numpy()
        wide[f"{label} low"] = part["low"].to_numpy()
        wide[f"{label} high"] = part["high"].to_numpy()
    wide.attrs = frame.attrs
    return wide


def _count(boxes: Boxes) -> int:
    return sum(map(len, boxes.values()))


def _table(frame: pd.DataFrame, digits: int, measured: Sequence[str] = ()) -> Table:
    """Numbers with so many digits; those that are whole, all of a column, without."""
    formats = {
        label: ".0f" if label not in measured and _whole(values) else f".{digits}f"
        for label, values in frame.select_dtypes("float").items()
        if not str(label).endswith((" low", " high"))
    }
    bounds = {label: (f"{label} low", f"{label} high") for label in measured}
    return Table(frame, "voc", formats, intervals=bounds, save=False)


def _whole(values: pd.Series) -> bool:
    return bool((values.round(9) % 1 == 0).all())


def _line(about: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in about.items())
