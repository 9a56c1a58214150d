"""What `wslib doctor` says about the machine, its Python, and the packages there."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from wslib.cli.doctor_findings import BAD, LESS, Finding, gibibytes, install, short
from wslib.runtime.project import project_root

PINS = "requirements.txt"
OLDEST_PYTHON = (3, 11)
ROOM = 2 * 2**30  # bytes; what all profiles together leave in build/
PINNED = re.compile(r"^([\w.-]+)==([^\s#;]+)", re.M)
NAMED = re.compile(r"[\w.-]+")
TOP = re.compile(r"^[^/\s,]+/__init__\.py(?=,)", re.M)  # in the record of a package


def look_at_python() -> Iterator[Finding]:
    """Whether this Python is new enough, and where it is."""
    text = f"{platform.python_version()}, {short(Path(sys.executable))}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        remedy = "install Python 3.11 or later; make PYTHON=python3.12 report"
        yield Finding("Python", text, BAD, remedy)
    else:
        yield Finding("Python", text)
    yield Finding("system", platform.platform(terse=True))


def look_at_computer() -> Iterator[Finding]:
    """The processor, and what is free of memory and disk."""
    able = getattr(os, "sched_getaffinity", None)  # Linux knows which are ours
    cores = len(able(0)) if able else os.cpu_count() or 1
    yield Finding("processor", f"{_processor()}, {cores} core{'s' * (cores > 1)}")
    memory = _memory()
    if memory:
        free, total = map(gibibytes, memory)
        yield Finding("memory", f"{free} free of {total}")
    free = shutil.disk_usage(".").free
    text = f"{gibibytes(free)} free in {Path.cwd()}"
    if free < ROOM:
        yield Finding("disk", text, LESS, f"{gibibytes(ROOM)} would be better")
    else:
        yield Finding("disk", text)


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8", "replace") if info.is_file() else ""
    model = re.search(r"^model name\s*: (.+)$", lines, re.M)
    return model[1] if model else platform.processor() or platform.machine()


def _memory() -> tuple[int, int] | None:
    """Bytes that are free, and all; None where nobody says so."""
    info = Path("/proc/meminfo")
    lines = info.read_text() if info.is_file() else ""
    known = dict(re.findall(r"^(\w+): +(\d+) kB$", lines, re.M))
    if "MemAvailable" not in known:
        return None
    return 1024 * int(known["MemAvailable"]), 1024 * int(known["MemTotal"])


def look_at_torch() -> Iterator[Finding]:
    """Whether torch can be imported, and what it computes with."""
    import torch

    threads = torch.get_num_threads()
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU"
    text = f"{torch.__version__}, {build}, {threads} thread{'s' * (threads > 1)}"
    yield Finding("torch", text)
    yield from _graphics(torch)


def look_at_torchvision() -> Iterator[Finding]:
    """Whether it is there, and made for the torch that is there."""
    text, torch = metadata.version("torchvision"), metadata.version("torch")
    needs = [need.partition("==") for need in metadata.requires("torchvision") or []]
    wanted = [version for name, _, version in needs if name == "torch" and version]
    if wanted and wanted[0] != torch.partition("+")[0]:
        told = f"{text}, made for torch {wanted[0]}, beside {torch}"
        yield Finding("torchvision", told, BAD, install(f"torch=={wanted[0]}"))
    else:
        yield Finding("torchvision", f"{text}, made for this torch")


def _graphics(torch) -> Iterator[Finding]:
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = map(gibibytes, torch.cuda.mem_get_info(number))
            name = torch.cuda.get_device_name(number)
            yield Finding("GPU", f"{name}, {free} free of {total}")
    elif shutil.which("nvidia-smi"):
        advice = "pytorch.org says which build fits"
        yield Finding("GPU", "this torch does not reach it", LESS, advice)
    else:
        yield Finding("GPU", "none; `full` takes hours without one", LESS)


def look_at_packages() -> Iterator[Finding]:
    """The packages that are required: whether they are there, whole, as pinned."""
    yield from compare(pins() or _declared(), PINS if pins() else "wslib")


def compare(
    wanted: dict[str, str], source: str, missing: str = BAD
) -> Iterator[Finding]:
    """A line for all that is as `wanted` ({name: version, or "" for any}), and one for
    each package that is not."""
    others = []
    for name, version in wanted.items():
        found = _installed(name)
        exact = f"{name}=={version}" if version else name
        if found is None:
            others.append(Finding(name, "not installed", missing, install(exact)))
        elif found == "":
            how = install(f"--force-reinstall --no-deps {exact}")
            others.append(Finding(name, "files of it are missing", missing, how))
        elif version and found.partition("+")[0] != version.partition("+")[0]:
            text = f"{found} where {source} has {version}"
            others.append(Finding(name, text, LESS, install(exact)))
    count = len(wanted) - len(others)
    if count:
        told = (
            f"as {source} has them" if any(wanted.values()) else f"that {source} needs"
        )
        yield Finding("packages", f"{count} of {len(wanted)} {told}")
    yield from others


def pins(file: str = PINS) -> dict[str, str]:
    path = project_root() / file
    return dict(PINNED.findall(path.read_text("utf-8"))) if path.is_file() else {}


def _declared() -> dict[str, str]:
    """What the installed package says that it needs, without the extras."""
    needs = [
        need for need in metadata.requires("wslib") or [] if "extra ==" not in need
    ]
    return {NAMED.match(need)[0]: "" for need in needs}


def _installed(name: str) -> str | None:
    """The version of a package; None without it, "" where files of it are missing."""
    try:
        package = metadata.distribution(name)
        version = package.metadata["Version"]
    except (metadata.PackageNotFoundError, OSError, KeyError):
        return None
    inside = TOP.findall(package.read_text("RECORD") or "")
    whole = all(Path(package.locate_file(file)).is_file() for file in inside)
    return version if version and whole else ""
