"""Drawn things laid on a backdrop, with their shadows, and seen by a camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing, oversampling, paint
from wslib.data.rendered.drawn.photographs import grain


@dataclass(frozen=True)
class Sprite:
    """A painted thing and where it lies in an image."""

    name: str  # its class; empty: clutter without one
    picture: np.ndarray  # (h, w, 4), as `paint` gives it
    x: int
    y: int
    foot: float  # where it touches the ground; what is lower is nearer
    shadow: float = 0.0  # how dark


def paint_with_detail(
    rng: np.random.Generator,
    drawing: Drawing,
    scale: float,
    surface: str = "grass",
    strength: float = 0.8,
) -> np.ndarray:
    """Paint a drawing at `scale` pixels a unit with the detail of a photograph on it:
    (h, w, 4), as `paint` gives it."""
    low, high = drawing.extent()
    finer = oversampling((high - low).max() * scale)
    shape = tuple(int(side * scale * finer) + 8 for side in (high - low)[::-1])
    detail = grain(surface, rng, shape, finer * rng.uniform(0.4, 1), strength)
    return paint(drawing, scale, detail)


def visible_mask(sprite: Sprite, shape: tuple[int, int]) -> np.ndarray:
    """Where the sprite is opaque, within an image of that shape: (H, W) bool."""
    there, here = _overlap(sprite, shape)
    mask = np.zeros(shape, bool)
    mask[there] = sprite.picture[:, :, 3][here] >= 0.5
    return mask


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Find the box x1, y1, x2, y2 round the pixels of a mask, x2 - x1 its width."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return tuple(int(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))


def _overlap(sprite: Sprite, shape) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where sprite and image overlap: slices of the image, slices of the sprite."""
    h, w = sprite.picture.shape[:2]
    y1, x1 = min(max(sprite.y, 0), shape[0]), min(max(sprite.x, 0), shape[1])
    y2, x2 = max(min(sprite.y + h, shape[0]), y1), max(min(sprite.x + w, shape[1]), x1)
    there = np.s_[y1:y2, x1:x2]
    return there, np.s_[y1 - sprite.y : y2 - sprite.y, x1 - sprite.x : x2 - sprite.x]


def lay_sprite(view: np.ndarray, sprite: Sprite) -> None:
    """Lay a sprite and its shadow over the view (H, W, 3), in place."""
    if sprite.shadow:
        _paste(view, _shadow(sprite))
    _paste(view, sprite)


def _paste(view: np.ndarray, sprite: Sprite) -> None:
    there, here = _overlap(sprite, view.shape)
    picture = sprite.picture[here]
    view[there] = view[there] * (1 - picture[:, :, 3:]) + picture[:, :, :3]


def _shadow(sprite: Sprite) -> Sprite:
    """Squash a sprite to the shadow on the ground where it stands, to the right."""
    h, w = sprite.picture.shape[:2]
    high = max(4, int(0.14 * h))
    flat = cv2.resize(sprite.picture[:, :, 3], (w, high), interpolation=cv2.INTER_AREA)
    soft = cv2.copyMakeBorder(flat, *(high,) * 4, cv2.BORDER_CONSTANT, value=0)
    dark = np.zeros((*soft.shape, 4), np.float32)
    dark[:, :, 3] = cv2.GaussianBlur(soft, (0, 0), high / 4) * sprite.shadow
    x, y = sprite.x - high + w // 14, int(sprite.y + h - 1.75 * high)
    return Sprite("", dark, x, y, 0)


def photograph(rng: np.random.Generator, view: np.ndarray) -> np.ndarray:
    """Add light, colour, focus and noise of a camera: (H, W, 3) uint8."""
    h, w = view.shape[:2]
    cast = rng.uniform(0.8, 1.12) * rng.uniform(0.93, 1.07, 3)
    view = (view * cast.astype(np.float32) - 118) * np.float32(rng.uniform(0.8, 1.12))
    x = np.linspace(-1, 1, w, dtype=np.float32)
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    slope = rng.uniform(-0.12, 0.12, 2).astype(np.float32)
    light = 1 + slope[0] * x + slope[1] * y - np.float32(0.1) * (x**2 + y**2)
    view = (view + 118) * light[:, :, None]
    if rng.random() < 0.03:
        view[:] = view @ np.array([0.3, 0.59, 0.11], np.float32)[:, None]
    blur = rng.uniform(0, 0.9)
    if blur > 0.35:
        view = cv2.GaussianBlur(view, (0, 0), blur)
    noise = rng.standard_normal(view.shape, np.float32)
    view += noise * np.float32(rng.uniform(0.5, 5.5))
    return np.clip(np.rint(view), 0, 255).astype(np.uint8)
