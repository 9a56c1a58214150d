"""The trainings of weak localisation: each is run once, kept, and watched as it learns.

A training is kept in `derived_root()/runs/NAME-HASH`, a name that stands for all it
depends on: the features, the labels, the settings, the code and PyTorch. So it goes on
where it was stopped, and is run anew after a change; `make clean` removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from wslib.data.folders import derived_root
from wslib.data.images import resize_image
from wslib.models.checkpoints import read_checkpoint
from wslib.models.features import FeatureMaps, ImageFiles
from wslib.models.localizers import Localizer, build_localizer
from wslib.models.wsddn import WSDDN
from wslib.runtime.kept import check_kept, keyed, written_whole
from wslib.training.trackers import Tracker, open_tracker
from wslib.weak.localizer_training import (
    LocalizerOutput,
    localizer_batches,
    locate,
    train_localizer,
    two_metrics,
)
from wslib.weak.proposal_features import ProposalFeatures
from wslib.weak.wsddn_training import measure_images, score_proposals, train_wsddn

STEPS = "first-steps.npy"


@dataclass
class EpochSnapshots:
    """The output of a network after each epoch, kept beside its training.

    `ask()` gives an array. `take` asks and keeps it, before the epoch itself is kept:
    whenever the training is stopped, no whole epoch is without it. `note` is told each
    row of the history, those of epochs before first, and so knows where it stands.
    """

    folder: Path
    ask: Callable[[], np.ndarray]
    epoch: int = 0

    def take(self) -> None:
        """Keep the output after the epoch that comes next."""
        keep_array(self._file(self.epoch + 1), self.ask())

    def note(self, row: Mapping[str, float]) -> None:
        """The epoch of this row is kept."""
        self.epoch = int(row["epoch"])

    def at(self, epoch: int) -> np.ndarray:
        """Read the output after `epoch`, from 1. Errors as `read_array`."""
        return read_array(self._file(epoch))

    def _file(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:03d}.npy"


def keep_array(path: Path, array: np.ndarray) -> None:
    """Write an array, whole or not at all."""
    with written_whole(path) as part, open(part, "wb") as file:
        np.save(file, array)


def read_array(path: Path) -> np.ndarray:
    """Read an array that a training has left. Raises FileNotFoundError where it was
    stopped before it did."""
    if not path.is_file():
        text = f"{path}: not there; remove the folder to train again"
        raise FileNotFoundError(text)
    return np.load(path)


@dataclass
class LocalizerRun:
    """A trained localizer, its history, the loss of each step of the first epoch, what
    it says of the images to examine, and its maps of some of them after each epoch,
    (W, n, h, w) float16."""

    localizer: Localizer
    history: pd.DataFrame
    first_steps: np.ndarray
    located: LocalizerOutput
    snapshots: EpochSnapshots


@dataclass
class WSDDNRun:
    """A trained WSDDN, its history, and the scores (N, P, n) of the proposals of the
    images to examine: at the end, and after each epoch (those of the images as they
    are, without their mirror images)."""

    model: WSDDN
    history: pd.DataFrame
    scores: np.ndarray
    snapshots: EpochSnapshots


def run_localizer(
    pooling: str,
    train: tuple[FeatureMaps | ImageFiles, np.ndarray],
    examine: tuple[FeatureMaps | ImageFiles, np.ndarray],
    watched: tuple[FeatureMaps | ImageFiles, Sequence[int]],
    backbone: str = "efficientnet_lite0",
    pretrained: bool = True,
    epochs: int = 12,
    learning_rate: float = 1e-3,
    optimizer: str = "adamw",
    batch_size: int = 32,
    bfloat16: bool = False,
    seed: int = 0,
    tracker: str = "none",
    device: torch.device | str = "cpu",
) -> LocalizerRun:
    """Train the map of a localizer on feature maps and labels (N, n) in 1, 0, -1; given
    `ImageFiles` in place of feature maps, train the features along, on `device`.

    The history has what `_Watch` measures after each epoch on the images to `examine`,
    by which nothing is chosen: the last epoch counts. `watched`: images and a class of
    each, whose maps go to the `tracker` of `wslib.training.trackers`, too. Errors as
    `build_localizer` and `train_localizer`.
    """
    images, labels = train
    built = {"seed": seed, "frozen": not isinstance(images, ImageFiles)}
    named = (backbone, labels.shape[1], pooling, pretrained)
    localizer = build_localizer(*named, **built).to(device)
    localizer.bfloat16 = bfloat16
    settings = {"backbone": backbone, "pretrained": pretrained, "epochs": epochs}
    settings |= {"learning_rate": learning_rate, "optimizer": optimizer, **built}
    settings |= {"batch_size": batch_size, "bfloat16": bfloat16}
    data = (train, examine, watched)
    folder = _folder(run_localizer, f"localizer-{pooling}", settings, *data)
    known = torch.from_numpy(labels)
    batches = localizer_batches(localizer, images, known, batch_size, seed)
    how = (localizer, batches, epochs, learning_rate, optimizer)
    with open_tracker(tracker, _tracking(), folder.name, settings) as track:
        watch = _Watch(localizer, folder, examine, watched, track, tracker != "none")
        history = train_localizer(*how, keep=folder, **watch.hooks)
    _check_done(history, epochs)
    located, first = locate(localizer, examine[0]), read_array(folder / STEPS)
    return LocalizerRun(localizer, history, first, located, watch.snapshots)


@dataclass
class _Watch:
    """What is measured and kept of a localizer after each epoch.

    mAP and recall on the images to `examine` as they are, and beside them, as
    `train_mAP` and `train_recall`, those of the logits that the epoch's training steps
    gave while the weights moved. With `pictures`, the tracker gets maps, too.
    """

    localizer: Localizer
    folder: Path
    examine: tuple[FeatureMaps | ImageFiles, np.ndarray]
    watched: tuple[FeatureMaps | ImageFiles, Sequence[int]]
    tracker: Tracker
    pictures: bool
    steps: list[list[Tensor]] = field(default_factory=list)  # of the epoch that is on

    def __post_init__(self) -> None:
        shown = self.watched[0]
        self.snapshots = EpochSnapshots(
            self.folder, lambda: locate(self.localizer, shown).places
        )

    @property
    def hooks(self) -> dict[str, Callable]:
        """The functions that the training calls, by the names of its arguments."""
        hooks = {"validate": self.validate, "on_epoch": self.note}
        return {**hooks, "on_step": self.step}

    def step(self, *told: Tensor) -> None:
        """Remember the loss, the logits and the labels of a training step."""
        self.steps.append([part.cpu() for part in told])

    def validate(self, model: Localizer) -> dict[str, float]:
        """Measure the epoch that ends, and keep the maps after it."""
        losses, logits, truth = zip(*self.steps, strict=True)
        if self.snapshots.epoch == 0:
            keep_array(self.folder / STEPS, torch.stack(losses).numpy())
        self.snapshots.take()
        self.steps.clear()
        seen = two_metrics(torch.cat(logits).numpy(), torch.cat(truth).numpy())
        row = locate(model, self.examine[0], flip=False).measure(self.examine[1])
        return row | {f"train_{name}": value for name, value in seen.items()}

    def note(self, row: dict[str, float]) -> None:
        """Tell the tracker of an epoch that is kept."""
        self.snapshots.note(row)
        self.tracker.row(row)
        if self.pictures:
            epoch = self.snapshots.epoch
            for name, picture in map_pictures(self.snapshots.at(epoch), *self.watched):
                self.tracker.picture(name, picture, epoch)


def map_pictures(
    places: np.ndarray, images: FeatureMaps | ImageFiles, targets: Sequence[int]
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and draw the map of one class of each image: grey (H, W, 3) uint8 as large
    as the image, from its lowest place (black) to its highest (white).

    places (W, n, h, w); targets: a class index for each of the W images.
    """
    for k, target in enumerate(targets):
        place = places[k, target].astype(np.float32)
        heat = resize_image(place - place.min(), *map(int, images.sizes[k]))
        grey = (255 * heat / max(heat.max(), 1e-6)).clip(0, 255).astype(np.uint8)
        yield f"map/{images.ids[k]}", np.repeat(grey[..., None], 3, 2)


def run_wsddn(
    train: tuple[ProposalFeatures, np.ndarray],
    examine: tuple[ProposalFeatures, np.ndarray],
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
    folder = _folder(run_wsddn, "wsddn", settings, train, examine)
    scores: list[np.ndarray] = []
    snapshots = EpochSnapshots(folder, lambda: scores[0])

    def validate(model: WSDDN) -> dict[str, float]:
        scores[:] = [score_proposals(model, examine[0], flip=False)]
        snapshots.take()
        return measure_images(scores[0], examine[1])

    def on_epoch(row: dict[str, float]) -> None:
        snapshots.note(row)
        track.row(row)

    with open_tracker(tracker, _tracking(), folder.name, settings) as track:
        history = train_wsddn(
            *(model, regions, torch.from_numpy(labels), epochs, learning_rate),
            **{"batch_size": batch_size, "spatial": spatial, "seed": seed},
            **{"validate": validate, "keep": folder, "on_epoch": on_epoch},
        )
    _check_done(history, epochs)
    return WSDDNRun(model, history, score_proposals(model, examine[0]), snapshots)


def _check_done(history: pd.DataFrame, epochs: int) -> None:
    if len(history) < epochs:  # stopped by Ctrl-C, as `fit` has said
        raise KeyboardInterrupt


def _tracking() -> Path:
    return derived_root() / "tracking"


def _folder(run: Callable, name: str, settings: dict, *data: tuple) -> Path:
    """Return the folder of a training, by all that it and its record depend on; what is
    there of it is whole."""
    parts = [getattr(part, "digest", part) for pair in data for part in pair]
    inputs = {**settings, "data": parts}
    folder = keyed(derived_root() / "runs" / name, inputs, run, torch, np)
    return check_kept(folder, {".pt": read_checkpoint, ".npy": np.load})
