"""Training: one loop for every network of the book, its history and its checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wslib.data.images import ImageBatches
from wslib.progress import progress

Batches = Iterable[tuple[Tensor, Tensor]]


def fit(
    model: nn.Module,
    batches: Batches,
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    epochs: int,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    desc: str = "training",
) -> pd.DataFrame:
    """Train `model` in place and return its history, one row an epoch.

    `batches` is iterated once an epoch and yields (inputs, targets); `loss(outputs,
    targets)` is a scalar. The learning rate falls along half a cosine to 0 (Loshchilov
    & Hutter 2017, equation 5, https://arxiv.org/abs/1608.03983). `validate(model)` adds
    its numbers to each row. Columns: epoch (from 1), loss (mean over the batches), and
    what `validate` gives. Raises RuntimeError when the loss is no longer finite.
    """
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    history = []
    for epoch in progress(range(1, epochs + 1), desc):
        model.train()
        losses = [_step(model, batch, loss, optimizer) for batch in batches]
        schedule.step()
        mean = float(torch.stack(losses).mean())
        if not mean < float("inf"):
            raise RuntimeError(
                f"{desc}: the loss is {mean} in epoch {epoch}; lower the learning rate"
            )
        model.eval()
        history.append({"epoch": epoch, "loss": mean})
        history[-1].update(validate(model) if validate else {})
    return pd.DataFrame(history)


def _step(model, batch, loss, optimizer) -> Tensor:
    inputs, targets = batch
    optimizer.zero_grad()
    value = loss(model(inputs), targets)
    value.backward()
    optimizer.step()
    return value.detach()


def multilabel_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy with logits (B, n), averaged over the labels (B, n) that are
    1 or 0; a label of -1 says nothing (VOC: only difficult objects of that class)."""
    known = labels >= 0
    return F.binary_cross_entropy_with_logits(logits[known], labels[known].float())


class AugmentedBatches:
    """Shuffled batches of normalised images (B, 3, S, S) and their labels, read from
    files; each time another crop of 76.5 to 100 % of the area, mirrored or not."""

    def __init__(self, model, paths, labels: Tensor, size: int, batch_size: int, seed):
        self.model, self.paths, self.labels = model, list(paths), labels
        self.size, self.batch_size = size, batch_size
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        device = next(self.model.parameters()).device
        order = torch.randperm(len(self.paths), generator=self.generator)
        paths = [self.paths[i] for i in order]
        batches = ImageBatches(paths, self.size, self.batch_size, desc="images")
        for (images, _), rows in zip(
            batches, order.split(self.batch_size), strict=True
        ):
            images = random_crop_and_flip(images, self.generator).to(device)
            yield self.model.normalize(images), self.labels[rows].to(device)


def random_crop_and_flip(
    images: Tensor, generator: torch.Generator, least_area: float = 0.765
) -> Tensor:
    """Images (B, C, H, W) -> the same shape: of each a random part of its aspect, of
    `least_area` to 1 of its area, mirrored with probability 1/2."""
    draws = torch.rand(4, len(images), generator=generator)
    side = (least_area + (1 - least_area) * draws[0]).sqrt()  # (B,) of the whole
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0] = side * torch.where(draws[1] < 0.5, -1, 1)
    theta[:, 1, 1] = side
    theta[:, :, 2] = ((1 - side) * (2 * draws[2:] - 1)).T  # centres, in [-1, 1]
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False, padding_mode="border")


def fit_heads(
    model,
    paths: list[Path],
    labels: Tensor,
    size: int,
    penalties: list[float],
    batch_size: int,
) -> None:
    """Replace the head of a classifier by one fitted to frozen features of the images
    and their mirror images, or by several, side by side: a head for each penalty.

    `labels` (N, n) in 1, 0, -1. The new head has n outputs for each of the `penalties`,
    in their order; see `logistic_regression`.
    """
    device = next(model.parameters()).device
    features = pooled_features(model, paths, size, batch_size, flip=True)  # (2N, C)
    targets = labels.repeat(2, 1)
    heads = [logistic_regression(features, targets, penalty) for penalty in penalties]
    joined = nn.Linear(features.shape[1], len(heads) * labels.shape[1])
    joined.weight.data = torch.cat([head.weight.data for head in heads])
    joined.bias.data = torch.cat([head.bias.data for head in heads])
    model.head = joined.to(device)


def logistic_regression(features: Tensor, labels: Tensor, penalty: float) -> nn.Linear:
    """The linear layer that minimises, over standardised features,

        mean over images of (sum over classes of the cross-entropy)
        + penalty / 2 * sum of the squared weights.

    features (N, C), labels (N, n) in 1, 0, -1 (unknown). The layer takes the features
    as they come: the standardisation is folded into its weights. The problem is convex,
    so there is nothing to seed; L-BFGS (Liu & Nocedal 1989,
    https://doi.org/10.1007/BF01589116) solves it in a second. Raises ValueError for a
    penalty that is not positive, without which no minimum need exist.
    """
    if not penalty > 0:
        raise ValueError(f"penalty is {penalty}, expected a number above 0")
    mean, std = features.mean(0), features.std(0) + 1e-2
    x, known, y = (features - mean) / std, labels >= 0, labels.clamp(0).float()
    head = nn.Linear(features.shape[1], labels.shape[1])
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, -2.0)  # most classes are absent from most images
    optimizer = torch.optim.LBFGS(
        head.parameters(), max_iter=100, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(head(x), y, known, reduction="sum")
        loss = loss / len(x) + penalty / 2 * head.weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(objective)
    with torch.no_grad():
        head.weight /= std  # W (x - mean) / std + b, as a layer of x
        head.bias -= head.weight @ mean
    return head


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
) -> pd.DataFrame:
    """Train the whole classifier on augmented images, from where its head is already
    trained. `labels` (N, classes) in 1, 0, -1. Returns the history."""
    batches = AugmentedBatches(model, paths, labels, size, batch_size, seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=weight_decay
    )
    return fit(model, batches, multilabel_loss, optimizer, epochs, desc="fine-tuning")


@torch.no_grad()
def pooled_features(
    model, paths: list[Path], size: int, batch_size: int, flip: bool = False
) -> Tensor:
    """What the head of a classifier sees of each image: (N, C), or with `flip` (2N, C),
    the mirrored images after the images. On the CPU.

    With a frozen backbone this is all that training needs, computed once.
    """
    model.eval()
    device = next(model.parameters()).device
    pooled: list[list[Tensor]] = [[], []]
    for images, _ in ImageBatches(paths, size, batch_size, desc="features"):
        images = model.normalize(images.to(device))  # (B, 3, S, S)
        for view in range(1 + flip):
            x = images.flip(3) if view else images
            pooled[view].append(model.pool(model.features(x)).cpu())  # (B, C)
    return torch.cat(pooled[0] + pooled[1])


def save_checkpoint(
    path: Path, model: nn.Module, **about: str | int | float | list
) -> None:
    """Write the weights and what is to be known `about` them (the network's name, its
    classes, ...), whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    torch.save({"model": model.state_dict(), **about}, scratch)
    os.replace(scratch, path)


def load_checkpoint(path: Path, model: nn.Module) -> dict:
    """Load weights that `save_checkpoint` wrote into `model`; return what is known
    about them. Raises FileNotFoundError or ValueError, one line naming the file."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(content.pop("model"))
    except Exception as error:  # torch raises many kinds for a file that is not its own
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: no checkpoint of this network: {reason}") from None
    return content
