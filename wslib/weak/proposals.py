"""Boxes that may hold an object, whatever it is, found without learning: proposals.

A proposal is x1, y1, x2, y2, score in pixels of the original image, 0-based and
half-open. The proposals of an image file are found once and kept.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import PIL

from wslib.boxes.boxes import to_voc
from wslib.data.folders import derived_root
from wslib.data.images import read_image, resize_image
from wslib.data.proposal_files import read_proposals
from wslib.metrics.overlap import box_iou
from wslib.metrics.proposals import measure_recall
from wslib.runtime.kept import hash_file, keyed, read_kept, written_whole
from wslib.runtime.progress import progress

LONGEST = 200  # pixels of the longer side of the image that is searched
BASE_K = 100  # how large the first segments are; larger: fewer
PREFERENCE = 0.25  # for large boxes, the power of the area


def selective_search(
    image: np.ndarray, longest: int = LONGEST, base_k: int = BASE_K
) -> np.ndarray:
    """Return the proposals (P, 5) float32 of an image (H, W, 3) uint8 RGB, best first.

    Segments of like colour and texture are merged until one is left; a box around each
    of them, and around the image, is a proposal (Uijlings et al. 2013, "Selective
    search for object recognition", https://doi.org/10.1007/s11263-013-0620-5, in
    OpenCV's fast setting). The image is first shrunk so that its longer side has
    `longest` pixels; a smaller one is searched as it is. No two boxes are equal.

    OpenCV gives the same boxes every time, but in an order that it draws with C's
    `rand()`, small ones first. Here the order is `spread`'s, so that the same image has
    the same proposals; box k of n (from 0) has the score 1 - k / n.

    Raises ValueError for another kind of array, an image without pixels, and for
    `longest` or `base_k` below 1.
    """
    _check_search(image, longest, base_k)
    height, width = image.shape[:2]
    shrink = min(1.0, longest / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    boxes = _regions(resize_image(image, *size), base_k)  # (P, 4)
    boxes = boxes[spread(boxes)] * np.tile(np.divide((width, height), size), 2)
    scores = 1 - np.arange(len(boxes)) / len(boxes)
    return tidy(np.column_stack([boxes, scores]), width, height)


def spread(boxes: np.ndarray) -> np.ndarray:
    """Return an order (P,) in which the first boxes (P, 4+), however many of them are
    taken, differ and cover the rest.

    The largest comes first. Each next one is that for which (1 - its highest IoU with
    those before it) * area ** 0.25 is largest; of equals the first. This is the
    farthest-first order of Gonzalez 1985,
    https://doi.org/10.1016/0304-3975(85)90224-5, with a preference for large boxes.
    Boxes that equal one before them, or have no area, come last. (The first 100 boxes
    reach 81 % of the objects at IoU 0.5 on 40 images of VOC2007's `val`; 65 % in
    OpenCV's order, 74 % in a random one. The power was chosen on images of `train`.)
    """
    boxes = np.asarray(boxes, float)
    worth = (boxes[:, 2:4] - boxes[:, :2]).prod(1) ** PREFERENCE  # (P,)
    overlap, left, order = np.zeros(len(boxes)), np.ones(len(boxes), bool), []
    for _ in boxes:
        best = int(np.argmax(np.where(left, (1 - overlap) * worth, -1)))
        order.append(best)
        left[best] = False
        overlap = np.maximum(overlap, box_iou(boxes[best], boxes))
    return np.array(order, int)


def tidy(
    boxes: np.ndarray, width: float, height: float, smallest: float = 1.0
) -> np.ndarray:
    """Return those of the boxes (P, 5) that can be used, (Q, 5) float32, best first.

    They are clipped to an image of width x height pixels. A box with a side that is
    then shorter than `smallest` pixels goes, and one that agrees with a better one when
    both are rounded to whole pixels. Equal scores keep their order.

    Raises ValueError for another shape, numbers that are not finite, boxes with x2 < x1
    or y2 < y1, sides of the image that are not above 0, and a negative `smallest`.
    """
    if not (width > 0 and height > 0 and smallest >= 0):
        sides = f"image of {width} x {height}, smallest side {smallest}"
        raise ValueError(f"{sides}: expected pixels above 0, and 0 or more")
    boxes = _checked(boxes)
    boxes[:, :4] = np.clip(boxes[:, :4], 0, [width, height, width, height])
    boxes = boxes[(boxes[:, 2:4] - boxes[:, :2] >= smallest).all(1)]
    boxes = most_confident(boxes, max(1, len(boxes)))
    first = np.unique(np.rint(boxes[:, :4]), axis=0, return_index=True)[1]
    return boxes[np.sort(first)]


def most_confident(boxes: np.ndarray, n: int) -> np.ndarray:
    """Return the `n` boxes (P, 5) of the highest scores, (min(n, P), 5) float32, best
    first; equal scores keep their order. Raises ValueError for n < 1 and as `tidy`."""
    if n < 1:
        raise ValueError(f"{n} boxes, expected 1 or more")
    boxes = _checked(boxes)
    return boxes[np.argsort(-boxes[:, 4], kind="stable")[:n]]


def find_proposals(
    file: Path | None, ids: Sequence[str], paths: Sequence[Path], longest: int
) -> dict[str, np.ndarray]:
    """Read the saved proposals of these images, or find them with `propose`."""
    return read_proposals(file, ids) if file else propose(ids, paths, longest)


def reached(
    proposals: Mapping[str, np.ndarray],
    truth: Mapping[str, np.ndarray],
    counts: Sequence[int],
    ious: Sequence[float],
) -> pd.DataFrame:
    """Measure with `measure_recall` what proposals reach of the true boxes, which are
    in VOC corners."""
    corners = {i: to_voc(boxes) for i, boxes in proposals.items()}
    return measure_recall(corners, truth, counts, ious)


def propose(
    ids: Sequence[str],
    paths: Sequence[Path | str],
    longest: int = LONGEST,
    workers: int | None = None,
    desc: str = "proposals",
) -> dict[str, np.ndarray]:
    """Return {id: (P, 5) float32}, what `selective_search` finds in image files.

    What is found in a file is kept below `derived_root()`, under the digest of its
    bytes: neither its name nor the data set matters, and a file that has changed is
    searched anew. After an interruption the same call goes on. `workers`: threads (the
    search runs outside Python's lock), by default one a processor, up to 8.

    Raises ValueError for ids that are not each there once and with a path, and for less
    than one worker; errors of a file as `wslib.data.images.read_image`.
    """
    if not len(ids) == len(set(ids)) == len(paths):
        counts = f"{len(ids)} ids, {len(set(ids))} different, {len(paths)} paths"
        raise ValueError(f"{counts}: expected as many of each")
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}, expected 1 or more")
    place, settings = derived_root() / "proposals", {"longest": longest, "k": BASE_K}
    folder = keyed(place, settings, propose, cv2, np, PIL)  # for this search alone
    search = partial(_once, folder, longest)
    pool = ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 8))
    try:
        proposals = progress(pool.map(search, paths), desc, len(ids))
        return dict(zip(ids, proposals, strict=True))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _once(folder: Path, longest: int, path: Path | str) -> np.ndarray:
    """The proposals of an image file: those that are kept, or found now and kept."""
    try:
        kept = folder / f"{hash_file(path)[:32]}.npz"
    except OSError:
        read_image(path)  # complains in its own words
        raise
    boxes = read_kept(kept, _read)
    if boxes is None:
        boxes = selective_search(read_image(path), longest)
        with written_whole(kept) as part, open(part, "wb") as file:
            np.savez(file, boxes=boxes)
    return boxes


def _read(kept: Path) -> np.ndarray:
    with np.load(kept, allow_pickle=False) as file:
        boxes = file["boxes"]
    if boxes.dtype != np.float32 or boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f"{boxes.dtype} {boxes.shape}, expected float32 (P, 5)")
    return boxes


def _regions(image: np.ndarray, base_k: int) -> np.ndarray:
    """The boxes (P, 4) of all regions and of the image, by coordinates."""
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.ascontiguousarray(image[..., ::-1]))  # BGR
    search.switchToSelectiveSearchFast(base_k)
    boxes = np.array(search.process(), float).reshape(-1, 4)  # x, y, width, height
    boxes[:, 2:] += boxes[:, :2]
    return np.unique([*boxes, [0, 0, *image.shape[1::-1]]], axis=0)


def _check_search(image: np.ndarray, longest: int, base_k: int) -> None:
    shape, kind = np.shape(image), getattr(image, "dtype", type(image).__name__)
    if kind != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise ValueError(f"image {kind} {shape}: expected uint8 (H, W, 3)")
    for name, value in (("longest", longest), ("base_k", base_k)):
        if value < 1:
            raise ValueError(f"{name} is {value}, expected 1 or more")


def _checked(boxes: np.ndarray) -> np.ndarray:
    """A copy of boxes (P, 5) as float32; `[]` has no rows."""
    boxes = np.array(boxes, np.float32)
    if boxes.shape == (0,):
        return boxes.reshape(0, 5)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f"boxes of shape {boxes.shape}: expected (P, 5)")
    bad = ~np.isfinite(boxes).all(1) | (boxes[:, 2:4] < boxes[:, :2]).any(1)
    if bad.any():
        row = int(np.argmax(bad))
        expected = "expected finite x1 <= x2, y1 <= y2"
        raise ValueError(f"box {row} is {boxes[row].tolist()}: {expected}")
    return boxes
