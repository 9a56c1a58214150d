"""Localizers: networks whose last map says where, and whose pooled map says whether.

A fully convolutional network gives each class a logit at each place. To learn from
image labels the map must become one number. How it is pooled decides what the map
learns to show (Oquab et al. 2015, "Is object localization for free?",
https://doi.org/10.1109/CVPR.2015.7298668).
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wslib.models.classifiers import (
    LITE_MEAN_STD,
    build_classifier,
    download_weights,
)
from wslib.models.dense import DenseClassifier
from wslib.models.normalised import IMAGENET_MEAN_STD, ImageNetwork
from wslib.models.two_heads import Maps

Pooling = Literal["max", "logsumexp", "average"]
POOLINGS = get_args(Pooling)
LITE_CHANNELS = 320  # of its last stage, before the layer that makes 1280 of them
HIDDEN = 256  # channels between the features and the map of the classes


def pool_map(maps: Tensor, pooling: Pooling, sharpness: float = 4.0) -> Tensor:
    """Logits of places (B, n, h, w) -> logits of images (B, n).

    max: the largest. average: the mean. logsumexp lies between them:

        s(x) = 1/r log( 1/(hw) sum_ij exp(r x_ij) ),

    r = `sharpness` > 0; to the mean as r -> 0, to the maximum as r -> infinity
    (Pinheiro & Collobert 2015, equation 6, https://arxiv.org/abs/1411.6228).
    The gradient of the maximum is that of one place, of equal ones the first; that of
    the mean is 1/(hw) everywhere; in between it is a softmax of r x.

    Raises ValueError for another pooling, and a sharpness that is not positive.
    """
    places = maps.flatten(2)  # (B, n, hw)
    if pooling == "max":
        return places.max(2).values  # amax would share the gradient among equals
    if pooling == "average":
        return places.mean(2)
    if pooling != "logsumexp":
        raise ValueError(f"pooling {pooling!r}, expected one of {', '.join(POOLINGS)}")
    if not sharpness > 0:
        raise ValueError(f"sharpness is {sharpness}, expected a number above 0")
    return ((sharpness * places).logsumexp(2) - math.log(places.shape[2])) / sharpness


class Localizer(ImageNetwork):
    """`logits (B, n) = localizer(images)`, from maps that `places` gives.

    Behind `features`, whose last map is (B, C, h, w), stand a convolution C -> 256 of
    3x3 without padding, ReLU, 256 -> 256 of 1x1, ReLU, 256 -> n of 1x1: the map of the
    classes (B, n, h - 2, w - 2). `pool_map` makes the logits of it. The new layers are
    drawn after Glorot & Bengio 2010 (Xavier, equation 16,
    https://proceedings.mlr.press/v9/glorot10a.html), their biases are 0.

    With `frozen`, the features are not trained and stay in eval mode; what they make of
    images may then be kept and given instead of the images, as `Maps` with C channels
    or more, of which the last C are read. With `bfloat16`, set after it is built, the
    map is computed in that format, faster where the processor knows it.
    """

    def __init__(
        self,
        features: nn.Module,
        channels: int,
        num_classes: int,
        pooling: Pooling = "max",
        sharpness: float = 4.0,
        frozen: bool = True,
        mean_std=IMAGENET_MEAN_STD,
    ) -> None:
        super().__init__(mean_std)
        pool_map(torch.zeros(1, 1, 1, 1), pooling, sharpness)  # checks both
        self.pooling, self.sharpness, self.frozen = pooling, sharpness, frozen
        self.bfloat16 = False
        self.features = features.requires_grad_(not frozen)
        self.channels = channels
        self.head = _map_head(channels, num_classes)

    def trunk(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) -> what the head reads, (B, C, h, w)."""
        return self.features(images)

    def places(self, images: Tensor | Maps) -> Tensor:
        """Normalised images (B, 3, H, W) -> logits of places (B, n, h - 2, w - 2)."""
        kept = isinstance(images, Maps)
        values = images.values[:, -self.channels :] if kept else self.trunk(images)
        with torch.autocast(values.device.type, torch.bfloat16, self.bfloat16):
            return self.head(values).float()

    def forward(self, images: Tensor | Maps) -> Tensor:
        """Normalised images (B, 3, H, W), or their maps -> logits (B, n)."""
        return pool_map(self.places(images), self.pooling, self.sharpness)


def build_localizer(
    backbone: str,
    num_classes: int,
    pooling: Pooling = "max",
    pretrained: bool = True,
    seed: int = 0,
    frozen: bool = True,
    sharpness: float = 4.0,
) -> Localizer:
    """Build a localizer in eval mode, its new layers drawn from `seed`.

    `alexnet`: its features without the last max pooling (Krizhevsky et al. 2012,
    https://doi.org/10.1145/3065386), of which 512 x 512 pixels make 31 x 31 places and
    a map of 29 x 29; the weights are downloaded once. `efficientnet_lite0`: the trunk
    of `wslib.models.dense`, of whose channels it takes the last 320; 512 x 512 pixels
    make 32 x 32 places and a map of 30 x 30; its weights come with a package.

    Raises ValueError for another backbone, RuntimeError when a download fails.
    """
    if backbone not in BACKBONES:
        expected = f"expected one of {', '.join(BACKBONES)}"
        raise ValueError(f"backbone {backbone!r} of a localizer, {expected}")
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as is
        torch.manual_seed(seed)
        features, channels, mean_std = BACKBONES[backbone](pretrained)
        torch.manual_seed(seed)
        how = {"pooling": pooling, "sharpness": sharpness, "frozen": frozen}
        localizer = Localizer(features, channels, num_classes, **how, mean_std=mean_std)
    return localizer.eval().to(memory_format=torch.channels_last)  # faster on CPUs


def framed(maps: Tensor) -> Tensor:
    """Maps of a localizer (B, n, h - 2, w - 2) -> (B, n, h, w), their border repeated.

    A place without all its neighbours has no output. Stretched over the image, a map
    would be too large by these; with them its places lie where they were looked at.
    """
    return F.pad(maps, (1, 1, 1, 1), mode="replicate")


def _map_head(channels: int, num_classes: int) -> nn.Sequential:
    head = nn.Sequential(
        *(nn.Conv2d(channels, HIDDEN, 3), nn.ReLU()),
        *(nn.Conv2d(HIDDEN, HIDDEN, 1), nn.ReLU()),
        nn.Conv2d(HIDDEN, num_classes, 1),
    )
    for layer in head[::2]:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return head


def _alexnet(pretrained: bool) -> tuple[nn.Module, int, tuple]:
    import torchvision

    network = torchvision.models.alexnet(weights=None)
    if pretrained:
        weights = torchvision.models.get_model_weights("alexnet").IMAGENET1K_V1
        network.load_state_dict(download_weights("alexnet", weights))
    return network.features[:-1], 256, IMAGENET_MEAN_STD


def _efficientnet_lite0(pretrained: bool) -> tuple[nn.Module, int, tuple]:
    classifier = build_classifier("efficientnet_lite0", None, pretrained)
    dense = DenseClassifier(classifier, 1)
    return nn.Sequential(dense.before, dense.after), LITE_CHANNELS, LITE_MEAN_STD


BACKBONES = {"efficientnet_lite0": _efficientnet_lite0, "alexnet": _alexnet}
