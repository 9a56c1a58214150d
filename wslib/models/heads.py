"""Heads: linear layers fitted to features of a frozen backbone; convex problems."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wslib.models.ask import ask, image_views, stack_views


def replace_head(
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
    _check_penalty(penalty)
    mean, std = features.mean(0), features.std(0) + 1e-2
    x, known, y = (features - mean) / std, labels >= 0, labels.clamp(0).float()
    head = nn.Linear(features.shape[1], labels.shape[1])
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, -2.0)  # most classes are absent from most images

    def objective() -> Tensor:
        loss = F.binary_cross_entropy_with_logits(head(x), y, known, reduction="sum")
        return loss / len(x) + penalty / 2 * head.weight.square().sum()

    _minimise(objective, head)
    return _folded(head, mean, std)


def softmax_regression(
    features: Tensor, classes: Tensor, n: int, penalty: float
) -> nn.Linear:
    """The linear layer that minimises, over standardised features,

        weighted mean over rows of the cross-entropy of a softmax over n classes
        + penalty / 2 * sum of the squared weights.

    features (N, C), classes (N,) in 0..n-1. A row weighs 1 / sqrt(rows of its class):
    half way between every row the same and every class the same. Solved and folded as
    `logistic_regression`; errors as there, and ValueError without rows.
    """
    _check_penalty(penalty)
    if not len(features):
        raise ValueError("softmax regression: no rows to fit to")
    mean, std = features.mean(0), features.std(0) + 1e-2
    x = (features - mean) / std
    weights = torch.bincount(classes, minlength=n).clamp(1).float().rsqrt()  # (n,)
    head = nn.Linear(features.shape[1], n)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)

    def objective() -> Tensor:
        loss = F.cross_entropy(head(x), classes, weights)
        return loss + penalty / 2 * head.weight.square().sum()

    _minimise(objective, head)
    return _folded(head, mean, std)


def _check_penalty(penalty: float) -> None:
    if not penalty > 0:
        raise ValueError(f"penalty is {penalty}, expected a number above 0")


def _minimise(objective: Callable[[], Tensor], head: nn.Linear) -> None:
    optimizer = torch.optim.LBFGS(
        head.parameters(), max_iter=100, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = objective()
        loss.backward()
        return loss

    optimizer.step(closure)


@torch.no_grad()
def _folded(head: nn.Linear, mean: Tensor, std: Tensor) -> nn.Linear:
    """W (x - mean) / std + b, as a layer of x."""
    head.weight /= std
    head.bias -= head.weight @ mean
    return head


def pooled_features(
    model, paths: list[Path], size: int, batch_size: int, flip: bool = False
) -> Tensor:
    """Return what the head of a classifier reads of each image: (N, C), or with `flip`
    (2N, C), the mirrored images after the images. On the CPU.

    With a frozen backbone this is all that training needs, computed once.
    """
    model.eval()
    batches = image_views(model, paths, size, batch_size, flip, "features")
    answers = ask(lambda x: model.pool(model.features(x)), batches, stack_views)
    return torch.cat([pooled for pooled, _ in answers], 1).flatten(0, 1)
