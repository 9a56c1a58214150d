"""From executed notebooks to the report: one HTML book and one PDF.

`_quarto.yml` is the only description of the book. Quarto makes it where it is there;
otherwise the embedded engine does, from the same description.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from wslib.workbook import embedded, quarto
from wslib.workbook.book import Book, RenderError, read_book

PRODUCTS = ("index.html", "workbook.pdf")  # moved into place last, in this order


@dataclass(frozen=True)
class Report:
    """The finished book: its two files, what made them and in how many seconds."""

    html: Path
    pdf: Path
    engine: str
    seconds: float


def render(root: Path, profile: str, out: Path | None = None) -> Report:
    """Assemble the executed notebooks of `profile` into the report of the project in
    `root`, in the folder `out` (by default, the one that `_quarto.yml` names).

    `$WSLIB_RENDERER` set to "quarto" or "embedded" forces an engine. Nothing in `out`
    is touched until both files are finished. Raises RenderError with one line for each
    problem: a reference that leads nowhere, a chapter that is missing or has failed...
    """
    began, started = time.monotonic(), time.time()
    root = Path(root)
    book = read_book(root, profile)
    target = Path(out) if out else book.output
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}.new-", dir=target.parent))
    try:
        engine = _make(book, fresh)
        _publish(fresh, target, started)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    html, pdf = (target / name for name in PRODUCTS)
    report = Report(html, pdf, engine, time.monotonic() - began)
    print(f"{engine}: {html}, {pdf}, {report.seconds:.1f} s", flush=True)
    return report


def _make(book: Book, folder: Path) -> str:
    """Make the book in `folder`; return what made it."""
    wish = os.environ.get("WSLIB_RENDERER", "")
    if wish not in ("", "quarto", "embedded"):
        raise RenderError(f"WSLIB_RENDERER is {wish!r}, expected quarto or embedded")
    found = quarto.find() if wish != "embedded" else None
    if found and quarto.is_recent(found[1]):
        quarto.make(book, folder, found[0])
        return f"Quarto {found[1]}"
    if wish == "quarto":
        have = f"found {found[1]}" if found else "found none on the PATH"
        raise RenderError(f"WSLIB_RENDERER is quarto: need Quarto >= 1.9, {have}")
    if found:
        print(f"Quarto {found[1]} is too old (need 1.9); going on without it")
    embedded.make(book, folder)
    return f"embedded renderer ({embedded.versions()})"


def _publish(fresh: Path, target: Path, started: float) -> None:
    """Move each finished file into its place: a file of the last report is replaced
    whole or not at all, the PDF, by whose time stamp Make goes, at the very end. It is
    dated when the render `started`: Make sees what was edited since."""
    os.utime(fresh / PRODUCTS[-1], (started, started))
    files = [file for file in fresh.rglob("*") if file.is_file()]
    names = [file.relative_to(fresh) for file in files]
    last = [Path(name) for name in PRODUCTS]
    for name in [*sorted(set(names) - set(last)), *last]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / name, target / name)


def _sweep(target: Path) -> None:
    """Remove what renders that were killed an hour ago or earlier left beside."""
    for folder in target.parent.glob(f"{target.name}.new-*"):
        if time.time() - folder.stat().st_mtime > 3600:
            shutil.rmtree(folder, ignore_errors=True)
