"""What the commands of `wslib voc` draw: boxes that were found, curves of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wslib.boxes.boxes import from_voc
from wslib.boxes.detections import Detections
from wslib.cli.voc_networks import Look, Network
from wslib.cli.voc_reports import truth_of
from wslib.data.images import read_image
from wslib.metrics.overlap import box_iou
from wslib.models.checkpoints import written_whole
from wslib.show import figures

COLUMNS = 5  # images in a row
RIGHT = 0.5  # IoU above which a box is right


def choose(
    path: Path, found: Detections, n: int, seed: int, named: Sequence[str]
) -> list[str]:
    """The ids that are named; else `n` of them, drawn from `seed`. Raises ValueError
    for an image that was not looked at."""
    for image_id in named:
        if image_id not in found.boxes:
            raise ValueError(f"{path}: no image {image_id!r} in it")
    if named:
        return list(dict.fromkeys(named))
    ids = list(found.boxes)
    rng = np.random.default_rng(seed)
    return [ids[k] for k in rng.permutation(len(ids))[:n]]


def show(
    path: Path,
    found: Detections,
    ids: Sequence[str],
    network: Network | None,
    out: Path,
) -> None:
    """Draw images with true and found boxes, over their maps where there is a network.

    Raises ValueError for another network than the one that found the boxes.
    """
    if network is not None and network.fingerprint != found.model:
        text = f"its boxes were found by network {found.model}, not by "
        text += f"{network.path}, which is {network.fingerprint}"
        raise ValueError(f"{path}: {text}")
    if found.dataset == "files":
        paths, truth = [Path(image_id) for image_id in ids], {}
    else:
        voc, truth = truth_of(path, found)
        paths = [voc.image_path(image_id) for image_id in ids]
    images = [read_image(image) for image in paths]
    maps = None if network is None else _maps(found, ids, paths, network)
    titles = [_title(image_id, found.boxes[image_id]) for image_id in ids]
    width = figures.WIDE * max(1, min(len(ids), COLUMNS) / COLUMNS)
    fig, axes = figures.image_grid(images, titles, COLUMNS, width, maps)
    for axis, image_id in zip(axes, ids, strict=True):
        true = truth.get(image_id, np.zeros((0, 5)))
        right, wrong = _judged(found.boxes[image_id], true, bool(truth))
        boxes = {"true": from_voc(true), "found": right, "wrong": wrong}
        figures.draw_boxes(axis, **boxes)
    save_figure(fig, out)


def _maps(found: Detections, ids, paths, network: Network) -> list[np.ndarray]:
    """The maps of these images only, in the way in which they were made then."""
    recipe = network.recipe(found.class_name, found.recipe.get("kind"), threshold=1.0)
    how = Look(found.recipe.get("size", network.size))
    maps = network.maps(ids, paths, found.class_name, recipe, how)
    return [maps.heatmap(index) for index in range(len(ids))]


def _title(image_id: str, boxes: np.ndarray) -> str:
    best = f": {boxes[:, 4].max():.2f}" if len(boxes) else ": no box"
    return Path(image_id).name + best


def _judged(boxes: np.ndarray, true: np.ndarray, known: bool):
    """Boxes as they are drawn, right and wrong; all right where no truth is known."""
    if not known:
        return from_voc(boxes), ()
    iou = box_iou(boxes[:, None], true[None], pixel=1).max(1, initial=0)  # (N,)
    return from_voc(boxes[iou > RIGHT]), from_voc(boxes[iou <= RIGHT])


def draw_curves(history: pd.DataFrame, out: Path) -> None:
    """The loss of each epoch, and beside it the mAP where there is one."""
    columns = [("loss", "loss")]
    columns += [("mAP", "mAP (%)")] if "mAP" in history else []
    fig, axes = figures.new_figure(1, len(columns), 3.1 * len(columns), 2.3)
    for axis, (column, label) in zip(axes.flat, columns, strict=True):
        series = {label: (history["epoch"], history[column])}
        figures.draw_lines(axis, series, "epoch", label, marker="o")
        axis.xaxis.get_major_locator().set_params(integer=True)
    save_figure(fig, out)


def save_figure(fig: Figure, out: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    with written_whole(out) as part:
        fig.savefig(part, format="png", dpi=figures.DPI)
