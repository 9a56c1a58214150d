"""What a profile needs from the network, data sets and weights: found here, or fetched.

What comes with a package is no download.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wslib.data.download import fetch, mebibytes
from wslib.data.fetch import SOURCES, Source, fetch_data_set
from wslib.data.folders import data_root
from wslib.data.voc import VOC2007_PARTS
from wslib.models.published import HUB, HUB_URL, PUBLISHED, hub_folder
from wslib.runtime.kept import alone


@dataclass(frozen=True)
class Download:
    """A data set, or some weights: where they lie or will lie, their bytes if known."""

    name: str
    what: str
    path: Path
    size: int | None
    here: bool
    fetch: Callable[[], object]

    def __str__(self) -> str:
        size = mebibytes(self.size) if self.size else "size unknown"
        return f"{self.what}, {size}"


def find_downloads(names: Iterable[str], splits: Iterable[str]) -> list[Download]:
    """List what `names` stand for on the network, each once; of VOC2007 the parts that
    hold `splits`. Other names are passed over.

    A data set counts as here where its folder, or its lists of images, are there: a
    part of one is used as it is.
    """
    splits, found = set(splits), []
    for name in dict.fromkeys(names):
        for source in SOURCES.get(name, ()):
            if not source.part or splits & set(VOC2007_PARTS[source.part]):
                found.append(_data_set(name, source))
        if name in HUB:
            found.append(_hub(name))
        elif name in PUBLISHED:
            found.append(_sam(name))
    return found


def fetch_downloads(downloads: Iterable[Download]) -> None:
    """Say what is here, what is to come, and what is free; then fetch it, one after the
    other. What was interrupted is resumed by the next call.

    Raises RuntimeError, one line, where not all of it has room, before anything is
    fetched, and for what fails on the way.
    """
    todo = []
    for one in downloads:
        print(f"{one}: {'is in' if one.here else 'goes to'} {one.path}", flush=True)
        todo += [] if one.here else [one]
    _check_room(todo)
    for one in todo:
        print(f"{one.what}:", flush=True)
        one.fetch()


def _check_room(todo: list[Download]) -> None:
    needed: dict[Path, int] = {}
    for one in todo:
        disk = next(p for p in one.path.absolute().parents if p.exists())
        needed[disk] = needed.get(disk, 0) + (one.size or 0)
    for disk, size in needed.items():
        free = shutil.disk_usage(disk).free
        sizes = f"{disk}: {mebibytes(size)} to download, {mebibytes(free)} free"
        print(sizes, flush=True)
        if free < size:
            raise RuntimeError(f"{sizes}; make room, or set WSLIB_DATA to another disk")


def _data_set(name: str, source: Source) -> Download:
    folder = data_root() / source.folder
    marks = [folder / mark for mark in source.last] or [folder]
    if source.instead:
        other = data_root() / source.instead
        marks, folder = ([other], other) if other.is_file() else (marks, folder)
    parts = [source.part] if source.part else None
    what = f"{source.title} {source.part}".strip()
    about = source.about and source.about * 2**20
    here = all(mark.exists() for mark in marks)
    get = partial(fetch_data_set, name, parts=parts)
    return Download(name, what, folder, source.size or about, here, get)


def _hub(name: str) -> Download:
    file, size = HUB[name]
    path = hub_folder() / "checkpoints" / file
    get = partial(_fetch_alone, f"{HUB_URL}{file}", path, f"sha256:{_digits(file)}")
    what, size = f"weights of {name}", round(size * 2**20)
    return Download(name, what, path, size, path.is_file(), get)


def _digits(file: str) -> str:
    """The first digits of the checksum, which stand in the name NAME-0123abcd.pth."""
    return Path(file).stem.rpartition("-")[2]


def _sam(name: str) -> Download:
    one = PUBLISHED[name]
    get = partial(_fetch_alone, one.url, one.path, one.checksum, one.size)
    what = f"weights of SAM {name}"
    return Download(name, what, one.path, one.size, one.path.is_file(), get)


def _fetch_alone(url: str, path: Path, *expected) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        fetch(url, path, *expected)
    print(f"checked, in {path}", flush=True)
