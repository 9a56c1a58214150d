"""The form of a chapter: what a one-word edit can break, said in a second.

`make check CH=01` prints what is to be mended; the tests hold the same rules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from wslib.workbook.sources.chapter import Chapter, code_cells
from wslib.workbook.sources.options import split_options
from wslib.workbook.sources.params import ParameterError
from wslib.workbook.sources.strict_yaml import NotYaml

WIDTH = 88  # characters of a line, as many as the page has
LONGEST = 12  # lines of a function
IN_A_ROW = 3  # cells of visible code: define, compute, show
ALT = 40, 300  # characters of the words for who hears a figure
REFERENCE = re.compile(r"@(fig|tbl|sec|eq)-[\w-]+|\[@\w+")
SHORTEST = 20  # characters of a caption
SLIDES = {"fig": 3, "tbl": 1}  # at most, of figures and tables
ENDING = ("you will learn", "what we saw", "what failed", "exercise", "callout")


def find_faults(chapter: Chapter) -> list[str]:
    """List what is to be mended, a line for each: `chapters/NN_a.py:7: ...`."""
    line = 1
    try:
        cells = code_cells(chapter.notebook())
        trees = []
        for cell in cells:
            line = chapter.line_of_cell(cell.id) or 1
            trees.append(ast.parse(cell.source))
            split_options(cell.source)
    except (SyntaxError, NotYaml) as error:
        line += (getattr(error, "lineno", None) or 1) - 1  # in the cell
        said = " ".join((getattr(error, "msg", "") or str(error)).split())
        return [f"{chapter.path}:{line}: not a chapter: {said}"]
    if not chapter.notebook().cells:
        return [f"{chapter.path}:1: empty, expected cells `# %% [markdown]` and `# %%`"]
    rules = (_title, _seed, _slides, _lines, _rows, _captions)
    faults = [fault for rule in rules for fault in rule(chapter)]
    for cell, tree in zip(cells, trees, strict=True):
        line = chapter.line_of_cell(cell.id) or 1
        said = [*_code(cell, tree), *_printed(tree)]
        faults += [(line + n - 1, text) for n, text in said]
    return [f"{chapter.path}:{line}: {text}" for line, text in sorted(faults)]


def read_prose(chapter: Chapter) -> str:
    """Join the cells of Markdown."""
    cells = chapter.notebook().cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def _title(chapter: Chapter) -> Iterator[tuple[int, str]]:
    first, text = chapter.notebook().cells[0], read_prose(chapter).lower()
    if not re.match(r"# .+ \{#sec-[\w-]+\}\n", first.source):
        yield 1, "opens with no title `# Title {#sec-name}`"
    absent = [words for words in ENDING if words not in text]
    if absent:
        yield chapter.text.count("\n"), f"nowhere says: {', '.join(absent)}"


def _seed(chapter: Chapter) -> Iterator[tuple[int, str]]:
    try:
        known = chapter.knobs
    except ParameterError as error:
        yield 1, str(error).removeprefix(f"{chapter.path}: ")
    else:
        if "seed" not in known:
            yield 1, "no parameter `seed: int = 0  # of what is drawn`"


def _slides(chapter: Chapter) -> Iterator[tuple[int, str]]:
    cells = chapter.notebook().cells
    slides = [c for c in cells if "slide" in c.metadata.get("tags", [])]
    if cells[0] not in slides:
        yield 1, 'the title is not on the slides: # %% [markdown] tags=["slide"]'
    labels = [
        str(split_options(cell.source)[0].get("label", ""))
        for cell in slides
        if cell.cell_type == "code"
    ]
    kinds = [label.partition("-")[0] for label in labels]
    counts = {kind: kinds.count(kind) for kind in SLIDES}
    if not sum(counts.values()) or any(counts[k] > SLIDES[k] for k in SLIDES):
        said = f"{counts['fig']} figures and {counts['tbl']} tables on the slides"
        yield 1, f'{said}: tag one or more # %% tags=["slide"], at most 3 and 1'


def _lines(chapter: Chapter) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(chapter.text.split("\n"), 1):
        if len(line) > WIDTH:
            yield number, f"{len(line)} characters, at most {WIDTH} fit the page"


def _rows(chapter: Chapter) -> Iterator[tuple[int, str]]:
    in_a_row = 0
    for cell in chapter.notebook().cells:
        if cell.cell_type == "markdown":
            in_a_row = 0
        elif split_options(cell.source)[0].get("echo", True):
            in_a_row += 1
        if in_a_row == IN_A_ROW + 1:
            line = chapter.line_of_cell(cell.id) or 1
            yield line, f"more than {IN_A_ROW} cells of code without a word between"


def _captions(chapter: Chapter) -> Iterator[tuple[int, str]]:
    text, labels = read_prose(chapter), []
    for cell in code_cells(chapter.notebook()):
        options, line = (
            split_options(cell.source)[0],
            chapter.line_of_cell(cell.id) or 1,
        )
        label = str(options.get("label", ""))
        kind = label.partition("-")[0]
        if kind not in ("fig", "tbl"):
            continue
        caption = str(options.get(f"{kind}-cap", ""))
        if len(caption) <= SHORTEST or not caption.endswith("."):
            yield line, f"{label}: the caption is no sentence with a full stop"
        words = str(options.get("fig-alt", ""))
        fits = ALT[0] < len(words) < ALT[1] and words.endswith(".")
        if kind == "fig" and (not fits or words in caption):
            said = "in 40 to 300 characters, and not as the caption does"
            yield line, f"{label}: fig-alt does not say what is to be seen, {said}"
        if f"@{label}" not in text:
            yield line, f"{label}: no sentence refers to it, as @{label}"
        if label in labels:
            yield line, f"{label}: used twice"
        labels.append(label)
    if len(labels) < 2:
        yield 1, "fewer than two figures or tables"


def _printed(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if key := REFERENCE.search(node.value):
                said = f"prints {key[0]}, which a notebook shows as it is"
                yield node.lineno, f"{said}: refer to it between the code"


def _code(cell: NotebookNode, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(cell.source.splitlines(), 1):
        if re.search(r"^\s*[%!]|get_ipython", line):
            yield number, "a magic or a shell line, which no script can run"
    is_open = split_options(cell.source)[0].get("code-fold") is False
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            if node.end_lineno - node.lineno >= LONGEST:
                yield node.lineno, f"{node.name} is longer than {LONGEST} lines"
        if isinstance(node, ast.ClassDef) and not is_open:  # an open cell is an idea
            if not all(isinstance(field, ast.AnnAssign) for field in node.body):
                yield node.lineno, f"class {node.name} belongs into wslib"
    if "parameters" in cell.metadata.get("tags", []):
        lines = cell.source.splitlines()
        for node in filter(lambda n: isinstance(n, ast.AnnAssign), tree.body):
            if not any(
                "#" in line for line in lines[node.lineno - 1 : node.end_lineno]
            ):
                yield node.lineno, f"{node.target.id} has no comment"
