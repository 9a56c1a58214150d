"""`wslib data`: what there is on this machine, and what can be fetched."""

from __future__ import annotations

from typing import Annotated

import typer

from wslib.cli.interrupted import goes_on

app = typer.Typer(no_args_is_help=True, help="Fetch and look at the data sets.")

Part = Annotated[
    str | None, typer.Option(help="Of voc2007: trainval or test [default: both]")
]
BaseUrl = Annotated[str | None, typer.Option(help="Fetch the archives from here")]
Keep = Annotated[
    bool, typer.Option("--keep-archives", help="Do not delete them after unpacking")
]


@app.callback()
def group() -> None:
    """Fetch and look at the data sets, below $WSLIB_DATA (default: data/)."""


@app.command("fetch")
def fetch_data(
    name: Annotated[
        str, typer.Argument(help="voc2007, synthetic_shapes, cifar10 or caltech101")
    ],
    part: Part = None,
    base_url: BaseUrl = None,
    keep_archives: Keep = False,
) -> None:
    """Download a data set, check it and unpack it; what is there is used as it is.

    After an interruption the same command goes on where it stopped.

    Example: wslib data fetch voc2007 --part trainval
    """
    from wslib.data import archives, caltech_archive, shapes_archive

    sources = {
        "voc2007": (archives.fetch_voc2007, archives.VOC2007_URL),
        "synthetic_shapes": (
            shapes_archive.fetch_synthetic_shapes,
            shapes_archive.SHAPES_URL,
        ),
        "cifar10": (shapes_archive.fetch_cifar10, shapes_archive.CIFAR10_URL),
        "caltech101": (
            caltech_archive.fetch_caltech101,
            caltech_archive.CALTECH101_URL,
        ),
    }
    if name not in sources:
        raise ValueError(f"data set {name!r}, expected one of {', '.join(sources)}")
    fetch, url = sources[name]
    options = {"base_url": base_url or url, "keep_archives": keep_archives}
    if name == "voc2007":
        options["parts"] = (part,) if part else tuple(archives.VOC2007_PARTS)
    elif part:
        raise ValueError(f"--part {part}: only voc2007 has parts, {name} has none")
    with goes_on():
        fetch(**options)


@app.command("list")
def list_data() -> None:
    """Say which data sets are here, where, and what is missing.

    Example: wslib data list
    """
    from wslib.data.archives import VOC2007_FOLDER, VOC2007_PARTS, voc2007_contents
    from wslib.data.caltech_archive import CALTECH101_FOLDER, caltech101_contents
    from wslib.data.cifar10 import BINARY, ZIP
    from wslib.data.folders import data_root
    from wslib.data.shapes_archive import (
        SHAPES_FOLDER,
        cifar10_contents,
        shapes_contents,
    )

    root = data_root().absolute()
    print(f"{'voc2007':18}{root / VOC2007_FOLDER}")
    for part in VOC2007_PARTS:
        print(f"  {part:10}{voc2007_contents(part)}")
    print(f"{'synthetic_shapes':18}{root / SHAPES_FOLDER}\n  {shapes_contents()}")
    print(f"{'cifar10':18}{root / BINARY}\n  {cifar10_contents()}")
    if (root / ZIP).is_file():
        print(f"  in its stead: {root / ZIP}")
    print(f"{'caltech101':18}{root / CALTECH101_FOLDER}\n  {caltech101_contents()}")
