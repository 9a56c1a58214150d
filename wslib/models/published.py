"""What others publish and this package downloads: files, sizes, sources.

Importing this costs nothing, so that the command line and `wslib doctor` can read it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wslib.data.folders import data_root

META = "https://dl.fbaipublicfiles.com/segment_anything/"
MOBILE = "https://github.com/ChaoningZhang/MobileSAM"


@dataclass(frozen=True)
class Weights:
    """A published file: where it comes from, its size in bytes, what is expected."""

    url: str
    size: int
    checksum: str
    parameters: int  # of the network, without buffers

    @property
    def path(self) -> Path:
        """Where it lies on this machine, or would."""
        return data_root() / "sam" / self.url.rsplit("/", 1)[1]


PUBLISHED = {  # SAM's
    "vit_b": Weights(
        f"{META}sam_vit_b_01ec64.pth",
        375_042_383,
        "md5:01ec64d29a2fca3f0661936605ae66f8",
        93_735_472,
    ),
    "vit_l": Weights(
        f"{META}sam_vit_l_0b3195.pth",
        1_249_524_607,
        "md5:0b3195507c641ddb6910d2bb5adee89c",
        312_342_832,
    ),
    "vit_h": Weights(
        f"{META}sam_vit_h_4b8939.pth",
        2_564_550_879,
        "md5:4b8939a88964f0f4ff5f5b2642c598a6",
        641_090_608,
    ),
    "mobile_sam": Weights(
        f"{MOBILE}/raw/master/weights/mobile_sam.pt",
        40_728_226,
        "sha256:6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
        10_130_092,
    ),
}
SAMS = ("sam_tiny", *PUBLISHED)
HUB_URL = "https://download.pytorch.org/models/"
HUB = {  # torchvision's, of ImageNet: the file, and its size in MB
    "resnet18": ("resnet18-f37072fd.pth", 44.7),
    "resnet50": ("resnet50-0676ba61.pth", 97.8),
    "alexnet": ("alexnet-owt-7be5be79.pth", 233.1),
}
FETCH = "wslib.data.fetch.fetch_data_set"


def hub_folder() -> Path:
    """Where torch keeps what it downloads, as `torch.hub.get_dir` says."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return Path(os.path.expanduser(home)) / "hub"


def list_downloads() -> dict[str, dict]:
    """List what the values of the chapters' parameters stand for on the network.

    Value -> `what` it is, its `size` in words, `path` of what comes of it `below`
    "data" ($WSLIB_DATA) or "torch" (the folder of its weights), what will do `instead`
    of that, and the function that is to `fetch` it first by its name, a dotted name
    itself; None if the chapter fetches it.
    """
    from wslib.data.download import mebibytes

    rows = _data_sets()
    for name, (file, size) in HUB.items():
        rows[name] = _row(f"weights of {name}", f"{size} MB", "torch", file)
    for name, weights in PUBLISHED.items():
        path = f"sam/{weights.path.name}"
        size = mebibytes(weights.size)
        rows[name] = _row(f"weights of SAM {name}", size, "data", path)
    return rows


def _data_sets() -> dict[str, dict]:
    from wslib.data.download import mebibytes
    from wslib.data.fetch import SOURCES

    rows = {}
    for name, sources in SOURCES.items():
        sizes, first = [source.size for source in sources], sources[0]
        size = mebibytes(sum(sizes)) if all(sizes) else "size unknown"
        size = f"{first.about} MiB" if first.about else size
        rows[name] = _row(first.title, size, "data", first.folder, FETCH)
        rows[name]["instead"] = first.instead and str(first.instead)
    return rows


def _row(what: str, size: str, below: str, path, fetch: str | None = None) -> dict:
    return {
        "what": what, "size": size, "below": below, "path": str(path), "fetch": fetch,
        "instead": None,
    }  # fmt: skip
