"""Drawing and painting: shapes in their own coordinates, then pixels with soft shading.

A `Drawing` is a list of coloured shapes, y pointing up, in any unit. `paint` turns it
into an RGBA picture: every shape is rounded by light from the upper left and carries a
grain taken from a photograph, so that flat outlines look like bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SMALL = 160  # pixels; what is smaller is painted at twice its size
SHIFT = 4  # fractional bits of OpenCV's polygon corners
Points = Sequence[Sequence[float]]
Colour = Sequence[float]  # red, green, blue, 0 to 255


def pick(rng: np.random.Generator, items: Sequence):
    """Choose one of `items`, each as likely."""
    return items[rng.integers(len(items))]


def tinted(rng: np.random.Generator, colours: Sequence[Colour]) -> np.ndarray:
    """Choose one of some colours, a little lighter or darker."""
    return np.clip(np.array(pick(rng, colours)) * rng.uniform(0.8, 1.1), 0, 250)


@dataclass(frozen=True)
class Shape:
    """Convex or simple polygons (N, 2), united, in one colour.

    puff: how round the light makes it; grain: how much texture it carries; on: painted
    only where the last shape with `on=False` is (spots, stripes, windows).
    """

    polygons: list[np.ndarray]
    colour: np.ndarray
    puff: float
    grain: float
    on: bool


class Drawing:
    """Shapes, the first one farthest back. Methods take points (x, y), y up.

    `at` gives a second pencil for the same paper whose coordinates are moved, turned
    and scaled.
    """

    def __init__(self, shapes: list[Shape] | None = None, frame=None) -> None:
        self.shapes = [] if shapes is None else shapes
        self.frame = np.eye(3) if frame is None else frame

    def at(
        self, x: float, y: float, scale: float = 1, degrees: float = 0, wide: float = 1
    ) -> Drawing:
        """The pencil with its origin at (x, y); `wide` stretches along its x axis, and
        mirrors where it is negative."""
        c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
        own = np.array([[c * wide, -s, x], [s * wide, c, y], [0, 0, 1]])
        return Drawing(self.shapes, self.frame @ own)

    def polygon(
        self,
        points: Points,
        colour: Colour,
        round: int = 0,
        puff: float = 0.6,
        grain: float = 0.6,
        on: bool = False,
    ) -> None:
        """A simple polygon; each round of corner cutting (Chaikin) smooths it."""
        points = np.asarray(points, float)  # (N, 2)
        for _ in range(round):
            after = np.roll(points, -1, axis=0)
            cut = [0.75 * points + 0.25 * after, 0.25 * points + 0.75 * after]
            points = np.stack(cut, 1).reshape(-1, 2)  # (2N, 2)
        self._add([points], colour, puff, grain, on)

    def blob(self, points: Points, colour: Colour, **style) -> None:
        """A smooth closed outline inside the polygon of its control points."""
        self.polygon(points, colour, round=3, **style)

    def ellipse(
        self, x: float, y: float, a: float, b: float, colour: Colour, degrees=0, **style
    ) -> None:
        """An ellipse with half axes `a` and `b`, the first one turned by `degrees`."""
        t = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        rim = np.stack([a * np.cos(t), b * np.sin(t)], 1)  # (28, 2)
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        self.polygon(rim @ [[c, s], [-s, c]] + [x, y], colour, **style)

    def limb(
        self,
        points: Points,
        widths: Sequence[float] | float,
        colour: Colour,
        puff: float = 0.6,
        grain: float = 0.6,
        on: bool = False,
    ) -> None:
        """A bent, tapering, round-ended band of half width `widths` along `points`."""
        points = np.asarray(points, float)
        widths = np.broadcast_to(np.asarray(widths, float), len(points))
        line = np.column_stack([points, widths])  # (N, 3)
        for _ in range(2 if len(points) > 2 else 0):
            middle = np.stack([0.75 * line[:-1] + 0.25 * line[1:],
                               0.25 * line[:-1] + 0.75 * line[1:]], 1)  # fmt: skip
            line = np.concatenate([line[:1], middle.reshape(-1, 3), line[-1:]])
        t = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        circle = np.stack([np.cos(t), np.sin(t)], 1)
        polygons = [circle * w + (x, y) for x, y, w in line]
        for (x1, y1, w1), (x2, y2, w2) in zip(line[:-1], line[1:], strict=True):
            along = np.array([x2 - x1, y2 - y1])
            n = np.array([-along[1], along[0]]) / max(np.hypot(*along), 1e-9)
            start, end = np.array([x1, y1]), np.array([x2, y2])
            polygons.append(
                np.array([start + n * w1, end + n * w2, end - n * w2, start - n * w1])
            )
        self._add(polygons, colour, puff, grain, on)

    def line(self, points: Points, width: float, colour: Colour, **style) -> None:
        """A thin line without light and shade."""
        self.limb(points, width / 2, colour, puff=0, grain=0, **style)

    def _add(self, polygons, colour, puff, grain, on) -> None:
        turn, move = self.frame[:2, :2], self.frame[:2, 2]
        polygons = [points @ turn.T + move for points in polygons]
        colour = np.clip(np.asarray(colour, np.float32), 0, 255)
        self.shapes.append(Shape(polygons, colour, puff, grain, on))

    def extent(self) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest (x, y) of all shapes that are not `on` others."""
        points = [p for shape in self.shapes if not shape.on for p in shape.polygons]
        points = np.concatenate(points)
        return points.min(0), points.max(0)


def paint(
    drawing: Drawing, scale: float, grain: np.ndarray | None = None
) -> np.ndarray:
    """Paint at `scale` pixels per unit: (H, W, 4) float32, colours 0 to 255 multiplied
    by alpha, alpha 0 to 1, cut to the drawing's extent.

    grain: (h, w) float32 with mean 1, at least 8 pixels larger than the picture times
    its `oversampling`.
    """
    low, high = drawing.extent()
    finer = oversampling((high - low).max() * scale)
    scale = scale * finer
    shape = np.ceil((high - low)[::-1] * scale).astype(int) + 4  # (h, w)
    shape += shape % finer
    canvas = np.zeros((*shape, 4), np.float32)
    below = np.zeros(shape, np.uint8)  # the shape that those `on` it are cut to
    for item in drawing.shapes:
        polygons = [
            (p - (low[0], high[1])) * (scale, -scale) + 2 for p in item.polygons
        ]
        _paint_shape(canvas, polygons, item, grain, below)
    height, width = (int(side) // finer for side in shape)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


def oversampling(longest: float) -> int:
    """How many times larger a picture of so many pixels is painted, then reduced."""
    return 2 if longest < SMALL else 1


def _paint_shape(canvas, polygons, item: Shape, grain, below: np.ndarray) -> None:
    """Paint one shape onto the canvas, and put its mask into `below`."""
    points = np.concatenate(polygons)
    size = canvas.shape[1::-1]
    x1, y1 = (int(max(v, 0)) for v in np.floor(points.min(0)) - 1)
    x2, y2 = (int(min(v, s)) for v, s in zip(points.max(0) + 2, size, strict=True))
    if x2 <= x1 or y2 <= y1:
        return
    mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
    for polygon in polygons:
        corners = np.round((polygon - (x1, y1)) * 2**SHIFT).astype(np.int32)
        fill = cv2.fillConvexPoly if len(polygons) > 1 else _fill_simple
        fill(mask, corners, 255, cv2.LINE_AA, SHIFT)
    region = np.s_[y1:y2, x1:x2]
    if item.on:
        mask = cv2.min(mask, below[region])
    else:
        below.fill(0)
        below[region] = mask
    light = _light(mask, item.puff)
    if grain is not None and item.grain:
        light = light * (1 + item.grain * (grain[region] - 1))
    cover = (mask / np.float32(255))[:, :, None]
    target = canvas[region]
    target *= 1 - cover
    target[:, :, :3] += np.clip(light[:, :, None] * item.colour, 0, 255) * cover
    target[:, :, 3:] += cover


def _fill_simple(mask, corners, value, line, shift) -> None:
    cv2.fillPoly(mask, [corners], value, line, shift)


def _light(mask: np.ndarray, puff: float) -> np.ndarray:
    """Light (H, W) around 1 on a body that bulges inside `mask`, from the upper left.

    The blurred mask serves as its height: dark where it ends, its slope gives the rest.
    """
    height, width = mask.shape
    if not puff:
        return np.ones((height, width), np.float32)
    step = max(1, min(height, width) // 24)
    small = cv2.resize(
        mask, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA
    )
    small = cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=0)
    sigma = 0.16 * min(small.shape) + 0.5
    bulge = cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), sigma)
    across, down = cv2.Sobel(bulge, -1, 1, 0), cv2.Sobel(bulge, -1, 0, 1)
    slope = (0.5 * across + 0.8 * down) * sigma / 8 * 2.5
    light = 1 + puff * (0.5 * (bulge - 0.8) + 0.4 * slope)
    return cv2.resize(light[2:-2, 2:-2], (width, height)).astype(np.float32)
