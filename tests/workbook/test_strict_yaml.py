"""YAML says what a reader means: decimal numbers, each name once, nothing infinite."""

import re
from pathlib import Path

import pytest

from wslib.workbook.sources.strict_yaml import (
    NotYaml,
    in_one_line,
    parse_yaml,
    read_mapping,
    to_yaml,
)

ROOT = Path(__file__).resolve().parents[2]
VALUES = {
    "10": 10, "-3": -3, "+4": 4, "0": 0, "0.5": 0.5, "1e-4": 1e-4, "5.": 5.0, "": None,
    "null": None, "~": None, "true": True, "False": False, "[a, 1]": ["a", 1],
    "010": "010", "0x1f": "0x1f", "0o17": "0o17", "1_000": "1_000", "1:30": "1:30",
    "1:30.5": "1:30.5", "No": "No", "on": "on", ".inf": ".inf", "-.INF": "-.INF",
    ".nan": ".nan", "2026-01-02": "2026-01-02", "<<": "<<", "\ufeff7": 7,
}  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_scalars(text):
    value = parse_yaml(text)
    assert value == VALUES[text] and type(value) is type(VALUES[text])


@pytest.mark.parametrize(
    "text, said",
    [
        ("a: 1\nb: 2\na: 3", "line 3: a is given twice"),
        ("x: {a: 1, a: 1}", "line 1: a is given twice"),
        ("a: 1e999", "line 1: 1e999 is no finite number"),
        ("a: !!float .inf", "line 1: .inf is no finite number"),
        ("9" * 5000, "digits"),
        ("[" * 5000, "nested too deeply"),
        ("a: [1\nb: 2", "line 2: "),
        ("? [1]\n: 2", "line 1: "),
        ("!!python/object:os.system 1", "line 1: could not determine a constructor"),
        ("a\0b", "unacceptable character"),
    ],
)
def test_what_nobody_means_is_refused_in_one_line(text, said):
    with pytest.raises(NotYaml) as error:
        parse_yaml(text)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"a: 1\na: 2", "a.yml: not YAML: line 2: a is given twice"),
        (b"- a", "a.yml: expected lines of the form `name: value`"),
        (b"a: gr\xfcn", "a.yml: not in UTF-8 (byte 6)"),
    ],
)
def test_files_are_named(tmp_path, content, said):
    (tmp_path / "a.yml").write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(said)):
        read_mapping(tmp_path / "a.yml")


def test_an_empty_file_says_nothing(tmp_path):
    (tmp_path / "a.yml").write_bytes(b"\xef\xbb\xbf# none\n")
    assert read_mapping(tmp_path / "a.yml") == {}


@pytest.mark.parametrize(
    "value",
    ["1e-4", "010", "No", "null", ".inf", "1:30", "a, b", "", 1e-5, 1e300, None, True,
     ["x", "1e3", 2], {"a": ["ä", 1.5]}],
)  # fmt: skip
def test_what_is_written_is_read_again(value):
    for text in (in_one_line(value), to_yaml(value)):
        assert parse_yaml(text) == value
    assert "\n" not in in_one_line(value)


def test_nothing_else_reads_yaml():
    """`wslib sam card` only writes it."""
    users = [
        p for p in (ROOT / "wslib").rglob("*.py") if "import yaml" in p.read_text()
    ]
    assert {path.stem for path in users} == {"strict_yaml", "sam"}
