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
from wslib.cam.named_methods import METHODS
from wslib.cam.smoothing import Smoothed

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
