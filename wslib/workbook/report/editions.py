"""Editions of the book: where the solutions of the exercises stand.

In the web book they are folded under the exercises. Paper cannot unfold, so there they
stand at the end. The `student` edition has none. In the `teacher` edition they are
printed under the exercises, and before these stands a page for the teacher:
`report/teacher/NN.qmd`, for the chapter of this number.
"""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from wslib.workbook.report.document import Document
from wslib.workbook.report.front import reading_minutes
from wslib.workbook.report.stage import Stage
from wslib.workbook.runs.provenance import duration
from wslib.workbook.sources.book import Book, Page, RenderError

Edition = Literal["", "student", "teacher"]
EDITIONS = get_args(Edition)
FENCE = re.compile(r"^:{3,}(.*)$")
SOLUTIONS = re.compile(r"""\{[^}]*\.callout-[^}]*title="(Solutions?\b[^"]*)""")
SOLUTION = "\n#### %s {.unnumbered}\n\n"
EXERCISES = re.compile(r"^## Exercises\b", re.MULTILINE)
NUMBER = re.compile(r"(?:^|/)(\d\d)_[^/]*$")
TITLE = re.compile(r"^# (.+?)\s*(?:\{.*\})?$", re.MULTILINE)


def of_edition(book: Book, edition: str) -> Book:
    """The book with the edition in its subtitle and behind the name of its folder.
    Raises RenderError for one that there is not."""
    if edition not in EDITIONS:
        raise RenderError(f"EDITION={edition}: there are {' and '.join(EDITIONS[1:])}")
    if not edition:
        return book
    settings = copy.deepcopy(book.settings)
    settings.setdefault("project", {})["output-dir"] = (
        f"{book.get('project.output-dir', '_book')}-{edition}"
    )
    words = [settings["book"].get("subtitle", ""), f"{edition.title()}'s edition"]
    settings["book"]["subtitle"] = ". ".join(filter(None, words))
    return replace(book, settings=settings)


def for_web(staged: Stage, edition: Edition) -> Stage:
    """The book with the solutions under the exercises, or without them; for a teacher,
    with a page before them."""
    if edition == "teacher":
        return _with_teacher(staged)
    if not edition:
        return staged
    parted = [part_solutions(document.markdown) for document in staged.documents]
    return _with(staged, [text for text, _ in parted])


def for_paper(staged: Stage, edition: Edition) -> Stage:
    """The book with the solutions at its end, a section for each chapter; under the
    exercises for a teacher, nowhere for a student."""
    if edition:
        return for_web(staged, edition)
    parted = [part_solutions(document.markdown) for document in staged.documents]
    sections = [
        f"## {_title(text)} {{.unnumbered}}\n\n{solutions}"
        for text, solutions in parted
        if solutions
    ]
    moved = _with(staged, [text for text, _ in parted])
    if not sections:
        return moved
    page = "\n".join(["# Solutions {#sec-solutions}\n", *sections])
    pages = [*moved.pages, Page("solutions.qmd", appendix=True)]
    return replace(moved, pages=pages, documents=[*moved.documents, Document(page)])


def _with_teacher(staged: Stage) -> Stage:
    """The book with the teacher's page of each chapter that has one."""
    texts = []
    for page, document in zip(staged.pages, staged.documents, strict=True):
        number = NUMBER.search(page.file)
        file = staged.book.root / f"report/teacher/{number[1]}.qmd" if number else None
        note = _teacher_page(document, file.read_text("utf-8")) if _is(file) else ""
        found = EXERCISES.search(document.markdown)
        place = found.start() if found else len(document.markdown)
        texts.append(document.markdown[:place] + note + document.markdown[place:])
    return _with(staged, texts)


def _is(file: Path | None) -> bool:
    return file is not None and file.is_file()


def _teacher_page(document: Document, text: str) -> str:
    """The page, with the times that the build knows on top."""
    run = document.seconds
    times = f"Reading takes about {reading_minutes(document)} min" + (
        f", and this run took {duration(run)}." if run is not None else "."
    )
    head = "## For the teacher {.unnumbered}"
    return f"\n::: {{.teacher}}\n{head}\n\n{times} {text.strip()}\n:::\n\n"


def part_solutions(markdown: str) -> tuple[str, str]:
    """The page without its callouts titled Solutions or Solution of something, and
    what stood in those."""
    rest, solutions, depth = [], [], 0
    for line in markdown.splitlines(keepends=True):
        fence = FENCE.match(line.rstrip())
        if depth == 0 and fence and (found := SOLUTIONS.search(line)):
            depth = 1
            solutions.append("\n" if found[1] == "Solutions" else SOLUTION % found[1])
        elif depth == 0:
            rest.append(line)
        else:
            depth += (1 if fence[1].strip() else -1) if fence else 0
            if depth:
                solutions.append(line)
    return "".join(rest), "".join(solutions)


def _title(markdown: str) -> str:
    found = TITLE.search(markdown)
    return found[1] if found else "A chapter without a title"


def _with(staged: Stage, texts: list[str]) -> Stage:
    documents = [
        replace(document, markdown=text)
        for document, text in zip(staged.documents, texts, strict=True)
    ]
    return replace(staged, documents=documents)
