"""`wslib voc`: a dog detector from image labels, step by step.

Here is what can be typed. Networks are opened in `voc_networks`, trained in
`voc_training`; what is printed and drawn stands in `voc_reports`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import names, options
from wslib.cli.contents import Contents
from wslib.cli.interrupted import goes_on
from wslib.cli.options import IOUS

BUILD = Path("build/voc")
COUNTS = [10, 30, 100, 300, 1000]
PROPOSAL_IOUS = [0.5, 0.7]

app = typer.Typer(cls=Contents)


@app.callback()
def group() -> None:
    """Boxes from image labels on VOC2007, step by step."""
    warnings.formatwarning = lambda message, *_: f"wslib: {message}\n"


@app.command("train")
def train_detector(
    dataset: options.Dataset = "voc2007",
    rendered: options.Rendered = "",
    split: options.Split = "trainval",
    limit: options.Limit = 0,
    backbone: Annotated[str, options.one_of(names.BACKBONES)] = "efficientnet_lite0",
    size: Annotated[int, typer.Option(help="Side of the input in pixels")] = 448,
    epochs: Annotated[
        int, typer.Option(min=0, help="Of fine-tuning; 0 trains the heads only")
    ] = 0,
    validate: Annotated[
        str | None,
        options.one_of(names.SPLITS, help="Split whose mAP chooses the best epoch"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results")] = BUILD,
    batch_size: options.BatchSize = 8,
    seed: Annotated[int, typer.Option(help="For all random numbers")] = 0,
    device: options.Device = "auto",
) -> None:
    """Train a detector on image labels.

    Boxes choose only a threshold for each class. Writes detector.pt. Fine-tuning also
    writes best.pt, history.csv, curves.png and last.pt, from which the same command
    goes on after an interruption.

    \b
    Example: wslib voc train --split train --validate val --epochs 5
    """
    from wslib.cli.voc_training import Training

    options.check_out(out / "detector.pt")
    where = (dataset, rendered, split, limit, validate)
    training = Training(*where, backbone, size, epochs, seed, batch_size, device, out)
    with goes_on():
        training.run()


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
    """Measure the classification of images: AP of each class, mAP.

    \b
    Example: wslib voc eval --detector build/voc/detector.pt --split val

    JSON: dataset, split, images, mAP, AP {class: percent}
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
    """Measure what guessing the place achieves, with a central box.

    It has 30 % of the image. A: a box in every image, score 1. B: only in images with
    an object. C, with --detector or --checkpoint: as A, the score is the probability of
    the class.

    \b
    Example: wslib voc baselines --split test --limit 500

    JSON: class, dataset, split, images, objects, protocol,
    baselines [{detector, AP IOU, recall IOU}]
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


@app.command("proposals")
def propose_boxes(
    dataset: options.Dataset = "voc2007",
    rendered: options.Rendered = "",
    split: options.Split = "val",
    limit: options.Limit = 500,
    longest: Annotated[
        int, typer.Option(min=1, help="Longer side of the searched image in pixels")
    ] = 200,
    file: Annotated[
        Path | None,
        typer.Option("--from", help="Saved ones: the course's .mat, or our .json"),
    ] = None,
    count: Annotated[
        list[int],
        typer.Option(min=1, help="Boxes of an image that count; may be repeated"),
    ] = COUNTS,
    iou: Annotated[
        list[float],
        typer.Option(help="IoU at which a box reaches an object; may be repeated"),
    ] = PROPOSAL_IOUS,
    out: Annotated[Path | None, typer.Option(help="JSON file to save them in")] = None,
    digits: options.Digits = 1,
    as_json: options.Json = False,
) -> None:
    """Find boxes that may hold any object; measure what they reach.

    Selective search; what is found in an image is kept. A row for each --count: recall
    at each --iou, over the objects of all classes. Saved boxes are x1, y1, x2, y2,
    counted from 0, the last pixel excluded, with their scores.

    \b
    Example: wslib voc proposals --split val --out build/voc/proposals.json

    JSON: dataset, split, images, objects, longest or proposals, protocol,
    recall [{count, recall IOU, AR, boxes}]
    """
    from wslib.cli.voc_proposals import report_proposals
    from wslib.data.proposal_files import check_name

    if out:
        check_name(out)
        options.check_out(out)
    where = (dataset, rendered, split, limit)
    report_proposals(where, file, longest, count, iou, out, digits, as_json)


@app.command("detect")
def detect_boxes(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Files, instead of a data set's split")
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
        float | None,
        typer.Option(help="Share of a map's maximum [default: the detector's own]"),
    ] = None,
    kind: Annotated[
        str | None,
        options.one_of(names.MAPS, help="Kind of map: combined, posterior or gradcam"),
    ] = None,
    max_boxes: Annotated[int, typer.Option(min=1, help="Most boxes in an image")] = 3,
    area_power: Annotated[
        float, typer.Option(help="Above 0: larger boxes score higher")
    ] = 0.2,
    second: Annotated[
        float, typer.Option(help="Weight of boxes at half and twice the threshold")
    ] = 0.1,
    masks: Annotated[
        bool, typer.Option("--masks", help="Refine each map by GrabCut (slow)")
    ] = False,
    size: options.Size = None,
    batch_size: options.BatchSize = 8,
    device: options.Device = "auto",
    out: Annotated[Path | None, typer.Option(help="File to save them in")] = None,
    as_json: options.Json = False,
) -> None:
    """Find the boxes of a class in images; print or save them.

    A line for each box: image, x1, y1, x2, y2, score. Corners are VOC's: counted from
    1, the last pixel included.

    \b
    Example: wslib voc detect --detector build/voc/detector.pt --out dogs.json

    JSON: format, class, dataset, split, model, recipe,
    boxes {image: [[x1, y1, x2, y2, score]]}
    """
    from wslib.cli.voc_networks import Look, Scene, check_class, find, open_network
    from wslib.cli.voc_reports import report_boxes

    check_class(class_name)
    if out:
        options.check_out(out)
    of_split = (dataset, rendered, split, limit)
    scene = Scene.of_files(images) if images else Scene.of_split(*of_split)
    network = open_network(detector, checkpoint, class_names, device)
    boxes = {"max_boxes": max_boxes, "area_power": area_power, "masks": masks}
    boxes["second"] = 0.0 if masks else second
    recipe = network.recipe(class_name, kind, threshold, **boxes)
    look = Look(size or network.size, batch_size)
    report_boxes(find(network, scene, class_name, recipe, look), out, as_json)


@app.command("score")
def score_boxes(
    file: options.DetectionsFile,
    iou: options.Ious = IOUS,
    protocol: options.Protocol = "course",
    min_score: Annotated[
        float | None, typer.Option(help="Leave boxes with a lower score out")
    ] = None,
    bootstrap: Annotated[
        int, typer.Option(min=1, help="Bootstrap samples for the intervals")
    ] = 1000,
    digits: options.Digits = 1,
    as_json: options.Json = False,
) -> None:
    """Measure saved boxes: AP, recall, CorLoc, kinds of error.

    Needs the annotations, but neither the network nor the images. Brackets hold 95 %
    intervals. The errors are those at the last --iou.

    \b
    Example: wslib voc score dogs.json --iou 0.3 --iou 0.5 --protocol voc07

    JSON: class, dataset, split, images, objects, boxes, model, recipe, protocol,
    measures [{metric, iou, value, low, high}], errors {iou, kinds [...]}
    """
    from wslib.boxes.detections import load_detections
    from wslib.cli.voc_reports import report_score

    detections = load_detections(file)
    if min_score is not None:
        detections = detections.above(min_score)
    report_score(file, detections, iou, protocol, bootstrap, digits, as_json)


@app.command("show")
def show_boxes(
    file: options.DetectionsFile,
    n: Annotated[int, typer.Option("--n", min=1, help="How many random images")] = 10,
    seed: Annotated[int, typer.Option(help="Another one draws other images")] = 0,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", help="Draw this one (its id); may be repeated"),
    ] = None,
    min_score: Annotated[
        float, typer.Option(help="Leave boxes with a lower score out")
    ] = 0.1,
    detector: options.DetectorFile = None,
    checkpoint: options.CheckpointFile = None,
    class_names: options.ClassNames = None,
    device: options.Device = "auto",
    out: Annotated[Path, typer.Option(help="PNG to write")] = BUILD / "show.png",
) -> None:
    """Draw images with true boxes (dashed) and found ones (solid).

    Found boxes are orange where they are right (IoU above 0.5), else vermilion. With
    the network that found them, the maps are drawn too.

    \b
    Example: wslib voc show dogs.json --n 10 --seed 1 --out dogs.png
    """
    from wslib.boxes.detections import load_detections
    from wslib.cli.voc_networks import open_network
    from wslib.cli.voc_pictures import choose, show

    options.check_out(out)
    detections, network = load_detections(file), None
    ids = choose(file, detections, n, seed, image or [])
    if detector or checkpoint:
        network = open_network(detector, checkpoint, class_names, device)
    show(file, detections.above(min_score), ids, network, out)
    print(out)
