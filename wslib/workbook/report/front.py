"""What the build puts at the front of the book: its picture, its times, its version.

A page asks for each by a comment of its own line, such as `<!-- times -->`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from wslib.workbook.report.document import Document
from wslib.workbook.report.stage import Stage
from wslib.workbook.runs.provenance import duration
from wslib.workbook.sources.book import RenderError
from wslib.workbook.sources.repository import origin
from wslib.workbook.sources.strict_yaml import read_mapping

CITATION = "CITATION.cff"
PACE = 200  # words a minute
TITLE = re.compile(r"^# .*\{#(sec-[\w-]+)", re.MULTILINE)
FENCED = re.compile(r"^(`{3,}).*?^\1`*[ \t]*$", re.MULTILINE | re.DOTALL)
NO_PROSE = re.compile(r"^(?:\||:::|!\[).*$|(?s:\$\$.*?\$\$)", re.MULTILINE)


def fill(staged: Stage) -> Stage:
    """The book with what the build knows in the place of each mark. Raises RenderError
    for a `CITATION.cff` that is asked for and not fit."""
    asked = {"cover": _cover, "times": _times, "version": _version}
    marks = {f"<!-- {name} -->": made for name, made in asked.items()}
    documents = []
    for document in staged.documents:
        text = document.markdown
        for mark, made in marks.items():
            if mark in text:
                text = text.replace(mark, made(staged))
        documents.append(replace(document, markdown=text))
    return replace(staged, documents=documents)


def reading_minutes(document: Document) -> int:
    """How long its prose takes to read, code, tables and formulas apart."""
    prose = NO_PROSE.sub("", FENCED.sub("", document.markdown))
    return max(1, round(len(re.findall(r"[\w'’-]+", prose)) / PACE))


def _cover(staged: Stage) -> str:
    """The picture that a chapter made for it, in its place on paper as well."""
    found = next((d.cover for d in staged.documents if d.cover), "")
    return found.replace("}", " .here}", 1)


def _times(staged: Stage) -> str:
    """A table of the chapters that were run. It has no number: those of the preface
    would shift the numbers of the next page in one renderer, and not in the other."""
    lines = ["| Chapter | Reading | Running |", "|:--|--:|--:|"]
    for document in staged.documents:
        label = TITLE.search(document.markdown)
        if label and document.seconds is not None:
            read = f"{reading_minutes(document)} min"
            lines.append(f"| @{label[1]} | {read} | {duration(document.seconds)} |")
    profile = f"profile `{staged.run['profile']}`"
    note = (
        f"[Reading: the words of the chapter, {PACE} a minute, without code, tables "
        f"and formulas. Running: this run, {profile}.]{{.small}}"
    )
    return "\n".join([*lines, "", note])


def _version(staged: Stage) -> str:
    """The line by which to cite this very book."""
    work, run = _citation(staged.book.root), staged.run
    names = ", ".join(author["name"] for author in work["authors"])
    commit = f", commit {run['commit']}" if run["commit"] else ""
    facts = [
        f"{names} ({run['date'][:4]})",
        f"*{work['title']}*",
        f"Version {work['version']}{commit}, profile `{run['profile']}`",
        origin(staged.book.root),
    ]
    return ". ".join(filter(None, facts)) + "."


def _citation(root: Path) -> dict:
    """Read `CITATION.cff`. Raises RenderError, one line, where it is not there, or has
    not what a citation needs."""
    try:
        work = read_mapping(root / CITATION)
        facts = work["title"], work["version"], [a["name"] for a in work["authors"]]
    except (OSError, ValueError, KeyError, TypeError):
        facts = (None,)
    if not all(facts):
        raise RenderError(f"{CITATION}: expected title, version, authors with names")
    return work
