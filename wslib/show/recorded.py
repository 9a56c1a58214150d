"""Runs on real data that were kept: `report/recorded/NAME.json`, and what they say of a
conclusion that was drawn from another run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pydantic

from wslib.runtime.kept import write_text
from wslib.runtime.project import note_dependency, project_root

FOLDER = "report/recorded"
PACKAGED = Path(__file__).resolve().parents[2]


class RecordedTable(pydantic.BaseModel, extra="forbid"):
    """A table as the chapter left it, in full precision."""

    columns: list[str]
    rows: list[list[str | float | bool | None]]
    note: str | None = None
    protocol: str | None = None


class RecordedData(pydantic.BaseModel, extra="forbid"):
    """What was measured on, and how often these images had been looked at before."""

    what: str
    looks: str
    files: int | None = None
    bytes: int | None = None
    digest: str | None = None  # of the files' names and sizes


class Recorded(pydantic.BaseModel, extra="forbid"):
    """One run of a chapter on real data. Written by `make record`, never by hand."""

    chapter: str
    name: str
    command: str
    parameters: dict
    data: RecordedData
    commit: str
    date: str
    seconds: float
    device: str
    machine: str
    versions: dict[str, str]
    tables: dict[str, RecordedTable]

    def frame(self, table: str) -> pd.DataFrame:
        """The rows of a table by the words of their first column. Raises KeyError with
        the tables that there are."""
        if table not in self.tables:
            known = ", ".join(self.tables)
            raise KeyError(f"{self.name}: no table {table}; it has {known}")
        kept = self.tables[table]
        frame = pd.DataFrame(kept.rows, columns=kept.columns)
        return frame.set_index(kept.columns[0])

    @property
    def examined(self) -> str:
        """The data that the run was examined on, and whether that was only its first
        images."""
        what, limit = self.data.what, self.parameters.get("eval_limit")
        return what if not limit or "first" in what else f"{what}, its first {limit}"

    @property
    def seen(self) -> str:
        """What it was examined on, and how often that had been looked at before."""
        never = self.data.looks.startswith("never")
        looks = "never looked at before" if never else f"looked at {self.data.looks}"
        return f"{self.examined}; {looks}"

    def source(self, data: str | None = None) -> str:
        """Where the numbers are from, for a note below a table; `data` where it was not
        the data that the run was examined on."""
        return f"{data or self.seen}; {self.date[:10]}, commit {self.commit}."


def read_recorded(name: str, root: Path | None = None) -> Recorded:
    """The run `report/recorded/NAME.json` of the project in `root`, by default the one
    around what runs, or else around this package, as in a notebook that carries both;
    the build notes that it was read.

    Raises FileNotFoundError naming those that there are, ValueError naming file and
    place of what has another form.
    """
    folders = [r / FOLDER for r in ([root] if root else [project_root(), PACKAGED])]
    folder = next((f for f in folders if (f / f"{name}.json").is_file()), folders[0])
    file = folder / f"{name}.json"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none"
        raise FileNotFoundError(f"{file}: not there; recorded are {known}")
    note_dependency(file)
    try:
        return Recorded.model_validate_json(file.read_text(encoding="utf-8"))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{file}: {place}: {first['msg']}") from None


def write_recorded(run: Recorded, root: Path) -> Path:
    """Write `report/recorded/NN_NAME.json`, NN being the chapter's number."""
    file = root / FOLDER / f"{run.chapter[:2]}_{run.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(run.model_dump(), indent=1, ensure_ascii=False)
    write_text(file, text + "\n")
    return file


def verdict(
    claim: Callable[[pd.DataFrame], bool],
    here: pd.DataFrame,
    recorded: pd.DataFrame | None,
    where: str = "on photographs",
) -> str:
    """What a recorded run says of a `claim` about a table, in Markdown: that it holds
    there too, that it does not, or that it was not measured.

    `claim` is asked about the table of this run, `here`, and about the `recorded` one,
    which was measured `where`. A row or column that one of them lacks makes it not
    measured.
    """
    try:
        now = bool(claim(here))
    except KeyError:
        return "*(not measured in this run)*"
    try:
        there = None if recorded is None else bool(claim(recorded))
    except KeyError:
        there = None
    return f"*({_WORDS[now, there].format(where=where)})*"


def verdicts(
    claims: dict[str, Callable[[pd.DataFrame], bool]],
    here: pd.DataFrame,
    recorded: pd.DataFrame | None,
    where: str = "on photographs",
) -> str:
    """A list in Markdown of the `claims` by their words, each with its verdict."""
    return "\n".join(
        f"- {words}. {verdict(claim, here, recorded, where)}"
        for words, claim in claims.items()
    )


_WORDS = {
    (True, True): "holds in this run and {where}",
    (True, False): "holds in this run, but not {where}",
    (False, True): "not in this run, but {where}",
    (False, False): "neither in this run nor {where}",
    (True, None): "holds in this run; not measured {where}",
    (False, None): "not in this run; not measured {where}",
}
