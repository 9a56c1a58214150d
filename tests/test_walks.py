"""CONTRIBUTING's "Follow one number" opens the modules that really run, and no others.

Each walk is run on a picture or two, and Python says whose functions are called.
"""

from __future__ import annotations

import importlib
import re
import sys
import threading
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wslib.boxes.evidence import gather_evidence
from wslib.boxes.recipe import DEFAULT_RECIPE
from wslib.cam import GradCAM
from wslib.data.caltech import read_csv
from wslib.metrics.detection import evaluate
from wslib.models.classifiers import build_classifier
from wslib.models.dense import DenseClassifier
from wslib.models.features import keep_feature_maps
from wslib.models.sam import sam_predictor
from wslib.models.two_heads import build_detector
from wslib.models.wsddn import WSDDN
from wslib.practical.detector_training import predict
from wslib.practical.lab import compare
from wslib.practical.views import Examples
from wslib.prompting.pipelines import ForegroundPipeline
from wslib.show import figures
from wslib.show.tables import Table
from wslib.weak.proposal_features import keep_proposal_features
from wslib.weak.proposals import propose
from wslib.weak.wsddn_training import score_proposals

TEXT = (
    Path(__file__).resolve().parents[1].joinpath("CONTRIBUTING.md").read_text("utf-8")
)
SECTION = TEXT.partition("## Follow one number")[2].partition("\n## ")[0]
WALKS = [part.partition("\n")[0] for part in SECTION.split("### ")[1:]]
LONGEST = 10  # modules of a walk
CLOSED = {
    "metrics.overlap",
    "data.folders",
    "models.normalised",
}  # beside `runtime`, as the text says


def named(title: str) -> list[str]:
    """The dotted names that a walk stops at, in order."""
    walk = SECTION.partition(f"### {title}")[2].partition("### ")[0]
    return re.findall(r"^\d+\. `([\w.]+)`", walk, re.M)


def resolve(name: str) -> tuple[str, object]:
    """The module of a dotted name, without wslib, and what the name stands for."""
    parts = name.split(".")
    for k in range(len(parts), 0, -1):
        path = ".".join(parts[:k])
        try:
            module = importlib.import_module(f"wslib.{path}")
        except ModuleNotFoundError:
            continue
        return path, reduce(getattr, parts[k:], module)
    raise AssertionError(f"no module {name}")


def opened(walk) -> set[str]:
    """The modules of wslib whose functions run."""
    modules = set()

    def note(frame, event, _):
        module = frame.f_globals.get("__name__", "")
        if event == "call" and module.startswith("wslib."):
            modules.add(module.removeprefix("wslib."))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        walk()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return {name for name in modules if not name.startswith("runtime.")} - CLOSED


@pytest.fixture(scope="module")
def picture(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("walks") / "1.jpg"
    pixels = np.random.default_rng(0).integers(0, 255, (5, 6, 3), np.uint8)
    Image.fromarray(pixels).resize((60, 50)).save(path)
    return path


@pytest.fixture(scope="module")
def classifier():
    return build_classifier("efficientnet_lite0", pretrained=False)


@pytest.fixture(scope="module")
def network(classifier):
    network = DenseClassifier(classifier, 20)
    for head in network.heads.values():
        torch.nn.init.normal_(head.weight)
    return network


def average_precision(picture, network):
    evidence = gather_evidence(network, ["1"], [picture], 64)
    detections = DEFAULT_RECIPE.detect(evidence, 11)
    frame = evaluate(detections, {"1": np.array([[1, 1, 30, 30]])})
    Table(frame, "dogs", save=False)


def grad_cam():
    model = build_classifier("efficientnet_lite0", pretrained=False)
    images = model.normalize(torch.rand(1, 3, 64, 64))
    (heatmap,) = GradCAM(model, model.target_layer)(images)
    fig, axes = figures.new_figure()
    figures.heatmap_overlay(axes[0, 0], np.zeros((64, 64, 3), np.uint8), heatmap)


def wsddn_score(picture, network):
    proposals = propose(["1"], [picture], 50)
    maps = keep_feature_maps(network, ["1"], [picture], 64)
    regions = keep_proposal_features(maps, proposals, 5)
    score_proposals(WSDDN(maps.values.shape[2], 20), regions)


def mask(classifier):
    predictor = sam_predictor("sam_tiny", "cpu")
    cam = GradCAM(classifier, classifier.target_layer)
    images = classifier.normalize(torch.rand(1, 3, 64, 64))
    ForegroundPipeline(predictor, cam)(images)


def box(picture):
    (picture.parent / "1.csv").write_text("1.jpg,5,5,30,30,face\n")
    examples = Examples.read(read_csv(picture.parent / "1.csv"), 32)
    detector = build_detector("simple", input_size=64)
    compare(predict(detector, examples.pixels), examples)


def test_the_ap_of_the_dogs(picture, network):
    check("The AP of the dogs", lambda: average_precision(picture, network))


def test_a_grad_cam_map():
    check("A Grad-CAM map", grad_cam)


def test_the_score_of_wsddn(picture, network, monkeypatch, tmp_path):
    monkeypatch.setenv("WSLIB_DERIVED", str(tmp_path))
    check("A score of WSDDN", lambda: wsddn_score(picture, network))


def test_a_mask_of_sam(classifier):
    check("A mask of SAM", lambda: mask(classifier))


def test_a_box_of_caltech(picture):
    check("A box of Caltech", lambda: box(picture))


def check(title: str, walk) -> None:
    assert title in WALKS
    modules = [resolve(name)[0] for name in named(title)]
    assert len(modules) == len(set(modules)) <= LONGEST
    assert set(modules) == opened(walk)
