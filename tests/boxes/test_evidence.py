"""Kept feature maps give the evidence and the features that the images give."""

import numpy as np
import pytest
import torch
from PIL import Image

from wslib.boxes.evidence import (
    evidence_from_maps,
    extract_features,
    features_from_maps,
    gather_evidence,
)
from wslib.models.classifiers import build_classifier
from wslib.models.dense import DenseClassifier
from wslib.models.features import keep_feature_maps

SIZE = 64


@pytest.fixture
def network():
    network = DenseClassifier(build_classifier("efficientnet_lite0"), 3)
    generator = torch.Generator().manual_seed(0)
    for head in network.heads.values():
        head.weight.data = torch.randn(head.weight.shape, generator=generator) / 30
    return network


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Three pictures of other shapes, none of them its own mirror image."""
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build/test"))
    rng, paths = np.random.default_rng(0), []
    for k, (height, width) in enumerate(((50, 80), (64, 64), (90, 40))):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        pixels[:, : width // 2] //= 4
        paths.append(tmp_path / f"{k}.png")
        Image.fromarray(pixels).save(paths[-1])
    return ["a", "b", "c"], paths


def test_kept_maps_give_the_same_evidence(network, pictures):
    ids, paths = pictures
    seen = gather_evidence(network, ids, paths, SIZE, batch_size=2)
    kept = evidence_from_maps(network, keep_feature_maps(network, ids, paths, SIZE, 2))
    assert kept.ids == ids and kept.sizes.tolist() == [[80, 50], [64, 64], [40, 90]]
    assert np.array_equal(kept.sizes, seen.sizes)
    for name in ("logits", "gradcam", "posterior", "places"):
        one, other = getattr(seen, name), getattr(kept, name)
        assert one.dtype == other.dtype and one.shape == other.shape
        one, other = one.astype(float), other.astype(float)
        assert np.abs(one - other).max() < 0.02 * np.abs(one).max(), name
    assert np.abs(seen.gradcam - seen.gradcam[..., ::-1]).max() > 0.1  # no symmetry


def test_kept_maps_give_the_same_features(network, pictures):
    ids, paths = pictures
    learnt = extract_features(network, paths, SIZE, batch_size=2)
    kept = features_from_maps(network, keep_feature_maps(network, ids, paths, SIZE, 2))
    assert np.array_equal(kept.sizes, learnt.sizes)
    assert kept.places.dtype == torch.float16 and kept.pooled.shape[:2] == (2, 3)
    for name in ("pooled", "posteriors", "places"):
        one, other = getattr(learnt, name).float(), getattr(kept, name).float()
        assert torch.allclose(one, other, atol=0.02 * float(one.abs().max())), name
    assert not torch.allclose(learnt.pooled[0], learnt.pooled[1])
