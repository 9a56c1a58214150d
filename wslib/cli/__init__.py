"""The command line: parses, calls the package, prints. Errors are one line.

A module here is a group of commands, and what they do stands in the package; beside
them `options` and `choices`, what can be typed, `contents`, the help, and `console`,
what is printed and written.
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

import wslib
from wslib.cli import (
    caltech,
    completion,
    console,
    data,
    detections,
    doctor,
    sam,
    segment,
    sharing,
    voc,
    workbook,
)
from wslib.cli.contents import Contents

EXAMPLES = """
\b
Examples:
  wslib doctor
  wslib cam cat.jpg --target "Egyptian cat"
  wslib segment cat.jpg --target "Egyptian cat" --out masks

Each command has its own: `wslib voc detect --help`. `make help` lists what makes the
book; the README tells the rest.
"""


class Book(Contents):
    """The commands in the order in which a reader of the book meets them."""

    chapters = {
        "Start here": ("doctor", "data"),
        "Chapter 1, heat maps": ("cam",),
        "Chapters 2 and 3, boxes": ("voc",),
        "Chapter 4, masks": ("segment", "sam"),
        "Chapter 5, class and box": ("caltech",),
        "The book": ("workbook",),
        "Your shell": ("completion",),
    }


app = typer.Typer(
    cls=Book,
    add_completion=False,  # `wslib completion` prints it
    rich_markup_mode=None,  # paragraphs and errors as plain text
    pretty_exceptions_enable=False,
    epilog=EXAMPLES,
)
app.command("doctor")(doctor.examine)
app.command("cam")(segment.map_images)
app.command("segment")(segment.segment_images)
voc.app.command("detect")(detections.detect_boxes)
voc.app.command("score")(detections.score_boxes)
voc.app.command("show")(detections.show_boxes)
workbook.app.command("handout")(sharing.make_handouts)
workbook.app.command("summary")(sharing.make_summary)
workbook.app.command("slides")(sharing.write_slides)
workbook.app.command("colab")(sharing.make_notebooks)
workbook.app.command("publish")(sharing.publish_book)
app.command("completion")(completion.print_completion)
app.add_typer(data.app, name="data")
app.add_typer(voc.app, name="voc")
app.add_typer(sam.app, name="sam")
app.add_typer(caltech.app, name="caltech")
app.add_typer(workbook.app, name="workbook")


def print_version(wanted: bool) -> None:
    """Print the versions of what results depend on, and end."""
    if wanted:
        try:
            torch = version("torch")
        except PackageNotFoundError:
            torch = "not installed"
        python = ".".join(map(str, sys.version_info[:3]))
        print(f"wslib {wslib.__version__}, torch {torch}, Python {python}")
        raise typer.Exit


@app.callback()
def book(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=print_version,
            is_eager=True,
            help="Print the versions of wslib, torch and Python.",
        ),
    ] = False,
) -> None:
    """Seeing without boxes: from image labels to heat maps, boxes and masks."""


def main() -> None:
    """Run the command line. An error is one line and status 1, or 2 where a command was
    mistyped; with WSLIB_DEBUG=1 its traceback. Ctrl-C is 130, a reader that has gone
    away is silent."""
    console.spell_out()
    try:
        status = app(prog_name="wslib", standalone_mode=False)
        print(end="", flush=True)
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        status = 1
    except console.UsageError as error:
        print(console.explain_usage(error), file=sys.stderr)
        status = error.exit_code
    except Exception as error:
        if os.environ.get("WSLIB_DEBUG"):
            raise
        status = console.explain(error)
    finally:
        _drop_unwritten()
    sys.exit(status or 0)


def _drop_unwritten() -> None:
    """Drop what cannot be written: Python would try again at its end, and complain."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
