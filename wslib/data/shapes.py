"""The course's shapes as they are on disk: pictures, masks and labels.

Layout: `images|masks|labels/{train,val,test}/NAME.{png,png,txt}`. Each picture holds
one half-transparent shape; its mask has the picture's size, its label is the kind. A
file `photographs.json` may say which pictures were cut from the same photograph.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wslib.data.images import read_image, read_numbers
from wslib.data.voc import RENDERED

KINDS = ("circle", "square", "triangle", "star", "diamond")  # the course's order
SPLITS = ("train", "val", "test")
PHOTOGRAPHS = "photographs.json"  # {"test/0001": the photograph it was cut from}
ENDINGS = {"images": ".png", "masks": ".png", "labels": ".txt"}


@dataclass(frozen=True, eq=False)
class Split:
    """N images of one size, in memory."""

    ids: list[str]
    images: np.ndarray  # (N, H, W, 3) uint8 RGB
    masks: np.ndarray  # (N, H, W) bool
    labels: np.ndarray  # (N,) int64, indices into KINDS
    photographs: list[str]  # that each was cut from; its own id where that is unknown

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def pixels(self) -> Tensor:
        """The images as networks want them, (N, 3, H, W) uint8."""
        return torch.from_numpy(self.images).permute(0, 3, 1, 2)


class Shapes:
    """The data set in the folder `root`. Files are read when they are asked for.

    An id is "SPLIT/NAME", such as "train/0001". `rendered` is true for a set that
    `wslib.data.rendered.shapes` has drawn.

    Raises FileNotFoundError where one of the folders images, masks, labels is missing.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        for folder in ENDINGS:
            if not (self.root / folder).is_dir():
                raise FileNotFoundError(
                    f"{self.root / folder}: no such folder; expected images, masks and "
                    "labels, each with train, val and test"
                )
        self.rendered = (self.root / RENDERED).is_file()

    def ids(self, split: str, limit: int | None = None) -> list[str]:
        """The ids of the images of a split, sorted; only the first `limit` of them.

        Raises FileNotFoundError for a split that is not there and for an image without
        mask or label, ValueError for a split without images and a limit below 1.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}, expected 1 or more, or None for all")
        names = {folder: self._names(folder, split) for folder in ENDINGS}
        images = sorted(names["images"])
        if not images:
            raise ValueError(f"{self.root / 'images' / split}: no images, expected PNG")
        for folder in ("masks", "labels"):
            missing = [name for name in images if name not in names[folder]]
            if missing:
                path = self._path(folder, f"{split}/{missing[0]}")
                more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
                raise FileNotFoundError(
                    f"{path}{more}: not found, expected one of the {folder} for each "
                    "image"
                )
        return [f"{split}/{name}" for name in images][:limit]

    def _names(self, folder: str, split: str) -> set[str]:
        path, ending = self.root / folder / split, ENDINGS[folder]
        if not path.is_dir():
            there = [s for s in SPLITS if (self.root / folder / s).is_dir()]
            raise FileNotFoundError(
                f"{path}: no such split; there are {', '.join(there) or 'none'}"
            )
        files = os.listdir(path)  # once: stat is slow on NFS
        return {name.removesuffix(ending) for name in files if name.endswith(ending)}

    def _path(self, folder: str, image_id: str) -> Path:
        return self.root / folder / f"{image_id}{ENDINGS[folder]}"

    def image_path(self, image_id: str) -> Path:
        """Where the image is, whether it is there or not."""
        return self._path("images", image_id)

    def image(self, image_id: str) -> np.ndarray:
        """The image, (H, W, 3) uint8 RGB. Errors as `wslib.data.images.read_image`."""
        return read_image(self.image_path(image_id))

    def mask(self, image_id: str) -> np.ndarray:
        """Where the shape is, (H, W) bool: whatever is not 0 in the mask's file, as
        the course reads it, be that 1-bit, grey, or a palette's number.

        Raises FileNotFoundError, or ValueError for a file that is no image and for a
        mask of another size than its image.
        """
        path = self._path("masks", image_id)
        mask = _read_mask(path)
        size, expected = mask.shape[::-1], self.image(image_id).shape[1::-1]
        if size != expected:
            raise ValueError(
                f"{path}: {size[0]} x {size[1]} pixels, expected those of its image, "
                f"{expected[0]} x {expected[1]}"
            )
        return mask

    def label(self, image_id: str) -> int:
        """The kind of the shape, an index into `KINDS`.

        Raises FileNotFoundError, or ValueError for a file that names no kind.
        """
        path = self._path("labels", image_id)
        try:
            kind = path.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            raise FileNotFoundError(f"{path}: no such label") from None
        if kind not in KINDS:
            raise ValueError(f"{path}: {kind[:40]!r}, expected {_either(KINDS)}")
        return KINDS.index(kind)

    def labels(self, ids: Iterable[str]) -> np.ndarray:
        """The kinds of several images, (N,) int64. Errors as `label`."""
        return np.array([self.label(image_id) for image_id in ids], np.int64)

    def load(self, split: str, limit: int | None = None) -> Split:
        """Read a split, or its first `limit` images, into memory.

        Errors as `ids`, `image`, `mask` and `label`, and ValueError for an image of
        another size than the first.
        """
        ids = self.ids(split, limit)
        images = [self.image(image_id) for image_id in ids]
        for image_id, image in zip(ids, images, strict=True):
            if image.shape != images[0].shape:
                (h, w, _), (height, width, _) = image.shape, images[0].shape
                path = self.image_path(image_id)
                raise ValueError(
                    f"{path}: {w} x {h} pixels, expected {width} x {height}"
                )
        masks = np.stack([self.mask(image_id) for image_id in ids])
        labels, photographs = self.labels(ids), self.photographs(ids)
        return Split(ids, np.stack(images), masks, labels, photographs)

    def photographs(self, ids: Iterable[str]) -> list[str]:
        """The photograph that each image was cut from; its own id where that is not
        known, as each image is then taken for independent of the others."""
        file = self.root / PHOTOGRAPHS
        known = _read_json(file) if file.is_file() else {}
        return [known.get(image_id, image_id) for image_id in ids]


def _read_json(path: Path) -> dict[str, str]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    if not isinstance(known, dict):
        raise ValueError(f"{path}: {type(known).__name__}, expected an object of ids")
    return known


def _read_mask(path: Path) -> np.ndarray:
    mode, values = read_numbers(path)
    if mode in ("LA", "PA", "RGBA"):
        values = values[..., :-1]  # transparency is no number
    return (values != 0).reshape(*values.shape[:2], -1).any(axis=2)  # (H, W)


def _either(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}"


def shapes_contents(folder: Path) -> str:
    """Describe what is there of the course's shapes: "complete, 3,500 train, ...", "not
    here", or what is missing."""
    if not folder.exists():
        return "not here"
    try:
        shapes = Shapes(folder)
        counts = [f"{len(shapes.ids(split)):,} {split}" for split in SPLITS]
    except (FileNotFoundError, ValueError) as error:
        return f"incomplete: {error}"
    return f"complete, {', '.join(counts)}"
