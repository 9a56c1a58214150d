"""The exercises of every chapter: the printed solution passes the printed check, what
stands there to be replaced does not, and the printed settings exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from wslib.workbook.sources import params
from wslib.workbook.sources.chapter import Chapter, code_cells

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = [Chapter(path) for path in sorted((ROOT / "chapters").glob("*.py"))]
CALL = "check_exercise("
SOLUTION = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


def exercises(chapter: Chapter) -> list[str]:
    return [c.source for c in code_cells(chapter.notebook()) if CALL in c.source]


def prose(chapter: Chapter) -> str:
    cells = chapter.notebook().cells
    return "\n".join(c.source for c in cells if c.cell_type == "markdown")


def imports(chapter: Chapter) -> list[ast.stmt]:
    tops = ast.parse(chapter.text).body
    return [node for node in tops if isinstance(node, ast.Import | ast.ImportFrom)]


def verdict(chapter: Chapter, cell: str, solution: str | None = None):
    """What the cell says, its function replaced by that of the `solution`."""
    body = ast.parse(cell).body
    name = next(node.name for node in body if isinstance(node, ast.FunctionDef))
    if solution:
        solved = ast.parse(solution).body
        body = [n for n in body if getattr(n, "name", "") != name]
        body = [*solved, *body]
    *lines, last = [*imports(chapter), *body]
    names: dict = {}
    exec(compile(ast.Module(lines, []), chapter.name, "exec"), names)
    return eval(compile(ast.Expression(last.value), chapter.name, "eval"), names)


ALL = [(chapter, cell) for chapter in CHAPTERS for cell in exercises(chapter)]
named = re.compile(r"^def (\w+)\(", re.M)


def test_the_first_chapter_has_two():
    assert len(exercises(CHAPTERS[0])) == 2


@pytest.mark.parametrize(
    "chapter, cell", ALL, ids=[f"{c.name[:2]}-{named.search(s)[1]}" for c, s in ALL]
)
def test_solution_is_right_and_stub_is_not(chapter, cell):
    name = named.search(cell)[1]
    found = [s for s in SOLUTION.findall(prose(chapter)) if f"def {name}(" in s]
    assert len(found) == 1, f"{name}: expected one solution in a callout"
    assert verdict(chapter, cell, found[0]).right
    assert verdict(chapter, cell).text == f"{name}: not written yet."


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)
def test_printed_settings_are_accepted(chapter):
    for setting in re.findall(r'SET="(.*?)"', prose(chapter), re.S):
        values = params.parse_overrides(" ".join(setting.split()))
        params.check(values, chapter.knobs, setting)
