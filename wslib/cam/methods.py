"""The methods that take one forward pass: they differ in one line, their `combine`.

Two more families take more than that: `masking` asks the network again, `guided` goes
back to the pixels. Left out are variants that `Smoothed` makes of any method (Smooth
Grad-CAM++, SS-CAM, IS-CAM), FullGrad, whose sum over all biases shows no single line,
and kernels and clusters of activations in Eigen-CAM's place.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wslib.cam.engine import ClassActivationMap, Pass, layer_name
from wslib.cam.targets import kind


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
    `logits = head(mean of A)`, which is verified at each call, and classes as targets.
    `head` is by default the model's last linear layer.
    """

    def __init__(
        self, model, target_layers, relu=True, head: nn.Linear | None = None, grid=None
    ):
        super().__init__(model, target_layers, relu, grid)
        linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
        if head is None and not linear:
            raise ValueError("CAM needs a linear head and the model has none")
        self.head = linear[-1] if head is None else head

    def gradients(self, run: Pass) -> list[Tensor]:
        """Rows of the head in the gradient's place: (B, K, h, w)."""
        if any(map(callable, run.targets)):
            raise ValueError("CAM explains classes, no functions: use GradCAM")
        activations = self.activations(run)
        for layer, A in zip(self.target_layers, activations, strict=True):
            if not self._explains(run.output.detach(), A.mean((2, 3))):
                raise ValueError(
                    "CAM needs logits = head(mean of A), which "
                    f"{layer_name(self.model, layer)} does not give: use GradCAM"
                )
        rows = self.head.weight.detach()[run.targets][:, :, None, None]  # (B, K, 1, 1)
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
    """HiResCAM: the gradient weighs each place by itself, as the base does.

    `L = sum_k g_k * A_k` (Draelos & Carin 2020,
    https://arxiv.org/abs/2011.08891; their maps have no ReLU: `relu=False`).
    """


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


class XGradCAM(ClassActivationMap):
    """XGrad-CAM: the gradient's mean over all places, weighted by the activation.

    `L = sum_k w_k A_k` with `w_k = sum_ij g_kij A_kij / sum_ij A_kij` (Fu et al. 2020,
    equation 8, https://arxiv.org/abs/2008.02312), and 0 where a channel sums to 0.
    """

    def combine(self, A: Tensor, g: Tensor) -> Tensor:
        total = A.sum((2, 3))  # (B, K)
        w = torch.where(total == 0, 0, (g * A).sum((2, 3)) / total)
        return torch.einsum("bk,bkhw->bhw", w, A)


class EigenCAM(ClassActivationMap):
    """Eigen-CAM: what all channels have most in common; no class is asked for.

    `L = sum_k v_k A_k` with `v` the first right singular vector of A as a matrix of
    places x channels, not centred (Muhammad & Yeasin 2020, equation 4,
    https://arxiv.org/abs/2008.00299). A vector's sign is arbitrary; here the map's sum
    is positive. The eigenvectors are those of the smaller of the two products.
    """

    def gradients(self, run: Pass) -> list[Tensor]:
        """Nothing goes back: zeros, without memory, in the gradient's place."""
        return [A.new_zeros(()).expand_as(A) for A in self.activations(run)]

    def combine(self, A: Tensor, g: Tensor) -> Tensor:
        """Project on the first right singular vector, (B, h, w)."""
        rows = A.flatten(2)  # (B, K, h w)
        if A.shape[1] <= rows.shape[2]:
            v = torch.linalg.eigh(rows @ rows.mT).eigenvectors[:, None, :, -1]
        else:
            u = torch.linalg.eigh(rows.mT @ rows).eigenvectors[:, None, :, -1]
            v = F.normalize(u @ rows.mT, dim=2)  # (B, 1, K)
        L = (v @ rows).unflatten(2, A.shape[2:])[:, 0]  # (B, h, w)
        return torch.where(L.sum((1, 2), keepdim=True) < 0, -L, L)


class FinerCAM(GradCAM):
    """Finer-CAM: what speaks for a class rather than for those most like it.

    Grad-CAM of `y_c - strength * mean of y_d` over the `others` classes `d` whose
    logits are nearest to that of `c` (Zhang et al. 2025, equation 6,
    https://arxiv.org/abs/2501.11309; there, too, `strength` is 0.6 and `others` 3).
    """

    def __init__(
        self, model, target_layers, relu=True, strength=0.6, others=3, grid=None
    ):
        super().__init__(model, target_layers, relu, grid)
        self.strength, self.others = strength, others

    def value(self, run: Pass) -> Tensor:
        """The difference of logits, (B,). Raises ValueError for other targets than
        classes."""
        if any(map(callable, run.targets)):
            raise ValueError("FinerCAM compares classes, no functions: use GradCAM")
        if run.output.shape[1] < 2:
            raise ValueError(f"{kind(run.output)} has one class, expected 2 or more")
        far = (run.output.detach() - run.values.detach()[:, None]).abs()  # (B, n)
        far[range(len(far)), run.targets] = torch.inf
        nearest = far.topk(min(self.others, far.shape[1] - 1), largest=False).indices
        with torch.enable_grad():
            others = run.output.gather(1, nearest).mean(1)
            return run.values - self.strength * others
