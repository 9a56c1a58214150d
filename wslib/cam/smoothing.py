"""One map from several views of an image: what all of them show stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from wslib.cam.engine import ClassActivationMap, Pass, rescale

View = tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]


def flipped() -> View:
    """The mirror image."""
    return (lambda images: images.flip(3)), (lambda maps: maps.flip(2))


def scaled(factor: float) -> View:
    """The image made larger or smaller, both ways by the same factor."""
    options = {"scale_factor": factor, "mode": "bilinear", "antialias": True}
    return (lambda images: F.interpolate(images, **options)), (lambda maps: maps)


def noisy(share: float, seed: int = 0) -> View:
    """The image with normal noise, `share` of its range strong, the same each time
    (Smilkov et al. 2017, https://arxiv.org/abs/1706.03825)."""

    def add(images: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(images.shape, generator=generator).to(images)
        span = images.amax((1, 2, 3), True) - images.amin((1, 2, 3), True)
        return images + share * span * noise

    return add, lambda maps: maps


VIEWS = (flipped(), scaled(0.8), scaled(1.25), noisy(0.05))


class Smoothed(ClassActivationMap):
    """The mean of a method's maps over an image and some views of it.

    Each view is a pair: what makes it of images (B, C, H, W), and what brings its maps
    (B, h, w) back in place, at any size of the same proportions. The maps of each view
    are scaled to 0..1 at the size of the image before they are averaged; `raw` is their
    mean, (B, H, W). The targets are those of the image itself. Cost: that of the method
    once more for each view.
    """

    def __init__(self, method: ClassActivationMap, views: Sequence[View] = VIEWS):
        super().__init__(method.model, method.target_layers, method.relu, method.grid)
        self.method, self.views = method, views

    def raw_maps(self, run: Pass) -> list[Tensor]:
        """The mean over the views of each layer's maps, (B, H, W)."""
        size = run.image.shape[-2:]
        seen = [self._scaled(self.method.raw_maps(run), size)]
        for change, back in self.views:
            image = change(run.image)
            other = Pass.of(run.model, image, self.target_layers, run.targets)
            raw = [back(m) for m in self.method.raw_maps(other)]
            seen.append(self._scaled(raw, size))
        return [torch.stack(views).mean(0) for views in zip(*seen, strict=True)]

    def _scaled(self, raw: list[Tensor], size) -> list[Tensor]:
        return [rescale(m.relu() if self.relu else m, size) for m in raw]
