"""The rendered sample data set: drawn scenes in the layout of PASCAL VOC2007.

For a first run without any download: twelve of the twenty classes, drawn by code in
front of photographed textures. It is read by the same loader as the photographs, and
says what it is: `RENDERED.json`, and the database named in each annotation.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
from PIL import Image

from wslib.data.folders import derived_root
from wslib.data.rendered.bounds import check_count, check_seed
from wslib.data.rendered.drawn.scenes import Thing, render_scene
from wslib.data.rendered.drawn.sprites import extent
from wslib.data.voc import CLASSES, RENDERED, Annotation, VocObject
from wslib.runtime.kept import keep
from wslib.runtime.progress import progress

DATABASE = "rendered by wslib"
ASPECTS = (4 / 3, 3 / 2, 1, 3 / 4, 2 / 3)  # width to height


def rendered_voc2007(
    n_train: int = 300, n_val: int = 100, n_test: int = 200, seed: int = 0
) -> Path:
    """Return the folder of a rendered set, drawn now if it is not there yet.

    It lies in `derived_root()/data/voc2007-rendered-HASH`; the hash is that of the
    arguments, of the code that draws and of the libraries that it uses. The folders
    of older recipes are left alone; to be rid of them, delete `build/data`.
    """
    settings = {"n_train": n_train, "n_val": n_val, "n_test": n_test, "seed": seed}
    return keep(
        *(derived_root() / "data" / "voc2007-rendered", settings),
        *(lambda part: render_voc2007(part, **settings), cv2, np),
    )


def render_voc2007(
    folder: Path | str,
    n_train: int = 300,
    n_val: int = 100,
    n_test: int = 200,
    seed: int = 0,
    size: tuple[int, int] = (240, 360),
    workers: int | None = None,
) -> Path:
    """Draw a data set into `folder`/VOCdevkit/VOC2007; return `folder`.

    `size`: the shortest and the longest of the longer sides, in pixels. The image with
    a given place in its split depends on the seed only, not on how many there are or
    on the number of `workers` (threads; by default one for each processor, up to 8).
    Raises ValueError for a count, a seed or a size that makes no sense.
    """
    counts = {"train": n_train, "val": n_val, "test": n_test}
    for name, count in counts.items():
        check_count(f"n_{name}", count)
    check_seed(seed)
    if not 64 <= size[0] <= size[1]:
        raise ValueError(f"size is {size}, expected (a, b) with 64 <= a <= b")
    root = Path(folder) / "VOCdevkit" / "VOC2007"
    for name in ("JPEGImages", "Annotations", "SegmentationClass", "ImageSets/Main"):
        (root / name).mkdir(parents=True, exist_ok=True)
    places = [(k, i) for k, count in enumerate(counts.values()) for i in range(count)]
    jobs = [
        (root, f"{n:06d}", (seed, *place), size) for n, place in enumerate(places, 1)
    ]
    with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 8)) as pool:
        drawn = pool.map(lambda job: _render_one(*job), jobs)
        annotations = list(progress(drawn, "drawing the sample images", len(jobs)))
    _write_lists(root / "ImageSets" / "Main", counts, annotations)
    about = {
        "about": "drawn by code; only the textures are photographed",
        "seed": seed,
        **counts,
    }
    (root / RENDERED).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return Path(folder)


def _render_one(root: Path, image_id: str, seed: tuple[int, ...], size) -> Annotation:
    """Draw one image and write it and its annotation."""
    rng = np.random.default_rng(seed)
    longer = int(rng.integers(size[0], size[1] + 1))
    aspect = ASPECTS[rng.choice(len(ASPECTS), p=(0.38, 0.2, 0.1, 0.22, 0.1))]
    width = longer if aspect >= 1 else round(longer * aspect)
    height = longer if aspect <= 1 else round(longer / aspect)
    image, things = render_scene(rng, width, height)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
    _, code = cv2.imencode(".jpg", image[:, :, ::-1], quality)
    (root / "JPEGImages" / f"{image_id}.jpg").write_bytes(code.tobytes())
    write_mask(root / "SegmentationClass" / f"{image_id}.png", things, image.shape[:2])
    objects = tuple(VocObject(t.name, visible_box(t), t.difficult) for t in things)
    annotation = Annotation(image_id, width, height, objects)
    write_annotation(root / "Annotations" / f"{image_id}.xml", annotation)
    return annotation


def visible_box(thing: Thing) -> tuple[float, float, float, float]:
    """Find the extent of what is seen, in VOC corners: 1-based, inclusive."""
    x1, y1, x2, y2 = map(float, extent(thing.mask))
    return x1 + 1, y1 + 1, x2, y2


def write_mask(path: Path, things: list[Thing], shape: tuple[int, int]) -> None:
    """Write which class is seen where, as `VOC2007.class_mask` reads it."""
    number = np.zeros(shape, np.uint8)  # (H, W)
    for thing in things:
        number[thing.mask] = 1 + CLASSES.index(thing.name)
    image = Image.fromarray(number, "P")
    image.putpalette(np.random.default_rng(0).integers(256, size=768).astype(np.uint8))
    image.save(path)


def write_annotation(path: Path, annotation: Annotation) -> None:
    """Write one XML file as `wslib.data.voc.read_annotation` reads it."""
    tree = ET.Element("annotation")
    _add(tree, "folder", "VOC2007")
    _add(tree, "filename", f"{annotation.image_id}.jpg")
    _add(_add(tree, "source"), "database", DATABASE)
    size = _add(tree, "size")
    for name in ("width", "height"):
        _add(size, name, getattr(annotation, name))
    _add(size, "depth", 3)
    for thing in annotation.objects:
        node = _add(tree, "object")
        _add(node, "name", thing.name)
        _add(node, "difficult", int(thing.difficult))
        box = _add(node, "bndbox")
        for name, corner in zip(
            ("xmin", "ymin", "xmax", "ymax"), thing.box, strict=True
        ):
            _add(box, name, f"{corner:g}")
    ET.indent(tree, "\t")
    path.write_text(ET.tostring(tree, "unicode") + "\n", encoding="utf-8", newline="")


def _add(parent: ET.Element, name: str, text: object = None) -> ET.Element:
    node = ET.SubElement(parent, name)
    node.text = None if text is None else str(text)
    return node


def _write_lists(folder: Path, counts: dict[str, int], annotations) -> None:
    """Write the lists of images, and per class: 1 present, 0 difficult, -1 absent."""
    splits, start = {}, 0
    for name, count in counts.items():
        splits[name] = annotations[start : start + count]
        start += count
    splits["trainval"] = splits["train"] + splits["val"]
    for split, items in splits.items():
        lines = [item.image_id for item in items]
        _write_lines(folder / f"{split}.txt", lines)
        for name in CLASSES:
            lines = [f"{a.image_id} {_presence(a, name):2d}" for a in items]
            _write_lines(folder / f"{name}_{split}.txt", lines)


def _presence(annotation: Annotation, name: str) -> int:
    found = [not thing.difficult for thing in annotation.objects if thing.name == name]
    return -1 if not found else int(any(found))


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="")
