"""Draw heat maps beside each other: by method and layer, scaled and raw, shuffled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wslib.show import figures


def draw_map_table(
    image: np.ndarray, rows: Mapping[str, Mapping[str, np.ndarray]]
) -> Figure:
    """Draw maps of one image: row name -> column name -> map (H, W) in [0, 1]. All rows
    have the columns of the first."""
    columns = list(next(iter(rows.values())))
    maps = [row[column] for row in rows.values() for column in columns]
    titles = columns + [""] * (len(maps) - len(columns))
    fig, axes = figures.image_grid(
        [image] * len(maps), titles, len(columns), heatmaps=maps
    )
    for axis, name in zip(axes[:: len(columns)], rows, strict=True):
        axis.set_ylabel(name)
    return fig


def draw_scaling(
    image: np.ndarray, names: Sequence[str], raw: np.ndarray, scaled: np.ndarray
) -> Figure:
    """Draw, for each class of `names`, its raw map (h, w) on the scale of the first,
    the scaled map (H, W), and this over the image."""
    fig, axes = figures.new_figure(
        len(names), 3, height=1.18 * len(names), width_ratios=[1.2, 1.2, 1]
    )
    limits = (float(raw[0].min()), float(raw[0].max()))
    for row, name, values, shown in zip(axes, names, raw, scaled, strict=True):
        for axis, drawn, scale in ((row[0], values, limits), (row[1], shown, (0, 1))):
            bar = figures.heatmap_overlay(axis, image, drawn, alpha=1.0, limits=scale)
            figures.add_colour_bar(fig, bar, axis, "")
        figures.heatmap_overlay(row[2], image, shown)
        row[0].set_ylabel(name)
    for axis, title in zip(axes[0], ("raw", "scaled", "as it is shown"), strict=True):
        axis.set_title(title)
    return fig


def draw_shuffled(
    image: np.ndarray, maps: Sequence[np.ndarray], steps: Sequence[str], rho: np.ndarray
) -> Figure:
    """Draw five of the maps, one for each step of a shuffling, above the correlations
    `rho` (shuffles, steps): their mean as a line, their range as a band."""
    fig, axes = figures.new_mosaic("abcde;fffff", height=2.3, height_ratios=[1, 1])
    picked = np.linspace(0, len(steps) - 1, 5).round().astype(int)
    for panel, step in zip("abcde", picked, strict=True):
        title = f"… to {steps[step]}" if step else steps[0]
        figures.heatmap_overlay(axes[panel], image, maps[step], title=title)
    x = np.arange(len(steps))
    lines, bands = {"rho": (x, rho.mean(0))}, {"rho": (rho.min(0), rho.max(0))}
    words = ("shuffled from the top down to", "rank correlation")
    figures.draw_lines(axes["f"], lines, *words, bands=bands, marker="o")
    axes["f"].axhline(0, color=figures.GREY, lw=0.8)
    axes["f"].set_xticks(x, steps)
    return fig


def outline(axis: Axes, heatmap: np.ndarray, threshold: float) -> None:
    """Draw the outline of what is bright in a map (H, W) of the image's own size."""
    if (heatmap >= threshold).any():
        figures.draw_mask(axis, heatmap >= threshold)
