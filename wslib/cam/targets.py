"""What a map explains: a class, or any number that is computed of a model's output.

A target is the index of a class or a function that takes the output for *one* image and
gives a scalar: the difference of two logits, the mean of a mask that a network of
segmentation has drawn, a corner of a box.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

Target = int | Callable[..., Tensor]


def each_tensor(output, change: Callable[[Tensor], object]):
    """Change each tensor of an output: of a tensor, a dictionary or a sequence."""
    if isinstance(output, Tensor):
        return change(output)
    if isinstance(output, Mapping):
        return {key: each_tensor(value, change) for key, value in output.items()}
    if isinstance(output, list | tuple):
        return tuple(each_tensor(value, change) for value in output)
    raise ValueError(f"the model gave {kind(output)}, expected tensors")


def check_targets(targets, output, size: int) -> list[Target]:
    """Make one target for each of `size` images; None is the top class of each, one
    function is that of all. Raises ValueError for targets that do not fit."""
    if callable(targets):
        return [targets] * size
    try:
        if targets is not None:
            targets = targets.tolist() if hasattr(targets, "tolist") else targets
            targets = [t if callable(t) else operator.index(t) for t in targets]
    except TypeError:
        text = f"targets is {targets!r}, expected {size} integers or functions"
        raise ValueError(text) from None
    if targets is not None and len(targets) != size:
        raise ValueError(f"{len(targets)} targets for {size} images, expected one each")
    if targets is None or not all(map(callable, targets)):
        if not isinstance(output, Tensor) or output.shape[:-1] != (size,):
            raise ValueError(f"the model gave {kind(output)}, expected logits (B, n)")
    if targets is None:
        return output.argmax(1).tolist()
    for i, target in enumerate(targets):
        if not callable(target) and not 0 <= target < output.shape[1]:
            n = output.shape[1]
            raise ValueError(f"target {target} of image {i} is not in 0..{n - 1}")
    return targets


def target_values(output, targets: Iterable[Target]) -> Tensor:
    """The value of each target, (B,), of a model's output for B images. Raises
    ValueError for a function that does not give a scalar tensor."""
    targets = list(targets)
    if not any(map(callable, targets)):
        return output[range(len(targets)), targets]
    values = [_value(output, i, target) for i, target in enumerate(targets)]
    return torch.stack(values)


def _value(output, i: int, target: Target) -> Tensor:
    """The value of one target at image `i`, a scalar."""
    one = each_tensor(output, lambda part: part[i])
    value = target(one) if callable(target) else one[target]
    if not isinstance(value, Tensor) or value.numel() != 1:
        text = f"the target of image {i} gave {kind(value)}"
        raise ValueError(f"{text}, expected a tensor of one number")
    return value.reshape(())


def kind(thing) -> str:
    """A short name for an error message."""
    if isinstance(thing, Tensor):
        return f"a tensor of shape {tuple(thing.shape)}"
    return type(thing).__name__
