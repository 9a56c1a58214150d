"""Training a network with two heads, and what it then says of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from wslib.metrics.overlap import box_iou
from wslib.models.detectors import Detector
from wslib.practical.views import (
    BoxBatches,
    Examples,
    MapBatches,
    Views,
    network_images,
)
from wslib.training.fit import fit
from wslib.training.losses import DetectorLoss, sort_corners
from wslib.training.runs import Best

BEST = (("val_accuracy", "max"), ("val_loss", "min"))  # the practical's rule


@dataclass(frozen=True, eq=False)
class Answers:
    """What a detector says of N pictures."""

    logits: np.ndarray  # (N, n) float32
    boxes: np.ndarray  # (N, 4) float32 as a ratio of the image, corners sorted

    @property
    def labels(self) -> np.ndarray:
        return self.logits.argmax(1)


@torch.inference_mode()
def answer(detector: Detector, pixels: Tensor, mirrored: bool = False) -> Answers:
    """What the detector says of pictures (N, 3, P, P) uint8, as it is: call `eval()`
    first. With `mirrored`, the mean of that and of what it says of their mirror images,
    at twice the cost."""
    logits, boxes = _answer(detector, pixels, False)
    if mirrored:
        others, theirs = _answer(detector, pixels, True)
        theirs = Views.mirrored(len(theirs)).of_boxes(theirs)
        logits, boxes = (logits + others) / 2, (boxes + theirs) / 2
    return Answers(logits.numpy(), boxes.numpy())


def _answer(detector: Detector, pixels: Tensor, mirrored: bool):
    pairs = [detector(images) for images in network_images(detector, pixels, mirrored)]
    logits, boxes = (
        torch.cat(parts).float().cpu() for parts in zip(*pairs, strict=True)
    )
    return logits, sort_corners(boxes)


def train_detector(
    detector: Detector,
    train: Examples,
    val: Examples | None,
    epochs: int = 20,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.05,
    batch_size: int = 32,
    box_loss: str = "giou",
    box_weight: float = 1.0,
    augmentation: str = "mirror",
    seed: int = 0,
    best: Best | None = BEST,
    keep: Path | str | None = None,
    about: dict | None = None,
    desc: str = "training",
) -> pd.DataFrame:
    """Train both heads at once, and the features unless they are frozen; return the
    history, a row an epoch.

    Columns beside those of `wslib.training.fit.fit`: class_loss, box_loss and accuracy
    of the training batches as they came; val_loss, val_accuracy and val_iou, of `val`.
    The detector ends with the weights of the best epoch: by the practical's rule that
    of the highest `val_accuracy`, among equals of the lowest `val_loss`. Without `val`,
    or with `best=None`, those of the last one.

    `box_loss`, `box_weight`: see `wslib.training.losses.DetectorLoss`. `augmentation`:
    "none", "mirror", or "crop", which also crops and stretches (not with frozen
    features). `keep`, `about` and errors as `wslib.training.fit.fit`; with an `about`
    that is `about_detector`'s, `load_detector` reads `best.pt`.
    """
    kind = MapBatches if detector.frozen else BoxBatches
    loss = DetectorLoss(box_loss, box_weight)
    trained = [p for p in detector.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, learning_rate, weight_decay=weight_decay)
    told = {"images": len(train), "seed": seed, "batch_size": batch_size}
    told |= {"box_loss": box_loss, "box_weight": box_weight, "views": augmentation}
    with torch.random.fork_rng():  # dropout draws from the one generator of all
        torch.manual_seed(seed)
        return fit(
            detector,
            kind(detector, train, batch_size, augmentation, seed),
            loss,
            optimizer,
            epochs,
            lambda model: loss.pop() | (validate(model, val, loss) if val else {}),
            best if val else None,
            keep,
            {**(about or {}), **told},
            desc,
        )


def validate(detector: Detector, examples: Examples, loss: DetectorLoss) -> dict:
    """`val_loss`, `val_accuracy` and `val_iou` (the mean) of `examples`."""
    answers = answer(detector, examples.pixels)
    logits, boxes = torch.from_numpy(answers.logits), torch.from_numpy(answers.boxes)
    known = ~examples.boxes.isnan().any(1)
    total = float(loss((logits, boxes), (examples.labels, examples.boxes)))
    loss.pop()
    return {
        "val_loss": total,
        "val_accuracy": float((logits.argmax(1) == examples.labels).float().mean()),
        "val_iou": float(box_iou(boxes[known], examples.boxes[known]).mean()),
    }
