"""One look for all figures: colours, sizes and the few kinds of picture in the book.

Figures are made without pyplot and its global state, drawn at the size at which they
are printed, and shown through `Picture`, which also saves them. Images may be HWC or HW
arrays (uint8, or float in [0, 1]) or CHW tensors. Axes over images count pixels from
the first pixel's upper left corner, so that half-open boxes are drawn where they are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from wslib.runtime.kept import write_bytes
from wslib.runtime.project import results_folder, tell
from wslib.show import svg

WIDE, NARROW = 6.3, 3.1  # inches: the width of the text, and of half of it
DPI = 120
SLENDER = 10  # to 1; the room in a grid for a picture that is more slender than that

TEAL, ORANGE, VERMILION = "#00756f", "#e69f00", "#d55e00"
BLUE, SKY, PURPLE = "#0072b2", "#56b4e9", "#cc79a7"
INK, GREY, PALE = "#222222", "#767676", "#d9d9d9"
SERIES = (TEAL, ORANGE, BLUE, PURPLE, VERMILION, SKY)
MAP = "inferno"

BOX_STYLES = {
    "true": {"edgecolor": TEAL, "linestyle": (0, (3.5, 1.8))},
    "found": {"edgecolor": ORANGE, "linestyle": "-"},
    "wrong": {"edgecolor": VERMILION, "linestyle": "-"},
}
HALO = [withStroke(linewidth=2.8, foreground="white", alpha=0.85)]  # over any map

STYLE = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral"],
    "mathtext.fontset": "stix",
    **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), 9),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 8),
    **dict.fromkeys(("text.color", "axes.labelcolor"), INK),
    **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), INK),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), GREY),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width"), 0.6),
    "axes.titlepad": 4,
    "axes.prop_cycle": cycler(color=SERIES),
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.5,
    "lines.markersize": 4,
    "figure.dpi": DPI,
    "svg.fonttype": "path",
    "svg.hashsalt": "wslib",
}


def use_house_style() -> None:
    """Set the house look for all matplotlib figures made from here on, and nothing of a
    matplotlibrc of the reader's own."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)


class Picture:
    """A finished figure that a notebook shows as SVG, photographs at 240 dpi within.

    It is saved at once to `$WSLIB_BUILD/figures/NAME.svg` (`build/interactive` by
    default); a chapter that runs as a plain script says so. The same figure gives the
    same bytes. Raises ValueError for a name that is no plain file name.
    """

    def __init__(self, fig: Figure, name: str):
        if not re.fullmatch(r"[\w-]+", name):
            raise ValueError(
                f"picture name is {name!r}, expected letters, digits, - and _"
            )
        self.fig, self.name = fig, name
        self.data = _render(fig)
        self.path = results_folder() / "figures" / f"{name}.svg"
        write_bytes(self.path, self.data)
        tell(f"\nfigure: {self.path}")

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"image/svg+xml": self.data.decode()}

    def __repr__(self) -> str:
        width, height = self.fig.get_size_inches()
        return f"Picture({self.name!r}, {width:.1f} x {height:.1f} in)"


def _render(fig: Figure) -> bytes:
    """The figure as a file, without date and without the name of the program."""
    file, unsaid = io.BytesIO(), dict.fromkeys(("Date", "Creator"))
    with matplotlib.rc_context():
        use_house_style()
        fig.savefig(file, format="svg", dpi=svg.DPI, metadata=unsaid)
    return svg.pack(svg.trim(file.getvalue()))


def new_figure(
    rows: int = 1,
    columns: int = 1,
    width: float = WIDE,
    height: float | None = None,
    **options,
) -> tuple[Figure, np.ndarray]:
    """A figure in the house look and its axes, always an array (rows, columns).

    Sizes are in inches; `options` go to `Figure.subplots`: `width_ratios=[2, 1]`.
    """
    use_house_style()
    size = (width, height or rows * width / columns / 1.5)
    fig = Figure(figsize=size, layout="constrained")
    return fig, fig.subplots(rows, columns, squeeze=False, **options)


def new_mosaic(layout, width: float = WIDE, height: float = 3.0, **options):
    """A figure in the house look and its axes by name: `new_mosaic("ab;cc")`."""
    fig, axes = new_figure(1, 1, width, height)
    fig.delaxes(axes[0, 0])
    return fig, fig.subplot_mosaic(layout, **options)


def as_pixels(image) -> np.ndarray:
    """HW, HWC or CHW, array or tensor -> HW or HWC, uint8 or float in [0, 1]."""
    pixels = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)  # (C, H, W) -> (H, W, C)
    if pixels.ndim not in (2, 3):
        raise ValueError(f"image has shape {pixels.shape}, expected HW, HWC or CHW")
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    return pixels if pixels.dtype == np.uint8 else np.clip(pixels, 0, 1)


def as_grey(image) -> np.ndarray:
    """The picture's luminance (H, W) in [0, 1], ITU-R BT.601 weights."""
    pixels = as_pixels(image)
    pixels = pixels / 255 if pixels.dtype == np.uint8 else pixels
    weights = [0.299, 0.587, 0.114]
    return pixels if pixels.ndim == 2 else pixels[..., :3] @ weights


def as_written(text: str) -> str:
    """Have a name of a file drawn as it is: no formula between two $, and characters
    that are no text as \\udce9."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("$", r"\$")


def show_image(axis: Axes, image, title: str | None = None) -> None:
    """Draw an image without ticks and frame; a bool mask or a grey one in grey."""
    pixels = as_pixels(image)
    _draw(axis, pixels, cmap="gray", vmin=0, vmax=255 if pixels.max() > 1 else 1)
    axis.set_title(as_written(title or ""))


def heatmap_overlay(
    axis: Axes,
    image,
    heatmap: np.ndarray,
    alpha: float = 0.5,
    title: str | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
) -> ScalarMappable:
    """Draw a heat map (any size, stretched to the image) over its lightened grey
    picture; `image=None` draws the map alone. Returns what `add_colour_bar` wants."""
    if image is None:
        image, alpha = np.zeros(np.shape(heatmap)), 1.0
    grey = 0.2 + 0.8 * as_grey(image)
    _draw(axis, grey, cmap="gray", vmin=0, vmax=1)
    look = {"cmap": MAP, "vmin": limits[0], "vmax": limits[1], "alpha": alpha}
    drawn = _draw(axis, np.asarray(heatmap), grey.shape, **look)
    axis.set_title(as_written(title or ""))
    return drawn


def _draw(axis: Axes, pixels: np.ndarray, size=None, **look):
    height, width = (size or pixels.shape)[:2]
    drawn = axis.imshow(pixels, extent=(0, width, height, 0), **look)
    axis.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0))
    axis.spines[:].set_visible(False)
    return drawn


def add_colour_bar(fig: Figure, drawn: ScalarMappable, axes, label: str) -> None:
    """A slim, opaque colour bar beside the given axes."""
    solid = ScalarMappable(norm=drawn.norm, cmap=drawn.cmap)
    bar = fig.colorbar(solid, ax=axes, fraction=0.035, pad=0.015, aspect=25)
    bar.set_label(label)
    bar.outline.set_visible(False)


def image_grid(
    images: Sequence,
    titles: Sequence[str] | None = None,
    columns: int = 4,
    width: float = WIDE,
    heatmaps: Sequence | None = None,
) -> tuple[Figure, list[Axes]]:
    """Images in rows of `columns`, each with its title, and with its heat map over it
    where there is one (None for none). Returns the figure and one axis an image."""
    if not len(images):
        raise ValueError("image_grid got no images")
    columns, count = min(columns, len(images)), len(images)
    shapes = [as_pixels(image).shape for image in images]
    shares = np.clip([high / wide for high, wide, *_ in shapes], 1 / SLENDER, SLENDER)
    tall = [max(shares[i : i + columns]) for i in range(0, count, columns)]
    lines = [0] * len(tall)
    for i, title in enumerate(titles or []):
        lines[i // columns] = max(lines[i // columns], len(title.splitlines()))
    height = sum(tall) * (width / columns - 0.05) + 0.16 * sum(lines) + 0.06 * len(tall)
    fig, axes = new_figure(len(tall), columns, width, height, height_ratios=tall)
    fig.get_layout_engine().set(w_pad=0.02, h_pad=0.03, wspace=0.01, hspace=0.01)
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    for i, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.set_anchor("N")
        title = titles[i] if titles else None
        if heatmaps is None or heatmaps[i] is None:
            show_image(axis, image, title)
        else:
            heatmap_overlay(axis, image, heatmaps[i], title=title)
    return fig, list(axes.flat[:count])


def draw_boxes(axis: Axes, true=(), found=(), wrong=(), labels=None) -> None:
    """Boxes (N, 4) or (N, 5), xyxy half-open in the image's pixels: true ones dashed
    teal, found ones solid orange, wrong ones solid vermilion. `labels` maps a kind to
    its boxes' captions: `{"found": ["0.93"]}`."""
    for kind, boxes in (("true", true), ("found", found), ("wrong", wrong)):
        captions = (labels or {}).get(kind, ())
        for i, (x1, y1, x2, y2, *_) in enumerate(np.asarray(boxes, float).tolist()):
            look = {"linewidth": 1.6, "fill": False, **BOX_STYLES[kind]}
            box = Rectangle((x1, y1), x2 - x1, y2 - y1, path_effects=HALO, **look)
            axis.add_patch(box)
            if i < len(captions):
                _caption_box(axis, x1, y1, captions[i], BOX_STYLES[kind]["edgecolor"])


def _caption_box(axis: Axes, x: float, y: float, text: str, colour: str) -> None:
    """A caption inside the box's upper left corner."""
    backing = {"facecolor": colour, "edgecolor": "none", "pad": 1.2}
    look = {"textcoords": "offset points", "va": "top", "fontsize": 7.5}
    ink = INK if colour == ORANGE else "white"
    axis.annotate(text, (x, y), (2.5, -2.5), color=ink, bbox=backing, **look)


def draw_points(axis: Axes, foreground=(), background=()) -> None:
    """Points (N, 2) as (x, y) pixel indices: foreground ones as white-rimmed discs,
    background ones as white-rimmed crosses, drawn at the pixels' centres."""
    discs = np.asarray(foreground, float).reshape(-1, 2) + 0.5
    whole = {"ms": 5.5, "zorder": 4, "clip_on": False, "in_layout": False}  # at an edge
    axis.plot(*discs.T, "o", mfc=ORANGE, mec="white", mew=1.2, **whole)
    crosses = np.asarray(background, float).reshape(-1, 2) + 0.5
    rim = [withStroke(linewidth=3.2, foreground="white")]
    axis.plot(*crosses.T, "x", c=VERMILION, mew=1.8, path_effects=rim, **whole)


def draw_mask(axis: Axes, mask: np.ndarray, kind: str = "found") -> None:
    """The outline of a bool mask (H, W), in the colours of the boxes."""
    style = BOX_STYLES[kind]
    y, x = (np.arange(n + 2) - 0.5 for n in np.shape(mask))
    look = {"colors": style["edgecolor"], "linestyles": [style["linestyle"]]}
    inside = np.pad(np.asarray(mask, float), 1)
    drawn = axis.contour(x, y, inside, levels=[0.5], linewidths=1.4, **look)
    drawn.set_path_effects(HALO)
    drawn.set_paths([_smoothed(path) for path in drawn.get_paths()])


def _smoothed(path: Path) -> Path:
    """An outline along pixels without their steps: a tenth of its corners."""
    path.should_simplify, path.simplify_threshold = True, 0.5
    smooth = path.cleaned(simplify=True)
    return Path(smooth.vertices[:-1], smooth.codes[:-1])  # without the stop at its end


def draw_lines(
    axis: Axes,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    x_label: str = "",
    y_label: str = "",
    bands: Mapping[str, tuple[Sequence[float], Sequence[float]]] | None = None,
    marker: str = "",
) -> None:
    """Line series `name -> (x, y)` with a grid and, where there are several, a legend.

    `bands` adds a pale interval `name -> (low, high)` around a series of that name.
    """
    for i, (name, (x, y)) in enumerate(series.items()):
        colour, dashes = SERIES[i % len(SERIES)], ("-", "--", ":")[i // len(SERIES) % 3]
        axis.plot(x, y, dashes, color=colour, marker=marker, label=name)
        if bands and name in bands:
            axis.fill_between(x, *bands[name], color=colour, alpha=0.15, linewidth=0)
    axis.set(xlabel=x_label, ylabel=y_label)
    axis.grid(True)
    if len(series) > 1:
        axis.legend()
