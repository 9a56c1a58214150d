"""A person's own pictures with boxes, as they lie in a folder: three layouts.

- VOC: `Annotations/NAME.xml` beside `JPEGImages/NAME.jpg`, perhaps with lists of the
  splits in `ImageSets/Main`;
- CSV: a folder of pictures for each class, and rows `NAME,x1,y1,x2,y2` in a CSV, with
  the label behind them where the folder does not say it; x2, y2 are not included;
- COCO: JSON with `images`, `annotations` and `categories`
  (https://cocodataset.org/#format-data).

The names of the classes are those that the files use.
"""

from __future__ import annotations

import csv
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wslib.data.image_files import SUFFIXES
from wslib.data.images import image_size
from wslib.data.voc import (
    LISTS,
    SPLITS,
    Annotation,
    VocObject,
    check_object,
    clip_object,
    read_annotation,
)

EXPECTED = (
    "expected Annotations/*.xml beside JPEGImages/ (VOC), a folder for each class with "
    "the boxes in a CSV (NAME,x1,y1,x2,y2), or COCO's JSON"
)
COLUMNS = "NAME,x1,y1,x2,y2 or NAME,x1,y1,x2,y2,label"
COCO_KEYS = {"images", "annotations", "categories"}
SPLIT = re.compile(r"(train|val|test)")  # in the name of a file or folder of COCO


@dataclass
class OwnFolder:
    """What could be read in the folder `root`, and what could not.

    `annotations` and `paths`: of each picture, by its id; `lists`: the ids of the
    splits that the folder names; `problems`: a line for each file, row or box that was
    left out or changed; `files`: what was read besides the pictures.
    """

    root: Path
    layout: str
    annotations: dict[str, Annotation] = field(default_factory=dict)
    paths: dict[str, Path] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, by the alphabet."""
        return tuple(sorted(self.count_boxes()))

    def count_boxes(self) -> Counter:
        """Count the boxes of each class."""
        notes = self.annotations.values()
        return Counter(thing.name for note in notes for thing in note.objects)

    def count_pictures(self, ids: Iterable[str]) -> Counter:
        """Count those of the pictures that show each class."""
        notes = [self.annotations[i] for i in ids]
        return Counter(n for note in notes for n in {t.name for t in note.objects})

    def add(self, image_id: str, path: Path, note: Annotation) -> None:
        """Take a picture, if it can be read."""
        size = read_size(path)
        if isinstance(size, str):
            self.problems.append(size)
        else:
            self.annotations[image_id], self.paths[image_id] = note, path


@dataclass(frozen=True)
class Box:
    """A box as a file has it: `where`, a picture, and the object in VOC corners."""

    where: str
    path: Path
    thing: VocObject


def read_own_folder(root: Path | str) -> OwnFolder:
    """Read the folder in the layout that it has.

    Raises FileNotFoundError for no folder, and ValueError for one in none of the
    layouts, or of which no picture can be used; all else is a line in `problems`.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder")
    for read in (_read_voc, _read_coco, _read_csvs):
        found = read(root)
        if found:
            break
    else:
        raise ValueError(f"{root}: no boxes here; {EXPECTED}")
    if not found.count_boxes():
        first = f"; first: {found.problems[0]}" if found.problems else ""
        raise ValueError(f"{root}: {found.layout} without a box to be used{first}")
    return found


def read_size(path: Path) -> tuple[int, int] | str:
    """Read width and height of the upright picture from its head, or say that it
    fails."""
    try:
        return image_size(path)
    except (OSError, ValueError):
        return f"{path}: not a readable picture; left out"


def find_here(folder: Path) -> list[Path]:
    """List the pictures right in a folder."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [file for file in files if file.suffix.lower() in SUFFIXES]


# --------------------------------------------------------------------------------- VOC


def _read_voc(root: Path) -> OwnFolder | None:
    places = [root, root / "VOC2007", *sorted(root.glob("VOCdevkit/*"))]
    base = next((p for p in places if any(p.glob("Annotations/*.xml"))), None)
    if base is None:
        return None
    files = sorted(base.glob("Annotations/*.xml"))
    found = OwnFolder(root, "VOC", files=[*files, base / "JPEGImages"])
    pictures = {path.stem: path for path in find_here(base / "JPEGImages")}
    for file in files:
        path = pictures.pop(file.stem, None)
        note = _read_xml(found, file, path) if path else None
        if note:
            found.add(file.stem, path, note)
        elif path is None:
            found.problems.append(f"{file}: no such picture in JPEGImages; left out")
    found.problems += [f"{p}: no annotation; left out" for p in pictures.values()]
    _read_lists(found, base / LISTS)
    return found


def _read_xml(found: OwnFolder, file: Path, picture: Path) -> Annotation | None:
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            note = read_annotation(file, picture, classes=None)
    except (OSError, ValueError) as error:
        found.problems.append(f"{error}; left out")
        return None
    found.problems += [str(warning.message) for warning in said]
    return note


def _read_lists(found: OwnFolder, folder: Path) -> None:
    for split in SPLITS:
        file = folder / f"{split}.txt"
        if not file.is_file():
            continue
        found.files.append(file)
        names = [
            line.split()[0]
            for line in file.read_text("utf-8").split("\n")
            if line.strip()
        ]
        found.lists[split] = [n for n in dict.fromkeys(names) if n in found.annotations]
        gone = len(set(names) - found.annotations.keys())
        if gone:
            text = f"{gone} of its {len(set(names))} pictures cannot be used"
            found.problems.append(f"{file}: {text}")


# --------------------------------------------------------------------------- CSV, COCO


def _gather(found: OwnFolder, boxes: Sequence[Box], empty: Iterable[Path] = ()) -> None:
    """Put the boxes together by picture; `empty` are pictures without an object."""
    of_picture: dict[Path, list[Box]] = {path: [] for path in empty}
    for box in boxes:
        of_picture.setdefault(box.path, []).append(box)
    for path, marked in of_picture.items():
        size = read_size(path)
        if isinstance(size, str):
            found.problems.append(size)
            continue
        things = tuple(_usable(found, marked, *size))
        if things or not marked:
            inside = path.is_relative_to(found.root)
            name = (path.relative_to(found.root) if inside else path).as_posix()
            found.add(name, path, Annotation(name, *size, things))


def _usable(
    found: OwnFolder, marked: Sequence[Box], width: int, height: int
) -> Iterator[VocObject]:
    """Yield the objects whose boxes lie in the picture, cut where they leave it."""
    for box in marked:
        try:
            check_object(box.thing, width, height)
        except ValueError as error:
            found.problems.append(f"{box.where}: {error}, counted from 1; left out")
            continue
        clipped = clip_object(box.thing, width, height)
        if clipped.box != box.thing.box:
            found.problems.append(f"{box.where}: a box left the picture; it was cut")
        yield clipped


def _read_csvs(root: Path) -> OwnFolder | None:
    files = sorted([*root.glob("*.csv"), *root.glob("*/*.csv")])
    if not files:
        return None
    found, boxes = OwnFolder(root, "CSV", files=files), []
    for file in files:
        boxes += _read_csv(found, file)
    found.files += sorted({box.path.parent for box in boxes})
    found.problems += _find_unmarked(root, boxes)
    _gather(found, boxes)
    return found


def _find_unmarked(root: Path, boxes: Sequence[Box]) -> Iterator[str]:
    """Name the pictures without a row; of a folder with no row at all, the folder."""
    marked = {box.path for box in boxes}
    used = {path.parent for path in marked}
    inside = [*root.glob("*/"), *root.glob("images/*/")]
    for folder in sorted({*used, *(f for f in inside if f.name[0] != ".")}):
        without = [path for path in find_here(folder) if path not in marked]
        if folder in used:
            yield from (f"{path}: no box in a CSV; left out" for path in without)
        elif without:
            yield f"{folder}: no box in a CSV for its {len(without)} pictures; left out"
        elif not any(folder.iterdir()):
            yield f"{folder}: no picture of this class; left out"


def _read_csv(found: OwnFolder, file: Path) -> Iterator[Box]:
    with open(file, encoding="utf-8-sig", newline="") as lines:
        try:
            rows = [
                (k, [f.strip() for f in row])
                for k, row in enumerate(csv.reader(lines), 1)
            ]
        except (UnicodeDecodeError, csv.Error) as error:
            found.problems.append(f"{file}: no CSV in UTF-8: {error}; left out")
            return
    for number, row in rows:
        if not any(row):
            continue
        where = f"{file}, line {number}"
        try:
            yield _box_of_row(found.root, file, where, row)
        except ValueError as error:
            if number > 1 or any(map(str.isdecimal, row)):  # else it is a heading
                found.problems.append(f"{where}: {error}; left out")


def _box_of_row(root: Path, file: Path, where: str, row: list[str]) -> Box:
    try:
        x1, y1, x2, y2 = map(float, row[1:5])
    except ValueError:
        x1 = None
    if x1 is None or len(row) > 6 or not row[0]:
        raise ValueError(f"{','.join(row)[:60]!r}, expected {COLUMNS}")
    label = row[5] if len(row) == 6 else ""
    below = [label, f"images/{label}", file.stem, f"images/{file.stem}", "images"]
    path = _find(row[0], [file.parent, root, *(root / name for name in below)])
    alone = path.parent in (root, root / "images")  # the folder names no class
    label = label or (file.stem if alone else path.parent.name)
    return Box(where, path, VocObject(label, (x1 + 1, y1 + 1, x2, y2)))


def _find(name: str, folders: Iterable[Path]) -> Path:
    path = next((f / name for f in folders if (f / name).is_file()), None)
    if path is None:
        raise ValueError(f"no picture {name}")
    return path


def _read_coco(root: Path) -> OwnFolder | None:
    files = [
        p
        for g in ("*.json", "annotations/*.json", "*/*.coco.json")
        for p in root.glob(g)
    ]
    read = {file: content for file in sorted(files) if (content := _read_json(file))}
    if not read:
        return None
    found, split_of = OwnFolder(root, "COCO", files=[*read]), {}
    boxes, empty, named = [], [], set()
    for file, content in read.items():
        try:
            pictures = _coco_pictures(found, file, content["images"])
            empty += pictures.values()
            boxes += _coco_boxes(found, file, content, pictures)
            named |= {str(category["name"]) for category in content["categories"]}
        except (AttributeError, KeyError, TypeError) as error:
            found.problems.append(f"{file}: not as COCO has it: {error!r}; left out")
            continue
        splits = SPLIT.findall(file.relative_to(root).as_posix())
        split_of |= dict.fromkeys(pictures.values(), splits[-1] if splits else "")
    if unused := sorted(named - {box.thing.name for box in boxes}):
        found.problems.append(f"{root}: no box of {', '.join(unused)}; left out")
    found.files += sorted({path.parent for path in empty})
    _gather(found, boxes, empty)
    if len(set(split_of.values()) - {""}) > 1:
        for image_id, path in found.paths.items():
            found.lists.setdefault(split_of[path], []).append(image_id)
    return found


def _read_json(file: Path) -> dict | None:
    """Read a file of COCO; None for any other."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_coco = isinstance(content, dict) and content.keys() >= COCO_KEYS
    return content if is_coco else None


def _coco_pictures(found: OwnFolder, file: Path, images: list) -> dict[object, Path]:
    """Find the pictures of a file of COCO, by their numbers there."""
    inside = sorted(
        p for g in ("*", "images/*") for p in found.root.glob(g) if p.is_dir()
    )
    pictures = {}
    for image in images:
        try:
            name = str(image["file_name"])
            pictures[image["id"]] = _find(name, [file.parent, found.root, *inside])
        except ValueError as error:
            found.problems.append(f"{file}: {error}; left out")
    return pictures


def _coco_boxes(
    found: OwnFolder, file: Path, content: dict, pictures: dict
) -> Iterator[Box]:
    names = {
        category["id"]: str(category["name"]) for category in content["categories"]
    }
    numbers = {image["id"] for image in content["images"]}
    for item in content["annotations"]:
        where = f"{file}, annotation {item.get('id')}"
        try:
            x, y, w, h = map(float, item["bbox"])
            if item["image_id"] not in numbers or item["category_id"] not in names:
                raise ValueError(
                    "of an image or a category that the file does not list"
                )
        except (KeyError, TypeError, ValueError) as error:
            found.problems.append(f"{where}: {error}; left out")
            continue
        if item["image_id"] in pictures:
            thing = VocObject(names[item["category_id"]], (x + 1, y + 1, x + w, y + h))
            thing = replace(thing, difficult=bool(item.get("iscrowd")))
            yield Box(where, pictures[item["image_id"]], thing)
