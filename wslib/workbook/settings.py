"""What each chapter will run with: defaults, profile, command line and data, checked
before anything runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from wslib.runtime.imports import imported_modules
from wslib.runtime.kept import write_text
from wslib.workbook import params
from wslib.workbook.chapter import Chapter
from wslib.workbook.run import PACKAGE, Build

FOLDERS = "wslib/data/folders.py"  # who imports it depends on where the data lie


def check(
    chapters: list[Chapter],
    build: Build,
    overrides: dict,
    data: str = "",
    classes_in: Callable[[str], Sequence[str]] | None = None,
) -> None:
    """Check the parameters of all `chapters` and write what each will run with to
    `build/<profile>/NAME.json`, touching only the files whose content changes.

    An override counts for each chapter that declares it; one that none declares, like
    any other mistake, raises ParameterError, before any chapter has run. `data` is a
    folder for the knob `dataset` of those that take one; `classes_in` reads the classes
    of a folder, among which the knob `class_name` then chooses.
    """
    if data and not any(map(_takes_data, chapters)):
        names = ", ".join(chapter.name for chapter in chapters)
        raise params.ParameterError(f"DATA={data}: {names} takes no data of one's own")
    for name in overrides:
        if not any(name in chapter.knobs for chapter in chapters):
            allowed = sorted({knob for chapter in chapters for knob in chapter.knobs})
            where = ", ".join(chapter.name for chapter in chapters)
            raise params.ParameterError(params.unknown_name(name, allowed, where))
    resolved = {}
    for chapter in chapters:
        mine = {"dataset": data} if data and _takes_data(chapter) else {}
        resolved[chapter] = resolve(chapter, build, overrides | mine, classes_in)
    for chapter, settings in resolved.items():
        _write_if_changed(build.file(chapter, ".json"), settings)


def _takes_data(chapter: Chapter) -> bool:
    return "dataset" in chapter.knobs and chapter.knobs["dataset"].takes_folder


def resolve(
    chapter: Chapter,
    build: Build,
    overrides: dict,
    classes_in: Callable[[str], Sequence[str]] | None = None,
) -> dict:
    """Defaults, then the profile's YAML, then the overrides that `chapter` declares.
    `classes_in` as in `check`."""
    file, knobs = build.parameter_file(chapter), {**chapter.knobs}
    mine = {name: value for name, value in overrides.items() if name in knobs}
    profile = params.read_yaml(file)
    folder = {**profile, **mine}.get("dataset")
    is_own = _takes_data(chapter) and Path(str(folder)).is_dir()
    if is_own and classes_in and "class_name" in knobs:
        knobs["class_name"] = knobs["class_name"].among(classes_in(folder))
    defaults = {name: knob.default for name, knob in knobs.items()}
    profile = params.check(profile, knobs, str(file))
    mine = params.check(mine, knobs, f"{chapter.name}, command line")
    modules = imported_modules(chapter.path, PACKAGE)
    reads_data = any(module.as_posix().endswith(FOLDERS) for module in modules)
    return {
        "chapter": chapter.name,
        "profile": build.profile,
        "parameters": {**defaults, **profile, **mine},
        "set_by": {
            **({"class_name": "the folder"} if knobs != chapter.knobs else {}),
            **dict.fromkeys(profile, "profile"),
            **dict.fromkeys(mine, "command line"),
        },
        "data": os.environ.get("WSLIB_DATA", "data") if reads_data else None,
    }


def _write_if_changed(file: Path, content: dict) -> None:
    text = json.dumps(content, indent=1) + "\n"
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_text(file, text)
