"""What `wslib segment` and `wslib cam` read, draw and write: one picture at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from wslib.cli.options import check_out
from wslib.cli.printing import plain
from wslib.cli.segment_networks import Seen
from wslib.data.images import read_image
from wslib.prompting.prompter import Segmentation
from wslib.runtime import kept
from wslib.runtime.kept import written_whole
from wslib.show import figures

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
ORIENTATION = 0x0112  # in EXIF; 1 is upright


def find_images(paths: Sequence[Path]) -> list[Path]:
    """Files, and of folders the images right in them by the endings of their names,
    each once. Raises FileNotFoundError, and ValueError for a folder without images."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in SUFFIXES]
            if not inside:
                raise ValueError(f"{path}: no images in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(f"{path}: no such image")
    return list(dict.fromkeys(found))


def plan(
    images: Sequence[Path], out: Path, endings: Sequence[str]
) -> dict[Path, list[Path]]:
    """The files to write for each image: NAME with each of the endings, in `out`, which
    is made. Raises ValueError where one would be written twice, or over an image."""
    planned, owner = {}, {image.resolve(): image for image in images}
    for image in images:
        planned[image] = [out / f"{image.stem}{ending}" for ending in endings]
        for path in planned[image]:
            other = owner.setdefault(path.resolve(), image)
            if path.resolve() == other.resolve():
                text = "is one of the images, and is not replaced; choose another --out"
                raise ValueError(f"{path}: {text}")
            if other is not image:
                raise ValueError(f"{path}: would be of both {other} and {image}")
            check_out(path)
    return planned


def read_upright(path: Path) -> np.ndarray:
    """`read_image`, with a word on standard error where a camera's note is not obeyed,
    as masks are measured on the stored pixels."""
    pixels = read_image(path)
    with Image.open(path) as image:
        if image.getexif().get(ORIENTATION, 1) != 1:
            text = "a note to turn it is not obeyed; turn its pixels if it lies"
            print(f"wslib: {path}: {text}", file=sys.stderr)
    return pixels


def draw_segmentation(image: np.ndarray, seen: Seen, told: Segmentation) -> Figure:
    """The map with the prompt, and beside it the image with the mask's outline."""
    titles = [f"{seen.target}: {seen.probability:.2f}", f"score {told.score:.2f}"]
    maps = [seen.heatmap, None]
    fig, axes = figures.image_grid([image, image], titles, 2, heatmaps=maps)
    prompt = told.prompt
    for axis in axes:
        parts = (prompt.points[prompt.labels == label] for label in (1, 0))
        figures.draw_points(axis, *parts)
    if prompt.box is not None:
        figures.draw_boxes(axes[0], found=[prompt.box])
    if told.mask.any():
        figures.draw_mask(axes[1], told.mask)
    return fig


def draw_map(image: np.ndarray, seen: Seen) -> Figure:
    """The map over the image."""
    title = f"{seen.target}: {seen.probability:.2f}"
    width = figures.WIDE * min(1, image.shape[1] / image.shape[0])
    return figures.image_grid([image], [title], 1, width, [seen.heatmap])[0]


def about_segmentation(image: Path, seen: Seen, told: Segmentation) -> dict:
    """What NAME_points.json says; see `wslib segment --help`."""
    height, width = told.mask.shape
    box = told.prompt.box
    return {
        "image": str(image),
        "size": [width, height],
        "target": seen.target,
        "probability": seen.probability,
        "points": told.prompt.points.tolist(),
        "labels": told.prompt.labels.astype(int).tolist(),
        "box": None if box is None else box.tolist(),
        "score": told.score,
        "area": int(told.mask.sum()),
    }


def write_mask(path: Path, mask: np.ndarray) -> None:
    """A mask (H, W) bool as a grey PNG, 255 where it is True."""
    with written_whole(path) as part:
        Image.fromarray(mask.astype(np.uint8) * 255).save(part, format="PNG")


def write_map(path: Path, heatmap: np.ndarray) -> None:
    """A map (H, W) as float32 in NumPy's own format."""
    with written_whole(path) as part, open(part, "wb") as file:
        np.save(file, heatmap.astype(np.float32), allow_pickle=False)


def write_json(path: Path, content: dict) -> None:
    """Write what `plain` makes of a dictionary."""
    kept.write_json(path, plain(content))
