"""Pictures to lay shapes over: crops of photographs, or CIFAR-10's pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from wslib.data.cifar10 import SIDE, cifar10_pictures
from wslib.data.images import read_image, resize_image

PACKAGES = ("matplotlib", "scikit-image", "scikit-learn")  # that ship the photographs
# Three photographs are for tests only, here and for whatever else learns from the
# others; motorcycle_left.png, the neighbour of the third, is not used at all.
RESERVED = ("astronaut.png", "coffee.png", "motorcycle_right.png")
OTHERS = (
    "brick.png", "camera.png", "chelsea.png", "china.jpg", "coins.png", "flower.jpg",
    "grace_hopper.jpg", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png",
    "moon.png", "retina.jpg", "rocket.jpg",
)  # fmt: skip
ELSEWHERE = {  # than in skimage/data
    "china.jpg": ("sklearn", "datasets", "images"),
    "flower.jpg": ("sklearn", "datasets", "images"),
    "grace_hopper.jpg": ("matplotlib", "mpl-data", "sample_data"),
}
CROPS = 10_000  # of each split
SMALLEST = 64  # pixels across a crop
ASPECT = 4 / 3  # width to height
NINTHS = {"train": range(7), "val": range(7, 9)}  # of each nine training pictures


class Crops(Sequence):
    """`CROPS` random crops of photographs that packages ship, (32, 32, 3) uint8 RGB,
    made when they are asked for.

    A crop is 64 pixels wide or more, up to the whole, and 3/4 as high. It is shrunk to
    the size of CIFAR-10's pictures, so that it comes out as soft as these when it is
    enlarged: on a background as sharp as the shapes, edges are harder to tell apart.

    "test" crops the photographs in `RESERVED`. "train" and "val" crop the others,
    "train" their left halves, "val" their right halves: no two splits share a pixel.
    """

    def __init__(self, split: str) -> None:
        self.split = split
        self.key = ("train", "val", "test").index(split)
        self.names = RESERVED if split == "test" else OTHERS

    def __len__(self) -> int:
        return CROPS

    def photograph(self, index: int) -> str:
        """The file that a crop is cut from, one of `names`."""
        return self._begin(index)[0]

    def _begin(self, index: int) -> tuple[str, np.random.Generator]:
        rng = np.random.default_rng((self.key, range(CROPS)[index]))
        return self.names[rng.integers(len(self.names))], rng

    def __getitem__(self, index: int) -> np.ndarray:
        name, rng = self._begin(index)
        photo = region_of(name, self.split)
        height, width = photo.shape[:2]
        widest = min(width, int(height * ASPECT))
        w = round(np.exp(rng.uniform(np.log(SMALLEST), np.log(widest))))
        h = round(w / ASPECT)
        y, x = rng.integers(height - h + 1), rng.integers(width - w + 1)
        crop = photo[y : y + h, x : x + w][:, :: -1 if rng.random() < 0.5 else 1]
        return resize_image(np.ascontiguousarray(crop), SIDE, SIDE)


def photograph_path(name: str) -> Path:
    """Where the photograph of that name, one of `RESERVED` or `OTHERS`, is."""
    package, *folders = ELSEWHERE.get(name, ("skimage", "data"))
    home = Path(find_spec(package).origin).parent  # without the seconds of an import
    return home.joinpath(*folders, name)


@cache
def region_of(name: str, split: str) -> np.ndarray:
    """The part of a photograph that pictures of the split may show, (H, W, 3) uint8:
    the left half for train, the right for val, all of it for others."""
    photo = read_image(photograph_path(name))
    if name == "retina.jpg":  # round, before black
        photo = photo[210:1200, 210:1200]
    middle = photo.shape[1] // 2
    return {"train": photo[:, :middle], "val": photo[:, middle:]}.get(split, photo)


class Chosen(Sequence):
    """Those of `pictures` with the numbers `chosen`."""

    def __init__(self, pictures: Sequence, chosen: Sequence[int]) -> None:
        self.pictures, self.chosen = pictures, chosen

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.pictures[self.chosen[index]]


def photograph_crops() -> tuple[dict[str, Sequence[np.ndarray]], str]:
    """The crops of each split, as `Crops` makes them, and a word on what they are."""
    pictures = {split: Crops(split) for split in ("train", "val", "test")}
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return pictures, f"crops of photographs from {packages}"


def cifar10_splits() -> tuple[dict[str, Sequence[np.ndarray]], str]:
    """CIFAR-10's pictures for each split, and a word on which they are.

    "test" has the test pictures. Of each nine training pictures, "train" has the first
    seven and "val" the other two. Errors as `wslib.data.cifar10.cifar10_pictures`.
    """
    parts, file = cifar10_pictures()
    pictures = {"test": parts["test"]}
    for split, ninths in NINTHS.items():
        numbers = [k for k in range(len(parts["train"])) if k % 9 in ninths]
        pictures[split] = Chosen(parts["train"], numbers)
    return pictures, f"CIFAR-10 from {file}"
