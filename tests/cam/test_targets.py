"""What may be explained: any number of any output, checked by gradients by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from wslib.cam import (
    CAM,
    AblationCAM,
    EigenCAM,
    FinerCAM,
    GradCAM,
    HiResCAM,
    LayerCAM,
    ScoreCAM,
    XGradCAM,
    explain_with,
)


class Branches(nn.Module):
    """Logits, a box and a map of the same features, as a network may give them."""

    def __init__(self, form):
        super().__init__()
        self.layer, self.form = nn.Identity(), form

    def forward(self, x):
        x = self.layer(x)
        parts = {"logits": x.mean((2, 3)), "map": x**2}
        return parts if self.form is dict else tuple(parts.values())


@pytest.fixture
def images():
    return torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.5


def test_a_function_of_a_class_is_the_class(images):
    model = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    cam = GradCAM(model, [model[0]])
    classes = cam.explain(images, [2, 0])
    functions = [lambda y: y[2], lambda y: y[0]]
    for targets in (functions, [2, functions[1]]):
        np.testing.assert_array_equal(cam(images, targets), classes.maps)
    one = cam.explain(images, lambda y: y[1])
    np.testing.assert_array_equal(one.maps, cam(images, [1, 1]))
    torch.testing.assert_close(one.logits, classes.logits)


def test_a_difference_of_logits(images):
    model = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    raw = GradCAM(model, [model[0]]).explain(images, lambda y: y[0] - y[2]).raw[0]
    torch.testing.assert_close(raw, (images[:, 0] - images[:, 2]) / 20**2 * 20)


@pytest.mark.parametrize("form", [dict, tuple])
def test_the_mean_of_a_mask_of_a_segmentation(images, form):
    model = Branches(form)
    mask = torch.zeros(4, 5, dtype=torch.bool)
    mask[1:3, 2] = True
    part = "map" if form is dict else 1
    targets = [lambda out: out[part][0][mask].mean(), lambda out: out[part][1, 0, 0]]
    result = GradCAM(model, [model.layer]).explain(images, targets)
    # d mean of A^2 over the mask / dA = 2 A / 2 there, whose mean over 20 places is w
    w = torch.stack([images[0, 0][mask].sum() / 20, 2 * images[1, 1, 0, 0] / 20])
    expected = torch.stack([w[0] * images[0, 0], w[1] * images[1, 1]])
    torch.testing.assert_close(result.raw[0], expected)
    assert result.targets == targets
    assert result.logits[part].shape == (2, 3, 4, 5)


@pytest.mark.parametrize("method", [ScoreCAM, AblationCAM])
def test_methods_that_ask_again_take_functions_too(images, method):
    model = Branches(dict)
    by_function = method(model, [model.layer]).explain(images, lambda o: o["logits"][1])
    plain = nn.Sequential(nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    by_class = method(plain, [plain[0]]).explain(images, [1, 1])
    torch.testing.assert_close(by_function.raw[0], by_class.raw[0])


def test_a_corner_of_a_box_of_chapter_5s_network():
    from wslib.models.two_heads import build_detector

    model = build_detector("simple", input_size=64).eval()
    last = [m for m in model.modules() if isinstance(m, nn.Conv2d)][-1]
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        output = model(images)
    box = next(i for i, part in enumerate(output) if part.shape[-1] == 4)
    cam = GradCAM(model, [last], relu=False)
    left, right = (cam(images, lambda out, k=k: out[box][k]) for k in (0, 2))
    assert left.shape == (2, 64, 64) and np.abs(left - right).max() > 0.01


def test_targets_that_are_refused(images):
    model, plain = Branches(dict), nn.Sequential(nn.Identity(), nn.Flatten())
    cam = GradCAM(model, [model.layer])
    with pytest.raises(ValueError, match=r"gave dict, expected logits \(B, n\)"):
        cam(images, [0, 1])
    with pytest.raises(ValueError, match=r"image 0 gave a tensor of shape \(3,\)"):
        cam(images, lambda out: out["logits"])
    with pytest.raises(ValueError, match="image 0 gave float, expected a tensor"):
        cam(images, lambda out: 1.0)
    with pytest.raises(ValueError, match="1 targets for 2 images"):
        cam(images, [lambda out: out["logits"][0]])
    for method in (CAM, FinerCAM):
        network = nn.Sequential(*plain, nn.Linear(60, 2))
        with pytest.raises(ValueError, match="no functions: use GradCAM"):
            method(network, [network[0]])(images, lambda y: y[0])


def test_many_methods_share_one_forward_and_one_backward_pass(images):
    runs = []

    class Counted(nn.Identity):
        def forward(self, x):
            runs.append("forward")
            x = x * 1
            if x.requires_grad:
                x.register_hook(lambda g: runs.append("backward"))
            return x

    model = nn.Sequential(
        nn.Identity(), Counted(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    kinds = (GradCAM, HiResCAM, LayerCAM, XGradCAM, EigenCAM)
    methods = {m.__name__: m(model, [model[0]]) for m in kinds}
    together = explain_with(methods, images, [0, 1])
    assert runs == ["forward", "backward"]
    for name, method in methods.items():
        alone = method.explain(images, [0, 1])
        np.testing.assert_array_equal(together[name].maps, alone.maps)
    explain_with({"": EigenCAM(model, [model[0]])}, images, [0, 1])
    assert runs[-1] == "forward"  # it needs no gradient


def test_methods_of_one_model(images):
    one, other = (nn.Sequential(nn.Identity(), nn.Flatten()) for _ in range(2))
    methods = {"a": GradCAM(one, [one[0]]), "b": GradCAM(other, [other[0]])}
    with pytest.raises(ValueError, match="methods of 2 models, expected those of one"):
        explain_with(methods, images)
    with pytest.raises(ValueError, match="methods of 0 models"):
        explain_with({}, images)
