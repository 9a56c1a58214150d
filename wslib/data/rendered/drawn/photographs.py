"""Pieces of the photographs that packages ship: views, and the detail of surfaces.

Those that are reserved for tests (`wslib.data.backgrounds.RESERVED`) are not among
them.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from wslib.data.backgrounds import photograph_path
from wslib.data.images import read_image

# Parts of photographs, as fractions x1, y1, x2, y2, without anything that has a class.
PIECES = {
    "fur": ("chelsea.png", (0.3, 0.05, 0.55, 0.3)),
    "grass": ("grass.png", (0, 0, 1, 1)),
    "gravel": ("gravel.png", (0, 0, 1, 1)),
    "brick": ("brick.png", (0, 0, 1, 1)),
    "pagoda": ("china.jpg", (0, 0, 1, 1)),
    "trees": ("china.jpg", (0.6, 0.4, 1, 1)),
    "flower": ("flower.jpg", (0, 0, 1, 1)),
    "city": ("camera.png", (0.58, 0.25, 1, 0.62)),
    "dusk": ("rocket.jpg", (0, 0, 0.95, 1)),
    "stars": ("hubble_deep_field.jpg", (0, 0, 1, 1)),
    "moon": ("moon.png", (0, 0, 1, 1)),
    "coins": ("coins.png", (0, 0, 1, 1)),
}


@cache
def piece(name: str) -> np.ndarray:
    """Read one of `PIECES`, (h, w, 3) uint8 RGB."""
    file, (x1, y1, x2, y2) = PIECES[name]
    image = read_image(photograph_path(file))
    h, w = image.shape[:2]
    if name == "brick":  # its rows of bricks run upwards
        image = np.rot90(image)
    part = image[int(y1 * h) : int(y2 * h), int(x1 * w) : int(x2 * w)]
    return np.ascontiguousarray(part)


def crop(
    name: str, rng: np.random.Generator, w: int, h: int, least: float = 0.5
) -> np.ndarray:
    """Cut a random crop from a piece, maybe mirrored, resized to (h, w, 3) float32: at
    least the part `least` of the largest that there is."""
    photo = piece(name)
    most = min(photo.shape[1] / w, photo.shape[0] / h)
    size = most * rng.uniform(least, 1)
    cw, ch = max(int(w * size), 2), max(int(h * size), 2)
    y, x = rng.integers(photo.shape[0] - ch + 1), rng.integers(photo.shape[1] - cw + 1)
    cut = photo[y : y + ch, x : x + cw][:, :: -1 if rng.random() < 0.5 else 1]
    how = cv2.INTER_AREA if size > 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(cut), (w, h), interpolation=how).astype("f4")


def tinted_crop(name: str, rng, w: int, h: int, colour, least: float = 0.5):
    """Cut a crop and keep its light and dark only, in a `colour`."""
    grey = np.sqrt(crop(name, rng, w, h, least).mean(2, keepdims=True))
    return (grey / max(float(grey.mean()), 1) * np.asarray(colour)).astype(np.float32)


@cache
def _relief(name: str) -> np.ndarray:
    """Give the fine detail of a piece, float32 around 1, mirrored to (2h, 2w)."""
    grey = cv2.cvtColor(piece(name), cv2.COLOR_RGB2GRAY).astype(np.float32) + 20
    ratio = grey / cv2.GaussianBlur(grey, (0, 0), 14)
    ratio = np.clip(1 + (ratio - ratio.mean()) * 0.16 / ratio.std(), 0.5, 1.6)
    half = np.concatenate([ratio, ratio[:, ::-1]], 1)
    return np.concatenate([half, half[::-1]]).astype(np.float32)


def grain(
    name: str, rng: np.random.Generator, shape, zoom: float, strength: float = 1
) -> np.ndarray:
    """Cut a random part of a piece's detail, (h, w) float32 around 1."""
    relief = _relief(name)
    h, w = (int(np.ceil(side / zoom)) for side in shape)
    y, x = (int(rng.integers(side)) for side in relief.shape)
    rows, columns = np.arange(y, y + h), np.arange(x, x + w)
    part = relief[rows[:, None] % relief.shape[0], columns % relief.shape[1]]
    part = cv2.resize(part, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return 1 + np.float32(strength) * (part - 1)
