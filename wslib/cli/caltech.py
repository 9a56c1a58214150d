"""`wslib caltech`: what is in a picture and in which box, as in the practical."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import typer

from wslib.cli import options
from wslib.cli.choices import names_in
from wslib.cli.console import (
    INTERRUPTED,
    check_out,
    fail_if,
    print_json,
    print_notes,
    resumable,
    save_figure,
)
from wslib.cli.contents import Contents
from wslib.cli.options import argument, one_of, option

BUILD = Path("build/caltech")
AUGMENTATIONS = names_in("practical.views", "AUGMENTATIONS")
PANELS = {  # of curves.png: the lines of each, and their columns in the history
    "loss": {"train": "loss", "val": "val_loss"},
    "accuracy": {"train": "accuracy", "val": "val_accuracy"},
    "mean box IoU of val": {"val": "val_iou"},
}
ON_SHEET, THUMB = 48, 240  # pictures, and pixels of the longer side of each

app = typer.Typer(cls=Contents)

Model = argument(Path, "best.pt or last.pt, written by `wslib caltech train`")
Mirrored = option(bool, "Look at the mirror image, too (twice as slow)", "--mirrored")
Network = one_of(names_in("models.two_heads", "NETWORKS"))
Dataset = one_of(
    names_in("data.datasets", "CALTECH_SETS"),
    help="caltech3, caltech101, rendered (drawn on this machine), or a folder "
    "of your own pictures, see `wslib data check`",
)
Count = option(int, "Pictures of the rendered set", min=9)
Shares = option(str, "Shares of the pictures for train, val and test")
Share = option(float, "Of the training set, above 0 and up to 1")
Epochs = option(int, "Times through train", min=1)
InputSize = option(int, "Side of the input in pixels", min=1)
LearningRate = option(float, "At its start; it falls to 0", min=1e-8)
BoxLoss = one_of(names_in("training.losses", "BOX_LOSSES"))
BoxWeight = option(float, "Of the box loss beside that of the class", min=0)
Augmentation = one_of(AUGMENTATIONS, help="none, mirror or crop (also mirrors)")
Frozen = option(bool, "Train the heads only (resnet18, lite0)", "--frozen")
NoPretrained = option(bool, "Without ImageNet weights (as above)", "--no-pretrained")
Dropout = option(
    float | None, "In the class head [default: the network's own]", min=0, max=1
)
NoBatchNorm = option(bool, "For simple, deeper and vgg", "--no-batch-norm")
Bfloat16 = option(bool, "Features in 16 bits, faster on some", "--bfloat16")
OutOfNetwork = option(
    Path | None, "Folder for the results [default: build/caltech/NETWORK]"
)
Sets = argument(
    list[Path] | None,
    "CSVs, or folders with images/ and annotations/ [default: train.csv, "
    "val.csv and test.csv beside MODEL]",
)
Paths = argument(list[Path], "CSVs, folders (all pictures below) or single pictures")
OnlyFailures = option(
    bool,
    "Only what has a wrong class, or a box with an IoU of 0.7 or less",
    "--only-failures",
)
Sheet = option(bool, "Also up to 48 of them on one: sheet.png", "--sheet")
OutOfPredictions = option(
    Path | None,
    "Folder for the results [default: build/caltech/predictions, or "
    "build/caltech/failures]",
)


@app.callback()
def group() -> None:
    """One class and one box to a picture: the practical."""


@app.command("train")
def train_network(
    context: typer.Context,
    network: Network = "simple",
    dataset: Dataset = "caltech3",
    count: Count = 600,
    split: Shares = "0.8,0.1,0.1",
    share: Share = 1.0,
    epochs: Epochs = 20,
    input_size: InputSize = 224,
    batch_size: options.BatchSize = 32,
    learning_rate: LearningRate = 1e-3,
    box_loss: BoxLoss = "giou",
    box_weight: BoxWeight = 1.0,
    augmentation: Augmentation = "mirror",
    frozen: Frozen = False,
    no_pretrained: NoPretrained = False,
    dropout: Dropout = None,
    no_batch_norm: NoBatchNorm = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    bfloat16: Bfloat16 = False,
    out: OutOfNetwork = None,
) -> None:
    """Train a network to name what is in a picture, and to box it.

    Pictures that are nearly the same stay on one side of the split, which is written to
    train.csv, val.csv and test.csv. Writes best.pt (highest accuracy on val, among
    equals lowest loss), history.csv, curves.png, and last.pt, from which the same
    command goes on after an interruption. Prints what `eval` prints of val.

    \b
    Example: wslib caltech train --network deeper --epochs 50 --augmentation crop
    """
    from wslib.practical import kept_training

    if dataset != "rendered":
        options.refuse_idle(context, f"on --dataset {dataset}", "count")
    kept_training.check_training(box_loss, box_weight, augmentation, frozen, share)
    switches = (frozen, not no_pretrained, not no_batch_norm, dropout)
    built = kept_training.choose_options(*switches) | {"input_size": input_size}
    settings = {"dataset": dataset, "split": kept_training.parse_shares(split)}
    settings |= {"share": share} | ({"count": count} if dataset == "rendered" else {})
    training = {"epochs": epochs, "learning_rate": learning_rate}
    training |= {"batch_size": batch_size, "augmentation": augmentation}
    training |= {"box_loss": box_loss, "box_weight": box_weight}
    how = (built, {**settings, "seed": seed}, training, device, bfloat16)
    _train(network, *how, out or BUILD / network)


def _train(
    network: str,
    built: dict,
    settings: dict,
    training: dict,
    device: str,
    bfloat16: bool,
    out: Path,
) -> None:
    """Train a network, draw its history, and print what it is worth on val."""
    from wslib.data.datasets import open_caltech
    from wslib.models.two_heads import build_detector
    from wslib.practical.evaluation import PARTS, measure_set
    from wslib.practical.kept_training import train_kept
    from wslib.runtime.device import pick_device
    from wslib.show.pictures import draw_history

    build = partial(build_detector, network, settings["seed"], **built)
    build()  # refuses what the network has not, before pictures are read
    place = pick_device(device)
    with resumable():
        drawn = {"count": settings["count"]} if "count" in settings else {}
        pictures = open_caltech(settings["dataset"], **drawn)
        print_notes(pictures.notes)
        model = build(num_classes=len(pictures.classes)).to(place)
        model.bfloat16 = bfloat16
        check_out(out / "best.pt")
        history, sets, val = train_kept(model, pictures, out, settings, **training)
    save_figure(draw_history(history, PANELS), out / "curves.png")
    if len(history) < training["epochs"]:  # `fit` has said so
        raise typer.Exit(INTERRUPTED)
    print(_describe(out / "best.pt", network, history, len(sets["train"])))
    _print_sets([measure_set(model, sets["val"], PARTS["val"], val)])


def _describe(path: Path, network: str, history, pictures: int) -> str:
    """Say where a network is, of which epoch, and how many pictures it learnt from."""
    from wslib.practical.detector_training import BEST
    from wslib.training.runs import best_epoch

    best = f"epoch {best_epoch(history, BEST)} of {len(history)}"
    return f"{path}: {network}, {best}, learnt from {pictures} pictures"


@app.command("eval")
def evaluate_network(
    model: Model,
    data: Sets = None,
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
        for name, pictures in open_sets(model, data or [], about["classes"]).items()
    ]
    if as_json:
        head = {"model": str(model), "network": about["network"], "mirrored": mirrored}
        return print_json({**head, "sets": [each.record for each in measured]})
    _print_sets(measured, mirrored)


@app.command("predict")
def predict_pictures(
    model: Model,
    paths: Paths,
    only_failures: OnlyFailures = False,
    sheet: Sheet = False,
    mirrored: Mirrored = False,
    device: options.Device = "auto",
    out: OutOfPredictions = None,
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
    from wslib.practical import predictions
    from wslib.practical.evaluation import open_detector

    out = out or BUILD / ("failures" if only_failures else "predictions")
    detector, about = open_detector(model, device)
    targets = predictions.gather_targets(paths, out, about["classes"])
    knows = f"it knows {', '.join(about['classes'])}, and takes all for one of them"
    print_notes([f"{model}: {knows}", *targets.notes])
    if only_failures:
        predictions.check_known(targets)
    predicted = predictions.predict_all(detector, targets, mirrored, about)
    shown, unread = _draw_each(predicted, targets.files, out, only_failures)
    predictions.write_csv(out / "predictions.csv", shown)
    if sheet and shown:
        _save_sheet(shown, out / "sheet.png")
    if as_json:
        print_json([one.row for one in shown])
    else:
        count = len(targets.files)
        of = f"failures in {count - len(unread)}" if only_failures else f"of {count}"
        text = f"{len(shown)} {of} pictures: {out / 'predictions.csv'}"
        print(*shown, text, sep="\n")
    print_notes(unread)  # here, where the progress bar is gone
    fail_if(unread)


# ----------------------------------------------------------------------------- results


def _plan_copies(files: list[Path], out: Path) -> dict[Path, Path]:
    """Name the copy of each file; make their folders."""
    from wslib.data.image_files import plan_copies

    copies = plan_copies(files, out, taken="sheet")
    for folder in {out, *(copy.parent for copy in copies.values())}:
        check_out(folder / "predictions.csv")
    return copies


def _print_sets(measured: list, mirrored: bool = False) -> None:
    """Print the measures of each set as the practical's eval.py does."""
    print(*measured, sep="\n")
    text = "95 % intervals in brackets: of shares Wilson's, of the mean by bootstrap"
    print(text + ("; mean of picture and mirror image" if mirrored else ""))


def _draw_each(
    predicted: Iterable[tuple], files: list[Path], out: Path, only_failures: bool
) -> tuple[list, list[str]]:
    """Write a copy of each picture with its boxes and its caption; return what was
    drawn, without the pictures, and a line for each file that cannot be read."""
    from wslib.show.pictures import draw_prediction

    copies = _plan_copies(files, out)
    shown, unread = [], []
    for some, complaints in predicted:
        unread += complaints
        for one in some:
            if not (only_failures and one.good):
                drawn = (one.image, ", ".join(one.captions), one.drawn_boxes)
                save_figure(draw_prediction(*drawn), copies[one.path])
                shown.append(replace(one, image=None))
    return shown, unread


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
