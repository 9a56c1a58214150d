"""Sets of images: a split of VOC2007 or of its drawn sample set, or just files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wslib.data.datasets import open_voc2007
from wslib.data.voc import VOC2007


@dataclass(frozen=True, eq=False)
class ImageSet:
    """The ids and files of N images, and the data set that they are of.

    `dataset`: "voc2007", "rendered", the path of a person's own folder, or "files" for
    images of no data set, whose ids are their paths. `counts`: how many images each
    split of a rendered set has.
    """

    dataset: str
    split: str
    ids: list[str]
    paths: list[Path]
    voc: VOC2007 | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_split(
        cls,
        dataset: str,
        split: str,
        limit: int = 0,
        counts: Mapping[str, int] | None = None,
        present: bool = True,
    ) -> ImageSet:
        """Open a split, or its first `limit` images; with `present`, only those whose
        file is there. Errors as `open_voc2007`, `VOC2007.ids` and `VOC2007.available`.
        """
        voc = open_voc2007(dataset, **(counts or {}))
        ids = voc.ids(split, limit or None)
        ids = voc.available(ids) if present else ids
        paths = [voc.image_path(i) for i in ids]
        return cls(dataset, split, ids, paths, voc, counts or {})

    @classmethod
    def from_files(cls, paths: Sequence[Path]) -> ImageSet:
        """Take image files by themselves. Raises FileNotFoundError."""
        paths = list(dict.fromkeys(paths))
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such image")
        return cls("files", "", [str(path) for path in paths], paths)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the columns of `labels`."""
        return self.voc.classes

    @property
    def labels(self) -> np.ndarray:
        """The labels, (N, n) in 1, 0, -1, as `VOC2007.labels`."""
        return self.voc.labels(self.ids)

    def ground_truth(self, class_name: str) -> dict[str, np.ndarray]:
        """The true boxes of a class, as `VOC2007.ground_truth`."""
        return self.voc.ground_truth(self.ids, class_name)

    def objects(self) -> dict[str, np.ndarray]:
        """The objects of all classes: {id: (M, 5) x1, y1, x2, y2, difficult}, VOC
        corners."""
        objects = {}
        for image_id in self.ids:
            things = self.voc.annotation(image_id).objects
            rows = [(*thing.box, thing.difficult) for thing in things]
            objects[image_id] = np.array(rows, float).reshape(-1, 5)
        return objects


def check_apart(train: ImageSet, held: ImageSet) -> None:
    """Raise ValueError where images to validate on are also trained on."""
    shared = len(set(held.ids) & set(train.ids))
    if shared:
        text = f"{shared} images of it are learnt from"
        raise ValueError(f"--validate {held.split}: {text}")
