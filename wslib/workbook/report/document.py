"""Executed notebooks as Markdown of the kind that Quarto reads, and their pictures."""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

from wslib.runtime.kept import read_text
from wslib.workbook.sources.options import split_options
from wslib.workbook.sources.strict_yaml import NotYaml

IMAGES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
COVER = "cover"  # the tag of the cell whose picture opens the book
PICTURE_DPI = 120  # at which figures are drawn
BARE = (
    "shows HTML, which a PDF can't: give the frame to wslib's Table, or Markdown to "
    "IPython.display.Markdown"
)
CLEARED = re.compile(r"[^\n]*\x1b\[2K|[^\n]*\r\x1b\[0?K")  # lines of a terminal
ESCAPE = re.compile(
    r"\x1b\].*?(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]", re.DOTALL
)
UNSEEN = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f]")
FRONT = re.compile(r"---\s*\n.*?\n(?:---|\.\.\.)\s*(?:\n|\Z)", re.DOTALL)
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
EXAMPLE = re.compile(r"^([\s>]*(?:(?:[-+*]|\d+[.)])\s+)*)\(@")
BLOCK = re.compile(r"[#>|:~=+!(-]|\*\s|\d+[.)]\s")  # what no caption begins with
SVG_UNITS = {"pt": 72, "px": 96, "": 96, "in": 1, "cm": 2.54, "mm": 25.4}


@dataclass
class Document:
    """A chapter in Markdown, the date of its run and how many seconds it took, and what
    is wrong with it. One that is `kept` is counted, but not written anew. `cover`: what
    its cell with this tag shows, for the front of the book."""

    markdown: str
    date: str | None = None
    seconds: float | None = None
    problems: list[str] = field(default_factory=list)
    cover: str = ""
    kept: bool = False


def read_document(file: Path, name: str, media: Path, code_fold: str) -> Document:
    """The chapter in `file`, a notebook or Markdown, which the book calls `name`.

    Pictures are written to the folder `media`, and named from the one around it.
    `code_fold` ("true", "false", "show") is what the code of a notebook does unless its
    cell says otherwise.
    """
    if file.suffix != ".ipynb":
        return _page(file)
    try:
        notebook = json.loads(file.read_bytes())
        run = notebook["metadata"].get("wslib", {})
        writer = _Writer(name, media, code_fold)
        text = writer.write(notebook["cells"])
        facts = run.get("date"), run.get("seconds")
        return Document(text, *facts, writer.problems, writer.cover)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Document("", problems=[f"{name}: not a notebook of nbformat 4"])


def _page(file: Path) -> Document:
    try:
        text = read_text(file)
        head = FRONT.match(text)
        rest = text[head.end() :] if head else text
        return Document((head[0] if head else "") + as_seen(rest))
    except ValueError as error:
        return Document("", problems=[str(error)])


class _Writer:
    """Writes the cells of one notebook as Markdown."""

    def __init__(self, name: str, media: Path, code_fold: str):
        self.name, self.media, self.code_fold = name, media, code_fold
        self.problems: list[str] = []
        self.cover = ""
        self.pictures = 0

    def write(self, cells: list[dict]) -> str:
        """Return the Markdown of all cells; what is wrong joins `problems`."""
        code = [c for c in cells if c["cell_type"] == "code" and _text(c["source"])]
        if any(cell.get("execution_count") is None for cell in code):
            self.problems.append(f"{self.name}: has cells that were never executed")
        parts = []
        for number, cell in enumerate(cells, 1):
            if cell["cell_type"] == "markdown":
                parts.append(as_seen(_text(cell["source"])))
            elif COVER in cell.get("metadata", {}).get("tags", []):
                self.cover = self._code_cell(cell, number)
            elif cell["cell_type"] == "code":
                parts.append(self._code_cell(cell, number))
        return "\n\n".join(filter(None, parts)) + "\n"

    def _code_cell(self, cell: dict, number: int) -> str:
        try:
            options, source = split_options(_text(cell["source"]))
        except NotYaml as error:
            self.problems.append(f"{self.name}: options of cell {number}: {error}")
            return ""
        outputs = cell.get("outputs", [])
        for error in (o for o in outputs if o["output_type"] == "error"):
            what = f"{error.get('ename')}: {error.get('evalue')}".split("\n")[0]
            self.problems.append(f"{self.name}: cell {number} raised {what}")
        if options.get("include") is False:
            return ""
        parts = []
        if options.get("echo") is not False and source.strip():
            fold = str(options.get("code-fold", self.code_fold)).lower()
            parts.append(_fence(source, f'.python .cell-code code-fold="{fold}"'))
        if options.get("output") is not False:
            parts.append(self._outputs(outputs, options, number))
        return "\n\n".join(filter(None, parts))

    def _outputs(self, outputs: list[dict], options: dict, number: int) -> str:
        """Text first, then what a label makes a numbered figure or table of."""
        texts, shown = [], []
        for output in outputs:
            if output["output_type"] == "stream":
                texts.append(_stream(output, asis=options.get("output") == "asis"))
            elif output["output_type"] in ("display_data", "execute_result"):
                rich = self._rich(output, options)
                if rich is not None:
                    shown.append(rich)
                elif "text/html" in output["data"]:
                    self.problems.append(f"{self.name}: cell {number} {BARE}")
                elif "text/plain" in output["data"]:
                    texts.append(_fence(_text(output["data"]["text/plain"]), ".output"))
        label = str(options.get("label", ""))
        kind = label.partition("-")[0]
        if kind in ("fig", "tbl"):
            caption = " ".join(_words(options, f"{kind}-cap").split())
            guard = "[]{}" if BLOCK.match(caption) else ""  # it stays a paragraph
            shown = [f"::: {{#{label}}}", *shown, guard + caption, ":::"]
        return "\n\n".join(filter(None, [*texts, *shown]))

    def _rich(self, output: dict, options: dict) -> str | None:
        data = output["data"]
        if "text/markdown" in data:
            return _with_numbers(_text(data["text/markdown"]).strip(), output)
        kind = next((mime for mime in IMAGES if mime in data), None)
        if kind is None:
            return None
        self.pictures += 1
        stem = re.sub(r"\W+", "-", self.name.removesuffix(".ipynb"))
        file = self.media / f"{stem}-{self.pictures}.{IMAGES[kind]}"
        content = _text(data[kind])
        is_svg = kind == "image/svg+xml"
        file.write_bytes(content.encode() if is_svg else base64.b64decode(content))
        alt = _words(options, "fig-alt").replace("\\", "").replace('"', '\\"')
        alt = " ".join(alt.split())
        width = picture_width(file)
        size = f"width={width:.3f}in " if width else ""
        return f'![](<{self.media.name}/{file.name}>){{{size}fig-alt="{alt}"}}'


def _with_numbers(table: str, output: dict) -> str:
    """The table, with a mark for the file of its numbers where the output names one."""
    name = output.get("metadata", {}).get("wslib", {}).get("table")
    if not name:
        return table
    beside = table.endswith("]{.small}")
    return f"{table}{' ' if beside else 2 * chr(10)}<!-- table {name} -->"


def _words(options: dict, name: str) -> str:
    """The text of an option; "" where it is not set or set to nothing."""
    value = options.get(name)
    return "" if value is None else str(value)


def as_seen(markdown: str) -> str:
    """The same Markdown for pandoc, to which `---` above a text opens metadata, and
    `(@fig-x)` at the beginning of a line is an example of a numbered list."""
    lines, fence = [], ""
    for line in markdown.split("\n"):
        mark = FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif line.rstrip() == "---":
            line = "-" * 4
        else:
            line = EXAMPLE.sub(r"\1\\(@", line)
        lines.append(line)
    return "\n".join(lines)


def picture_width(file: Path) -> float | None:
    """The natural width of a PNG (at 120 dpi) or an SVG, in inches; None if unknown."""
    data = file.read_bytes()
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return struct.unpack(">I", data[16:20])[0] / PICTURE_DPI
    head = re.search(rb"<svg\b[^>]*>", data)
    width = head and re.search(rb'\swidth="([\d.]+)([a-z]*)"', head[0])
    if not width or width[2].decode() not in SVG_UNITS:
        return None
    return float(width[1]) / SVG_UNITS[width[2].decode()]


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def _stream(output: dict, asis: bool) -> str:
    text = _text(output["text"])
    if asis and output["name"] == "stdout":
        return text.strip()
    return _fence(text, f".output .{output['name']}")


def on_screen(text: str) -> str:
    """What a terminal shows of a text: without colours, links and what is overwritten
    in the same line."""
    plain = UNSEEN.sub("", ESCAPE.sub("", CLEARED.sub("", text)))
    return "\n".join(map(_overwritten, plain.split("\n")))


def _overwritten(line: str) -> str:
    shown, place = [], 0
    for character in line:
        if character in "\r\b":
            place = 0 if character == "\r" else max(0, place - 1)
        else:
            shown[place : place + 1] = [character]
            place += 1
    return "".join(shown)


def _fence(text: str, attributes: str) -> str:
    """A code block around `text`, its fence longer than any in the text."""
    text = on_screen(text).strip("\n")
    if not text:
        return ""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks} {{{attributes}}}\n{text}\n{ticks}"
