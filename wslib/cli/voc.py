"""`wslib voc`: a dog detector from image labels, step by step."""

from __future__ import annotations

import warnings
from pathlib import Path

import typer

from wslib.cli import options
from wslib.cli.choices import names_in
from wslib.cli.console import (
    INTERRUPTED,
    check_out,
    print_about,
    print_json,
    resumable,
    save_figure,
)
from wslib.cli.contents import Contents
from wslib.cli.options import one_of, option

BUILD = Path("build/voc")
IOUS = [0.3, 0.4, 0.5]
COUNTS = [*names_in("metrics.proposals", "COUNTS")]
PROPOSAL_IOUS = [0.5, 0.7]
CLASSIFICATION = (
    "average precision of each class, not interpolated, percent; images with difficult "
    "objects of the class only are left out"
)
RECALL = (
    "VOC corners; share of the objects with a box of IoU ≥ the number, percent; AR: "
    "its mean over IoU 0.5 to 0.95; difficult objects left out"
)

app = typer.Typer(cls=Contents)

Backbone = one_of(names_in("models.classifiers", "NAMES"))
Size = option(int, "Side of the input in pixels")
Epochs = option(int, "Of fine-tuning; 0 trains the heads only", min=0)
Validate = one_of(
    options.SPLITS, help="Split whose mAP chooses the best epoch", kind=str | None
)
Longest = option(int, "Longer side of the searched image in pixels", min=1)
Saved = option(Path | None, "Saved ones: the course's .mat, or our .json", "--from")
Counts = option(list[int], "Boxes of an image that count; may be repeated", min=1)
ProposalIous = option(
    list[float], "IoU at which a box reaches an object; may be repeated"
)
ProposalsOut = option(Path | None, "JSON file to save them in")


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
    backbone: Backbone = "efficientnet_lite0",
    size: Size = 448,
    epochs: Epochs = 0,
    validate: Validate = None,
    out: options.OutFolder = BUILD,
    batch_size: options.BatchSize = 8,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Train a detector on image labels.

    Boxes choose only a threshold for each class. Writes detector.pt. Fine-tuning also
    writes best.pt, history.csv, curves.png and last.pt, from which the same command
    goes on after an interruption.

    \b
    Example: wslib voc train --split train --validate val --epochs 5
    """
    from wslib.boxes import training
    from wslib.boxes.explainer import check_size

    path = out / "detector.pt"
    check_size(size)
    trained = {"dataset": dataset, "rendered": rendered, "split": split, "limit": limit}
    trained |= {"backbone": backbone, "size": size, "epochs": epochs, "seed": seed}
    trained |= {"validate": validate or ""} if epochs else {}
    if training.is_trained(path, trained):
        print(f"{path}: trained already; remove it to train again")
        return
    images = options.open_split(dataset, rendered, split, limit)
    held = options.open_split(dataset, rendered, validate) if validate else None
    _train(path, images, held, trained, batch_size, device)


def _train(path: Path, images, held, trained: dict, batch_size: int, device: str):
    """Train a detector, draw its history, and print what it is worth on `held`."""
    from wslib.boxes import training
    from wslib.boxes.networks import classify_set
    from wslib.data.image_sets import check_apart
    from wslib.show.pictures import draw_history

    if held:
        check_apart(images, held)
    check_out(path)
    with resumable():
        how = (held, trained, batch_size, device)
        history = training.train_detector(path, images, *how)
    if history is not None:
        panels = {"loss": {"train": "loss"}}
        panels |= {"mAP (%)": {"val": "mAP"}} if held else {}
        save_figure(draw_history(history, panels), path.with_name("curves.png"))
    if not path.exists():
        raise typer.Exit(INTERRUPTED)
    print(f"{path}: learnt from {len(images)} images of {images.split}")
    if held:
        network = options.open_network(path, None, None, device)
        mean, _ = classify_set(network, held, trained["size"], batch_size)
        print(f"mAP {mean:.1f} % on {len(held)} images of {held.split}")


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
    from wslib.boxes.networks import classify_set
    from wslib.show.tables import number_table

    images = options.open_split(dataset, rendered, split, limit)
    network = options.open_network(detector, checkpoint, class_names, device)
    mean, frame = classify_set(network, images, size, batch_size)
    about = {"dataset": dataset, "split": split, "images": len(images)}
    if as_json:
        classes = dict(zip(frame["class"], frame["AP"], strict=True))
        return print_json({**about, "mAP": mean, "AP": classes})
    frame.attrs["protocol"] = CLASSIFICATION
    print_about(about)
    frame = frame.sort_values("AP", ascending=False).reset_index(drop=True)
    print(number_table(frame, "voc", digits))
    print(f"mAP {mean:.{digits}f} % over {len(frame)} classes")


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
    from wslib.boxes import scoring
    from wslib.show.tables import number_table

    images = options.open_split(dataset, rendered, split, limit, present=False)
    truth, probabilities = images.ground_truth(class_name), None
    named = (detector, checkpoint, class_names, device)
    if network := options.open_network(*named, needed=False):
        probabilities = network.probabilities(images.paths, [class_name])[:, 0]
    baselines = scoring.centre_detections(images, truth, probabilities)
    ious = list(dict.fromkeys(iou))
    frame = scoring.compare_detectors(baselines, truth, ious, protocol)
    about = {"class": class_name, "dataset": dataset, "split": split}
    about |= {"images": len(truth), "objects": scoring.count_boxes(truth)}
    if as_json:
        rows = frame.to_dict("records")
        return print_json({**about, **frame.attrs, "baselines": rows})
    print_about(about)
    print(number_table(frame, "voc", digits))


@app.command("proposals")
def propose_boxes(
    context: typer.Context,
    dataset: options.Dataset = "voc2007",
    rendered: options.Rendered = "",
    split: options.Split = "val",
    limit: options.Limit = 500,
    longest: Longest = 200,
    file: Saved = None,
    count: Counts = COUNTS,
    iou: ProposalIous = PROPOSAL_IOUS,
    out: ProposalsOut = None,
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
    from wslib.data.proposal_files import check_name, write_proposals
    from wslib.metrics.proposals import measure_recall
    from wslib.weak.proposals import find_proposals, reached

    if file:
        options.refuse_idle(context, "with --from", "longest")
    if out:
        check_name(out)
    check_out(out)
    measure_recall({}, {}, count, iou)  # checks them before anything is searched
    images = options.open_split(dataset, rendered, split, limit, present=not file)
    with resumable():
        proposals = find_proposals(file, images.ids, images.paths, longest)
    if out:
        write_proposals(out, proposals)
    truth = images.objects()
    about = {"dataset": dataset, "split": split, "images": len(images)}
    about["objects"] = sum(int((boxes[:, 4] == 0).sum()) for boxes in truth.values())
    about |= {"proposals": str(file)} if file else {"longest": longest}
    frame = reached(proposals, truth, count, iou)
    _print_recall(frame, about, digits, out, as_json)


def _print_recall(frame, about: dict, digits: int, out: Path | None, as_json: bool):
    """Print a row for each count, and where the boxes are saved."""
    from wslib.show.tables import Table

    if as_json:
        rows = frame.to_dict("records")
        return print_json({**about, "protocol": RECALL, "recall": rows})
    frame.attrs["protocol"] = RECALL
    formats = {label: f".{digits}f" for label in frame.columns[1:]}
    print_about(about)
    print(Table(frame, "voc", formats, save=False))
    if out:
        print(f"saved in {out}")
