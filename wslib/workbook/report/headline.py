"""The results of the README, written from the recorded runs."""

from __future__ import annotations

import re
from pathlib import Path

from wslib.runtime.kept import write_text
from wslib.show.recorded import Recorded, read_recorded
from wslib.workbook.runs.results import Entry, read_specification
from wslib.workbook.sources.book import RenderError

MARKERS = "<!-- results -->", "<!-- /results -->"
HEAD = """| chapter | measure | result | to be beaten | measured on |
|---|---|---:|---:|---|"""


def write_readme(root: Path) -> str:
    """Put the headline of each chapter with a recorded run between the markers of
    README.md; return one line that says so. Raises RenderError without the markers."""
    file = root / "README.md"
    text = file.read_text(encoding="utf-8")
    before, opened, rest = text.partition(MARKERS[0])
    _, closed, after = rest.partition(MARKERS[1])
    if not (opened and closed):
        raise RenderError(f"{file}: expected the lines {MARKERS[0]} and {MARKERS[1]}")
    table = headlines(root)
    fresh = f"{before}{MARKERS[0]}\n{table}\n{MARKERS[1]}{after}"
    if fresh != text:
        write_text(file, fresh)
    return f"{file}: {table.count(chr(10)) - 1} results from report/recorded"


def headlines(root: Path) -> str:
    """The table in Markdown, a row for each chapter that has a recorded run."""
    rows = [
        _row(name, entry, read_recorded(entry.recorded, root))
        for name, entry in read_specification(root).items()
        if entry.recorded
    ]
    return "\n".join([HEAD, *rows])


def _row(name: str, entry: Entry, run: Recorded) -> str:
    frame = run.frame(entry.table)
    best = entry.headline or frame.index[-1]

    def value(row: str | None) -> str:
        return re.sub(r"\[(\[.*?\])\]{\.small}", r"\1", entry.value(frame, row))

    words = entry.rows.get(best, best)
    data = f"{run.seen}; {run.date[:10]}"
    cells = [f"{int(name[:2])}: {words}", entry.columns[entry.measure], value(best)]
    return "| " + " | ".join([*cells, value(entry.baseline), data]) + " |"
