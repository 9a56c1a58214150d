"""Where data lie: the real data sets, and what the build derives from code."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

from wslib.runtime.project import build_folder, note_dependency, project_root

try:
    import fcntl
except ImportError:  # Windows: two processes may both build, one result is kept
    fcntl = None


def data_root() -> Path:
    """The folder of the real data sets: `$WSLIB_DATA`, or the project's `data`."""
    return Path(os.environ.get("WSLIB_DATA") or project_root() / "data")


def derived_root() -> Path:
    """The folder of everything derived: `$WSLIB_DERIVED`, which all profiles and sweeps
    share, or the parent of the build's."""
    return Path(os.environ.get("WSLIB_DERIVED") or build_folder().parent)


def dataset_folder(name: str, marker: str) -> Path:
    """Return the folder of data set `name`, and note that it was read.

    `marker` is a file or folder, relative to it, that only the complete data set has.
    Raises FileNotFoundError, one line, where it is not there.
    """
    folder = data_root() / name
    if not (folder / marker).exists():
        raise FileNotFoundError(
            f"{folder.absolute() / marker}: not found; fetch it with "
            f"`wslib data fetch {name}`, or set WSLIB_DATA to the folder that holds it"
        )
    note_dependency(folder)
    return folder


def recipe_hash(
    recipe: dict[str, object], sources: Iterable[Path | str], *libraries: ModuleType
) -> str:
    """Ten hexadecimal digits for the name of a folder that the build derives: other
    ones for another recipe, other code in the files `sources`, or another version of
    one of the `libraries`."""
    digest = hashlib.sha256(json.dumps(recipe).encode())
    digest.update(" ".join(module.__version__ for module in libraries).encode())
    for source in sources:
        digest.update(Path(source).read_bytes())
    return digest.hexdigest()[:10]


def build_once(folder: Path | str, build: Callable[[Path], object]) -> Path:
    """Return `folder`; if it is not there, let `build(part)` fill it first.

    `build` fills a temporary folder beside it, which takes its name when it is
    complete: nobody ever sees half a folder, however the process ends. A second
    process waits for the first. Remains of a killed one are swept away.
    """
    folder = Path(folder)
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(folder.with_name(f".{folder.name}.lock")) as locked:
        if folder.is_dir():
            return folder
        prefix = f".{folder.name}.part-"
        for remains in folder.parent.glob(prefix + "*") if locked else ():
            shutil.rmtree(remains, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
        try:
            part.chmod(0o755)  # mkdtemp's folder is closed to others
            build(part)
            with suppress(FileExistsError):  # without locks, another may be first
                _rename(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def _rename(part: Path, folder: Path) -> None:
    try:
        os.replace(part, folder)
    except OSError:
        if folder.is_dir():
            raise FileExistsError(f"{folder}: is there already") from None
        raise


@contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """Hold the file `lock` alone; another process waits. Yields whether there are locks
    here. It ends with the process, however that ends; the file stays."""
    if fcntl is None:
        yield False
        return
    with open(lock, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            yield False
        else:
            yield True
