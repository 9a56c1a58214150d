"""What chapter 4 fetches: the course's shapes, and CIFAR-10 to lay shapes over."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

from wslib.data.archives import unpack_tar
from wslib.data.cifar10 import BATCHES, BINARY, cifar10_pictures
from wslib.data.download import disk_is_full, fetch, mebibytes
from wslib.data.folders import data_root
from wslib.data.shapes import ENDINGS, SPLITS, Shapes
from wslib.runtime.kept import build_once, move
from wslib.runtime.progress import progress

SHAPES_URL = "https://www.mimuw.edu.pl/~mwrochna/upload/"
SHAPES_ZIP = "synthetic_shapes.zip"  # nobody has published its checksum
SHAPES_FOLDER = Path("synthetic_shapes")  # below the root of the data
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/"
CIFAR10_TAR = "cifar-10-binary.tar.gz"
CIFAR10_CHECKSUM = "md5:c32a1d4ab5d03f1284b67883e8d87530"  # as on that site
CIFAR10_SIZE = 170_052_171  # bytes
DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


def fetch_synthetic_shapes(
    root: Path | str | None = None,
    base_url: str = SHAPES_URL,
    keep_archives: bool = False,
) -> Path:
    """Fetch the course's shapes into `root`/synthetic_shapes; returns that folder.

    `root` is `data_root()` by default. A complete folder is used as it is. The archive
    is fetched beside it, unpacked into a temporary folder, and only a complete set
    takes its name. No checksum of it is known: that all its files are whole is checked
    by the archive's own. An archive that was there before is used and kept.

    Raises RuntimeError, one line, for an incomplete folder, a damaged archive, too
    little room, or a download that fails (`wslib.data.download.fetch`).
    """
    root = Path(root or data_root())
    folder, archive = root / SHAPES_FOLDER, root / SHAPES_ZIP
    if is_complete("synthetic_shapes", folder, shapes_contents(folder)):
        return folder
    url, found = f"{base_url.rstrip('/')}/{SHAPES_ZIP}", archive.exists()

    def build(part: Path) -> None:
        print(f"synthetic_shapes: from {archive if found else url}", flush=True)
        fetch(url, archive)
        try:
            unpack_zip(archive, part)
            _put_on_top(part, archive)
        except _Damaged as error:
            if found:
                raise RuntimeError(f"{error}; remove it to fetch it again") from None
            archive.unlink()  # or the next call would take it for the right one
            raise RuntimeError(f"{error}; what came was removed") from None

    build_once(folder, build)
    clear_away(archive, keep_archives or found)
    print(f"synthetic_shapes: {shapes_contents(folder)}, in {folder}", flush=True)
    return folder


def fetch_cifar10(
    root: Path | str | None = None,
    base_url: str = CIFAR10_URL,
    keep_archives: bool = False,
) -> Path:
    """Fetch CIFAR-10's binary files into `root`/cifar10/cifar-10-batches-bin; returns
    that folder. Otherwise as `fetch_synthetic_shapes`, with a checksum."""
    root = Path(root or data_root())
    folder, archive = root / BINARY, root / BINARY.parent / CIFAR10_TAR
    if is_complete("cifar10", folder, cifar10_contents(root)):
        return folder
    url, found = f"{base_url.rstrip('/')}/{CIFAR10_TAR}", archive.exists()

    def build(part: Path) -> None:
        source = archive if found else f"{url}, {mebibytes(CIFAR10_SIZE)}"
        print(f"cifar10: from {source}", flush=True)
        fetch(url, archive, CIFAR10_CHECKSUM, CIFAR10_SIZE)
        unpack_tar(archive, part)
        _hoist(part / BINARY.name, part)
        for name in (name for names in BATCHES.values() for name in names):
            if not (part / name).is_file():
                raise RuntimeError(f"{archive}: no {BINARY.name}/{name} in it")

    build_once(folder, build)
    clear_away(archive, keep_archives or found)
    print(f"cifar10: {cifar10_contents(root)}, in {folder}", flush=True)
    return folder


def shapes_contents(folder: Path | str | None = None) -> str:
    """What is there of the course's shapes: "complete, 3,500 train, ...", "not here",
    or what is missing. `folder` is synthetic_shapes, by default below `data_root()`."""
    folder = Path(folder or data_root() / SHAPES_FOLDER)
    if not folder.exists():
        return "not here"
    try:
        shapes = Shapes(folder)
        counts = [f"{len(shapes.ids(split)):,} {split}" for split in SPLITS]
    except (FileNotFoundError, ValueError) as error:
        return f"incomplete: {error}"
    return f"complete, {', '.join(counts)}"


def cifar10_contents(root: Path | str | None = None) -> str:
    """What is there of CIFAR-10's binary files: "complete, 60,000 pictures", "not
    here", or what is missing. `root` is `data_root()` by default."""
    root = Path(root or data_root())
    if not (root / BINARY).exists():
        return "not here"
    for name in (name for names in BATCHES.values() for name in names):
        if not (root / BINARY / name).is_file():
            return f"incomplete: {root / BINARY / name}: not found"
    try:
        parts, _ = cifar10_pictures(root)
    except ValueError as error:
        return f"incomplete: {error}"
    return f"complete, {sum(map(len, parts.values())):,} pictures"


class _Damaged(RuntimeError):
    """What came is not the archive that was asked for."""


def is_complete(name: str, folder: Path, contents: str) -> bool:
    """Whether all is there, by what `contents` says; then that is printed. Raises
    RuntimeError where only a part is."""
    if contents.startswith("incomplete"):
        raise RuntimeError(f"{folder}: {contents}; remove it to fetch it again")
    if contents == "not here":
        return False
    print(f"{name}: {contents}, used as it is: {folder}", flush=True)
    return True


def clear_away(archive: Path, keep: bool) -> None:
    """Delete an archive that was unpacked, or say that it is no longer needed."""
    if not keep:
        archive.unlink(missing_ok=True)
    elif archive.exists():
        print(f"{archive} is no longer needed", flush=True)


def unpack_zip(archive: Path, folder: Path) -> None:
    """Plain files only; a name that leaves `folder` is an error."""
    try:
        with zipfile.ZipFile(archive) as opened:
            files = [entry for entry in opened.infolist() if _plain(entry)]
            for entry in files:
                _check_name(archive, entry.filename)
            _check_room(archive, folder, sum(entry.file_size for entry in files))
            for entry in progress(files, f"unpacking {archive.name}"):
                opened.extract(entry, folder)
    except DAMAGES as error:
        problem = " ".join(str(error).split())
        raise _Damaged(f"{archive}: damaged, or no archive ({problem})") from None
    except OSError as error:
        if not disk_is_full(error):
            raise
        problem = "the disk is full; make room, and the same command goes on"
        raise RuntimeError(f"{archive}: {problem}") from None


def _plain(entry: zipfile.ZipInfo) -> bool:
    return not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16)


def _check_name(archive: Path, name: str) -> None:
    path = PureWindowsPath(name)  # knows /, \ and drives
    if path.is_absolute() or path.anchor or ".." in path.parts:
        raise _Damaged(f"{archive}: {name!r} leaves the folder; nothing was taken")


def _check_room(archive: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RuntimeError(
            f"{archive}: {mebibytes(needed)} are needed to unpack it, "
            f"{mebibytes(free)} are free; make room, and the same command goes on"
        )


def _put_on_top(part: Path, archive: Path) -> None:
    """Leave in `part` the folders images, masks and labels, complete, and no other."""
    if not (part / "images").is_dir():
        inside = [path for path in part.iterdir() if (path / "images").is_dir()]
        if len(inside) == 1:
            _hoist(inside[0], part)
    contents = shapes_contents(part)
    if not contents.startswith("complete"):
        problem = contents.replace(f"{part}{os.sep}", "")
        raise _Damaged(f"{archive}: {problem}; nothing was taken")
    for path in part.iterdir():
        if path.name not in ENDINGS and path.is_dir():
            shutil.rmtree(path)


def _hoist(folder: Path, up: Path) -> None:
    """Move everything in `folder` to `up`, and remove it."""
    if folder.is_dir():
        for path in folder.iterdir():
            move(path, up / path.name)
        folder.rmdir()
