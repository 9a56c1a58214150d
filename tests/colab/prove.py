"""Execute the notebooks for Colab where there is nothing but what Colab has.

    python tests/colab/prove.py [CH ...] [--profile smoke] [--venv FOLDER]

Makes one environment with Colab's packages at this project's versions (`--venv` keeps
it for the next time), and for each notebook a copy of it and an empty folder, in which
the notebook is alone. The only thing that is done to a notebook is what a reader does
in its first form: to choose the profile. Prints a table; the status is 1 if one failed.

`--complete` has all packages there before, `--offline` cuts the package registry: with
both, all must pass without pip; `--offline` alone shows the line that one then gets.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
FIRST = ["torch"]  # or the wheel of torchvision would bring another one
COLAB = [
    "torchvision", "numpy", "pandas", "matplotlib", "scipy", "scikit-image",
    "opencv-contrib-python-headless", "nbclient", "ipykernel",
]  # fmt: skip
KEPT = ("torch", "torchvision", "numpy")
FOREIGN = ("PYTHON", "WSLIB", "VIRTUAL_ENV", "JUPYTER", "IPYTHON", "MPL", "CONDA")
NO_REGISTRY = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": "/dev/null",
}


def main() -> int:
    options = parse()
    with tempfile.TemporaryDirectory(prefix="prove-") as scratch:
        base = options.venv or Path(scratch, "venv")
        make_environment(base.absolute())
        notebooks = make_notebooks(options.chapters)
        print(f"{'chapter':24}{'profile':9}{'status':9}{'seconds':>8}  packages")
        results = [
            prove(notebook, base.absolute(), Path(scratch, notebook.stem), options)
            for notebook in notebooks
        ]
    return 0 if all(results) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", metavar="CH", help="such as 04")
    parser.add_argument("--profile", default="smoke", help="smoke, sample or full")
    parser.add_argument("--venv", type=Path, help="keep the environment here")
    parser.add_argument("--keep", type=Path, help="put what was executed here")
    parser.add_argument("--offline", action="store_true", help="cut the registry")
    parser.add_argument("--complete", action="store_true", help="with all packages")
    return parser.parse_args()


def make_environment(folder: Path) -> None:
    """What Colab has, at the versions that requirements.txt pins."""
    if (folder / "complete").exists():
        return
    print(f"{folder}: making the environment, some minutes", flush=True)
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"^([\w-]+)(==[\w.]+)", text, re.M))
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    for names in (FIRST, COLAB):
        wanted = [f"{name}{pins[name]}" for name in names]
        pip = [python(folder), "-m", "pip", "install", "--quiet", *wanted]
        subprocess.run(pip, check=True, env=environment(folder))
    (folder / "complete").touch()


def make_notebooks(chapters: list[str]) -> list[Path]:
    names = chapters or [""]
    files = sorted({f for name in names for f in ROOT.glob(f"chapters/{name}*.py")})
    command = [sys.executable, "-m", "wslib.cli", "workbook", "colab", *files]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return [ROOT / "build/colab" / f"{file.stem}.ipynb" for file in files]


def prove(notebook: Path, base: Path, scratch: Path, options) -> bool:
    """Execute one notebook, print its line of the table; whether all was as it ought
    to be. The environment is a copy, of links: pip adds files, and changes none."""
    venv, empty = scratch / "venv", scratch / "empty"
    shutil.copytree(base, venv, symlinks=True, copy_function=os.link)
    empty.mkdir()
    source = nbformat.read(notebook, as_version=4)
    if options.complete:
        complete(source, venv)
    switch(source, options.profile)
    nbformat.write(source, empty / "notebook.ipynb")
    before, began = installed(venv), time.monotonic()
    problem = execute(empty, venv, NO_REGISTRY if options.offline else {})
    seconds, after = time.monotonic() - began, installed(venv)
    problem = problem or wrong(empty, before, after)
    added = sorted(after.items() - before.items())
    packages = ", ".join(f"{name} {version}" for name, version in added) or "none added"
    kept = ", ".join(f"{name} {after[name]}" for name in KEPT)
    same = "unchanged" if all(before[k] == after[k] for k in KEPT) else "CHANGED"
    status = "failed" if problem else "passed"
    print(
        f"{notebook.stem:24}{options.profile:9}{status:9}{seconds:8.0f}  {packages}; "
        f"{kept} {same}" + (f"\n    {problem}" if problem else ""),
        flush=True,
    )
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        shutil.copy(empty / "notebook.ipynb", options.keep / notebook.name)
    shutil.rmtree(venv)
    return not problem


def switch(notebook, profile: str) -> None:
    """Choose the profile in the form of the first cell."""
    cell = notebook.cells[1]
    chosen = re.sub(
        r'^profile = "\w+"', f'profile = "{profile}"', cell.source, flags=re.M
    )
    assert f'profile = "{profile}" #@param' in chosen
    cell.source = chosen


def complete(notebook, venv: Path) -> None:
    """Install what the notebook names before it runs, with the network."""
    names = re.search(r"^NEEDED = (\{.*?\})$", notebook.cells[1].source, re.M | re.S)
    needed = sorted(set(eval(names[1]).values()))
    pip = [python(venv), "-m", "pip", "install", "--quiet", *needed]
    subprocess.run(pip, check=True, env=environment(venv))


def execute(folder: Path, venv: Path, more: dict[str, str]) -> str | None:
    """Execute the notebook in place; the last line of what went wrong."""
    code = "from nbclient.cli import main; main()"
    command = [python(venv), "-c", code, "--inplace", "--timeout=-1", "notebook.ipynb"]
    surroundings = {**environment(venv), **more}
    done = subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True
    )
    lines = done.stderr.strip().splitlines()
    return lines[-1] if done.returncode else None


def wrong(folder: Path, before: dict, after: dict) -> str | None:
    """What is not as it ought to be after a run without an error."""
    changed = [name for name in before if after.get(name) != before[name]]
    if changed:
        return f"changed: {', '.join(changed)}"
    notebook = nbformat.read(folder / "notebook.ipynb", as_version=4)
    place = re.search(r"^wslib: (/.*)$", texts(notebook.cells[3]), re.M)
    if not place or Path(place[1]).is_relative_to(ROOT):
        return f"wslib came from {place[1] if place else 'nowhere'}"
    shown = [o for c in notebook.cells for o in c.get("outputs", []) if "data" in o]
    return None if len(shown) > 10 else f"only {len(shown)} results are shown"


def texts(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def installed(venv: Path) -> dict[str, str]:
    code = (
        "from importlib.metadata import distributions\n"
        "for d in distributions(): print(d.name, d.version)"
    )
    command = [python(venv), "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(line.split() for line in done.stdout.splitlines())


def python(venv: Path) -> str:
    return str(venv / "bin/python")


def environment(venv: Path) -> dict[str, str]:
    """This one, without what could lead to this project or to another Jupyter."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    jupyter = {f"JUPYTER_{kind}_DIR": str(venv / kind) for kind in ("CONFIG", "DATA")}
    return {**mine, **jupyter, "IPYTHONDIR": str(venv / "ipython")}


if __name__ == "__main__":
    sys.exit(main())
