"""The machine and what is installed on it: what is found, and what is missing.

Nothing heavy is imported before the check that is about it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from wslib.runtime.project import project_root

OK, LESS, BAD = "ok", "absent", "problem"
MARKS = {OK: "ok", LESS: "-", BAD: "!!"}
PINS = "requirements.txt"
OLDEST_PYTHON = (3, 11)
ROOM = 2 * 2**30  # bytes; what all profiles together leave in build/
PINNED = re.compile(r"^([\w.-]+)==([^\s#;]+)", re.M)
NAMED = re.compile(r"[\w.-]+")
TOP = re.compile(r"^[^/\s,]+/__init__\.py(?=,)", re.M)  # in the record of a package


@dataclass(frozen=True)
class Finding:
    """One line: `status` is OK, LESS (the profile `sample` runs without it) or BAD (it
    does not). `remedy` is a command to type, or a few words of advice."""

    name: str
    found: str
    status: str = OK
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.found}: {self.remedy}" if self.remedy else self.found
        return f"  {MARKS[self.status]:4}{self.name:20}{text}"


def line(
    name: str,
    found: object,
    missing: str = "not found",
    status: str = LESS,
    remedy: str = "",
) -> Finding:
    """Make a line of what is `found`, or where that is nothing, of what is missing."""
    return (
        Finding(name, str(found)) if found else Finding(name, missing, status, remedy)
    )


def check_python() -> Iterator[Finding]:
    """Check whether this Python is new enough, and where it is."""
    text = f"{platform.python_version()}, {shorten(Path(sys.executable))}"
    new = sys.version_info[:2] >= OLDEST_PYTHON
    remedy = "install Python 3.11 or later; make PYTHON=python3.12 report"
    yield line("Python", new and text, text, BAD, remedy)
    yield Finding("system", platform.platform(terse=True))


def check_computer() -> Iterator[Finding]:
    """Check the processor, and what is free of memory and disk."""
    yield Finding("processor", find_processor())
    if memory := find_memory():
        yield Finding("memory", _free_of(memory))
    free = shutil.disk_usage(".").free
    text = f"{_gibibytes(free)} free in {Path.cwd()}"
    remedy = f"{_gibibytes(ROOM)} would be better"
    yield line("disk", free >= ROOM and text, text, LESS, remedy)


def check_torch() -> Iterator[Finding]:
    """Check whether torch can be imported, and what it computes with."""
    import torch

    threads = torch.get_num_threads()
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU"
    text = f"{torch.__version__}, {build}, {threads} thread{'s' * (threads > 1)}"
    yield Finding("torch", text)
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            name = torch.cuda.get_device_name(number)
            yield Finding("GPU", f"{name}, {_free_of(torch.cuda.mem_get_info(number))}")
        return
    text, remedy = "none; `full` takes hours without one", ""
    if shutil.which("nvidia-smi"):
        text = "this torch does not reach it"
        remedy = "pytorch.org says which build fits"
    yield Finding("GPU", text, LESS, remedy)


def check_torchvision() -> Iterator[Finding]:
    """Check whether it is there, and made for the torch that is there."""
    text, torch = metadata.version("torchvision"), metadata.version("torch")
    needs = [need.partition("==") for need in metadata.requires("torchvision") or []]
    wanted = [version for name, _, version in needs if name == "torch" and version]
    if wanted and wanted[0] != torch.partition("+")[0]:
        text += f", made for torch {wanted[0]}, beside {torch}"
        yield Finding("torchvision", text, BAD, install(f"torch=={wanted[0]}"))
    else:
        yield Finding("torchvision", f"{text}, made for this torch")


def check_packages() -> Iterator[Finding]:
    """Check whether the packages that are required are there, whole, as pinned."""
    pins = read_pins(project_root() / PINS)
    wanted = pins or declared_packages("wslib")
    yield from compare(wanted, PINS if pins else "wslib")


def compare(
    wanted: dict[str, str], source: str, missing: str = BAD
) -> Iterator[Finding]:
    """Yield a line for all that is as `wanted` ({name: version, or "" for any}), and
    one for each package that is not."""
    others = []
    for name, version in wanted.items():
        found = installed_version(name)
        exact = f"{name}=={version}" if version else name
        if found is None:
            others.append(Finding(name, "not installed", missing, install(exact)))
        elif found == "":
            how = install(f"--force-reinstall --no-deps {exact}")
            others.append(Finding(name, "files of it are missing", missing, how))
        elif version and found.partition("+")[0] != version.partition("+")[0]:
            text = f"{found} where {source} has {version}"
            others.append(Finding(name, text, LESS, install(exact)))
    if count := len(wanted) - len(others):
        pinned = any(wanted.values())
        text = f"as {source} has them" if pinned else f"that {source} needs"
        yield Finding("packages", f"{count} of {len(wanted)} {text}")
    yield from others


def _free_of(memory: tuple[int, int]) -> str:
    return "{} free of {}".format(*map(_gibibytes, memory))


def _gibibytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"


def find_processor() -> str:
    """Name the processor, and count the cores that this process may use."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8", "replace") if info.is_file() else ""
    model = re.search(r"^model name\s*: (.+)$", lines, re.M)
    name = model[1] if model else platform.processor() or platform.machine()
    able = getattr(os, "sched_getaffinity", None)  # Linux knows which are ours
    cores = len(able(0)) if able else os.cpu_count() or 1
    return f"{name}, {cores} core{'s' * (cores > 1)}"


def find_memory() -> tuple[int, int] | None:
    """Return the bytes that are free, and all; None where they are not known."""
    info = Path("/proc/meminfo")
    lines = info.read_text() if info.is_file() else ""
    known = dict(re.findall(r"^(\w+): +(\d+) kB$", lines, re.M))
    if "MemAvailable" not in known:
        return None
    return 1024 * int(known["MemAvailable"]), 1024 * int(known["MemTotal"])


def find_version(program: str) -> str | None:
    """Return the first line of what `program --version` prints; None without it."""
    path = shutil.which(program)
    if path is None:
        return None
    done = subprocess.run([path, "--version"], capture_output=True, text=True)
    return (done.stdout.strip().splitlines() or [None])[0]


def shorten(path: Path) -> str:
    """Write a path without this folder, or the home folder, if it is below them."""
    path = Path(os.path.abspath(path))
    for above, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path != above and path.is_relative_to(above):
            return f"{prefix}{path.relative_to(above)}"
    return str(path)


def install(what: str) -> str:
    """Write the command that installs something for this very Python."""
    pip = Path(sys.executable).with_name("pip")
    near = pip.is_file() and Path.cwd() in pip.parents
    return f"{shorten(pip) if near else 'python3 -m pip'} install {what}"


def read_pins(path: Path) -> dict[str, str]:
    """Read the lines `name==version` of a file; nothing where there is no file."""
    return dict(PINNED.findall(path.read_text("utf-8"))) if path.is_file() else {}


def declared_packages(name: str) -> dict[str, str]:
    """List the packages that an installed one needs, without extras: {name: ""}."""
    needs = [need for need in metadata.requires(name) or [] if "extra ==" not in need]
    return {NAMED.match(need)[0]: "" for need in needs}


def installed_version(name: str) -> str | None:
    """Return the version of a package; None without it, "" where files are missing."""
    try:
        package = metadata.distribution(name)
        version = package.metadata["Version"]
    except (metadata.PackageNotFoundError, OSError, KeyError):
        return None
    inside = TOP.findall(package.read_text("RECORD") or "")
    whole = all(Path(package.locate_file(file)).is_file() for file in inside)
    return version if version and whole else ""
