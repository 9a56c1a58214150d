"""Photographs with a class of ImageNet and a box: scikit-image's, and some of VOC's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wslib.data.backgrounds import photograph_path
from wslib.data.images import read_image
from wslib.data.voc import VOC2007

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


# Of VOC's classes those that ImageNet knows, by the numbers of its classes that are
# kinds of them. It knows no persons.
KINDS: dict[str, tuple[int, ...]] = {
    "aeroplane": (404, 895),
    "bicycle": (444, 671),
    "bird": (*range(7, 25), *range(80, 101), *range(127, 147)),
    "boat": (472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914),
    "bottle": (440, 720, 737, 898, 907),
    "bus": (654, 779, 874),
    "car": (436, 468, 511, 609, 627, 656, 661, 717, 751, 817),
    "cat": (281, 282, 283, 284, 285),
    "chair": (423, 559, 765),
    "cow": (345,),
    "diningtable": (532,),
    "dog": tuple(range(151, 269)),
    "horse": (339,),
    "motorbike": (665, 670),
    "pottedplant": (738,),
    "sheep": (348, 349),
    "sofa": (831,),
    "train": (466, 547, 705, 820),
    "tvmonitor": (664, 782, 851),
}


def one_object_photos(voc: VOC2007, ids: Sequence[str], count: int) -> list[Photo]:
    """Read the first `count` photographs of VOC2007 with exactly one object, of a class
    that ImageNet knows (`KINDS`), or as many as there are; `name` is VOC's."""
    photos: list[Photo] = []
    for image_id in ids:
        things = voc.annotation(image_id).objects
        if len(photos) < count and len(things) == 1 and things[0].name in KINDS:
            x1, y1, x2, y2 = map(round, things[0].box)
            box = (x1 - 1, y1 - 1, x2, y2)  # 1-based and inclusive -> half-open
            photos.append(Photo(voc.image(image_id), things[0].name, box))
    return photos
