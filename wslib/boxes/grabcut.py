"""Masks from heat maps by colour alone: the segmenter that needs no network."""

from __future__ import annotations

import cv2
import numpy as np


def grabcut(
    image: np.ndarray,
    heatmap: np.ndarray,
    threshold: float = 0.35,
    surely: float = 0.7,
    hardly: float = 0.1,
    size: int = 160,
    iterations: int = 2,
) -> np.ndarray:
    """Cut the object that a heat map points at out of the image: (H, W) bool.

    image (H, W, 3) uint8, heatmap (H, W) in 0..1. Places of at least `surely` are given
    as object and those below `hardly` as background; between, those of at least
    `threshold` are a first guess. Two mixtures of colours and a minimal cut decide
    (Rother, Kolmogorov & Blake 2004, https://doi.org/10.1145/1015706.1015720, OpenCV's
    implementation), on the image reduced to `size` pixels on its longer side. Where
    there is nothing to decide, the mask is the heat map at `threshold`. Raises
    ValueError for an image and a heat map of different sizes.
    """
    if image.shape[:2] != heatmap.shape or image.ndim != 3:
        shapes = f"image {image.shape}, heatmap {heatmap.shape}"
        raise ValueError(f"{shapes}: expected (H, W, 3) and the same (H, W)")
    scale = min(1, size / max(heatmap.shape))
    small = tuple(max(1, round(side * scale)) for side in heatmap.shape[::-1])
    heat = cv2.resize(heatmap, small, interpolation=cv2.INTER_AREA)
    marks = np.full(heat.shape, cv2.GC_PR_BGD, np.uint8)
    marks[heat >= threshold] = cv2.GC_PR_FGD
    marks[heat >= surely] = cv2.GC_FGD
    marks[heat < hardly] = cv2.GC_BGD
    is_object = (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)
    if is_object.all() or not is_object.any():
        return heatmap >= threshold
    colours = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    mixtures = np.zeros((2, 1, 65))  # filled by the call
    cv2.setRNGSeed(0)
    mode = cv2.GC_INIT_WITH_MASK
    cv2.grabCut(colours, marks, None, *mixtures, iterations, mode)
    mask = ((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)).astype(np.uint8)
    whole = heatmap.shape[::-1]
    return cv2.resize(mask, whole, interpolation=cv2.INTER_NEAREST).astype(bool)
