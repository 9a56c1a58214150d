"""Run one chapter: script -> notebook -> papermill -> `build/<profile>/NAME.ipynb`.

Make decides from time stamps whether a chapter is looked at, and this module, from what
the finished notebook remembers, whether it has to be executed or only its prose joined.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import nbformat
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from wslib.runtime.imports import imported_modules, make_rule
from wslib.runtime.kept import (
    PACKAGE,
    digest,
    move,
    write_text,
    written_whole,
)
from wslib.workbook.runs import kernel, provenance
from wslib.workbook.runs.build import Build
from wslib.workbook.runs.settings import read_settings, resolve, write_settings
from wslib.workbook.runs.turn import our_turn
from wslib.workbook.sources.badges import colab_url
from wslib.workbook.sources.chapter import Chapter, code_cells, code_of

WHOLE = "# whole\n"  # ends a rule for Make; the Makefile looks for it
PLAIN = re.compile(r"[\w/.,+@-]+")  # what a name in a rule may be


class ChapterFailed(RuntimeError):
    """A cell of a chapter raised; the message says which, where and what."""


def run(
    chapter: Chapter,
    build: Build,
    overrides: dict | None = None,
    execute: bool = True,
    **own,
) -> Path | None:
    """Bring `build/<profile>/NAME.ipynb` up to date with the chapter, the parameters
    that `check` wrote, the modules it imports and the data it read last time.

    What `check` wrote is made anew where it is lost or damaged, with the `overrides`,
    and as `own` the `data` and `classes_in` of `check`. Returns the notebook; None,
    with nothing done, if it needs a run and may not `execute`. Raises ChapterFailed if
    a cell raises; the notebook with the traceback is then in `build/<profile>/failed/`,
    and the last good one untouched.
    """
    with our_turn(build.folder):
        settings = read_settings(chapter, build)
        if settings is None:
            settings = resolve(chapter, build, overrides or {}, **own)
            write_settings(chapter, build, settings)
        return _run(chapter, build, settings, execute)


def _run(chapter: Chapter, build: Build, settings: dict, execute: bool) -> Path | None:
    began = time.time()
    fresh, state = _fresh(chapter, settings)
    target = build.file(chapter, ".ipynb")
    finished = provenance.read_finished(target)
    if not _is_current(finished, state):
        finished = _bring_back(chapter, build, finished, state)
    if finished is not None:
        notebook = _join(fresh, finished, chapter, settings)
        same = finished.metadata["wslib"]["blob"] == chapter.blob
        text = "nothing has changed" if same else "same code, new prose"
        print(f"{chapter.name}: {text}; nothing executed", flush=True)
    elif not execute:
        return None
    else:
        notebook = _execute(chapter, fresh, build, {**settings, **state})
    provenance.state_facts(notebook, colab_url(build.root, chapter.name))
    _write_rule(chapter, build, notebook)
    _publish(build.results(chapter), build.folder)
    build.failed(chapter).unlink(missing_ok=True)
    return _replace(target, notebook, began)


def is_up_to_date(chapter: Chapter, build: Build) -> bool:
    """Whether the finished notebook is that of the chapter's code, parameters, modules
    and data as they are now."""
    finished = provenance.read_finished(build.file(chapter, ".ipynb"))
    settings = read_settings(chapter, build)
    if finished is None or settings is None:
        return False
    return _is_current(finished, _fresh(chapter, settings)[1])


def _fresh(chapter: Chapter, settings: dict) -> tuple[nbformat.NotebookNode, dict]:
    """The notebook without outputs, and what its outputs would depend on."""
    notebook = chapter.parameterized(settings["parameters"], _source(settings))
    modules = imported_modules(chapter.path, PACKAGE)
    return notebook, _state(notebook, settings, modules)


def _state(notebook, settings: dict, modules: list[Path]) -> dict:
    """What the outputs of the notebook depend on, apart from the data that it reads."""
    return {
        "code": code_of(notebook),
        "parameters": settings["parameters"],
        "data": settings["data"],
        "package": digest(modules),
    }


def _source(settings: dict) -> str:
    by = settings["set_by"].values()
    file = f"params/{settings['profile']}/{settings['chapter']}.yml"
    source = file if "profile" in by else "the chapter"
    return source + " and the command line" if "command line" in by else source


def _is_current(finished: nbformat.NotebookNode | None, state: dict) -> bool:
    if finished is None:
        return False
    known = finished.metadata.get("wslib", {})
    return all(known.get(key) == value for key, value in state.items()) and all(
        _signature(path) == signature
        for path, signature in known.get("data_read", {}).items()
    )


def _bring_back(
    chapter: Chapter, build: Build, finished: nbformat.NotebookNode | None, state: dict
) -> nbformat.NotebookNode | None:
    """Put the results of other parameters aside. Return the notebook of the wanted ones
    if they had been put aside and are still those of the `state`, its tables and
    figures in place again."""
    known = finished.metadata["wslib"] if finished else {}
    if known.get("parameters") not in (None, state["parameters"]):
        names = [*known.get("files", []), f"{chapter.name}.ipynb"]
        _copy(names, build.folder, build.aside(chapter, known["parameters"]))
    place = build.aside(chapter, state["parameters"])
    other = provenance.read_finished(place / f"{chapter.name}.ipynb")
    if not _is_current(other, state):
        return None
    _copy(other.metadata["wslib"].get("files", []), place, build.folder)
    return other


def _copy(names: Iterable[str], source: Path, target: Path) -> None:
    """Copy those of the files that are there, each whole, in this order."""
    for name in names:
        if (source / name).is_file():
            with written_whole(target / name) as part:
                shutil.copy2(source / name, part)


def _join(fresh, finished, chapter: Chapter, settings: dict):
    """The outputs of the `finished` notebook under the prose of the `fresh` one."""
    for new, old in zip(code_cells(fresh), code_cells(finished), strict=True):
        new.outputs, new.execution_count = old.outputs, old.execution_count
    changed = {"blob": chapter.blob, "set_by": settings["set_by"]}
    fresh.metadata["wslib"] = {**finished.metadata["wslib"], **changed}
    return fresh


def _execute(chapter: Chapter, notebook, build: Build, state: dict):
    failed = build.failed(chapter)
    shutil.rmtree(build.results(chapter), ignore_errors=True)
    build.results(chapter).mkdir(parents=True)
    began = time.time()
    with kernel.surroundings(chapter, build) as scratch:
        try:
            kernel.execute(chapter, notebook, failed, scratch)
        except PapermillExecutionError as error:
            raise ChapterFailed(_explain(error, chapter, failed)) from None
        except DeadKernelError:
            raise ChapterFailed(
                f"{chapter.path}: the kernel died (was there enough memory?)\n"
                f"  the notebook so far: {failed}"
            ) from None
        data_read = {path: _signature(path) for path in _lines(scratch / "data")}
        device = (scratch / "device").read_text("utf-8") or provenance.NO_DEVICE
    executed = nbformat.read(failed, as_version=4)
    _check_complete(executed, chapter, failed)
    executed.metadata.pop("papermill", None)
    results = build.results(chapter)
    found = sorted(results.glob("tables/*.json"))
    tables = {file.stem: provenance.digest_table(file) for file in found}
    files = sorted(str(f.relative_to(results)) for f in results.rglob("*.*"))
    facts = {"data_read": data_read, "device": device}
    facts |= {"tables": tables, "files": files}
    executed.metadata["wslib"] = provenance.record(chapter, {**state, **facts}, began)
    print(f"{chapter.name}: executed in {time.time() - began:.0f} s", flush=True)
    return executed


def _check_complete(executed, chapter: Chapter, failed: Path) -> None:
    """papermill takes a cell that calls `sys.exit()` for the end of the chapter."""
    for cell in code_cells(executed):
        if cell.source.strip() and cell.execution_count is None:
            start = chapter.line_of_cell(cell.id) or 1
            raise ChapterFailed(
                f"{chapter.path}:{start}: this cell was not executed; does one before "
                f"it call sys.exit()?\n  the notebook so far: {failed}"
            )


def tidy_up_when_ended() -> None:
    """Take the signals that end a program, as from Make, for Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _explain(error: PapermillExecutionError, chapter: Chapter, failed: Path) -> str:
    cells = code_cells(nbformat.read(failed, as_version=4))
    cell = next(c for c in cells if c.execution_count == error.exec_count)
    said, line = _raised(error, cell)
    start = chapter.line_of_cell(cell.id)
    place = f"{chapter.path}:{start + line - 1}" if start else str(chapter.path)
    lines = (error.source or "").splitlines()
    statement = lines[line - 1].strip() if line <= len(lines) else ""
    return (
        f"{place}: {said}\n"
        f"  chapter {chapter.name}, cell {error.exec_count}, line {line}: {statement}\n"
        f"  the notebook with the traceback: {failed}"
    )


def _raised(error: PapermillExecutionError, cell) -> tuple[str, int]:
    """What was raised, and in which line of this very cell, the last one that the
    traceback has. IPython prints that of a group of exceptions, and keeps none."""
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    said = f"{error.ename}: {error.evalue}"
    lines = re.findall(rf"Cell In\[{error.exec_count}\], line (\d+)", trace)
    if not trace:
        printed = "".join(o.text for o in cell.outputs if o.get("name") == "stderr")
        said = (re.findall(r"^  \| (\S.*)", printed, re.MULTILINE) or [said])[-1]
        lines = re.findall(r'\bipykernel_.*", line (\d+), in <module>', printed)
    return said, int(lines[-1]) if lines else 1


def _write_rule(chapter: Chapter, build: Build, notebook) -> None:
    """Tell Make what the notebook depends on, for next time (as compilers' -MMD)."""
    modules = imported_modules(chapter.path, PACKAGE)
    data = [Path(path) for path in notebook.metadata["wslib"]["data_read"]]
    files = [_name_for_make(file, build) for file in [*modules, *data]]
    rule = make_rule(build.file(chapter, ".ipynb"), files)
    write_text(build.file(chapter, ".d"), rule + WHOLE)


def _name_for_make(file: Path, build: Build) -> Path:
    """The file, relative to the project if it lies there; a link to it if its name
    holds what means something else to Make: a colon, a semicolon, a space ..."""
    root = build.root.resolve()
    name = file.relative_to(root) if file.is_relative_to(root) else file
    if PLAIN.fullmatch(str(name)):
        return name
    link = build.folder / ".linked" / digest(str(name))
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(file)
    return link


def _replace(target: Path, notebook, began: float) -> Path:
    """Put the notebook in place whole, dated when its run began: what was edited since
    then is newer, and Make sees it."""
    with written_whole(target) as part:
        nbformat.write(notebook, part)
        os.utime(part, (began, began))
    return target


def _publish(results: Path, folder: Path) -> None:
    """Move tables and figures of a run that succeeded to where the book finds them."""
    for file in [path for path in results.rglob("*") if path.is_file()]:
        move(file, folder / file.relative_to(results))
    shutil.rmtree(results, ignore_errors=True)


def _lines(file: Path) -> list[str]:
    return sorted(set(file.read_text(encoding="utf-8").split("\n")) - {""})


def _signature(path: str) -> float | None:
    with suppress(OSError):
        return os.stat(path).st_mtime
    return None
