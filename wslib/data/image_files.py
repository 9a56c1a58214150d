"""Image files: which ones are meant, and where their results go."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
BUILD = Path("build")  # below which results are written, unless --out says where
KEPT = "and is not replaced; choose another --out"


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def find_images(paths: Sequence[Path]) -> list[Path]:
    """List files, and of folders the images right in them by the endings of their
    names, each once. Raises FileNotFoundError, and ValueError where there are only
    folders without images."""
    images: list[Path] = []
    for path in paths:
        if path.is_dir():
            images += filter(_is_image, sorted(path.iterdir()))
        elif path.exists():  # be it a pipe: whoever reads it will complain
            images.append(path)
        else:
            raise FileNotFoundError(f"{path}: no such image")
    if not images:
        below = {
            str(p.parent) for path in paths for p in path.glob("*/*") if _is_image(p)
        }
        text = f"; there are some in {', '.join(sorted(below))}" if below else ""
        raise ValueError(
            f"{', '.join(map(str, paths))}: no images in this folder{text}"
        )
    return list(dict.fromkeys(images))


def find_pictures(path: Path, besides: Path) -> list[Path]:
    """List a file, or the pictures in a folder and all folders below, without what lies
    in the folder `besides` or in `build`, here or there, where results are written.
    Raises FileNotFoundError, and ValueError for a folder without pictures."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such picture, folder or CSV")
    results = {folder.resolve() for folder in (besides, BUILD, path / BUILD)}
    inside = [
        file
        for file in sorted(path.rglob("*"))
        if _is_image(file) and file.is_file()
        if not results & {*file.resolve().parents}
    ]
    if not inside:
        raise ValueError(f"{path}: no pictures in this folder, nor below it")
    return inside


def plan_results(
    images: Sequence[Path], out: Path, endings: Sequence[str]
) -> dict[Path, list[Path]]:
    """Name the files to write for each image: NAME with each of the endings, in `out`.
    Raises ValueError where one would be written twice, or over an image."""
    planned, owner = {}, {image.resolve(): image for image in images}
    for image in images:
        planned[image] = [out / f"{image.stem}{ending}" for ending in endings]
        for path in planned[image]:
            other = owner.setdefault(path.resolve(), image)
            if path.resolve() == other.resolve():
                raise ValueError(f"{path}: is one of the images, {KEPT}")
            if other is not image:
                raise ValueError(f"{path}: would be of both {other} and {image}")
    return planned


def plan_copies(files: Sequence[Path], out: Path, taken: str) -> dict[Path, Path]:
    """Name a PNG for each file: as deep below `out` as the file lies below the folder
    that all of them have in common. Two that differ only in their endings keep these,
    as does one that is called `taken`. Raises ValueError where a copy would replace one
    of the files."""
    full = {file: file.resolve() for file in files}
    top = Path(os.path.commonpath([path.parent for path in full.values()]))
    names = {file: path.relative_to(top) for file, path in full.items()}
    count = Counter(name.with_suffix("") for name in names.values())
    count.update([Path(taken)])
    copies, used = {}, set(full.values())
    for file, name in names.items():
        alone = count[name.with_suffix("")] == 1
        copies[file] = out / (name.with_suffix(".png") if alone else f"{name}.png")
        if copies[file].resolve() in used:
            raise ValueError(f"{copies[file]}: is one of the pictures, {KEPT}")
        used.add(copies[file].resolve())
    return copies
