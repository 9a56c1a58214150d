"""Which device to compute on."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import torch


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name`: "auto" (a GPU if there is one), "cpu", "cuda",
    "cuda:1", "mps". Raises ValueError for one that this machine lacks.

    The process then keeps freed memory for reuse, which saves a network on the CPU up
    to two thirds of its time. While the build runs a chapter, the device is noted for
    its provenance.
    """
    _keep_freed_memory()
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


def _keep_freed_memory() -> None:
    """Have glibc reuse large blocks instead of handing them back to the system.

    Each layer's output is such a block. Mapping it anew costs page faults that take
    longer than the layer: EfficientNet-Lite0 on two idle cores, 16 images of 448
    pixels, took 145 to 160 ms an image, and 48 to 53 ms with this. (`man mallopt`)
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
