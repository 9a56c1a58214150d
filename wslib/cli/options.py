"""Options that several commands have, with what `--help` says of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from wslib.cli.choices import names_in

DEVICES = ("auto", "cpu", "cuda")
SPLITS = names_in("data.voc", "SPLITS")
VOC_SETS = names_in("data.datasets", "VOC_SETS")


def one_of(allowed: Iterable[str], *flags: str, help: str = "{}") -> object:
    """Declare an option that takes one of `allowed`, which the shell completes, and
    which stand in its help in place of {}."""
    text = help.replace("{}", list_names(allowed))
    return typer.Option(*flags, help=text, autocompletion=lambda: [*allowed])


def named(allowed: Iterable[str]) -> object:
    """Declare an argument that is one of `allowed`, as `one_of` does."""
    names = list_names(allowed)
    return typer.Argument(help=names, autocompletion=lambda: [*allowed])


def list_names(names: Iterable[str]) -> str:
    """Write names as "a, b or c"."""
    *others, last = names
    return f"{', '.join(others)} or {last}"


Dataset = Annotated[
    str,
    one_of(
        VOC_SETS,
        help="voc2007 (photographs), rendered (drawn on this machine), or a folder of "
        "your own pictures, see `wslib data check`",
    ),
]
Rendered = Annotated[
    str, typer.Option(help="Sizes of the drawn splits: train=300,val=100,test=200")
]
Split = Annotated[str, one_of(SPLITS)]
Limit = Annotated[
    int, typer.Option(min=0, help="Use only the first so many images; 0: all")
]
ClassName = Annotated[
    str,
    one_of(
        names_in("data.voc", "CLASSES"),
        "--class",
        help="One of VOC's 20 classes, or of your own",
    ),
]
Ious = Annotated[
    list[float],
    typer.Option("--iou", help="IoU above which a box is right; may be repeated"),
]
Protocol = Annotated[
    str,
    one_of(
        names_in("metrics.detection", "PROTOCOLS"),
        help="How AP is computed: {}",
    ),
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
BatchSize = Annotated[int, typer.Option(min=1, max=1024, help="Images in a batch")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="For all random numbers")]
Device = Annotated[
    str, one_of(DEVICES, help="cpu, cuda, or auto: a GPU if there is one")
]
OutFolder = Annotated[Path, typer.Option(help="Folder for the results")]
DetectionsFile = Annotated[
    Path, typer.Argument(help="Written by `wslib voc detect --out`")
]


def parse_counts(rendered: str) -> dict[str, int]:
    """Read the sizes of the drawn splits: "train=16,val=8,test=8". Raises ValueError
    for what is no whole number."""
    from wslib.workbook.params import parse_overrides

    counts = parse_overrides(rendered.replace(",", " "))
    for name, count in counts.items():
        if type(count) is not int:
            raise ValueError(f"--rendered {name}={count}: expected a whole number")
    return counts


def open_split(
    dataset: str, rendered: str, split: str, limit: int = 0, present: bool = True
):
    """Open the split that the options name, see `ImageSet.from_split`."""
    from wslib.data.image_sets import ImageSet

    return ImageSet.from_split(dataset, split, limit, parse_counts(rendered), present)


def open_network(
    detector: Path | None,
    checkpoint: Path | None,
    class_names: str | None,
    device: str,
    needed: bool = True,
):
    """Open the network that the options name; where none is `needed`, maybe None."""
    from wslib.boxes import networks

    if needed or detector or checkpoint:
        return networks.open_network(detector, checkpoint, class_names, device)
    return None
