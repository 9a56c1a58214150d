"""A Slurm cluster of one node, this one, that ends with the program that began it.

Its daemons need root and Debian's packages `slurmctld slurmd slurm-client munge`. They
listen on ports of their own, and all that they write is in one folder: a Slurm that the
machine may have is neither used nor touched. Nothing binds or measures the jobs (no
cgroups), so that it also runs in a container: what a job asks for is only counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
PROGRAMS = ("slurmctld", "slurmd", "srun", "munged")
CONFIGURATION = """
ClusterName=workbook
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=60
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
ReturnToService=2
{gres_types}
NodeName={host} NodeAddr=127.0.0.1 CPUs={processors} RealMemory={memory} {gres}
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def install() -> None:
    """Install what is missing, without starting the services that come with it."""
    if not all(map(shutil.which, PROGRAMS)):
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for words in (["update"], ["install", "-y", "--no-install-recommends"]):
            packages = PACKAGES if words[0] == "install" else ()
            subprocess.run(
                ["apt-get", "-qq", *words, *packages],
                env=os.environ | quiet,
                stdout=subprocess.DEVNULL,
                check=True,
            )


@contextlib.contextmanager
def cluster(folder: Path):
    """Run the cluster as long as the context lasts, and yield the variable by which
    `srun`, `sinfo` and `squeue` find it. Its logs are in `folder`, and `jobs.txt`."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    settings = _configure(folder)
    with contextlib.ExitStack() as daemons:
        files = {name: f"{folder}/munge.{name}" for name in ("pid", "seed", "log")}
        words = ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket"]
        words += [f"--key-file={key}", f"--log-file={files['log']}"]
        words += [f"--pid-file={files['pid']}", f"--seed-file={files['seed']}"]
        daemons.enter_context(_daemon(words, folder))
        _wait(lambda: (folder / "munge.socket").exists(), "munged", folder)
        daemons.enter_context(_daemon(["slurmctld", "-D", "-f", settings], folder))
        daemons.enter_context(_daemon(["slurmd", "-D", "-f", settings], folder))
        environment = {"SLURM_CONF": str(settings)}
        _wait(lambda: "idle" in say(environment, "sinfo", "-h"), "sinfo", folder)
        try:
            yield environment
        finally:  # the steps of jobs outlive their daemon
            say(environment, "scancel", "--user=root")
            _wait(lambda: not say(environment, "squeue", "-h"), "scancel", folder)


def say(environment: dict, *words: str) -> str:
    """What a program prints, on both streams."""
    return subprocess.run(
        words, env=os.environ | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ).stdout  # fmt: skip


def finished(folder: Path) -> list[dict[str, str]]:
    """The jobs that ended, in that order: Name, JobState, NodeList, StartTime..."""
    file = folder / "jobs.txt"
    lines = file.read_text().splitlines() if file.exists() else []
    return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]


def _configure(folder: Path) -> Path:
    gpu = Path("/dev/nvidia0").exists()
    file = folder / "slurm.conf"
    file.write_text(
        CONFIGURATION.format(
            folder=folder,
            host=socket.gethostname().split(".")[0],
            ports=_free_ports(2),
            processors=os.cpu_count(),
            memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
            gres_types="GresTypes=gpu,shard" if gpu else "",
            gres="Gres=gpu:1,shard:8" if gpu else "",
        )
    )
    if gpu:
        lines = "Name=gpu File=/dev/nvidia0\nName=shard Count=8\n"
        (folder / "gres.conf").write_text(lines)
    return file


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in opened]


class Node:
    """The only node of a `cluster` that runs, which can be killed and come back."""

    def __init__(self, folder: Path, environment: dict):
        self.folder, self.environment = folder, environment
        self.name = socket.gethostname().split(".")[0]

    def kill(self) -> None:
        """End its daemon and all that runs there at once, as a loss of power does."""
        pid = int((self.folder / "slurmd.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        for process in _steps(self.folder):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._set("State=DOWN", "Reason=killed")

    def revive(self) -> None:
        """Start its daemon again; it stays until `scontrol shutdown` or a signal."""
        words = ["slurmd", "-D", "-f", self.environment["SLURM_CONF"]]
        with open(self.folder / "slurmd.log", "a") as log:
            self.daemon = subprocess.Popen(
                words, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        self._set("State=RESUME")

    def _set(self, *words: str) -> None:
        say(self.environment, "scontrol", "update", f"NodeName={self.name}", *words)


def _steps(folder: Path) -> list[int]:
    """The processes that Slurm's steps of this cluster have started: those with its
    configuration in their environment, and `slurmstepd` itself."""
    mark, mine, found = str(folder).encode(), os.getpid(), []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            inside = b"SLURM_JOB_ID=" in (path / "environ").read_bytes()
            of_ours = mark in (path / "environ").read_bytes()
            daemon = (path / "comm").read_text().strip() == "slurmstepd"
            if int(path.name) != mine and of_ours and (inside or daemon):
                found.append(int(path.name))
    return found


@contextlib.contextmanager
def _daemon(words: list, folder: Path):
    """A program in the foreground, in a session of its own: Ctrl-C is not for it."""
    with open(folder / f"{words[0]}.log", "w") as log:
        process = subprocess.Popen(
            words, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(condition, what: str, folder: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not ready in {seconds:.0f} s; see {folder}")
        time.sleep(0.2)
