"""Options that several commands have, with what `--help` says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import names


def one_of(allowed: Sequence[str], *flags: str, help: str = "") -> object:
    """An option that takes one of `allowed`, which the shell completes."""
    listed = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
    return typer.Option(*flags, help=help or listed, autocompletion=lambda: [*allowed])


Dataset = Annotated[
    str,
    one_of(names.VOC, help="voc2007 (photographs) or rendered (drawn on this machine)"),
]
Rendered = Annotated[
    str, typer.Option(help="Sizes of the drawn splits: train=300,val=100,test=200")
]
Split = Annotated[str, one_of(names.SPLITS)]
Limit = Annotated[
    int, typer.Option(min=0, help="Use only the first so many images; 0: all")
]
ClassName = Annotated[
    str, one_of(names.CLASSES, "--class", help="One of VOC's 20 classes")
]
Ious = Annotated[
    list[float],
    typer.Option("--iou", help="IoU above which a box is right; may be repeated"),
]
Protocol = Annotated[
    str, one_of(names.PROTOCOLS, help="How AP is computed: course, voc07 or voc10")
]
Digits = Annotated[int, typer.Option(min=0, max=15, help="Decimals that are printed")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text")]
DetectorFile = Annotated[
    Path | None,
    typer.Option("--detector", help="detector.pt, written by `wslib voc train`"),
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option("--checkpoint", help="A plain classifier: best.pt or the course's"),
]
ClassNames = Annotated[
    str | None,
    typer.Option(help="Outputs of a checkpoint without names: person,bird,..."),
]
Size = Annotated[
    int | None,
    typer.Option(help="Side of the input in pixels [default: as in training]"),
]
BatchSize = Annotated[int, typer.Option(help="Images in a batch")]
Device = Annotated[
    str, one_of(names.DEVICES, help="cpu, cuda, or auto: a GPU if there is one")
]
DetectionsFile = Annotated[
    Path, typer.Argument(help="Written by `wslib voc detect --out`")
]

IOUS = [0.3, 0.4, 0.5]


def check_out(path: Path) -> None:
    """Make the folder of a file that is to be written, before anything is computed.

    Raises ValueError for what is there and is no file, and below a file.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: no file, expected the name of one to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{path}: below a file, expected below a folder") from None
