"""Every chapter: its form, its parameters, its references."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from wslib.cli.choices import settings_in
from wslib.workbook import params
from wslib.workbook.chapter import Chapter, code_cells
from wslib.workbook.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = [Chapter(path) for path in sorted((ROOT / "chapters").glob("*.py"))]
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)


def options(source: str) -> dict:
    """The `#| key: value` lines of a cell."""
    lines = [line[3:] for line in source.splitlines() if line.startswith("#| ")]
    return yaml.safe_load("\n".join(lines)) or {}


def prose(chapter: Chapter) -> str:
    cells = chapter.notebook().cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_there_are_chapters():
    assert len(CHAPTERS) >= 2


@every_chapter
def test_opens_with_a_labelled_title(chapter):
    first = chapter.notebook().cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# .+ \{#sec-[\w-]+\}\n", first.source)


@every_chapter
@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_sets_what_the_chapter_knows(chapter, profile):
    file = ROOT / "params" / profile / f"{chapter.name}.yml"
    params.check(params.read_yaml(file), chapter.knobs, str(file))
    assert "seed" in chapter.knobs


BESIDE = sorted((ROOT / "params").glob("*.yml"))


@pytest.mark.parametrize("file", BESIDE, ids=lambda file: file.stem)
def test_settings_beside_the_profiles_are_those_of_a_chapter(file):
    (chapter,) = (c for c in CHAPTERS if c.name[:2] == file.name[:2])
    assert params.check(params.read_yaml(file), chapter.knobs, str(file))
    assert f'SET="params/{file.name}' in prose(chapter), "who is told of it?"


@every_chapter
def test_each_profile_lists_the_chapter(chapter):
    for profile in PROFILES:
        book = yaml.safe_load((ROOT / f"_quarto-{profile}.yml").read_text())["book"]
        assert f"build/{profile}/{chapter.name}.ipynb" in book["chapters"]


@every_chapter
def test_every_knob_is_commented(chapter):
    cell = next(
        c for c in code_cells(chapter.notebook()) if "parameters" in c.metadata.tags
    )
    for node in ast.parse(cell.source).body:
        if not isinstance(node, ast.AnnAssign):
            continue
        lines = cell.source.splitlines()[node.lineno - 1 : node.end_lineno]
        assert any("#" in line for line in lines), ast.unparse(node)


@every_chapter
def test_lines_fit_the_page(chapter):
    long = [n for n, line in enumerate(chapter.text.split("\n"), 1) if len(line) > 88]
    assert not long, f"lines {long} are longer than 88 characters"


@every_chapter
def test_no_magics_and_no_shell(chapter):
    for cell in code_cells(chapter.notebook()):
        ast.parse(cell.source)
        assert not re.search(r"^\s*[%!]|get_ipython", cell.source, re.M)


def ideas(chapter: Chapter) -> set[str]:
    """The classes of cells that are left open: where a course asks for a class, as for
    Grad-CAM and for a pipeline, the class is the idea, and has to be seen. Their
    methods are as short as other functions."""
    cells = code_cells(chapter.notebook())
    shown = [c for c in cells if options(c.source).get("code-fold") is False]
    nodes = [node for cell in shown for node in ast.parse(cell.source).body]
    return {node.name for node in nodes if isinstance(node, ast.ClassDef)}


@every_chapter
def test_chapters_define_almost_nothing(chapter):
    for node in ast.walk(ast.parse(chapter.text)):
        if isinstance(node, ast.ClassDef) and node.name not in ideas(chapter):
            # a record of named fields, no more
            assert all(isinstance(field, ast.AnnAssign) for field in node.body)
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 12, node.name


@every_chapter
def test_words_come_between_the_code(chapter):
    """At most three cells of visible code in a row: define, compute, show."""
    in_a_row = 0
    for cell in chapter.notebook().cells:
        if cell.cell_type == "markdown":
            in_a_row = 0
        elif options(cell.source).get("echo", True):
            in_a_row += 1
        assert in_a_row <= 3, f"no words before {cell.source[:60]!r}"


@every_chapter
def test_figures_and_tables_have_captions_and_are_referred_to(chapter):
    text, labels = prose(chapter), []
    for cell in code_cells(chapter.notebook()):
        label = options(cell.source).get("label", "")
        kind = label.split("-")[0]
        if kind in ("fig", "tbl"):
            labels.append(label)
            caption = options(cell.source).get(f"{kind}-cap", "")
            assert len(caption) > 20 and caption.endswith("."), label
            assert f"@{label}" in text, f"{label} is never referred to"
    assert len(labels) == len(set(labels)) >= 2


@every_chapter
def test_figures_say_in_words_what_is_to_be_seen(chapter):
    """Alternative text, for those who hear the page: no copy of the caption."""
    for cell in code_cells(chapter.notebook()):
        facts = options(cell.source)
        if facts.get("label", "").startswith("fig-"):
            text = facts.get("fig-alt", "")
            assert 40 < len(text) < 300 and text.endswith("."), facts["label"]
            assert text not in facts["fig-cap"], facts["label"]


@every_chapter
def test_slides_have_an_idea_three_figures_and_a_table(chapter):
    cells = [
        c for c in chapter.notebook().cells if "slide" in c.metadata.get("tags", [])
    ]
    labels = [
        options(c.source).get("label", "") for c in cells if c.cell_type == "code"
    ]
    assert cells[0] == chapter.notebook().cells[0]
    assert sum(label.startswith("fig-") for label in labels) == 3
    assert sum(label.startswith("tbl-") for label in labels) == 1
    assert sum(c.cell_type == "markdown" for c in cells) >= 2


@every_chapter
def test_ends_with_what_was_learnt(chapter):
    text = prose(chapter).lower()
    for words in (
        "you will learn",
        "what we saw",
        "what failed",
        "exercise",
        "callout",
    ):
        assert words in text, words


@every_chapter
def test_knobs_of_the_recipe_are_those_of_the_package(chapter):
    recipe = settings_in("boxes.recipe", "DEFAULT_RECIPE")
    for name in recipe.keys() & chapter.knobs.keys():
        assert chapter.knobs[name].default == recipe[name], name
