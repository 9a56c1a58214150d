"""Chapters that Make runs in the background, and how far it is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wslib.workbook.runs.turn import MAKE

BEGUN = re.compile(r"^(\w+): profile ")
BAR = re.compile(r"^(\w+): +\d+%\|.*?\| *(\d+)/(\d+)")
OF_MAKE = re.compile(r"^make(\[\d+\])?: ")
FAILED = re.compile(r"^make(?:\[\d+\])?: \*\*\* \[(?:.*: )?build/[^/]+/(\w+)\.ipynb\]")
PATIENCE = 5  # seconds between asking and forcing


class Job:
    """One call of Make for the notebooks of some chapters; look at it with `advance`.

    `running` and `share` say which chapter is being run and how far it is; `pid` is
    Make's process.
    """

    def __init__(
        self,
        root: Path,
        profile: str,
        names: Iterable[str],
        only: str = "",
        data: str = "",
    ):
        """Begin to make the notebooks of the chapters `names`. Make checks no other
        chapters than those whose names begin with `only`; `data` is a folder for those
        that take one."""
        self.names = sorted(names)
        self.running, self.share = "", None
        self._text, self._rest = [], ""
        command = ["make", "--silent", "--keep-going"]
        command += [f"PROFILE={profile}", f"CH={only}", f"DATA={data}"]
        command += [f"build/{profile}/{name}.ipynb" for name in self.names]
        self._process = subprocess.Popen(
            command, cwd=root, env=_environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.pid = self._process.pid
        os.set_blocking(self._process.stdout.fileno(), False)

    def advance(self) -> bool:
        """Read and show what Make has said since; True when it has ended."""
        finished = self._process.poll() is not None
        self._hear((self._process.stdout.read() or b"").decode("utf-8", "replace"))
        if finished:
            self._process.stdout.close()
        return finished

    def failures(self) -> dict[str, str]:
        """Return what to mend, by chapter; by "" what kept Make from trying. Empty
        after a success. Only at the end."""
        if self._process.returncode == 0:
            return {}
        said = "\n".join(line for line in self._text if not OF_MAKE.match(line)).strip()
        failed = [found[1] for line in self._text if (found := FAILED.match(line))]
        parts = re.split(r"^(?=wslib: )", said or "make failed", flags=re.MULTILINE)
        about = {name: [p for p in parts if name in p] or parts for name in failed}
        return {
            name: "".join(part.removeprefix("wslib: ") for part in texts).strip()
            for name, texts in (about or {"": parts}).items()
        }

    def stop(self) -> None:
        """End Make and all that it has started."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
                break
        self._process.stdout.close()

    def _hear(self, text: str) -> None:
        if sys.stderr.isatty():
            print(text, end="", file=sys.stderr, flush=True)
        *lines, self._rest = re.split(r"[\r\n]", self._rest + text)
        for line in lines:
            begun, bar = BEGUN.match(line), BAR.match(line)
            if begun:
                self.running, self.share = begun[1], None
            elif bar:
                self.share = int(bar[2]) / int(bar[3])
            elif line.strip():
                self._text.append(line)
            if line.strip() and not bar and not sys.stderr.isatty():
                print(line, flush=True)


def _environment() -> dict[str, str]:
    """Copy ours, without what a Make above us would tell its own Make below; with the
    bars that say how far a chapter is."""
    ours = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", MAKE}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "WSLIB_BARS": "1"}
