"""Style sheets lose what a book does not use, and nothing that it uses."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pytest
from fontTools.ttLib import TTFont

from wslib.workbook.report.slim import keep_icons, slim, slimmed

WORDS = {"note", "bs-tooltip", "moon", "html", "callout"}


@pytest.mark.parametrize(
    "css, kept",
    [
        ("p{color:red}", "p{color:red}"),
        (".note{a:b}.other{c:d}", ".note{a:b}"),
        (".other,.note p{a:b}", ".note p{a:b}"),
        (".note .other{a:b}", ""),
        (".note:not(.other){a:b}", ".note:not(.other){a:b}"),
        (":is(.note,h1){a:b}", ":is(.note,h1){a:b}"),
        (".bs-tooltip-top{a:b}", ".bs-tooltip-top{a:b}"),
        (".bi-moon::before{a:b}.bi-sun::before{a:b}", ".bi-moon::before{a:b}"),
        ("@media print{.note{a:b}.other{c:d}}", "@media print{.note{a:b}}"),
        ("@media print{.other{c:d}}p{a:b}", "p{a:b}"),
        (":root{--quarto-scss-export-a: #fff;--b: 1}", ":root{--b: 1}"),
        ("@font-face{src:url(x.woff)}", "@font-face{src:url(x.woff)}"),
        ("@keyframes k{0%{a:b}to{c:d}}", "@keyframes k{0%{a:b}to{c:d}}"),
        ('@charset "UTF-8";/* .x{} */p{a:b}', '@charset "UTF-8";p{a:b}'),
    ],
)
def test_rules_of_classes_that_nobody_names_go(css, kept):
    assert slimmed(css, WORDS) == kept


def test_words_are_those_of_pages_and_scripts(tmp_path):
    sheet = tmp_path / "site_libs/bootstrap/bootstrap.min.css"
    sheet.parent.mkdir(parents=True)
    sheet.write_text(".a-page{a:b}.a-script{a:b}.nobody{a:b}")
    (tmp_path / "index.html").write_text('<p class="a-page">')
    (tmp_path / "site_libs/quarto.js").write_text('classList.add("a-script")')
    slim(tmp_path)
    assert sheet.read_text() == ".a-page{a:b}.a-script{a:b}"


def test_icons_that_no_style_sheet_names_leave_the_font(tmp_path):
    font = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    small = tmp_path / "site_libs/bootstrap/icons.woff"
    small.parent.mkdir(parents=True)
    small.write_bytes(font.read_bytes())
    sheet = small.with_name("icons.css")
    sheet.write_text('.bi-a::before{content:"\\f6c5"}p::before{content:"\uf400"}')
    (tmp_path / "index.html").write_text('<p class="bi-a">')
    slim(tmp_path)
    assert set(TTFont(small).getBestCmap()) == {0xF6C5, 0xF400}
    assert small.stat().st_size < font.stat().st_size / 50


def test_a_glyph_that_stays_is_drawn_as_before(tmp_path):
    font = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    small = tmp_path / "small.woff"
    small.write_bytes(font.read_bytes())
    keep_icons(small, {ord("a")})
    before, after = (TTFont(file)["glyf"]["a"] for file in (font, small))
    assert after.coordinates == before.coordinates
