"""Pieces of photographs that packages ship. Those that are reserved for tests
(`wslib.data.backgrounds.RESERVED`) are not among them."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from wslib.data.backgrounds import photograph_path
from wslib.data.images import read_image

# Parts of photographs, as fractions x1, y1, x2, y2, without anything that has a class.
PIECES = {
    "pagoda": ("china.jpg", (0, 0, 1, 1)),
    "trees": ("china.jpg", (0.6, 0.4, 1, 1)),
    "lake": ("china.jpg", (0.55, 0.1, 1, 0.75)),
    "flower": ("flower.jpg", (0, 0, 1, 1)),
    "leaves": ("flower.jpg", (0.55, 0, 1, 1)),
    "city": ("camera.png", (0.58, 0.25, 1, 0.62)),
    "lawn": ("camera.png", (0.5, 0.62, 1, 0.95)),
    "flag": ("grace_hopper.jpg", (0, 0, 0.28, 0.55)),
    "launch": ("rocket.jpg", (0, 0, 0.95, 1)),
    "dusk": ("rocket.jpg", (0.2, 0, 0.9, 0.2)),
    "stars": ("hubble_deep_field.jpg", (0, 0, 1, 1)),
    "moon": ("moon.png", (0, 0, 1, 1)),
    "tissue": ("ihc.png", (0, 0, 1, 1)),
    "coins": ("coins.png", (0, 0, 1, 1)),
    "cat": ("chelsea.png", (0, 0, 1, 1)),
    "brick": ("brick.png", (0, 0, 1, 1)),
    "gravel": ("gravel.png", (0, 0, 1, 1)),
    "grass": ("grass.png", (0, 0, 1, 1)),
}


@cache
def piece(name: str) -> np.ndarray:
    """One of `PIECES`, (h, w, 3) uint8 RGB."""
    file, (x1, y1, x2, y2) = PIECES[name]
    image = read_image(photograph_path(file))
    h, w = image.shape[:2]
    if name == "brick":  # its rows of bricks run upwards
        image = np.rot90(image)
    part = image[int(y1 * h) : int(y2 * h), int(x1 * w) : int(x2 * w)]
    return np.ascontiguousarray(part)


def crop(
    rng: np.random.Generator, name: str, w: int, h: int, least: float = 0.5
) -> np.ndarray:
    """A random crop of a piece, maybe mirrored, resized to (h, w, 3) float32: at least
    the part `least` of the largest that there is."""
    photo = piece(name)
    most = min(photo.shape[1] / w, photo.shape[0] / h)
    size = most * rng.uniform(least, 1)
    cw, ch = max(int(w * size), 2), max(int(h * size), 2)
    y, x = rng.integers(photo.shape[0] - ch + 1), rng.integers(photo.shape[1] - cw + 1)
    cut = photo[y : y + ch, x : x + cw][:, :: -1 if rng.random() < 0.5 else 1]
    cut = np.ascontiguousarray(cut)
    return cv2.resize(cut, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)


def tinted_crop(rng, name: str, w: int, h: int, colour, least: float = 0.5):
    """The light and dark of a piece in a `colour`, (h, w, 3) float32."""
    grey = crop(rng, name, w, h, least).mean(2, keepdims=True)
    relief = 0.35 + 0.65 * grey / max(float(grey.mean()), 1)
    return (relief * np.asarray(colour, np.float32)).astype(np.float32)
