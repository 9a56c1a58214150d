"""`_quarto.yml` and its profiles: what is merged, what is missing, what is refused."""

from pathlib import Path

import pytest

from wslib.workbook.sources.book import Page, RenderError, load_book, read_book
from wslib.workbook.sources.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[2]


def write(root, **files):
    for name, text in files.items():
        (root / (name.replace("__", "-") + ".yml")).write_text(text)
    (root / "index.qmd").write_text("# Preface\n")


def test_profile_is_merged_over_the_book(tmp_path):
    write(
        tmp_path,
        _quarto="book: {title: A, author: B}\nformat: {html: {code-fold: true}}\n",
        _quarto__smoke="book: {title: C, chapters: [index.qmd]}\n"
        "project: {output-dir: out/smoke}\n",
    )
    book = read_book(tmp_path, "smoke")
    assert book.get("book.title") == "C" and book.get("book.author") == "B"
    assert book.code_fold == "true" and book.get("format.html.toc", 7) == 7
    assert book.output == tmp_path / "out/smoke"
    assert book.pages == [Page("index.qmd")]


def test_lists_are_joined_and_parts_are_opened(tmp_path):
    write(
        tmp_path,
        _quarto="book: {chapters: [index.qmd]}\n",
        _quarto__smoke="book:\n  chapters: [{part: P, chapters: [a.qmd]}]\n"
        "  appendices: [b.qmd]\n",
    )
    for name in ("a.qmd", "b.qmd"):
        (tmp_path / name).write_text("# T\n")
    pages = read_book(tmp_path, "smoke").pages
    assert [page.file for page in pages] == ["index.qmd", "a.qmd", "b.qmd"]
    assert [page.appendix for page in pages] == [False, False, True]


def test_all_missing_files_are_named(tmp_path):
    with pytest.raises(RenderError, match="_quarto.yml: .*\n_quarto-full.yml: "):
        read_book(tmp_path, "full")
    write(
        tmp_path,
        _quarto="bibliography: refs.bib\n",
        _quarto__smoke="book: {chapters: [index.qmd, build/01.ipynb, build/02.ipynb]}",
    )
    with pytest.raises(RenderError) as error:
        read_book(tmp_path, "smoke")
    names = [line.split(":")[0] for line in str(error.value).splitlines()]
    assert names == ["build/01.ipynb", "build/02.ipynb", "refs.bib"]


@pytest.mark.parametrize(
    "text, said",
    [
        ("book: [", "_quarto-smoke.yml: not YAML"),
        ("- a", "_quarto-smoke.yml: expected lines"),
        ("book: {}", "_quarto-smoke.yml: lists no chapters"),
    ],
)
def test_bad_profile_is_named(tmp_path, text, said):
    write(tmp_path, _quarto="book: {title: A}", _quarto__smoke=text)
    with pytest.raises(RenderError, match=said):
        read_book(tmp_path, "smoke")


def test_a_star_is_each_script_whether_it_has_run_or_not(tmp_path):
    write(
        tmp_path,
        _quarto="book: {title: A}\n",
        _quarto__smoke="book: {chapters: [index.qmd, build/*.ipynb, end.qmd]}\n",
    )
    (tmp_path / "chapters").mkdir()
    for name in ("02_b.py", "01_a.py", "notes.py"):
        (tmp_path / "chapters" / name).touch()
    pages = [page.file for page in load_book(tmp_path, "smoke").pages]
    assert pages == ["index.qmd", "build/01_a.ipynb", "build/02_b.ipynb", "end.qmd"]


def test_the_real_books_have_the_same_pages_in_each_profile():
    pages = {p: [page.file for page in load_book(ROOT, p).pages] for p in PROFILES}
    chapters = [f"{p.stem}.ipynb" for p in sorted(ROOT.glob("chapters/*.py"))]
    for profile, files in pages.items():
        folder = f"build/{profile}"
        inner = [f"{folder}/{name}" for name in ["results.qmd", *chapters]]
        made = [f"{folder}/{name}.qmd" for name in ("tried", "provenance")]
        assert files == ["index.qmd", *inner, "courses.qmd", "glossary.qmd", *made]
