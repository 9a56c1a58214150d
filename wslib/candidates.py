"""More than one guess: each peak of the map is a prompt, and a judge takes one mask.

The first point decides everything, and where the map's highest place is not on the
object, SAM cuts out something else, and is sure of it. A judge looks at all masks of
all peaks: how well one fits the map, or what the classifier says once it is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import torch

from wslib.data.images import resize_batch
from wslib.points import spread_peaks
from wslib.prompts import Embedding, Prompt, Segmentation
from wslib.segment import BasicSamPipeline, Find

# (image (H, W, 3) uint8, heat map (H, W), masks (n, H, W) bool) -> (n,), higher: better
Judge = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


PEAKS = partial(spread_peaks, k=4, threshold=0.3)


class CandidatesPipeline(BasicSamPipeline):
    """Prompts with each of the points that `foreground` finds by itself, and keeps the
    mask for which score times verdict of the `judge` is highest.

    The answer of `run` has the prompt that led to that mask, and that mask alone.
    """

    def __init__(
        self,
        predictor,
        cam=None,
        size=None,
        multimask: bool = True,
        foreground: Find = PEAKS,
        judge: Judge | None = None,
    ):
        super().__init__(predictor, cam, size, multimask)
        self.foreground, self.judge = foreground, judge or agreement

    def prompt(self, heatmap: np.ndarray) -> Prompt:
        """The first candidate alone."""
        points = self.foreground(heatmap)[:1]
        return Prompt(points, np.ones(len(points), int))

    def run(self, image: np.ndarray, heatmap: np.ndarray) -> Segmentation:
        if isinstance(image, Embedding):
            raise ValueError("the judge wants the image, not its embedding")
        points = self.foreground(heatmap)
        if not len(points):
            return super().run(image, heatmap)
        embedding, label = self.prompter.look(image), np.ones(1, int)
        answers = [
            self.prompter.prompt(embedding, Prompt(point[None], label), self.multimask)
            for point in points
        ]
        masks = np.concatenate([answer.masks for answer in answers])  # (n, H, W)
        scores = np.concatenate([answer.scores for answer in answers])
        verdict = scores.clip(0) * self.judge(image, heatmap, masks)
        which, mask = divmod(int(verdict.argmax()), len(answers[0].masks))
        return _with_first(answers[which], mask)


def _with_first(answer: Segmentation, mask: int) -> Segmentation:
    """The same answer with only the chosen mask: it is the best there."""
    one = slice(mask, mask + 1)
    kept = (part[one] for part in (answer.masks, answer.scores, answer.logits))
    return Segmentation(answer.prompt, *kept)


def agreement(image: np.ndarray, heatmap: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """The correlation between map and mask, (n,), 0 where it is negative: high if the
    heat is inside and nowhere else."""
    heat = (heatmap - heatmap.mean()).ravel()
    inside = masks.reshape(len(masks), -1).astype(float)
    inside -= inside.mean(1, keepdims=True)
    sizes = np.linalg.norm(inside, axis=1) * np.linalg.norm(heat)
    return (inside @ heat / np.where(sizes > 0, sizes, 1)).clip(0)


class Occlusion:
    """A judge that asks the classifier again: how much of the probability of the top
    class is gone once a mask is painted over with what is around it?

    As occlusion maps (Zeiler & Fergus 2014, https://arxiv.org/abs/1311.2901), but with
    the regions that SAM proposes in the place of squares. One forward pass for all
    masks of an image. `size`: (height, width) at which the classifier sees pictures.
    """

    def __init__(self, classifier, size: tuple[int, int]):
        self.classifier, self.size = classifier, size

    @torch.no_grad()
    def __call__(self, image, heatmap, masks) -> np.ndarray:
        pictures = np.stack([image, *(paint_over(image, mask) for mask in masks)])
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2)
        device = next(self.classifier.parameters()).device
        pixels = resize_batch(pixels, self.size).to(device)
        logits = self.classifier(self.classifier.normalize(pixels))  # (1 + n, classes)
        likely = logits.softmax(1)[:, logits[0].argmax()].cpu().numpy()
        return (likely[0] - likely[1:]).clip(0) / likely[0]


def paint_over(image: np.ndarray, mask: np.ndarray, margin: int = 1) -> np.ndarray:
    """The image (H, W, 3) uint8 without what the mask (H, W) bool shows: inpainted from
    around it (Telea 2004, OpenCV's implementation), a `margin` of pixels included."""
    side = 2 * margin + 1
    wide = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8))
    return cv2.inpaint(image, wide, 3, cv2.INPAINT_TELEA)
