#!/usr/bin/env python3
"""Try `make report` on a cluster: a Slurm of one node, started here and ended again.

    sudo tests/cluster/single_node.py                  # this project, minutes
    sudo tests/cluster/single_node.py --project COPY

Needs root, Debian or Ubuntu (missing packages of Slurm are installed), two processors
and 8 GB of memory; with /dev/nvidia0 the node offers shards of the GPU. Works in a copy
of the project, below a temporary folder that is kept if a check fails, and leaves the
project alone. What is checked:

1. `make report -j5 RUN='srun ...'` makes the book; each chapter is a job of its own.
2. With a chapter that raises, `make -k` ends with a status other than 0 and says where;
   the other chapter that changed finishes, and the last good report stays.
3. One Ctrl-C ends make and its jobs; nothing stays in the queue or running.
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
LEFT_OUT = {".git", ".venv", "build", "data", "notebooks"}  # at the top
RUN = "srun --job-name=$* --cpus-per-task=1 --mem=4GB"  # $* is the chapter, to Make
RAISES = '\n# %%\nraise RuntimeError("on purpose")\n'
COUNTS = '\n# %%\nimport os\n\nprint("threads", os.environ.get("OMP_NUM_THREADS"))\n'
SLEEPS = "\n# %%\nimport time\n\ntime.sleep(3600)\n"


class Trial:
    """A copy of the project, what is done there, and what came of it."""

    def __init__(self, copy: Path, environment: dict, logs: Path, run: str):
        self.copy, self.environment, self.logs = copy, environment, logs
        self.words = ["make", "-k", "report", "-j5", "PROFILE=smoke", f"RUN={run}"]
        self.failed: list[str] = []
        self.said = ""

    def check(self, what: str, ok: bool) -> None:
        print(f"  {'ok' if ok else 'FAILED':8}{what}", flush=True)
        if not ok:
            self.failed.append(what)

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            self.words, cwd=self.copy, env=self.environment, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace",
        )  # fmt: skip

    def make(self) -> int:
        """Run make to its end; keep what it says."""
        return self.end(self.start())

    def end(self, process: subprocess.Popen, timeout: float = 3 * 3600) -> int:
        """Show what make says, to its end; kill it if that is late."""
        late = threading.Timer(timeout, os.killpg, (process.pid, signal.SIGKILL))
        late.start()
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if line.strip():
                    print(f"    | {line.rstrip()}", flush=True)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            late.cancel()
        self.said = "".join(said)
        return process.wait()

    def jobs(self, since: int = 0) -> dict[str, dict[str, str]]:
        return {job["Name"]: job for job in slurm.finished(self.logs)[since:]}

    def queue(self, *words: str) -> list[str]:
        return slurm.say(self.environment, "squeue", "-h", *words).splitlines()

    def notebook(self, name: str, folder: str = "") -> Path:
        return self.copy / "build/smoke" / folder / f"{name}.ipynb"

    def book(self) -> bytes:
        file = self.copy / "report/_output/smoke/index.html"
        return file.read_bytes() if file.is_file() else b""

    def processes(self) -> list[str]:
        """Those that work in the copy."""
        found = []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            try:
                if link.resolve(strict=True).is_relative_to(self.copy):
                    found.append(link.parent.name)
            except OSError:
                continue
        return found


def good(trial: Trial) -> None:
    """The whole book, from nothing."""
    names = sorted(path.stem for path in (trial.copy / "chapters").glob("*.py"))
    trial.check("make ends with status 0", trial.make() == 0)
    pdf = trial.copy / "report/_output/smoke/workbook.pdf"
    trial.check("HTML and PDF are there", trial.book() != b"" and pdf.is_file())
    jobs = trial.jobs()
    for name in names:
        job = jobs.get(name, {})
        where = f"{job.get('JobState')} on {job.get('NodeList')}"
        trial.check(
            f"job {job.get('JobId')}: {name} {where}", where.startswith("COMPLETED")
        )
    trial.check(f"{len(names)} jobs, one a chapter", sorted(jobs) == names)


def failing(trial: Trial, first: str, other: str) -> None:
    """`first` raises, `other` has one cell more."""
    before, count = trial.book(), len(slurm.finished(trial.logs))
    append(trial.copy, first, RAISES)
    append(trial.copy, other, COUNTS)
    trial.check("make ends with a status other than 0", trial.make() != 0)
    lines = (trial.copy / f"chapters/{first}.py").read_text().splitlines()
    where = f"chapters/{first}.py:{len(lines)}: RuntimeError: on purpose"
    trial.check(f"says {where}", where in trial.said)
    trial.check("names the cell", f"chapter {first}, cell " in trial.said)
    states = {name: job["JobState"] for name, job in trial.jobs(count).items()}
    expected = {first: "FAILED", other: "COMPLETED"}
    trial.check(f"jobs: {states}", states == expected)
    text = trial.notebook(other).read_text()
    trial.check("the other sees the processors that it was given", "threads 1" in text)
    kept = trial.notebook(first, "failed")
    trial.check("the failed notebook is kept", kept.is_file())
    trial.check("the last report stays", trial.book() == before != b"")


def interrupted(trial: Trial, *names: str) -> None:
    """One Ctrl-C while the chapters `names` run."""
    for name in names:
        append(trial.copy, name, SLEEPS)
    before, process = trial.book(), trial.start()
    end = time.monotonic() + 120
    while len(trial.queue("--states=RUNNING")) < len(names) and time.monotonic() < end:
        time.sleep(0.5)
    running = trial.queue("--states=RUNNING", "--format=%j")
    trial.check(f"running: {', '.join(running)}", sorted(running) == sorted(names))
    time.sleep(5)
    os.killpg(process.pid, signal.SIGINT)
    trial.check("make ends, and not with status 0", trial.end(process, 60) != 0)
    for name in names:
        trial.check(f"says so: {name}", f"{name}: interrupted; so far" in trial.said)
    time.sleep(5)
    trial.check("nothing is in the queue", trial.queue() == [])
    trial.check("no process is left", trial.processes() == [])
    trial.check("the last report stays", trial.book() == before != b"")


def append(copy: Path, name: str, text: str) -> None:
    file = copy / f"chapters/{name}.py"
    original = file.with_suffix(".original")
    if not original.exists():
        shutil.copy(file, original)
    file.write_text(original.read_text() + text)


def quickest(trial: Trial) -> list[str]:
    """The two chapters that took the least time."""
    seconds = {}
    for file in (trial.copy / "build/smoke").glob("*.ipynb"):
        record = json.loads(file.read_text())["metadata"]["wslib"]
        seconds[file.stem] = record["seconds"]
    return sorted(seconds, key=seconds.get)[:2]


def timed(words: str, step, *arguments) -> None:
    print(words, flush=True)
    began = time.monotonic()
    step(*arguments)
    print(f"  {time.monotonic() - began:.0f} s")


def copy_of(project: Path, copy: Path) -> dict:
    """Copy the project; return the environment in which its own `wslib` is used."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        top = Path(folder) == project
        return {"_output", "__pycache__"} | (LEFT_OUT if top else set())

    shutil.copytree(project, copy, ignore=left_out)
    if (project / ".venv").is_dir():
        (copy / ".venv").symlink_to((project / ".venv").resolve())
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("WSLIB", "MAKE"))}
    return {**plain, "PYTHONPATH": str(copy)}


def try_out(project: Path, run: str, scratch: Path) -> list[str]:
    """All checks; the names of those that failed."""
    environment = copy_of(project, scratch / "project")
    with slurm.cluster(scratch / "slurm") as settings:
        environment |= settings
        trial = Trial(scratch / "project", environment, scratch / "slurm", run)
        print(slurm.say(trial.environment, "sinfo", "-N", "-l").strip())
        timed(" ".join(trial.words), good, trial)
        if not trial.failed:
            first, other = quickest(trial)
            timed(f"with a line in {first} that raises", failing, trial, first, other)
            timed(f"Ctrl-C in {first} and {other}", interrupted, trial, first, other)
    return trial.failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path, default=ROOT, help="or a copy of it")
    parser.add_argument("--run", default=RUN, help=f"the variable RUN: {RUN}")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("single_node.py: Slurm's daemons need root; start it with sudo")
    slurm.install()
    scratch = Path(tempfile.mkdtemp(prefix="workbook-slurm-"))
    failed = ["a check, before it could say so"]
    try:
        failed = try_out(arguments.project.resolve(), arguments.run, scratch)
    except KeyboardInterrupt:
        failed = ["interrupted"]
    finally:
        if failed:
            print(f"kept for reading: {scratch}", file=sys.stderr)
        else:
            shutil.rmtree(scratch)
    sys.exit(f"FAILED: {len(failed)}" if failed else 0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
