"""`wslib voc train`: from a split of VOC to detector.pt, or on from where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import typer
from torch import nn

from wslib.cli.voc_networks import Look, classify, open_network, open_voc
from wslib.cli.voc_pictures import draw_curves
from wslib.data.voc import CLASSES, VOC2007
from wslib.device import pick_device
from wslib.evidence import KINDS, Evidence, learn
from wslib.heads import fit_heads
from wslib.metrics.classification import mean_average_precision
from wslib.models.checkpoints import about_classifier
from wslib.models.classifiers import Classifier, build_classifier
from wslib.models.dense import DenseClassifier, load_detector, save_detector
from wslib.progress import progress
from wslib.teaching import cross_fit, teach
from wslib.training import fine_tune
from wslib.tuning import Recipe, sweep_thresholds

THRESHOLDS = [
    0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6,
]  # of the maps, from which each class has its own  # fmt: skip
RECIPE = Recipe(max_boxes=3, area_power=0.2)
ENOUGH = 300  # images of a class choose its threshold
PENALTY = 0.1  # of the head from which fine-tuning starts
INTERRUPTED = 130  # the status of a program that Ctrl-C has ended


@dataclass(frozen=True)
class Training:
    """What is learnt, from which images, and where it is kept."""

    dataset: str
    rendered: str
    split: str
    limit: int
    validate: str | None
    backbone: str
    size: int
    epochs: int
    seed: int
    batch_size: int
    device: str
    out: Path

    def run(self) -> None:
        """Train, or go on; leaves `out`/detector.pt. What is done is not done again."""
        path, how = self.out / "detector.pt", Look(self.size, self.batch_size)
        if path.exists() and self._is_in(path):
            print(f"{path}: trained already; remove it to train again")
            return
        voc, _ = open_voc(self.dataset, self.rendered)
        ids = voc.available(voc.ids(self.split, self.limit or None))
        held = self._held(voc, ids)
        paths, labels = [voc.image_path(i) for i in ids], voc.labels(ids)
        network = self._network(voc, ids, held)
        features = learn(network, paths, how.size, how.batch_size)
        teach(network, features, labels, seed=self.seed)
        evidence = cross_fit(network, ids, features, labels, seed=self.seed)
        about = {"thresholds": choose_thresholds(evidence, voc), "trained": self._told}
        save_detector(path, network, CLASSES, size=self.size, **about)
        print(f"{path}: learnt from {len(ids)} images of {self.split}")
        if held:
            told = open_network(path, None, None, self.device).probabilities
            score = _mean_ap(told([voc.image_path(i) for i in held], how), voc, held)
            print(f"mAP {score:.1f} % on {len(held)} images of {self.validate}")

    @property
    def _told(self) -> dict:
        """What makes it this detector and no other."""
        names = ("dataset", "rendered", "split", "limit", "backbone", "size", "epochs")
        told = {name: getattr(self, name) for name in (*names, "seed")}
        return told | ({"validate": self.validate or ""} if self.epochs else {})

    def _is_in(self, path: Path) -> bool:
        """Whether it is this detector. Raises ValueError for another one."""
        there = load_detector(path)[1].get("trained", {})
        for key, value in self._told.items():
            if there.get(key) != value:
                text = f"another detector, with {key} {there.get(key)!r}, not {value!r}"
                raise ValueError(f"{path}: {text}; choose another --out, or remove it")
        return True

    def _held(self, voc: VOC2007, ids: Sequence[str]) -> list[str]:
        """The images to validate on, none of which is learnt from."""
        held = voc.available(voc.ids(self.validate)) if self.validate else []
        shared = len(set(held) & set(ids))
        if shared:
            text = f"--validate {self.validate}: {shared} images of it are learnt from"
            raise ValueError(text)
        return held

    def _network(
        self, voc: VOC2007, ids: Sequence[str], held: Sequence[str]
    ) -> DenseClassifier:
        """The backbone, fine-tuned if that is wanted, below heads that know nothing."""
        device = pick_device(self.device)
        classifier = build_classifier(self.backbone, seed=self.seed).to(device)
        imagenet_head = classifier.head
        if self.epochs:
            self._fine_tune(classifier, voc, ids, held)
        return DenseClassifier(classifier, len(CLASSES), imagenet_head).to(device)

    def _fine_tune(
        self, classifier: Classifier, voc: VOC2007, ids, held: Sequence[str]
    ) -> None:
        paths, labels = [voc.image_path(i) for i in ids], voc.labels(ids)
        images = (classifier, paths, torch.from_numpy(labels), self.size)
        if (self.out / "last.pt").is_file():  # the head's weights are there
            K, device = classifier.head.in_features, classifier.head.weight.device
            classifier.head = nn.Linear(K, len(CLASSES)).to(device)
        else:
            fit_heads(*images, [PENALTY], self.batch_size)
        examined = [voc.image_path(i) for i in held], Look(self.size, self.batch_size)

        def validate(model: Classifier) -> dict[str, float]:
            return {"mAP": _mean_ap(classify(model, *examined), voc, held)}

        history = fine_tune(
            *images,
            self.epochs,
            batch_size=self.batch_size,
            seed=self.seed,
            validate=validate if held else None,
            best=("mAP", "max") if held else None,
            keep=self.out,
            about={**self._told, **about_classifier(classifier, CLASSES)},
        )
        draw_curves(history, self.out / "curves.png")
        if len(history) < self.epochs:  # `fit` has said so
            raise typer.Exit(INTERRUPTED)


def choose_thresholds(evidence: Evidence, voc: VOC2007) -> dict[str, dict[str, float]]:
    """For each kind of map and each class that there is: the threshold with the best
    mean AP on the training images with the class, or on so many that it is enough.

    The evidence is that of `cross_fit`. These boxes are the only ones that are used.
    """
    chosen: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    for target, name in enumerate(progress(CLASSES, "thresholds")):
        truth = voc.ground_truth(evidence.ids, name)
        rows = [k for k, i in enumerate(evidence.ids) if len(truth[i])][:ENOUGH]
        some = evidence.of(rows)
        for kind in KINDS if rows else ():
            recipe = replace(RECIPE, kind=kind)
            swept = sweep_thresholds(recipe, some, target, truth, THRESHOLDS)
            chosen[kind][name] = float(swept.mean(axis=1).idxmax())
    return chosen


def _mean_ap(told, voc: VOC2007, ids: Sequence[str]) -> float:
    return 100 * mean_average_precision(told, voc.labels(ids))[0]
