"""An example of a person's own pictures: balls and trees, for which VOC has no word, in
each of the layouts of `wslib.data.own_folders`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np

from wslib.data.rendered.drawn import clutter
from wslib.data.rendered.drawn.backdrops import backdrop
from wslib.data.rendered.drawn.drawing import Drawing, pick
from wslib.data.rendered.drawn.sprites import (
    Sprite,
    extent,
    lay_sprite,
    paint_with_detail,
    photograph,
    visible_mask,
)
from wslib.data.rendered.voc import write_annotation
from wslib.data.voc import Annotation, VocObject
from wslib.runtime.progress import progress

THINGS = {"ball": clutter.ball, "tree": clutter.tree}


def _draw(label: str, rng: np.random.Generator) -> tuple[np.ndarray, tuple]:
    """Draw one thing somewhere before a backdrop: (H, W, 3) uint8 RGB, and its box,
    half-open."""
    w, h = int(rng.integers(200, 260)), int(rng.integers(160, 220))
    d = Drawing()
    THINGS[label](d.at(0, 0, 1), rng)
    low, high = d.extent()
    scale = rng.uniform(0.35, 0.8) * min(w, h) / (high - low).max()
    picture = paint_with_detail(rng, d, scale, "gravel", 0.4)
    x, y = ((np.array([w, h]) - picture.shape[1::-1]) * rng.uniform(size=2)).astype(int)
    sprite = Sprite("", picture, x, y, y + len(picture), 0.3)
    behind = backdrop(pick(rng, ("meadow", "street", "room")), rng, w, h)
    lay_sprite(behind.view, sprite)
    box = tuple(map(int, extent(visible_mask(sprite, (h, w)))))
    return photograph(rng, behind.view), box


def _write_voc(folder: Path, rows: list) -> None:
    (folder / "Annotations").mkdir()
    for path, size, label, (x1, y1, x2, y2) in rows:
        thing = VocObject(label, (x1 + 1, y1 + 1, x2, y2))
        note = Annotation(path.stem, *size, (thing,))
        write_annotation(folder / "Annotations" / f"{path.stem}.xml", note)


def _write_csv(folder: Path, rows: list) -> None:
    with open(folder / "boxes.csv", "w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["name", "x1", "y1", "x2", "y2"])
        lines.writerows([path.relative_to(folder), *box] for path, _, _, box in rows)


def _write_coco(folder: Path, rows: list) -> None:
    content = {"images": [], "annotations": [], "categories": []}
    for k, name in enumerate(THINGS):
        content["categories"].append({"id": k, "name": name})
    for k, (path, (w, h), label, (x1, y1, x2, y2)) in enumerate(rows):
        image = {"id": k, "file_name": path.name, "width": w, "height": h}
        content["images"].append(image)
        box = [x1, y1, x2 - x1, y2 - y1]
        number = [*THINGS].index(label)
        item = {"id": k, "image_id": k, "category_id": number, "bbox": box}
        content["annotations"].append(item)
    (folder / "boxes.json").write_text(json.dumps(content))


WRITERS = {  # the folder of the pictures, "" for that of their label; and the writer
    "VOC": ("JPEGImages", _write_voc),
    "CSV": ("", _write_csv),
    "COCO": ("images", _write_coco),
}


def draw_folder(folder: Path, layout: str, count: int = 50) -> Path:
    """Draw `count` pictures of balls and trees, in turn, in one of the layouts "VOC",
    "CSV" and "COCO". Raises ValueError for another, and for a folder that is not
    empty."""
    if layout not in WRITERS:
        raise ValueError(f"layout {layout!r}, expected {', '.join(WRITERS)}")
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: not empty; choose another folder")
    below, write = WRITERS[layout]
    rows = []
    for k in progress(range(count), "drawing the example"):
        label = [*THINGS][k % 2]
        pixels, box = _draw(label, np.random.default_rng([0, k]))
        path = folder / (below or label) / f"{k:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        _, code = cv2.imencode(".jpg", pixels[:, :, ::-1])
        path.write_bytes(code.tobytes())
        rows.append((path, pixels.shape[1::-1], label, box))
    write(folder, rows)
    return folder
