"""The same cells as a percent script and as a notebook, in jupytext's own words.

Of a cell, its type, source, tags and title count: a script says no more. Ids, outputs
and whatever else programs note stay in the notebook.
"""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import jupytext
import nbformat
from jupytext.combine import map_outputs_to_inputs
from jupytext.config import load_jupytext_config
from nbformat import NotebookNode, v4

from wslib.workbook.sources.chapter import code_of

FORMAT = "py:percent"
SAID = ("tags", "title", "lines_to_next_cell")  # metadata that a script holds
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
MARKS = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)  # of a merge that is not finished


class NotSynced(RuntimeError):
    """A chapter or a notebook that cannot be told to the other side."""


def read_script(text: str, path: Path) -> NotebookNode:
    """The script `text` of the file `path` as a notebook without outputs."""
    if MARKS.search(text):
        raise NotSynced(f"{path}: holds the marks of an unfinished merge")
    try:
        notebook = jupytext.reads(text, FORMAT, config=_config(path))
    except Exception as error:  # jupytext lets through what its parsers raise
        reason = " ".join(str(error).split())
        raise NotSynced(f"{path}: no percent script: {reason}") from None
    if not notebook.cells:
        raise NotSynced(f"{path}: holds no cell")
    notebook.metadata.setdefault("kernelspec", KERNEL)
    return notebook


def read_notebook(text: str, path: Path) -> NotebookNode:
    """The notebook in the `text` of the file `path`, of any 4.x as 4.5."""
    try:
        notebook = nbformat.reader.reads(text)
        if notebook.nbformat == 4 and notebook.cells:
            notebook = v4.upgrade(notebook, from_minor=notebook.nbformat_minor)
            nbformat.validate(notebook)
            return notebook
    except (nbformat.reader.NotJSONError, nbformat.ValidationError):
        pass
    except (AttributeError, KeyError, TypeError, ValueError):  # JSON, but of what?
        pass
    raise NotSynced(f"{path}: not a whole notebook of format 4 with cells")


def write_script(notebook: NotebookNode, path: Path, like: str | None = None) -> str:
    """The notebook as the text of the script `path`; cells that the script `like` has,
    too, stand as far apart as there. Raises NotSynced for a cell that would not come
    back from the script as it is."""
    cells = _plain(notebook)
    known = _plain(read_script(like, path)) if like else []
    gaps = {_says(cell): cell.metadata.get("lines_to_next_cell") for cell in known}
    for cell in cells:
        if gaps.get(_says(cell)) is not None:
            cell.metadata.setdefault("lines_to_next_cell", gaps[_says(cell)])
    text = jupytext.writes(v4.new_notebook(cells=cells), FORMAT, config=_config(path))
    back = [*map(_says, _plain(read_script(text, path)))]
    for number, cell in enumerate(cells):
        if back[number : number + 1] != [_says(cell)]:
            raise NotSynced(
                f"{path}: cell {number + 1} of the notebook cannot stand in a script "
                f"(a line that begins with %%?): {cell.source.splitlines()[0][:40]}"
            )
    return text


def write_notebook(notebook: NotebookNode) -> str:
    """The text of an .ipynb file."""
    return jupytext.writes(notebook, "ipynb") + "\n"


def same_cells(one: NotebookNode, other: NotebookNode) -> bool:
    """Whether both would be the same script."""
    return [*map(_says, _plain(one))] == [*map(_says, _plain(other))]


def with_outputs(fresh: NotebookNode, old: NotebookNode) -> NotebookNode:
    """The `fresh` cells, with what the `old` ones hold besides; the outputs only of
    those whose code is the same."""
    twins = [cell for cell in old.cells if not _is_injected(cell)]
    origin = map_outputs_to_inputs(_marks(fresh.cells), _marks(twins))
    for cell, number in zip(fresh.cells, origin, strict=True):
        if number is not None:
            twin = twins[number]
            hidden = {k: v for k, v in twin.metadata.items() if k not in SAID}
            changes = {"id": twin.id, "metadata": {**hidden, **cell.metadata}}
            if cell.cell_type != "code":
                changes |= {k: v for k, v in twin.items() if k == "attachments"}
            elif _code(cell) == _code(twin):
                changes |= {k: twin[k] for k in ("outputs", "execution_count")}
            cell.update(changes)
    fresh.metadata = {**fresh.metadata, **old.metadata}
    return fresh


def _marks(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells as jupytext shall compare them: code without its options."""
    code = [_code(c) if c.cell_type == "code" else c.source for c in cells]
    return [
        NotebookNode(cell_type=cell.cell_type, source=source)
        for cell, source in zip(cells, code, strict=True)
    ]


def _config(path: Path):
    return load_jupytext_config(str(path.absolute()))


def _plain(notebook: NotebookNode) -> list[NotebookNode]:
    """Copies of the cells that say something, freed from what programs leave there."""
    kept = []
    for cell in deepcopy(notebook.cells):
        cell.source = cell.source.replace("\r\n", "\n").rstrip().lstrip("\n")
        if not cell.metadata.get("tags"):
            cell.metadata.pop("tags", None)
        if cell.source and not _is_injected(cell):
            kept.append(cell)
    return kept


def _is_injected(cell: NotebookNode) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


def _says(cell: NotebookNode) -> tuple:
    tags, title = cell.metadata.get("tags", []), cell.metadata.get("title")
    return cell.cell_type, cell.source, tuple(tags), title


def _code(cell: NotebookNode) -> str:
    return code_of(v4.new_notebook(cells=[cell]))
