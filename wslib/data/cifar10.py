"""CIFAR-10's pictures, 32 x 32, from its binary files or from a zip of JPEGs.

Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html: a row of a binary file is
one byte of label, then 1,024 bytes each of red, green and blue. The files of the
Python version are pickles and are not read.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from wslib.data.folders import data_root
from wslib.runtime.project import note_dependency

BINARY = Path("cifar10", "cifar-10-batches-bin")  # below the root of the data
BATCHES = {
    "train": tuple(f"data_batch_{k}.bin" for k in range(1, 6)),
    "test": ("test_batch.bin",),
}
ZIP = "cifar10_pictures.zip"  # cifar10_pictures/{train,test}/CLASS/NNNN.jpg
SIDE = 32  # pixels
ROW = 1 + 3 * SIDE * SIDE  # bytes


def cifar10_pictures(
    root: Path | str | None = None,
) -> tuple[dict[str, Sequence[np.ndarray]], str]:
    """The training and the test pictures, and from which file they are.

    {"train": ..., "test": ...}, each a sequence of (32, 32, 3) uint8 RGB that are read
    when they are asked for. The binary files are taken where they are complete, else
    the zip; `root` is `data_root()` by default.

    Raises FileNotFoundError where neither is there, ValueError for a file that is
    damaged; one line.
    """
    root = Path(root or data_root())
    folder, archive = root / BINARY, root / ZIP
    if all((folder / name).is_file() for names in BATCHES.values() for name in names):
        note_dependency(folder)
        parts = {part: BinaryPictures(folder, names) for part, names in BATCHES.items()}
        return parts, f"{BINARY.name} ({len(parts['train']) + len(parts['test']):,})"
    if archive.is_file():
        note_dependency(archive)
        parts = {part: ZippedPictures(archive, part) for part in BATCHES}
        return parts, f"{ZIP} ({' '.join(p.digest for p in parts.values())})"
    raise FileNotFoundError(
        f"{folder.absolute()}: not found, nor {ZIP}; fetch it with `wslib data fetch "
        "cifar10`, or set WSLIB_DATA to the folder that holds one of them"
    )


class BinaryPictures(Sequence):
    """The pictures of some binary files, (32, 32, 3) uint8 RGB, in their order."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.rows = [_rows(folder / name) for name in names]
        self.ends = np.cumsum([len(rows) for rows in self.rows])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, index: int) -> np.ndarray:
        index = range(len(self))[index]
        k = int(np.searchsorted(self.ends, index, side="right"))
        row = self.rows[k][index - self.ends[k]]  # counted from the end of the file
        return np.array(row[1:].reshape(3, SIDE, SIDE).transpose(1, 2, 0))


def _rows(path: Path) -> np.ndarray:
    size = path.stat().st_size
    if not size or size % ROW:
        raise ValueError(f"{path}: {size:,} bytes, expected a multiple of {ROW:,}")
    return np.memmap(path, np.uint8, "r").reshape(-1, ROW)


class ZippedPictures(Sequence):
    """The pictures of a part of the zip, (32, 32, 3) uint8 RGB, sorted by name.
    `digest` tells their bytes from those of another zip."""

    def __init__(self, path: Path, part: str) -> None:
        self.path = path
        try:
            self.archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path}: damaged, or no archive ({error})") from None
        start = f"{path.stem}/{part}/"
        entries = sorted(
            (entry.filename, entry.CRC)
            for entry in self.archive.infolist()
            if entry.filename.startswith(start) and entry.filename.endswith(".jpg")
        )
        if not entries:
            raise ValueError(f"{path}: nothing in it is called {start}CLASS/NNNN.jpg")
        self.names = [name for name, _ in entries]
        self.digest = f"{zlib.crc32(repr(entries).encode()):08x}"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        name = self.names[index]
        try:
            code = np.frombuffer(self.archive.read(name), np.uint8)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{self.path}: {name}: {error}") from None
        image = cv2.imdecode(code, cv2.IMREAD_COLOR) if len(code) else None
        if image is None or image.shape != (SIDE, SIDE, 3):
            raise ValueError(f"{self.path}: {name}: expected a JPEG of 32 x 32 pixels")
        return np.ascontiguousarray(image[:, :, ::-1])


def cifar10_contents(folder: Path) -> str:
    """Describe what is there of the binary files: "complete, 60,000 pictures", "not
    here", or what is missing."""
    names = [name for names in BATCHES.values() for name in names]
    if not folder.exists():
        return "not here"
    for path in (folder / name for name in names):
        if not path.is_file():
            return f"incomplete: {path}: not found"
    try:
        return f"complete, {len(BinaryPictures(folder, names)):,} pictures"
    except ValueError as error:
        return f"incomplete: {error}"
