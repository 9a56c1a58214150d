"""Heat maps of many small pictures at once, at their own size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wslib.cam import ClassActivationMap
from wslib.data.images import resize_batch
from wslib.runtime.progress import progress


@dataclass(frozen=True, eq=False)
class Explained:
    """What a classifier says of N pictures and where it sees it; on the CPU."""

    maps: np.ndarray  # (N, H, W) float32, 0 to 1, at the size of the pictures
    logits: np.ndarray  # (N, classes) float32, of the same pass
    targets: np.ndarray  # (N,) int64, the class that is explained

    @property
    def classes(self) -> np.ndarray:
        """The top class of each picture, (N,)."""
        return self.logits.argmax(1)


def explain_images(
    cam: ClassActivationMap,
    images: Tensor,
    size: tuple[int, int],
    batch_size: int = 64,
    targets: Iterable[int] | None = None,
    mirrored: bool = False,
) -> Explained:
    """Explain pictures (N, 3, H, W) uint8, shown to the network at `size`, (height,
    width). The maps are resized to (H, W).

    `targets` names a class for each; without it, the top class is explained. One
    forward pass a picture. `mirrored` takes the mean of maps, and of logits, over each
    picture and its mirror image; without targets at twice the passes, as the class has
    to be agreed on first. Errors as `ClassActivationMap`, and ValueError for no
    pictures and for another number of targets.
    """
    _check(images)
    if mirrored:
        return _explain_both(cam, images, size, batch_size, targets)
    device = next(cam.model.parameters()).device
    wanted = None if targets is None else torch.as_tensor(np.asarray(targets))
    if wanted is not None and len(wanted) != len(images):
        counts = f"{len(wanted)} targets for {len(images)} images"
        raise ValueError(f"{counts}, expected one each")
    parts = []
    for rows in progress(torch.arange(len(images)).split(batch_size), "heat maps"):
        batch = cam.model.normalize(resize_batch(images[rows], size).to(device))
        told = cam.explain(batch, None if wanted is None else wanted[rows])
        maps = torch.from_numpy(told.maps)[:, None]  # (B, 1, *size)
        shape = images.shape[-2:]
        maps = F.interpolate(maps, shape, mode="bilinear", antialias=True)[:, 0]
        parts.append((maps.numpy(), told.logits.numpy(), told.targets))
    maps, logits, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Explained(maps.clip(0, 1), logits, targets)


def _explain_both(cam, images: Tensor, size, batch_size: int, targets) -> Explained:
    """The mean of what the pictures and their mirror images say of the same classes."""
    pair = images, images.flip(3)
    if targets is None:
        model = cam.model
        logits = [classify_images(model, each, size, batch_size) for each in pair]
        targets = (logits[0] + logits[1]).argmax(1)
    one, other = (explain_images(cam, p, size, batch_size, targets) for p in pair)
    maps = (one.maps + other.maps[:, :, ::-1]) / 2
    return Explained(maps, (one.logits + other.logits) / 2, one.targets)


@torch.no_grad()
def classify_images(
    model, images: Tensor, size: tuple[int, int], batch_size: int = 64
) -> np.ndarray:
    """Logits (N, classes) float32 of pictures (N, 3, H, W) uint8, shown at `size`,
    (height, width). `model` is in eval mode. Raises ValueError for no pictures."""
    _check(images)
    device = next(model.parameters()).device
    logits = [
        model(model.normalize(resize_batch(batch, size).to(device))).float().cpu()
        for batch in images.split(batch_size)
    ]
    return torch.cat(logits).numpy()


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
        shape = tuple(images.shape)
        raise ValueError(f"images of shape {shape}: expected (N, 3, H, W), 1 or more")
