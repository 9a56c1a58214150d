"""Whether a detector is there already: this one, another one, or none."""

import pytest

from wslib.boxes.training import is_trained
from wslib.data.voc import CLASSES
from wslib.models.classifiers import build_classifier
from wslib.models.dense import DenseClassifier, save_dense

SETTINGS = {"split": "train", "epochs": 0, "seed": 3}


@pytest.fixture(scope="module")
def network():
    classifier = build_classifier("efficientnet_lite0", 1000, pretrained=False)
    return DenseClassifier(classifier, len(CLASSES))


def test_this_one_another_one_or_none(network, tmp_path):
    path = tmp_path / "detector.pt"
    assert not is_trained(path, SETTINGS)
    save_dense(path, network, CLASSES, trained=SETTINGS)
    assert is_trained(path, SETTINGS)
    with pytest.raises(ValueError, match="another detector, with seed 3, not 4"):
        is_trained(path, {**SETTINGS, "seed": 4})
    with pytest.raises(ValueError, match="with validate None, not 'val'"):
        is_trained(path, {**SETTINGS, "validate": "val"})


def test_a_detector_that_does_not_say_how_it_was_trained(network, tmp_path):
    path = tmp_path / "detector.pt"
    save_dense(path, network, CLASSES, trained=[3])
    with pytest.raises(ValueError, match="another detector, with split None"):
        is_trained(path, SETTINGS)
