"""Histograms of oriented gradients: a picture at many sizes, and templates for them.

Dalal & Triggs, "Histograms of oriented gradients for human detection", CVPR 2005,
https://doi.org/10.1109/CVPR.2005.177: cells of 8 x 8 pixels with 9 directions, blocks
of 2 x 2 cells that overlap by one, each block normalised (L2-Hys), square-root gamma.
The blocks of a picture are computed once at each size, and all windows share them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from wslib.data.images import resize_image

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
    """What a template covers: `rows` x `columns` blocks, and amid them an object of
    `width` x `height` pixels."""

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
        """How many rows and columns of places a level has for the window."""
        height, width = level.blocks.shape[:2]
        places = height - self.rows + 1, width - self.columns + 1
        return places if min(places) > 0 else (0, 0)

    def look(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
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
        found = np.full((rows, columns), self.bias, np.float32)
        products = level.blocks @ self.weights.reshape(-1, DEPTH).T  # (H, W, blocks)
        for k, (i, j) in enumerate(np.ndindex(self.weights.shape[:2])):
            found += products[i : i + rows, j : j + columns, k]
        return found


def _resize(image: np.ndarray, width: float, height: float) -> np.ndarray:
    return resize_image(image, max(1, round(width)), max(1, round(height)))


def _border(image: np.ndarray) -> np.ndarray:
    """A cell more on each side, and on two of them what is missing to whole cells."""
    height, width = image.shape[:2]
    below, right = CELL + -height % CELL, CELL + -width % CELL
    return cv2.copyMakeBorder(image, CELL, below, CELL, right, cv2.BORDER_REPLICATE)
