"""Localizers: how a map becomes one number, and what the networks keep and learn."""

from __future__ import annotations

import math
from urllib.error import URLError

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wslib.models.classifiers import IMAGENET_MEAN_STD, LITE_MEAN_STD
from wslib.models.localizers import (
    LITE_CHANNELS,
    POOLINGS,
    Localizer,
    build_localizer,
    framed,
    pool_map,
)
from wslib.models.two_heads import Maps


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small(pooling="max", frozen=True, **options) -> Localizer:
    """A localizer on three channels of half the size, with a batch norm to look at."""
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(3, 5, 2, stride=2), nn.BatchNorm2d(5), nn.ReLU())
    return Localizer(features, 5, 4, pooling, frozen=frozen, **options)


@pytest.fixture(scope="module")
def alexnet():
    return build_localizer("alexnet", 3, pretrained=False, seed=1)


@pytest.fixture(scope="module")
def lite0():
    return build_localizer("efficientnet_lite0", 3, "average", seed=1)


# How a map becomes one number


def test_poolings_by_hand():
    maps = torch.tensor([[[[0.0, 1.0], [2.0, 5.0]], [[-4.0, -4.0], [-4.0, -8.0]]]])
    assert pool_map(maps, "max").tolist() == [[5, -4]]
    assert pool_map(maps, "average").tolist() == [[2, -5]]
    between = math.log((1 + math.exp(2) + math.exp(4) + math.exp(10)) / 4) / 2
    found = pool_map(maps, "logsumexp", sharpness=2)
    assert found[0, 0].item() == pytest.approx(between)
    default = pool_map(maps, "logsumexp")
    torch.testing.assert_close(default, pool_map(maps, "logsumexp", 4.0))


@pytest.mark.parametrize("shape", [(2, 6, 5, 7), (1, 1, 3, 1)])
def test_average_pooling_is_the_linear_layer_of_the_global_average(shape):
    features, layer = draw(*shape), nn.Linear(shape[1], 3)
    at_each_place = F.conv2d(features, layer.weight[..., None, None], layer.bias)
    pooled = pool_map(at_each_place, "average")
    torch.testing.assert_close(pooled, layer(features.mean((2, 3))))


@pytest.mark.parametrize("kind", ["drawn", "ties", "constant"])
def test_the_gradient_of_the_maximum_touches_one_place_a_class(kind):
    maps = draw(3, 4, 5, 6)
    maps = {"drawn": maps, "ties": maps.round(), "constant": maps * 0}[kind]
    maps.requires_grad_()
    weights = torch.arange(1.0, 13).view(3, 4)
    (pool_map(maps, "max") * weights).sum().backward()
    touched = maps.grad.flatten(2) != 0  # (3, 4, 30)
    assert (touched.sum(2) == 1).all()
    assert torch.equal(maps.grad.sum((2, 3)), weights)
    where = touched.int().argmax(2)
    first = (maps.flatten(2) == maps.amax((2, 3))[..., None]).int().argmax(2)
    assert torch.equal(where, first)


def test_the_gradient_of_the_mean_is_the_same_everywhere():
    maps = draw(2, 3, 4, 5).requires_grad_()
    pool_map(maps, "average").sum().backward()
    torch.testing.assert_close(maps.grad, torch.full((2, 3, 4, 5), 1 / 20))


def test_the_gradient_in_between_is_a_softmax():
    maps = draw(2, 3, 4, 5).requires_grad_()
    pool_map(maps, "logsumexp", 3.0).sum().backward()
    torch.testing.assert_close(maps.grad.sum((2, 3)), torch.ones(2, 3))
    expected = (3 * maps.detach().flatten(2)).softmax(2).view_as(maps)
    torch.testing.assert_close(maps.grad, expected)


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-30, 30), min_size=1, max_size=12),
    sharpness=st.floats(0.01, 50),
)
def test_log_sum_exp_lies_between_and_grows_with_its_sharpness(values, sharpness):
    maps = torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)
    mean, top = (pool_map(maps, name).item() for name in ("average", "max"))
    soft = pool_map(maps, "logsumexp", sharpness).item()
    assert mean - 1e-9 <= soft <= top + 1e-9
    assert soft <= pool_map(maps, "logsumexp", 1.5 * sharpness).item() + 1e-9
    assert soft >= top - math.log(len(values)) / sharpness - 1e-9


def test_the_limits_of_log_sum_exp():
    maps = draw(2, 3, 6, 6).double()
    soft = pool_map(maps, "logsumexp", 1e-5)
    torch.testing.assert_close(soft, pool_map(maps, "average"), atol=1e-4, rtol=0)
    sharp = pool_map(maps, "logsumexp", 1e5)
    torch.testing.assert_close(sharp, pool_map(maps, "max"), atol=1e-4, rtol=0)
    far = pool_map(1e4 * maps.float(), "logsumexp", 4.0)  # nothing overflows
    assert torch.isfinite(far).all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_constant_map_gives_its_constant_and_a_place_itself(pooling):
    flat = torch.full((2, 3, 4, 5), -1.5)
    torch.testing.assert_close(pool_map(flat, pooling), torch.full((2, 3), -1.5))
    place = draw(2, 3, 1, 1)
    torch.testing.assert_close(pool_map(place, pooling), place[..., 0, 0])


# The networks


def test_the_courses_alexnet_makes_29_of_512_pixels(alexnet):
    assert alexnet.places(torch.zeros(1, 3, 512, 512)).shape == (1, 3, 29, 29)
    assert alexnet.features(torch.zeros(1, 3, 256, 192)).shape == (1, 256, 15, 11)
    assert alexnet.places(torch.zeros(1, 3, 256, 192)).shape == (1, 3, 13, 9)


def test_lite0_has_stride_16(lite0):
    """256 x 192 pixels -> 16 x 12 places, so that 512 x 512 make 32 x 32."""
    assert lite0.features(torch.zeros(1, 3, 256, 192)).shape == (1, 320, 16, 12)
    assert lite0.places(torch.zeros(2, 3, 96, 128)).shape == (2, 3, 4, 6)
    assert lite0(torch.zeros(2, 3, 96, 128)).shape == (2, 3)


def test_alexnet_is_torchvisions_without_its_last_pooling(alexnet):
    import torchvision

    network = torchvision.models.alexnet(weights=None)
    state = {f"features.{k}": v for k, v in alexnet.features.state_dict().items()}
    network.load_state_dict(state, strict=False)
    images = draw(1, 3, 127, 95)
    with torch.no_grad():
        pooled = F.max_pool2d(alexnet.features(images), 3, 2)
        torch.testing.assert_close(pooled, network.features(images))


def test_lite0_is_the_trunk_of_the_dense_classifier(lite0):
    from wslib.models.classifiers import build_classifier
    from wslib.models.dense import DenseClassifier

    network = DenseClassifier(build_classifier("efficientnet_lite0"), 1)
    images = network.normalize(torch.rand(1, 3, 64, 96))
    with torch.inference_mode():
        trunk = network.trunk(images)
        torch.testing.assert_close(
            lite0.features(images), trunk[:, -LITE_CHANNELS:], rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            lite0(Maps(trunk)), lite0(images), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("name", ["alexnet", "lite0"])
def test_normalize_uses_what_the_features_were_trained_on(name, request):
    localizer = request.getfixturevalue(name)
    mean, std = LITE_MEAN_STD if name == "lite0" else IMAGENET_MEAN_STD
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (mean, std))
    assert localizer.normalize(mean.expand(2, 3, 4, 4)).abs().max() == 0
    one = localizer.normalize((mean + std).expand(1, 3, 2, 2))
    torch.testing.assert_close(one, torch.ones(1, 3, 2, 2))


def test_the_head_is_the_courses_and_drawn_after_glorot(alexnet):
    first, relu, second, relu2, last = alexnet.head
    assert isinstance(relu, nn.ReLU) and isinstance(relu2, nn.ReLU)
    assert (first.in_channels, first.out_channels, last.out_channels) == (256, 256, 3)
    assert [layer.kernel_size for layer in (first, second, last)] == [
        (3, 3), (1, 1), (1, 1),
    ]  # fmt: skip
    for layer in (first, second, last):
        assert layer.bias.abs().max() == 0
        places = math.prod(layer.kernel_size)
        fans = places * (layer.in_channels + layer.out_channels)
        bound = math.sqrt(6 / fans)
        largest = layer.weight.abs().max().item()
        assert 0.98 * bound < largest <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_the_seed_draws_the_weights_and_nothing_else_moves():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one = build_localizer("efficientnet_lite0", 3, seed=1)
    assert torch.equal(before, torch.random.get_rng_state())
    same = build_localizer("efficientnet_lite0", 3, "average", seed=1)
    other = build_localizer("efficientnet_lite0", 3, seed=2)
    for key, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[key])
        drawn = key.startswith("head") and key.endswith("weight")
        assert torch.equal(value, other.state_dict()[key]) != drawn
    torch.manual_seed(1)  # whatever the features are, the same head
    head = Localizer(nn.Identity(), LITE_CHANNELS, 3).head
    assert all(map(torch.equal, head.parameters(), one.head.parameters()))


def test_alexnet_without_its_weights_is_drawn_from_the_seed(alexnet):
    same = build_localizer("alexnet", 3, pretrained=False, seed=1)
    assert torch.equal(same.features[0].weight, alexnet.features[0].weight)
    other = build_localizer("alexnet", 3, pretrained=False, seed=2)
    assert not torch.equal(other.features[0].weight, alexnet.features[0].weight)


def test_the_parts_of_an_answer():
    localizer, images = small("logsumexp", sharpness=2.5), draw(2, 3, 12, 16)
    localizer.eval()
    places = localizer.places(images)
    torch.testing.assert_close(places, localizer.head(localizer.features(images)))
    pooled = pool_map(places, "logsumexp", 2.5)
    torch.testing.assert_close(localizer(images), pooled)
    assert places.shape == (2, 4, 4, 6) and pooled.shape == (2, 4)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_maps_stand_for_images(pooling):
    localizer, images = small(pooling).eval(), draw(2, 3, 12, 16)
    maps = localizer.trunk(images)
    assert torch.equal(maps, localizer.features(images))
    more = torch.cat([draw(2, 3, 6, 8, seed=9), maps], 1)  # the last 5 are read
    for values in (maps, more):
        assert torch.equal(localizer(Maps(values)), localizer(images))
        assert torch.equal(localizer.places(Maps(values)), localizer.places(images))


def test_eight_bits_are_for_the_map_alone():
    localizer, images = small("average").eval(), draw(2, 3, 12, 16)
    exact = localizer.places(images)
    localizer.bfloat16 = True
    rough = localizer.places(images)
    assert rough.dtype == localizer(images).dtype == torch.float32
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.02)
    localizer(images).sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in localizer.head.parameters())
    localizer.bfloat16 = False
    assert torch.equal(localizer.places(images), exact)


def test_frozen_features_stay_as_they_are():
    localizer = small(frozen=True)
    assert localizer.train() is localizer
    assert localizer.training and localizer.head.training
    assert not any(module.training for module in localizer.features.modules())
    before = localizer.features[1].running_mean.clone()
    localizer(draw(4, 3, 12, 12)).sum().backward()
    assert torch.equal(localizer.features[1].running_mean, before)
    assert all(p.grad is None for p in localizer.features.parameters())
    assert all(p.grad is not None for p in localizer.head.parameters())
    assert not localizer.eval().head.training


def test_features_that_are_not_frozen_are_trained():
    localizer = small(frozen=False).train()
    assert localizer.features[1].training
    before = localizer.features[1].running_mean.clone()
    localizer(draw(4, 3, 12, 12)).sum().backward()
    assert not torch.equal(localizer.features[1].running_mean, before)
    assert all(p.grad is not None for p in localizer.features.parameters())


@pytest.mark.parametrize("frozen", [True, False])
def test_a_built_one_is_in_eval_mode_and_obeys_its_options(frozen):
    localizer = build_localizer(
        "alexnet", 2, "logsumexp", pretrained=False, frozen=frozen, sharpness=7
    )
    assert not any(module.training for module in localizer.modules())
    assert localizer.pooling == "logsumexp" and localizer.sharpness == 7
    trained = [p.requires_grad for p in localizer.features.parameters()]
    assert all(trained) if not frozen else not any(trained)
    assert all(p.requires_grad for p in localizer.head.parameters())


def test_its_state_comes_back():
    one, other = small(), small()
    for weight in other.head.parameters():
        nn.init.ones_(weight)
    other.load_state_dict(one.state_dict())
    images = draw(2, 3, 12, 12)
    assert torch.equal(one.eval()(images), other.eval()(images))
    assert not {"mean", "std"} & set(one.state_dict())  # they come with the backbone


def test_a_frame_repeats_the_border():
    maps = torch.arange(6.0).view(1, 1, 2, 3)
    expected = [[0, 0, 1, 2, 2], [0, 0, 1, 2, 2], [3, 3, 4, 5, 5], [3, 3, 4, 5, 5]]
    assert framed(maps)[0, 0].tolist() == expected


def test_with_its_frame_a_map_lies_where_it_looked():
    """What a head of ones sees of a lit place is a square of 3 x 3 about that place."""
    localizer = small("max").eval()
    for weight in localizer.head.parameters():
        nn.init.zeros_(weight)
    nn.init.ones_(localizer.head[0].weight)
    for layer in localizer.head[2::2]:
        nn.init.ones_(layer.weight)
    values = torch.zeros(1, 5, 7, 9)
    values[0, :, 3, 4] = 1
    seen = framed(localizer.places(Maps(values)))  # (1, 4, 7, 9)
    lit = (seen[0, 0] > 0).nonzero()
    assert seen.shape == (1, 4, 7, 9)
    assert lit.amin(0).tolist() == [2, 3] and lit.amax(0).tolist() == [4, 5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"backbone": "vgg16"},
            "backbone 'vgg16' of a localizer, expected one of .*al",
        ),
        ({"pooling": "median"}, r"pooling 'median', expected one of max, logsum"),
        ({"pooling": "logsumexp", "sharpness": 0}, "sharpness is 0, expected a number"),
        ({"pooling": "logsumexp", "sharpness": math.nan}, "sharpness is nan"),
    ],
)
def test_errors(options, message):
    given = {"backbone": "alexnet", "num_classes": 2, "pretrained": False} | options
    with pytest.raises(ValueError, match=message) as error:
        build_localizer(**given)
    assert "\n" not in str(error.value)


def test_weights_that_cannot_be_had(monkeypatch, tmp_path):
    def offline(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    with pytest.raises(RuntimeError, match="alexnet.*no network.*efficientnet") as e:
        build_localizer("alexnet", 3)
    assert "\n" not in str(e.value)
