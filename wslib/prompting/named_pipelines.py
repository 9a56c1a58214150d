"""Pipelines by name: how the prompt is made, and what is done to its mask."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from wslib.models.sam import sam_predictor
from wslib.prompting.pipelines import (
    BasicSamPipeline,
    BoxPipeline,
    ForegroundBackgroundPipeline,
    ForegroundPipeline,
    MirroredPipeline,
    PointsBoxPipeline,
    RefinedPipeline,
)
from wslib.prompting.points import background_points, innermost, prompt_box
from wslib.prompting.prompter import Prompter

FINDERS = {"foreground": innermost, "background": background_points, "box": prompt_box}
PIPELINES = {  # and which of FINDERS make their prompts
    "centre": (BasicSamPipeline, ()),
    "points": (ForegroundPipeline, ("foreground",)),
    "points+background": (ForegroundBackgroundPipeline, ("foreground", "background")),
    "box": (BoxPipeline, ("box",)),
    "points+box": (PointsBoxPipeline, ("foreground", "box")),
}
ENDINGS = {  # of a name: a pipeline around the pipeline
    "+mask": RefinedPipeline,  # the first mask is a part of a second prompt
    "+mirror": MirroredPipeline,  # the mirror image is segmented, too
}


def check_pipeline(name: str) -> None:
    """Raise ValueError for a name that is not there, before anything is loaded."""
    if _split(name)[0] not in PIPELINES:
        text = f"expected one of {', '.join(PIPELINES)}, each also with "
        raise ValueError(f"pipeline {name!r}, {text}{' or '.join(ENDINGS)}")


def open_pipeline(
    name: str, sam: str, sam_file: Path | None, threshold: float, device: str
) -> BasicSamPipeline:
    """Open one of `PIPELINES`, with or without one of `ENDINGS`, that keeps one image
    encoded, in front of a SAM with the weights of `sam_file`, by default its own.

    `threshold` is the share of a map's maximum from which it is a part of the object.
    Raises ValueError for one that is not above 0 and at most 1; errors as
    `check_pipeline` and `wslib.models.sam.sam_predictor`.
    """
    check_pipeline(name)
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold}: expected above 0, at most 1")
    name, ending = _split(name)
    kind, finders = PIPELINES[name]
    bound = {what: partial(FINDERS[what], threshold=threshold) for what in finders}
    pipeline = kind(Prompter(sam_predictor(sam, device, sam_file), keep=2), **bound)
    return ENDINGS[ending](pipeline) if ending else pipeline


def _split(name: str) -> tuple[str, str]:
    """Split off the ending of a name, or an empty one."""
    ending = next((ending for ending in ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending), ending
