"""Class activation maps against known answers, identities and two other libraries."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import wslib  # noqa: F401  (lets torchvision import)
from wslib.cam import CAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM, rescale

METHODS = [CAM, GradCAM, HiResCAM, LayerCAM, GradCAMPlusPlus]


class Net(nn.Module):
    """Two convolutions with batch norm, global average pooling, a linear head."""

    def __init__(self, channels=6, classes=4, inplace=True, stride=2):
        super().__init__()
        self.trunk = nn.Conv2d(3, 5, 3, stride, 1)
        self.norm = nn.BatchNorm2d(5)
        self.last = nn.Conv2d(5, channels, 3, 1, 1)
        self.relu = nn.ReLU(inplace)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.relu(self.norm(self.trunk(x)))
        x = self.relu(self.last(x))
        return self.head(self.dropout(x.mean((2, 3))))


def seeded(build, *args, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(*args, **kwargs).eval()


@pytest.fixture
def net():
    return seeded(Net)


@pytest.fixture
def image():
    return torch.randn(3, 3, 16, 24, generator=torch.Generator().manual_seed(1))


def fixed_network(weights, size=(2, 2)):
    """An identity trunk and a head with the given weights (classes, K)."""
    weights = torch.tensor(weights, dtype=torch.float32)
    head = nn.Linear(weights.shape[1], weights.shape[0])
    head.load_state_dict({"weight": weights, "bias": torch.zeros(len(weights))})
    trunk = nn.Identity()
    return nn.Sequential(trunk, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head), trunk


# ------------------------------------------------------------------- known answers


def test_gradcam_by_hand():
    model, layer = fixed_network([[1.0, -1.0], [0.0, 2.0]])
    A = torch.tensor([[[[4.0, 0.0], [0.0, 0.0]], [[0.0, 2.0], [0.0, 0.0]]]])
    result = GradCAM(model, [layer]).explain(A, [0])
    # w = (1, -1) / 4 places; L = w_1 A_1 + w_2 A_2
    np.testing.assert_allclose(result.raw[0][0], [[1.0, -0.5], [0.0, 0.0]])
    np.testing.assert_allclose(result.maps[0], [[1.0, 0.0], [0.0, 0.0]])
    signed = GradCAM(model, [layer], relu=False)(A, [0])
    np.testing.assert_allclose(signed[0], [[1, 0], [1 / 3, 1 / 3]], atol=1e-6)
    np.testing.assert_allclose(result.logits, [[0.5, 1.0]])


def test_layercam_and_hirescam_by_hand():
    class Weighted(nn.Module):
        """One channel whose places count differently: y = sum_ij c_ij A_ij."""

        def __init__(self):
            super().__init__()
            self.layer = nn.Identity()
            self.c = nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))

        def forward(self, x):
            return (self.layer(x) * self.c).sum((2, 3))

    model, A = Weighted(), torch.tensor([[[[1.0, 1.0], [2.0, -1.0]]]])
    raw = {m: m(model, [model.layer]).explain(A, [0]).raw[0][0] for m in METHODS[1:]}
    np.testing.assert_allclose(raw[HiResCAM], [[1, -2], [1, -3]])
    np.testing.assert_allclose(raw[LayerCAM], [[1, 0], [1, -3]])
    np.testing.assert_allclose(raw[GradCAM], 2.5 / 4 * A[0, 0])
    # a = 1 / (2 + 3 g), at the positive gradients 1, 0.5 and 3
    w = 1 / 5 + 0.5 / 3.5 + 3 / 11
    np.testing.assert_allclose(raw[GradCAMPlusPlus], w * A[0, 0], rtol=1e-6)


def test_gradcam_is_cam_over_places(net, image):
    layer = [net.relu]
    cam = CAM(net, layer).explain(image, [0, 1, 2]).raw[0]
    gradcam = GradCAM(net, layer).explain(image, [0, 1, 2]).raw[0]
    places = cam.shape[1] * cam.shape[2]
    torch.testing.assert_close(gradcam, cam / places)
    hirescam = HiResCAM(net, layer).explain(image, [0, 1, 2]).raw[0]
    torch.testing.assert_close(hirescam, cam / places)


def test_mean_of_cam_and_bias_is_the_logit(net, image):
    result = CAM(net, [net.relu]).explain(image, [3, 1, 0])
    logits = result.raw[0].mean((1, 2)) + net.head.bias.detach()[result.targets]
    torch.testing.assert_close(logits, result.logits[[0, 1, 2], result.targets])


def test_logits_are_those_of_the_model(net, image):
    with torch.no_grad():
        expected = net(image)
    result = GradCAM(net, [net.last]).explain(image)
    torch.testing.assert_close(result.logits, expected)
    assert result.targets == expected.argmax(1).tolist()


def test_saturated_probability_is_no_target():
    """Why logits: at logit 20 the sigmoid's gradient is exactly 0 in float32."""
    logit = torch.tensor(20.0, requires_grad=True)
    torch.sigmoid(logit).backward()
    assert logit.grad == 0
    model, layer = fixed_network([[1.0], [-1.0]])
    A = torch.zeros(1, 1, 4, 4)
    A[..., 0, 0] = 20 * 16  # logits 20 and -20
    result = GradCAM(model, [layer]).explain(A)
    assert result.logits[0].tolist() == [20, -20]
    assert result.maps[0, 0, 0] == 1 and result.maps.sum() == 1


# ---------------------------------------------------------------------- invariances


@pytest.mark.parametrize("method", METHODS)
def test_shape_range_and_type(net, image, method):
    maps = method(net, [net.relu])(image)
    assert maps.shape == (3, 16, 24) and maps.dtype == np.float32
    np.testing.assert_allclose(maps.min((1, 2)), 0)
    np.testing.assert_allclose(maps.max((1, 2)), 1)


@pytest.mark.parametrize("method", METHODS)
def test_single_image_as_in_a_batch(net, image, method):
    cam = method(net, [net.relu])
    batch = cam(image, [0, 1, 2])
    single = [cam(image[i : i + 1], [i])[0] for i in range(3)]
    np.testing.assert_allclose(batch, np.stack(single), atol=1e-5)


def test_scale_and_bias_of_the_head_change_nothing(net, image):
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.head.weight *= 37
        other.head.bias += 5
    for method in METHODS[:-1]:  # Grad-CAM++ is not linear in the gradient
        before = method(net, [net.relu])(image, [1, 1, 1])
        after = method(other, [other.relu])(image, [1, 1, 1])
        np.testing.assert_allclose(before, after, atol=1e-5)


def test_layers_are_averaged_in_any_order(net, image):
    layers = [net.norm, net.last, net.relu]
    single = [GradCAM(net, [layer])(image, [0, 1, 2]) for layer in layers]
    expected = np.mean(single, axis=0)
    for order in ([0, 1, 2], [2, 0, 1]):
        got = GradCAM(net, [layers[i] for i in order])(image, [0, 1, 2])
        np.testing.assert_allclose(got, expected, atol=1e-5)
    twice = GradCAM(net, [net.last, net.last])(image, [0, 1, 2])
    np.testing.assert_allclose(twice, single[1], atol=1e-6)


def test_a_sequential_is_one_layer_and_a_generator_is_a_list(image):
    model = seeded(nn.Sequential, nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()),
                   nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))  # fmt: skip
    expected = GradCAM(model, [model[0]])(image)
    np.testing.assert_array_equal(GradCAM(model, model[0])(image), expected)
    layers = (layer for layer in [model[0]])
    targets = (t for t in [0, 1, 1])
    assert GradCAM(model, layers)(image, targets).shape == (3, 16, 24)


def test_targets_of_any_integer_kind(net, image):
    cam = GradCAM(net, [net.relu])
    expected = cam(image, [2, 0, 1])
    for targets in ((2, 0, 1), np.array([2, 0, 1]), torch.tensor([2, 0, 1])):
        np.testing.assert_array_equal(cam(image, targets), expected)


# ----------------------------------------------------------------- in-place networks


def reference_map(model, layer, image, targets):
    """Grad-CAM's raw map with its own record of the activation, made by a hook that
    multiplies by one and so parts the record from whatever follows in place."""
    kept = []

    def keep(_, __, output):
        kept[:] = [output.clone()]
        kept[0].retain_grad()
        return kept[0] * 1

    handle = layer.register_forward_hook(keep)
    logits = model(image)
    handle.remove()
    logits[range(len(targets)), targets].sum().backward()
    model.zero_grad()
    A = kept[0].detach()
    return torch.einsum("bk,bkhw->bhw", kept[0].grad.mean((2, 3)), A)


def test_inplace_relu_after_alexnets_last_convolution():
    import torchvision

    model = seeded(torchvision.models.alexnet, weights=None, num_classes=5)
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    x = torch.randn(2, 3, 96, 128, generator=torch.Generator().manual_seed(2))
    own = GradCAM(model, [model.features[10]]).explain(x, [1, 4])
    other = GradCAM(twin, [twin.features[10]]).explain(x, [1, 4])
    torch.testing.assert_close(own.raw[0], other.raw[0])
    expected = reference_map(twin, twin.features[10], x, [1, 4])
    torch.testing.assert_close(own.raw[0], expected)
    assert (expected < 0).any() and model.features[11].inplace


@pytest.mark.parametrize("place", ["layer4[-1].bn2", "layer3[0].bn1", "layer2[-1]"])
def test_inplace_operations_in_resnet(place):
    import torchvision

    model = seeded(torchvision.models.resnet18, weights=None, num_classes=5)
    layer = eval(f"model.{place}", {"model": model})
    x = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))
    own = GradCAM(model, [layer]).explain(x, [0, 3])
    expected = reference_map(model, layer, x, [0, 3])
    torch.testing.assert_close(own.raw[0], expected)


# -------------------------------------------------------------- leaves all as it was


def state_of(model):
    return (
        [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        [len(m._backward_hooks) for m in model.modules()],
        [m.training for m in model.modules()],
        [p.requires_grad for p in model.parameters()],
        [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        [value.clone() for value in model.state_dict().values()],
    )


def assert_same(before, after):
    assert before[:4] == after[:4]
    for one, other in zip(before[4] + before[5], after[4] + after[5], strict=True):
        assert (one is None and other is None) or torch.equal(one, other)


@pytest.mark.parametrize("method", METHODS)
def test_model_is_left_as_it_was(net, image, method):
    net.train()
    net.norm.eval()
    net.trunk.weight.requires_grad_(False)
    net.head.weight.grad = torch.ones_like(net.head.weight)
    before = state_of(net)
    method(net, [net.relu])(image)
    assert_same(before, state_of(net))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("trouble", ["forward", "targets", "shape", "layer", "twice"])
def test_model_is_left_as_it_was_by_errors(net, image, trouble):
    net.train()
    layers, targets, x = [net.last, net.relu], [0, 1, 2], image
    if trouble == "forward":
        x = image[:, :2]
    elif trouble == "targets":
        targets = [0, 1, 99]
    elif trouble == "layer":
        net.extra = nn.Conv2d(1, 1, 1)
        layers.append(net.extra)
    elif trouble == "shape":
        layers.append(net.head)
    else:
        x = image[0]
    before = state_of(net)
    for _ in range(2):
        with pytest.raises((ValueError, RuntimeError)):
            GradCAM(net, layers)(x, targets)
    assert_same(before, state_of(net))
    assert torch.is_grad_enabled()


def test_train_mode_gives_the_maps_of_eval_mode(net, image):
    expected = GradCAM(net, [net.relu])(image)
    np.testing.assert_array_equal(GradCAM(net.train(), [net.relu])(image), expected)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_without_gradients_around_it(net, image, context):
    expected = GradCAM(net, [net.last])(image)
    with context():
        inside = image * 1  # in inference mode an inference tensor
        got = GradCAM(net, [net.last])(inside)
        assert not torch.is_grad_enabled()
    np.testing.assert_array_equal(got, expected)


def test_frozen_parameters_and_an_image_that_wants_gradients(net, image):
    expected = GradCAM(net, [net.last])(image)
    net.requires_grad_(False)
    x = image.clone().requires_grad_()
    np.testing.assert_array_equal(GradCAM(net, [net.last])(x), expected)
    assert x.grad is None


# ---------------------------------------------------------------------- what it costs


class Counted(torch.autograd.Function):
    """The identity, which counts how often a gradient passes."""

    @staticmethod
    def forward(ctx, x, counter):
        ctx.counter = counter
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.counter.append(1)
        return gradient, None


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.forwards, self.backwards = [], []

    def forward(self, x):
        self.forwards.append(x.requires_grad)
        return Counted.apply(x, self.backwards)


def test_one_forward_pass_and_a_gradient_that_ends_at_the_layer(image):
    before, after = Counter(), Counter()
    model = seeded(nn.Sequential, nn.Conv2d(3, 4, 3), before, nn.Conv2d(4, 4, 3),
                   nn.ReLU(), after, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                   nn.Linear(4, 2))  # fmt: skip
    GradCAM(model, [model[2]])(image)
    assert before.forwards == [False] and after.forwards == [True]
    assert len(before.backwards) == 0 and len(after.backwards) == 1
    GradCAM(model, [model[0], model[2]])(image)
    assert len(before.forwards) == 2 and len(before.backwards) == 1


# --------------------------------------------------------------------- special cases


def test_of_a_layer_called_twice_the_last_call_counts(net, image):
    class Twin(Net):
        def forward(self, x):
            x = self.relu(self.last(F.relu(self.norm(self.trunk(x)))))
            return self.head(x.mean((2, 3)))

    twin = seeded(Twin)
    both = GradCAM(net, [net.relu])(image, [0, 1, 2])
    last = GradCAM(twin, [twin.relu])(image, [0, 1, 2])
    np.testing.assert_allclose(both, last, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e30, 1e-30])
def test_a_constant_map_is_zero(method, value):
    model, layer = fixed_network([[0.3, 0.1], [-1.0, 0.7]])
    A = torch.full((2, 2, 7, 5), value)
    for relu in (True, False):
        maps = method(model, [layer], relu=relu)(A, [0, 1])
        assert (maps == 0).all()


def test_rounding_noise_on_a_constant_map_is_not_stretched():
    noise = torch.rand(1, 5, 6, generator=torch.Generator().manual_seed(0))
    assert (rescale(0.1 + 1e-8 * noise, (20, 24)) == 0).all()
    assert rescale(0.1 + 1e-3 * noise, (20, 24)).max() == 1


def test_one_place_gives_zeros(net):
    model = nn.Sequential(net, nn.Identity()).eval()
    pooled = seeded(nn.Sequential, nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 2))
    assert (GradCAM(pooled, [pooled[0]])(torch.ones(1, 3, 8, 8)) == 0).all()
    assert GradCAM(model, [net.last])(torch.ones(1, 3, 2, 1)).shape == (1, 2, 1)


def test_small_and_large_values_keep_their_shape():
    for scale in (1e-30, 1e-9, 1.0, 1e9, 1e30):
        maps = torch.tensor([[[0.0, 1.0], [2.0, 4.0]]]) * scale
        got = rescale(maps, (2, 2))[0]
        torch.testing.assert_close(got, torch.tensor([[0, 0.25], [0.5, 1]]))
    wide = torch.tensor([[[-3e38, 3e38]]])
    assert rescale(wide, (1, 2)).tolist() == [[[0, 1]]]


def test_gradcamplusplus_survives_small_gradients(net, image):
    with torch.no_grad():
        net.head.weight *= 1e-20
    maps = GradCAMPlusPlus(net, [net.relu])(image, [0, 0, 0])
    assert np.isfinite(maps).all() and maps.max() == 1


def test_maps_follow_their_object_on_a_wide_image():
    """x and y are not exchanged: the bright corner is at the right, on top."""
    model, layer = fixed_network([[1.0]])
    A = torch.zeros(1, 1, 4, 10)
    A[0, 0, 0, 8] = 1
    heatmap = GradCAM(model, [layer])(A, [0])[0]
    assert np.unravel_index(heatmap.argmax(), heatmap.shape) == (0, 8)


def test_bilinear_upsampling_before_rescaling():
    maps = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]])
    got = rescale(maps, (6, 6))[0]
    expected = F.interpolate(maps[None], (6, 6), mode="bilinear")[0, 0]
    torch.testing.assert_close(got, expected / expected.max())
    assert got.max() == 1 and got.min() == 0


# ------------------------------------------------------------------------ clear errors


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([0, 1], "2 targets for 3 images"),
        ([0, 1, 4], "target 4 of image 2"),
        ([0, -1, 2], "target -1 of image 1"),
        ([0, 1.5, 2], "expected 3 integers"),
        (1, "expected 3 integers"),
        (torch.tensor(1), "expected 3 integers"),
    ],
)
def test_targets_that_do_not_fit(net, image, targets, words):
    with pytest.raises(ValueError, match=words):
        GradCAM(net, [net.relu])(image, targets)


def test_layers_that_do_not_fit(net, image):
    with pytest.raises(ValueError, match="no part of the model"):
        GradCAM(net, [nn.Conv2d(3, 3, 1)])
    with pytest.raises(ValueError, match="empty"):
        GradCAM(net, [])
    net.spare = nn.Conv2d(3, 3, 1)
    with pytest.raises(ValueError, match="'spare' did not run"):
        GradCAM(net, [net.spare])(image)
    with pytest.raises(ValueError, match=r"'head' gave a tensor of shape \(3, 4\)"):
        GradCAM(net, [net.head])(image)
    with pytest.raises(ValueError, match=r"expected a batch \(B, C, H, W\)"):
        GradCAM(net, [net.relu])(image[0])


def test_a_layer_that_leads_nowhere(image):
    class Aside(Net):
        def forward(self, x):
            self.relu(self.last(torch.zeros(len(x), 5, 4, 4)))
            return self.head(self.trunk(x).mean((2, 3)).repeat(1, 2)[:, :6])

    model = seeded(Aside)
    with pytest.raises(ValueError, match="do not depend on target layer 'last'"):
        GradCAM(model, [model.last])(image)
    with pytest.raises(ValueError, match="do not depend on target layer 'last'"):
        GradCAM(model, [model.trunk, model.last])(image)


def test_cam_refuses_other_endings(net, image):
    with pytest.raises(ValueError, match="CAM needs logits = head"):
        CAM(net, [net.norm])(image)
    with pytest.raises(ValueError, match="CAM needs logits = head"):
        CAM(net, [net.last])(image)  # the ReLU comes after it
    without = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match="linear head"):
        CAM(without, [without[0]])


def test_not_a_number_is_reported(net, image):
    image[1, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        GradCAM(net, [net.last])(image)


def test_a_model_without_logits(image):
    model = seeded(nn.Sequential, nn.Conv2d(3, 2, 1), nn.ReLU())
    with pytest.raises(ValueError, match="expected logits"):
        GradCAM(model, [model[0]])(image)


# ------------------------------------------------------------------ other libraries


@pytest.mark.parametrize("name", ["GradCAM", "HiResCAM", "LayerCAM", "GradCAMPlusPlus"])
def test_agrees_with_pytorch_grad_cam(image, name):
    peers = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = seeded(Net, inplace=False, stride=1)  # maps as large as the image
    with torch.no_grad():
        model.head.weight *= 1000  # the peer adds 1e-6 to squared gradients
    own = globals()[name](model, [model.last])(image, [0, 1, 2])
    targets = [ClassifierOutputTarget(t) for t in (0, 1, 2)]
    with getattr(peers, name)(model=model, target_layers=[model.last]) as peer:
        other = peer(input_tensor=image, targets=targets)
    np.testing.assert_allclose(own, other, atol=1e-4)


@pytest.mark.parametrize("name", ["GradCAM", "LayerCAM"])
def test_agrees_with_torchcam(image, name):
    peers = pytest.importorskip("torchcam.methods")
    model = seeded(Net, inplace=False)
    own = globals()[name](model, [model.last]).explain(image, [0, 1, 2]).raw[0]
    own = rescale(own.relu(), own.shape[1:])
    with getattr(peers, name)(model, target_layer=model.last) as peer:
        other = peer([0, 1, 2], model(image))[0]
    torch.testing.assert_close(own, other.detach(), atol=1e-4, rtol=0)
