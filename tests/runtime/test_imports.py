from pathlib import Path

from wslib.runtime.imports import bare_code, imported_modules, make_rule
from wslib.runtime.kept import digest


def package(tmp_path):
    files = {
        "lib/__init__.py": "",
        "lib/data/__init__.py": "",
        "lib/data/voc.py": "import numpy\nfrom lib.data import images\n",
        "lib/data/images.py": "",
        "lib/cam.py": "def late():\n    from lib.models.big import Big\n",
        "lib/models/big.py": "from lib import cam\n",
        "lib/boxes.py": "",
        "script.py": "import os\nimport lib.cam\nfrom lib.data.voc import CLASSES\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "script.py", tmp_path / "lib"


def test_imports_are_followed_through_functions_and_circles(tmp_path):
    script, lib = package(tmp_path)
    found = [file.relative_to(lib).as_posix() for file in imported_modules(script, lib)]
    assert found == [
        "__init__.py", "cam.py", "data/__init__.py", "data/images.py", "data/voc.py",
        "models/big.py",
    ]  # fmt: skip


def test_module_imported_from_package(tmp_path):
    script, lib = package(tmp_path)
    script.write_text("import lib.boxes\nfrom lib import data\nimport os\n")
    assert lib / "boxes.py" in imported_modules(script, lib)
    script.write_text("from lib import boxes\n")
    assert lib / "boxes.py" in imported_modules(script, lib)
    assert lib / "cam.py" not in imported_modules(script, lib)


def test_a_dot_stands_for_the_folder(tmp_path):
    script, lib = package(tmp_path)
    script.write_text("import lib.models.big\n")
    (lib / "models" / "big.py").write_text("from .. import boxes\nfrom . import big\n")
    found = imported_modules(script, lib)
    assert lib / "boxes.py" in found and lib / "cam.py" not in found
    script.write_text("from . import boxes\n")  # in no package
    assert imported_modules(script, lib) == []


def test_comments_docstrings_and_layout_are_no_code():
    code = "def f(a):\n    return a\n\n\nclass C:\n    pass\n"
    words = """'Words.'
# more
def f(a):
    'What it does.'

    return (a)  # at last
class C:
    ''
    pass
"""
    assert bare_code(code) == bare_code(words)
    for change in ("return a + 1", "return b", "a; 'text'; return a"):
        assert bare_code(code.replace("return a", change)) != bare_code(words)


def test_digest_sees_bytes_only(tmp_path):
    _, lib = package(tmp_path)
    files = [lib / "boxes.py", lib / "cam.py"]
    before = digest(files)
    (lib / "boxes.py").touch()
    assert digest(files) == before
    (lib / "boxes.py").write_text("#")
    assert digest(files) != before


def test_rule_for_make():
    rule = make_rule(Path("a.ipynb"), [Path("x.py"), Path("y.py")])
    assert rule == "a.ipynb: x.py y.py\nx.py:\ny.py:\n"
