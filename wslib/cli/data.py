"""`wslib data`: what there is on this machine, and what can be fetched."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from wslib.cli import options
from wslib.cli.choices import names_in
from wslib.cli.console import fail_if, print_json, resumable
from wslib.cli.contents import Contents
from wslib.cli.options import argument, named, one_of, option
from wslib.data import inventory

app = typer.Typer(cls=Contents)

Name = named(names_in("data.fetch", "SOURCES"))
Part = one_of(
    names_in("data.voc", "VOC2007_PARTS"),
    help="Of voc2007: {} [default: both]",
    kind=str | None,
)
BaseUrl = option(str | None, "Fetch the archives from here")
Keep = option(bool, "Do not delete them after unpacking", "--keep-archives")
NewFolder = argument(Path, "A new one")
Layout = one_of(names_in("data.rendered.own", "WRITERS"))
Count = option(int, "Pictures", min=6)
OwnFolder = argument(Path, "With your own pictures and boxes")


@app.callback()
def group() -> None:
    """Fetch and look at the data sets."""


@app.command("fetch")
def fetch_data(
    name: Name,
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


@app.command("example")
def draw_example(folder: NewFolder, layout: Layout = "CSV", count: Count = 50) -> None:
    """Draw balls and trees into a new folder, as an example of one.

    \b
    Example: wslib data example balls --layout COCO
    """
    from wslib.data.rendered.own import draw_folder

    draw_folder(folder, layout, count)
    print(f"{folder}: {count} pictures, {layout}")


@app.command("check")
def check_folder(folder: OwnFolder, as_json: options.Json = False) -> None:
    """Say what a folder of your own pictures holds, and what is wrong.

    One of three layouts: VOC's, Annotations/*.xml beside JPEGImages/; a folder of
    pictures for each class, with rows NAME,x1,y1,x2,y2 in a CSV; COCO's JSON. The
    classes are those of the files. Splits are ImageSets/Main/train.txt, val.txt,
    test.txt of VOC, train, val and test in the names of COCO's files, or else drawn:
    then pictures taken in a row should be few. The status is 1 if anything is wrong.

    \b
    Example: wslib data check path/to/folder

    JSON: folder, layout, pictures, classes {name: {pictures, boxes}}, splits,
    drawn, problems [...], advice
    """
    from wslib.data.own_sets import summarise_folder

    found = summarise_folder(folder)
    if as_json:
        print_json(found)
    else:
        print(f"{folder}: {found['layout']}, {found['pictures']} pictures")
        for name, counts in found["classes"].items():
            text = f"{counts['pictures']:6} pictures {counts['boxes']:6} boxes"
            print(f"  {name:16}{text}")
        splits = ", ".join(f"{name} {n}" for name, n in found["splits"].items())
        print(f"  splits{', drawn' * found['drawn']}: {splits or 'none'}")
        print(f"  {found['advice']}")
        print(*found["problems"], sep="\n", end="\n" * bool(found["problems"]))
        print(f"{len(found['problems'])} problems")
    fail_if(found["problems"])


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
