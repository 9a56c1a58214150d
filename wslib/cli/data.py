"""`wslib data`: what there is on this machine, and what can be fetched."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Fetch and look at the data sets.")


@app.callback()
def group() -> None:
    """Fetch and look at the data sets."""
