"""What is kept on disk: files written whole, digests of content, things built once.

No other module replaces files or hashes content. A reader sees the old file or the new
one, however a process ends and however many write at once. What was built once is found
again under a key of its inputs and of the code that made it.
"""

from __future__ import annotations

import errno
import hashlib
import inspect
import json
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import UnsupportedOperation
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from wslib.runtime.imports import bare_code, imported_modules

try:
    import fcntl
except ImportError:  # Windows: two processes may both build, one result is kept
    fcntl = None

PACKAGE = Path(__file__).resolve().parent.parent
Read = TypeVar("Read")


class NotWritten(OSError):
    """A file that cannot be written; one line names it and says why."""

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Yield a name beside `path` to write to; at the end what is there becomes `path`,
    with the permissions of the file that it replaces, and after an error it is removed.
    Where `path` is a link, what it leads to is replaced.

    Raises NotWritten, of a write-protected file too, and UnsupportedOperation, an
    OSError and a ValueError, where `path` is a folder or a device.
    """
    path = Path(path)
    path = path.resolve() if path.is_symlink() else path
    ours = f"{os.getpid()}-{threading.get_ident()}"  # others may write `path` as well
    part = path.with_name(f".{path.name}.part-{ours}")
    if path.exists() and not path.is_file():
        raise UnsupportedOperation(f"{path}: is no file, and is not replaced by one")
    try:
        if path.exists() and not path.stat().st_mode & 0o222:
            raise PermissionError(errno.EACCES, "it is write-protected")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if path.is_file():
            shutil.copymode(path, part)
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch has its own for a full disk
        reason = getattr(error, "strerror", None) or "is the disk full?"
        number = getattr(error, "errno", None)
        raise NotWritten(number, f"cannot be written: {reason}", str(path)) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, with or without a byte order mark. Raises
    ValueError, naming the file and the first byte that is something else."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: not in UTF-8 (byte {error.start + 1}); save it as UTF-8"
        ) from None


def write_text(path: Path | str, text: str, newline: str = "\n") -> None:
    """Write a text in UTF-8, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8", newline=newline)


def write_bytes(path: Path | str, content: bytes) -> None:
    """Write bytes, whole or not at all."""
    with written_whole(path) as part:
        part.write_bytes(content)


def write_json(path: Path | str, value: object) -> None:
    """Write a value as JSON, whole or not at all. Raises ValueError for NaN, TypeError
    for what JSON cannot hold; then the file is as it was."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def move(source: Path, target: Path) -> None:
    """Move a finished file or folder to its place, over a file of the same name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)


def hash_bytes(*chunks, kind: str = "sha256") -> str:
    """Return the hexadecimal hash of bytes, one chunk after the other."""
    hashed = hashlib.new(kind, usedforsecurity=False)
    for chunk in chunks:
        hashed.update(chunk)
    return hashed.hexdigest()


def hash_file(path: Path | str, kind: str = "sha256") -> str:
    """Return the hexadecimal hash of a file, as `sha256sum` or `md5sum` print it."""
    with open(path, "rb") as file:
        new = hashlib.new(kind, usedforsecurity=False)
        return hashlib.file_digest(file, lambda: new).hexdigest()


def digest(value: object) -> str:
    """Return 16 hexadecimal digits that stand for a value: what JSON can hold, and in
    it bytes, arrays (type, shape and content), and a Path for the content of its file.

    The order of a dictionary does not count, nor does the name of a file. Raises
    TypeError for anything else, and the errors of reading a file.
    """
    text = json.dumps(value, sort_keys=True, default=_stand_in)
    return hash_bytes(text.encode())[:16]


def _stand_in(value: object) -> dict[str, object]:
    """What JSON holds in place of a value that it cannot hold."""
    if isinstance(value, Path):
        return {"file": hash_file(value)}
    if isinstance(value, bytes):
        return {"bytes": hash_bytes(value)}
    if not hasattr(value, "__array__"):
        raise TypeError(f"no digest of a {type(value).__name__}")
    array = value.__array__()
    return {"array": [array.dtype.str, array.shape, hash_bytes(array.tobytes())]}


def code_digest(thing: object) -> str:
    """Return what stands for the code of a function or a class: a digest of its module
    and of all modules of wslib that its imports reach, without comments and docstrings.
    For a library, its version. Nothing, "", for what a notebook defines.
    """
    if isinstance(thing, ModuleType):
        return f"{thing.__name__} {thing.__version__}"
    if not (inspect.isroutine(thing) or inspect.isclass(thing)):
        raise TypeError(f"no code of a {type(thing).__name__}")
    file = getattr(sys.modules.get(thing.__module__), "__file__", None) or ""
    if not file.endswith(".py"):
        return ""
    file = Path(file).resolve()
    files = sorted({file, *imported_modules(file, PACKAGE)})
    return digest([[file.name, bare_code(read_text(file))] for file in files])


def keyed(place: Path, inputs: object, *code: object) -> Path:
    """Return the path `place`-KEY: ten digits that stand for the inputs, settings among
    them, and for the code. See `digest` and `code_digest`."""
    key = digest([inputs, [code_digest(thing) for thing in code]])[:10]
    return place.with_name(f"{place.name}-{key}")


def keep(
    place: Path, inputs: object, build: Callable[[Path], object], *code: object
) -> Path:
    """Return the folder `keyed(place, inputs, build, *code)`; where it is not there,
    let `build(part)` fill it first, as `build_once` does.

    `code`: functions and classes that `build` runs without importing them, such as the
    class of a network that it is given, and libraries whose version counts. A file that
    is no longer what `build` has written is named in a line, and all is made anew.
    """
    folder = keyed(place, inputs, build, *code)
    record = folder.with_name(f".{folder.name}.json")

    def recorded(part: Path) -> None:
        build(part)
        files = {str(path.relative_to(part)): path for path in part.rglob("*")}
        write_json(record, {k: _facts(p) for k, p in files.items() if p.is_file()})

    return build_once(folder, recorded, lambda: _damage(folder, record))


def build_once(
    folder: Path | str,
    build: Callable[[Path], object],
    damage: Callable[[], str | None] = lambda: None,
) -> Path:
    """Return `folder`; if it is not there, let `build(part)` fill it first.

    `build` fills a temporary folder beside it, which takes its name when it is
    complete: nobody ever sees half a folder, however the process ends. A second
    process waits for the first. Remains of a killed one are swept away. A folder of
    which `damage()` says something is removed, with a line that says it.
    """
    folder = Path(folder)
    if folder.is_dir() and not damage():
        return folder
    with alone(folder) as locked:
        if folder.is_dir() and (complaint := damage()):
            _drop(folder, complaint)
        if not folder.is_dir():  # no other process was first
            _fill(folder, build, sweep=locked)
    return folder


def _fill(folder: Path, build: Callable[[Path], object], sweep: bool) -> None:
    prefix = f".{folder.name}.part-"
    for remains in folder.parent.glob(prefix + "*") if sweep else ():
        shutil.rmtree(remains, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        part.chmod(0o755)  # mkdtemp's folder is closed to others
        build(part)
        os.replace(part, folder)
    except OSError:
        if not folder.is_dir():  # without locks, another may be first
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold the lock of `path`, a file beside it; another process waits. Yields whether
    there are locks here. It ends with the process; the file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield False
        return
    with open(path.with_name(f".{path.name}.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            yield False
        else:
            yield True


def read_kept(path: Path, read: Callable[[Path], Read]) -> Read | None:
    """Return what `read` makes of a kept file; None where there is none. One that it
    cannot read is damaged: it is named in a line and removed, and None, too."""
    if not path.is_file():
        return None
    try:
        return read(path)
    except (MemoryError, PermissionError):
        raise
    except Exception as error:  # readers raise many kinds for a file not their own
        _drop(path, f"{path}: damaged ({type(error).__name__})")
        return None


def check_kept(folder: Path, readers: Mapping[str, Callable[[Path], object]]) -> Path:
    """Return `folder`; first read its files, each by the reader for its suffix. Where
    one is damaged, all of the folder is removed: its files belong together."""
    for path in sorted(folder.glob("*")):
        if path.suffix in readers and read_kept(path, readers[path.suffix]) is None:
            shutil.rmtree(folder, ignore_errors=True)
            break
    return folder


def _damage(folder: Path, record: Path) -> str | None:
    """Say which file is not as `record` has it; None where all are, or none is known.
    The content is looked at only where size or time stamp have changed."""
    if not record.is_file():
        return None
    file = record
    try:
        for name, facts in json.loads(record.read_bytes()).items():
            file = folder / name
            now = file.stat()
            stamps = [now.st_size, now.st_mtime_ns]
            if stamps != facts[:2] and hash_file(file) != facts[2]:
                return f"{file}: damaged"
    except (ValueError, OSError):
        return f"{file}: damaged"
    return None


def _facts(file: Path) -> list:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, hash_file(file)]


def _drop(path: Path, damage: str) -> None:
    print(f"{damage}; it is made anew", file=sys.stderr, flush=True)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
