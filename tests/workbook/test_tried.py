"""The appendix of what was tried: the real one, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from wslib.workbook.report.tried import write_page
from wslib.workbook.sources.book import RenderError

ROOT = Path(__file__).resolve().parents[2]


def test_each_chapter_has_a_table(tmp_path):
    page = tmp_path / "tried.qmd"
    write_page(ROOT, page)
    text = page.read_text("utf-8")
    assert text.startswith("# What was tried {#sec-tried}")
    assert "::: {#tbl-tried-dogs}" in text and "| input of 576 instead" in text
    assert "Tried for @sec-weak, and not kept." in text


def test_without_the_file_there_is_no_page(tmp_path):
    write_page(tmp_path, tmp_path / "tried.qmd")
    assert not (tmp_path / "tried.qmd").exists()


def test_another_form_is_named(tmp_path):
    (tmp_path / "report").mkdir()
    file = tmp_path / "report/tried.yml"
    file.write_text("02_a: {chapter: sec-a, measure: b, tried: {}}\n")
    with pytest.raises(RenderError, match="report/tried.yml: 02_a.tried: Dictionary"):
        write_page(tmp_path, tmp_path / "tried.qmd")
