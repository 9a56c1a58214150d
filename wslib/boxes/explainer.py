"""Pictures, one or some at once: their most probable class, or another, and its maps.

Images are shown to the classifier at the size that it was trained with; the map comes
back at the size of the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wslib.cam import METHODS, ScoreCAM, explain_with
from wslib.data.images import resize_image
from wslib.data.voc import CLASSES
from wslib.models.checkpoints import load_classifier, naming
from wslib.models.classifiers import LARGEST, build_classifier, imagenet_classes
from wslib.runtime.device import pick_device

DEFAULT = "efficientnet_lite0"
CLOSE = 5  # classes that are named where there is none
SMALLEST = 32  # pixels, of the side of an input
ASKED = 64  # channels that Score-CAM asks for, those of the largest range


@dataclass(frozen=True, eq=False)
class ImageExplanation:
    """A class of one image, its probability, and its map (H, W) float32 in 0..1 at the
    image's size; zeros where nothing speaks for the class."""

    target: str
    probability: float
    heatmap: np.ndarray

    @property
    def title(self) -> str:
        """The class and its probability."""
        return f"{self.target}: {self.probability:.2f}"

    @property
    def peak(self) -> list[int]:
        """Where the map is highest: x, y in pixels, counted from 0."""
        y, x = np.unravel_index(self.heatmap.argmax(), self.heatmap.shape)
        return [int(x), int(y)]


class Explainer:
    """A classifier and its maps: in a file that `load_classifier` reads, or by default
    EfficientNet-Lite0 with ImageNet's 1000 classes.

    `method` is one of `METHODS`, or several of them; `layers` are names below
    `features`, such as stage5; by default the last one. `size` is the side of the input
    in pixels, by default as in training. Raises ValueError for a method, a layer or a
    size that is not there; errors of a file as its reader.
    """

    def __init__(
        self,
        model: Path | None,
        method: str | Sequence[str],
        layers: Sequence[str],
        size,
        device: str,
    ):
        methods = [method] if isinstance(method, str) else list(method)
        for name in methods:
            if name not in METHODS:
                known = ", ".join(METHODS)
                raise ValueError(f"method {name!r}, expected one of {known}")
        place = pick_device(device)
        if model is None:
            classifier, about = build_classifier(DEFAULT), {}
            self.classes, heads = imagenet_classes(), 1
        else:
            classifier, about = load_classifier(model)
            self.classes, heads = about["classes"], about["heads"]
        given = about.get("size", classifier.input_size) if size is None else size
        self.size = _height_and_width(given)
        # Where one head classifies and another one is for the maps, that is the last.
        self.first = (heads - 1) * len(self.classes)
        independent = about.get("independent", set(self.classes) == set(CLASSES))
        self.exclusive = not independent  # several classes may be in one image
        self.classifier = classifier.to(place)
        with naming(model or classifier.name):
            layers = [_layer(classifier, name) for name in layers]
        places = layers or [classifier.target_layer]
        self.cams = {name: _method(name, classifier, places) for name in methods}

    def class_number(self, name: str | None) -> int | None:
        """Find a class; upper and lower case are one where that is enough. None is
        none. Raises ValueError that names the closest classes."""
        if name is None:
            return None
        same = [each for each in self.classes if each.lower() == name.lower()]
        if name in self.classes or len(same) == 1:
            return self.classes.index(name if name in self.classes else same[0])
        near = self._closest(name)
        hint = f"the closest are {', '.join(near)}" if near else "none is like it"
        if len(self.classes) <= len(CLASSES):
            hint = f"expected one of {', '.join(self.classes)}"
        raise ValueError(f"no class {name!r} among {len(self.classes)}; {hint}")

    def _closest(self, name: str) -> list[str]:
        """List classes of which this is a word, then those that are spelt like it."""
        lower = {each: each.lower() for each in self.classes}
        close = [each for each in lower if name.lower() in lower[each].split()]
        for spelt in get_close_matches(name.lower(), lower.values(), CLOSE, 0.5):
            close += [each for each in lower if lower[each] == spelt]
        return list(dict.fromkeys(close))[:CLOSE]

    def explain(self, image: np.ndarray, target: int | None = None) -> ImageExplanation:
        """Explain class number `target`, or the top class, in an image (H, W, 3) uint8,
        by the first method."""
        return next(iter(self.explain_batch([image], target)[0].values()))

    def explain_batch(
        self, images: Sequence[np.ndarray], target: int | None = None
    ) -> list[dict[str, ImageExplanation]]:
        """Explain each of some images, (H, W, 3) uint8 of any sizes, by every method,
        from one forward pass (`explain_with`)."""
        pixels = [resize_image(image, *self.size[::-1]) for image in images]
        pixels = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        pixels = pixels.to(self.classifier.mean.device).float() / 255  # (B, 3, H, W)
        pixels = self.classifier.normalize(pixels)
        targets = self._targets(pixels, target)
        by_method = explain_with(
            self.cams, pixels, [self.first + target for target in targets]
        )
        return [
            {
                name: self._one(found, k, target, image.shape)
                for name, found in by_method.items()
            }
            for k, (image, target) in enumerate(zip(images, targets, strict=True))
        ]

    def _one(self, found, k: int, target: int, shape) -> ImageExplanation:
        logits = found.logits[k, : len(self.classes)]
        likely = logits.softmax(0) if self.exclusive else logits.sigmoid()
        heatmap = resize_image(found.maps[k], shape[1], shape[0])
        return ImageExplanation(self.classes[target], float(likely[target]), heatmap)

    @torch.no_grad()
    def _targets(self, pixels: torch.Tensor, target: int | None) -> list[int]:
        if target is not None:
            return [target] * len(pixels)
        return self.classifier(pixels)[:, : len(self.classes)].argmax(1).tolist()


def _method(name: str, classifier: nn.Module, layers: list[nn.Module]):
    options = {"channels": ASKED} if METHODS[name] is ScoreCAM else {}
    return METHODS[name](classifier, layers, **options)


def check_size(size: object) -> None:
    """Raise ValueError for a side of the input that no backbone takes, or no memory."""
    if type(size) is not int or not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size is {size!r}, expected {SMALLEST} to {LARGEST} pixels")


def _height_and_width(size) -> tuple[int, int]:
    """Make a pair of a side, or of height and width as a chapter has saved them."""
    pair = size if isinstance(size, list) and len(size) == 2 else [size, size]
    for side in pair:
        check_size(side)
    return tuple(pair)


def _layer(classifier, name: str) -> nn.Module:
    layers = dict(classifier.features.named_modules())
    if name not in layers or not name:
        top = ", ".join(name for name, _ in classifier.features.named_children())
        raise ValueError(f"no layer {name!r}; it has {top}")
    return layers[name]
