"""What a network with two heads is shown: pictures, whole or in part, whose boxes move
along."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wslib.data.caltech import Pictures, load_pixels
from wslib.data.images import resize_batch, resize_image
from wslib.models.detectors import Detector, Maps
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
        told = torch.from_numpy(pictures.labels), torch.from_numpy(pictures.ratios)
        return cls(load_pixels(pictures, size, desc=desc), *told)

    def take(self, rows: Sequence[int] | np.ndarray) -> Examples:
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
            mirrored = (self.sides[:, 0] < 0).view(-1, 1, 1, 1).to(images.device)
            return torch.where(mirrored, images.flip(3), images)
        theta = torch.zeros(len(images), 2, 3)
        theta[:, 0, 0], theta[:, 1, 1] = self.sides.T
        theta[:, :, 2] = 2 * self.centres - 1
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        grid = grid.to(images.device)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def of_boxes(self, boxes: Tensor) -> Tensor:
        """Boxes (B, 4) of the pictures -> of the views, sorted and clipped."""
        corners = boxes.view(-1, 2, 2)  # (B, corner, x y)
        corners = (corners - self.centres[:, None]) / self.sides[:, None] + 0.5
        return sort_corners(corners.flatten(1)).clamp(0, 1)


class BoxBatches:
    """Shuffled batches of normalised images (B, 3, S, S), and (labels, boxes) of what
    is seen in them; S is the detector's `input_size`."""

    def __init__(self, detector, examples: Examples, batch_size, augmentation, seed):
        if augmentation not in AUGMENTATIONS:
            expected = ", ".join(AUGMENTATIONS)
            raise ValueError(f"augmentation {augmentation!r}, expected {expected}")
        self.detector, self.examples, self.batch_size = detector, examples, batch_size
        self.augmentation = augmentation
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
        device = next(self.detector.parameters()).device
        order = torch.randperm(len(self.examples), generator=self.generator)
        for rows in order.split(self.batch_size):
            batch = self.examples.take(rows)
            views = Views.draw(len(rows), self.augmentation, self.generator)
            pixels = batch.pixels.to(device)  # bytes travel; the rest happens there
            images = views.of_images(pixels, self.detector.input_size)
            boxes = views.of_boxes(batch.boxes).to(device)
            images = self.detector.normalize(images)
            images = images.contiguous(memory_format=torch.channels_last)
            yield images, (batch.labels.to(device), boxes)


class MapBatches:
    """Shuffled batches of `Maps` and (labels, boxes), for frozen features: what these
    make of all pictures, and of their mirror images, is computed once."""

    def __init__(self, detector, examples: Examples, batch_size, augmentation, seed):
        if augmentation not in ("none", "mirror"):
            text = f"augmentation {augmentation!r} with frozen features"
            raise ValueError(f"{text}, expected none or mirror")
        flips = (False, True) if augmentation == "mirror" else (False,)
        self.maps = [_all_maps(detector, examples.pixels, flip) for flip in flips]
        self.examples, self.batch_size = examples, batch_size
        self.augmentation = augmentation
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Maps, tuple[Tensor, Tensor]]]:
        device = self.maps[0].device
        order = torch.randperm(len(self.examples), generator=self.generator)
        for rows in order.split(self.batch_size):
            views = Views.draw(len(rows), self.augmentation, self.generator)
            mirrored = (views.sides[:, 0] < 0).to(device).view(-1, 1, 1, 1)
            at = rows.to(device)
            maps = torch.where(mirrored, self.maps[-1][at], self.maps[0][at])
            boxes = views.of_boxes(self.examples.boxes[rows]).to(device)
            yield Maps(maps), (self.examples.labels[rows].to(device), boxes)


def _all_maps(detector: Detector, pixels: Tensor, mirrored: bool) -> Tensor:
    with torch.inference_mode():
        batches = network_images(detector, pixels, mirrored)
        return torch.cat([detector.look(images).values for images in batches])


def network_images(
    detector: Detector, pixels: Tensor, mirrored: bool, batch_size: int = 64
):
    """Batches of normalised images, in order, where the detector is."""
    for batch in pixels.split(batch_size):
        pixels = batch.to(detector.mean.device)
        images = resize_batch(pixels, (detector.input_size,) * 2)
        images = detector.normalize(images.flip(3) if mirrored else images)
        yield images.contiguous(memory_format=torch.channels_last)
