"""The one loop that asks a network about many inputs.

A batch is a tuple: the views of its inputs, one or two, then what else belongs to it,
such as the sizes of the images. The second view is the mirror image of the first.
`image_views` and `picture_views` make batches of files and of pictures in memory; what
is kept of a backbone makes its own (`wslib.models.features.FeatureMaps.views`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from wslib.data.images import ImageBatches, resize_batch
from wslib.runtime.progress import progress

Parts = Sequence[Tensor]  # an answer: one or several tensors (B, ...)


def mirror_maps(parts: Parts) -> list[Tensor]:
    """Mirror the maps (B, n, h, w) among the parts of an answer; the rest stays."""
    return [part.flip(3) if part.ndim == 4 else part for part in parts]


def average_views(
    answers: Sequence[Parts], back: Callable[[Parts], Parts] = mirror_maps
) -> Parts:
    """Take the mean of the answers to an image and to its mirror image, of which
    `back` turns the latter over; the only answer is as it is."""
    if len(answers) == 1:
        return answers[0]
    one, other = answers
    return [(a + b) / 2 for a, b in zip(one, back(other), strict=True)]


def stack_views(answers: Sequence[Parts]) -> Parts:
    """Keep the answers to all views side by side: (V, B, ...)."""
    return [torch.stack(views) for views in zip(*answers, strict=True)]


@torch.inference_mode()
def ask(
    answer: Callable[..., Tensor | Parts],
    batches: Iterable[tuple],
    combine: Callable[[Sequence[Parts]], Parts] = average_views,
) -> Iterator[tuple]:
    """Yield what a network answers, batch by batch, on the CPU, then what else belongs
    to the batch.

    `answer(view)` is asked of each view, and gives a tensor (B, ...) or several;
    `combine` makes one answer of those to the views of a batch.
    """
    for views, *rest in batches:
        answers = [_parts(answer(view)) for view in views]
        yield (*(part.cpu() for part in combine(answers)), *rest)


def join(batches: Iterable[tuple[Tensor, ...]]) -> list[Tensor]:
    """Join the tensors of all batches, each (B, ...) -> (N, ...)."""
    return [torch.cat(column) for column in zip(*batches, strict=True)]


def image_views(
    network, paths: Sequence[Path], size: int, batch_size: int, flip: bool, desc: str
) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Yield normalised images of files, (B, 3, size, size) where the network is, with
    `flip` also mirrored; and (B, 2) the width and height of each, upright."""
    device = device_of(network)
    for images, sizes in ImageBatches(paths, size, batch_size, desc=desc):
        images = network.normalize(images.to(device))
        yield [images, images.flip(3)][: 1 + flip], sizes


def picture_views(
    network,
    pixels: Tensor,
    size: tuple[int, int],
    batch_size: int,
    flip: bool,
    desc: str | None = None,
) -> Iterator[tuple[list[Tensor]]]:
    """Yield normalised images of pictures (N, 3, H, W) uint8 at (height, width), where
    the network is, with `flip` also mirrored; `desc` names a progress bar."""
    device, batches = device_of(network), pixels.split(batch_size)
    for batch in progress(batches, desc, len(batches)) if desc else batches:
        batch = batch.to(device)  # bytes travel; the rest happens there
        views = [batch, batch.flip(3)][: 1 + flip]
        images = [network.normalize(resize_batch(view, size)) for view in views]
        yield ([i.contiguous(memory_format=torch.channels_last) for i in images],)


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network's weights."""
    return next(network.parameters()).device


def _parts(answer: Tensor | Parts) -> Parts:
    return [answer] if isinstance(answer, Tensor) else answer
