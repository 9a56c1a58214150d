"""Photographed textures: crops of the photographs that scikit-image ships."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import skimage

from wslib.data.images import read_image

# Parts of photographs, as fractions x1, y1, x2, y2, without anything that has a class.
PARTS = {
    "fur": ("chelsea.png", (0.3, 0.05, 0.55, 0.3)),
    "grass": ("grass.png", (0, 0, 1, 1)),
    "gravel": ("gravel.png", (0, 0, 1, 1)),
    "brick": ("brick.png", (0, 0, 1, 1)),
    "wood": ("coffee.png", (0.82, 0.3, 1, 1)),
    "cup": ("coffee.png", (0, 0, 1, 1)),
    "shelf": ("motorcycle_left.png", (0.72, 0, 1, 0.3)),
    "concrete": ("motorcycle_left.png", (0, 0.86, 0.6, 1)),
    "dusk": ("rocket.jpg", (0, 0, 0.95, 1)),
    "stars": ("hubble_deep_field.jpg", (0, 0, 1, 1)),
    "moon": ("moon.png", (0, 0, 1, 1)),
    "coins": ("coins.png", (0, 0, 1, 1)),
}


@cache
def photograph(part: str) -> np.ndarray:
    """One of `PARTS`, (h, w, 3) uint8 RGB."""
    name, (x1, y1, x2, y2) = PARTS[part]
    image = read_image(Path(skimage.__file__).parent / "data" / name)
    h, w = image.shape[:2]
    if part == "brick":
        return np.ascontiguousarray(np.rot90(image))  # its rows of bricks run upwards
    return image[int(y1 * h) : int(y2 * h), int(x1 * w) : int(x2 * w)]


@cache
def _relief(part: str) -> np.ndarray:
    """The fine detail of a photograph, float32 around 1, mirrored to (2h, 2w)."""
    grey = cv2.cvtColor(photograph(part), cv2.COLOR_RGB2GRAY).astype(np.float32) + 20
    ratio = grey / cv2.GaussianBlur(grey, (0, 0), 14)
    ratio = np.clip(1 + (ratio - ratio.mean()) * 0.16 / ratio.std(), 0.5, 1.6)
    half = np.concatenate([ratio, ratio[:, ::-1]], 1)
    return np.concatenate([half, half[::-1]]).astype(np.float32)


def grain(
    part: str, rng: np.random.Generator, shape, zoom: float, strength: float = 1
) -> np.ndarray:
    """A random piece of a photograph's detail, (h, w) float32 around 1."""
    relief = _relief(part)
    h, w = (int(np.ceil(side / zoom)) for side in shape)
    y, x = (int(rng.integers(side)) for side in relief.shape)
    rows, columns = np.arange(y, y + h), np.arange(x, x + w)
    piece = relief[rows[:, None] % relief.shape[0], columns % relief.shape[1]]
    piece = cv2.resize(piece, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return 1 + np.float32(strength) * (piece - 1)


def textured(part: str, rng, w: int, h: int, zoom: float) -> np.ndarray:
    """A random crop of a photograph, enlarged by `zoom` (or more, to fill), maybe
    mirrored."""
    photo = photograph(part)
    zoom = max(zoom, w / photo.shape[1], h / photo.shape[0])
    cw, ch = int(w / zoom), int(h / zoom)
    y, x = rng.integers(photo.shape[0] - ch + 1), rng.integers(photo.shape[1] - cw + 1)
    crop = photo[y : y + ch, x : x + cw][:, :: -1 if rng.random() < 0.5 else 1]
    crop = np.ascontiguousarray(crop).astype(np.float32)
    return cv2.resize(crop, (w, h), interpolation=cv2.INTER_LINEAR)
