"""The data sets of the chapters: which are here, and how the others are fetched."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from wslib.data.folders import data_root

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
    from wslib.data.fetch import SOURCES

    root, rows = data_root().absolute(), []
    for name, sources in SOURCES.items():
        for one in sources:
            folder = root / one.folder
            rows.append((name, one.part or None, folder, str(one.contents(folder))))
            if one.instead and (root / one.instead).is_file():
                other = root / one.instead
                rows.append((name, None, other, f"in its stead: {other}"))
    for name, contents in BY_HAND.items():
        rows.append((name, None, root / name, contents(root / name)))
    return [DataSetState(*row[:3], row[3].startswith(COMPLETE), row[3]) for row in rows]


def find_missing(names: Collection[str]) -> list[str]:
    """Say of each of these data sets that is not here and cannot be fetched what is
    missing, a line for each; other names are passed over."""
    root = data_root().absolute()
    said = {
        root / n: describe(root / n) for n, describe in BY_HAND.items() if n in names
    }
    return [f"{k}: {text}" for k, text in said.items() if not text.startswith(COMPLETE)]


def fetch_data_set(
    name: str, part: str | None, base_url: str | None, keep_archives: bool
) -> None:
    """Fetch one of `wslib.data.fetch.SOURCES`, or a part of VOC2007, from `base_url` or
    its own address.

    Raises ValueError for an unknown name and for a part of another data set; errors as
    `wslib.data.fetch`."""
    from wslib.data import fetch

    if part and name in fetch.SOURCES and name != "voc2007":
        raise ValueError(f"--part {part}: only voc2007 has parts, {name} has none")
    parts = (part,) if part else None
    fetch.fetch_data_set(
        name, parts=parts, base_url=base_url, keep_archives=keep_archives
    )


def _caltech3(folder: Path) -> str:
    """Describe the practical's pictures and CSVs: "complete, 2,033 pictures", or what
    is missing."""
    from wslib.data.caltech import LABELS

    if not folder.is_dir():
        return "not here; the practical's own, which cannot be fetched"
    for label in LABELS:
        if not (folder / "annotations" / f"{label}.csv").is_file():
            return f"incomplete: {folder / 'annotations' / label}.csv: not found"
    count = sum(len(list((folder / "images" / name).glob("*.*"))) for name in LABELS)
    return f"complete, {count:,} pictures" if count else f"incomplete: {folder}: empty"


# Those that nothing can fetch, and what says "complete, ..." or what is missing.
BY_HAND: dict[str, Callable[[Path], str]] = {"caltech3": _caltech3}
