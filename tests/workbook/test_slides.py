"""The slides of a chapter: what they hold, in what order, by either renderer."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wslib.workbook.notebooks.slides import make_slides
from wslib.workbook.report import quarto
from wslib.workbook.sources.book import RenderError

CHAPTER = Path("chapters/02_two.py")
QUARTO = quarto.find() and quarto.is_recent(quarto.find()[1])
ABSENT = pytest.mark.skipif(not QUARTO, reason="Quarto 1.9 or later is not on the PATH")
ENGINES = ["embedded", pytest.param("quarto", marks=ABSENT)]
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="9pt"/>'
TITLE = "# Two *points* {#sec-two}\n\n::: {.run-facts}\nRan.\n:::\n\nAn idea.\n\n- List"
SECTION = (
    "## A map {#sec-map}\n\nWeigh them,\nsee @fig-map.\n\nMore.\n\n$$ y = x $$ {#eq-y}"
)
FIGURE = '#| label: fig-map\n#| fig-cap: "A hot *map*."\n#| fig-alt: "Red."\ndraw()'
TABLE = "#| label: tbl-ap\n#| tbl-cap: Results.\nsecret()"
IDEA = "#| code-fold: false\n# A comment\nL = relu(A)"


def words(text, *tags):
    return new_markdown_cell(text, metadata={"tags": list(tags)})


def code(source, *tags, **data):
    kinds = {"markdown": "text/markdown", "svg": "image/svg+xml"}
    shown = [new_output("display_data", {kinds[k]: v}) for k, v in data.items()]
    tags = {"tags": list(tags)}
    return new_code_cell(source, outputs=shown, execution_count=1, metadata=tags)


@pytest.fixture
def slides(project, monkeypatch):
    """Make the slides of a notebook; return their sections, title page first."""

    def make(*cells, engine="embedded") -> list[str]:
        monkeypatch.setenv("WSLIB_RENDERER", engine)
        notebook = new_notebook(cells=cells)
        notebook.metadata["wslib"] = {"date": "2026-11-28 13:00"}
        file = project.root / "build/smoke/02_two.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, file)
        target = make_slides(CHAPTER, "smoke", project.root)
        assert target == project.root / "report/_output/smoke/02_two_slides.html"
        return re.findall(r"<section\b.*?</section>", target.read_text("utf-8"), re.S)

    return make


EVERYTHING = (
    words(TITLE, "slide"),
    words(SECTION, "slide"),
    code(IDEA, "slide"),
    code(FIGURE, "slide", svg=SVG),
    code("hidden()", svg=SVG),
    words("## The test"),
    code(TABLE, "other", "slide", markdown="| a | b |\n|--:|--:|\n| 1 | **71.9** |\n"),
)


def plain(section: str) -> str:
    section = re.sub(r"<a href=[^>]*></a>", "", section)
    text = " ".join(re.sub(r"<[^>]*>", " ", section).split())
    return re.sub(r" (?=[.,])", "", text)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_each_slide_holds(slides, engine):
    title, idea, section, code, figure, table = slides(*EVERYTHING, engine=engine)
    assert "2 Two points" in plain(title)
    assert "Seeing without boxes, profile smoke, 2026-11-28" in plain(title)
    assert plain(idea) == "The idea An idea."
    assert plain(section).startswith("2.1 A map Weigh them, see Figure 2.1.")
    assert "More." not in section and "<math" in section and "(2.1)" in section
    assert "# A comment" in plain(code) and "code-fold" not in code
    assert "Figure 2.1. A hot map." in plain(figure) and "draw" not in figure
    assert 'alt="Red."' in figure and "data:image/svg+xml;base64" in figure
    assert plain(table).startswith("2.2 The test a b 1 71.9")
    assert "<strong>71.9</strong>" in table and "secret" not in table


def test_one_file_that_needs_nothing_else(slides, project):
    slides(*EVERYTHING)
    text = (project.root / "report/_output/smoke/02_two_slides.html").read_text("utf-8")
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert base64.b64encode(SVG.encode()).decode()[:40] in text


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wide_table_is_set_smaller(slides, project, chromium, engine):
    lines = (
        "|" + " a number |" * 6,
        "|" + "--:|" * 6,
        "|" + " 155.25 [144.49–166.56] |" * 6,
    )
    slides(words(TITLE), code(TABLE, "slide", markdown="\n".join(lines)), engine=engine)
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.goto((project.root / "report/_output/smoke/02_two_slides.html").as_uri())
    page.keyboard.press("Space")
    page.wait_for_timeout(1000)  # for the slide to come
    right = "table => table.getBoundingClientRect().right"
    assert 640 < page.eval_on_selector("table", right) < 1280
    page.close()


def test_a_chapter_that_asks_for_none(slides):
    with pytest.raises(RenderError, match='02_two.py: no cell of it has the tag "sli'):
        slides(words(TITLE))


def test_a_chapter_that_does_not_open_with_its_title(slides):
    with pytest.raises(RenderError, match="02_two: opens with no title `# Title"):
        slides(words("First something else."), *EVERYTHING)


def test_a_chapter_that_was_not_run(project):
    with pytest.raises(FileNotFoundError, match="`make chapter CH=02 PROFILE=smoke`"):
        make_slides(CHAPTER, "smoke", project.root)


def test_a_chapter_that_is_not_in_the_book(project):
    with pytest.raises(RenderError, match="03_c.py: the book at smoke has no such ch"):
        make_slides(Path("chapters/03_c.py"), "smoke", project.root)


def test_make_slides_runs_what_is_missing(project):
    project.edit(
        "chapters/01_one.py", "# %% [markdown]", '# %% [markdown] tags=["slide"]'
    )
    done = project.make("slides", "CH=01")
    assert done.returncode == 0, done.stdout
    made = project.root / "report/_output/smoke/01_one_slides.html"
    assert "The first chapter says hello." in made.read_text("utf-8")
