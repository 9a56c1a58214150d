"""What `wslib caltech` draws and writes: pictures with boxes, curves of training."""

from __future__ import annotations

import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import typer
from matplotlib.axes import Axes

from wslib.cli.caltech_predictions import UNKNOWN, Found, find_pictures, look_at
from wslib.cli.caltech_reports import open_model
from wslib.cli.options import check_out
from wslib.cli.printing import print_json
from wslib.cli.voc_pictures import save_figure
from wslib.data.images import read_image, resize_image
from wslib.runtime.kept import write_text
from wslib.runtime.progress import progress
from wslib.show import figures

BATCH = 32
ON_SHEET, COLUMNS = 48, 6
THUMB = 240  # pixels, the longer side of a picture on the sheet
HEAD, CAPTION = 0.27, 2.9  # inches: the height of a caption's line, room for its words
CORNERS = ["x1", "y1", "x2", "y2"]


def predict(
    model: Path,
    paths: Sequence[Path],
    only_failures: bool,
    sheet: bool,
    mirrored: bool,
    device: str,
    out: Path,
    for_programs: bool = False,
) -> None:
    """Look at all pictures; write those that are wanted, with what was found."""
    detector, _ = open_model(model, device)
    files, labels, boxes = find_pictures(paths, out)
    if only_failures and (labels == UNKNOWN).any():
        stranger = files[(labels == UNKNOWN).argmax()]
        text = "no true label is known, so --only-failures cannot tell; give a CSV"
        raise ValueError(f"{stranger}: {text}")
    copies = plan(files, out)
    shown, unread = [], []
    batches = np.array_split(np.arange(len(files)), math.ceil(len(files) / BATCH))
    for rows in progress(batches, "predicting"):
        some = [files[row] for row in rows]
        found, complaints = look_at(detector, some, labels[rows], boxes[rows], mirrored)
        unread += complaints
        for one in found:
            if not (only_failures and one.good):
                draw(one, copies[one.path])
                shown.append(replace(one, image=None))
    write_predictions(out / "predictions.csv", shown)
    if sheet and shown:
        draw_sheet(shown, out / "sheet.png")
    if for_programs:
        print_json([found.row for found in shown])
    else:
        _tell(shown, len(files), len(files) - len(unread), only_failures, out)
    _complain(unread)


def _tell(shown, count: int, read: int, only_failures: bool, out: Path) -> None:
    """A line for each picture, and where all of them are."""
    for found in shown:
        print(found)
    looked = f"failures in {read}" if only_failures else f"of {count}"
    print(f"{len(shown)} {looked} pictures: {out / 'predictions.csv'}")


def _complain(unread: Sequence[str]) -> None:
    """What could not be read makes it end with status 1."""
    for complaint in unread:  # told here, where the progress bar is gone
        print(f"wslib: {complaint}", file=sys.stderr)
    if unread:
        raise typer.Exit(1)


def plan(files: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Where the copy of each picture goes: as deep below `out` as it lies below the
    folder that all of them have in common, a PNG. Two that differ only in their endings
    keep these. Raises ValueError where a copy would replace one of the pictures."""
    full = {file: file.resolve() for file in files}
    top = Path(os.path.commonpath([path.parent for path in full.values()]))
    names = {file: path.relative_to(top) for file, path in full.items()}
    count = Counter(name.with_suffix("") for name in names.values())
    count.update([Path("sheet")])  # is one of ours
    copies, taken = {}, set(full.values())
    for file, name in names.items():
        alone = count[name.with_suffix("")] == 1
        copies[file] = out / (name.with_suffix(".png") if alone else f"{name}.png")
        if copies[file].resolve() in taken:
            text = "is one of the pictures, and is not replaced; choose another --out"
            raise ValueError(f"{copies[file]}: {text}")
        taken.add(copies[file].resolve())
    for folder in {out, *(copy.parent for copy in copies.values())}:
        check_out(folder / "predictions.csv")
    return copies


def write_predictions(path: Path, shown: Sequence[Found]) -> None:
    """A row for each picture; where no truth is known, without columns for it."""
    columns = ["path", "label", "probability", *CORNERS]
    known = any(found.true_label != UNKNOWN for found in shown)
    frame = pd.DataFrame(
        [found.row for found in shown],
        columns=[*columns, "true_label", "iou"] if known else columns,
    )
    write_text(path, frame.to_csv(index=False))


def draw(found: Found, out: Path) -> None:
    """A copy of the picture with the boxes, below its caption."""
    height, width = found.image.shape[:2]
    scale = figures.WIDE / max(width, height)  # inches to a pixel
    size = max(scale * width, CAPTION), scale * height + HEAD
    fig, [[axis]] = figures.new_figure(1, 1, *size)
    fig.get_layout_engine().set(w_pad=0, h_pad=0.03)
    figures.show_image(axis, found.image, ", ".join(found.captions))
    _draw_boxes(axis, found)
    save_figure(fig, out)


def draw_sheet(shown: Sequence[Found], out: Path) -> None:
    """All of them, or 48 that are evenly spaced among them, small on one sheet."""
    rows = np.linspace(0, len(shown) - 1, min(len(shown), ON_SHEET)).round().astype(int)
    small = [_small(shown[row]) for row in progress(rows, "sheet")]
    captions = ["\n".join(found.captions) for found in small]
    columns = min(COLUMNS, len(small))
    width = 1.5 * figures.WIDE * columns / COLUMNS
    images = [found.image for found in small]
    fig, axes = figures.image_grid(images, captions, columns, width)
    for axis, found in zip(axes, small, strict=True):
        axis.title.set_fontsize(8)
        _draw_boxes(axis, found)
    save_figure(fig, out)


def _small(found: Found) -> Found:
    """The same, with its picture as small as it is on the sheet."""
    image = read_image(found.path)
    height, width = image.shape[:2]
    scale = min(1, THUMB / max(width, height))
    small = [max(1, round(scale * side)) for side in (width, height)]
    ratio = np.array(small * 2) / (width, height, width, height)
    boxes = {"box": found.box * ratio, "true_box": found.true_box * ratio}
    return replace(found, image=resize_image(image, *small), **boxes)


def _draw_boxes(axis: Axes, found: Found) -> None:
    true = [] if np.isnan(found.true_box).any() else [found.true_box]
    kind = "found" if found.good else "wrong"
    figures.draw_boxes(axis, **{"true": true, kind: [found.box]})


def draw_curves(history: pd.DataFrame, out: Path) -> None:
    """Loss and accuracy of train and val, and the mean IoU of val, of each epoch."""
    panels = {
        "loss": {"train": "loss", "val": "val_loss"},
        "accuracy": {"train": "accuracy", "val": "val_accuracy"},
        "mean box IoU of val": {"val": "val_iou"},
    }
    fig, axes = figures.new_figure(1, len(panels), figures.WIDE, 2.1)
    marker = "o" if len(history) <= 20 else ""
    for axis, (label, columns) in zip(axes.flat, panels.items(), strict=True):
        series = {k: (history["epoch"], history[v]) for k, v in columns.items()}
        figures.draw_lines(axis, series, "epoch", label, marker=marker)
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.set_xlim(0.5, len(history) + 0.5)
    axes.flat[-1].lines[0].set_color(figures.SERIES[1])  # as val is beside it
    save_figure(fig, out)
