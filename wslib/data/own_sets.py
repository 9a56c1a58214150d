"""A person's own pictures as the chapters take them: as VOC, and with one box each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wslib.data.caltech import Pictures
from wslib.data.images import read_image
from wslib.data.own_folders import OwnFolder, read_own_folder
from wslib.data.splits import stratified_split
from wslib.data.voc import SPLITS, VOC2007
from wslib.runtime.progress import progress
from wslib.runtime.project import note_dependency, project_root

SHARES = {"train": 0.5, "val": 0.2, "test": 0.3}  # where the folder has no lists
FEW = 100  # test pictures of a class, below which intervals are wide


class OwnPictures(VOC2007):
    """The pictures of a folder, asked as VOC2007 is; `classes` are its own.

    Where the folder has no lists, the splits are drawn from `seed`, each class in its
    share. Errors as `read_own_folder`.
    """

    rendered = False

    def __init__(self, folder: Path | str, seed: int = 0) -> None:
        self.folder = open_own_folder(folder)
        self.root, self.classes = self.folder.root, self.folder.classes
        self.name, self.source = self.root.name, describe_source(self.folder)
        self._annotations = self.folder.annotations
        self.lists = list_splits(self.folder, seed)

    def ids(self, split: str, limit: int | None = None) -> list[str]:
        """List a split, or its first `limit` images. Raises ValueError without it."""
        if limit is not None and limit < 1:
            raise ValueError(f"limit is {limit}, expected 1 or more, or None for all")
        if not self.lists.get(split):
            there = ", ".join(name for name in SPLITS if self.lists.get(name))
            raise ValueError(f"{self.root}: no split {split!r}; there are {there}")
        return self.lists[split][:limit]

    def image_path(self, image_id: str) -> Path:
        if image_id not in self.folder.paths:
            raise ValueError(f"{self.root}: no picture {image_id!r}")
        return self.folder.paths[image_id]

    def class_mask(self, image_id: str, name: str) -> None:
        """Nobody has segmented these."""
        self.check_class(name)


def open_own_folder(folder: Path | str) -> OwnFolder:
    """Read a folder, from the project's root where its path is relative, and tell the
    build of its files."""
    place = Path(folder)
    if not place.is_dir():
        place = project_root() / place
    found = read_own_folder(place)
    for path in [place, *found.files]:
        note_dependency(path)
    return found


def describe_source(folder: OwnFolder) -> str:
    """Say what results were made with: "own pictures in lamps/"."""
    return f"own pictures in {folder.root.resolve().name}/"


def list_splits(folder: OwnFolder, seed: int = 0) -> dict[str, list[str]]:
    """List the ids of each split: those that the folder names, or drawn from `seed`.
    Errors as `draw_splits`."""
    lists = {**folder.lists} or draw_splits(folder, seed)
    if {"train", "val"} <= lists.keys():
        lists.setdefault("trainval", lists["train"] + lists["val"])
    return lists


def draw_splits(folder: OwnFolder, seed: int) -> dict[str, list[str]]:
    """Deal the pictures into train, val and test; each goes by its rarest class.

    Raises ValueError for a class that fewer than three pictures show.
    """
    ids, count = [*folder.annotations], folder.count_pictures(folder.annotations)
    for name, number in count.items():
        if number < len(SHARES):
            text = f"class {name!r} is in {number} pictures, expected {len(SHARES)}"
            raise ValueError(f"{folder.root}: {text} or more, one for each split")
    things = [{t.name for t in folder.annotations[i].objects} for i in ids]
    kinds = [min(names, key=lambda n: (count[n], n), default="") for names in things]
    common = max(set(kinds), key=kinds.count)
    kinds = [kind if kinds.count(kind) >= len(SHARES) else common for kind in kinds]
    numbers = np.unique(kinds, return_inverse=True)[1]
    rows = stratified_split(numbers, SHARES, seed)
    return {name: [ids[k] for k in rows[name]] for name in SHARES}


def own_pictures(folder: Path | str) -> Pictures:
    """Read the pictures of a folder with one label and one box each: those of the
    largest object; what has none is left out. Errors as `read_own_folder`, and
    ValueError where all are of one class."""
    found = open_own_folder(folder)
    if len(found.classes) == 1:
        text = f"all objects are {found.classes[0]}, expected two classes or more"
        raise ValueError(f"{found.root}: {text}, to tell them apart")
    notes = {i: note for i, note in found.annotations.items() if note.objects}
    largest = [max(note.objects, key=_area) for note in notes.values()]
    boxes = np.array([thing.box for thing in largest], float) - (1, 1, 0, 0)
    sizes = [(note.width, note.height) for note in notes.values()]
    labels = [found.classes.index(thing.name) for thing in largest]
    paths = [found.paths[i] for i in notes]
    return Pictures(
        *(paths, np.array(labels), boxes, np.array(sizes), [], False),
        *(found.classes, describe_source(found)),
    )


def _area(thing) -> float:
    x1, y1, x2, y2 = thing.box
    return (x2 - x1 + 1) * (y2 - y1 + 1)


def summarise_folder(folder: Path | str) -> dict:
    """Say what a folder holds, with every picture decoded: layout, counts of pictures
    and boxes by class and of pictures by split, `problems`, and in `advice` what so
    many pictures can tell. Errors as `read_own_folder`."""
    found = read_own_folder(folder)
    problems, lists = [*found.problems, *_find_undecodable(found)], {}
    try:
        lists = list_splits(found)
    except ValueError as error:
        problems.append(str(error))
    boxes, pictures = found.count_boxes(), found.count_pictures(found.annotations)
    tested = found.count_pictures(lists.get("test", []))
    return {
        "folder": str(found.root),
        "layout": found.layout,
        "pictures": len(found.annotations),
        "classes": {
            n: {"pictures": pictures[n], "boxes": boxes[n]} for n in found.classes
        },
        "splits": {name: len(lists[name]) for name in SPLITS if name in lists},
        "drawn": not found.lists,
        "problems": problems,
        "advice": _advise({name: tested[name] for name in found.classes})
        + _without_others(pictures, len(found.annotations)),
    }


def _find_undecodable(found: OwnFolder) -> list[str]:
    problems = []
    for path in progress(found.paths.values(), "decoding", len(found.paths)):
        try:
            read_image(path)
        except (OSError, ValueError) as error:
            problems.append(str(error))
    return problems


def _without_others(pictures: dict[str, int], count: int) -> str:
    """Say which classes no picture is without, by the numbers of their `pictures`."""
    names = [name for name, number in pictures.items() if number == count]
    text = f"; every picture shows {', '.join(names)}: nothing to tell that from"
    return text if names else ""


def _advise(tested: dict[str, int]) -> str:
    """Say what a percentage of the rarest class of the test pictures stands for."""
    name = min(tested, key=tested.get)
    count = tested[name]
    if not count:
        return f"no test picture shows {name}: nothing can be measured of it"
    text = f"test pictures of {name}: {count}, each {100 / count:.0f} % of its result"
    if count < FEW:
        text += "; enough to get through a chapter, too few to tell methods apart"
    return text
