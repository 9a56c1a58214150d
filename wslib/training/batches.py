"""Shuffled batches to train on, and the random crops and flips of their images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from wslib.data.images import ImageBatches, resize_batch
from wslib.models.ask import device_of

Batches = Iterable[tuple[Any, Any]]  # inputs, targets


class ShuffledBatches:
    """Batches of examples, each of them once, in a new order each time.

    `load(rows, generator)` is given the rows (B,) int64 of all batches of an epoch, and
    yields the inputs and targets of each batch. Whatever it draws comes from
    `generator`, which a run keeps; see `wslib.training.runs`. Raises ValueError for
    another number of labels than images.
    """

    def __init__(
        self,
        images: Sized,
        labels: Sized,
        batch_size: int,
        seed: int,
        load: Callable[[Sequence[Tensor], torch.Generator], Batches],
    ) -> None:
        if len(labels) != len(images):
            counts = f"{len(labels)} labels for {len(images)} images"
            raise ValueError(f"{counts}, expected one each")
        self.count, self.batch_size, self.load = len(images), batch_size, load
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        order = torch.randperm(self.count, generator=self.generator)
        yield from self.load(order.split(self.batch_size), self.generator)


def file_batches(
    model, paths: Sequence[Path], labels: Tensor, size: int, batch_size: int, seed: int
) -> ShuffledBatches:
    """Return batches of normalised images (B, 3, S, S) and their labels, read from
    files; each time another crop of 76.5 to 100 % of the area, mirrored or not."""

    def load(batches: Sequence[Tensor], generator: torch.Generator) -> Batches:
        """Read, crop and mirror the images of each batch."""
        device = device_of(model)
        ordered = [paths[row] for rows in batches for row in rows]
        read = ImageBatches(ordered, size, batch_size, desc="images")
        for (images, _), rows in zip(read, batches, strict=True):
            images = random_crop_and_flip(images, generator).to(device)
            yield model.normalize(images), labels[rows].to(device)

    return ShuffledBatches(paths, labels, batch_size, seed, load)


def pixel_batches(
    model, images: Tensor, labels: Tensor, size: tuple[int, int], batch_size, seed: int
) -> ShuffledBatches:
    """Return batches of normalised images and their labels (N,), from memory: `images`
    (N, 3, H, W) uint8, resized to `size` = (height, width), mirrored or not."""

    def load(batches: Sequence[Tensor], generator: torch.Generator) -> Batches:
        """Resize and mirror the images of each batch."""
        device = device_of(model)
        for rows in batches:
            mirrored = torch.rand(len(rows), generator=generator) < 0.5
            batch = flip_some(resize_batch(images[rows], size), mirrored)
            yield model.normalize(batch.to(device)), labels[rows].to(device)

    return ShuffledBatches(images, labels, batch_size, seed, load)


def view_batches(
    kept: Sized,
    labels: Tensor,
    batch_size: int,
    seed: int,
    read: Callable[[Tensor, Tensor], tuple[Any, Any]],
) -> ShuffledBatches:
    """Return batches of what is kept of images and of their mirror images (views 0 and
    1), one of them drawn for each image; `read(rows, views)` gives inputs, targets."""

    def load(batches: Sequence[Tensor], generator: torch.Generator) -> Batches:
        views = torch.randint(2, (len(kept),), generator=generator)
        return (read(rows, views[rows]) for rows in batches)

    return ShuffledBatches(kept, labels, batch_size, seed, load)


def random_crop_and_flip(
    images: Tensor, generator: torch.Generator, least_area: float = 0.765
) -> Tensor:
    """Images (B, C, H, W) -> the same shape: of each a random part of its aspect, of
    `least_area` to 1 of its area, mirrored with probability 1/2."""
    draws = torch.rand(4, len(images), generator=generator)
    side = (least_area + (1 - least_area) * draws[0]).sqrt()  # (B,) of the whole
    sides = torch.stack([side * torch.where(draws[1] < 0.5, -1, 1), side], 1)
    return crop_and_flip(images, sides, ((1 - side) * (2 * draws[2:] - 1)).T)


def crop_and_flip(images: Tensor, sides: Tensor, centres: Tensor) -> Tensor:
    """Images (B, C, H, W) -> the same shape: of each a part, `sides` (B, 2) of its
    width and height, mirrored where the width is negative, about `centres` (B, 2) x, y
    in [-1, 1]. What lies outside of an image repeats its border."""
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = sides.T
    theta[:, :, 2] = centres
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    grid = grid.to(images.device)
    return F.grid_sample(images, grid, align_corners=False, padding_mode="border")


def flip_some(images: Tensor, mirrored: Tensor) -> Tensor:
    """Mirror those of the images (B, C, H, W) that (B,) bool says."""
    return torch.where(
        mirrored.to(images.device)[:, None, None, None], images.flip(3), images
    )
