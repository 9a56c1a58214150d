"""A chapter on a person's own pictures, of which each shows several things."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from wslib.data.rendered.own import draw_folder

ROOT = Path(__file__).resolve().parents[1]
DOGS = next((ROOT / "chapters").glob("02_*.py"))
SMALL = "input_size=64 folds=2 bootstrap_samples=5 thresholds=[0.2, 0.4]"


@pytest.fixture
def crowded(tmp_path) -> Path:
    """Pictures with a second box in each."""
    folder = draw_folder(tmp_path / "fair", "CSV", count=12)
    names = [line.split(",")[0] for line in (folder / "boxes.csv").open()][1:]
    with open(folder / "boxes.csv", "a", encoding="utf-8") as file:
        file.writelines(f"{name},1,1,60,60\n" for name in names)
    return folder


def test_chapter_2_needs_no_picture_with_one_thing_alone(crowded, tmp_path):
    asked = ["--profile", "smoke", "--set", SMALL, "--data", str(crowded)]
    build = tmp_path / "build" / "smoke"
    words = ["-m", "wslib.cli", "workbook", "run", str(DOGS.relative_to(ROOT))]
    subprocess.run(
        [sys.executable, *words, *asked, "--build", str(build)],
        cwd=ROOT, check=True, timeout=400,
    )  # fmt: skip
    (notebook,) = build.glob("02_*.ipynb")
    text = json.dumps(json.loads(notebook.read_text("utf-8")))
    assert "Data: own pictures in fair/" in text
    assert "of them with a ball: " in text
