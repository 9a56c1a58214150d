"""The points of a sweep as one job array of Slurm: `RUN="sbatch --mem=4GB"`.

Each task of the array is a Make of one point, so that what is up to date is not run
again, and a task that Slurm puts back into the queue, as after the failure of a node,
goes on with what is not. The project lies where all nodes see it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from wslib.runtime.kept import write_text
from wslib.workbook.runs.sweep import Sweep

PAUSE = 2.0  # seconds between two looks
TASK = """#!/bin/sh
set -- $(cat {points}) && shift "$SLURM_ARRAY_TASK_ID"
exec make --no-print-directory points POINTS="$1" PROFILE={profile} CH={chapter} \\
  SET="$SET" DATA="$DATA" RUN=
"""


def submit(sweep: Sweep, run: list[str], most: int = 0) -> int:
    """Submit the points that `plan` has left, and wait until all tasks have ended; of
    these `most` run at a time, 0 for as many as Slurm lets. `run`: sbatch and its
    options. Return the number of points that were not finished, of which the last words
    are printed. Ctrl-C cancels the array.

    Raises RuntimeError where Slurm does not take it.
    """
    folder = sweep.root / sweep.place
    points = folder / "array.points"
    write_text(points, "\n".join(point.name for point in sweep.points) + "\n")
    task = folder / "array.sh"
    settings = {"profile": sweep.profile, "chapter": sweep.chapter.name}
    write_text(task, TASK.format(points=points, **settings))
    last = len(sweep.points) - 1
    array = f"--array=0-{last}" + (f"%{most}" if most else "")
    log = f"--output={folder}/array-%a.log"
    words = [*run, "--parsable", "--requeue", "--open-mode=truncate", array, log, task]
    job = _submitted(words)
    print(f"array {job}: {last + 1} points, {folder}/array-*.log", flush=True)
    try:
        _wait(job, sweep)
    except BaseException:
        subprocess.run(["scancel", job], check=False)
        raise
    return _say_failures(sweep, folder)


def _submitted(words: list) -> str:
    """Submit; return the number of the job. The tasks are makes of their own."""
    made = ("MAKE", "WSLIB_MAKE")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(made)}
    try:
        done = subprocess.run(words, env=plain, capture_output=True, text=True)
    except OSError as error:
        raise RuntimeError(f"{words[0]}: {error.strerror}") from None
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"status {done.returncode}"
        raise RuntimeError(f"{words[0]}: {said}")
    return done.stdout.strip().partition(";")[0]


def _wait(job: str, sweep: Sweep) -> None:
    """Wait until none of the array is in the queue; say how many points are done."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    said = 0
    while _queued(job):
        time.sleep(PAUSE)
        done = sum(sweep.done(point).exists() for point in sweep.points)
        if done > said:
            said = done
            print(f"array {job}: {done} of {len(sweep.points)}", flush=True)


def _queued(job: str) -> bool:
    """Whether Slurm has tasks of the array that have not ended. A controller that does
    not answer is asked again."""
    words = ["squeue", "--noheader", f"--jobs={job}", "--format=%T"]
    asked = subprocess.run(words, capture_output=True, text=True)
    if asked.returncode:
        return "Invalid job id" not in asked.stderr
    return bool(asked.stdout.strip())


def _say_failures(sweep: Sweep, folder: Path) -> int:
    failed = 0
    for number, point in enumerate(sweep.points):
        if not sweep.done(point).exists():
            failed += 1
            log = folder / f"array-{number}.log"
            text = log.read_text(errors="replace") if log.exists() else ""
            words = [line for line in text.splitlines() if line.startswith("wslib:")]
            last = words or text.splitlines()[-1:] or ["no word of it"]
            print(f"{point.name}: {last[-1]}", flush=True)
    return failed
