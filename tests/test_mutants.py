"""The list of mutants fits the package: each line that is made wrong is there, once.
What becomes of them, `python tests/faults/mutants.py` tells."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "faults"))

import mutants  # noqa: E402

MODULES = mutants.read_mutants()
ROOMS = (
    *("runtime", "metrics", "data", "models", "training", "cam", "boxes", "weak"),
    *("prompting", "practical", "show", "workbook", "cli"),
)


def test_all_rooms_have_some():
    assert sum(len(what["mutants"]) for what in MODULES.values()) >= 60
    assert {module.partition("/")[0] for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", MODULES)
def test_each_mutant_changes_one_place_of_its_module(module):
    source = (ROOT / "wslib" / f"{module}.py").read_text(encoding="utf-8")
    for mutant in MODULES[module]["mutants"]:
        compile(mutants.mutate(source, mutant["was"], mutant["is"]), module, "exec")
    for name in MODULES[module]["tests"]:
        assert (ROOT / "tests" / f"{name}.py").is_file(), name


def test_rooms_are_chosen_by_name():
    ours = ["data/voc", "cam/methods", "cam/smoothing", "cam/engine"]
    assert list(mutants.chosen(["cam", "data/voc"])) == ours
    with pytest.raises(ValueError, match="no mutants in 'dat'; there are runtime/"):
        mutants.chosen(["dat"])


@pytest.mark.parametrize("source, times", [("a = 1", 0), ("b = b", 2)])
def test_a_line_that_is_gone_is_named(source, times):
    with pytest.raises(ValueError, match=f"'b' stands {times} times, expected once"):
        mutants.mutate(source, "b", "c")


def test_only_a_failing_test_notices(tmp_path):
    (tmp_path / "tests").mkdir()
    for name, word in (("good", "True"), ("bad", "False")):
        text = f"def test_it():\n    assert {word}\n"
        (tmp_path / f"tests/test_{name}.py").write_text(text)
    assert mutants.notices(tmp_path, ["test_bad"])
    assert not mutants.notices(tmp_path, ["test_good"])
