"""Tables: what a reader sees, and what stays on disk."""

import json

import numpy as np
import pandas as pd
import pytest

from wslib.show.tables import Table, number_table, percent_table, points


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path))
    return tmp_path


def cells(table: Table) -> list[list[str]]:
    """The cells of the pipe table: head, rule, rows."""
    lines = table._repr_markdown_().split("\n\n")[0].strip().split("\n")
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_a_whole_table():
    frame = pd.DataFrame(
        {"AP": [34.04, 5.26], "images": [3, 1200]}, index=["Grad-CAM", "centre box"]
    )
    table = Table(frame, "t", {"AP": ".1f"}, best={"AP": "max"}, units={"AP": "%"})
    assert table._repr_markdown_() == (
        "|  | AP (%) | images |\n"
        "| :---------- | ------: | ------: |\n"
        "| Grad-CAM | **34.0** | 3 |\n"
        "| centre box | 5.3 | 1200 |\n"
    )
    assert (
        str(table)
        == repr(table)
        == (
            "            AP (%)  images\n"
            "Grad-CAM      34.0       3\n"
            "centre box     5.3    1200"
        )
    )
    assert not hasattr(table, "_repr_html_")


def test_decimals_are_those_of_the_column():
    frame = pd.DataFrame({"a": [1.0, 22.25, 333.125], "b": [0.5, 1, 2], "n": [1, 2, 3]})
    rows = cells(Table(frame, "t", ".1f"))[2:]
    assert [row[0] for row in rows] == ["1.0", "22.2", "333.1"]
    rows = cells(Table(frame, "t", {"a": ".3f", "n": ",d"}))[2:]
    assert [row[0] for row in rows] == ["1.000", "22.250", "333.125"]
    assert [row[1] for row in rows] == ["0.50", "1.00", "2.00"]
    assert cells(Table(frame, "t", {"b": "d"}))[3][1] == "1"
    assert cells(Table(frame / 10, "t", {"b": ".0%"}))[2][1] == "5%"


def test_a_bound_in_the_head_has_its_sign():
    table = Table(pd.DataFrame({"IoU >= 0.65": [1.0]}), "t", units={"IoU >= 0.65": "%"})
    assert cells(table)[0] == ["IoU ≥ 0.65 (%)"]


def test_minus_is_a_minus_and_zero_has_none():
    frame = pd.DataFrame({"x": [-1.26, -0.01]})
    assert [row[0] for row in cells(Table(frame, "t", ".1f"))[2:]] == ["−1.3", "0.0"]


def test_missing_values():
    frame = pd.DataFrame(
        {"x": [1.5, np.nan], "s": ["a", None], "k": pd.array([pd.NA, 4], "Int64")}
    )
    assert cells(Table(frame, "t"))[2:] == [["1.50", "a", "–"], ["–", "–", "4"]]
    nothing = pd.DataFrame({"x": [np.nan, np.nan]})
    assert cells(Table(nothing, "t", best={"x": "max"}))[2:] == [["–"], ["–"]]


def test_best_marks_all_that_print_alike_and_the_smallest_if_asked():
    frame = pd.DataFrame({"x": [1.04, 1.01, 0.2], "y": [3.0, np.nan, 2.0]})
    rows = cells(Table(frame, "t", ".1f", best={"x": "max", "y": "min"}))[2:]
    assert [row[0] for row in rows] == ["**1.0**", "**1.0**", "0.2"]
    assert [row[1] for row in rows] == ["3.0", "–", "**2.0**"]


@pytest.mark.parametrize("given", ["names", "vectors"])
def test_intervals(given, build):
    frame = pd.DataFrame({"recall": [34.0, -2.0, np.nan]})
    low, high = [22.4, -9.6, 1.0], [47.8, 3.2, 2.0]
    if given == "names":
        frame["low"], frame["high"] = low, high
        pair = ("low", "high")
    else:
        pair = (low, np.array(high))
    table = Table(frame, "t", ".1f", best={"recall": "max"}, intervals={"recall": pair})
    assert cells(table)[0] == ["recall"]
    assert [row[0] for row in cells(table)[2:]] == [
        "**34.0** [[22.4–47.8]]{.small}",
        "−2.0 [[−9.6 to 3.2]]{.small}",
        "–",
    ]
    assert "34.0 [22.4–47.8]" in str(table)
    record = json.loads((build / "tables/t.json").read_text("utf-8"))
    assert record["rows"][0] == [34.0, 22.4, 47.8]


def test_special_characters_are_text_in_the_book():
    pypandoc = pytest.importorskip("pypandoc")
    text = r"a|b_c_ *d* [e](f) `g` <b> $x$ @key H~2~ {.h} & \n"
    frame = pd.DataFrame({"what | *that*": [text], "x": [1.0]})
    html = pypandoc.convert_text(
        Table(frame, "t")._repr_markdown_(), "html", format="markdown", extra_args=[]
    )
    shown = text.replace("&", "&amp;").replace("<b>", "&lt;b&gt;")
    assert shown in " ".join(html.split())
    assert "what | *that*</th>" in html


def test_line_breaks_do_not_break_a_row():
    assert cells(Table(pd.DataFrame({"x": ["a\nb  c"]}), "t"))[2] == ["a b c"]


def test_note_and_protocol_stand_below():
    frame = pd.DataFrame({0.3: [40.3]}, index=["ap"])
    frame.attrs["protocol"] = "course: IoU > threshold"
    table = Table(frame, "t", note="On *rendered* data.")
    below = table._repr_markdown_().split("\n\n")[1]
    assert below == (
        "[On *rendered* data. Protocol: course: IoU \\> threshold.]{.small}\n"
    )
    assert str(table).endswith(
        "On *rendered* data.\nProtocol: course: IoU > threshold."
    )
    assert cells(table)[0] == ["", "0.3"]


def test_a_caution_of_the_build_joins_the_note_of_what_is_saved(build, monkeypatch):
    monkeypatch.setenv("WSLIB_CAUTION", "A few pictures.")
    frame = pd.DataFrame({"x": [1]})
    assert Table(frame, "t", note="Data: some.").note == "Data: some. A few pictures."
    assert Table(frame, "t", note="Recorded.", save=False).note == "Recorded."
    assert Table(frame, "t").note is None


def test_seven_columns_fit_and_eight_do_not():
    seven = pd.DataFrame([range(7)], columns=list("abcdefg"))
    assert len(cells(Table(seven, "t"))[0]) == 7
    with pytest.raises(ValueError, match="table t: 8 columns, at most 7.*index counts"):
        Table(seven.set_axis(["row"]), "t")
    hidden = seven.assign(low=0, high=1)
    Table(hidden, "t", intervals={"a": ("low", "high")})


def test_files_have_full_precision_and_no_nan(build):
    frame = pd.DataFrame(
        {"x": [1 / 3, np.nan, np.inf], "n": [1, 2, 3], "yes": [True, False, True]},
        index=pd.Index(["a", "b", "c"], name="method"),
    )
    frame.attrs["protocol"] = "voc07"
    Table(frame, "ap-by_method.v1", ".1f", note="small")
    record = json.loads((build / "tables/ap-by_method.v1.json").read_text("utf-8"))
    assert record == {
        "name": "ap-by_method.v1",
        "columns": ["method", "x", "n", "yes"],
        "rows": [["a", 1 / 3, 1, True], ["b", None, 2, False], ["c", None, 3, True]],
        "protocol": "voc07",
        "note": "small",
    }
    back = pd.read_csv(build / "tables/ap-by_method.v1.csv", float_precision="high")
    assert back["x"][0] == 1 / 3 and list(back) == ["method", "x", "n", "yes"]
    assert sorted(p.name for p in (build / "tables").iterdir()) == [
        "ap-by_method.v1.csv",
        "ap-by_method.v1.json",
    ]


def test_nothing_is_written_without_save(build):
    Table(pd.DataFrame({"x": [1]}), "t", save=False)
    assert not list(build.iterdir())


def test_default_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("WSLIB_BUILD")
    monkeypatch.chdir(tmp_path)
    Table(pd.DataFrame({"x": [1]}), "t")
    assert (tmp_path / "build/interactive/tables/t.csv").read_text() == "x\n1\n"


def test_the_frame_is_left_alone():
    frame = pd.DataFrame({"x": [1.0]}, index=["a"])
    before = frame.copy()
    Table(frame, "t", intervals={"x": ([0.0], [2.0])})
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "../t"}, "table name '../t'"),
        ({"name": ""}, "table name ''"),
        ({"formats": {"y": ".1f"}}, "no column 'y'"),
        ({"formats": "{:.1f}"}, "cannot write 1.5 with the format '{:.1f}'"),
        ({"best": {"x": "most"}}, "best 'most', expected max or min"),
        ({"best": {"s": "max"}}, "column s: no best value"),
        ({"intervals": {"x": ([1.0], [2.0, 3.0])}}, "interval of 'x': expected two"),
        ({"intervals": {"x": ("lo", "hi")}}, "interval of 'x': expected two columns"),
        ({"intervals": {"z": ([1.0], [2.0])}}, "interval of 'z'"),
    ],
)
def test_errors(options, message):
    frame = pd.DataFrame({"x": [1.5], "s": ["a"]})
    with pytest.raises(ValueError, match=message) as error:
        Table(frame, **{"name": "t", **options})
    assert "\n" not in str(error.value)


def test_labels_that_do_not_fit_a_flat_table():
    twice = pd.DataFrame([[1, 2]], columns=["x", "x"])
    with pytest.raises(ValueError, match="column 'x' comes twice"):
        Table(twice, "t")
    both = pd.DataFrame({"x": [1]}, index=pd.Index(["a"], name="x"))
    with pytest.raises(ValueError, match="index and a column are both 'x'"):
        Table(both, "t")
    deep = pd.DataFrame({"x": [1]}, index=pd.MultiIndex.from_tuples([("a", "b")]))
    with pytest.raises(ValueError, match="MultiIndex"):
        Table(deep, "t")


def test_whole_numbers_have_no_decimals_unless_they_are_measures():
    frame = pd.DataFrame({"objects": [2.0, 3.0], "AP": [25.0, 50.0], "x": [0.5, 1.0]})
    frame["AP low"], frame["AP high"] = frame["AP"] - 1, frame["AP"] + 1
    lines = repr(number_table(frame, "a", 2, ["AP"])).splitlines()
    assert lines[0].split() == ["objects", "AP", "x"]
    assert lines[1].split() == ["2", "25.00", "[24.00–26.00]", "0.50"]
    lines = repr(number_table(frame[["objects", "AP"]], "a", 2)).splitlines()
    assert lines[1].split() == ["2", "25"]


def test_a_table_of_shares(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path))
    frame = pd.DataFrame({"": ["a", "b"], "IoU": [50.0, 75.04], "loss": [0.5, 0.25]})
    frame = frame.assign(**{"IoU low": [40.0, 70.0], "IoU high": [60.0, 80.0]})
    table = percent_table(
        frame, "t", "Data.", {"loss": ".2f"}, best=["IoU", "loss"], bare=()
    )
    text = table._repr_markdown_()
    assert "IoU (%)" in text and "| loss |" in text and "**75.0** [[70.0–80.0]]" in text
    assert "**0.25**" in text
    bare = percent_table(frame, "t", "Data.", {"loss": ".2f"}, bare=["IoU"])
    assert "[[" not in bare._repr_markdown_()


def test_a_difference_in_words():
    assert points((2.0, 1.0, 3.0)) == "+2.0 points [+1.0 to +3.0]"
    assert points((-0.01, -1.0, 0.0)).startswith("+0.0 points [−1.0 to +0.0]")
    assert points((-2.0, -5.0, 1.0)).endswith(
        "[−5.0 to +1.0], too little to tell from 0"
    )
