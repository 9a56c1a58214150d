"""`wslib voc`: a dog detector from image labels, step by step.

Here is what can be typed. Networks are opened in `voc_networks`, trained in
`voc_training`; what is printed and drawn stands in `voc_reports`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import options
from wslib.cli.options import IOUS

app = typer.Typer(
    no_args_is_help=True, help="From image labels to boxes on VOC2007, step by step."
)


@app.callback()
def group() -> None:
    """From image labels to boxes on VOC2007, step by step."""
    warnings.formatwarning = lambda message, *_: f"wslib: {message}\n"


@app.command("train")
def train_detector(
    dataset: options.Dataset = "voc2007",
    rendered: options.Rendered = "",
    split: options.Split = "trainval",
    limit: options.Limit = 0,
    backbone: Annotated[
        str, typer.Option(help="efficientnet_lite0, resnet18 or resnet50")
    ] = "efficientnet_lite0",
    size: Annotated[int, typer.Option(help="Pixels; images become squares")] = 448,
    epochs: Annotated[int, typer.Option(min=0, help="0: only the heads learn")] = 0,
    validate: Annotated[
        str | None, typer.Option(help="Split for the mAP; the best epoch is kept")
    ] = None,
    out: Annotated[Path, typer.Option(help="A folder")] = Path("build/voc"),
    batch_size: options.BatchSize = 8,
    seed: Annotated[int, typer.Option(help="Of all random numbers")] = 0,
    device: options.Device = "auto",
) -> None:
    """Learn a detector from image labels; boxes choose one threshold for each class.

    The folder gets detector.pt. With --epochs it also gets last.pt, from which the same
    command goes on after an interruption, best.pt, history.csv and curves.png.

    Example: wslib voc train --split train --validate val --epochs 5 --out build/voc
    """
    from wslib.cli.voc_training import Training

    where = (dataset, rendered, split, limit, validate)
    training = Training(*where, backbone, size, epochs, seed, batch_size, device, out)
    try:
        training.run()
    except KeyboardInterrupt:  # else typer would say no more than "Aborted."
        raise RuntimeError("interrupted; the same command goes on") from None


@app.command("eval")
def evaluate_classes(
    detector: options.DetectorFile = None,
    checkpoint: options.CheckpointFile = None,
    class_names: options.ClassNames = None,
    dataset: options.Dataset = "voc2007",
    rendered: options.Rendered = "",
    split: options.Split = "val",
    limit: options.Limit = 0,
    size: options.Size = None,
    batch_size: options.BatchSize = 8,
    device: options.Device = "auto",
    digits: options.Digits = 1,
    as_json: options.Json = False,
) -> None:
    """Measure how well classes of images are told: average precision, and its mean.

    Example: wslib voc eval --detector build/voc/detector.pt --split val
    """
    from wslib.cli.voc_networks import Look, open_network, open_voc
    from wslib.cli.voc_reports import report_classes

    voc, _ = open_voc(dataset, rendered)
    ids = voc.available(voc.ids(split, limit or None))
    network = open_network(detector, checkpoint, class_names, device)
    paths = [voc.image_path(i) for i in ids]
    told = network.probabilities(paths, Look(size or network.size, batch_size))
    about = {"dataset": dataset, "split": split, "images": len(ids)}
    report_classes(told, voc.labels(ids), about, digits, as_json)


@app.command("baselines")
def measure_baselines(
    dataset: options.Dataset = "voc2007",
    rendered: options.Rendered = "",
    split: options.Split = "test",
    limit: options.Limit = 500,
    class_name: options.ClassName = "dog",
    iou: options.Ious = IOUS,
    protocol: options.Protocol = "course",
    detector: options.DetectorFile = None,
    checkpoint: options.CheckpointFile = None,
    class_names: options.ClassNames = None,
    device: options.Device = "auto",
    digits: options.Digits = 6,
    as_json: options.Json = False,
) -> None:
    """Measure detectors that see no place: one box amid each image, 30 % of its area.

    A: in each image, score 1. B: A, where there is an object. Annotations suffice for
    these. C, with a network and the images: A, scored with the class's probability.

    Example: wslib voc baselines --split test --limit 500
    """
    from wslib.cli.voc_networks import Look, open_network, open_voc
    from wslib.cli.voc_reports import baselines, report_baselines

    voc, _ = open_voc(dataset, rendered)
    truth, scores = voc.ground_truth(voc.ids(split, limit or None), class_name), None
    if detector or checkpoint:
        network = open_network(detector, checkpoint, class_names, device)
        paths = [voc.image_path(i) for i in truth]
        scores = network.scores(paths, class_name, Look(network.size))
    found = baselines(voc, truth, scores)
    about = {"class": class_name, "dataset": dataset, "split": split}
    report_baselines(found, truth, iou, protocol, about, digits, as_json)


@app.command("detect")
def detect_boxes(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Files; else those of --split")
    ] = None,
    detector: options.DetectorFile = None,
    checkpoint: options.CheckpointFile = None,
    class_names: options.ClassNames = None,
    dataset: options.Dataset = "voc2007",
    rendered: options.Rendered = "",
    split: options.Split = "val",
    limit: options.Limit = 500,
    class_name: options.ClassName = "dog",
    threshold: Annotated[
        float | None, typer.Option(help="Of a map's maximum; else the detector's")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Of map: taught, posterior or gradcam")
    ] = None,
    max_boxes: Annotated[int, typer.Option(min=1, help="An image")] = 3,
    area_power: Annotated[float, typer.Option(help="Of the box, in its score")] = 0.2,
    masks: Annotated[bool, typer.Option("--masks", help="Boxes of GrabCut's")] = False,
    size: options.Size = None,
    batch_size: options.BatchSize = 8,
    device: options.Device = "auto",
    out: Annotated[Path | None, typer.Option(help="Save them here, as JSON")] = None,
    as_json: options.Json = False,
) -> None:
    """Look at images once and find the boxes of a class; print them, or save them.

    Printed is a line a box: image, x1, y1, x2, y2, score. Corners are those of VOC:
    counted from 1, the last pixel included.

    Example: wslib voc detect --detector build/voc/detector.pt --out build/voc/dogs.json
    """
    from wslib.cli.voc_networks import Look, Scene, check_class, find, open_network
    from wslib.cli.voc_reports import report_boxes

    check_class(class_name)
    of_split = (dataset, rendered, split, limit)
    scene = Scene.of_files(images) if images else Scene.of_split(*of_split)
    network = open_network(detector, checkpoint, class_names, device)
    boxes = {"max_boxes": max_boxes, "area_power": area_power, "masks": masks}
    recipe = network.recipe(class_name, kind, threshold, **boxes)
    look = Look(size or network.size, batch_size)
    report_boxes(find(network, scene, class_name, recipe, look), out, as_json)


@app.command("score")
def score_boxes(
    file: options.DetectionsFile,
    iou: options.Ious = IOUS,
    protocol: options.Protocol = "course",
    min_score: Annotated[float | None, typer.Option(help="Of boxes that count")] = None,
    bootstrap: Annotated[int, typer.Option(min=1, help="Draws, for intervals")] = 1000,
    digits: options.Digits = 1,
    as_json: options.Json = False,
) -> None:
    """Measure saved boxes: AP and recall, CorLoc, and what each kind of error costs.

    Neither the network nor the images are needed, only the annotations. Brackets hold
    95 % intervals. The errors are those at the last --iou.

    Example: wslib voc score build/voc/dogs.json --iou 0.5 --protocol voc07
    """
    from wslib.cli.voc_reports import report_score
    from wslib.detections import load_detections

    detections = load_detections(file)
    if min_score is not None:
        detections = detections.above(min_score)
    report_score(file, detections, iou, protocol, bootstrap, digits, as_json)


@app.command("show")
def show_boxes(
    file: options.DetectionsFile,
    n: Annotated[int, typer.Option("--n", min=1, help="So many, drawn at random")] = 10,
    seed: Annotated[int, typer.Option(help="Which ones")] = 0,
    image: Annotated[
        list[str] | None, typer.Option("--image", help="Its id; instead of random ones")
    ] = None,
    min_score: Annotated[float, typer.Option(help="Leave lower boxes out")] = 0.1,
    detector: options.DetectorFile = None,
    checkpoint: options.CheckpointFile = None,
    class_names: options.ClassNames = None,
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="A PNG")] = Path("build/voc/show.png"),
) -> None:
    """Draw images with true boxes (dashed) and found ones, and their maps behind them.

    Boxes are orange where they are right (IoU above 0.5), else vermilion. The maps need
    the network that found the boxes, and it looks at no other images.

    Example: wslib voc show build/voc/dogs.json --n 10 --seed 1 --out dogs.png
    """
    from wslib.cli.voc_networks import open_network
    from wslib.cli.voc_pictures import choose, show
    from wslib.detections import load_detections

    detections, network = load_detections(file), None
    ids = choose(file, detections, n, seed, image or [])
    if detector or checkpoint:
        network = open_network(detector, checkpoint, class_names, device)
    show(file, detections.above(min_score), ids, network, out)
    print(out)
