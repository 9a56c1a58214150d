"""Proposals in files: those of the course (MATLAB) and our own (JSON).

A file of the course holds three cell arrays, an entry an image: `images`, the ids;
`boxes`, (P, 4) ymin, xmin, ymax, xmax, counted from 1, the last pixel included; and
`boxScores`, (P, 1). Ours is `{"ID": {"boxes": [[x1, y1, x2, y2], ...], "scores":
[...]}}`, in 0-based, half-open pixels. A file without scores lists the best box first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from wslib.runtime.kept import write_text
from wslib.runtime.project import note_dependency

KINDS = ".mat", ".json"

Rows = tuple[object, object]  # boxes and scores of an image, as a file has them


def read_proposals(
    path: Path | str, ids: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Return {id: (P, 5) float32 x1, y1, x2, y2, score}, best first, of a file.

    Boxes are in 0-based, half-open pixels, whatever the file counts in. Equal scores
    keep the file's order; without scores box k of n has 1 - k / n. `ids` selects and
    orders the images; the others are not looked at.

    Raises FileNotFoundError, or ValueError, one line that names the file: another kind
    of file (also MATLAB's 7.3), a damaged one, keys that are missing, an id that comes
    twice or, of `ids`, not at all; and, with the image, boxes that are not rows of four
    finite numbers, that are inverted, or as many as there are scores.
    """
    path = Path(path)
    read = {".mat": _read_matlab, ".json": _read_json}.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"{path}: expected a file of proposals, {' or '.join(KINDS)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of proposals")
    try:
        found = _each_once(read(path))
        wanted = list(found) if ids is None else list(ids)
        if missing := [i for i in wanted if i not in found]:
            lacks = f"{len(missing)} of {len(wanted)} images ({missing[0]}, ...)"
            raise ValueError(f"lacks the proposals of {lacks}")
        return {i: _checked(i, *found[i]) for i in wanted}
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def gather_proposals(
    paths: Sequence[Path | str], ids: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the proposals of images, {id: (P, 5)}, each from the first of the files
    that has it; the build is told that they were read. Raises as `read_proposals`, and
    ValueError where no file has an image."""
    found: dict[str, np.ndarray] = {}
    for path in paths:
        note_dependency(Path(path))
        found = {**read_proposals(path), **found}
    if missing := [i for i in ids if i not in found]:
        lacks = f"{len(missing)} of {len(ids)} images ({missing[0]}, ...)"
        raise ValueError(f"{', '.join(map(str, paths))}: no proposals of {lacks}")
    return {i: found[i] for i in ids}


def write_proposals(path: Path | str, proposals: Mapping[str, np.ndarray]) -> None:
    """Write {id: (P, 5)} as JSON, an image a line, whole or not at all.

    `read_proposals` gives the same back, to the last digit of float32. Raises
    ValueError as it does, and for another suffix than .json; then the file is as it
    was.
    """
    check_name(path)
    path = Path(path)
    try:
        lines = [_line(i, boxes) for i, boxes in proposals.items()]
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def check_name(path: Path | str) -> None:
    """Raise ValueError for a file that `write_proposals` would refuse for its name."""
    if Path(path).suffix.lower() != ".json":
        raise ValueError(f"{path}: proposals are written as JSON, expected NAME.json")


def _line(image: str, boxes: np.ndarray) -> str:
    boxes = np.asarray(boxes, float)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f"image {image}: shape {boxes.shape}, expected (P, 5)")
    boxes = _checked(image, boxes[:, :4], boxes[:, 4])
    rows = boxes.astype(str).astype(float)  # 0.1, not 0.10000000149011612
    content = {"boxes": rows[:, :4].tolist(), "scores": rows[:, 4].tolist()}
    return f"{json.dumps(str(image))}: {json.dumps(content)}"


def _each_once(pairs: Iterable[tuple[str, object]]) -> dict:
    content: dict = {}
    for key, value in pairs:
        if key in content:
            raise ValueError(f"{key!r} comes twice")
        content[key] = value
    return content


def _read_json(path: Path) -> Iterator[tuple[str, Rows]]:
    try:
        text = path.read_bytes().decode("utf-8")
        content = json.loads(text, object_pairs_hook=_each_once)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON, or damaged: {error}") from None
    if not isinstance(content, dict):
        raise ValueError("expected an object of images")
    for image, value in content.items():
        if not isinstance(value, dict) or "boxes" not in value:
            raise ValueError(f"image {image}: no 'boxes'")
        yield image, (value["boxes"], value.get("scores"))


def _read_matlab(path: Path) -> Iterator[tuple[str, Rows]]:
    cells = {key: _cells(value) for key, value in _load(path).items()}
    for key in ("images", "boxes"):
        if key not in cells:
            raise ValueError(f"no {key!r} in it")
    names, boxes = cells["images"], cells["boxes"]
    scores = cells.get("boxScores", [None] * len(boxes))
    if not len(names) == len(boxes) == len(scores):
        counts = f"{len(names)} images, {len(boxes)} boxes, {len(scores)} boxScores"
        raise ValueError(f"{counts}: expected an entry an image in each")
    for name, box, score in zip(names, boxes, scores, strict=True):
        yield _name(name), (_from_matlab(_bare(box)), _bare(score))


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        content = loadmat(path, variable_names=["images", "boxes", "boxScores"])
    except NotImplementedError:  # as SciPy says for HDF5
        text = "a MATLAB 7.3 file (HDF5), expected one saved with -v7 or older"
        raise ValueError(text) from None
    except Exception as error:  # SciPy raises many kinds for a damaged file
        kind = type(error).__name__
        raise ValueError(f"not a MATLAB file, or damaged ({kind})") from None
    return {k: v for k, v in content.items() if not k.startswith("__")}


def _cells(value: np.ndarray) -> list:
    """The entries of a cell array, however it is wrapped in others."""
    while value.size == 1 and _is_cells(value.flat[0]):
        value = value.flat[0]
    return list(value.ravel())


def _bare(value: object) -> object:
    """An entry out of the cells of one that it may be wrapped in."""
    while _is_cells(value) and value.size == 1:
        value = value.flat[0]
    return value


def _is_cells(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object


def _name(value: object) -> str:
    """An id: a text, perhaps the image's name, or one of VOC's numbers."""
    while isinstance(value, np.ndarray) and value.size == 1:
        value = value.flat[0]
    if isinstance(value, np.integer):
        return f"{value:06d}"
    if not isinstance(value, str):
        raise ValueError(f"images holds {value!r}, expected the id of an image")
    return value.strip().removesuffix(".jpg")


def _from_matlab(boxes: object) -> object:
    """ymin, xmin, ymax, xmax from 1, the last pixel included -> x1, y1, x2, y2 from 0,
    half-open. What is no (P, 4) is left for `_checked` to complain of."""
    numbers = isinstance(boxes, np.ndarray) and boxes.dtype.kind in "iuf"
    if not numbers or boxes.ndim != 2 or boxes.shape[1] != 4:
        return boxes
    return boxes[:, [1, 0, 3, 2]].astype(float) - [1, 1, 0, 0]


def _checked(image: str, boxes: object, scores: object) -> np.ndarray:
    """Boxes (P, 4) and scores (P,) as (P, 5) float32, best first."""
    boxes = _numbers(boxes, f"image {image}: boxes")
    boxes = boxes.reshape(-1, 4) if not boxes.size else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"image {image}: boxes {boxes.shape}, expected (P, 4)")
    if scores is None:
        scores = 1 - np.arange(len(boxes)) / max(1, len(boxes))
    scores = _numbers(scores, f"image {image}: scores").ravel()
    if len(scores) != len(boxes):
        raise ValueError(f"image {image}: {len(boxes)} boxes, {len(scores)} scores")
    with np.errstate(over="ignore"):
        rows = np.column_stack([boxes, scores]).astype(np.float32)  # (P, 5)
    bad = ~np.isfinite(rows).all(1) | (rows[:, 2:4] < rows[:, :2]).any(1)
    if bad.any():
        k = int(np.argmax(bad))
        expected = "expected finite numbers, x1 <= x2 and y1 <= y2"
        raise ValueError(f"image {image}, box {k}: {rows[k].tolist()}, {expected}")
    return rows[np.argsort(-rows[:, 4], kind="stable")]


def _numbers(values: object, place: str) -> np.ndarray:
    """As an array of floats; texts, truths and ragged rows are no numbers."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.size and array.dtype.kind not in "iuf":
        raise ValueError(f"{place}: expected numbers, as many in each row")
    return array.astype(float)
