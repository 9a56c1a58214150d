"""Freed memory stays with the process, so that the next large array costs no pages."""

import os
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
{first}
import numpy as np
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    a = np.empty(40_000_000, np.uint8); a.fill(1); del a
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


def page_faults(first: str) -> int:
    """Of the second array of 40 MB; with pages of 4 kB, these are 10,000."""
    small = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS.format(first=first)],
        capture_output=True,
        text=True,
        env=small,
    )
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_the_second_large_array_takes_no_new_pages():
    from wslib.runtime.memory import keep_freed_memory

    if not keep_freed_memory():
        pytest.skip("this C library has no mallopt")
    assert page_faults("import wslib") < 100
    assert page_faults("") > 1000


def test_does_nothing_elsewhere(monkeypatch):
    from wslib.runtime import memory

    monkeypatch.setattr(memory.sys, "platform", "darwin")
    monkeypatch.setattr(memory.ctypes, "CDLL", None)  # would fail if it were called
    assert memory.keep_freed_memory() is False
