"""The cells that a notebook for Colab has on top: their code, in which `# SETTINGS`
stands for the lines that differ, and the fields of a form."""

from __future__ import annotations

import json
import re
from typing import get_origin

from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.params import Knob

FIELDS = {bool: "boolean", int: "integer", float: "number", str: "string"}

FIRST = """\
# {title}

*Runtime*, *Run all* runs the chapter. Four cells come before it: what it needs; the
part of `wslib` that it uses, packed; its parameters; the profile that sets them.
"""

SET_UP = '''\
#@title Set up
#@markdown `smoke` shows within a few minutes that everything runs; `sample` needs no
#@markdown data from the network; `full` is the real course.
# SETTINGS

import importlib.util
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

os.environ.setdefault("WSLIB_BUILD", str(Path("build/colab").absolute()))
os.environ.setdefault("WSLIB_DATA", str(Path("data").absolute()))


def is_here(package):
    return importlib.util.find_spec(package.partition(".")[0]) is not None


def install(address):
    """Try to install the package from there; nobody is asked a password."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", address]
    silent = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "PIP_NO_INPUT": "1"}
    try:
        done = subprocess.run(pip, capture_output=True, env=silent, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


if is_here("wslib"):
    print("wslib: is here")
elif REPOSITORY and install(REPOSITORY):
    importlib.invalidate_caches()
    print(f"wslib: installed from {REPOSITORY}")
else:
    print("wslib: the copy below")

cuda = torch.cuda.is_available()
print("device: auto is", torch.cuda.get_device_name() if cuda else "the CPU")
kept = [f"{name} {version(name)}" for name in ("torch", "torchvision", "numpy")]
print("stay as they are:", ", ".join(kept))
missing = sorted({NEEDED[name] for name in NEEDED if not is_here(name)})
print("packages to install:", ", ".join(missing) or "none")
print("data and weights to download:", ", ".join(DOWNLOADS[profile]) or "none")
print(f"data in {os.environ['WSLIB_DATA']}, results in {os.environ['WSLIB_BUILD']}")
'''

PROSE = """\
The next cell carries a copy of `wslib`, the package that does the work, for when it is
not installed; that is why its code, which is folded away, is long. It then installs the
packages that are missing, and changes none of those that are there."""

CARRIED = """\
#@title A copy of wslib, and missing packages
# SETTINGS

import atexit
import base64
import hashlib
import importlib.util
import io
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

content = base64.b64decode(CARRIED)
if hashlib.sha256(content).hexdigest() != SHA256:
    raise ValueError("the copy of wslib in this notebook is damaged: fetch it again")
archive = zipfile.ZipFile(io.BytesIO(content))
found = importlib.util.find_spec("wslib")
folder = Path(found.origin).parents[1] if found and found.origin else None
if folder is None or not all((folder / name).is_file() for name in archive.namelist()):
    folder = tempfile.mkdtemp(prefix="wslib-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    archive.extractall(folder)
    sys.path.insert(0, folder)
print(f"wslib: {folder}")

from wslib.workbook.notebooks import colab_runtime

colab_runtime.prepare(NEEDED)
"""

APPLY = """\
#@title Apply the profile
#@markdown What you left as it is above takes the value of the profile; what you changed
#@markdown stays. After a change, run the form above and then this cell.
# SETTINGS

values = colab_runtime.settle(globals(), KNOBS, PROFILES, profile, SHOWN)
globals().update(values)
colab_runtime.fetch(values, KNOWN)
"""


def field(knob: Knob, value) -> str:
    """Write the value of a knob, in one line, and the field that edits it."""
    choices = () if get_origin(knob.type) is list else knob.choices
    if choices and all(isinstance(choice, str) for choice in choices):
        other = " {allow-input: true}" if knob.takes_folder else ""
        return f"{one_line(value)} #@param {one_line(list(choices))}{other}"
    kind = FIELDS.get(knob.type, "raw")
    shown = one_line(value) if isinstance(value, str) else repr(value)
    return f'{shown} #@param {{type:"{kind}"}}'


def parameters_of(chapter: Chapter) -> str:
    """Return the source of the cell that is tagged `parameters`."""
    cells = chapter.notebook().cells
    return next(c.source for c in cells if "parameters" in c.metadata.get("tags", []))


def comments_of(chapter: Chapter) -> dict[str, str]:
    """Read the comment behind each knob."""
    comments, name = {}, None
    for line in parameters_of(chapter).splitlines():
        if found := re.match(r"(\w+) *:", line):
            name = found[1]
        if name and (found := re.search(r"  # (?!fmt:)(.*?)(?:  # fmt:.*)?$", line)):
            comments[name] = found[1]
    return comments


def one_line(value) -> str:
    """Write a string or a list as Colab's form does."""
    return json.dumps(value, ensure_ascii=False)
