"""The address of the repository, notebooks on a branch, and badges in the README."""

import subprocess

import pytest

from wslib.workbook.sources.badges import colab_url, write_badges
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.repository import (
    GitError,
    commit_files,
    git,
    github_name,
    origin,
    public_address,
    requirement,
)

ADDRESSES = {
    "https://github.com/ann/book.git": "https://github.com/ann/book.git",
    "https://github.com/ann/book": "https://github.com/ann/book",
    "http://github.com/ann/book/": "https://github.com/ann/book",
    "https://ann:secret@github.com/ann/book.git": "https://github.com/ann/book.git",
    "git@github.com:ann/book.git": "https://github.com/ann/book.git",
    "github.com:ann/book": "https://github.com/ann/book",
    "ssh://git@gitlab.example.org:2222/a/b/c.git": "https://gitlab.example.org/a/b/c.git",
    "https://git.example.org:8443/a/b": "https://git.example.org:8443/a/b",
    "/srv/git/book.git": None,
    "../book": None,
    "file:///srv/git/book.git": None,
    "C:/Users/ann/book": None,
    "git@localhost:ann/book.git": None,
    "https://server/ann/book.git": None,
    "https://forge.local/ann/book.git": None,
    "https://10.0.0.1/ann/book.git": None,
    "https://[::1]/ann/book.git": None,
    "https://github.com:port/ann/book": None,
    "https://github.com/book": None,
    "": None,
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_address(url):
    assert public_address(url) == ADDRESSES[url]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with one commit and no remote."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.org")
    folder = tmp_path / "book"
    (folder / "wslib").mkdir(parents=True)
    (folder / "wslib/__init__.py").write_text("")
    (folder / "README.md").write_text("# Book\n")
    for words in ("init -q -b main", "add .", "commit -q -m One"):
        git(folder, *words.split())
    return folder


def test_no_remote_no_address(root, tmp_path):
    assert origin(root) is requirement(root) is github_name(root) is None
    assert origin(tmp_path) is None
    assert colab_url(root, "01_one") is None


def test_requirement_is_the_last_commit_of_the_code(root):
    git(root, "remote", "add", "origin", "git@github.com:ann/book.git")
    first = git(root, "rev-parse", "HEAD")
    (root / "README.md").write_text("words\n")
    git(root, "commit", "-q", "-a", "-m", "Two")
    expected = f"git+https://github.com/ann/book.git@{first}"
    assert requirement(root) == expected
    (root / "README.md").write_text("other words\n")
    assert requirement(root) == expected
    (root / "wslib/new.py").write_text("")  # not in the repository: the copy has it
    assert requirement(root) is None


def test_folder_inside_another_repository_has_no_address(root):
    git(root, "remote", "add", "origin", "git@github.com:ann/book.git")
    assert origin(root) == "https://github.com/ann/book.git"
    assert origin(root / "wslib") is None


@pytest.mark.parametrize(
    "url", ["git@github.com:ann/my.book.git", "https://github.com/ann/my.book"]
)
def test_link_to_colab(root, url):
    git(root, "remote", "add", "origin", url)
    assert colab_url(root, "04_four") == (
        "https://colab.research.google.com/github/ann/my.book/blob/colab/04_four.ipynb"
    )


def test_no_link_for_another_host(root):
    git(root, "remote", "add", "origin", "https://gitlab.com/ann/book.git")
    assert origin(root) and colab_url(root, "04_four") is None


# ---------------------------------------------------------------------- the branch


def commit(root, files, keep=("a", "b"), branch="colab"):
    return commit_files(root, branch, files, keep, "Notebooks")


def test_commit_beside_the_working_tree(root):
    (root / "README.md").write_text("edited\n")
    (root / "staged").write_text("")
    git(root, "add", "staged")
    before = git(root, "status", "--porcelain"), git(root, "rev-parse", "HEAD")
    first = commit(root, {"a": b"\x00\xff one\r\n", "b": b"two"})
    assert git(root, "rev-parse", "colab") == first
    assert git(root, "ls-tree", "--name-only", "colab").split() == ["a", "b"]
    command = ["git", "-C", str(root), "show", "colab:a"]
    assert subprocess.check_output(command) == b"\x00\xff one\r\n"
    assert (
        git(root, "status", "--porcelain"),
        git(root, "rev-parse", "HEAD"),
    ) == before
    assert git(root, "rev-list", "--count", "colab") == "1"


def test_no_commit_when_nothing_has_changed(root):
    first = commit(root, {"a": b"one", "b": b"two"})
    assert commit(root, {"b": b"two"}) is None
    assert git(root, "rev-parse", "colab") == first


def test_later_commit_keeps_other_chapters_and_drops_what_is_none(root):
    first = commit(root, {"a": b"one", "b": b"two", "old": b""}, keep=())
    second = commit(root, {"b": b"new"})
    assert git(root, "rev-parse", f"{second}^") == first
    assert git(root, "ls-tree", "--name-only", "colab").split() == ["a", "b"]
    assert git(root, "show", "colab:a") == "one"
    assert git(root, "show", "colab:b") == "new"


def test_branch_that_is_checked_out_is_left_alone(root):
    head = git(root, "rev-parse", "HEAD")
    with pytest.raises(GitError, match="^main: is checked out"):
        commit(root, {"a": b"one"}, branch="main")
    assert git(root, "rev-parse", "main") == head


def test_branch_of_something_else_is_left_alone(root):
    git(root, "branch", "other")
    there = git(root, "ls-tree", "--name-only", "other").split()
    with pytest.raises(GitError, match=f"^other: holds {there[0]}; expected a branch"):
        commit(root, {"a.ipynb": b"one"}, branch="other")
    assert git(root, "ls-tree", "--name-only", "other").split() == there


@pytest.mark.parametrize("branch", ["a b", "-x", "a..b", ""])
def test_bad_branch_is_one_line(root, branch):
    with pytest.raises(GitError) as error:
        commit(root, {"a": b"one"}, branch=branch)
    assert "\n" not in str(error.value)


def test_no_repository_is_one_line(tmp_path):
    with pytest.raises(GitError, match="not a git repository") as error:
        commit(tmp_path, {"a": b"one"})
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------------- the badges


def chapters(root):
    file = root / "01_one.py"
    file.write_text("# %% [markdown]\n# # One: *a* chapter {#sec-one}\n")
    return [Chapter(file)]


def test_badges_between_the_marks(root):
    readme = root / "README.md"
    text = "before\n<!-- colab -->\nold\n<!-- /colab -->\nafter\n"
    readme.write_text(text)
    assert not write_badges(root, chapters(root))
    assert readme.read_text() == text
    git(root, "remote", "add", "origin", "git@github.com:ann/book.git")
    assert write_badges(root, chapters(root))
    url = "https://colab.research.google.com"
    assert readme.read_text() == (
        "before\n<!-- colab -->\n"
        f"- [![Open in Colab]({url}/assets/colab-badge.svg)]"
        f"({url}/github/ann/book/blob/colab/01_one.ipynb) One: *a* chapter\n"
        "<!-- /colab -->\nafter\n"
    )
    assert not write_badges(root, chapters(root))


def test_readme_without_marks_stays(root):
    git(root, "remote", "add", "origin", "git@github.com:ann/book.git")
    assert not write_badges(root, chapters(root))
    assert (root / "README.md").read_text() == "# Book\n"
