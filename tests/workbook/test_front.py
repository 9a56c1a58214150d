"""What the build puts at the front of the book."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wslib.workbook.report.document import Document, read_document
from wslib.workbook.report.front import fill, reading_minutes
from wslib.workbook.report.stage import Stage
from wslib.workbook.sources.book import Book, Page, RenderError

CITE = """
title: "Boxes: none"
authors: [{name: A}, {name: B}]
version: 0.2
"""


@pytest.fixture
def staged(tmp_path) -> Stage:
    (tmp_path / "CITATION.cff").write_text(CITE, encoding="utf-8")
    pages = [Page("index.qmd"), Page("01_a.ipynb"), Page("02_b.ipynb")]
    front = Document(
        "# Preface\n\n<!-- times -->\n\n<!-- cover -->\n\n<!-- version -->\n"
    )
    first = Document("# A {#sec-a}\n\n" + "word " * 500, "2026-11-28 10:00", 75.2)
    cover = "::: {#fig-a}\nA\n:::"
    second = Document("# B {#sec-b}\n", "2026-11-27 10:00", 3.0, cover=cover)
    return Stage(Book(tmp_path, "smoke", {}), tmp_path, pages, [front, first, second])


def test_each_mark_is_filled(staged):
    text = fill(staged).documents[0].markdown
    assert "| @sec-a | 3 min | 1 min 15 s |\n| @sec-b | 1 min | 3 s |" in text
    assert "200 a minute" in text and "this run, profile `smoke`.]{.small}" in text
    assert "\n\n::: {#fig-a .here}\nA\n:::\n\n" in text and "<!--" not in text
    assert "\nA, B (2026). *Boxes: none*. Version 0.2, profile `smoke`.\n" in text


def test_pages_without_marks_stay(staged):
    assert fill(staged).documents[1:] == staged.documents[1:]


@pytest.mark.parametrize("text", ["", "title: A", "- B", "{", CITE.replace("0.2", "")])
def test_a_citation_that_is_not_fit(staged, text):
    (staged.book.root / "CITATION.cff").write_text(text, encoding="utf-8")
    with pytest.raises(RenderError, match="^CITATION.cff: expected title, version, au"):
        fill(staged)
    (staged.book.root / "CITATION.cff").unlink()
    with pytest.raises(RenderError, match="^CITATION.cff: expected"):
        fill(staged)


def test_chapters_that_did_not_run_have_no_times(staged):
    staged.documents[1] = replace(staged.documents[1], seconds=None)
    assert "@sec-a" not in fill(staged).documents[0].markdown


@pytest.mark.parametrize(
    "text, minutes",
    [
        ("word " * 1000, 5),
        ("", 1),
        ("word\n" * 600 + "```` {.python}\n" + "code\n" * 600 + "````\n", 3),
        ("| a |\n::: {.a}\n" + "word " * 400 + "\n\n| b |\n", 2),
        ("| cell " * 900 + "|\n::: {.a b}\n$$\n" + "x " * 900 + "\n$$\n", 1),
    ],
)
def test_only_prose_is_read(text, minutes):
    assert reading_minutes(Document(text)) == minutes


def test_the_cover_is_not_shown_where_it_is_made(tmp_path):
    shown = new_output("display_data", {"image/png": base64.b64encode(b"x").decode()})
    source = '#| label: fig-cover\n#| fig-cap: "A."\n#| echo: false\ndraw()'
    tags = {"tags": ["cover"]}
    cover = new_code_cell(source, outputs=[shown], execution_count=1, metadata=tags)
    notebook = new_notebook(cells=[new_markdown_cell("# A\n"), cover])
    notebook.metadata["wslib"] = {"date": "2026-11-28", "seconds": 2.5}
    file = Path(tmp_path, "a.ipynb")
    nbformat.write(notebook, file)
    document = read_document(file, "a.ipynb", tmp_path, "false")
    assert document.markdown == "# A\n\n" and document.seconds == 2.5
    assert document.cover.startswith("::: {#fig-cover}\n\n![](<")
