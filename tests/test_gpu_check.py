"""`benchmarks/gpu.py`, which is for a GPU, tried on the CPU with a tiny chapter."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILE = ROOT / "benchmarks/gpu.py"
CHAPTER = """
# %% tags=["parameters"]
count: int = 9  # rows
device: str = "auto"  # of nothing

# %%
import pandas as pd
from IPython.display import Markdown

from wslib.runtime.project import build_folder
from wslib.show.tables import Table

# %%
assert device == "cpu"
n = list(range(1, count + 1))
here = str(build_folder())  # each run has another one
frame = {"n": n, "seconds": [float(len(here))] * count, "where": WHERE}
Table(pd.DataFrame(frame), "numbers")
"""


@pytest.fixture(scope="module")
def gpu():
    spec = spec_from_file_location("gpu_check", FILE)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check(folder: Path, where: str, *words: str) -> subprocess.CompletedProcess:
    """Run the check in a project of one chapter, with a column of `where`."""
    for name in ("benchmarks", "chapters", "params/smoke"):
        (folder / name).mkdir(parents=True)
    shutil.copy(FILE, folder / "benchmarks")
    text = CHAPTER.replace("WHERE", where)
    (folder / "chapters/01_one.py").write_text(text)
    (folder / "params/smoke/01_one.yml").write_text("count: 3\n")
    return subprocess.run(
        [sys.executable, folder / "benchmarks/gpu.py", "--device=cpu", *words],
        cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_tables_that_are_the_same_agree(tmp_path):
    done = check(tmp_path, "['a'] * count", "--only=01", "--out=found.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "found.json").read_text())
    assert report["compared"].startswith("the CPU with itself")
    step = report["steps"]["01_one"]
    assert step["agrees"] is True and step["differing"] == {}
    assert step["cpu"]["MiB"] > 50 and step["device"]["seconds"] >= 0
    assert "01_one: " in done.stdout and done.stdout.rstrip().endswith("found.json")


def test_another_table_is_named_and_the_status_says_so(tmp_path):
    done = check(tmp_path, "[here] * count", "--only=01")
    assert done.returncode != 0
    assert done.stderr.startswith("not the same as on the CPU: 01_one")
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert list(report["steps"]["01_one"]["differing"]) == ["numbers: where"]


def test_a_chapter_that_fails_is_named_with_its_error(tmp_path):
    done = check(tmp_path, "nowhere", "--only=01")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    last = "gpu.py: 01_one on cpu: NameError: name 'nowhere' is not defined"
    assert done.stderr.strip() == last


def test_what_the_time_is_over_for_is_skipped(tmp_path):
    done = check(tmp_path, "n", "--only=01", "--minutes=0.0001")
    assert done.returncode == 0 and "01_one: skipped, the time is over" in done.stdout


@pytest.mark.parametrize(
    ("one", "two", "far"),
    [([1.0, 10.0], [1.0, 9.0], 0.1), ([0, 0], [0, 0], 0.0), ([1, None], [1, None], 0.0),
     ([1], [1, 2], "1 and 2 rows"), (["a"], ["b"], "a and b"),
     ([1.0], [None], "1.0 and None"), ([], [], 0.0)],
)  # fmt: skip
def test_the_distance_of_two_columns(gpu, one, two, far):
    assert gpu.distance(one, two) == far


def test_columns_are_compared_by_name_with_a_tolerance(gpu):
    one = {"a": {"x": [1.0, 10.0], "y": [1.0]}, "b": {"z": [1]}}
    two = {"a": {"x": [1.0, 9.5], "y": [1.2]}}
    assert gpu.compare(one, one, 0.1) == {}
    found = gpu.compare(one, two, 0.1)
    assert found["a: y"] == pytest.approx(0.2 / 1.2)
    assert found["b: z"] == "1 and 0 rows" and "a: x" not in found


def test_the_network_of_each_pass_is_named_by_a_chapter_at_full(gpu):
    params = "".join(p.read_text() for p in (ROOT / "params/full").glob("*.yml"))
    chapters = "".join(p.read_text("utf-8") for p in (ROOT / "chapters").glob("*.py"))
    for name, batch, size in gpu.PASSES:
        assert name in params + chapters and batch * size > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--only=07"], "--only 07: expected one of passes, sam, 01"),
     (["--minutes=0"], "must be above 0"),
     (["--device=cuda"], "no CUDA here; --device cpu tries the check itself")],
)  # fmt: skip
def test_bad_wishes_are_one_line(words, said):
    import torch

    if words == ["--device=cuda"] and torch.cuda.is_available():
        pytest.skip("there is CUDA here")
    done = subprocess.run(
        [sys.executable, FILE, *words], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode != 0 and said in done.stderr.splitlines()[-1]


def test_columns_of_time_are_those_of_the_book(gpu, book):
    for table, column in gpu.TIMED.items():
        file = book / "build/smoke/tables" / f"{table}.json"
        assert column in json.loads(file.read_text("utf-8"))["columns"], table
