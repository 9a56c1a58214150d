"""Maps without gradients: hide something, ask the network again, weigh by the answer.

They cost forward passes, one for each channel, and so show what a gradient is worth.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wslib.cam.engine import ClassActivationMap, Pass, find_layout, hooked
from wslib.cam.targets import Target, each_tensor, target_values


class MaskingCAM(ClassActivationMap, ABC):
    """The base: channel weights come from `weights`, one image after the other.

    `batch_size` masks are asked at once. `channels` keeps only those of the largest
    range over the places and has the others weigh nothing, as Faster Score-CAM does;
    None keeps all.
    """

    def __init__(
        self, model, target_layers, relu=True, grid=None, batch_size=64, channels=None
    ):
        super().__init__(model, target_layers, relu, grid)
        for name, value in (("batch_size", batch_size), ("channels", channels)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, expected 1 or more")
        self.batch_size, self.channels = batch_size, channels

    def gradients(self, run: Pass) -> list[Tensor]:
        """Weights of the channels in the gradient's place, as (B, K, h, w)."""
        weights = []
        with torch.no_grad():
            for number, A in enumerate(self.activations(run)):
                each = [self._weigh(run, number, i, A[i]) for i in range(len(A))]
                weights.append(torch.stack(each)[:, :, None, None].expand_as(A))
        return weights

    @abstractmethod
    def weights(
        self, run: Pass, number: int, i: int, A: Tensor, asked: Tensor
    ) -> Tensor:
        """The weights (n,) of the channels `asked` (n,) of image `i`, whose target
        layer `number` gave A (K, h, w)."""

    def _weigh(self, run: Pass, number: int, i: int, A: Tensor) -> Tensor:
        spread = A.amax((1, 2)) - A.amin((1, 2))  # (K,)
        asked = spread.argsort(descending=True, stable=True)[: self.channels]
        weights = A.new_zeros(len(A))
        weights[asked] = self.weights(run, number, i, A, asked)
        return weights

    def _chunks(self, asked: Tensor) -> Iterator[Tensor]:
        return iter(asked.split(self.batch_size))


class ScoreCAM(MaskingCAM):
    """Score-CAM: a channel weighs as much as the network sees through it.

    `L = sum_k w_k A_k`, `w = softmax of y(image * M_k)` over the channels, `M_k` being
    A_k at the size of the image, from its minimum to its maximum scaled to 0..1 (Wang
    et al. 2020, equations 5 to 8, https://arxiv.org/abs/1910.01279; what they subtract
    from y, the same for all channels, drops out of the softmax). A constant channel
    masks all. Cost: one forward pass a channel and image.
    """

    def weights(self, run, number, i, A, asked) -> Tensor:
        """The softmax of the answers to the image below each channel's mask."""
        scores, size = [], run.image.shape[-2:]
        for some in self._chunks(asked):
            masks = F.interpolate(A[some][:, None], size, mode="bilinear")
            low, high = masks.amin((2, 3), True), masks.amax((2, 3), True)
            masks = (masks - low) / (high - low).where(high > low, 1)
            scores.append(answers(run.model(run.image[i] * masks), run.targets[i]))
        return torch.cat(scores).softmax(0)


class AblationCAM(MaskingCAM):
    """Ablation-CAM: a channel weighs as much as the score falls without it.

    `L = sum_k w_k A_k` with `w_k = (y - y_k) / |y|`, where y_k is y with channel k set
    to 0 (Desai & Ramaswamy 2020, equation 3,
    https://doi.org/10.1109/WACV45572.2020.9093360, who divide by y, which turns the map
    over where y is negative).

    Cost: the part of the network behind the layer once a channel, the part before it
    once for `batch_size` channels: it sees one image, and its answer is replaced by
    that many. Where the two parts don't fit then (a concatenation around the layer),
    the whole network runs once a channel.
    """

    def weights(self, run, number, i, A, asked) -> Tensor:
        """How much of the value falls without each channel."""
        layer, image = self.target_layers[number], run.image[i : i + 1]
        output = run.outputs[layer].detach()[i : i + 1]
        fallen = []
        for some in self._chunks(asked):
            keep = torch.ones(len(some), len(A), dtype=torch.bool, device=A.device)
            keep[range(len(some)), some] = False
            ablated = self._without(output, keep, tuple(image.shape[-2:]))
            answer = _ask_from(run.model, layer, image, ablated)
            fallen.append(run.values[i] - answers(answer, run.targets[i]))
        size = run.values[i].abs()
        return torch.cat(fallen) / size.where(size > 0, 1)

    def _without(self, output: Tensor, keep: Tensor, size) -> Tensor:
        """A layer's output for one image, once for each row of `keep` (n, K), without
        the channels that are not kept."""
        many = output.repeat(len(keep), *[1] * (output.ndim - 1))
        places = find_layout(output, size, self.grid)(many)  # a view: (n, K, h, w)
        places *= keep[:, :, None, None]
        return many


def answers(output, target: Target) -> Tensor:
    """The value of one target, (n,), in a model's output for n images."""
    sizes: list[int] = []
    each_tensor(output, lambda part: sizes.append(len(part)))
    return target_values(output, [target] * sizes[0])


def _ask_from(model: nn.Module, layer: nn.Module, image: Tensor, outputs: Tensor):
    """The model's output as if `layer` had given `outputs` (n, ...) for n times the
    image (1, C, H, W)."""
    try:
        with hooked([layer], lambda *_: outputs.clone()):
            answer = model(image)
        sizes: set[int] = set()
        each_tensor(answer, lambda part: sizes.add(len(part)))
        if sizes == {len(outputs)}:
            return answer
    except RuntimeError:  # something beside the layer wants as many images
        pass
    with hooked([layer], lambda *_: outputs.clone()):
        return model(image.expand(len(outputs), -1, -1, -1))
