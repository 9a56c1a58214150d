"""Proposals of images, and the features of a backbone in and around each (ROI).

Made once from feature maps that are kept, and kept themselves: a detector of proposals
reads them as often as it likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wslib.data.folders import derived_root
from wslib.models.features import FeatureMaps, new_array
from wslib.models.wsddn import ProposalBatch
from wslib.runtime.kept import keep
from wslib.runtime.progress import progress
from wslib.weak.proposals import most_confident

CONTEXT = 1.8  # how much larger than the box what counts as around it
SMALLEST = 8  # pixels a side of a box that is looked at
SAMPLES = 6  # points a side of a box
LEAST = 0.05  # of the enlarged box that has to be around the box
FEATURES = "features.npy"


@dataclass(frozen=True, eq=False)
class ProposalFeatures:
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

    def batch(
        self, rows: Sequence[int], views: Sequence[int] | int = 0
    ) -> ProposalBatch:
        """The regions of some images, each in its view; features float32."""
        views = np.broadcast_to(views, len(rows))
        picked = [self.features[v, k] for v, k in zip(views, rows, strict=True)]
        features = torch.from_numpy(np.stack(picked)).float()
        return ProposalBatch(features, torch.from_numpy(self.real[rows]))

    def views(
        self, batch_size: int, flip: bool
    ) -> Iterator[tuple[list[ProposalBatch]]]:
        """Yield batches for `wslib.models.ask.ask`: the regions of images, with `flip`
        those of their mirror images, too."""
        for rows in np.split(
            np.arange(len(self)), range(batch_size, len(self), batch_size)
        ):
            yield ([self.batch(rows, view) for view in range(1 + flip)],)


def keep_proposal_features(
    maps: FeatureMaps, proposals: Mapping[str, np.ndarray], count: int
) -> ProposalFeatures:
    """Pool the `count` most confident proposals of each image, by ROI-align on its
    feature map: one bin of 6 x 6 points, over the box and over the box enlarged by
    `CONTEXT`. The latter less the former is what is around it; zeros, as beyond the
    border, where the box leaves less than a twentieth of it.

    proposals: {id: (P, 5) x1, y1, x2, y2, score} in pixels of the image; those with a
    side shorter than `SMALLEST` are left out. Kept in `derived_root()/regions-HASH`.
    Raises ValueError for a count below 1, and for an image without a proposal.
    """
    boxes, real = _stack(maps, proposals, count)
    known = (maps.ids, maps.sizes, boxes, real)
    folder = keep(
        derived_root() / "regions",
        {"maps": maps.digest, "boxes": boxes},
        lambda part: _pool(ProposalFeatures(*known, None), maps, part),
    )
    features, key = np.load(folder / FEATURES, mmap_mode="r"), folder.name
    return ProposalFeatures(*known, features, key.split("-")[-1])


def _stack(maps: FeatureMaps, proposals, count: int) -> tuple[np.ndarray, np.ndarray]:
    if count < 1:
        raise ValueError(f"count of proposals is {count}, expected 1 or more")
    boxes = np.zeros((len(maps), count, 4), np.float32)
    real = np.zeros((len(maps), count), bool)
    for k, image_id in enumerate(maps.ids):
        best = proposals.get(image_id, np.zeros((0, 5), np.float32))
        large = (best[:, 2:4] - best[:, :2] >= SMALLEST).all(1)
        best = most_confident(best[large], count)
        if not len(best):
            raise ValueError(f"image {image_id}: no proposal of {SMALLEST} pixels")
        boxes[k, : len(best)], real[k, : len(best)] = best[:, :4], True
    return boxes, real


def _pool(regions: ProposalFeatures, maps: FeatureMaps, folder: Path) -> None:
    C = maps.values.shape[2]
    shape = (2, *regions.real.shape, 2 * C)
    values = new_array(folder / FEATURES, shape)
    for k in progress(range(len(regions)), "regions"):
        real = regions.real[k]
        boxes = regions.ratios([k])[0, torch.from_numpy(real)].clamp(0, 1)
        for view, viewed in enumerate((boxes, mirrored(boxes))):
            trunk = maps.batch([k], view)[0]  # (C, h, w)
            values[view, k, : real.sum()] = inside_and_around(trunk, viewed).numpy()
    values.flush()


def inside_and_around(trunk: Tensor, boxes: Tensor) -> Tensor:
    """The means of a map (C, h, w) over boxes (P, 4), as a ratio of the image, and over
    what is around them: (P, 2 C). See `keep_proposal_features`."""
    large = enlarged(boxes, CONTEXT)
    means = roi_align(trunk, torch.cat([boxes, large]), 1, SAMPLES)[:, :, 0, 0]
    inside, whole = means.split(len(boxes))  # (P, C) each
    area, total = (_areas(b)[:, None] for b in (boxes, large))
    rest = (total - area) / total
    around = (whole - inside * (1 - rest)) / rest.clamp(min=LEAST)
    return torch.cat([inside, torch.where(rest < LEAST, 0, around)], 1)


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)


def roi_align(maps: Tensor, boxes: Tensor, size: int, samples: int = 2) -> Tensor:
    """The features of boxes: map (C, h, w), boxes (P, 4) -> (P, C, size, size).

    Boxes are x1, y1, x2, y2 as a ratio of the image, which the map covers whole. Each
    is parted into size x size bins; a bin is the mean of samples x samples points,
    between whose neighbouring places the map is interpolated; outside of its outermost
    centres it goes on as it is there. Nothing is rounded (He et al. 2017, 3,
    https://arxiv.org/abs/1703.06870; torchvision's `roi_align` with `aligned=True`).

    All of that is linear in the map. The weight of a place is the product of one for
    its column and one for its row, so that the features of all boxes are one product of
    matrices: (C, h w) by (h w, P size size).

    Raises ValueError for other shapes, boxes that are not finite or leave the image,
    and x2 < x1 or y2 < y1.
    """
    _check(maps, boxes)
    C, h, w = maps.shape
    columns = _weights(boxes[:, 0], boxes[:, 2], w, size, samples).to(maps)
    rows = _weights(boxes[:, 1], boxes[:, 3], h, size, samples).to(maps)
    weights = torch.einsum("piy,pjx->pijyx", rows, columns)  # (P, size, size, h, w)
    aligned = weights.reshape(-1, h * w) @ maps.reshape(C, h * w).T  # (P size size, C)
    return aligned.view(len(boxes), size, size, C).permute(0, 3, 1, 2)


def _weights(low: Tensor, high: Tensor, n: int, size: int, samples: int) -> Tensor:
    """Weigh n places along one axis for each bin: (P, size, n), sum 1.

    low, high (P,): from where to where the boxes reach, as a ratio of the axis. A point
    between two centres takes of each what is left of 1 after its distance to it.
    """
    steps = (torch.arange(size * samples, device=low.device) + 0.5) / (size * samples)
    points = n * (low[:, None] + (high - low)[:, None] * steps)  # (P, S)
    points = points.clamp(0.5, n - 0.5)
    centres = torch.arange(n, device=low.device) + 0.5
    hats = (1 - (points[..., None] - centres).abs()).clamp(min=0)  # (P, S, n)
    return hats.view(len(low), size, samples, n).mean(2)


def enlarged(boxes: Tensor, factor: float) -> Tensor:
    """Boxes (P, 4) as a ratio of the image, `factor` times as wide and as high about
    their centres, clipped to the image."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) * factor / 2
    return torch.cat([centres - half, centres + half], 1).clamp(0, 1)


def mirrored(boxes: Tensor) -> Tensor:
    """Boxes (P, 4) as a ratio of the image -> where they are in its mirror image."""
    x1, y1, x2, y2 = boxes.unbind(1)
    return torch.stack([1 - x2, y1, 1 - x1, y2], 1)


def _check(maps: Tensor, boxes: Tensor) -> None:
    if maps.ndim != 3 or boxes.ndim != 2 or boxes.shape[1] != 4:
        shapes = f"map {tuple(maps.shape)}, boxes {tuple(boxes.shape)}"
        raise ValueError(f"{shapes}: expected (C, h, w) and (P, 4)")
    inside = (boxes >= 0) & (boxes <= 1)  # false for NaN
    bad = ~inside.all(1) | (boxes[:, 2:] < boxes[:, :2]).any(1)
    if bad.any():
        row = int(bad.nonzero()[0])
        expected = "expected 0 <= x1 <= x2 <= 1, and y the same"
        raise ValueError(f"box {row} is {boxes[row].tolist()}: {expected}")
