"""`wslib data`: what there is on this machine, and what can be fetched."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import names, options
from wslib.cli.contents import Contents
from wslib.cli.interrupted import goes_on
from wslib.cli.printing import print_json

app = typer.Typer(cls=Contents)

Part = Annotated[
    str | None,
    options.one_of(
        ("trainval", "test"), help="Of voc2007: trainval or test [default: both]"
    ),
]
BaseUrl = Annotated[str | None, typer.Option(help="Fetch the archives from here")]
Keep = Annotated[
    bool, typer.Option("--keep-archives", help="Do not delete them after unpacking")
]


@app.callback()
def group() -> None:
    """Fetch and look at the data sets."""


@app.command("fetch")
def fetch_data(
    name: Annotated[
        str,
        typer.Argument(
            help="voc2007, synthetic_shapes, cifar10 or caltech101",
            autocompletion=lambda: [*names.FETCHED],
        ),
    ],
    part: Part = None,
    base_url: BaseUrl = None,
    keep_archives: Keep = False,
) -> None:
    """Download a data set, check it and unpack it.

    It goes below $WSLIB_DATA (default: data/). What is there is used as it is. After
    an interruption the same command goes on where it stopped.

    \b
    Example: wslib data fetch voc2007 --part trainval
    """
    from wslib.data.fetch import fetch_data_set

    if part and name in names.FETCHED and name != "voc2007":
        raise ValueError(f"--part {part}: only voc2007 has parts, {name} has none")
    parts = (part,) if part else None
    with goes_on():
        fetch_data_set(
            name, parts=parts, base_url=base_url, keep_archives=keep_archives
        )


@app.command("list")
def list_data(as_json: options.Json = False) -> None:
    """Say which data sets are here, where, and what is missing.

    \b
    Example: wslib data list

    JSON: [{name, part, folder, here, contents}]
    """
    found = find_data()
    if as_json:
        return print_json([asdict(one) for one in found])
    for before, one in zip([None, *found], found, strict=False):
        if before is None or before.name != one.name:
            print(f"{one.name:18}{one.folder}")
        print(f"  {one.part:10}{one.contents}" if one.part else f"  {one.contents}")


@dataclass(frozen=True)
class Found:
    """What there is of a data set, or of one of its parts, in words."""

    name: str
    part: str | None
    folder: Path
    here: bool  # all of it
    contents: str


def find_data() -> list[Found]:
    """Look at all data sets that a chapter can use. Raises OSError for a folder that
    may not be read."""
    from wslib.data.fetch import SOURCES
    from wslib.data.folders import data_root

    root, rows = data_root().absolute(), []
    for name, sources in SOURCES.items():
        for one in sources:
            folder = root / one.folder
            rows.append((name, one.part or None, folder, str(one.contents(folder))))
            if one.instead and (root / one.instead).is_file():
                other = root / one.instead
                rows.append((name, None, other, f"in its stead: {other}"))
    if (root / "caltech3").is_dir():  # the practical's; nothing can fetch it
        rows.append(("caltech3", None, root / "caltech3", _caltech3(root / "caltech3")))
    good = ("complete", "in its stead")
    return [Found(*row[:3], row[3].startswith(good), row[3]) for row in rows]


def _caltech3(folder: Path) -> str:
    """The practical's pictures and CSVs: "complete, 2,033 pictures", or what is not."""
    from wslib.data.caltech import LABELS

    for label in LABELS:
        if not (folder / "annotations" / f"{label}.csv").is_file():
            return f"incomplete: {folder / 'annotations' / label}.csv: not found"
    count = sum(len(list((folder / "images" / name).glob("*.*"))) for name in LABELS)
    return f"complete, {count:,} pictures" if count else f"incomplete: {folder}: empty"
