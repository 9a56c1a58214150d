"""Quarto's Markdown without Quarto: what a reader sees in Colab."""

from pathlib import Path

import pytest

from wslib.workbook.chapter import Chapter
from wslib.workbook.colab_prose import Citation, Prose, number_labels, read_citations

ROOT = Path(__file__).resolve().parents[2]
LABELS = {
    "fig-a": "Figure 2.1", "tbl-b": "Table 2.3", "eq-c": "Equation 2.2",
    "sec-d": "Chapter 1",
}  # fmt: skip
CITED = {
    "tan2019": Citation("Tan and Le", "2019", "https://x.org/t"),
    "rot": Citation("Rother et al.", "2004"),
}
prose = Prose(LABELS, CITED)

LINES = {
    "@fig-a shows it": "Figure 2.1 shows it",
    "it is (@fig-a, left)": "it is (Figure 2.1, left)",
    "see @eq-c, @tbl-b and @sec-d.": "see Equation 2.2, Table 2.3 and Chapter 1.",
    "@Fig-a begins": "Figure 2.1 begins",
    "[@fig-a; @tbl-b]": "Figure 2.1, Table 2.3",
    "in @fig-elsewhere": "in *fig-elsewhere* of the book",
    "nets [@tan2019] are": "nets ([Tan and Le 2019](https://x.org/t)) are",
    "[see @rot, p. 3; @tan2019]": (
        "(see Rother et al. 2004, p. 3; [Tan and Le 2019](https://x.org/t))"
    ),
    "[-@rot]": "(2004)",
    "as @rot said": "as Rother et al. (2004) said",
    "-@tan2019": "([2019](https://x.org/t))",
    "[@unknown] and @unknown": "[@unknown] and @unknown",
    "me@home.org and `@fig-a` and ``a ` @rot``": (
        "me@home.org and `@fig-a` and ``a ` @rot``"
    ),
    "$x_{@fig-a}$ costs $5 or $6, @fig-a": "$x_{@fig-a}$ costs $5 or $6, Figure 2.1",
    "[the map](#fig-a)": "the map",
    "[a link](https://a.b)": "[a link](https://a.b)",
    "[small @fig-a]{.small}": "small Figure 2.1",
    "[[1–2]]{.small}": "[1–2]",
    "# A *title* {#sec-x .unnumbered}": "# A *title*",
    "## Sets {a, b}": "## Sets {a, b}",
    "$$ a = b $$ {#eq-c}": r"$$ a = b \tag{2.2} $$",
    "![words](a.png){#fig-a width=3in}": "![words](a.png)",
    ": Said of @fig-a. {#tbl-b}": "**Table 2.3.** Said of Figure 2.1.",
    ": In two\nlines. {#tbl-b .striped}": "**Table 2.3.** In two lines.",
}


@pytest.mark.parametrize("source", LINES)
def test_line(source):
    assert prose.markdown(source) == LINES[source]


def test_equation_of_many_lines():
    source = "that is\n\n$$\nx = y\n$$ {#eq-c}\n\n(@eq-c)"
    assert prose.markdown(source) == (
        "that is\n\n$$\nx = y\n\\tag{2.2} $$\n\n(Equation 2.2)"
    )


def test_callout_is_a_quotation():
    source = '::: {.callout-tip title="A \\"b\\""}\nOne @fig-a.\n\n- two\n:::\nAfter.'
    assert prose.markdown(source) == (
        '> **A "b"**\n>\n> One Figure 2.1.\n>\n> - two\nAfter.'
    )
    assert prose.markdown("::: {.callout-note}\nx\n:::") == "> **Note**\n>\n> x"


def test_folded_callout_is_details_with_markdown_inside():
    source = (
        '::: {.callout-note title="a < b?" collapse="true"}\n'
        "Yes [@rot].\n\n```{.python .x}\n# ::: @fig-a {#sec-x}\n```\n:::\n"
    )
    assert prose.markdown(source) == (
        "<details><summary>a &lt; b?</summary>\n\n"
        "Yes (Rother et al. 2004).\n\n"
        "```python\n# ::: @fig-a {#sec-x}\n```\n\n</details>"
    )


def test_other_divs_lose_their_fences_and_nest():
    source = "::: {.column}\n:::: {.callout-note title=T}\nx\n::::\n:::\ny"
    assert prose.markdown(source) == "> **Note**\n>\n> x\ny"


def test_code_cells_lose_their_options():
    source = '#| label: fig-a\n#| fig-cap: "See\n#|   [@rot]."\nplot()  # @fig-a'
    options, code, caption = prose.code_cell(source)
    assert options["label"] == "fig-a" and code == "plot()  # @fig-a"
    assert caption == "**Figure 2.1.** See (Rother et al. 2004)."
    assert prose.code_cell("#| echo: false\nx") == ({"echo": False}, "x", "")
    assert prose.code_cell("x = 1") == ({}, "x = 1", "")


def test_numbers_are_those_of_the_book(tmp_path):
    one = tmp_path / "03_one.py"
    one.write_text(
        "# %% [markdown]\n# # One {#sec-one}\n#\n# $$ x $$ {#eq-x}\n\n"
        "# %%\n#| label: fig-b\n1\n\n# %%\n#| label: tbl-c\n2\n\n"
        "# %% [markdown]\n# ## Part two {#sec-part}\n#\n# : Cap. {#tbl-d}\n\n"
        "# %%\n#| label: 'fig-a'\n3\n"
    )
    assert number_labels([Chapter(one)]) == {
        "sec-one": "Chapter 3", "sec-part": "Section “Part two”",
        "eq-x": "Equation 3.1", "fig-b": "Figure 3.1", "fig-a": "Figure 3.2",
        "tbl-c": "Table 3.1", "tbl-d": "Table 3.2",
    }  # fmt: skip


def test_bibliography_is_read_with_its_links(tmp_path):
    file = tmp_path / "a.bib"
    file.write_text(
        "@article{one, author={Ann O'Nym}, year={2001}, title={T}, doi={10.1/x}}\n"
        "@book{two, author={Van Gool, L. and Doll{\\'a}r, Piotr}, year=2002, title=T}\n"
        "@misc{six, author={A, B and C, D and E, F}, title={T}, url={https://u.v/w}}\n"
    )
    assert read_citations([file]) == {
        "one": Citation("O’Nym", "2001", "https://doi.org/10.1/x"),
        "two": Citation("Van Gool and Dollár", "2002"),
        "six": Citation("A et al.", "n.d.", "https://u.v/w"),
    }


def test_nothing_of_quarto_is_left_in_the_chapters():
    chapters = [Chapter(path) for path in sorted(ROOT.glob("chapters/*.py"))]
    cited = read_citations([ROOT / "report/references.bib"])
    real = Prose(number_labels(chapters), cited)
    cells = [cell for chapter in chapters for cell in chapter.notebook().cells]
    texts = [real.markdown(c.source) for c in cells if c.cell_type == "markdown"]
    texts += [real.code_cell(c.source)[2] for c in cells if c.cell_type == "code"]
    for text in texts:
        for mark in ("@fig", "@tbl", "@eq", "@sec", "[@", ":::", "{#", "of the book"):
            assert mark not in text, text
        for key in cited:
            assert f"@{key}" not in text, text
    assert sum(text.startswith("**Figure") for text in texts) > 20
    assert sum(text.count("<details>") for text in texts) > 10
