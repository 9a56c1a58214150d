"""The methods beyond the first five: known answers, slow loops and two libraries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import wslib  # noqa: F401  (lets torchvision import)
from wslib.cam import (
    METHODS,
    AblationCAM,
    EigenCAM,
    FinerCAM,
    GradCAM,
    GuidedGradCAM,
    LayerCAM,
    ScoreCAM,
    Smoothed,
    XGradCAM,
    explain_with,
    rescale,
)
from wslib.cam.guided import guided_gradients
from wslib.cam.smoothing import flipped, noisy, scaled


class Net(nn.Module):
    """Two convolutions; the last map is as large as the image."""

    def __init__(self, flat=False):
        super().__init__()
        self.trunk = nn.Conv2d(3, 5, 3, 1, 1)
        self.last = nn.Conv2d(5, 6, 3, 1, 1)
        self.relu = nn.ReLU()
        self.head = nn.Linear(6 * 12 * 12 if flat else 6, 4)
        self.flat = flat

    def forward(self, x):
        x = self.relu(self.last(F.relu(self.trunk(x))))
        return self.head(x.flatten(1) if self.flat else x.mean((2, 3)))


def seeded(build, *args, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(*args, **kwargs).eval()


@pytest.fixture
def net():
    """A head that sees each place by itself, so that the methods differ."""
    return seeded(Net, flat=True)


@pytest.fixture
def image():
    return torch.randn(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))


TARGETS = [0, 1, 2]


def raw_of(method, image, targets=TARGETS):
    return method.explain(image, targets).raw[0]


@torch.no_grad()
def activation(net, image):
    return net.relu(net.last(F.relu(net.trunk(image))))


# ----------------------------------------------------------------------------- formulas


def test_xgradcam_by_hand():
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Identity()
            self.c = torch.tensor([[1.0, -2.0], [0.5, 3.0]])

        def forward(self, x):
            return (self.layer(x) * self.c).sum((2, 3))

    model, A = Weighted(), torch.tensor([[[[1.0, 1.0], [2.0, -1.0]]]])
    # w = (1 - 2 + 1 - 3) / (1 + 1 + 2 - 1)
    raw = raw_of(XGradCAM(model, [model.layer]), A, [0])
    torch.testing.assert_close(raw[0], -A[0, 0])
    A[0, 0, 0, 0] = -2  # a channel that sums to 0
    assert not raw_of(XGradCAM(model, [model.layer]), A, [0]).any()


def test_xgradcam_is_gradcam_where_the_gradient_is_flat(image):
    net = seeded(Net)
    one, other = (m(net, [net.relu]) for m in (XGradCAM, GradCAM))
    torch.testing.assert_close(raw_of(one, image), raw_of(other, image))


@pytest.mark.parametrize("places", [(2, 3), (6, 7)])  # less and more than channels
def test_eigencam_is_the_first_singular_vector(places):
    model = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    A = torch.randn(2, 10, *places, generator=torch.Generator().manual_seed(4))
    raw = raw_of(EigenCAM(model, [model[0]]), A, [0, 0])
    for values, L in zip(A, raw, strict=True):
        rows = values.flatten(1).T.numpy()  # (h w, K)
        u, s, _ = np.linalg.svd(rows, full_matrices=False)
        expected = (u[:, 0] * s[0]).reshape(places)
        expected *= np.sign(expected.sum())
        np.testing.assert_allclose(L, expected, atol=1e-4)
        assert L.sum() > 0


def test_eigencam_asks_for_no_class_and_is_not_negative_behind_a_relu(net, image):
    cam = EigenCAM(net, [net.relu])
    raw = raw_of(cam, image)
    torch.testing.assert_close(raw, raw_of(cam, image, [3, 3, 3]))
    assert float(raw.min()) > -1e-4


def test_finercam_is_gradcam_of_a_difference(net, image):
    logits = net(image).detach()
    cam = FinerCAM(net, [net.last], strength=0.7, others=2)
    for i, target in enumerate(TARGETS):
        far = (logits[i] - logits[i, target]).abs()
        a, b = far.argsort()[1:3].tolist()
        assert target not in (a, b)
        difference = lambda y, t=target, a=a, b=b: y[t] - 0.7 * (y[a] + y[b]) / 2  # noqa: E731
        expected = raw_of(GradCAM(net, [net.last]), image[i : i + 1], difference)
        own = raw_of(cam, image[i : i + 1], [target])
        torch.testing.assert_close(own, expected, atol=1e-6, rtol=1e-4)
    many = raw_of(FinerCAM(net, [net.last], others=99), image)  # no more than there are
    assert torch.isfinite(many).all()


@torch.no_grad()
def slow_scorecam(net, image, target):
    A = activation(net, image[None])[0]
    scores = []
    for channel in A:
        span = channel.max() - channel.min()
        mask = (channel - channel.min()) / (span if span > 0 else 1)
        scores.append(net((image * mask)[None])[0, target])
    return (torch.stack(scores).softmax(0)[:, None, None] * A).sum(0)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_scorecam_is_the_slow_loop(net, image, batch_size):
    raw = raw_of(ScoreCAM(net, [net.relu], batch_size=batch_size), image)
    slow = [slow_scorecam(net, x, t) for x, t in zip(image, TARGETS, strict=True)]
    torch.testing.assert_close(raw, torch.stack(slow))


@torch.no_grad()
def slow_ablationcam(net, image, target):
    A = activation(net, image[None])
    y, L = net(image[None])[0, target], 0
    for k in range(A.shape[1]):
        less = A.clone()
        less[:, k] = 0
        w = (y - net.head(less.flatten(1))[0, target]) / y.abs()
        L = L + w * A[0, k]
    return L


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_ablationcam_is_the_slow_loop(net, image, batch_size):
    raw = raw_of(AblationCAM(net, [net.relu], batch_size=batch_size), image)
    slow = [slow_ablationcam(net, x, t) for x, t in zip(image, TARGETS, strict=True)]
    torch.testing.assert_close(raw, torch.stack(slow), atol=1e-5, rtol=1e-3)


def test_ablation_runs_what_is_before_the_layer_once_for_a_batch(net, image):
    sizes = []
    net.trunk.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    AblationCAM(net, [net.relu], batch_size=3)(image[:1])
    assert sizes == [1, 1, 1]  # its own pass, and 6 channels, 3 at a time


def test_ablation_where_a_concatenation_goes_around_the_layer(image):
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Conv2d(3, 4, 3, 1, 1), nn.Linear(7, 2)

        def forward(self, x):
            return self.head(torch.cat([self.layer(x), x], 1).mean((2, 3)))

    net = seeded(Around)
    raw = raw_of(AblationCAM(net, [net.layer]), image[:1], [1])[0]
    A = net.layer(image[:1]).detach()[0]
    y = net(image[:1])[0, 1].detach()
    w = net.head.weight[1, :4].detach() * A.mean((1, 2)) / y.abs()
    torch.testing.assert_close(
        raw, torch.einsum("k,khw->hw", w, A), rtol=1e-3, atol=1e-5
    )


def test_channels_of_the_largest_range_are_asked(net, image):
    A = activation(net, image)
    widest = (A.amax((2, 3)) - A.amin((2, 3))).topk(2, 1).indices  # (B, 2)
    asked = []

    class Noted(AblationCAM):
        def weights(self, run, number, i, A, some):
            asked.append(some)
            return torch.ones(len(some))

    raw = raw_of(Noted(net, [net.relu], channels=2), image)
    assert torch.equal(torch.stack(asked), widest)
    expected = torch.stack([a[some].sum(0) for a, some in zip(A, widest, strict=True)])
    torch.testing.assert_close(raw, expected)
    with pytest.raises(ValueError, match="channels is 0, expected 1 or more"):
        ScoreCAM(net, [net.relu], channels=0)


def test_guided_gradients_by_hand():
    """y = relu(x) - relu(2 x): only where the gradient is positive does it pass."""

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.ReLU(), nn.ReLU(inplace=True)

        def forward(self, x):
            return (self.one(x) - self.two(2 * x)).flatten(1)

    x = torch.tensor([[[[3.0, -1.0]]]])
    guided = guided_gradients(Two(), x, [0])
    assert guided.tolist() == [[[[1, 0]]]]
    with pytest.raises(ValueError, match="no module ReLU"):
        guided_gradients(nn.Flatten(), x)


def test_guided_gradcam_is_the_product_of_both(net, image):
    raw = raw_of(GuidedGradCAM(net, [net.last]), image)
    coarse = rescale(raw_of(GradCAM(net, [net.last]), image).relu(), (12, 12))
    fine = guided_gradients(net, image, TARGETS).abs().amax(1)
    torch.testing.assert_close(raw, coarse * fine)


# ---------------------------------------------------------------------------- smoothing


def test_smoothing_is_the_mean_over_the_views(net, image):
    net = seeded(Net)  # takes any size
    cam = LayerCAM(net, [net.last])
    bigger = F.interpolate(image, scale_factor=1.5, mode="bilinear", antialias=True)
    maps = [
        raw_of(cam, image),
        raw_of(cam, image.flip(3)).flip(2),
        raw_of(cam, bigger),
    ]
    expected = torch.stack([rescale(m.relu(), (12, 12)) for m in maps]).mean(0)
    smooth = Smoothed(cam, [flipped(), scaled(1.5)])
    torch.testing.assert_close(raw_of(smooth, image), expected)
    assert smooth(image, TARGETS).shape == (3, 12, 12)


def test_a_smoothed_map_turns_with_its_image():
    net = seeded(Net)
    image = torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(5))
    smooth = Smoothed(GradCAM(net, [net.last]), [flipped()])
    one, other = smooth(image, [1]), smooth(image.flip(3), [1])
    np.testing.assert_allclose(one, other[:, :, ::-1], atol=1e-5)


def test_noise_is_a_share_of_the_range_and_the_same_each_time(image):
    add, back = noisy(0.1, seed=3)
    noise = add(image) - image
    span = image.amax((1, 2, 3)) - image.amin((1, 2, 3))
    torch.testing.assert_close(noise.std((1, 2, 3)), 0.1 * span, rtol=0.1, atol=0)
    assert torch.equal(add(image), add(image)) and torch.equal(back(image), image)
    torch.testing.assert_close(add(5 + 2 * image) - 5, 2 * add(image))


# --------------------------------------------------------------------- all of the table


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_maps_and_leaves_the_model(image, name):
    net = seeded(Net).train()
    hooks = [len(m._forward_hooks) for m in net.modules()]
    maps = METHODS[name](net, [net.relu])(image, TARGETS)
    assert maps.shape == (3, 12, 12) and maps.dtype == np.float32
    assert maps.min() == 0 and maps.max() == 1
    assert hooks == [len(m._forward_hooks) for m in net.modules()]
    assert all(m.training for m in net.modules())
    assert all(p.grad is None for p in net.parameters())


def test_all_methods_from_one_call_are_those_alone(image):
    net = seeded(Net)
    methods = {name: method(net, [net.relu]) for name, method in METHODS.items()}
    methods["smoothed"] = Smoothed(methods["gradcam"])
    for name, found in explain_with(methods, image, TARGETS).items():
        alone = methods[name](image, TARGETS)
        np.testing.assert_allclose(found.maps, alone, atol=1e-6, err_msg=name)


# ----------------------------------------------------------------------- both libraries


def by_pytorch_grad_cam(name, net, image, **kinds):
    peers = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    targets = [ClassifierOutputTarget(t) for t in TARGETS]
    with getattr(peers, name)(model=net, target_layers=[net.relu], **kinds) as peer:
        return peer(input_tensor=image, targets=targets)


@pytest.mark.parametrize("name", ["XGradCAM", "ScoreCAM"])
def test_agrees_with_pytorch_grad_cam(net, image, name):
    """To 1e-4: it adds 1e-7 to what it divides by."""
    own = globals()[name](net, [net.relu])(image, TARGETS)
    other = by_pytorch_grad_cam(name, net, image)
    np.testing.assert_allclose(own, other, atol=1e-4)


def test_ablation_agrees_with_pytorch_grad_cam_where_the_score_is_positive(net, image):
    """Where y is negative it divides by y and turns the map over; where a layer has
    no 0 it sets channels to the minimum less 1e7, no to 0."""
    logits = net(image).detach()
    positive = logits[range(3), TARGETS] > 0
    with torch.no_grad():
        net.head.bias += 5  # now all are
    own = AblationCAM(net, [net.relu])(image, TARGETS)
    other = by_pytorch_grad_cam("AblationCAM", net, image)
    np.testing.assert_allclose(own, other, atol=1e-4)
    with torch.no_grad():
        net.head.bias -= 10  # none is
    turned = by_pytorch_grad_cam("AblationCAM", net, image)
    right = AblationCAM(net, [net.relu])(image, TARGETS)
    np.testing.assert_allclose(right, own, atol=1e-4)
    assert np.abs(turned - right).max() > 0.5, positive


def test_eigencam_agrees_with_pytorch_grad_cam_on_centred_channels_up_to_sign(image):
    """It centres the channels, and leaves the sign as it comes."""

    class Centred(Net):
        def __init__(self):
            super().__init__()
            self.relu = nn.InstanceNorm2d(6)

    net = seeded(Centred)
    cam = EigenCAM(net, [net.relu])
    raw = raw_of(cam, image)
    other = torch.from_numpy(by_pytorch_grad_cam("EigenCAM", net, image))
    for L, theirs in zip(raw, other, strict=True):
        both = [rescale(s * L[None], (12, 12)).sub(theirs).abs().max() for s in (1, -1)]
        clipped = [
            rescale((s * L[None]).relu(), (12, 12)).sub(theirs).abs().max()
            for s in (1, -1)
        ]
        assert min(map(float, both + clipped)) < 1e-3


def test_smoothing_agrees_with_pytorch_grad_cam(image):
    """Mirror images and brightness: the views that it takes."""
    pytest.importorskip("ttach")
    peers = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    net = seeded(Net)
    with peers.GradCAM(model=net, target_layers=[net.relu]) as peer:
        targets = [ClassifierOutputTarget(t) for t in TARGETS]
        other = peer(image, targets, aug_smooth=True)
    flip, back = flipped()
    views = [flipped()]
    for factor in (0.9, 1.1):
        views.append((lambda x, f=factor: f * x, lambda m: m))
        views.append((lambda x, f=factor: flip(f * x), back))
    own = raw_of(Smoothed(GradCAM(net, [net.relu]), views), image)
    np.testing.assert_allclose(own, other, atol=1e-4)


def test_guided_gradients_agree_with_pytorch_grad_cam(net, image):
    peers = pytest.importorskip("pytorch_grad_cam")
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU(),
                        nn.Flatten(), nn.LazyLinear(4))  # fmt: skip
    net.eval()(image)
    own = guided_gradients(net, image[:1], [2])[0].permute(1, 2, 0)
    other = peers.GuidedBackpropReLUModel(model=net, device="cpu")(image[:1], 2)
    np.testing.assert_allclose(own, other, atol=1e-6)


@pytest.mark.parametrize("name", ["XGradCAM", "ScoreCAM", "FinerCAM"])
def test_agrees_with_torchcam(net, image, name):
    """To 1e-3: it adds 1e-8 to what it divides by. Score-CAM on layers as large as the
    image, for it scales a channel before it is resized, not after."""
    peers = pytest.importorskip("torchcam.methods")
    own = globals()[name](net, [net.relu])(image, TARGETS)
    with getattr(peers, name)(net, target_layer="relu") as peer:
        other = peer(TARGETS, net(image))[0]
    np.testing.assert_allclose(own, other.detach(), atol=1e-3)
