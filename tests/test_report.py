"""The whole book at `smoke`, made by `make report` in a copy of the project."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import time
from pathlib import Path

import pikepdf
import pytest

CHAPTERS = ["sec-gradcam", "sec-dogs", "sec-weak", "sec-prompting", "sec-caltech"]


@pytest.fixture(scope="module")
def html(book_page) -> str:
    return book_page.read_text(encoding="utf-8")


def test_both_files_are_there_and_a_second_make_does_nothing(book, make_report):
    assert (book / "report/_output/smoke/workbook.pdf").read_bytes()[:5] == b"%PDF-"
    began = time.monotonic()
    again = make_report(book)
    assert time.monotonic() - began < 1
    assert again.returncode == 0 and "executed" not in again.stdout


def test_book_fits_its_budget(book, html):
    pdf = book / "report/_output/smoke/workbook.pdf"
    pictures = re.findall(r'<img\b[^>]*\bsrc="(data:[^"]+)"', html)
    assert len(pictures) > 30 and len(set(pictures)) == len(pictures)
    assert sum(map(len, pictures)) < 80_000 * len(pictures)
    assert len(html.encode()) < 4e6 and pdf.stat().st_size < 5e6
    with pikepdf.open(pdf) as document:
        assert len(document.pages) <= 85


def test_changed_sentence_is_in_the_book_and_runs_nothing(book, make_report):
    chapter = book / "chapters/02_voc_dog_detection.py"
    text = chapter.read_text(encoding="utf-8")
    chapter.write_text(text.replace("Nobody has drawn a box.", "Nobody drew a box."))
    done = make_report(book)
    assert done.returncode == 0 and "executed in" not in done.stdout
    assert "02_voc_dog_detection: same code, new prose" in done.stdout
    assert "01_gradcam_theory" not in done.stdout
    page = (book / "report/_output/smoke/index.html").read_text(encoding="utf-8")
    assert "Nobody drew a box." in page


def test_make_would_run_chapter_2_and_not_1_after_a_change_of_the_recipe(book):
    rules = {n: (book / f"build/smoke/{n}.d").read_text() for n in names(book)}
    assert "wslib/boxes/recipe.py" in rules["02_voc_dog_detection"]
    assert "wslib/boxes/recipe.py" not in rules["01_gradcam_theory"]
    of_maps = [rule for name, rule in rules.items() if "caltech" not in name]
    assert len(of_maps) >= 4 and all(" wslib/cam/engine.py" in rule for rule in of_maps)
    assert " wslib/models/two_heads.py" in rules["05_caltech_detector"]
    assert " wslib/models/two_heads.py" not in rules["02_voc_dog_detection"]
    assert " wslib/data/rendered/drawn/scenes.py" in rules["02_voc_dog_detection"]


def names(book: Path) -> list[str]:
    return [path.stem for path in sorted((book / "chapters").glob("*.py"))]


def test_every_table_left_its_numbers(book):
    tables = {path.stem for path in (book / "build/smoke/tables").glob("*.json")}
    assert {"voc-detection", "voc-classes", "gradcam_identities"} <= tables


def test_html_stands_alone(html):
    links = re.findall(r'(?:src|href)="([^"#][^"]*)"', html)
    loaded = re.findall(r'<(?:img|script|iframe)[^>]+src="(?!data:)([^"]+)"', html)
    assert not loaded and not re.search(r'<link[^>]+rel="stylesheet"', html)
    assert not [link for link in links if link.startswith("build/")]


def test_html_links_lead_somewhere_and_nothing_is_unresolved(html):
    ids = set(re.findall(r'\bid="([^"]+)"', html))
    targets = set(re.findall(r'href="#([^"]+)"', html))
    assert len(targets) > 30 and targets <= ids, targets - ids
    assert "?@" not in html and "Unable to resolve" not in html
    for label in ("fig-pictures", "tbl-detection", "eq-map", "sec-provenance"):
        assert label in ids


def test_every_picture_has_words(html):
    pictures = re.findall(r"<img\b[^>]*>", html)
    assert len(pictures) > 10
    alts = [(re.findall(r'\balt="([^"]+)"', p) or [""])[0] for p in pictures]
    assert not [alt for alt in alts if len(alt) < 10 or len(alt.split()) < 3]


def test_the_book_opens_with_its_picture_and_the_times_of_this_run(html):
    floats = re.findall(r'<figure id="([\w-]+)"', html)
    assert floats[0] == "fig-cover" and floats.count("fig-cover") == 1
    times = html.partition("<table")[2].partition("</table>")[0]
    rows = re.findall(r"(\d+) min</td>\s*<td[^>]*>(?:\d+ min )?\d+ s</td>", times)
    assert len(rows) == 5 and all(int(minutes) > 5 for minutes in rows)
    assert "Version 0." in html and "<!-- " not in html.partition("<main")[2]


def test_first_uses_lead_to_the_glossary(html):
    places = {label: html.index(f'id="{label}"') for label in CHAPTERS}
    ends = [*places.values(), html.index('id="sec-courses"')]
    for begin, end in itertools.pairwise(ends):
        links = re.findall(r'<a href="#(term-[\w-]+)" class="term"', html[begin:end])
        assert len(links) >= 3 and len(links) == len(set(links))
    assert "term-" not in html[: ends[0]]


def test_pdf_says_what_the_html_says(book):
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is not installed (package poppler-utils)")
    pdf = book / "report/_output/smoke/workbook.pdf"
    text = subprocess.run(
        ["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True
    ).stdout
    for words in ("Contents", "Figure 2.1", "Table 2.3", "How this book was made"):
        assert words in text, words
    assert "rendered pictures" in text and "??" not in text


@pytest.mark.parametrize("width", [1400, 800, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_without_network(chromium, book_page, width, scheme):
    said, asked = [], []
    page = chromium.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(book_page.as_uri())
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    page.close()
    assert said == []
    assert not [u for u in asked if not u.startswith(("file:", "data:", "blob:"))]
    assert overflow <= 0
