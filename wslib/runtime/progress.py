"""Progress bars that people see in the terminal and readers never see in the book."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def progress(
    iterable: Iterable[Item], desc: str, total: int | None = None
) -> Iterator[Item]:
    """Yield the items of `iterable` behind a progress bar named `desc`.

    The bar goes to standard error. While the build runs a chapter, it goes to the file
    named in `$WSLIB_PROGRESS` instead, which the build copies to its own terminal: a
    bar on standard error would end up in the notebook, and so in the book.
    """
    with _terminal() as terminal:
        yield from tqdm(
            iterable, desc, total, file=terminal, leave=False, ncols=80, mininterval=0.5
        )


def say(text: str, file: TextIO | None = None) -> None:
    """Print a line, on standard output by default, above a bar that may be there."""
    tqdm.write(text, file=file)


def progress_bytes(
    chunks: Iterable[bytes], desc: str, total: int | None = None, initial: int = 0
) -> Iterator[bytes]:
    """Yield `chunks` behind a bar, as `progress` does, that counts bytes.

    Of the `total`, as far as it is known, `initial` bytes were there before.
    """
    with (
        _terminal() as terminal,
        tqdm(
            desc=desc, total=total, initial=initial, file=terminal, leave=False,
            ncols=80, mininterval=0.5, unit="B", unit_scale=True, unit_divisor=1024,
        ) as bar,
    ):  # fmt: skip
        for chunk in chunks:
            bar.update(len(chunk))
            yield chunk


@contextmanager
def _terminal() -> Iterator:
    path = os.environ.get("WSLIB_PROGRESS")
    if not path:
        yield sys.stderr
        return
    with open(path, "a", encoding="utf-8") as file:
        yield file
