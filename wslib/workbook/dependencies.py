"""Which modules of the package a script needs: its imports, read and followed."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path


def imported_modules(script: Path, package: Path) -> list[Path]:
    """The files of `package` that `script` imports, directly or through others.

    The imports are read, not executed, those inside functions too. A package's
    `__init__.py` counts with each of its modules. Sorted.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        for file in _imports(waiting.pop(), package):
            if file not in found:
                found.add(file)
                waiting.append(file)
    return sorted(found)


def _imports(script: Path, package: Path) -> Iterable[Path]:
    for node in ast.walk(_parse(script)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = _parent(script, package, node.level) if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            names = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield from _files(name.split("."), package)


def _parse(script: Path) -> ast.Module:
    """The syntax tree; ValueError with file and line where there is none."""
    try:
        return ast.parse(script.read_text(encoding="utf-8"), str(script))
    except SyntaxError as error:
        where = f"{script}:{error.lineno}"
        raise ValueError(f"{where}: SyntaxError: {error.msg}") from None


def _parent(script: Path, package: Path, level: int) -> list[str]:
    """What the dots of a relative import in a module of the package stand for."""
    if not script.is_relative_to(package):
        return []
    return list(script.relative_to(package.parent).parts[:-level])


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


def digest(files: Iterable[Path]) -> str:
    """One digest of the names and bytes of `files`."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def make_rule(target: Path, prerequisites: Iterable[Path]) -> str:
    """A dependency rule for Make, with an empty rule for each prerequisite, so that one
    which is gone means "rebuild", not "no rule to make target"."""
    names = [_escaped(path) for path in prerequisites]
    lines = [f"{_escaped(target)}: {' '.join(names)}", *(f"{name}:" for name in names)]
    return "\n".join(lines) + "\n"


def _escaped(path: Path) -> str:
    return str(path).replace("$", "$$").replace(" ", r"\ ").replace("#", r"\#")
