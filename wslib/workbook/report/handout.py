"""One chapter of the book alone: a PDF and a web page to hand out.

Chapter, figures and tables keep the numbers that they have in the book, and what is in
other chapters is named in words. The embedded engine makes both, also where Quarto is
on the PATH: Quarto knows the book, not this.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from pathlib import Path

from wslib.runtime.kept import move
from wslib.workbook.report import embedded
from wslib.workbook.report.editions import Edition, for_paper, for_web, of_edition
from wslib.workbook.report.stage import in_sources, stage
from wslib.workbook.sources.book import Book, Page, RenderError, load_book

TITLE = re.compile(r"^(?:# )?# (.+?) *\{#(sec-[\w-]+)", re.MULTILINE)


def make_handout(
    chapter: Path, profile: str, edition: Edition = "", root: Path = Path(".")
) -> list[Path]:
    """Make NAME_alone.pdf and NAME_alone.html of the executed `chapter`, in the folder
    of the book; return them.

    Nothing is replaced until both are finished. Raises FileNotFoundError where the
    chapter was not executed, RenderError with one line for each problem.
    """
    book = alone(of_edition(load_book(root, profile), edition), chapter.stem)
    with tempfile.TemporaryDirectory(prefix="handout-") as scratch:
        staged = stage(book, Path(scratch, "book"))
        try:
            embedded.make(
                for_web(staged, edition), for_paper(staged, edition), Path(scratch)
            )
        except RenderError as error:
            raise in_sources(root, error) from None
        made = {"workbook.pdf": "_alone.pdf", "index.html": "_alone.html"}
        targets = [book.output / f"{chapter.stem}{ending}" for ending in made.values()]
        for name, target in zip(made, targets, strict=True):
            move(Path(scratch, name), target)
    return targets


def alone(book: Book, name: str) -> Book:
    """The book with this chapter as its only one. Raises RenderError for one that the
    book has not, FileNotFoundError for one that was not executed."""
    pages = [page for page in book.pages if page.file.endswith(".ipynb")]
    names = [Path(page.file).stem for page in pages]
    if name not in names:
        raise RenderError(f"no chapter {name} in the book; it has {', '.join(names)}")
    number = names.index(name)
    page = pages[number]
    if not (book.root / page.file).is_file():
        run = f"make chapter CH={name[:2]} PROFILE={book.profile}"
        raise FileNotFoundError(f"{page.file}: is not there; run `{run}` first")
    titles = dict(title for other in book.pages for title in _title(book.root, other))
    settings = {**book.settings["book"], "chapters": [page.file], "appendices": []}
    elsewhere = {"chapters-before": number, "chapter-labels": []}
    elsewhere["chapter-titles"] = titles
    return replace(
        book, settings={**book.settings, "book": settings, "elsewhere": elsewhere}
    )


def _title(root: Path, page: Page) -> list[tuple[str, str]]:
    """Label and title of a page of the book, where it is there and has both."""
    script = root / "chapters" / f"{Path(page.file).stem}.py"
    source = script if page.file.endswith(".ipynb") else root / page.file
    found = TITLE.search(source.read_text("utf-8")) if source.is_file() else None
    return [(found[2], found[1])] if found else []
