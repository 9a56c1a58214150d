"""Pictures from elsewhere: three that packages ship, and those in a reader's folder."""

from __future__ import annotations

from collections.abc import Sequence
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
    """A picture (H, W, 3) uint8 RGB, upright, and the class that it shows: "" for none
    of them, None where nobody has said it."""

    name: str
    image: np.ndarray
    label: str | None

    @property
    def truth(self) -> str:
        """The class that it shows, in words."""
        return "not known" if self.label is None else self.label or "none of them"

    def is_right(self, said: str) -> bool | None:
        """Whether that is its label; None where it has none."""
        return said == self.label if self.label else None


def read_strangers(
    folder: Path | str, limit: int = 9, classes: Sequence[str] = LABELS
) -> tuple[list[Stranger], str]:
    """The shipped photographs, then the first `limit` pictures below `folder`, by name;
    and a sentence on those that were left out, or "".

    What lies in a folder of the name of a class shows that: `own/face/me.jpg`. Of
    classes other than `LABELS`, nobody has said whether the shipped ones show them.
    Where there is no folder, the sentence says so.
    """
    folder, known = Path(folder), dict(zip(classes, classes, strict=True))
    if tuple(classes) == tuple(LABELS):
        known[""] = ""
    found = [(photograph_path(n), known.get(label)) for n, label in SHIPPED.items()]
    if folder.is_dir():
        note_dependency(folder)
        files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES]
        found += [(path, known.get(path.parent.name)) for path in files]
    strangers, unreadable = [], []
    for path, label in found[: len(SHIPPED) + limit]:
        image = read_or_complain(path)
        if isinstance(image, str):
            unreadable.append(_name(path))
        else:
            strangers.append(Stranger(_name(path), image, label))
    if not folder.is_dir():
        return strangers, f"There is no folder `{folder}` with pictures of yours."
    return strangers, _left_out(unreadable, len(found) - len(SHIPPED) - limit)


def _name(path: Path) -> str:
    """The file's name; what is no text in it, from an old disk, as \\udce9."""
    return path.name.encode("utf-8", "backslashreplace").decode("utf-8")


def _left_out(unreadable: list[str], more: int) -> str:
    parts = [f"no readable pictures: {', '.join(unreadable)}"] if unreadable else []
    parts += [f"{more} more than are shown"] if more > 0 else []
    return f"Left out: {'; '.join(parts)}." if parts else ""
