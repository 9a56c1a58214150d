"""Guided Grad-CAM: the pixels that matter, where Grad-CAM says that the class is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wslib.cam.engine import Pass, eval_mode, hooked, rescale
from wslib.cam.methods import GradCAM
from wslib.cam.targets import check_targets, target_values

RELUS = (nn.ReLU, nn.ReLU6)


class GuidedGradCAM(GradCAM):
    """Guided Grad-CAM: the map, as large as the image, times guided gradients.

    `L = Grad-CAM * max over colours of |guided gradient|` (Selvaraju et al. 2017,
    section 3.2, https://arxiv.org/abs/1610.02391, who show the colours). Fine, and
    misleading: guided gradients follow the edges of the picture and hardly change with
    the network (Adebayo et al. 2018, https://arxiv.org/abs/1810.03292).

    Cost: a second forward pass and a backward pass down to the pixels. `raw` is (B, H,
    W). Raises ValueError for a model without a module ReLU or ReLU6.
    """

    def raw_maps(self, run: Pass) -> list[Tensor]:
        maps = super().raw_maps(run)
        fine = guided_gradients(self.model, run.image, run.targets)  # (B, C, H, W)
        fine = fine.abs().amax(1)  # (B, H, W)
        return [rescale(m.relu(), fine.shape[1:]) * fine for m in maps]


def guided_gradients(model: nn.Module, image: Tensor, targets=None) -> Tensor:
    """The gradient of the targets with respect to the pixels, (B, C, H, W), through
    ReLUs that let only positive gradients pass (Springenberg et al. 2015, equation 6,
    https://arxiv.org/abs/1412.6806). Targets and errors as `ClassActivationMap`."""
    relus = [module for module in model.modules() if isinstance(module, RELUS)]
    if not relus:
        raise ValueError("the model has no module ReLU, expected one to guide through")
    image = image.detach().requires_grad_()
    with eval_mode(model), hooked(relus, _guide), torch.enable_grad():
        output = model(image)
        values = target_values(output, check_targets(targets, output, len(image)))
        return torch.autograd.grad(values.sum(), image)[0]


def _guide(_, output: Tensor) -> None:
    if output.requires_grad:
        output.register_hook(torch.relu)
