"""The whole book at `smoke`, made once for all workers, and a browser to read it with;
and modules as if they were edited.

`WSLIB_BOOK=report/_output/smoke/index.html pytest tests/test_web_book.py` reads a book
that is there and makes none: for those who work on the looks.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = {".git", ".venv", "build", "data", "own", "notebooks"}  # at the top
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)

for number in (signal.SIGINT, signal.SIGHUP):  # ignored where the tests run behind a
    if signal.getsignal(number) == signal.SIG_IGN:  # shell, and by all that they start
        signal.signal(number, signal.default_int_handler)
os.environ.pop("WSLIB_MAKE", None)  # the make that tests is none of those it tests


def _make_report(root: Path) -> subprocess.CompletedProcess:
    """`make report` as a person types it, by the embedded renderer; stdout holds both
    streams. What Quarto makes of the same book is in tests/test_quarto.py."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("WSLIB", "MAKE"))}
    return subprocess.run(
        ["make", "report", "PROFILE=smoke"],
        cwd=root,
        env={**clean, "PYTHONPATH": str(root), "WSLIB_RENDERER": "embedded"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=600,
    )


def _left_out(folder: str, names: list[str]) -> set[str]:
    everywhere = {"_output", "__pycache__", ".pytest_cache", ".hypothesis"}
    return everywhere | (LEFT_OUT if Path(folder) == ROOT else set())


def _build(folder: Path) -> None:
    """A copy of the project with its report, and the page as it was when finished."""
    (folder / "made.log").write_text("make report did not end", encoding="utf-8")
    project = folder / "project"
    shutil.copytree(ROOT, project, ignore=_left_out)
    (project / ".venv").symlink_to(ROOT / ".venv")
    done = _make_report(project)
    page = project / "report/_output/smoke/index.html"
    if done.returncode == 0:
        shutil.copy(page, folder / "index.html")
    (folder / "made.log").write_text(done.stdout, encoding="utf-8")


@pytest.fixture(autouse=True)
def same_environment():
    """What a run in this process sets, as the build does, ends with its test."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def make_report():
    return _make_report


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Path:
    """The copy, its report made: by the first worker who asks, while others wait."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # the workers' folders lie in one
    folder = folder / "book"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made.log").exists():
            _build(folder)
    log = (folder / "made.log").read_text(encoding="utf-8")
    assert (folder / "index.html").exists(), log
    return folder / "project"


@pytest.fixture(scope="session")
def book_page(request) -> Path:
    """The web book as it was when finished; tests that change the copy leave it."""
    if given := os.environ.get("WSLIB_BOOK"):
        return Path(given).resolve()
    return request.getfixturevalue("book").parent / "index.html"


@pytest.fixture(scope="module")
def chromium():
    if not CHROMIUM:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def edited(monkeypatch):
    """Within `edited("data/voc", "X = 1")` that line is the last of wslib/data/voc.py
    for whoever reads the file."""

    @contextmanager
    def lengthen(module: str, line: str):
        read = Path.read_text

        def read_more(path: Path, *words, **options) -> str:
            text = read(path, *words, **options)
            same = path.as_posix().endswith(f"wslib/{module}.py")
            return f"{text}\n{line}\n" if same else text

        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_text", read_more)
            yield

    return lengthen


@pytest.fixture
def red_and_green(tmp_path):
    """Twelve files, red ones (class 0) and green ones (class 1) by turns; their labels
    (12, 2)."""
    import numpy as np
    import torch
    from PIL import Image

    paths = []
    for i in range(12):
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[..., i % 2] = 200
        pixels[:, :10] = 90  # the left third differs, so that mirroring shows
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(pixels).save(paths[-1])
    labels = torch.tensor([[1, 0] if i % 2 == 0 else [0, 1] for i in range(12)])
    return paths, labels
