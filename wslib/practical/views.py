"""Pictures for a network with two heads, whole or in part, whose boxes move along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wslib.data.caltech import Pictures, load_pixels
from wslib.data.images import resize_batch, resize_image
from wslib.models.ask import ask, device_of, picture_views, stack_views
from wslib.models.two_heads import Maps, TwoHeadNetwork
from wslib.training.batches import (
    Batches,
    ShuffledBatches,
    crop_and_flip,
    flip_some,
)
from wslib.training.losses import sort_corners

SIDES = (0.85, 1.05)  # of the width and of the height that a crop shows
AUGMENTATIONS = ("none", "mirror", "crop")


@dataclass(frozen=True, eq=False)
class Examples:
    """N pictures in memory, each with one label and one box."""

    pixels: Tensor  # (N, 3, P, P) uint8
    labels: Tensor  # (N,) int64
    boxes: Tensor  # (N, 4) float32, as a ratio of the image; NaN: not known

    def __post_init__(self) -> None:
        counts = len(self.pixels), len(self.labels), len(self.boxes)
        if len(set(counts)) > 1 or not counts[0]:
            text = "{} pictures, {} labels, {} boxes".format(*counts)
            raise ValueError(f"{text}: expected one each, and at least one")

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def read(
        cls, pictures: Pictures, size: int, desc: str = "reading pictures"
    ) -> Examples:
        """Decode pictures, once, at `size` x `size`; `desc` and errors as
        `load_pixels`."""
        truth = torch.from_numpy(pictures.labels), torch.from_numpy(pictures.ratios)
        return cls(load_pixels(pictures, size, desc=desc), *truth)

    def take(self, rows: Sequence[int] | np.ndarray) -> Examples:
        """Return some of the examples."""
        rows = torch.as_tensor(np.asarray(rows))
        return Examples(self.pixels[rows], self.labels[rows], self.boxes[rows])


def squares(images: Sequence[np.ndarray], size: int) -> Tensor:
    """Images (H, W, 3) uint8 of any size -> (N, 3, size, size) uint8."""
    images = [resize_image(image, size, size) for image in images]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class Views:
    """Of each of B pictures, the part that a network is shown: what lies around
    `centres` (B, 2), `sides` (B, 2) wide and high, as a ratio of the picture; a
    negative width shows it mirrored."""

    centres: Tensor
    sides: Tensor

    @classmethod
    def draw(cls, count: int, augmentation: str, generator) -> Views:
        """The whole picture; with "mirror" every other one mirrored, at random; with
        "crop" also `SIDES` of its width and of its height, anywhere within."""
        draws = torch.rand(5, count, generator=generator)
        sides = torch.ones(count, 2)
        if augmentation == "crop":
            sides = SIDES[0] + (SIDES[1] - SIDES[0]) * draws[:2].T
        centres = 0.5 + (1 - sides).abs() * (draws[2:4].T - 0.5)
        if augmentation != "none":
            sides[:, 0] *= torch.where(draws[4] < 0.5, -1, 1)
        return cls(centres, sides)

    @classmethod
    def mirrored(cls, count: int) -> Views:
        """All of each picture, mirrored."""
        return cls(torch.full((count, 2), 0.5), torch.tensor([[-1.0, 1.0]] * count))

    def of_images(self, images: Tensor, size: int) -> Tensor:
        """Images (B, 3, P, P) uint8 -> the views (B, 3, size, size) in [0, 1], on the
        images' device; what lies outside of a picture repeats its border."""
        images = resize_batch(images, (size, size))
        if (self.sides.abs() == 1).all() and (self.centres == 0.5).all():
            return flip_some(images, self.sides[:, 0] < 0)
        return crop_and_flip(images, self.sides, 2 * self.centres - 1)

    def of_boxes(self, boxes: Tensor) -> Tensor:
        """Boxes (B, 4) of the pictures -> of the views, sorted and clipped."""
        centres, sides = (
            part[:, None].to(boxes) for part in (self.centres, self.sides)
        )
        corners = (boxes.view(-1, 2, 2) - centres) / sides + 0.5  # (B, corner, x y)
        return sort_corners(corners.flatten(1)).clamp(0, 1)


def box_batches(
    detector: TwoHeadNetwork,
    examples: Examples,
    batch_size: int,
    augmentation: str,
    seed: int,
) -> ShuffledBatches:
    """Return shuffled batches of normalised images (B, 3, S, S), and (labels, boxes) of
    what is in them; S is the detector's `input_size`."""
    if augmentation not in AUGMENTATIONS:
        expected = ", ".join(AUGMENTATIONS)
        raise ValueError(f"augmentation {augmentation!r}, expected {expected}")

    def load(batches, generator) -> Batches:
        """Draw a view of each picture, and take its box along."""
        device = device_of(detector)
        for rows in batches:
            batch = examples.take(rows)
            views = Views.draw(len(rows), augmentation, generator)
            pixels = batch.pixels.to(device)  # bytes travel; the rest happens there
            images = views.of_images(pixels, detector.input_size)
            boxes = views.of_boxes(batch.boxes).to(device)
            images = detector.normalize(images)
            images = images.contiguous(memory_format=torch.channels_last)
            yield images, (batch.labels.to(device), boxes)

    return ShuffledBatches(examples, examples, batch_size, seed, load)


def frozen_batches(
    detector: TwoHeadNetwork,
    examples: Examples,
    batch_size: int,
    augmentation: str,
    seed: int,
) -> ShuffledBatches:
    """Return shuffled batches of `Maps` and (labels, boxes), for frozen features: what
    these make of all pictures, and of their mirror images, is computed once."""
    if augmentation not in ("none", "mirror"):
        text = f"augmentation {augmentation!r} with frozen features"
        raise ValueError(f"{text}, expected none or mirror")
    device = device_of(detector)
    pictures = network_views(detector, examples.pixels, augmentation == "mirror")
    answers = ask(lambda x: detector.maps(x).values, pictures, stack_views)
    maps = torch.cat([values for (values,) in answers], 1).to(device)  # (V, N, ...)

    def load(batches, generator) -> Batches:
        """Take the maps of a picture or of its mirror image."""
        for rows in batches:
            views = Views.draw(len(rows), augmentation, generator)
            mirrored = (views.sides[:, 0] < 0).long()
            boxes = views.of_boxes(examples.boxes[rows]).to(device)
            targets = examples.labels[rows].to(device), boxes
            yield Maps(maps[mirrored.to(device), rows.to(device)]), targets

    return ShuffledBatches(examples, examples, batch_size, seed, load)


def network_views(
    detector: TwoHeadNetwork, pixels: Tensor, flip: bool, desc: str | None = None
):
    """Yield batches for `wslib.models.ask.ask` at the detector's size, in order."""
    return picture_views(detector, pixels, (detector.input_size,) * 2, 64, flip, desc)
