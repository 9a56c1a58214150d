"""Break a small book at many places, make it again, and count how often it is right.

    .venv/bin/python tests/faults/run.py [--every N] [KIND ...]

No part of `make test`: it takes minutes. Right is: what was the report before is whole
after the fault, no process runs on, and the next make, at most the second, gives the
book that an undisturbed one gives. A line for each fault that ends otherwise; then the
counts, and status 1 if there was any.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "workbook")]

from conftest import Project  # noqa: E402

TABLE = """
# %%
import pandas as pd
from wslib.show.tables import Table

Table(pd.DataFrame({"name": ["limit"], "n": [limit]}), "numbers")
"""
PATIENCE = 1200  # seconds for a make, beside whatever else a machine does
MOST = 40  # points of a kind in a command that are tried
JUNK = (None, b"", b"\0\xff junk", b"half")
REPORT = "report/_output/smoke"


class Book:
    """A small project, whose second chapter prints a number that is easy to change."""

    def __init__(self, root: Path):
        self.project, self.number = Project(root), 3
        with open(root / "chapters/02_two.py", "a", encoding="utf-8") as file:
            file.write(TABLE)
        self.root, self.done = root, root.parent / "fault-done"
        self.project.environment["FAULT_DONE"] = str(self.done)
        self.change()
        self.make()

    def make(self, fault: str = "") -> tuple[int, str]:
        """Run `make report`; its status and what it said."""
        make = self.start(FAULT=fault)
        said = make.communicate(timeout=PATIENCE)[0]
        return make.returncode, said

    def start(self, *words: str, **environment: str) -> subprocess.Popen:
        inject = os.pathsep.join([str(HERE / "inject"), str(self.root)])
        given = {**self.project.environment, "PYTHONPATH": inject, **environment}
        return subprocess.Popen(
            ["make", "PROFILE=smoke", "report", *words], cwd=self.root, env=given,
            text=True, errors="replace", start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def change(self) -> None:
        """Another number, and another sentence on a page that is not executed."""
        self.number += 1
        text = f"# Preface {{.unnumbered}}\n\nSee @sec-provenance. {self.number}\n"
        self.project.write("index.qmd", text)
        self.project.write("params/smoke/02_two.yml", f"limit: {self.number}\n")

    def complaint(self, tries: int = 2) -> str:
        """Make it again; what is wrong then, if anything."""
        for _ in range(tries):
            status, said = self.make()
            if re.search("Traceback|unexpected ", said):
                return f"a traceback: {said}"
            if status == 0:
                break
        if status:
            return f"make fails: {said}"
        shown = str(self.project.notebook("02_two").cells[-1].outputs)
        page = (self.root / REPORT / "index.html").read_text("utf-8")
        if f"| {self.number} " not in shown or f". {self.number}" not in page:
            return "stale: the number is not there"
        return self.broken() or self.orphans()

    def broken(self) -> str:
        """Which file of the report is not whole."""
        for name, start, end in (
            ("index.html", b"<!DOCTYPE", b"</html>"),
            ("workbook.pdf", b"%PDF", b"%%EOF"),
        ):
            content = (self.root / REPORT / name).read_bytes().strip()
            if not (content.startswith(start) and content.endswith(end)):
                return f"{name} is not whole"
        return ""

    def orphans(self) -> str:
        """Who still works in the project, a moment after make has ended."""
        for _ in range(40):
            listed = subprocess.run(["ps", "-eo", "args"], capture_output=True)
            lines = listed.stdout.decode(errors="replace").splitlines()
            left = [line for line in lines if str(self.root) in line]
            if not left:
                return ""
            time.sleep(0.25)
        return f"runs on: {left[0]}"


Results = Iterator[tuple[str, str]]  # a fault, and what was wrong after it or ""


def points(book: Book, kinds: tuple[str, ...], step: int) -> Results:
    """Fail each command at its 1st, 2nd ... file, until it has no more."""
    for command in ("check", "run", "render"):
        for kind in kinds:
            for number in range(1, MOST, step):
                fault = f"{command}:{kind}:{number}"
                book.change()
                book.done.unlink(missing_ok=True)
                status, said = book.make(fault)
                if not book.done.exists():
                    break
                wrong = "" if status else "make says that all is well"
                if kind == "full" and re.search("Traceback|unexpected ", said):
                    wrong = f"a traceback: {said}"
                yield fault, wrong or book.broken() or book.complaint()


def kills(book: Book, step: int) -> Results:
    """Kill with a file opened and not written, and between two replacements."""
    return points(book, ("open", "replace"), step)


def full(book: Book, step: int) -> Results:
    """A disk that is full from some file on."""
    return points(book, ("full",), step)


def damage(book: Book, step: int) -> Results:
    """Each file that a build leaves: lost, empty, overwritten, cut in half."""
    build = book.root / "build/smoke"
    book.complaint()
    files = [file for file in sorted(build.rglob("*")) if file.is_file()]
    names = [file.relative_to(build) for file in files]
    names = [name for name in names if name.parts[0] not in ("book", "pdf", "failed")]
    for name, junk in list(itertools.product(names, JUNK))[::step]:
        spoil(build / name, junk)
        for touched in ("chapters/01_one.py", "chapters/02_two.py", "index.qmd"):
            os.utime(book.root / touched)
        yield f"{name}, {junk!r}", book.complaint()


def spoil(file: Path, junk: bytes | None) -> None:
    content = file.read_bytes() if file.is_file() else b""
    file.unlink(missing_ok=True)
    if junk is not None:
        file.write_bytes(content[: len(content) // 2] if junk == b"half" else junk)


def together(book: Book, step: int) -> Results:
    """Two makes at once: of the same settings, and of others."""
    for settings in ("", "limit=7", "limit=8 seed=2")[::step]:
        book.change()
        makes = [book.start(), book.start(f"SET={settings}")]
        said = [make.communicate(timeout=PATIENCE)[0] for make in makes]
        failed = any(make.returncode for make in makes)
        wrong = "one fails: " + "\n".join(said) if failed else ""
        yield f"two makes, {settings or 'alike'}", wrong or book.complaint(tries=1)


def signals(book: Book, step: int) -> Results:
    """Signals to all, or to make alone, some time after the start."""
    ways = [(os.killpg, n) for n in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)]
    ways += [(os.kill, signal.SIGKILL), (os.kill, signal.SIGTERM)]
    for (send, number), seconds in list(itertools.product(ways, (0.5, 2, 5)))[::step]:
        book.change()
        make = book.start()
        time.sleep(seconds)
        if make.poll() is None:
            send(make.pid, number)
        make.communicate(timeout=PATIENCE)
        wrong = book.orphans() or book.broken() or book.complaint()
        yield f"{number.name} by {send.__name__} after {seconds} s", wrong


def main() -> None:
    """Try the kinds of fault that are named, or all."""
    tried = {f.__name__: f for f in (kills, full, damage, together, signals)}
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=described)
    kinds = ", ".join(tried)
    parser.add_argument("kind", nargs="*", metavar="KIND", help=f"{kinds}; or all")
    parser.add_argument("--every", type=int, default=1, help="try only every Nth fault")
    given, bad = parser.parse_args(), 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored behind a shell
    if unknown := {*given.kind} - {*tried}:
        parser.error(f"no kind {', '.join(unknown)}; there are {kinds}")
    for name in given.kind or tried:
        began, wrong, count = time.monotonic(), 0, 0
        with tempfile.TemporaryDirectory(prefix="faults-") as folder:
            book = Book(Path(folder, "project"))
            for fault, complaint in tried[name](book, given.every):
                count, wrong = count + 1, wrong + bool(complaint)
                if complaint:
                    print(f"  {name}: {fault}: {complaint}", flush=True)
        seconds = time.monotonic() - began
        print(f"{name}: {count - wrong} of {count} right, {seconds:.0f} s", flush=True)
        bad += wrong
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
