"""The command line: parses, calls the package, prints. Errors are one line.

A module here is a group of commands; what they do stands in the package.
"""

from __future__ import annotations

import sys

import typer

from wslib.cli import caltech, data, sam, segment, voc, workbook

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # paragraphs and errors as plain text
    help="Weakly supervised localisation: from image labels to boxes and masks.",
    pretty_exceptions_enable=False,
)
app.command("segment")(segment.segment_images)
app.command("cam")(segment.map_images)
app.add_typer(voc.app, name="voc")
app.add_typer(sam.app, name="sam")
app.add_typer(caltech.app, name="caltech")
app.add_typer(data.app, name="data")
app.add_typer(workbook.app, name="workbook")


def main() -> None:
    """Run the command line; an expected error is one line and status 1, Ctrl-C 130."""
    try:
        app()
    except (ValueError, RuntimeError) as error:
        sys.exit(f"wslib: {error}")
    except OSError as error:
        named = error.filename is not None and error.strerror
        sys.exit(
            f"wslib: {error.filename}: {error.strerror}" if named else f"wslib: {error}"
        )
