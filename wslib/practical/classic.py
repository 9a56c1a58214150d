"""Detectors from before deep learning: what they have in common, and faces by Haar.

A detector's boxes are (N, 5) rows x1, y1, x2, y2, score, best first, in continuous
pixels of the picture that was given. Templates of gradients are in
`wslib.practical.hog_detectors`. Here are OpenCV's cascades of Haar-like features (Viola
& Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001,
https://doi.org/10.1109/CVPR.2001.990517): sums of rectangles, read off an integral
image, are compared with thresholds; AdaBoost has chosen them; and a window is given up
at the first of the stages that it does not pass, as nearly all of them are early.
Nothing is fitted here but, on request, where a person draws the box.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from wslib.data.images import read_image
from wslib.metrics.overlap import box_iou
from wslib.runtime.progress import progress

Picture = np.ndarray | Path | str  # (H, W, 3) uint8 RGB, or the file that has it
Result = TypeVar("Found")


def pixels(picture: Picture) -> np.ndarray:
    """The picture as (H, W, 3) uint8 RGB, read if it is the path of a file.

    Raises ValueError for another array, and what `read_image` raises.
    """
    if isinstance(picture, (str, Path)):
        return read_image(picture)
    given = getattr(picture, "shape", None), getattr(picture, "dtype", None)
    if given[1] != np.uint8 or len(given[0]) != 3 or given[0][2] != 3 or 0 in given[0]:
        raise ValueError(f"image {given[0]} {given[1]}: expected (H, W, 3) uint8 RGB")
    return picture


def detect_each(
    detect: Callable[[np.ndarray], Result],
    pictures: Sequence[Picture],
    desc: str,
    workers: int = 1,
) -> list[Result]:
    """Run `detect` on each picture, in their order, behind a bar named `desc`.

    Files are read when their turn comes. `workers` is a number of threads; the first
    error ends them.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}, expected 1 or more")
    with ThreadPoolExecutor(workers, thread_name_prefix="classic") as pool:
        results = pool.map(lambda picture: detect(pixels(picture)), pictures)
        try:
            return list(progress(results, desc, len(pictures)))
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


SQUARE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class HaarFaces:
    """Upright frontal faces in a picture of any size.

    cascade: the name of one of OpenCV's `haarcascade_*` files, or a path to an XML
    file. scale_factor: the window grows by it from one look to the next, above 1.
    min_neighbours: windows that must agree on a face besides the first. min_size: the
    smallest window, as a share of the picture's shorter side. corners: where x1, y1,
    x2, y2 of a box lie in the cascade's square, whose corners are 0, 0, 1, 1;
    `fit_boxes` finds them.

    Raises ValueError for options out of range and for a file that is no cascade, and
    FileNotFoundError, which lists the names, for one that is not there.
    """

    cascade: str = "haarcascade_frontalface_default"
    scale_factor: float = 1.1
    min_neighbours: int = 3
    min_size: float = 0.15
    corners: tuple[float, float, float, float] = SQUARE
    _own: threading.local = field(
        default_factory=threading.local, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if not 1 < self.scale_factor < np.inf:
            raise ValueError(f"scale_factor {self.scale_factor}: expected above 1")
        if self.min_neighbours < 0:
            raise ValueError(
                f"min_neighbours {self.min_neighbours}: expected 0 or more"
            )
        if not 0 <= self.min_size <= 1:
            raise ValueError(f"min_size {self.min_size}: expected a share, 0 to 1")
        x1, y1, x2, y2 = self.corners
        if not (x1 < x2 and y1 < y2):
            raise ValueError(f"corners {self.corners}: expected x1 < x2, y1 < y2")
        self._classifier()

    def detect(self, image: np.ndarray) -> np.ndarray:
        """The faces (N, 5) in an image (H, W, 3) uint8 RGB, clipped to it, best first.

        The score is the sum of the last stage's votes, the largest among the windows
        that agreed: larger is surer, and no two cascades have the same scale. Without
        a face the array is (0, 5).
        """
        grey = cv2.cvtColor(pixels(image), cv2.COLOR_RGB2GRAY)  # (H, W)
        side = round(self.min_size * min(grey.shape))
        squares, _, weights = self._classifier().detectMultiScale3(
            grey,
            scaleFactor=self.scale_factor,
            minNeighbors=self.min_neighbours,
            minSize=(side, side),
            outputRejectLevels=True,
        )
        squares = np.reshape(squares, (-1, 4)).astype(float)  # (N, 4) x, y, w, h
        boxes = squares[:, [0, 1, 0, 1]] + squares[:, 2:3] * self.corners
        boxes = boxes.clip(0, np.tile(grey.shape[::-1], 2))
        faces = np.column_stack([boxes, np.reshape(weights, -1)])  # (N, 5)
        return faces[np.argsort(-faces[:, 4], kind="stable")]

    def detect_all(
        self, images: Sequence[Picture], desc: str = "faces"
    ) -> list[np.ndarray]:
        """`detect` in each of the images or files. OpenCV itself spreads the work on
        one picture over the cores, so that threads would gain nothing."""
        return detect_each(self.detect, images, desc)

    def fit_boxes(self, images: Sequence[Picture], boxes: np.ndarray) -> HaarFaces:
        """The same detector, which draws its boxes as a person drew these.

        The cascade's square and a person's box are two conventions: one cuts the
        forehead and stands off the cheeks, the other may reach from hair to chin. Left
        alone, an IoU measures that difference. Each of `corners` becomes its median
        over the faces, in sides of the square, where the best square found has its
        centre in the box and an IoU of at least 0.2 with it, so that a square on
        something else has no say.

        boxes: (N, 4) for N images, a row of NaN where there is none. Raises ValueError
        for other boxes, and where no face is found to learn from.
        """
        boxes = check_boxes(boxes, len(images))
        faces = replace(self, corners=SQUARE).detect_all(images, "fit boxes")
        pairs = [
            _corners(rows[0, :4], box)
            for rows, box in zip(faces, boxes, strict=True)
            if len(rows) and _same(rows[0, :4], box)
        ]
        if not pairs:
            raise ValueError(f"no face found in any of {len(images)} images' boxes")
        return replace(self, corners=tuple(np.median(pairs, axis=0).tolist()))

    def _classifier(self) -> cv2.CascadeClassifier:
        """This thread's own: OpenCV's keeps its picture while it looks."""
        if not hasattr(self._own, "classifier"):
            self._own.classifier = _load(self.cascade)
        return self._own.classifier


def _same(square: np.ndarray, box: np.ndarray) -> bool:
    centre = (square[:2] + square[2:]) / 2
    inside = (box[:2] <= centre).all() and (centre <= box[2:]).all()
    return bool(inside and box_iou(square, box) >= 0.2)


def _corners(square: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the box's corners (4,) in the frame of the square."""
    return (box - np.tile(square[:2], 2)) / (square[2] - square[0])


def _load(cascade: str) -> cv2.CascadeClassifier:
    shipped = Path(cv2.data.haarcascades)
    path = Path(cascade)
    if path.suffix != ".xml":
        path = shipped / f"{cascade}.xml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in shipped.glob("*.xml")))
        raise FileNotFoundError(f"{cascade}: no such cascade, expected one of {names}")
    classifier = cv2.CascadeClassifier()
    try:
        loaded = classifier.load(str(path))
    except cv2.error:
        loaded = False
    if not loaded:
        raise ValueError(f"{path}: not a cascade of OpenCV")
    return classifier
