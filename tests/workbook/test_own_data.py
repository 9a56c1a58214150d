"""Data of one's own in a chapter: a folder in the place of a name, and its classes."""

from __future__ import annotations

import json

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from wslib.workbook.runs.build import Build
from wslib.workbook.runs.provenance import state_facts
from wslib.workbook.runs.settings import check, read_settings, resolve
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.params import ParameterError

CELL = """\
# %% tags=["parameters"]
from typing import Literal

seed: int = 0  # of all
dataset: Literal["drawn", "voc"]{folder} = "drawn"  # or a folder
class_name: Literal["dog", "cat"] = "dog"  # what is to be found
"""


@pytest.fixture
def chapters(tmp_path):
    """One that takes a folder, and one that does not."""
    for name, folder in {"02_own": " | str", "04_other": ""}.items():
        path = tmp_path / "chapters" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(CELL.replace("{folder}", folder))
        params = tmp_path / "params" / "smoke" / f"{name}.yml"
        params.parent.mkdir(exist_ok=True, parents=True)
        params.write_text("dataset: voc\n")
    (tmp_path / "balls").mkdir()
    return [Chapter(path) for path in sorted((tmp_path / "chapters").iterdir())]


def settings(chapters, root, overrides=(), data=""):
    build = Build("smoke", root)
    check(chapters, build, dict(overrides), data, lambda folder: ("ball", "tree"))
    files = [build.file(chapter, ".json") for chapter in chapters]
    return [json.loads(file.read_text()) for file in files]


def test_a_folder_counts_where_it_is_taken_and_brings_its_classes(chapters, tmp_path):
    folder = str(tmp_path / "balls")
    own, other = settings(chapters, tmp_path, data=folder)
    assert own["parameters"]["dataset"] == folder
    assert own["parameters"]["class_name"] == "ball"
    assert own["set_by"]["class_name"] == "the folder"
    assert other["parameters"] == {"seed": 0, "dataset": "voc", "class_name": "dog"}
    chosen = settings(chapters[:1], tmp_path, {"class_name": "tree"}, folder)[0]
    assert chosen["parameters"]["class_name"] == "tree"


def test_what_the_check_wrote_and_was_lost_is_the_same_again(chapters, tmp_path):
    folder, build = str(tmp_path / "balls"), Build("smoke", tmp_path)
    wanted = settings(chapters, tmp_path, {"seed": 3}, folder)
    build.file(chapters[0], ".json").write_text("{")
    assert read_settings(chapters[0], build) is None
    own = {"data": folder, "classes_in": lambda folder: ("ball", "tree")}
    assert [resolve(c, build, {"seed": 3}, **own) for c in chapters] == wanted


def test_what_is_not_allowed_is_refused_with_what_is(chapters, tmp_path):
    folder = str(tmp_path / "balls")
    for overrides, data, text in (
        ({"class_name": "kat"}, "", "one of dog, cat, not 'kat'; did you mean 'cat'?"),
        ({"class_name": "dog"}, folder, "class_name must be one of ball, tree, not"),
        ({}, folder + "s", "dataset must be one of drawn, voc, or a folder that is th"),
        ({"dataset": "vco"}, "", "not 'vco'; did you mean 'voc'?"),
    ):
        with pytest.raises(ParameterError, match=text.replace("?", r"\?")):
            settings(chapters[:1], tmp_path, overrides, data)
    with pytest.raises(ParameterError, match="DATA=x: 04_other takes no data of one's"):
        settings(chapters[1:], tmp_path, data="x")


def test_the_line_below_the_title_says_whose_pictures_they_are(tmp_path):
    (tmp_path / "balls").mkdir()
    values = {"dataset": str(tmp_path / "balls"), "seed": 3, "rate": 1}
    values["class_name"] = "ball"
    run = {"device": "cpu", "seconds": 1, "machine": "M", "profile": "smoke"}
    run |= {"date": "2026-11-28", "parameters": values}
    for names, said in (
        (
            ["dataset"],
            " The pictures are those in the folder *balls*, the class is *ball*, "
            "whatever the text",
        ),
        (["seed"], " Set by hand: `seed=3`."),
        ([], "2026-11-28.\n"),
    ):
        run["set_by"] = {"rate": "profile", **dict.fromkeys(names, "command line")}
        run["set_by"]["class_name"] = "the folder"
        notebook = new_notebook(cells=[new_markdown_cell("# T\n\nText.")])
        notebook.metadata["wslib"] = run
        state_facts(notebook)
        assert said in notebook.cells[0].source
        assert str(tmp_path) not in notebook.cells[0].source
