"""One picture after the other: which class, how probable, and where."""

import numpy as np
import pytest
import torch
from torch import nn

from wslib.boxes.explainer import Explainer, ImageExplanation
from wslib.cam import GradCAM
from wslib.data.voc import CLASSES
from wslib.models.checkpoints import load_classifier, save_classifier
from wslib.models.classifiers import build_classifier

NAMES = ["circle", "Square", "star"]


def noise(shape):
    return np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An EfficientNet-Lite0 with random weights and the three classes of NAMES."""
    path = tmp_path_factory.mktemp("model") / "shapes.pt"
    classifier = build_classifier("efficientnet_lite0", 3, pretrained=False, seed=1)
    nn.init.normal_(classifier.head.weight, generator=torch.manual_seed(0))
    save_classifier(path, classifier, NAMES, size=64)
    return path


def test_title_and_peak():
    heatmap = np.zeros((4, 6), np.float32)
    heatmap[1, 5] = 1
    explained = ImageExplanation("dog", 0.987, heatmap)
    assert explained.title == "dog: 0.99" and explained.peak == [5, 1]


def explain(model, image, target=None, layers=()):
    return Explainer(model, "gradcam", layers, None, "cpu").explain(image, target)


def test_a_map_is_gradcam_at_the_size_of_the_image(model):
    image = noise((96, 128, 3))
    square = noise((64, 64, 3))
    assert explain(model, image, 1).heatmap.shape == (96, 128)
    classifier, _ = load_classifier(model)
    pixels = torch.from_numpy(square).permute(2, 0, 1)[None] / 255
    pixels = classifier.normalize(pixels)
    cam = GradCAM(classifier, [classifier.features.stage5])
    expected = cam.explain(pixels, [1])
    result = explain(
        model, square, 1, layers=["stage5"]
    )  # 64 pixels: as it was trained
    np.testing.assert_allclose(result.heatmap, expected.maps[0], atol=1e-6)
    assert result.target == "Square"
    assert result.probability == pytest.approx(float(expected.logits.softmax(1)[0, 1]))
    top = int(expected.logits.argmax())
    assert explain(model, square).target == NAMES[top]
    both = explain(model, square, 1, layers=["stage5", "stage3"]).heatmap
    other = explain(model, square, 1, layers=["stage3"]).heatmap
    np.testing.assert_allclose(both, (result.heatmap + other) / 2, atol=1e-6)


def test_vocs_classes_are_independent_and_the_last_head_shows_them(tmp_path):
    classifier = build_classifier("efficientnet_lite0", 40, pretrained=False, seed=2)
    nn.init.normal_(classifier.head.weight, generator=torch.manual_seed(0))
    save_classifier(tmp_path / "voc.pt", classifier, CLASSES)
    image = noise((224, 224, 3))
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    dog = CLASSES.index("dog")
    cam = GradCAM(classifier, [classifier.target_layer])
    expected = cam.explain(classifier.normalize(pixels), [20 + dog])
    result = explain(tmp_path / "voc.pt", image, dog)
    assert result.probability == pytest.approx(float(expected.logits.sigmoid()[0, dog]))
    np.testing.assert_allclose(result.heatmap, expected.maps[0], atol=1e-6)


@pytest.fixture(scope="module")
def imagenet():
    return Explainer(None, "gradcam", [], None, "cpu")


def test_without_a_model_there_are_the_classes_of_imagenet(imagenet):
    from skimage import data

    image = data.chelsea()  # a cat's face
    result = imagenet.explain(image)
    assert result.target == "Egyptian cat" and 0.5 < result.probability < 1
    assert result.heatmap.shape == image.shape[:2]
    assert result.heatmap[80:220, 80:300].mean() > 3 * result.heatmap[:, 400:].mean()


@pytest.mark.parametrize(
    "name, number",
    [
        ("Egyptian cat", 285),
        ("egyptian CAT", 285),
        ("Cardigan", 264),
        ("cardigan", 474),
    ],
)
def test_classes_by_name(imagenet, name, number):
    assert imagenet.class_number(name) == number


@pytest.mark.parametrize(
    "name, hint",
    [
        ("Egiptian cat", "the closest are Egyptian cat, "),
        ("cat", "the closest are tiger cat, Persian cat, Siamese cat, Egyptian cat, "),
        ("CARDIGAN", "the closest are Cardigan, cardigan, "),
        ("xqzw", "none is like it"),
    ],
)
def test_classes_that_are_not_there(imagenet, name, hint):
    with pytest.raises(ValueError) as error:
        imagenet.class_number(name)
    assert str(error.value).startswith(f"no class {name!r} among 1000; {hint}")
