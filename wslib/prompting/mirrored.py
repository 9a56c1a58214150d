"""Two looks at an image, one of them in the mirror: what both see is kept."""

from __future__ import annotations

import numpy as np
import torch

from wslib.prompting.pipelines import BasicSamPipeline
from wslib.prompting.prompter import Embedding, Prompt, Segmentation


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
        embedding = self.prompter.look(image)
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
