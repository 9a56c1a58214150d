"""The pages of the book that its executed chapters make by themselves."""

from __future__ import annotations

from pathlib import Path

from wslib.workbook.report import tried
from wslib.workbook.runs import provenance, results
from wslib.workbook.sources.book import RenderError, load_book


def write_pages(root: Path, profile: str) -> None:
    """Write "Results at a glance", "What was tried" and "How this book was made" to
    `build/<profile>/`, from those chapters of the book in `root` that were executed.
    Raises RenderError for one that is damaged, or has lost its tables."""
    pages = [root / page.file for page in load_book(root, profile).pages]
    notebooks = [page for page in pages if page.suffix == ".ipynb" and page.is_file()]
    folder = root / "build" / profile
    lost = [page for page in notebooks if provenance.read_finished(page) is None]
    if lost:
        words = "was damaged and is removed; the same command makes it anew"
        raise RenderError("\n".join(f"{page}: {words}" for page in lost))
    if notebooks:
        names = [notebook.stem for notebook in notebooks]
        results.write_page(root, profile, names, folder / "results.qmd")
        tried.write_page(root, folder / "tried.qmd")
        provenance.write_page(notebooks, folder / "provenance.qmd")
