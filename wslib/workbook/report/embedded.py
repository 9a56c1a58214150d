"""The book without Quarto: pandoc and one Lua filter, then a template for each format.

Both engines come as Python wheels: `pypandoc_binary` and `typst`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from wslib.workbook.report.glyphs import more_fonts
from wslib.workbook.report.paper import lay_out, squeeze
from wslib.workbook.report.stage import Stage
from wslib.workbook.sources.book import RenderError

PROBLEM = "problem: "  # what the filter puts before each thing to mend
DRAWING = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)")
UNSAFE = re.compile(r"[%#<>\"]|[^ -~]")  # in an address between quotation marks
TEX = re.compile(r"Could not convert TeX math (.*?), rendering as TeX", re.DOTALL)


def make(staged: Stage, paper: Stage, folder: Path) -> None:
    """Write `index.html` to `folder`, and `workbook.pdf` from the pages of `paper`.

    Raises RenderError with a line for each problem of the book, all of them together.
    """
    write_metadata(staged)
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(make_html, staged, folder / "index.html"),
            pool.submit(_make_pdf, paper, folder / "workbook.pdf"),
        ]
    found = [line for document in staged.documents for line in document.problems]
    found += [line for job in jobs for line in _problems(job.exception())]
    if found:
        raise RenderError("\n".join(dict.fromkeys(found)))


def check(staged: Stage) -> None:
    """Raise RenderError with a line for each problem of the book, as `make` would:
    Quarto forgives some of them, and names no chapter for others."""
    write_metadata(staged)
    staged.raise_problems()
    checked = staged.folder / "checked.html"
    make_html(staged, checked, embed=False)
    checked.unlink()


def versions() -> str:
    """The engines with their versions, for the line that says what made the book."""
    import pypandoc
    import typst

    return f"pandoc {pypandoc.get_pandoc_version()}, typst {typst.__version__}"


def _source(staged: Stage) -> str:
    """One document in which each chapter is a code block, so that the filter parses it
    on its own: a fence left open in one chapter does not swallow the next."""
    text = "".join(document.markdown for document in staged.documents)
    ticks = "`" * (3 + max(map(len, re.findall("`+", text)), default=0))
    return "\n\n".join(
        f'{ticks} {{.chapter file="{page.file}" appendix="{page.appendix}" '
        f'folder="{Path(name).parent}" kept="{document.kept}"}}\n'
        f"{document.markdown}\n{ticks}"
        for page, name, document in zip(
            staged.pages, staged.names, staged.documents, strict=True
        )
    )


def metadata(staged: Stage) -> dict:
    """What the templates and the filter ask for."""
    book = staged.book
    return {
        **{key: _literal(book.get(f"book.{key}")) for key in ("title", "subtitle")},
        "author": _literal(book.authors),
        "run": staged.run,
        "lang": book.get("lang", "en"),
        "code-summary": book.get("format.html.code-summary", "Code"),
        "number-depth": str(book.get("number-depth", 3)),
        "link-citations": True,
        **book.get("elsewhere", {}),  # of a chapter alone
    }


def _literal(words: object) -> str:
    """The words for pandoc, which takes \\slashes for TeX that a web page drops."""
    text = "" if words is None else str(words)
    return text if "$" in text else re.sub(r"\\(?=\w)", r"\\\\", text)


def write_metadata(staged: Stage) -> None:
    text = json.dumps(metadata(staged))
    (staged.folder / "book.json").write_text(text, encoding="utf-8")


def make_html(staged: Stage, target: Path, *, embed: bool = True) -> None:
    """The web book; unless `embed`, it refers to its pictures where they are."""
    depth = staged.book.get("format.html.toc-depth", 2)
    run_pandoc(
        staged, target, "html5", "template.html",
        "--mathml", "--section-divs", "--toc", f"--toc-depth={depth}",
        *(["--embed-resources"] if embed else []),
    )  # fmt: skip
    if embed:
        page = DRAWING.sub(_as_text, target.read_text(encoding="utf-8"))
        target.write_text(page, encoding="utf-8")


def _as_text(drawing: re.Match) -> str:
    """A drawing in the page as text: its photographs, which are in base64 already, do
    not grow by a third once more."""
    text = " ".join(base64.b64decode(drawing[1]).decode("utf-8").split())
    text = text if "'" in text else text.replace('"', "'")
    escaped = UNSAFE.sub(lambda character: quote(character[0]), text)
    return f"data:image/svg+xml,{escaped}"


def _make_pdf(staged: Stage, target: Path) -> None:
    import typst

    staged = lay_out(staged, staged.folder.with_name("pdf"))
    text = staged.folder / "book.typ"
    run_pandoc(staged, text, "typst", "template.typ", "--syntax-highlighting=idiomatic")
    fonts = more_fonts(staged)
    try:
        typst.compile(
            str(text), str(target), ignore_system_fonts=True, font_paths=[str(fonts)]
        )
    except typst.TypstError as error:
        lines = text.read_text(encoding="utf-8").splitlines()
        place = re.search(r"book\.typ:(\d+):", error.diagnostic)
        here = f", near: {lines[int(place[1]) - 1][:200]}" if place else ""
        raise RenderError(f"typst: {error.message}{here}") from None
    squeeze(target)


def run_pandoc(
    staged: Stage, target: Path, to: str, template: str | None, *options: str
) -> None:
    """Run pandoc from the chapters of the book to the file `target`."""
    import pypandoc

    source = _source(staged)
    command = [
        pypandoc.get_pandoc_path(), "--from", "markdown", "--to", to, "--wrap=none",
        "--preserve-tabs", "--metadata-file", "book.json",
        "--lua-filter", "report/filter.lua",
        *(["--template", f"report/{template}"] if template else []),
        *(f"--bibliography={file.resolve()}" for file in staged.book.bibliography),
        *(["--citeproc"] if staged.book.bibliography else []),
        "--output", str(target.resolve()), *options,
    ]  # fmt: skip
    done = subprocess.run(
        command, input=source, text=True, encoding="utf-8", capture_output=True,
        cwd=staged.folder, env={**os.environ, "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    found = [
        line.removeprefix(PROBLEM)
        for line in done.stderr.splitlines()
        if line.startswith(PROBLEM)
    ]
    found += [_bad_formula(formula, source) for formula in TEX.findall(done.stderr)]
    if not found and done.returncode:
        found = [f"pandoc: {' '.join(done.stderr.split())}"]
    if found:
        raise RenderError("\n".join(found))


def _bad_formula(formula: str, source: str) -> str:
    """Name the chapter of a formula, which pandoc does not."""
    before = source.partition(formula)[0]
    file = (re.findall(r'^`+ {\.chapter file="(.*?)"', before, re.M) or ["?"])[-1]
    return f"{file}: not valid TeX: {' '.join(formula.split())}"


def _problems(error: BaseException | None) -> list[str]:
    if error is None:
        return []
    if not isinstance(error, RenderError):
        raise error
    return str(error).splitlines()
