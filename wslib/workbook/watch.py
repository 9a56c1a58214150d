"""Which files of a project have been saved: time stamps, looked at again and again."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PAUSE = 0.05  # seconds between two looks while something is being written
PATIENCE = 0.5  # seconds that a file may be gone, as editors rename, or still grow


class Watch:
    """The files below `root` that match `patterns`, such as `chapters/*.py`."""

    def __init__(self, root: Path, patterns: Iterable[str]):
        self.root, self.patterns = root, list(patterns)
        self._known = self._look()

    def changes(self) -> set[str]:
        """The names, relative to `root`, of what was written, made or removed since the
        last call. Editors write in two steps, or beside and rename: nothing is returned
        before the files rest."""
        now = self._look()
        if now == self._known:
            return set()
        before, self._known = self._known, self._rested(now)
        names = {*before, *self._known}
        return {name for name in names if before.get(name) != self._known.get(name)}

    def _rested(self, now: dict) -> dict:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(PAUSE)
            last, now = now, self._look()
            if now == last and now.keys() >= self._known.keys():
                break
        return now

    def _look(self) -> dict[str, tuple[int, int, int]]:
        seen = {}
        for pattern in self.patterns:
            for name in glob.iglob(pattern, root_dir=self.root, recursive=True):
                with suppress(OSError):  # gone between the two calls
                    seen[name] = signature(self.root / name)
        return seen


def signature(file: Path) -> tuple[int, int, int]:
    """What differs after `file` has been written: inode, size, nanoseconds."""
    status = os.stat(file)
    return status.st_ino, status.st_size, status.st_mtime_ns
