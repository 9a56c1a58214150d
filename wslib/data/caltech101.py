"""Caltech-101's faces, motorcycles and airplanes as they are published.

The data set: https://doi.org/10.22002/D1.20086.
"""

from __future__ import annotations

import os
from pathlib import Path

from scipy.io import loadmat

from wslib.data.caltech import Pictures, Row, gather

IMAGES, ANNOTATIONS = "101_ObjectCategories", "Annotations"
FOLDERS = {  # of pictures and of annotations
    "face": ("Faces", "Faces_2"),
    "motorcycle": ("Motorbikes", "Motorbikes_16"),
    "airplane": ("airplanes", "Airplanes_Side_2"),
}
COUNTS = {"face": 435, "motorcycle": 798, "airplane": 800}


def caltech101_contents(folder: Path) -> str:
    """Describe what is there of the three classes: "complete, 435 face, ...", "not
    here", or what is missing."""
    if not folder.exists():
        return "not here"
    for label, count in COUNTS.items():
        try:
            pairs = _pairs(folder, label)
        except (FileNotFoundError, ValueError) as error:
            return f"incomplete: {error}"
        if len(pairs) != count:
            where = folder / IMAGES / FOLDERS[label][0]
            return f"incomplete: {where}: {len(pairs):,} of {count:,} pictures"
    counts = [f"{count:,} {label}" for label, count in COUNTS.items()]
    return f"complete, {', '.join(counts)}"


def read_caltech101(root: Path | str) -> Pictures:
    """Read the three classes as torchvision unpacks Caltech-101:
    `root`/101_ObjectCategories/Faces/image_0001.jpg with the box in
    `root`/Annotations/Faces_2/annotation_0001.mat, where `box_coord` is y1, y2, x1, x2.

    Boxes that cannot be used are noted as `wslib.data.caltech.read_caltech` does.
    Raises FileNotFoundError for a folder or an annotation that is missing, ValueError
    for a folder without pictures and for a damaged file; one line that names it.
    """
    rows = [
        Row(str(annotation), picture, label, _read_box(annotation))
        for label in FOLDERS
        for picture, annotation in _pairs(Path(root), label)
    ]
    return gather(rows)


def _pairs(root: Path, label: str) -> list[tuple[Path, Path]]:
    """The pictures of a class, in order, and the annotation of each."""
    folders = root / IMAGES / FOLDERS[label][0], root / ANNOTATIONS / FOLDERS[label][1]
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: no such folder")
    pictures = sorted(folders[0].glob("image_*.jpg"))
    if not pictures:
        raise ValueError(f"{folders[0]}: no pictures, expected image_0001.jpg, ...")
    there = set(os.listdir(folders[1]))  # once: stat is slow on NFS
    names = [f"annotation_{path.stem.removeprefix('image_')}.mat" for path in pictures]
    for name in names:
        if name not in there:
            raise FileNotFoundError(f"{folders[1] / name}: no such annotation")
    return [
        (path, folders[1] / name) for path, name in zip(pictures, names, strict=True)
    ]


def _read_box(path: Path) -> tuple[float, ...]:
    try:
        y1, y2, x1, x2 = map(float, loadmat(path)["box_coord"].ravel())
    except Exception as error:  # scipy promises no kind of error for a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: no box_coord of y1, y2, x1, x2: {reason}") from None
    return x1, y1, x2, y2
