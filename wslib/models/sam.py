"""One `SamPredictor` from a name: `sam_tiny`, the published SAMs, MobileSAM.

`sam_tiny` comes with this package and needs no network. The weights of the others lie
in `$WSLIB_DATA/sam`, are downloaded when they are missing, and are read without running
any code that a file may hold. Every complaint is one line that names the file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam

from wslib.data.download import fetch
from wslib.models.checkpoints import load_weights, naming, read_checkpoint
from wslib.models.published import MOBILE, PUBLISHED, SAMS
from wslib.runtime.device import pick_device
from wslib.runtime.kept import alone
from wslib.runtime.project import note_dependency

MARKS = {  # a weight that tells a network from the others, and its last dimension
    "sam_tiny": ("image_encoder.stem.0.0.weight", 3),
    "vit_b": ("image_encoder.pos_embed", 768),
    "vit_l": ("image_encoder.pos_embed", 1024),
    "vit_h": ("image_encoder.pos_embed", 1280),
    "mobile_sam": ("image_encoder.patch_embed.seq.0.c.weight", 3),
}


def sam_predictor(
    name: str = "sam_tiny",
    device: str | torch.device = "auto",
    checkpoint: Path | str | None = None,
) -> SamPredictor:
    """The predictor of a SAM with trained weights, on `device` in eval mode.

    `name` is one of `SAMS`: `sam_tiny` (`wslib.models.sam_tiny`); `vit_b`, `vit_l`,
    `vit_h` (Kirillov et al. 2023, https://arxiv.org/abs/2304.02643); `mobile_sam`
    (Zhang et al. 2023, https://arxiv.org/abs/2306.14289), whose package must be
    installed, and whose predictor is that package's own class. `checkpoint` is a file
    with weights of the same network, instead of the published ones: a `state_dict`, or
    a dictionary that holds one as `model`.

    Raises ValueError for an unknown name or device and for a file that is damaged or
    holds another network; FileNotFoundError for a `checkpoint` that is not there;
    RuntimeError where a download fails or a package is missing.
    """
    build, predictor = _architecture(name)
    device = pick_device(str(device))
    if checkpoint is None:
        checkpoint = weights_file(name)
    sam = _load(name, build, Path(checkpoint))
    return predictor(sam.to(device))


def weights_file(name: str) -> Path:
    """The file with the trained weights of a SAM, downloaded if it is not there.

    The checksum is verified either way. Raises ValueError for an unknown name,
    RuntimeError for a file that is not the published one and where a download fails.
    """
    _check(name)
    if name not in PUBLISHED:
        from wslib.models.sam_tiny import WEIGHTS

        return WEIGHTS
    weights = PUBLISHED[name]
    path, expected = weights.path, (weights.checksum, weights.size)
    if path.exists():
        return fetch(weights.url, path, *expected)
    try:
        with alone(path):
            return fetch(weights.url, path, *expected)
    except RuntimeError as error:
        text = f"{name} is expected in {path.absolute()}, and sam_tiny needs no file"
        raise RuntimeError(f"{error}; {text}") from None


def _check(name: str) -> None:
    if name not in SAMS:
        raise ValueError(f"unknown SAM {name!r}, expected one of {', '.join(SAMS)}")


def _architecture(name: str) -> tuple[Callable[[], Sam], type]:
    """Return the builder of the network, with random weights, and its predictor's
    class."""
    _check(name)
    if name == "sam_tiny":
        from wslib.models.sam_tiny import build_sam_tiny

        return build_sam_tiny, SamPredictor
    if name != "mobile_sam":
        return sam_model_registry[name], SamPredictor
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it imports, about old names
            import mobile_sam
    except ImportError as error:
        text = f"`pip install timm git+{MOBILE}.git`, or use sam_tiny"
        raise RuntimeError(f"mobile_sam: no such package ({error}); {text}") from None
    return mobile_sam.sam_model_registry["vit_t"], mobile_sam.SamPredictor


def _load(name: str, build: Callable[[], Sam], path: Path) -> Sam:
    """The network with the weights of a file; nothing is built for a wrong one."""
    content = read_checkpoint(path)
    with naming(path):
        state = content.get("model", content)
        kind = _kind(state)
        if kind != name:
            raise ValueError(f"holds the weights of {kind}, expected those of {name}")
        sam = build()
        sam.name = name  # for what `load_weights` says
        load_weights(sam, state)
    note_dependency(path)
    return sam.eval()  # MobileSAM derives a table from its weights here


def _kind(state: object) -> str:
    """The name of the network that these weights are of."""
    state = state if isinstance(state, Mapping) else {}
    for name, (key, side) in MARKS.items():
        if getattr(state.get(key), "shape", ())[-1:] == (side,):
            return name
    raise ValueError(f"not the weights of a SAM, expected {', '.join(SAMS)}")
