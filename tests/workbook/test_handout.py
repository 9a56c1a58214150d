"""One chapter alone: its numbers are those of the book, the rest is named in words."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wslib.workbook.report.handout import make_handout
from wslib.workbook.sources.book import RenderError

ROOT = Path(__file__).resolve().parents[2]
TWO = """# The second {#sec-two}

After @sec-one, @tbl-n and @fig-elsewhere come. See [the first](#sec-one) [@zhou2016].

## Exercises

::: {.callout-tip title="Solution of *it*" collapse="true"}
Nobody may see this.
:::
"""
TABLE = {"text/markdown": "| n |\n|--:|\n| 7 |\n"}


@pytest.fixture
def root(tmp_path):
    """A book of two chapters, of which only the second was executed."""
    ignore = shutil.ignore_patterns("_output", "recorded")
    shutil.copytree(ROOT / "report", tmp_path / "report", ignore=ignore)
    shutil.copy(ROOT / "_quarto.yml", tmp_path)
    (tmp_path / "_quarto-smoke.yml").write_text(
        "project: {output-dir: report/_output/smoke}\n"
        "book: {chapters: [index.qmd, build/01_one.ipynb, build/02_two.ipynb]}\n"
    )
    (tmp_path / "chapters").mkdir()
    for name, title in {"01_one": "The first {#sec-one}", "02_two": "T"}.items():
        text = f"# %% [markdown]\n# # {title}\n"
        (tmp_path / "chapters" / f"{name}.py").write_text(text)
    write(tmp_path, TWO)
    return tmp_path


def write(root, text):
    shown = new_output("display_data", TABLE)
    source = '#| label: tbl-n\n#| tbl-cap: "All."\nT()'
    code = new_code_cell(source, outputs=[shown], execution_count=1)
    (root / "build").mkdir(exist_ok=True)
    notebook = new_notebook(cells=[new_markdown_cell(text), code])
    nbformat.write(notebook, root / "build/02_two.ipynb")


def read(root, edition=""):
    """Make the chapter alone; its web page as words."""
    pdf, page = make_handout(root / "chapters/02_two.py", "smoke", edition, root)
    folder = f"smoke-{edition}" if edition else "smoke"
    assert pdf == root / "report/_output" / folder / "02_two_alone.pdf"
    assert pdf.read_bytes()[:5] == b"%PDF-"
    body = page.read_text("utf-8").partition("<main")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", body).replace("\xa0", " ").split())


def test_numbers_are_those_of_the_book_and_the_rest_is_in_words(root):
    words = read(root)
    assert "Table 2.1" in words and "Table 1.1" not in words
    assert "After the chapter “The first”," in words
    assert "a figure in another chapter come" in words
    assert "See the first" in words and "Zhou" in words


def test_an_edition_for_students_has_no_solutions(root):
    assert "Nobody may see this" in read(root)
    assert "Nobody may see this" not in read(root, "student")


def test_what_is_wrong_is_named(root):
    write(root, TWO.replace("@zhou2016", "@nobody1999"))
    with pytest.raises(RenderError, match="@nobody1999: not in the bibliography"):
        read(root)
    with pytest.raises(FileNotFoundError, match="run `make chapter CH=01 PROFILE=smo"):
        make_handout(root / "chapters/01_one.py", "smoke", root=root)
    with pytest.raises(RenderError, match="no chapter 03_x in the book; it has 01_one"):
        make_handout(root / "chapters/03_x.py", "smoke", root=root)
