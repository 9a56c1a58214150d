"""`wslib voc`: a dog detector from image labels, step by step."""

from __future__ import annotations

import typer

app = typer.Typer(
    no_args_is_help=True, help="From image labels to boxes on VOC2007, step by step."
)


@app.callback()
def group() -> None:
    """From image labels to boxes on VOC2007, step by step."""
