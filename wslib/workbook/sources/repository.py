"""The project's git repository: its address, and commits beside the working tree."""

from __future__ import annotations

import ipaddress
import os
import re
import subprocess
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

PRIVATE = (".local", ".localhost", ".internal", ".lan", ".home", ".invalid", ".test")
INSTALLED = ("wslib", "pyproject.toml")  # what pip takes from the repository


class GitError(RuntimeError):
    """git refused; the message is what it said, in one line."""


def git(
    root: Path,
    *words: str,
    given: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return what `git WORDS` prints in `root`, with some more in its `environment`.
    Raises GitError, one line."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words],
            input=given,
            capture_output=True,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError:
        raise GitError("git: not installed") from None
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise GitError(f"git {words[0]}: {said or f'status {done.returncode}'}")
    return done.stdout.decode().rstrip("\n")


# ----------------------------------------------------------------------- its address


def public_address(url: str) -> str | None:
    """Find the https address of a remote such as git@host:owner/name.git, without user
    and password; None for a folder, and for a host that others do not see."""
    if "://" not in url:
        url = re.sub(r"^(?:[^@/:]+@)?([^/:]{2,}):(?!/)", r"ssh://\1/", url)
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    path = parts.path.strip("/")
    if parts.scheme not in ("http", "https", "ssh") or "/" not in path:
        return None
    if "." not in host or host.endswith(PRIVATE) or _is_number(host):
        return None
    shown = f":{port}" if port and parts.scheme != "ssh" else ""
    return f"https://{host}{shown}/{path}"


def _is_number(host: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(host))
    return False


def origin(root: Path) -> str | None:
    """Find the public address of the repository whose top is `root`, if it has one."""
    try:
        top = git(root, "rev-parse", "--show-toplevel")
        if Path(top).resolve() != root.resolve():
            return None
        return public_address(git(root, "remote", "get-url", "origin"))
    except GitError:
        return None


def requirement(root: Path) -> str | None:
    """Say what pip installs the package from: the address and the last commit that
    changed it. None without an address, and while the working tree has other code."""
    address = origin(root)
    if address is None:
        return None
    try:
        changed = git(root, "status", "--porcelain", "--", *INSTALLED)
        commit = git(root, "log", "-1", "--format=%H", "--", *INSTALLED)
    except GitError:  # no commit yet
        return None
    return f"git+{address}@{commit}" if commit and not changed else None


def github_name(root: Path) -> str | None:
    """Return OWNER/REPO where the repository is on GitHub."""
    address = origin(root) or ""
    pattern = r"https://(?:www\.|ssh\.)?github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?"
    found = re.fullmatch(pattern, address, re.I)
    return found[1] if found else None


# ----------------------------------------------------------- commits beside the tree


def commit_files(
    root: Path,
    branch: str,
    files: Mapping[str, bytes],
    keep: Collection[str],
    message: str,
) -> str | None:
    """Put `files` (name -> content) on the local `branch` by one commit on top of it;
    return the commit, or None if it has them. Of what it had before, the names in
    `keep` stay. Neither the index nor the working tree is touched.

    Raises GitError for a bad name of a branch, one that is checked out or holds files
    of another kind, and where git fails; the branch is then as it was.
    """
    git(root, "check-ref-format", "--branch", branch)
    name = f"refs/heads/{branch}"
    if f"branch {name}" in git(root, "worktree", "list", "--porcelain").splitlines():
        raise GitError(f"{branch}: is checked out; the notebooks need another branch")
    parent = _revision(root, name)
    entries = _entries(root, parent) if parent else {}
    kinds = {Path(file).suffix for file in files}
    foreign = sorted(file for file in entries if Path(file).suffix not in kinds)
    if foreign:
        raise GitError(f"{branch}: holds {foreign[0]}; expected a branch of its own")
    entries = {file: entry for file, entry in entries.items() if file in keep}
    for file, content in files.items():
        blob = git(root, "hash-object", "-w", "--stdin", given=content)
        entries[file] = f"100644 blob {blob}\t{file}"
    lines = "".join(f"{entry}\0" for entry in entries.values())
    tree = git(root, "mktree", "-z", given=lines.encode())
    if parent and git(root, "rev-parse", f"{parent}^{{tree}}") == tree:
        return None
    above = ["-p", parent] if parent else []
    commit = git(root, "commit-tree", tree, *above, "-m", message)
    git(root, "update-ref", name, commit, parent or "0" * len(commit))
    return commit


def _entries(root: Path, commit: str) -> dict[str, str]:
    lines = git(root, "ls-tree", "-z", commit).split("\0")
    return {line.partition("\t")[2]: line for line in filter(None, lines)}


def _revision(root: Path, name: str) -> str | None:
    with suppress(GitError):
        return git(root, "rev-parse", "--verify", "--quiet", name)
    return None
