"""Layers of tokens: a transformer made by hand, torchvision's, and another library."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import wslib  # noqa: F401  (lets torchvision import)
from wslib.cam import CAM, METHODS, AblationCAM, GradCAM, HiResCAM
from wslib.cam.engine import find_layout


class Tokens(nn.Module):
    """A transformer whose answer is known: each pixel is a patch; in front of the
    patches stand `extra` tokens of large numbers; the logits are the mean patch."""

    def __init__(self, extra=1, last=False):
        super().__init__()
        self.block, self.extra, self.last = nn.Identity(), extra, last

    def forward(self, images):
        if self.last:  # (B, h, w, K), as Swin
            return self.block(images.permute(0, 2, 3, 1)).mean((1, 2))
        patches = images.flatten(2).mT  # (B, N, K)
        front = torch.full((len(images), self.extra, images.shape[1]), 100.0)
        return self.block(torch.cat([front, patches], 1))[:, self.extra :].mean(1)


@pytest.fixture
def images():
    return torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("extra", [0, 1, 5])
def test_class_and_register_tokens_are_dropped(images, extra):
    model = Tokens(extra)
    raw = GradCAM(model, [model.block]).explain(images, [0, 2]).raw[0]
    # the logit of class c is the mean of channel c: w = 1 / 16 there and 0 elsewhere
    torch.testing.assert_close(raw, images[[0, 1], [0, 2]] / 16)


def test_rows_stay_rows_on_a_grid_that_is_told():
    images, model = torch.zeros(1, 2, 3, 6), Tokens(2)
    images[0, 1, 0, 4] = 1  # at the right, on top
    cam = GradCAM(model, [model.block], grid=(3, 6))
    heatmap = cam(images, [1])[0]
    assert np.unravel_index(heatmap.argmax(), heatmap.shape) == (0, 4)
    with pytest.raises(ValueError, match="20 tokens of an image 3 x 6, expected gr"):
        GradCAM(model, [model.block])(images, [1])
    with pytest.raises(ValueError, match="grid 5 x 5 for 20 tokens, expected as many"):
        GradCAM(model, [model.block], grid=(5, 5))(images, [1])


def test_channels_last_are_found_by_the_proportions_of_the_image():
    model = Tokens(last=True)
    for size in ((4, 4), (3, 6)):
        images = torch.rand(2, 9, *size, generator=torch.Generator().manual_seed(1))
        raw = GradCAM(model, [model.block]).explain(images, [8, 0]).raw[0]
        expected = images[[0, 1], [8, 0]] / (size[0] * size[1])
        torch.testing.assert_close(raw, expected)


def test_which_layouts_are_taken():
    def laid(shape, size, grid=None):
        given = torch.zeros(shape)
        return tuple(find_layout(given, size, grid)(given).shape)

    assert laid((1, 7, 7, 96), (224, 224)) == (1, 96, 7, 7)
    assert laid((1, 96, 7, 7), (224, 224)) == (1, 96, 7, 7)
    assert laid((1, 7, 7, 7), (224, 224)) == (1, 7, 7, 7)
    assert laid((1, 8, 14, 96), (64, 112)) == (1, 96, 8, 14)
    assert laid((1, 9, 3, 5), (99, 99)) == (1, 9, 3, 5)  # nothing fits: a convolution
    assert laid((1, 3, 5, 9), (99, 99), (3, 5)) == (1, 9, 3, 5)
    assert laid((1, 3, 5, 9), (99, 99), (5, 9)) == (1, 3, 5, 9)
    assert laid((1, 201, 96), (224, 224)) == (1, 96, 14, 14)
    with pytest.raises(ValueError, match="expected two of its sides"):
        laid((1, 3, 5, 9), (99, 99), (4, 4))


# -------------------------------------------------------------------------- torchvision


def shown(side, count=2):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(count, 3, side, side, generator=generator)


@pytest.fixture(scope="module")
def vit():
    import torchvision

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = torchvision.models.vit_b_16(weights=None, image_size=64, num_classes=5)
        nn.init.normal_(model.heads.head.weight)  # torchvision draws zeros
    return model.eval()


@pytest.fixture(scope="module")
def swin():
    import torchvision

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torchvision.models.swin_t(weights=None, num_classes=5).eval()


PEERS = {"gradcam": "GradCAM", "layercam": "LayerCAM", "hirescam": "HiResCAM"}
PEERS |= {"gradcam++": "GradCAMPlusPlus", "xgradcam": "XGradCAM"}


@pytest.mark.parametrize("method", PEERS)
def test_a_vision_transformer_as_pytorch_grad_cam_has_it(vit, method):
    """To 2e-3: it adds 1e-7 to sums and 1e-6 to squares that it divides by."""
    peers = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    layer, images = vit.encoder.layers[-1].ln_1, shown(64)
    own = METHODS[method](vit, [layer])(images, [3, 1])
    kinds = {"target_layers": [layer], "reshape_transform": patches_of}
    with getattr(peers, PEERS[method])(model=vit, **kinds) as peer:
        targets = [ClassifierOutputTarget(t) for t in (3, 1)]
        other = peer(input_tensor=images, targets=targets)
    np.testing.assert_allclose(own, other, atol=2e-3)


def patches_of(x):
    """What a user of pytorch-grad-cam has to write."""
    return x[:, 1:].reshape(len(x), 4, 4, -1).permute(0, 3, 1, 2)


def test_behind_the_last_attention_only_the_class_token_counts(vit):
    with pytest.raises(ValueError, match="only the class token of target layer"):
        GradCAM(vit, [vit.encoder.layers[-1]])(shown(64))


def test_ablation_in_a_vision_transformer_is_the_slow_loop(vit):
    layer, images = vit.encoder.layers[-1].ln_1, shown(64, 1)
    cam = AblationCAM(vit, [layer], channels=3, batch_size=2)
    raw = cam.explain(images, [2]).raw[0]
    kept = []
    handle = layer.register_forward_hook(lambda *a: kept.append(a[2].detach()))
    with torch.no_grad():
        y = vit(images)[0, 2]
    handle.remove()
    A = patches_of(kept[0])
    spread = (A.amax((2, 3)) - A.amin((2, 3)))[0]
    expected = torch.zeros(1, 4, 4)
    for k in spread.argsort(descending=True)[:3]:
        gone = kept[0].clone()
        gone[:, 1:, k] = 0
        handle = layer.register_forward_hook(lambda *_, gone=gone: gone)
        with torch.no_grad():
            expected += (y - vit(images)[0, 2]) / y.abs() * A[:, k]
        handle.remove()
    torch.testing.assert_close(raw, expected, atol=1e-4, rtol=1e-3)


def test_swin_ends_in_average_pooling_so_gradcam_is_cam(swin):
    images, last = shown(128), [swin.norm]  # (B, 4, 4, 768)
    cam = CAM(swin, last).explain(images, [4, 0])
    assert cam.raw[0].shape == (2, 4, 4)
    for method in (GradCAM, HiResCAM):
        raw = method(swin, last).explain(images, [4, 0]).raw[0]
        torch.testing.assert_close(raw * 16, cam.raw[0], rtol=1e-3, atol=1e-5)
    mean = cam.raw[0].mean((1, 2)) + swin.head.bias.detach()[[4, 0]]
    torch.testing.assert_close(mean, cam.logits[[0, 1], [4, 0]], rtol=1e-3, atol=1e-4)
