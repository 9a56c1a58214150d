"""The appendix "What was tried": what did not pay, from `report/tried.yml`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pydantic

from wslib.runtime.kept import write_text
from wslib.show.tables import Table
from wslib.workbook.sources.book import RenderError
from wslib.workbook.sources.strict_yaml import read_mapping

FILE = "report/tried.yml"
HEAD = """# What was tried {#sec-tried}

Most ideas do not pay. These were tried while the chapters grew, and left out again.
Their numbers are notes of the day, not runs of this book and not recorded ones: they
say in which direction an idea went, on images that were there for choosing."""


HEADS = ["tried", "what it gave"]


class Tried(pydantic.BaseModel, extra="forbid"):
    """What one chapter tried: by the words of each idea, what it gave."""

    chapter: str
    measure: str
    tried: dict[str, str] = pydantic.Field(min_length=1)


def write_page(root: Path, page: Path) -> None:
    """Write the appendix; nothing without `report/tried.yml`. Raises RenderError with a
    line for each entry of another form."""
    file = root / FILE
    if not file.is_file():
        return
    try:
        known = pydantic.TypeAdapter(dict[str, Tried])
        entries = known.validate_python(read_mapping(file))
    except pydantic.ValidationError as error:
        lines = [f"{FILE}: {_place(mistake)}" for mistake in error.errors()]
        raise RenderError("\n".join(lines)) from None
    sections = [_section(entry) for entry in entries.values()]
    write_text(page, "\n\n".join([HEAD, *sections]) + "\n")


def _place(mistake: dict) -> str:
    return f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}"


def _section(entry: Tried) -> str:
    rows = pd.DataFrame(entry.tried.items(), columns=HEADS)
    table = Table(rows, "tried", save=False, markdown=HEADS)._repr_markdown_()
    label = f"tbl-tried-{entry.chapter.removeprefix('sec-')}"
    caption = f"Tried for @{entry.chapter}, and not kept. {entry.measure.strip()}"
    return f"::: {{#{label}}}\n{table}\n{caption}\n:::"
