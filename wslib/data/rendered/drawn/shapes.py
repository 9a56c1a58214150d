"""Circle, square, triangle, star and diamond, laid half-transparent over a picture.

Points are (x, y) in pixels, y pointing down; the pixel in column i and row j is the
square of side 1 round the point (i, j).
"""

from __future__ import annotations

import math

import numpy as np

EXTENT = (13, 19)  # the longer side of a shape's mask, in pixels
ALPHA = (0.4, 0.6)  # how much of the shape's colour is seen
TILT = 10.0  # degrees to either side: a square stays one, and no diamond
CONTRAST = 60.0  # of the colour and the mean beneath, at least (RGB, 0 to 255)
FINER = 8  # subsamples of a pixel along each axis


def _regular(corners: int, first: float = 0.0) -> np.ndarray:
    """Corners (N, 2) on the unit circle, clockwise, the first one
    `first` degrees off the top."""
    t = np.radians(first) + 2 * np.pi * np.arange(corners) / corners
    return np.stack([np.sin(t), -np.cos(t)], axis=1)


def _star() -> np.ndarray:
    """Five points whose edges run on into each other: a pentagram, (10, 2)."""
    inner = math.cos(math.radians(72)) / math.cos(math.radians(36))
    return np.stack([_regular(5), inner * _regular(5, 36)], axis=1).reshape(-1, 2)


OUTLINES = {
    "circle": _regular(48),
    "square": _regular(4, 45),
    "triangle": _regular(3),
    "star": _star(),
    "diamond": _regular(4) * (0.8, 1),
}


def outline(kind: str, extent: float, degrees: float = 0.0) -> np.ndarray:
    """The corners (N, 2) of a shape, turned by `degrees`; its bounding box is centred
    on (0, 0) and `extent` pixels long on its longer side.

    The triangle has equal sides, the star is a pentagram, the diamond a rhombus 0.8
    times as wide as it is high, the circle a polygon of 48 corners.
    Raises ValueError for an unknown kind.
    """
    if kind not in OUTLINES:
        raise ValueError(f"shape {kind!r}, expected one of {', '.join(OUTLINES)}")
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    points = OUTLINES[kind] @ np.array([[c, s], [-s, c]])
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - (low + high) / 2) * (extent / (high - low).max())


def coverage(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """How much of each pixel lies in the simple polygon `points` (N, 2): (H, W)
    float32 from 0 to 1, the mean of 8 x 8 subsamples (even-odd rule)."""
    low = np.maximum(np.floor(points.min(axis=0) + 0.5).astype(int), 0)
    high = np.floor(points.max(axis=0) + 0.5).astype(int) + 1
    high = np.minimum(np.maximum(high, low), (width, height))
    columns, rows = high - low
    x, y = (
        start - 0.5 + (np.arange(side * FINER) + 0.5) / FINER
        for start, side in zip(low, (columns, rows), strict=True)
    )
    inside = np.zeros((len(y), len(x)), bool)
    for (x1, y1), (x2, y2) in zip(points, np.roll(points, -1, axis=0), strict=True):
        crossed = (y1 <= y) != (y2 <= y)  # the rows that this edge crosses
        cuts = x1 + (y[crossed] - y1) * (x2 - x1) / (y2 - y1 or 1)
        inside[crossed] ^= x >= cuts[:, None]
    cover = np.zeros((height, width), np.float32)
    fine = inside.reshape(rows, FINER, columns, FINER)
    cover[low[1] : high[1], low[0] : high[0]] = fine.mean(axis=(1, 3), dtype=np.float32)
    return cover


def blend(
    picture: np.ndarray, cover: np.ndarray, colour: np.ndarray, alpha: float
) -> np.ndarray:
    """Lay `colour` (3,) over `picture` (H, W, 3) uint8 where `cover` (H, W) is 1, with
    the weight `alpha`: (1 - alpha) picture + alpha colour; uint8, a new array."""
    weight = alpha * cover[:, :, None]
    mixed = (1 - weight) * picture + weight * np.asarray(colour, np.float32)
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8)


def draw_colour(rng: np.random.Generator, beneath: np.ndarray) -> np.ndarray:
    """A random colour (3,), 0 to 255, at least `CONTRAST` away from `beneath` (3,)."""
    while True:
        colour = rng.integers(0, 256, 3)
        if np.linalg.norm(colour - beneath) >= CONTRAST:
            return colour


def draw_cover(
    rng: np.random.Generator, kind: str, width: int, height: int
) -> np.ndarray:
    """A shape of random size, tilt and place, wholly inside the picture: its coverage
    (H, W). The longer side of its mask (coverage >= 0.5) is of 13 to 19 pixels."""
    while (
        True
    ):  # the tips of a star are too thin for the mask, so its outline is longer
        extent = rng.uniform(EXTENT[0] - 0.5, EXTENT[1] + 2)
        points = outline(kind, extent, rng.uniform(-TILT, TILT))
        low, high = points.min(axis=0), points.max(axis=0)
        room = np.array([width, height]) - (high - low)
        cover = coverage(points - low - 0.5 + rng.uniform(0, room), width, height)
        if EXTENT[0] <= max(np.ptp(np.nonzero(cover >= 0.5), axis=1)) + 1 <= EXTENT[1]:
            return cover


def lay_shape(
    rng: np.random.Generator, picture: np.ndarray, kind: str
) -> tuple[np.ndarray, np.ndarray]:
    """Lay one shape over `picture` (H, W, 3) uint8, at least 21 pixels on each side.

    Returns the new picture and the mask (H, W) bool of pixels that are covered by half
    or more. Size, tilt, place, colour and transparency are random. The colour is drawn
    without regard to the picture, except that one whose Euclidean RGB distance from
    the mean beneath the shape is below `CONTRAST` is drawn again: half-transparent as
    it is, nobody could see it.
    """
    height, width = picture.shape[:2]
    cover = draw_cover(rng, kind, width, height)
    beneath = (picture * cover[:, :, None]).sum(axis=(0, 1)) / cover.sum()
    colour = draw_colour(rng, beneath)
    return blend(picture, cover, colour, rng.uniform(*ALPHA)), cover >= 0.5
