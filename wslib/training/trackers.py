"""Trackers: a training's history, as it grows, in TensorBoard or Weights & Biases.

Rows and names are those of `history.csv`, which is kept anyway (see
`wslib.training.runs`). The packages are optional: `pip install -r
requirements-trackers.txt`.
"""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import numpy as np

Kind = Literal["none", "tensorboard", "wandb"]
KINDS = get_args(Kind)


@contextmanager
def open_tracker(
    kind: Kind, folder: Path | str, name: str, settings: Mapping | None = None
) -> Iterator[Tracker]:
    """Track one training in `folder`/`name`; closed at the end, also after an error.

        with open_tracker("tensorboard", folder, "localizer-max", settings) as tracker:
            fit(..., on_epoch=tracker.row)

    none: does nothing, and needs nothing. tensorboard: event files, which `tensorboard
    --logdir FOLDER` draws. wandb: a run that needs no account, offline unless
    `WANDB_MODE` says otherwise, of the project "wslib" or `WANDB_PROJECT`.

    The folder holds one record, and opening it again begins that anew: what was there
    is removed, and on wandb's server replaced. As `fit` first tells the epochs before
    when it goes on, each is there once; pictures have to be given again.

    Raises ValueError for another kind, RuntimeError for a package that is not there.
    """
    if kind not in KINDS:
        raise ValueError(f"tracker {kind!r}, expected one of {', '.join(KINDS)}")
    settings = json.loads(json.dumps(dict(settings or {}), default=str))
    try:
        tracker = TRACKERS[kind](Path(folder) / name, name, settings)
    except ImportError as error:
        text = "`pip install -r requirements-trackers.txt`"
        raise RuntimeError(f"tracker {kind!r}: not there ({error}); {text}") from None
    try:
        yield tracker
    except BaseException:  # Ctrl-C, too
        tracker.close(failed=True)
        raise
    tracker.close(failed=False)


class Tracker:
    """The tracker "none", and the manner of the others."""

    def __init__(self, path: Path, name: str, settings: dict):
        """Begin the record of the training called `name` in the folder `path`."""

    def row(self, row: Mapping[str, float]) -> None:
        """Note the numbers of one epoch: a row of a history, with its "epoch"."""

    def picture(self, name: str, image: np.ndarray, epoch: int) -> None:
        """Note an image (H, W, 3) uint8, of any epoch. Raises ValueError for others."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            given = f"{image.dtype} of shape {image.shape}"
            raise ValueError(f"picture {name!r}: {given}, expected uint8 (H, W, 3)")

    def close(self, failed: bool) -> None:
        """Nothing more comes, as the training is done, or has failed."""


class TensorBoard(Tracker):
    """Scalars and images named as their columns and pictures, at step = epoch."""

    def __init__(self, path: Path, name: str, settings: dict):
        from torch.utils.tensorboard import SummaryWriter

        earlier = list(path.glob("events.out.tfevents.*"))
        self.writer = SummaryWriter(str(path))
        for file in earlier:
            file.unlink()
        text = json.dumps(settings, indent=2, ensure_ascii=False)
        self.writer.add_text("settings", textwrap.indent(text, 4 * " "))  # as code

    def row(self, row: Mapping[str, float]) -> None:
        for column, value in row.items():
            if column != "epoch":
                self.writer.add_scalar(column, value, row["epoch"])
        self.writer.flush()

    def picture(self, name: str, image: np.ndarray, epoch: int) -> None:
        super().picture(name, image, epoch)
        self.writer.add_image(name, image, epoch, dataformats="HWC")

    def close(self, failed: bool) -> None:
        self.writer.close()


class WeightsAndBiases(Tracker):
    """Columns and pictures under their names, over "epoch"."""

    def __init__(self, path: Path, name: str, settings: dict):
        from wandb import Image, Settings, init

        path.mkdir(parents=True, exist_ok=True)  # wandb would go elsewhere
        earlier = list(path.glob("wandb/*run-*-*"))  # [offline-]run-TIME-ID[-NUMBER]
        ids = [folder.name.removeprefix("offline-").split("-")[2] for folder in earlier]
        # In the environment, as wandb's telemetry obeys no other setting.
        mode = os.environ.setdefault("WANDB_MODE", "offline")
        self.image, self.run = Image, init(
            project=os.environ.get("WANDB_PROJECT", "wslib"), name=name,
            id=ids[0] if ids else None, reinit="create_new",
            dir=path, config=settings, mode=mode,
            settings=Settings(silent=True, console="off"),
        )  # fmt: skip
        for folder in earlier:
            shutil.rmtree(folder, ignore_errors=True)  # Windows: one may be in use
        self.run.define_metric("*", step_metric="epoch")

    def row(self, row: Mapping[str, float]) -> None:
        self.run.log(dict(row))

    def picture(self, name: str, image: np.ndarray, epoch: int) -> None:
        super().picture(name, image, epoch)
        self.run.log({name: self.image(image), "epoch": epoch})

    def close(self, failed: bool) -> None:
        self.run.finish(exit_code=int(failed))


TRACKERS = dict(zip(KINDS, (Tracker, TensorBoard, WeightsAndBiases), strict=True))
