"""What the web book offers to take along: the numbers of each table, the notebook of
each chapter, the PDF. They lie in the folder of its pages."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat

from wslib.workbook.report.editions import part_solutions
from wslib.workbook.report.stage import Stage
from wslib.workbook.sources.book import RenderError
from wslib.workbook.sources.chapter import code_cells

TABLE = re.compile(r"<!-- table ([\w.-]+) -->")
FACTS = re.compile(r"(::: \{\.run-facts\}\n(?:(?!:::).*\n)*)")


def with_downloads(staged: Stage) -> Stage:
    """The book with links to notebook and PDF below the title of each chapter that was
    run, and to its numbers below each table."""
    documents = []
    for page, document in zip(staged.pages, staged.documents, strict=True):
        text = TABLE.sub(r"[CSV](tables/\1.csv){.download}", document.markdown)
        if page.file.endswith(".ipynb"):
            notebook = f"[Notebook](notebooks/{Path(page.file).name}){{.download}}"
            links = f"{notebook} [PDF](workbook.pdf){{.download}}\n"
            text = FACTS.sub(lambda facts, links=links: facts[1] + links, text, count=1)
        documents.append(replace(document, markdown=text))
    return replace(staged, documents=documents)


def write_downloads(staged: Stage, folder: Path, edition: str = "") -> None:
    """Write to `folder` what the links lead to; for students without solutions. Raises
    RenderError with a line for each table whose numbers are not there."""
    book, missing = staged.book, []
    for page, document in zip(staged.pages, staged.documents, strict=True):
        file = book.root / page.file
        for name in TABLE.findall(document.markdown):
            numbers = file.parent / "tables" / f"{name}.csv"
            if numbers.is_file():
                _copy(numbers, folder / "tables")
            else:
                missing.append(f"{numbers.relative_to(book.root)}: is not there")
        if file.suffix == ".ipynb":
            _write_empty(file, folder / "notebooks", edition)
    if missing:
        raise RenderError("\n".join(missing))


def _copy(file: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    shutil.copy(file, folder)


def _write_empty(file: Path, folder: Path, edition: str) -> None:
    """Write the notebook without its outputs, which the pages show."""
    notebook = nbformat.read(file, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    for cell in notebook.cells if edition == "student" else []:
        if cell.cell_type == "markdown":
            cell.source = part_solutions(cell.source)[0]
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / file.name)
