"""Run one chapter: script -> notebook -> papermill -> `build/<profile>/NAME.ipynb`.

Make decides from time stamps whether a chapter is looked at, and this module, from what
the finished notebook remembers, whether it has to be executed or only its prose joined.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from wslib.runtime.imports import imported_modules, make_rule
from wslib.runtime.kept import digest, move, written_whole
from wslib.workbook import provenance
from wslib.workbook.badges import colab_url
from wslib.workbook.chapter import Chapter, code_cells, code_of
from wslib.workbook.profiles import CAUTIONS

PACKAGE = Path(__file__).resolve().parent.parent
# Without it, each kernel warns that others on this machine could listen.
ENCRYPTED = Config(KernelManager={"transport_encryption": "auto"})


class ChapterFailed(RuntimeError):
    """A cell of a chapter raised; the message says which, where and what."""


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
        return self.root / "params" / self.profile / f"{chapter.name}.yml"


def run(chapter: Chapter, build: Build, *, execute: bool = True) -> Path | None:
    """Bring `build/<profile>/NAME.ipynb` up to date with the chapter, the parameters
    that `check` wrote, the modules it imports and the data it read last time.

    Returns the notebook; None, with nothing done, if it needs a run and may not
    `execute`. Raises ChapterFailed if a cell raises; the notebook with the traceback is
    then in `build/<profile>/failed/`, and the last good one untouched.
    """
    began = time.time()
    settings = json.loads(build.file(chapter, ".json").read_text(encoding="utf-8"))
    modules = imported_modules(chapter.path, PACKAGE)
    fresh = chapter.parameterized(settings["parameters"], _source(settings))
    state = _state(fresh, settings, modules)
    target = build.file(chapter, ".ipynb")
    finished = _read_notebook(target)
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
    _write_rule(chapter, build, modules, notebook)
    _publish(build.results(chapter), build.folder)
    build.failed(chapter).unlink(missing_ok=True)
    return _replace(target, notebook, began)


def is_up_to_date(chapter: Chapter, build: Build) -> bool:
    """Whether the finished notebook is that of the chapter's code, parameters, modules
    and data as they are now."""
    file = build.file(chapter, ".json")
    finished = _read_notebook(build.file(chapter, ".ipynb"))
    if not file.is_file():
        return False
    settings = json.loads(file.read_text(encoding="utf-8"))
    modules = imported_modules(chapter.path, PACKAGE)
    fresh = chapter.parameterized(settings["parameters"], _source(settings))
    return _is_current(finished, _state(fresh, settings, modules))


def _state(notebook, settings: dict, modules: list[Path]) -> dict:
    """What the outputs of the notebook depend on, apart from the data that it reads."""
    return {
        "code": code_of(notebook),
        "parameters": settings["parameters"],
        "data": settings["data"],
        "package": digest(modules),
    }


def _source(settings: dict) -> str:
    source = f"params/{settings['profile']}/{settings['chapter']}.yml"
    by_hand = "command line" in settings["set_by"].values()
    return source + " and the command line" if by_hand else source


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
    known = finished.metadata.get("wslib", {}) if finished else {}
    if known.get("parameters") not in (None, state["parameters"]):
        names = [f"{chapter.name}.ipynb", *known.get("files", [])]
        _copy(names, build.folder, build.aside(chapter, known["parameters"]))
    place = build.aside(chapter, state["parameters"])
    other = _read_notebook(place / f"{chapter.name}.ipynb")
    if not _is_current(other, state):
        return None
    _copy(other.metadata["wslib"].get("files", []), place, build.folder)
    return other


def _copy(names: Iterable[str], source: Path, target: Path) -> None:
    """Copy those of the files that are there."""
    for name in names:
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)


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
    with _surroundings(chapter, build) as (data_notes, device_note):
        try:
            _papermill(chapter, notebook, failed)
        except PapermillExecutionError as error:
            raise ChapterFailed(_explain(error, chapter, failed)) from None
        except DeadKernelError:
            raise ChapterFailed(
                f"{chapter.path}: the kernel died (was there enough memory?)\n"
                f"  the notebook so far: {failed}"
            ) from None
        data_read = {path: _signature(path) for path in _lines(data_notes)}
        device = device_note.read_text(encoding="utf-8") or provenance.NO_DEVICE
    executed = nbformat.read(failed, as_version=4)
    _check_complete(executed, chapter, failed)
    executed.metadata.pop("papermill", None)
    results = build.results(chapter)
    tables = sorted(file.stem for file in results.glob("tables/*.json"))
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


def _papermill(chapter: Chapter, notebook, output: Path) -> None:
    """Execute in a thread of its own, so that Ctrl-C comes here: the kernel ends with
    this process, at once and without a word of its own."""
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(
            papermill.execute_notebook,
            notebook,
            str(output),
            config=ENCRYPTED,
            progress_bar={
                "desc": chapter.name,
                "leave": False,
                "ncols": 80,
                # None: where there is no terminal, as in a cluster's job
                "disable": None if not os.environ.get("WSLIB_BARS") else False,
            },
        )
        try:
            work.result()
        except KeyboardInterrupt:
            print(f"\n{chapter.name}: interrupted; so far: {output}", file=sys.stderr)
            sys.stderr.flush()
            os._exit(130)


@contextmanager
def _surroundings(chapter: Chapter, build: Build) -> Iterator[tuple[Path, Path]]:
    """The environment of the kernel, and a thread that shows its progress bars.

    Yields the files in which the kernel notes the data it reads and its device.
    """
    files = [build.file(chapter, suffix) for suffix in (".bars", ".data", ".device")]
    for file in files:
        file.write_text("", encoding="utf-8")
    bars, data, device = files
    root = str(build.root.resolve())
    os.environ.update(
        WSLIB_BUILD=str(build.folder.resolve()),
        WSLIB_RESULTS=str(build.results(chapter).resolve()),
        WSLIB_DERIVED=str((build.root / "build").resolve()),
        WSLIB_PROGRESS=str(bars.resolve()),
        WSLIB_DATA_NOTES=str(data.resolve()),
        WSLIB_DEVICE_NOTE=str(device.resolve()),
        WSLIB_CAUTION=CAUTIONS.get(build.profile, ""),
        PYTHONPATH=os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
    )
    jobs = int(os.environ.get("WSLIB_JOBS") or 1)
    granted = int(os.environ.get("SLURM_CPUS_ON_NODE") or 0)  # often without binding
    if jobs > 1 or granted:  # who shares processors thrashes with more threads
        threads = max(1, (granted or os.cpu_count() or 1) // jobs)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.pop("MPLBACKEND", None)  # "Agg" here would give a book without figures
    finished = threading.Event()
    echo = threading.Thread(target=_echo, args=(bars, finished), daemon=True)
    echo.start()
    try:
        yield data, device
    finally:
        finished.set()
        echo.join()
        for file in files:
            file.unlink(missing_ok=True)


def _echo(bars: Path, finished: threading.Event) -> None:
    """Copy what appears in the file `bars` to the terminal, if there is one."""
    with open(bars, encoding="utf-8", newline="") as file:
        while not finished.wait(0.3):
            text = file.read()
            if text and sys.stderr.isatty():
                print(text, end="", file=sys.stderr, flush=True)


def _explain(error: PapermillExecutionError, chapter: Chapter, failed: Path) -> str:
    cells = code_cells(nbformat.read(failed, as_version=4))
    cell = next(c for c in cells if c.execution_count == error.exec_count)
    trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    within = re.findall(rf"Cell In\[{error.exec_count}\], line (\d+)", trace)
    line = int(within[-1]) if within else 1  # the last within this very cell
    start = chapter.line_of_cell(cell.id)
    place = f"{chapter.path}:{start + line - 1}" if start else str(chapter.path)
    lines = (error.source or "").splitlines()
    statement = lines[line - 1].strip() if line <= len(lines) else ""
    return (
        f"{place}: {error.ename}: {error.evalue}\n"
        f"  chapter {chapter.name}, cell {error.exec_count}, line {line}: {statement}\n"
        f"  the notebook with the traceback: {failed}"
    )


def _write_rule(chapter: Chapter, build: Build, modules, notebook) -> None:
    """Tell Make what the notebook depends on, for next time (as compilers' -MMD)."""
    root = build.root.resolve()
    data = [Path(path) for path in notebook.metadata["wslib"]["data_read"]]
    files = [
        Path(os.path.relpath(file, root)) if file.is_relative_to(root) else file
        for file in [*modules, *data]
    ]
    target = build.file(chapter, ".ipynb")
    build.file(chapter, ".d").write_text(make_rule(target, files), encoding="utf-8")


def _read_notebook(path: Path):
    with suppress(FileNotFoundError, nbformat.reader.NotJSONError):
        return nbformat.read(path, as_version=4)
    return None


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
