"""Layers: drawings painted on sheets of the picture's size, and laid over one another.

A sheet is (H, W, 4) float32, colours 0 to 255 multiplied by alpha, alpha 0 to 1.
"""

from __future__ import annotations

import cv2
import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing, oversampling, paint
from wslib.data.rendered.drawn.photographs import grain

FINER = 2  # drawings are painted at so many times their size, then reduced


def sheet(
    drawing: Drawing,
    scale: float,
    origin: tuple[float, float],
    size: tuple[int, int],
    surface: np.ndarray | None = None,
    finer: int = FINER,
) -> np.ndarray:
    """Paint `drawing` with `scale` pixels a unit and its (0, 0) at pixel `origin`, on a
    sheet of `size` = (width, height). surface: the grain, as `surface_for` makes it;
    finer: how many times larger it is painted before it is reduced."""
    low, high = drawing.extent()
    picture = paint(drawing, scale * finer, surface)
    margin = 2 / oversampling((high - low).max() * scale * finer) / finer
    x = origin[0] + low[0] * scale - margin
    y = origin[1] - high[1] * scale - margin
    move = np.array([[1 / finer, 0, x], [0, 1 / finer, y]])
    return cv2.warpAffine(picture, move, size, flags=cv2.INTER_LINEAR)


def surface_for(
    drawing: Drawing, scale: float, part: str, rng: np.random.Generator, strength: float
) -> np.ndarray:
    """The detail of a photograph (`photographs.grain`), large enough for `sheet`."""
    low, high = drawing.extent()
    pixels = (high - low)[::-1] * scale * FINER
    finer = oversampling(pixels.max())
    shape = tuple(int(side * finer) + 10 for side in pixels)
    return grain(part, rng, shape, finer * rng.uniform(0.5, 1), strength)


def cover(view: np.ndarray, top: np.ndarray) -> None:
    """Lay the sheet `top` over `view`: (H, W, 3) in place, or another sheet."""
    view *= 1 - top[:, :, 3:]
    view += top[:, :, : view.shape[2]]


def soften(top: np.ndarray, sigma: float, strength: float = 1) -> np.ndarray:
    """The sheet, blurred and less opaque."""
    return cv2.GaussianBlur(top, (0, 0), max(sigma, 0.3)) * np.float32(strength)


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The box x1, y1, x2, y2 round the pixels of a mask (H, W), x2 - x1 its width."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return tuple(int(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))


def camera(rng: np.random.Generator, view: np.ndarray) -> np.ndarray:
    """Light, colour, focus and noise of a cheap camera: (H, W, 3) uint8."""
    h, w = view.shape[:2]
    cast = rng.uniform(0.95, 1.05, 3) * rng.uniform(0.88, 1.14)
    view = (view * cast.astype(np.float32) - 118) * np.float32(rng.uniform(0.82, 1.12))
    x = np.linspace(-1, 1, w, dtype=np.float32)
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    slope = rng.uniform(-0.1, 0.1, 2).astype(np.float32)
    light = 1 + slope[0] * x + slope[1] * y - np.float32(0.08) * (x**2 + y**2)
    view = (view + 118) * light[:, :, None]
    if rng.random() < 0.05:
        view[:] = view @ np.array([0.3, 0.59, 0.11], np.float32)[:, None]
    blur = rng.uniform(0, 0.7)
    if blur > 0.4:
        view = cv2.GaussianBlur(view, (0, 0), blur)
    noise = rng.standard_normal(view.shape, np.float32)
    view += noise * np.float32(rng.uniform(0.5, 4.5))
    return np.clip(np.rint(view), 0, 255).astype(np.uint8)
