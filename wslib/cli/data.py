"""`wslib data`: what there is on this machine, and what can be fetched."""

from __future__ import annotations

from typing import Annotated

import typer

from wslib.cli.interrupted import goes_on

app = typer.Typer(no_args_is_help=True, help="Fetch and look at the data sets.")

Part = Annotated[str | None, typer.Option(help="trainval or test [default: both]")]
BaseUrl = Annotated[str | None, typer.Option(help="Fetch the archives from here")]
Keep = Annotated[
    bool, typer.Option("--keep-archives", help="Do not delete them after unpacking")
]


@app.callback()
def group() -> None:
    """Fetch and look at the data sets, below $WSLIB_DATA (default: data/)."""


@app.command("fetch")
def fetch_data(
    name: Annotated[str, typer.Argument(help="voc2007")],
    part: Part = None,
    base_url: BaseUrl = None,
    keep_archives: Keep = False,
) -> None:
    """Download a data set, check it and unpack it; what is there is used as it is.

    After an interruption the same command goes on where it stopped.

    Example: wslib data fetch voc2007 --part trainval
    """
    from wslib.data.archives import VOC2007_PARTS, VOC2007_URL, fetch_voc2007

    if name != "voc2007":
        raise ValueError(f"data set {name!r}, expected voc2007")
    with goes_on():
        fetch_voc2007(
            parts=(part,) if part else tuple(VOC2007_PARTS),
            base_url=base_url or VOC2007_URL,
            keep_archives=keep_archives,
        )


@app.command("list")
def list_data() -> None:
    """Say which data sets are here, where, and what is missing.

    Example: wslib data list
    """
    from wslib.data.archives import VOC2007_FOLDER, VOC2007_PARTS, voc2007_contents
    from wslib.data.folders import data_root

    print(f"voc2007     {(data_root() / VOC2007_FOLDER).absolute()}")
    for part in VOC2007_PARTS:
        print(f"  {part:10}{voc2007_contents(part)}")
