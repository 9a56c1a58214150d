"""Every chapter: its form, its parameters, its references."""

from __future__ import annotations

from pathlib import Path

import pytest

from wslib.cli.choices import settings_in
from wslib.workbook.sources import params
from wslib.workbook.sources.book import load_book
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.profiles import PROFILES
from wslib.workbook.sources.rules import find_faults, read_prose

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = [Chapter(path) for path in sorted((ROOT / "chapters").glob("*.py"))]
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.name)


def test_there_are_chapters():
    assert len(CHAPTERS) >= 2


@every_chapter
def test_its_form_is_that_of_the_rules(chapter):
    assert find_faults(chapter) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_sets_what_the_chapters_know(profile):
    knobs = {chapter.name: chapter.knobs for chapter in CHAPTERS}
    files = sorted((ROOT / "params" / profile).glob("*"))
    assert files
    for file in files:
        assert file.suffix == ".yml" and file.stem in knobs, f"{file}: of no chapter"
        params.check(params.read_yaml(file), knobs[file.stem], str(file))


BESIDE = sorted((ROOT / "params").glob("*.yml"))


@pytest.mark.parametrize("file", BESIDE, ids=lambda file: file.stem)
def test_settings_beside_the_profiles_are_those_of_a_chapter(file):
    (chapter,) = (c for c in CHAPTERS if c.name[:2] == file.name[:2])
    assert params.check(params.read_yaml(file), chapter.knobs, str(file))
    assert f'SET="params/{file.name}' in read_prose(chapter), "who is told of it?"


@every_chapter
def test_each_profile_lists_the_chapter(chapter):
    for profile in PROFILES:
        pages = [page.file for page in load_book(ROOT, profile).pages]
        assert f"build/{profile}/{chapter.name}.ipynb" in pages


@every_chapter
def test_knobs_of_the_recipe_are_those_of_the_package(chapter):
    recipe = settings_in("boxes.recipe", "DEFAULT_RECIPE")
    for name in recipe.keys() & chapter.knobs.keys():
        assert chapter.knobs[name].default == recipe[name], name
