"""Recorded runs: their form, and what they say of a conclusion."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from wslib.show.recorded import FOLDER, read_recorded, verdict, verdicts

ROOT = Path(__file__).resolve().parents[2]
HERE = pd.DataFrame({"AP": [40.0, 30.0]}, index=["chain", "WSDDN"])
REVERSED = pd.DataFrame({"AP": [20.0, 30.0]}, index=["chain", "WSDDN"])


def chain_wins(table):
    return table.loc["chain", "AP"] > table.loc["WSDDN", "AP"]


@pytest.mark.parametrize(
    "here, recorded, words",
    [
        (HERE, HERE * 2, "holds in this run and on photographs"),
        (HERE, REVERSED, "holds in this run, but not on photographs"),
        (REVERSED, HERE, "not in this run, but on photographs"),
        (REVERSED, REVERSED, "neither in this run nor on photographs"),
        (HERE, None, "holds in this run; not measured on photographs"),
        (REVERSED, None, "not in this run; not measured on photographs"),
        (
            HERE,
            HERE.drop(index="WSDDN"),
            "holds in this run; not measured on photographs",
        ),
        (HERE.drop(index="WSDDN"), HERE, "not measured in this run"),
    ],
)
def test_verdict_compares_the_two_tables(here, recorded, words):
    assert verdict(chain_wins, here, recorded) == f"*({words})*"


def test_verdicts_are_a_list():
    claims = {"The chain wins": chain_wins, "All": lambda _: True}
    text = verdicts(claims, HERE, REVERSED)
    assert text.splitlines() == [
        "- The chain wins. *(holds in this run, but not on photographs)*",
        "- All. *(holds in this run and on photographs)*",
    ]
    elsewhere = verdicts({"All": lambda _: True}, HERE, REVERSED, "over drawings")
    assert elsewhere == "- All. *(holds in this run and over drawings)*"


def test_every_recorded_run_of_the_project_has_the_form():
    names = sorted(file.stem for file in (ROOT / FOLDER).glob("*.json"))
    runs = {name: read_recorded(name, ROOT) for name in names}
    assert runs
    chapters = {path.stem for path in (ROOT / "chapters").glob("*.py")}
    for name, run in runs.items():
        assert name == f"{run.chapter[:2]}_{run.name}" and run.chapter in chapters
        assert run.tables and run.data.looks and re.fullmatch("[0-9a-f]{7}", run.commit)
        assert "rendered pictures" not in run.data.what


def test_what_is_wrong_is_named(tmp_path):
    file = tmp_path / "report/recorded/02_a.json"
    file.parent.mkdir(parents=True)
    with pytest.raises(
        FileNotFoundError, match="02_a.json: not there; recorded are none"
    ):
        read_recorded("02_a", tmp_path)
    real = json.loads((ROOT / "report/recorded/02_unseen.json").read_text("utf-8"))
    file.write_text(json.dumps(real | {"seconds": "long"}))
    with pytest.raises(ValueError, match="02_a.json: seconds: Input should be a valid"):
        read_recorded("02_a", tmp_path)
    file.write_text(json.dumps(real))
    with pytest.raises(KeyError, match="no table voc-none; it has voc-classes"):
        read_recorded("02_a", tmp_path).frame("voc-none")


def test_reading_is_noted_for_the_build(tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(notes))
    read_recorded("02_unseen", ROOT)
    assert notes.read_text().strip().endswith("report/recorded/02_unseen.json")
