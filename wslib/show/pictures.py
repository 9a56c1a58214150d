"""Draw results on the pictures that they are of, and the course of a training.

Arrays in, figures out; boxes are (N, 4) or (N, 5), half-open, in pixels of the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from wslib.show import figures

IN_A_ROW = 5  # detections
SHEET_COLUMNS = 6
HEAD, CAPTION = 0.27, 2.9  # inches: the height of a caption's line, room for its words
MARKED = 20  # epochs; of more, the points of a curve are not marked


def draw_map(image: np.ndarray, title: str, heatmap: np.ndarray) -> Figure:
    """Draw a heat map (H, W) over the image (H, W, 3)."""
    share = image.shape[1] / image.shape[0]
    width = figures.WIDE * min(1, max(share, 1 / figures.SLENDER))
    return figures.image_grid([image], [title], 1, width, [heatmap])[0]


def draw_segmentation(
    image: np.ndarray,
    titles: tuple[str, str],
    heatmap: np.ndarray,
    points: tuple[np.ndarray, np.ndarray],
    box: np.ndarray | None,
    mask: np.ndarray,
) -> Figure:
    """Draw the map (H, W) with the prompt, and beside it the image with the outline of
    the mask (H, W). `points`: those on the object, and those beside it, (n, 2)."""
    fig, axes = figures.image_grid([image, image], titles, 2, heatmaps=[heatmap, None])
    for axis in axes:
        figures.draw_points(axis, *points)
    if box is not None:
        figures.draw_boxes(axes[0], found=[box])
    if mask.any():
        figures.draw_mask(axes[1], mask)
    return fig


def draw_detections(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    boxes: Sequence[Mapping[str, np.ndarray]],
    heatmaps: Sequence[np.ndarray] | None = None,
) -> Figure:
    """Draw images in rows, each with its `true`, `found` and `wrong` boxes, over their
    maps where there are any."""
    width = figures.WIDE * max(1, min(len(images), IN_A_ROW) / IN_A_ROW)
    fig, axes = figures.image_grid(images, titles, IN_A_ROW, width, heatmaps)
    for axis, kinds in zip(axes, boxes, strict=True):
        figures.draw_boxes(axis, **kinds)
    return fig


def draw_prediction(
    image: np.ndarray, caption: str, boxes: Mapping[str, Sequence]
) -> Figure:
    """Draw one image as wide as the text, its boxes by kind, below its caption."""
    height, width = image.shape[:2]
    scale = figures.WIDE / max(width, height)  # inches to a pixel
    size = max(scale * width, CAPTION), max(scale * height, HEAD) + HEAD
    fig, [[axis]] = figures.new_figure(1, 1, *size)
    fig.get_layout_engine().set(w_pad=0, h_pad=0.03)
    figures.show_image(axis, image, caption)
    figures.draw_boxes(axis, **boxes)
    return fig


def draw_sheet(
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    boxes: Sequence[Mapping[str, Sequence]],
) -> Figure:
    """Draw many small images on one sheet, each with its boxes by kind."""
    columns = min(SHEET_COLUMNS, len(images))
    width = 1.5 * figures.WIDE * columns / SHEET_COLUMNS
    fig, axes = figures.image_grid(images, captions, columns, width)
    for axis, kinds in zip(axes, boxes, strict=True):
        axis.title.set_fontsize(8)
        figures.draw_boxes(axis, **kinds)
    return fig


def draw_one_box_each(
    images: Sequence[np.ndarray],
    titles: Sequence[str],
    boxes: np.ndarray,
    right: Sequence[bool],
    true: np.ndarray | None = None,
) -> Figure:
    """Draw images in rows, each with the one box (N, 4) that was found, as a ratio of
    the image, in vermilion unless it is `right`; NaN is no box. `true` boxes likewise,
    dashed."""
    kinds = []
    for k, image in enumerate(images):
        scale = np.tile(image.shape[1::-1], 2)
        found = {"found" if right[k] else "wrong": boxes[k]}
        found |= {} if true is None else {"true": true[k]}
        kinds.append(
            {kind: [b * scale] for kind, b in found.items() if not np.isnan(b).any()}
        )
    return draw_detections(images, titles, kinds)


def draw_panels(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    x_label: str = "epoch",
    across: Sequence[float | None] = (),
    at: float | None = None,
    legends: int | None = None,
    height: float = 2.2,
) -> Figure:
    """Draw line plots side by side: what each shows -> the name of each line -> its x
    and y. A grey line goes `across` a panel where there is a value for it, and upright
    `at` an x in all; only the first `legends` panels have a legend."""
    fig, axes = figures.new_figure(1, len(panels), figures.WIDE, height)
    for k, (axis, (label, lines)) in enumerate(
        zip(axes.flat, panels.items(), strict=True)
    ):
        figures.draw_lines(axis, lines, x_label, label)
        if len(across) > k and across[k] is not None:
            axis.axhline(across[k], color=figures.GREY, linewidth=0.8)
        if at is not None:
            axis.axvline(at, color=figures.GREY, linewidth=0.8, linestyle=":")
        if legends is not None and k >= legends and axis.get_legend():
            axis.get_legend().remove()
    return fig


def draw_history(
    history: pd.DataFrame, panels: Mapping[str, Mapping[str, str]]
) -> Figure:
    """Draw a training, epoch by epoch. `panels`: what an axis shows -> the name of each
    line -> its column of `history`. A name has one colour in all panels."""
    width = min(figures.WIDE, figures.NARROW * len(panels))
    fig, axes = figures.new_figure(1, len(panels), width, 2.1)
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    marker = "o" if len(history) <= MARKED else ""
    for axis, (label, columns) in zip(axes.flat, panels.items(), strict=True):
        lines = {k: (history["epoch"], history[v]) for k, v in columns.items()}
        figures.draw_lines(axis, lines, "epoch", label, marker=marker)
        for name, line in zip(lines, axis.lines, strict=True):
            line.set_color(figures.SERIES[names.index(name)])
        axis.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axis.set_xlim(0.5, len(history) + 0.5)
    return fig
