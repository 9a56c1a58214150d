"""`wslib voc detect`, `score` and `show`: the boxes of a class, in a file and drawn."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import typer

from wslib.cli import options
from wslib.cli.choices import names_in, settings_in
from wslib.cli.console import (
    check_out,
    fail_if,
    print_about,
    print_json,
    read_each,
    save_figure,
)
from wslib.cli.options import argument, one_of, option
from wslib.cli.voc import BUILD, IOUS

RECIPE = settings_in("boxes.recipe", "DEFAULT_RECIPE")

Images = argument(
    list[Path] | None, "Files, or folders: the images in them; else a split"
)
Threshold = option(
    float | None, "Share of a map's maximum [default: the detector's own]"
)
Kind = one_of(
    names_in("boxes.evidence", "KINDS")[::-1], help="Kind of map: {}", kind=str | None
)
MaxBoxes = option(
    int | None,
    "Most boxes in an image [default: "
    f"{RECIPE['max_boxes']} of each map and threshold]",
    min=1,
)
AreaPower = option(float, "Above 0: larger boxes score higher")
Second = option(float, "Weight of boxes at half and twice the threshold, 0 to 1")
Masks = option(bool, "Refine each map by GrabCut (slow)", "--masks")
Out = option(Path | None, "File to save them in: NAME.json")
Thresholds = option(
    list[float] | None, "Draw anew around the saved maps; may be repeated"
)
LeastScore = option(float | None, "Leave boxes with a lower score out")
ShownScore = option(float, "Leave boxes with a lower score out")
Bootstrap = option(int, "Bootstrap samples for the intervals", min=1, max=100_000)
Number = option(int, "How many random images", "--n", min=1, max=200)
OtherImages = option(int, "Another one draws other images", min=0, max=2**32 - 1)
Named = option(list[str] | None, "Draw this one (its id); may be repeated", "--image")
Png = option(Path, "PNG to write")


def detect_boxes(
    context: typer.Context,
    images: Images = None,
    detector: options.DetectorFile = None,
    checkpoint: options.CheckpointFile = None,
    class_names: options.ClassNames = None,
    dataset: options.Dataset = "voc2007",
    rendered: options.Rendered = "",
    split: options.Split = "val",
    limit: options.Limit = 500,
    class_name: options.ClassName = "dog",
    threshold: Threshold = None,
    kind: Kind = None,
    max_boxes: MaxBoxes = None,
    area_power: AreaPower = RECIPE["area_power"],
    second: Second = RECIPE["second"],
    masks: Masks = False,
    size: options.Size = None,
    batch_size: options.BatchSize = 8,
    device: options.Device = "auto",
    out: Out = None,
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
    if images:
        split_options = ("dataset", "rendered", "split", "limit")
        options.refuse_idle(context, "on images that are named", *split_options)
    if masks:
        options.refuse_idle(context, "with --masks", "second")
    check_out(out, ".json")
    images, unread = _open_set(images, dataset, rendered, split, limit)
    network = options.open_network(detector, checkpoint, class_names, device)
    boxes = {"max_boxes": max_boxes or RECIPE["max_boxes"], "area_power": area_power}
    boxes |= {"masks": masks, "second": 0.0 if masks else second}
    recipe = network.make_recipe(class_name, kind, threshold, **boxes)
    _note_threshold(checkpoint, threshold, recipe)
    found = network.detect(images, class_name, recipe, size, batch_size)
    _hand_out(found.first(max_boxes) if max_boxes else found, out, as_json)
    fail_if(unread)


def _open_set(images: list[Path] | None, *split) -> tuple:
    """Open images that can be read, else a split; also return a line for each image
    that cannot. All of them bad is an end."""
    from wslib.data.image_files import find_images
    from wslib.data.image_sets import ImageSet
    from wslib.runtime.progress import progress

    if not images:
        return options.open_split(*split), []
    unread: list[str] = []
    files = find_images(images)
    read = read_each(progress(files, "reading", len(files)), unread)
    good = [path for path, _ in read]
    fail_if(not good)
    return ImageSet.from_files(good), unread


def _note_threshold(checkpoint: Path | None, threshold: float | None, recipe) -> None:
    """Say which threshold a plain classifier takes where none is given."""
    if checkpoint and threshold is None:
        text = f"threshold {recipe.threshold}, as none was given with --threshold"
        print(f"{checkpoint}: {text}", file=sys.stderr)


def _hand_out(detections, out: Path | None, as_json: bool) -> None:
    """Save and print the boxes that were found."""
    from wslib.boxes import detections as files
    from wslib.boxes.scoring import count_boxes

    if out:
        files.save_detections(out, detections)
    if as_json:
        print(files.as_json(detections), end="")
    elif out:
        count = f"{count_boxes(detections.boxes)} {detections.class_name} boxes"
        print(f"{count} in {len(detections.boxes)} images, saved in {out}")
    else:
        for image_id, rows in detections.boxes.items():
            for *box, score in rows.tolist():
                print(image_id, *(f"{corner:g}" for corner in box), f"{score:.4g}")


def score_boxes(
    context: typer.Context,
    file: options.DetectionsFile,
    iou: options.Ious = IOUS,
    protocol: options.Protocol = "course",
    threshold: Thresholds = None,
    min_score: LeastScore = None,
    bootstrap: Bootstrap = 1000,
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

    if threshold:
        options.refuse_idle(context, "with --threshold", "bootstrap")
    detections = load_detections(file)
    images, truth = scoring.open_truth(file, detections)
    about = {"class": detections.class_name, "dataset": detections.dataset}
    about |= {"split": detections.split, "images": len(truth)}
    about |= {"objects": scoring.count_boxes(truth)}
    measured = (truth, list(dict.fromkeys(iou)), protocol)
    least = -math.inf if min_score is None else min_score
    if threshold:
        drawn = scoring.detect_again(file, detections, images, threshold)
        boxes = {t: found.above(least).boxes for t, found in drawn.items()}
        frame = scoring.compare_detectors(boxes, *measured)
        _print_thresholds(frame, about, digits, as_json)
    else:
        found = detections.above(least)
        frame = scoring.measure_detections(found.boxes, *measured, bootstrap)
        _print_score(found, frame, measured, about, digits, as_json)


def _print_thresholds(frame, about: dict, digits: int, as_json: bool) -> None:
    """Print a row for each threshold."""
    from wslib.show.tables import number_table

    frame = frame.rename(columns={"detector": "threshold"})
    if as_json:
        return print_json(
            {**about, **frame.attrs, "thresholds": frame.to_dict("records")}
        )
    print_about(about)
    frame["threshold"] = frame["threshold"].map("{:g}".format)
    print(number_table(frame, "voc", digits))


def _print_score(
    found, frame, measured: tuple, about: dict, digits: int, as_json: bool
) -> None:
    """Print the measures of the boxes that were found, and their kinds of error."""
    from wslib.boxes import scoring
    from wslib.metrics.errors import error_budget
    from wslib.show.tables import number_table

    truth, ious, protocol = measured
    budget = error_budget(found.boxes, truth, ious[-1], protocol, min(0.1, ious[-1]))
    about |= {"boxes": scoring.count_boxes(found.boxes)}
    if as_json:
        about |= {"model": found.model, "recipe": found.recipe, **frame.attrs}
        about["measures"] = frame.to_dict("records")
        about["errors"] = {"iou": ious[-1], "kinds": budget.to_dict("records")}
        return print_json(about)
    print_about(about)
    recipe = {k: v for k, v in found.recipe.items() if k != "rendered"}
    print_about({"model": found.model, **recipe}, end="\n\n")
    wide = scoring.arrange_by_iou(frame)
    print(number_table(wide, "voc", digits, scoring.LABELS))
    budget.attrs = {}  # the protocol stands above
    print(f"\nErrors at IoU {ious[-1]:g}, and the points of AP that each kind costs:")
    budget = budget.rename(columns={"ap_lost": "AP lost"})
    print(number_table(budget, "voc", digits))


def show_boxes(
    context: typer.Context,
    file: options.DetectionsFile,
    n: Number = 10,
    seed: OtherImages = 0,
    image: Named = None,
    min_score: ShownScore = 0.1,
    detector: options.DetectorFile = None,
    checkpoint: options.CheckpointFile = None,
    class_names: options.ClassNames = None,
    device: options.Device = "auto",
    out: Png = BUILD / "show.png",
) -> None:
    """Draw images with true boxes (dashed) and found ones (solid).

    Found boxes are orange where they are right (IoU above 0.5), else vermilion. With
    the network that found them, the maps are drawn too.

    \b
    Example: wslib voc show dogs.json --n 10 --seed 1 --out dogs.png
    """
    from wslib.boxes import scoring
    from wslib.boxes.detections import load_detections
    from wslib.models.checkpoints import naming
    from wslib.show.pictures import draw_detections

    if image:
        options.refuse_idle(context, "with --image", "n", "seed")
    check_out(out, ".png")
    detections, heatmaps = load_detections(file), None
    ids = scoring.choose_images(file, detections, n, seed, image or [])
    named = (detector, checkpoint, class_names, device)
    network = options.open_network(*named, needed=False)
    files, truth = scoring.find_files(file, detections, ids)
    unread: list[str] = []
    pixels = dict(read_each(files, unread))
    fail_if(not pixels)
    ids = [files[path] for path in pixels]
    if network:
        with naming(file):
            heatmaps = network.heatmaps(ids, list(pixels), detections)
    rows = detections.above(min_score).boxes
    judged = [scoring.judge_boxes(rows[i], truth.get(i)) for i in ids]
    titles = [_title(i, rows[i]) for i in ids]
    save_figure(draw_detections([*pixels.values()], titles, judged, heatmaps), out)
    print(out)
    fail_if(unread)


def _title(image_id: str, boxes) -> str:
    """Caption an image by its name and the best score of its boxes (N, 5)."""
    best = f": {boxes[:, 4].max():.2f}" if len(boxes) else ": no box"
    return Path(image_id).name + best
