"""Which device to compute on."""

from __future__ import annotations

import os
from pathlib import Path

import torch


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name`: "auto" (a GPU if there is one), "cpu", "cuda",
    "cuda:1", "mps". Raises ValueError for one that this machine lacks.

    While the build runs a chapter, the device is noted for its provenance.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError):
        raise ValueError(f"device {name!r}: not on this machine (try 'cpu')") from None
    note = os.environ.get("WSLIB_DEVICE_NOTE")
    if note:
        Path(note).write_text(describe(device), encoding="utf-8")
    return device


def describe(device: torch.device) -> str:
    """A few words: "CPU, 2 threads" or "NVIDIA H200"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
    return device.type
