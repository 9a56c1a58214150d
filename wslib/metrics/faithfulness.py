"""Does the network need what a map shows? Pixels are removed, and it is asked again.

All measures ask a `score`: a function of images (n, C, H, W) and of their numbers (n,)
in the batch, which says of which of the B images each one was made, that gives values
(n,), as a rule the probability of the class that the map is of. What is removed has to
be replaced by something, and each measure depends on by what: a `Fill` takes numbers
(n,) and `keep` (n, H, W), true where a pixel stays, and gives images (n, C, H, W).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Score = Callable[[Tensor, Tensor], Tensor]
Fill = Callable[[Tensor, Tensor], Tensor]

NEIGHBOURS = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))


def replaced(images: Tensor, others: Tensor | float = 0.0) -> Fill:
    """Fill with the pixels of `others`, or with one value."""
    others = torch.as_tensor(others).to(images).expand_as(images)

    def fill(numbers: Tensor, keep: Tensor) -> Tensor:
        return torch.where(keep[:, None], images[numbers], others[numbers])

    return fill


def blurred(images: Tensor, sigma: float) -> Fill:
    """Fill with the images blurred by a Gaussian of `sigma` pixels (Petsiuk et al.,
    "RISE", BMVC 2018, https://arxiv.org/abs/1806.07421)."""
    radius = min(int(3 * sigma), min(images.shape[2:]) - 1)
    steps = torch.arange(-radius, radius + 1).to(images)
    weights = (-(steps**2) / (2 * sigma**2)).exp()
    kernel = (weights / weights.sum()).expand(images.shape[1], 1, 1, -1)
    padded = F.pad(images, (radius,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel, groups=images.shape[1])
    return replaced(images, F.conv2d(rows, kernel.mT, groups=images.shape[1]))


def imputed(images: Tensor, noise: float = 0.01, seed: int = 0) -> Fill:
    """Fill each pixel with the mean of its neighbours, and a little noise: ROAD's noisy
    linear imputation (Rong et al., ICML 2022, https://arxiv.org/abs/2202.00449)."""
    generator = torch.Generator().manual_seed(seed)

    def fill(numbers: Tensor, keep: Tensor) -> Tensor:
        filled = impute(images[numbers], keep)
        added = noise * torch.randn(filled.shape, generator=generator).to(filled)
        return torch.where(keep[:, None], filled, filled + added)

    return fill


def impute(images: Tensor, keep: Tensor, tolerance: float = 1e-4) -> Tensor:
    """Give each pixel (n, C, H, W) that is not in `keep` (n, H, W) the mean of its
    eight neighbours, those across an edge twice as heavy as those across a corner.

    That is a linear system in the missing pixels; conjugate gradients solve it for all
    images and channels at once, until no pixel is off its neighbours' mean by more than
    `tolerance` of its image's range. Where nothing is kept all pixels are the mean of
    the image.
    """
    gone = ~keep[:, None]  # (n, 1, H, W)
    nothing = gone.all((2, 3), keepdim=True)
    count = keep.sum((1, 2)).clamp(min=1)[:, None, None, None]
    mean = (images * ~gone).sum((2, 3), keepdim=True) / count
    mean = torch.where(nothing, images.mean((2, 3), keepdim=True), mean)
    x = torch.where(gone, mean, images)
    weights = _around(torch.ones_like(x[:1]))  # of all neighbours, fewer at the border
    residual = torch.where(gone & ~nothing, _around(x) - weights * x, 0)
    step, square = residual, (residual**2).sum((2, 3), keepdim=True)
    limit = tolerance * (images.amax((2, 3), True) - images.amin((2, 3), True))
    for _ in range(10 * sum(images.shape[2:])):  # far more than it takes
        if not (residual.abs() > limit).any():
            break
        ahead = torch.where(gone, weights * step - _around(step), 0)
        along = (step * ahead).sum((2, 3), keepdim=True)
        size = torch.where(along > 0, square / along, 0)
        x, residual = x + size * step, residual - size * ahead
        before, square = square, (residual**2).sum((2, 3), keepdim=True)
        step = residual + torch.where(before > 0, square / before, 0) * step
    return x


def _around(x: Tensor) -> Tensor:
    """The weighted sum of each pixel's neighbours, (n, C, H, W) as `x`."""
    kernel = torch.tensor(NEIGHBOURS).to(x).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, padding=1, groups=x.shape[1])


@dataclass(frozen=True, eq=False)
class Curves:
    """The score as the pixels come and as they go, in the order of the map."""

    shares: Tensor  # (S + 1,) of the pixels, 0 to 1
    insertion: Tensor  # (B, S + 1): the score with the share of the pixels in place
    deletion: Tensor  # (B, S + 1): the score without it

    def areas(self) -> tuple[Tensor, Tensor]:
        """The areas below both, (B,) each: the higher the insertion, and the lower the
        deletion, the better the map."""
        both = (self.insertion, self.deletion)
        return tuple(torch.trapezoid(curve, self.shares, dim=1) for curve in both)


@torch.no_grad()
def insertion_deletion(
    score: Score, fill: Fill, maps: Tensor, steps: int = 10, batch_size: int = 32
) -> Curves:
    """Insert, and delete, the pixels in the order of maps (B, H, W), highest first.

    Each of `steps` steps is as many pixels, up to one; pixels of equal value go row by
    row. (Petsiuk et al. as in `blurred`, who take one score for each curve.) Cost: 2
    `steps` forward passes an image, as both curves share their ends. Raises ValueError
    for less than one step and for maps that are not (B, H, W).
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected 1 or more")
    if maps.ndim != 3:
        raise ValueError(f"maps have shape {tuple(maps.shape)}, expected (B, H, W)")
    size = maps[0].numel()
    order = maps.flatten(1).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1).view_as(maps)  # 0: the highest
    counts = torch.linspace(0, size, steps + 1).round().long().to(maps.device)
    asked = [(rank < count, i) for i, count in enumerate(counts)]  # there: insertion
    asked += [(rank >= count, i) for i, count in enumerate(counts[1:-1])]
    values = [_ask(score, fill, keep, batch_size) for keep, _ in asked]
    inserted, between = values[: steps + 1], values[steps + 1 :]
    deleted = [inserted[-1], *between, inserted[0]]
    shares = counts.float() / size
    return Curves(shares, torch.stack(inserted, 1), torch.stack(deleted, 1))


def _ask(score: Score, fill: Fill, keep: Tensor, batch_size: int) -> Tensor:
    numbers = torch.arange(len(keep), device=keep.device)
    pairs = zip(numbers.split(batch_size), keep.split(batch_size), strict=True)
    return torch.cat([score(fill(some, kept), some) for some, kept in pairs])


@torch.no_grad()
def drop_and_increase(
    score: Score, images: Tensor, maps: Tensor, batch_size: int = 32
) -> tuple[Tensor, Tensor]:
    """By which part the score drops if images (B, C, H, W) are multiplied by their maps
    (B, H, W) in 0..1, (B,), 0 where it rises; and whether it rises, (B,) bool.

    Their means are "average drop" and "increase in confidence" (Chattopadhay et al.,
    "Grad-CAM++", WACV 2018, https://arxiv.org/abs/1710.11063). The images are
    normalised, so that what is dark in the map becomes grey. The drop of a score of 0
    is 0. A map of ones would be best: the measure rewards large maps.
    """
    if maps.shape != (len(images), *images.shape[2:]):
        text = f"maps of shape {tuple(maps.shape)} for images of {tuple(images.shape)}"
        raise ValueError(f"{text}, expected (B, H, W) of (B, C, H, W)")
    numbers = torch.arange(len(images), device=images.device).split(batch_size)
    whole = torch.cat([score(images[some], some) for some in numbers])
    seen = [score(images[some] * maps[some][:, None], some) for some in numbers]
    lost = whole - torch.cat(seen)  # (B,)
    return lost.clamp(min=0) / whole.where(whole > 0, 1), lost < 0
