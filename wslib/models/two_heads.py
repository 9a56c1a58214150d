"""Networks with two heads: what is in the picture, and in which box.

The practical's four, and the same heads on EfficientNet-Lite0. All have one frame:
`features` makes a map of an image, `neck` gives it the size that the heads can read,
and two small stacks of linear layers read it: `classify` gives a logit for each class,
`locate` the corners of the box.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from wslib.models.checkpoints import (
    load_weights,
    naming,
    read_checkpoint,
)
from wslib.models.classifiers import LARGEST, build_classifier
from wslib.models.normalised import IMAGENET_MEAN_STD, ImageNetwork

VGG11 = ((64,), (128,), (256, 256), (512, 512), (512, 512))  # widths between poolings
DEEPER = ((32,), (64,), (64,), (128, 128), (128, 128))
FIRST_BOX = (0.2, 0.2, 0.8, 0.8)  # of a box head before it has learnt anything
THIN = 64  # channels of a pretrained network's map that the heads read


@dataclass(frozen=True)
class Maps:
    """Maps that frozen features have made of images before: `values` (B, C, h, w)."""

    values: Tensor


class TwoHeadNetwork(ImageNetwork):
    """`logits (B, n), boxes (B, 4) = detector(images)`, images (B, 3, S, S) normalised.

    Boxes are x1, y1, x2, y2 as a ratio of the image, in (0, 1), as the last sigmoid
    gives them: their corners may come in the wrong order, see
    `wslib.training.losses.sort_corners`. In place of images it takes `Maps`.

    With `frozen`, the features are not trained: no gradient reaches them, and their
    batch norms stay as they are. With `bfloat16`, they are computed in that format,
    about twice as fast where the processor knows it; the heads never are, as eight bits
    are too few for a corner. `S` is `input_size`: the heads' inputs depend on it.
    """

    def __init__(
        self,
        features: nn.Module,
        neck: nn.Module,
        num_classes: int,
        input_size: int,
        hidden: tuple[int, int],
        dropout: float,
        frozen: bool = False,
        mean_std: Sequence[Sequence[float]] = IMAGENET_MEAN_STD,
    ) -> None:
        super().__init__(mean_std)
        if num_classes < 1:
            raise ValueError(f"num_classes is {num_classes}, expected 1 or more")
        if not 1 <= input_size <= LARGEST:
            raise ValueError(f"input_size is {input_size}, expected 1 to {LARGEST}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}, expected 0 to 1")
        self.input_size, self.frozen, self.bfloat16 = input_size, frozen, False
        self.features, self.neck = features.requires_grad_(not frozen), neck
        count = self._count_numbers(input_size)
        if not count:
            least = next(filter(self._count_numbers, range(input_size, 1000)))
            text = f"input_size {input_size} is too small for {type(self).__name__}"
            raise ValueError(f"{text}, expected {least} or more")
        self.classify = _class_head(count, hidden, num_classes, dropout)
        self.locate = _box_head(count, hidden)

    @torch.no_grad()
    def _count_numbers(self, size: int) -> int:
        """Count the numbers that heads read of an image; 0 where it is too small."""
        layers = nn.Sequential(self.features, self.neck).eval()
        try:
            return layers(torch.zeros(1, 3, size, size)).numel()
        except RuntimeError:  # a pooling of nothing
            return 0

    def maps(self, images: Tensor) -> Maps:
        """Compute the features of normalised images, in float32."""
        with torch.autocast(images.device.type, torch.bfloat16, self.bfloat16):
            return Maps(self.features(images).float())

    def forward(self, images: Tensor | Maps) -> tuple[Tensor, Tensor]:
        """Normalised images (B, 3, S, S), or their maps -> logits (B, n) and boxes
        (B, 4)."""
        maps = images if isinstance(images, Maps) else self.maps(images)
        numbers = self.neck(maps.values).flatten(1)  # (B, C, h, w) -> (B, C h w)
        return self.classify(numbers), self.locate(numbers)  # (B, n), (B, 4)


def _class_head(count: int, hidden, num_classes: int, dropout: float) -> nn.Sequential:
    wide, narrow = hidden
    return nn.Sequential(
        *(nn.Linear(count, wide), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(wide, narrow), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(narrow, num_classes),
    )


def _box_head(count: int, hidden) -> nn.Sequential:
    """No dropout: it would make noise of a number that is to be exact. It begins with
    boxes near `FIRST_BOX`, as four sigmoids of 0 would be a point in the middle."""
    wide, narrow = hidden
    corners = nn.Linear(narrow, 4)
    with torch.no_grad():
        corners.bias.copy_(torch.tensor(FIRST_BOX).logit())
    return nn.Sequential(
        *(nn.Linear(count, wide), nn.ReLU(), nn.Linear(wide, narrow), nn.ReLU()),
        *(corners, nn.Sigmoid()),
    )


def _convolutions(widths: Sequence[Sequence[int]], pool: int, batch_norm: bool):
    """3 x 3 convolutions of these widths, and a max pooling after each block."""
    layers, inputs = [], 3
    for block in widths:
        for outputs in block:
            norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), *norm, nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(pool))
    return nn.Sequential(*layers)


class SimpleDetector(TwoHeadNetwork):
    """The practical's first: three convolutions, each with a pooling of 4 by 4. Of 224
    pixels they leave a map (64, 3, 3), 576 numbers, read by layers of 32 and 16."""

    def __init__(self, num_classes=3, input_size=224, dropout=0.3, batch_norm=True):
        features = _convolutions([[32], [64], [64]], 4, batch_norm)
        sizes = num_classes, input_size, (32, 16)
        super().__init__(features, nn.Identity(), *sizes, dropout)


class DeeperDetector(TwoHeadNetwork):
    """Seven convolutions in five blocks, each with a pooling of 2 by 2: of 224 pixels
    they leave a map (128, 7, 7), fine enough to say where something is."""

    def __init__(self, num_classes=3, input_size=224, dropout=0.3, batch_norm=True):
        features = _convolutions(DEEPER, 2, batch_norm)
        sizes = num_classes, input_size, (128, 32)
        super().__init__(features, nn.Identity(), *sizes, dropout)


class VggDetector(TwoHeadNetwork):
    """VGG-11 (Simonyan & Zisserman 2015, table 1, column A,
    https://arxiv.org/abs/1409.1556) with linear layers of 512 features, not 4096."""

    def __init__(self, num_classes=3, input_size=224, dropout=0.5, batch_norm=True):
        features = _convolutions(VGG11, 2, batch_norm)
        sizes = num_classes, input_size, (512, 512)
        super().__init__(features, nn.Identity(), *sizes, dropout)


class PretrainedDetector(TwoHeadNetwork):
    """Both heads on a classifier of `wslib.models.classifiers`, up to the stage `upto`.

    `pooled` averages the map over its places, as the classifier's own last layer had
    it: then hardly anything is left of *where*. Without it, a 1 x 1 convolution makes
    the map thin, and the heads read all of its places.
    """

    def __init__(
        self,
        backbone: str,
        upto: str,
        num_classes: int,
        input_size: int,
        dropout: float,
        pretrained: bool,
        frozen: bool,
        pooled: bool,
    ) -> None:
        seed = torch.initial_seed()  # that of `build_detector`
        network = build_classifier(backbone, pretrained=pretrained, seed=seed)
        names = [name for name, _ in network.features.named_children()]
        features = network.features[: names.index(upto) + 1]
        super().__init__(
            features,
            nn.AdaptiveAvgPool2d(1) if pooled else _thin(features),
            *(num_classes, input_size, (128, 32), dropout, frozen),
            [values.flatten().tolist() for values in (network.mean, network.std)],
        )


@torch.no_grad()
def _thin(features: nn.Module) -> nn.Sequential:
    channels = features.eval()(torch.zeros(1, 3, 64, 64)).shape[1]
    convolution = nn.Conv2d(channels, THIN, 1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(THIN), nn.ReLU())


class ResnetDetector(PretrainedDetector):
    """On ResNet-18 (He et al. 2016, https://arxiv.org/abs/1512.03385): of 224 pixels
    its map is (512, 7, 7). Its ImageNet weights are downloaded once."""

    def __init__(self, num_classes=3, input_size=224, dropout=0.3,
                 pretrained=True, frozen=False, pooled=False):  # fmt: skip
        how = dropout, pretrained, frozen, pooled
        super().__init__("resnet18", "layer4", num_classes, input_size, *how)


class LiteDetector(PretrainedDetector):
    """On EfficientNet-Lite0 (Tan & Le 2019, https://arxiv.org/abs/1905.11946), whose
    ImageNet weights come with a package, up to its fifth stage: of 224 pixels the map
    is (112, 14, 14)."""

    def __init__(self, num_classes=3, input_size=224, dropout=0.3,
                 pretrained=True, frozen=False, pooled=False):  # fmt: skip
        how = dropout, pretrained, frozen, pooled
        super().__init__("efficientnet_lite0", "stage5", num_classes, input_size, *how)


NETWORKS = {
    "simple": SimpleDetector,
    "deeper": DeeperDetector,
    "vgg": VggDetector,
    "resnet18": ResnetDetector,
    "lite0": LiteDetector,
}


def build_detector(name: str, seed: int = 0, **options) -> TwoHeadNetwork:
    """Build one of `NETWORKS` in eval mode; what it does not load is drawn from `seed`.

    Options: `num_classes` (3), `input_size` (224, pixels), `dropout` (a share); for the
    first three `batch_norm` (True), for the last two `pretrained` (True), `frozen` and
    `pooled` (False). Raises ValueError for an unknown name or option, for what makes no
    sense, and RuntimeError where weights cannot be downloaded.
    """
    if name not in NETWORKS:
        raise ValueError(f"network {name!r}, expected one of {', '.join(NETWORKS)}")
    known = list(inspect.signature(NETWORKS[name]).parameters)
    for option in options:
        if option not in known:
            text = f"{name} has no option {option!r}, expected some of "
            raise ValueError(text + ", ".join(known))
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as is
        torch.manual_seed(seed)
        detector = NETWORKS[name](**options)
    detector.name, detector.options = name, options
    return detector.eval().to(memory_format=torch.channels_last)


FORMAT = "wslib detector 1"
KINDS = {"network": str, "classes": list, "options": dict, "bfloat16": bool}


def about_detector(detector: TwoHeadNetwork, classes: Sequence[str]) -> dict:
    """Describe a network of `build_detector` as `load_detector` must know it, beside
    its weights. Raises ValueError unless there is a name, each once, for each
    output."""
    outputs = detector.classify[-1].out_features
    if outputs != len(classes) or len(set(classes)) < outputs:
        text = f"{outputs} outputs for the classes {', '.join(classes)}: "
        raise ValueError(text + "expected a name, each once, for each output")
    options = {**detector.options, "input_size": detector.input_size}
    about = {"format": FORMAT, "network": detector.name, "classes": list(classes)}
    return about | {"options": options, "bfloat16": detector.bfloat16}


def load_detector(path: Path | str) -> tuple[TwoHeadNetwork, dict]:
    """The detector in a file that a training run wrote (`best.pt`,
    or `last.pt` with the last epoch's weights), on the CPU in eval mode, and what is
    known about it: `network`, `classes`, `options`, and what else was saved. Nothing is
    downloaded.

    Raises FileNotFoundError or ValueError, one line that names the file.
    """
    content = read_checkpoint(path)
    if isinstance(content.get("run"), dict):  # last.pt: what best.pt says is in there
        content = {**content["run"], "model": content.get("model")}
    with naming(path):
        if content.get("format") != FORMAT:
            raise ValueError(f"no detector: its format is {content.get('format')!r}")
        for key, kind in KINDS.items():
            if not isinstance(content.get(key), kind):
                raise ValueError(f"not written by `wslib caltech train`: no {key!r}")
        detector = _without_download(content["network"], content["options"])
        about_detector(detector, content["classes"])
        load_weights(detector, content.pop("model", None))
    detector.options, detector.bfloat16 = content["options"], content["bfloat16"]
    return detector, content


def _without_download(network: str, options: dict) -> TwoHeadNetwork:
    known = inspect.signature(NETWORKS.get(network, build_detector)).parameters
    never = {"pretrained": False} if "pretrained" in known else {}
    return build_detector(network, **{**options, **never})
