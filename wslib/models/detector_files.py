"""Detectors in files: which network it is, its classes, and its weights."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

from wslib.models.checkpoints import (
    load_weights,
    naming,
    plain,
    read_checkpoint,
    save_checkpoint,
)
from wslib.models.detectors import NETWORKS, Detector, build_detector

FORMAT = "wslib detector 1"
KINDS = {"network": str, "classes": list, "options": dict, "bfloat16": bool}


def about_detector(detector: Detector, classes: Sequence[str]) -> dict:
    """What `load_detector` must know of a detector of `build_detector` beside its
    weights. Raises ValueError unless there is a name, each once, for each output."""
    outputs = detector.classify[-1].out_features
    if outputs != len(classes) or len(set(classes)) < outputs:
        text = f"{outputs} outputs for the classes {', '.join(classes)}: "
        raise ValueError(text + "expected a name, each once, for each output")
    options = {**detector.options, "input_size": detector.input_size}
    about = {"format": FORMAT, "network": detector.name, "classes": list(classes)}
    return about | {"options": options, "bfloat16": detector.bfloat16}


def save_detector(
    path: Path | str, detector: Detector, classes: Sequence[str], **about
) -> None:
    """Write a detector, the names of its classes in the order of its outputs, and what
    else is known `about` it. Raises ValueError, as `about_detector`, and for an `about`
    that JSON cannot hold."""
    with naming(path):
        about = plain({**about, **about_detector(detector, classes)})
    save_checkpoint(path, detector, **about)


def load_detector(path: Path | str) -> tuple[Detector, dict]:
    """The detector in a file that `save_detector` or a training run wrote (`best.pt`,
    or `last.pt` with the last epoch's weights), on the CPU in eval mode, and what is
    known about it: `network`, `classes`, `options`, and what else was saved. Nothing is
    downloaded.

    Raises FileNotFoundError or ValueError, one line that names the file.
    """
    content = read_checkpoint(path)
    if isinstance(content.get("run"), dict):  # last.pt: what best.pt says is in there
        content = {**content["run"], "model": content.get("model")}
    with naming(path):
        if content.get("format") != FORMAT:
            raise ValueError(f"no detector: its format is {content.get('format')!r}")
        for key, kind in KINDS.items():
            if not isinstance(content.get(key), kind):
                raise ValueError(f"a detector without its {key}")
        detector = _without_download(content["network"], content["options"])
        about_detector(detector, content["classes"])
        load_weights(detector, content.pop("model", None))
    detector.options, detector.bfloat16 = content["options"], content["bfloat16"]
    return detector, content


def _without_download(network: str, options: dict) -> Detector:
    known = inspect.signature(NETWORKS.get(network, build_detector)).parameters
    never = {"pretrained": False} if "pretrained" in known else {}
    return build_detector(network, **{**options, **never})
