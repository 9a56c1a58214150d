"""No result is typed by hand: README, preface and chapters print what was measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.py"))

RESULT = re.compile(
    r"\b\d+(?:\.\d+)? ?%"  # a share
    r"|[+−-]?\d+(?:\.\d+)? points\b"
    r"|\b(?:AP|mAP|IoU|CorLoc|PxAP|accuracy|recall|precision) (?:of |is |was )?\d+\.\d+"
)
SETTINGS = (  # what somebody has set or defined, and nobody measured
    "30 % of its area",
    "30 % of its maximum",
    "below 10 % is probably background",
    "95 % interval",
    "95 % bootstrap intervals",
    "Grad-CAM 20 %",
    "IoU of at least 65 %",
    "why 100 % on the test set",
    "mark of 65 %",
    "IoU 0.3",
    "IoU 0.4",
    "IoU 0.5",
)


def prose_of_chapter(text: str) -> str:
    """Markdown cells and captions, one paragraph a line."""
    lines, prose, in_markdown = text.splitlines(), [], False
    for line in lines:
        if line.startswith("# %%"):
            in_markdown = "[markdown]" in line
            prose.append("\n")
        elif line.startswith("#|"):
            prose.append(line[2:])
        elif in_markdown:
            prose.append("\n" if line == "#" else line[1:])
    return re.sub(r" +", " ", " ".join(prose))


def typed(prose: str) -> list[str]:
    """What looks like a result, each with some words around it."""
    for setting in SETTINGS:
        prose = prose.replace(setting, "")
    found = RESULT.finditer(prose)
    return [prose[max(m.start() - 40, 0) : m.end() + 20] for m in found]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_type_no_results(path):
    assert typed(prose_of_chapter(path.read_text(encoding="utf-8"))) == []


TEACHER = [f"report/teacher/{path.name[:2]}.qmd" for path in CHAPTERS]


@pytest.mark.parametrize("name", ["README.md", "index.qmd", *TEACHER])
def test_front_pages_type_no_results(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r"<!-- results -->.*?<!-- /results -->", "", text, flags=re.S)
    assert typed(" ".join(text.split())) == []


@pytest.mark.parametrize(
    "text", ["it has 62.2 % here", "gains +3.4 points", "an AP of 18.8", "mAP 24.7"]
)
def test_results_are_found(text):
    assert len(typed(text)) == 1


def test_settings_are_none():
    assert typed("baseline A has 30 % of its area, at IoU 0.5, 95 % intervals") == []
