"""Photographs that scikit-image ships, each with a class of ImageNet and a box."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wslib.data.backgrounds import photograph_path
from wslib.data.images import read_image

Box = tuple[int, int, int, int]
# File, the ImageNet class that is shown or the nearest to it, and a box around that
# thing: x1, y1, x2, y2, half-open, drawn by hand for this project.
ALBUM: dict[str, tuple[str, str, Box]] = {
    "chelsea": ("chelsea.png", "Egyptian cat", (0, 0, 415, 300)),
    "coffee": ("coffee.png", "espresso", (172, 16, 430, 310)),
    "camera": ("camera.png", "tripod", (232, 185, 408, 512)),
    "motorcycle": ("motorcycle_left.png", "moped", (72, 75, 678, 462)),
    "rocket": ("rocket.jpg", "missile", (306, 128, 336, 408)),
    "astronaut": ("astronaut.png", "space shuttle", (350, 0, 472, 285)),
}


class Photo(NamedTuple):
    """A photograph, what it shows, and where."""

    pixels: np.ndarray  # (H, W, 3) uint8 RGB
    name: str  # of the ImageNet class
    box: Box  # around it: x1, y1, x2, y2, half-open


def read_photo(name: str) -> Photo:
    """Read a photograph of the album. Raises ValueError with the names that it has."""
    if name not in ALBUM:
        raise ValueError(f"no photograph {name!r}, expected one of {', '.join(ALBUM)}")
    file, shown, box = ALBUM[name]
    return Photo(read_image(photograph_path(file)), shown, box)
