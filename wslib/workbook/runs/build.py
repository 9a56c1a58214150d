"""Where the results of a profile lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wslib.runtime.kept import digest
from wslib.workbook.sources.chapter import Chapter


@dataclass(frozen=True)
class Build:
    """Where things lie: `build/<profile>` below the folder of the project, or another
    `place` there."""

    profile: str
    root: Path = Path(".")
    place: Path | None = None

    @property
    def folder(self) -> Path:
        return self.root / (self.place or Path("build", self.profile))

    def file(self, chapter: Chapter, suffix: str) -> Path:
        return self.folder / f"{chapter.name}{suffix}"

    def failed(self, chapter: Chapter) -> Path:
        return self.folder / "failed" / f"{chapter.name}.ipynb"

    def results(self, chapter: Chapter) -> Path:
        """Where a run leaves its tables and figures, until it has succeeded."""
        return self.failed(chapter).with_suffix("")

    def aside(self, chapter: Chapter, parameters: dict) -> Path:
        """Where the results of other parameters wait to be asked for again."""
        return self.folder / "aside" / f"{chapter.name}-{digest(parameters)}"

    def parameter_file(self, chapter: Chapter) -> Path:
        """What the profile sets in the chapter, if that file is there."""
        return self.root / "params" / self.profile / f"{chapter.name}.yml"
