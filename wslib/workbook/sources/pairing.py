"""Chapters and the notebooks that people work in, reconciled by what they say.

`chapters/NAME.py` is paired with `notebooks/NAME.ipynb`, as `jupytext.toml` says. A
sync is a three-way merge: `notebooks/.synced/NAME.py` is the text that both had at the
last one. A file whose text does not change is not written: Make goes by time stamps.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wslib.runtime.kept import read_text, write_text
from wslib.workbook.sources.percent import (
    NotSynced,
    read_notebook,
    read_script,
    same_cells,
    with_outputs,
    write_notebook,
    write_script,
)

SIDES = ("chapter", "notebook")
NAME = re.compile(r"\d\d_\w+")  # of a chapter; other notebooks are the reader's own


@dataclass(frozen=True)
class Pair:
    """The two sides of a chapter, in the project in the folder `root`."""

    name: str
    root: Path = Path(".")

    @property
    def chapter(self) -> Path:
        return self.root / "chapters" / f"{self.name}.py"

    @property
    def notebook(self) -> Path:
        return self.root / "notebooks" / f"{self.name}.ipynb"

    @property
    def synced(self) -> Path:
        return self.root / "notebooks" / ".synced" / f"{self.name}.py"

    def beside(self, side: str) -> Path:
        """Where the text of a `side` is put that the other one has not got."""
        return self.root / "notebooks" / f"{self.name}.from-{side}.py"


def pair_of(path: Path) -> Pair:
    """The pair of which `path` is one side. Raises FileNotFoundError for no such file,
    ValueError for one elsewhere."""
    pair = Pair(path.stem, path.parent.parent)
    if path not in (pair.chapter, pair.notebook):
        raise ValueError(f"{path}: neither chapters/NAME.py nor notebooks/NAME.ipynb")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such chapter")
    return pair


def find_pairs(root: Path = Path(".")) -> list[Pair]:
    """All chapters of which one side is there, in the order of their names."""
    files = [*root.glob("chapters/*.py"), *root.glob("notebooks/*.ipynb")]
    names = {file.stem for file in files if NAME.fullmatch(file.stem)}
    return [Pair(name, root) for name in sorted(names)]


def sync_all(
    pairs: list[Pair], keep: str | None = None, check: bool = False
) -> tuple[int, int]:
    """Sync all `pairs`, a printed line for each that needs it. Returns how many had
    edits to take over, and how many could not be synced.

    `check` only looks; a notebook that nobody has made is no difference.
    """
    done = failed = 0
    for pair in pairs:
        if check and not pair.notebook.exists():
            continue
        try:
            said = sync(pair, keep, write=not check)
        except (NotSynced, OSError) as error:
            print(f"wslib: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        if said:
            print(said, flush=True)
            done += 1
    return done, failed


def sync(pair: Pair, keep: str | None = None, write: bool = True) -> str | None:
    """Bring the edits of each side to the other; return what is done, None if nothing.

    Where both were edited at the same place, the text of the side `keep` counts, and
    the other's is put beside. Raises NotSynced where `keep` is None, and for a side
    that cannot be read or told to the other: both are then as they were. Without
    `write`, no file is touched.
    """
    text, raw, base = map(_read, (pair.chapter, pair.notebook, pair.synced))
    notebook = None if raw is None else read_notebook(raw, pair.notebook)
    merged = _merge(pair, text, base, notebook, keep, write)
    if merged is None:
        return None
    fresh = read_script(merged, pair.chapter)
    same = notebook is not None and same_cells(fresh, notebook)
    if write:
        if not same:
            fresh = fresh if notebook is None else with_outputs(fresh, notebook)
            _write(pair.notebook, write_notebook(fresh), raw)
        _write(pair.chapter, merged, text)
        _write(pair.synced, merged, base)
    if text is None or raw is None:
        new, old = pair.chapter, pair.notebook
        return f"{new}: made from {old}" if raw else f"{old}: made from {new}"
    return _told(pair, merged != text, not same)


def _told(pair: Pair, chapter: bool, notebook: bool) -> str | None:
    if chapter and notebook:
        return f"{pair.chapter} and {pair.notebook}: each takes the other's edits"
    if chapter:
        return f"{pair.chapter}: takes the edits of {pair.notebook}"
    return f"{pair.notebook}: takes the edits of {pair.chapter}" if notebook else None


# -------------------------------------------------------------------------- the merge


def _merge(pair: Pair, text, base, notebook, keep, write: bool) -> str | None:
    """The text that both sides shall have; None where nothing is to be done: the
    chapter is gone, and its notebook has no edits that would be lost."""
    if notebook is None or (
        text is not None and same_cells(read_script(text, pair.chapter), notebook)
    ):
        return text

    def as_script(text: str) -> str:
        return write_script(read_script(text, pair.chapter), pair.chapter)

    before = None if base is None else as_script(base)
    told = write_script(notebook, pair.chapter, like=base or text)
    if text is None:
        return None if told == before and keep != "notebook" else told
    merged = None if before is None else three_way(text, before, told)
    if merged is None and before in (text, as_script(text)):
        return told
    return _decide(pair, text, told, keep, write) if merged is None else merged


def _decide(pair: Pair, text: str, told: str, keep: str | None, write: bool) -> str:
    """The text of the side that is kept, after that of the other was put beside."""
    texts = dict(zip(SIDES, (text, told), strict=True))
    other = "chapter" if keep == "notebook" else "notebook"
    if write:
        _write(pair.beside(other), texts[other], _read(pair.beside(other)))
    if keep is None:
        where = f"compare {pair.beside('notebook')}, then " if write else ""
        raise NotSynced(
            f"{pair.chapter} and {pair.notebook}: edited at the same place; {where}"
            f"say whose text counts: `wslib workbook sync {pair.chapter} --keep "
            "chapter` or `--keep notebook`"
        )
    return texts[keep]


def three_way(mine: str, before: str, theirs: str) -> str | None:
    """`mine` with the edit that leads from `before` to `theirs`; None where `mine` was
    edited at the same place, or git is not there to tell."""
    if mine == before:
        return theirs
    if before == theirs:
        return mine
    git = shutil.which("git")
    if git is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("mine", "before", "theirs")]
        for file, text in zip(files, (mine, before, theirs), strict=True):
            file.write_bytes(text.encode())
        command = [git, "merge-file", "--stdout", "--quiet", *files]
        done = subprocess.run(command, capture_output=True)
    return done.stdout.decode() if done.returncode == 0 else None


# -------------------------------------------------------------------------- the files


def _read(path: Path) -> str | None:
    """The text of a file; None where there is none."""
    try:
        return read_text(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise NotSynced(str(error)) from None


def _write(path: Path, text: str, seen: str | None) -> None:
    """Write a file whole or not at all, unless this is its text. Raises NotSynced where
    it is no longer as it was `seen`."""
    if text == seen:
        return
    if _read(path) != seen:
        raise NotSynced(f"{path}: was saved in the meantime; sync again")
    windows = seen is not None and b"\r\n" in path.read_bytes()
    write_text(path, text, "\r\n" if windows else "\n")
