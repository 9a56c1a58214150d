"""Editions: solutions folded on the web, at the end on paper, or nowhere."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from wslib.workbook.report.document import Document
from wslib.workbook.report.editions import (
    for_paper,
    for_web,
    of_edition,
    part_solutions,
)
from wslib.workbook.report.stage import Stage, write_project
from wslib.workbook.sources.book import Book, Page, RenderError

CHAPTER = """# Cats {#sec-cats}

## Exercises

1. How many?

::: {.callout-tip title="Solutions" collapse="true"}
1. Seven, see @tbl-cats.

::: {.small}
Nine lives each.
:::
:::

The end.
"""
PLAIN = '# Preface {.unnumbered}\n\n::: {.callout-note title="A note"}\nStays.\n:::\n'


@pytest.fixture
def staged(tmp_path) -> Stage:
    book = {"chapters": ["index.qmd", "01.qmd"], "title": "A", "subtitle": "B"}
    settings = {"book": book, "project": {"output-dir": "out"}}
    pages = [Page("index.qmd"), Page("01.qmd")]
    documents = [Document(PLAIN), Document(CHAPTER)]
    return Stage(Book(tmp_path, "smoke", settings), tmp_path, pages, documents)


def texts(staged: Stage) -> list[str]:
    return [document.markdown for document in staged.documents]


def test_solutions_are_parted_with_what_is_nested_in_them():
    rest, solutions = part_solutions(CHAPTER)
    assert rest.startswith("# Cats") and rest.endswith("\nThe end.\n")
    assert "How many?" in rest and "Seven" not in rest and ":::" not in rest
    assert solutions.startswith("\n1. Seven, see @tbl-cats.\n")
    assert solutions.endswith("Nine lives each.\n:::\n")


def test_a_solution_of_one_exercise_keeps_its_title():
    one = CHAPTER.replace("callout-tip", "callout-note").replace(
        "Solutions", "Solution of 1"
    )
    rest, solutions = part_solutions(one)
    assert "Seven" not in rest
    assert solutions.startswith("\n#### Solution of 1 {.unnumbered}\n\n1. S")


def test_a_page_without_solutions_stays_as_it_is():
    assert part_solutions(PLAIN) == (PLAIN, "")


def test_on_paper_the_solutions_are_an_appendix(staged):
    paper = for_paper(staged, "")
    assert for_web(staged, "") is staged
    assert paper.pages[-1] == Page("solutions.qmd", appendix=True)
    assert "Seven" not in texts(paper)[1]
    assert texts(paper)[0] == PLAIN
    assert texts(paper)[2].startswith("# Solutions {#sec-solutions}\n\n## Cats {")
    assert "1. Seven" in texts(paper)[2]


def test_the_appendix_is_a_page_of_the_project(staged):
    paper = for_paper(staged, "")
    write_project(paper, staged.folder, "out", "typst")
    text = (staged.folder / "_quarto.yml").read_text()
    assert "appendices:\n  - solutions.qmd" in text


def test_students_have_no_solutions(staged):
    for made in (for_web(staged, "student"), for_paper(staged, "student")):
        assert "Seven" not in "".join(texts(made)) and len(made.pages) == 2


def test_teachers_have_them_under_the_exercises(staged):
    assert for_paper(staged, "teacher") == staged


def test_a_book_without_solutions_has_no_appendix(staged):
    staged.documents[1] = Document("# Dogs\n")
    assert len(for_paper(staged, "").pages) == 2


def test_an_edition_has_a_folder_and_a_subtitle(staged):
    book = of_edition(staged.book, "student")
    assert book.output == Path(staged.book.root / "out-student")
    assert book.get("book.subtitle") == "B. Student's edition"
    assert of_edition(staged.book, "") is staged.book
    assert staged.book.get("book.subtitle") == "B"


def test_another_edition():
    with pytest.raises(RenderError, match="EDITION=pocket: there are student and teac"):
        of_edition(Book(Path(), "smoke", {"book": {}}), "pocket")


NOTE = "\n**Afterwards** they count.\n"


def test_a_teacher_has_a_page_before_the_exercises(staged):
    staged.pages[1] = Page("build/smoke/01_cats.ipynb")
    staged.documents[1] = replace(staged.documents[1], seconds=61)
    note = staged.book.root / "report/teacher/01.qmd"
    note.parent.mkdir(parents=True)
    note.write_text(NOTE, encoding="utf-8")
    for made in (for_web(staged, "teacher"), for_paper(staged, "teacher")):
        preface, chapter = texts(made)
        assert preface == PLAIN
        before, _, page = chapter.partition("::: {.teacher}\n")
        assert before == "# Cats {#sec-cats}\n\n\n"
        head, _, rest = page.partition("\n:::\n\n## Exercises\n")
        assert head == (
            "## For the teacher {.unnumbered}\n\nReading takes about 1 min, and this "
            "run took 1 min 1 s. **Afterwards** they count."
        )
        assert rest.endswith("The end.\n") and "Seven" in rest
    for edition in ("", "student"):
        assert "Afterwards" not in "".join(texts(for_paper(staged, edition)))


def test_without_exercises_the_page_stands_at_the_end(staged):
    staged.pages[1] = Page("01_cats.ipynb")
    staged.documents[1] = Document("# Cats\n")
    note = staged.book.root / "report/teacher/01.qmd"
    note.parent.mkdir(parents=True)
    note.write_text(NOTE, encoding="utf-8")
    assert texts(for_web(staged, "teacher"))[1].startswith("# Cats\n\n::: {.teacher}\n")


SOLUTIONS = """
# %% [markdown]
# ::: {.callout-tip title="Solutions" collapse="true"}
# Seven.
# :::
"""


def test_make_report_for_a_teacher_and_for_a_student(ready):
    ready.write("report/teacher/01.qmd", "**Afterwards** one may read @sec-two.\n")
    with (ready.root / "chapters/02_two.py").open("a", encoding="utf-8") as chapter:
        chapter.write(SOLUTIONS)
    for edition in ("teacher", "student"):
        done = ready.make("report", f"EDITION={edition}")
        assert done.returncode == 0, done.stdout
        folder = ready.root / f"report/_output/smoke-{edition}"
        html = (folder / "index.html").read_text("utf-8")
        assert ("Afterwards" in html) == (edition == "teacher")
        assert (folder / "workbook.pdf").read_bytes()[:5] == b"%PDF-"
        notebook = (folder / "notebooks/02_two.ipynb").read_text("utf-8")
        assert ("Seven" in notebook) == ("Seven" in html) == (edition == "teacher")
    html = (ready.root / "report/_output/smoke-teacher/index.html").read_text("utf-8")
    page = re.search(
        r'<section [^>]*class="[^"]*\bteacher\b.*?</section>', html, re.DOTALL
    )[0]
    assert "For the teacher" in page and "Chapter\u00a02" in page
    assert re.search(r"this\s+run\s+took\s+\d+ s\.", page)
