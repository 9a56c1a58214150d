"""What Markdown means: the same in the web book, on paper and in Jupyter, or the build
says where it would not be."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from wslib.workbook.report.glyphs import is_elsewhere
from wslib.workbook.report.render import render
from wslib.workbook.sources.book import Book, RenderError

ROOT = Path(__file__).resolve().parents[2]
TABLE = "| a |\n|--:|\n| 1 |"


class Pages:
    """A book of some pages, and its words in both formats, without the spaces."""

    def __init__(self, root: Path, **book):
        self.root, self.book = root, {"title": "T", "author": "A", **book}
        ignore = shutil.ignore_patterns("_output", "recorded")
        shutil.copytree(ROOT / "report", root / "report", ignore=ignore)

    def make(self, *texts, cells=()) -> tuple[str, str]:
        """Make a page of each text, and one of the code cells, which all show a table.
        Returns the words of the web page and of the PDF."""
        names = [f"page{n}.qmd" for n in range(len(texts))]
        for name, text in zip(names, texts, strict=True):
            (self.root / name).write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
        if cells:
            names.append("cells.ipynb")
            self.write_cells(cells)
        settings = {"bibliography": "report/references.bib", "book": self.book}
        profile = {"book": {"chapters": names}}
        for file, content in (("", settings), ("-p", profile)):
            text = json.dumps(content, ensure_ascii=False)
            (self.root / f"_quarto{file}.yml").write_text(text, encoding="utf-8")
        report = render(self.root, "p", self.root / "out")
        return words_of(report.html.read_text("utf-8")), paper(report.pdf)

    def problems(self, *texts, cells=()) -> list[str]:
        with pytest.raises(RenderError) as error:
            self.make(*texts, cells=cells)
        return str(error.value).splitlines()

    def write_cells(self, cells):
        title = nbformat.v4.new_markdown_cell("# Cells {#sec-cells}")
        shown = [new_output("display_data", {"text/markdown": TABLE})]
        code = [new_code_cell(c, execution_count=1, outputs=shown) for c in cells]
        nbformat.write(new_notebook(cells=[title, *code]), self.root / "cells.ipynb")


def words_of(page: str) -> str:
    body = page[page.index('<main id="content">') : page.index("</main>")]
    text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", "", body, flags=re.S)
    return squeezed(html.unescape(text))


def paper(file: Path) -> str:
    command = ["pdftotext", "-layout", str(file), "-"]
    text = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    return squeezed(text[text.find("CHAPTER 1") :])


def squeezed(text: str) -> str:
    """Without spaces, and with plain quotation marks."""
    return re.sub("[“”]", '"', re.sub(r"\s", "", text))


@pytest.fixture(scope="module", autouse=True)
def embedded():
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSLIB_RENDERER", "embedded")
        yield


PICTURE = "![one](report/pages.png){#fig-one}\n\n![two](report/pages.png){#fig-two}"
SHOWN = {
    "before\n\n---\nWarning: never look.\n---\n\nafter": ["Warning: never look."],
    "---\ntitle: Sneaky\n---\n\ntext": ["title: Sneaky"],
    "---\n*Note* one: two\n---\n\ntext": ["Note one: two"],
    f"{PICTURE}\n\n(@fig-two) shows it.\n\nLater, @fig-two, I say.": [
        "(Figure 4.2) shows it.", "Later, Figure 4.2, I say.",
    ],
    "- it is large, so\n  (@fig-one) is less": ["large, so (Figure 4.1) is less"],
    "one<br>two<!-- no word -->": ["one two"],
    "$x_{\\text{cross sect. area}}$ and $\\operatorname{sect}(x)$": [
        "cross sect. area", "sect",
    ],
    "+-----+-----+\n| a   | b   |\n+=====+=====+\n| 1   | - x |\n|     | - y |\n"
    "+=====+=====+\n| sum | 987 |\n+=====+=====+": ["sum 987"],
    "## Plan ① of x² {#plan}\n\nSee [it](#plan).\n\n## ②\n\n## Größe Ω": [
        "Plan ① of x", "Größe Ω",
    ],
    "## One²\n\nSee [there](#one²).": ["See there."],
}  # fmt: skip
SHOWN_CELLS = {
    "#| tbl-cap:": "Table 11.1 a",
    "#| tbl-cap: No": "Table 11.2 No a",
    "#| tbl-cap: 16:9": "Table 11.3 16:9 a",
    "#| tbl-cap: 1. January": "Table 11.4 1. January a",
    "#| tbl-cap: '# of images'": "Table 11.5 # of images a",
    "#| tbl-cap: |\n#|   One.\n#|\n#|   Two.": "Table 11.6 One. Two. a",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory) -> tuple[str, str]:
    cells = [f"#| label: tbl-{n}\n{cell}\nx" for n, cell in enumerate(SHOWN_CELLS)]
    return Pages(tmp_path_factory.mktemp("book")).make(*SHOWN, cells=cells)


@pytest.mark.parametrize("text", SHOWN)
def test_both_formats_show_the_words(shown, text):
    for words in SHOWN[text]:
        assert squeezed(words) in shown[0] and squeezed(words) in shown[1]


def test_no_chapter_but_the_written_ones(shown):
    assert "11Cells" in shown[0] and "CHAPTER11Cells" in shown[1]


@pytest.mark.parametrize("option", SHOWN_CELLS)
def test_captions_are_what_was_written(shown, option):
    words = squeezed(SHOWN_CELLS[option])
    assert words in shown[0] and words in shown[1]


REFUSED = {
    '<img src="no.png">': '<img src="no.png">: raw HTML',
    "<table><tr><td>12</td></tr></table>": "<table>: raw HTML",
    "H<sub>2</sub>O": "<sub>: raw HTML",
    "```{=html}\n<b>x</b>\n```": "<b>x</b>: raw HTML",
    "a \\newpage b": "\\newpage: raw TeX",
    "steps:\n- first\n- second": "- first: a list or heading to Jupyter",
    "text\n# no heading": "# no heading: a list or heading to Jupyter",
    "so:\n1. first\n2. second": "1. first: a list or heading to Jupyter",
}
REFUSED_CELLS = {
    "#| tbl-cap: [left, right]": "tbl-cap: expected text, not ['left', 'right']",
    "#| tbl-cpa: A.": "no option 'tbl-cpa'",
    "#| echo: maybe": "echo: expected true or false, not 'maybe'",
    "#| label: tbl-y\n#| label: tbl-z": "line 2: label is given twice",
    "#| fig-cap: .inf\n#| label: [": "line 2: ",
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> list[str]:
    cells = [f"{options}\nx = 1" for options in REFUSED_CELLS]
    return Pages(tmp_path_factory.mktemp("book")).problems(*REFUSED, cells=cells)


@pytest.mark.parametrize("number, text", enumerate(REFUSED))
def test_what_would_differ_is_named_with_its_line(refused, number, text):
    found = [line for line in refused if line.startswith(f"page{number}.qmd:")]
    line = rf"page{number}\.qmd:[3-5]: {re.escape(REFUSED[text])}"
    assert found and re.match(line, found[0]), refused


@pytest.mark.parametrize("number, options", enumerate(REFUSED_CELLS))
def test_options_that_nobody_knows_are_named(refused, number, options):
    place = f"options of cell {number + 2}: "
    assert any(f"{place}{REFUSED_CELLS[options]}" in line for line in refused), refused


@pytest.mark.parametrize(
    "author, words",
    [
        (["Ann Low", "Bo High"], "Ann Low, Bo High"),
        ({"name": "Ann Low", "email": "a@b.org"}, "Ann Low"),
        ([{"name": {"given": "Ann", "family": "Low"}}, "Bo"], "Ann Low, Bo"),
        (None, ""),
    ],
)
def test_authors_in_all_forms(author, words):
    assert Book(Path(), "p", {"book": {"author": author}}).authors == words


def test_marks_in_titles_and_names(tmp_path):
    title, author = 'Of "quotes" and \\slashes', 'Ann "A" Low\\'
    Pages(tmp_path, title=title, author=author).make("text")
    page = html.unescape((tmp_path / "out/index.html").read_text("utf-8"))
    command = ["pdfinfo", tmp_path / "out/workbook.pdf"]
    facts = subprocess.run(command, capture_output=True, text=True).stdout
    for words in (title, author.rstrip("\\")):
        assert squeezed(words) in squeezed(page) and squeezed(words) in squeezed(facts)


def test_characters_without_a_font_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [])
    Pages(tmp_path).make("By 李明, 이민 and 😀.")
    assert "page0.qmd:3: 李明: no font here has 李明이민😀" in capsys.readouterr().err
    assert not any(map(is_elsewhere, "aé–≥Ωж→\u00a0²"))


def test_a_font_of_the_machine_is_used_where_it_has_them(tmp_path, capsys):
    web, _ = Pages(tmp_path).make("By 李明.")
    unsaid = "no font here has" not in capsys.readouterr().err
    assert "李明" in web
    assert any((tmp_path / "build/p/pdf/fonts").iterdir()) == unsaid
