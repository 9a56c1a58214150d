"""A chapter: one percent-format script, read as a notebook and as parameters."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile, takewhile
from pathlib import Path

import jupytext
import nbformat

from wslib.runtime.kept import digest, hash_bytes, read_text
from wslib.workbook.sources.book import RenderError
from wslib.workbook.sources.params import Knob, ParameterError, declared_knobs

FORMAT = {"extension": ".py", "format_name": "percent", "comment_magics": False}
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="480pt" height="120pt"/>'
STAND_INS = {
    "fig": {"image/svg+xml": BLANK},
    "tbl": {"text/markdown": "| … |\n|---|\n"},
}
ODD_ENDS = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")  # of lines, for some
LABEL = re.compile(r"#\| *label: *[\"']?(fig|tbl)-")


@dataclass(frozen=True)
class Chapter:
    """The chapter in the file `path`, such as `chapters/NN_name.py`."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def title(self) -> str:
        """The first heading, or the name where there is none."""
        found = re.search(r"^# # (.+?) *(?:\{|$)", self.text, re.M)
        return found[1] if found else self.name

    @property
    def label(self) -> str:
        """The label of the first heading, such as `sec-dogs`; "" without one."""
        found = re.search(r"^# # .*\{#(sec-[\w-]+)", self.text, re.M)
        return found[1] if found else ""

    @cached_property
    def text(self) -> str:
        """The source. Raises FileNotFoundError, and ValueError for odd line ends."""
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path}: no such chapter")
        text = read_text(self.path)
        if odd := ODD_ENDS.search(text):
            line, code = text.count("\n", 0, odd.start()) + 1, ord(odd[0])
            raise ValueError(
                f"{self.path}:{line}: holds the character U+{code:04X}, at which some "
                "programs end a line; in a string write its escape sequence"
            )
        return text

    @cached_property
    def blob(self) -> str:
        """Compute the id that git gives to this text (`git hash-object`)."""
        data = self.text.encode()
        return hash_bytes(b"blob %d\0" % len(data), data, kind="sha1")

    def notebook(self) -> nbformat.NotebookNode:
        """Return the chapter as a notebook without outputs, the caller's own."""
        return deepcopy(self._notebook)

    @cached_property
    def _notebook(self) -> nbformat.NotebookNode:
        """Read the script once, which takes long, and never touch it."""
        notebook = jupytext.reads(self.text, fmt=FORMAT)
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number}"
        return notebook

    def without_results(self) -> nbformat.NotebookNode:
        """Return the notebook with something empty in the place of what is labelled, as
        if it had been executed."""
        notebook = self.notebook()
        for cell in code_cells(notebook):
            label = LABEL.search(cell.source)
            shown = [STAND_INS[label[1]]] if label else []
            cell.outputs = [nbformat.v4.new_output("display_data", s) for s in shown]
            cell.execution_count = 0
        return notebook

    @cached_property
    def knobs(self) -> dict[str, Knob]:
        """Read what the `parameters` cell declares. Raises ParameterError without
        one."""
        notebook = self.notebook()
        source = notebook.cells[self._parameters_cell(notebook)].source
        return declared_knobs(source, str(self.path))

    def _parameters_cell(self, notebook: nbformat.NotebookNode) -> int:
        numbers = [
            number
            for number, cell in enumerate(notebook.cells)
            if "parameters" in cell.metadata.get("tags", [])
        ]
        if len(numbers) != 1:
            raise ParameterError(
                f'{self.path}: expected one cell `# %% tags=["parameters"]`, '
                f"found {len(numbers)}"
            )
        return numbers[0]

    def parameterized(self, parameters: dict, source: str) -> nbformat.NotebookNode:
        """Make the notebook with the `parameters` that differ from their defaults
        injected in a cell of their own, which says that they are from `source`."""
        changed = {
            name: value
            for name, value in parameters.items()
            if value != self.knobs[name].default
        }
        notebook = self.notebook()
        if changed:
            lines = [f"{name} = {value!r}" for name, value in changed.items()]
            cell = nbformat.v4.new_code_cell("\n".join([f"# Set by {source}", *lines]))
            cell.metadata["tags"] = ["injected-parameters"]
            notebook.cells.insert(self._parameters_cell(notebook) + 1, cell)
        return notebook

    def line_of_cell(self, cell_id: str) -> int | None:
        """Find the line (from 1) at which the source of a code cell begins; None for
        one that is not in the file, such as the injected one."""
        text, end = "\n" + self.text + "\n", 0
        for cell in code_cells(self._notebook):
            start = text.find(f"\n{cell.source}\n", end) + 1
            if cell.id == cell_id and start:
                return text.count("\n", 0, start)
            end = start + len(cell.source)
        return None


def read_executed(file: Path, profile: str) -> nbformat.NotebookNode:
    """Read the executed notebook NN_name.ipynb of a chapter. Raises FileNotFoundError
    that says how it is made, and RenderError for a file that is no notebook."""
    try:
        return nbformat.read(file, as_version=4)
    except FileNotFoundError:
        run = f"make chapter CH={file.stem.split('_')[0]} PROFILE={profile}"
        raise FileNotFoundError(f"{file}: is not there; run `{run}` first") from None
    except nbformat.reader.NotJSONError:
        raise RenderError(f"{file}: not a notebook of nbformat 4") from None


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """List the cells that a kernel executes, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def without_code(cell: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the cell with the options at its head, but none of its code."""
    if cell.cell_type != "code":
        return cell
    head = takewhile(lambda line: line[:2] == "#|", cell.source.split("\n"))
    others = (line for line in head if not re.match(r"#\| *echo:", line))
    source = "\n".join([*others, "#| echo: false"])
    return nbformat.from_dict({**cell, "source": source})


def code_of(notebook: nbformat.NotebookNode) -> str:
    """Return a digest of what is executed. The options `#| fig-cap: ...` that head a
    cell are words for the reader, and do not count; nor does the cell of injected
    parameters, which are compared by themselves."""
    cells = []
    for cell in code_cells(notebook):
        if "injected-parameters" not in cell.metadata.get("tags", []):
            lines = cell.source.splitlines()
            cells.append(list(dropwhile(lambda line: line[:2] == "#|", lines)))
    return digest(cells)
