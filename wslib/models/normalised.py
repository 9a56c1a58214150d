"""What all networks of images share: how images are normalised, how a frozen network is
made faster, and how TensorFlow's networks pad."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Self, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)

IMAGENET_MEAN_STD = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class ImageNetwork(nn.Module):
    """A network of images that knows the `mean` and the `std` (3, 1, 1) of the channels
    that it was trained on. With `frozen`, its `features` always stay in eval mode."""

    frozen = False

    def __init__(self, mean_std: Sequence[Sequence[float]] = IMAGENET_MEAN_STD):
        super().__init__()
        for name, values in zip(("mean", "std"), mean_std, strict=True):
            value = torch.as_tensor(values).reshape(3, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def normalize(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) or (3, H, W) in [0, 1] -> what the network was trained
        on: less its mean, by its standard deviation, channel by channel."""
        return (images - self.mean) / self.std

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen:
            self.features.eval()
        return self


def fold_batch_norms(network: Network) -> Network:
    """A copy of a network in eval mode, with each batch norm in the weights of the
    convolution before it: the same answers up to rounding, a quarter sooner.

    A convolution and a batch norm belong together where one module holds them one after
    the other, as all networks of this package do. A network without any is not copied.
    Its ReLUs write over what they read: no other layer may read that, and a hook that
    keeps it must copy it.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    folded = copy.deepcopy(network)
    for parent in list(folded.modules()):
        for (first, conv), (second, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(parent, first, fuse_conv_bn_eval(conv, norm))
                setattr(parent, second, nn.Identity())
        if isinstance(parent, (nn.ReLU, nn.ReLU6)):
            parent.inplace = True
    return folded


class SamePadding(nn.Conv2d):
    """A convolution whose output has a place for each `stride` pixels, as TensorFlow
    pads: an odd zero comes after the last pixel. Dilation only with stride 1.

    PyTorch pads both sides alike. Instead of a padded copy of the map, which takes
    longer than the convolution, it gets a kernel with a row and a column of zeros.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve maps (B, K, h, w)."""
        shape = self.kernel_size, self.stride, self.dilation
        sides = zip(x.shape[2:], *shape, strict=True)
        needed = [
            max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, k, s, d in sides
        ]
        odd = [n % 2 for n in needed]
        weight = F.pad(self.weight, (odd[1], 0, odd[0], 0)) if any(odd) else self.weight
        padding = [(n + 1) // 2 for n in needed]
        how = self.stride, padding, self.dilation, self.groups
        return F.conv2d(x, weight, self.bias, *how)
