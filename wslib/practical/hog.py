"""Histograms of oriented gradients: a picture at many sizes, templates fitted to it.

Dalal & Triggs, "Histograms of oriented gradients for human detection", CVPR 2005,
https://doi.org/10.1109/CVPR.2005.177: cells of 8 x 8 pixels with 9 directions, blocks
of 2 x 2 cells that overlap by one, each block normalised (L2-Hys), square-root gamma.
The blocks of a picture are computed once at each size, and all windows share them. A
linear SVM is fitted to the objects and to windows drawn at random, looks at all others,
and is fitted again with those that it took for an object (section 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from sklearn.svm import LinearSVC

from wslib.data.images import resize_image
from wslib.metrics.overlap import box_iou
from wslib.practical.classic import Picture, pixels
from wslib.runtime.progress import progress

CELL = 8  # pixels
DIRECTIONS = 9
DEPTH = 4 * DIRECTIONS  # numbers that describe a block


def hog_blocks(image: np.ndarray) -> np.ndarray:
    """The blocks (H/8 - 1, W/8 - 1, 36) float32 of an image (H, W, 3) uint8.

    Block i, j covers the 16 x 16 pixels from row 8 i, column 8 j. Pixels beyond the
    last whole cell are not looked at; fewer than two cells on a side have no block.
    """
    rows, columns = (side // CELL for side in image.shape[:2])
    if min(rows, columns) < 2:
        return np.zeros((max(rows - 1, 0), max(columns - 1, 0), DEPTH), np.float32)
    image = np.ascontiguousarray(image[: rows * CELL, : columns * CELL])
    block, cell, size = (2 * CELL,) * 2, (CELL,) * 2, image.shape[1::-1]
    numbers = cv2.HOGDescriptor(size, block, cell, cell, DIRECTIONS).compute(image)
    blocks = np.reshape(numbers, (columns - 1, rows - 1, DEPTH))  # columns first
    return blocks.transpose(1, 0, 2)


@dataclass(frozen=True, eq=False)
class Level:
    """One size of a picture: its blocks (H, W, 36), the pixels of this size to one of
    the picture (x, y), and the picture's own width and height."""

    blocks: np.ndarray
    scale: np.ndarray  # (2,)
    size: tuple[int, int]


@dataclass(frozen=True)
class Pyramid:
    """The sizes at which a picture is looked at.

    size: longer side of the largest, in pixels, whatever the file's. per_octave: sizes
    from one to the half of it; levels: how many in all. Each has a border of one cell,
    filled with its outermost pixels.

    Raises ValueError for a number below 1.
    """

    size: int = 160
    levels: int = 9
    per_octave: int = 6

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} is {value}, expected 1 or more")

    def __call__(self, image: np.ndarray) -> list[Level]:
        """The levels of an image (H, W, 3) uint8, the largest first."""
        height, width = image.shape[:2]
        largest = self.size / max(height, width)
        levels = []
        for step in range(self.levels):
            scale = largest * 2 ** (-step / self.per_octave)
            image = _resize(image, width * scale, height * scale)
            scales = np.divide(image.shape[1::-1], (width, height))
            levels.append(Level(hog_blocks(_border(image)), scales, (width, height)))
        return levels


@dataclass(frozen=True)
class Window:
    """The window that a template covers: `rows` x `columns` blocks, and amid them an
    object of `width` x `height` pixels."""

    rows: int
    columns: int
    width: float
    height: float

    @classmethod
    def of(cls, boxes: np.ndarray, area: float = 40, margin: float = 1) -> Window:
        """The window for objects with these boxes (N, 4): of their median aspect and
        `area` cells, with about `margin` cells of surroundings on each side."""
        aspect = float(np.median(np.divide(*(boxes[:, 2:] - boxes[:, :2]).T)))
        height = CELL * (area / aspect) ** 0.5
        cells = [int(np.ceil(side / CELL + 2 * margin - 0.25))
                 for side in (height, aspect * height)]  # fmt: skip
        return cls(cells[0] - 1, cells[1] - 1, aspect * height, height)

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of the whole window."""
        return (self.columns + 1) * CELL, (self.rows + 1) * CELL

    def boxes(self, level: Level, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The objects' boxes (..., 4), in the picture and clipped to it, for windows
        whose first blocks are at these rows and columns of a level."""
        corner = np.stack([columns, rows], -1) * CELL - CELL  # less the border
        centre = corner + np.divide(self.pixels, 2)
        half = np.divide((self.width, self.height), 2)
        low, high = (centre - half) / level.scale, (centre + half) / level.scale
        boxes = np.concatenate([low, high], -1)
        return boxes.clip(0, np.tile(level.size, 2))

    def all_boxes(self, level: Level) -> np.ndarray:
        """`boxes` for each place at which a level has the window, (R, C, 4)."""
        return self.boxes(level, *np.indices(self.places(level)))

    def places(self, level: Level) -> tuple[int, int]:
        """Count the rows and columns of places that a level has for the window."""
        height, width = level.blocks.shape[:2]
        places = height - self.rows + 1, width - self.columns + 1
        return places if min(places) > 0 else (0, 0)

    def blocks_of(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """The blocks (rows, columns, 36) of an image pulled so that its box (4,) fills
        the object's place; past its edge, its outermost pixels."""
        scale = np.divide((self.width, self.height), box[2:] - box[:2])
        image = _resize(image, *(scale * image.shape[1::-1]))
        centre = (box[:2] + box[2:]) / 2 * scale
        x, y = np.round(centre - np.divide(self.pixels, 2)).astype(int)
        width, height = self.pixels
        columns = np.arange(x, x + width).clip(0, image.shape[1] - 1)
        rows = np.arange(y, y + height).clip(0, image.shape[0] - 1)
        return hog_blocks(image[np.ix_(rows, columns)])


@dataclass(frozen=True, eq=False)
class Template:
    """A linear classifier of windows: weights (rows, columns, 36) and a bias."""

    window: Window
    weights: np.ndarray
    bias: float

    def respond(self, level: Level) -> np.ndarray:
        """Weights times blocks, plus bias, for each place of the window: (R, C)."""
        rows, columns = self.window.places(level)
        if not rows:
            return np.zeros((0, 0), np.float32)
        responses = np.full((rows, columns), self.bias, np.float32)
        products = level.blocks @ self.weights.reshape(-1, DEPTH).T  # (H, W, blocks)
        for k, (i, j) in enumerate(np.ndindex(self.weights.shape[:2])):
            responses += products[i : i + rows, j : j + columns, k]
        return responses


def _resize(image: np.ndarray, width: float, height: float) -> np.ndarray:
    return resize_image(image, max(1, round(width)), max(1, round(height)))


def _border(image: np.ndarray) -> np.ndarray:
    """A cell more on each side, and on two of them what is missing to whole cells."""
    height, width = image.shape[:2]
    below, right = CELL + -height % CELL, CELL + -width % CELL
    return cv2.copyMakeBorder(image, CELL, below, CELL, right, cv2.BORDER_REPLICATE)


ROUNDS = 2  # of looking for hard negatives
RANDOM, HARD = 20, 10  # negatives of a picture: at first, and at most in each round
MARGIN = -1.0  # the response above which a negative is hard
APART = 0.5  # a window whose IoU with the object is below this is a negative
C = 0.1  # of the SVM, whose results hardly depend on it


@dataclass(frozen=True, eq=False)
class Example:
    """A picture to learn from: its levels, its class and its object's box."""

    levels: list[Level]
    label: int
    box: np.ndarray

    def negatives(self, window: Window, label: int) -> list[np.ndarray]:
        """At which places of each level the window is no object of class `label`: (R,
        C) bool each. All places of a picture of another class, and those of this class
        whose box is not the object's."""
        if self.label != label:
            return [np.ones(window.places(level), bool) for level in self.levels]
        boxes = [window.all_boxes(level) for level in self.levels]
        return [box_iou(placed, self.box) < APART for placed in boxes]


def teach_templates(
    images: Sequence[Picture],
    boxes: np.ndarray,
    labels: np.ndarray,
    pyramid: Pyramid,
    seed: int,
) -> list[Template]:
    """A template for each class, 0 to the largest of `labels`, from images that all
    have a box. See `wslib.practical.hog_detectors.HogDetectors.fit`."""
    classes = range(labels.max() + 1)
    windows = [Window.of(boxes[labels == label]) for label in classes]
    objects: list[list[np.ndarray]] = [[] for _ in classes]
    examples = []
    pictures = zip(images, labels.tolist(), boxes, strict=True)
    for image, label, box in progress(pictures, "pyramids", len(images)):
        image = pixels(image)
        examples.append(Example(pyramid(image), label, box))
        objects[label].append(windows[label].blocks_of(image, box))
    numbers = progress(classes, "templates", len(classes))
    return [
        _teach(windows[k], np.stack(objects[k]), examples, k, seed) for k in numbers
    ]


def _teach(
    window: Window,
    objects: np.ndarray,
    examples: Sequence[Example],
    label: int,
    seed: int,
) -> Template:
    """objects: (N, rows, columns, 36), of class number `label`."""
    rng = np.random.default_rng([seed, label])
    allowed = [example.negatives(window, label) for example in examples]
    chance = ([rng.random(a.shape) for a in masks] for masks in allowed)
    places = _highest(chance, allowed, RANDOM)
    for _ in range(ROUNDS):
        template = _svm(window, objects, _windows(window, examples, places), seed)
        responses = ([template.respond(level) for level in e.levels] for e in examples)
        hard = _highest(responses, allowed, HARD, MARGIN)
        places = np.unique(np.concatenate([places, hard]), axis=0)
    return _svm(window, objects, _windows(window, examples, places), seed)


def _highest(
    values: Iterable[list[np.ndarray]],
    allowed: Iterable[list[np.ndarray]],
    count: int,
    above: float = -np.inf,
) -> np.ndarray:
    """Of each picture those `count` allowed places of all levels that have the highest
    values, if `above` a value: rows (P, 4) of picture, level, row, column."""
    places = []
    for picture, (levels, masks) in enumerate(zip(values, allowed, strict=True)):
        masks = [mask & (v > above) for v, mask in zip(levels, masks, strict=True)]
        heights = np.concatenate([v[m] for v, m in zip(levels, masks, strict=True)])
        rows = np.concatenate(
            [_rows(k, mask) for k, mask in enumerate(masks)]
        )  # (n, 3)
        best = rows[np.argsort(-heights, kind="stable")[:count]]
        places.append(np.insert(best, 0, picture, axis=1))
    return np.concatenate(places)


def _rows(level: int, mask: np.ndarray) -> np.ndarray:
    """Return where a level's mask (R, C) is true: (n, 3) level, row, column."""
    return np.insert(np.argwhere(mask), 0, level, axis=1)


def _windows(
    window: Window, examples: Sequence[Example], places: np.ndarray
) -> np.ndarray:
    """The blocks (P, rows, columns, 36) at places (P, 4), as `_highest` gives them."""
    blocks = np.zeros((len(places), window.rows, window.columns, DEPTH), np.float32)
    for k, (picture, level, i, j) in enumerate(places):
        whole = examples[picture].levels[level].blocks
        blocks[k] = whole[i : i + window.rows, j : j + window.columns]
    return blocks


def _svm(
    window: Window, objects: np.ndarray, others: np.ndarray, seed: int
) -> Template:
    if not len(others):
        raise ValueError("no window in any picture to tell the objects from")
    blocks = np.concatenate([objects, others]).astype(float)
    is_object = np.arange(len(blocks)) < len(objects)
    svm = LinearSVC(C=C, tol=1e-3, max_iter=10_000, dual=True, random_state=seed)
    svm.fit(blocks.reshape(len(blocks), -1), is_object)
    weights = svm.coef_.reshape(objects.shape[1:]).astype(np.float32)
    return Template(window, weights, float(svm.intercept_[0]))
