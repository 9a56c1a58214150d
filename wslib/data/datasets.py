"""Open a data set by its name: the real one, or the rendered one in its stead."""

from __future__ import annotations

from wslib.data.folders import dataset_folder, note_dependency
from wslib.data.render import rendered_voc2007
from wslib.data.render_shapes import SOURCES, rendered_shapes
from wslib.data.shapes import ENDINGS, Shapes
from wslib.data.voc import SPLITS, VOC2007


def open_voc2007(dataset: str = "voc2007", **rendered) -> VOC2007:
    """Open the photographs (`voc2007`) or the drawn sample set (`rendered`).

    The photographs must lie in `$WSLIB_DATA/voc2007/VOCdevkit/VOC2007`. The sample set
    is drawn if it is not there yet; the other arguments are those of
    `wslib.data.render.rendered_voc2007` and mean nothing to the photographs. The counts
    may be called `train`, `val`, `test` here, as the splits are.
    """
    if dataset == "voc2007":
        voc = VOC2007(dataset_folder("voc2007", "VOCdevkit/VOC2007/ImageSets/Main"))
        for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
            note_dependency(voc.root / part)  # changes when a file comes or goes
        return voc
    if dataset == "rendered":
        known = {"train", "val", "test", "seed"}
        if unknown := set(rendered) - known - {f"n_{k}" for k in known}:
            raise ValueError(f"rendered: {unknown}, expected some of {sorted(known)}")
        options = {f"n_{k}" if k in SPLITS else k: v for k, v in rendered.items()}
        return VOC2007(rendered_voc2007(**options))
    raise ValueError(f"data set {dataset!r}, expected 'voc2007' or 'rendered'")


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
    are those of `wslib.data.render_shapes.rendered_shapes` and mean nothing to the
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
