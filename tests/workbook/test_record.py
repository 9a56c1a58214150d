"""What is kept of a run on real data, and which runs are refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wslib.show.recorded import read_recorded

CHAPTER = """
# %% [markdown]
# # Cats {#sec-cats}

# %% tags=["parameters"]
seed: int = 0  # of nothing at all

# %%
import pandas as pd

from wslib.data.folders import dataset_folder
from wslib.show.tables import Table

folder = dataset_folder("cats", "a.txt")

# %%
#| label: tbl-cats
#| tbl-cap: "Cats."
Table(pd.DataFrame({"row": ["all"], "AP": [0.1 + seed]}), "cats", note="Data: DATA.")
"""

RESULTS = """
01_one: {sentence: a, chapter: sec-cats, place: tbl-z, table: zebras, columns: {AP: AP}}
"""


def git(project, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    command = ["git", *identity, *words]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def measured(tmp_path_factory, copied, untouched) -> Path:
    """A committed project whose first chapter measured something on photographs: to be
    copied."""
    root = tmp_path_factory.mktemp("measured") / "project"
    project = copied(untouched, root)
    project.write("data/cats/a.txt", "12345")
    project.write("data/cats/deep/b.txt", "678")
    project.write(".gitignore", "/data/\n/build/\n/.venv/\n__pycache__/\n")
    project.write("chapters/01_one.py", CHAPTER.replace("DATA", "photographs of cats"))
    commit(project)
    done = project.make("chapter", "CH=01")
    assert done.returncode == 0, done.stdout
    return root


@pytest.fixture
def cats(tmp_path, copied, measured):
    return copied(measured, tmp_path / "project")


def commit(project) -> None:
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "all", "--allow-empty")


def record(project, *words: str):
    return project.make("record", "CH=01", "NAME=unseen", "LOOKS=never before", *words)


def test_a_run_is_kept_with_how_it_came_to_be(cats):
    cats.write("README.md", "<!-- results -->\n<!-- /results -->\n")
    cats.write("report/results.yml", "")
    commit(cats)
    done = record(cats, "SET=seed=2")
    assert done.returncode == 0, done.stdout
    run = read_recorded("01_unseen", cats.root)
    assert run.tables["cats"].rows == [["all", 2.1]] and list(run.tables) == ["cats"]
    assert run.parameters == {"seed": 2}
    assert run.command == 'make record CH=01 PROFILE=smoke SET="seed=2"'
    assert run.commit == git(cats, "rev-parse", "--short=7", "HEAD")
    assert (run.data.what, run.data.looks) == ("photographs of cats", "never before")
    assert (run.data.files, run.data.bytes) == (2, 8)
    assert "torch" in run.versions and run.seconds > 0


def test_the_data_are_those_of_the_table_that_counts(cats):
    head, table = CHAPTER.split("#| label: tbl-cats")
    more = f"{table.replace('DATA', 'cats, val')}\n# %%\n#| label: tbl-z"
    last = table.replace("DATA", "cats, test").replace('"cats"', '"zebras"')
    cats.write("chapters/01_one.py", f"{head}#| label: tbl-cats{more}{last}")
    cats.write("report/results.yml", RESULTS)
    commit(cats)
    record(cats)  # no README to write into: the run is kept before that is said
    run = read_recorded("01_unseen", cats.root)
    assert list(run.tables) == ["cats", "zebras"]
    assert run.data.what == "cats, test"


@pytest.mark.parametrize(
    "break_it, words, said",
    [
        (lambda p: p.write("new.txt", "x"), (), "new.txt: differs from the commit"),
        (lambda p: None, ("NAME=Not a name",), "NAME=Not a name: expected a name"),
        (lambda p: None, ("LOOKS=",), "LOOKS: say how often"),
    ],
)
def test_what_is_not_in_order_is_refused(cats, break_it, words, said):
    break_it(cats)
    done = record(cats, *words)
    assert done.returncode != 0 and f"wslib: {said}" in done.stdout, done.stdout
    assert not (cats.root / "report/recorded/01_unseen.json").exists()


def test_rendered_data_are_refused(cats):
    cats.edit("chapters/01_one.py", "photographs of cats", "rendered pictures, test")
    cats.edit("chapters/01_one.py", 'folder = dataset_folder("cats", "a.txt")', "")
    commit(cats)
    done = record(cats)
    assert done.returncode != 0
    assert (
        "wslib: data: rendered pictures, test; only real data are kept" in done.stdout
    )


def test_a_run_of_other_code_is_refused(cats):
    cats.edit("chapters/01_one.py", "0.1 + seed", "0.2 + seed")
    commit(cats)
    command = [".venv/bin/wslib", "workbook", "record", "chapters/01_one.py"]
    options = ["--profile", "smoke", "--name", "unseen", "--looks", "never"]
    done = subprocess.run(
        [*command, *options], cwd=cats.root, env=cats.environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0 and "out of date" in done.stderr
