"""A tiny project: the real engine and Makefile, two chapters that take no time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]

ONE = """
# %% [markdown]
# # One {#sec-one}
#
# The first chapter says hello.

# %% tags=["parameters"]
seed: int = 0  # of nothing at all
scale: float = 1.0  # of the answer

# %%
from wslib import answer

answer.value() * scale
"""

TWO = """
# %% [markdown]
# # Two {#sec-two}

# %% tags=["parameters"]
limit: int = 3  # how many

# %%
numbers = list(range(limit))

# %%
#| label: tbl-numbers
#| tbl-cap: "All of them."
from IPython.display import Markdown

Markdown("| n |\\n|--:|\\n" + "\\n".join(f"| {n} |" for n in numbers))
"""


class Project:
    """A folder with chapters, and what a person does there; of a folder that is a
    project already, that one."""

    def __init__(self, root: Path):
        self.root = root
        self.environment = {
            **{
                k: v
                for k, v in os.environ.items()
                if not k.startswith(("WSLIB", "MAKE"))
            },
            "PYTHONPATH": str(root),
            "WSLIB_RENDERER": "embedded",
        }
        if not root.exists():
            self._fill(root)

    def _fill(self, root: Path) -> None:
        for folder in ("chapters", "params/smoke"):
            (root / folder).mkdir(parents=True)
        for name in ("wslib", "report"):
            ignore = shutil.ignore_patterns("__pycache__", "_output", "teacher")
            shutil.copytree(ROOT / name, root / name, ignore=ignore)
        for name in ("Makefile", "_quarto.yml"):
            shutil.copy(ROOT / name, root / name)
        self.write("index.qmd", "# Preface {.unnumbered}\n\nSee @sec-provenance.\n")
        self.write("wslib/answer.py", "def value():\n    return 42\n")
        self.write("chapters/01_one.py", ONE)
        self.write("chapters/02_two.py", TWO)
        self.write("params/smoke/01_one.yml", "seed: 1\n")
        self.write(
            "_quarto-smoke.yml",
            """
            project:
              output-dir: report/_output/smoke
            book:
              chapters:
                - index.qmd
                - build/smoke/*.ipynb
              appendices:
                - build/smoke/provenance.qmd
            """,
        )
        self._environment_of_the_tests()

    def _environment_of_the_tests(self) -> None:
        """Stand-ins for what `make` would install: this interpreter's own tools."""
        (self.root / ".venv/bin").mkdir(parents=True)
        program = f'#!/bin/sh\nexec "{sys.executable}" -m wslib.cli "$@"\n'
        self.write(".venv/bin/wslib", program)
        (self.root / ".venv/bin/wslib").chmod(0o755)
        for stamp in (".installed", ".quarto"):
            self.write(f".venv/{stamp}", "")
        for name in ("requirements.txt", "requirements-quarto.txt", "pyproject.toml"):
            self.write(name, "")
            os.utime(self.root / name, (0, 0))

    def write(self, name: str, text: str) -> None:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text, f"{name} does not hold {old!r}"
        self.write(name, text.replace(old, new))

    def make(self, *words: str, **environment: str) -> subprocess.CompletedProcess:
        """Run make; the result's stdout holds both streams."""
        return subprocess.run(
            ["make", "PROFILE=smoke", *words],
            cwd=self.root,
            env={**self.environment, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
        )

    def notebook(self, name: str) -> nbformat.NotebookNode:
        return nbformat.read(self.root / f"build/smoke/{name}.ipynb", as_version=4)

    def outputs(self, name: str) -> str:
        """The text of a notebook's results, one a line."""
        cells = [c for c in self.notebook(name).cells if c.cell_type == "code"]
        return "\n".join(
            output.data["text/plain"]
            for cell in cells
            for output in cell.outputs
            if output.output_type == "execute_result"
        )


@pytest.fixture(scope="session")
def new_project() -> type[Project]:
    return Project


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture(scope="session")
def executed(tmp_path_factory) -> Path:
    """A project whose two chapters were executed: to be copied, and never changed."""
    project = Project(tmp_path_factory.mktemp("executed") / "project")
    done = project.make("chapter", "CH=0")
    assert done.returncode == 0 and done.stdout.count("executed in") == 2, done.stdout
    return project.root


@pytest.fixture
def ready(tmp_path, executed) -> Project:
    """A copy of that project, as if its chapters had been executed here."""
    shutil.copytree(executed, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")
