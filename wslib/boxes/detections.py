"""Boxes that were found, in a file that says how: to be scored again without a network.

The file is JSON with a line for each image, so that a person can read it and `diff` can
compare two of them. Beside it, `NAME.maps.npz` holds the maps that the boxes were drawn
around, for other thresholds. Both are written whole or not at all.
"""

from __future__ import annotations

import json
import math
import sys
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wslib.boxes.maps import ClassMaps
from wslib.data.voc import CLASSES
from wslib.models.checkpoints import naming
from wslib.runtime.kept import write_text, written_whole

FORMAT = "wslib detections 1"
DATASETS = ("voc2007", "rendered", "files")
HEAD = {  # what stands above the boxes: the field of each key, and its type
    "class": ("class_name", str),
    "dataset": ("dataset", str),
    "split": ("split", str),
    "model": ("model", str),
    "recipe": ("recipe", dict),
}
COLUMNS = "x1, y1, x2, y2, score"


@dataclass(frozen=True)
class Detections:
    """The boxes of one class in the images that were looked at.

    `boxes`: {image id: (N, 5) float64 x1, y1, x2, y2, score}, VOC corners; an image
    without any box has (0, 5). `recipe`: how they were made (kind of map, input size,
    threshold, ...), in texts, numbers and lists. `model`: the fingerprint of the
    network (`wslib.models.checkpoints.fingerprint`). `dataset`: "voc2007", "rendered",
    whose number of images stands in `recipe["rendered"]`, or "files", for images that
    belong to no data set and whose ids are their paths. `split`: the list of images.
    `maps`: those that the boxes were drawn around, where they are known.
    """

    class_name: str
    boxes: dict[str, np.ndarray]
    recipe: dict
    model: str
    dataset: str
    split: str
    maps: ClassMaps | None = None

    def above(self, score: float) -> Detections:
        """The same without the boxes of a lower score; all images stay. Raises
        ValueError for NaN."""
        if math.isnan(score):
            raise ValueError("the least score is nan, expected a number")
        kept = {i: boxes[boxes[:, 4] >= score] for i, boxes in self.boxes.items()}
        return replace(self, boxes=kept)


def save_detections(path: Path | str, detections: Detections) -> None:
    """Write detections as JSON, and their maps, if there are any, beside them. Raises
    ValueError, one line that names file and image, for what `load_detections` would
    refuse; then the file is as it was."""
    with naming(path):
        text = as_json(detections)
    if detections.maps is not None:
        _save_maps(maps_file(path), detections)
    write_text(path, text)


def maps_file(path: Path | str) -> Path:
    """Name the file of the maps that belong to detections: dogs.maps.npz beside
    dogs.json."""
    return Path(path).with_suffix(".maps.npz")


def _save_maps(path: Path, detections: Detections) -> None:
    maps = detections.maps
    arrays = {"raw": maps.raw, "scores": maps.scores, "sizes": maps.sizes}
    about = {"ids": np.array(maps.ids), "run": np.array(_run_of(detections))}
    with written_whole(path) as part, open(part, "wb") as file:
        np.savez_compressed(file, **arrays, **about)


def _run_of(detections: Detections) -> str:
    """What maps and boxes of one run have in common, as a text."""
    known = [detections.recipe.get(name) for name in ("kind", "size", "flip")]
    return _line([detections.model, detections.class_name, *known])


def load_maps(path: Path | str, detections: Detections) -> ClassMaps:
    """Read the maps that `save_detections` left beside `detections` in the file `path`:
    of one class, number 0. Raises FileNotFoundError where there are none, ValueError
    for a file that is damaged or belongs to other boxes; one line names it."""
    path = maps_file(path)
    if not path.is_file():
        text = "no such file; `wslib voc detect --out` leaves the maps there"
        raise FileNotFoundError(f"{path}: {text}")
    try:
        with np.load(path, allow_pickle=False) as file:
            ids, run = file["ids"].tolist(), str(file["run"])
            raw, scores, sizes = (file[name] for name in ("raw", "scores", "sizes"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
        raise ValueError(f"{path}: damaged, or no file of maps") from None
    if ids != list(detections.boxes) or run != _run_of(detections):
        raise ValueError(f"{path}: maps of another run than the boxes beside them")
    return ClassMaps(ids, 0, raw, scores[:, None], sizes)


def as_json(detections: Detections) -> str:
    """The text of the file. Raises ValueError as `save_detections`."""
    _check_head(detections)
    rows = {i: _short(_checked(i, rows)) for i, rows in detections.boxes.items()}
    head = {"format": FORMAT}
    head |= {key: getattr(detections, field) for key, (field, _) in HEAD.items()}
    about = [f" {_line(key)}: {_line(value)}" for key, value in head.items()]
    images = [f"  {_line(i)}: {_line(rows[i])}" for i in rows]
    boxes = ' "boxes": {\n' + ",\n".join(images) + "\n }"
    return "{\n" + ",\n".join([*about, boxes]) + "\n}\n"


def load_detections(path: Path | str) -> Detections:
    """Read what `save_detections` wrote.

    Raises FileNotFoundError, or ValueError, one line that names the file, for a file
    that is empty, is no JSON or has another format; an unknown class or data set; no
    image, or the same one twice; and, with the image, for boxes that are not rows of
    five numbers, that are inverted, or that hold NaN or infinity.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: a folder, expected a file of detections")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of detections")
    with naming(path):
        content = _read(path.read_bytes())
        fields = {field: content[key] for key, (field, _) in HEAD.items()}
        boxes = {i: _checked(i, rows) for i, rows in content["boxes"].items()}
        detections = Detections(boxes=boxes, **fields)
        _check_head(detections)
    return detections


def _read(data: bytes) -> dict:
    """The content of a file, its keys there and of their types."""
    if not data.strip():
        raise ValueError(f"empty, expected {FORMAT!r}")
    try:
        content = json.loads(data.decode("utf-8"), object_pairs_hook=_each_once)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    form = content.get("format") if isinstance(content, dict) else None
    if form != FORMAT:
        raise ValueError(f"format {form!r}, expected {FORMAT!r}")
    kinds = {key: kind for key, (_, kind) in HEAD.items()} | {"boxes": dict}
    for key, kind in kinds.items():
        if not isinstance(content.get(key), kind):
            raise ValueError(f"{key!r} is {_kind(content.get(key))}")
    return content


def _each_once(pairs: list[tuple[str, object]]) -> dict:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{twice!r} comes twice")
    return content


def _check_head(detections: Detections) -> None:
    if detections.class_name not in CLASSES:
        known = ", ".join(CLASSES)
        raise ValueError(f"no class {detections.class_name!r}; VOC has {known}")
    if detections.dataset not in DATASETS:
        expected = ", ".join(DATASETS)
        raise ValueError(f"data set {detections.dataset!r}, expected {expected}")
    if not detections.boxes:
        raise ValueError("no images: expected the id of each that was looked at")
    try:
        json.dumps(detections.recipe, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"recipe: {error}") from None


def _checked(image: str, rows: object) -> np.ndarray:
    """The boxes of one image as (N, 5) float64."""
    rows = rows.tolist() if isinstance(rows, np.ndarray) else rows
    if not isinstance(rows, list):
        raise ValueError(f"image {image}: {_kind(rows)}, expected a list of boxes")
    for k, row in enumerate(rows):
        place = f"image {image}, box {k}"
        if not isinstance(row, list) or not all(map(_is_number, row)):
            raise ValueError(f"{place}: {row}, expected numbers {COLUMNS}")
        if len(row) != 5:
            raise ValueError(f"{place}: {len(row)} columns, expected {COLUMNS}")
        if not all(abs(x) <= sys.float_info.max for x in row):
            raise ValueError(f"{place}: {row}, expected finite numbers")
        if row[2] < row[0] or row[3] < row[1]:
            raise ValueError(f"{place}: {row}, expected x1 <= x2 and y1 <= y2")
    return np.array(rows, float).reshape(-1, 5)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _short(boxes: np.ndarray) -> list[list[float | int]]:
    """Rows of numbers, whole ones of moderate size without a point."""
    return [
        [int(x) if x.is_integer() and abs(x) < 1e9 else x for x in row]
        for row in boxes.tolist()
    ]


def _line(value: object) -> str:
    """Write JSON; what UTF-8 cannot say of a file's name as JSON's own \\udce9."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _kind(value: object) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"
