"""What `--json` prints: valid JSON, and nothing beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path


def print_json(content: object) -> None:
    """Print what a program reads. A number that is not finite is null."""
    print(json.dumps(plain(content), indent=1, allow_nan=False))


def plain(value: object) -> object:
    """What JSON can hold: NumPy's numbers and arrays as Python's, paths as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
