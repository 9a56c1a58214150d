"""Heat maps of many small pictures at once, at their own size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wslib.cam import ClassActivationMap
from wslib.models.ask import ask, join, picture_views


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
    targets: Sequence[int] | None = None,
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
    count, shape = len(images), images.shape[-2:]
    if targets is None and mirrored:
        targets = classify_images(cam.model, images, size, batch_size, True).argmax(1)
    if targets is not None and len(targets) != count:
        counts = f"{len(targets)} targets for {count} images"
        raise ValueError(f"{counts}, expected one each")

    def answer(view: tuple[Tensor, np.ndarray | None]) -> tuple[Tensor, Tensor]:
        explanation = cam.explain(*view)
        maps = torch.from_numpy(explanation.maps)[:, None]  # (B, 1, *size)
        maps = F.interpolate(maps, shape, mode="bilinear", antialias=True)
        return explanation.logits, maps.clip(0, 1)

    pictures = picture_views(cam.model, images, size, batch_size, mirrored, "heat maps")
    starts = range(0, count, batch_size)
    batches = (
        (
            [
                (view, targets if targets is None else targets[k : k + batch_size])
                for view in views
            ],
        )
        for (views,), k in zip(pictures, starts, strict=True)
    )
    logits, maps = (part.numpy() for part in join(ask(answer, batches)))
    targets = logits.argmax(1) if targets is None else np.asarray(targets)
    return Explained(maps[:, 0], logits, targets)


def classify_images(
    model,
    images: Tensor,
    size: tuple[int, int],
    batch_size: int = 64,
    mirrored: bool = False,
) -> np.ndarray:
    """Logits (N, classes) float32 of pictures (N, 3, H, W) uint8, shown at `size`,
    (height, width); with `mirrored` the mean over picture and mirror image. `model` is
    in eval mode. Raises ValueError for no pictures."""
    _check(images)
    batches = picture_views(model, images, size, batch_size, mirrored)
    return join(ask(lambda x: model(x).float(), batches))[0].numpy()


def _check(images: Tensor) -> None:
    if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
        shape = tuple(images.shape)
        raise ValueError(f"images of shape {shape}: expected (N, 3, H, W), 1 or more")
