"""Results at a glance: what the chapters found in this run, in recorded runs on
photographs, and what others published, in three columns that are kept apart.

`report/results.yml` says which table and rows of a chapter count. This run's numbers
are those that it left in `build/<profile>/tables/`, recorded ones are in
`report/recorded/`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pydantic

from wslib.runtime.kept import write_text
from wslib.show.recorded import Recorded, read_recorded
from wslib.show.tables import MISSING, Table
from wslib.workbook.sources.book import RenderError
from wslib.workbook.sources.strict_yaml import read_mapping

SPECIFICATION = "report/results.yml"
DATA = re.compile(r"\bData: ([^,.;]+)")
HEAD = """# Results at a glance {#sec-glance .unnumbered}

*This run* is what the chapters of this book printed. *Recorded* runs were made by the
same chapters on real data (Chapter 4: shapes over real pictures), and kept.
*Published* numbers were measured by others, on other data and mostly with larger
networks. @tbl-glance keeps the three apart; brackets hold 95 % intervals."""
CAPTION = (
    "The row that counts in each chapter, and below it the one to be beaten. Numbers "
    "of different columns are from different images."
)


class Published(pydantic.BaseModel, extra="allow"):
    """A row that others measured; its numbers are named as the table's columns."""

    name: str
    by: str
    data: str


class Entry(pydantic.BaseModel, extra="forbid"):
    """What `report/results.yml` says of a chapter; the meaning stands at its head."""

    sentence: str
    on_photographs: str = ""
    chapter: str
    place: str
    table: str
    columns: dict[str, str] = pydantic.Field(min_length=1)
    rows: dict[str, str] = {}
    baseline: str | None = None
    headline: str | None = None
    recorded: str | None = None
    published: list[Published] = []
    intervals: dict[str, tuple[str, str]] = {}
    data: str | None = None
    format: str = ".1f"

    @property
    def measure(self) -> str:
        """The column that leads."""
        return next(iter(self.columns))

    def bounds(self, column: str) -> tuple[str, str]:
        """The columns that hold the ends of its interval."""
        return self.intervals.get(column, (f"{column} low", f"{column} high"))

    def words(self, row: str) -> str:
        """What the row is called here."""
        return self.rows.get(row, row)

    def number(self, value: float | None) -> str:
        return MISSING if pd.isna(value) else format(value, self.format)

    def value(self, frame: pd.DataFrame | None, row: str | None) -> str:
        """The leading number of a row with its interval, in Markdown; a dash where the
        frame has none."""
        if frame is None or row not in frame.index or self.measure not in frame:
            return MISSING
        cells = frame.loc[row]
        low, high = (cells.get(name) for name in self.bounds(self.measure))
        known = not (pd.isna(low) or pd.isna(high))
        between = (
            f" [[{self.number(low)}–{self.number(high)}]]{{.small}}" if known else ""
        )
        return f"{self.number(cells[self.measure])}{between}"


@dataclass(frozen=True)
class Result:
    """The numbers of one chapter: of this run, and of the recorded one if there is."""

    entry: Entry
    frame: pd.DataFrame
    note: str
    recorded: Recorded | None

    def row(self, frame: pd.DataFrame) -> str:
        """The row that counts; by default the last, whatever it is called there."""
        return self.entry.headline or frame.index[-1]

    @property
    def there(self) -> pd.DataFrame | None:
        known = self.recorded and self.entry.table in self.recorded.tables
        return self.recorded.frame(self.entry.table) if known else None


def headline(root: Path, chapter: str, tables: Path) -> dict[str, float]:
    """The numbers by which runs of the `chapter` (its file's stem) are compared: the
    columns of the row that counts, from the JSON of its main table in `tables`.

    NaN where the run has none. Raises RenderError for a chapter without an entry, and
    FileNotFoundError naming the table that is not there.
    """
    specification = read_specification(root)
    if chapter not in specification:
        raise RenderError(f"{SPECIFICATION}: has no entry {chapter}")
    entry = specification[chapter]
    frame, _ = _read_table(tables, chapter, entry)
    row = frame.loc[entry.headline or frame.index[-1]]
    return {name: float(row.get(name, float("nan"))) for name in entry.columns}


def read_specification(root: Path) -> dict[str, Entry]:
    """The entries of `report/results.yml` by chapter. RenderError names what is wrong,
    each in a line of its own; the errors of `read_mapping`."""
    content = read_mapping(root / SPECIFICATION)
    try:
        return pydantic.TypeAdapter(dict[str, Entry]).validate_python(content)
    except pydantic.ValidationError as error:
        lines = []
        for mistake in error.errors():
            chapter, *keys = map(str, mistake["loc"])
            what = mistake["msg"][0].lower() + mistake["msg"][1:]
            lines.append(f"{SPECIFICATION}: {chapter}: {'.'.join(keys)}: {what}")
        raise RenderError("\n".join(lines)) from None


def write_page(root: Path, profile: str, chapters: list[str], page: Path) -> None:
    """Write the chapter "Results at a glance" for those of the `chapters` (names of
    executed notebooks) that `report/results.yml` knows; nothing if it knows none."""
    specification = read_specification(root)
    tables = root / "build" / profile / "tables"
    results = [
        Result(entry, *_read_table(tables, name, entry), _recorded(root, entry))
        for name in chapters
        if (entry := specification.get(name))
    ]
    if not results:
        return
    sentences = [f"- @{r.entry.chapter}: {_sentence(r)}" for r in results]
    table = f"::: {{#tbl-glance}}\n{_table(results)._repr_markdown_()}\n{CAPTION}\n:::"
    text = "\n\n".join([HEAD, "\n".join(sentences), table, *_sources(results)])
    write_text(page, text + "\n")


def _recorded(root: Path, entry: Entry) -> Recorded | None:
    return read_recorded(entry.recorded, root) if entry.recorded else None


def _read_table(tables: Path, chapter: str, entry: Entry) -> tuple[pd.DataFrame, str]:
    """The rows by the words of their first column, and the note below the table."""
    file = tables / f"{entry.table}.json"
    if not file.is_file():
        raise FileNotFoundError(f"{file}: not there; has its chapter been run?")
    record = json.loads(file.read_text(encoding="utf-8"))
    frame = pd.DataFrame(record["rows"], columns=record["columns"])
    frame = frame.set_index(frame.columns[0])
    if entry.headline not in (None, *frame.index):
        raise RenderError(
            f"{SPECIFICATION}: {chapter}: no row {entry.headline!r} in table "
            f"{entry.table}; it has {', '.join(frame.index)}"
        )
    return frame, record["note"] or ""


def _sentence(result: Result) -> str:
    """The chapter's sentence with its numbers."""
    entry, there, text = result.entry, result.there, result.entry.sentence.strip()
    if there is not None:
        text = f"{text.rstrip('.')}; {entry.on_photographs}"
    return text.format(
        here=_number(entry, result.frame, result.row(result.frame)),
        baseline=_number(entry, result.frame, entry.baseline),
        recorded=None if there is None else _number(entry, there, result.row(there)),
        recorded_baseline=_number(entry, there, entry.baseline),
    )


def _number(entry: Entry, frame: pd.DataFrame | None, row: str | None) -> str:
    return entry.value(frame, row).partition(" ")[0]


def _table(results: list[Result]) -> Table:
    rows = [row for result in results for row in _rows(result)]
    head = ["Chapter", "Measure", "", "This run", "Recorded", "Published"]
    return Table(pd.DataFrame(rows, columns=head), "glance", save=False, markdown=head)


def _rows(result: Result) -> list[list[str]]:
    """The row that counts, and the one to be beaten."""
    entry, here, there = result.entry, result.frame, result.there
    best = result.row(here)
    best_there = MISSING if there is None else entry.value(there, result.row(there))
    theirs = [
        entry.number(getattr(other, entry.measure, None))
        for other in entry.published[-1:]
    ]
    head = [f"@{entry.chapter}", entry.columns[entry.measure], entry.words(best)]
    rows = [[*head, entry.value(here, best), best_there, *(theirs or [MISSING])]]
    if name := entry.baseline:
        values = [entry.value(frame, name) for frame in (here, there)]
        rows.append(["", "", entry.words(name), *values, MISSING])
    return rows


def _sources(results: list[Result]) -> list[str]:
    """What each column was measured on."""
    here = [
        f"@{r.entry.chapter}: {r.entry.data or _data(r)}, @{r.entry.place}."
        for r in results
    ]
    kept = [f"@{r.entry.chapter}: {r.recorded.source()}" for r in results if r.recorded]
    others = [
        f"@{r.entry.chapter}: {p.name}, {p.by}, {p.data}."
        for r in results
        for p in r.entry.published[-1:]
    ]
    kinds = {"This run": here, "Recorded": kept, "Published": others}
    return [
        f"[**{kind}.** {' '.join(lines)}]{{.small}}"
        for kind, lines in kinds.items()
        if lines
    ]


def _data(result: Result) -> str:
    found = DATA.search(result.note)
    if not found:
        raise RenderError(
            f"{SPECIFICATION}: the note of table {result.entry.table} has no "
            "`Data: ...`; say it here, as data:"
        )
    return found[1]
