"""One chapter as one notebook that runs where it is put: in Colab, or any Jupyter.

It carries what it needs of `wslib`. The cells on top set it up: a form that chooses the
profile and finds the package, the carried copy, the chapter's parameters as a form, and
what applies the profile to them; `colab_runtime` does the work.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pprint import pformat

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from wslib.runtime.kept import hash_bytes, write_text
from wslib.workbook.notebooks.colab_cells import (
    APPLY,
    CARRIED,
    FIRST,
    PROSE,
    SET_UP,
    comments_of,
    field,
    one_line,
    parameters_of,
)
from wslib.workbook.notebooks.colab_payload import (
    carried_files,
    needed_packages,
    packed,
)
from wslib.workbook.notebooks.colab_prose import read_prose
from wslib.workbook.sources import params
from wslib.workbook.sources.book import load_book
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.options import split_options
from wslib.workbook.sources.repository import commit_files, requirement

PACKAGE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Course:
    """The facts that the notebooks of all chapters share. `downloads`: what a
    parameter's value stands for on the network, see `wslib.models.published`. `profile`
    is what the forms show. Raises as `load_book`."""

    root: Path
    profile: str
    downloads: Mapping[str, Mapping]

    @cached_property
    def chapters(self) -> list[Chapter]:
        paths = sorted(self.root.glob("chapters/[0-9][0-9]_*.py"))
        return [Chapter(path) for path in paths]

    @cached_property
    def book(self):
        return load_book(self.root, self.profile)

    @cached_property
    def profiles(self) -> list[str]:
        """List the profiles of the book, smallest first."""
        return self.book.get("profile.group", [[self.profile]])[0]

    @cached_property
    def prose(self) -> dict[tuple[str, int], str]:
        """Read what the cells say, of all chapters: they refer to each other."""
        return read_prose(self.book, self.chapters)

    @cached_property
    def requirement(self) -> str | None:
        return requirement(self.root)

    def values(self, chapter: Chapter) -> dict[str, dict]:
        """Read what each profile sets in the chapter, checked as the build does."""
        files = {p: self.root / f"params/{p}/{chapter.name}.yml" for p in self.profiles}
        return {
            profile: params.check(params.read_profile(file), chapter.knobs, str(file))
            for profile, file in files.items()
        }


def write_notebook(chapter: Chapter, course: Course) -> Path:
    """Write `build/colab/NAME.ipynb` whole; the same input makes the same bytes.

    Raises FileNotFoundError or ValueError, one line, for a chapter or a parameter file
    that is missing or wrong.
    """
    text = nbformat.writes(make_notebook(chapter, course)) + "\n"
    target = course.root / "build/colab" / f"{chapter.name}.ipynb"
    write_text(target, text)
    return target


def commit_notebooks(chapters: list[Chapter], course: Course, branch: str) -> str:
    """Put the notebooks of `chapters` on a local branch, where those of other chapters
    stay; return what is to be done next. Raises as `repository.commit_files`."""
    folder = course.root / "build/colab"
    names = [f"{chapter.name}.ipynb" for chapter in chapters]
    files = {name: (folder / name).read_bytes() for name in names}
    keep = {f"{chapter.name}.ipynb" for chapter in course.chapters}
    message = f"Notebooks for Colab: {', '.join(c.name for c in chapters)}"
    commit = commit_files(course.root, branch, files, keep, message)
    if commit is None:
        return f"{branch}: has these notebooks already"
    return f"{branch}: {commit[:10]}; to publish it: git push origin {branch}"


def make_notebook(chapter: Chapter, course: Course) -> NotebookNode:
    """Make the notebook of a chapter, without outputs."""
    values = course.values(chapter)
    known = _named(chapter, values, course.downloads)
    fetchers = sorted({row["fetch"] for row in known.values() if row["fetch"]})
    files = carried_files(chapter.path, PACKAGE, fetchers)
    pins = course.root / "requirements.txt"
    needed = needed_packages([chapter.path, *files], pins)
    cells = [
        new_markdown_cell(FIRST.format(title=chapter.title).rstrip()),
        _set_up(chapter, course, values, known, needed),
        new_markdown_cell(PROSE),
        _carried(packed(files, PACKAGE)),
    ]
    for number, cell in enumerate(chapter.notebook().cells):
        if "parameters" in cell.metadata.get("tags", []):
            cells += _parameters(chapter, course.profile, values, known)
        else:
            cells += _converted(cell, course.prose[chapter.name, number])
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    notebook = new_notebook(cells=cells, metadata=_metadata(chapter))
    nbformat.validate(notebook)
    return notebook


def _metadata(chapter: Chapter) -> dict:
    """Describe the notebook, which asks for a GPU where networks are trained."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    name = f"{chapter.name}.ipynb"
    metadata = {
        "colab": {"name": name, "toc_visible": True, "provenance": []},
        "kernelspec": kernel,
        "language_info": {"name": "python"},
    }
    trains = any("epochs" in knob for knob in chapter.knobs)
    return {**metadata, "accelerator": "GPU"} if trains else metadata


# ------------------------------------------------------------------ the cells on top


def _named(chapter: Chapter, values: dict, downloads: Mapping) -> dict:
    """Find the downloads that the parameters name, in a profile or a comment."""
    text = f"{parameters_of(chapter)}\n{values}"
    return {
        name: row
        for name, row in downloads.items()
        if re.search(rf"\b{re.escape(name)}\b", text)
    }


def _set_up(chapter, course: Course, values: dict, known: dict, needed: dict):
    """Say by profile what is to be downloaded; `colab_runtime.fetch` knows more."""
    downloads = {}
    for profile, set_by in values.items():
        defaults = {name: knob.default for name, knob in chapter.knobs.items()}
        text = str({**defaults, **set_by})
        downloads[profile] = [
            f"{row['what']} ({row['size']})"
            for name, row in known.items()
            if f"'{name}'" in text
        ]
    lines = [
        f"profile = {one_line(course.profile)} #@param {one_line(course.profiles)}",
        "",
        _assignment("REPOSITORY", course.requirement),
        _assignment("NEEDED", needed),
        _assignment("DOWNLOADS", downloads),
    ]
    return new_code_cell(_filled(SET_UP, lines))


def _carried(content: bytes) -> NotebookNode:
    text = base64.encodebytes(content).decode()
    lines = f'SHA256 = "{hash_bytes(content)}"\nCARRIED = """\n{text}"""'
    return _form(_filled(CARRIED, [lines]))


def _parameters(
    chapter: Chapter, profile: str, values: dict, known: dict
) -> list[NotebookNode]:
    """Make a form of the parameters, and what applies the profile to them."""
    comments = comments_of(chapter)
    lines = ["#@title Parameters"]
    for name, knob in chapter.knobs.items():
        value = values[profile].get(name, knob.default)
        lines += [f"#@markdown {comments[name]}"] if comments.get(name) else []
        lines.append(f"{name} = {field(knob, value)}")
    form = new_code_cell("\n".join(lines), metadata={"tags": ["parameters"]})
    knobs = {name: (k.annotation, k.default) for name, k in chapter.knobs.items()}
    settings = [
        _assignment("KNOBS", knobs),
        _assignment("PROFILES", values),
        _assignment("KNOWN", known),
        _assignment("SHOWN", profile),
    ]
    return [form, _form(_filled(APPLY, settings))]


def _filled(template: str, settings: list[str]) -> str:
    return template.replace("# SETTINGS", "\n".join(settings)).rstrip()


def _form(source: str) -> NotebookNode:
    """Make a cell whose code is folded away, by Colab and by JupyterLab."""
    folded = {"cellView": "form", "jupyter": {"source_hidden": True}}
    return new_code_cell(source, metadata=folded)


def _assignment(name: str, value) -> str:
    return f"{name} = {pformat(value, width=84, sort_dicts=False)}"


# ------------------------------------------------------------------------ the others


def _converted(cell: NotebookNode, words: str) -> list[NotebookNode]:
    """Convert a cell of the chapter; the caption under it is a cell of its own."""
    if cell.cell_type != "code":
        return [new_markdown_cell(words)]
    options, code = split_options(cell.source)
    caption = words.rpartition("\n\n")[2]  # above it is what stands for the result
    below = [new_markdown_cell(caption)] if caption else []
    hidden = options.get("echo") is False
    return [_form(code) if hidden else new_code_cell(code), *below]
