"""`wslib segment` and `wslib cam`: masks and maps of a person's own pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from wslib.cli import options
from wslib.cli.choices import names_in
from wslib.cli.console import (
    check_out,
    fail_if,
    print_json,
    print_notes,
    read_each,
    save_figure,
    write_json,
)
from wslib.cli.options import argument, one_of, option
from wslib.models.published import SAMS

LOW = 0.5  # a score below which a mask is not to be trusted
TINY = (
    "low scores: sam_tiny learnt from drawn pictures; for photographs "
    "`wslib sam fetch vit_b`, then the same command with --sam vit_b"
)

Images = argument(list[Path], "Files, or folders: the images in them")
Target = option(str | None, "A class of the model [default: the most probable one]")
Model = option(
    Path | None,
    "A classifier: best.pt, which `wslib voc train --epochs 5` writes, or one "
    "saved by a chapter "
    "[default: EfficientNet-Lite0, ImageNet's 1000 classes]",
)
METHODS = names_in("cam", "METHODS")
Method = one_of(METHODS)
Layer = option(
    list[str] | None, "Such as stage5 or layer2; may be repeated [default: the last]"
)

Sam = one_of(SAMS)
SamCheckpoint = option(Path | None, "Other weights of that network")
Pipeline = one_of(
    names_in("prompting.named_pipelines", "PIPELINES"),
    help="The prompt: centre, points, points+background, box or points+box; "
    "with +mask at the end, the first mask goes into a second prompt, with "
    "+mirror, the mirror image is looked at, too",
)
Threshold = option(float, "Share of the map's maximum where the object begins")
Compare = option(
    bool, "Draw the maps of all methods, too: NAME_compare.png", "--compare"
)
MapsAtOnce = option(
    int | None, "Images in a batch [default: 8; with --compare 1]", min=1, max=1024
)
Npy = option(bool, "Write the map's numbers, too: NAME_cam.npy", "--npy")


def segment_images(
    images: Images,
    target: Target = None,
    model: Model = None,
    sam: Sam = "sam_tiny",
    sam_checkpoint: SamCheckpoint = None,
    pipeline: Pipeline = "points+box",
    threshold: Threshold = 0.5,
    method: Method = "gradcam",
    layer: Layer = None,
    size: options.Size = None,
    out: options.OutFolder = Path("build/segment"),
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Cut an object out of pictures: a map finds it, SAM the mask.

    Writes for each image NAME_mask.png (255 inside, 0 outside, as large as the image),
    NAME_overlay.png (the map with the prompt; the mask's outline) and NAME_points.json:
    points and box in pixels, x to the right, labels (1 on the object, 0 beside it), the
    class with its probability, and the IoU that SAM expects (score).

    A camera's note to turn a picture is obeyed: points, box and mask are of the upright
    one. A picture that cannot be read is named, and the others go on; then status 1.

    sam_tiny learnt from drawn pictures (`wslib sam card`). For photographs fetch a
    published SAM, and name it: `wslib sam fetch vit_b`, then `--sam vit_b`.

    \b
    Example: wslib segment cat.jpg --target "Egyptian cat" --out masks

    JSON: [what NAME_points.json has: image, size, target, probability, points,
    labels, box, score, area, sam, pipeline, threshold]
    """
    from wslib.prompting.named_pipelines import check_pipeline, open_pipeline

    check_pipeline(pipeline)
    planned = _plan(images, out, ("_mask.png", "_overlay.png", "_points.json"))
    explain = _explain_one(model, method, layer or [], size, device, target)
    segmenter = open_pipeline(pipeline, sam, sam_checkpoint, threshold, device)
    settings = {"sam": sam, "pipeline": pipeline, "threshold": threshold}
    _segment_each(planned, explain, segmenter, settings, as_json)


def _explain_one(model, method: str, layers: list[str], size, device: str, target):
    """Open a classifier; return a function that explains a class in an image."""
    from wslib.boxes.explainer import Explainer

    explainer = Explainer(model, method, layers, size, device)
    number = explainer.class_number(target)
    return lambda pixels: explainer.explain(pixels, number)


def _segment_each(
    planned: dict, explain: Callable, segmenter, settings: dict, as_json: bool
) -> None:
    """Write and print the mask of each image."""
    from wslib.prompting.prompter import checked_image

    rows, unread = [], []
    for image, pixels in read_each(planned, unread, checked_image):
        explained = explain(pixels)
        result = segmenter.run(pixels, explained.heatmap)
        row = {**_segmentation_row(image, explained, result), **settings}
        rows.append(row)
        _write_segmentation(planned[image], pixels, explained, result, row)
        if not as_json:
            share = f"{result.mask.mean():.1%} of the picture, score {result.score:.2f}"
            nothing = "nothing speaks for it, the mask is empty"
            text = nothing if result.prompt.empty else share
            _print_line(image, explained, text, planned[image][0])
    if as_json:
        print_json(rows)
    if settings["sam"] == "sam_tiny" and any(row["score"] < LOW for row in rows):
        print_notes([TINY])
    fail_if(unread)


def map_images(
    images: Images,
    target: Target = None,
    model: Model = None,
    method: Method = "gradcam",
    layer: Layer = None,
    size: options.Size = None,
    compare: Compare = False,
    batch_size: MapsAtOnce = None,
    npy: Npy = False,
    out: options.OutFolder = Path("build/cam"),
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Draw where a classifier sees a class in pictures.

    Writes NAME_cam.png, the map over the picture. The numbers (--npy) are float32 from
    0 to 1, a row for each row of the upright picture. A picture that cannot be read is
    named, and the others go on; then status 1. All maps of a picture come from one
    forward pass; Score-CAM takes 64 more, and Guided Grad-CAM one that goes back to
    the pixels. CAM itself is compared at the last layer only.

    \b
    Example: wslib cam cat.jpg --target "Egyptian cat" --layer stage5
             wslib cam photos --method layercam --compare

    JSON: [{image, target, method, probability, peak [x, y]}]
    """
    from wslib.boxes.explainer import Explainer

    endings = {"_cam.png": True, "_cam.npy": npy, "_compare.png": compare}
    planned = _plan(images, out, [e for e, wanted in endings.items() if wanted])
    others = [m for m in METHODS if compare and not (layer and m == "cam")]
    methods = dict.fromkeys([method, *others])  # the one that was asked for first
    explainer = Explainer(model, [*methods], layer or [], size, device)
    number, unread, rows = explainer.class_number(target), [], []
    batch_size = batch_size or (1 if compare else 8)  # so that a bar can move
    explained = _explain_each(explainer, planned, number, batch_size, unread)
    for image, pixels, maps in explained:
        _write_maps(planned[image], pixels, maps, method)
        rows.append(_map_row(image, maps[method], method))
        if not as_json:
            _print_map(image, maps[method], planned[image][-1 if compare else 0])
    if as_json:
        print_json(rows)
    fail_if(unread)


def _map_row(image: Path, explained, method: str) -> dict:
    """Gather what `wslib cam --json` prints of an image."""
    row = {"image": str(image), "target": explained.target, "method": method}
    return row | {"probability": explained.probability, "peak": explained.peak}


def _print_map(image: Path, explained, result: Path) -> None:
    x, y = explained.peak
    text = f"highest at ({x}, {y})" if explained.heatmap.any() else "no map"
    _print_line(image, explained, text, result)


def _explain_each(
    explainer, planned: dict, number, batch_size: int, unread: list
) -> Iterator[tuple]:
    """Yield each image's path, pixels and maps, some made at once; of several batches
    the progress is shown. Those that cannot be read join `unread`."""
    from wslib.runtime.progress import progress

    read, count = read_each(planned, unread), -(-len(planned) // batch_size)
    batches = (list(islice(read, batch_size)) for _ in range(count))
    for batch in progress(batches, "maps", count) if count > 1 else batches:
        pixels = [each[1] for each in batch]
        explained = explainer.explain_batch(pixels, number) if batch else []
        for each, maps in zip(batch, explained, strict=True):
            yield *each, maps


def _draw_all(pixels, maps: dict):
    """Draw the maps of all methods side by side, in the order of their table."""
    from wslib.show.figures import image_grid

    names = [name for name in METHODS if name in maps]
    heatmaps = [maps[name].heatmap for name in names]
    return image_grid([pixels] * len(names), names, 4, heatmaps=heatmaps)[0]


# ------------------------------------------------------------------------------- files


def _plan(images: Sequence[Path], out: Path, endings: Sequence[str]) -> dict:
    """Name the results of each image; make their folder."""
    from wslib.data.image_files import find_images, plan_results

    planned = plan_results(find_images(images), out, endings)
    for paths in planned.values():
        for path in paths:
            check_out(path)
    return planned


def _segmentation_row(image: Path, explained, result) -> dict:
    """Gather what NAME_points.json says; see `wslib segment --help`."""
    height, width = result.mask.shape
    prompt = result.prompt
    return {
        "image": str(image),
        "size": [width, height],
        "target": explained.target,
        "probability": explained.probability,
        "points": prompt.points,
        "labels": prompt.labels.astype(int),
        "box": prompt.box,
        "score": result.score,
        "area": result.mask.sum(),
    }


def _print_line(image: Path, explained, text: str, result: Path) -> None:
    """Print what was found in an image, above a bar that may be there."""
    from wslib.runtime.progress import say

    say(f"{image}: {explained.target} {explained.probability:.2f}, {text}: {result}")


def _write_segmentation(
    paths: list[Path], pixels, explained, result, row: dict
) -> None:
    """Write the mask, (H, W) bool, as a grey PNG, 255 where it is True; how it came to
    be, as a picture; and the row as JSON."""
    from PIL import Image

    from wslib.runtime.kept import written_whole
    from wslib.show.pictures import draw_segmentation

    mask, overlay, points = paths
    with written_whole(mask) as part:
        Image.fromarray(255 * result.mask.astype("uint8")).save(part, format="PNG")
    prompt, titles = result.prompt, (explained.title, f"score {result.score:.2f}")
    sides = tuple(prompt.points[prompt.labels == label] for label in (1, 0))
    drawn = (titles, explained.heatmap, sides, prompt.box, result.mask)
    save_figure(draw_segmentation(pixels, *drawn), overlay)
    write_json(points, row)


def _write_maps(paths: list[Path], pixels, maps: dict, method: str) -> None:
    """Write the map of a method over the picture and, by the endings of the names, its
    numbers as float32 in NumPy's own format, and the maps of all methods."""
    import numpy as np

    from wslib.runtime.kept import written_whole
    from wslib.show.pictures import draw_map

    explained = maps[method]
    save_figure(draw_map(pixels, explained.title, explained.heatmap), paths[0])
    for path in paths[1:]:
        if path.suffix == ".npy":
            with written_whole(path) as part, open(part, "wb") as file:
                np.save(file, explained.heatmap.astype(np.float32), allow_pickle=False)
        else:
            save_figure(_draw_all(pixels, maps), path)
