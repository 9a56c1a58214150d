"""The regions of images: their proposals, and what a backbone sees in and around each.

Made once from feature maps that are kept, and kept themselves: a detector of proposals
reads them as often as it likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wslib.data.folders import build_once, derived_root, recipe_hash
from wslib.models.features import FeatureMaps, new_array
from wslib.models.wsddn import Proposals
from wslib.runtime.progress import progress
from wslib.weak import roi
from wslib.weak.proposals import most_confident
from wslib.weak.roi import enlarged, mirrored, roi_align

CONTEXT = 1.8  # how much larger than the box what counts as around it
SMALLEST = 8  # pixels a side of a box that is looked at
SAMPLES = 6  # points a side of a box
LEAST = 0.05  # of the enlarged box that has to be around the box
FEATURES = "features.npy"


@dataclass(frozen=True, eq=False)
class Regions:
    """Up to P proposals of each of N images.

    `boxes` (N, P, 4) float32, x1, y1, x2, y2 in pixels of the image, half-open, the
    most confident first; `real` (N, P) bool, false where a row only fills up, with
    zeros; `features` (2, N, P, 2 C) float16, read from disk as they are asked for, of
    the images and of their mirror images: C means over the box, then C over what is
    around it. `ids`, `sizes` and `digest` as `FeatureMaps`.
    """

    ids: list[str]
    sizes: np.ndarray
    boxes: np.ndarray
    real: np.ndarray
    features: np.ndarray
    digest: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def ratios(self, rows: Sequence[int]) -> Tensor:
        """Boxes of some images as a ratio of these, (B, P, 4)."""
        sides = np.tile(self.sizes[rows], 2)[:, None]  # (B, 1, 4)
        return torch.from_numpy(self.boxes[rows] / sides).float()

    def batch(self, rows: Sequence[int], views: Sequence[int] | int = 0) -> Proposals:
        """The regions of some images, each in its view; features float32."""
        views = np.broadcast_to(views, len(rows))
        picked = [self.features[v, k] for v, k in zip(views, rows, strict=True)]
        features = torch.from_numpy(np.stack(picked)).float()
        return Proposals(features, torch.from_numpy(self.real[rows]))

    def views(self, batch_size: int, flip: bool) -> Iterator[tuple[list[Proposals]]]:
        """Yield batches for `wslib.models.ask.ask`: the regions of images, with `flip`
        those of their mirror images, too."""
        for rows in np.split(
            np.arange(len(self)), range(batch_size, len(self), batch_size)
        ):
            yield ([self.batch(rows, view) for view in range(1 + flip)],)


def keep_regions(
    maps: FeatureMaps, proposals: Mapping[str, np.ndarray], count: int
) -> Regions:
    """What the `count` most confident proposals of each image hold, by ROI-align on its
    feature map: one bin of 6 x 6 points, over the box and over the box enlarged by
    `CONTEXT`. The latter less the former is what is around it; zeros, as beyond the
    border, where the box leaves less than a twentieth of it.

    proposals: {id: (P, 5) x1, y1, x2, y2, score} in pixels of the image; those with a
    side shorter than `SMALLEST` are left out. Kept in `derived_root()/regions-HASH`.
    Raises ValueError for a count below 1, and for an image without a proposal.
    """
    boxes, real = _stack(maps, proposals, count)
    known = (maps.ids, maps.sizes, boxes, real)
    recipe = {"maps": maps.digest, "boxes": _digest(boxes)}
    digest = recipe_hash(recipe, [__file__, roi.__file__])
    folder = build_once(
        derived_root() / f"regions-{digest}",
        lambda part: _look(Regions(*known, None), maps, part),
    )
    return Regions(*known, np.load(folder / FEATURES, mmap_mode="r"), digest)


def _stack(maps: FeatureMaps, proposals, count: int) -> tuple[np.ndarray, np.ndarray]:
    if count < 1:
        raise ValueError(f"count of proposals is {count}, expected 1 or more")
    boxes = np.zeros((len(maps), count, 4), np.float32)
    real = np.zeros((len(maps), count), bool)
    for k, image_id in enumerate(maps.ids):
        found = proposals.get(image_id, np.zeros((0, 5), np.float32))
        large = (found[:, 2:4] - found[:, :2] >= SMALLEST).all(1)
        found = most_confident(found[large], count)
        if not len(found):
            raise ValueError(f"image {image_id}: no proposal of {SMALLEST} pixels")
        boxes[k, : len(found)], real[k, : len(found)] = found[:, :4], True
    return boxes, real


def _look(regions: Regions, maps: FeatureMaps, folder: Path) -> None:
    C = maps.values.shape[2]
    shape = (2, *regions.real.shape, 2 * C)
    values = new_array(folder / FEATURES, shape)
    for k in progress(range(len(regions)), "regions"):
        real = regions.real[k]
        boxes = regions.ratios([k])[0, torch.from_numpy(real)].clamp(0, 1)
        for view, seen in enumerate((boxes, mirrored(boxes))):
            trunk = maps.batch([k], view)[0]  # (C, h, w)
            values[view, k, : real.sum()] = inside_and_around(trunk, seen).numpy()
    values.flush()


def inside_and_around(trunk: Tensor, boxes: Tensor) -> Tensor:
    """The means of a map (C, h, w) over boxes (P, 4), as a ratio of the image, and over
    what is around them: (P, 2 C). See `keep_regions`."""
    large = enlarged(boxes, CONTEXT)
    means = roi_align(trunk, torch.cat([boxes, large]), 1, SAMPLES)[:, :, 0, 0]
    inside, whole = means.split(len(boxes))  # (P, C) each
    area, total = (_areas(b)[:, None] for b in (boxes, large))
    rest = (total - area) / total
    around = (whole - inside * (1 - rest)) / rest.clamp(min=LEAST)
    return torch.cat([inside, torch.where(rest < LEAST, 0, around)], 1)


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)


def _digest(boxes: np.ndarray) -> str:
    return hashlib.blake2b(boxes.data, digest_size=8).hexdigest()
