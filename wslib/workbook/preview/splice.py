"""One chapter of the finished web book made anew, without making the others again.

Pandoc takes time for each word that it writes. Of a chapter that did not change, the
filter of the book counts and cites everything, but keeps only the title. Of what comes
back only the chapters that changed are taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

SECTION = re.compile(r"<section\b[^>]*>|</section>")
TAG = re.compile(r"<(section|h[1-6]|pre|\w+(?= [^<>]*\bid=))\b([^<>]*)>")
ID = re.compile(r'\bid="([^"]+)"')
CODE = re.compile(r'(?<=\bid="cb)\d+|(?<=\bhref="#cb)\d+')  # numbers of blocks of code
UNCOUNTED = re.compile(r"cb\d|refs?\b")  # ids that are no labels
FOOTNOTE = 'role="doc-noteref"'


def splice(page: str, part: str, numbers: Iterable[int]) -> str | None:
    """Replace the chapters of `page` that have these `numbers` (from 0) by those of
    `part`, which may have only the titles of the others.

    None if the rest of the book depends on what has changed in them: a heading, a
    label, a number, a footnote.
    """
    spans = _spans(page)
    fresh = [part[start:end] for start, end in _spans(part)]
    if len(spans) != len(fresh):
        return None
    for number in sorted(numbers, reverse=True):
        start, end = spans[number]
        old, new = page[start:end], fresh[number]
        if _skeleton(old) != _skeleton(new) or FOOTNOTE in old + new:
            return None
        page = page[:start] + _renumbered(new, old) + page[end:]
    return page


def _label(tag: re.Match) -> str | None:
    found = ID.search(tag[2])
    return found[1] if found and not UNCOUNTED.match(found[1]) else None


def _inner(tag: re.Match, chapter: str) -> str:
    return chapter[tag.end() : chapter.index(f"</{tag[1]}>", tag.end())]


def _spans(page: str) -> list[tuple[int, int]]:
    """Find where each section of level 1 begins and ends."""
    spans, opened = [], []
    for tag in SECTION.finditer(page):
        if tag[0] != "</section>":
            opened.append(tag)
        elif opened and re.search(r"\blevel1\b", (begun := opened.pop())[0]):
            spans.append((begun.start(), tag.end()))
    return spans


def _skeleton(chapter: str) -> list[str]:
    """List the headings with all that is in them, labels, and the tags of blocks of
    code, some of which pandoc numbers."""
    found = []
    for tag in TAG.finditer(chapter):
        if re.fullmatch("h[1-6]", tag[1]):
            found.append(tag[0] + _inner(tag, chapter))
        elif tag[1] == "pre" or _label(tag):
            found.append(_label(tag) or tag[0])
    return found


def _renumbered(new: str, old: str) -> str:
    """Number the blocks of code of `new` as in `old`."""
    first = [min(map(int, CODE.findall(text)), default=0) for text in (old, new)]
    return CODE.sub(lambda number: str(int(number[0]) + first[0] - first[1]), new)
