"""Where data lie: the real data sets, and what the build derives from code."""

from __future__ import annotations

import os
from pathlib import Path

from wslib.runtime.project import build_folder, note_dependency, project_root


def data_root() -> Path:
    """The folder of the real data sets: `$WSLIB_DATA`, or the project's `data`."""
    return Path(os.environ.get("WSLIB_DATA") or project_root() / "data")


def derived_root() -> Path:
    """The folder of everything derived: `$WSLIB_DERIVED`, which all profiles and sweeps
    share, or the parent of the build's."""
    return Path(os.environ.get("WSLIB_DERIVED") or build_folder().parent)


def dataset_folder(name: str, marker: str, remedy: str = "") -> Path:
    """Return the folder of data set `name`, and note that it was read.

    `marker` is a file or folder, relative to it, that only the complete data set has.
    Raises FileNotFoundError, one line, where it is not there; `remedy` says what to do
    about a data set that `wslib data fetch` does not know.
    """
    folder = data_root() / name
    if not (folder / marker).exists():
        remedy = remedy or f"fetch it with `wslib data fetch {name}`"
        raise FileNotFoundError(
            f"{folder.absolute() / marker}: not found; {remedy}, or set WSLIB_DATA to "
            "the folder that holds it"
        )
    note_dependency(folder)
    return folder
