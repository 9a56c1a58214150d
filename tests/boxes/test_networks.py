"""Networks in files that find VOC's classes, whatever the order of their outputs."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.boxes.networks import (
    PLAIN_THRESHOLD,
    PlainNetwork,
    classify_files,
    open_network,
)
from wslib.boxes.recipe import DEFAULT_RECIPE
from wslib.data.image_sets import ImageSet
from wslib.data.voc import CLASSES
from wslib.models.checkpoints import save_classifier
from wslib.models.classifiers import build_classifier

ORDER = CLASSES[::-1]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two pictures, and a classifier with random weights, its classes in ORDER; those
    of the head are above 0, so that something speaks for each class everywhere."""
    folder = tmp_path_factory.mktemp("networks")
    generator = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        noise = generator.integers(256, size=(40, 60, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / name)
    classifier = build_classifier("efficientnet_lite0", 20, pretrained=False, seed=1)
    nn.init.uniform_(classifier.head.weight, 0, 0.1, generator=torch.manual_seed(0))
    save_classifier(folder / "plain.pt", classifier, ORDER, size=64)
    return folder


@pytest.fixture(scope="module")
def network(folder):
    return PlainNetwork(folder / "plain.pt", None, CPU)


@pytest.fixture(scope="module")
def images(folder):
    return ImageSet.from_files([folder / "a.png", folder / "b.png"])


def test_probabilities_are_in_the_order_of_voc(network, images):
    found = network.probabilities(images.paths)
    outputs = classify_files(network.network, images.paths, 64, 8)
    np.testing.assert_allclose(found, outputs[:, ::-1])
    dog = network.class_probabilities(images.paths, "dog")
    np.testing.assert_allclose(dog, outputs[:, ORDER.index("dog")])


def test_image_and_mirror_image_have_the_same_probabilities(network, folder, images):
    with Image.open(folder / "a.png") as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "mirrored.png")
    both = network.probabilities([folder / "a.png", folder / "mirrored.png"], 60)
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


def test_detections_say_how_they_were_made(network, images):
    recipe = network.make_recipe("dog", max_boxes=2)
    assert recipe.threshold == PLAIN_THRESHOLD and recipe.kind == "gradcam"
    assert (recipe.area_power, recipe.second) == (
        DEFAULT_RECIPE.area_power,
        DEFAULT_RECIPE.second,
    )
    found = network.detect(images, "dog", recipe)
    assert list(found.boxes) == images.ids and found.dataset == "files"
    assert found.recipe["size"] == 64 and found.recipe["max_boxes"] == 2
    assert found.model == network.fingerprint and "rendered" not in found.recipe
    best = network.class_probabilities(images.paths, "dog")
    for image_id, score in zip(images.ids, best, strict=True):
        x1, y1, x2, y2, found_score = found.boxes[image_id][0]
        area = (x2 - x1 + 1) * (y2 - y1 + 1) / (60 * 40)
        assert found_score == pytest.approx(score * area**DEFAULT_RECIPE.area_power)
    assert network.detect(images, "dog", recipe, size=96).recipe["size"] == 96


def test_maps_are_those_that_the_boxes_came_from(network, images):
    found = network.detect(images, "dog", network.make_recipe("dog", threshold=0.5))
    maps = network.heatmaps(images.ids, images.paths, found)
    assert [m.shape for m in maps] == [(40, 60)] * 2
    assert all(m.min() >= 0 and m.max() == pytest.approx(1) for m in maps)
    other = type(found)(**{**vars(found), "model": "f" * 12})
    with pytest.raises(ValueError, match=f"found by network {'f' * 12}, not by"):
        network.heatmaps(images.ids, images.paths, other)


def test_what_is_refused(network, folder, images):
    with pytest.raises(ValueError, match=r"plain.pt: 'posterior' maps, it has gradcam"):
        network.make_recipe("dog", "posterior")
    recipe = network.make_recipe("dog")
    for ask in (
        lambda: network.probabilities(images.paths, 8),
        lambda: network.detect(images, "dog", recipe, 8),
    ):
        with pytest.raises(ValueError, match="size is 8, expected 32 to 2048 pixels"):
            ask()
    for files in ((None, None), (folder / "plain.pt", folder / "plain.pt")):
        with pytest.raises(ValueError, match="give one of --detector FILE"):
            open_network(*files, None, "cpu")
    classifier = build_classifier("efficientnet_lite0", 2, pretrained=False)
    save_classifier(folder / "two.pt", classifier, ["dog", "cat"])
    with pytest.raises(
        ValueError, match=r"two.pt: its classes lack aeroplane, bicycle"
    ):
        open_network(None, folder / "two.pt", None, "cpu")
