"""The command line: parses, calls the package, prints. Errors are one line.

A module here is a group of commands; what they do stands in the package.
"""

from __future__ import annotations

import sys

import typer

from wslib.cli import data, voc, workbook

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Weakly supervised localisation: from image labels to boxes and masks.",
    pretty_exceptions_enable=False,
)
app.add_typer(voc.app, name="voc")
app.add_typer(data.app, name="data")
app.add_typer(workbook.app, name="workbook")


def main() -> None:
    """Run the command line; an expected error is one line and status 1."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit("wslib: interrupted")
    except (ValueError, FileNotFoundError, RuntimeError, OSError) as error:
        sys.exit(f"wslib: {error}")
