"""What is installed: from pins, with the small PyTorch, on the Pythons that are named.

Two folders stand in for the package indexes; the wheels in them hold nothing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIN = re.compile(r"^([\w.-]+)==([^\s;#]+)", re.M)
CPU = "https://download.pytorch.org/whl/cpu"


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / name).read_text(encoding="utf-8")))


def pythons() -> list[str]:
    """The versions that pyproject.toml names, such as 3.11."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    start = "Programming Language :: Python :: 3."
    named = [c for c in about["project"]["classifiers"] if c.startswith(start)]
    return [c.removeprefix("Programming Language :: Python :: ") for c in named]


FEW = dict(list(pins("requirements.txt").items())[:7])  # torch, numpy and such

# ----------------------------------------------------------------- the small PyTorch


def wheel(index: Path, name: str, version: str, needs: tuple[str, ...] = ()) -> None:
    """Add a wheel that holds nothing to an index."""
    folder = index / re.sub(r"[-_.]+", "-", name).lower()
    folder.mkdir(parents=True, exist_ok=True)
    start = f"{re.sub('[-.]', '_', name)}-{version}"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {need}" for need in needs]
    about = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
    with zipfile.ZipFile(folder / f"{start}-py3-none-any.whl", "w") as file:
        file.writestr(f"{start}.dist-info/METADATA", "\n".join(lines) + "\n")
        file.writestr(f"{start}.dist-info/WHEEL", f"{about}Tag: py3-none-any\n")
        file.writestr(f"{start}.dist-info/RECORD", "")
    links = [f'<a href="{p.name}">{p.name}</a>' for p in folder.glob("*.whl")]
    (folder / "index.html").write_text("<!DOCTYPE html>" + "".join(links))


@pytest.fixture(scope="module")
def indexes(tmp_path_factory):
    """A PyPI that has the first pins, and PyTorch's index, with an older numpy, too;
    and a copy of the requirements that names the latter."""
    folder = tmp_path_factory.mktemp("indexes")
    for name, version in FEW.items():
        needs = ("nvidia-cublas",) if name == "torch" else ()
        wheel(folder / "pypi", name, version, needs)
    wheel(folder / "pypi", "nvidia-cublas", "1.0")
    for name, version in pins("requirements-cpu.txt").items():
        wheel(folder / "cpu", name, version)
    wheel(folder / "cpu", "numpy", "1.0")
    lines = [f"{name}=={version}\n" for name, version in FEW.items()]
    (folder / "requirements.txt").write_text("".join(lines))
    text = (ROOT / "requirements-cpu.txt").read_text(encoding="utf-8")
    assert CPU in text
    local = text.replace(CPU, (folder / "cpu").as_uri())
    (folder / "requirements-cpu.txt").write_text(local)
    return folder


def installed(folder: Path, *words: str) -> str:
    """What an installer would install, in its own words."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
    done = subprocess.run(
        [*words, "--dry-run", "--index-url", (folder / "pypi").as_uri(),
         "--requirement", str(folder / "requirements-cpu.txt")],
        env={**plain, "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1",
             "UV_CACHE_DIR": str(folder / "cache"), "PIP_NO_CACHE_DIR": "1"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no other builds")
def test_pip_takes_the_builds_without_cuda(indexes):
    pip = [sys.executable, "-m", "pip", "install", "--isolated", "--ignore-installed"]
    installed(indexes, *pip, "--quiet", "--report", str(indexes / "report.json"))
    rows = json.loads((indexes / "report.json").read_text())["install"]
    versions = {row["metadata"]["name"]: row["metadata"]["version"] for row in rows}
    assert versions == FEW | pins("requirements-cpu.txt")


@pytest.mark.skipif(not shutil.which("uv"), reason="no uv")
def test_uv_takes_the_builds_without_cuda(indexes, tmp_path):
    subprocess.run(["uv", "venv", "-q", str(tmp_path / "env")], check=True)
    words = ["uv", "pip", "install", "--python", str(tmp_path / "env/bin/python")]
    found = installed(indexes, *words, "--index-strategy", "unsafe-best-match")
    listed = dict(re.findall(r"^ \+ ([\w.-]+)==(\S+)", found, re.M))
    assert listed == FEW | pins("requirements-cpu.txt")


def test_the_pins_for_the_cpu_are_those_of_all():
    everywhere = pins("requirements.txt")
    for name, version in pins("requirements-cpu.txt").items():
        assert version == f"{everywhere[name]}+cpu"


# --------------------------------------------------------------------- what Make says


def planned(tmp_path: Path, *words: str, path: str = "") -> str:
    """What Make would do on a fresh machine."""
    for name in ("Makefile", "_quarto-sample.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for file in ROOT.glob("requirements*.txt"):
        shutil.copy(file, tmp_path)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    environment["PATH"] = f"{path}{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "-n", ".venv/.installed", *words], cwd=tmp_path, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_takes_the_file_that_was_asked_for(tmp_path):
    assert "--requirement requirements.txt" in planned(tmp_path)
    small = planned(tmp_path, "TORCH=cpu")
    assert "--requirement requirements-cpu.txt" in small and "TORCH=cpu" not in small


def test_make_takes_uv_where_it_is(tmp_path):
    program = tmp_path / "programs/uv"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    said = planned(tmp_path, "TORCH=cpu", path=f"{program.parent}:")
    command = "uv pip install --python .venv/bin/python --index-strategy"
    assert command in said and "-m pip" not in said


# --------------------------------------------------------------------- which Pythons


def test_the_pythons_are_the_same_everywhere():
    oldest, newest = pythons()[0], pythons()[-1]
    assert pythons() == [f"3.{n}" for n in range(int(oldest[2:]), int(newest[2:]) + 1)]
    after = f"3, {int(newest[2:]) + 1}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"not (3, {oldest[2:]}) <= v < ({after})" in makefile
    assert f"it takes {oldest} to {newest}" in makefile
    assert f"Python {oldest} to {newest}" in (ROOT / "README.md").read_text("utf-8")
    about = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert about["project"]["requires-python"] == f">={oldest}"


def test_another_python_is_refused_in_one_line(tmp_path):
    planned(tmp_path)
    program = tmp_path / "python3.15"
    program.write_text(
        f"#!/bin/sh\nexec '{sys.executable}' -c "
        '"import sys; sys.version_info = (3, 15); exec(sys.argv[1])" "$2"\n'
    )
    program.chmod(0o755)
    done = subprocess.run(
        ["make", ".venv/.installed", f"PYTHON={program}"], cwd=tmp_path,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0 and not (tmp_path / ".venv").exists()
    assert done.stderr.startswith("this is Python 3.15, it takes 3.11 to 3.13")
