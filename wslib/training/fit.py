"""Training: one loop for every network of the book.

With a folder to keep it in, a training that was stopped goes on after its last whole
epoch, and ends as if it had never stopped, as long as all random numbers are those of
PyTorch and of the batches' generator. More epochs are another run: the cosine cannot be
stretched. Ctrl-C ends a training early, with a note on standard error: the model holds
the best weights so far. In the first epoch, with nothing to keep, it is raised.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler as schedules

from wslib.runtime.progress import progress
from wslib.training.batches import Batches, file_batches, pixel_batches
from wslib.training.runs import Best, Run

Validate = Callable[[nn.Module], dict[str, float]]
STEP = 30  # epochs after which a rate of steps falls to a tenth
RATES = {  # how the learning rate goes, over so many epochs
    # to 0 (Loshchilov & Hutter 2017, equation 5, https://arxiv.org/abs/1608.03983)
    "cosine": schedules.CosineAnnealingLR,
    "constant": lambda optimizer, epochs: schedules.ConstantLR(optimizer, 1.0),
    "steps": lambda optimizer, epochs: schedules.StepLR(optimizer, STEP, gamma=0.1),
}


def fit(
    model: nn.Module,
    batches: Batches,
    loss: Callable[[Any, Any], Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    validate: Validate | None = None,
    best: Best | None = None,
    keep: Path | str | None = None,
    about: dict | None = None,
    desc: str = "training",
    on_epoch: Callable[[dict[str, float]], object] | None = None,
    rate: str = "cosine",
    pause: float = 0.0,
) -> pd.DataFrame:
    """Train `model` in place and return its history, one row an epoch.

    `batches` is iterated once an epoch and yields (inputs, targets); `loss(outputs,
    targets)` is a scalar; `rate` is one of `RATES`. `validate(model)`, in eval mode,
    adds its numbers to each row. Columns: epoch (from 1), loss (mean over the batches),
    seconds (of training), learning_rate (of the first group of parameters).

    At the end, in eval mode, the model holds the weights of the best epoch by `best`: a
    column and "max" or "min", such as ("mAP", "max"), or several, each to decide among
    equals of those before; then the earliest. Without `best` these are the last ones.
    With a folder `keep`, each epoch leaves `last.pt`, `best.pt` and `history.csv` there
    (see `wslib.training.runs.Run`; `about` describes the run, and within `pause`
    seconds they are not written again). `on_epoch(row)` is told each row after its
    epoch, and when fit goes on, first those before; it must draw no random numbers.

    Raises RuntimeError for a loss that is not finite; ValueError for no batches, one of
    which batch norm can learn nothing, an unknown `rate`, a column of `best` that is
    not there, or a folder that holds another run.
    """
    if epochs < 1:
        raise ValueError(f"{desc}: epochs is {epochs}, expected 1 or more")
    if rate not in RATES:
        raise ValueError(f"rate {rate!r}, expected one of {', '.join(RATES)}")
    how = (batches, epochs, best, keep, about or {}, pause)
    run = Run(model, optimizer, RATES[rate](optimizer, epochs), *how)
    run.resume()
    _go_on(run, loss, validate, desc, on_epoch)
    model.load_state_dict(run.weights)
    model.eval()
    return pd.DataFrame(run.rows)


def _go_on(run: Run, loss, validate: Validate | None, desc: str, on_epoch) -> None:
    """Train the epochs that are not there yet, or those before Ctrl-C."""
    interrupted = False
    tell = (lambda row: None) if on_epoch is None else on_epoch
    try:
        for row in run.rows:
            tell(dict(row))
        for epoch in progress(range(len(run.rows) + 1, run.epochs + 1), desc):
            row = {"epoch": epoch}
            row |= _train(run.model, run.batches, loss, run.optimizer)
            if not math.isfinite(row["loss"]):
                text = f"{desc}: the loss is {row['loss']} in epoch {epoch}"
                raise RuntimeError(f"{text}; lower the learning rate")
            run.schedule.step()
            row.update(_numbers(validate(run.model), row) if validate else {})
            run.end_epoch(row)
            tell(dict(row))
    except KeyboardInterrupt:
        if not run.rows:
            raise
        interrupted = True
    if interrupted:  # told here, where the progress bars are gone
        print(f"{desc}: {run.stopped()}", file=sys.stderr)


def _train(model, batches, loss, optimizer) -> dict[str, float]:
    """One epoch; then the model is in eval mode."""
    started, rate = time.perf_counter(), float(optimizer.param_groups[0]["lr"])
    model.train()
    losses = [_step(model, batch, loss, optimizer) for batch in batches]
    if not losses:
        raise ValueError("no batches to train on")
    mean = float(torch.stack(losses).mean())
    model.eval()
    seconds = time.perf_counter() - started
    return {"loss": mean, "seconds": seconds, "learning_rate": rate}


def _step(model, batch, loss, optimizer) -> Tensor:
    inputs, targets = batch
    optimizer.zero_grad()
    try:
        value = loss(model(inputs), targets)
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        text = "expected more, for its batch norm; choose another size of batches"
        raise ValueError(f"a batch of one, with maps of 1 x 1: {text}") from None
    value.backward()
    optimizer.step()
    return value.detach()


def _numbers(validated: dict[str, float], row: dict) -> dict[str, float]:
    taken = sorted(validated.keys() & row.keys())
    if taken:
        raise ValueError(f"validate gives {taken[0]!r}, a column that training has")
    return {name: float(value) for name, value in validated.items()}


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy with logits (B, n), averaged over the labels (B, n) that are
    1 or 0; a label of -1 says nothing (VOC: only difficult objects of that class)."""
    known = labels >= 0
    return F.binary_cross_entropy_with_logits(logits[known], labels[known].float())


def fine_tune(
    model,
    paths: list[Path],
    labels: Tensor,
    size: int,
    epochs: int,
    learning_rate: float = 1e-4,
    weight_decay: float = 0.05,
    batch_size: int = 16,
    seed: int = 0,
    validate: Validate | None = None,
    best: Best | None = None,
    keep: Path | str | None = None,
    about: dict | None = None,
) -> pd.DataFrame:
    """Train the whole classifier on augmented images, from where its head is already
    trained. `labels` (N, classes) in 1, 0, -1. Returns the history.

    `validate`, `best`, `keep`, `about`, and errors: as `fit`. With an `about` that is
    `wslib.models.checkpoints.about_classifier`, `load_classifier` reads `best.pt`.
    """
    batches = file_batches(model, paths, labels, size, batch_size, seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=weight_decay
    )
    about = {**(about or {}), "images": len(paths), "size": size, "seed": seed}
    about["batch_size"] = batch_size
    return fit(
        *(model, batches, multilabel_loss, optimizer, epochs),
        *(validate, best, keep, about),
        desc="fine-tuning",
    )


def train_classifier(
    model,
    images: Tensor,
    labels: Tensor,
    size: tuple[int, int],
    epochs: int = 5,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
    batch_size: int = 128,
    seed: int = 0,
    validate: Validate | None = None,
    best: Best | None = None,
) -> pd.DataFrame:
    """Train the whole classifier to tell the one class of each image, by cross-entropy.

    `images` (N, 3, H, W) uint8, `labels` (N,) int64; shown at `size` = (height, width),
    mirrored or not. Returns the history. `validate`, `best` and errors: as `fit`, and
    ValueError for another number of labels."""
    batches = pixel_batches(model, images, labels, size, batch_size, seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=weight_decay
    )
    return fit(
        *(model, batches, F.cross_entropy, optimizer, epochs, validate, best),
        desc="training",
    )
