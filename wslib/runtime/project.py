"""Where the project's folders are, and what a chapter says that runs as a script."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def project_root() -> Path:
    """The folder that holds `chapters/` and `_quarto.yml`: around the chapter that runs
    as a script, else around the current folder; without one, the current folder.

    So that an editor that starts a chapter in `chapters/`, and Jupyter a notebook in
    `notebooks/`, find and leave things where the build does.
    """
    here, script = Path.cwd(), _script()
    for folder in [*(script.parents if script else ()), here, *here.parents]:
        if (folder / "chapters").is_dir() and (folder / "_quarto.yml").is_file():
            return Path() if folder == here else folder
    return Path()


def build_folder() -> Path:
    """What is made now goes here: `$WSLIB_BUILD`, or the project's `build/interactive`,
    where a reader runs a chapter by hand."""
    return Path(os.environ.get("WSLIB_BUILD") or project_root() / "build/interactive")


def results_folder() -> Path:
    """Tables and figures go here: `$WSLIB_RESULTS`, from where the workbook takes those
    of a run that succeeds to the build, or the folder of what is made now."""
    return Path(os.environ.get("WSLIB_RESULTS") or build_folder())


def note_dependency(path: Path | str) -> None:
    """Tell the build that what runs now has read `path`.

    Appends the absolute path, on a line of its own, to the file that
    `$WSLIB_DATA_NOTES` names. Does nothing without that variable.
    """
    notes = os.environ.get("WSLIB_DATA_NOTES")
    if notes:
        with open(notes, "a", encoding="utf-8") as file:
            file.write(f"{Path(path).resolve()}\n")


def tell(text: str) -> None:
    """Print `text` if a chapter runs as a plain script, where nothing shows the last
    value of a cell; notebooks and consoles do, and there nothing is printed."""
    if _script():
        coding = getattr(sys.stdout, "encoding", None) or "utf-8"
        print(text.encode(coding, "replace").decode(coding), flush=True)


def _script() -> Path | None:
    """The chapter that runs outside of IPython, if one does."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    ipython = sys.modules.get("IPython")
    if not file or (ipython and ipython.get_ipython()):
        return None
    script = Path(file).resolve()
    return script if script.parent.name == "chapters" else None
