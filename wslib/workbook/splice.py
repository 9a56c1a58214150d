"""One chapter of the finished web book made anew, without making the others again.

Pandoc takes time for each word that it writes. A chapter that did not change is given
to it as an outline, made from its HTML: the same headings, labels and citations, and so
the same numbers. Of what comes back only the chapters that changed are taken.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import Path

SECTION = re.compile(r"<section\b[^>]*>|</section>")
TAG = re.compile(r"<(section|h[1-6]|pre|\w+(?= [^<>]*\bid=))\b([^<>]*)>")
ID = re.compile(r'\bid="([^"]+)"')
CODE = re.compile(r'(?<=\bid="cb)\d+|(?<=\bhref="#cb)\d+')  # numbers of blocks of code
CITED = re.compile(r'href="#ref-([^"]+)"')
UNCOUNTED = re.compile(r"cb\d|refs?\b")  # ids that are no labels
FOOTNOTE = 'role="doc-noteref"'
PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
INSIDE = {"fig": "![]({picture})", "tbl": "| a |\n|---|\n| b |", "eq": "$x$"}


def chapters_of(page: str) -> list[str]:
    """The sections of level 1 of a web book, the references among them."""
    return [page[start:end] for start, end in _spans(page)]


def splice(page: str, part: str, numbers: Iterable[int]) -> str | None:
    """`page` with those of its chapters that have these `numbers` (from 0) as they are
    in `part`, which may have outlines for the others.

    None if the rest of the book depends on what has changed in them: a heading, a
    label, a number, a footnote.
    """
    spans, fresh = _spans(page), chapters_of(part)
    if len(spans) != len(fresh):
        return None
    for number in sorted(numbers, reverse=True):
        start, end = spans[number]
        old, new = page[start:end], fresh[number]
        if _skeleton(old) != _skeleton(new) or FOOTNOTE in old + new:
            return None
        page = page[:start] + _renumbered(new, old) + page[end:]
    return page


def outline(chapter: str, picture: Path) -> str:
    """Markdown with the headings, labels and citations of a `chapter` in HTML, and
    nothing else. The file `picture` stands for each figure."""
    parts, section = [], ""
    for tag in TAG.finditer(chapter):
        if tag[1] == "section":
            section = tag[2]
        elif re.fullmatch("h[1-6]", tag[1]):
            parts.append(_heading(tag, chapter, section))
            section = ""
        elif label := _label(tag):
            inside = INSIDE.get(label.partition("-")[0], "")
            parts.append(f"::: {{#{label}}}\n{inside}\n:::")
    keys = dict.fromkeys(CITED.findall(chapter))
    parts += [f"[@{{{html.unescape(key)}}}]" for key in keys]
    return "\n\n".join(parts).replace("{picture}", f"<{picture}>") + "\n"


def _heading(tag: re.Match, chapter: str, section: str) -> str:
    inner = re.sub(r'<span class="number">.*?</span>|<[^>]*>', "", _inner(tag, chapter))
    words = PUNCTUATION.sub(r"\\\1", html.unescape(inner).strip())
    label = ID.search(tag[2]) or ID.search(section)
    name = f"#{label[1]} " if label else ""
    plain = ".unnumbered" if "unnumbered" in tag[2] + section else ""
    return f"{'#' * int(tag[1][1])} {words} {{{name}{plain}}}"


def _label(tag: re.Match) -> str | None:
    found = ID.search(tag[2])
    return found[1] if found and not UNCOUNTED.match(found[1]) else None


def _inner(tag: re.Match, chapter: str) -> str:
    return chapter[tag.end() : chapter.index(f"</{tag[1]}>", tag.end())]


def _spans(page: str) -> list[tuple[int, int]]:
    """Where each section of level 1 begins and ends."""
    spans, opened = [], []
    for tag in SECTION.finditer(page):
        if tag[0] != "</section>":
            opened.append(tag)
        elif opened and re.search(r"\blevel1\b", (begun := opened.pop())[0]):
            spans.append((begun.start(), tag.end()))
    return spans


def _skeleton(chapter: str) -> list[str]:
    """Headings with all that is in them, labels, and the tags of blocks of code, some
    of which pandoc numbers."""
    found = []
    for tag in TAG.finditer(chapter):
        if re.fullmatch("h[1-6]", tag[1]):
            found.append(tag[0] + _inner(tag, chapter))
        elif tag[1] == "pre" or _label(tag):
            found.append(_label(tag) or tag[0])
    return found


def _renumbered(new: str, old: str) -> str:
    """`new` with its blocks of code numbered as in `old`."""
    first = [min(map(int, CODE.findall(text)), default=0) for text in (old, new)]
    return CODE.sub(lambda number: str(int(number[0]) + first[0] - first[1]), new)
