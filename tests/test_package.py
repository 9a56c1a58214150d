"""The house: what may import what, and what a plain import must not cost."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import wslib

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ROOT / "wslib"
# In the order in which data flow; a room imports only from those above it.
ROOMS = [
    *("runtime", "metrics", "data", "models", "training"),
    *("cam", "boxes", "weak", "prompting", "practical"),  # the five ideas
    *("show", "workbook", "cli"),
]
ONLY = {"show": {"runtime"}, "workbook": {"runtime", "show"}}  # all that these know
ALONE = {"boxes/boxes.py", "prompting/points.py"}  # these know nothing of the rest
FILES = sorted(HOUSE.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("*.py"))


def imports(nodes: Iterator[ast.AST]) -> set[str]:
    """The dotted names of wslib that are imported, each as long as it is written."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports say where from: no dots in front"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("wslib.")}


def when_imported(node: ast.AST) -> Iterator[ast.AST]:
    """What runs as soon as a module is imported: all but the insides of functions."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from when_imported(child)


def module_of(name: str) -> Path | None:
    """The file of a dotted name, or of what it is a part of."""
    path = ROOT.joinpath(*name.split("."))
    if path.with_suffix(".py").is_file():
        return path.with_suffix(".py")
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    return module_of(name.rpartition(".")[0])


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def test_the_house_has_thirteen_rooms():
    there = {path.stem for path in HOUSE.iterdir()} - {"__init__", "__pycache__"}
    assert there == set(ROOMS) and len(ROOMS) == 13
    assert re.findall(r"^    (\w+)  +\S", wslib.__doc__, re.M) == ROOMS


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_arrows_point_one_way(file):
    room = file.relative_to(HOUSE).with_suffix("").parts[0]
    names = imports(ast.walk(tree(file)))
    others = {name.split(".")[1] for name in names} - {room}
    if room == "__init__":
        assert others == {"runtime"}
        return
    for other in others & set(ROOMS):  # the rest is what wslib itself defines
        assert ROOMS.index(other) < ROOMS.index(room), f"{file} imports {other}"
    assert room not in ONLY or others <= ONLY[room]
    assert str(file.relative_to(HOUSE)) not in ALONE or not names


def test_the_parts_of_the_workbook_know_those_above():
    """As its docstring lists them."""
    parts = re.findall(
        r"^    (\w+)  +\S", import_module("wslib.workbook").__doc__, re.M
    )
    folder = HOUSE / "workbook"
    assert sorted(parts) == sorted(p.parent.name for p in folder.glob("*/__init__.py"))
    for file in folder.glob("*/*.py"):
        below = set(parts[parts.index(file.parent.name) + 1 :])
        names = imports(ast.walk(tree(file)))
        assert not below & {name.split(".")[2] for name in names if "workbook." in name}


def test_no_import_comes_back_to_where_it_began():
    arrows = {}
    for file in FILES:
        there = {module_of(name) for name in imports(when_imported(tree(file)))}
        arrows[file] = there - {file}
    assert sum(map(len, arrows.values())) > len(FILES)
    list(TopologicalSorter(arrows).static_order())  # raises CycleError


def test_nothing_knows_a_chapter():
    names = [chapter.stem for chapter in (ROOT / "chapters").glob("*.py")]
    assert names
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        assert not [name for name in names if name in text], file


# Public names that no code of the project mentions, and why they stay.
CALLED_BY_OTHERS = {
    "Handler": {"do_GET", "log_message"},  # the standard library's server calls these
    "Server": {"handle_error"},
    "Contents": {"invoke", "format_options", "format_epilog"},  # click calls these
    "": {
        "settle",  # the code of a Colab notebook does
    },
}


def definitions(node: ast.AST, owner: str = "") -> Iterator[tuple[str, str, ast.AST]]:
    """Public names of a module and of its classes, each with the class it is in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield owner, child.name, child
            yield from definitions(child, child.name)
        elif isinstance(child, ast.FunctionDef):
            if not any("command" in ast.dump(d) for d in child.decorator_list):
                yield owner, child.name, child
        elif isinstance(child, ast.Assign) and not owner:
            names = [target for target in child.targets if isinstance(target, ast.Name)]
            yield from ((owner, name.id, child) for name in names)


def mentions(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Names that are read or imported, and in which line."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute):
            yield node.attr, node.lineno
        elif isinstance(node, ast.alias):
            yield node.name.rpartition(".")[2], node.lineno


def test_every_public_name_is_used():
    """By more than the tests: a name that nothing mentions is a remnant."""
    folders = ("wslib", "chapters", "benchmarks")
    trees = {f: tree(f) for d in folders for f in (ROOT / d).rglob("*.py")}
    used: dict[str, list] = {}
    for file, module in trees.items():
        for name, line in mentions(module):
            used.setdefault(name, []).append((file, line))
    unused = []
    for file in FILES:
        for owner, name, node in definitions(trees[file]):
            own = range(node.lineno, node.end_lineno + 1)
            elsewhere = [1 for f, k in used.get(name, ()) if f != file or k not in own]
            allowed = name in CALLED_BY_OTHERS.get(owner, ())
            if not (elsewhere or allowed or name.startswith("_")):
                unused.append(f"{file.relative_to(ROOT)}: {name}")
    assert not unused


@pytest.mark.parametrize("file", TESTS, ids=lambda f: str(f.relative_to(ROOT)))
def test_tests_patch_no_private_name(file):
    """What a test puts in the place of a private name holds that name fast."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            texts = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
            parts = ".".join(text for text in texts if isinstance(text, str)).split(".")
            private = [p for p in parts if p.startswith("_") and not p.endswith("__")]
            assert not private, f"line {node.lineno}: {private}"


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
        "import sys, wslib.cli, wslib.workbook.runs.run, wslib.workbook.report.render\n"
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
