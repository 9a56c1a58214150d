"""The teacher's pages: one for each chapter, which fits it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("[0-9][0-9]_*.py"))
BOOK = [*CHAPTERS, *ROOT.glob("*.qmd")]
PATTERN = "report/teacher/04.qmd"  # to be followed
LABEL = re.compile(r"\{#([\w-]+)|^#\| label: ([\w-]+)", re.MULTILINE)


def page(chapter: Path) -> str:
    file = ROOT / f"report/teacher/{chapter.name[:2]}.qmd"
    assert file.is_file(), f"{file}: not there; write it as {PATTERN}"
    return file.read_text("utf-8")


def exercises(chapter: Path) -> set[str]:
    """The numbers and names by which the chapter calls its exercises."""
    text = chapter.read_text(encoding="utf-8").partition("\n# ## Exercises")[2]
    text = text.partition("\n# ## ")[0]
    found = re.findall(r"^# (?:\*\*(\d+)\.|\*\*(\D[^.*]*)\.\*\*|(\d+)\. )", text, re.M)
    return {name.lower() for names in found for name in names if name}


every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)


@every_chapter
def test_goals_times_pitfalls_and_course_items(chapter):
    text = page(chapter)
    for part in ("Afterwards a student can", "students get wrong", "Course items."):
        there = f"**{part}" in text or f"**What {part}" in text
        assert there, f"no **{part}**, as in {PATTERN}"
    assert len(text.split()) < 480  # a page


@every_chapter
def test_each_exercise_has_minutes_and_a_session(chapter):
    rows = re.findall(
        r"^\| (.+?) \| (\d+)[^|]* \| (.+?) \| .+ \|$", page(chapter), re.M
    )
    named = [re.split(r",| \(", row[0])[0].lower() for row in rows]
    expected = sorted(exercises(chapter))
    said = f"rows | {expected} | minutes | session | asks for |, as in {PATTERN}"
    assert expected and sorted(named) == expected, said


@every_chapter
def test_no_run_time_is_typed(chapter):
    assert not re.search(r"\d (?:s|seconds)\b", " ".join(page(chapter).split()))


@every_chapter
def test_references_lead_somewhere(chapter):
    texts = [file.read_text(encoding="utf-8") for file in BOOK]
    labels = {a or b for text in texts for a, b in LABEL.findall(text)}
    asked = set(re.findall(r"@([a-z]+-[\w-]+)", page(chapter)))
    assert asked, "no @fig-, @tbl- or @sec- of the book"
    assert asked <= labels, asked - labels
