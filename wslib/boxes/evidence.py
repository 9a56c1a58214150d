"""One pass over many images: what a dense classifier sees in them, kept for later.

The pass is what costs. From what it leaves, the maps of any class are made, the heads
are fitted, and thresholds are swept, without running the backbone again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from wslib.boxes.localisation import ClassMaps
from wslib.data.images import ImageBatches
from wslib.models.dense import DenseClassifier
from wslib.models.features import FeatureMaps
from wslib.runtime.progress import progress

Kind = Literal["gradcam", "posterior", "taught"]
KINDS = ("gradcam", "posterior", "taught")
Trunks = Iterator[tuple[np.ndarray, list[Tensor]]]
TINY = 1e-6
PLACE_WEIGHT = 0.5  # chosen by cross-validation on VOC2007's `train`


@dataclass(frozen=True)
class Evidence:
    """What was seen in N images, of each of n classes.

    `logits` (N, n) float32; `gradcam`, `posterior` (N, n, h, w) float16, unbounded;
    `places` (N, n, h, w) float16, the probability of the class at each place; `sizes`
    (N, 2): (W, H) of the images in pixels. See `wslib.models.dense.Seen`.
    """

    ids: list[str]
    sizes: np.ndarray
    logits: np.ndarray
    gradcam: np.ndarray
    posterior: np.ndarray
    places: np.ndarray

    def of(self, rows: Sequence[int]) -> Evidence:
        """What was seen in some of the images."""
        arrays = (self.sizes, self.logits, self.gradcam, self.posterior, self.places)
        return Evidence([self.ids[k] for k in rows], *(a[rows] for a in arrays))

    def probabilities(self, place_weight: float = PLACE_WEIGHT) -> np.ndarray:
        """The probability of each class in each image, (N, n):

            sigmoid(logit of the image + place_weight * logit of its surest place).

        A place that is sure of a class is evidence that the mean over all places
        dilutes. 0 leaves it out.
        """
        surest = self.places.max((2, 3)).astype(np.float32).clip(TINY, 1 - TINY)
        logits = self.logits + place_weight * np.log(surest / (1 - surest))
        return 1 / (1 + np.exp(-logits))

    def class_maps(self, target: int, kind: Kind = "taught") -> ClassMaps:
        """Maps and scores of one class, ready for `wslib.boxes.localisation.detect`.

        kind: "gradcam"; "posterior"; or "taught", the geometric mean of the places'
        probability and of the posterior's map, cut at 0 and scaled to a maximum of 1.
        Raises ValueError for another kind.
        """
        if kind not in KINDS:
            raise ValueError(f"kind of map {kind!r}, expected one of {list(KINDS)}")
        raw = getattr(self, "gradcam" if kind == "gradcam" else "posterior")
        raw = raw[:, target].astype(np.float32)  # (N, h, w)
        if kind == "taught":
            places = self.places[:, target].astype(np.float32)
            raw = np.sqrt(places * scaled(raw))
        return ClassMaps(self.ids, target, raw, self.probabilities(), self.sizes)


@dataclass(frozen=True)
class Features:
    """What the heads are fitted to: N images, seen once.

    `sizes` (N, 2): (W, H); `pooled` (2, N, K) and `posteriors` (2, N, 1000): means over
    all places, of the images and of their mirror images; `places` (N, C, h, w) float16:
    the trunk of the images, at every second place in both directions.
    """

    sizes: np.ndarray
    pooled: Tensor
    posteriors: Tensor
    places: Tensor

    def of(self, rows: np.ndarray) -> Features:
        """The features of some of the images."""
        return Features(
            self.sizes[rows],
            self.pooled[:, rows],
            self.posteriors[:, rows],
            self.places[rows],
        )


def scaled(maps: np.ndarray) -> np.ndarray:
    """Maps (..., h, w) cut at 0, the maximum of each 1; zeros where nothing is
    above 0."""
    maps = maps.clip(0)
    peak = maps.max((-2, -1), keepdims=True)
    return maps / np.where(peak > 0, peak, 1)


@torch.inference_mode()
def look(
    network: DenseClassifier,
    ids: Sequence[str],
    paths: Sequence[Path],
    size: int,
    batch_size: int = 8,
    flip: bool = True,
) -> Evidence:
    """Look at images, read at `size` x `size` pixels, once. With `flip` everything is
    the mean over the image and its mirror image (maps mirrored back)."""
    return _gather(
        network, ids, _trunks(network, paths, size, batch_size, flip, "maps")
    )


@torch.inference_mode()
def look_at_maps(network: DenseClassifier, maps: FeatureMaps) -> Evidence:
    """What `look` gives, of images whose trunks are kept."""
    return _gather(network, maps.ids, _kept_trunks(network, maps))


@torch.inference_mode()
def learn(
    network: DenseClassifier, paths: Sequence[Path], size: int, batch_size: int = 8
) -> Features:
    """What there is to learn from in images, read at `size` x `size` pixels, once."""
    trunks = _trunks(network, paths, size, batch_size, True, "features")
    return _remember(network, trunks)


@torch.inference_mode()
def learn_from_maps(network: DenseClassifier, maps: FeatureMaps) -> Features:
    """What `learn` gives, of images whose trunks are kept."""
    return _remember(network, _kept_trunks(network, maps))


def _trunks(
    network, paths, size: int, batch_size: int, flip: bool, desc: str
) -> Trunks:
    """Sizes (B, 2), and the trunks (B, C, h, w) of images and of mirror images."""
    device = next(network.parameters()).device
    for images, sizes in ImageBatches(paths, size, batch_size, desc=desc):
        images = network.normalize(images.to(device))  # (B, 3, S, S)
        views = (images, images.flip(3))[: 1 + flip]
        yield sizes.numpy(), [network.trunk(view) for view in views]


def _kept_trunks(network, maps: FeatureMaps, batch_size: int = 16) -> Trunks:
    device = next(network.parameters()).device
    for start in progress(range(0, len(maps), batch_size), "kept maps"):
        rows = range(start, min(start + batch_size, len(maps)))
        trunks = [maps.batch(rows, view).to(device) for view in range(2)]
        yield maps.sizes[rows.start : rows.stop], trunks


def _gather(network: DenseClassifier, ids: Sequence[str], trunks: Trunks) -> Evidence:
    parts: list[tuple] = []
    for sizes, views in trunks:
        seen = [network.look(trunk) for trunk in views]
        for mirrored in seen[1:]:
            pairs = zip(seen[0], mirrored, strict=True)
            seen[0] = [(a + (b.flip(3) if b.ndim == 4 else b)) / 2 for a, b in pairs]
        logits, *maps = (part.cpu() for part in seen[0])
        arrays = (logits, *(part.half() for part in maps))
        parts.append((sizes, *(array.numpy() for array in arrays)))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    sizes, logits, gradcam, posterior, places = joined
    return Evidence(list(ids), sizes, logits, gradcam, posterior, places[:, :-1])


def _remember(network: DenseClassifier, trunks: Trunks) -> Features:
    parts: list[tuple] = []
    for sizes, views in trunks:
        means = [_pooled(network, trunk) for trunk in views]
        pooled, posteriors = (torch.stack(view) for view in zip(*means, strict=True))
        places = views[0][:, :, ::2, ::2].half().cpu()
        parts.append((sizes, pooled, posteriors, places))
    sizes, pooled, posteriors, places = zip(*parts, strict=True)
    return Features(
        np.concatenate(sizes),
        torch.cat(pooled, 1),  # (2, N, K)
        torch.cat(posteriors, 1),  # (2, N, 1000)
        torch.cat(places),
    )


@torch.inference_mode()
def recall(
    network: DenseClassifier, ids: Sequence[str], features: Features, batch: int = 64
) -> Evidence:
    """What the network, as its heads are now, sees in images of which the `features`
    were kept: at every second place, and not mirrored."""
    device = next(network.parameters()).device
    pooled = features.pooled.mean(0).to(device)  # (N, K)
    logits = network.heads["tell"](pooled).cpu().numpy()
    parts = []
    for places in features.places.split(batch):
        seen = network.look(places.to(device).float())
        parts.append([part.half().cpu() for part in seen[1:]])
    maps = [torch.cat(column).numpy() for column in zip(*parts, strict=True)]
    gradcam, posterior, places = maps
    sizes = features.sizes
    return Evidence(list(ids), sizes, logits, gradcam, posterior, places[:, :-1])


def _pooled(network: DenseClassifier, trunk: Tensor) -> tuple[Tensor, Tensor]:
    features = network.features(trunk)
    means = features.mean((2, 3)), network.posteriors(features).mean((2, 3))
    return means[0].cpu(), means[1].cpu()
