"""Make one line of the package wrong, a hundred times over, each time another one: a
test of its module has to notice.

    python tests/faults/mutants.py [ROOM ...]

Takes minutes, in a copy; `tests/test_mutants.py` holds that the list still fits the
package. The status is 1 where a mutant survives.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_suffix(".yml")
COPIED = ("wslib", "tests", "chapters", "params", "report", "benchmarks")
LIBRARIES = ("torch", "cv2", "pandas", "matplotlib", "scipy.ndimage")  # slow to import
FORK = multiprocessing.get_context("fork")
SLOWEST = 600  # seconds of work; a mutant that takes more has been noticed, too


def read_mutants() -> dict[str, dict]:
    """{module: {tests: [file, ...], mutants: [{was, is}, ...]}}, below wslib/ and
    tests/, without endings."""
    return yaml.safe_load(LIST.read_text(encoding="utf-8"))


def chosen(rooms: list[str]) -> dict[str, dict]:
    """The modules of some rooms, or all. Raises ValueError for a room without any."""
    every = read_mutants()
    for room in rooms:
        if not any(_is_in(module, room) for module in every):
            raise ValueError(f"no mutants in {room!r}; there are {', '.join(every)}")
    inside = [m for m in every if not rooms or any(_is_in(m, room) for room in rooms)]
    return {module: every[module] for module in inside}


def mutate(source: str, was: str, becomes: str) -> str:
    """The source with one text replaced. Raises ValueError unless it stands there
    once."""
    if source.count(was) != 1:
        raise ValueError(f"{was!r} stands {source.count(was)} times, expected once")
    return source.replace(was, becomes)


def copy_project(folder: Path) -> None:
    """What tests of a module read, and no more."""
    for name in COPIED:
        left_out = shutil.ignore_patterns("__pycache__", "_output")
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for file in (path for path in ROOT.iterdir() if path.is_file()):
        shutil.copy(file, folder)
    (folder / ".venv").symlink_to(ROOT / ".venv")


def notices(project: Path, tests: list[str]) -> bool:
    """Whether one of the tests fails there; a process that has the libraries already
    runs them."""
    process = FORK.Process(target=_run, args=(project, tests))
    process.start()
    process.join(10 * SLOWEST)  # where it waits for ever, or others are at work, too
    process.kill()
    process.join()
    return process.exitcode != 0


def _run(project: Path, tests: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SLOWEST, SLOWEST))
    os.chdir(project)
    os.environ |= {"PYTHONPATH": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.path.insert(0, str(project))
    sys.dont_write_bytecode = True
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)
    words = ["-q", "-x", "-p", "no:cacheprovider"]
    sys.exit(int(pytest.main([*words, *(f"tests/{name}.py" for name in tests)])))


def try_module(project: Path, module: str, tests: list[str], mutants: list) -> int:
    """Print what becomes of each mutant of a module; return how many survive."""
    file = project / "wslib" / f"{module}.py"
    source, survivors = file.read_text(encoding="utf-8"), 0
    if notices(project, tests):
        raise RuntimeError(f"{module}: its tests fail before anything is made wrong")
    for mutant in mutants:
        file.write_text(mutate(source, mutant["was"], mutant["is"]), encoding="utf-8")
        killed = notices(project, tests)
        survivors += not killed
        line = " ".join(f"{mutant['was']} -> {mutant['is']}".split())
        print(f"{'killed' if killed else 'SURVIVED':9} {module}: {line}", flush=True)
    file.write_text(source, encoding="utf-8")
    return survivors


def main(words: list[str]) -> int:
    """Try the mutants of some rooms, or of all."""
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=described)
    parser.add_argument("room", nargs="*", help="such as data, cam or data/images")
    try:
        modules = chosen(parser.parse_args(words).room)
    except ValueError as error:
        parser.error(str(error))
    for name in LIBRARIES:
        import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy_project(Path(folder))
        left = [
            try_module(Path(folder), name, **what) for name, what in modules.items()
        ]
    count = sum(len(what["mutants"]) for what in modules.values())
    print(f"{count - sum(left)} of {count} mutants killed, {sum(left)} survived")
    return int(any(left))


def _is_in(module: str, room: str) -> bool:
    return module == room or module.startswith(f"{room}/")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
