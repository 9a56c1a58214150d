"""The book by Quarto itself, where it is installed and new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from wslib.workbook.stage import Stage, write_project

OLDEST = (1, 9)  # the first that makes books through Typst
OUTPUT = "_book"
UNRESOLVED = re.compile(
    r"Unable to resolve crossref|[Cc]iteproc: citation \S+ not found"
)


class QuartoFailed(RuntimeError):
    """Quarto made no book of a book that is right; the message is one line, and names
    the log that has the rest."""


def find() -> tuple[str, str] | None:
    """The program on the PATH and its version, such as "1.9.38"; None without one."""
    program = shutil.which("quarto")
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    return (program, done.stdout.strip()) if done.returncode == 0 else None


def is_recent(version: str) -> bool:
    """Whether this version of Quarto can make the book."""
    return tuple(int(n) for n in re.findall(r"\d+", version)[:2]) >= OLDEST


def make(staged: Stage, folder: Path, program: str) -> None:
    """Let Quarto write the book to `folder`, in all formats of `_quarto.yml`.

    The book has been checked. Raises QuartoFailed if Quarto fails all the same, or only
    warns of what would be missing.
    """
    write_project(staged, OUTPUT)
    log = staged.folder.with_name("quarto.log")
    with open(log, "w", encoding="utf-8") as file:
        done = subprocess.run(
            [program, "render"], cwd=staged.folder, stdin=subprocess.DEVNULL,
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    output = staged.folder / OUTPUT
    trouble = _trouble(done.returncode, log, output)
    if trouble:
        raise QuartoFailed(f"Quarto {trouble} (see {log})")
    for file in output.iterdir():
        shutil.move(file, folder / file.name)


def _trouble(status: int, log: Path, output: Path) -> str:
    """What went wrong, in a few words; "" if nothing did."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text("utf-8", "replace"))
    if status:
        return f"ended with status {status}"
    if found := UNRESOLVED.search(said):
        return f"says: {found[0]}"
    for name in ("index.html", "workbook.pdf"):
        if not (output / name).is_file():
            return f"wrote no {name}"
    for page in sorted(output.rglob("*.html")):
        if found := re.search(r"\?@[\w-]+", page.read_text("utf-8", "replace")):
            return f"left {found[0]} in {page.name}"
    return ""
