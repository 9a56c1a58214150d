"""Class activation maps: which places of a feature map speak for a class.

Letters, here as in the papers: `A` (B, K, h, w) is the output of a target layer, `y`
the logit of one class, `g = dy/dA` its gradient. All methods weigh `A` with `g` and sum
over the K channels; they differ in one line, their `combine`.

The logit is explained, never the probability: where a network is sure, the gradient of
its softmax or sigmoid vanishes, in float32 down to exactly 0.
"""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

FLAT = 1e-6  # a map whose range is a smaller part of its largest value is constant


@dataclass(frozen=True)
class Explanation:
    """The logits of one forward pass and the maps that explain them; on the CPU."""

    maps: np.ndarray  # (B, H, W) float32 in [0, 1], at the size of the images
    logits: Tensor  # (B, classes), of the same forward pass
    targets: list[int]  # the class explained in each image
    raw: list[Tensor]  # for each layer (B, h, w): no ReLU, no scaling, no resizing


class ClassActivationMap(ABC):
    """The base of all methods; a method adds `combine`.

    `model` maps images (B, C, H, W) to logits (B, classes) and must treat the images of
    a batch independently in eval mode, as the batch is explained by one backward pass
    from the sum of its logits. The output of each of `target_layers` must be (B, K, h,
    w); of a layer that is called several times, the last call counts. `relu=False`
    keeps what speaks against the class.

    Cost: one forward pass. The graph begins at the first target layer's output, so that
    the gradient travels from the logit to there and no further. The model is evaluated
    in eval mode and left as it was: flags, gradients, statistics, hooks.
    """

    def __init__(
        self, model: nn.Module, target_layers: Iterable[nn.Module], relu: bool = True
    ):
        if isinstance(target_layers, nn.Module) and not isinstance(
            target_layers, nn.ModuleList
        ):
            target_layers = [target_layers]  # not the children of an nn.Sequential
        self.model, self.relu = model, relu
        self.target_layers = list(target_layers)
        if not self.target_layers:
            raise ValueError("target_layers is empty, expected at least one module")
        for layer in self.target_layers:
            if not any(layer is module for module in model.modules()):
                raise ValueError(f"target layer {_kind(layer)} is no part of the model")

    def __call__(
        self, image: Tensor, targets: Iterable[int] | None = None
    ) -> np.ndarray:
        """Heat maps (B, H, W), float32, of a normalised batch (B, C, H, W).

        `targets` names one class for each image; None takes each image's top class.
        Each map is resized to (H, W) and rescaled from min..max to 0..1, for each image
        and layer by itself; then the layers are averaged. A constant map becomes 0.
        Raises ValueError for targets that do not fit and for layers that did not run.
        """
        return self.explain(image, targets).maps

    def explain(
        self, image: Tensor, targets: Iterable[int] | None = None
    ) -> Explanation:
        """The heat maps together with the logits and raw maps they were made from."""
        if image.ndim != 4 or 0 in image.shape:
            shape = tuple(image.shape)
            raise ValueError(f"image has shape {shape}, expected a batch (B, C, H, W)")
        with torch.inference_mode(False), _eval_mode(self.model):
            image = image.detach().clone() if image.is_inference() else image.detach()
            logits, activations = self._forward(image)
            targets = _check_targets(targets, logits)
            gradients = self.gradients(logits, activations, targets)
        pairs = zip(activations, gradients, strict=True)
        raw = [self.combine(a.detach().float(), g.float()) for a, g in pairs]
        maps = [rescale(m.relu() if self.relu else m, image.shape[-2:]) for m in raw]
        return Explanation(
            maps=torch.stack(maps).mean(0).cpu().numpy(),  # L x (B, H, W) -> (B, H, W)
            logits=logits.detach().float().cpu(),
            targets=targets,
            raw=[m.cpu() for m in raw],
        )

    @abstractmethod
    def combine(self, A: Tensor, g: Tensor) -> Tensor:
        """Activations and gradients (B, K, h, w) -> raw maps (B, h, w)."""

    def gradients(
        self, logits: Tensor, activations: list[Tensor], targets: list[int]
    ) -> list[Tensor]:
        """dy/dA for each layer, (B, K, h, w) as its activation."""
        with torch.enable_grad():
            y = logits[range(len(targets)), targets].sum()
        found = torch.autograd.grad(y, activations, allow_unused=True)
        for layer, gradient in zip(self.target_layers, found, strict=True):
            if gradient is None:
                raise ValueError(f"the logits do not depend on {self._name(layer)}")
        return list(found)

    def _forward(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """One forward pass: logits (B, n) and each target layer's output."""
        outputs: dict[int, Tensor] = {}
        hooks = []
        try:
            for i, layer in enumerate(self.target_layers):
                hooks.append(layer.register_forward_hook(self._recorder(i, outputs)))
            with torch.no_grad():
                logits = self.model(image)
        finally:
            for hook in hooks:
                hook.remove()
        for i, layer in enumerate(self.target_layers):
            if i not in outputs:
                raise ValueError(f"{self._name(layer)} did not run in the forward pass")
            if outputs[i].shape[0] != image.shape[0]:
                shape = tuple(outputs[i].shape)
                raise ValueError(
                    f"{self._name(layer)} gave {shape} for {len(image)} images"
                )
        self._check_logits(logits, image)
        return logits, [outputs[i] for i in range(len(self.target_layers))]

    def _recorder(self, i: int, outputs: dict[int, Tensor]):
        """A forward hook that keeps the output, and from there on has the graph
        recorded. What follows gets a clone, as an in-place ReLU would write on it."""

        def record(layer, _, output):
            if not isinstance(output, Tensor) or output.ndim != 4:
                got = _kind(output)
                raise ValueError(
                    f"{self._name(layer)} gave {got}, expected (B, K, h, w)"
                )
            torch.set_grad_enabled(True)  # until the forward pass's no_grad ends
            if not output.requires_grad:
                output = output.detach().requires_grad_()  # the graph begins here
            outputs[i] = output
            return output.clone()

        return record

    def _check_logits(self, logits: Tensor, image: Tensor) -> None:
        if not isinstance(logits, Tensor) or logits.shape[:-1] != image.shape[:1]:
            raise ValueError(f"the model gave {_kind(logits)}, expected logits (B, n)")
        if not logits.requires_grad:
            raise ValueError(
                f"the logits do not depend on {self._name(self.target_layers[0])}"
            )

    def _name(self, layer: nn.Module) -> str:
        names = {id(module): name for name, module in self.model.named_modules()}
        return f"target layer {names.get(id(layer)) or _kind(layer)!r}"


class GradCAM(ClassActivationMap):
    """Grad-CAM: channel weights are the gradient's mean over all places.

    `L = sum_k w_k A_k` with `w_k = mean_ij g_kij`, then ReLU (Selvaraju et al. 2017,
    equations 1 and 2, https://arxiv.org/abs/1610.02391).
    """

    def combine(self, A: Tensor, g: Tensor) -> Tensor:
        return torch.einsum("bk,bkhw->bhw", g.mean((2, 3)), A)


class CAM(GradCAM):
    """Class activation mapping: channel weights are a row of the linear head.

    `L = sum_k W_ck A_k` (Zhou et al. 2016, equation 2,
    https://arxiv.org/abs/1512.04150; their maps have no ReLU: `relu=False`). Needs
    `logits = head(mean of A)`, which is verified at each call. `head` is by default the
    model's last linear layer.
    """

    def __init__(self, model, target_layers, relu=True, head: nn.Linear | None = None):
        super().__init__(model, target_layers, relu)
        linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
        if head is None and not linear:
            raise ValueError("CAM needs a linear head and the model has none")
        self.head = linear[-1] if head is None else head

    def gradients(self, logits, activations, targets):
        """Rows of the head in the gradient's place: (B, K, h, w)."""
        for layer, A in zip(self.target_layers, activations, strict=True):
            if not self._explains(logits.detach(), A.detach().mean((2, 3))):
                raise ValueError(
                    f"CAM needs logits = head(mean of A), which {self._name(layer)} "
                    "does not give: use GradCAM"
                )
        rows = self.head.weight.detach()[targets][:, :, None, None]  # (B, K, 1, 1)
        return [rows.expand_as(A) for A in activations]

    def _explains(self, logits: Tensor, pooled: Tensor) -> bool:
        """Does the head make these logits (B, n) of the pooled features (B, K)?"""
        if pooled.shape[1] != self.head.in_features:
            return False
        with torch.no_grad():
            made = self.head(pooled)
        close = 1e-3 * float(logits.abs().max())
        return made.shape == logits.shape and bool(
            torch.allclose(made, logits, atol=close)
        )


class HiResCAM(ClassActivationMap):
    """HiResCAM: the gradient weighs each place by itself.

    `L = sum_k g_k * A_k` (Draelos & Carin 2020,
    https://arxiv.org/abs/2011.08891; their maps have no ReLU: `relu=False`).
    """

    def combine(self, A: Tensor, g: Tensor) -> Tensor:
        return (g * A).sum(1)


class LayerCAM(ClassActivationMap):
    """LayerCAM: as HiResCAM, with positive gradients only; made for early layers.

    `L = sum_k relu(g_k) * A_k`, then ReLU (Jiang et al. 2021,
    https://doi.org/10.1109/TIP.2021.3089943).
    """

    def combine(self, A: Tensor, g: Tensor) -> Tensor:
        return (g.relu() * A).sum(1)


class GradCAMPlusPlus(ClassActivationMap):
    """Grad-CAM++: a weighted mean of the positive gradients.

    `w_k = sum_ij a_kij relu(g_kij)` with `a = g^2 / (2 g^2 + g^3 sum_ij A_kij)`
    (Chattopadhay et al. 2018, equations 5 and 19, https://arxiv.org/abs/1710.11063).
    Here `a` is reduced by g^2, which keeps small gradients from underflowing, and is 0
    where `g` is.
    """

    def combine(self, A: Tensor, g: Tensor) -> Tensor:
        below = 2 + g * A.sum((2, 3), keepdim=True)
        a = torch.where((g == 0) | (below == 0), 0, 1 / below)
        return torch.einsum("bk,bkhw->bhw", (a * g.relu()).sum((2, 3)), A)


METHODS: dict[str, type[ClassActivationMap]] = {
    "gradcam": GradCAM,
    "layercam": LayerCAM,
    "hirescam": HiResCAM,
    "gradcam++": GradCAMPlusPlus,
    "cam": CAM,
}


def rescale(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, h, w) -> (B, H, W), bilinear, min..max of each rescaled to 0..1.

    A constant map gives zeros. Raises ValueError for a map that is not finite.
    """
    if not torch.isfinite(maps).all():
        raise ValueError(
            "heat map is not finite: does the image or the model hold NaN?"
        )
    largest = maps.abs().amax((1, 2), keepdim=True)
    maps = maps / largest.where(largest > 0, 1)  # no range overflows from here on
    maps = maps - maps.amin((1, 2), keepdim=True)
    maps = F.interpolate(maps[:, None], size, mode="bilinear")[:, 0]  # (B, H, W)
    low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
    span = high - low
    return torch.where(span > FLAT, (maps - low) / span.where(span > FLAT, 1), 0)


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    """Set `training` to False in each module and back to what each one had."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in flags:
            module.training = False
        yield
    finally:
        for module, training in flags:
            module.training = training


def _check_targets(targets: Iterable[int] | None, logits: Tensor) -> list[int]:
    """One class for each image, each between 0 and n - 1."""
    size, count = logits.shape
    if targets is None:
        return logits.argmax(1).tolist()
    try:
        targets = targets.tolist() if hasattr(targets, "tolist") else list(targets)
        targets = [operator.index(target) for target in targets]
    except TypeError:
        raise ValueError(f"targets is {targets!r}, expected {size} integers") from None
    if len(targets) != size:
        raise ValueError(f"{len(targets)} targets for {size} images, expected one each")
    for i, target in enumerate(targets):
        if not 0 <= target < count:
            raise ValueError(f"target {target} of image {i} is not in 0..{count - 1}")
    return targets


def _kind(thing) -> str:
    """A short name for an error message."""
    if isinstance(thing, Tensor):
        return f"a tensor of shape {tuple(thing.shape)}"
    return type(thing).__name__
