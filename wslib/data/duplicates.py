"""Find pictures that are nearly the same, so that a split can keep them together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform
from torch import Tensor

from wslib.data.caltech import Pictures, load_pixels
from wslib.runtime.kept import digest
from wslib.runtime.progress import progress

SAME = 0.85  # correlation of two pictures from which on they are nearly the same
AKIN = 0.7  # mean correlation that two parts of one group have
NEIGHBOURS, PROMISING = 8, 0.6  # which pairs are worth aligning
SIDE, ROUGH = 64, 16  # pixels: aligned at, searched at
FAINT = 0.05  # contrast, of 1, below which structure fades


def duplicate_groups(pictures: Pictures) -> np.ndarray:
    """`near_duplicates` of pictures in files, (N,), decoded at the size at which they
    are compared: so the same groups, and the same split, wherever they are asked for.
    """
    return near_duplicates(load_pixels(pictures, SIDE, desc="comparing pictures"))


def near_duplicates(pixels: Tensor) -> np.ndarray:
    """Number the groups of pictures that are nearly the same: (N,) int64, from 0 in the
    order in which they appear; a picture that is like no other is alone in its group.

    pixels: (N, 3, S, S) uint8; best S = 64, whatever a network wants, so that a split
    does not depend on it.

    Two pictures are nearly the same if their grey values, freed of local mean and
    contrast, correlate by at least 0.85 at 64 x 64 after an affine alignment (ECC,
    Evangelidis and Psarakis 2008, https://doi.org/10.1109/TPAMI.2008.113). Pairs worth
    aligning are searched at 16 x 16, mirrored and shifted. So it finds copies,
    encodings anew, mirror images, changes of colour or brightness, and crops by up to
    some 5 % a side. Of Caltech-101's three classes these are 49 groups of 139
    pictures: photographs published twice, motorcycles with their parts painted anew,
    frames shot in one go, and three pairs of one type of aeroplane; many more of those
    would join at 0.80. It does not find different photographs of one person or one
    place, nor strong crops or turns.

    What is alike by way of others only is kept apart: within a group, two parts are
    joined only while their pairs correlate by 0.7 on average. Needs N * N numbers.
    """
    if pixels.ndim != 4 or pixels.shape[1] != 3 or pixels.dtype != torch.uint8:
        shape = tuple(pixels.shape)
        raise ValueError(f"pixels {shape} {pixels.dtype}, expected (N, 3, S, S) uint8")
    if len(pixels) < 2:
        return np.zeros(len(pixels), np.int64)
    grey = torch.cat([_grey(part) for part in pixels.split(100)])  # (N, 1, 64, 64)
    similar = _align(grey, *_search(grey))  # (N, N)
    _find_copies(pixels, similar)
    return _group(similar)


def _grey(pixels: Tensor) -> Tensor:
    grey = pixels.float().mean(1, keepdim=True) / 255
    return F.interpolate(grey, (SIDE, SIDE), mode="area")


def _search(grey: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """How alike any two pictures are, roughly, and whether when mirrored."""
    rough = _structure(F.interpolate(grey, (ROUGH, ROUGH), mode="area"), 3)
    inner = ROUGH - 2
    still = _unit(rough[..., 1:-1, 1:-1])
    best = torch.full((len(grey), len(grey)), -1.0)
    mirrored = torch.zeros_like(best, dtype=torch.bool)
    for flip in (False, True):
        moved = rough.flip(-1) if flip else rough
        for y in range(3):
            for x in range(3):
                found = still @ _unit(moved[..., y : y + inner, x : x + inner]).T
                better = found > best
                best = torch.where(better, found, best)
                mirrored[better] = flip
    mirrored = torch.where(best.T > best, mirrored.T, mirrored)
    best = torch.maximum(best, best.T)
    return best.fill_diagonal_(1).numpy(), mirrored.numpy()


def _structure(grey: Tensor, radius: int) -> Tensor:
    """Grey values freed of the mean and the contrast of their surroundings."""
    grey = grey - _blur(grey, radius)
    return grey / (_blur(grey.square(), radius).sqrt() + FAINT)


def _blur(grey: Tensor, radius: int) -> Tensor:
    padded = F.pad(grey, (radius,) * 4, mode="reflect")
    return F.avg_pool2d(padded, 2 * radius + 1, 1)


def _unit(maps: Tensor) -> Tensor:
    rows = maps.flatten(1)  # (N, D)
    return F.normalize(rows - rows.mean(1, keepdim=True))


def _align(grey: Tensor, rough: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
    """How alike any two pictures are, the promising ones after alignment: (N, N). Only
    alignment can say that two are the same."""
    others = rough - 2 * np.eye(len(rough), dtype=rough.dtype)
    nearest = np.argsort(-others, axis=1, kind="stable")[:, :NEIGHBOURS]
    rows, ranks = np.nonzero(np.take_along_axis(others, nearest, 1) > PROMISING)
    pairs = np.stack([rows, nearest[rows, ranks]], 1)  # (P, 2)
    pairs = np.unique(np.sort(pairs, 1), axis=0)
    maps = [_structure(g, 5)[:, 0].numpy() for g in (grey, grey.flip(-1))]

    def aligned(pair: np.ndarray) -> float:
        i, j = pair
        return _aligned(maps[0][i], maps[int(mirrored[i, j])][j])

    similar = np.minimum(rough, 0.99 * SAME)
    with ThreadPoolExecutor(2, thread_name_prefix="align") as pool:
        found = progress(pool.map(aligned, pairs), "near duplicates", len(pairs))
        for (i, j), value in zip(pairs, found, strict=True):
            similar[i, j] = similar[j, i] = value
    return similar


def _aligned(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two maps (64, 64) where they overlap after alignment."""
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 1e-3)
    start = np.eye(2, 3, dtype=np.float32)
    try:
        _, warp = cv2.findTransformECC(
            one, other, start, cv2.MOTION_AFFINE, stop, None, 5
        )
    except cv2.error:  # it did not converge
        return 0.0
    inverse = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(other, warp, one.shape[::-1], flags=inverse)
    inside = cv2.warpAffine(np.ones_like(other), warp, one.shape[::-1], flags=inverse)
    overlap = inside > 0.99
    if overlap.mean() < 0.6:
        return 0.0
    a, b = (values[overlap] - values[overlap].mean() for values in (one, moved))
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length else 0.0


def _find_copies(pixels: Tensor, similar: np.ndarray) -> None:
    """Exact copies are the same even where there is no structure to align."""
    first: dict[str, int] = {}
    for row, picture in enumerate(pixels.numpy()):
        other = first.setdefault(digest(picture), row)
        similar[row, other] = similar[other, row] = 1


def _group(similar: np.ndarray) -> np.ndarray:
    """Number the chains of pairs, cut where a chain joins strangers: (N,)."""
    _, chain = connected_components(similar >= SAME, directed=False)
    distance = np.where(chain[:, None] == chain, 1 - similar, 2)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    found = fcluster(tree, 1 - AKIN, "distance")
    _, first, number = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number]  # by first appearance
