"""`wslib caltech`: what is in a picture and in which box, as in the practical.

Here is what can be typed. Training stands in `caltech_training`; what is measured and
printed in `caltech_reports`, what is drawn in `caltech_pictures`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import names, options
from wslib.cli.contents import Contents
from wslib.cli.interrupted import goes_on

BUILD = Path("build/caltech")

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
    network: Annotated[str, options.one_of(names.NETWORKS)] = "simple",
    dataset: Annotated[
        str,
        options.one_of(
            names.CALTECH,
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
    batch_size: Annotated[int, typer.Option(min=1, help="Images in a batch")] = 32,
    learning_rate: Annotated[
        float, typer.Option(min=1e-8, help="At its start; it falls to 0")
    ] = 1e-3,
    box_loss: Annotated[str, options.one_of(names.BOX_LOSSES)] = "giou",
    box_weight: Annotated[
        float, typer.Option(min=0, help="Of the box loss beside that of the class")
    ] = 1.0,
    augmentation: Annotated[
        str,
        options.one_of(names.AUGMENTATIONS, help="none, mirror or crop (also mirrors)"),
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
    seed: Annotated[int, typer.Option(min=0, help="For all random numbers")] = 0,
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
    from wslib.cli.caltech_training import Training

    switches = {"frozen": True} if frozen else {}
    switches |= {"pretrained": False} if no_pretrained else {}
    switches |= {"batch_norm": False} if no_batch_norm else {}
    switches |= {} if dropout is None else {"dropout": dropout}
    training = Training(
        *(network, switches, dataset, count, split, share),
        *(epochs, input_size, batch_size, learning_rate),
        *(box_loss, box_weight, augmentation, seed, device, bfloat16),
        out or BUILD / network,
    )
    with goes_on():
        training.run()


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
    from wslib.cli.caltech_reports import evaluate

    evaluate(model, data or [], mirrored, device, as_json)


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
    each picture, and predictions.csv with corners in pixels of the file.

    \b
    Example: wslib caltech predict build/caltech/simple/best.pt own/ --sheet

    JSON: [{path, label, probability, x1, y1, x2, y2, true_label, iou}]
    """
    from wslib.cli.caltech_pictures import predict

    folder = out or BUILD / ("failures" if only_failures else "predictions")
    predict(model, paths, only_failures, sheet, mirrored, device, folder, as_json)
