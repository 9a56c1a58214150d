"""Fonts for what the book's own do not have: Chinese, Japanese, Korean, emoji ..."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

from wslib.workbook.report.stage import Stage, in_sources
from wslib.workbook.sources.book import RenderError

INDIC_TO_THAI = range(0x0900, 0x1AB0)


def more_fonts(staged: Stage) -> Path:
    """Return a folder with links to those fonts of this machine that the pages need
    beside the book's own; mostly to none.

    Characters that no font has are named on stderr, with their page: they are empty
    boxes in the PDF, and nothing else is wrong with it.
    """
    folder = staged.folder / "fonts"
    folder.mkdir(exist_ok=True)
    texts = [document.markdown for document in staged.documents]
    missing = {c for text in texts for c in set(text) if is_elsewhere(c)}
    for file, characters in _fonts() if missing else ():
        if missing & characters:
            missing -= characters
            (folder / file.name).unlink(missing_ok=True)
            (folder / file.name).symlink_to(file)
    lines = []
    for page, text in zip(staged.pages, texts, strict=True):
        if runs := _runs(text, missing):
            lacking = "".join(dict.fromkeys("".join(runs)))[:40]
            said = f"no font here has {lacking}; the PDF shows empty boxes"
            lines.append(f"{page.file}: {runs[0]}: {said}")
    if lines:
        said = in_sources(staged.book.root, RenderError("\n".join(lines)))
        print(said, file=sys.stderr, flush=True)
    return folder


def is_elsewhere(character: str) -> bool:
    """Whether the book's own fonts, of Latin, Greek, Cyrillic and signs, lack it."""
    wide = unicodedata.east_asian_width(character) in ("W", "F")
    return wide or ord(character) in INDIC_TO_THAI


def _fonts():
    """The fonts of this machine and the characters that each has, until nobody asks."""
    from fontTools.ttLib import TTFont, TTLibError
    from matplotlib.font_manager import findSystemFonts

    for file in sorted(map(Path, findSystemFonts())):
        try:
            with TTFont(file, fontNumber=0, lazy=True) as font:
                yield file, set(map(chr, font.getBestCmap() or ()))
        except (OSError, TTLibError):
            continue


def _runs(text: str, characters: set[str]) -> list[str]:
    """What stands in the text of these characters, in pieces."""
    kept = "".join(c if c in characters else " " for c in text)
    return kept.split()
