"""Results at a glance: what the chapters found, beside what others published.

`report/results.yml` says which table and rows of a chapter count; the numbers
are those that its last run left in `build/<profile>/tables/`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pydantic
import yaml

from wslib.runtime.kept import write_text
from wslib.show.tables import MISSING, Table
from wslib.workbook.book import RenderError

SPECIFICATION = "report/results.yml"
DATA = re.compile(r"\bData: ([^,.;]+)")
HEAD = """# Results at a glance {#sec-glance .unnumbered}

What each chapter set out to do, and how far it came: the row that counts beside the one
that has to be beaten and beside what others published (@tbl-glance). Every number of
ours is from this book's own run, with 95 % intervals in brackets where the chapter has
them. The published ones were measured by others, on other data and mostly with larger
networks. They are a yardstick, not an opponent: where our data are *rendered*, the two
columns are not to be compared."""
WORDS = {"what": "", "from": "source"}
OVERVIEW = (
    "The row that counts, of each chapter. Published numbers are other people's, on "
    "the data that the tables below name."
)


class Published(pydantic.BaseModel, extra="allow"):
    """A row that others measured; its numbers are named as the table's columns."""

    name: str
    by: str
    data: str


class Entry(pydantic.BaseModel, extra="forbid"):
    """What `report/results.yml` says of a chapter; the meaning stands at its head."""

    question: str
    chapter: str
    place: str
    table: str
    columns: dict[str, str] = pydantic.Field(min_length=1)
    rows: dict[str, str] = {}
    baseline: str | None = None
    headline: str | None = None
    published: list[Published] = []
    intervals: dict[str, tuple[str, str]] = {}
    data: str | None = None
    format: str = ".1f"

    def bounds(self, column: str) -> tuple[str, str]:
        """The columns that hold the ends of its interval."""
        return self.intervals.get(column, (f"{column} low", f"{column} high"))

    def number(self, value: float | None) -> str:
        return MISSING if pd.isna(value) else format(value, self.format)


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
    row = _headline_row(frame, entry)
    return {name: float(row.get(name, float("nan"))) for name in entry.columns}


def read_specification(root: Path) -> dict[str, Entry]:
    """The entries of `report/results.yml` by chapter. RenderError names what is wrong,
    each in a line of its own."""
    content = yaml.safe_load((root / SPECIFICATION).read_text(encoding="utf-8")) or {}
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
    found = [
        (specification[name], *_read_table(tables, name, specification[name]))
        for name in chapters
        if name in specification
    ]
    if not found:
        return
    head = ["Chapter", "Measure", "Data", "Baseline", "Here", "Published"]
    rows = pd.DataFrame([_overview_row(*chapter) for chapter in found], columns=head)
    overview = Table(rows, "glance", save=False, markdown=head)
    sections = [_section(*chapter) for chapter in found]
    parts = [HEAD, _float("tbl-glance", overview, OVERVIEW), *sections]
    write_text(page, "\n\n".join(parts) + "\n")


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


def _headline_row(frame: pd.DataFrame, entry: Entry) -> pd.Series:
    return frame.loc[entry.headline or frame.index[-1]]


def _overview_row(entry: Entry, frame: pd.DataFrame, note: str) -> list[str]:
    column, measure = next(iter(entry.columns.items()))
    ours = _headline_row(frame, entry)
    low, high = (ours.get(name) for name in entry.bounds(column))
    known = not (pd.isna(low) or pd.isna(high))
    between = f" [[{low:.0f}–{high:.0f}]]{{.small}}" if known else ""
    baseline = frame[column].get(entry.baseline) if column in frame else None
    others = entry.published[-1:]
    return [
        f"@{entry.chapter}",
        measure,
        entry.data or _data(entry, note),
        entry.number(baseline),
        f"**{entry.number(ours.get(column))}**{between}",
        *[f"{entry.number(getattr(o, column, None))} ({o.name})" for o in others],
        *([] if others else [MISSING]),
    ]


def _data(entry: Entry, note: str) -> str:
    found = DATA.search(note)
    if not found:
        raise RenderError(
            f"{SPECIFICATION}: the note of table {entry.table} has no `Data: ...`; "
            "say it here, as data:"
        )
    return found[1]


def _section(entry: Entry, frame: pd.DataFrame, note: str) -> str:
    """The chapter's question, and its table with the published rows."""
    label = entry.chapter.removeprefix("sec-")
    caption = (
        f"{entry.question} Our rows, each with its table, and what others published."
    )
    return "\n\n".join(
        [
            f"## {entry.question} {{.unnumbered}}",
            f"@tbl-glance-{label} is from @{entry.chapter}.",
            _float(f"tbl-glance-{label}", _rows(entry, frame, note), caption),
        ]
    )


def _float(label: str, table: Table, caption: str) -> str:
    return f"::: {{#{label}}}\n{table._repr_markdown_()}\n{caption}\n:::"


def _rows(entry: Entry, frame: pd.DataFrame, note: str) -> Table:
    """Our rows, each linked to its place, above those that others published."""
    kept = [row for row in entry.rows or frame.index if row in frame.index]
    names = [name for c in entry.columns for name in (c, *entry.bounds(c))]
    ours = frame.loc[kept, [name for name in names if name in frame]]
    ours = ours.rename(index=entry.rows).rename_axis("what").reset_index()
    others = [
        {
            "what": row.name,
            **row.model_extra,
            "from": f"{row.by}, {row.data}",
        }
        for row in entry.published
    ]
    ours["from"] = f"@{entry.place}"
    both = pd.concat([ours, pd.DataFrame(others)], ignore_index=True)
    heads = {c: head for c, head in entry.columns.items() if c in ours}
    known = {c: entry.bounds(c) for c in heads if entry.bounds(c)[0] in ours}
    bounds = [name for pair in known.values() for name in pair]
    return Table(
        both[["what", *heads, *bounds, "from"]].rename(columns=heads | WORDS),
        "glance",
        formats=dict.fromkeys(heads.values(), entry.format),
        intervals={heads[c]: pair for c, pair in known.items()},
        note=note,
        save=False,
        markdown=[WORDS["from"]],
    )
