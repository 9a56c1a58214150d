"""Insertion, deletion, drop and increase: by hand, slowly, and by two libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import wslib  # noqa: F401  (lets torchvision import)
from wslib.cam import GradCAM
from wslib.metrics.faithfulness import (
    blurred,
    drop_and_increase,
    impute,
    imputed,
    insertion_deletion,
    replaced,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images():
    return torch.randn(3, 3, 12, 16, generator=seeded(1))


@pytest.fixture
def maps():
    return torch.rand(3, 12, 16, generator=seeded(2))


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(8, 5)).eval()


TARGETS = torch.tensor([2, 0, 4])


def probability(network):
    return lambda x, n: network(x).softmax(1).gather(1, TARGETS[n, None])[:, 0]


# ------------------------------------------------------------------------------ by hand


def test_curves_by_hand():
    """The score is the sum of what is there; the map ranks 4, 3, 2, 1."""
    images = torch.tensor([[[[4.0, 1.0], [2.0, 3.0]]]])
    maps = images[:, 0]
    curves = insertion_deletion(
        lambda x, _: x.sum((1, 2, 3)), replaced(images), maps, steps=4
    )
    assert curves.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curves.insertion.tolist() == [[0, 4, 7, 9, 10]]
    assert curves.deletion.tolist() == [[10, 6, 3, 1, 0]]
    insertion, deletion = curves.areas()
    assert insertion.tolist() == [6.25] and deletion.tolist() == [3.75]


def test_equal_values_go_row_by_row_and_steps_may_not_divide():
    images = torch.arange(1.0, 7.0).view(1, 1, 2, 3)
    curves = insertion_deletion(
        lambda x, _: x.sum((1, 2, 3)), replaced(images), torch.zeros(1, 2, 3), steps=4
    )
    counts = (6 * curves.shares).round().int().tolist()
    assert counts == [0, 2, 3, 4, 6]
    assert curves.insertion[0].tolist() == [0, 3, 6, 10, 21]


def test_drop_and_increase_by_hand():
    images = torch.tensor([4.0, 2.0, 0.0]).view(3, 1, 1, 1)
    maps = torch.tensor([0.25, 1.0, 0.5]).view(3, 1, 1)
    drop, rose = drop_and_increase(lambda x, _: x.flatten(), images, maps)
    assert drop.tolist() == [0.75, 0, 0] and rose.tolist() == [False, False, False]
    drop, rose = drop_and_increase(lambda x, _: 5 - x.flatten(), images, maps)
    assert drop.tolist() == [0, 0, 0] and rose.tolist() == [True, False, False]


def test_blur_keeps_a_constant_and_spreads_a_point():
    everything = torch.zeros(1, 9, 9, dtype=torch.bool)
    flat = blurred(torch.full((1, 2, 9, 9), 3.0), 2)(torch.tensor([0]), everything)
    torch.testing.assert_close(flat, torch.full((1, 2, 9, 9), 3.0))
    point = torch.zeros(1, 1, 9, 9)
    point[..., 4, 4] = 1
    spread = blurred(point, 1)(torch.tensor([0]), everything)[0, 0]
    assert spread[4, 5] / spread[4, 4] == pytest.approx(np.exp(-0.5), rel=1e-4)
    assert float(spread.sum()) == pytest.approx(1) and torch.equal(spread, spread.T)


def test_a_fill_touches_nothing_that_stays(images):
    keep = torch.rand(2, 12, 16, generator=seeded()) > 0.5
    numbers = torch.tensor([2, 0])
    for fill in (replaced(images, 7.0), blurred(images, 2), imputed(images)):
        filled = fill(numbers, keep)
        there = keep[:, None].expand_as(filled)
        assert torch.equal(filled[there], images[numbers][there])
        assert not torch.isclose(filled[~there], images[numbers][~there]).all()


# --------------------------------------------------------------------------- imputation


def test_a_ramp_is_imputed_exactly():
    """A linear image is the mean of its neighbours everywhere but at the border."""
    rows, columns = torch.meshgrid(torch.arange(9.0), torch.arange(11.0), indexing="ij")
    ramp = (2 * rows - columns)[None, None]
    keep = torch.ones(1, 9, 11, dtype=torch.bool)
    keep[:, 2:7, 3:8] = False
    torch.testing.assert_close(impute(ramp, keep, 1e-6), ramp, atol=1e-3, rtol=0)


def test_nothing_kept_is_the_mean_of_the_image(images):
    nothing = torch.zeros(3, 12, 16, dtype=torch.bool)
    expected = images.mean((2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(impute(images, nothing), expected)
    assert torch.equal(impute(images, ~nothing), images)


def test_imputation_solves_the_system_of_its_inventors(images):
    road = pytest.importorskip("pytorch_grad_cam.metrics.road")
    keep = torch.rand(3, 12, 16, generator=seeded(4)) > 0.6
    keep[1] = False
    keep[1, 0, 3] = True  # a single pixel says what all are
    own = impute(images, keep, 1e-6)
    slow = road.NoisyLinearImputer(noise=0)
    for image, kept, filled in zip(images, keep, own, strict=True):
        torch.testing.assert_close(filled, slow(image, kept.float()), atol=1e-3, rtol=0)


def test_noise_comes_from_its_seed(images):
    keep = torch.zeros(1, 12, 16, dtype=torch.bool)
    keep[:, :, :8] = True
    number = torch.tensor([1])
    one, again = (imputed(images, 0.1, seed=5)(number, keep) for _ in range(2))
    smooth = imputed(images, 0.0)(number, keep)
    assert torch.equal(one, again)
    assert float((one - smooth)[..., 8:].std()) == pytest.approx(0.1, rel=0.2)


# ---------------------------------------------------------------- slowly, and by others


@torch.no_grad()
def slow_areas(network, image, heatmap, target, steps, blank):
    """Pixel by pixel, one image at a time."""
    order = np.argsort(-heatmap.flatten().numpy(), kind="stable")
    counts = [round(len(order) * s / steps) for s in range(steps + 1)]
    curves = []
    for inside, outside in ((blank, image), (image, blank)):
        values = []
        for count in counts:
            changed = outside.clone()
            for place in order[:count]:
                y, x = divmod(int(place), image.shape[2])
                changed[:, y, x] = inside[:, y, x]
            values.append(float(network(changed[None]).softmax(1)[0, target]))
        curves.append(np.trapezoid(values, np.array(counts) / len(order)))
    return curves  # deletion, insertion


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_areas_are_those_of_a_slow_loop(network, images, maps, batch_size):
    curves = insertion_deletion(
        probability(network), replaced(images, 0.5), maps, 6, batch_size
    )
    blank = torch.full_like(images[0], 0.5)
    for i in range(3):
        slow = slow_areas(network, images[i], maps[i], TARGETS[i], 6, blank)
        fast = [float(area[i]) for area in reversed(curves.areas())]
        np.testing.assert_allclose(fast, slow, atol=1e-5)


def maps_of_probabilities(network, images):
    """What torch-cam's metrics measure where the score is a probability: they take the
    gradient of that, and so not the map of the logit that its Grad-CAM gives."""
    targets = [lambda y, t=t: y.softmax(0)[t] for t in TARGETS.tolist()]
    return torch.from_numpy(GradCAM(network, [network[1]])(images, targets))


def test_areas_are_those_of_torchcam(network, images):
    metrics = pytest.importorskip("torchcam.metrics")
    from torchcam.methods import GradCAM as Peer

    with Peer(network, target_layer=network[1]) as peer:
        metric = metrics.DeletionInsertionMetric(peer, lambda y: y.softmax(1), steps=8)
        metric.update(images, TARGETS.tolist())
        said = metric.summary()
    maps = maps_of_probabilities(network, images)
    curves = insertion_deletion(probability(network), replaced(images), maps, steps=8)
    insertion, deletion = (float(area.mean()) for area in curves.areas())
    assert insertion == pytest.approx(said["insertion_auc"], abs=1e-4)
    assert deletion == pytest.approx(said["deletion_auc"], abs=1e-4)


def test_drop_and_increase_are_those_of_both_libraries(network, images, maps):
    metrics = pytest.importorskip("torchcam.metrics")
    from pytorch_grad_cam.metrics.cam_mult_image import (
        DropInConfidence,
        IncreaseInConfidence,
    )
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
    from torchcam.methods import GradCAM as Peer

    with Peer(network, target_layer=network[1]) as peer:
        metric = metrics.ClassificationMetric(peer, lambda y: y.softmax(1))
        metric.update(images, TARGETS.tolist())
        said = metric.summary()
    heat = maps_of_probabilities(network, images)
    drop, rose = drop_and_increase(probability(network), images, heat, 2)
    assert float(drop.mean()) == pytest.approx(said["avg_drop"], abs=1e-5)
    assert float(rose.float().mean()) == pytest.approx(said["conf_increase"])
    targets = [ClassifierOutputSoftmaxTarget(t) for t in TARGETS.tolist()]
    drop, rose = drop_and_increase(probability(network), images, maps)
    # the peer's drop is absolute: it never divides by the score
    whole = probability(network)(images, torch.arange(3)).detach()
    absolute = DropInConfidence()(images, maps.numpy(), targets, network)
    np.testing.assert_allclose(drop * whole, absolute, atol=1e-6)
    other = IncreaseInConfidence()(images, maps.numpy(), targets, network)
    np.testing.assert_array_equal(rose.numpy(), other.astype(bool))


def test_what_does_not_fit_is_named(network, images, maps):
    with pytest.raises(ValueError, match="steps is 0, expected 1"):
        insertion_deletion(probability(network), replaced(images), maps, 0)
    with pytest.raises(ValueError, match=r"maps have shape \(12, 16\)"):
        insertion_deletion(probability(network), replaced(images), maps[0])
    with pytest.raises(ValueError, match=r"maps of shape \(2, 12, 16\) for images"):
        drop_and_increase(probability(network), images, maps[:2])
