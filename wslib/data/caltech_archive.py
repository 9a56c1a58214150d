"""Caltech-101 as it is published, its faces, motorcycles and airplanes: fetch, look,
read. The data set: https://doi.org/10.22002/D1.20086."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from scipy.io import loadmat

from wslib.data.archives import unpack_tar
from wslib.data.caltech import Pictures, Row, gather
from wslib.data.download import fetch
from wslib.data.folders import data_root
from wslib.data.shapes_archive import clear_away, is_complete, unpack_zip
from wslib.runtime.kept import build_once, move

CALTECH101_URL = "https://data.caltech.edu/records/mzrjq-6wc02/files/"
CALTECH101_ZIP = "caltech-101.zip"  # 131 MiB
CALTECH101_CHECKSUM = "md5:3138e1922a9193bfa496528edbbc45d0"  # as on that site
CALTECH101_FOLDER = Path("caltech101")  # below the root of the data
IMAGES, ANNOTATIONS = "101_ObjectCategories", "Annotations"
TARS = (f"{IMAGES}.tar.gz", f"{ANNOTATIONS}.tar")  # in the ZIP
FOLDERS = {  # of pictures and of annotations
    "face": ("Faces", "Faces_2"),
    "motorcycle": ("Motorbikes", "Motorbikes_16"),
    "airplane": ("airplanes", "Airplanes_Side_2"),
}
COUNTS = {"face": 435, "motorcycle": 798, "airplane": 800}


def fetch_caltech101(
    root: Path | str | None = None,
    base_url: str = CALTECH101_URL,
    keep_archives: bool = False,
) -> Path:
    """Fetch the three classes into `root`/caltech101, in the layout that
    `read_caltech101` reads; returns that folder.

    `root` is `data_root()` by default. A complete folder is used as it is. The archive
    is fetched beside it, unpacked into a temporary folder, and only a complete set
    takes its name. An archive that was there before is used and kept.

    Raises RuntimeError, one line, for an incomplete folder, a damaged archive, too
    little room, or a download that fails (`wslib.data.download.fetch`).
    """
    root = Path(root or data_root())
    folder, archive = root / CALTECH101_FOLDER, root / CALTECH101_ZIP
    if is_complete("caltech101", folder, caltech101_contents(folder)):
        return folder
    url, found = f"{base_url.rstrip('/')}/{CALTECH101_ZIP}", archive.exists()

    def build(part: Path) -> None:
        print(f"caltech101: from {archive if found else url}", flush=True)
        fetch(url, archive, CALTECH101_CHECKSUM)
        _unpack(archive, part)
        contents = caltech101_contents(part)
        if not contents.startswith("complete"):
            problem = contents.replace(f"{part}{os.sep}", "")
            raise RuntimeError(f"{archive}: {problem}; nothing was taken")

    build_once(folder, build)
    clear_away(archive, keep_archives or found)
    print(f"caltech101: {caltech101_contents(folder)}, in {folder}", flush=True)
    return folder


def caltech101_contents(folder: Path | str | None = None) -> str:
    """What is there of the three classes: "complete, 435 face, ...", "not here", or
    what is missing. `folder` is caltech101, by default below `data_root()`."""
    folder = Path(folder or data_root() / CALTECH101_FOLDER)
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


def _unpack(archive: Path, part: Path) -> None:
    """The tar files out of the ZIP, and out of them what the three classes need."""
    inside = part / "unpacked"
    inside.mkdir()
    unpack_zip(archive, inside)
    for tar in TARS:
        found = sorted(inside.rglob(tar))
        if not found:
            raise RuntimeError(f"{archive}: no {tar} in it; nothing was taken")
        unpack_tar(found[0], inside)
    for pictures, boxes in FOLDERS.values():
        for folder in (Path(IMAGES, pictures), Path(ANNOTATIONS, boxes)):
            if (inside / folder).is_dir():
                move(inside / folder, part / folder)
    shutil.rmtree(inside)
