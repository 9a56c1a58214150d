"""Quarto's Markdown as Colab and Jupyter read it: no labels, callouts or keys are left.

Figures, tables and equations are numbered as in the book, chapter by chapter.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wslib.workbook.chapter import Chapter
from wslib.workbook.document import split_options

KINDS = {"fig": "Figure", "tbl": "Table", "eq": "Equation"}
LABEL = r"(?:fig|tbl|eq|sec)-[\w-]*\w"
HEADING = re.compile(r"^(#+) +(.*?)(?: *\{([#.-][^{}]*)\})? *$", re.M)
EQUATION = re.compile(r"\$\$ *\{#(eq-[\w-]+)[^{}]*\}")
CAPTION = re.compile(
    r"^: ((?:(?!\n\n).)*?) *\{#(tbl-[\w-]+)[^{}]*\} *$", re.M | re.DOTALL
)
CODE_LABEL = re.compile(rf"^#\| *label: *[\"']?({LABEL})", re.M)
DECLARED = re.compile(rf"\{{#({LABEL})")
FENCE = re.compile(r"^ *(`{3,}|~{3,})")
DIV = re.compile(r"^(:{3,}) *(.*?) *:*$")
TITLE = re.compile(r'title="((?:[^"\\]|\\.)*)"')
KEY = r"(?P<hidden>-)?@(?P<key>[A-Za-z](?:[\w:-]*\w)?)"
TOKEN = re.compile(
    r"(?P<kept>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)"  # code
    r"|\$\$.*?\$\$"
    r"|(?<![\\$\w])\$(?![\s$])(?:(?!\n\n)[^$])+?(?<!\s)\$(?!\d))"  # mathematics
    r"|\[(?P<words>[^\[\]]*)\]\(#[\w-]+\)"
    r"|\[(?P<group>[^\[\]]*@[^\[\]]*)\](?![({\[])"
    r"|\[(?P<span>(?:[^\[\]]|\[[^\[\]]*\])*)\]\{[.#][^{}]*\}"
    rf"|(?<![\w\\@.-]){KEY}",
    re.DOTALL,
)


@dataclass(frozen=True)
class Citation:
    """Who wrote it, when, and where it can be read, if that is known."""

    authors: str
    year: str
    url: str | None = None

    def write(self, text: str) -> str:
        return f"[{text}]({self.url})" if self.url else text


def read_citations(bibliography: Iterable[Path]) -> dict[str, Citation]:
    """The entries of BibTeX files by their keys, read by pandoc."""
    import json

    import pypandoc

    found = {}
    for file in bibliography:
        text = pypandoc.convert_file(str(file), "csljson", format="bibtex")
        for entry in json.loads(text):
            url = entry.get("URL")
            if not url and "DOI" in entry:
                url = f"https://doi.org/{entry['DOI']}"
            date = entry.get("issued", {}).get("date-parts", [["n.d."]])
            names = [_name(person) for person in entry.get("author", [])]
            citation = Citation(_authors(names), str(date[0][0]), url)
            found[entry["id"]] = citation
    return found


def _name(person: dict) -> str:
    keys = ("non-dropping-particle", "family", "literal")
    return " ".join(person[key] for key in keys if key in person)


def _authors(names: list[str]) -> str:
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


def number_labels(chapters: Iterable[Chapter]) -> dict[str, str]:
    """Label -> "Figure 4.2", of all that can be referred to in the `chapters`, whose
    numbers are those that their names begin with."""
    names = {}
    for position, chapter in enumerate(chapters, 1):
        head = chapter.name.partition("_")[0]
        number = int(head) if head.isdigit() else position
        counts: Counter = Counter()
        for cell in chapter.notebook().cells:
            for label in _labels(cell):
                kind = label.partition("-")[0]
                counts[kind] += 1
                if kind in KINDS:
                    names[label] = f"{KINDS[kind]} {number}.{counts[kind]}"
            names.update(_sections(cell, number))
    return names


def _labels(cell) -> list[str]:
    if cell.cell_type == "code":
        return CODE_LABEL.findall(cell.source)
    return DECLARED.findall(cell.source) if cell.cell_type == "markdown" else []


def _sections(cell, number: int) -> Iterator[tuple[str, str]]:
    if cell.cell_type != "markdown":
        return
    for hashes, title, attributes in HEADING.findall(cell.source):
        if label := re.search(r"#(sec-[\w-]+)", attributes):
            deeper = f"Section “{title}”"
            yield label[1], f"Chapter {number}" if hashes == "#" else deeper


@dataclass(frozen=True)
class Prose:
    """Rewrites Markdown. `labels` are those of `number_labels`."""

    labels: dict[str, str]
    citations: dict[str, Citation]

    def markdown(self, source: str) -> str:
        """The text of a Markdown cell."""
        return "\n".join(self._blocks(iter(source.splitlines()))).strip("\n")

    def caption(self, label: str, text: str) -> str:
        """The paragraph below a figure or a table."""
        return f"**{self._number(label)}.** {self._inline(' '.join(text.split()))}"

    def code_cell(self, source: str) -> tuple[dict, str, str]:
        """The options of a code cell, its code, and the caption under it or ""."""
        options, code = split_options(source)
        label = str(options.get("label", ""))
        text = str(options.get(f"{label.partition('-')[0]}-cap", ""))
        return options, code, self.caption(label, text) if label and text else ""

    def _blocks(self, lines: Iterator[str], inside: bool = False) -> Iterator[str]:
        """The lines up to the end of the div that they are `inside` of."""
        text: list[str] = []
        for line in lines:
            fence, div = FENCE.match(line), DIV.match(line)
            if not fence and not div:
                text.append(line)
                continue
            yield from self._text(text)
            text = []
            if fence:
                yield re.sub(r"\{\.(\w+)[^{}]*\}", r"\1", line)
                yield from _to_end(lines, fence[1])
            elif div[2]:
                yield from _div(div[2], list(self._blocks(lines, inside=True)))
            elif inside:
                return
        yield from self._text(text)

    def _text(self, lines: list[str]) -> list[str]:
        text = "\n".join(lines)
        text = HEADING.sub(lambda found: f"{found[1]} {found[2]}", text)
        text = EQUATION.sub(self._tag, text)
        text = CAPTION.sub(lambda found: self.caption(found[2], found[1]), text)
        text = re.sub(r"(\]\([^()\s]*\))\{[^{}]*\}", r"\1", text)  # of pictures
        return self._inline(text).split("\n") if lines else []

    def _tag(self, found: re.Match) -> str:
        return rf"\tag{{{self._number(found[1]).rpartition(' ')[2]}}} $$"

    def _number(self, label: str) -> str:
        return self.labels.get(label) or KINDS.get(label.partition("-")[0], label)

    # ------------------------------------------------------------------- within a line

    def _inline(self, text: str) -> str:
        return TOKEN.sub(self._token, text)

    def _token(self, found: re.Match) -> str:
        if found["kept"]:
            return found[0]
        if found["words"] is not None:
            return found["words"]
        if found["span"] is not None:
            return self._inline(found["span"])
        if found["group"]:
            return self._group(found[0], found["group"])
        return self._mention(found)

    def _mention(self, found: re.Match) -> str:
        """`@key` in a sentence: Author (year), or the number of a figure."""
        key = found["key"]
        if re.fullmatch(LABEL, key, re.I):
            key = key[0].lower() + key[1:]
            return self.labels.get(key, f"*{key}* of the book")
        if key not in self.citations:
            return found[0]
        cited = self.citations[key]
        year = cited.write(cited.year)
        return f"({year})" if found["hidden"] else f"{cited.authors} ({year})"

    def _group(self, whole: str, group: str) -> str:
        """`[see @a, p. 3; @b]`."""
        keys = re.findall(KEY, group)
        if all(re.fullmatch(LABEL, key, re.I) for _, key in keys):
            return re.sub(KEY, self._mention, group).replace(";", ",")
        if not all(key in self.citations for _, key in keys):
            return whole
        return f"({re.sub(KEY, self._in_brackets, group)})"

    def _in_brackets(self, found: re.Match) -> str:
        cited = self.citations[found["key"]]
        hidden = found["hidden"]
        return cited.write(cited.year if hidden else f"{cited.authors} {cited.year}")


def _to_end(lines: Iterator[str], fence: str) -> Iterator[str]:
    """The code up to the line that closes the block, which is left as it is."""
    for line in lines:
        yield line
        if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            return


def _div(attributes: str, lines: list[str]) -> Iterator[str]:
    """A callout as a quotation, a folded one as `<details>`; others without fences."""
    callout = re.search(r"callout-(\w+)", attributes)
    if not callout:
        yield from lines
        return
    body = "\n".join(lines).strip("\n").split("\n")
    title = TITLE.search(attributes)
    title = title[1].replace('\\"', '"') if title else callout[1].capitalize()
    if re.search(r'collapse="?true', attributes):
        yield from (f"<details><summary>{html.escape(title, False)}</summary>", "")
        yield from (*body, "", "</details>")
    else:
        yield from (f"> **{title}**", ">", *(f"> {line}".rstrip() for line in body))
