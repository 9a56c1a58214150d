"""The book by Quarto itself, where it is installed and new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from wslib.workbook.book import Book, RenderError

OLDEST = (1, 9)  # the first that makes books through Typst
UNRESOLVED = re.compile(r"Unable to resolve crossref\s*@?([\w-]+)?")
MISSING_KEY = re.compile(r"[Cc]iteproc: citation ([\w:-]+) not found")


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


def make(book: Book, folder: Path, program: str) -> None:
    """Let Quarto write the book to `folder`, all formats of `_quarto.yml` at once.

    Quarto only warns about references that lead nowhere; here they are errors. Raises
    RenderError with the last lines of Quarto's own words, or a line for each problem.
    """
    command = [program, "render", "--profile", book.profile]
    command += ["--output-dir", os.path.relpath(folder, book.root)]
    done = subprocess.run(
        command, cwd=book.root, text=True, encoding="utf-8", errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    found = [f"@{label}: no such label" for label in UNRESOLVED.findall(said)]
    found += [f"@{key}: not in the bibliography" for key in MISSING_KEY.findall(said)]
    if done.returncode:
        found += ["quarto render failed:", *said.strip().splitlines()[-12:]]
    found += _left_unresolved(folder) if not found else []
    for name in ("index.html", "workbook.pdf"):
        if not found and not (folder / name).is_file():
            found.append(f"quarto wrote no {name}; it said: {said[-300:].strip()}")
    if found:
        raise RenderError("\n".join(dict.fromkeys(found)))


def _left_unresolved(folder: Path) -> list[str]:
    """References that Quarto printed as `?@fig-x`, with the page that holds them."""
    return [
        f"{page.relative_to(folder)}: @{label}: no such label"
        for page in sorted(folder.rglob("*.html"))
        for label in re.findall(r"\?@([\w-]+)", page.read_text("utf-8", "replace"))
    ]
