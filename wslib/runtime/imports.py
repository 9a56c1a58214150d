"""Which modules of the package a script needs: its imports, read and followed."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef


def imported_modules(script: Path, package: Path) -> list[Path]:
    """Return the files of `package` that `script` imports, directly or through others.

    The imports are read, not executed, those inside functions too. A package's
    `__init__.py` counts with each of its modules. Sorted. Raises ValueError, with file
    and line, where the syntax is wrong.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        for file in _imports(waiting.pop(), package):
            if file not in found:
                found.add(file)
                waiting.append(file)
    return sorted(found)


def make_rule(target: Path, prerequisites: Iterable[Path]) -> str:
    """A dependency rule for Make, with an empty rule for each prerequisite, so that one
    which is gone means "rebuild", not "no rule to make target". No name
    may hold what means something to Make."""
    names = list(map(str, prerequisites))
    lines = [f"{target}: {' '.join(names)}", *(f"{name}:" for name in names)]
    return "\n".join(lines) + "\n"


@cache
def bare_code(source: str) -> str:
    """Return what is executed of a source: it changes neither with comments nor with
    docstrings nor with the layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def _imports(script: Path, package: Path) -> Iterable[Path]:
    try:
        imported = _names(script.read_text(encoding="utf-8-sig"))
    except SyntaxError as error:
        where = f"{script}:{error.lineno}"
        raise ValueError(f"{where}: SyntaxError: {error.msg}") from None
    inside = script.is_relative_to(package)
    here = script.relative_to(package.parent).parts if inside else ()
    for level, name in imported:  # a dot in front stands for the script's own folder
        above = here[:-level] if level else ()
        yield from _files([*above, *name.split(".")], package)


@cache
def _names(source: str) -> list[tuple[int, str]]:
    """The dotted names that are imported, and how many dots stand in front."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = f"{node.module}." if node.module else ""
            found += [(node.level, f"{start}{alias.name}") for alias in node.names]
    return found


def _files(parts: list[str], package: Path) -> Iterable[Path]:
    """wslib.data.voc.CLASSES -> wslib/__init__.py, data/__init__.py, data/voc.py."""
    if parts[0] != package.name:
        return
    folder = package
    for part in [*parts[1:], None]:
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
        if part is None:
            return
        if (folder / f"{part}.py").is_file():
            yield folder / f"{part}.py"
        folder = folder / part
