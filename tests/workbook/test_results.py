"""Results at a glance: hand-made tables, and the real specification."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import yaml

from wslib.show.recorded import Recorded, read_recorded, write_recorded
from wslib.workbook.report.headline import headlines, write_readme
from wslib.workbook.runs.results import headline, read_specification, write_page
from wslib.workbook.sources.book import RenderError

ROOT = Path(__file__).resolve().parents[2]
SPEC = {
    "sentence": "cats are found with {here}, where a box has {baseline}.",
    "on_photographs": "on photographs {recorded} against {recorded_baseline}.",
    "chapter": "sec-cats",
    "place": "tbl-cats",
    "table": "cats",
    "columns": {"AP": "AP, %", "hits": "hits"},
    "rows": {"centre": "centre box", "chain": "the chain"},
    "baseline": "centre",
    "headline": "chain",
    "published": [
        {"name": "theirs", "by": "a student", "data": "VOC", "AP": 40, "hits": 3},
        {"name": "the best", "by": "a paper", "data": "VOC", "AP": 55.5},
    ],
}
COLUMNS = ["detector", "AP", "AP low", "AP high", "hits"]
ROWS = [["centre", 1.25, 0, 2.4, 1], ["odd", 9, 8, 10, 9], ["chain", 62.5, 48, 76.2, 7]]


def project(root: Path, spec: dict | None = None, **changed) -> Path:
    (root / "report").mkdir(parents=True)
    entries = {"07_cats": {**(spec or SPEC), **changed}}
    (root / "report/results.yml").write_text(yaml.safe_dump(entries, sort_keys=False))
    tables = root / "build/smoke/tables"
    tables.mkdir(parents=True)
    record = {"name": "cats", "columns": COLUMNS, "rows": ROWS, "protocol": None}
    record["note"] = "In percent. Data: rendered pictures, test."
    (tables / "cats.json").write_text(json.dumps(record))
    return tables


def page_of(root: Path) -> str:
    page = root / "build/smoke/results.qmd"
    write_page(root, "smoke", ["01_other", "07_cats"], page)
    return page.read_text(encoding="utf-8")


def cells(page: str, start: str) -> list[str]:
    line = next(line for line in page.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_headline_is_the_row_that_counts(tmp_path):
    tables = project(tmp_path)
    assert headline(tmp_path, "07_cats", tables) == {"AP": 62.5, "hits": 7.0}


def test_headline_is_by_default_the_last_row_and_nan_where_it_has_no_number(tmp_path):
    spec = {key: value for key, value in SPEC.items() if key != "headline"}
    tables = project(tmp_path, spec, columns={"AP": "AP", "recall": "recall"})
    found = headline(tmp_path, "07_cats", tables)
    assert found["AP"] == 62.5 and math.isnan(found["recall"])


def test_headline_of_what_is_not_there_is_one_line(tmp_path):
    tables = project(tmp_path)
    with pytest.raises(RenderError, match="results.yml: has no entry 08_dogs"):
        headline(tmp_path, "08_dogs", tables)
    (tables / "cats.json").unlink()
    with pytest.raises(FileNotFoundError, match="cats.json: not there"):
        headline(tmp_path, "07_cats", tables)


def test_a_headline_row_that_the_table_lacks_is_named(tmp_path):
    tables = project(tmp_path, headline="train")
    with pytest.raises(RenderError, match="07_cats: no row 'train' in table cats"):
        headline(tmp_path, "07_cats", tables)
    with pytest.raises(RenderError, match="07_cats: no row 'train' in table cats"):
        page_of(tmp_path)


def keep(root: Path, rows=ROWS, name="07_photos") -> None:
    """A recorded run with a table of its own."""
    run = Recorded(
        chapter="07_cats", name="photos", command="make record CH=07", parameters={},
        data={"what": "photographs", "looks": "never"}, commit="abc1234",
        date="2026-11-28 10:00", seconds=3, device="CPU", machine="two cores",
        versions={"torch": "2"}, tables={"cats": {"columns": COLUMNS, "rows": rows}},
    )  # fmt: skip
    write_recorded(run, root)


PHOTOS = [["centre", 3, 2, 4, 1], ["chain", 44.25, 36.5, 54.9, 9]]


def test_row_that_counts_stands_above_the_one_to_be_beaten(tmp_path):
    project(tmp_path, recorded="07_photos")
    keep(tmp_path, PHOTOS)
    page = page_of(tmp_path)
    assert cells(page, "@sec-cats") == [
        "@sec-cats", "AP, %", "the chain", "62.5 [[48.0–76.2]]{.small}",
        "44.2 [[36.5–54.9]]{.small}", "55.5",
    ]  # fmt: skip
    beaten = next(line for line in page.splitlines() if "centre box" in line)
    assert "| 1.2 [[0.0–2.4]]{.small} | 3.0 [[2.0–4.0]]{.small} | – |" in beaten


def test_last_row_counts_whatever_it_is_called_there(tmp_path):
    spec = {key: value for key, value in SPEC.items() if key != "headline"}
    project(tmp_path, spec, recorded="07_photos")
    keep(tmp_path, [*PHOTOS, ["another", 50, 40, 60, 9]])
    page = page_of(tmp_path)
    assert cells(page, "@sec-cats")[2:5] == [
        "the chain", "62.5 [[48.0–76.2]]{.small}", "50.0 [[40.0–60.0]]{.small}",
    ]  # fmt: skip
    assert "on photographs 50.0 against 3.0." in page


def test_sentence_has_the_numbers_and_photographs_only_where_recorded(tmp_path):
    project(tmp_path, recorded="07_photos")
    keep(tmp_path, PHOTOS)
    said = "- @sec-cats: cats are found with 62.5, where a box has 1.2"
    assert f"{said}; on photographs 44.2 against 3.0.\n" in page_of(tmp_path)
    project(tmp_path / "other")
    assert f"{said}.\n" in page_of(tmp_path / "other")


def test_each_column_says_what_it_was_measured_on(tmp_path):
    project(tmp_path, recorded="07_photos")
    keep(tmp_path, PHOTOS)
    page = page_of(tmp_path)
    assert "**This run.** @sec-cats: rendered pictures, @tbl-cats." in page
    assert (
        "**Recorded.** @sec-cats: photographs; never looked at before; 2026-11-28"
        in page
    )
    assert "**Published.** @sec-cats: the best, a paper, VOC." in page


def test_a_recorded_run_that_is_not_there_is_named(tmp_path):
    project(tmp_path, recorded="07_elsewhere")
    keep(tmp_path)
    with pytest.raises(FileNotFoundError, match="recorded are 07_photos"):
        page_of(tmp_path)


def test_nothing_published_nothing_recorded_and_no_baseline_are_dashes(tmp_path):
    unwanted = {"published", "baseline"}
    spec = {key: value for key, value in SPEC.items() if key not in unwanted}
    project(tmp_path, spec, sentence="cats are found with {here}.")
    page = page_of(tmp_path)
    assert cells(page, "@sec-cats")[4:] == ["–", "–"]
    assert "centre box" not in page and "**Published.**" not in page


def test_readme_is_written_from_the_recorded_runs(tmp_path):
    project(tmp_path, recorded="07_photos")
    keep(tmp_path, PHOTOS)
    readme = tmp_path / "README.md"
    readme.write_text("A\n<!-- results -->\nold\n<!-- /results -->\nB\n")
    assert "1 results" in write_readme(tmp_path)
    text = readme.read_text("utf-8")
    assert text.startswith("A\n<!-- results -->\n| chapter |") and text.endswith(
        "\nB\n"
    )
    assert cells(text, "7: the chain") == [
        "7: the chain", "AP, %", "44.2 [36.5–54.9]", "3.0 [2.0–4.0]",
        "photographs; never looked at before; 2026-11-28",
    ]  # fmt: skip
    readme.write_text("A\n")
    with pytest.raises(RenderError, match="README.md: expected the lines"):
        write_readme(tmp_path)


def test_the_real_readme_says_what_the_recorded_runs_say():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"<!-- results -->\n{headlines(ROOT)}\n<!-- /results -->" in text


def test_without_a_known_chapter_no_page_is_written(tmp_path):
    project(tmp_path)
    page = tmp_path / "build/smoke/results.qmd"
    write_page(tmp_path, "smoke", ["01_other"], page)
    assert not page.exists()


def test_intervals_may_have_other_names_and_may_be_missing(tmp_path):
    tables = project(tmp_path, intervals={"AP": ["low", "high"]})
    record = json.loads((tables / "cats.json").read_text())
    record["columns"] = ["detector", "AP", "low", "high", "hits"]
    record["rows"][2][2:4] = [None, None]
    (tables / "cats.json").write_text(json.dumps(record))
    page = page_of(tmp_path)
    assert cells(page, "@sec-cats")[3] == "62.5"
    assert "| 1.2 [[0.0–2.4]]{.small} |" in page


def test_data_that_the_note_does_not_tell_must_be_said(tmp_path):
    tables = project(tmp_path)
    file = tables / "cats.json"
    file.write_text(file.read_text().replace("Data: rendered pictures", "Rendered"))
    with pytest.raises(RenderError, match="table cats has no `Data: ...`"):
        page_of(tmp_path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"headlin": "chain"}, "07_cats: headlin: extra inputs are not permitted"),
        (
            {"published": [{"name": "x", "by": "y"}]},
            "07_cats: published.0.data: field required",
        ),
        ({"columns": {}}, "07_cats: columns: dictionary should have at least 1 item"),
    ],
)
def test_a_wrong_entry_is_one_line(tmp_path, changed, words):
    project(tmp_path, **changed)
    with pytest.raises(RenderError, match=re.escape(words)):
        read_specification(tmp_path)


def test_a_missing_key_is_one_line(tmp_path):
    project(tmp_path, {k: v for k, v in SPEC.items() if k != "place"})
    with pytest.raises(RenderError, match="07_cats: place: field required"):
        read_specification(tmp_path)


def test_the_real_specification_knows_every_chapter_and_its_labels():
    specification = read_specification(ROOT)
    chapters = {path.stem: path for path in (ROOT / "chapters").glob("*.py")}
    assert specification.keys() == chapters.keys()
    for name, spec in specification.items():
        text = chapters[name].read_text(encoding="utf-8")
        assert f"{{#{spec.chapter}}}" in text
        assert f"#| label: {spec.place}\n" in text
        assert f'"{spec.table}"' in text
        assert spec.data or "Data: " in text, f"{name}: no data: here, none in a note"


@pytest.mark.parametrize(
    "what, limit, said",
    [
        ("photographs, val", 500, "photographs, val, its first 500"),
        ("photographs, val", None, "photographs, val"),
        ("val after its first 500", 5000, "val after its first 500"),
    ],
)
def test_a_recorded_run_on_the_first_images_says_so(what, limit, said):
    run = read_recorded("03_val", ROOT)
    data = run.data.model_copy(update={"what": what})
    parameters = {**run.parameters, "eval_limit": limit}
    run = run.model_copy(update={"data": data, "parameters": parameters})
    assert run.examined == said
    assert run.source().startswith(f"{said}; looked at several times: ")
