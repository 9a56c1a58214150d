"""Training a network with two heads, and its predictions for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from wslib.metrics.overlap import box_iou
from wslib.models.ask import Parts, ask, average_views, join
from wslib.models.two_heads import TwoHeadNetwork
from wslib.practical.views import (
    Examples,
    Views,
    box_batches,
    frozen_batches,
    network_views,
)
from wslib.training.fit import fit
from wslib.training.losses import DetectorLoss, sort_corners
from wslib.training.runs import Best

# The practical's rule: the highest accuracy, among equals the lowest loss.
BEST = (("val_accuracy", "max"), ("val_loss", "min"))


@dataclass(frozen=True, eq=False)
class Predictions:
    """The output of a two-head network for N pictures."""

    logits: np.ndarray  # (N, n) float32
    boxes: np.ndarray  # (N, 4) float32 as a ratio of the image, corners sorted

    @property
    def labels(self) -> np.ndarray:
        """The class with the highest logit, (N,)."""
        return self.logits.argmax(1)

    @property
    def probabilities(self) -> np.ndarray:
        """The softmax of the logits, (N, n)."""
        powers = np.exp(self.logits - self.logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)


def predict(
    detector: TwoHeadNetwork,
    pixels: Tensor,
    mirrored: bool = False,
    desc: str | None = None,
) -> Predictions:
    """Ask the detector about pictures (N, 3, P, P) uint8, as it is: call `eval()`
    first. With `mirrored`, the mean of its answers to the pictures and to their mirror
    images, at twice the cost. `desc` names a progress bar."""

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        logits, boxes = detector(images)
        return logits.float(), sort_corners(boxes.float())

    def back(parts: Parts) -> Parts:
        logits, boxes = parts
        return logits, Views.mirrored(len(boxes)).of_boxes(boxes)

    batches = network_views(detector, pixels, mirrored, desc)
    answers = ask(answer, batches, partial(average_views, back=back))
    logits, boxes = (part.numpy() for part in join(answers))
    return Predictions(logits, boxes)


def train_detector(
    detector: TwoHeadNetwork,
    train: Examples,
    val: Examples | None,
    epochs: int = 20,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.05,
    batch_size: int = 32,
    box_loss: str = "giou",
    box_weight: float = 1.0,
    augmentation: str = "mirror",
    rate: str = "cosine",
    seed: int = 0,
    best: Best | None = BEST,
    keep: Path | str | None = None,
    about: dict | None = None,
    desc: str = "training",
    pause: float = 0.0,
) -> pd.DataFrame:
    """Train both heads, and the features unless they are frozen; return the history.

    Columns beside those of `wslib.training.fit.fit`: class_loss, box_loss and accuracy
    of the training batches as they came; val_loss, val_accuracy and val_iou, of `val`.
    The detector ends with the weights of the epoch that is `best` on `val`; without
    `val`, or with `best=None`, with those of the last one.

    `box_loss`, `box_weight`: see `DetectorLoss`. `augmentation`: "none", "mirror", or
    "crop", which also crops and stretches (not with frozen features). Others and errors
    as `fit`; with `about_detector`'s as `about`, `load_detector` reads best.pt.
    """
    kind = frozen_batches if detector.frozen else box_batches
    loss = DetectorLoss(box_loss, box_weight)
    trained = [p for p in detector.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, learning_rate, weight_decay=weight_decay)
    about = {**(about or {}), "images": len(train), "seed": seed, "rate": rate}
    about |= {"batch_size": batch_size, "box_loss": box_loss, "box_weight": box_weight}
    about["views"] = augmentation
    measure = partial(_measure, loss, val)
    with torch.random.fork_rng():  # dropout draws from the one generator of all
        torch.manual_seed(seed)
        batches = kind(detector, train, batch_size, augmentation, seed)
        how = (epochs, measure, best if val else None, keep, about, desc)
        return fit(detector, batches, loss, optimizer, *how, rate=rate, pause=pause)


def _measure(loss: DetectorLoss, val: Examples | None, model: TwoHeadNetwork) -> dict:
    """What the batches of an epoch gave as they came, and `validate` after it."""
    return loss.pop() | (validate(model, val, loss) if val else {})


def validate(detector: TwoHeadNetwork, examples: Examples, loss: DetectorLoss) -> dict:
    """`val_loss`, `val_accuracy` and `val_iou` (the mean) of `examples`."""
    answers = predict(detector, examples.pixels)
    logits, boxes = torch.from_numpy(answers.logits), torch.from_numpy(answers.boxes)
    known = ~examples.boxes.isnan().any(1)
    total = float(loss((logits, boxes), (examples.labels, examples.boxes)))
    loss.pop()
    return {
        "val_loss": total,
        "val_accuracy": float((logits.argmax(1) == examples.labels).float().mean()),
        "val_iou": float(box_iou(boxes[known], examples.boxes[known]).mean()),
    }
