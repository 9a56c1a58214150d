"""Prompts for a promptable segmenter, and its answers.

A predictor is `segment_anything.SamPredictor` (Kirillov et al., "Segment anything",
ICCV 2023, https://arxiv.org/abs/2304.02643), or whatever has its `set_image` and
`predict` and keeps the current image in `features`, `original_size`, `input_size` and
`is_image_set`. It takes float images and points outside the image without a word; what
is here does not. Points are (x, y) in pixels of the image, (i, j) the middle of the
pixel in column i and row j; boxes are half-open.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from wslib.runtime.kept import digest

SLENDER = 100  # to 1; of the most slender a predictor leaves no pixel
STATE = ("features", "original_size", "input_size")  # of a predictor's current image


@dataclass(frozen=True, eq=False)
class Prompt:
    """A prompt for the predictor: points (n, 2), their labels (n,), 1 for foreground
    and 0 for background; a box (4,) x1, y1, x2, y2; a mask, the (1, h, w) logits of an
    earlier answer."""

    points: np.ndarray = ()
    labels: np.ndarray = ()
    box: np.ndarray | None = None
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        points = np.asarray(self.points, float)
        kept = {"points": points.reshape(-1, 2) if points.shape == (0,) else points}
        kept["labels"] = np.asarray(self.labels)
        for name in ("box", "mask"):
            value = getattr(self, name)
            kept[name] = None if value is None else np.asarray(value, float)
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    @property
    def empty(self) -> bool:
        """True where there is neither a point nor a box nor a mask."""
        return not len(self.points) and self.box is None and self.mask is None

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError, one line, unless it fits an image of (H, W, ...): there is
        something, finite, with labels 0 or 1, as many as points, in the picture."""
        size = np.array(shape[1::-1])  # W, H
        if self.empty:
            raise ValueError("the prompt is empty, expected points, a box or a mask")
        self._check_points(size)
        if self.box is not None and not _is_box(self.box, size):
            inside = f"x1, y1, x2, y2 with an area in {size[0]} x {size[1]} pixels"
            raise ValueError(f"box {self.box.tolist()}: expected {inside}")
        if self.mask is None:
            return
        if self.mask.ndim != 3 or len(self.mask) != 1:
            raise ValueError(f"mask of shape {self.mask.shape}: expected (1, h, w)")
        if not np.isfinite(self.mask).all():
            raise ValueError("mask: expected finite logits")

    def _check_points(self, size: np.ndarray) -> None:
        points, labels = self.points, self.labels
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(f"points of shape {points.shape}: expected (n, 2)")
        if labels.shape != points.shape[:1]:
            shape = f"labels of shape {labels.shape}"
            raise ValueError(f"{shape} for {len(points)} points, one each")
        wrong = labels[~np.isin(labels, (0, 1))]
        if len(wrong):
            raise ValueError(f"label {wrong[0]}: expected 1 (foreground) or 0 (not)")
        inside = ((points >= -0.5) & (points < size - 0.5)).all(1)  # not for NaN
        if not inside.all():
            outside = points[~inside][0].tolist()
            raise ValueError(f"point {outside} outside {size[0]} x {size[1]} pixels")


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The answer: n masks (n, H, W) bool, 3 or 1; the IoU that the predictor expects of
    each, (n,); and their logits (n, h, w) at the predictor's low resolution."""

    prompt: Prompt
    masks: np.ndarray
    scores: np.ndarray
    logits: np.ndarray

    @property
    def best(self) -> int:
        """The number of the mask with the highest score, the first of equals."""
        return int(np.argmax(self.scores))

    @property
    def mask(self) -> np.ndarray:
        """The mask with the highest score, (H, W) bool."""
        return self.masks[self.best]

    @property
    def score(self) -> float:
        """The IoU that the predictor expects of `mask`."""
        return float(self.scores[self.best])


@dataclass(frozen=True, eq=False)
class Embedding:
    """The output of the predictor's image encoder for an image, sizes as (H, W)."""

    features: Tensor  # (1, C, h, w)
    original_size: tuple[int, int]
    input_size: tuple[int, int]


class Prompter:
    """Asks a predictor many things about many images; encodes each image once.

    The `keep` images looked at last stay encoded, on the predictor's device: 4 MB each
    for SAM's own encoders. Pipelines made with one prompter share them.
    """

    def __init__(self, predictor, keep: int = 256):
        if keep < 1:
            raise ValueError(f"keep {keep}: expected at least 1 image")
        self.predictor, self.keep = predictor, keep
        self._kept: OrderedDict[str, Embedding] = OrderedDict()

    def encode(self, image: np.ndarray) -> Embedding:
        """Encode an image (H, W, 3) uint8, RGB, or recall it. Raises ValueError for
        another type or shape, that the predictor would take without a word, and for a
        picture too slender for it."""
        image = checked_image(image)
        key = digest(image)
        if key not in self._kept:
            self.predictor.set_image(image)
            state = (getattr(self.predictor, name) for name in STATE)
            self._kept[key] = Embedding(*state)
        self._kept.move_to_end(key)
        if len(self._kept) > self.keep:
            self._kept.popitem(last=False)
        return self._kept[key]

    def prompt(
        self, embedding: Embedding, prompt: Prompt, multimask: bool = True
    ) -> Segmentation:
        """Return three masks, or with `multimask=False` one. Raises ValueError for a
        prompt that does not fit the image, see `Prompt.check`."""
        prompt.check(embedding.original_size)
        for name in STATE:
            setattr(self.predictor, name, getattr(embedding, name))
        self.predictor.is_image_set = True
        some = len(prompt.points) > 0
        masks, scores, logits = self.predictor.predict(
            point_coords=prompt.points if some else None,
            point_labels=prompt.labels.astype(int) if some else None,
            box=None if prompt.box is None else _corner_pixels(prompt.box),
            mask_input=prompt.mask,
            multimask_output=multimask,
        )
        return Segmentation(prompt, np.asarray(masks, bool), scores, logits)


def _is_box(box: np.ndarray, size: np.ndarray) -> bool:
    if box.shape != (4,):
        return False
    low, high = box[:2], box[2:]
    return bool(((low >= 0) & (low < high) & (high <= size)).all())


def _corner_pixels(box: np.ndarray) -> np.ndarray:
    """A half-open box as the predictor wants it: its first and its last pixel."""
    return np.concatenate([box[:2], np.maximum(box[2:] - 1, box[:2])])


def checked_image(image: np.ndarray) -> np.ndarray:
    """Return an image as predictors want it; errors as `Prompter.encode`."""
    if not isinstance(image, np.ndarray):
        raise ValueError(f"image is {type(image).__name__}, expected a NumPy array")
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"image of shape {image.shape}: expected (H, W, 3)")
    height, width = image.shape[:2]
    if max(height, width) > SLENDER * min(height, width):
        text = f"expected sides of up to {SLENDER} to 1"
        raise ValueError(f"image of {width} x {height} pixels: {text}")
    if image.dtype != np.uint8:
        hint = "; multiply by 255 and round" if image.dtype.kind == "f" else ""
        raise ValueError(f"image is {image.dtype}, expected uint8, 0 to 255{hint}")
    return np.ascontiguousarray(image)
