"""`wslib segment` and `wslib cam`: masks and maps of a person's own pictures.

Here is what can be typed. Networks are opened in `segment_networks`; what is read,
drawn and written stands in `segment_pictures`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wslib.cli import names, options
from wslib.cli.printing import print_json

Images = Annotated[
    list[Path],
    typer.Argument(help="Files, or folders: the images in them"),
]
Target = Annotated[
    str | None,
    typer.Option(help="A class of the model [default: the most probable one]"),
]
Model = Annotated[
    Path | None,
    typer.Option(
        help="A classifier: best.pt of `wslib voc train`, or saved by a chapter "
        "[default: EfficientNet-Lite0, ImageNet's 1000 classes]"
    ),
]
Method = Annotated[str, options.one_of(names.METHODS)]
Layer = Annotated[
    list[str] | None,
    typer.Option(help="Such as stage5 or layer2; may be repeated [default: the last]"),
]


def segment_images(
    images: Images,
    target: Target = None,
    model: Model = None,
    sam: Annotated[str, options.one_of(names.SAMS)] = "sam_tiny",
    sam_checkpoint: Annotated[
        Path | None, typer.Option(help="Other weights of that network")
    ] = None,
    pipeline: Annotated[
        str,
        options.one_of(
            names.PIPELINES,
            help="The prompt: centre, points, points+background, box or points+box; "
            "with +mask at the end, the first mask goes into a second prompt, with "
            "+mirror, the mirror image is looked at, too",
        ),
    ] = "points+box",
    threshold: Annotated[
        float, typer.Option(help="Share of the map's maximum where the object begins")
    ] = 0.5,
    method: Method = "gradcam",
    layer: Layer = None,
    size: options.Size = None,
    out: Annotated[Path, typer.Option(help="Folder for the results")] = Path(
        "build/segment"
    ),
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Cut an object out of pictures: a map finds it, SAM the mask.

    Writes for each image NAME_mask.png (255 inside, 0 outside, as large as the image),
    NAME_overlay.png (the map with the prompt; the mask's outline) and NAME_points.json:
    points and box in pixels, x to the right, labels (1 on the object, 0 beside it), the
    class with its probability, and the IoU that SAM expects (score).

    The pixels are taken as they are stored; a camera's note to turn them is not obeyed.

    \b
    Example: wslib segment cat.jpg --target "Egyptian cat" --out masks

    JSON: [what NAME_points.json has: image, size, target, probability, points,
    labels, box, score, area, sam, pipeline, threshold]
    """
    from wslib.cli.segment_networks import Explainer, check_pipeline, open_pipeline
    from wslib.cli.segment_pictures import (
        about_segmentation,
        draw_segmentation,
        find_images,
        plan,
        read_upright,
        write_json,
        write_mask,
    )
    from wslib.cli.voc_pictures import save_figure

    check_pipeline(pipeline)
    endings = ("_mask.png", "_overlay.png", "_points.json")
    planned = plan(find_images(images), out, endings)
    explainer = Explainer(model, method, layer or [], size, device)
    number = None if target is None else explainer.target(target)
    segmenter = open_pipeline(pipeline, sam, sam_checkpoint, threshold, device)
    told = []
    for image, (mask, overlay, points) in planned.items():
        pixels = read_upright(image)
        seen = explainer.look(pixels, number)
        found = segmenter.run(pixels, seen.heatmap)
        write_mask(mask, found.mask)
        save_figure(draw_segmentation(pixels, seen, found), overlay)
        told.append(about_segmentation(image, seen, found))
        told[-1] |= {"sam": sam, "pipeline": pipeline, "threshold": threshold}
        write_json(points, told[-1])
        if not as_json:
            line = f"{image}: {seen.target} {seen.probability:.2f}, "
            share = f"{found.mask.mean():.1%} of the picture, score {found.score:.2f}"
            nothing = "nothing speaks for it, the mask is empty"
            print(f"{line}{nothing if found.prompt.empty else share}: {mask}")
    if as_json:
        print_json(told)


def map_images(
    images: Images,
    target: Target = None,
    model: Model = None,
    method: Method = "gradcam",
    layer: Layer = None,
    size: options.Size = None,
    npy: Annotated[
        bool, typer.Option("--npy", help="Write the map's numbers, too: NAME_cam.npy")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results")] = Path(
        "build/cam"
    ),
    device: options.Device = "auto",
    as_json: options.Json = False,
) -> None:
    """Draw where a classifier sees a class in pictures.

    Writes NAME_cam.png, the map over the picture. The numbers (--npy) are float32 from
    0 to 1, a row for each row of the picture.

    \b
    Example: wslib cam cat.jpg --target "Egyptian cat" --layer stage5

    JSON: [{image, target, method, probability, peak [x, y]}]
    """
    from wslib.cli.segment_networks import Explainer
    from wslib.cli.segment_pictures import (
        draw_map,
        find_images,
        plan,
        read_upright,
        write_map,
    )
    from wslib.cli.voc_pictures import save_figure

    planned = plan(find_images(images), out, ("_cam.png", "_cam.npy")[: 1 + npy])
    explainer = Explainer(model, method, layer or [], size, device)
    number = None if target is None else explainer.target(target)
    told = []
    for image, (picture, *numbers) in planned.items():
        pixels = read_upright(image)
        seen = explainer.look(pixels, number)
        save_figure(draw_map(pixels, seen), picture)
        for path in numbers:
            write_map(path, seen.heatmap)
        y, x = (int(i) for i in divmod(seen.heatmap.argmax(), pixels.shape[1]))
        told.append({"image": str(image), "target": seen.target, "method": method})
        told[-1] |= {"probability": seen.probability, "peak": [x, y]}
        if not as_json:
            where = f"highest at ({x}, {y})" if seen.heatmap.any() else "no map"
            line = f"{image}: {seen.target} {seen.probability:.2f}, {where}"
            print(f"{line}: {picture}")
    if as_json:
        print_json(told)
