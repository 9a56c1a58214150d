"""What `wslib segment` and `wslib cam` look with: a classifier's maps, a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wslib.cam import METHODS
from wslib.data.images import resize_image
from wslib.data.voc import CLASSES
from wslib.models.checkpoints import load_classifier, naming
from wslib.models.classifiers import build_classifier, imagenet_classes
from wslib.models.sam import sam_predictor
from wslib.prompting.pipelines import (
    BasicSamPipeline,
    BoxPipeline,
    ForegroundBackgroundPipeline,
    ForegroundPipeline,
    MirroredPipeline,
    PointsBoxPipeline,
    RefinedPipeline,
)
from wslib.prompting.points import background_points, innermost, prompt_box
from wslib.prompting.prompter import Prompter
from wslib.runtime.device import pick_device

DEFAULT = "efficientnet_lite0"
FIND = {"foreground": innermost, "background": background_points, "box": prompt_box}
PIPELINES = {  # and which of FIND they find their prompts with
    "centre": (BasicSamPipeline, ()),
    "points": (ForegroundPipeline, ("foreground",)),
    "points+background": (ForegroundBackgroundPipeline, ("foreground", "background")),
    "box": (BoxPipeline, ("box",)),
    "points+box": (PointsBoxPipeline, ("foreground", "box")),
}
TWICE = {  # at the end of a name
    "+mask": RefinedPipeline,  # the first mask is a part of a second prompt
    "+mirror": MirroredPipeline,  # the mirror image is looked at, too
}


@dataclass(frozen=True)
class Seen:
    """What a classifier says of one image: the class that was asked for or is the most
    probable, its probability, and its map (H, W) in 0..1 at the image's size."""

    target: str
    probability: float
    heatmap: np.ndarray


class Explainer:
    """A classifier and its maps: in a file that `load_classifier` reads, or by default
    EfficientNet-Lite0 with ImageNet's 1000 classes.

    `layers` are names below `features`, such as stage5; by default the last one. `size`
    is the side of the input in pixels, by default as in training. Raises ValueError for
    a method, a layer or a size that is not there.
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
        self.size = _height_and_width(size or about.get("size", classifier.input_size))
        # Where a head tells the classes and another one shows them, the last shows.
        self.shows = (heads - 1) * len(self.classes)
        self.exclusive = set(self.classes) != set(CLASSES)  # VOC's are independent
        self.classifier = classifier.to(place)
        with naming(model or classifier.name):
            layers = [_layer(classifier, name) for name in layers]
        self.cam = METHODS[method](classifier, layers or [classifier.target_layer])

    def target(self, name: str) -> int:
        """The number of a class; upper and lower case are one where that is enough.
        Raises ValueError that names the closest classes."""
        same = [each for each in self.classes if each.lower() == name.lower()]
        if name in self.classes or len(same) == 1:
            return self.classes.index(name if name in self.classes else same[0])
        near = self._closest(name)
        hint = f"the closest are {', '.join(near)}" if near else "none is like it"
        if len(self.classes) <= len(CLASSES):
            hint = f"expected one of {', '.join(self.classes)}"
        raise ValueError(f"no class {name!r} among {len(self.classes)}; {hint}")

    def _closest(self, name: str, most: int = 5) -> list[str]:
        """Classes of which this is a word, then those that are spelt like it."""
        lower = {each: each.lower() for each in self.classes}
        found = [each for each in lower if name.lower() in lower[each].split()]
        for spelt in get_close_matches(name.lower(), lower.values(), most, 0.5):
            found += [each for each in lower if lower[each] == spelt]
        return list(dict.fromkeys(found))[:most]

    def look(self, image: np.ndarray, target: int | None = None) -> Seen:
        """Explain `target`, or the top class, in an image (H, W, 3) uint8."""
        pixels = resize_image(image, *self.size[::-1])  # (H, W, 3)
        pixels = torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())
        pixels = pixels.to(self.classifier.mean.device).float() / 255  # (1, 3, H, W)
        pixels = self.classifier.normalize(pixels)
        if target is None:
            target = self._top(pixels)
        told = self.cam.explain(pixels, [self.shows + target])
        logits = told.logits[0, : len(self.classes)]
        likely = logits.softmax(0) if self.exclusive else logits.sigmoid()
        heatmap = resize_image(told.maps[0], image.shape[1], image.shape[0])
        return Seen(self.classes[target], float(likely[target]), heatmap)

    @torch.no_grad()
    def _top(self, pixels: torch.Tensor) -> int:
        return int(self.classifier(pixels)[0, : len(self.classes)].argmax())


def _height_and_width(size) -> tuple[int, int]:
    """A side, or height and width as a chapter has saved them, as a pair."""
    pair = [size] * 2 if isinstance(size, int) else size
    if not isinstance(pair, list) or len(pair) != 2 or min(pair) < 32:
        raise ValueError(f"size is {size!r}, expected 32 pixels or more")
    return tuple(pair)


def _layer(classifier, name: str) -> nn.Module:
    layers = dict(classifier.features.named_modules())
    if name not in layers or not name:
        top = ", ".join(name for name, _ in classifier.features.named_children())
        raise ValueError(f"no layer {name!r}; it has {top}")
    return layers[name]


def check_pipeline(name: str) -> None:
    """Raise ValueError for a name that is not there, before anything is loaded."""
    if name.removesuffix(_twice(name)) not in PIPELINES:
        twice = " or ".join(TWICE)
        text = f"expected one of {', '.join(PIPELINES)}, each also with {twice}"
        raise ValueError(f"pipeline {name!r}, {text}")


def open_pipeline(
    name: str, sam: str, sam_file: Path | None, threshold: float, device: str
) -> BasicSamPipeline:
    """A pipeline of `PIPELINES`, with or without AGAIN, that keeps one image encoded.

    `threshold` is the share of a map's maximum from which it is a part of the object.
    """
    check_pipeline(name)
    kind, finds = PIPELINES[name.removesuffix(_twice(name))]
    bound = {what: partial(FIND[what], threshold=threshold) for what in finds}
    prompter = Prompter(sam_predictor(sam, device, sam_file), keep=2)
    pipeline = kind(prompter, **bound)
    return TWICE[_twice(name)](pipeline) if _twice(name) else pipeline


def _twice(name: str) -> str:
    """The ending of a name that asks for a second look: one of TWICE, or none."""
    return next((ending for ending in TWICE if name.endswith(ending)), "")
