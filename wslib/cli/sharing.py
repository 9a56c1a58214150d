"""`wslib workbook handout`, `summary`, `slides`, `colab` and `publish`: for others."""

from __future__ import annotations

from pathlib import Path

from wslib.cli.options import option
from wslib.cli.workbook import Chapters, EditionName, Profile, SomeChapters

Branch = option(str | None, "Commit them to this local branch, beside the tree")
Remote = option(str, "A repository, by name")
PagesBranch = option(str, "Of the pages")
DryRun = option(bool, "Push nothing", "--dry-run")


def make_summary(chapters: Chapters, profile: Profile = "sample") -> None:
    """Make a PDF of two pages of a chapter's cells tagged `summary`.

    \b
    Example: wslib workbook summary chapters/NN_name.py --profile smoke
    """
    from wslib.workbook.report.summary import summarise

    for chapter in chapters:
        summarise(chapter, profile)


def make_handouts(
    chapters: Chapters, profile: Profile = "sample", edition: EditionName = ""
) -> None:
    """Make a PDF and a web page of one chapter that was run.

    \b
    Example: wslib workbook handout chapters/NN_name.py --edition student
    """
    from wslib.workbook.report.handout import make_handout

    for chapter in chapters:
        print(*make_handout(chapter, profile, edition), sep="\n")


def write_slides(chapters: Chapters, profile: Profile = "sample") -> None:
    """Make slides of a chapter's cells tagged `slide`, in one HTML file.

    Quarto makes them with revealjs where it is.

    \b
    Example: wslib workbook slides chapters/NN_name.py --profile smoke
    """
    from wslib.workbook.notebooks.slides import make_slides

    for chapter in chapters:
        print(make_slides(chapter, profile), flush=True)


def make_notebooks(
    chapters: SomeChapters = None, profile: Profile = "sample", branch: Branch = None
) -> None:
    """Make notebooks of chapters that run when they are uploaded.

    Each is one file, build/colab/NAME.ipynb.

    \b
    Example: wslib workbook colab chapters/NN_name.py
    Example: wslib workbook colab --branch colab
    """
    from wslib.models.published import list_downloads
    from wslib.workbook.notebooks.colab import Course, commit_notebooks, write_notebook
    from wslib.workbook.sources.badges import colab_url, write_badges
    from wslib.workbook.sources.chapter import Chapter

    course = Course(Path("."), profile, list_downloads())
    wanted = [Chapter(path) for path in chapters] if chapters else course.chapters
    for chapter in wanted:
        print(write_notebook(chapter, course), flush=True)
    if write_badges(course.root, course.chapters):
        print("README.md: badges")
    if branch:
        print(commit_notebooks(wanted, course, branch))
    elif colab_url(course.root, wanted[0].name):
        print("the links in README and book lead to the branch colab; to fill it:")
        print("  wslib workbook colab --branch colab && git push origin colab")


def publish_book(
    profile: Profile = "sample",
    edition: EditionName = "",
    remote: Remote = "origin",
    branch: PagesBranch = "gh-pages",
    dry_run: DryRun = False,
) -> None:
    """Push the finished web book and its notebooks to their branches.

    Nothing in this folder changes. What is published is what is committed: with other
    changes, and without a book, nothing is pushed.

    \b
    Example: wslib workbook publish --dry-run
    """
    from wslib.workbook.report.publish import publish

    print(*publish(Path("."), profile, edition, remote, branch, dry_run), sep="\n")
