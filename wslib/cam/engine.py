"""One forward pass that is kept, and the maps that any number of methods make of it.

Letters, here as in the papers: `A` (B, K, h, w) is the output of a target layer, `y`
the value that is explained, as a rule the logit of one class, `g = dy/dA` its gradient.

The logit is explained, never the probability: where a network is sure, the gradient of
its softmax or sigmoid vanishes, in float32 down to exactly 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isqrt

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wslib.cam.targets import (
    Target,
    check_targets,
    each_tensor,
    kind,
    target_values,
)

Grid = tuple[int, int]  # rows and columns of places
FLAT = 1e-6  # a map whose range is a smaller part of its largest value is constant


@dataclass(frozen=True)
class Explanation:
    """The logits of one forward pass and the maps that explain them; on the CPU."""

    maps: np.ndarray  # (B, H, W) float32 in [0, 1], at the size of the images
    logits: Tensor  # (B, classes), or what else the model gave, of the same pass
    targets: list[Target]  # the class explained in each image, or the function
    raw: list[Tensor]  # for each layer (B, h, w): no ReLU, no scaling, no resizing


class ClassActivationMap:
    """The base of all methods; a method has its own `combine`, or `raw_maps`.

    `model` maps images (B, C, H, W) to logits (B, classes), or to anything of which the
    targets are functions. It must treat the images of a batch independently in eval
    mode, as the batch is explained by one backward pass from the sum of its logits. The
    output of each of `target_layers` must be (B, K, h, w) or tokens, see `find_layout`,
    whose `grid` it takes; of a layer that is called several times, the last call is
    the one that counts. `relu=False` keeps what speaks against the class.

    Cost: one forward pass. The graph begins at the first target layer's output, so that
    the gradient travels from the logit to there and no further. The model is evaluated
    in eval mode and left as it was: flags, gradients, statistics, hooks.
    """

    def __init__(
        self,
        model: nn.Module,
        target_layers: Iterable[nn.Module],
        relu: bool = True,
        grid: Grid | None = None,
    ):
        if isinstance(target_layers, nn.Module) and not isinstance(
            target_layers, nn.ModuleList
        ):
            target_layers = [target_layers]  # not the children of an nn.Sequential
        self.model, self.relu, self.grid = model, relu, grid
        self.target_layers = list(target_layers)
        if not self.target_layers:
            raise ValueError("target_layers is empty, expected at least one module")
        for layer in self.target_layers:
            if not any(layer is module for module in model.modules()):
                raise ValueError(f"target layer {kind(layer)} is no part of the model")

    def __call__(self, image: Tensor, targets=None) -> np.ndarray:
        """Heat maps (B, H, W), float32, of a normalised batch (B, C, H, W).

        `targets` names one class for each image, or a function of the model's output
        for one image that gives a scalar, or one such function for all; None takes each
        image's top class. Each map is resized to (H, W) and rescaled from min..max to
        0..1, for each image and layer by itself; then the layers are averaged. A
        constant map becomes 0. Raises ValueError for targets that do not fit and for
        layers that did not run.
        """
        return self.explain(image, targets).maps

    def explain(self, image: Tensor, targets=None) -> Explanation:
        """The heat maps together with the logits and raw maps they were made from."""
        return explain_with({"": self}, image, targets)[""]

    def raw_maps(self, run: Pass) -> list[Tensor]:
        """For each target layer the raw maps (B, h, w) of a forward pass."""
        weights = self.gradients(run)
        pairs = zip(self.activations(run), weights, strict=True)
        return [self.combine(A.float(), g.float()) for A, g in pairs]

    def combine(self, A: Tensor, g: Tensor) -> Tensor:
        """Activations and gradients (B, K, h, w) -> raw maps (B, h, w); here the sum of
        the activations, each weighed by its gradient."""
        return (g * A).sum(1)

    def activations(self, run: Pass) -> list[Tensor]:
        """A of each target layer, (B, K, h, w), without a graph."""
        return [run.lay_out(x, x, self.grid).detach() for x in self._outputs(run)]

    def gradients(self, run: Pass) -> list[Tensor]:
        """dy/dA for each layer, (B, K, h, w) as its activation."""
        outputs = self._outputs(run)
        gradients = run.gradients(self.value(run), self.target_layers)
        pairs = zip(outputs, gradients, strict=True)
        laid = [run.lay_out(x, g, self.grid) for x, g in pairs]
        for layer, whole, g in zip(self.target_layers, gradients, laid, strict=True):
            if g.numel() < whole.numel() and whole.any() and not g.any():
                name = layer_name(self.model, layer)
                raise ValueError(
                    f"only the class token of {name} reaches the output, "
                    "expected an earlier layer, such as the last block's first norm"
                )
        return laid

    def value(self, run: Pass) -> Tensor:
        """What is explained, (B,)."""
        return run.values

    def _outputs(self, run: Pass) -> list[Tensor]:
        return [run.outputs[layer] for layer in self.target_layers]


def explain_with(
    methods: Mapping[str, ClassActivationMap], image: Tensor, targets=None
) -> dict[str, Explanation]:
    """Explain by many methods of one model, from one forward pass.

    Methods that explain the same value of the same layers share the backward pass, too.
    `image` and `targets` as in `ClassActivationMap.__call__`. Raises ValueError as it
    does, and for no methods or methods of several models.
    """
    models = {id(method.model): method.model for method in methods.values()}
    if len(models) != 1:
        raise ValueError(f"methods of {len(models)} models, expected those of one")
    if image.ndim != 4 or 0 in image.shape:
        shape = tuple(image.shape)
        raise ValueError(f"image has shape {shape}, expected a batch (B, C, H, W)")
    (model,) = models.values()
    layers = dict.fromkeys(x for m in methods.values() for x in m.target_layers)
    with torch.inference_mode(False), eval_mode(model):
        image = image.detach().clone() if image.is_inference() else image.detach()
        run = Pass.of(model, image, list(layers), targets)
        raw = {name: method.raw_maps(run) for name, method in methods.items()}
    output = each_tensor(run.output, lambda part: part.detach().float().cpu())
    return {
        name: _explanation(method, raw[name], run, output)
        for name, method in methods.items()
    }


def _explanation(method, raw: list[Tensor], run: Pass, output) -> Explanation:
    size = run.image.shape[-2:]
    maps = [rescale(m.relu() if method.relu else m, size) for m in raw]
    return Explanation(
        maps=torch.stack(maps).mean(0).cpu().numpy(),  # L x (B, H, W) -> (B, H, W)
        logits=output,
        targets=run.targets,
        raw=[m.cpu() for m in raw],
    )


@dataclass(eq=False)
class Pass:
    """What a forward pass has left: the output, and those of the target layers."""

    model: nn.Module
    image: Tensor  # (B, C, H, W)
    output: object  # logits (B, n) as a rule, with the graph from the first layer on
    outputs: dict[nn.Module, Tensor]  # of each target layer, as it gave them
    targets: list[Target]
    values: Tensor  # (B,): y, with its graph
    _found: dict[tuple, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, model: nn.Module, image: Tensor, layers: list, targets=None) -> Pass:
        """Run the model once, in the mode that it is in."""
        output, outputs = record(model, image, layers)
        targets = check_targets(targets, output, len(image))
        with torch.enable_grad():
            values = target_values(output, targets)
        if not values.requires_grad:
            name = layer_name(model, layers[0])
            raise ValueError(f"the logits do not depend on {name}")
        return cls(model, image, output, outputs, targets, values)

    def gradients(self, values: Tensor, layers: list[nn.Module]) -> list[Tensor]:
        """d values / d output of each layer; kept for the next method that asks."""
        missing = [x for x in dict.fromkeys(layers) if (values, x) not in self._found]
        if missing:
            inputs = [self.outputs[layer] for layer in missing]
            found = torch.autograd.grad(
                values.sum(), inputs, allow_unused=True, retain_graph=True
            )
            for layer, gradient in zip(missing, found, strict=True):
                if gradient is None:
                    name = layer_name(self.model, layer)
                    raise ValueError(f"the logits do not depend on {name}")
                self._found[values, layer] = gradient
        return [self._found[values, layer] for layer in layers]

    def lay_out(self, output: Tensor, values: Tensor, grid: Grid | None) -> Tensor:
        """Values of the shape of a layer's `output` -> (B, K, h, w)."""
        return find_layout(output, tuple(self.image.shape[-2:]), grid)(values)


def record(
    model: nn.Module, image: Tensor, layers: list[nn.Module]
) -> tuple[object, dict[nn.Module, Tensor]]:
    """One forward pass: the output, and that of each target layer."""
    outputs: dict[nn.Module, Tensor] = {}
    with hooked(layers, lambda layer, x: _keep(model, layer, x, outputs)):
        with torch.no_grad():
            output = model(image)
    for layer in layers:
        if layer not in outputs:
            name = layer_name(model, layer)
            raise ValueError(f"{name} did not run in the forward pass")
        if outputs[layer].shape[0] != len(image):
            shape = tuple(outputs[layer].shape)
            name = layer_name(model, layer)
            raise ValueError(f"{name} gave {shape} for {len(image)} images")
    return output, outputs


def _keep(model: nn.Module, layer: nn.Module, output, outputs: dict) -> Tensor:
    """Keep the output, and from there on have the graph recorded. What follows gets a
    clone, as an in-place ReLU would write on it."""
    if not isinstance(output, Tensor) or output.ndim not in (3, 4):
        name = layer_name(model, layer)
        text = "expected (B, K, h, w) or tokens (B, N, K)"
        raise ValueError(f"{name} gave {kind(output)}, {text}")
    torch.set_grad_enabled(True)  # until the forward pass's no_grad ends
    if not output.requires_grad:
        output = output.detach().requires_grad_()  # the graph begins here
    outputs[layer] = output
    return output.clone()


@contextmanager
def hooked(
    modules: Iterable[nn.Module], change: Callable[[nn.Module, Tensor], Tensor | None]
) -> Iterator[None]:
    """Within it, each of the modules gives what `change(module, output)` makes of its
    output, or the output itself where that is None."""
    hooks = []
    try:
        for module in modules:
            hook = module.register_forward_hook(lambda m, _, x: change(m, x))
            hooks.append(hook)
        yield
    finally:
        for hook in hooks:
            hook.remove()


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
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Set `training` to False in each module and back to what each one had."""
    flags = [(module, module.training) for module in model.modules()]
    try:
        for module, _ in flags:
            module.training = False
        yield
    finally:
        for module, training in flags:
            module.training = training


def layer_name(model: nn.Module, layer: nn.Module) -> str:
    """Name a target layer for an error message."""
    names = {id(module): name for name, module in model.named_modules()}
    return f"target layer {names.get(id(layer)) or kind(layer)!r}"


# ----------------------------------------------------------- where the places are


def find_layout(
    output: Tensor, size: Grid, grid: Grid | None = None
) -> Callable[[Tensor], Tensor]:
    """Find the function that lays the output of a layer out as (B, K, h, w).

    A convolution gives that, a Swin block (B, h, w, K), a Vision Transformer (B, N, K):
    first its class and register tokens, then the patches row by row.

    `size` is the image's, (H, W). `grid` tells rows and columns of the places; without
    it, (B, a, b, c) is channels last only where a x b has the shape of the image and b
    x c has not, and N tokens of a square image are the largest square that fits, behind
    N less its places of other tokens. Raises ValueError, naming the layer's shape,
    where neither is so.
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
