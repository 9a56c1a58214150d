"""Networks in files that find classes: probabilities, maps, and then boxes.

Two kinds of files do: a detector of `wslib voc train`, and a plain classifier, which
Grad-CAM explains without any training.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from wslib.boxes.detections import Detections
from wslib.boxes.evidence import KINDS, gather_evidence
from wslib.boxes.explainer import check_size
from wslib.boxes.maps import ClassMaps, class_maps
from wslib.boxes.recipe import DEFAULT_RECIPE, Recipe
from wslib.boxes.scoring import measure_classes
from wslib.cam import GradCAM
from wslib.data.image_sets import ImageSet
from wslib.data.images import read_image
from wslib.models.checkpoints import fingerprint, load_classifier, naming
from wslib.models.classifiers import Classifier
from wslib.models.dense import load_dense
from wslib.models.heads import pooled_features
from wslib.runtime.device import pick_device

PLAIN_THRESHOLD = 0.12  # of a plain classifier's Grad-CAM maps
SIZE = 448  # pixels, where a detector does not say its own
NAMED = "names the outputs of a --checkpoint FILE, and there is none"


class VocNetwork(ABC):
    """A network in a file, with VOC's classes among its outputs, or a person's own.

    `about`: what the file says of it; `size`: side of its input in training; `kinds`:
    the maps that it can make, the default first. Raises ValueError, one line that names
    the file, for a size below 32, and wherever it is asked for a class that it lacks.
    """

    kinds: tuple[str, ...]

    def __init__(self, path: Path, network: torch.nn.Module, about: dict, size: int):
        self.path, self.network, self.about, self.size = path, network, about, size
        with naming(path):
            check_size(size)
        self.fingerprint = fingerprint(network)

    def outputs(self, classes: Sequence[str]) -> list[int]:
        """Find the numbers of the outputs of these classes."""
        known = self.about["classes"]
        missing = [name for name in classes if name not in known]
        if missing:
            text = f"its classes lack {', '.join(missing)}; it has {', '.join(known)}"
            raise ValueError(f"{self.path}: {text}")
        return [known.index(name) for name in classes]

    def probabilities(
        self,
        paths: Sequence[Path],
        classes: Sequence[str],
        size: int | None = None,
        batch_size: int = 8,
    ) -> np.ndarray:
        """Ask for each of n classes in each image, (N, n). `size`: the side at which
        images are read, by default the network's own. Raises ValueError as
        `check_size`."""
        size = self.size if size is None else size
        check_size(size)
        wanted = self.outputs(classes)
        return self._classify(paths, size, batch_size)[:, wanted]

    @abstractmethod
    def class_maps(
        self, ids, paths, target: int, kind: str, size: int, batch_size: int = 8
    ) -> ClassMaps:
        """Make the maps of one output, of a `kind`."""

    @abstractmethod
    def _classify(self, paths, size: int, batch_size: int) -> np.ndarray:
        """Ask for each output, (N, outputs)."""

    @abstractmethod
    def default_threshold(self, class_name: str, kind: str) -> float:
        """Choose the threshold where none is given."""

    def make_recipe(
        self,
        class_name: str,
        kind: str | None = None,
        threshold: float | None = None,
        **boxes,
    ) -> Recipe:
        """Complete a recipe for boxes: what is None is the network's own, `boxes` are
        other fields of a `Recipe`. Raises ValueError, before any image is read."""
        self.outputs([class_name])
        kind = kind or self.kinds[0]
        if kind not in self.kinds:
            kinds = ", ".join(self.kinds)
            raise ValueError(f"{self.path}: {kind!r} maps, it has {kinds}")
        if threshold is None:
            threshold = self.default_threshold(class_name, kind)
        return replace(DEFAULT_RECIPE, kind=kind, threshold=threshold, **boxes)

    def detect(
        self,
        images: ImageSet,
        class_name: str,
        recipe: Recipe,
        size: int | None = None,
        batch_size: int = 8,
    ) -> Detections:
        """Find the boxes of a class in all images, in one pass. `size` as above."""
        size = self.size if size is None else size
        check_size(size)
        (target,) = self.outputs([class_name])
        options = (target, recipe.kind, size, batch_size)
        maps = self.class_maps(images.ids, images.paths, *options)
        path = dict(zip(images.ids, images.paths, strict=True))
        boxes = recipe.detect_in(maps, lambda i: read_image(path[i]))
        settings = {**asdict(recipe), "size": size, "flip": True}
        if images.dataset == "rendered":
            settings["rendered"] = dict(images.counts)
        where = {"dataset": images.dataset, "split": images.split}
        about = {**where, "maps": maps}
        return Detections(class_name, boxes, settings, self.fingerprint, **about)

    def heatmaps(
        self, ids: Sequence[str], paths: Sequence[Path], detections: Detections
    ) -> list[np.ndarray]:
        """Make the maps (H, W) that detections in these images came from, as they were
        made then. Raises ValueError for those of another network."""
        if self.fingerprint != detections.model:
            text = f"its boxes were found by network {detections.model}, not by "
            raise ValueError(f"{text}{self.path}, which is {self.fingerprint}")
        kind = detections.recipe.get("kind", self.kinds[0])
        size = detections.recipe.get("size", self.size)
        check_size(size)
        (target,) = self.outputs([detections.class_name])
        maps = self.class_maps(ids, paths, target, kind, size)
        return [maps.heatmap(index) for index in range(len(ids))]


class DenseNetwork(VocNetwork):
    """A detector of `wslib voc train`: three kinds of maps, with a threshold for each
    class."""

    kinds = tuple(reversed(KINDS))

    def __init__(self, path: Path, device: torch.device) -> None:
        network, about = load_dense(path)
        super().__init__(path, network.to(device), about, about.get("size", SIZE))

    def class_maps(self, ids, paths, target, kind, size, batch_size=8):
        evidence = gather_evidence(self.network, ids, paths, size, batch_size)
        return evidence.class_maps(target, kind)

    def _classify(self, paths, size, batch_size):
        evidence = gather_evidence(
            self.network, map(str, paths), paths, size, batch_size
        )
        return evidence.probabilities()

    def default_threshold(self, class_name, kind):
        """The one that training chose for the class; ValueError without it."""
        try:
            return float(self.about["thresholds"][kind][class_name])
        except (KeyError, TypeError, ValueError):
            text = f"no threshold for {class_name} on {kind} maps; give --threshold"
            raise ValueError(f"{self.path}: {text}") from None


class PlainNetwork(VocNetwork):
    """A plain classifier: Grad-CAM maps of its last layer, without any training.
    `classes` names its outputs where the file does not."""

    kinds = ("gradcam",)

    def __init__(
        self, path: Path, classes: Sequence[str] | None, device: torch.device
    ) -> None:
        network, about = load_classifier(path, classes)
        size = about.get("size", about["input_size"])
        super().__init__(path, network.to(device), about, size)

    def class_maps(self, ids, paths, target, kind, size, batch_size=8):
        """Grad-CAM maps of the output."""
        # Where one head classifies and another one is for the maps, that is the last.
        first = (self.about["heads"] - 1) * len(self.about["classes"])
        cam = GradCAM(self.network, [self.network.target_layer])
        read = (size, batch_size)
        return class_maps(cam, list(ids), paths, target, *read, explain=first + target)

    def _classify(self, paths, size, batch_size):
        return classify_files(self.network, paths, size, batch_size)

    def default_threshold(self, class_name, kind):
        return PLAIN_THRESHOLD


def open_network(
    detector: Path | None, checkpoint: Path | None, classes: str | None, device: str
) -> VocNetwork:
    """Open one of a detector and a plain classifier; `classes`: names, with commas
    between, of a classifier that has none. Raises ValueError for both files or none,
    and for `classes` of a detector."""
    if (detector is None) == (checkpoint is None):
        raise ValueError("give one of --detector FILE and --checkpoint FILE")
    if detector is not None and classes:
        raise ValueError(f"--class-names {classes}: {NAMED}")
    if detector is not None:
        return DenseNetwork(detector, pick_device(device))
    names = [name.strip() for name in classes.split(",")] if classes else None
    return PlainNetwork(checkpoint, names, pick_device(device))


def classify_set(
    network: VocNetwork, images: ImageSet, size: int | None, batch_size: int
) -> tuple[float, pd.DataFrame]:
    """Measure with `measure_classes` what a network says of a set of images."""
    asked = (images.paths, images.classes, size, batch_size)
    return measure_classes(network.probabilities(*asked), images)


@torch.no_grad()
def classify_files(
    classifier: Classifier, paths: Sequence[Path], size: int, batch_size: int
) -> np.ndarray:
    """Classify images, read at `size` x `size` pixels: probabilities (N, outputs), of
    logits averaged over image and mirror image."""
    pooled = pooled_features(classifier, paths, size, batch_size, flip=True)
    device = next(classifier.parameters()).device
    logits = classifier.head(pooled.to(device)).cpu()  # (2N, n)
    return logits.unflatten(0, (2, -1)).mean(0).sigmoid().numpy()
