"""What all networks of images share: how their images are normalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

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
