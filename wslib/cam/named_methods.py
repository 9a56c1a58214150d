"""The methods by the names that the command line and the chapters give them."""

from __future__ import annotations

from wslib.cam.engine import ClassActivationMap
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

METHODS: dict[str, type[ClassActivationMap]] = {
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
