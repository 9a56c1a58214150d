"""What the detectors from before deep learning have in common: pictures in, boxes out.

`wslib.practical.haar` and `wslib.practical.hog_detectors` have them. A detector's boxes
are (N, 5) rows x1, y1, x2, y2, score, best first, in continuous pixels of the picture
that was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from wslib.data.images import read_image
from wslib.runtime.progress import progress

Picture = np.ndarray | Path | str  # (H, W, 3) uint8 RGB, or the file that has it
Found = TypeVar("Found")


def pixels(picture: Picture) -> np.ndarray:
    """The picture as (H, W, 3) uint8 RGB, read if it is the path of a file.

    Raises ValueError for another array, and what `read_image` raises.
    """
    if isinstance(picture, (str, Path)):
        return read_image(picture)
    found = getattr(picture, "shape", None), getattr(picture, "dtype", None)
    if found[1] != np.uint8 or len(found[0]) != 3 or found[0][2] != 3 or 0 in found[0]:
        raise ValueError(f"image {found[0]} {found[1]}: expected (H, W, 3) uint8 RGB")
    return picture


def detect_each(
    detect: Callable[[np.ndarray], Found],
    pictures: Sequence[Picture],
    desc: str,
    workers: int = 1,
) -> list[Found]:
    """What `detect` finds in each picture, in their order, behind a bar named `desc`.

    Files are read when their turn comes. `workers` is a number of threads; the first
    error ends them.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}, expected 1 or more")
    with ThreadPoolExecutor(workers, thread_name_prefix="classic") as pool:
        found = pool.map(lambda picture: detect(pixels(picture)), pictures)
        try:
            return list(progress(found, desc, len(pictures)))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def best_answer(
    detections_per_class: Sequence[np.ndarray],
) -> tuple[int, np.ndarray]:
    """One label and one box for a picture: those of the best score of all classes.

    detections_per_class: an (N, 5) array for each class, whose scores must be
    comparable. Returns the class's number and its box (4,); equal scores go to the
    lower number. Where nothing is found: -1 and a box of NaN.
    """
    answer, best, box = -1, -np.inf, np.full(4, np.nan)
    for label, rows in enumerate(detections_per_class):
        rows = np.asarray(rows, float)
        if rows.size and (rows.ndim != 2 or rows.shape[1] != 5):
            raise ValueError(f"class {label}: {rows.shape}, expected (N, 5)")
        if np.isnan(rows).any():
            raise ValueError(f"class {label}: a box or score is NaN")
        if rows.size and rows[:, 4].max() > best:
            row = rows[rows[:, 4].argmax()]
            answer, best, box = label, row[4], row[:4].copy()
    return answer, box


def check_boxes(boxes: np.ndarray, count: int) -> np.ndarray:
    """Boxes (N, 4) of `count` pictures as floats, a row of NaN where there is none.
    Raises ValueError for another shape and for a box without area."""
    boxes = np.asarray(boxes, float)
    if boxes.shape != (count, 4):
        raise ValueError(f"boxes {boxes.shape} for {count} images: expected (N, 4)")
    empty = (boxes[:, 2:] <= boxes[:, :2]).any(1) | np.isinf(boxes).any(1)
    if empty.any():
        row = int(np.flatnonzero(empty)[0])
        raise ValueError(
            f"box {row} is {boxes[row].tolist()}: expected x1 < x2, y1 < y2"
        )
    return boxes
