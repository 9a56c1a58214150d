"""What Ctrl-C means to a command that can go on where it was stopped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

STATUS = 130  # of a program that Ctrl-C has ended


@contextmanager
def goes_on() -> Iterator[None]:
    """Say after Ctrl-C that the same command goes on; typer would say nothing."""
    try:
        yield
    except KeyboardInterrupt:
        print("wslib: interrupted; the same command goes on", file=sys.stderr)
        raise typer.Exit(STATUS) from None
