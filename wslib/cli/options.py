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


def option(kind: object, help: str, *flags: str, **limits: object) -> object:
    """Declare the type of an option, what its help says, and its range."""
    return Annotated[kind, typer.Option(*flags, help=help, **limits)]


def argument(kind: object, help: str, **more: object) -> object:
    """Declare the type of an argument, and what its help says."""
    return Annotated[kind, typer.Argument(help=help, **more)]


def one_of(
    allowed: Iterable[str], *flags: str, help: str = "{}", kind: object = str
) -> object:
    """Declare an option that takes one of `allowed`, which the shell completes, and
    which stand in its help in place of {}."""
    text = help.replace("{}", list_names(allowed))
    return option(kind, text, *flags, autocompletion=lambda: [*allowed])


def named(allowed: Iterable[str]) -> object:
    """Declare an argument that is one of `allowed`, as `one_of` does."""
    return argument(str, list_names(allowed), autocompletion=lambda: [*allowed])


def list_names(names: Iterable[str]) -> str:
    """Write names as "a, b or c"."""
    *others, last = names
    return f"{', '.join(others)} or {last}"


Dataset = one_of(
    VOC_SETS,
    help="voc2007 (photographs), rendered (drawn on this machine), or a folder of "
    "your own pictures, see `wslib data check`",
)
Rendered = option(
    str,
    "Of the drawn set: train=300,val=100,test=200,seed=0; of a folder whose splits are "
    "drawn: seed=0",
)
Split = one_of(SPLITS)
Limit = option(int, "Use only the first so many images; 0: all", min=0)
ClassName = one_of(
    names_in("data.voc", "CLASSES"),
    "--class",
    help="One of VOC's 20 classes, or of your own",
)
Ious = option(list[float], "IoU above which a box is right; may be repeated", "--iou")
Protocol = one_of(
    names_in("metrics.detection", "PROTOCOLS"),
    help="How AP is computed: {}",
)
Digits = option(int, "Decimals that are printed", min=0, max=15)
Json = option(bool, "Print JSON instead of text", "--json")
DetectorFile = option(
    Path | None, "detector.pt, written by `wslib voc train`", "--detector"
)
CheckpointFile = option(
    Path | None, "A plain classifier: best.pt or the course's", "--checkpoint"
)
ClassNames = option(
    str | None, "Outputs of a checkpoint without names: person,bird,..."
)
Size = option(int | None, "Side of the input in pixels [default: as in training]")
BatchSize = option(int, "Images in a batch", min=1, max=1024)
Seed = option(int, "For all random numbers", min=0, max=2**32 - 1)
Device = one_of(DEVICES, help="cpu, cuda, or auto: a GPU if there is one")
OutFolder = option(Path, "Folder for the results")
DetectionsFile = argument(Path, "Written by `wslib voc detect --out`")


def parse_counts(rendered: str) -> dict[str, int]:
    """Read the sizes of the drawn splits: "train=16,val=8,test=8". Raises ValueError
    for what is no whole number."""
    from wslib.workbook.sources.params import parse_overrides

    counts = parse_overrides(rendered.replace(",", " "))
    for name, count in counts.items():
        if type(count) is not int:
            raise ValueError(f"--rendered {name}={count}: expected a whole number")
    return counts


def open_split(
    dataset: str, rendered: str, split: str, limit: int = 0, present: bool = True
):
    """Open the split that the options name, see `ImageSet.from_split`."""
    from wslib.data.datasets import is_folder
    from wslib.data.image_sets import ImageSet

    counts = parse_counts(rendered)
    if dataset != "rendered" and set(counts) - (
        {"seed"} if is_folder(dataset) else set()
    ):
        raise ValueError(f"--rendered {rendered}: no effect on --dataset {dataset}")
    return ImageSet.from_split(dataset, split, limit, counts, present)


def refuse_idle(context: typer.Context, why: str, *names: str) -> None:
    """Raise ValueError for a parameter of these names that was given, though it has no
    effect, and say why."""
    for each in context.command.params:
        source = context.get_parameter_source(each.name)
        if each.name in names and source.name == "COMMANDLINE":
            raise ValueError(f"{each.opts[0]}: no effect {why}")


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
    if class_names:
        raise ValueError(f"--class-names {class_names}: {networks.NAMED}")
    if device != "auto":
        raise ValueError(f"--device {device}: no effect without a network")
    return None
