"""The book without Quarto: pandoc and one Lua filter, then a template for each format.

Both engines come as Python wheels: `pypandoc_binary` and `typst`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wslib.workbook.book import Book, Page, RenderError
from wslib.workbook.document import Document, read_document

PROBLEM = "problem: "  # what the filter puts before each thing to mend
TEX = re.compile(r"Could not convert TeX math (.*?), rendering as TeX", re.DOTALL)


def make(book: Book, folder: Path) -> None:
    """Write `index.html` and `workbook.pdf` to `folder`.

    Raises RenderError with a line for each problem of the book, all of them together.
    """
    with tempfile.TemporaryDirectory(prefix="workbook-") as scratch:
        media = Path(scratch)
        documents = [
            read_document(book.root / page.file, page.file, media, book.code_fold)
            for page in book.pages
        ]
        source = _source(book, documents)
        (media / "book.json").write_text(
            json.dumps(_metadata(book, documents)), "utf-8"
        )
        with ThreadPoolExecutor(2) as pool:
            jobs = [
                pool.submit(_make_html, book, source, media, folder / "index.html"),
                pool.submit(_make_pdf, book, source, media, folder / "workbook.pdf"),
            ]
        found = [line for document in documents for line in document.problems]
        found += [line for job in jobs for line in _problems(job.exception())]
    if found:
        raise RenderError("\n".join(dict.fromkeys(found)))


def versions() -> str:
    """The engines with their versions, for the line that says what made the book."""
    import pypandoc
    import typst

    return f"pandoc {pypandoc.get_pandoc_version()}, typst {typst.__version__}"


def _source(book: Book, documents: list[Document]) -> str:
    """One document in which each chapter is a code block, so that the filter parses it
    on its own: a fence left open in one chapter does not swallow the next."""
    pages = [*book.pages]
    if book.bibliography:
        pages.append(Page("references"))
        references = "# References {.unnumbered}\n\n::: {#refs}\n:::\n"
        documents = [*documents, Document(references)]
    runs = re.findall("`+", "".join(document.markdown for document in documents))
    ticks = "`" * (3 + max(map(len, runs), default=0))
    return "\n\n".join(
        f'{ticks} {{.chapter file="{page.file}" appendix="{page.appendix}"}}\n'
        f"{document.markdown}\n{ticks}"
        for page, document in zip(pages, documents, strict=True)
    )


def _metadata(book: Book, documents: list[Document]) -> dict:
    dates = [document.date for document in documents if document.date]
    return {
        **{key: book.get(f"book.{key}", "") for key in ("title", "subtitle", "author")},
        "date": max(dates)[:10] if dates else time.strftime("%Y-%m-%d"),
        "profile": book.profile,
        "lang": book.get("lang", "en"),
        "root": str(book.root.resolve()),
        "code-summary": book.get("format.html.code-summary", "Code"),
        "number-depth": str(book.get("format.html.number-depth", 3)),
        "bibliography": [str(file.resolve()) for file in book.bibliography],
        "link-citations": True,
    }


def _make_html(
    book: Book, source: str, media: Path, target: Path, *, embed: bool = True
) -> None:
    """The web book; unless `embed`, it refers to its pictures where they are."""
    depth = book.get("format.html.toc-depth", 2)
    _pandoc(
        book, source, media, target, "html5", "template.html",
        "--mathml", "--section-divs", "--toc", f"--toc-depth={depth}",
        *(["--embed-resources"] if embed else []),
    )  # fmt: skip


def _make_pdf(book: Book, source: str, media: Path, target: Path) -> None:
    import typst

    text = media / "book.typ"
    _pandoc(
        book, source, media, text, "typst", "template.typ",
        "--syntax-highlighting=idiomatic",
    )  # fmt: skip
    try:
        typst.compile(
            str(text), str(target), root=text.anchor, ignore_system_fonts=True,
            sys_inputs={"theme": str((book.root / "report/code.tmTheme").resolve())},
        )  # fmt: skip
    except typst.TypstError as error:
        lines = text.read_text(encoding="utf-8").splitlines()
        place = re.search(r"book\.typ:(\d+):", error.diagnostic)
        here = f", near: {lines[int(place[1]) - 1][:200]}" if place else ""
        raise RenderError(f"typst: {error.message}{here}") from None


def _pandoc(
    book: Book, source: str, media: Path, target: Path, to: str, template: str, *options
) -> None:
    """Run pandoc from the chapters in `source` to the file `target`."""
    import pypandoc

    report = book.root.resolve() / "report"
    command = [
        pypandoc.get_pandoc_path(), "--from", "markdown", "--to", to, "--wrap=none",
        "--preserve-tabs", "--metadata-file", str(media / "book.json"),
        "--lua-filter", str(report / "filter.lua"),
        *(["--citeproc"] if book.bibliography else []),
        "--template", str(report / template), "--output", str(target), *options,
    ]  # fmt: skip
    done = subprocess.run(
        command, input=source, text=True, encoding="utf-8", capture_output=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    found = [
        line.removeprefix(PROBLEM)
        for line in done.stderr.splitlines()
        if line.startswith(PROBLEM)
    ]
    found += [_bad_formula(formula, source) for formula in TEX.findall(done.stderr)]
    if not found and done.returncode:
        found = [f"pandoc: {' '.join(done.stderr.split())}"]
    if found:
        raise RenderError("\n".join(found))


def _bad_formula(formula: str, source: str) -> str:
    """Name the chapter of a formula, which pandoc does not."""
    before = source.partition(formula)[0]
    file = (re.findall(r'^`+ {\.chapter file="(.*?)"', before, re.M) or ["?"])[-1]
    return f"{file}: not valid TeX: {' '.join(formula.split())}"


def _problems(error: BaseException | None) -> list[str]:
    if error is None:
        return []
    if not isinstance(error, RenderError):
        raise error
    return str(error).splitlines()
