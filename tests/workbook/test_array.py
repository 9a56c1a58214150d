"""A sweep as one job array. `tests/cluster/sweep.py` tries a real Slurm; here small
programs stand in for sbatch, squeue, scancel, and for the Make of a task."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wslib import cli
from wslib.workbook.runs import array
from wslib.workbook.runs.array import submit
from wslib.workbook.runs.sweep import plan, read_sweep
from wslib.workbook.sources.params import parse_overrides

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = """
# %% tags=["parameters"]
width: int = 1  # of it
seed: int = 0  # of nothing
name: str = "a"  # of all
"""
PROGRAMS = {
    "sbatch": """
        echo "$*" > asked
        for word; do case $word in
          --array=0-*) last=${word#--array=0-}; last=${last%%%*};;
          --output=*) log=${word#--output=};;
          --refuse) echo "sbatch: error: no such partition" >&2; exit 1;;
        esac; task=$word; done
        touch queued
        ( for k in $(seq 0 $last); do
            file=$(echo $log | sed "s/%a/$k/")
            SLURM_ARRAY_TASK_ID=$k sh $task > $file 2>&1
          done; rm -f queued ) > /dev/null 2>&1 < /dev/null &
        echo "7;cluster"
    """,
    "squeue": "test -e queued && echo RUNNING; exit 0",
    "scancel": 'echo "$*" > cancelled; rm -f queued',
    "make": """
        echo "$*" >> made
        echo "${WSLIB_MAKE-none} ${MAKEFLAGS-none}" > inherited
        for word; do case $word in POINTS=*) point=${word#POINTS=};; esac; done
        case $point in
          *seed-1) echo "make: entering"; echo "wslib: on purpose"; exit 2;;
        esac
        touch build/smoke/sweep/$point/01_one.done
    """,
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with a chapter that can be swept, and a Slurm that is none."""
    for name, text in {
        "chapters/01_one.py": CHAPTER, "params/smoke/01_one.yml": "",
        "report/results.yml": "01_one: {sentence: a, chapter: b, place: c, table: d, "
        "columns: {e: f}}\n",
        **{f"programs/{n}": f"#!/bin/sh\n{text}\n" for n, text in PROGRAMS.items()},
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for file in (tmp_path / "programs").iterdir():
        file.chmod(0o755)
    path = f"{tmp_path / 'programs'}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setenv("WSLIB_MAKE", "1")
    monkeypatch.setenv("MAKEFLAGS", "-j9")
    monkeypatch.setenv("SET", "name='a b'")
    monkeypatch.setenv("DATA", "")
    monkeypatch.setattr(array, "PAUSE", 0.1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(over: str):
    sweep = read_sweep([Path("chapters/01_one.py")], "smoke", over, 200)
    plan(sweep, parse_overrides("name='a b'"))
    return sweep


def test_each_point_is_a_task_of_one_array(root, capfd):
    sweep = planned("seed=0,2,3")
    assert submit(sweep, ["sbatch", "--mem=4GB"], most=2) == 0
    asked = (root / "asked").read_text()
    assert asked.startswith("--mem=4GB --parsable --requeue ")
    assert " --array=0-2%2 " in asked
    lines = (root / "made").read_text().splitlines()
    assert [line.split("POINTS=")[1].split()[0] for line in lines] == [
        "seed-0", "seed-2", "seed-3",
    ]  # fmt: skip
    last = "PROFILE=smoke CH=01_one SET=name='a b' DATA= RUN="
    assert lines[0] == f"--no-print-directory points POINTS=seed-0 {last}"
    said = capfd.readouterr().out
    assert "array 7: 3 points, build/smoke/sweep/array-*.log\n" in said
    assert not (root / "cancelled").exists()


def test_a_task_is_a_make_of_its_own(root):
    assert submit(planned("seed=0"), ["sbatch"]) == 0
    assert (root / "inherited").read_text() == "none none\n"
    assert " --array=0-0 " in (root / "asked").read_text()


def test_what_failed_is_named_with_its_last_words(root, capfd):
    assert submit(planned("width=1,2 seed=0,1"), ["sbatch"]) == 2
    said = capfd.readouterr().out.splitlines()
    assert said[-2:] == [
        "width-1+seed-1: wslib: on purpose", "width-2+seed-1: wslib: on purpose",
    ]  # fmt: skip


def test_what_slurm_refuses_is_one_line(root):
    with pytest.raises(RuntimeError, match="^sbatch: sbatch: error: no such partition"):
        submit(planned("seed=0"), ["sbatch", "--refuse"])
    with pytest.raises(RuntimeError, match="^nowhere: No such file"):
        submit(planned("seed=0"), ["nowhere"])


def test_an_interrupt_cancels_the_array(root, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(array.time, "sleep", interrupted)
    (root / "programs/sbatch").write_text("#!/bin/sh\ntouch queued; echo 7\n")
    with pytest.raises(KeyboardInterrupt):
        submit(planned("seed=0"), ["sbatch"])
    assert (root / "cancelled").read_text() == "7\n"


def test_the_command_ends_with_the_status_of_its_points(root, monkeypatch, capfd):
    for over, status in (("seed=0", 0), ("seed=0,1", 1)):
        planned(over)
        words = "wslib workbook sweep submit chapters/01_one.py --profile smoke".split()
        words += ["--over", over, "--run", "sbatch --comment='a b'"]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert end.value.code == status, capfd.readouterr()
        assert (root / "asked").read_text().startswith("--comment=a b --parsable")


def test_make_submits_where_run_is_sbatch(tmp_path):
    for name in ("Makefile", "_quarto-smoke.yml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters/01_one.py").write_text(CHAPTER)

    def would(run: str) -> str:
        words = ["make", "-n", "sweep", "CH=01", "OVER=seed=0", "PROFILE=smoke", "-j3"]
        plain = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        return subprocess.run(
            [*words, f"RUN={run}"], cwd=tmp_path, env=plain, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ).stdout  # fmt: skip

    submitted = would("/usr/bin/sbatch --comment='a b'")
    assert r"--run '/usr/bin/sbatch --comment='\''a b'\''' --most 3" in submitted
    assert "sweep submit chapters/01_one.py --profile smoke" in submitted
    assert "points POINTS" not in submitted
    assert "submit" not in would("srun") and "points POINTS" in would("srun")
