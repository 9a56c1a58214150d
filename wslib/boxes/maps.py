"""Maps of many images in one pass, and boxes of the maps at any threshold.

The pass is what costs. Its result is small, so that thresholds can be swept and boxes
drawn again without running the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wslib.boxes.boxes import boxes_from_heatmap, to_voc
from wslib.cam import ClassActivationMap
from wslib.metrics.overlap import box_iou
from wslib.models.ask import ask, image_views, join, picture_views
from wslib.runtime.progress import progress

TRACE = 1e-3  # of a map's maximum
SAME = 0.85  # IoU from which two boxes say the same


@dataclass(frozen=True)
class ClassMaps:
    """Class scores and maps of N images, of one pass.

    `raw` (N, h, w) float32: evidence for the class `target` at each place of the
    feature map, as it comes; `probabilities` (N, outputs), each by itself; `sizes`
    (N, 2): (W, H) of the images in pixels.
    """

    ids: list[str]
    target: int
    raw: np.ndarray
    probabilities: np.ndarray
    sizes: np.ndarray

    def take(self, rows: Sequence[int]) -> ClassMaps:
        """Return the maps of some of the images."""
        arrays = self.raw[rows], self.probabilities[rows], self.sizes[rows]
        return ClassMaps([self.ids[k] for k in rows], self.target, *arrays)

    @property
    def scores(self) -> np.ndarray:
        """The probability of the class that the maps are of, (N,)."""
        return self.probabilities[:, self.target]

    def heatmap(self, index: int) -> np.ndarray:
        """The map of one image at its own size, (H, W) float32: what speaks against
        the class cut off, the maximum 1. Zeros where nothing speaks for it."""
        size = tuple(int(side) for side in self.sizes[index])
        resized = cv2.resize(self.raw[index], size, interpolation=cv2.INTER_LINEAR)
        resized = resized.clip(0)  # (H, W)
        peak = resized.max()
        return resized / peak if peak > 0 else resized

    def peaks(self) -> dict[str, tuple[int, int]]:
        """Find where each image's map is highest: {id: (x, y)}, 0-based pixels; no
        entry for a map of zeros."""
        peaks = {}
        for index, image_id in enumerate(self.ids):
            heatmap = self.heatmap(index)
            if heatmap.any():
                y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
                peaks[image_id] = int(x), int(y)
        return peaks


def class_maps(
    cam: ClassActivationMap,
    ids: list[str],
    paths: list[Path],
    target: int,
    size: int,
    batch_size: int = 8,
    flip: bool = True,
    explain: int | None = None,
) -> ClassMaps:
    """Explain class `target` in each image, read at `size` x `size` pixels.

    `explain` names another output whose map is taken, where one head of the network
    tells the class and another one shows it. With `flip`, maps and logits are means
    over the image and its mirror image (the map mirrored back). Probabilities are
    sigmoids of the logits. The maps, at their own resolution, are those of the
    cam's first target layer.
    """
    explain = target if explain is None else explain

    def answer(images: Tensor) -> tuple[Tensor, Tensor]:
        explanation = cam.explain(images, [explain] * len(images))
        return explanation.logits, explanation.raw[0][:, None]  # (B, n), (B, 1, h, w)

    batches = image_views(cam.model, paths, size, batch_size, flip, "maps")
    logits, raw, sizes = join(ask(answer, batches))
    probabilities = logits.sigmoid().numpy()
    return ClassMaps(list(ids), target, raw[:, 0].numpy(), probabilities, sizes.numpy())


def detect(
    maps: ClassMaps,
    threshold: float,
    max_boxes: int = 1,
    area_power: float = 0.0,
    second: float = 0.0,
) -> dict[str, np.ndarray]:
    """Boxes of each image: {id: (N, 5)}, VOC corners and a score, best first.

    `threshold` is relative to each map's maximum. The score of a box is

        class probability * (mass / mass of the heaviest box) * (area share)^area_power

    where mass is the map's sum in the box's component and the area share that of the
    box in the image. A positive `area_power` puts small boxes, which more often hold a
    part than the whole, behind large ones. A positive `second` adds, with the mass
    times `second`, second guesses: up to `max_boxes` at half and at twice the threshold
    each, but for those that are nearly (IoU >= 0.85) a box of the image already.
    """
    return sweep(maps, [threshold], max_boxes, area_power, second)[threshold]


def sweep(
    maps: ClassMaps,
    thresholds: Iterable[float],
    max_boxes: int = 1,
    area_power: float = 0.0,
    second: float = 0.0,
) -> dict[float, dict[str, np.ndarray]]:
    """Detect at each of the `thresholds`, as `detect` does. No network runs, and each
    map is resized once."""
    swept: dict[float, dict] = {threshold: {} for threshold in thresholds}
    for index, image_id in enumerate(maps.ids):
        heatmap = maps.heatmap(index)
        for threshold, detections in swept.items():
            boxes = boxes_from_heatmap(heatmap, threshold, max_boxes)
            if second:
                boxes = _with_second_guesses(
                    boxes, heatmap, threshold, max_boxes, second
                )
            detections[image_id] = _scored(boxes, maps, index, area_power)
    return swept


def _with_second_guesses(
    boxes: np.ndarray, heatmap: np.ndarray, threshold: float, max_boxes: int, weight
) -> np.ndarray:
    """Add what other thresholds see otherwise: parts apart, or more of the whole."""
    for other in (threshold / 2, min(2 * threshold, (1 + threshold) / 2)):
        guesses = boxes_from_heatmap(heatmap, other, max_boxes)
        guesses[:, 4] *= weight
        same = box_iou(guesses[:, None], boxes[None]) >= SAME  # (M, N)
        boxes = np.concatenate([boxes, guesses[~same.any(1)]])
    return boxes


def detect_masks(
    maps: ClassMaps,
    read: Callable[[str], np.ndarray],
    segment: Callable[[np.ndarray, np.ndarray], np.ndarray],
    max_boxes: int = 1,
    area_power: float = 0.0,
) -> dict[str, np.ndarray]:
    """As `detect`, but with the boxes of masks: {id: (N, 5)}.

    `read(id)` gives an image (H, W, 3) uint8, `segment(image, heatmap)` the mask (H, W)
    bool that the heat map (H, W) suggests. Components, mass and score are those of the
    heat map inside of the mask, and where it is 0 of a trace.
    """
    detections = {}
    for index, image_id in enumerate(progress(maps.ids, "masks")):
        heatmap = maps.heatmap(index)
        mask = segment(read(image_id), heatmap)
        inside = np.where(mask, heatmap.clip(TRACE), 0)
        boxes = boxes_from_heatmap(inside, TRACE, max_boxes)
        detections[image_id] = _scored(boxes, maps, index, area_power)
    return detections


def _scored(
    boxes: np.ndarray, maps: ClassMaps, index: int, area_power: float
) -> np.ndarray:
    """Half-open boxes with their mass, the heaviest first -> VOC corners with their
    score, best first."""
    if len(boxes):
        area = (boxes[:, 2:4] - boxes[:, :2]).prod(1) / maps.sizes[index].prod()
        boxes[:, 4] *= maps.scores[index] / boxes[0, 4] * area**area_power
    return to_voc(boxes[np.argsort(-boxes[:, 4], kind="stable")])


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """Logits of N pictures and the maps that explain them; on the CPU."""

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
) -> HeatMaps:
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
    return HeatMaps(maps[:, 0], logits, targets)


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
