"""From image labels to four linear heads; those of the places are fitted to seeds.

The heads for the image are fitted to its labels. The places have no labels; the maps of
the posterior give them some, where they are sure: seeds.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from wslib.boxes.evidence import Evidence, Features, evidence_from_features, scaled
from wslib.models.dense import DenseClassifier
from wslib.models.heads import logistic_regression, softmax_regression
from wslib.runtime.progress import progress

# Of the squared weights; chosen by five-fold cross-validation on VOC2007's `train`.
PENALTIES = {"image": 0.1, "cam": 1.0, "posterior": 0.1, "place": 0.1}
UNSURE = -1


def fit_heads(
    network: DenseClassifier,
    features: Features,
    labels: np.ndarray,
    penalties: dict[str, float] | None = None,
    high: float = 0.3,
    low: float = 0.1,
    per_image: int = 50,
    seed: int = 0,
) -> None:
    """Fit all heads of `network`, in place, to the features and labels of N images.

    labels (N, n) in 1, 0, -1; `penalties` replaces some of `PENALTIES`; `high` and
    `low`: see `seeds`. At most `per_image` places of an image, drawn from `seed`, are
    used. Raises ValueError for labels that do not fit, for a penalty that is unknown or
    not positive, and where no place is sure.
    """
    penalties = _penalties(penalties)
    _check_labels(labels, features, network)
    targets = torch.from_numpy(labels).repeat(2, 1)  # images and mirror images
    sources = {"image": "pooled", "cam": "pooled", "posterior": "posteriors"}
    for name, source in sources.items():
        x = getattr(features, source).flatten(0, 1)  # (2N, K)
        _set(network, name, logistic_regression(x, targets, penalties[name]))
    sure = seeds(_posterior(network, features), labels, high, low)  # (N, h, w)
    x, classes = _sampled(features.places, sure, per_image, seed)
    n = network.num_classes + 1
    head = softmax_regression(x, classes, n, penalties["place"])
    _set(network, "place", head)


def seeds(
    maps: np.ndarray, labels: np.ndarray, high: float = 0.3, low: float = 0.1
) -> np.ndarray:
    """Classes of the places that the maps are sure of, (N, h, w) int64.

    maps (N, n, h, w), labels (N, n) in 1, 0, -1. The maps of the classes that are in
    the image, each scaled to a maximum of 1, compete: where the highest reaches `high`
    the place has its class; where none reaches `low` it is background, n; and anything
    else is unsure, -1. Nothing is background in an image with a label of -1. Seeds, as
    Kolesnikov & Lampert call them (2016, https://arxiv.org/abs/1603.06098, section
    3.2), who then expand and constrain them.
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(
            f"seeds: low {low}, high {high}, expected 0 <= low <= high <= 1"
        )
    heat = scaled(maps.astype(np.float32)) * (labels == 1)[:, :, None, None]
    top, best = heat.max(1), heat.argmax(1)  # (N, h, w)
    known = (labels >= 0).all(1)[:, None, None]
    n = labels.shape[1]
    return np.where(
        top >= max(high, 1e-6), best, np.where((top < low) & known, n, UNSURE)
    )


def cross_fit(
    network: DenseClassifier,
    ids: Sequence[str],
    features: Features,
    labels: np.ndarray,
    folds: int = 5,
    seed: int = 0,
    **options,
) -> Evidence:
    """Gather evidence of each training image with heads that were not fitted to it.

    The images are dealt into `folds`; the heads are fitted to all but one of them and
    look at that one. What is chosen on this evidence, a threshold or a step of the
    detector, is chosen as if on new images, and no image of the examination is used.
    `network` stays as it is; `options` as for `fit_heads`. At every second place.
    Raises ValueError for fewer than 2 folds or fewer images than folds.
    """
    if not 2 <= folds <= len(ids):
        text = f"{len(ids)} images to learn from, in {folds} folds"
        raise ValueError(f"{text}: expected 2 folds or more, and an image in each")
    held_out = copy.deepcopy(network)
    dealt = np.random.default_rng(seed).permutation(len(ids)) % folds
    parts = []
    for fold in progress(range(folds), "folds"):
        rest, held = (np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold))
        fit_heads(held_out, features.take(rest), labels[rest], seed=seed, **options)
        parts.append(
            evidence_from_features(
                held_out, [ids[i] for i in held], features.take(held)
            )
        )
    return _in_order(parts, ids)


def _in_order(parts: list[Evidence], ids: Sequence[str]) -> Evidence:
    """Join the folds, and put the images back in their order."""
    place = {image_id: k for k, image_id in enumerate(i for p in parts for i in p.ids)}
    order = [place[image_id] for image_id in ids]
    names = ("sizes", "logits", "gradcam", "posterior", "places")
    joined = (
        np.concatenate([getattr(p, name) for p in parts])[order] for name in names
    )
    return Evidence(list(ids), *joined)


def _posterior(network: DenseClassifier, features: Features) -> np.ndarray:
    ids = [str(k) for k in range(len(features.sizes))]
    return evidence_from_features(network, ids, features).posterior


def _sampled(
    places: Tensor, sure: np.ndarray, per_image: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Up to `per_image` sure places of each image: features (M, C), classes (M,)."""
    rng = np.random.default_rng(seed)
    sure = sure.reshape(len(sure), -1)  # (N, hw)
    rank = np.where(sure >= 0, rng.random(sure.shape), 2.0)
    taken = np.sort(np.argsort(rank, axis=1)[:, :per_image], axis=1)
    image, column = np.repeat(np.arange(len(sure)), taken.shape[1]), taken.ravel()
    known = sure[image, column] >= 0
    image, column = image[known], column[known]
    x = places.flatten(2)[image, :, column].float()  # (M, C)
    return x, torch.from_numpy(sure[image, column]).long()


def _set(network: DenseClassifier, name: str, head: nn.Linear) -> None:
    device = next(network.parameters()).device
    network.heads[name] = head.requires_grad_(False).to(device)


def _penalties(given: dict[str, float] | None) -> dict[str, float]:
    for name in given or {}:
        if name not in PENALTIES:
            known = ", ".join(PENALTIES)
            raise ValueError(f"penalties: {name!r}, expected some of {known}")
    return PENALTIES | (given or {})


def _check_labels(labels: np.ndarray, features: Features, network) -> None:
    wanted = (len(features.sizes), network.num_classes)
    if labels.shape != wanted:
        raise ValueError(f"labels of shape {labels.shape}, expected {wanted}")
