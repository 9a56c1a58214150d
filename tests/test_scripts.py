"""Chapters as plain scripts, as an editor or a terminal runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from wslib.runtime.project import build_folder, project_root

ROOT = Path(__file__).resolve().parents[1]
FIRST = next((ROOT / "chapters").glob("01_*.py"))
SMALL = """
import pandas as pd
from wslib.show import figures
from wslib.data.folders import data_root, derived_root
from wslib.show.tables import Table

# %%
fig, axes = figures.new_figure()
figures.Picture(fig, "line")

# %%
Table(pd.DataFrame({"photograph": ["Chelsea"], "logit": [-7.25]}), "logits", ".1f")

# %%
Table(pd.DataFrame({"x": [1]}), "unsaved", save=False)

# %%
print([str(folder) for folder in (data_root(), derived_root())])
"""


@pytest.fixture
def project(tmp_path) -> Path:
    for folder in ("chapters", "notebooks", "elsewhere"):
        (tmp_path / "project" / folder).mkdir(parents=True)
    (tmp_path / "project/_quarto.yml").write_text("")
    (tmp_path / "project/chapters/06_small.py").write_text(SMALL)
    return tmp_path / "project"


def python(*words: str | Path, cwd: Path, **more: str) -> subprocess.CompletedProcess:
    """Without a display, and with nothing of the build in the environment."""
    mine = ("WSLIB", "DISPLAY", "WAYLAND", "MPLBACKEND")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=400,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **more},
    )  # fmt: skip


def made(folder: Path) -> list[str]:
    return sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()
    )


def test_the_first_chapter_runs_in_its_own_folder(project):
    text = FIRST.read_text(encoding="utf-8")
    values = yaml.safe_load((ROOT / f"params/smoke/{FIRST.stem}.yml").read_text())
    assert all(re.search(rf"^{name}: ", text, re.M) for name in values)
    lines = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    end = text.index("\n# %%", text.index('tags=["parameters"]'))
    text = f"{text[:end]}\n{lines}{text[end:]}"
    (project / "chapters" / FIRST.name).write_text(text, encoding="utf-8")
    done = python(FIRST.name, cwd=project / "chapters")
    assert done.returncode == 0, done.stderr[-2000:]
    assert made(project / "chapters") == sorted([FIRST.name, "06_small.py"])
    found = made(project / "build/interactive")
    assert len([name for name in found if name.startswith("figures/")]) >= 5
    for name in found:
        if not name.endswith(".json"):
            assert f": {project / 'build/interactive' / name}\n" in done.stdout
    assert re.search(r"^photograph +first +probability", done.stdout, re.M)
    assert "Egyptian cat" in done.stdout
    assert "object at 0x" not in done.stdout and "<IPython" not in done.stdout
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("folder", ["", "chapters", "notebooks", "elsewhere", "../"])
def test_everything_goes_to_the_project(project, folder):
    done = python(project / "chapters/06_small.py", cwd=project / folder)
    assert done.returncode == 0, done.stderr
    root = Path() if folder == "" else project
    assert done.stdout == (
        f"\nfigure: {root / 'build/interactive/figures/line.svg'}\n"
        f"\ntable: {root / 'build/interactive/tables/logits.csv'}\n"
        "photograph  logit\n"
        "Chelsea      −7.2\n"
        f"['{root / 'data'}', '{root / 'build'}']\n"
    )
    assert made(project) == [
        "_quarto.yml",
        "build/interactive/figures/line.svg",
        "build/interactive/tables/logits.csv",
        "build/interactive/tables/logits.json",
        "chapters/06_small.py",
    ]


def test_the_environment_has_the_last_word(project, tmp_path):
    here = {"WSLIB_BUILD": str(tmp_path / "b/x"), "WSLIB_DATA": str(tmp_path / "d")}
    done = python("06_small.py", cwd=project / "chapters", **here)
    assert done.stdout.endswith(f"['{tmp_path / 'd'}', '{tmp_path / 'b'}']\n")
    assert (tmp_path / "b/x/figures/line.svg").is_file()
    assert not (project / "build").exists()


def test_a_terminal_without_the_signs_gets_others(project):
    done = python(
        "06_small.py", cwd=project / "chapters", PYTHONIOENCODING="ascii:strict"
    )
    assert done.returncode == 0, done.stderr
    assert "Chelsea      ?7.2\n" in done.stdout


def test_other_scripts_and_folders_are_left_alone(project, tmp_path):
    """No project around: the current folder, and not a word."""
    script = tmp_path / "mine.py"
    script.write_text(SMALL)
    done = python(script, cwd=tmp_path)
    assert done.stdout == "['data', 'build']\n"
    assert (tmp_path / "build/interactive/tables/logits.csv").is_file()


@pytest.mark.parametrize("folder", ["chapters", "notebooks"])
def test_consoles_show_values_themselves(project, folder):
    """IPython, as in Jupyter, Spyder and PyCharm, running the whole file."""
    code = (
        "import runpy, sys; from IPython.core.interactiveshell import InteractiveShell;"
        "shell = InteractiveShell.instance();"
        f"sys.modules['__main__'].__file__ = {str(project / 'chapters/06_small.py')!r};"
        "shell.run_cell(open(sys.modules['__main__'].__file__).read())"
    )
    done = python("-c", code, cwd=project / folder)
    assert done.stdout == f"['{project / 'data'}', '{project / 'build'}']\n"
    assert (project / "build/interactive/figures/line.svg").is_file()


def test_a_folder_named_chapters_alone_is_no_project(tmp_path, monkeypatch):
    (tmp_path / "chapters").mkdir()
    monkeypatch.chdir(tmp_path / "chapters")
    monkeypatch.delenv("WSLIB_BUILD", raising=False)
    assert (project_root(), build_folder()) == (Path(), Path("build/interactive"))
    (tmp_path / "_quarto.yml").write_text("")
    assert build_folder() == tmp_path / "build/interactive"
