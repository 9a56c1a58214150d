"""`wslib data`: what there is on this machine, and what can be fetched."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from wslib.cli import options
from wslib.cli.choices import names_in
from wslib.cli.console import print_json, resumable
from wslib.cli.contents import Contents
from wslib.data import inventory

app = typer.Typer(cls=Contents)

Part = Annotated[
    str | None,
    options.one_of(
        names_in("data.voc", "VOC2007_PARTS"),
        help="Of voc2007: {} [default: both]",
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
        options.named(names_in("data.fetch", "SOURCES")),
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
    with resumable():
        inventory.fetch_data_set(name, part, base_url, keep_archives)


@app.command("list")
def list_data(as_json: options.Json = False) -> None:
    """Say which data sets are here, where, and what is missing.

    \b
    Example: wslib data list

    JSON: [{name, part, folder, here, contents}]
    """
    rows = inventory.list_data_sets()
    if as_json:
        return print_json([asdict(one) for one in rows])
    for before, one in zip([None, *rows], rows, strict=False):
        if before is None or before.name != one.name:
            print(f"{one.name:18}{one.folder}")
        print(f"  {one.part:10}{one.contents}" if one.part else f"  {one.contents}")
