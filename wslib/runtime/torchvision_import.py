"""Let torchvision import beside a torch that its compiled part was not built for.

torchvision's wheel for Linux is linked to CUDA. Beside a CPU-only torch its compiled
part does not load, and `import torchvision` then fails on the two operators that it
wants to describe ("operator torchvision::nms does not exist"). Declaring the operators
first is enough for its models, transforms and data sets; calling them still fails.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_libraries = []  # torch forgets the declarations of a library that is collected


def cure_when_imported() -> None:
    """Have the cure applied right before the first `import torchvision`, at no cost
    until then: neither torch nor torchvision is imported here."""
    if "torchvision" not in sys.modules:
        sys.meta_path.insert(0, _BeforeTorchvision())


class _BeforeTorchvision(MetaPathFinder):
    """Finds no module, but is asked for each one first."""

    def find_spec(self, name, path=None, target=None):
        """Cure at the first import of torchvision; find nothing."""
        if name == "torchvision":
            sys.meta_path.remove(self)
            if not _compiled_part_loads():
                _declare_operators()
        return None


def _compiled_part_loads() -> bool:
    import torch

    spec = importlib.util.find_spec("torchvision")
    folder = Path(spec.origin).parent if spec and spec.origin else Path()
    compiled = [*folder.glob("_C*.so"), *folder.glob("_C*.pyd")]
    try:
        torch.ops.load_library(str(compiled[0]))
    except (IndexError, OSError):
        return False
    return True


def _declare_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for schema in OPERATORS:
        library.define(schema)
    _libraries.append(library)
