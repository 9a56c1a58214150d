"""What a notebook for Colab calls while it runs, there or wherever it was put.

It travels in the notebook. Until the packages are there it is plain Python, and nothing
else of `wslib` imports it.
"""

from __future__ import annotations

import copy
import importlib
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

KEPT = ("torch", "torchvision", "numpy")  # what is there of these is never touched
SPAN = re.compile(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\{\.small\}")


class SetupError(RuntimeError):
    """A mistake that the reader can mend. Jupyter shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def prepare(needed: Mapping[str, str]) -> None:
    """Install what is missing of `needed`, and show tables as Colab reads them."""
    install_missing(needed)
    show_plain_tables()


# ---------------------------------------------------------------------- the packages


def install_missing(needed: Mapping[str, str]) -> list[str]:
    """Install what cannot be imported of `needed` (import name -> requirement, such as
    {"skimage": "scikit-image"}), and return what was. A dotted name is a part that an
    installed package may lack.

    pip may add distributions but change none: each one that is there is a constraint.
    Raises SetupError, one line, without torch, torchvision or numpy, where pip fails,
    and if one of the three has changed all the same.
    """
    before = _versions()
    missing = {name: wanted for name, wanted in needed.items() if not _is_here(name)}
    if not missing:
        print("packages: all are here, nothing is installed")
        return []
    for name, wanted in missing.items():
        package = name.partition(".")[0]
        if package != name and importlib.util.find_spec(package):
            print(f"{package} is here, but without {name}: {wanted} goes over it")
    wanted = sorted(set(missing.values()))
    _install(wanted)
    importlib.invalidate_caches()
    if absent := [name for name in missing if not _is_here(name)]:
        raise SetupError(f"{', '.join(absent)}: installed, but cannot be imported")
    if changed := {k: v for k, v in _versions().items() if v != before[k]}:
        raise SetupError(f"pip has changed {_listed(changed)}: restart the runtime")
    print(
        f"packages: installed {', '.join(wanted)}; {_listed(before)} are as they were"
    )
    return wanted


def _versions() -> dict[str, str]:
    """Find versions of what must be there before; SetupError names what is not."""
    absent = [name for name in KEPT if importlib.util.find_spec(name) is None]
    if absent:
        raise SetupError(
            f"{', '.join(absent)}: not installed here, and this notebook does not "
            "install it (https://pytorch.org says how)"
        )
    return {name: importlib.metadata.version(name) for name in KEPT}


def _is_here(name: str) -> bool:
    package = name.partition(".")[0]
    if importlib.util.find_spec(package) is None:
        return False
    if package == name:
        return True
    # In a process of its own: what was imported here could not be replaced any more.
    look = [sys.executable, "-c", f"import {package}; {name}"]
    return subprocess.run(look, capture_output=True).returncode == 0


def _install(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        frozen = Path(folder, "constraints.txt")
        frozen.write_text(_pip("list", "--format=freeze"), encoding="utf-8")
        try:
            _pip("install", "--quiet", "--retries=2", f"--constraint={frozen}", *wanted)
        except SetupError as error:
            why = str(error)
            why += "; is there a network?" if "Could not find" in why else ""
            raise SetupError(f"{', '.join(wanted)}: not installed; {why}") from None


def _pip(*words: str) -> str:
    """Return what pip prints; SetupError with the first line that says what is
    wrong."""
    command = [sys.executable, "-m", "pip", *words]
    command += ["--no-input", "--no-color", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [*done.stderr.strip().splitlines(), f"status {done.returncode}"]
        first = next((line for line in lines if line.startswith("ERROR:")), lines[0])
        raise SetupError(f"pip: {first.removeprefix('ERROR:').strip()}")
    return done.stdout


# -------------------------------------------------------------------- the parameters


def settle(
    form: Mapping,
    knobs: Mapping[str, tuple],
    profiles: Mapping[str, Mapping],
    profile: str,
    shown: str,
) -> dict:
    """Return the parameters that count, and print where they are from.

    `form` has what the reader left or typed, `knobs` the annotation and the default of
    each parameter, `profiles` what each profile sets. The form was made with the values
    of the profile `shown`: what still has them takes the value of `profile`. Checked as
    the build checks parameters; SetupError, one line, for one that is missing or wrong.
    """
    from wslib.workbook.sources import params

    if profile not in profiles:
        raise SetupError(f"profile {profile!r}, expected one of {', '.join(profiles)}")
    if absent := [name for name in knobs if name not in form]:
        raise SetupError(f"{', '.join(absent)}: not set; run the cell above first")
    lines = [f"{name}: {kind} = {value!r}" for name, (kind, value) in knobs.items()]
    declared = params.declared_knobs("\n".join(lines), "the form")
    try:
        typed = params.check({k: form[k] for k in knobs}, declared, "the form")
    except params.ParameterError as error:
        raise SetupError(str(error)) from None
    defaults = {name: value for name, (_, value) in knobs.items()}
    before, after = ({**defaults, **profiles[name]} for name in (shown, profile))
    yours = {name: value for name, value in typed.items() if value != before[name]}
    theirs = {k: after[k] for k in knobs if k not in yours and after[k] != before[k]}
    print(f"profile {profile}: {_listed(theirs, ' = ') or 'as the form shows it'}")
    if yours:
        print(f"changed by you: {_listed(yours, ' = ')}")
    return copy.deepcopy({**after, **yours})


def _listed(values: Mapping, sign: str = " ") -> str:
    shown = str if sign == " " else repr
    return ", ".join(f"{name}{sign}{shown(value)}" for name, value in values.items())


# ----------------------------------------------------------------------- the network


def fetch(values: Mapping, downloads: Mapping[str, Mapping]) -> None:
    """Say what the `values` of parameters stand for on the network, and fetch the data
    sets among it; weights are fetched when the chapter asks for them.

    `downloads`: value -> what it is, how large, where it goes, and what fetches it (see
    `wslib.models.published`). Raises SetupError, one line, where that fails.
    """
    words = set(_words(list(values.values())))
    wanted = {name: row for name, row in downloads.items() if name in words}
    if not wanted:
        print("to download: nothing")
    for row in wanted.values():
        here = next(filter(Path.exists, _places(row)), None)
        place = here or next(_places(row))
        print(
            f"{row['what']}: {'is in' if here else row['size'] + ', goes to'} {place}"
        )
    for name, row in wanted.items():
        if row["fetch"] and not (
            row["instead"] and any(map(Path.exists, _places(row)))
        ):
            module, _, function = row["fetch"].rpartition(".")
            try:
                getattr(importlib.import_module(module), function)(name)
            except (OSError, RuntimeError, ValueError) as error:
                raise SetupError(str(error)) from None


def _words(value) -> Iterator[str]:
    """Yield the strings in a value, in lists and dictionaries too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _words(item)


def _places(row: Mapping) -> Iterator[Path]:
    if row["below"] == "torch":  # torchvision's weights
        import torch

        folder = Path(torch.hub.get_dir(), "checkpoints")
    else:
        folder = Path(os.environ.get("WSLIB_DATA") or "data").absolute()
    yield from (folder / name for name in (row["path"], row["instead"]) if name)


# ------------------------------------------------------------------------ the tables


def show_plain_tables() -> None:
    """Have Jupyter show tables without the attributes that only the book reads."""
    from IPython import get_ipython

    if shell := get_ipython():
        formatter = shell.display_formatter.formatters["text/markdown"]
        for module in ("wslib.show.tables.Table", "IPython.core.display.Markdown"):
            formatter.for_type_by_name(*module.rsplit(".", 1), plain_markdown)


def plain_markdown(table) -> str:
    """Return what is shown of a table, with HTML in the place of attributes."""
    return SPAN.sub(r"<small>\1</small>", table._repr_markdown_())
