"""Notebooks as Markdown: which outputs are shown, how, and what is refused."""

import base64
import struct
import zlib

import nbformat
import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from wslib.workbook.report.document import picture_width, read_document
from wslib.workbook.sources.options import split_options

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="144pt" height="72pt"></svg>'


def png(width=240, height=12):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x77" * width for _ in range(height)))
    pieces = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + pieces


def cell(source, *outputs, count=1):
    return new_code_cell(source, outputs=list(outputs), execution_count=count)


def shown(**data):
    names = {"markdown": "text/markdown", "text": "text/plain", "png": "image/png"}
    names |= {"svg": "image/svg+xml", "html": "text/html"}
    return new_output("display_data", {names[key]: data[key] for key in data})


def stream(text, name="stdout"):
    return new_output("stream", text=text, name=name)


@pytest.fixture
def read(tmp_path):
    def read(*cells, fold="true", **metadata):
        notebook = new_notebook(cells=list(cells), metadata=metadata)
        file = tmp_path / "01_one.ipynb"
        nbformat.write(notebook, file)
        return read_document(file, "build/01_one.ipynb", tmp_path, fold)

    return read


def test_options_are_yaml_over_several_lines():
    options, code = split_options(
        '#| label: fig-a\n#| fig-cap: "One\n#|   two."\n\nx = 1'
    )
    assert options == {"label": "fig-a", "fig-cap": "One two."}
    assert code == "x = 1"


def test_prose_code_and_date(read):
    document = read(
        new_markdown_cell("# T"), cell("x = 1"), wslib={"date": "2026-01-02"}
    )
    assert document.markdown.startswith("# T\n\n```")
    assert '.python .cell-code code-fold="true"}\nx = 1\n```' in document.markdown
    assert document.date == "2026-01-02" and document.problems == []


def test_richest_output_wins(read, tmp_path):
    picture = base64.b64encode(png()).decode()
    text = read(cell("a", shown(markdown="**M**", svg=SVG, text="T"))).markdown
    assert "**M**" in text and "T\n" not in text and "svg" not in text
    text = read(cell("a", shown(svg=SVG, png=picture, text="T"))).markdown
    assert "build-01_one-1.svg>){width=2.000in" in text
    text = read(cell("a", shown(png=picture, html="<b>", text="T"))).markdown
    assert "build-01_one-1.png>){width=2.000in" in text
    assert (tmp_path / "build-01_one-1.png").read_bytes() == png()


def test_label_makes_a_float_with_its_caption_last(read):
    options = '#| label: tbl-a\n#| tbl-cap: "The *cap*."\n'
    table = shown(markdown="| a |\n|--:|\n| 1 |")
    text = read(cell(options + "f()", stream("note\n"), table)).markdown
    assert text.index("note") < text.index("::: {#tbl-a}") < text.index("| a |")
    assert "| 1 |\n\nThe *cap*.\n\n:::" in text and "#|" not in text


def test_alt_text_keeps_its_quotes(read):
    options = '#| label: fig-a\n#| fig-cap: C\n#| fig-alt: A "b" c\n'
    assert r'fig-alt="A \"b\" c"' in read(cell(options, shown(svg=SVG))).markdown


@pytest.mark.parametrize(
    "option, code, result",
    [
        ("echo: false", False, True),
        ("output: false", True, False),
        ("include: false", False, False),
        ("echo: true", True, True),
    ],
)
def test_what_is_hidden(read, option, code, result):
    text = read(cell(f"#| {option}\nvisible", stream("printed\n"))).markdown
    assert ("visible" in text, "printed" in text) == (code, result)


def test_asis_output_is_markdown_and_other_text_is_quiet(read):
    text = read(cell("#| output: asis\np()", stream("**b** $x$\n"))).markdown
    assert text.rstrip().endswith("```\n\n**b** $x$")
    text = read(cell("p()", stream("\x1b[31mred\x1b[0m\n"), stream("w", "stderr")))
    assert "``` {.output .stdout}\nred\n```" in text.markdown
    assert "{.output .stderr}\nw\n" in text.markdown


@pytest.mark.parametrize(
    "printed, shown",
    [
        ("10%\r50%\r100%\nx", "100%\nx"),
        ("abcdef\rxyz", "xyzdef"),
        ("abc\b\bX", "aXc"),
        ("old line\r\x1b[Knew", "new"),
        ("gone\x1b[2K\rhere", "here"),
        ("\x1b]8;;http://a.b\x07a link\x1b]8;;\x1b\\", "a link"),
        ("\x1b[1;31mred\x1b[0m\x1b[?25l", "red"),
        ("windows\r\nlines\r\n", "windows\nlines"),
        ("a\0\x07\x0cb", "ab"),
    ],
)
def test_output_is_what_a_terminal_would_show(read, printed, shown):
    text = read(cell("p()", stream(printed))).markdown
    assert f"``` {{.output .stdout}}\n{shown}\n```" in text


def test_fences_are_longer_than_those_inside(read):
    text = read(cell("s = '````'", stream("```\n"))).markdown
    assert "````` {.python" in text and "```` {.output" in text


def test_code_fold_of_a_cell_beats_the_book(read):
    text = read(cell("#| code-fold: false\na"), cell("b"), fold="show").markdown
    assert 'fold="false"}\na' in text and 'fold="show"}\nb' in text


def test_errors_unexecuted_cells_and_bad_options_are_named(read):
    error = new_output("error", ename="ValueError", evalue="no\nmore", traceback=[])
    document = read(cell("a", error), cell("b", count=None), cell("#| label: [\nc"))
    never, raised, options = document.problems
    assert never == "build/01_one.ipynb: has cells that were never executed"
    assert raised == "build/01_one.ipynb: cell 1 raised ValueError: no"
    assert options.startswith("build/01_one.ipynb: options of cell 3: ")
    assert "\n" not in "".join(document.problems)


def test_empty_cells_need_no_execution(read):
    assert read(cell("", count=None)).problems == []


@pytest.mark.parametrize("content", [b"{}", b"[1]", b"\xff\0", b'{"cells": 3}', b""])
def test_what_is_no_notebook_is_named(tmp_path, content):
    (tmp_path / "a.ipynb").write_bytes(content)
    document = read_document(tmp_path / "a.ipynb", "a.ipynb", tmp_path, "true")
    assert document.problems == ["a.ipynb: not a notebook of nbformat 4"]


def test_a_page_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "a.qmd").write_bytes(b"# Gr\xfcn")
    document = read_document(tmp_path / "a.qmd", "a.qmd", tmp_path, "true")
    assert document.problems == [
        f"{tmp_path}/a.qmd: not in UTF-8 (byte 5); save it as UTF-8"
    ]


def test_the_head_of_a_page_stays_and_code_too(tmp_path):
    text = "---\ntitle: A\n---\n\nx\n\n---\ny\n\n```\n---\n(@a)\n```\n\n(@b)\n"
    (tmp_path / "a.qmd").write_text(text)
    document = read_document(tmp_path / "a.qmd", "a.qmd", tmp_path, "true")
    expected = text.replace("---\ny", "----\ny").replace("(@b", "\\(@b")
    assert document.markdown == expected


@pytest.mark.parametrize(
    "content, inches",
    [
        (png(756), 6.3),
        (b'<?xml?><svg width="453.6pt" height="1pt">', 6.3),
        (b'<svg height="4" width="96px">', 1),
        (b'<svg viewBox="0 0 1 1">', None),
        (b"\xff\xd8 a JPEG", None),
    ],
)
def test_natural_width(tmp_path, content, inches):
    (tmp_path / "p").write_bytes(content)
    assert picture_width(tmp_path / "p") == pytest.approx(inches)


def test_html_is_refused(read):
    frame = new_output("execute_result", {"text/html": "<b>1</b>", "text/plain": "1"})
    document = read(new_code_cell("frame", outputs=[frame], execution_count=1))
    assert document.problems == [
        "build/01_one.ipynb: cell 1 shows HTML, which a PDF can't: give the frame to "
        "wslib's Table, or Markdown to IPython.display.Markdown"
    ]
