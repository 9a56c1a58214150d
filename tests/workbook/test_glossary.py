"""Links from the first use of a word to the glossary: where they stand, where not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pypandoc
import pytest

ROOT = Path(__file__).resolve().parents[2]
TERMS = """
[**AP**]{#term-ap also="average precision"}, average precision
:   An area. [**mAP**]{#term-map} is its mean.

[**CAM**]{#term-cam}
:   A map.

[**Difficult**]{#term-difficult .emphasised}
:   A mark.

[**Proposal**]{#term-proposal}
:   A box.
"""
SCRIPT = f"""
package.path = '{ROOT}/report/?.lua;' .. package.path
local glossary = require('glossary')
local file = io.open('terms.md')
local terms = glossary.terms(pandoc.read(file:read('a'), 'markdown').blocks)
function Pandoc(doc)
  doc.blocks = glossary.link(doc.blocks, terms, function(id) return '#' .. id end)
  return doc
end
"""


@pytest.fixture
def linked(tmp_path):
    """Link the words of a text, and write it in one line of Markdown."""
    (tmp_path / "terms.md").write_text(TERMS, encoding="utf-8")
    (tmp_path / "link.lua").write_text(SCRIPT, encoding="utf-8")
    command = [pypandoc.get_pandoc_path(), "--from", "markdown", "--wrap=none"]
    command += ["--to", "markdown-smart", "--lua-filter", "link.lua"]

    def link(text: str) -> str:
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        words = " ".join(done.stdout.split())
        return words.replace("{.term}", "")

    return link


@pytest.mark.parametrize(
    "text, expected",
    [
        ("An AP is AP.", "An [AP](#term-ap) is AP."),
        ("(AP, then", "([AP](#term-ap), then"),
        ("The average precision, AP", "The [average precision](#term-ap), AP"),
        ("The average\nprecision.", "The [average precision](#term-ap)."),
        ("Proposals and proposals", "[Proposals](#term-proposal) and proposals"),
        ("two proposals' ends", "two [proposals](#term-proposal)’ ends"),
        ("mAP, AP", "[mAP](#term-map), [AP](#term-ap)"),
        ("*an AP* of AP", "*an [AP](#term-ap)* of AP"),
        ("- one AP\n- two AP", "- one [AP](#term-ap) - two AP"),
        ("difficult *difficult*", "difficult *[difficult](#term-difficult)*"),
        ("> an AP", "> an [AP](#term-ap)"),
    ],
)
def test_the_first_use_is_linked(linked, text, expected):
    assert linked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "# The AP",
        "`AP`",
        "[the AP](#there)",
        "$AP$",
        "    AP",
        "::: {#fig-ap}\n![](a.png)\n\nThe AP of it.\n:::",
        "| AP |\n|----|\n| AP |\n\n: The AP. {#tbl-ap}",
        "::: {.run-facts}\nRan with AP.\n:::",
        "Grad-CAM, CAM-like, APs-like, APX, average of precision, ap",
        "a difficult question",
    ],
)
def test_nothing_else_is(linked, text):
    assert "(#term" not in linked(text)
