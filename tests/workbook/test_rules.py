"""The form of chapters: each rule says where it is broken."""

from __future__ import annotations

import jupytext
import pytest

from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.rules import find_faults

GOOD = """\
# %% [markdown] tags=["slide"]
# # One {#sec-one}
#
# You will learn. @fig-a and @tbl-b. What we saw. What failed. Exercises in a callout.

# %% tags=["parameters"]
seed: int = 0  # of nothing

# %%
#| label: fig-a
#| fig-cap: "A figure that is there."
#| fig-alt: "A line that rises from the left to the right, as lines do."
1

# %% tags=["slide"]
#| label: tbl-b
#| tbl-cap: "A table that is there."
def two():
    return 2
"""


def faults(tmp_path, text):
    path = tmp_path / "01_one.py"
    path.write_text(text)
    return [fault.removeprefix(f"{path}:") for fault in find_faults(Chapter(path))]


def test_a_chapter_in_form_has_none(tmp_path):
    assert faults(tmp_path, GOOD) == []


def test_a_chapter_is_parsed_once_however_many_cells_it_has(tmp_path, monkeypatch):
    parsed, reads = [], jupytext.reads
    monkeypatch.setattr(
        jupytext, "reads", lambda *args, **how: parsed.append(1) or reads(*args, **how)
    )
    assert faults(tmp_path, GOOD) == [] and parsed == [1]
    chapter = Chapter(tmp_path / "01_one.py")
    chapter.notebook().cells.clear()
    assert len(chapter.notebook().cells) == 4  # each caller has its own


def test_an_empty_file_says_what_it_shall_hold(tmp_path):
    (said,) = faults(tmp_path, "")
    assert said.startswith("1: empty, expected cells `# %% [markdown]`")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('is there."\n#| fig-a', 'is there"\n#| fig-a', "10: fig-a: the caption is"),
        ("as lines do.", "as lines do", "10: fig-a: fig-alt does not say what"),
        ("{#sec-one}", "", "1: opens with no title"),
        ("  # of nothing", "", "7: seed has no comment"),
        ("seed: int", "seeds: int", "1: no parameter `seed"),
        (' tags=["parameters"]', "", "1: expected one cell `# %% tags=["),
        ("@tbl-b", "b", "16: tbl-b: no sentence refers to it, as @tbl-b"),
        (
            "label: fig-a\n#| fig-cap",
            "label: tbl-b\n#| tbl-cap",
            "16: tbl-b: used twice",
        ),
        ("What failed.", "", "19: nowhere says: what failed"),
        (
            "    return 2",
            "    return 2\n" + 12 * "    # more\n" + "    3",
            "two is longer",
        ),
        (
            "    return 2",
            "    return 2  # " + 90 * "x",
            "19: 106 characters, at most 88",
        ),
        ("\n1\n", "\n# %%\n1\n# %%\n1\n", "more than 3 cells of code without a word"),
        ("\n1\n", "\nclass A:\n    b = 1\n", "class A belongs into wslib"),
        ("\n1\n", "\nget_ipython()\n", "13: a magic or a shell line"),
        (
            "\n1\n",
            '\nprint(f"As @tbl-b says")\n',
            "13: prints @tbl-b, which a notebook",
        ),
        ("def two():", "def two(:", "18: not a chapter: invalid syntax"),
        ("#| label: fig-a", "#| label: [fig-a", "not a chapter"),
        ("#| label: fig-a", "#| tags: [slide]", "percent signs: # %% tags="),
        (
            '[markdown] tags=["slide"]',
            "[markdown]",
            "1: the title is not on the slides",
        ),
        (
            '# %% tags=["slide"]\n#| label: tbl-b',
            "# %%\n#| label: tbl-b",
            "1: 0 figures and 0 tables on the slides: tag one or more",
        ),
        ("\n#| label: fig-a", "", "1: fewer than two figures or tables"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path, old, new, said):
    assert old in GOOD
    found = faults(tmp_path, GOOD.replace(old, new))
    assert any(said in fault for fault in found), found


def test_a_notebook_of_the_chapter_is_ones_own(tmp_path):
    (tmp_path / "01_a.py").write_text(GOOD)
    chapter = Chapter(tmp_path / "01_a.py")
    first = chapter.notebook()
    assert first == chapter.notebook() and len(first.cells) == 4
    first.cells[0].source = "Other words"
    del first.cells[1:], first.metadata["kernelspec"]
    again = chapter.notebook()
    assert again.cells[0].source.startswith("# One") and len(again.cells) == 4
    assert again.metadata["kernelspec"]["name"] == "python3"
