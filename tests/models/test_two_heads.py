"""Networks with two heads: shapes, counts by hand, and what is frozen stays frozen."""

from __future__ import annotations

import copy
from functools import cache
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from wslib.models.two_heads import (
    FIRST_BOX,
    NETWORKS,
    Maps,
    SimpleDetector,
    TwoHeadNetwork,
    build_detector,
)

FIRST = ("simple", "deeper", "vgg")
LAST = ("resnet18", "lite0")


def small(name, size=64, **options):
    """The network for small images, without a download."""
    if name in LAST:
        options = {"pretrained": False, **options}
    return build_detector(name, input_size=size, **options)


@cache
def built_once(name, pooled):
    return small(name, pooled=True) if pooled else small(name)


def copied(name, pooled=False):
    """The same as `small` gives; drawing the weights takes most of a test's time."""
    return copy.deepcopy(built_once(name, pooled))


def images(count=4, size=64, seed=0):
    return torch.randn(
        count, 3, size, size, generator=torch.Generator().manual_seed(seed)
    )


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def linear(*widths):
    """Numbers in a stack of linear layers."""
    pairs = zip(widths[:-1], widths[1:], strict=True)
    return sum(inputs * outputs + outputs for inputs, outputs in pairs)


def kinds(module, kind):
    return [part for part in module.modules() if isinstance(part, kind)]


@pytest.mark.parametrize(
    ("name", "size", "classes"),
    [*((name, 64, 3) for name in NETWORKS), ("simple", 96, 5), ("lite0", 96, 5)],
)
def test_two_answers(name, size, classes):
    options = {"pretrained": True} if name == "lite0" else {}  # drawn, it sees little
    detector = small(name, size, num_classes=classes, **options)
    assert not detector.training and detector.name == name
    with torch.no_grad():
        logits, boxes = detector(images(4, size))
    assert logits.shape == (4, classes) and boxes.shape == (4, 4)
    assert logits.dtype == boxes.dtype == torch.float32
    assert (boxes > 0).all() and (boxes < 1).all()
    assert (logits[0] - logits[1]).abs().max() > 1e-6
    assert (boxes[0] - boxes[1]).abs().max() > 1e-6


@pytest.mark.parametrize("name", NETWORKS)
def test_it_begins_with_a_box(name):
    with torch.no_grad():
        _, boxes = copied(name)(images())
        _, corners = copied(name)(torch.zeros(1, 3, 64, 64))
    for box in (*boxes, *corners):
        assert (box - torch.tensor(FIRST_BOX)).abs().max() < 0.15
    assert (boxes[:, :2] + 0.1 < boxes[:, 2:]).all()


def test_the_first_network_by_hand():
    detector = build_detector("simple")
    assert detector.input_size == 224
    with torch.no_grad():
        assert detector.maps(images(1, 224)).values.shape == (1, 64, 3, 3)
    convolutions = kinds(detector.features, nn.Conv2d)
    assert [c.out_channels for c in convolutions] == [32, 64, 64]
    assert [p.kernel_size for p in kinds(detector, nn.MaxPool2d)] == [4, 4, 4]
    widths = [576, 32, 16]
    for head, outputs in ((detector.classify, 3), (detector.locate, 4)):
        layers = kinds(head, nn.Linear)
        assert [layer.in_features for layer in layers] == widths
        assert layers[-1].out_features == outputs
    convolved = (27 * 32 + 32) + (9 * 32 * 64 + 64) + (9 * 64 * 64 + 64)
    norms = 2 * (32 + 64 + 64)
    assert count(detector.features) == convolved + norms
    heads = linear(*widths, 3) + linear(*widths, 4)
    assert count(detector) == convolved + norms + heads == 94_743


def test_the_deeper_network_sees_seven_by_seven_places():
    detector = build_detector("deeper")
    with torch.no_grad():
        assert detector.maps(images(1, 224)).values.shape == (1, 128, 7, 7)
    widths = [c.out_channels for c in kinds(detector, nn.Conv2d)]
    assert widths == [32, 64, 64, 128, 128, 128, 128]
    assert [p.kernel_size for p in kinds(detector, nn.MaxPool2d)] == [2] * 5
    first, last = kinds(detector.locate, nn.Linear)[:2]
    assert (first.in_features, first.out_features) == (128 * 7 * 7, 128)
    assert last.out_features == 32


def test_vgg_11_by_hand():
    import torchvision

    plain = small("vgg", batch_norm=False)
    convolutions = kinds(plain, nn.Conv2d)
    widths = [64, 128, 256, 256, 512, 512, 512, 512]
    assert [c.out_channels for c in convolutions] == widths
    assert count(plain.features) == 9_220_480
    with torch.device("meta"):
        original = torchvision.models.vgg11(weights=None)
    assert count(original.features) == 9_220_480
    order = [type(layer).__name__ for layer in original.features]
    assert [type(layer).__name__ for layer in plain.features] == order
    assert count(plain.classify) == linear(512 * 2 * 2, 512, 512, 3)
    assert count(plain.locate) == linear(512 * 2 * 2, 512, 512, 4)
    normed = small("vgg")
    assert count(normed.features) == 9_220_480 + 2 * sum(widths)


@pytest.mark.parametrize(
    ("name", "places"), [("resnet18", (512, 2, 3)), ("lite0", (112, 4, 6))]
)
def test_maps_of_the_pretrained_kind(name, places):
    detector, pooled = copied(name), copied(name, pooled=True)
    with torch.no_grad():
        maps = detector.maps(torch.rand(2, 3, 64, 96))
        thin = detector.neck(maps.values)
        assert maps.values.shape == (2, *places) and thin.shape == (2, 64, *places[1:])
        assert (thin >= 0).all()
        mean = pooled.neck(maps.values).flatten(1)
    torch.testing.assert_close(mean, maps.values.mean((2, 3)))
    widths = [layer.in_features for layer in kinds(pooled.locate, nn.Linear)]
    assert widths == [places[0], 128, 32]
    channels = 64 * places[1] * places[1]
    assert kinds(detector.classify, nn.Linear)[0].in_features == channels


def test_pooling_forgets_where():
    maps = torch.zeros(2, 112, 4, 4)
    maps[0, :, 0, 1] = maps[1, :, 3, 2] = 5.0  # the same in two places
    with torch.no_grad():
        _, boxes = copied("lite0", pooled=True)(Maps(maps))
        torch.testing.assert_close(boxes[0], boxes[1])
        _, boxes = copied("lite0")(Maps(maps))
        assert not torch.allclose(boxes[0], boxes[1])


@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_is_in_the_class_head_alone(name):
    detector = copied(name)
    drops = kinds(detector, nn.Dropout)
    assert [drop.p for drop in drops] == [0.5 if name == "vgg" else 0.3] * 2
    assert kinds(detector.classify, nn.Dropout) == drops
    expected = [nn.Linear, nn.ReLU] * 2 + [nn.Linear, nn.Sigmoid]
    assert [type(layer) for layer in detector.locate] == expected
    detector.train().features.eval(), detector.neck.eval()
    torch.manual_seed(0)
    with torch.no_grad():
        (one, box), (other, same) = detector(images()), detector(images())
    assert torch.equal(box, same) and not torch.equal(one, other)


@pytest.mark.parametrize("name", FIRST)
def test_batch_norm_and_dropout_can_be_left_out(name):
    convolutions = len(kinds(copied(name), nn.Conv2d))
    assert len(kinds(copied(name), nn.BatchNorm2d)) == convolutions
    drops = kinds(small(name, dropout=0.25), nn.Dropout)
    assert [drop.p for drop in drops] == [0.25, 0.25]
    assert not kinds(small(name, batch_norm=False), nn.BatchNorm2d)


def train_once(detector):
    trained = [p for p in detector.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    detector.train()
    logits, boxes = detector(images())
    (F.cross_entropy(logits, torch.tensor([0, 1, 2, 0])) + boxes.sum()).backward()
    optimizer.step()


def states(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def changed(before, module):
    after = module.state_dict()
    return [key for key, value in before.items() if not torch.equal(value, after[key])]


@pytest.mark.parametrize("name", LAST)
@pytest.mark.parametrize("pooled", [False, True])
def test_what_is_frozen_stays_as_it_is(name, pooled):
    detector = small(name, frozen=True, pooled=pooled)
    before = states(detector)
    train_once(detector)
    assert all(p.grad is None for p in detector.features.parameters())
    assert detector.classify.training and not detector.features.training
    moved = changed(before, detector)
    assert not [key for key in moved if key.startswith("features.")]
    parts = {"classify", "locate"} if pooled else {"classify", "locate", "neck"}
    assert {key.split(".")[0] for key in moved} == parts
    assert not detector.eval().classify.training


@pytest.mark.parametrize("name", NETWORKS)
def test_all_is_trained_unless_it_is_frozen(name):
    detector = copied(name)
    before = states(detector)
    train_once(detector)
    assert all(p.requires_grad for p in detector.parameters())
    assert detector.features.training
    moved = changed(before, detector)
    statistics = [key for key in before if key.endswith("running_mean")]
    weights = [key for key in before if key.endswith(".weight")]
    assert set(statistics) <= set(moved) and statistics
    assert len(set(weights) & set(moved)) > 0.9 * len(weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_stand_for_images(name):
    detector = copied(name)
    with torch.no_grad():
        straight, ready = detector(images()), detector(detector.maps(images()))
    for one, other in zip(straight, ready, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_of_the_features(name):
    detector = (
        build_detector("lite0", input_size=64) if name == "lite0" else copied(name)
    )
    assert detector.bfloat16 is False
    seen = []
    detector.features.register_forward_hook(lambda m, i, out: seen.append(out.dtype))
    detector.locate.register_forward_hook(lambda m, i, out: seen.append(out.dtype))
    with torch.no_grad():
        logits, boxes = detector(images())
        detector.bfloat16 = True
        half, corners = detector(images())
        assert detector.maps(images()).values.dtype == torch.float32
    assert seen[:4] == [torch.float32] * 2 + [torch.bfloat16, torch.float32]
    assert not torch.equal(corners, boxes)
    torch.testing.assert_close(corners, boxes, atol=0.02, rtol=0)
    torch.testing.assert_close(half, logits, atol=0.05, rtol=0)
    detector.train()(images())[1].sum().backward()
    first = next(detector.features.parameters())
    assert first.grad.dtype == torch.float32 and first.grad.abs().sum() > 0


def test_normalize_uses_the_networks_own_numbers():
    grey = torch.full((1, 3, 2, 2), 127 / 255)
    assert copied("lite0").normalize(grey).abs().max() == 0
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    pixel = torch.tensor(mean).add(torch.tensor(std)).view(1, 3, 1, 1)
    for name in ("simple", "resnet18"):
        normalized = copied(name).normalize(pixel)
        torch.testing.assert_close(normalized, torch.ones(1, 3, 1, 1))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_draws_all_weights_and_nothing_else_moves(name):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = small(name, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    other = small(name, seed=2)
    if name != "vgg":  # takes long
        assert not changed(states(one), small(name, seed=1))
    drawn = [key for key, value in one.named_parameters() if value.dim() > 1]
    assert set(drawn) <= set(changed(states(one), other))  # the features too


def test_loaded_features_are_the_same_for_each_seed():
    one = build_detector("lite0", seed=1, input_size=64)
    other = build_detector("lite0", seed=2, input_size=64)
    assert not changed(states(one.features), other.features)
    assert changed(states(one.locate), other.locate)
    drawn = small("lite0", seed=1)
    assert changed(states(one.features), drawn.features)
    assert list(states(one.features)) == list(states(drawn.features))


def test_a_network_of_ones_own():
    features = nn.Sequential(nn.Conv2d(3, 4, 8, stride=8), nn.ReLU())
    sizes = {"num_classes": 2, "input_size": 16, "hidden": (6, 5), "dropout": 0}
    detector = TwoHeadNetwork(features, nn.Identity(), **sizes)
    logits, boxes = detector(images(2, 16))
    assert logits.shape == (2, 2) and boxes.shape == (2, 4)
    assert count(detector.locate) == linear(16, 6, 5, 4)


def one_line(kind, build, *words):
    with pytest.raises(kind) as error:
        build()
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


def test_what_makes_no_sense():
    names = "expected one of simple, deeper, vgg, resnet18, lite0"
    one_line(ValueError, lambda: build_detector("yolo"), "network 'yolo'", names)
    known = "expected some of num_classes, input_size, dropout, batch_norm"
    text = "simple has no option 'frozen'"
    one_line(ValueError, lambda: build_detector("simple", frozen=True), text, known)
    text = "lite0 has no option 'batch_norm'"
    one_line(ValueError, lambda: small("lite0", batch_norm=False), text, "pooled")
    for wrong in (0, -1):
        text = f"num_classes is {wrong}, expected 1 or more"
        one_line(ValueError, lambda n=wrong: small("simple", num_classes=n), text)
    one_line(ValueError, lambda: small("simple", dropout=1.5), "dropout is 1.5, exp")
    text = "dropout is nan, expected 0 to 1"
    one_line(ValueError, lambda: small("simple", dropout=float("nan")), text)
    for size in (0, -1, 10**9):
        text = f"input_size is {size}, expected 1 to 2048"
        one_line(ValueError, lambda n=size: small("resnet18", n), text)


def test_one_class_and_all_dropped_out_are_networks():
    logits, _ = small("simple", num_classes=1, dropout=1)(images(2))
    assert logits.shape == (2, 1)


@pytest.mark.parametrize(
    ("name", "size"), [("simple", 63), ("deeper", 31), ("vgg", 31)]
)
def test_too_small_for_the_network(name, size):
    text = f"input_size {size} is too small for {NETWORKS[name].__name__}"
    one_line(ValueError, lambda: small(name, size), f"{text}, expected {size + 1} or")


def test_weights_that_cannot_be_downloaded(monkeypatch, tmp_path):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    words = "weights of resnet18", "no network", "efficientnet_lite0"
    one_line(RuntimeError, lambda: build_detector("resnet18"), *words)
    assert small("resnet18")(images(1))[1].shape == (1, 4)


def test_built_by_its_class_it_is_the_same_network():
    torch.manual_seed(7)
    own = SimpleDetector(input_size=64)
    assert not changed(states(own), small("simple", seed=7))
