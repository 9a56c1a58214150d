"""A split of the pictures and a training on it, kept in a folder and gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from wslib.data.caltech import Pictures, read_csv, write_csv
from wslib.data.duplicates import duplicate_groups
from wslib.data.splits import stratified_split, subset
from wslib.models.two_heads import TwoHeadNetwork, about_detector
from wslib.practical.detector_training import train_detector
from wslib.practical.evaluation import PARTS
from wslib.practical.views import AUGMENTATIONS, Examples
from wslib.runtime.kept import write_json
from wslib.training.losses import DetectorLoss

ADVICE = "choose another --out, or remove it"


def check_training(
    box_loss: str, box_weight: float, augmentation: str, frozen: bool, share: float
) -> None:
    """Raise ValueError for what would fail only after the pictures are read."""
    DetectorLoss(box_loss, box_weight)
    allowed = ("none", "mirror") if frozen else AUGMENTATIONS
    if augmentation not in allowed:
        text = f"--augmentation {augmentation}{' with --frozen' * frozen}"
        raise ValueError(f"{text}, expected one of {', '.join(allowed)}")
    if not 0 < share <= 1:
        raise ValueError(f"--share {share}, expected above 0 and up to 1")


def parse_shares(split: str) -> dict[str, float]:
    """Read "0.8,0.1,0.1", the shares of train, val and test; that they add up is
    checked where the split is made. Raises ValueError for another number of them."""
    try:
        shares = [float(word) for word in split.split(",")]
    except ValueError:
        shares = []
    if len(shares) != len(PARTS):
        text = "expected three shares, such as 0.8,0.1,0.1"
        raise ValueError(f"--split {split}: {text}")
    return dict(zip(PARTS, shares, strict=True))


def choose_options(
    frozen: bool, pretrained: bool, batch_norm: bool, dropout: float | None
) -> dict[str, object]:
    """Name the options of `build_detector` that are not its defaults, as not every
    network has each of them."""
    options = {"frozen": True} if frozen else {}
    options |= {} if pretrained else {"pretrained": False}
    options |= {} if batch_norm else {"batch_norm": False}
    return options if dropout is None else {**options, "dropout": dropout}


def train_kept(
    detector: TwoHeadNetwork,
    pictures: Pictures,
    folder: Path,
    settings: Mapping[str, object],
    **training,
) -> tuple[pd.DataFrame, dict[str, Pictures], Examples]:
    """Split pictures in `folder`, train a detector on `train` and keep it there, or go
    on with both; return the history, the parts, and `val` decoded.

    `settings`: those of `keep_split`; `training`: arguments of `train_detector`. Errors
    of both.
    """
    sets, examples = keep_split(folder, pictures, settings), {}
    for part in ("train", "val"):
        desc = f"reading {PARTS[part]}"
        examples[part] = Examples.read(sets[part], detector.input_size, desc)
    about = {**settings, **about_detector(detector, pictures.classes)}
    data = (detector, examples["train"], examples["val"])
    seed = settings["seed"]
    history = train_detector(*data, seed=seed, keep=folder, about=about, **training)
    return history, sets, examples["val"]


def keep_split(
    folder: Path, pictures: Pictures, settings: Mapping[str, object]
) -> dict[str, Pictures]:
    """Split pictures into train.csv, val.csv and test.csv in `folder`, which are
    written where they are not there yet; return the pictures of each part.

    `settings`: `split`, the share of each part; `share`, that of the training set which
    is kept; `seed`; and what else makes it this split: all of it goes into split.json.
    Pictures that are nearly the same stay in one part. Raises ValueError, one line that
    names the file, where another split is there.
    """
    settings = {**settings, "pictures": len(pictures)}
    files = {part: folder / f"{part}.csv" for part in PARTS}
    _check_same(folder / "split.json", files, settings)
    if not all(file.is_file() for file in files.values()):
        rows = _divide(pictures, settings)
        write_json(folder / "split.json", settings)
        for name, file in files.items():
            write_csv(file, pictures.take(rows[name]))
    classes = pictures.classes
    return {name: read_csv(file, classes) for name, file in files.items()}


def _divide(pictures: Pictures, settings: Mapping) -> dict[str, np.ndarray]:
    """Draw the rows of each part; of the training set only the share that is wanted."""
    groups, seed = duplicate_groups(pictures), settings["seed"]
    rows = stratified_split(pictures.labels, settings["split"], seed, groups)
    some = subset(pictures.labels[rows["train"]], settings["share"], seed)
    return {**rows, "train": rows["train"][some]}


def _check_same(path: Path, files: Mapping[str, Path], settings: Mapping) -> None:
    """Raise ValueError where there is a split, and not this one."""
    if not path.is_file():
        for file in files.values():
            if file.exists():
                text = "a split that no split.json tells of"
                raise ValueError(f"{file}: {text}; {ADVICE}")
        return
    try:
        known = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise ValueError(f"{path}: damaged; {ADVICE}") from None
    for key, value in settings.items():
        if known.get(key) != value:
            text = f"another split, with {key} {known.get(key)}, not {value}"
            raise ValueError(f"{path}: {text}; {ADVICE}")
