"""PASCAL VOC2007 as it is on disk: image lists, annotations, image labels and boxes.

Layout and meaning: Everingham et al. 2010, https://doi.org/10.1007/s11263-009-0275-4.
"""

from __future__ import annotations

import math
import os
import warnings
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wslib.data.images import image_size, read_image, read_numbers

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant",
    "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
COURSE_CLASSES = (  # the same in the order of the course's classifier
    "person", "bird", "cat", "cow", "dog", "horse", "sheep", "aeroplane", "bicycle",
    "boat", "bus", "car", "motorbike", "train", "bottle", "chair", "diningtable",
    "pottedplant", "sofa", "tvmonitor",
)  # fmt: skip
SPLITS = ("train", "val", "trainval", "test")
VOC2007_PARTS = {"trainval": ("train", "val", "trainval"), "test": ("test",)}
LISTS = Path("ImageSets", "Main")
RENDERED = "RENDERED.json"  # in VOC2007/ of a sample set: says how it was made
DIFFICULT = {"0": False, "1": True, "false": False, "true": True}
TOLERATED_MISSING = 0.01  # of the images asked for


@dataclass(frozen=True)
class VocObject:
    """One object: `box` is (x1, y1, x2, y2) in VOC's pixel corners, 1-based and
    inclusive: (1, 1, W, H) is the whole image."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool = False


@dataclass(frozen=True)
class Annotation:
    """What one XML file says; `width` and `height` in pixels."""

    image_id: str
    width: int
    height: int
    objects: tuple[VocObject, ...]


class VOC2007:
    """The data set below `root`: VOCdevkit, VOCdevkit/VOC2007 or a folder with these.

    Files are read when they are asked for, annotations only once. `rendered` is true
    for a sample set that `wslib.data.rendered.voc` has drawn; `source` says in words
    what the pictures are; `classes` names the columns of `labels`.

    Raises FileNotFoundError where there is no VOC2007/ImageSets/Main.
    """

    classes: tuple[str, ...] = CLASSES
    name = "VOC"

    def __init__(self, root: Path | str) -> None:
        below = ("", "VOC2007", "VOCdevkit/VOC2007")
        found = [p for p in (Path(root, b) for b in below) if (p / LISTS).is_dir()]
        if not found:
            raise FileNotFoundError(
                f"{root}: no VOC2007 here; expected VOCdevkit/VOC2007/ImageSets/Main"
            )
        self.root = found[0]
        self.rendered = (self.root / RENDERED).is_file()
        self.source = "rendered pictures" if self.rendered else "VOC2007 photographs"
        self._annotations: dict[str, Annotation] = {}

    def ids(self, split: str, limit: int | None = None) -> list[str]:
        """The image ids of a list such as `train`, `val`, `trainval`, `test`, in its
        order; only the first `limit` of them. Raises ValueError for a list that is not
        there, is empty or has an id twice, and for a limit below 1."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}, expected 1 or more, or None for all")
        path = self.root / LISTS / f"{split}.txt"
        if not path.is_file():
            there = [s for s in SPLITS if (self.root / LISTS / f"{s}.txt").is_file()]
            raise ValueError(
                f"{self.root}: no split {split!r}; there are {', '.join(there)}"
            )
        try:
            return _read_ids(path)[:limit]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def image_path(self, image_id: str) -> Path:
        """Where the image is, whether it is there or not."""
        return self.root / "JPEGImages" / f"{image_id}.jpg"

    def image(self, image_id: str) -> np.ndarray:
        """The image, (H, W, 3) uint8 RGB. Errors as `wslib.data.images.read_image`."""
        return read_image(self.image_path(image_id))

    def available(self, ids: Iterable[str]) -> list[str]:
        """Those of `ids` whose image is there, in order; one warning counts the rest.

        Raises FileNotFoundError when more than one in a hundred is missing: then the
        data set is incomplete, and results on what is left would mislead.
        """
        ids = list(ids)
        missing = [i for i in ids if not self.image_path(i).is_file()]
        if not missing:
            return ids
        first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        text = (
            f"{self.root / 'JPEGImages'}: {len(missing)} of {len(ids)} images are "
            f"missing ({first})"
        )
        if len(missing) > TOLERATED_MISSING * len(ids):
            raise FileNotFoundError(
                f"{text}; `wslib data fetch voc2007` completes them, or choose a split "
                "that is there"
            )
        warnings.warn(f"{text}; going on without them", stacklevel=2)
        gone = set(missing)
        return [i for i in ids if i not in gone]

    def annotation(self, image_id: str) -> Annotation:
        """What is in an image. Errors as `read_annotation`."""
        if image_id not in self._annotations:
            path = self.root / "Annotations" / f"{image_id}.xml"
            self._annotations[image_id] = read_annotation(
                path, self.image_path(image_id)
            )
        return self._annotations[image_id]

    def class_mask(
        self, image_id: str, name: str
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Where class `name` is in the image, and where nobody said (the borders of
        objects): two (H, W) bool; None for an image that nobody has segmented.

        From `SegmentationClass`, whose palette numbers the classes from 1 in the order
        of `CLASSES`, and whose 255 is void. Raises ValueError as `ground_truth`, and
        for a mask that is not a palette image.
        """
        self.check_class(name)
        path = self.root / "SegmentationClass" / f"{image_id}.png"
        if not path.is_file():
            return None
        mode, number = read_numbers(path)  # (H, W) uint8
        if mode != "P":
            raise ValueError(f"{path}: mode {mode}, expected a palette image")
        return number == 1 + CLASSES.index(name), number == 255

    def labels(self, ids: Iterable[str]) -> np.ndarray:
        """Image labels (N, n) int8, a column per class of `classes`: 1 present,
        0 absent, -1 present, but as difficult objects only."""
        ids = list(ids)
        labels = np.zeros((len(ids), len(self.classes)), np.int8)
        for row, image_id in zip(labels, ids, strict=True):
            for thing in self.annotation(image_id).objects:
                k = self.classes.index(thing.name)
                row[k] = 1 if row[k] == 1 or not thing.difficult else -1
        return labels

    def ground_truth(
        self, ids: Iterable[str], name: str, difficult: bool = True
    ) -> dict[str, np.ndarray]:
        """The objects of class `name`: {id: (M, 5) float64 x1, y1, x2, y2, difficult}.

        VOC corners, 1-based and inclusive. Every id has an entry, M may be 0.
        `difficult=False` leaves the difficult objects out. Raises ValueError for a
        name that is not in `classes`.
        """
        self.check_class(name)
        truth = {}
        for image_id in ids:
            rows = [
                (*thing.box, thing.difficult)
                for thing in self.annotation(image_id).objects
                if thing.name == name and (difficult or not thing.difficult)
            ]
            truth[image_id] = np.array(rows, float).reshape(-1, 5)  # (M, 5)
        return truth

    def check_class(self, name: str) -> None:
        """Raise ValueError for a class that these pictures lack."""
        if name not in self.classes:
            known = ", ".join(self.classes)
            raise ValueError(f"no class {name!r}; {self.name} has {known}")


def _read_ids(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    ids = [line.split()[0] for line in lines if line.strip()]
    if not ids:
        raise ValueError("empty, expected image ids")
    if twice := [i for i, count in Counter(ids).items() if count > 1]:
        raise ValueError(f"{twice[0]} comes twice, expected each image id once")
    return ids


def read_annotation(
    path: Path,
    image_path: Path | None = None,
    classes: Collection[str] | None = CLASSES,
) -> Annotation:
    """Read one XML file of VOC, with objects of any name where `classes` is None.

    Boxes are measured in the upright picture, as `read_image` turns it. `difficult` may
    be missing (then it is false), and so may the size (then it is that of the image at
    `image_path`). The parts of an object are not read. A box that
    leaves the image is clipped to it, with one warning that names the file: real sets
    have some, and the protocols need the visible extent.

    Raises FileNotFoundError, or ValueError, one line that names the file, for anything
    that is not XML of this kind: an unknown class, a `difficult` that is neither 0 nor
    1, a size that is not that of the image, if it is there; a box with x2 < x1 or
    y2 < y1, with coordinates that are not finite, or outside the image.
    """
    try:
        tree = ET.parse(path).getroot()
        width, height = _size(tree, image_path)
        objects = tuple(_object(node, classes) for node in tree.iter("object"))
        for thing in objects:
            check_object(thing, width, height)
    except FileNotFoundError as error:
        named = image_path is not None and str(image_path) in str(error)
        reason = "no size, and no image to take it from" if named else "no such file"
        raise FileNotFoundError(f"{path}: {reason}") from None
    except (ET.ParseError, LookupError, OverflowError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    clipped = [clip_object(thing, width, height) for thing in objects]
    if tuple(clipped) != objects:
        warnings.warn(f"{path}: a box left the image and was clipped", stacklevel=2)
    return Annotation(Path(path).stem, width, height, tuple(clipped))


def _size(tree: ET.Element, image_path: Path | None) -> tuple[int, int]:
    texts = [tree.findtext(f"size/{side}") for side in ("width", "height")]
    sides = [float(text) if text else 0 for text in texts]
    if not all(map(math.isfinite, sides)):
        raise ValueError("size {} x {}, expected numbers of pixels".format(*texts))
    size = tuple(map(int, sides))
    if min(size) > 0:
        _compare(size, image_path)
        return size
    if image_path is None:
        raise ValueError("no size")
    return image_size(image_path)


def _compare(size: tuple[int, int], image_path: Path | None) -> None:
    """Raise ValueError where the image is there, can be read, and has another size."""
    try:
        real = image_size(image_path) if image_path else size
    except (OSError, ValueError):  # whoever wants the pixels will complain
        return
    if size != real:
        sizes = "{} x {}, but the upright image has {} x {}".format(*size, *real)
        raise ValueError(f"size {sizes}: its boxes are of another picture")


def _object(node: ET.Element, classes: Collection[str] | None) -> VocObject:
    name = (node.findtext("name") or "").strip()
    if not name or (classes is not None and name not in classes):
        raise ValueError(f"object of unknown class {name!r}")
    corners = [node.findtext(f"bndbox/{c}") for c in ("xmin", "ymin", "xmax", "ymax")]
    if None in corners:
        raise ValueError(f"{name} without a complete bndbox")
    box = tuple(float(text) for text in corners)
    difficult = (node.findtext("difficult") or "0").strip().lower()
    if difficult not in DIFFICULT:
        raise ValueError(f"{name} with difficult {difficult!r}, expected 0 or 1")
    return VocObject(name, box, DIFFICULT[difficult])


def check_object(thing: VocObject, width: int, height: int) -> None:
    """Raise ValueError for a box that is inverted, not finite or outside an image of
    width x height pixels."""
    name, box = thing.name, thing.box
    x1, y1, x2, y2 = box
    if not all(map(math.isfinite, box)):
        raise ValueError(f"{name} with the box {box}, expected finite numbers")
    if x2 < x1 or y2 < y1:
        raise ValueError(f"{name} with the box {box}, expected x1 <= x2, y1 <= y2")
    if x2 < 1 or y2 < 1 or x1 > width or y1 > height:
        raise ValueError(f"{name} with the box {box}, outside {width} x {height}")


def clip_object(thing: VocObject, width: int, height: int) -> VocObject:
    """Cut what leaves an image of width x height pixels off the box."""
    x1, y1, x2, y2 = thing.box
    box = (max(x1, 1.0), max(y1, 1.0), min(x2, width), min(y2, height))
    return VocObject(thing.name, tuple(map(float, box)), thing.difficult)


@dataclass(frozen=True)
class Contents:
    """The files of a part: `images` of `expected` images (0 without its lists), and
    those `missing`, relative to the folder VOC2007."""

    images: int
    expected: int
    missing: tuple[str, ...]

    def __str__(self) -> str:
        if not self.missing:
            return f"complete, {self.images:,} images"
        if not self.expected:
            return "not here"
        more = len(self.missing) - 1
        which = self.missing[0] + (f" and {more:,} more" if more else "")
        return f"{self.images:,} of {self.expected:,} images; missing: {which}"


def voc2007_contents(part: str, folder: Path) -> Contents:
    """Look in the folder VOC2007 whether each image of the lists of a part, one of
    `VOC2007_PARTS`, has its picture and its annotation."""
    ids, missing = set(), []
    for split in VOC2007_PARTS[part]:
        try:
            ids.update(VOC2007(folder).ids(split))
        except (FileNotFoundError, ValueError):  # no such list, or an empty one
            missing.append(str(LISTS / f"{split}.txt"))
    pictures = _absent(folder / "JPEGImages", {f"{i}.jpg" for i in ids})
    annotations = _absent(folder / "Annotations", {f"{i}.xml" for i in ids})
    missing += [str(path.relative_to(folder)) for path in pictures + annotations]
    return Contents(len(ids) - len(pictures), len(ids), tuple(missing))


def _absent(folder: Path, names: set[str]) -> list[Path]:
    there = os.listdir(folder) if folder.is_dir() else ()  # once: stat is slow on NFS
    return [folder / name for name in sorted(names.difference(there))]
