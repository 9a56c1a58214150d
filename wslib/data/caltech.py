"""Faces, motorcycles and airplanes of Caltech-101 as they are on disk: one label and
one box to a picture.

Pictures: Fei-Fei et al. 2004, https://doi.org/10.1109/CVPR.2004.383; published at
https://doi.org/10.22002/D1.20086.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wslib.data.images import image_size, read_image, resize_image
from wslib.data.voc import RENDERED
from wslib.runtime.kept import written_whole
from wslib.runtime.progress import progress

LABELS = ("face", "motorcycle", "airplane")  # the practical's order
COLUMNS = "NAME,x1,y1,x2,y2,label"
NO_BOX = (math.nan,) * 4
MOST_PIXELS = 10**9  # 3 GB; all of Caltech's three classes at 224 x 224 have a tenth


@dataclass(frozen=True, eq=False)
class Pictures:
    """N pictures, none of them decoded, each with one label and at most one box."""

    paths: list[Path]
    labels: np.ndarray  # (N,) int64, indices into LABELS
    boxes: np.ndarray  # (N, 4) float64 xyxy, pixels of the upright picture, or NaN
    sizes: np.ndarray  # (N, 2) int64, width and height of each, upright
    notes: list[str]  # one line for each picture without a box, in their order
    rendered: bool  # drawn by code, not photographed

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def has_box(self) -> np.ndarray:
        """Which pictures have a box that can be used, (N,) bool."""
        return np.isfinite(self.boxes).all(axis=1)

    @property
    def ratios(self) -> np.ndarray:
        """The boxes as a ratio of the picture's width and height, (N, 4) float32 in
        [0, 1], NaN where there is none."""
        return (self.boxes / np.tile(self.sizes, 2)).astype(np.float32)

    def take(self, rows: Sequence[int] | np.ndarray) -> Pictures:
        """The pictures of these rows (numbers, or N bool), in this order."""
        every = np.arange(len(self))
        rows = every[np.asarray(rows)] if len(rows) else every[:0]
        notes = dict(zip(np.flatnonzero(~self.has_box), self.notes, strict=True))
        return Pictures(
            [self.paths[row] for row in rows],
            self.labels[rows],
            self.boxes[rows],
            self.sizes[rows],
            [notes[row] for row in rows if row in notes],
            self.rendered,
        )


@dataclass(frozen=True)
class Row:
    """What an annotation says of one picture; `where` is its file, and line if any."""

    where: str
    path: Path
    label: str
    box: tuple[float, ...]  # x1, y1, x2, y2


def read_caltech(root: Path | str) -> Pictures:
    """Read `root`/images/LABEL/NAME with the boxes in `root`/annotations/LABEL.csv.

    The rows are `NAME,x1,y1,x2,y2,label`, without a header; empty lines are skipped. A
    picture without a row is not read. Where all four coordinates are empty, or the box
    has no width or no height, is inverted or leaves its picture, the picture keeps its
    label, its box is NaN, and `notes` says so.

    Raises FileNotFoundError for a CSV or a picture that is missing, ValueError for a
    CSV without rows, and for a row with another number of columns, a coordinate that
    is no finite number, an unknown label, a picture that an earlier row has, or a file
    that is no picture; one line that names file and line.
    """
    root = Path(root)
    files = [root / "annotations" / f"{label}.csv" for label in LABELS]
    pictures = root / "images"
    return gather([row for file in files for row in _read_rows(file, pictures, True)])


def read_csv(path: Path | str) -> Pictures:
    """Read rows as `read_caltech` does from one CSV, whose first column is the path of
    the picture, absolute or relative to the CSV's folder. Errors as `read_caltech`."""
    path = Path(path)
    return gather(list(_read_rows(path, path.parent.resolve(), False)))


def write_csv(path: Path | str, pictures: Pictures) -> None:
    """Write a CSV that `read_csv` reads as the same pictures.

    Paths are relative to its folder, coordinates as exact as they are, and empty where
    there is no box. An existing file is replaced, whole or not at all. Raises
    ValueError for a path that is no text, which a CSV in UTF-8 cannot hold.
    """
    path = Path(path)
    columns = pictures.paths, pictures.labels, pictures.boxes
    with written_whole(path) as part, open(part, "w", -1, "utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for picture, label, box in zip(*columns, strict=True):
            name = _relative(picture, path.parent)
            if any("\ud800" <= c <= "\udfff" for c in name):  # bytes of an old disk
                raise ValueError(f"{path}: cannot hold the path {name!r}; rename it")
            writer.writerow([name, *map(_number, box), LABELS[label]])


def gather(rows: Sequence[Row]) -> Pictures:
    """The pictures of `rows`, in their order: sizes read from the files' headers, boxes
    that cannot be used left out and noted. Errors of a picture as `read_caltech`."""
    notes, boxes, sizes, seen = [], [], [], set()
    for row in rows:
        if row.path in seen:
            raise ValueError(f"{row.where}: {row.path} has an annotation already")
        seen.add(row.path)
        sizes.append(_size(row))
        problem = _problem(row.box, *sizes[-1])
        boxes.append(NO_BOX if problem else row.box)
        if problem:
            notes.append(f"{row.where}: {row.path.name}: {problem}; left out")
    tops = {path.parents[min(2, len(path.parents) - 1)] for path in seen}
    return Pictures(
        [row.path for row in rows],
        np.array([LABELS.index(row.label) for row in rows], np.int64),
        np.array(boxes, float).reshape(-1, 4),
        np.array(sizes, np.int64).reshape(-1, 2),
        notes,
        any((top / RENDERED).is_file() for top in tops),
    )


def load_pixels(
    pictures: Pictures, size: int, workers: int = 2, desc: str = "reading pictures"
) -> Tensor:
    """Decode each picture once: (N, 3, S, S) uint8 RGB, resized to `size` x `size`
    without keeping the aspect.

    `workers` is the number of threads, `desc` the name of the progress bar. Raises
    ValueError for a size or workers below 1, and for more than `MOST_PIXELS` in all;
    errors of a file as `wslib.data.images.read_image`.
    """
    for name, value in (("size", size), ("workers", workers)):
        if value < 1:
            raise ValueError(f"{name} is {value}, expected 1 or more")
    if len(pictures) * size**2 > MOST_PIXELS:
        text = f"expected {MOST_PIXELS:,} pixels or fewer, as all are held in memory"
        raise ValueError(f"{len(pictures)} pictures of {size} x {size}: {text}")
    pixels = np.empty((len(pictures), 3, size, size), np.uint8)

    def read(row: int) -> None:
        image = resize_image(read_image(pictures.paths[row]), size, size)  # (S, S, 3)
        pixels[row] = image.transpose(2, 0, 1)

    with ThreadPoolExecutor(workers, thread_name_prefix="pictures") as pool:
        done = pool.map(read, range(len(pictures)))  # the first error ends it
        for _ in progress(done, desc, len(pictures)):
            pass
    return torch.from_numpy(pixels)


def _read_rows(path: Path, folder: Path, by_label: bool) -> Iterator[Row]:
    """The rows that are not empty, of pictures in `folder`, or in its LABEL."""
    count = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for fields in reader:
                if any(field.strip() for field in fields):
                    count += 1
                    where = f"{path}, line {reader.line_num}"
                    yield _row(where, list(map(str.strip, fields)), folder, by_label)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such file; expected {COLUMNS}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: no CSV in UTF-8: {error}") from None
    if not count:
        raise ValueError(f"{path}: no rows, expected {COLUMNS}")


def _row(where: str, fields: list[str], folder: Path, by_label: bool) -> Row:
    if len(fields) != 6 or not fields[0]:
        raise ValueError(f"{where}: {','.join(fields)[:60]!r}, expected {COLUMNS}")
    name, *corners, label = fields
    try:
        box = tuple(map(float, corners)) if any(corners) else NO_BOX
    except ValueError as error:
        raise ValueError(f"{where}: {error}; expected {COLUMNS}") from None
    if any(corners) and not all(map(math.isfinite, box)):
        raise ValueError(f"{where}: the box {box}, expected finite numbers")
    if label not in LABELS:
        raise ValueError(f"{where}: label {label!r}, expected {', '.join(LABELS)}")
    path = os.path.normpath(folder / label / name if by_label else folder / name)
    return Row(where, Path(path), label, box)


def _size(row: Row) -> tuple[int, int]:
    try:
        return image_size(row.path)
    except FileNotFoundError:
        raise FileNotFoundError(f"{row.where}: {row.path}: no such picture") from None
    except ValueError as error:
        raise ValueError(f"{row.where}: {error}") from None


def _problem(box: tuple[float, ...], width: int, height: int) -> str | None:
    x1, y1, x2, y2 = box
    shown = ", ".join(f"{corner:g}" for corner in box)
    if not all(map(math.isfinite, box)):
        return "no box"
    if x2 < x1 or y2 < y1:
        return f"the box {shown} is inverted"
    if x2 == x1 or y2 == y1:
        return f"the box {shown} has no {'width' if x2 == x1 else 'height'}"
    if min(x1, y1) < 0 or x2 > width or y2 > height:
        return f"the box {shown} leaves the picture of {width} x {height}"
    return None


def _relative(picture: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(picture.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return str(picture.resolve())


def _number(value: float) -> str:
    return "" if math.isnan(value) else np.format_float_positional(value, trim="-")
