"""Detectors in files: what comes back, and what is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wslib.models.checkpoints import (
    fingerprint,
    read_checkpoint,
    save_checkpoint,
    save_classifier,
)
from wslib.models.classifiers import build_classifier
from wslib.models.two_heads import (
    about_detector,
    build_detector,
    load_detector,
)

CLASSES = ["face", "motorcycle", "airplane"]
OPTIONS = [
    ("simple", {"dropout": 0.1, "batch_norm": False}, True),
    ("deeper", {}, False),
    ("resnet18", {"pretrained": False, "pooled": True}, True),
    ("lite0", {"pretrained": True, "frozen": True}, False),
]


def refused(path, kind, *words):
    with pytest.raises(kind) as error:
        load_detector(path)
    text = str(error.value)
    assert "\n" not in text and text.startswith(f"{path}: ")
    for word in words:
        assert word in text, text


def save(path, detector, **about) -> None:
    """Write what a training run writes."""
    save_checkpoint(path, detector, **about, **about_detector(detector, CLASSES))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "detector.pt"
    save(path, build_detector("simple", input_size=64))
    return path


def rewrite(path, **changes):
    """The same file with other contents; None removes one."""
    content = {**read_checkpoint(path), **changes}
    kept = {key: value for key, value in content.items() if value is not None}
    torch.save(kept, path)


@pytest.mark.parametrize(("name", "options", "bfloat16"), OPTIONS)
def test_round_trip(tmp_path, monkeypatch, name, options, bfloat16):
    detector = build_detector(name, seed=3, input_size=64, **options)
    detector.bfloat16 = bfloat16
    path = tmp_path / "models" / "detector.pt"
    about = {"seed": 3, "sizes": [1, 2], "score": float(np.float64(0.5))}
    save(path, detector, **about)
    assert [part.name for part in path.parent.iterdir()] == ["detector.pt"]
    monkeypatch.setattr("wslib.models.classifiers.download_weights", None)  # no need
    again, known = load_detector(path)
    assert fingerprint(again) == fingerprint(detector)
    assert (again.name, again.input_size, again.training) == (name, 64, False)
    assert again.bfloat16 is bfloat16 and again.frozen is detector.frozen
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for one, other in zip(detector(images), again(images), strict=True):
            assert torch.equal(one, other)
    assert known == {
        "format": "wslib detector 1",
        "network": name,
        "classes": CLASSES,
        "options": {**options, "input_size": 64},
        "bfloat16": bfloat16,
        "seed": 3,
        "sizes": [1, 2],
        "score": 0.5,
    }
    twice = about_detector(again, known["classes"])
    assert twice == {key: known[key] for key in twice}


def test_pretrained_weights_are_not_downloaded_again(tmp_path, monkeypatch):
    path = tmp_path / "detector.pt"
    detector = build_detector("resnet18", input_size=64, pretrained=False)
    for options in ({}, {"pretrained": True}):  # as if they had been downloaded
        detector.options = options
        save(path, detector)
        monkeypatch.setattr("wslib.models.classifiers.download_weights", None)
        again, known = load_detector(path)
        assert fingerprint(again) == fingerprint(detector)
        assert again.options == known["options"] == {**options, "input_size": 64}


def test_names_for_the_outputs():
    detector = build_detector("simple", input_size=64)
    for classes in (CLASSES[:2], [*CLASSES, "car"], ["face", "face", "airplane"], []):
        with pytest.raises(ValueError, match="3 outputs for the classes") as error:
            about_detector(detector, classes)
        assert "\n" not in str(error.value)


def test_no_detector(tmp_path):
    refused(tmp_path / "none.pt", FileNotFoundError, "no such checkpoint")
    path = tmp_path / "other.pt"
    path.write_text("epoch,loss\n1,0.5\n")
    refused(path, ValueError, "not a checkpoint")
    save_classifier(path, build_classifier("resnet18", 3, pretrained=False), CLASSES)
    refused(path, ValueError, "no detector: its format is 'wslib classifier 1'")
    save_checkpoint(path, build_detector("simple", input_size=64))
    refused(path, ValueError, "no detector: its format is None")


def test_truncated(file):
    whole = file.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 30):
        file.write_bytes(whole[:length])
        refused(file, ValueError, "not a checkpoint, or damaged")


@pytest.mark.parametrize("key", ["network", "classes", "options", "bfloat16"])
def test_without_what_it_needs(file, key):
    rewrite(file, **{key: None})
    refused(file, ValueError, f"no '{key}'")
    rewrite(file, **{key: 3.5})
    refused(file, ValueError, f"no '{key}'")


def test_without_its_weights(file):
    rewrite(file, model=None)
    refused(file, ValueError, "no weights in it")


def test_weights_of_another_network(file):
    other = build_detector("deeper", input_size=64)
    rewrite(file, model=other.state_dict())
    refused(file, ValueError, "weights do not fit simple: ", "expected")
    rewrite(file, model=build_detector("simple", input_size=128).state_dict())
    refused(file, ValueError, "classify.0.weight is (32, 256), expected (32, 64)")
    rewrite(file, model={**build_detector("simple", input_size=64).state_dict()})
    load_detector(file)


def test_contents_that_contradict_each_other(file):
    rewrite(file, network="yolo")
    refused(file, ValueError, "network 'yolo', expected one of simple")
    rewrite(file, network="simple", options={"input_size": 64, "frozen": True})
    refused(file, ValueError, "simple has no option 'frozen'")
    rewrite(file, options={"input_size": 16})
    refused(file, ValueError, "input_size 16 is too small")
    rewrite(file, options={"input_size": 64}, classes=CLASSES[:2])
    refused(file, ValueError, "3 outputs for the classes face, motorcycle")


def test_weights_that_are_not_finite(file):
    weights = build_detector("simple", input_size=64).state_dict()
    weights["locate.0.bias"][3] = float("nan")
    rewrite(file, model=weights)
    refused(file, ValueError, "locate.0.bias holds numbers that are not finite")
