"""`wslib voc detect`, `score` and `show`: the boxes of a class, in a file and drawn."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import options
from wslib.cli.choices import names_in, settings_in
from wslib.cli.console import (
    check_out,
    print_about,
    print_json,
    save_figure,
    sparing,
)
from wslib.cli.voc import BUILD, IOUS

RECIPE = settings_in("boxes.recipe", "DEFAULT_RECIPE")


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
        options.one_of(
            names_in("boxes.evidence", "KINDS")[::-1], help="Kind of map: {}"
        ),
    ] = None,
    max_boxes: Annotated[int, typer.Option(min=1, help="Most boxes in an image")] = (
        RECIPE["max_boxes"]
    ),
    area_power: Annotated[
        float, typer.Option(help="Above 0: larger boxes score higher")
    ] = RECIPE["area_power"],
    second: Annotated[
        float,
        typer.Option(help="Weight of boxes at half and twice the threshold, 0 to 1"),
    ] = RECIPE["second"],
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
    1, the last pixel included. Beside the boxes in --out NAME.json, their maps are
    saved in NAME.maps.npz, for `wslib voc score --threshold`.

    \b
    Example: wslib voc detect --detector build/voc/detector.pt --out dogs.json

    JSON: format, class, dataset, split, model, recipe,
    boxes {image: [[x1, y1, x2, y2, score]]}
    """
    from wslib.boxes.detections import as_json as format_json
    from wslib.boxes.detections import save_detections
    from wslib.boxes.networks import open_network
    from wslib.boxes.scoring import count_boxes
    from wslib.data.image_sets import ImageSet
    from wslib.data.voc import check_class

    check_class(class_name)
    if out:
        check_out(out)
    counts, unread = options.parse_counts(rendered), []
    image_set = (
        ImageSet.from_files(_readable(ImageSet.from_files(images).paths, unread))
        if images
        else ImageSet.from_split(dataset, split, limit, counts)
    )
    network = open_network(detector, checkpoint, class_names, device)
    boxes = {"max_boxes": max_boxes, "area_power": area_power, "masks": masks}
    boxes["second"] = 0.0 if masks else second
    recipe = network.make_recipe(class_name, kind, threshold, **boxes)
    if checkpoint and threshold is None:
        text = f"threshold {recipe.threshold}, as none was given with --threshold"
        print(f"{checkpoint}: {text}", file=sys.stderr)
    detections = network.detect(image_set, class_name, recipe, size, batch_size)
    count = f"{count_boxes(detections.boxes)} {class_name} boxes"
    if out:
        save_detections(out, detections)
    if as_json:
        print(format_json(detections), end="")
    elif out:
        print(f"{count} in {len(image_set)} images, saved in {out}")
    else:
        for image_id, rows in detections.boxes.items():
            for *box, score in rows.tolist():
                print(image_id, *(f"{corner:g}" for corner in box), f"{score:.4g}")
    if unread:
        raise typer.Exit(1)


def _readable(images: list[Path], unread: list[str]) -> list[Path]:
    """Those of the images that can be read; all of them bad is an end."""
    from wslib.data.images import read_image

    good = []
    for path in images:
        with sparing(path, unread):
            read_image(path)
            good.append(path)
    if not good:
        raise typer.Exit(1)
    return good


def score_boxes(
    file: options.DetectionsFile,
    iou: options.Ious = IOUS,
    protocol: options.Protocol = "course",
    threshold: Annotated[
        list[float] | None,
        typer.Option(help="Draw anew around the saved maps; may be repeated"),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Leave boxes with a lower score out")
    ] = None,
    bootstrap: Annotated[
        int,
        typer.Option(min=1, max=100_000, help="Bootstrap samples for the intervals"),
    ] = 1000,
    digits: options.Digits = 1,
    as_json: options.Json = False,
) -> None:
    """Measure saved boxes: AP, recall, CorLoc, kinds of error.

    Needs the annotations, but neither the network nor the images. Brackets hold 95 %
    intervals. The errors are those at the last --iou. With --threshold, a row of AP and
    recall for each threshold of the maps that `wslib voc detect` left beside the file.

    \b
    Example: wslib voc score dogs.json --iou 0.3 --iou 0.5 --protocol voc07
    Example: wslib voc score dogs.json --threshold 0.1 --threshold 0.3

    JSON: class, dataset, split, images, objects, boxes, model, recipe, protocol,
    measures [{metric, iou, value, low, high}], errors {iou, kinds [...]}; or thresholds
    [{threshold, AP IOU, recall IOU}]
    """
    from wslib.boxes import scoring
    from wslib.boxes.detections import load_detections
    from wslib.metrics.errors import error_budget
    from wslib.show.tables import number_table

    detections = load_detections(file)
    images, ious = scoring.open_images(file, detections), list(dict.fromkeys(iou))
    truth = images.ground_truth(detections.class_name)
    if not scoring.count_boxes(truth):
        text = f"no {detections.class_name} in its {len(truth)} images"
        raise ValueError(f"{file}: {text}")
    about = {"class": detections.class_name, "dataset": detections.dataset}
    about |= {"split": detections.split, "images": len(truth)}
    about |= {"objects": scoring.count_boxes(truth)}
    least = -math.inf if min_score is None else min_score
    if threshold:
        drawn = scoring.detect_again(file, detections, images, threshold)
        boxes = {t: of.above(least).boxes for t, of in drawn.items()}
        frame = scoring.compare_detectors(boxes, truth, ious, protocol)
        frame = frame.rename(columns={"detector": "threshold"})
        if as_json:
            rows = frame.to_dict("records")
            return print_json({**about, **frame.attrs, "thresholds": rows})
        print_about(about)
        frame["threshold"] = frame["threshold"].map("{:g}".format)
        return print(number_table(frame, "voc", digits))
    boxes = detections.above(least).boxes
    frame = scoring.measure_detections(boxes, truth, ious, protocol, bootstrap)
    budget = error_budget(boxes, truth, ious[-1], protocol, min(0.1, ious[-1]))
    about |= {"boxes": scoring.count_boxes(boxes)}
    if as_json:
        about |= {"model": detections.model, "recipe": detections.recipe, **frame.attrs}
        about["measures"] = frame.to_dict("records")
        about["errors"] = {"iou": ious[-1], "kinds": budget.to_dict("records")}
        return print_json(about)
    print_about(about)
    recipe = {k: v for k, v in detections.recipe.items() if k != "rendered"}
    print_about({"model": detections.model, **recipe}, end="\n\n")
    wide = scoring.arrange_by_iou(frame)
    print(number_table(wide, "voc", digits, scoring.LABELS))
    budget.attrs = {}  # the protocol stands above
    print(f"\nErrors at IoU {ious[-1]:g}, and the points of AP that each kind costs:")
    budget = budget.rename(columns={"ap_lost": "AP lost"})
    print(number_table(budget, "voc", digits))


def show_boxes(
    file: options.DetectionsFile,
    n: Annotated[
        int, typer.Option("--n", min=1, max=200, help="How many random images")
    ] = 10,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="Another one draws other images"),
    ] = 0,
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
    from wslib.boxes import scoring
    from wslib.boxes.detections import load_detections
    from wslib.boxes.networks import open_network
    from wslib.data.images import read_image
    from wslib.models.checkpoints import naming
    from wslib.show.pictures import draw_detections

    check_out(out)
    detections, heatmaps, truth = load_detections(file), None, {}
    ids = scoring.choose_images(file, detections, n, seed, image or [])
    network = None
    if detector or checkpoint:
        network = open_network(detector, checkpoint, class_names, device)
    if detections.dataset == "files":
        paths = [Path(image_id) for image_id in ids]
    else:
        images = scoring.open_images(file, detections)
        truth = images.ground_truth(detections.class_name)
        paths = [images.voc.image_path(image_id) for image_id in ids]
    read, unread = {}, []
    for image_id, path in zip(ids, paths, strict=True):
        with sparing(path, unread):
            read[image_id] = path, read_image(path)
    if not read:
        raise typer.Exit(1)
    ids, (paths, pixels) = list(read), zip(*read.values(), strict=True)
    if network:
        with naming(file):
            heatmaps = network.heatmaps(ids, paths, detections)
    shown = detections.above(min_score)
    rows = [shown.boxes[image_id] for image_id in ids]
    judged = [
        scoring.judge_boxes(boxes, truth.get(image_id))
        for image_id, boxes in zip(ids, rows, strict=True)
    ]
    titles = [_title(i, boxes) for i, boxes in zip(ids, rows, strict=True)]
    save_figure(draw_detections(pixels, titles, judged, heatmaps), out)
    print(out)
    if unread:
        raise typer.Exit(1)


def _title(image_id: str, boxes) -> str:
    """Caption an image by its name and the best score of its boxes (N, 5)."""
    best = f": {boxes[:, 4].max():.2f}" if len(boxes) else ": no box"
    return Path(image_id).name + best
