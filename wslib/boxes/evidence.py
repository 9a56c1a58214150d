"""One pass of a dense classifier over many images, kept for later.

The pass is what costs. From what it leaves, the maps of any class are made, the heads
are fitted, and thresholds are swept, without running the backbone again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from wslib.boxes.maps import ClassMaps
from wslib.models.ask import ask, device_of, image_views, join, stack_views
from wslib.models.dense import DenseClassifier
from wslib.models.features import FeatureMaps
from wslib.models.normalised import fold_batch_norms
from wslib.runtime.progress import progress

Kind = Literal["gradcam", "posterior", "combined"]
KINDS = ("gradcam", "posterior", "combined")
TINY = 1e-6
PLACE_WEIGHT = 0.5  # chosen by cross-validation on VOC2007's `train`


@dataclass(frozen=True)
class Evidence:
    """The output of a dense classifier for N images, of each of n classes.

    `logits` (N, n) float32; `gradcam`, `posterior` (N, n, h, w) float16, unbounded;
    `places` (N, n, h, w) float16, the probability of the class at each place; `sizes`
    (N, 2): (W, H) of the images in pixels. See `wslib.models.dense.DenseOutput`.
    """

    ids: list[str]
    sizes: np.ndarray
    logits: np.ndarray
    gradcam: np.ndarray
    posterior: np.ndarray
    places: np.ndarray

    def take(self, rows: Sequence[int]) -> Evidence:
        """Return the evidence of some of the images."""
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

    def class_maps(self, target: int, kind: Kind = "combined") -> ClassMaps:
        """Maps and scores of one class, ready for `wslib.boxes.maps.detect`.

        kind: "gradcam"; "posterior"; or "combined", the geometric mean of the places'
        probability and of the posterior's map, cut at 0 and scaled to a maximum of 1.
        Raises ValueError for another kind.
        """
        if kind not in KINDS:
            expected = f"expected one of {', '.join(KINDS)}"
            raise ValueError(f"kind of map {kind!r}, {expected}")
        raw = getattr(self, "gradcam" if kind == "gradcam" else "posterior")
        raw = raw[:, target].astype(np.float32)  # (N, h, w)
        if kind == "combined":
            places = self.places[:, target].astype(np.float32)
            raw = np.sqrt(places * scaled(raw))
        return ClassMaps(self.ids, target, raw, self.probabilities(), self.sizes)


@dataclass(frozen=True)
class Features:
    """Features of N images, computed once, which the heads are fitted to.

    `sizes` (N, 2): (W, H); `pooled` (2, N, K) and `posteriors` (2, N, 1000): means over
    all places, of the images and of their mirror images; `places` (N, C, h, w) float16:
    the trunk of the images, at every second place in both directions.
    """

    sizes: np.ndarray
    pooled: Tensor
    posteriors: Tensor
    places: Tensor

    def take(self, rows: np.ndarray) -> Features:
        """Return the features of some of the images."""
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


def gather_evidence(
    network: DenseClassifier,
    ids: Sequence[str],
    paths: Sequence[Path],
    size: int,
    batch_size: int = 8,
    flip: bool = True,
) -> Evidence:
    """Run the network on images, read at `size` x `size` pixels, once. With `flip`
    everything is the mean over the image and its mirror image (maps mirrored back)."""
    network = fold_batch_norms(network)
    batches = image_views(network, paths, size, batch_size, flip, "maps")
    return _joined(ids, ask(network, batches))


def evidence_from_maps(network: DenseClassifier, maps: FeatureMaps) -> Evidence:
    """Return what `gather_evidence` gives, of images whose trunks are kept."""
    return _joined(maps.ids, ask(network.apply_heads, _kept(network, maps)))


def extract_features(
    network: DenseClassifier, paths: Sequence[Path], size: int, batch_size: int = 8
) -> Features:
    """Compute what the heads are fitted to, of images read at `size` x `size` pixels,
    once."""
    network = fold_batch_norms(network)
    batches = image_views(network, paths, size, batch_size, True, "features")
    return _features(network, network.trunk, batches)


def features_from_maps(network: DenseClassifier, maps: FeatureMaps) -> Features:
    """Return what `extract_features` gives, of images whose trunks are kept."""
    return _features(network, nn.Identity(), _kept(network, maps))


def evidence_from_features(
    network: DenseClassifier, ids: Sequence[str], features: Features, batch: int = 64
) -> Evidence:
    """Run the heads, as they are now, on kept `features` of images: at every second
    place, and not mirrored."""
    device = device_of(network)
    pooled = features.pooled.mean(0).to(device)  # (N, K)
    with torch.inference_mode():
        logits = network.heads["image"](pooled).cpu()
    sizes = torch.from_numpy(features.sizes)
    batches = (
        ([places.to(device).float()], *rest)
        for places, *rest in zip(
            *(part.split(batch) for part in (features.places, logits, sizes)),
            strict=True,
        )
    )
    answers = ask(lambda trunk: network.apply_heads(trunk)[1:], batches)
    return _joined(ids, ((logits, *maps, sizes) for *maps, logits, sizes in answers))


def _kept(network, maps: FeatureMaps) -> Iterator[tuple]:
    batch_size = 16
    batches = maps.views(device_of(network), batch_size, flip=True)
    return progress(batches, "kept maps", -(-len(maps) // batch_size))


def _joined(ids: Sequence[str], answers: Iterable[tuple]) -> Evidence:
    """Join the answers (logits, three kinds of maps, sizes) of all batches."""
    batches = ((a, *(m.half() for m in maps), b) for a, *maps, b in answers)
    logits, *maps, sizes = (part.numpy() for part in join(batches))
    gradcam, posterior, places = maps
    return Evidence(list(ids), sizes, logits, gradcam, posterior, places[:, :-1])


def _features(network, trunk_of: Callable[[Tensor], Tensor], batches) -> Features:
    def answer(view: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        trunk = trunk_of(view)
        A = network.features(trunk)
        means = A.mean((2, 3)), network.posteriors(A).mean((2, 3))
        return *means, trunk[:, :, ::2, ::2].half()

    answers = ask(answer, batches, stack_views)
    parts = ((*means, places[0], sizes) for *means, places, sizes in answers)
    pooled, posteriors, places, sizes = zip(*parts, strict=True)
    return Features(
        torch.cat(sizes).numpy(),
        torch.cat(pooled, 1),  # (2, N, K)
        torch.cat(posteriors, 1),  # (2, N, 1000)
        torch.cat(places),
    )
