"""Fetch the published data sets: download, check, unpack and put in place, once.

`SOURCES` says where each archive is, how it is known, and what comes of it. What is
complete is used as it is. What is missing is unpacked beside its place and moved there
when it is whole; an interrupted call is finished by the next one.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath

from wslib.data.caltech101 import ANNOTATIONS, FOLDERS, IMAGES, caltech101_contents
from wslib.data.cifar10 import BINARY, ZIP, cifar10_contents
from wslib.data.download import disk_is_full, fetch, mebibytes
from wslib.data.folders import data_root
from wslib.data.shapes import ENDINGS, shapes_contents
from wslib.data.voc import LISTS, VOC2007_PARTS, voc2007_contents
from wslib.runtime.kept import alone, move
from wslib.runtime.progress import progress

DAMAGES = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError,
           NotImplementedError)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One published archive, and what comes of it."""

    title: str  # of the data set, in words
    url: str  # of the folder that it is in
    archive: Path  # where it is put, below the root of the data; its name is the URL's
    folder: Path  # where what is in it comes to lie, below the root
    contents: Callable[[Path], object]  # says "complete, ...", or what there is
    size: int | None = None  # bytes, where it is known
    about: int | None = None  # MiB, where only that is known
    checksum: str | None = None  # if any was published
    part: str = ""  # of the data set; parts come into one folder, file by file
    top: str | None = None  # of what is in it; None: the folder that holds `taken`
    nested: tuple[str, ...] = ()  # tar files in it
    taken: tuple[str, ...] = ()  # what is taken of it; (): all
    last: tuple[Path, ...] = ()  # files that are moved after all others
    instead: Path | None = None  # what will do in its stead, below the root

    def address(self, base_url: str | None) -> str:
        """Give the URL of the archive, at its own address or at another."""
        return f"{(base_url or self.url).rstrip('/')}/{self.archive.name}"


def _voc2007(part: str, archive: str, size: int, checksum: str) -> Source:
    return Source(
        title="VOC2007",
        url="http://host.robots.ox.ac.uk/pascal/VOC/voc2007/",
        archive=Path("voc2007", archive),
        folder=Path("voc2007", "VOCdevkit", "VOC2007"),
        contents=partial(voc2007_contents, part),
        size=size,
        checksum=checksum,
        part=part,
        top="VOCdevkit/VOC2007",
        last=tuple(LISTS / f"{split}.txt" for split in VOC2007_PARTS[part]),
    )


SOURCES: dict[str, tuple[Source, ...]] = {
    "voc2007": (
        _voc2007("trainval", "VOCtrainval_06-Nov-2007.tar", 460_032_000,
                 "md5:c52e279531787c972589f7e41ab4ae64"),
        _voc2007("test", "VOCtest_06-Nov-2007.tar", 451_020_800,
                 "md5:b6e924de25625d8de591ea690078ad9f"),
    ),
    "synthetic_shapes": (
        Source(
            title="the course's shapes",
            url="https://www.mimuw.edu.pl/~mwrochna/upload/",
            archive=Path("synthetic_shapes.zip"),
            folder=Path("synthetic_shapes"),
            contents=shapes_contents,
            taken=tuple(ENDINGS),
        ),
    ),
    "cifar10": (
        Source(
            title="CIFAR-10",
            url="https://www.cs.toronto.edu/~kriz/",
            archive=BINARY.with_name("cifar-10-binary.tar.gz"),
            folder=BINARY,
            contents=cifar10_contents,
            size=170_052_171,
            checksum="md5:c32a1d4ab5d03f1284b67883e8d87530",
            top=BINARY.name,
            instead=Path(ZIP),
        ),
    ),
    "caltech101": (
        Source(
            title="Caltech-101",
            url="https://data.caltech.edu/records/mzrjq-6wc02/files/",
            archive=Path("caltech-101.zip"),
            about=131,
            folder=Path("caltech101"),
            contents=caltech101_contents,
            checksum="md5:3138e1922a9193bfa496528edbbc45d0",
            nested=(f"{IMAGES}.tar.gz", f"{ANNOTATIONS}.tar"),
            taken=tuple(
                f"{top}/{name}"
                for names in FOLDERS.values()
                for top, name in zip((IMAGES, ANNOTATIONS), names, strict=True)
            ),
        ),
    ),
}  # fmt: skip


def fetch_data_set(
    name: str,
    root: Path | str | None = None,
    *,
    parts: Iterable[str] | None = None,
    base_url: str | None = None,
    keep_archives: bool = False,
) -> Path:
    """Fetch one of `SOURCES`, or some `parts` of it, into its place below `root`;
    returns that folder.

    `root` is `data_root()` by default, `base_url` the folder of the archives. What is
    complete is used as it is. An archive that was there before is used and kept. A
    part's lists of images come last: nobody sees a list whose images are not there.

    Raises ValueError for an unknown name or part; RuntimeError, one line, for a folder
    of which only a part is there, too little room, a damaged archive, or a download
    that fails (`wslib.data.download.fetch`).
    """
    root, sources = Path(root or data_root()), _choose(name, parts)
    folder = Path(os.path.realpath(root / sources[0].folder))
    todo = [source for source in sources if not _is_here(name, source, folder)]
    if not todo:
        return folder
    _check_room(root, todo, base_url, keep_archives)
    (root / todo[0].archive).parent.mkdir(parents=True, exist_ok=True)
    with alone(root / name):
        for source in todo:
            if not _says_complete(source, folder):  # no other process was first
                _fetch(name, source, root, folder, base_url, keep_archives)
    return folder


def _choose(name: str, parts: Iterable[str] | None) -> list[Source]:
    if name not in SOURCES:
        raise ValueError(f"data set {name!r}, expected one of {', '.join(SOURCES)}")
    known = {source.part: source for source in SOURCES[name]}
    parts = list(known) if parts is None else list(parts)
    for part in parts:
        if part not in known:
            raise ValueError(f"part {part!r}, expected {' or '.join(known) or 'none'}")
    return [known[part] for part in parts]


def _is_here(name: str, source: Source, folder: Path) -> bool:
    """Look whether all is there, and say so. Raises RuntimeError where only a part is,
    and it is not known how to complete it."""
    contents = str(source.contents(folder))
    if contents.startswith("incomplete"):
        raise RuntimeError(f"{folder}: {contents}; remove it to fetch it again")
    here = contents.startswith("complete")
    if here:
        print(f"{source.part or name}: {contents}, used as it is: {folder}", flush=True)
    return here


def _says_complete(source: Source, folder: Path) -> bool:
    return str(source.contents(folder)).startswith("complete")


def _check_room(root: Path, sources: list[Source], base_url, keep: bool) -> None:
    """An archive and what is in it are of about the same size."""
    sizes = [source.size for source in sources if source.size]
    if not sizes:
        return
    needed = sum(sizes) + (sum(sizes) if keep else max(sizes))
    for path in (root / source.archive for source in sources):
        files = (path, path.with_name(f"{path.name}.part"))
        needed -= sum(file.stat().st_size for file in files if file.exists())
    store = (root / sources[0].archive).parent
    addresses = " and ".join(source.address(base_url) for source in sources)
    _check_free(store, needed, f"{store}: ", f"fetch and unpack {addresses}")


def _check_free(folder: Path, needed: int, where: str, what: str, then: str = ""):
    disk = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(disk).free
    if free < needed:
        sizes = f"{mebibytes(needed)} are needed to {what}, {mebibytes(free)} are free"
        raise RuntimeError(f"{where}{sizes}{then}")


def _fetch(name: str, source: Source, root: Path, folder: Path, base_url, keep: bool):
    archive, url = root / source.archive, source.address(base_url)
    label, own = source.part or name, archive.exists()
    size = f", {mebibytes(source.size)}" if source.size else ""
    print(f"{label}: from {archive if own else url + size}", flush=True)
    fetch(url, archive, source.checksum, source.size)
    with _removing_the_wrong(archive, own or bool(source.checksum), own):
        _install(archive, source, folder)
    if not keep and not own:
        archive.unlink()
    kept = f"; {archive} is no longer needed" if archive.exists() else ""
    print(f"{label}: {source.contents(folder)}, in {folder}{kept}", flush=True)


class _Damaged(RuntimeError):
    """What came is not the archive that was asked for."""


@contextmanager
def _removing_the_wrong(archive: Path, keep: bool, own: bool) -> Iterator[None]:
    """Remove an archive without a checksum that is damaged, or the next call would take
    it for the right one; say what to do with one's `own`."""
    try:
        yield
    except _Damaged as error:
        if not keep:
            archive.unlink()
            raise RuntimeError(f"{error}; what came was removed") from None
        remedy = "; remove it to fetch it again" if own else ""
        raise RuntimeError(f"{error}{remedy}") from None


def _install(archive: Path, source: Source, folder: Path) -> None:
    """Unpack beside `folder`, look whether all is there, and only then move it in."""
    beside = folder.with_name(f".{folder.name}.{source.part or 'part'}")
    shutil.rmtree(beside, ignore_errors=True)  # of a killed process
    try:
        _unpack(archive, beside)
        for tar in source.nested:
            _unpack(_only(archive, beside, tar), beside)
        top = _top(source, beside)
        if not _says_complete(source, top):
            contents = str(source.contents(top)).replace(f"{top}{os.sep}", "")
            what = f"{source.part} {contents}".strip()
            raise _Damaged(f"{archive}: {what}; nothing was taken")
        _move(source, top, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _only(archive: Path, beside: Path, name: str) -> Path:
    found = sorted(beside.rglob(name))
    if not found:
        raise _Damaged(f"{archive}: no {name} in it; nothing was taken")
    return found[0]


def _top(source: Source, beside: Path) -> Path:
    """Find the folder that becomes the data set's, in what was unpacked."""
    if source.top is not None:
        return beside / source.top
    below = sorted(path for path in beside.iterdir() if path.is_dir())
    holders = [p for p in (beside, *below) if (p / source.taken[0]).is_dir()]
    return holders[0] if holders else beside


def _move(source: Source, top: Path, folder: Path) -> None:
    """Move a part's files to their places, over those of the same name; a data set
    without parts takes its place at once."""
    if source.part:
        last = {top / path for path in source.last}
        files = [path for path in top.rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda path: (path in last, path)):
            move(path, folder / path.relative_to(top))
        return
    whole = top.with_name(f"{top.name}.taken") if source.taken else top
    for name in source.taken:
        move(top / name, whole / name)
    try:
        move(whole, folder)
    finally:
        shutil.rmtree(whole, ignore_errors=True)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a ZIP or a tar file: plain files and folders only.

    Raises RuntimeError, one line, for a name that leaves `folder`, a damaged archive
    and a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (_unpack_zip if archive.suffix == ".zip" else _unpack_tar)(archive, folder)
    except DAMAGES as error:
        problem = " ".join(str(error).split())
        raise _Damaged(f"{archive}: damaged, or no archive ({problem})") from None
    except OSError as error:
        if not disk_is_full(error):
            raise
        problem = "the disk is full; make room, and the same command goes on"
        raise RuntimeError(f"{archive}: {problem}") from None


def _unpack_tar(archive: Path, folder: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        wanted = "needs Python 3.10.12, 3.11.4 or later to unpack"
        raise RuntimeError(f"{archive}: {wanted}")
    with tarfile.open(archive, "r:gz" if archive.suffix == ".gz" else "r:") as tar:
        plain = [member for member in tar if member.isreg() or member.isdir()]
        _check_to_unpack(archive, folder, sum(member.size for member in plain))
        for member in progress(plain, f"unpacking {archive.name}"):
            tar.extract(member, folder, filter="data")


def _unpack_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        plain = [entry for entry in opened.infolist() if _is_plain(entry)]
        for name in (entry.filename for entry in plain):
            path = PureWindowsPath(name)  # knows /, \ and drives
            if path.anchor or ".." in path.parts:
                problem = f"{name!r} leaves the folder; nothing was taken"
                raise _Damaged(f"{archive}: {problem}")
        _check_to_unpack(archive, folder, sum(entry.file_size for entry in plain))
        for entry in progress(plain, f"unpacking {archive.name}"):
            opened.extract(entry, folder)


def _is_plain(entry: zipfile.ZipInfo) -> bool:
    return not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16)


def _check_to_unpack(archive: Path, folder: Path, needed: int) -> None:
    then = "; make room, and the same command goes on"
    _check_free(folder, needed, f"{archive}: ", "unpack it", then)
