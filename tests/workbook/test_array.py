"""A sweep as one job array. `tests/cluster/sweep.py` tries a real Slurm; here small
programs stand in for sbatch, squeue and scancel, and run the tasks one by one."""

import json
import os
import signal
import subprocess
import time

import pytest

CHAPTER = """
# %% [markdown]
# # One {#sec-one}

# %% tags=["parameters"]
width: int = 3  # of it
seed: int = 0  # of nothing
name: str = "a"  # of all

# %%
from pathlib import Path

import pandas as pd

from wslib.show.tables import Table

if (width, seed) == (3, 1) and not Path("mended").exists():
    raise RuntimeError("on purpose")
Path("ran").open("a").write(f"{width} {seed} {name}\\n")

# %%
Table(pd.DataFrame({"what": ["ours"], "score": [10.0 * width + seed]}), "one-scores")
"""
RESULTS = """
01_one:
  sentence: The score is {here}.
  chapter: sec-one
  place: tbl-one
  table: one-scores
  columns: {score: the score}
"""
PROGRAMS = {
    "sbatch": """
        echo "$*" > asked
        env > environment
        for word; do case $word in
          --array=0-*) last=${word#--array=0-}; last=${last%%%*};;
          --output=*) log=${word#--output=};;
          --refuse) echo "sbatch: error: no such partition" >&2; exit 1;;
        esac; task=$word; done
        ( for k in $(seq 0 $last); do
            file=$(echo $log | sed "s/%a/$k/")
            SLURM_ARRAY_TASK_ID=$k sh $task > $file 2>&1 < /dev/null
          done; rm -f queued ) > /dev/null 2>&1 &
        touch queued
        echo "7;cluster"
    """,
    "squeue": "test -e queued && echo RUNNING; exit 0",
    "scancel": 'echo "$*" > cancelled; rm -f queued',
}


@pytest.fixture
def cluster(project):
    """The project with a chapter that can be swept, and a Slurm that is none."""
    project.write("chapters/01_one.py", CHAPTER)
    project.write("params/smoke/01_one.yml", "")
    project.write("report/results.yml", RESULTS)
    for name, text in PROGRAMS.items():
        project.write(f"programs/{name}", f"#!/bin/sh\n{text}\n")
        (project.root / "programs" / name).chmod(0o755)
    path = f"{project.root / 'programs'}{os.pathsep}{os.environ['PATH']}"
    project.environment["PATH"] = path
    return project


def read(cluster, name: str) -> str:
    return (cluster.root / name).read_text(encoding="utf-8")


def scores(cluster, folder: str) -> list:
    file = cluster.root / f"build/smoke/sweep/01_one/{folder}/tables/points.json"
    record = json.loads(file.read_text())
    return [row[record["columns"].index("score")] for row in record["rows"]]


def test_all_points_are_one_array_and_only_the_failed_one_runs_again(cluster):
    words = ("sweep", "CH=01", "OVER=seed=1,0 width=3,2", "SET=name='a b'", "-j2",
             "RUN=sbatch --mem=4GB --comment='two words'")  # fmt: skip
    failed = cluster.make(*words)
    assert failed.returncode != 0
    said = failed.stdout
    assert "array 7: 4 points, build/smoke/sweep/array-*.log" in said, said
    assert "array 7: 3 of 4" in said
    assert "1 of the sweep's 4 points failed: width-3+seed-1" in said
    assert "RuntimeError: on purpose" in said and "Traceback" not in said
    asked = read(cluster, "asked")
    assert asked.startswith("--mem=4GB --comment=two words --parsable --requeue ")
    assert "--array=0-3%2 " in asked
    assert "WSLIB_MAKE=" not in read(cluster, "environment")
    ran = read(cluster, "ran").splitlines()
    assert ran == ["3 0 a b", "2 1 a b", "2 0 a b"]
    cluster.write("mended", "")
    mended = cluster.make(*words)
    assert mended.returncode == 0, mended.stdout
    assert read(cluster, "ran").splitlines()[3:] == ["3 1 a b"]
    assert scores(cluster, "width-3,2+seed-1,0") == [31, 30, 21, 20]


def test_what_slurm_refuses_is_said_and_nothing_is_gathered(cluster):
    refused = cluster.make("sweep", "CH=01", "OVER=width=1,2", "RUN=sbatch --refuse")
    assert refused.returncode != 0
    assert "sbatch: sbatch: error: no such partition" in refused.stdout
    assert "2 of the sweep's 2 points failed" in refused.stdout
    (cluster.root / "programs/sbatch").unlink()
    cluster.environment["PATH"] = f"{cluster.root / 'programs'}:/usr/bin:/bin"
    if not os.path.exists("/usr/bin/sbatch"):
        absent = cluster.make("sweep", "CH=01", "OVER=width=1,2", "RUN=sbatch")
        assert "wslib: sbatch: No such file" in absent.stdout


def test_one_interrupt_cancels_the_array(cluster):
    cluster.write("programs/sbatch", "#!/bin/sh\ntouch queued; echo 7\n")
    process = subprocess.Popen(
        ["make", "PROFILE=smoke", "sweep", "CH=01", "OVER=width=1,2", "RUN=sbatch"],
        cwd=cluster.root, env=cluster.environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    end = time.monotonic() + 300
    while not (cluster.root / "queued").exists():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=100)
    assert process.returncode != 0 and read(cluster, "cancelled") == "7\n"
