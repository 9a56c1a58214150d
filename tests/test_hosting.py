"""What runs elsewhere: workflows, the editor in a browser, Binder.

`actionlint` and the JSON schema check the form of the workflows, in `check.yml`. Here
is what these cannot know: that what is named exists, and that versions agree.
"""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from wslib.workbook.sources.badges import BRANCH

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = re.findall(r"^([\w./]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.M)
ABOUT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = [
    name.removeprefix("Programming Language :: Python :: ")
    for name in ABOUT["project"]["classifiers"]
]
CONTAINER = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
BINDER = ROOT / ".binder"


def read(path: Path) -> dict:
    text = path.read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.BaseLoader)  # `on` is a word, not True


def steps(path: Path) -> list[dict]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def commands(path: Path) -> str:
    return "\n".join(step.get("run", "") for step in steps(path))


def made(text: str) -> list[str]:
    """The targets that lines with `make` name."""
    lines = re.findall(r"\bmake\b(.*)", text)
    words = [word for line in lines for word in line.split(" && ")[0].split()]
    return [word for word in words if "=" not in word and not word.startswith("-")]


def test_there_is_one_for_changes_and_one_for_main():
    on = {path.stem: read(path)["on"] for path in WORKFLOWS}
    assert set(on) == {"check", "publish"}
    assert "pull_request" in on["check"] and "push" not in on["check"]
    assert on["publish"]["push"] == {"branches": ["main"]}
    assert "pull_request" not in on["publish"]  # a stranger's change is not published


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_targets_of_make_exist(path):
    assert made(commands(path)), "no make in it"
    assert not set(made(commands(path))) - set(TARGETS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_pythons_are_those_that_are_named(path):
    used = set()
    for job in read(path)["jobs"].values():
        used |= set(job.get("strategy", {}).get("matrix", {}).get("python", []))
        used |= {s["with"]["python-version"] for s in job["steps"]
                 if "setup-python" in s.get("uses", "")}  # fmt: skip
    used -= {"${{ matrix.python }}"}
    assert used and used <= set(PYTHONS)


def test_the_oldest_and_the_newest_python_are_tested():
    jobs = read(ROOT / ".github/workflows/check.yml")["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == [PYTHONS[0], PYTHONS[-1]]


def test_one_action_has_one_version():
    uses = [
        step["uses"] for path in WORKFLOWS for step in steps(path) if "uses" in step
    ]
    versions = dict(action.split("@") for action in uses)
    assert len(versions) == len(set(uses))
    assert all(re.fullmatch(r"v\d+", version) for version in versions.values())


def test_what_is_published_is_what_make_makes():
    publish = ROOT / ".github/workflows/publish.yml"
    (folder,) = [step["with"]["path"] for step in steps(publish)
                 if "upload-pages-artifact" in step.get("uses", "")]  # fmt: skip
    book = read(ROOT / "_quarto-sample.yml")
    assert folder == book["project"]["output-dir"]
    assert f"colab --branch {BRANCH}" in commands(publish)
    assert f"git push origin {BRANCH}" in commands(publish)


def test_only_who_writes_may_write():
    jobs = read(ROOT / ".github/workflows/publish.yml")["jobs"]
    assert jobs["book"]["permissions"] == {"contents": "write"}
    assert jobs["pages"]["permissions"] == {"pages": "write", "id-token": "write"}
    for path in WORKFLOWS:
        assert read(path)["permissions"] == {"contents": "read"}


# ------------------------------------------------------------------- in the browser


def test_the_container_is_of_a_python_that_is_named():
    version = re.search(r":\d+-(3\.\d+)-", CONTAINER["image"])[1]
    assert version in PYTHONS
    assert f"python-{version}" == (BINDER / "runtime.txt").read_text().strip()


def test_the_container_makes_what_make_knows():
    command = CONTAINER["onCreateCommand"]
    assert set(made(command)) <= set(TARGETS) and "TORCH=cpu" in command
    settings = CONTAINER["customizations"]["vscode"]["settings"]
    assert settings["python.defaultInterpreterPath"] == ".venv/bin/python"


def test_binder_installs_the_pins():
    lines = (BINDER / "requirements.txt").read_text("utf-8").split("\n")
    names = [line.removeprefix("-r ") for line in lines if line]
    assert [(BINDER / name).resolve() for name in names] == [
        ROOT / "requirements-cpu.txt"
    ]


def test_after_binders_build_make_has_nothing_to_install(tmp_path):
    """With a `pip` that does nothing, and an environment as Binder has it."""
    for name in (
        "Makefile",
        "_quarto-sample.yml",
        "requirements.txt",
        "pyproject.toml",
    ):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    programs = tmp_path / "env/bin"
    programs.mkdir(parents=True)
    for name in ("python", "pip"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    path = f"{programs}:/usr/bin:/bin"
    script = [str(BINDER / "postBuild")]
    subprocess.run(script, cwd=tmp_path, env={"PATH": path}, check=True)
    words = ["make", "--question", ".venv/.installed"]
    assert subprocess.run(words, cwd=tmp_path, env={"PATH": path}).returncode == 0
