"""`wslib voc train`: from a split of VOC to detector.pt, or on from where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import typer
from torch import nn

from wslib.boxes.evidence import extract_features
from wslib.boxes.fitting import cross_fit, fit_heads
from wslib.boxes.recipe import choose_thresholds
from wslib.cli.interrupted import STATUS
from wslib.cli.voc_networks import Look, classify, open_network, open_voc
from wslib.cli.voc_pictures import draw_curves
from wslib.data.voc import CLASSES, VOC2007
from wslib.metrics.classification import mean_average_precision
from wslib.models.checkpoints import about_classifier
from wslib.models.classifiers import Classifier, build_classifier
from wslib.models.dense import DenseClassifier, load_dense, save_dense
from wslib.models.heads import replace_head
from wslib.runtime.device import pick_device
from wslib.training.fit import fine_tune

PENALTY = 0.1  # of the head from which fine-tuning starts


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
        features = extract_features(network, paths, how.size, how.batch_size)
        fit_heads(network, features, labels, seed=self.seed)
        evidence = cross_fit(network, ids, features, labels, seed=self.seed)
        thresholds = choose_thresholds(
            evidence, {c: voc.ground_truth(ids, c) for c in CLASSES}
        )
        about = {"size": self.size, "thresholds": thresholds, "trained": self._told}
        save_dense(path, network, CLASSES, **about)
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
        there = load_dense(path)[1].get("trained")
        there = there if isinstance(there, dict) else {}
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
            replace_head(*images, [PENALTY], self.batch_size)
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
            raise typer.Exit(STATUS)


def _mean_ap(told, voc: VOC2007, ids: Sequence[str]) -> float:
    return 100 * mean_average_precision(told, voc.labels(ids))[0]
