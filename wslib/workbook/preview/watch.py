"""Which files of a project have been saved, as the file system tells."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

import watchfiles

PAUSE = 200  # milliseconds that one waits for a change
STEP = 50  # milliseconds without a change that end one: editors write in two steps


class Watch:
    """The files below `root` that match `patterns`, such as `chapters/*.py`;
    `*` stands for folders in it too, as far as these exist already.

    Where the file system tells nothing, as over a network, set
    WATCHFILES_FORCE_POLLING=1.
    """

    def __init__(self, root: Path, patterns: Iterable[str]):
        self.root, self.patterns = root.resolve(), list(patterns)
        self._events = watchfiles.watch(
            *self._folders(), recursive=False, watch_filter=self._matches,
            step=STEP, rust_timeout=PAUSE, yield_on_timeout=True,
        )  # fmt: skip
        next(self._events)  # begins; from here on nothing is missed

    def changes(self) -> set[str]:
        """Wait for a moment; return the names, relative to `root`, of what was written,
        made or removed since the last call."""
        return {self._name(path) for _, path in next(self._events)}

    def _matches(self, change: watchfiles.Change, path: str) -> bool:
        patterns = (pattern.replace("**/", "*") for pattern in self.patterns)
        hidden = Path(path).name.startswith(".")
        return not hidden and any(fnmatch(self._name(path), p) for p in patterns)

    def _name(self, path: str) -> str:
        return Path(path).relative_to(self.root).as_posix()

    def _folders(self) -> set[Path]:
        """Return the folders in which files may match. Not all below the root are
        asked for: there are tens of thousands in an environment."""
        found = set()
        for pattern in self.patterns:
            folder, _, rest = pattern.rpartition("/")
            place = self.root / folder.removesuffix("/**")
            found |= {place, *place.rglob("*/")} if "**" in folder else {place}
        return {f for f in found if f.is_dir() and f.name != "__pycache__"}
