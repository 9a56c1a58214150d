"""Pictures from elsewhere: three that packages ship, and those in a reader's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wslib.data.backgrounds import photograph_path
from wslib.data.caltech import LABELS
from wslib.data.image_files import SUFFIXES
from wslib.data.images import read_or_complain
from wslib.runtime.project import note_dependency

SHIPPED = {"astronaut.png": "face", "motorcycle_right.png": "motorcycle",
           "coffee.png": ""}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Stranger:
    """A picture (H, W, 3) uint8 RGB, upright, and what it shows: one of `LABELS`, or
    "" for something else or not known."""

    name: str
    image: np.ndarray
    label: str

    def is_right(self, said: str) -> bool | None:
        """Whether that is its label; None where it has none."""
        return said == self.label if self.label else None


def read_strangers(folder: Path | str, limit: int = 9) -> tuple[list[Stranger], str]:
    """The shipped photographs, then the first `limit` pictures below `folder`, by name;
    and a sentence on those that were left out, or "".

    What lies in a folder of the name of a label shows that: `own/face/me.jpg`. There
    need not be a folder.
    """
    folder = Path(folder)
    found = [(photograph_path(name), label) for name, label in SHIPPED.items()]
    if folder.is_dir():
        note_dependency(folder)
        files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
        labels = [p.parent.name if p.parent.name in LABELS else "" for p in files]
        found += zip(files, labels, strict=True)
    strangers, unreadable = [], []
    for path, label in found[: len(SHIPPED) + limit]:
        image = read_or_complain(path)
        if isinstance(image, str):
            unreadable.append(_name(path))
        else:
            strangers.append(Stranger(_name(path), image, label))
    return strangers, _left_out(unreadable, len(found) - len(SHIPPED) - limit)


def _name(path: Path) -> str:
    """The file's name; what is no text in it, from an old disk, as \\udce9."""
    return path.name.encode("utf-8", "backslashreplace").decode("utf-8")


def _left_out(unreadable: list[str], more: int) -> str:
    parts = [f"no readable pictures: {', '.join(unreadable)}"] if unreadable else []
    parts += [f"{more} more than are shown"] if more > 0 else []
    return f"Left out: {'; '.join(parts)}." if parts else ""
