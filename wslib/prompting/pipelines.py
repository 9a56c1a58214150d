"""From images to masks without a click: pipelines of a heat map, a prompt and SAM.

The course's `BasicSamPipeline` and its subclasses: each is one way to make a prompt of
a heat map. What finds the points comes from `wslib.prompting.points`, with its settings
bound: `ForegroundPipeline(predictor, cam, foreground=partial(innermost,
threshold=0.4))`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wslib.cam import ClassActivationMap
from wslib.prompting.points import (
    background_points,
    image_centre,
    innermost,
    prompt_box,
)
from wslib.prompting.prompter import Embedding, Prompt, Prompter, Segmentation
from wslib.runtime.progress import progress

Find = Callable[[np.ndarray], np.ndarray]  # heat map (H, W) -> points (n, 2)
FindBox = Callable[[np.ndarray], np.ndarray | None]  # heat map -> (4,), or None
NOWHERE = np.zeros((0, 2))
FAR = 128  # beyond 0..255: more than any interpolation overshoots


class BasicSamPipeline:
    """From images to masks, with a prompt that nobody clicked. This one sees no map: it
    prompts with the centre of the picture, and is what others are measured against.

    `predictor`: a predictor, or a `Prompter` that several pipelines share. `cam`
    explains a model with `mean` and `std`, as `wslib.models.classifiers.Classifier`;
    only batches of normalised images need it. `size`: side, or (height, width), to
    which images are resized for the maps. `multimask`: whether the best of three masks
    by predicted score is taken, or a single one is asked for.

    A subclass overrides `prompt`. One that wants more overrides `__call__` and hands
    its points to `segment`.
    """

    def __init__(
        self,
        predictor,
        cam: ClassActivationMap | None = None,
        size: int | tuple[int, int] | None = None,
        multimask: bool = True,
    ):
        is_prompter = isinstance(predictor, Prompter)
        self.prompter = predictor if is_prompter else Prompter(predictor)
        self.cam, self.size, self.multimask = cam, size, multimask

    def prompt(self, heatmap: np.ndarray) -> Prompt:
        """Heat map (H, W), 0 to 1 -> what the predictor is told of the image."""
        return _prompt(image_centre(heatmap.shape))

    def __call__(self, images: Tensor) -> Tensor:
        """Normalised images (B, 3, H, W) -> masks (B, H, W) bool of what each shows
        of its top class, on the images' device."""
        heatmaps = self.heatmaps(images)
        pairs = zip(self.pixels(images), heatmaps, strict=True)
        masks = np.stack([self.mask(image, heatmap) for image, heatmap in pairs])
        return torch.from_numpy(masks).to(images.device)

    def segment(
        self, images: Tensor, point_coords: Tensor, point_labels: Tensor
    ) -> Tensor:
        """Normalised images (B, 3, H, W), points (B, n, 2) and labels (B, n) -> masks
        (B, H, W) bool. A point with the label -1 only fills its row up."""
        pixels = self.pixels(images)
        coords, labels = torch.as_tensor(point_coords), torch.as_tensor(point_labels)
        if len(labels) != len(pixels) or coords.shape != (*labels.shape, 2):
            shapes = f"points {tuple(coords.shape)}, labels {tuple(labels.shape)}"
            raise ValueError(f"{shapes}: expected (B, n, 2), (B, n), B = {len(pixels)}")
        masks = []
        for image, xy, label in zip(pixels, coords, labels, strict=True):
            real = label != -1
            prompt = Prompt(xy[real].cpu().numpy(), label[real].cpu().numpy())
            embedding = self.prompter.encode(image)
            masks.append(self.prompter.prompt(embedding, prompt, self.multimask).mask)
        return torch.from_numpy(np.stack(masks)).to(images.device)

    def run(self, image: np.ndarray | Embedding, heatmap: np.ndarray) -> Segmentation:
        """Image (H, W, 3) uint8, or its embedding, and heat map (H, W) -> masks.

        Where the map gives no prompt (it is zero), the one mask is empty, its score 0,
        and there are no logits, (1, 0, 0). Raises ValueError for sizes that differ.
        """
        is_seen = isinstance(image, Embedding)
        embedding = image if is_seen else self.prompter.encode(image)
        heatmap, shape = np.asarray(heatmap), tuple(embedding.original_size)
        if heatmap.shape != shape:
            raise ValueError(f"heatmap {heatmap.shape} for an image of {shape}")
        prompt = self.prompt(heatmap)
        if prompt.empty:
            nothing = np.zeros((1, *shape), bool)
            return Segmentation(prompt, nothing, np.zeros(1), np.zeros((1, 0, 0)))
        return self.prompter.prompt(embedding, prompt, self.multimask)

    def mask(self, image: np.ndarray | Embedding, heatmap: np.ndarray) -> np.ndarray:
        """The best mask of `run`, (H, W) bool: used as `wslib.boxes.grabcut.grabcut`
        is."""
        return self.run(image, heatmap).mask

    def heatmaps(self, images: Tensor) -> np.ndarray:
        """Normalised images (B, 3, H, W) -> heat maps (B, H, W) float32, 0 to 1, of the
        top class of each: one call for the batch, at `size` where there is one."""
        model, shape = self._model(), images.shape[-2:]
        images = images.to(model.mean.device)
        if self.size is None:
            return self.cam(images)
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        smooth = {"mode": "bilinear", "antialias": True}  # as `explain_images` has it
        maps = self.cam(F.interpolate(images, size, **smooth))  # (B, *size)
        maps = F.interpolate(torch.from_numpy(maps)[:, None], shape, **smooth)
        return maps.clip(0, 1)[:, 0].numpy()

    def pixels(self, images: Tensor) -> np.ndarray:
        """Undo the model's `normalize`: (B, 3, H, W) -> (B, H, W, 3) uint8, exactly.
        Raises ValueError for images that it did not make."""
        model = self._model()
        if images.ndim != 4 or images.shape[1] != 3 or not images.numel():
            shape = tuple(images.shape)
            raise ValueError(f"images of shape {shape}: expected (B, 3, H, W)")
        mean, std = (t.to(images.device) for t in (model.mean, model.std))
        values = 255 * (images.detach().float() * std + mean)
        low, high = values.min().item(), values.max().item()
        if not (low > -FAR and high < 255 + FAR):  # also for NaN
            made = f"images from {low:.0f} to {high:.0f} once mean and std are undone"
            raise ValueError(f"{made}, expected 0 to 255: give normalised images")
        values = values.round().clamp(0, 255).byte()
        return values.permute(0, 2, 3, 1).cpu().numpy()

    def _model(self):
        if self.cam is None:
            raise ValueError("batches of images need a cam, and the pipeline has none")
        return self.cam.model


class ForegroundPipeline(BasicSamPipeline):
    """Prompts with foreground points only: `foreground` finds them in the map. Other
    arguments, here and below, are those of `BasicSamPipeline`."""

    def __init__(self, *arguments, foreground: Find = innermost, **options):
        super().__init__(*arguments, **options)
        self.foreground = foreground

    def prompt(self, heatmap: np.ndarray) -> Prompt:
        return _prompt(self.foreground(heatmap))


class ForegroundBackgroundPipeline(ForegroundPipeline):
    """Adds background points: `background` finds them around what the map shows."""

    def __init__(self, *arguments, background: Find = background_points, **options):
        super().__init__(*arguments, **options)
        self.background = background

    def prompt(self, heatmap: np.ndarray) -> Prompt:
        return _prompt(self.foreground(heatmap), self.background(heatmap))


class BoxPipeline(BasicSamPipeline):
    """Prompts with the box that `box` draws around what the map shows, and no point."""

    def __init__(self, *arguments, box: FindBox = prompt_box, **options):
        super().__init__(*arguments, **options)
        self.box = box

    def prompt(self, heatmap: np.ndarray) -> Prompt:
        return Prompt(box=self.box(heatmap))


class PointsBoxPipeline(ForegroundPipeline):
    """Prompts with foreground points and a box."""

    def __init__(self, *arguments, box: FindBox = prompt_box, **options):
        super().__init__(*arguments, **options)
        self.box = box

    def prompt(self, heatmap: np.ndarray) -> Prompt:
        return replace(super().prompt(heatmap), box=self.box(heatmap))


class RefinedPipeline(BasicSamPipeline):
    """Asks twice: the second time with the best mask of another pipeline's answer (its
    low-resolution logits) beside the same points and box."""

    def __init__(self, pipeline: BasicSamPipeline, multimask: bool = True):
        super().__init__(pipeline.prompter, pipeline.cam, pipeline.size, multimask)
        self.pipeline = pipeline

    def prompt(self, heatmap: np.ndarray) -> Prompt:
        return self.pipeline.prompt(heatmap)

    def run(self, image: np.ndarray | Embedding, heatmap: np.ndarray) -> Segmentation:
        """Segment as the pipeline does, then again with its mask in the prompt."""
        if not isinstance(image, Embedding):
            image = self.prompter.encode(image)
        first = self.pipeline.run(image, heatmap)
        if first.prompt.empty:
            return first
        again = replace(first.prompt, mask=first.logits[[first.best]])
        return self.prompter.prompt(image, again, self.multimask)


def run_all(
    pipeline: BasicSamPipeline, images: Sequence[np.ndarray], heatmaps: np.ndarray
) -> list[Segmentation]:
    """Run the pipeline on each image (H, W, 3) and its heat map (H, W)."""
    pairs = progress(zip(images, heatmaps, strict=True), "masks", len(images))
    return [pipeline.run(image, heatmap) for image, heatmap in pairs]


def run_together(
    jobs: Mapping[str, tuple[BasicSamPipeline, np.ndarray]],
    images: Sequence[np.ndarray],
) -> tuple[dict[str, list[Segmentation]], dict[str, float]]:
    """Run several pipelines that share a prompter, each on its own heat maps (N, H, W).

    It goes from image to image, so that each is encoded once however few the prompter
    keeps. Returns, by the names of the `jobs`, the answers, and the seconds an image
    took without its encoding.
    """
    answers: dict[str, list[Segmentation]] = {name: [] for name in jobs}
    seconds = dict.fromkeys(jobs, 0.0)
    for k, image in enumerate(progress(images, "masks", len(images))):
        for name, (pipeline, heatmaps) in jobs.items():
            pipeline.prompter.encode(image)
            if isinstance(pipeline, MirroredPipeline):
                pipeline.prompter.encode(mirror(image))
            began = perf_counter()
            answers[name].append(pipeline.run(image, heatmaps[k]))
            seconds[name] += (perf_counter() - began) / len(images)
    return answers, seconds


def _prompt(foreground: np.ndarray, background: np.ndarray = NOWHERE) -> Prompt:
    """Foreground points (n, 2) and background points (m, 2), labelled."""
    points = np.concatenate([foreground, background])
    return Prompt(points, np.repeat([1, 0], [len(foreground), len(background)]))


class MirroredPipeline(BasicSamPipeline):
    """Runs another pipeline on the image and on its mirror image, and averages the
    logits of the two best masks, at the size of the image.

    An error at the rim of one is seldom one of the other. Costs a second encoding of
    the image. The answer has one mask; its score is the mean of both, the prompt and
    the low-resolution logits are those of the image itself. The predictor must have its
    network as `model`, as `segment_anything.SamPredictor` has.
    """

    def __init__(self, pipeline: BasicSamPipeline):
        options = (pipeline.cam, pipeline.size, pipeline.multimask)
        super().__init__(pipeline.prompter, *options)
        self.pipeline = pipeline

    def prompt(self, heatmap: np.ndarray) -> Prompt:
        return self.pipeline.prompt(heatmap)

    def run(self, image: np.ndarray, heatmap: np.ndarray) -> Segmentation:
        """As `BasicSamPipeline.run`. Raises ValueError for an embedding in the image's
        place: there is nothing to mirror."""
        if isinstance(image, Embedding):
            raise ValueError("the mirror wants the image, not its embedding")
        one = self.pipeline.run(image, heatmap)
        other = self.pipeline.run(mirror(image), mirror(heatmap))
        if one.prompt.empty or other.prompt.empty:
            return one
        embedding = self.prompter.encode(image)
        logits = [self._at_full_size(answer, embedding) for answer in (one, other)]
        mean = (logits[0] + mirror(logits[1])) / 2  # (H, W)
        scores = np.array([(one.score + other.score) / 2])
        return Segmentation(one.prompt, mean[None] > 0, scores, one.logits[[one.best]])

    def _at_full_size(self, answer: Segmentation, embedding: Embedding) -> np.ndarray:
        """The logits of the best mask, (H, W)."""
        sam = self.prompter.predictor.model
        low = torch.as_tensor(answer.logits[[answer.best]])[None]  # (1, 1, h, w)
        sizes = embedding.input_size, embedding.original_size
        return sam.postprocess_masks(low, *sizes)[0, 0].numpy()


def mirror(pixels: np.ndarray) -> np.ndarray:
    """Pixels (H, W) or (H, W, C), left for right."""
    return np.ascontiguousarray(pixels[:, ::-1])
