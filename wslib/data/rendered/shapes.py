"""The shapes data set, made here: one drawn shape on each picture, mask and label.

In the layout of the course's own (`wslib.data.shapes`): 64 x 48 pixels, one of five
kinds, 13 to 19 pixels large, half-transparent. It says what it is: `RENDERED.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from wslib.data.backgrounds import cifar10_splits, photograph_crops
from wslib.data.folders import derived_root
from wslib.data.images import resize_image
from wslib.data.rendered.bounds import check_count, check_seed
from wslib.data.rendered.drawn.shapes import lay_shape
from wslib.data.shapes import ENDINGS, KINDS, PHOTOGRAPHS, SPLITS
from wslib.data.voc import RENDERED
from wslib.runtime.kept import keep
from wslib.runtime.progress import progress

SIZE = (64, 48)  # width and height
SOURCES = {"rendered": photograph_crops, "cifar10": cifar10_splits}
TEST_SEED = 1_000_003  # added to the seed where test images are drawn
ABOUT = (
    "one shape drawn on each picture; where a split has more images than there are "
    "pictures, these come again with other shapes"
)


def rendered_shapes(
    source: str = "rendered",
    n_train: int = 3500,
    n_val: int = 1000,
    n_test: int = 500,
    seed: int = 0,
) -> Path:
    """Return the folder of a set, drawn now if it is not there yet.

    `source` says where the pictures come from: "rendered" are crops of photographs
    that packages ship, "cifar10" are CIFAR-10's (`wslib.data.backgrounds` tells which
    go into which split). The counts are the course's by default. The folder is
    `derived_root()/data/shapes-SOURCE-HASH`; the hash is that of the arguments, of the
    pictures' file, of the code that draws and of the libraries that it uses.

    Raises ValueError for an unknown source, and what `render_shapes` and the source
    raise.
    """
    if source not in SOURCES:
        raise ValueError(f"pictures {source!r}, expected {' or '.join(SOURCES)}")
    pictures, what = SOURCES[source]()
    counts = {"train": n_train, "val": n_val, "test": n_test}
    return keep(
        derived_root() / "data" / f"shapes-{source}",
        {"pictures": what, "seed": seed, **counts},
        lambda part: render_shapes(part, pictures, counts, seed, what),
        *(cv2, np),
    )


def render_shapes(
    folder: Path | str,
    pictures: Mapping[str, Sequence[np.ndarray]],
    counts: Mapping[str, int],
    seed: int = 0,
    source: str = "",
) -> Path:
    """Draw a data set into `folder`; return it.

    pictures: for each of train, val, test those to draw on, (h, w, 3) uint8 RGB of any
    size, resized to 64 x 48. No picture comes twice before all have come once.
    counts: images of each split. source: a word on the pictures for `RENDERED.json`.
    Pictures that know which `photograph(number)` they were cut from, as
    `wslib.data.backgrounds.Crops`, have it written down for each image.

    Image number i of a split depends on the seed, the split, i and the split's
    pictures only, not on how many there are. Each five images in a row have the five
    kinds, shuffled. Test images have a seed of their own, `seed + TEST_SEED`, so that
    no train or val image of a small seed is drawn by the same random numbers.

    Raises ValueError for a count or a seed that makes no sense and for no pictures.
    """
    check_seed(seed)
    for split in SPLITS:
        check_count(f"n_{split}", counts[split])
        if not len(pictures[split]):
            raise ValueError(f"no pictures for {split}, expected 1 or more")
    folder = Path(folder)
    for split in SPLITS:
        for part in ENDINGS:
            (folder / part / split).mkdir(parents=True, exist_ok=True)
    photographs = _draw_all(folder, pictures, counts, seed)
    if photographs:
        _write_json(folder / PHOTOGRAPHS, photographs, indent=0)
    about = {"about": ABOUT, "pictures": source}
    about |= {"seed": seed, "test_seed": seed + TEST_SEED}
    about |= {split: counts[split] for split in SPLITS}
    _write_json(folder / RENDERED, about, indent=1)
    return folder


def _draw_all(
    folder: Path, pictures: Mapping, counts: Mapping[str, int], seed: int
) -> dict[str, int]:
    """Draw the images; return the photograph below each, where the pictures know it."""
    jobs, photographs = [(s, i) for s in SPLITS for i in range(counts[s])], {}
    for split, i in progress(jobs, "drawing shapes"):
        image, mask, kind = draw_item(pictures[split], split, i, seed)
        name = f"{split}/{i + 1:04d}"
        _write(folder, name, image, mask, kind)
        if hasattr(pictures[split], "photograph"):
            below = picture_number(pictures[split], split, i, seed)
            photographs[name] = pictures[split].photograph(below)
    return photographs


def _write_json(path: Path, content: dict, indent: int) -> None:
    text = json.dumps(content, indent=indent) + "\n"
    path.write_text(text, encoding="utf-8")


def draw_item(
    pictures: Sequence[np.ndarray], split: str, i: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, str]:
    """Image number `i` (from 0) of a split: (48, 64, 3) uint8 RGB, the mask (48, 64)
    bool of its shape, and the kind of that."""
    key = _key(split, seed)
    picture = pictures[picture_number(pictures, split, i, seed)]
    block, place = divmod(i, len(KINDS))
    kind = KINDS[_order(*key, 1, block, len(KINDS))[place]]
    rng = np.random.default_rng((*key, 2, i))
    image, mask = lay_shape(rng, resize_image(picture, *SIZE), kind)
    return image, mask, kind


def picture_number(pictures: Sequence, split: str, i: int, seed: int = 0) -> int:
    """Which of the pictures lies below image number `i` (from 0) of a split."""
    cycle, place = divmod(i, len(pictures))
    return int(_order(*_key(split, seed), 0, cycle, len(pictures))[place])


def _key(split: str, seed: int) -> tuple[int, int]:
    return seed + TEST_SEED * (split == "test"), SPLITS.index(split)


@lru_cache(maxsize=64)
def _order(seed: int, split: int, purpose: int, number: int, count: int) -> np.ndarray:
    """The numbers from 0 to `count` - 1, shuffled."""
    return np.random.default_rng((seed, split, purpose, number)).permutation(count)


def _write(folder: Path, name: str, image: np.ndarray, mask: np.ndarray, kind: str):
    grey = mask * np.uint8(255)
    for part, pixels in (("images", image[:, :, ::-1]), ("masks", grey)):
        _, code = cv2.imencode(".png", pixels)
        (folder / part / f"{name}.png").write_bytes(code.tobytes())
    (folder / "labels" / f"{name}.txt").write_text(f"{kind}\n", encoding="utf-8")
