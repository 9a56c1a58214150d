"""The slides of a chapter: its cells that carry the tag `slide`.

    # %% [markdown] tags=["slide"]

A Markdown cell gives its first paragraph and its formulas, a code cell what it shows,
or, without a label, its code. The heading above is the title of the slide. The
chapter's own notebook is read, and the numbers of figures are the book's. Quarto makes
them with revealjs where it is, otherwise pandoc; both write one file that needs
nothing else.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pypandoc
from nbformat import NotebookNode

from wslib.runtime.kept import write_bytes
from wslib.workbook.notebooks.colab_prose import write_prose
from wslib.workbook.report import quarto
from wslib.workbook.sources.book import Book, RenderError, load_book
from wslib.workbook.sources.chapter import Chapter, read_executed, without_code
from wslib.workbook.sources.options import split_options
from wslib.workbook.sources.strict_yaml import to_yaml

TAG = "slide"
MANY_LINES = 14  # of text, table or code: more are set smaller
PICTURE = re.compile(r"^!\[(.*?)\]\((.*?)\)$", re.MULTILINE)
HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*$", re.MULTILINE)
FORMULA_NUMBER = re.compile(r"\s*\\tag\{([^}]*)\}")


def make_slides(chapter: Path, profile: str, root: Path = Path(".")) -> Path:
    """Make `NAME_slides.html` of the `chapter` from its executed notebook; return it.

    Raises FileNotFoundError without the notebook; RenderError without a tagged cell
    or a title, or with a line for each problem of the chapters.
    """
    book = load_book(root, profile)
    notebooks = _notebooks(book, chapter)
    if not any(map(_is_tagged, notebooks[chapter.stem].cells)):
        raise RenderError(f'{chapter}: no cell of it has the tag "{TAG}"')
    with tempfile.TemporaryDirectory(prefix="slides-") as scratch:
        folder = Path(scratch, "book")
        words = write_prose(book, notebooks, folder)
        text = _text(book, chapter.stem, notebooks[chapter.stem], words)
        content = _rendered(text, folder)
    target = book.output / f"{chapter.stem}_slides.html"
    write_bytes(target, content)
    return target


# ------------------------------------------------------------------------ the cells


def _notebooks(book: Book, chapter: Path) -> dict[str, NotebookNode]:
    """The chapters of the book, which count figures and refer to each other: this one
    as it was executed, the others without results."""
    notebooks = {}
    for page in (Path(page.file) for page in book.pages):
        script = book.root / "chapters" / f"{page.stem}.py"
        if page.stem == chapter.stem:
            notebooks[page.stem] = read_executed(book.root / page, book.profile)
        elif page.suffix == ".ipynb" and script.is_file():
            notebooks[page.stem] = Chapter(script).without_results()
    if chapter.stem not in notebooks:
        raise RenderError(f"{chapter}: the book at {book.profile} has no such chapter")
    for notebook in notebooks.values():
        notebook.cells = [_shown(cell) for cell in notebook.cells]
    return notebooks


def _is_tagged(cell: NotebookNode) -> bool:
    return TAG in cell.metadata.get("tags", [])


def _shown(cell: NotebookNode) -> NotebookNode:
    """The cell without its code, unless that is what the slide is to show."""
    is_code = cell.cell_type == "code" and _is_tagged(cell)
    return cell if is_code and "label" not in _options(cell) else without_code(cell)


def _options(cell: NotebookNode) -> dict:
    return split_options(cell.source)[0]


# ------------------------------------------------------------------------ the slides


def _text(book: Book, name: str, notebook: NotebookNode, words: dict) -> str:
    """The slides in Markdown, under a title that says of which run they are."""
    run = notebook.metadata.get("wslib", {})
    facts = [
        book.get("book.title", ""),
        f"profile {book.profile}",
        run.get("date", "")[:10],
    ]
    title = HEADING.search(words.get((name, 0), ""))
    if not title:
        raise RenderError(f"{name}: opens with no title `# Title {{#sec-name}}`")
    head = {"title": title[2]}
    head["subtitle"] = ", ".join(filter(None, facts))
    slides = _slides(name, notebook, words)
    return f"---\n{to_yaml(head)}---\n\n{''.join(slides)}"


def _slides(name: str, notebook: NotebookNode, words: dict) -> Iterator[str]:
    heading = ""
    for number, cell in enumerate(notebook.cells):
        text, is_code = words[name, number], cell.cell_type == "code"
        headings = [] if is_code else HEADING.findall(text)
        if _is_tagged(cell):
            level, title = headings[0] if headings else ("", heading)
            content = text if is_code else "\n\n".join(_opening(text))
            yield _slide("The idea" if level == "#" else title, content)
        heading = headings[-1][1] if headings else heading


def _opening(text: str) -> Iterator[str]:
    """The first paragraph of a cell, and its formulas."""
    wanted = True
    for block in re.split(r"\n{2,}", text):
        if block.startswith("$$"):
            yield block
        elif wanted and not re.match(r"[#<>|!`]", block):
            wanted = False
            yield block


def _slide(title: str, content: str) -> str:
    content = FORMULA_NUMBER.sub(r" \\qquad (\1)", content)
    small = " {.smaller}" if content.count("\n") >= MANY_LINES else ""
    return f"## {title}{small}\n\n{content}\n\n"


# ------------------------------------------------------------------------- the file


def _rendered(text: str, folder: Path) -> bytes:
    """Let Quarto make the file, or pandoc."""
    found = quarto.find() if os.environ.get("WSLIB_RENDERER") != "embedded" else None
    if found and quarto.is_recent(found[1]):
        text = PICTURE.sub(r'![](\2){fig-alt="\1"}', text)
        command = [found[0], "render", "slides.md", "--to", "revealjs"]
        command += ["--metadata-file", "report/slides.yml", "--output", "slides.html"]
    else:
        command = [
            pypandoc.get_pandoc_path(), "slides.md", "--to", "html5", "--mathml",
            "--from", "markdown-implicit_figures", "--section-divs", "--wrap=none",
            "--template", "report/slides.html", "--embed-resources",
            "--output", "slides.html",
        ]  # fmt: skip
    (folder / "slides.md").write_text(text, encoding="utf-8")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RenderError(f"{Path(command[0]).name}: {' '.join(done.stderr.split())}")
    return (folder / "slides.html").read_bytes()
