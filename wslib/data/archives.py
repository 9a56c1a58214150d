"""The published archives of the real data sets: fetch, unpack, put in place, look."""

from __future__ import annotations

import os
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wslib.data.download import disk_is_full, fetch, mebibytes
from wslib.data.folders import data_root
from wslib.data.voc import VOC2007
from wslib.runtime.kept import alone, move
from wslib.runtime.progress import progress

VOC2007_URL = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/"
VOC2007_FOLDER = Path("voc2007", "VOCdevkit", "VOC2007")  # below the root of the data
LISTS = Path("ImageSets", "Main")


@dataclass(frozen=True)
class Archive:
    """A tar file: `size` in bytes, the lists of images that are in it."""

    name: str
    size: int
    checksum: str
    splits: tuple[str, ...]


VOC2007_PARTS = {
    "trainval": Archive(
        "VOCtrainval_06-Nov-2007.tar",
        460_032_000,
        "md5:c52e279531787c972589f7e41ab4ae64",
        ("train", "val", "trainval"),
    ),
    "test": Archive(
        "VOCtest_06-Nov-2007.tar",
        451_020_800,
        "md5:b6e924de25625d8de591ea690078ad9f",
        ("test",),
    ),
}


@dataclass(frozen=True)
class Contents:
    """What is there of a part: `images` of `expected` images (0 without its lists),
    and the files `missing`, relative to the folder VOC2007."""

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


def voc2007_contents(part: str, folder: Path | str | None = None) -> Contents:
    """Look whether each image of a part's lists has its picture and its annotation.

    `folder` is VOC2007 itself, by default the one below `data_root()`. Raises
    ValueError for a part that is not "trainval" or "test".
    """
    folder = Path(folder or data_root() / VOC2007_FOLDER)
    ids, missing = set(), []
    for split in _archive(part).splits:
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


def fetch_voc2007(
    root: Path | str | None = None,
    parts: Sequence[str] = tuple(VOC2007_PARTS),
    base_url: str = VOC2007_URL,
    keep_archives: bool = False,
) -> Path:
    """Fetch VOC2007 into `root`/voc2007/VOCdevkit/VOC2007; returns that folder.

    `root` is `data_root()` by default. A part that is complete is used as it is; where
    files are missing, its archive is fetched from `base_url`, checked and unpacked
    beside the folder, and its files are moved into it, over those of the same name, the
    lists last: nobody sees a list whose images are not there yet. An interrupted call
    is finished by the next one. An archive that was there before is used and kept.

    Raises ValueError for an unknown part, RuntimeError where the disk has too little
    room, an archive is damaged, or the download fails (`wslib.data.download.fetch`).
    """
    root = Path(root or data_root())
    folder = Path(os.path.realpath(root / VOC2007_FOLDER))
    store = root / VOC2007_FOLDER.parts[0]
    contents = {part: voc2007_contents(part, folder) for part in parts}
    for part in parts:
        if not contents[part].missing:
            print(f"{part}: {contents[part]}, used as it is: {folder}", flush=True)
    todo = [part for part in parts if contents[part].missing]
    if not todo:
        return folder
    _check_room(store, [VOC2007_PARTS[part] for part in todo], keep_archives)
    store.mkdir(parents=True, exist_ok=True)
    with alone(root / VOC2007_FOLDER.parts[0]):
        for part in todo:
            if voc2007_contents(part, folder).missing:  # no other process was first
                _fetch_part(part, folder, store, base_url, keep_archives)
    return folder


def _archive(part: str) -> Archive:
    if part not in VOC2007_PARTS:
        raise ValueError(f"part {part!r}, expected {' or '.join(VOC2007_PARTS)}")
    return VOC2007_PARTS[part]


def _check_room(store: Path, archives: list[Archive], keep: bool) -> None:
    """A tar file and what is in it are of about the same size."""
    sizes = [archive.size for archive in archives]
    needed = sum(sizes) + (sum(sizes) if keep else max(sizes))
    for archive in archives:
        path = store / archive.name
        files = (path, path.with_name(f"{path.name}.part"))
        needed -= sum(file.stat().st_size for file in files if file.exists())
    disk = next(p for p in (store, *store.absolute().parents) if p.exists())
    free = shutil.disk_usage(disk).free
    if free < needed:
        raise RuntimeError(
            f"{store}: {mebibytes(needed)} are needed to fetch and unpack "
            f"{', '.join(a.name for a in archives)}, {mebibytes(free)} are free"
        )


def _fetch_part(part: str, folder: Path, store: Path, base_url: str, keep: bool):
    archive = VOC2007_PARTS[part]
    path, url = store / archive.name, f"{base_url.rstrip('/')}/{archive.name}"
    found = path.exists()
    source = path if found else f"{url}, {mebibytes(archive.size)}"
    print(f"{part}: from {source}", flush=True)
    fetch(url, path, archive.checksum, archive.size)
    _install(path, folder, part)
    if not keep and not found:
        path.unlink()
    kept = f"; {path} is no longer needed" if path.exists() else ""
    print(f"{part}: {voc2007_contents(part, folder)}, in {folder}{kept}", flush=True)


def _install(archive: Path, folder: Path, part: str) -> None:
    """Unpack beside `folder`, look whether all is there, and only then move it in."""
    beside = folder.with_name(f".{folder.name}.{part}")
    shutil.rmtree(beside, ignore_errors=True)  # of a killed process
    try:
        unpack_tar(archive, beside)
        unpacked = beside.joinpath(*VOC2007_FOLDER.parts[1:])
        contents = voc2007_contents(part, unpacked)
        if contents.missing:
            raise RuntimeError(f"{archive}: {part} {contents}; nothing was taken")
        _move(unpacked, folder, VOC2007_PARTS[part].splits)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def unpack_tar(archive: Path, folder: Path) -> None:
    """Unpack a tar file, compressed if it is called *.gz: plain files and folders only.

    Raises RuntimeError, one line, for a name that leaves `folder`, a damaged archive
    and a full disk.
    """
    if not hasattr(tarfile, "data_filter"):
        raise RuntimeError(
            f"{archive}: needs Python 3.10.12, 3.11.4 or later to unpack"
        )
    try:
        with tarfile.open(archive, "r:gz" if archive.suffix == ".gz" else "r:") as tar:
            plain = [member for member in tar if member.isreg() or member.isdir()]
            for member in progress(plain, f"unpacking {archive.name}"):
                tar.extract(member, folder, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise RuntimeError(f"{archive}: damaged, or no archive ({error})") from None
    except OSError as error:
        if not disk_is_full(error):
            raise
        problem = "the disk is full; make room, and the same command goes on"
        raise RuntimeError(f"{archive}: {problem}") from None


def _move(source: Path, folder: Path, splits: Sequence[str]) -> None:
    """Move all files of `source` to their places in `folder`, the lists last."""
    last = {source / LISTS / f"{split}.txt" for split in splits}
    files = [path for path in source.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: (path in last, path)):
        move(path, folder / path.relative_to(source))
