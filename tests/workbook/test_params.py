import pytest

from wslib.workbook.sources.params import (
    ParameterError,
    check,
    declared_knobs,
    parse_overrides,
    read_profile,
    read_yaml,
)
from wslib.workbook.sources.strict_yaml import NotYaml

CELL = """
from typing import Literal
seed: int = 0  # of everything
rate: float = 1e-3
names: list[str] = ["dog"]
mode: Literal["max", "average"] = "max"
limit: int | None = None
"""
KNOBS = declared_knobs(CELL, "here")


def test_knobs_in_order_of_declaration():
    assert list(KNOBS) == ["seed", "rate", "names", "mode", "limit"]
    assert KNOBS["rate"].default == 1e-3 and KNOBS["names"].annotation == "list[str]"


def test_good_values_pass_and_int_becomes_float():
    values = check({"rate": 1, "names": [], "limit": None}, KNOBS, "x.yml")
    assert values == {"rate": 1.0, "names": [], "limit": None}
    assert isinstance(values["rate"], float)


@pytest.mark.parametrize(
    "values, words",
    [
        ({"sed": 1}, "x.yml: no parameter 'sed'; did you mean 'seed'?"),
        ({"zzz": 1}, "(allowed: seed, rate, names, mode, limit)"),
        ({"seed": "1"}, "x.yml: seed must be int, not '1'"),
        ({"seed": True}, "seed must be int, not True"),
        ({"seed": 1.5}, "seed must be int"),
        ({"rate": ".inf"}, "rate must be float, not '.inf'"),
        ({"rate": float("inf")}, "rate must be float, not inf"),
        ({"seed": "010"}, "seed must be int, not '010'"),
        ({"names": ["dog", 3]}, "names must be list[str]"),
        ({"mode": "mean"}, "mode must be one of max, average, not 'mean'"),
    ],
)
def test_bad_values_are_one_line_that_names_them(values, words):
    with pytest.raises(ParameterError) as error:
        check(values, KNOBS, "x.yml")
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "cell", ["seed = 0", "import os", "seed: int = f()", "seed: Sequence = 1"]
)
def test_a_cell_of_another_form_is_refused(cell):
    with pytest.raises(ParameterError, match="here"):
        declared_knobs(cell, "here")


def test_default_of_the_wrong_type_is_refused():
    with pytest.raises(ParameterError, match="seed must be int, not 'a'"):
        declared_knobs("seed: int = 'a'", "here")


def test_yaml_file(tmp_path):
    file = tmp_path / "a.yml"
    file.write_text("seed: 3\nnames: [cat]\n")
    assert read_yaml(file) == {"seed": 3, "names": ["cat"]}
    file.write_text("")
    assert read_yaml(file) == {}
    file.write_text("- 1\n- 2\n")
    with pytest.raises(NotYaml, match="a.yml: expected lines"):
        read_yaml(file)
    file.write_text("a: [1\nb: 2")
    with pytest.raises(NotYaml, match="a.yml: not YAML: line 2"):
        read_yaml(file)
    with pytest.raises(FileNotFoundError, match="none.yml: no such parameter file"):
        read_yaml(tmp_path / "none.yml")
    assert read_profile(tmp_path / "none.yml") == {}


def test_overrides():
    text = "seed=1 names=[cat,dog] mode='a b' limit=null"
    assert parse_overrides(text) == {
        "seed": 1, "names": ["cat", "dog"], "mode": "a b", "limit": None,
    }  # fmt: skip
    assert parse_overrides("") == {}
    for bad in ("seed", "=3", "a-b=3", "a=[1", "a=1 a=1"):
        with pytest.raises(ParameterError, match="name=value|not YAML|given twice"):
            parse_overrides(bad)


def test_overrides_from_a_file_among_others(tmp_path, monkeypatch):
    """The later word counts, be it in a file or not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "course.yml").write_text("seed: 3\nrate: 0.01\nepochs: {max: 30}\n")
    read = parse_overrides("seed=1 course.yml rate=0.1")
    assert read == {"seed": 3, "rate": 0.1, "epochs": {"max": 30}}
    with pytest.raises(FileNotFoundError, match="none.yml: no such parameter file"):
        parse_overrides("none.yml")
    assert parse_overrides("file=course.yml") == {"file": "course.yml"}


def test_a_profile_may_set_nothing_but_has_to_be_there(tmp_path):
    for name in ("night", "day"):
        (tmp_path / "params" / name).mkdir(parents=True)
    assert read_profile(tmp_path / "params/day/01_one.yml") == {}
    with pytest.raises(ParameterError, match="nope: no such profile; there are day, n"):
        read_profile(tmp_path / "params/nope/01_one.yml")
