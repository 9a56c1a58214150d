"""The book that readers get: what it holds, what it refuses, what it never breaks."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pikepdf
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from wslib.workbook.report import render as renderer
from wslib.workbook.report.render import render
from wslib.workbook.sources.book import RenderError

ROOT = Path(__file__).resolve().parents[2]
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="144pt" height="72pt" '
    'viewBox="0 0 144 72"><rect width="144" height="72" fill="teal"/>%s</svg>'
)
_buffer = io.BytesIO()
Image.new("L", (120, 60), 90).save(_buffer, "PNG")
PNG = base64.b64encode(_buffer.getvalue()).decode()
_buffer = io.BytesIO()
Image.effect_noise((120, 60), 90).save(_buffer, "WEBP")
WEBP = base64.b64encode(_buffer.getvalue()).decode()
SVG %= f'<image width="9" height="9" href="data:image/webp;base64,{WEBP}"/>'
TABLE = (
    "| class | AP |\n|:--|--:|\n| cat | 12.5 [10–15]{.small} |\n| dog | **71.9** |\n"
)

CHAPTER_ONE = """# The first chapter {#sec-one}

::: {.run-facts}
Ran in 7 s on two cores.
:::

Look at @fig-map and @tbl-ap, then at @sec-two, @sec-deep and @fig-later [@zhou2016].

## A section {#sec-deep}

$$
y_c = \\sum_k W_{ck} A_k \\odot g \\cap h
$$ {#eq-cam}

More of @eq-cam; @selvaraju2017 said so. It is -0.5 of 3 x 4 and 9 %.

A wall of text.[^n]

[^n]: A note.

## Exercises

::: {.callout-tip title="Solution of `one`" collapse="true"}
It follows from @eq-cam.
:::
"""
LONG = "| column |\n|--:|\n" + "".join(f"| {n}.5 |\n" for n in range(90))
CHAPTER_TWO = """# The second chapter {#sec-two}

In CIFAR-10's set 12.5 % are cats.

A word
:   Its meaning.

See [the exercises](#exercises), [@fig-map; @fig-later] and only the number [-@tbl-ap].

## Exercises

::: {.callout-warning}
## Beware
Of @tbl-inline.
:::

| a | b |
|---|---|
| 1 | 2 |

: Inline *words*. {#tbl-inline}
"""


def code(source, *outputs):
    return new_code_cell(source, outputs=list(outputs), execution_count=1)


def shown(table="", **data):
    kinds = {"markdown": "text/markdown", "svg": "image/svg+xml", "png": "image/png"}
    named = {"wslib": {"table": table}} if table else {}
    return new_output(
        "display_data",
        {kinds[key]: value for key, value in data.items()},
        metadata=named,
    )


class Project:
    """A folder with a book of two chapters, a preface and an appendix."""

    def __init__(self, root: Path):
        self.root, self.out = root, root / "report/_output/smoke"
        ignore = shutil.ignore_patterns("_output")
        shutil.copytree(ROOT / "report", root / "report", ignore=ignore)
        shutil.copy(ROOT / "_quarto.yml", root)
        self.write(
            "_quarto-smoke.yml",
            "project: {output-dir: report/_output/smoke}\n"
            "book:\n  chapters: [index.qmd, build/01.ipynb, build/02.ipynb]\n"
            "  appendices: [build/provenance.qmd]\n",
        )
        self.write("index.qmd", "# Preface {.unnumbered}\n\nHello, @sec-made.\n")
        self.write("build/tables/ap.csv", "class,AP\ncat,12.5\n")
        self.write("build/provenance.qmd", "# How it was made {#sec-made}\n\nSo.\n")
        self.one = [
            new_markdown_cell(CHAPTER_ONE),
            code(
                '#| label: fig-map\n#| fig-cap: "A map, *hot*."\ndraw()', shown(svg=SVG)
            ),
            code(
                "#| label: tbl-ap\n#| tbl-cap: Results.\nT()",
                shown("ap", markdown=TABLE),
            ),
        ]
        self.two = [
            new_markdown_cell(CHAPTER_TWO),
            code(
                "#| label: fig-later\n#| fig-cap: Later.\n"
                '#| fig-alt: "In \\"words\\""\nd()',
                shown(png=PNG),
            ),
            code("#| echo: false\nsecret()", shown(markdown="Printed **7**.")),
            code("#| label: tbl-long\n#| tbl-cap: Many.\nT()", shown(markdown=LONG)),
            code(
                "#| code-fold: false\nword = '" + "x" * 150 + "'",
                new_output("stream", text="done 99\n"),
            ),
        ]
        self.save()

    def write(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")

    def save(self):
        for name, cells in (("01", self.one), ("02", self.two)):
            notebook = new_notebook(cells=cells)
            notebook.metadata["wslib"] = {"date": f"2026-11-{name} 10:00"}
            nbformat.write(notebook, self.root / f"build/{name}.ipynb")

    def problems(self) -> list[str]:
        self.save()
        with pytest.raises(RenderError) as error:
            render(self.root, "smoke")
        return str(error.value).splitlines()


@pytest.fixture(autouse=True)
def embedded(monkeypatch):
    monkeypatch.setenv("WSLIB_RENDERER", "embedded")


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


class Page(HTMLParser):
    """The ids, links, pictures and visible words of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.ids, self.links, self.pictures, self.words = [], [], [], []
        self.sources, self.stack, self.openings = [], [], []
        self.feed(text)
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.openings.append((tag, attributes))
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += (
            [attributes["href"]] if tag == "a" and "href" in attributes else []
        )
        self.pictures += [attributes] if tag == "img" else []
        if tag != "a":
            keys = ("src", "href", "srcset", "data")
            self.sources += [attributes[key] for key in keys if attributes.get(key)]
        if tag in ("script", "style"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if self.stack and self.stack[-1] == tag:
            self.stack.pop()

    def handle_data(self, data):
        if not self.stack:
            self.words.append(data)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("book"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSLIB_RENDERER", "embedded")
        return render(project.root, "smoke")


@pytest.fixture(scope="module")
def page(book):
    return Page(book.html.read_text(encoding="utf-8"))


def pdf(book, program, *options) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} (poppler-utils) is not installed")
    command = [program, *options, str(book.pdf), *(["-"] if "text" in program else [])]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def pdf_text(book):
    return " ".join(pdf(book, "pdftotext").split())


# ------------------------------------------------------------------- what it holds


def test_both_files_in_seconds(book):
    assert book.html.name == "index.html" and book.pdf.name == "workbook.pdf"
    assert book.pdf.read_bytes()[:5] == b"%PDF-"
    assert "pandoc" in book.engine and "typst" in book.engine
    assert book.seconds < 10
    assert sorted(file.name for file in book.html.parent.iterdir()) == [
        "index.html",
        "notebooks",
        "tables",
        "workbook.pdf",
    ]


def test_per_cent_stays_on_the_line_of_its_number(book):
    assert "12.5\u00a0% are cats" in book.html.read_text(encoding="utf-8")


def test_an_apostrophe_behind_a_digit_is_no_prime(page, pdf_text):
    for text in (page.text, pdf_text):
        assert "CIFAR-10\u2019s set" in text


def test_a_meaning_begins_on_the_line_of_its_word(pdf_text):
    assert "A word Its meaning." in pdf_text


REFERENCES = [
    "Look at Figure 1.1 and Table 1.1, then at Chapter 2, Section 1.1 and Figure 2.1",
    "Figure 2.1 (Zhou et al. 2016).",
    "More of Equation 1.1; Selvaraju et al. (2017) said so.",
    "Figure 1.1, Figure 2.1 and only the number 1.1.",
    "Of Table 2.1.",
    "Hello, Appendix A.",
]


@pytest.mark.parametrize("words", REFERENCES)
def test_references_are_the_same_in_both_formats(page, pdf_text, words):
    assert words in page.text.replace("\u00a0", " ")
    assert words in pdf_text


@pytest.mark.parametrize(
    "words",
    ["Figure 1.1 A map, hot.", "Table 1.1 Results.", "Figure 2.1 Later.",
     "Table 2.1 Inline words.", "12.5 10–15", "71.9", "Printed 7.", "(1.1)", "done 99",
     "Solution of one", "Beware", "A note.", "Learning Deep Features"],
)  # fmt: skip
def test_captions_tables_outputs_and_notes(page, pdf_text, words):
    assert words in page.text.replace("\u00a0", " ")
    assert words in pdf_text


def test_the_web_book_gives_the_numbers_the_notebook_and_the_pdf(book, page, pdf_text):
    folder = book.html.parent
    assert {"tables/ap.csv", "notebooks/01.ipynb", "workbook.pdf"} <= set(page.links)
    assert (folder / "tables/ap.csv").read_text() == "class,AP\ncat,12.5\n"
    notebook = nbformat.read(folder / "notebooks/01.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert "CSV" not in pdf_text and "Notebook" not in pdf_text


def test_a_table_whose_numbers_are_lost(project):
    (project.root / "build/tables/ap.csv").unlink()
    assert project.problems() == ["build/tables/ap.csv: is not there"]


def test_a_photograph_is_webp_on_the_web_and_jpeg_on_paper(book):
    page = book.html.read_text(encoding="utf-8")
    assert page.count(WEBP) == 1 and "data:image/svg+xml,<svg" not in page
    assert b"/DCTDecode" in book.pdf.read_bytes()


def test_small_objects_of_the_pdf_are_packed_together(book):
    content = book.pdf.read_bytes()
    assert b"/ObjStm" in content and content.count(b" 0 obj") < 100


@pytest.mark.parametrize("words", ["It is \u22120.5 of 3 \u00d7 4 and 9\u00a0%."])
def test_signs_that_no_keyboard_has(book, pdf_text, words):
    assert words in book.html.read_text(encoding="utf-8")
    assert words.replace("\u00a0", " ") in pdf_text.replace("\u00a0", " ")


def test_facts_of_the_run_stand_below_the_title(page, pdf_text):
    assert ("div", {"class": "run-facts"}) in page.openings
    for text in (page.text, pdf_text):
        assert re.search(r"The first chapter\s+Ran in 7 s on two cores", text)


def test_hidden_code_is_hidden_and_shown_code_is_shown(page, pdf_text):
    for text in (page.text, pdf_text):
        assert "secret()" not in text and "#|" not in text
        assert "word = " in text and "A map, hot." in text
    assert "draw()" in page.text  # folded
    assert "draw()" not in pdf_text  # on paper, only what is open


def test_every_link_leads_somewhere(page):
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert {"sec-two", "fig-map", "tbl-ap", "eq-cam", "exercises-2"} <= set(inner)
    assert set(inner) <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_page_needs_no_network(book, page):
    assert page.sources and all(source.startswith("data:") for source in page.sources)
    assert not re.search(r"@import|url\((?!.?data:)", book.html.read_text("utf-8"))


def test_pictures_have_words(page):
    assert [picture["alt"] for picture in page.pictures] == [
        "A map, hot.",
        'In "words"',
    ]


def test_code_is_folded_and_solutions_too(page):
    details = [a.get("class") for tag, a in page.openings if tag == "details"]
    assert details.count("code") == 4 and "callout callout-tip" in details
    assert ("aside", {"class": "callout callout-warning"}) in page.openings
    assert any(tag == "math" for tag, _ in page.openings)
    assert page.text.count("Show code") == 4


def test_numbers_are_aligned_to_the_right(page):
    styles = [a.get("style", "") for tag, a in page.openings if tag == "td"]
    assert sum("right" in style for style in styles) == 2 + 90


def test_title_profile_and_date_of_the_run(page, pdf_text):
    for text in (page.text, pdf_text):
        assert "Seeing without boxes" in text and "The wslib authors" in text
        assert "Profile smoke" in text and "un on 2026-11-02" in text


def test_pdf_has_metadata_fonts_and_a4(book):
    info = pdf(book, "pdfinfo")
    assert re.search(r"Title: +Seeing without boxes", info)
    assert re.search(r"Author: +The wslib authors", info)
    assert "A4" in info
    fonts = pdf(book, "pdffonts")
    assert "LibertinusSerif" in fonts and "DejaVuSansMono" in fonts


def test_pdf_code_stays_on_the_page(book):
    boxes = pdf(book, "pdftotext", "-bbox")
    width = float(re.search(r'page width="([\d.]+)"', boxes)[1])
    assert max(map(float, re.findall(r'xMax="([\d.]+)"', boxes))) < width - 50
    assert "x" * 85 in boxes and "x" * 87 not in boxes


def test_a_listing_that_fits_a_page_is_not_torn(project):
    lines = [f"line_{n} = {n}" for n in range(38)]
    filler = new_markdown_cell("\n\n".join(["Some words."] * 30))
    project.two[1:] = [filler, code("\n".join(["#| code-fold: false", *lines]))]
    project.one[0].source = project.one[0].source.replace("@fig-later", "@fig-map")
    project.two[0].source = project.two[0].source.replace("@fig-later", "@fig-map")
    project.save()
    pages = pdf(render(project.root, "smoke"), "pdftotext").split("\f")
    [whole] = [page for page in pages if "line_0 " in page]
    assert "line_37 " in whole


def test_chapters_begin_on_new_pages(book):
    pages = pdf(book, "pdftotext").split("\f")
    assert sum("CHAPTER 1" in text for text in pages) == 1
    first = next(i for i, text in enumerate(pages) if "CHAPTER 1" in text)
    second = next(i for i, text in enumerate(pages) if "CHAPTER 2" in text)
    assert first < second and any("References" in text for text in pages[second:])


def test_long_table_is_broken_and_its_head_repeated(book):
    pages = [text.split() for text in pdf(book, "pdftotext").split("\f")]
    assert sum("column" in words for words in pages) >= 2
    assert all(f"{n}.5" in sum(pages, []) for n in range(90))


# ----------------------------------------------------------------- what it refuses


def test_all_mistakes_are_listed_together(project):
    project.one[0].source += "\nSee @fig-nope, @sec-none, @nobody1999 and [a](#b).\n"
    project.one[1].outputs = []
    project.two[1].source = project.two[1].source.replace("fig-later", "tbl-later")
    project.two[2].source = "#| label: fig-map\nx"
    project.two.append(new_markdown_cell("[@fig-later]"))
    problems = project.problems()
    assert set(problems) == {
        "build/01.ipynb: @fig-nope: no such figure",
        "build/01.ipynb: @sec-none: no such section",
        "build/01.ipynb: @nobody1999: not in the bibliography",
        "build/01.ipynb: the link #b leads nowhere",
        "build/01.ipynb: fig-map: the cell or block shows no picture",
        "build/01.ipynb: @fig-later: no such figure",
        "build/02.ipynb: @fig-later: no such figure",
        "build/02.ipynb: tbl-later: the cell or block shows no table",
        "build/02.ipynb: fig-map: the cell or block shows no picture",
        "build/02.ipynb: the label fig-map is used twice (also in build/01.ipynb)",
    }
    assert len(problems) == len(set(problems))


def test_unnumbered_heading_is_linked_and_not_referred_to(project):
    project.one[0].source += "\nSee @sec-preface.\n"
    project.write("index.qmd", "# Preface {#sec-preface .unnumbered}\n\nHello.\n")
    assert project.problems() == [
        "build/01.ipynb: @sec-preface: this heading has no number; write a link, "
        "[Preface](#sec-preface)"
    ]


def test_mistakes_name_the_line_of_the_script(project):
    project.write("chapters/01.py", "# %% [markdown]\n# # One\n#\n# See @fig-nope.\n")
    project.one[0].source += "\nSee @fig-nope.\n"
    project.write("index.qmd", "# Preface {.unnumbered}\n\nHello, @sec-none.\n")
    assert project.problems() == [
        "index.qmd:3: @sec-none: no such section",
        "chapters/01.py:4: @fig-nope: no such figure",
    ]


def test_failed_and_unexecuted_notebooks(project):
    project.one[1].outputs = [
        new_output("error", ename="ValueError", evalue="bad", traceback=[])
    ]
    project.two[1].execution_count = None
    problems = project.problems()
    assert "build/01.ipynb: cell 2 raised ValueError: bad" in problems
    assert "build/02.ipynb: has cells that were never executed" in problems


def test_missing_chapter_title_and_bad_formula(project):
    project.one[0].source = project.one[0].source.replace("# The first", "The first", 1)
    project.two[0].source += "\n$\\frac{a$\n"
    problems = project.problems()
    assert (
        "build/01.ipynb: has no title; expected a line `# Title {#sec-name}`"
        in problems
    )
    assert "build/02.ipynb: not valid TeX: \\frac{a" in problems
    (project.root / "build/02.ipynb").unlink()
    with pytest.raises(RenderError, match="build/02.ipynb: .* not there"):
        render(project.root, "smoke")


def test_open_fence_stays_within_its_chapter(project):
    project.one.append(new_markdown_cell("::: {.callout-note}\nnever closed"))
    project.save()
    page = Page(render(project.root, "smoke").html.read_text("utf-8"))
    assert {"sec-one", "sec-two", "fig-later"} <= set(page.ids)


def test_error_is_one_line(project):
    project.one[0].source += "\n@fig-nope\n"
    project.save()
    with pytest.raises(RenderError) as error:
        render(project.root, "smoke")
    assert str(error.value) == "build/01.ipynb: @fig-nope: no such figure"


def test_torch_is_not_imported():
    script = (
        "import sys, wslib.workbook.report.render; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


# ------------------------------------------------------------ what it never breaks


def finished(project):
    """An old report, as an earlier run left it."""
    project.write("report/_output/smoke/index.html", "old html")
    project.write("report/_output/smoke/workbook.pdf", "old pdf")
    return {file.name: file.read_text() for file in project.out.iterdir()}


def test_error_leaves_the_old_report(project):
    old = finished(project)
    project.one[0].source += "\n@fig-nope\n"
    project.problems()
    assert {file.name: file.read_text() for file in project.out.iterdir()} == old
    assert [folder.name for folder in project.out.parent.iterdir()] == ["smoke"]


@pytest.mark.parametrize("moved", [0, 4])
def test_stopped_while_publishing_leaves_whole_files(project, monkeypatch, moved):
    finished(project)
    replace, done = os.replace, []

    def stop(source, target):
        if len(done) == moved:
            raise KeyboardInterrupt
        done.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(renderer.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        render(project.root, "smoke")
    assert done == ["01.ipynb", "02.ipynb", "ap.csv", "index.html"][:moved]
    html = (project.out / "index.html").read_text("utf-8")
    assert html == "old html" if moved == 0 else html.rstrip().endswith("</html>")
    assert (project.out / "workbook.pdf").read_text() == "old pdf"


def test_out_folder_can_be_chosen(project, tmp_path):
    report = render(project.root, "smoke", tmp_path / "elsewhere/book")
    assert (
        report.pdf == tmp_path / "elsewhere/book/workbook.pdf" and report.pdf.exists()
    )
    assert not project.out.exists()


# -------------------------------------------------------------------------- Quarto

FAKE = """#!/bin/sh
if [ "$1" = --version ]; then echo {version}; exit 0; fi
echo "$(basename "$PWD"): $@" >> ../called
echo '{said}' >&2
[ {status} = 0 ] || exit {status}
mkdir -p _book
case "$@" in
  *html) echo '<html><head></head>{text}</html>' > _book/index.html
         echo page > _book/01.html;;
  *) cp '{pdf}' _book/workbook.pdf;;
esac
"""


@pytest.fixture
def fake(project, monkeypatch, tmp_path):
    def install(version="1.9.38", text="", said="", status=0):
        program = tmp_path / "bin/quarto"
        program.parent.mkdir(exist_ok=True)
        page = tmp_path / "bin/page.pdf"
        pikepdf.new().save(page)
        words = dict(version=version, text=text, said=said, status=status, pdf=page)
        program.write_text(FAKE.format(**words))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.delenv("WSLIB_RENDERER")

    return install


def called(project) -> list[str]:
    """How Quarto was called since the last look."""
    file = project.root / "build/smoke/called"
    lines = sorted(file.read_text().splitlines()) if file.is_file() else []
    file.unlink(missing_ok=True)
    return lines


def test_quarto_is_used_where_it_is(project, fake, capsys):
    fake("1.10.18")
    project.write("report/_output/smoke/of-an-older-render.html", "old")
    project.write("report/_output/smoke/01_one_summary.pdf", "by make summary")
    before = {path for path in project.root.rglob("*") if "build" not in path.parts}
    report = render(project.root, "smoke")
    assert report.engine == "Quarto 1.10.18"
    assert "Quarto 1.10.18" in capsys.readouterr().out
    assert report.pdf.read_bytes().startswith(b"%PDF-")
    assert sorted(file.name for file in project.out.iterdir()) == [
        "01.html", "01_one_summary.pdf", "index.html", "notebooks", "tables",
        "workbook.pdf",
    ]  # fmt: skip
    assert called(project) == ["pdf: render --to typst", "web: render --to html"]
    after = {path for path in project.root.rglob("*") if "build" not in path.parts}
    links = {"notebooks", "01.ipynb", "02.ipynb", "tables", "ap.csv"}
    made = {"01.html", "index.html", "workbook.pdf"}
    assert {path.name for path in after - before} == made | links


def test_quarto_gets_a_project_of_its_own(project, fake):
    fake()
    render(project.root, "smoke")
    folder = project.root / "build/smoke/pdf"
    settings = yaml.safe_load((folder / "_quarto.yml").read_text("utf-8"))
    chapters, appendices = (settings["book"][k] for k in ("chapters", "appendices"))
    assert chapters == ["index.qmd", "01.qmd", "02.qmd", "references.qmd"]
    assert appendices == ["provenance.qmd", "solutions.qmd"]
    assert all((folder / name).is_file() for name in [*chapters, *appendices])
    assert settings["execute"] == {"enabled": False} and "profile" not in settings
    assert settings["run"]["profile"] == "smoke"
    page = (folder / "01.qmd").read_text("utf-8")
    assert "::: {#fig-map}" in page and "](<media/" in page and "text/html" not in page


CHANGES = [
    (lambda project: None, []),
    (
        lambda project: project.write("index.qmd", "# Preface {.unnumbered}\n\nHi."),
        None,
    ),
    (lambda project: project.write("build/provenance.qmd", MADE), ["provenance.qmd"]),
    (lambda project: project.write("report/quarto.scss", "/*-- scss:rules --*/"), None),
]
MADE = "# How it was made {#sec-made}\n\nWell.\n"


@pytest.mark.parametrize("change, pages", CHANGES)
def test_quarto_makes_the_pages_that_have_changed(project, fake, change, pages):
    """Without @sec-made, the preface cites less than before: all pages are made."""
    fake()
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    render(project.root, "smoke")
    called(project)
    change(project)
    commit = "git add -A && git -c user.name=a -c user.email=a@b.c commit -qm a"
    subprocess.run(commit, shell=True, cwd=project.root, check=True)  # another commit
    render(project.root, "smoke")
    web = [line for line in called(project) if line.startswith("web")]
    names = " ".join(f"{page} " for page in pages or [])
    assert web == ([] if pages == [] else [f"web: render {names}--to html"])


def test_after_a_failure_quarto_makes_all_pages(project, fake):
    fake()
    render(project.root, "smoke")
    fake_quarto = Path(shutil.which("quarto"))
    right = fake_quarto.read_text()
    fake_quarto.write_text(right.replace("mkdir", "exit 1; mkdir"))
    project.write("build/provenance.qmd", MADE)
    assert render(project.root, "smoke").engine.startswith("embedded")
    fake_quarto.write_text(right)
    called(project)
    render(project.root, "smoke")
    assert "web: render --to html" in called(project)


def test_old_quarto_is_named_and_passed_over(project, fake, capsys):
    fake("1.8.27")
    report = render(project.root, "smoke")
    assert report.engine.startswith("embedded")
    assert "Quarto 1.8.27 is too old" in capsys.readouterr().out


FAILURES = [
    ({"said": "WARNING: Unable to resolve crossref @fig-nope"}, "says: Unable to"),
    ({"text": "see ?@fig-nope"}, "left ?@fig-nope in index.html"),
    ({"said": "ERROR: typst went home", "status": 3}, "ended with status 3"),
    ({"said": "[WARNING] Citeproc: citation me2020 not found"}, "says: Citeproc"),
]


@pytest.mark.parametrize("behaviour, said", FAILURES)
def test_book_is_made_without_quarto_where_it_fails(
    project, fake, capsys, behaviour, said
):
    fake(**behaviour)
    report = render(project.root, "smoke")
    assert report.engine.startswith("embedded")
    assert report.pdf.read_bytes()[:5] == b"%PDF-" and report.pdf.stat().st_size > 999
    out = capsys.readouterr().out.splitlines()
    assert out[1].startswith(f"Quarto {said}") and "quarto-html.log" in out[1]
    log = project.root / "build/smoke/quarto-html.log"
    assert behaviour.get("said", "") in log.read_text("utf-8")


@pytest.mark.parametrize("behaviour, said", FAILURES)
def test_quarto_that_was_asked_for_may_not_fail(
    project, fake, monkeypatch, behaviour, said
):
    old = finished(project)
    fake(**behaviour)
    monkeypatch.setenv("WSLIB_RENDERER", "quarto")
    with pytest.raises(RenderError, match=re.escape(said)):
        render(project.root, "smoke")
    assert {file.name: file.read_text() for file in project.out.iterdir()} == old


def test_mistakes_of_the_book_are_the_same_with_quarto(project, fake):
    project.one[0].source += "\nSee @fig-nope and @nobody1999.\n"
    fake()
    assert set(project.problems()) == {
        "build/01.ipynb: @fig-nope: no such figure",
        "build/01.ipynb: @nobody1999: not in the bibliography",
    }
    assert called(project) == []


def test_renderer_can_be_forced(project, fake, monkeypatch):
    fake("1.9.1")
    monkeypatch.setenv("WSLIB_RENDERER", "embedded")
    assert render(project.root, "smoke").engine.startswith("embedded")
    fake_old = Path(shutil.which("quarto"))
    fake_old.write_text(fake_old.read_text().replace("1.9.1", "1.7.0"))
    monkeypatch.setenv("WSLIB_RENDERER", "quarto")
    with pytest.raises(RenderError, match="need Quarto >= 1.9, found 1.7.0"):
        render(project.root, "smoke")
    monkeypatch.setenv("WSLIB_RENDERER", "latex")
    with pytest.raises(RenderError, match="'latex', expected quarto or embedded"):
        render(project.root, "smoke")
