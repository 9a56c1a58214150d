"""From executed notebooks to the report: a web book and a PDF.

`_quarto.yml` is the only description of the book. It is laid out in a folder of its own
(`stage`), and made there by Quarto where that is, otherwise by the embedded renderer.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wslib.runtime.kept import move
from wslib.workbook.report import embedded, quarto
from wslib.workbook.report.downloads import with_downloads, write_downloads
from wslib.workbook.report.editions import Edition, for_paper, for_web, of_edition
from wslib.workbook.report.front import fill
from wslib.workbook.report.stage import Stage, in_sources, stage, write_pages
from wslib.workbook.sources.book import RenderError, read_book

PRODUCTS = ("index.html", "workbook.pdf")  # moved into place last, in this order
KEPT = re.compile(r"_(summary\.(pdf|tmp)|slides\.html|alone\.(pdf|html))$")


@dataclass(frozen=True)
class Report:
    """The finished book: its two files, what made them and in how many seconds."""

    html: Path
    pdf: Path
    engine: str
    seconds: float


def render(
    root: Path, profile: str, out: Path | None = None, edition: Edition = ""
) -> Report:
    """Assemble the executed notebooks of `profile` into the report of the project in
    `root`, in the folder `out` (by default, the one that `_quarto.yml` names, with
    the `edition` behind it if there is one).

    `$WSLIB_RENDERER` set to "quarto" or "embedded" forces an engine. Nothing in `out`
    is touched until both files are finished. Raises RenderError with one line for each
    problem: a reference that leads nowhere, a chapter that is missing or has failed...
    """
    began, started = time.monotonic(), time.time()
    root = Path(root)
    book = of_edition(read_book(root, profile), edition)
    target = Path(out) if out else book.output
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target)
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}.new-", dir=target.parent))
    try:
        staged = fill(stage(book, root / "build" / profile / edition / "book"))
        web = with_downloads(for_web(staged, edition))
        engine = _make(web, for_paper(staged, edition), fresh)
        write_downloads(staged, fresh, edition)
        _publish(fresh, target, started)
    except RenderError as error:
        raise in_sources(root, error) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    html, pdf = (target / name for name in PRODUCTS)
    report = Report(html, pdf, engine, time.monotonic() - began)
    print(f"{engine}: {html}, {pdf}, {report.seconds:.1f} s", flush=True)
    return report


def _make(staged: Stage, paper: Stage, folder: Path) -> str:
    """Make the book in `folder`; return what made it."""
    write_pages(staged, staged.folder)
    wish = os.environ.get("WSLIB_RENDERER", "")
    if wish not in ("", "quarto", "embedded"):
        raise RenderError(f"WSLIB_RENDERER is {wish!r}, expected quarto or embedded")
    found = quarto.find() if wish != "embedded" else None
    if found and quarto.is_recent(found[1]):
        embedded.check(staged)
        print(f"the book is right; Quarto {found[1]} renders it ...", flush=True)
        try:
            quarto.make(staged, paper, folder, found[0])
            return f"Quarto {found[1]}"
        except quarto.QuartoFailed as error:
            if wish == "quarto":
                raise RenderError(str(error)) from None
            print(f"{error}; going on with the embedded renderer", flush=True)
            for file in folder.iterdir():
                shutil.rmtree(file) if file.is_dir() else file.unlink()
    elif wish == "quarto":
        have = f"found {found[1]}" if found else "found none on the PATH"
        raise RenderError(f"WSLIB_RENDERER is quarto: need Quarto >= 1.9, {have}")
    elif found:
        print(f"Quarto {found[1]} is too old (need 1.9); going on without it")
    embedded.make(staged, paper, folder)
    return f"embedded renderer ({embedded.versions()})"


def _publish(fresh: Path, target: Path, started: float) -> None:
    """Move each finished file into its place: a file of the last report is replaced
    whole or not at all, the PDF, by whose time stamp Make goes, at the very end. It is
    dated when the render `started`: Make sees what was edited since. Pages of earlier
    renders that this one has not are removed."""
    os.utime(fresh / PRODUCTS[-1], (started, started))
    files = [file for file in fresh.rglob("*") if file.is_file()]
    names = {file.relative_to(fresh) for file in files}
    last = [Path(name) for name in PRODUCTS]
    for name in [*sorted(names - set(last)), *last]:
        move(fresh / name, target / name)
    _remove_others(target, names)


def _remove_others(target: Path, names: set[Path]) -> None:
    """Remove from `target` what is not one of `names`; the summaries, slides and
    handouts of chapters, which other commands put there, stay."""
    for file in sorted(target.rglob("*"), reverse=True):
        if file.is_dir():
            with suppress(OSError):  # it is not empty
                file.rmdir()
        elif file.relative_to(target) not in names and not KEPT.search(file.name):
            file.unlink()


def _sweep(target: Path) -> None:
    """Remove what renders that were killed an hour ago or earlier left beside."""
    for folder in target.parent.glob(f"{target.name}.new-*"):
        if time.time() - folder.stat().st_mtime > 3600:
            shutil.rmtree(folder, ignore_errors=True)
