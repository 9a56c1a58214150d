"""Many trainings on one split of the data: each is run once, kept, and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wslib.data.folders import derived_root
from wslib.metrics.single_box import measure_boxes
from wslib.models.checkpoints import read_checkpoint
from wslib.models.two_heads import (
    TwoHeadNetwork,
    about_detector,
    build_detector,
    load_detector,
)
from wslib.practical.detector_training import BEST, Predictions, predict, train_detector
from wslib.practical.views import Examples
from wslib.runtime.kept import check_kept, digest, keyed
from wslib.training.runs import best_epoch

PAUSE = 5.0  # seconds of training between two writings; an epoch may take 10 ms


@dataclass
class Trained:
    """A network after its training, and its predictions for the splits."""

    detector: TwoHeadNetwork
    history: pd.DataFrame
    splits: Mapping[str, Examples]
    folder: Path
    predictions: dict[tuple[str, bool], Predictions] = field(default_factory=dict)

    @property
    def best_epoch(self) -> int:
        """The number of the epoch whose weights were kept, from 1."""
        return best_epoch(self.history, BEST)

    @property
    def parameters(self) -> int:
        """The number of trained weights."""
        return sum(p.numel() for p in self.detector.parameters() if p.requires_grad)

    @property
    def seconds(self) -> float:
        """Of an epoch of training, the median."""
        return float(self.history["seconds"].median())

    def answers(self, split: str, mirrored: bool = False) -> Predictions:
        """Predict a split; asked once."""
        key = split, mirrored
        if key not in self.predictions:
            self.predictions[key] = predict(
                self.detector, self.splits[split].pixels, mirrored
            )
        return self.predictions[key]

    def measure(self, split: str, mirrored: bool = False) -> pd.DataFrame:
        """Its answers beside the truth; see `measure_boxes`."""
        return compare(self.answers(split, mirrored), self.splits[split])

    def last(self) -> Trained:
        """The same training with the weights of its last epoch."""
        detector, _ = load_detector(self.folder / "last.pt")
        detector.to(self.detector.mean.device)
        return Trained(detector, self.history, self.splits, self.folder)


def compare(answers: Predictions, examples: Examples) -> pd.DataFrame:
    """`measure_boxes` of a network's answers."""
    predicted, truth = (
        (answers.labels, answers.boxes),
        (examples.labels, examples.boxes),
    )
    return measure_boxes(*predicted, *(part.numpy() for part in truth), answers.logits)


@dataclass
class Experiments:
    """The trainings on `splits`, which holds "train", "val" and others to measure on,
    to tell `classes`.

    `settings` are those of `train_detector` that all trainings share, `epochs` among
    them. A training is
    kept in `derived_root()/runs/HASH`, a name that stands for all it depends on: the
    pictures, the settings, the code and PyTorch. So it is run once, goes on where it
    was stopped, and is run anew after a change; `make clean` removes it. Its `best.pt`
    is a detector's file like any other.
    """

    splits: Mapping[str, Examples]
    classes: Sequence[str]
    settings: Mapping[str, object]
    device: torch.device | str = "cpu"
    bfloat16: bool = False

    @cached_property
    def data(self) -> str:
        """Sixteen digits for the pictures of `train` and `val`, and their truth."""
        splits = [self.splits[name] for name in ("train", "val")]
        return digest([[part.pixels, part.labels, part.boxes] for part in splits])

    def train(
        self,
        network: str,
        seed: int = 0,
        rows: Sequence[int] | None = None,
        desc: str | None = None,
        options: Mapping[str, object] | None = None,
        **changes,
    ) -> Trained:
        """Train a network, or take it from where it is kept.

        `rows` of the training split, by default all; `options` are those of
        `build_detector`, `changes` of `settings`. Errors of both;
        KeyboardInterrupt if it was stopped.
        """
        settings = {**self.settings, **changes}
        options = {"num_classes": len(self.classes), **(options or {})}
        train = (
            self.splits["train"] if rows is None else self.splits["train"].take(rows)
        )
        detector = build_detector(network, seed, **options).to(self.device)
        detector.bfloat16 = self.bfloat16 and network != "lite0"  # it would be slower
        folder = self._folder(network, seed, rows, options, settings)
        history = train_detector(
            *(detector, train, self.splits["val"]),
            **settings,
            seed=seed,
            keep=folder,
            about=about_detector(detector, self.classes),
            desc=desc or network,
            pause=PAUSE,
        )
        if len(history) < settings["epochs"]:  # stopped by Ctrl-C, as `fit` has said
            raise KeyboardInterrupt
        return Trained(detector, history, self.splits, folder)

    def _folder(self, network, seed, rows, options, settings) -> Path:
        inputs = {"network": network, "seed": seed, "data": self.data, **settings}
        inputs |= {"rows": None if rows is None else [int(row) for row in rows]}
        inputs |= {"options": options, "bfloat16": self.bfloat16}
        inputs |= {"device": str(self.device)}
        code = train_detector, build_detector, torch, np
        folder = keyed(derived_root() / "runs" / network, inputs, *code)
        return check_kept(folder, {".pt": read_checkpoint})
