"""The trainings of weak localisation: each is run once, kept, and watched as it learns.

A training is kept in `derived_root()/runs/NAME-HASH`, a name that stands for all it
depends on: the features, the labels, the settings, the code and PyTorch. So it goes on
where it was stopped, and is run anew after a change; `make clean` removes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wslib import localizer_training, runs, training, wsddn_training
from wslib.data.folders import derived_root, recipe_hash
from wslib.feature_maps import FeatureMaps
from wslib.localizer_training import Located, MapBatches, locate, train_localizer
from wslib.models import localizers, wsddn
from wslib.models.localizers import Localizer, build_localizer
from wslib.models.wsddn import WSDDN
from wslib.regions import Regions
from wslib.trackers import open_tracker
from wslib.wsddn_training import measured, score_regions, train_wsddn

CODE = (localizer_training, wsddn_training, localizers, wsddn, training, runs)


@dataclass
class Watch:
    """What a network says after each epoch, kept beside its training.

    `ask()` gives an array; it is asked once an epoch, and not again when the training
    is taken from where it is kept. Call it with each row of the history.
    """

    folder: Path
    ask: Callable[[], np.ndarray]

    def __call__(self, row: Mapping[str, float]) -> None:
        path = self._file(row["epoch"])
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, self.ask())

    def at(self, epoch: int) -> np.ndarray:
        """What was said after `epoch`, from 1."""
        return np.load(self._file(epoch))

    def _file(self, epoch: float) -> Path:
        return self.folder / f"epoch-{int(epoch):03d}.npy"


@dataclass
class LocalizerRun:
    """A trained localizer, its history, the loss of each step of the first epoch, what
    it says of the images to examine, and its maps of some of them after each epoch,
    (W, n, h, w) float16."""

    localizer: Localizer
    history: pd.DataFrame
    first_steps: np.ndarray
    located: Located
    watch: Watch


@dataclass
class WSDDNRun:
    """A trained WSDDN, its history, and the scores (N, P, n) of the proposals of the
    images to examine: at the end, and after each epoch (those of the images as they
    are, without their mirror images, float16)."""

    model: WSDDN
    history: pd.DataFrame
    scores: np.ndarray
    watch: Watch


def run_localizer(
    pooling: str,
    train: tuple[FeatureMaps, np.ndarray],
    examine: tuple[FeatureMaps, np.ndarray],
    watched: FeatureMaps,
    backbone: str = "efficientnet_lite0",
    epochs: int = 12,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    bfloat16: bool = False,
    seed: int = 0,
    tracker: str = "none",
) -> LocalizerRun:
    """Train the map of a localizer on feature maps and labels (N, n) in 1, 0, -1.

    After each epoch it is measured on those to examine, by which nothing is chosen: the
    last epoch counts. `tracker`: see `wslib.trackers`. Errors as `train_localizer`.
    """
    maps, labels = train
    localizer = build_localizer(backbone, labels.shape[1], pooling, seed=seed)
    localizer.bfloat16 = bfloat16
    settings = {"backbone": backbone, "epochs": epochs, "learning_rate": learning_rate}
    settings |= {"batch_size": batch_size, "bfloat16": bfloat16, "seed": seed}
    data = [maps.digest, examine[0].digest, watched.digest, _digest(labels)]
    folder = _folder(f"localizer-{pooling}", settings, data)
    steps = folder / "first-steps.npy"
    watch = Watch(folder, lambda: locate(localizer, watched).places)
    batches = MapBatches(
        maps, torch.from_numpy(labels), localizer.channels, batch_size, seed
    )
    losses: list[float] = []

    def on_epoch(row: dict[str, float]) -> None:
        if not steps.is_file():
            np.save(steps, losses)
        watch(row)
        track.row(row)

    with open_tracker(
        tracker, derived_root() / "tracking", folder.name, settings
    ) as track:
        history = train_localizer(
            *(localizer, batches, epochs, learning_rate),
            validate=lambda model: locate(model, examine[0], flip=False).measured(
                examine[1]
            ),
            keep=folder,
            on_epoch=on_epoch,
            on_step=losses.append,
        )
    located = locate(localizer, examine[0])
    return LocalizerRun(localizer, history, np.load(steps), located, watch)


def run_wsddn(
    train: tuple[Regions, np.ndarray],
    examine: tuple[Regions, np.ndarray],
    contrast: bool = True,
    hidden: int = 0,
    spatial: float = 0.0,
    epochs: int = 8,
    learning_rate: float = 3e-3,
    batch_size: int = 16,
    seed: int = 0,
    tracker: str = "none",
) -> WSDDNRun:
    """Train WSDDN on regions and labels (N, n) in 1, 0, -1; else as `run_localizer`."""
    regions, labels = train
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inputs = regions.features.shape[3] // 2
        model = WSDDN(inputs, labels.shape[1], contrast, hidden)
    settings = {"contrast": contrast, "hidden": hidden, "spatial": spatial}
    settings |= {"epochs": epochs, "learning_rate": learning_rate, "seed": seed}
    settings |= {"batch_size": batch_size}
    data = [regions.digest, examine[0].digest, _digest(labels)]
    folder = _folder("wsddn", settings, data)
    said: list[np.ndarray] = []

    def validate(model: WSDDN) -> dict[str, float]:
        said[:] = [score_regions(model, examine[0], flip=False)]
        return measured(said[0], examine[1])

    def ask() -> np.ndarray:
        scores = said or [score_regions(model, examine[0], flip=False)]
        return scores[0].astype(np.float16)

    watch = Watch(folder, ask)

    def on_epoch(row: dict[str, float]) -> None:
        watch(row)
        track.row(row)

    with open_tracker(
        tracker, derived_root() / "tracking", folder.name, settings
    ) as track:
        history = train_wsddn(
            *(model, regions, torch.from_numpy(labels), epochs, learning_rate),
            **{"batch_size": batch_size, "spatial": spatial, "seed": seed},
            **{"validate": validate, "keep": folder, "on_epoch": on_epoch},
        )
    return WSDDNRun(model, history, score_regions(model, examine[0]), watch)


def _folder(name: str, settings: dict, data: list[str]) -> Path:
    code = [module.__file__ for module in CODE]
    name = f"{name}-{recipe_hash({**settings, 'data': data}, code, torch, np)}"
    return derived_root() / "runs" / name


def _digest(labels: np.ndarray) -> str:
    content = np.ascontiguousarray(labels)
    return hashlib.blake2b(content.data, digest_size=8).hexdigest()
