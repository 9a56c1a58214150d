"""`_quarto.yml` and its profiles: what is merged, what is missing, what is refused."""

from pathlib import Path

import pytest

from wslib.workbook.sources.book import Page, RenderError, read_book

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


def test_the_real_book_lists_the_same_chapters_in_each_profile():
    import yaml

    lists = [
        yaml.safe_load((ROOT / f"_quarto-{profile}.yml").read_text())["book"]
        for profile in ("smoke", "sample", "full")
    ]
    for profile, book in zip(("smoke", "sample", "full"), lists, strict=True):
        names = [Path(name).stem for name in book["chapters"][2:]]
        assert names == sorted(names) and book["appendices"]
        assert book["chapters"][:2] == ["index.qmd", f"build/{profile}/results.qmd"]
        made = ["tried.qmd", "provenance.qmd"]
        appendices = [
            "courses.qmd",
            "glossary.qmd",
            *(f"build/{profile}/{m}" for m in made),
        ]
        assert book["appendices"] == appendices
        assert names == [Path(name).stem for name in lists[0]["chapters"][2:]]
