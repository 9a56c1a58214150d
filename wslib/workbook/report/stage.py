"""The book as a project of its own, in one folder: its pages, pictures and looks.

Both renderers work there, so that nothing is written where the sources are, two
profiles never meet, and what Quarto leaves behind lies below `build/`.
"""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wslib.runtime.kept import read_text
from wslib.workbook.report.document import Document, read_document
from wslib.workbook.sources.book import Book, Page, RenderError
from wslib.workbook.sources.strict_yaml import to_yaml

PICTURES = "media"  # the folder of the notebooks' pictures
REFERENCES = "# References {.unnumbered}\n\n::: {#refs}\n:::\n"
LINKED = re.compile(r"\]\(<?([^)<>\s]+)")  # what a page in Markdown may point to


@dataclass(frozen=True)
class Stage:
    """The pages of the `book` in Markdown, in its order, as they lie in `folder`."""

    book: Book
    folder: Path
    pages: list[Page]
    documents: list[Document]

    @property
    def names(self) -> list[str]:
        """The files of the pages, relative to the folder."""
        return [staged_name(page.file) for page in self.pages]

    @property
    def run(self) -> dict[str, str]:
        """The profile, the date of the last run and the commit, for the title page."""
        dates = [document.date for document in self.documents if document.date]
        return {
            "profile": self.book.profile,
            "date": max(dates)[:10] if dates else time.strftime("%Y-%m-%d"),
            "commit": _commit(self.book.root),
        }

    def raise_problems(self) -> None:
        """Raise RenderError with a line for each problem of the notebooks."""
        found = [line for document in self.documents for line in document.problems]
        if found:
            raise RenderError("\n".join(found))


def stage(book: Book, folder: Path) -> Stage:
    """Write the book to `folder`, in the place of what was there."""
    prepare(book, folder)
    documents = [read_page(book, page, folder) for page in book.pages]
    staged = arrange(book, folder, documents)
    write_pages(staged, folder)
    return staged


def write_pages(staged: Stage, folder: Path) -> None:
    """Write the pages to `folder`, which may be another than that of the stage."""
    for name, document in zip(staged.names, staged.documents, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(document.markdown, encoding="utf-8")


def prepare(book: Book, folder: Path) -> None:
    """Empty `folder`, and copy `report/`, the looks of the book, to it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(
        book.root / "report",
        folder / "report",
        ignore=shutil.ignore_patterns("_output", "recorded", "teacher", "pages.png"),
    )
    (folder / PICTURES).mkdir()


def read_page(
    book: Book, page: Page, folder: Path, source: Path | None = None
) -> Document:
    """The page in Markdown; the pictures that it shows are written to `folder`.

    `source` is read in the place of the page's own file.
    """
    file = source or book.root / page.file
    document = read_document(file, page.file, folder / PICTURES, book.code_fold)
    target = (folder / staged_name(page.file)).parent
    for name in set(LINKED.findall(document.markdown)):
        picture = file.parent / name
        if picture.is_file() and not (target / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, target / name)
    return document


def arrange(book: Book, folder: Path, documents: list[Document]) -> Stage:
    """The book of these `documents`, with a page for what it cites, before the
    appendices, unless one of its own is that."""
    pages = list(book.pages)
    if book.bibliography and not any("{#refs}" in d.markdown for d in documents):
        end = sum(not page.appendix for page in pages)
        pages.insert(end, Page("references.qmd"))
        documents = [*documents[:end], Document(REFERENCES), *documents[end:]]
    return Stage(book, folder, pages, documents)


def staged_name(file: str) -> str:
    """Where a page of the book lies in the folder: what was built, at the top."""
    name = Path(file)
    if name.parts[0] == "build" or name.suffix == ".ipynb":
        name = Path(name.name)
    return name.with_suffix(".qmd").as_posix()


def write_project(staged: Stage, folder: Path, output: str, to: str) -> None:
    """Write the `_quarto.yml` for the pages in `folder`, from which the book is made in
    `output`, in the format `to`. The title page of a PDF names its run."""
    settings = copy.deepcopy(staged.book.settings)
    settings["project"] = {**settings.get("project", {}), "output-dir": output}
    settings["book"]["date"] = staged.run["date"]
    settings |= {"run": staged.run} if to == "typst" else {}
    names = dict(zip((p.file for p in staged.pages), staged.names, strict=True))
    for key in ("chapters", "appendices"):
        if key in settings["book"]:
            settings["book"][key] = _renamed(settings["book"][key], names)
    known = {page.file for page in staged.book.pages}
    for page in staged.pages:
        if page.file not in known:
            place = settings["book"]
            key = "appendices" if page.appendix else "chapters"
            place[key] = [*place.get(key, []), names[page.file]]
    text = to_yaml(settings)
    (folder / "_quarto.yml").write_text(text, encoding="utf-8")


def in_sources(root: Path, error: RenderError) -> RenderError:
    """The error with chapter and line in the place of each notebook: what is to be
    mended stands in the script."""
    lines = [_with_line(root, line) for line in str(error).splitlines()]
    return RenderError("\n".join(lines))


def _with_line(root: Path, problem: str) -> str:
    """`build/smoke/NN_a.ipynb: @fig-x: ...` as `chapters/NN_a.py:7: @fig-x: ...`."""
    page, _, rest = problem.partition(": ")
    script = root / "chapters" / f"{Path(page).stem}.py"
    source = script if page.endswith(".ipynb") else root / page
    if not source.is_file():
        return problem
    word = re.sub(r"^(?:the (?:link|label) |not valid TeX: )", "", rest)
    word = re.split(r"(?<=\S): | leads nowhere| is used twice", word)[0]
    lines = read_text(source).splitlines()
    number = next((n for n, line in enumerate(lines, 1) if word in line), None)
    name = source.relative_to(root)
    return f"{name}:{number}: {rest}" if number else f"{name}: {rest}"


def _renamed(entries: list, names: dict[str, str]) -> list:
    """The list of chapters, which may be grouped in parts, with their new names."""
    if not isinstance(entries, (list, dict)):
        return names.get(entries, entries)
    if isinstance(entries, list):
        return [_renamed(entry, names) for entry in entries]
    return {key: _renamed(value, names) for key, value in entries.items()}


def _commit(root: Path) -> str:
    """The commit of the project, such as "0312b45", with "+" where the tree differs
    from it; "" without git."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    with suppress(OSError):
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""
