"""`wslib caltech`: what is in a picture and in which box, as in the practical."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import options
from wslib.cli.choices import names_in
from wslib.cli.console import (
    INTERRUPTED,
    check_out,
    print_json,
    resumable,
    save_figure,
)
from wslib.cli.contents import Contents

BUILD = Path("build/caltech")
AUGMENTATIONS = names_in("practical.views", "AUGMENTATIONS")
BATCH = 32  # pictures that `predict` holds at a time
PANELS = {  # of curves.png: the lines of each, and their columns in the history
    "loss": {"train": "loss", "val": "val_loss"},
    "accuracy": {"train": "accuracy", "val": "val_accuracy"},
    "mean box IoU of val": {"val": "val_iou"},
}
ON_SHEET, THUMB = 48, 240  # pictures, and pixels of the longer side of each

app = typer.Typer(cls=Contents)

Model = Annotated[
    Path, typer.Argument(help="best.pt or last.pt, written by `wslib caltech train`")
]
Mirrored = Annotated[
    bool,
    typer.Option("--mirrored", help="Look at the mirror image, too (twice as slow)"),
]


@app.callback()
def group() -> None:
    """One class and one box to a picture: the practical."""


@app.command("train")
def train_network(
    network: Annotated[
        str, options.one_of(names_in("models.two_heads", "NETWORKS"))
    ] = "simple",
    dataset: Annotated[
        str,
        options.one_of(
            names_in("data.datasets", "CALTECH_SETS"),
            help="caltech3, caltech101, or rendered (drawn on this machine)",
        ),
    ] = "caltech3",
    count: Annotated[
        int, typer.Option(min=9, help="Pictures of the rendered set")
    ] = 600,
    split: Annotated[
        str, typer.Option(help="Shares of the pictures for train, val and test")
    ] = "0.8,0.1,0.1",
    share: Annotated[
        float, typer.Option(help="Of the training set, above 0 and up to 1")
    ] = 1.0,
    epochs: Annotated[int, typer.Option(min=1, help="Times through train")] = 20,
    input_size: Annotated[
        int, typer.Option(min=1, help="Side of the input in pixels")
    ] = 224,
    batch_size: options.BatchSize = 32,
    learning_rate: Annotated[
        float, typer.Option(min=1e-8, help="At its start; it falls to 0")
    ] = 1e-3,
    box_loss: Annotated[
        str, options.one_of(names_in("training.losses", "BOX_LOSSES"))
    ] = "giou",
    box_weight: Annotated[
        float, typer.Option(min=0, help="Of the box loss beside that of the class")
    ] = 1.0,
    augmentation: Annotated[
        str,
        options.one_of(AUGMENTATIONS, help="none, mirror or crop (also mirrors)"),
    ] = "mirror",
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Train the heads only (resnet18, lite0)")
    ] = False,
    no_pretrained: Annotated[
        bool,
        typer.Option("--no-pretrained", help="Without ImageNet weights (as above)"),
    ] = False,
    dropout: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="In the class head [default: the network's own]"
        ),
    ] = None,
    no_batch_norm: Annotated[
        bool, typer.Option("--no-batch-norm", help="For simple, deeper and vgg")
    ] = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    bfloat16: Annotated[
        bool, typer.Option("--bfloat16", help="Features in 16 bits, faster on some")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the results [default: build/caltech/NETWORK]"),
    ] = None,
) -> None:
    """Train a network to name what is in a picture, and to box it.

    Pictures that are nearly the same stay on one side of the split, which is written to
    train.csv, val.csv and test.csv. Writes best.pt (highest accuracy on val, among
    equals lowest loss), history.csv, curves.png, and last.pt, from which the same
    command goes on after an interruption. Prints what `eval` prints of val.

    \b
    Example: wslib caltech train --network deeper --epochs 50 --augmentation crop
    """
    from wslib.data.datasets import open_caltech
    from wslib.models.two_heads import build_detector
    from wslib.practical.detector_training import BEST
    from wslib.practical.evaluation import PARTS, measure_set
    from wslib.practical.kept_training import train_kept
    from wslib.runtime.device import pick_device
    from wslib.show.pictures import draw_history
    from wslib.training.losses import DetectorLoss
    from wslib.training.runs import best_epoch

    out = out or BUILD / network
    DetectorLoss(box_loss, box_weight)  # complains before pictures are read
    _check_options(augmentation, frozen, share)
    check_out(out / "best.pt")
    switches = {"frozen": True} if frozen else {}
    switches |= {"pretrained": False} if no_pretrained else {}
    switches |= {"batch_norm": False} if no_batch_norm else {}
    switches |= {} if dropout is None else {"dropout": dropout}
    place = pick_device(device)
    model = build_detector(network, seed, **switches, input_size=input_size).to(place)
    model.bfloat16 = bfloat16
    settings = {"dataset": dataset, "split": _parse_shares(split), "share": share}
    drawn = {"count": count} if dataset == "rendered" else {}
    settings |= {**drawn, "seed": seed}
    training = {"epochs": epochs, "learning_rate": learning_rate}
    training |= {"batch_size": batch_size, "augmentation": augmentation}
    training |= {"box_loss": box_loss, "box_weight": box_weight}
    with resumable():
        pictures = open_caltech(dataset, **drawn)
        _print_notes(pictures.notes)
        trained = train_kept(model, pictures, out, settings, **training)
    history, sets, val = trained
    save_figure(draw_history(history, PANELS), out / "curves.png")
    if len(history) < epochs:  # `fit` has said so
        raise typer.Exit(INTERRUPTED)
    best = f"epoch {best_epoch(history, BEST)} of {epochs}"
    learnt = f"learnt from {len(sets['train'])} pictures"
    print(f"{out / 'best.pt'}: {network}, {best}, {learnt}")
    _print_sets([measure_set(model, sets["val"], PARTS["val"], val)])


@app.command("eval")
def evaluate_network(
    model: Model,
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            help="CSVs, or folders with images/ and annotations/ [default: train.csv, "
            "val.csv and test.csv beside MODEL]"
        ),
    ] = None,
    mirrored: Mirrored = False,
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Measure a network: accuracy, and the IoU of its boxes.

    Of all pictures and of each label. Brackets hold 95 % intervals.

    \b
    Example: wslib caltech eval build/caltech/deeper/best.pt

    JSON: model, network, mirrored, sets [{name, pictures, boxes, rendered,
    measures {name: {value, low, high}}, labels [...]}]
    """
    from wslib.practical.evaluation import measure_set, open_detector, open_sets

    detector, about = open_detector(model, device)
    measured = [
        measure_set(detector, pictures, name, mirrored=mirrored)
        for name, pictures in open_sets(model, data or []).items()
    ]
    if as_json:
        head = {"model": str(model), "network": about["network"], "mirrored": mirrored}
        return print_json({**head, "sets": [each.record for each in measured]})
    _print_sets(measured, mirrored)


@app.command("predict")
def predict_pictures(
    model: Model,
    paths: Annotated[
        list[Path],
        typer.Argument(help="CSVs, folders (all pictures below) or single pictures"),
    ],
    only_failures: Annotated[
        bool,
        typer.Option(
            "--only-failures",
            help="Only what has a wrong class, or a box with an IoU of 0.7 or less",
        ),
    ] = False,
    sheet: Annotated[
        bool,
        typer.Option("--sheet", help="Also up to 48 of them on one: sheet.png"),
    ] = False,
    mirrored: Mirrored = False,
    device: options.Device = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the results [default: build/caltech/predictions, or "
            "build/caltech/failures]"
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Draw what a network finds in pictures: class and box.

    A CSV, or a folder with images/ and annotations/, also gives the true box (dashed)
    and the IoU; a box is orange where all is right, else vermilion. Writes a copy of
    each picture, and predictions.csv with corners in pixels of the upright picture.

    \b
    Example: wslib caltech predict build/caltech/simple/best.pt own/ --sheet

    JSON: [{path, label, probability, x1, y1, x2, y2, true_label, iou}]
    """
    import numpy as np

    from wslib.practical import predictions
    from wslib.practical.evaluation import open_detector
    from wslib.runtime.kept import written_whole
    from wslib.runtime.progress import progress
    from wslib.show.pictures import draw_prediction

    out = out or BUILD / ("failures" if only_failures else "predictions")
    detector, _ = open_detector(model, device)
    targets = predictions.gather_targets(paths, out)
    _print_notes(targets.notes)
    if only_failures:
        predictions.check_known(targets)
    copies = _plan_copies(targets.files, out)
    shown, unread, count = [], [], len(targets.files)
    batches = np.array_split(np.arange(count), math.ceil(count / BATCH))
    for rows in progress(batches, "predicting"):
        some = targets.take(rows)
        some, complaints = predictions.predict_files(detector, some, mirrored)
        unread += complaints
        for one in some:
            if not (only_failures and one.good):
                caption = ", ".join(one.captions)
                drawn = draw_prediction(one.image, caption, one.drawn_boxes)
                save_figure(drawn, copies[one.path])
                shown.append(replace(one, image=None))
    with written_whole(out / "predictions.csv") as part:
        frame = predictions.make_frame(shown)
        frame.to_csv(part, index=False, errors="backslashreplace")  # of odd names
    if sheet and shown:
        _save_sheet(shown, out / "sheet.png")
    if as_json:
        print_json([one.row for one in shown])
    else:
        print(*shown, sep="\n", end="\n" * bool(shown))
        of = f"failures in {count - len(unread)}" if only_failures else f"of {count}"
        print(f"{len(shown)} {of} pictures: {out / 'predictions.csv'}")
    _print_notes(unread)  # here, where the progress bar is gone
    if unread:
        raise typer.Exit(1)


# ------------------------------------------------------------------------------ checks


def _check_options(augmentation: str, frozen: bool, share: float) -> None:
    """Raise ValueError for what would fail only after the pictures are read."""
    allowed = AUGMENTATIONS[:2] if frozen else AUGMENTATIONS
    if augmentation not in allowed:
        text = f"--augmentation {augmentation}{' with --frozen' * frozen}"
        raise ValueError(f"{text}, expected one of {', '.join(allowed)}")
    if not 0 < share <= 1:
        raise ValueError(f"--share {share}, expected above 0 and up to 1")


def _parse_shares(split: str) -> dict[str, float]:
    """Read `--split`; that the shares add up is checked where it is made."""
    try:
        shares = [float(word) for word in split.split(",")]
    except ValueError:
        shares = []
    if len(shares) != 3:
        text = "expected three shares, such as 0.8,0.1,0.1"
        raise ValueError(f"--split {split}: {text}")
    return dict(zip(("train", "val", "test"), shares, strict=True))


def _plan_copies(files: list[Path], out: Path) -> dict[Path, Path]:
    """Name the copy of each file; make their folders."""
    from wslib.data.image_files import plan_copies

    copies = plan_copies(files, out, taken="sheet")
    for folder in {out, *(copy.parent for copy in copies.values())}:
        check_out(folder / "predictions.csv")
    return copies


# ----------------------------------------------------------------------------- results


def _print_notes(notes: list[str]) -> None:
    for note in notes:
        print(f"wslib: {note}", file=sys.stderr)


def _print_sets(measured: list, mirrored: bool = False) -> None:
    """Print the measures of each set as the practical's eval.py does."""
    print(*measured, sep="\n")
    text = "95 % intervals in brackets: of shares Wilson's, of the mean by bootstrap"
    print(text + ("; mean of picture and mirror image" if mirrored else ""))


def _save_sheet(shown: list, path: Path) -> None:
    """Draw all predictions, or 48 that are evenly spaced among them, on one sheet."""
    import numpy as np

    from wslib.runtime.progress import progress
    from wslib.show.pictures import draw_sheet

    rows = np.linspace(0, len(shown) - 1, min(len(shown), ON_SHEET)).round().astype(int)
    small = [shown[row].shrink(THUMB) for row in progress(rows, "sheet")]
    captions = ["\n".join(one.captions) for one in small]
    boxes = [one.drawn_boxes for one in small]
    save_figure(draw_sheet([one.image for one in small], captions, boxes), path)
