"""Style sheets and the font of icons without what a book does not use.

Quarto's two themes hold the whole of Bootstrap, half a megabyte each, and a browser
paints nothing before it has read them. Its font holds 2,000 icons.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from fontTools import subset

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
ICON = re.compile(r"\\(f[\da-f]{3})\b|([\uf000-\uf8ff])")  # of the style sheets
EXPORTED = re.compile(r"--quarto-scss-export-[^;}]*;?")  # for editors, by no rule read
CLASS = re.compile(r"\.((?:\\.|[\w-])+)")
WORD = re.compile(r"[\w-]+")
NESTED = ("@media", "@supports", "@layer", "@container")


def slim(output: Path) -> None:
    """Drop from the style sheets below `output/site_libs/bootstrap` the rules for
    classes that no page and no script of the book names, and from the font the icons
    that no style sheet names then."""
    files = [*output.rglob("*.html"), *output.rglob("*.js")]
    words = {word for file in files for word in WORD.findall(file.read_text("utf-8"))}
    for sheet in output.glob("site_libs/bootstrap/*.css"):
        sheet.write_text(slimmed(sheet.read_text("utf-8"), words), "utf-8")
    sheets = "".join(f.read_text("utf-8") for f in output.glob("site_libs/**/*.css"))
    icons = {
        int(code, 16) if code else ord(sign) for code, sign in ICON.findall(sheets)
    }
    for font in output.glob("site_libs/bootstrap/*.woff"):
        keep_icons(font, icons)


def keep_icons(font: Path, icons: set[int]) -> None:
    """Keep the glyphs of these code points in a font, and no other."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # says what it passes over
    options = subset.Options()
    options.flavor = "woff"
    options.notdef_outline, options.layout_features = True, []
    with subset.load_font(font, options) as whole:
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=icons)
        subsetter.subset(whole)
        subset.save_font(whole, font, options)


def slimmed(css: str, words: set[str]) -> str:
    """The style sheet without rules whose classes are none of the `words`; a class that
    a script puts together counts by its beginning, as `bs-tooltip-top` does, and an
    icon by its name, `bi-moon` by `moon`."""
    css = EXPORTED.sub("", css)
    return "".join(_kept(head, body, words) for head, body in _rules(css))


def _kept(head: str, body: str, words: set[str]) -> str:
    if head.startswith(NESTED):
        body = slimmed(body, words)
        return f"{head}{{{body}}}" if body else ""
    if head.startswith("@"):
        return f"{head}{{{body}}}" if body else head
    selectors = [s for s in re.split(r",(?![^(]*\))", head) if _is_used(s, words)]
    return f"{','.join(selectors)}{{{body}}}" if selectors else ""


def _is_used(selector: str, words: set[str]) -> bool:
    named = CLASS.findall(re.sub(r":not\([^)]*\)", "", selector))
    return all(words & _ways_to_name(name) for name in named)


def _ways_to_name(name: str) -> set[str]:
    """`a-b`, `a-b-c` and `a-b-c-d` for `a-b-c-d`; `moon` for the icon `bi-moon`."""
    parts = name.split("-")
    beginnings = {"-".join(parts[:n]) for n in range(2, len(parts))}
    icon = {name[3:]} if name.startswith("bi-") else set()
    return {name} | beginnings | icon


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """The head and the body of each rule, "" for a statement such as `@charset`."""
    css, start = COMMENT.sub("", css), 0
    while found := re.compile(r"[;{]").search(css, start):
        head, at = css[start : found.start()].strip(), found.end()
        if found[0] == ";":
            yield f"{head};", ""
            start = at
            continue
        start = _end(css, at)
        yield head, css[at : start - 1]


def _end(css: str, at: int) -> int:
    """The place behind the brace that closes the block which begins at `at`."""
    depth = 1
    while depth and (brace := re.compile(r"[{}]").search(css, at)):
        depth += 1 if brace[0] == "{" else -1
        at = brace.end()
    return at
