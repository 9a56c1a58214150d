"""The two pages about a chapter: what they hold, how they refer, what is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from wslib.workbook.report.summary import summarise
from wslib.workbook.sources.book import RenderError

CHAPTER = Path("chapters/02_two.py")
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="144pt" height="{height}pt">'
    '<rect width="144" height="{height}" fill="teal"/></svg>'
)
TABLE = "| n | AP |\n|--:|--:|\n| 1 | **71.9** |\n"
RUN = {
    "profile": "smoke",
    "parameters": {"dataset": "rendered", "seed": 3},
    "seed": 3,
    "blob": "0123456789",
    "package": "abcdef0123",
    "versions": {"wslib": "0.1.0"},
    "date": "2026-11-21 10:00",
}


def words(text, *tags):
    return new_markdown_cell(text, metadata={"tags": list(tags)})


def code(source, *tags, **data):
    kinds = {"markdown": "text/markdown", "svg": "image/svg+xml"}
    shown = [new_output("display_data", {kinds[k]: v}) for k, v in data.items()]
    return new_code_cell(
        source, outputs=shown, execution_count=1, metadata={"tags": list(tags)}
    )


FIGURE = '#| label: fig-map\n#| fig-cap: "A hot *map*."\ndraw_the_map()'
RESULTS = "#| label: tbl-ap\n#| tbl-cap: Results.\n#| echo: true\nmake_the_table()"


@pytest.fixture
def summary(project):
    """Write the chapter's notebook, make its summary, return the text of the PDF."""

    def make(*cells, **metadata) -> str:
        title = words("# Two *points* {#sec-two}\n\nAn opening that is not tagged.")
        notebook = new_notebook(cells=[title, *cells], metadata=metadata)
        file = project.root / "build/smoke/02_two.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, file)
        return text_of(summarise(CHAPTER, "smoke", project.root))

    return make


def text_of(pdf: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    command = ["pdftotext", "-layout", str(pdf), "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split())


# -------------------------------------------------------------------- what it holds


def test_tagged_cells_in_their_order_and_nothing_else(summary):
    text = summary(
        words("Second word of the chapter.", "summary"),
        words("Left out."),
        code("hidden = 1", markdown="Also left out."),
        code("hidden = 2", "summary", "other", markdown="Printed **7**."),
        words("The last word.", "other", "summary"),
    )
    assert "Two points" in text and "Second word of the chapter." in text
    assert text.index("Second") < text.index("Printed 7.") < text.index("The last")
    assert "left out" not in text.lower() and "not tagged" not in text
    assert "hidden" not in text


def test_figure_table_and_equation_without_code(summary):
    text = summary(
        code(FIGURE, "summary", svg=SVG.format(height=72)),
        code(RESULTS, "summary", markdown=TABLE),
        words("$$ y = x $$ {#eq-y}\n\n@tbl-ap, @eq-y (see @fig-map).", "summary"),
    )
    assert "Figure 1 A hot map." in text and "Table 1 Results." in text
    assert "71.9" in text and "Table 1, Equation 1 (see Figure 1)." in text
    assert "draw_the_map" not in text and "make_the_table" not in text


def test_code_is_hidden_whatever_its_cell_says(summary):
    cell = code("#| echo: true\nsecret()", "summary", markdown="Shown.")
    cell.outputs.append(new_output("stream", text="printed 99\n", name="stdout"))
    text = summary(cell)
    assert "secret" not in text and "Shown." in text and "printed 99" in text


def test_title_stands_once_and_sections_have_no_numbers(project, summary):
    text = summary(words("## Discussion {#sec-talk}\n\nAs @sec-talk says.", "summary"))
    assert text.count("Two points") == 1 and "As Discussion says." in text
    assert "1.1" not in text and "Chapter" not in text
    assert "Two points more" in summary(words("## Two *points* more", "summary"))
    notebook = project.notebook("02_two")
    notebook.cells[0].metadata["tags"] = ["summary"]
    text = summary(*notebook.cells)  # the title is there twice; tagged, it is the same
    assert "An opening that is not tagged." in text


def test_head_tells_the_run(summary):
    text = summary(words("Words.", "summary"), wslib=RUN)
    head = text[: text.index("Words.")]
    assert (
        "profile smoke · data rendered · seed 3 · wslib 0.1.0 · text 0123456 · "
        "package abcdef0 · run 2026-11-21 10:00" in head
    )
    assert "Seeing without boxes" in head
    assert "profile smoke" in summary(words("Words.", "summary"))  # made by hand


def test_two_pages_of_a4(project, summary):
    text = summary(words("One.\n\n" * 60, "summary"))
    assert "1/2" in text and "2/2" in text
    pdf = project.root / "report/_output/smoke/02_two_summary.pdf"
    assert pdf.read_bytes()[:5] == b"%PDF-"
    assert not list(pdf.parent.glob(".*.part*"))
    info = subprocess.run(["pdfinfo", str(pdf)], capture_output=True, text=True).stdout
    assert "Pages:           2" in info and "(A4)" in info


def test_high_picture_takes_a_third_of_a_page(summary):
    pictures = [code("draw()", "summary", svg=SVG.format(height=900)) for _ in range(4)]
    assert "2/2" in summary(*pictures)


# ------------------------------------------------------------------- how it refers


REFERENCES = [  # as they are written, and as they are printed
    ("as @fig-far shows", "as a figure in the chapter shows"),
    ("True. @fig-far shows", "True. A figure in the chapter shows"),
    ("e `x`\n@tbl-far", "e x a table in the chapter"),
    ("@Eq-far tells", "An equation in the chapter tells"),
    ("see @sec-elsewhere.", "see a section in another chapter."),
    ("known (@fig-far).", "known (in the chapter)."),
    ("known (see\n@fig-far and @tbl-far).", "known (in the chapter)."),
    ("known (@fig-far, @fig-map).", "known (Figure 1)."),
    ("see [@fig-far; -@tbl-far]", "see the chapter"),
    ("see [@fig-far; @fig-map]", "see Figure 1"),
    ("from [@zhou2016; @fig-far]", "from (Zhou et al. 2016)"),
    ("[-@fig-map] and `@fig-far`", "1 and @fig-far"),
    ("[these words](#sec-far) and [more](#sec-two)", "these words and more"),
    ("mail me@fig-far.org or \\@fig-far", "mail me@fig-far.org or @fig-far"),
    ("note.^[As @fig-far.] End", "As a figure in the chapter."),
    ("a [b]{.small} [c] @tbl-far-more", "a b [c] a table in another chapter"),
]


def test_references(summary):
    text = summary(
        code(FIGURE, "summary", svg=SVG.format(height=72)),
        words("$$ x $$ {#eq-far}\n\n## Far {#sec-far}"),
        code("#| label: fig-far\ndraw()", svg=SVG.format(height=72)),
        code("#| label: 'tbl-far'\ntable()", markdown=TABLE),
        *[words(written, "summary") for written, _ in REFERENCES],
    )
    assert [printed for _, printed in REFERENCES if printed not in text] == []
    assert "??" not in text and "?fig" not in text


def test_citations_stand_at_the_end(summary):
    text = summary(words("CAM [@zhou2016] and then @selvaraju2017.", "summary"))
    assert "CAM (Zhou et al. 2016) and then Selvaraju et al. (2017)." in text
    assert "Learning Deep Features" in text
    plain = summary(words("Nothing is cited.", "summary"))
    assert "References" not in plain and plain.endswith("Nothing is cited. 1/1")


def test_caption_refers_too(summary):
    source = '#| label: fig-map\n#| fig-cap: "Of (@tbl-far) and @fig-map."\nd()'
    text = summary(
        code(source, "summary", svg=SVG.format(height=72)),
        code("#| label: tbl-far\nt()", markdown=TABLE),
    )
    assert "Of (in the chapter) and Figure 1." in text


# ---------------------------------------------------------------- what it refuses


def test_more_than_two_pages_are_kept_and_refused(project, summary):
    with pytest.raises(RenderError) as error:
        summary(words("One.\n\n" * 120, "summary"))
    pdf = project.root / "report/_output/smoke/02_two_summary.pdf"
    assert str(error.value) == f"{pdf}: has 3 pages, expected at most 2"
    assert "3/3" in text_of(pdf)


def test_no_tagged_cell_is_one_line(project, summary):
    with pytest.raises(RenderError) as error:
        summary(words("Words."))
    assert str(error.value) == f'{CHAPTER}: no cell of it has the tag "summary"'
    assert not (project.root / "report/_output").exists()


def test_missing_notebook_says_what_to_run(project):
    with pytest.raises(FileNotFoundError) as error:
        summarise(CHAPTER, "smoke", project.root)
    file = project.root / "build/smoke/02_two.ipynb"
    run = "make chapter CH=02 PROFILE=smoke"
    assert str(error.value) == f"{file}: is not there; run `{run}` first"


def test_what_is_no_notebook_is_named(project):
    project.write("build/smoke/02_two.ipynb", "not JSON")
    with pytest.raises(RenderError, match="02_two.ipynb: not a notebook"):
        summarise(CHAPTER, "smoke", project.root)


def test_mistakes_are_listed_and_the_old_summary_stays(project, summary):
    summary(words("Good.", "summary"))
    with pytest.raises(RenderError) as error:
        summary(words("See @nobody1999.", "summary"), code(FIGURE, "summary"))
    name = "build/smoke/02_two.ipynb"
    assert str(error.value).splitlines() == [
        f"{name}: fig-map: the cell or block shows no picture",
        f"{name}: @nobody1999: not in the bibliography",
    ]
    with pytest.raises(RenderError, match=r"02_two.ipynb: not valid TeX: \\frac"):
        summary(words("$\\frac{a$", "summary"))
    pdf = project.root / "report/_output/smoke/02_two_summary.pdf"
    assert "Good." in text_of(pdf)


def test_unexecuted_cell_is_named(summary):
    cell = code("x = 1", "summary")
    cell.execution_count = None
    with pytest.raises(RenderError, match="has cells that were never executed"):
        summary(cell)


# -------------------------------------------------------------- from the chapter on

TAGGED = """
# %% [markdown]
# # Two {#sec-two}

# %% [markdown] tags=["summary"]
# Early words.

# %% tags=["parameters"]
limit: int = 3  # how many

# %% tags=["summary"]
from IPython.display import Markdown

Markdown(f"There are {limit} of them.")
"""


def test_make_runs_the_chapter_once(project):
    project.write("chapters/02_two.py", TAGGED)
    project.write("params/smoke/02_two.yml", "limit: 5\n")
    done = project.make("summary", "CH=02")
    assert done.returncode == 0, done.stdout
    name = "report/_output/smoke/02_two_summary.pdf"
    assert "02_two: executed" in done.stdout and f"{name}: 1 page, " in done.stdout
    assert "There are 5 of them." in text_of(project.root / name)
    project.edit("chapters/02_two.py", "Early", "New")
    project.edit("chapters/02_two.py", "# # Two", "# # Three")
    done = project.make("summary", "CH=02")
    assert done.returncode == 0 and "nothing executed" in done.stdout
    text = text_of(project.root / name)
    assert "Three New words. There are 5 of them." in text and "Two" not in text
    long = "\n".join(f"# Line {n}.\n#" for n in range(120))
    opening = f'# %% [markdown] tags=["summary"]\n{long}\n\n'
    project.edit(
        "chapters/02_two.py", "# %% [markdown] tags", f"{opening}# %% [markdown] tags"
    )
    done = project.make("summary", "CH=02")
    assert done.returncode != 0 and "executed in" not in done.stdout
    assert f"wslib: {name}: has 3 pages, expected at most 2\n" in done.stdout
    assert "Traceback" not in done.stdout and (project.root / name).is_file()


def test_make_needs_a_chapter(project):
    done = project.make("summary")
    assert done.returncode != 0 and "make summary needs CH" in done.stdout
    assert "  summary   two pages" in project.make("help").stdout
