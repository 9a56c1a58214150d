"""Who may work in `build/<profile>`: one make with all that it starts, others wait.

A make tells its commands its process id in `$WSLIB_MAKE`; a command that is called by
hand, and a preview that joins new prose, speak for themselves. The file `.turn` says
whose turn it is. Who works holds a shared lock of it, which also outlives a make that
was killed: what that left running is waited for.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ImportError:  # Windows, where there is no make either
    fcntl = None

MAKE = "WSLIB_MAKE"
PAUSE = 0.2  # seconds between two looks


@contextmanager
def our_turn(folder: Path) -> Iterator[None]:
    """Wait, and say so, until no other make works in `folder`; then hold others off
    until this one has ended."""
    if fcntl is None:
        yield
        return
    pid = os.environ.get(MAKE) or str(os.getpid())
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".turn", "a+", encoding="ascii", errors="replace") as file:
        for look in itertools.count():
            if _enter(file, _process(pid) or pid):
                break
            if look == 1:
                said = f"{folder}: another make is at work there; waiting for its end"
                print(said, file=sys.stderr, flush=True)
            time.sleep(PAUSE)
        try:
            yield
        finally:
            if MAKE not in os.environ:
                file.truncate(0)


def _enter(file: TextIO, us: str) -> bool:
    """Whether it is our turn; then the file says so, and is locked for us."""
    alone = True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        alone = False
    except OSError:  # a file system without locks
        return True
    file.seek(0)
    them = file.read().strip()
    if them != us:
        if not alone or (them and _process(them.split()[0]) == them):
            fcntl.flock(file, fcntl.LOCK_UN)
            return False
        file.truncate(0)
        file.write(us)
        file.flush()
    fcntl.flock(file, fcntl.LOCK_SH)
    return True


def _process(pid: str) -> str:
    """The process of this id, told from an earlier one by its start where the system
    says when that was; "" if there is none, or one that has ended and that nobody has
    asked for (in a container without `init` nobody does)."""
    with suppress(OSError, IndexError, ValueError):
        facts = Path("/proc", pid, "stat").read_text(encoding="utf-8", errors="replace")
        state, *more = facts.rpartition(")")[2].split()
        return f"{pid} {more[18]}" if state != "Z" else ""
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return pid
    except (OSError, ValueError, OverflowError):
        return ""
    return pid
