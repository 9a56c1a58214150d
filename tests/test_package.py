"""The house: what may import what, and what a plain import must not cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# In the order in which data flows; a module imports only from those above it.
ORDER = [
    "_memory", "_torchvision", "project", "progress", "trackers", "device", "params",
    "losses", "data", "models", "runs", "training", "views", "detector_training", "roi",
    "feature_maps", "heads", "cam", "boxes", "nms", "points", "metrics", "proposals",
    "regions", "classic", "haar", "hog", "hog_training", "hog_detectors",
    "experiments", "sam_tasks", "sam_training", "localisation", "localizer_training",
    "wsddn_training", "weak_runs", "detections", "evidence", "teaching", "grabcut",
    "tuning", "heatmaps", "prompts", "segment", "mirrored", "tables", "figures",
    "workbook", "cli",
]  # fmt: skip
ALONE = {"metrics", "boxes", "points", "tables"}  # these know no data set and no model
LIGHT = {"params", "tables", "figures"}  # all that the workbook may know of the rest


def imports(file: Path) -> set[str]:
    """The parts of wslib (modules and packages on top) that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("wslib.")}


FILES = sorted((ROOT / "wslib").rglob("*.py"))


def part(file: Path) -> str:
    return file.relative_to(ROOT / "wslib").with_suffix("").parts[0]


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_arrows_point_one_way(file):
    me, others = part(file), imports(file) - {part(file)}
    if me == "__init__":
        assert others == {"_memory", "_torchvision"}
        return
    assert me in ORDER, f"{me}: say in ORDER where it stands"
    for other in others:
        assert ORDER.index(other) < ORDER.index(me), f"{file} imports {other}"
    if me in ALONE:
        assert not others & {"data", "models", "training", "cam"}
    if me == "workbook":
        assert others <= LIGHT


def test_nothing_knows_a_chapter():
    names = [chapter.stem for chapter in (ROOT / "chapters").glob("*.py")]
    assert names
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert not [name for name in names if name in text], file


def python(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_torchvision_imports_after_wslib():
    done = python("-c", "import wslib, torchvision; print(torchvision.__version__)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_cure_leaves_torchvision_usable_and_is_paid_only_when_needed():
    code = (
        "import sys, wslib\n"
        "assert 'torch' not in sys.modules\n"
        "from torchvision.models import resnet18\n"
        "import torch\n"
        "print(tuple(resnet18()(torch.zeros(1, 3, 64, 64)).shape))\n"
        "print([f for f in sys.meta_path if 'BeforeTorchvision' in repr(f)])"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["(1, 1000)", "[]"]


def test_workbook_is_light():
    code = (
        "import sys, wslib.cli, wslib.workbook.run, wslib.workbook.render\n"
        "heavy = 'torch', 'cv2', 'matplotlib', 'skimage'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = python("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_command_line_helps_and_errs_in_one_line(tmp_path):
    assert "workbook" in python("-m", "wslib.cli", "--help").stdout
    run = python("-m", "wslib.cli", "workbook", "--help").stdout
    assert "check" in run and "run" in run and "render" in run
    bad = python("-m", "wslib.cli", "workbook", "check", "chapters/99_none.py")
    assert bad.returncode != 0
    assert bad.stderr.strip() == "wslib: chapters/99_none.py: no such chapter"
