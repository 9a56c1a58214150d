"""A dense classifier: classes of the image, and at each place of its feature map.

Its backbone stays as ImageNet made it. All that is learnt from image labels are linear
layers on top: two for the image and two for its places.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wslib.models.checkpoints import (
    load_weights,
    naming,
    read_checkpoint,
    save_checkpoint,
)
from wslib.models.classifiers import Classifier, ImageNetwork, build_classifier

FORMAT = "wslib dense classifier 1"
EARLIER = "wslib detector 1"  # which had other names for two heads and a kind of map

# Where a backbone is cut: its last stage of stride 16, and its last one before `top`.
CUTS = {
    "efficientnet_lite0": ("stage5", "stage7"),
    "efficientnet_lite2": ("stage5", "stage7"),
    "resnet18": ("layer3", "layer4"),
    "resnet50": ("layer3", "layer4"),
}


class DenseOutput(NamedTuple):
    """The output for B images: of each class in the image, and at each place.

    gradcam, posterior: evidence, unbounded; places: probabilities of the classes and,
    last, of the background, which sum to 1 at each place.
    """

    logits: Tensor  # (B, n)
    gradcam: Tensor  # (B, n, h, w)
    posterior: Tensor  # (B, n, h, w)
    places: Tensor  # (B, n + 1, h, w)


class DenseClassifier(ImageNetwork):
    """Four linear heads on a frozen backbone whose last stride is taken out.

    The last stage runs at stride 16 instead of 32, its kernels spread by 2, so that
    each place sees what it saw before, and there are four times as many (Yu & Koltun
    2016, https://arxiv.org/abs/1511.07122). With A the last feature map (B, K, h, w),
    q the softmax of the ImageNet head at each place (B, 1000, h, w), and T the maps
    before A that are narrow enough to be kept, side by side (B, C, h, w):

    - `image`: logits of the image from the mean of A;
    - `cam`: the same, fitted with a stronger penalty. Its weights at each place are
      the Grad-CAM maps of all classes, times h w (`wslib.cam`; for such an ending
      Grad-CAM is CAM);
    - `posterior`: logits of the image from the mean of q. Its weights at each place are
      the Grad-CAM maps with q as the target layer;
    - `place`: logits of the n classes and of the background at each place, from T.

    `classifier` keeps its own weights and head; `imagenet_head` (K -> 1000) is that
    head unless another is given. The new heads are zeros until `wslib.boxes.fitting`
    fits them. Raises ValueError for a head that is not ImageNet's.
    """

    def __init__(
        self,
        classifier: Classifier,
        num_classes: int,
        imagenet_head: nn.Linear | None = None,
    ):
        super().__init__((classifier.mean, classifier.std))
        head = classifier.head if imagenet_head is None else imagenet_head
        if head.out_features != 1000:
            raise ValueError(
                f"a head of {head.out_features} outputs, expected ImageNet's 1000"
            )
        classifier = copy.deepcopy(classifier)
        self.name, self.num_classes = classifier.name, num_classes
        stages = dict(classifier.features.named_children())
        names = list(stages)
        first, last = (names.index(name) + 1 for name in CUTS[self.name])
        parts = names[:first], names[first:last], names[last:]
        before, after, top = (nn.Sequential(*map(stages.get, part)) for part in parts)
        self.before, self.after, self.top = before, _dilated(after), top
        self.imagenet_head = copy.deepcopy(head)
        self.heads = nn.ModuleDict(self._heads(num_classes))
        self.eval().requires_grad_(False)

    def trunk(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) -> T (B, C, H / 16, W / 16): all that the rest
        is made of."""
        middle = self.before(images)
        return torch.cat([middle, self.after(middle)], 1)

    def features(self, trunk: Tensor) -> Tensor:
        """T (B, C, h, w) -> A (B, K, h, w); `top` looks at each place alone."""
        return self.top(trunk[:, self.narrow :])

    def posteriors(self, features: Tensor) -> Tensor:
        """A (B, K, h, w) -> q (B, 1000, h, w), which sums to 1 at each place."""
        return at_each_place(self.imagenet_head, features).softmax(1)

    def apply_heads(self, trunk: Tensor) -> DenseOutput:
        """T (B, C, h, w), of whole images or of some of their places -> all outputs."""
        A = self.features(trunk)  # (B, K, h, w)
        q = self.posteriors(A)  # (B, 1000, h, w)
        image, cam, posterior, place = self.heads.values()
        return DenseOutput(
            image(A.mean((2, 3))),
            at_each_place(cam, A, bias=False),
            at_each_place(posterior, q, bias=False),
            at_each_place(place, trunk).softmax(1),
        )

    def forward(self, images: Tensor) -> DenseOutput:
        """Normalised images (B, 3, H, W) -> what is seen in them, at stride 16."""
        return self.apply_heads(self.trunk(images))

    def _heads(self, n: int) -> dict[str, nn.Linear]:
        K = self.imagenet_head.in_features
        with torch.no_grad():
            size = 32  # pixels; the smallest image that leaves a place
            middle = self.before(torch.zeros(1, 3, size, size))
            self.narrow = middle.shape[1]  # channels of T that `top` does not see
            channels = self.narrow + self.after(middle).shape[1]
        sizes = {"image": (K, n), "cam": (K, n), "posterior": (1000, n)}
        sizes["place"] = (channels, n + 1)
        return {name: _zero_head(*size) for name, size in sizes.items()}


def at_each_place(head: nn.Linear, maps: Tensor, bias: bool = True) -> Tensor:
    """A linear layer C -> n on maps (B, C, h, w), place by place: (B, n, h, w)."""
    weight = head.weight[:, :, None, None]
    return F.conv2d(maps, weight, head.bias if bias else None)


def save_dense(
    path: Path | str, network: DenseClassifier, classes: Sequence[str], **about
) -> None:
    """Write a network whose heads are fitted, the names of its classes, and what else
    is known `about` it (texts, numbers, lists and dictionaries of these)."""
    about = {"format": FORMAT, "name": network.name, "classes": list(classes), **about}
    save_checkpoint(path, network, **about)


def load_dense(path: Path | str) -> tuple[DenseClassifier, dict]:
    """Return what `save_dense` wrote, on the CPU, and what is known about it.

    Raises FileNotFoundError or ValueError, one line that names the file.
    """
    about = read_checkpoint(path)
    with naming(path):
        if about.get("format") == EARLIER:
            about = _renamed(about)
        if about.get("format") != FORMAT or about.get("name") not in list(CUTS):
            raise ValueError("no detector; `wslib voc train` makes one")
        _check_classes(about.get("classes"))
        classifier = build_classifier(about["name"], pretrained=False)
        network = DenseClassifier(classifier, len(about["classes"]))
        load_weights(network, about.pop("model", None))
    return network, about


def _renamed(about: dict) -> dict:
    """Turn the names of an earlier file into those of today."""
    names = {"heads.tell.": "heads.image.", "heads.show.": "heads.cam."}
    weights = about.get("model")
    if isinstance(weights, dict):
        for old, new in names.items():
            weights = {str(k).replace(old, new): v for k, v in weights.items()}
    about = {**about, "format": FORMAT, "model": weights}
    if isinstance(thresholds := about.get("thresholds"), dict):
        kinds = {"combined" if k == "taught" else k: v for k, v in thresholds.items()}
        about["thresholds"] = kinds
    return about


def _check_classes(names: object) -> None:
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
        raise ValueError(
            f"a detector whose classes are {names!r}, expected their names"
        )
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{len(names)} classes, expected each once, and one or more")


def _zero_head(inputs: int, outputs: int) -> nn.Linear:
    head = nn.Linear(inputs, outputs)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def _dilated(stages: nn.Sequential) -> nn.Sequential:
    """Take the stride of 2 out, and spread the kernels behind it to make up for it."""
    strided = False
    for layer in stages.modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        if max(layer.stride) > 1:
            layer.stride, strided = (1, 1), True
        elif strided and max(layer.kernel_size) > 1:
            layer.dilation = (2, 2)
            layer.padding = tuple(2 * side for side in layer.padding)
    return stages
