"""What each chapter will run with: defaults, profile, command line and data, checked
before anything runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from wslib.runtime.imports import imported_modules
from wslib.runtime.kept import PACKAGE, read_kept, write_text
from wslib.workbook.runs.build import Build
from wslib.workbook.runs.turn import our_turn
from wslib.workbook.sources import params
from wslib.workbook.sources.chapter import Chapter

KEYS = ("chapter", "profile", "parameters", "set_by", "data")  # in NAME.json
FOLDERS = "wslib/data/folders.py"  # who imports it depends on where the data lie


def check(
    chapters: list[Chapter],
    build: Build,
    overrides: dict,
    data: str = "",
    classes_in: Callable[[str], Sequence[str]] | None = None,
) -> list[dict]:
    """Check the parameters of all `chapters`, as `resolve_all`, and write what each
    will run with to `build/<profile>/NAME.json`, touching only the files whose content
    changes; return the parameters of each."""
    resolved = resolve_all(chapters, build, overrides, data, classes_in)
    with our_turn(build.folder):
        for chapter, settings in resolved.items():
            write_settings(chapter, build, settings)
    return [settings["parameters"] for settings in resolved.values()]


def resolve_all(
    chapters: list[Chapter],
    build: Build,
    overrides: dict,
    data: str = "",
    classes_in: Callable[[str], Sequence[str]] | None = None,
) -> dict[Chapter, dict]:
    """Find what each of the `chapters` will run with; nothing is written.

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
    return {c: resolve(c, build, overrides, data, classes_in) for c in chapters}


def _takes_data(chapter: Chapter) -> bool:
    return "dataset" in chapter.knobs and chapter.knobs["dataset"].takes_folder


def resolve(
    chapter: Chapter,
    build: Build,
    overrides: dict,
    data: str = "",
    classes_in: Callable[[str], Sequence[str]] | None = None,
) -> dict:
    """Defaults, then the profile's YAML, then the overrides that `chapter` declares.
    `data` and `classes_in` as in `check`."""
    file, declared = build.parameter_file(chapter), chapter.knobs
    mine = {name: value for name, value in overrides.items() if name in declared}
    mine |= {"dataset": data} if data and _takes_data(chapter) else {}
    profile = params.read_profile(file)
    knobs = _with_classes(chapter, {**profile, **mine}.get("dataset"), classes_in)
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


def _with_classes(
    chapter: Chapter, folder: object, classes_in: Callable | None
) -> dict:
    """The knobs of a chapter, `class_name` for the classes of a folder if it is one."""
    knobs = {**chapter.knobs}
    is_own = _takes_data(chapter) and Path(str(folder)).is_dir()
    if is_own and classes_in and "class_name" in knobs:
        knobs["class_name"] = knobs["class_name"].among(classes_in(folder))
    return knobs


def read_settings(chapter: Chapter, build: Build) -> dict | None:
    """What `check` wrote; None where it is lost or damaged."""

    def read(file: Path) -> dict:
        settings = json.loads(file.read_bytes())
        if settings["chapter"] != chapter.name:
            raise ValueError("of another chapter")
        return {name: settings[name] for name in KEYS}

    return read_kept(build.file(chapter, ".json"), read)


def write_settings(chapter: Chapter, build: Build, settings: dict) -> None:
    """Write what `chapter` will run with, touching the file only if that changes it."""
    file = build.file(chapter, ".json")
    text = json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
    if not file.is_file() or file.read_bytes() != text.encode():
        write_text(file, text)
