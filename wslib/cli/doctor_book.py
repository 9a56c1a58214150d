"""What `wslib doctor` says about the tools that make the book, and those of tests."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata

from wslib.cli.doctor_findings import LESS, OK, Finding, install, of_book
from wslib.cli.doctor_machine import compare, pins
from wslib.runtime.project import project_root

PAIRED = re.compile(r'^"?chapters/"?.*\n"?notebooks/"?', re.M)
TRACKERS = ("tensorboard", "wandb")


def look_at_renderer() -> Iterator[Finding]:
    """What will make the book: Quarto, or the engines that come with the packages."""
    from wslib.workbook import embedded, quarto

    found = quarto.find()
    new = found is not None and quarto.is_recent(found[1])
    try:
        engines = embedded.versions()
    except (ImportError, OSError) as error:
        engines, missing = None, " ".join(str(error).split())
    if new:
        yield Finding("renderer", f"Quarto {found[1]}, {found[0]}")
    elif engines:
        yield Finding("renderer", f"the built-in one: {engines}")
    else:
        remedy = install("pypandoc_binary typst")
        yield Finding("renderer", f"none ({missing})", of_book(), remedy)
    if not new:
        text = f"{found[1]} is too old, needs 1.9" if found else "not found, not needed"
        yield Finding("Quarto", text, LESS, install("quarto-cli"))


def look_at_tools() -> Iterator[Finding]:
    """Make, Git, the kernel that executes chapters, the pairing with notebooks."""
    make = _first_line("make")
    if make and make.startswith("GNU Make"):
        yield Finding("make", make)
    else:
        text = f"{make}, not GNU Make" if make else "not found"
        yield Finding("make", text, of_book(), "apt-get install make")
    git = _first_line("git")
    text, status, remedy = "not found", LESS, "apt-get install git"
    yield (
        Finding("git", git.removeprefix("git version "))
        if git
        else Finding("git", text, status, remedy)
    )
    yield Finding("kernel", f"ipykernel {metadata.version('ipykernel')}")
    yield from _pairing()


def _pairing() -> Iterator[Finding]:
    version = f"jupytext {metadata.version('jupytext')}"
    file = project_root() / "jupytext.toml"
    if file.is_file() and PAIRED.search(file.read_text("utf-8")):
        yield Finding("pairing", f"{version}: chapters/ with notebooks/")
    else:
        text = f"{version}, but no jupytext.toml here pairs chapters/ with notebooks/"
        yield Finding("pairing", text, LESS)


def look_at_extras() -> Iterator[Finding]:
    """What only the tests and the trackers need."""
    browsers = ("chromium", "google-chrome")
    packages = {"chromium": browsers, "poppler-utils": ("pdftotext", "pdftoppm")}
    for package, programs in packages.items():
        there = [name for name in programs if shutil.which(name)]
        enough = there if package == "chromium" else len(there) == len(programs)
        name = package.removesuffix("-utils")
        if enough:
            yield Finding(name, ", ".join(there))
        else:
            yield Finding(name, "not found", LESS, f"apt-get install {package}")
    tests = pins("requirements-test.txt")
    if tests:
        lacking = [f for f in compare(tests, "", LESS) if f.status != OK]
        text = f"{len(lacking)} of {len(tests)} are not as pinned"
        whole = Finding("test packages", f"{len(tests)} as pinned")
        less = Finding("test packages", text, LESS, "make test installs them")
        yield less if lacking else whole
    for name in TRACKERS:
        try:
            yield Finding(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "not installed, optional", LESS, install(name))


def _first_line(program: str) -> str | None:
    """What a program says of its version; None without it."""
    path = shutil.which(program)
    if path is None:
        return None
    done = subprocess.run([path, "--version"], capture_output=True, text=True)
    return (done.stdout.strip().splitlines() or [None])[0]
