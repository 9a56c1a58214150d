"""The machine, and the packages that are installed: whole, and as they are pinned."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PINNED = re.compile(r"^([\w.-]+)==([^\s#;]+)", re.M)
NAMED = re.compile(r"[\w.-]+")
TOP = re.compile(r"^[^/\s,]+/__init__\.py(?=,)", re.M)  # in the record of a package


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
