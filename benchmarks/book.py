"""What the book costs, in one sitting: seconds, pages and bytes, as Markdown.

    python benchmarks/book.py                # everything: some 25 minutes on two cores
    python benchmarks/book.py --only trunk smoke

In a copy of the last commit, beside nothing else if the figures shall count. Steps:

trunk     the frozen trunk of chapters 2 and 3 on 8 images of 448 pixels, as it was
          trained and with batch norms folded: the median of 9 turns
sample    `make report` without anything kept, what of it each chapter took, again, and
          after a changed sentence; pages and bytes
alone     the same with `make -j1`, and in how many tables and figures the two differ
smoke     `make report PROFILE=smoke`
test      `make test`
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Rows = Iterator[tuple[str, object]]


def main() -> None:
    steps = {f.__name__: f for f in (trunk, sample, alone, smoke, test)}
    described = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=described)
    parser.add_argument("--only", nargs="+", choices=steps, default=[*steps])
    chosen = parser.parse_args().only
    commit = _git("log", "-1", "--format=%h, %cs").strip()
    print(f"Commit {commit}; {os.cpu_count()} cores, {platform.processor() or ''}\n")
    print("| | |\n|---|---:|", flush=True)
    with tempfile.TemporaryDirectory(prefix="book-") as folder:
        root = copy(Path(folder, "project"))
        for name in chosen:
            for what, value in steps[name](root):
                print(f"| {what} | {value} |", flush=True)


def copy(root: Path) -> Path:
    """The last commit in a folder of its own, with this .venv."""
    _git("clone", "--quiet", str(ROOT), str(root))
    (root / ".venv").symlink_to(ROOT / ".venv")
    for name in (*root.glob("requirements*.txt"), root / "pyproject.toml"):
        os.utime(name, (0, 0))  # older than what was installed for them
    return root


def trunk(root: Path) -> Rows:
    import torch

    import wslib  # noqa: F401  (lets torchvision import)
    from wslib.models.classifiers import build_classifier
    from wslib.models.dense import DenseClassifier
    from wslib.models.normalised import fold_batch_norms

    network = DenseClassifier(build_classifier("efficientnet_lite0"), 20)
    ways = {"as trained": network, "folded": fold_batch_norms(network)}
    images, taken = torch.rand(8, 3, 448, 448), {name: [] for name in ways}
    with torch.inference_mode():
        for _ in range(10):
            for name, way in ways.items():
                began = time.perf_counter()
                way.trunk(images)
                taken[name].append(time.perf_counter() - began)
    for name, seconds in taken.items():  # the first of each warms up
        yield f"trunk, 8 images of 448, {name}, ms", _whole(seconds[1:])


def _whole(seconds: list[float]) -> str:
    return f"{1000 * statistics.median(seconds):.0f}"


def sample(root: Path) -> Rows:
    yield "`make report`, s", make(root, "report")[0]
    notebooks = sorted(root.glob("build/sample/0*.ipynb"))
    took = (json.loads(n.read_text("utf-8"))["metadata"]["wslib"] for n in notebooks)
    yield "of it chapters 1 to 5, s", " / ".join(f"{k['seconds']:.0f}" for k in took)
    yield "again, s", make(root, "report")[0]
    chapter = root / "chapters/01_gradcam_theory.py"
    text = chapter.read_text("utf-8")
    chapter.write_text(text.replace("You will learn", "You will now learn", 1), "utf-8")
    yield "after a changed sentence, s", make(root, "report")[0]
    chapter.write_text(text, "utf-8")
    yield from sizes(root / "report/_output/sample")


def sizes(folder: Path) -> Rows:
    import pikepdf

    pdf = folder / "workbook.pdf"
    with pikepdf.open(pdf) as pages:
        yield "pages of the PDF", len(pages.pages)
    yield "PDF, MB", f"{pdf.stat().st_size / 1e6:.1f}"
    files = [f for f in folder.rglob("*") if f.is_file() and f != pdf]
    taken = [f for f in files if f.suffix in (".csv", ".ipynb")]
    pages = [f.read_bytes() for f in files if f not in taken]
    yield "web book without what is to be taken along, MB", _megabytes(pages)
    sent = [gzip.compress(page) for page in pages]
    yield "the same as a server sends it, MB", _megabytes(sent)


def _megabytes(contents: list[bytes]) -> str:
    return f"{sum(map(len, contents)) / 1e6:.1f}"


def alone(root: Path) -> Rows:
    two = root.parent / "two"
    if (root / "build/sample").exists():
        shutil.move(root / "build", two)
    yield "`make -j1 report`, s", make(root, "-j1", "report")[0]
    if two.exists():
        yield "of its tables and figures differ", differing(two, root / "build")


def differing(one: Path, other: Path) -> str:
    """The files of two builds that differ, of all; times of day are none of theirs."""
    files = [f.relative_to(one) for f in one.glob("sample/*/*") if f.is_file()]
    files = [f for f in files if f.parts[1] in ("tables", "figures")]
    odd = [f for f in files if (one / f).read_bytes() != (other / f).read_bytes()]
    named = ", ".join(f.name for f in odd)
    return f"{len(odd)} of {len(files)}" + (f": {named}" if odd else "")


def smoke(root: Path) -> Rows:
    yield "`make report PROFILE=smoke`, s", make(root, "report", "PROFILE=smoke")[0]


def test(root: Path) -> Rows:
    seconds, said = make(root, "test")
    counted = re.findall(r"\d+ (?:passed|failed|skipped)", said)
    yield f"`make test` ({', '.join(counted)}), s", seconds


def make(root: Path, *words: str) -> tuple[str, str]:
    """The seconds that a make took, and what it said. Ends with that if it fails."""
    left_out = ("WSLIB", "MAKE", "OMP", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    began = time.monotonic()
    done = subprocess.run(
        ["make", *words], cwd=root, env={**clean, "PYTHONPATH": str(root)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout)
    return f"{time.monotonic() - began:.1f}", done.stdout


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return done.stdout


if __name__ == "__main__":
    main()
