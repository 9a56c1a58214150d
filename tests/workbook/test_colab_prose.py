"""The prose of chapters without Quarto: what a reader sees in Colab."""

import shutil
from pathlib import Path

import pytest

from wslib.workbook.notebooks.colab_prose import read_prose
from wslib.workbook.sources.book import RenderError, load_book
from wslib.workbook.sources.chapter import Chapter

ROOT = Path(__file__).resolve().parents[2]
BIBLIOGRAPHY = """
@article{tan2019, author={Tan, A. and Le, B.}, year={2019}, title={T}, url={https://x.org/t}}
@article{doi, author={Ann O'Nym}, year={2001}, title={T}, doi={10.1/x}}
@article{rot, author={Rother, A. and B, C and D, E}, year={2004}, title={T}}
"""
ONE = """
# %% [markdown]
# # One {#sec-one}
#
# $$ x = y $$ {#eq-x}
#
# ## Part *two* {#sec-part}

# %%
#| label: fig-b
#| fig-cap: "Seen in @tbl-c
#|   [@rot]."
plot()

# %%
#| label: 'tbl-c'
#| tbl-cap: "A table."
show()

# %% [markdown]
# | n |
# |--:|
# | 1 |
#
# : Numbers of @fig-b. {#tbl-d}

# %%
#| label: fig-a
plot()

# %%
x = 1  # @fig-a
"""
LINES = {
    "@fig-a shows it": "Figure 1.2 shows it",
    "it is (@fig-a, left)": "it is (Figure 1.2, left)",
    "see @eq-x, @tbl-d and @sec-one.": "see Equation 1.1, Table 1.2 and Chapter 1.",
    "@Fig-a begins, @sec-part ends": "Figure 1.2 begins, Section 1.1 ends",
    "[@fig-a; @tbl-d]": "Figure 1.2, Table 1.2",
    "nets [@tan2019] are": "nets ([Tan and Le 2019](https://x.org/t)) are",
    "[see @rot, p. 3; @tan2019]": (
        "(see Rother et al. 2004, 3; [Tan and Le 2019](https://x.org/t))"
    ),
    "[-@rot]": "(2004)",
    "as @rot and @doi said": (
        "as Rother et al. (2004) and O’Nym ([2001](https://doi.org/10.1/x)) said"
    ),
    "me@home.org and `@fig-a` and ``a ` @rot``": (
        "me@home.org and `@fig-a` and `` a ` @rot ``"
    ),
    "$x_{@fig-a}$ costs": "$x_{@fig-a}$ costs",
    "[the map](#fig-a)": "the map",
    "[a link](https://a.b)": "[a link](https://a.b)",
    "[small @fig-a]{.small}": "small Figure 1.2",
    "# A *title* {#sec-x .unnumbered}": "# A *title*",
    "**bold** and ~~gone~~": "**bold** and ~~gone~~",
    "$$ a = b $$ {#eq-c}": "$$ a = b \\tag{1} $$",
    "In two\nlines.": "In two\nlines.",
    '::: {.callout-tip title="A \\"b\\""}\nOne @fig-a.\n\n- two\n:::\nAfter.': (
        "> **A “b”**\n>\n> One Figure 1.2.\n>\n> - two\n\nAfter."
    ),
    "::: {.callout-note}\nx\n:::": "> **Note**\n>\n> x",
    '::: {.callout-note title="a < b?" collapse="true"}\n'
    "Yes [@rot].\n\n```{.python .x}\n# ::: @fig-a {#sec-x}\n```\n:::\n": (
        "<details><summary>a &lt; b?</summary>\n\nYes (Rother et al. 2004).\n\n"
        "``` python\n# ::: @fig-a {#sec-x}\n```\n\n</details>"
    ),
    "::: {.column}\n:::: {.callout-note title=T}\nx\n::::\n:::\ny": (
        "> **T**\n>\n> x\n\ny"
    ),
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    root = tmp_path_factory.mktemp("book")
    for name in ("chapters", "report"):
        (root / name).mkdir()
    for file in [*ROOT.glob("_quarto*.yml"), *ROOT.glob("report/*.*")]:
        shutil.copy(file, root / file.relative_to(ROOT))
    (root / "report/references.bib").write_text(BIBLIOGRAPHY)
    return load_book(root, "sample")


def prose_of(book, *texts: str) -> dict:
    chapters = []
    for number, text in enumerate(texts, 1):
        path = book.root / f"chapters/0{number}_chapter.py"
        path.write_text(text.lstrip("\n"))
        chapters.append(Chapter(path))
    return read_prose(book, chapters)


def markdown(*cells: str) -> str:
    commented = ("# " + cell.replace("\n", "\n# ") for cell in cells)
    return "\n\n".join(f"# %% [markdown]\n{cell}" for cell in commented) + "\n"


@pytest.fixture(scope="module")
def words(book):
    return prose_of(book, ONE, markdown("# Two {#sec-two}", *LINES))


@pytest.mark.parametrize("source", LINES)
def test_line(words, source):
    cell = 1 + list(LINES).index(source)
    assert words["02_chapter", cell].replace("\xa0", " ") == LINES[source]


def test_numbers_are_those_of_the_book(words):
    one = [text for (name, _), text in words.items() if name == "01_chapter"]
    assert one[0] == "# 1 One\n\n$$ x = y \\tag{1.1} $$\n\n## 1.1 Part *two*"
    assert one[1].endswith(
        "\n\n**Figure 1.1.** Seen in Table\xa01.1 (Rother et al. 2004)."
    )
    assert one[2].endswith("\n\n**Table 1.1.** A table.")
    assert one[3].endswith("|\n\n**Table 1.2.** Numbers of Figure\xa01.1.")
    assert one[4].endswith("**Figure 1.2.**") and one[5] == ""


def test_mistakes_are_named_with_their_lines(book):
    with pytest.raises(RenderError) as error:
        prose_of(book, ONE + markdown("As @fig-none and [@nobody]", "See @sec-two."))
    assert [line.split(": ", 1)[1] for line in str(error.value).splitlines()] == [
        "@fig-none: no such figure",
        "@nobody: not in the bibliography",
        "@sec-two: no such section",
    ]
    assert str(error.value).startswith("chapters/01_chapter.py:33: @fig-none")
    with pytest.raises(RenderError, match="01_chapter.py: has no title"):
        prose_of(book, markdown("No title."))


def test_nothing_of_quarto_is_left_in_the_chapters():
    chapters = [Chapter(path) for path in sorted(ROOT.glob("chapters/*.py"))]
    texts = list(read_prose(load_book(ROOT, "sample"), chapters).values())
    for text in texts:
        for mark in ("@fig", "@tbl", "@eq", "@sec", "[@", ":::", "{#", "](#", "<div"):
            assert mark not in text, text
    assert sum("**Figure" in text for text in texts) > 20
    assert sum(text.count("<details>") for text in texts) > 10
