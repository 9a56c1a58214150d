"""Where the places of a layer are: channels first, channels last, or a list of tokens.

A convolution gives (B, K, h, w), a Swin block (B, h, w, K), a Vision Transformer
(B, N, K): first its class and register tokens, then the patches row by row. Whatever it
is, a map is made of (B, K, h, w).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

from torch import Tensor

from wslib.cam.targets import kind

Grid = tuple[int, int]  # rows and columns of places


def find_layout(
    output: Tensor, size: Grid, grid: Grid | None = None
) -> Callable[[Tensor], Tensor]:
    """Find the function that lays the output of a layer out as (B, K, h, w).

    `size` is the image's, (H, W). `grid` tells rows and columns of the places; without
    it, (B, a, b, c) is channels last only where a x b has the shape of the image and
    b x c has not, and N tokens of a square image are the largest square that fits,
    behind N less its places of other tokens. Raises ValueError, naming the layer's
    shape, where neither is so.
    """
    if output.ndim == 4:
        last = _channels_last(output, size, grid)
        return (lambda x: x.permute(0, 3, 1, 2)) if last else (lambda x: x)
    if output.ndim == 3:
        rows, columns = grid or _square(output, size)
        first = output.shape[1] - rows * columns  # the other tokens stand in front
        if first < 0:
            text = f"grid {rows} x {columns} for {output.shape[1]} tokens"
            raise ValueError(f"{text}, expected as many places or fewer")
        return lambda x: x[:, first:].unflatten(1, (rows, columns)).permute(0, 3, 1, 2)
    raise ValueError(f"{kind(output)}, expected (B, K, h, w) or tokens (B, N, K)")


def _channels_last(output: Tensor, size: Grid, grid: Grid | None) -> bool:
    front, back = tuple(output.shape[1:3]), tuple(output.shape[2:4])
    if grid is not None:
        if tuple(grid) not in (front, back):
            text = f"grid {grid[0]} x {grid[1]} for {kind(output)}"
            raise ValueError(f"{text}, expected two of its sides")
        return tuple(grid) != back
    return _shaped(front, size) and not _shaped(back, size)


def _shaped(places: Grid, size: Grid) -> bool:
    """Have the places the proportions of the image, but for a row or a column?"""
    (rows, columns), (height, width) = places, size
    return abs(rows * width - columns * height) <= max(height, width)


def _square(output: Tensor, size: Grid) -> Grid:
    if size[0] != size[1]:
        text = f"{output.shape[1]} tokens of an image {size[0]} x {size[1]}"
        raise ValueError(f"{text}, expected grid=(rows, columns)")
    return (isqrt(output.shape[1]),) * 2
