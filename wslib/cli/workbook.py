"""`wslib workbook`: the steps from chapters to the report, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="The steps from chapters to the report, one by one; `make report` takes them.",
)

Chapters = Annotated[list[Path], typer.Argument(help="Such as chapters/02_*.py")]
Profile = Annotated[str, typer.Option(help="smoke, sample or full")]
Overrides = Annotated[str, typer.Option("--set", help='Such as "seed=1 epochs=5"')]


@app.command("check")
def check_chapters(
    chapters: Chapters, profile: Profile = "sample", overrides: Overrides = ""
) -> None:
    """Check the parameters of chapters; nothing is executed.

    Example: wslib workbook check chapters/*.py --set "seed=1"
    """
    from wslib.params import parse_overrides
    from wslib.workbook.chapter import Chapter
    from wslib.workbook.run import Build, check

    check(
        [Chapter(path) for path in chapters], Build(profile), parse_overrides(overrides)
    )


@app.command("run")
def run_chapter(
    chapter: Annotated[Path, typer.Argument(help="A checked chapter")],
    profile: Profile = "sample",
) -> None:
    """Execute one chapter that was checked, or join its new prose to its outputs.

    Example: wslib workbook run chapters/NN_name.py --profile smoke
    """
    from wslib.workbook.chapter import Chapter
    from wslib.workbook.run import Build, run

    run(Chapter(chapter), Build(profile))


@app.command("summary")
def make_summary(chapters: Chapters, profile: Profile = "sample") -> None:
    """Make a PDF of two pages from the cells of a chapter that are tagged `summary`.

    Example: wslib workbook summary chapters/NN_name.py --profile smoke
    """
    from wslib.workbook.summary import summarise

    for chapter in chapters:
        summarise(chapter, profile)


@app.command("render")
def render_book(profile: Profile = "sample") -> None:
    """Assemble the executed notebooks into the HTML book and the PDF.

    Example: wslib workbook render --profile smoke
    """
    from wslib.workbook.book import load_book
    from wslib.workbook.provenance import write_page
    from wslib.workbook.render import render

    root = Path(".")
    pages = [root / page.file for page in load_book(root, profile).pages]
    notebooks = [page for page in pages if page.suffix == ".ipynb" and page.is_file()]
    write_page(notebooks, root / "build" / profile / "provenance.qmd")
    render(root, profile)
