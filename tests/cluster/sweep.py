#!/usr/bin/env python3
"""Try a sweep of many points as a job array, on a Slurm of one node, started here.

    sudo tests/cluster/sweep.py --points 100           # needs what single_node.py needs

A project of one small chapter, in a temporary folder. What is checked:

1. Two points fail: they are named, with their error; the others finish.
2. Mended, `make sweep` runs these two again, and no other one.
3. The node is killed while points run: Slurm puts their tasks back into the queue, the
   node comes back, and the sweep ends with all points, of which those that had finished
   were run once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import slurm

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = """
# %% [markdown]
# # One {#sec-one}

# %% tags=["parameters"]
seed: int = 0  # of nothing
slow: float = 0.0  # seconds

# %%
import time
from pathlib import Path

import pandas as pd

from wslib.show.tables import Table

with open("ran", "a") as file:
    file.write(f"{seed}\\n")
if seed in (3, 7) and not Path("mended").exists():
    raise RuntimeError("on purpose")
time.sleep(slow)
Table(pd.DataFrame({"what": ["ours"], "score": [10.0 + seed]}), "one-scores")
"""
RESULTS = """
01_one:
  sentence: The score is {here}.
  chapter: sec-one
  place: tbl-one
  table: one-scores
  columns: {score: the score}
"""
BOOK = "book:\n  chapters: [build/smoke/01_one.ipynb]\n"


class Trial:
    def __init__(self, root: Path, environment: dict, points: int, run: str):
        self.root, self.environment = root, environment
        over = f"seed={','.join(map(str, range(points)))}"
        self.words = ["make", "sweep", "PROFILE=smoke", "CH=01", f"OVER={over}",
                      f"RUN={run}"]  # fmt: skip
        self.points, self.failed, self.said = points, [], ""

    def check(self, what: str, ok: bool) -> None:
        print(f"  {'ok' if ok else 'FAILED':8}{what}", flush=True)
        if not ok:
            self.failed.append(what)

    def start(self, *more: str) -> subprocess.Popen:
        return subprocess.Popen(
            [*self.words, *more], cwd=self.root, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def end(self, process: subprocess.Popen) -> int:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith(("array", "wslib")):
                print(f"    | {line.rstrip()}", flush=True)
        self.said = "".join(lines)
        return process.wait()

    def ran(self) -> list[int]:
        """The seeds of the points that were run since the last call, in that order."""
        file = self.root / "ran"
        seeds = list(map(int, file.read_text().split())) if file.exists() else []
        file.unlink(missing_ok=True)
        return seeds

    def scores(self) -> int:
        """The number of points that the gathered table has a score of."""
        (file,) = self.root.glob("build/smoke/sweep/01_one/*/tables/points.json")
        record = json.loads(file.read_text())
        column = record["columns"].index("score")
        return sum(isinstance(row[column], float) for row in record["rows"])


def failing(trial: Trial) -> None:
    trial.check("make ends with a status other than 0", trial.end(trial.start()) != 0)
    of = f"no result of 2 of the sweep's {trial.points} points: seed-3, seed-7"
    trial.check(of, of in trial.said)
    trial.check("with the error", trial.said.count("RuntimeError: on purpose") >= 2)
    trial.check("each ran once", sorted(trial.ran()) == list(range(trial.points)))
    trial.check("the others have scores", trial.scores() == trial.points - 2)


def mended(trial: Trial) -> None:
    (trial.root / "mended").write_text("")
    trial.check("make ends with status 0", trial.end(trial.start()) == 0)
    trial.check("the two ran again, no other", sorted(trial.ran()) == [3, 7])
    trial.check("all have scores", trial.scores() == trial.points)


def killed(trial: Trial, cluster: slurm.Node) -> None:
    """The node is killed when a quarter of the points has been run."""
    process = trial.start("SET=slow=2")
    ended = threading.Thread(
        target=lambda: setattr(trial, "status", trial.end(process))
    )
    ended.start()
    file = trial.root / "ran"
    while not file.exists() or len(file.read_text().split()) < trial.points // 4:
        time.sleep(0.2)
    done = {int(path.parent.name.removeprefix("seed-"))
            for path in trial.root.glob("build/smoke/sweep/*/01_one.done")}  # fmt: skip
    cluster.kill()
    print(f"    | the node is dead; {len(done)} points are done", flush=True)
    time.sleep(2)
    cluster.revive()
    ended.join()
    seeds = trial.ran()
    again = {seed for seed in seeds if seeds.count(seed) > 1}
    trial.check("make ends with status 0", trial.status == 0)
    trial.check("all have scores", trial.scores() == trial.points)
    trial.check(f"run again: {sorted(again)}", not again & done and len(again) <= 8)


def timed(words: str, step, *arguments) -> None:
    print(words, flush=True)
    began = time.monotonic()
    step(*arguments)
    print(f"  {time.monotonic() - began:.0f} s", flush=True)


def project(root: Path) -> dict:
    """A project of one chapter with this package; the environment in which it is."""
    for name, text in {
        "chapters/01_one.py": CHAPTER, "params/smoke/01_one.yml": "",
        "report/results.yml": RESULTS, "_quarto.yml": "{}", "_quarto-smoke.yml": BOOK,
    }.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    shutil.copytree(ROOT / "wslib", root / "wslib")
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
        os.utime(root / name, (0, 0))
    (root / ".venv").symlink_to((ROOT / ".venv").resolve())
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("WSLIB", "MAKE"))}
    return {**plain, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100, help="(default 100)")
    parser.add_argument("--run", default="sbatch --cpus-per-task=1 --mem=1GB")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("sweep.py: Slurm's daemons need root; start it with sudo")
    if arguments.points < 8:
        parser.error("--points must be at least 8")
    slurm.install()
    scratch = Path(tempfile.mkdtemp(prefix="workbook-sweep-"))
    environment = project(scratch / "project")
    with slurm.cluster(scratch / "slurm") as settings:
        environment |= settings
        root = scratch / "project"
        trial = Trial(root, environment, arguments.points, arguments.run)
        timed(f"{trial.points} points, two of which fail", failing, trial)
        timed("mended", mended, trial)
        node = slurm.Node(scratch / "slurm", settings)
        timed("the node is killed", killed, trial, node)
    if trial.failed:
        sys.exit(f"FAILED: {len(trial.failed)}; kept for reading: {scratch}")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
