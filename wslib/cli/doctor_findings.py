"""What `wslib doctor` finds: whether it is good, what it is, what to do about it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from wslib.cli.errors import explain
from wslib.runtime.project import project_root

OK, LESS, BAD = "ok", "absent", "problem"
MARKS = {OK: "ok", LESS: "-", BAD: "!!"}


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


Check = Callable[[], Iterable[Finding]]


def look(name: str, check: Check, status: str = BAD, remedy: str = "") -> list[Finding]:
    """What a check finds. Where it cannot go on, that is the last thing found."""
    found = []
    try:
        found.extend(check())  # keeps what comes before an error
    except Exception as error:  # a broken package can raise anything
        text = explain(error).removeprefix("wslib: ").partition("; `wslib doctor`")[0]
        text = textwrap.shorten(f"cannot be looked at: {text}", 200, placeholder="...")
        found.append(Finding(name, text, status, remedy))
    return found


def short(path: Path) -> str:
    """A path without this folder, or the home folder, if it is below one of them."""
    path = Path(os.path.abspath(path))
    for above, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path != above and path.is_relative_to(above):
            return f"{prefix}{path.relative_to(above)}"
    return str(path)


def install(what: str) -> str:
    """How to install something for this very Python."""
    pip = Path(sys.executable).with_name("pip")
    near = pip.is_file() and Path.cwd() in pip.parents
    return f"{short(pip) if near else 'python3 -m pip'} install {what}"


def of_book() -> str:
    """What it is if the book cannot be made: in the folder of the book, BAD."""
    return BAD if (project_root() / "Makefile").is_file() else LESS


def gibibytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
