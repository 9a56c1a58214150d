"""Quarto's web book as it has to be to open from disk: a small one, written by hand."""

from __future__ import annotations

import json

import pytest

from wslib.workbook.report.retouch import retouch

TABS = "export function init() { return 7; }\nexport const name = 'tabs';\n"
MAIN = """import * as tabs from "./tabs/tabs.js";

document.title = tabs.name + tabs.init();
"""
PAGE = """<html><head><title>A</title>
<script src="libs/main.js" type="module"></script>
<script src="libs/tabs/tabs.js" type="module"></script>
</head><body>
<a href="b.html" class="quarto-xref"><span>2&nbsp; Dogs &amp; labels</span></a>
<a href="c.html" class="quarto-xref"><span>Appendix A — How it was</span></a>
<a href="./">home</a>
<a href="d.html" class="quarto-xref"><span>Section 1.2</span></a>
</body></html>
"""


@pytest.fixture
def book(tmp_path):
    for name, text in {
        "libs/main.js": MAIN,
        "libs/tabs/tabs.js": TABS,
        "a.html": PAGE,
        "deep/b.html": PAGE.replace("libs/", "../libs/"),
        "search.json": json.dumps([{"title": "Grüße"}]),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    retouch(tmp_path)
    return tmp_path


def test_chapters_are_called_by_their_numbers(book):
    text = (book / "a.html").read_text("utf-8")
    assert "<span>Chapter&nbsp;2</span>" in text
    assert "<span>Appendix&nbsp;A</span>" in text
    assert "<span>Section 1.2</span>" in text
    assert '<a href="./index.html">home</a>' in text


@pytest.mark.parametrize("page, up", [("a.html", ""), ("deep/b.html", "../")])
def test_modules_are_plain_scripts(book, page, up):
    text = (book / page).read_text("utf-8")
    assert 'type="module"' not in text and "tabs/tabs.js" not in text
    assert f'<script src="{up}libs/main.js" defer></script>' in text
    script = (book / "libs/main.js").read_text("utf-8")
    assert "import" not in script and "export" not in script


def test_pages_wait_for_no_script_but_that_of_the_figures(tmp_path):
    scripts = ["site_libs/a.js", "site_libs/glightbox/b.js", "own.js"]
    tags = [f'<script src="{name}"></script>' for name in scripts]
    (tmp_path / "a.html").write_text("".join(tags), encoding="utf-8")
    retouch(tmp_path)
    tags[0] = '<script src="site_libs/a.js" defer></script>'
    assert (tmp_path / "a.html").read_text("utf-8") == "".join(tags)


def test_scripts_and_search_work_from_disk(book, chromium):
    said = []
    page = chromium.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((book / "a.html").as_uri())
    assert page.title() == "tabs7"
    found = page.evaluate("fetch('search.json').then((answer) => answer.json())")
    page.close()
    assert found == [{"title": "Grüße"}] and said == []


def test_what_is_not_known_stays(tmp_path):
    other = '<html><head><script src="x.js" type="module" async></script></head></html>'
    (tmp_path / "a.html").write_text(other, encoding="utf-8")
    retouch(tmp_path)
    assert 'src="x.js" type="module" async' in (tmp_path / "a.html").read_text("utf-8")
