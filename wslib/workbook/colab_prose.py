"""The words of the chapters as Colab and Jupyter read them: without labels or keys.

Pandoc and the filter of the book write them, so that numbers and words are the book's.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat.v4 import new_markdown_cell

from wslib.workbook import embedded
from wslib.workbook.book import Book, Page, RenderError
from wslib.workbook.chapter import Chapter, without_code
from wslib.workbook.document import Document, read_document
from wslib.workbook.stage import PICTURES, Stage, in_sources, prepare

DIALECT = "commonmark+tex_math_dollars+pipe_tables+strikeout"
CELL = re.compile(r"^<!-- cell (\w+) (\d+) -->$", re.MULTILINE)


def read_prose(book: Book, chapters: Sequence[Chapter]) -> dict[tuple[str, int], str]:
    """Read, by chapter and number of a cell, what a Markdown cell says, or the caption
    of what a code cell shows.

    Raises RenderError with a line for each mistake in the chapters, as the book does.
    """
    with tempfile.TemporaryDirectory(prefix="colab-") as scratch:
        folder = Path(scratch, "book")
        prepare(book, folder)
        pages = [Page(f"build/{book.profile}/{c.name}.ipynb") for c in chapters]
        documents = [
            _document(chapter, page.file, folder)
            for chapter, page in zip(chapters, pages, strict=True)
        ]
        try:
            text = _written(Stage(book, folder, pages, documents))
        except RenderError as error:
            raise in_sources(book.root, error) from None
    _, *parts = CELL.split(text)
    cells = zip(parts[::3], map(int, parts[1::3]), parts[2::3], strict=True)
    return {(name, number): words.strip("\n") for name, number, words in cells}


def _document(chapter: Chapter, name: str, folder: Path) -> Document:
    """Write the chapter in Markdown without its code, a mark before each cell."""
    notebook = chapter.without_results()
    notebook.cells = [
        part
        for number, cell in enumerate(notebook.cells)
        for part in (
            new_markdown_cell(f"<!-- cell {chapter.name} {number} -->"),
            without_code(cell),
        )
    ]
    file = folder / f"{chapter.name}.ipynb"
    nbformat.write(notebook, file)
    return read_document(file, name, folder / PICTURES, code_fold="false")


def _written(staged: Stage) -> str:
    staged.raise_problems()
    embedded.write_metadata(staged)
    target = staged.folder / "prose.md"
    embedded.run_pandoc(staged, target, DIALECT, None, "--wrap=preserve")
    return target.read_text(encoding="utf-8")
