"""Put the finished web book on a branch of the remote repository, beside the tree.

A host of static pages, such as GitHub Pages, shows what is on the branch `gh-pages`;
the links to Colab lead to the branch `colab`. Neither the index, the working tree nor a
local branch is touched: the commit is made from the files, and pushed.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from wslib.workbook.report.editions import Edition, of_edition
from wslib.workbook.report.render import PRODUCTS
from wslib.workbook.sources.badges import BRANCH as NOTEBOOKS
from wslib.workbook.sources.book import load_book
from wslib.workbook.sources.repository import GitError, git

PAGES = "gh-pages"
PLAIN = ".nojekyll"  # without it, GitHub leaves out names that begin with _
AS_THEY_ARE = {  # the bytes of the files, whatever git is set to
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.autocrlf",
    "GIT_CONFIG_VALUE_0": "false",
}


@dataclass(frozen=True)
class Shelf:
    """A folder that becomes a branch; of what another has put there, nothing is lost:
    a branch without a file whose name ends with `mark` is refused."""

    branch: str
    folder: Path
    mark: str


def publish(
    root: Path,
    profile: str,
    edition: Edition = "",
    remote: str = "origin",
    branch: str = PAGES,
    dry_run: bool = False,
) -> list[str]:
    """Push the book of `profile` and the notebooks in build/colab to their branches of
    `remote`; return what was done, a line for each branch.

    Raises FileNotFoundError for a book or notebooks that are not made, GitError for
    changes that no commit has, a branch that is checked out or holds something else,
    and where git fails. The remote has then changed in no part.
    """
    shelves = _find(root, profile, edition, branch)
    _refuse_changes(root)
    lines, moves = [], []
    message = f"{profile} of {git(root, 'rev-parse', '--short=10', 'HEAD')}"
    for shelf in shelves:
        old = _tip(root, remote, shelf)
        new = _commit(root, shelf, old, f"The {shelf.branch} of {message}")
        count = len(git(root, "ls-tree", "-r", "--name-only", new or old).splitlines())
        state = "has this already" if new is None else f"{count} files"
        lines.append(f"{shelf.branch} of {remote}: {state}, {message}")
        moves += [f"{new}:refs/heads/{shelf.branch}"] if new else []
    if moves:
        options = ["--atomic", *["--dry-run"] * dry_run]
        git(root, "push", "--quiet", *options, remote, *moves)
    return [*lines, *["nothing was pushed: this was a dry run"] * dry_run]


def _find(root: Path, profile: str, edition: Edition, branch: str) -> list[Shelf]:
    book, notebooks = (
        of_edition(load_book(root, profile), edition),
        root / "build/colab",
    )
    names = [Path(page.file) for page in book.pages]
    needed = {book.output / name: "report" for name in PRODUCTS}
    needed |= {notebooks / n.name: "colab" for n in names if n.suffix == ".ipynb"}
    words = f"PROFILE={profile}" + (f" EDITION={edition}" if edition else "")
    for file, target in needed.items():
        if not file.is_file():
            raise FileNotFoundError(
                f"{file}: not found; make {target} {words} makes it"
            )
    return [Shelf(branch, book.output, PLAIN), Shelf(NOTEBOOKS, notebooks, ".ipynb")]


def _refuse_changes(root: Path) -> None:
    changed = [line[3:] for line in git(root, "status", "--porcelain").splitlines()]
    if changed:
        more = f" and {len(changed) - 1} more" * (len(changed) > 1)
        raise GitError(f"{changed[0]}{more}: not as committed; commit it first")


def _tip(root: Path, remote: str, shelf: Shelf) -> str | None:
    """Fetch the commit that the remote's branch is at; None if there is no branch."""
    git(root, "check-ref-format", "--branch", shelf.branch)
    name = f"refs/heads/{shelf.branch}"
    if f"branch {name}" in git(root, "worktree", "list", "--porcelain").splitlines():
        raise GitError(f"{shelf.branch}: is checked out; expected another branch")
    found = git(root, "ls-remote", remote, name).split()
    if not found:
        return None
    git(root, "fetch", "--quiet", "--no-write-fetch-head", remote, found[0])
    holds = git(root, "ls-tree", "--name-only", found[0]).splitlines()
    if not any(name.endswith(shelf.mark) for name in holds):
        what = f"{shelf.branch} of {remote}: holds {', '.join(holds[:3])}"
        raise GitError(f"{what} and no {shelf.mark}; expected a branch of its own")
    return found[0]


def _commit(root: Path, shelf: Shelf, parent: str | None, message: str) -> str | None:
    """Make the commit, through an index of its own; None where nothing is new."""
    objects = Path(git(root, "rev-parse", "--absolute-git-dir"))
    with tempfile.TemporaryDirectory() as scratch:
        tree = _tree(objects, shelf, Path(scratch))
    if parent and git(root, "rev-parse", f"{parent}^{{tree}}") == tree:
        return None
    above = ["-p", parent] if parent else []
    return git(root, "commit-tree", tree, *above, "-m", message)


def _tree(objects: Path, shelf: Shelf, scratch: Path) -> str:
    place = {
        **AS_THEY_ARE,
        "GIT_DIR": str(objects),
        "GIT_WORK_TREE": str(shelf.folder.resolve()),
        "GIT_INDEX_FILE": str(scratch / "index"),
    }

    def here(*words: str) -> str:
        return git(shelf.folder, *words, environment=place)

    here("add", "--all", "--force", ".")
    if shelf.mark == PLAIN:
        entry = f"100644,{here('hash-object', '-w', '--stdin')},{PLAIN}"
        here("update-index", "--add", "--cacheinfo", entry)
    return here("write-tree")
