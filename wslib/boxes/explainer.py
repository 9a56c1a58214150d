"""One picture after the other: its most probable class, or another, and the heat map.

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

from wslib.cam import METHODS
from wslib.data.images import resize_image
from wslib.data.voc import CLASSES
from wslib.models.checkpoints import load_classifier, naming
from wslib.models.classifiers import LARGEST, build_classifier, imagenet_classes
from wslib.runtime.device import pick_device

DEFAULT = "efficientnet_lite0"
SMALLEST = 32  # pixels, of the side of an input


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

    `layers` are names below `features`, such as stage5; by default the last one. `size`
    is the side of the input in pixels, by default as in training. Raises ValueError for
    a method, a layer or a size that is not there; errors of a file as its reader.
    """

    def __init__(
        self, model: Path | None, method: str, layers: Sequence[str], size, device: str
    ):
        if method not in METHODS:
            raise ValueError(f"method {method!r}, expected one of {', '.join(METHODS)}")
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
        self.cam = METHODS[method](classifier, layers or [classifier.target_layer])

    def class_number(self, name: str) -> int:
        """Find a class; upper and lower case are one where that is enough. Raises
        ValueError that names the closest classes."""
        same = [each for each in self.classes if each.lower() == name.lower()]
        if name in self.classes or len(same) == 1:
            return self.classes.index(name if name in self.classes else same[0])
        near = self._closest(name)
        hint = f"the closest are {', '.join(near)}" if near else "none is like it"
        if len(self.classes) <= len(CLASSES):
            hint = f"expected one of {', '.join(self.classes)}"
        raise ValueError(f"no class {name!r} among {len(self.classes)}; {hint}")

    def _closest(self, name: str, most: int = 5) -> list[str]:
        """List classes of which this is a word, then those that are spelt like it."""
        lower = {each: each.lower() for each in self.classes}
        close = [each for each in lower if name.lower() in lower[each].split()]
        for spelt in get_close_matches(name.lower(), lower.values(), most, 0.5):
            close += [each for each in lower if lower[each] == spelt]
        return list(dict.fromkeys(close))[:most]

    def explain(self, image: np.ndarray, target: int | None = None) -> ImageExplanation:
        """Explain class number `target`, or the top class, in an image (H, W, 3)
        uint8."""
        pixels = resize_image(image, *self.size[::-1])  # (H, W, 3)
        pixels = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())
        pixels = pixels.to(self.classifier.mean.device).float() / 255  # (1, 3, H, W)
        pixels = self.classifier.normalize(pixels)
        if target is None:
            target = self._top(pixels)
        explained = self.cam.explain(pixels, [self.first + target])
        logits = explained.logits[0, : len(self.classes)]
        likely = logits.softmax(0) if self.exclusive else logits.sigmoid()
        heatmap = resize_image(explained.maps[0], image.shape[1], image.shape[0])
        return ImageExplanation(self.classes[target], float(likely[target]), heatmap)

    @torch.no_grad()
    def _top(self, pixels: torch.Tensor) -> int:
        return int(self.classifier(pixels)[0, : len(self.classes)].argmax())


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
