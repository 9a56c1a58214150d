"""Keep a run on real data: its tables and how they came to be, in one file."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import nbformat

from wslib.runtime.kept import digest
from wslib.show.recorded import Recorded, RecordedData, RecordedTable, write_recorded
from wslib.workbook.runs.results import SPECIFICATION, read_specification
from wslib.workbook.runs.run import Build, is_up_to_date
from wslib.workbook.sources.chapter import Chapter

DATA = re.compile(r"\bData: ([^,.;]+(?:, [^.;]+)?)")
NAME = re.compile(r"[a-z][a-z0-9_]*")


class NotRecorded(RuntimeError):
    """The run can't be kept; the message is one line that says why."""


def record(chapter: Chapter, build: Build, name: str, looks: str, command: str) -> Path:
    """Keep the finished run of `chapter` in `build` as `report/recorded/NN_NAME.json`.

    `looks` says how often the images on which it was measured had been looked at
    before. Raises NotRecorded for a run that is not there or out of date, for rendered
    data (it read no data set), and for a tree that differs from its commit.
    """
    if not NAME.fullmatch(name):
        raise NotRecorded(f"NAME={name}: expected a name such as unseen or five_fold")
    if not looks:
        raise NotRecorded('LOOKS: say how often these images were seen: LOOKS="never"')
    commit = _commit(build.root)
    file = build.file(chapter, ".ipynb")
    if not file.is_file() or not is_up_to_date(chapter, build):
        raise NotRecorded(f"{file}: not there or out of date; make chapter comes first")
    run = nbformat.read(file, as_version=4).metadata["wslib"]
    tables = {table: _table(build.folder, table) for table in run["tables"]}
    recorded = Recorded(
        chapter=chapter.name,
        name=name,
        command=command,
        parameters=run["parameters"],
        data=_data(_leading(build.root, chapter.name, tables) | tables, run, looks),
        commit=commit,
        **{key: run[key] for key in ("date", "seconds", "device", "machine")},
        versions=dict(run["versions"]),
        tables=tables,
    )
    return write_recorded(recorded, build.root)


def _commit(root: Path) -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
        if done.returncode:
            raise NotRecorded(f"git {words[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    if changed := git("status", "--porcelain"):
        first = changed.splitlines()[0].split()[-1]
        raise NotRecorded(f"{first}: differs from the commit; commit it first")
    return git("rev-parse", "--short=7", "HEAD")


def _table(folder: Path, name: str) -> RecordedTable:
    content = json.loads((folder / f"tables/{name}.json").read_text(encoding="utf-8"))
    return RecordedTable(**{k: content[k] for k in RecordedTable.model_fields})


def _leading(root: Path, chapter: str, tables: dict) -> dict[str, RecordedTable]:
    """The table that counts, by `report/results.yml` where there is one."""
    there = (root / SPECIFICATION).is_file()
    entry = read_specification(root).get(chapter) if there else None
    return {entry.table: tables[entry.table]} if entry and entry.table in tables else {}


def _data(tables: dict[str, RecordedTable], run: dict, looks: str) -> RecordedData:
    """The data that the notes of the `tables` name, the first that names any, with a
    digest of the files' names and sizes."""
    files = _files(run["data_read"], Path(run["data"] or "data").resolve())
    notes = [table.note or "" for table in tables.values()]
    named = [found[1] for note in notes if (found := DATA.search(note))]
    if not files:
        raise NotRecorded(f"data: {(named or ['none'])[0]}; only real data are kept")
    if not named:
        raise NotRecorded("data: no table has a note `Data: ...` that says which")
    return RecordedData(
        what=named[0],
        looks=looks,
        files=len(files),
        bytes=sum(size for _, size in files),
        digest=digest(files)[:16],
    )


def _files(read: dict, root: Path) -> list[tuple[str, int]]:
    """Names, relative to the folder of all data, and sizes of the files that were
    read."""
    folders = [path for path in map(Path, read) if path.is_relative_to(root)]
    files = [
        f for path in folders for f in ([path] if path.is_file() else path.rglob("*"))
    ]
    found = {
        f.relative_to(root).as_posix(): f.stat().st_size for f in files if f.is_file()
    }
    return sorted(found.items())
