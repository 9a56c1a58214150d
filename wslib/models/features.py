"""Feature maps of a frozen backbone, computed once and kept on disk.

Whatever is learnt on top of it, a localizer, a detector of proposals, a head, reads
these maps, as often as it likes, and the backbone does not run again. Where a backbone
is trained along, `ImageFiles` stand in their place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wslib.data.folders import derived_root
from wslib.data.images import read_image
from wslib.models.ask import ask, image_views, stack_views
from wslib.models.dense import DenseClassifier
from wslib.models.normalised import fold_batch_norms
from wslib.runtime.kept import digest, keep

VALUES, SIZES = "maps.npy", "sizes.npy"


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """The trunks of N images (view 0) and of their mirror images (view 1).

    `values` (2, N, C, h, w) float16, read from disk as they are asked for; `sizes`
    (N, 2): (W, H) of the images in pixels; `digest` stands for all of them. See
    `DenseClassifier.trunk`.
    """

    ids: list[str]
    sizes: np.ndarray
    values: np.ndarray
    digest: str

    def __len__(self) -> int:
        return len(self.ids)

    def batch(
        self,
        rows: Sequence[int],
        views: Sequence[int] | int = 0,
        channels: int | None = None,
    ) -> Tensor:
        """The trunks of some images, each in its view: (B, C, h, w) float32; only the
        last `channels` of C."""
        views, first = np.broadcast_to(views, len(rows)), -channels if channels else 0
        picked = [self.values[v, k, first:] for v, k in zip(views, rows, strict=True)]
        return torch.from_numpy(np.stack(picked)).float()

    def views(
        self, device, batch_size: int, flip: bool, channels: int | None = None
    ) -> Iterator[tuple[list[Tensor], Tensor]]:
        """Yield batches for `wslib.models.ask.ask`: the trunks of images on `device`,
        with `flip` those of their mirror images, too, and the images' sizes."""
        for rows in torch.arange(len(self)).split(batch_size):
            trunks = [self.batch(rows, view, channels) for view in range(1 + flip)]
            sizes = torch.from_numpy(self.sizes[rows.numpy()])
            yield [trunk.to(device) for trunk in trunks], sizes


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """N images that are read anew each time, at `size` x `size` pixels without keeping
    the aspect. Errors of the images as `read_image`."""

    ids: list[str]
    paths: list[Path]
    size: int

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def sizes(self) -> np.ndarray:
        """(W, H) of the images in pixels, (N, 2)."""
        return np.array([read_image(path).shape[1::-1] for path in self.paths])

    @cached_property
    def digest(self) -> str:
        """Sixteen digits for the bytes of the images and the size."""
        return digest({"images": [Path(p) for p in self.paths], "size": self.size})


def keep_feature_maps(
    network: DenseClassifier,
    ids: Sequence[str],
    paths: Sequence[Path],
    size: int,
    batch_size: int = 8,
) -> FeatureMaps:
    """The trunks of images, read at `size` x `size` pixels without keeping the aspect.
    Another network with `trunk` and `normalize`, such as a localizer, will do.

    They are kept in `derived_root()/features-HASH`, a name that stands for the weights,
    the bytes of the images and the size; `make clean` removes it. An image takes
    2 C h w 2 bytes there, 1.8 MB of EfficientNet-Lite0 at 512 pixels.
    Raises ValueError for no images or a size that 32 does not divide, OSError when the
    disk is full; errors of the images as `read_image`.
    """
    if size < 32 or size % 32 or not len(paths) or len(ids) != len(paths):
        given = f"{len(ids)} ids, {len(paths)} paths, {size} pixels"
        raise ValueError(f"{given}: expected as many, 1 or more, a multiple of 32")
    paths = [Path(path) for path in paths]
    if gone := [path for path in paths if not path.exists()]:
        raise FileNotFoundError(f"{gone[0]}: no such image")
    folder = keep(
        derived_root() / "features",
        {"weights": digest_weights(network), "images": paths, "size": size},
        lambda part: _write(network, paths, size, batch_size, part),
        *(type(network), torch),
    )
    values, key = np.load(folder / VALUES, mmap_mode="r"), folder.name.split("-")[-1]
    return FeatureMaps(list(ids), np.load(folder / SIZES), values, key)


def _write(network, paths, size: int, batch_size: int, folder: Path) -> None:
    network = fold_batch_norms(network)
    batches = image_views(network, paths, size, batch_size, True, "feature maps")
    answers = ask(lambda x: network.trunk(x).half(), batches, stack_views)
    values, sizes, done = None, [], 0
    for trunks, image_sizes in answers:  # (2, B, C, h, w) float16, (B, 2)
        if values is None:
            shape = (2, len(paths), *trunks.shape[2:])
            values = new_array(folder / VALUES, shape)
        values[:, done : done + len(image_sizes)] = trunks.numpy()
        done += len(image_sizes)
        sizes.append(image_sizes)
    values.flush()
    np.save(folder / SIZES, torch.cat(sizes).numpy())


def new_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """An array on disk, whose room is taken now: a write to a mapped file for which
    there is none would kill the process."""
    array = np.lib.format.open_memmap(path, "w+", np.float16, shape)
    if hasattr(os, "posix_fallocate"):  # not on macOS and Windows
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))
    return array


def digest_weights(network: torch.nn.Module) -> str:
    """Sixteen digits for the weights of a network, but for those of its heads."""
    heads = "head.", "heads."  # they only read the trunk
    weights = network.state_dict().items()
    return digest({k: w.cpu() for k, w in weights if not k.startswith(heads)})
