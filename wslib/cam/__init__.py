"""Idea 1: where a classifier looks. Heat maps from activations and gradients."""

from wslib.cam.engine import ClassActivationMap, explain_with, rescale
from wslib.cam.guided import GuidedGradCAM
from wslib.cam.masking import AblationCAM, ScoreCAM
from wslib.cam.methods import (
    CAM,
    EigenCAM,
    FinerCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    XGradCAM,
)
from wslib.cam.smoothing import Smoothed

METHODS: dict[str, type[ClassActivationMap]] = {  # as commands and chapters name them
    "gradcam": GradCAM,
    "layercam": LayerCAM,
    "hirescam": HiResCAM,
    "gradcam++": GradCAMPlusPlus,
    "xgradcam": XGradCAM,
    "eigencam": EigenCAM,
    "finercam": FinerCAM,
    "guided": GuidedGradCAM,
    "ablationcam": AblationCAM,
    "scorecam": ScoreCAM,
    "cam": CAM,
}

__all__ = [
    "CAM",
    "METHODS",
    "AblationCAM",
    "ClassActivationMap",
    "EigenCAM",
    "FinerCAM",
    "GradCAM",
    "GradCAMPlusPlus",
    "GuidedGradCAM",
    "HiResCAM",
    "LayerCAM",
    "ScoreCAM",
    "Smoothed",
    "XGradCAM",
    "explain_with",
    "rescale",
]
