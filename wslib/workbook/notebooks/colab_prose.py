"""The words of the chapters as Colab, Jupyter and slides read them: without labels or
keys.

Pandoc and the filter of the book write them, so that numbers and words are the book's.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from wslib.workbook.report import embedded
from wslib.workbook.report.document import Document, read_document
from wslib.workbook.report.stage import PICTURES, Stage, in_sources, prepare
from wslib.workbook.sources.book import Book, Page, RenderError
from wslib.workbook.sources.chapter import Chapter, without_code

DIALECT = "commonmark+tex_math_dollars+pipe_tables+strikeout"
CELL = re.compile(r"^<!-- cell (\w+) (\d+) -->$", re.MULTILINE)


def read_prose(book: Book, chapters: Sequence[Chapter]) -> dict[tuple[str, int], str]:
    """Read, by chapter and number of a cell, what a Markdown cell says, or the caption
    of what a code cell shows.

    Raises RenderError with a line for each mistake in the chapters, as the book does.
    """
    notebooks = {chapter.name: chapter.without_results() for chapter in chapters}
    for notebook in notebooks.values():
        notebook.cells = [without_code(cell) for cell in notebook.cells]
    with tempfile.TemporaryDirectory(prefix="colab-") as scratch:
        return write_prose(book, notebooks, Path(scratch, "book"))


def write_prose(
    book: Book, notebooks: Mapping[str, NotebookNode], folder: Path
) -> dict[tuple[str, int], str]:
    """Write the cells of `notebooks`, by the chapter's name, in Markdown, and their
    pictures to `folder`, whose names count from there. Raises as `read_prose`."""
    prepare(book, folder)
    pages = [Page(f"build/{book.profile}/{name}.ipynb") for name in notebooks]
    documents = [
        _document(name, notebook, page.file, folder)
        for (name, notebook), page in zip(notebooks.items(), pages, strict=True)
    ]
    try:
        text = _written(Stage(book, folder, pages, documents))
    except RenderError as error:
        raise in_sources(book.root, error) from None
    _, *parts = CELL.split(text)
    cells = zip(parts[::3], map(int, parts[1::3]), parts[2::3], strict=True)
    return {(name, number): words.strip("\n") for name, number, words in cells}


def _document(
    chapter: str, notebook: NotebookNode, name: str, folder: Path
) -> Document:
    """Write the notebook in Markdown, a mark before each cell. Its cover is a picture
    like others here."""
    cells = []
    for number, cell in enumerate(notebook.cells):
        cells.append(new_markdown_cell(f"<!-- cell {chapter} {number} -->"))
        cells.append(nbformat.from_dict({**cell, "metadata": {}}))
    file = folder / f"{chapter}.ipynb"
    nbformat.write(nbformat.from_dict({**notebook, "cells": cells}), file)
    return read_document(file, name, folder / PICTURES, code_fold="false")


def _written(staged: Stage) -> str:
    staged.raise_problems()
    embedded.write_metadata(staged)
    target = staged.folder / "prose.md"
    embedded.run_pandoc(staged, target, DIALECT, None, "--wrap=preserve")
    return target.read_text(encoding="utf-8")
