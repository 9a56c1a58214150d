"""The web book alone, in memory, made again as cheaply as a change allows."""

from __future__ import annotations

import html
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat

from wslib.runtime.kept import digest
from wslib.workbook.preview.splice import splice
from wslib.workbook.report import embedded
from wslib.workbook.report.document import Document
from wslib.workbook.report.front import fill
from wslib.workbook.report.pages import write_pages
from wslib.workbook.report.stage import Stage, arrange, in_sources, prepare, read_page
from wslib.workbook.sources.book import Book, Page, RenderError, load_book
from wslib.workbook.sources.chapter import Chapter

PICTURE = re.compile(r'(<img\b[^>]*?\bsrc=")(?!\w+:)([^"]+)"')
NOTE = """

::: {.callout-warning title="Not executed"}
This chapter has not run with the profile `%s`: its results are missing here.
:::
"""


@dataclass(frozen=True)
class WebBook:
    """A finished page, and its pictures by the name under which the page asks.

    `parts` are the chapters that were made anew for it; None for all.
    """

    html: str
    pictures: dict[str, bytes]
    parts: frozenset[int] | None = None


class WebBookMaker:
    """A maker of the web book of a profile, which remembers what can be used again."""

    def __init__(self, root: Path, profile: str):
        self.root, self.profile = root, profile
        self._scratch = tempfile.TemporaryDirectory(prefix="preview-")
        self.folder = Path(self._scratch.name, "book")
        self._documents: dict[str, tuple[object, Document]] = {}
        self._sources: object = None
        self._looks: object = None
        self._last: tuple[object, Stage, str] | None = None

    def make(self) -> WebBook:
        """Make the book as its files are now; chapters that were never executed without
        results. RenderError has a line for each problem."""
        try:
            return self._make(load_book(self.root, self.profile))
        except RenderError as error:
            raise in_sources(self.root, error) from None

    def _make(self, book: Book) -> WebBook:
        self._write_pages(book)
        looks = self._prepare(book)
        documents = [self._document(book, page) for page in book.pages]
        staged = fill(arrange(book, self.folder, documents))
        staged.raise_problems()
        embedded.write_metadata(staged)
        frame = book, embedded.metadata(staged), looks
        parts = self._changed(staged, frame)
        text = self._patched(staged, parts) if parts is not None else None
        if text is None:
            text, parts = self._written(staged), None
        self._last = frame, staged, text
        return WebBook(*self._with_pictures(text), parts)

    def close(self) -> None:
        self._scratch.cleanup()

    def _write_pages(self, book: Book) -> None:
        """Write the pages made of the notebooks, if one of these has changed."""
        files = [self.root / page.file for page in book.pages]
        sources = [file for file in files if file.suffix == ".ipynb"]
        sources += sorted((self.root / "report").glob("*.yml"))
        state = [(file, _signature(file)) for file in sources]
        if state != self._sources:
            write_pages(self.root, self.profile)
            self._sources = state

    def _prepare(self, book: Book) -> object:
        """Copy the looks of the book, if a file of them has changed."""
        files = [*sorted((self.root / "report").glob("*.*")), *book.bibliography]
        looks = [(file, _signature(file)) for file in files]
        if looks != self._looks:
            prepare(book, self.folder)
            self._looks, self._documents = looks, {}
        return looks

    def _document(self, book: Book, page: Page) -> Document:
        """Read the page in Markdown, again if its file has changed."""
        file, chapter = self.root / page.file, self._chapter(page)
        source = chapter.path if chapter and not file.is_file() else file
        if not source.is_file():
            raise RenderError(f"{page.file}: the book needs this file; it is not there")
        state = (source, _signature(source), book.code_fold)
        known, document = self._documents.get(page.file, (None, None))
        if known != state:
            stand_in = self._without_results(chapter) if source != file else None
            document = read_page(book, page, self.folder, stand_in)
            self._documents[page.file] = state, document
        return document

    def _chapter(self, page: Page) -> Chapter | None:
        name = Path(page.file)
        path = self.root / "chapters" / f"{name.stem}.py"
        return Chapter(path) if name.suffix == ".ipynb" and path.is_file() else None

    def _without_results(self, chapter: Chapter) -> Path:
        """Write a notebook in which labels have something empty to stand for."""
        notebook = chapter.without_results()
        title, _, rest = notebook.cells[0].source.partition("\n")
        notebook.cells[0].source = title + NOTE % self.profile + rest
        file = self.folder / f"{chapter.name}.ipynb"
        nbformat.write(notebook, file)
        return file

    def _changed(self, staged: Stage, frame) -> frozenset[int] | None:
        """List the chapters that have changed since the last book; None if more has."""
        if self._last is None or self._last[0] != frame:
            return None
        pairs = zip(staged.documents, self._last[1].documents, strict=True)
        return frozenset(n for n, (new, old) in enumerate(pairs) if new != old)

    def _patched(self, staged: Stage, changed: frozenset[int]) -> str | None:
        """Make the `changed` chapters of the last book; None if that is not possible,
        or not for certain."""
        text = self._last[2]
        if not changed:
            return text
        cited = {n for n, d in enumerate(staged.documents) if "{#refs}" in d.markdown}
        parts = [
            replace(document, kept=number not in changed | cited)
            for number, document in enumerate(staged.documents)
        ]
        with suppress(RenderError):  # the whole book says it better
            part = self._written(replace(staged, documents=parts))
            return splice(text, part, changed | cited)
        return None

    def _written(self, staged: Stage) -> str:
        target = self.folder / "index.html"
        embedded.make_html(staged, target, embed=False)
        return target.read_text(encoding="utf-8")

    def _with_pictures(self, text: str) -> tuple[str, dict[str, bytes]]:
        """Give the pictures of the page names that change with what is in them."""
        pictures = {}

        def rename(found: re.Match) -> str:
            """Name a picture by its content."""
            file = self.folder / html.unescape(found[2])
            content = file.read_bytes()
            name = digest(content) + file.suffix
            pictures[name] = content
            return f'{found[1]}picture/{name}"'

        return PICTURE.sub(rename, text), pictures


def _signature(file: Path) -> tuple[int, int, int] | None:
    """Return what differs after a file was written; None if it is not there."""
    with suppress(OSError):
        status = file.stat()
        return status.st_ino, status.st_size, status.st_mtime_ns
    return None
