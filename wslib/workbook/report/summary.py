"""The summary of a chapter: its cells that carry the tag `summary`, on two pages.

    # %% [markdown] tags=["summary"]

The chapter's own notebook is read, so that both are made by the same run. The embedded
engine makes the PDF, also where Quarto is on the PATH: Quarto knows the book, not this.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import typst
from nbformat import NotebookNode
from nbformat.v4 import new_notebook

from wslib.runtime.kept import write_bytes
from wslib.workbook.report import embedded
from wslib.workbook.report.document import Document, read_document
from wslib.workbook.report.stage import PICTURES, Stage, prepare
from wslib.workbook.sources.book import Book, RenderError, load_book
from wslib.workbook.sources.chapter import read_executed, without_code

TAG = "summary"
MOST_PAGES = 2
TITLE = re.compile(r"^# +(?P<words>.+?) *(?:\{(?P<attributes>[^{}]*)\})? *$", re.M)
LABEL = re.compile(r"\{#([\w-]+)|^#\| *label: *[\"']?([\w-]+)", re.M)


def summarise(chapter: Path, profile: str, root: Path = Path(".")) -> Path:
    """Make `NAME_summary.pdf` of the `chapter` from its executed notebook; return it.

    A4 in 10 points: title, provenance, and the tagged cells without their code. What
    they refer to elsewhere is named in words. Raises FileNotFoundError without the
    notebook; RenderError without a tagged cell, with a line for each problem, or if the
    PDF has more than two pages, which is then kept for looking at.
    """
    began = time.monotonic()
    book = load_book(root, profile)
    name = f"build/{profile}/{chapter.stem}.ipynb"
    notebook = read_executed(root / name, profile)
    if not _tagged(notebook):
        raise RenderError(f'{chapter}: no cell of it has the tag "{TAG}"')
    content, pages = _make(book, name, notebook)
    target = book.output / f"{chapter.stem}_summary.pdf"
    write_bytes(target, content)
    if pages > MOST_PAGES:
        raise RenderError(f"{target}: has {pages} pages, expected at most {MOST_PAGES}")
    seconds = time.monotonic() - began
    pages = f"{pages} page{'s' if pages > 1 else ''}"
    print(f"{target}: {pages}, {seconds:.1f} s", flush=True)
    return target


def _tagged(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if TAG in cell.metadata.get("tags", [])]


def _make(book: Book, name: str, notebook: NotebookNode) -> tuple[bytes, int]:
    """Make the PDF of the summary; return how many pages it has, too."""
    alone = replace(book, settings={**book.settings, "book": {"chapters": [name]}})
    with tempfile.TemporaryDirectory(prefix="summary-") as scratch:
        folder = Path(scratch, "book")
        prepare(alone, folder)
        document = _document(name, notebook, folder / PICTURES)
        staged = Stage(alone, folder, alone.pages, [document])
        staged.raise_problems()
        metadata = _metadata(book, staged, notebook)
        (folder / "book.json").write_text(json.dumps(metadata), "utf-8")
        return _typeset(staged)


def _typeset(staged: Stage) -> tuple[bytes, int]:
    text = staged.folder / "summary.typ"
    embedded.run_pandoc(
        staged, text, "typst", "summary.typ", "--syntax-highlighting=idiomatic"
    )
    compiler = typst.Compiler(str(text), ignore_system_fonts=True)
    try:
        content = compiler.compile(format="pdf")
    except typst.TypstError as error:
        raise RenderError(f"typst: {error.message}") from None
    return content, int(compiler.query("<last-page>", field="value", one=True))


def _metadata(book: Book, staged: Stage, notebook) -> dict:
    """Collect what the template and the filter ask for."""
    return {
        **embedded.metadata(staged),
        "unnumbered": True,
        "chapter-labels": _labels(notebook),
        "book": book.get("book.title", ""),
        "title": _title("", notebook)["words"],
        "provenance": _provenance(notebook.metadata.get("wslib", {}), book.profile),
    }


def _provenance(run: dict, profile: str) -> str:
    """Say in one line where the numbers are from; the book's table has the rest."""
    facts = {
        "profile": profile,
        "data": run.get("parameters", {}).get("dataset"),
        "seed": run.get("seed"),
        "wslib": run.get("versions", {}).get("wslib"),
        "text": run.get("blob", "")[:7],
        "package": run.get("package", "")[:7],
        "run": run.get("date"),
    }
    known = {name: fact for name, fact in facts.items() if fact not in (None, "")}
    return " · ".join(f"{name} {fact}" for name, fact in known.items())


# ------------------------------------------------------------------------- the words


def _document(name: str, notebook: NotebookNode, media: Path) -> Document:
    """Read the tagged cells, code hidden, under the chapter's own title."""
    cells = [without_code(cell) for cell in _tagged(notebook)]
    file = media / "summary.ipynb"
    nbformat.write(new_notebook(cells=cells), file)
    document = read_document(file, name, media, code_fold="false")
    title = _title(name, notebook)
    line = re.compile(f"^{re.escape(title[0])}$", re.M)
    body = line.sub("", document.markdown, count=1)
    attributes = f"{title['attributes'] or ''} .unnumbered"
    text = f"# {title['words']} {{{attributes}}}\n\n{body}"
    return replace(document, markdown=text)


def _title(name: str, notebook: NotebookNode) -> re.Match:
    """Find the line of the chapter's first heading, of level 1."""
    for cell in notebook.cells:
        found = TITLE.search(cell.source) if cell.cell_type == "markdown" else None
        if found:
            return found
    raise RenderError(f"{name}: has no title; expected a line `# Title {{#sec-name}}`")


def _labels(notebook: NotebookNode) -> list[str]:
    """List what can be referred to: `{#fig-x}` in text, `#| label: fig-x` in code."""
    pairs = (pair for cell in notebook.cells for pair in LABEL.findall(cell.source))
    return [label for pair in pairs for label in pair if label]
