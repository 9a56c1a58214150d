"""The data sets of the chapters: which are here, and how the others are fetched."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from wslib.data.folders import data_root

SOURCES = {  # name -> the module that fetches it, and there the name of the address
    "voc2007": ("archives", "VOC2007_URL"),
    "synthetic_shapes": ("shapes_archive", "SHAPES_URL"),
    "cifar10": ("shapes_archive", "CIFAR10_URL"),
    "caltech101": ("caltech_archive", "CALTECH101_URL"),
}
COMPLETE = ("complete", "in its stead")  # how contents begin that are all there


@dataclass(frozen=True)
class DataSetState:
    """A data set, or one of its parts: where it belongs, and its contents in words."""

    name: str
    part: str | None
    folder: Path
    here: bool  # all of it
    contents: str


def list_data_sets() -> list[DataSetState]:
    """List all data sets that a chapter can use. Raises OSError for a folder that may
    not be read."""
    from wslib.data.archives import VOC2007_FOLDER, VOC2007_PARTS, voc2007_contents
    from wslib.data.caltech_archive import CALTECH101_FOLDER, caltech101_contents
    from wslib.data.cifar10 import BINARY, ZIP
    from wslib.data.shapes_archive import (
        SHAPES_FOLDER,
        cifar10_contents,
        shapes_contents,
    )

    root = data_root().absolute()
    rows = [
        ("voc2007", part, root / VOC2007_FOLDER, str(voc2007_contents(part)))
        for part in VOC2007_PARTS
    ]
    rows.append(("synthetic_shapes", None, root / SHAPES_FOLDER, shapes_contents()))
    rows.append(("cifar10", None, root / BINARY, cifar10_contents()))
    if (root / ZIP).is_file():
        rows.append(("cifar10", None, root / ZIP, f"in its stead: {root / ZIP}"))
    rows.append(("caltech101", None, root / CALTECH101_FOLDER, caltech101_contents()))
    if (root / "caltech3").is_dir():  # the practical's; nothing can fetch it
        rows.append(("caltech3", None, root / "caltech3", _caltech3(root / "caltech3")))
    return [DataSetState(*row[:3], row[3].startswith(COMPLETE), row[3]) for row in rows]


def fetch_data_set(
    name: str, part: str | None, base_url: str | None, keep_archives: bool
) -> None:
    """Fetch one of `SOURCES`, or a part of VOC2007, from `base_url` or its own address.
    Raises ValueError for an unknown name and for a part of another data set; errors as
    its `fetch_NAME`."""
    if name not in SOURCES:
        raise ValueError(f"data set {name!r}, expected one of {', '.join(SOURCES)}")
    module = import_module(f"wslib.data.{SOURCES[name][0]}")
    options = {"base_url": base_url or getattr(module, SOURCES[name][1])}
    options["keep_archives"] = keep_archives
    if name == "voc2007":
        options["parts"] = (part,) if part else tuple(module.VOC2007_PARTS)
    elif part:
        raise ValueError(f"--part {part}: only voc2007 has parts, {name} has none")
    getattr(module, f"fetch_{name}")(**options)


def _caltech3(folder: Path) -> str:
    """Describe the practical's pictures and CSVs: "complete, 2,033 pictures", or what
    is missing."""
    from wslib.data.caltech import LABELS

    for label in LABELS:
        if not (folder / "annotations" / f"{label}.csv").is_file():
            return f"incomplete: {folder / 'annotations' / label}.csv: not found"
    count = sum(len(list((folder / "images" / name).glob("*.*"))) for name in LABELS)
    return f"complete, {count:,} pictures" if count else f"incomplete: {folder}: empty"
