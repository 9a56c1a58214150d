"""The web book on a branch of a remote, which is a bare repository beside it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wslib import cli
from wslib.workbook.report.publish import publish
from wslib.workbook.sources.repository import GitError, git

BOOK = "project:\n  output-dir: out\nbook:\n  chapters: [build/smoke/01_one.ipynb]\n"


def commits(folder: Path, branch: str) -> list[str]:
    return git(folder, "log", "--format=%s", branch).splitlines()


def files(folder: Path, branch: str) -> list[str]:
    return git(folder, "ls-tree", "-r", "--name-only", branch).splitlines()


def content(folder: Path, name: str) -> bytes:
    words = ["git", "-C", str(folder), "show", name]
    return subprocess.run(words, check=True, capture_output=True).stdout


class Here:
    """A project with a finished book, and its remote."""

    def __init__(self, folder: Path):
        self.root, self.remote = folder / "project", folder / "remote.git"
        self.root.mkdir()
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.remote))
        git(self.root, "init", "-q", "-b", "main")
        self.write(".gitignore", b"/out/\n/build/\n*.ipynb\n")
        self.write("_quarto.yml", b"{}")
        self.write("_quarto-smoke.yml", BOOK.encode())
        for words in ("add .", "commit -q -m One", f"remote add origin {self.remote}"):
            git(self.root, *words.split())
        git(self.root, "push", "-q", "origin", "main")
        self.write("out/index.html", b"<p>book</p>\r\n")
        self.write("out/workbook.pdf", b"%PDF\x00\xff\r\n")
        self.write("out/site_libs/_a.js", b"1")
        self.write("build/colab/01_one.ipynb", b"{}")

    def write(self, name: str, content: bytes) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(content)

    def state(self) -> tuple:
        """All that publishing must leave as it is."""
        refs = (
            git(self.root, "for-each-ref", "refs/heads"),
            git(self.root, "rev-parse", "HEAD"),
        )
        index = (self.root / ".git/index").read_bytes()
        tree = sorted(
            (path, path.stat().st_mtime_ns)
            for path in self.root.rglob("*")
            if ".git" not in path.parts and path.is_file()
        )
        return refs, index, tree

    def publish(self, **options) -> list[str]:
        before = self.state()
        try:
            return publish(self.root, "smoke", **options)
        finally:
            assert self.state() == before

    def branches(self) -> list[str]:
        names = git(self.remote, "for-each-ref", "--format=%(refname:short)")
        return names.splitlines()


@pytest.fixture
def here(tmp_path, monkeypatch):
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.org")
    return Here(tmp_path)


def test_book_and_notebooks_reach_their_branches(here):
    head = git(here.root, "rev-parse", "--short=10", "HEAD")
    lines = here.publish()
    assert lines[0] == f"gh-pages of origin: 4 files, smoke of {head}"
    assert lines[1] == f"colab of origin: 1 files, smoke of {head}"
    assert here.branches() == ["colab", "gh-pages", "main"]
    pages = [".nojekyll", "index.html", "site_libs/_a.js", "workbook.pdf"]
    assert files(here.remote, "gh-pages") == pages
    assert files(here.remote, "colab") == ["01_one.ipynb"]
    assert content(here.remote, "gh-pages:index.html") == b"<p>book</p>\r\n"
    assert content(here.remote, "gh-pages:workbook.pdf") == b"%PDF\x00\xff\r\n"


def test_bytes_stay_whatever_git_is_set_to(here):
    git(here.root, "config", "core.autocrlf", "input")
    git(here.root, "config", "core.safecrlf", "true")
    here.publish()
    assert content(here.remote, "gh-pages:index.html") == b"<p>book</p>\r\n"


def test_what_is_new_is_a_commit_on_top_and_what_is_not_is_none(here):
    here.publish()
    assert "has this already" in here.publish()[0]
    here.write("out/index.html", b"<p>new</p>")
    (here.root / "out/site_libs/_a.js").unlink()
    lines = here.publish()
    assert "3 files" in lines[0] and "has this already" in lines[1]
    assert len(commits(here.remote, "gh-pages")) == 2
    assert len(commits(here.remote, "colab")) == 1
    assert "site_libs/_a.js" not in files(here.remote, "gh-pages")


def test_another_checkout_goes_on_from_what_the_remote_has(here, tmp_path):
    here.publish()
    git(tmp_path, "clone", "-q", str(here.remote), "second")
    second = tmp_path / "second"
    for name in ("out", "build"):
        (second / name).symlink_to(here.root / name)
    git(second, "config", "core.excludesFile", os.devnull)
    (second / ".git/info/exclude").write_text("out\nbuild\n")
    here.write("out/index.html", b"other")
    publish(second, "smoke")
    here.write("out/index.html", b"third")
    here.publish()
    assert len(commits(here.remote, "gh-pages")) == 3


def test_a_dry_run_pushes_nothing(here):
    lines = here.publish(dry_run=True)
    assert "4 files" in lines[0] and lines[-1].startswith("nothing was pushed")
    assert here.branches() == ["main"]


@pytest.mark.parametrize(
    ("gone", "said"),
    [("out/index.html", "make report PROFILE=smoke makes it"),
     ("out/workbook.pdf", "make report PROFILE=smoke makes it"),
     ("build/colab/01_one.ipynb", "make colab PROFILE=smoke makes it")],
)  # fmt: skip
def test_a_missing_book_is_named(here, gone, said):
    (here.root / gone).unlink()
    with pytest.raises(FileNotFoundError, match=f"{gone}: not found; {said}"):
        here.publish()
    assert here.branches() == ["main"]


@pytest.mark.parametrize("name", ["_quarto.yml", "new.qmd"])
def test_what_is_not_committed_is_not_published(here, name):
    here.write(name, b"a: 1\n")
    with pytest.raises(GitError, match=f"^{name}: not as committed; commit it first"):
        here.publish()
    here.write("other", b"")
    with pytest.raises(GitError, match="and 1 more: not as committed"):
        here.publish()
    assert here.branches() == ["main"]


def test_a_branch_that_is_checked_out_is_refused(here, tmp_path):
    with pytest.raises(GitError, match="main: is checked out"):
        here.publish(branch="main")
    git(here.root, "worktree", "add", "-q", "-b", "gh-pages", str(tmp_path / "tree"))
    with pytest.raises(GitError, match="gh-pages: is checked out"):
        here.publish()
    assert here.branches() == ["main"]


def test_a_branch_with_something_else_is_refused_and_nothing_is_pushed(here):
    git(here.remote, "branch", "colab", "main")
    told = "colab of origin: holds .gitignore, _quarto-smoke.yml, _quarto.yml and no"
    with pytest.raises(GitError, match=told):
        here.publish()
    assert here.branches() == ["colab", "main"]
    with pytest.raises(GitError, match="check-ref-format"):
        here.publish(branch="a..b")
    with pytest.raises(GitError, match="git ls-remote: fatal: 'nowhere'"):
        here.publish(remote="nowhere")


def test_one_branch_that_is_refused_stops_both(here):
    hook = here.remote / "hooks/update"
    hook.write_text('#!/bin/sh\ntest "$1" != refs/heads/colab\n')
    hook.chmod(0o755)
    with pytest.raises(GitError, match="git push"):
        here.publish()
    assert here.branches() == ["main"]


def test_the_command_says_what_it_did(here, monkeypatch, capsys):
    monkeypatch.chdir(here.root)
    words = "wslib workbook publish --profile smoke --dry-run"
    monkeypatch.setattr(sys, "argv", words.split())
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0 and here.branches() == ["main"]
    assert "gh-pages of origin: 4 files" in capsys.readouterr().out
