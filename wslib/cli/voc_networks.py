"""What the commands of `wslib voc` look at, and the networks that they look with."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from wslib.boxes.detections import Detections
from wslib.boxes.evidence import KINDS, gather_evidence
from wslib.boxes.maps import ClassMaps, class_maps
from wslib.boxes.recipe import DEFAULT_RECIPE, Recipe
from wslib.cam import GradCAM
from wslib.data.datasets import open_voc2007
from wslib.data.images import read_image
from wslib.data.voc import CLASSES, VOC2007
from wslib.models.checkpoints import fingerprint, load_classifier, naming
from wslib.models.classifiers import Classifier
from wslib.models.dense import load_dense
from wslib.models.heads import pooled_features
from wslib.runtime.device import pick_device
from wslib.workbook.params import parse_overrides

PLAIN_THRESHOLD = 0.12  # of a plain classifier's Grad-CAM maps


@dataclass(frozen=True)
class Look:
    """How images are read: their side in pixels, and how many at a time."""

    size: int
    batch_size: int = 8

    def __post_init__(self) -> None:
        if not isinstance(self.size, int) or self.size < 32:
            raise ValueError(f"size is {self.size!r}, expected 32 pixels or more")


@dataclass(frozen=True)
class Scene:
    """The images that are looked at: of a data set, or just files."""

    dataset: str
    split: str
    ids: list[str]
    paths: list[Path]
    counts: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of_split(dataset: str, rendered: str, split: str, limit: int) -> Scene:
        voc, counts = open_voc(dataset, rendered)
        ids = voc.available(voc.ids(split, limit or None))
        return Scene(dataset, split, ids, [voc.image_path(i) for i in ids], counts)

    @staticmethod
    def of_files(paths: Sequence[Path]) -> Scene:
        """Image files by themselves; their paths are the ids."""
        paths = list(dict.fromkeys(paths))
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(f"{path}: no such image")
        return Scene("files", "", [str(path) for path in paths], paths)


class Network(ABC):
    """A network in a file, and the classes of VOC among its outputs."""

    kinds: tuple[str, ...]

    def __init__(self, path: Path, network: torch.nn.Module, about: dict, size: int):
        self.path, self.network, self.about, self.size = path, network, about, size
        with naming(path):
            Look(size)
        missing = [name for name in CLASSES if name not in about["classes"]]
        if missing:
            raise ValueError(f"{path}: its classes lack {', '.join(missing)}")
        self.order = [about["classes"].index(name) for name in CLASSES]
        self.fingerprint = fingerprint(network)

    @abstractmethod
    def probabilities(self, paths: Sequence[Path], how: Look) -> np.ndarray:
        """Of each class of VOC in each image, (N, 20)."""

    def scores(self, paths: Sequence[Path], class_name: str, how: Look) -> np.ndarray:
        """The probabilities of one class, (N,)."""
        return self.probabilities(paths, how)[:, CLASSES.index(class_name)]

    @abstractmethod
    def maps(self, ids, paths, class_name: str, recipe: Recipe, how: Look) -> ClassMaps:
        """The maps of one class, as the recipe wants them."""

    @abstractmethod
    def threshold(self, class_name: str, kind: str) -> float:
        """The one to be used where none is given."""

    def recipe(
        self, class_name: str, kind: str | None, threshold: float | None, **boxes
    ) -> Recipe:
        """How boxes are found; what is None is the network's own. `boxes`: the other
        fields of a `Recipe`. Raises ValueError, before anything is looked at."""
        kind = kind or self.kinds[0]
        if kind not in self.kinds:
            raise ValueError(
                f"{self.path}: {kind!r} maps, it has {', '.join(self.kinds)}"
            )
        if threshold is None:
            threshold = self.threshold(class_name, kind)
        return replace(DEFAULT_RECIPE, kind=kind, threshold=threshold, **boxes)


class Detector(Network):
    """A file of `wslib voc train`: three kinds of maps, with a threshold for each."""

    kinds = tuple(reversed(KINDS))  # combined first

    def __init__(self, path: Path, device: torch.device) -> None:
        network, about = load_dense(path)
        super().__init__(path, network.to(device), about, about.get("size", 448))

    def probabilities(self, paths, how):
        seen = gather_evidence(
            self.network, map(str, paths), paths, how.size, how.batch_size
        )
        return seen.probabilities()[:, self.order]

    def maps(self, ids, paths, class_name, recipe, how):
        seen = gather_evidence(self.network, ids, paths, how.size, how.batch_size)
        return recipe.maps(seen, self.order[CLASSES.index(class_name)])

    def threshold(self, class_name, kind):
        try:
            return float(self.about["thresholds"][kind][class_name])
        except (KeyError, TypeError, ValueError):
            text = f"no threshold for {class_name} on {kind} maps; give --threshold"
            raise ValueError(f"{self.path}: {text}") from None


class Checkpoint(Network):
    """A plain classifier: Grad-CAM maps of its last layer, without any training."""

    kinds = ("gradcam",)

    def __init__(self, path: Path, names: str | None, device: torch.device) -> None:
        order = [name.strip() for name in names.split(",")] if names else None
        network, about = load_classifier(path, order)
        size = about.get("size", about["input_size"])
        super().__init__(path, network.to(device), about, size)

    def probabilities(self, paths, how):
        return classify(self.network, paths, how)[:, self.order]

    def maps(self, ids, paths, class_name, recipe, how):
        target = self.order[CLASSES.index(class_name)]
        # Where a head tells the classes and another one shows them, the last shows.
        before = (self.about["heads"] - 1) * len(self.about["classes"])
        cam = GradCAM(self.network, [self.network.target_layer])
        read = (how.size, how.batch_size)
        return class_maps(cam, list(ids), paths, target, *read, explain=before + target)

    def threshold(self, class_name, kind):
        told = f"threshold {PLAIN_THRESHOLD}, as none was given with --threshold"
        print(f"{self.path}: {told}", file=sys.stderr)
        return PLAIN_THRESHOLD


def open_network(
    detector: Path | None, checkpoint: Path | None, names: str | None, device: str
) -> Network:
    """Load the file that is given. Raises ValueError for both of them, or none."""
    if (detector is None) == (checkpoint is None):
        raise ValueError("give one of --detector FILE and --checkpoint FILE")
    if detector is not None:
        return Detector(detector, pick_device(device))
    return Checkpoint(checkpoint, names, pick_device(device))


@torch.no_grad()
def classify(classifier: Classifier, paths: Sequence[Path], how: Look) -> np.ndarray:
    """Probabilities (N, outputs), logits averaged over image and mirror image."""
    pooled = pooled_features(classifier, paths, how.size, how.batch_size, flip=True)
    device = next(classifier.parameters()).device
    logits = classifier.head(pooled.to(device)).cpu()  # (2N, n)
    return logits.unflatten(0, (2, -1)).mean(0).sigmoid().numpy()


def find(
    network: Network, scene: Scene, class_name: str, recipe: Recipe, how: Look
) -> Detections:
    """Look at all images of the scene once, and find the boxes of a class."""
    maps = network.maps(scene.ids, scene.paths, class_name, recipe, how)
    path = dict(zip(scene.ids, scene.paths, strict=True))
    found = recipe.detect_in(maps, lambda i: read_image(path[i]))
    told = {**asdict(recipe), "size": how.size, "flip": True}
    told |= {"rendered": scene.counts} if scene.dataset == "rendered" else {}
    where = {"dataset": scene.dataset, "split": scene.split}
    return Detections(class_name, found, told, network.fingerprint, **where)


def open_voc(dataset: str, rendered: str) -> tuple[VOC2007, dict[str, int]]:
    """The data set, and the counts of a rendered one, from "train=16,val=8,test=8"."""
    counts = parse_overrides(rendered.replace(",", " "))
    for name, count in counts.items():
        if not isinstance(count, int):
            raise ValueError(f"--rendered {name}={count}: expected a whole number")
    return open_voc2007(dataset, **counts), counts


def check_class(name: str) -> None:
    """Raise ValueError for a class that VOC lacks, before anything is read."""
    if name not in CLASSES:
        raise ValueError(f"no class {name!r}; VOC has {', '.join(CLASSES)}")
