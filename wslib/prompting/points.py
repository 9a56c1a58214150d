"""Heat maps to points and boxes: where a segmenter is told to look, and where not.

A heat map is (H, W), finite and >= 0. Points are rows (x, y) in pixels of the map, x to
the right; (i, j) is the middle of the pixel in column i and row j. Thresholds are
shares of the map's maximum. Lengths are shares of the size of what the map shows, the
square root of its component's area in pixels: a setting means the same in pictures of
any size. A map of zeros has no points, (0, 2), and no box, None. Everything is
deterministic: of equal pixels the first in reading order counts.

Every function raises ValueError, one line, for a map of another shape, for values that
are not finite or negative, and for settings out of range.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage


def image_centre(shape: tuple[int, ...]) -> np.ndarray:
    """Return (1, 2) the baseline that sees no map: x = W // 2, y = H // 2.

    `shape` is (H, W) or longer, as an image's.
    """
    if len(shape) < 2 or min(shape[:2]) < 1:
        raise ValueError(f"shape {tuple(shape)}: expected (H, W), 1 or more each")
    return np.array([[shape[1] // 2, shape[0] // 2]], float)


def component(heatmap: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return the part of the map that holds its peak, (H, W) bool.

    Its pixels have at least `threshold` (0 < t <= 1) of the maximum and touch by a side
    or a corner. A map of zeros has none.
    """
    heatmap = _checked(heatmap, threshold)
    if not heatmap.any():
        return np.zeros(heatmap.shape, bool)
    bright = (heatmap >= threshold * heatmap.max()).astype(np.uint8)  # (H, W)
    _, labels = cv2.connectedComponents(bright, connectivity=8, ltype=cv2.CV_32S)
    column, row = peak(heatmap)[0].astype(int)
    return labels == labels[row, column]


def peak(heatmap: np.ndarray) -> np.ndarray:
    """Return (1, 2) the highest pixel; of several, the one nearest to their mean."""
    heatmap = _checked(heatmap)
    if not heatmap.any():
        return np.zeros((0, 2))
    return _middle(heatmap == heatmap.max())


def weighted_centre(heatmap: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return (1, 2) the mean place of the component, each pixel weighted by its heat.

    Where that is not in the component (a C, a ring), the component's pixel nearest to
    it.
    """
    inside = component(heatmap, threshold)
    pixels = _pixels(inside)
    if not len(pixels):
        return pixels
    heat = np.asarray(heatmap, float)[inside]
    centre = np.average(pixels, axis=0, weights=heat)
    column, row = np.floor(centre + 0.5).astype(int)
    return centre[None] if inside[row, column] else _nearest(pixels, centre)


def innermost(heatmap: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Return (1, 2) the component's pixel that is farthest from its border: where an
    error of the map does least harm. See `mask_point`."""
    return mask_point(component(heatmap, threshold))


def spread_peaks(
    heatmap: np.ndarray, k: int = 3, threshold: float = 0.5, distance: float = 0.5
) -> np.ndarray:
    """Return (n, 2) up to `k` peaks, the highest first, none near another.

    The first is `peak`; the next is the highest pixel of those at least `distance` (>
    0, in sizes of the component) away from all before, as long as it has `threshold` of
    the maximum.
    """
    _check_settings(k, distance)
    least = distance * _size(component(heatmap, threshold))
    rest = np.asarray(heatmap)
    rest = np.where(rest >= threshold * rest.max(), rest, 0)
    rows, columns = np.indices(rest.shape)
    peaks = np.zeros((0, 2))
    while len(peaks) < k and rest.any():
        peaks = np.concatenate([peaks, peak(rest)])
        x, y = peaks[-1]
        rest = np.where(np.hypot(columns - x, rows - y) >= least, rest, 0)
    return peaks


def background_points(
    heatmap: np.ndarray, k: int = 4, threshold: float = 0.5, distance: float = 0.5
) -> np.ndarray:
    """Return (n, 2) up to `k` points around the component, well spread.

    They lie on a ring, one pixel wide: the pixels nearest to the component of those
    that are at least `distance` (> 0, in its sizes) away and below `threshold` of the
    maximum. The first is where the ring is coldest; each next one is farthest from
    those before. Where the picture leaves no room, there are fewer, or none.
    """
    _check_settings(k, distance)
    inside = component(heatmap, threshold)
    if not inside.any():
        return np.zeros((0, 2))
    heatmap = np.asarray(heatmap)
    away = ndimage.distance_transform_edt(~inside)  # (H, W) pixels
    free = (away >= distance * _size(inside)) & (heatmap < threshold * heatmap.max())
    if not free.any():
        return np.zeros((0, 2))
    ring = free & (away < away[free].min() + 1)
    return _farthest(_pixels(ring), int(heatmap[ring].argmin()), k)


def prompt_box(
    heatmap: np.ndarray, threshold: float = 0.5, margin: float = 0.0
) -> np.ndarray | None:
    """Return (4,) x1, y1, x2, y2, half-open, the tight box around the component, larger
    by `margin` (>= 0, in its sizes) on each side, as far as the picture goes."""
    if not 0 <= margin < np.inf:
        raise ValueError(f"margin {margin}: expected a length, 0 or more")
    inside = component(heatmap, threshold)
    box = mask_box(inside)
    if box is None:
        return None
    height, width = inside.shape
    grown = box + margin * _size(inside) * np.array([-1, -1, 1, 1])
    return grown.clip(0, (width, height, width, height))


def mask_point(mask: np.ndarray) -> np.ndarray:
    """Return (1, 2) the pixel of a mask (H, W) bool that is farthest from its border,
    which the picture's is too; of several, the one nearest to their mean. (0, 2) for an
    empty mask. Of a true mask it is the point that a careful person would click."""
    mask = _checked_mask(mask)
    if not mask.any():
        return np.zeros((0, 2))
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return _middle(depth == depth.max())


def mask_box(mask: np.ndarray) -> np.ndarray | None:
    """Return (4,) x1, y1, x2, y2, half-open, the tight box around all pixels of a mask
    (H, W) bool; None around none."""
    rows, columns = np.nonzero(_checked_mask(mask))
    if not len(rows):
        return None
    corners = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return np.array(corners, float)


def _pixels(mask: np.ndarray) -> np.ndarray:
    """Return (n, 2) the pixels of a mask as points, in reading order."""
    return np.argwhere(mask)[:, ::-1].astype(float)


def _nearest(points: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return (1, 2) the one of the points that is nearest to a place."""
    return points[[((points - place) ** 2).sum(1).argmin()]]


def _middle(mask: np.ndarray) -> np.ndarray:
    """Return (1, 2) the pixel of a mask that is nearest to the mean of all."""
    pixels = _pixels(mask)
    return _nearest(pixels, pixels.mean(0))


def _farthest(points: np.ndarray, first: int, k: int) -> np.ndarray:
    """Return up to `k` of the points, each the farthest from those before it."""
    chosen, gap = [first], np.inf
    while True:
        gap = np.minimum(gap, np.hypot(*(points - points[chosen[-1]]).T))  # (n,)
        if len(chosen) == k or not gap.any():
            return points[chosen]
        chosen.append(int(gap.argmax()))


def _size(mask: np.ndarray) -> float:
    """Return the square root of a mask's area, in pixels."""
    return float(np.sqrt(np.count_nonzero(mask)))


def _checked(heatmap: np.ndarray, threshold: float = 1.0) -> np.ndarray:
    heatmap = np.asarray(heatmap)
    if heatmap.ndim != 2 or not heatmap.size:
        raise ValueError(f"heatmap of shape {heatmap.shape}: expected (H, W)")
    low, high = heatmap.min(), heatmap.max()
    if not np.isfinite([low, high]).all() or low < 0:
        raise ValueError(f"heatmap from {low} to {high}: expected finite values >= 0")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold}: expected above 0, at most 1")
    return heatmap


def _checked_mask(mask: np.ndarray) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.dtype != bool:
        got = f"shape {mask.shape}, {mask.dtype}"
        raise ValueError(f"mask of {got}: expected (H, W) bool")
    return mask


def _check_settings(k: int, distance: float) -> None:
    if k < 1:
        raise ValueError(f"k {k}: expected at least 1 point")
    if not 0 < distance < np.inf:
        raise ValueError(f"distance {distance}: expected a length above 0")
