"""The book by Quarto itself, where it is installed and new enough."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wslib.workbook.report.paper import lay_out, squeeze
from wslib.workbook.report.retouch import retouch
from wslib.workbook.report.slim import slim
from wslib.workbook.report.stage import PICTURES, Stage, write_project

OLDEST = (1, 9)  # the first that makes books through Typst
OUTPUT = "_book"
NO_SOURCES = {OUTPUT, ".quarto", ".gitignore", "finished", "book.json", "book.typ"}
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


def make(staged: Stage, paper: Stage, folder: Path, program: str) -> None:
    """Let Quarto write the book to `folder`, the web book and, from the pages of
    `paper`, the PDF, side by side.

    The book has been checked. Of the web book only the pages that have changed are made
    anew, if nothing else depends on what has changed in them. Raises QuartoFailed if
    Quarto fails all the same, or only warns of what would be missing.
    """
    web, pdf = (staged.folder.with_name(name) for name in ("web", "pdf"))
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_make_web, staged, web, program),
            pool.submit(_make_pdf, paper, pdf, program),
        ]
    for job in jobs:
        job.result()
    shutil.copytree(web / OUTPUT, folder, dirs_exist_ok=True)
    shutil.copy(pdf / OUTPUT / "workbook.pdf", folder)
    retouch(folder)
    slim(folder)


def _make_pdf(staged: Stage, folder: Path, program: str) -> None:
    lay_out(staged, folder)
    write_project(staged, folder, OUTPUT, "typst")
    _render(program, folder, "typst", "workbook.pdf")
    squeeze(folder / OUTPUT / "workbook.pdf")


def _make_web(staged: Stage, folder: Path, program: str) -> None:
    """Make all pages, or those that have changed since the folder was `finished`."""
    finished = folder / "finished"
    before = _contents(folder) if finished.is_file() else {}
    finished.unlink(missing_ok=True)
    if not before:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(staged.folder, folder, dirs_exist_ok=True)
    for name in before.keys() - _contents(staged.folder).keys() - {"_quarto.yml"}:
        (folder / name).unlink()
    write_project(staged, folder, OUTPUT, "html")
    pages = _pages_to_make(before, _contents(folder))
    if pages != []:
        _render(program, folder, "html", "index.html", pages or [])
    finished.touch()


def _contents(folder: Path) -> dict[str, bytes]:
    """The files of the project by their names, without what Quarto makes there."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    names = {file.relative_to(folder): file for file in files}
    return {
        name.as_posix(): file.read_bytes()
        for name, file in names.items()
        if name.parts[0] not in NO_SOURCES
    }


def _pages_to_make(before: dict, after: dict) -> list[str] | None:
    """The pages that differ; None for all, if others may depend on what differs."""
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    pages = [name for name in changed if name.endswith(".qmd")]
    pictures = [name for name in changed if name.startswith(f"{PICTURES}/")]
    alone = len(pages) + len(pictures) == len(changed) and all(
        name in before and name in after and _frame(before[name]) == _frame(after[name])
        for name in pages
    )
    return pages if before and alone and (pages or not pictures) else None


def _frame(page: bytes) -> list[bytes]:
    """What other pages take from this one: headings, labels, what it cites."""
    return re.findall(rb"^#.*|\{#[\w-]+|(?<!\w)@[\w:-]+", page, re.MULTILINE)


def _render(
    program: str, folder: Path, to: str, product: str, pages: list[str] = ()
) -> None:
    log = folder.with_name(f"quarto-{to}.log")
    with open(log, "w", encoding="utf-8") as file:
        done = subprocess.run(
            [program, "render", *pages, "--to", to], cwd=folder,
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    trouble = _trouble(done.returncode, log, folder / OUTPUT, product)
    if trouble:
        raise QuartoFailed(f"Quarto {trouble} (see {log})")


def _trouble(status: int, log: Path, output: Path, product: str) -> str:
    """What went wrong, in a few words; "" if nothing did."""
    said = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text("utf-8", "replace"))
    if status:
        return f"ended with status {status}"
    if found := UNRESOLVED.search(said):
        return f"says: {found[0]}"
    if not (output / product).is_file():
        return f"wrote no {product}"
    for page in sorted(output.rglob("*.html")):
        if found := re.search(r"\?@[\w-]+", page.read_text("utf-8", "replace")):
            return f"left {found[0]} in {page.name}"
    return ""
