"""`wslib doctor`: what is installed, found and missing, and what to do about it."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import typer

import wslib
from wslib.cli import options
from wslib.cli.doctor_findings import BAD, LESS, MARKS, Finding, look, of_book
from wslib.cli.printing import print_json

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
    sections = look_at_all()
    problems = [f for found in sections.values() for f in found if f.status == BAD]
    lacks = {} if problems else _lacks(sections)
    ready = [name for name, lack in lacks.items() if not lack and not problems]
    words = conclude(problems, lacks)
    if as_json:
        told = {k: [asdict(f) for f in found] for k, found in sections.items()}
        told = {"wslib": wslib.__version__, "sections": told, "ready": ready}
        print_json({**told, "lacks": lacks, "words": words})
    else:
        _print(sections, words)
    raise typer.Exit(1 if problems else 0)


def look_at_all() -> Sections:
    """All findings, by heading. Whatever is broken, each check is made."""
    from wslib.cli import doctor_book, doctor_data, doctor_machine

    # The Makefile finds the programs of this environment, Quarto's among them, so.
    path = [str(Path(sys.executable).parent), os.environ.get("PATH")]
    os.environ["PATH"] = os.pathsep.join(filter(None, path))
    again = "install it again"
    return {
        "This machine": [
            *look("Python", doctor_machine.look_at_python),
            *look("computer", doctor_machine.look_at_computer, LESS),
            *look("torch", doctor_machine.look_at_torch, remedy=again),
            *look("torchvision", doctor_machine.look_at_torchvision, remedy=again),
            *look("packages", doctor_machine.look_at_packages),
        ],
        "The book": [
            *look("renderer", doctor_book.look_at_renderer, of_book()),
            *look("tools", doctor_book.look_at_tools, of_book()),
            *look("profiles", doctor_data.look_at_profiles),
        ],
        "Data": look("data sets", doctor_data.look_at_data, LESS),
        "Weights": look("weights", doctor_data.look_at_weights),
        "Tests and extras": look("extras", doctor_book.look_at_extras, LESS),
    }


def _lacks(sections: Sections) -> dict[str, dict[str, str]]:
    from wslib.cli.doctor_data import lacking

    return lacking([*sections["Data"], *sections["Weights"]])


def conclude(problems: list[Finding], lacks: Mapping[str, Mapping[str, str]]) -> str:
    """What can run now, and what the rest needs, in a sentence."""
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


def _print(sections: Sections, words: str) -> None:
    print(f"wslib {wslib.__version__}, in {Path(__file__).parents[1]}")
    for heading, found in sections.items():
        print(f"\n{heading}", *found, sep="\n")
    print(f"\n{textwrap.fill(words, 80, break_on_hyphens=False)}")
