"""Open a data set by its name: the real one, or the rendered one in its stead.

A path in the place of the name opens a person's own pictures there, see
`wslib.data.own_folders`.
"""

from __future__ import annotations

from pathlib import Path

from wslib.data.caltech import LABELS, Pictures, read_caltech
from wslib.data.caltech101 import ANNOTATIONS, FOLDERS, IMAGES, read_caltech101
from wslib.data.folders import dataset_folder
from wslib.data.own_sets import OwnPictures, own_pictures
from wslib.data.rendered.caltech import rendered_caltech
from wslib.data.rendered.shapes import SOURCES, rendered_shapes
from wslib.data.rendered.voc import rendered_voc2007
from wslib.data.shapes import ENDINGS, Shapes
from wslib.data.voc import SPLITS, VOC2007
from wslib.runtime.project import note_dependency

VOC_SETS = ("voc2007", "rendered")
CALTECH_SETS = ("caltech3", "caltech101", "rendered")


def open_voc2007(dataset: str = "voc2007", **rendered) -> VOC2007:
    """Open the photographs (`voc2007`), the drawn sample set (`rendered`), or the
    pictures in a folder, of which `rendered` may hold the `seed` of their splits.

    The photographs must lie in `$WSLIB_DATA/voc2007/VOCdevkit/VOC2007`. The sample set
    is drawn if it is not there yet; the other arguments are those of
    `wslib.data.rendered.voc.rendered_voc2007` and mean nothing to the photographs. The
    counts may be called `train`, `val`, `test` here, as the splits are.
    """
    if dataset == "voc2007":
        voc = VOC2007(dataset_folder("voc2007", "VOCdevkit/VOC2007/ImageSets/Main"))
        for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
            note_dependency(voc.root / part)  # changes when a file comes or goes
        return voc
    if dataset == "rendered":
        known = ("train", "val", "test", "seed")
        for name in rendered:
            if name.removeprefix("n_") not in known:
                expected = f"expected some of {', '.join(known)}"
                raise ValueError(f"rendered: {name!r}, {expected}")
        options = {f"n_{k}" if k in SPLITS else k: v for k, v in rendered.items()}
        return VOC2007(rendered_voc2007(**options))
    if is_folder(dataset):
        return OwnPictures(dataset, rendered.get("seed", 0))
    expected = ", ".join(map(repr, VOC_SETS))
    raise ValueError(f"data set {dataset!r}, expected {expected} or a folder")


def is_folder(dataset: str) -> bool:
    """Tell whether this is a folder of a person's own pictures, not a name."""
    return "/" in dataset or "\\" in dataset or Path(dataset).is_dir()


def open_shapes(
    dataset: str = "rendered",
    train: int = 3500,
    val: int = 1000,
    test: int = 500,
    seed: int = 0,
) -> Shapes:
    """Open the course's shapes (`synthetic_shapes`) or a set of the same kind that is
    drawn here if it is not there yet, over crops of photographs that need no download
    (`rendered`) or over CIFAR-10's pictures (`cifar10`).

    The course's set must lie in `$WSLIB_DATA/synthetic_shapes`, CIFAR-10 in
    `$WSLIB_DATA/cifar10` or `$WSLIB_DATA/cifar10_pictures.zip`. The other arguments
    are those of `wslib.data.rendered.shapes.rendered_shapes` and mean nothing to the
    course's set, whose counts they are by default.

    Raises FileNotFoundError, one line, where the data are not there, and ValueError
    for an unknown name.
    """
    if dataset == "synthetic_shapes":
        shapes = Shapes(dataset_folder("synthetic_shapes", "images"))
        for part in ENDINGS:
            for folder in sorted((shapes.root / part).iterdir()):
                note_dependency(folder)  # changes when a file comes or goes
        return shapes
    if dataset in SOURCES:
        return Shapes(rendered_shapes(dataset, train, val, test, seed))
    expected = ", ".join(map(repr, SOURCES))
    raise ValueError(
        f"data set {dataset!r}, expected 'synthetic_shapes' or one of {expected}"
    )


def open_caltech(
    dataset: str = "rendered", count: int = 600, seed: int = 0
) -> Pictures:
    """Open faces, motorcycles and airplanes: the practical's folders (`caltech3`), the
    same pictures of Caltech-101 (`caltech101`), or a set of the same kind that is drawn
    here if it is not there yet (`rendered`); or the pictures in a folder, each with its
    largest object.

    The pictures must lie in `$WSLIB_DATA/caltech3` or `$WSLIB_DATA/caltech101`. The
    other arguments are those of `wslib.data.rendered.caltech.rendered_caltech` and mean
    nothing to them.

    Raises FileNotFoundError, one line, where the data are not there, and ValueError
    for an unknown name; errors of a set as its reader.
    """
    if dataset == "caltech3":
        instead = "take 'caltech101' after `wslib data fetch caltech101`"
        root = dataset_folder("caltech3", "annotations", instead)
        for label in LABELS:
            note_dependency(root / "annotations" / f"{label}.csv")
            note_dependency(root / "images" / label)  # when a file comes or goes
        return read_caltech(root)
    if dataset == "caltech101":
        root = dataset_folder("caltech101", IMAGES)
        for pictures, boxes in FOLDERS.values():
            note_dependency(root / IMAGES / pictures)
            note_dependency(root / ANNOTATIONS / boxes)
        return read_caltech101(root)
    if dataset == "rendered":
        return read_caltech(rendered_caltech(count, seed))
    if is_folder(dataset):
        return own_pictures(dataset)
    expected = ", ".join(map(repr, CALTECH_SETS))
    raise ValueError(f"data set {dataset!r}, expected {expected} or a folder")


def learn_and_examine(
    voc: VOC2007, name: str, train: str, examine: str, limit: int | None = None
) -> tuple[list[str], list[str]]:
    """The ids of the images to learn class `name` from, and of those to be examined on:
    the splits `train` and `examine`, of the latter only the first `limit`.

    Raises ValueError when the two share an image, as nothing may be measured on what
    was learnt, and when either has no object of the class.
    """
    splits = {train: voc.ids(train), examine: voc.ids(examine, limit)}
    shared = set(splits[train]) & set(splits[examine])
    if shared:
        count = len(shared)
        raise ValueError(f"splits {train!r} and {examine!r} share {count} images")
    for split, ids in splits.items():
        if not any(map(len, voc.ground_truth(ids, name).values())):
            raise ValueError(f"split {split!r} holds no {name} among {len(ids)} images")
    return voc.available(splits[train]), voc.available(splits[examine])
