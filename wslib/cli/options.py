"""Options that several commands have, with what `--help` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Dataset = Annotated[str, typer.Option(help="voc2007, or rendered: drawn here")]
Rendered = Annotated[
    str, typer.Option(help="How many are drawn, such as train=300,val=100,test=200")
]
Split = Annotated[str, typer.Option(help="train, val, trainval or test")]
Limit = Annotated[int, typer.Option(min=0, help="Only the first so many; 0: all")]
ClassName = Annotated[str, typer.Option("--class", help="One of the 20 of VOC")]
Ious = Annotated[list[float], typer.Option("--iou", help="May be given several times")]
Protocol = Annotated[str, typer.Option(help="course, voc07 or voc10")]
Digits = Annotated[int, typer.Option(min=0, max=15, help="After the point")]
Json = Annotated[bool, typer.Option("--json", help="For a program to read")]
DetectorFile = Annotated[
    Path | None, typer.Option("--detector", help="detector.pt, of `wslib voc train`")
]
CheckpointFile = Annotated[
    Path | None,
    typer.Option("--checkpoint", help="A classifier: best.pt, or the course's own"),
]
ClassNames = Annotated[
    str | None,
    typer.Option(help="Of a checkpoint that names none, in its order: person,bird,..."),
]
Size = Annotated[
    int | None, typer.Option(help="Pixels; images become squares. Else the network's")
]
BatchSize = Annotated[int, typer.Option(help="Images at a time through the network")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or auto: the better one")]
DetectionsFile = Annotated[Path, typer.Argument(help="Of `wslib voc detect --out`")]

IOUS = [0.3, 0.4, 0.5]
