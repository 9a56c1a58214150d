"""From image labels to a detector: fine-tune, fit the heads, choose the thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from wslib.boxes.evidence import extract_features
from wslib.boxes.fitting import cross_fit, fit_heads
from wslib.boxes.networks import classify_files
from wslib.boxes.recipe import choose_thresholds
from wslib.boxes.scoring import measure_classes
from wslib.data.image_sets import ImageSet
from wslib.models.checkpoints import about_classifier
from wslib.models.classifiers import Classifier, build_classifier
from wslib.models.dense import DenseClassifier, load_dense, save_dense
from wslib.models.heads import replace_head
from wslib.runtime.device import pick_device
from wslib.training.fit import fine_tune

PENALTY = 0.1  # of the head from which fine-tuning starts


def is_trained(path: Path, trained: Mapping) -> bool:
    """Tell whether the detector of these settings is in the file already. Raises
    ValueError for another one, that is not to be replaced."""
    if not path.exists():
        return False
    there = load_dense(path)[1].get("trained")
    there = there if isinstance(there, dict) else {}
    for key, value in trained.items():
        if there.get(key) != value:
            text = f"another detector, with {key} {there.get(key)!r}, not {value!r}"
            raise ValueError(f"{path}: {text}; choose another --out, or remove it")
    return True


def train_detector(
    path: Path,
    images: ImageSet,
    held: ImageSet | None,
    settings: Mapping,
    batch_size: int = 8,
    device: str = "auto",
) -> pd.DataFrame | None:
    """Train a detector on the labels of images and save it in `path`, with a threshold
    for each kind of map and each class, chosen by cross-validation on the images.

    `settings`: backbone, size (pixels), epochs of fine-tuning, seed, and what else
    makes it this detector. Fine-tuning leaves best.pt, history.csv and last.pt beside
    `path`, ends with the weights of the best epoch by mAP on `held` (without that, of
    the last one), and goes on where it was stopped; its history is returned. Where it
    is stopped again, which `fit` has said, there is no detector yet.
    """
    size, epochs, seed = (settings[name] for name in ("size", "epochs", "seed"))
    place, history = pick_device(device), None
    classifier = build_classifier(settings["backbone"], seed=seed).to(place)
    imagenet_head = classifier.head
    if epochs:
        history = _fine_tune(
            classifier, images, held, settings, batch_size, path.parent
        )
        if len(history) < epochs:
            return history
    classes = images.classes
    network = DenseClassifier(classifier, len(classes), imagenet_head).to(place)
    labels = images.labels
    features = extract_features(network, images.paths, size, batch_size)
    fit_heads(network, features, labels, seed=seed)
    evidence = cross_fit(network, images.ids, features, labels, seed=seed)
    truths = {name: images.ground_truth(name) for name in classes}
    thresholds = choose_thresholds(evidence, truths)
    about = {"size": size, "thresholds": thresholds, "trained": {**settings}}
    save_dense(path, network, classes, **about)
    return history


def _fine_tune(
    classifier: Classifier,
    images: ImageSet,
    held: ImageSet | None,
    settings: Mapping,
    batch_size: int,
    keep: Path,
) -> pd.DataFrame:
    """Fine-tune a classifier, in place, from a head fitted to frozen features."""
    size, labels = settings["size"], torch.from_numpy(images.labels)
    data = (classifier, images.paths, labels, size)
    if (keep / "last.pt").is_file():  # the head's weights are there
        K, device = classifier.head.in_features, classifier.head.weight.device
        classifier.head = nn.Linear(K, len(images.classes)).to(device)
    else:
        replace_head(*data, [PENALTY], batch_size)

    def validate(model: Classifier) -> dict[str, float]:
        probabilities = classify_files(model, held.paths, size, batch_size)
        return {"mAP": measure_classes(probabilities, held)[0]}

    about = {**about_classifier(classifier, images.classes), "independent": True}
    return fine_tune(
        *data,
        settings["epochs"],
        batch_size=batch_size,
        seed=settings["seed"],
        validate=validate if held else None,
        best=("mAP", "max") if held else None,
        keep=keep,
        about={**settings, **about},
    )
