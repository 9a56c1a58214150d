"""Notebooks for Colab: what is in them, and that one runs where `wslib` is not."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from wslib.models.published import list_downloads
from wslib.workbook.notebooks.colab import Course, make_notebook, write_notebook
from wslib.workbook.notebooks.colab_cells import field
from wslib.workbook.notebooks.colab_payload import needed_packages, packed
from wslib.workbook.runs.run import Build
from wslib.workbook.runs.settings import resolve
from wslib.workbook.sources.book import RenderError
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.options import split_options
from wslib.workbook.sources.params import ParameterError, read_yaml
from wslib.workbook.sources.repository import git

ROOT = Path(__file__).resolve().parents[2]
NAMES = [path.stem for path in sorted(ROOT.glob("chapters/*.py"))]
SET_UP, CARRIED, FORM, APPLY = range(4)
TITLE = "# %% [markdown]\n# # One {#sec-one}\n\n"


@pytest.fixture(scope="module")
def course() -> Course:
    return Course(ROOT, "sample", list_downloads())


@pytest.fixture(scope="module")
def notebooks(course) -> dict:
    return {c.name: make_notebook(c, course) for c in course.chapters}


@pytest.fixture(params=NAMES)
def notebook(request, notebooks):
    return notebooks[request.param]


def chapter_of(notebook) -> Chapter:
    name = Path(notebook.metadata["colab"]["name"]).stem
    return Chapter(ROOT / f"chapters/{name}.py")


PARAM = r' #@param (\["[^{}]*\]( \{allow-input: true\})?|\{type:"\w+"\})$'


def top(notebook) -> list[str]:
    """The cells of code above the chapter's own."""
    form = next(c for c in notebook.cells if c.metadata.get("tags") == ["parameters"])
    apply = notebook.cells[notebook.cells.index(form) + 1]
    cells = (notebook.cells[1], notebook.cells[3], form, apply)
    return [cell.source for cell in cells]


def settings(source: str, *names: str) -> dict:
    """What a cell on top assigns before its code begins."""
    lines = source.split("\nimport ")[0].split("\nvalues = ")[0]
    found: dict = {}
    exec(lines, found)
    return {name: found[name] for name in names}


# ----------------------------------------------------------------- what is in them


def test_notebook_is_valid_and_bare(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
            assert "#|" not in cell.source
            assert cell.outputs == [] and cell.execution_count is None
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    assert notebook.metadata["colab"]["provenance"] == []
    title, sentence = notebook.cells[0].source.split("\n\n")
    assert title == f"# {chapter_of(notebook).title}" and "*Run all*" in sentence
    assert notebook.cells[1].source.startswith("#@title Set up\n")
    assert len(notebook.cells[1].source.splitlines()) < 75
    assert notebook.cells[3].metadata == {
        "cellView": "form",  # Colab's
        "jupyter": {"source_hidden": True},
    }


def test_gpu_is_asked_for_where_networks_are_trained(notebooks):
    asked = [n[:2] for n in NAMES if notebooks[n].metadata.get("accelerator") == "GPU"]
    assert asked == ["02", "03", "04", "05"]


def test_code_is_the_chapters(notebook):
    """In order, and all of it, but for the options and the parameters."""
    texts = [c.source for c in notebook.cells if c.cell_type == "code"]
    for cell in chapter_of(notebook).notebook().cells:
        if cell.cell_type == "code" and cell.metadata.get("tags") != ["parameters"]:
            lines = [x for x in cell.source.splitlines() if x[:2] != "#|"]
            assert "\n".join(lines).strip("\n") in texts


def test_code_that_the_book_hides_is_folded_away(notebook):
    folded = {c.source for c in notebook.cells if c.metadata.get("cellView") == "form"}
    for cell in chapter_of(notebook).notebook().cells:
        if cell.cell_type == "code" and cell.source.startswith("#| echo: false\n"):
            assert cell.source.removeprefix("#| echo: false\n") in folded


def test_caption_stands_below_what_it_is_about(notebook):
    texts = {cell.source: n for n, cell in enumerate(notebook.cells)}
    for cell in chapter_of(notebook).notebook().cells:
        options, code = split_options(cell.source)
        if cell.cell_type == "code" and "label" in options:
            caption = notebook.cells[texts[code] + 1].source
            assert re.match(r"\*\*(Figure|Table) \d\.\d+\.\*\* \w", caption), caption


def test_form_says_what_the_profile_does(notebook):
    chapter, form = chapter_of(notebook), top(notebook)[FORM]
    found: dict = {}
    exec(form, {"__builtins__": {}}, found)
    assert found == resolve(chapter, Build("sample", ROOT), {})["parameters"]
    lines = [line for line in form.splitlines() if line[:2] != "#@"]
    assert [line.split(" = ")[0] for line in lines] == list(chapter.knobs)
    for line in lines:
        assert re.search(PARAM, line), line
    assert form.count("#@markdown ") == len(chapter.knobs)


def test_fields_of_the_form(tmp_path):
    file = tmp_path / "01_x.py"
    file.write_text(
        '# %% tags=["parameters"]\n'
        "from typing import Literal\n"
        "a: Literal['x', 'y\"'] = 'x'  # one\n"
        "b: bool = True\n"
        "c: float = 1e-05\n"
        "d: int | None = None\n"
        "e: str = 'é'\n"
        "f: Literal[1, 2] = 1\n"
    )
    knobs = Chapter(file).knobs
    assert [field(knob, knob.default) for knob in knobs.values()] == [
        '"x" #@param ["x", "y\\""]',
        'True #@param {type:"boolean"}',
        '1e-05 #@param {type:"number"}',
        'None #@param {type:"raw"}',
        '"é" #@param {type:"string"}',
        '1 #@param {type:"raw"}',
    ]
    assert field(knobs["a"], 'y"') == '"y\\"" #@param ["x", "y\\""]'


def test_each_profile_is_what_the_build_makes_of_it(notebook, capsys):
    chapter, cells = chapter_of(notebook), top(notebook)
    for profile in ("smoke", "sample", "full"):
        found: dict = {"profile": profile, "colab_runtime": Runtime()}
        exec(cells[FORM], found)
        exec(cells[APPLY], found)
        expected = resolve(chapter, Build(profile, ROOT), {})["parameters"]
        assert {name: found[name] for name in chapter.knobs} == expected


class Runtime:
    """The real one, without a network."""

    def __init__(self):
        from wslib.workbook.notebooks import colab_runtime

        self.settle = colab_runtime.settle
        self.fetched: list = []

    def fetch(self, values, known):
        self.fetched.append((values, known))


def test_cells_on_top_take_no_parameters_name(notebook):
    cells = top(notebook)
    for cell in (SET_UP, CARRIED, APPLY):
        names = {
            node.id
            for node in ast.walk(ast.parse(cells[cell]))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        assert not names & set(chapter_of(notebook).knobs)


def test_downloads_of_each_profile(notebooks):
    said = {}
    for name in NAMES:
        found = settings(top(notebooks[name])[SET_UP], "DOWNLOADS")["DOWNLOADS"]
        assert found["smoke"] == found["sample"] == []
        said[name[:2]] = [text.split(" (")[0] for text in found["full"]]
    assert said == {
        "01": ["weights of resnet50"],
        "02": ["VOC2007"],
        "03": ["VOC2007"],
        "04": ["CIFAR-10", "weights of SAM vit_b"],
        "05": ["Caltech-101", "weights of resnet18"],
    }


def test_what_can_be_downloaded(course):
    """Each row can be fetched or is fetched by the chapter; the sizes are known."""
    assert course.downloads["voc2007"]["size"] == "868.8 MiB"
    for name, row in course.downloads.items():
        assert row["below"] in ("data", "torch") and row["path"], name
        if row["fetch"]:
            module, _, function = row["fetch"].rpartition(".")
            assert callable(getattr(sys.modules[module], function))
    known = settings(
        "\n".join(top(make_notebook(course.chapters[1], course))[APPLY:]), "KNOWN"
    )["KNOWN"]
    assert list(known) == ["voc2007", "resnet18", "resnet50"]


def test_same_bytes_again(course, notebooks):
    """In another process, in which sets have another order."""
    code = (
        "import json, sys\nfrom pathlib import Path\nimport nbformat\n"
        "from wslib.workbook.sources.chapter import Chapter\n"
        "from wslib.workbook.notebooks.colab import Course, make_notebook\n"
        "course = Course(Path(sys.argv[1]), 'sample', json.load(sys.stdin))\n"
        "notebook = make_notebook(Chapter(Path(sys.argv[2])), course)\n"
        "sys.stdout.write(nbformat.writes(notebook))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, ROOT, ROOT / f"chapters/{NAMES[3]}.py"],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        input=json.dumps(course.downloads).encode(),
        capture_output=True,
    )
    assert done.stdout.decode() == nbformat.writes(notebooks[NAMES[3]]), done.stderr


# ------------------------------------------------------------------------ bad input


@pytest.fixture
def project(tmp_path):
    (tmp_path / "chapters").mkdir()
    for name in ("report", "requirements.txt"):
        (tmp_path / name).symlink_to(ROOT / name)
    for file in ROOT.glob("_quarto*.yml"):
        (tmp_path / file.name).symlink_to(file)
    text = f'{TITLE}# %% tags=["parameters"]\nseed: int = 0  # x\n\n# %%\nseed\n'
    (tmp_path / "chapters/01_one.py").write_text(text)
    for profile in ("smoke", "sample", "full"):
        (tmp_path / "params" / profile).mkdir(parents=True)
        (tmp_path / f"params/{profile}/01_one.yml").write_text("{}")
    return tmp_path


def written(project, profile="sample"):
    chapter = Chapter(project / "chapters/01_one.py")
    return write_notebook(chapter, Course(project, profile, {}))


def test_command_line(project, monkeypatch, tmp_path):
    """All chapters by default; a branch beside the tree; badges where they belong."""
    from typer.testing import CliRunner

    from wslib.cli.workbook import app

    monkeypatch.chdir(project)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ann")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ann@example.org")
    Path("README.md").write_text("<!-- colab -->\n<!-- /colab -->\n")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "README.md")
    git(project, "commit", "-q", "-m", "One")
    git(project, "remote", "add", "origin", "https://github.com/ann/book.git")
    run = CliRunner().invoke(app, ["colab", "--branch", "colab"])
    assert run.exit_code == 0, run.output
    lines = run.output.splitlines()
    assert lines[:2] == ["build/colab/01_one.ipynb", "README.md: badges"]
    assert lines[-1].startswith("colab: ")
    assert lines[-1].endswith("; to publish it: git push origin colab")
    assert (
        "/github/ann/book/blob/colab/01_one.ipynb) One" in Path("README.md").read_text()
    )
    assert git(project, "ls-tree", "--name-only", "colab") == "01_one.ipynb"
    again = CliRunner().invoke(
        app, ["colab", "chapters/01_one.py", "--branch", "colab"]
    )
    assert again.output.splitlines()[1:] == ["colab: has these notebooks already"]
    missing = CliRunner().invoke(app, ["colab", "chapters/09_none.py"])
    assert isinstance(missing.exception, FileNotFoundError)


def test_mistakes_are_one_line_and_leave_the_last_notebook(project):
    last = written(project).read_bytes()
    with pytest.raises(RenderError, match="^_quarto-quick.yml: "):
        written(project, "quick")
    file = project / "params/full/01_one.yml"
    file.write_text("sead: 1")
    with pytest.raises(ParameterError, match="full/01_one.yml: no parameter 'sead'"):
        written(project)
    file.unlink()  # a profile may set nothing
    chapter = project / "chapters/01_one.py"
    chapter.write_text("# %%\n1\n")
    with pytest.raises(ParameterError, match="expected one cell"):
        written(project)
    target = project / "build/colab/01_one.ipynb"
    assert target.read_bytes() == last
    assert list(target.parent.iterdir()) == [target]


def test_download_that_is_a_default_is_told_for_each_profile(project):
    chapter = project / "chapters/01_one.py"
    text = f'{TITLE}# %% tags=["parameters"]\nkind: str = "voc"  # or vocal, art\n'
    chapter.write_text(text)
    (project / "params/smoke/01_one.yml").write_text("kind: drawn")
    (project / "params/full/01_one.yml").write_text("kind: art")
    row = {"size": "1 MB", "below": "data", "path": "a", "fetch": None, "instead": None}
    known = {name: {"what": name.upper(), **row} for name in ("voc", "art", "al")}
    course = Course(project, "sample", known)
    cells = top(make_notebook(Chapter(chapter), course))
    assert settings(cells[SET_UP], "DOWNLOADS")["DOWNLOADS"] == {
        "smoke": [], "sample": ["VOC (1 MB)"], "full": ["ART (1 MB)"],
    }  # fmt: skip
    assert list(settings(cells[APPLY], "KNOWN")["KNOWN"]) == ["voc", "art"]


def test_chapter_with_a_profile_of_its_own(project):
    (project / "params/sample/01_one.yml").write_text("seed: 4")
    cells = top(nbformat.read(written(project), as_version=4))
    assert 'seed = 4 #@param {type:"integer"}' in cells[FORM]
    cells = top(nbformat.read(written(project, "full"), as_version=4))
    assert 'seed = 0 #@param {type:"integer"}' in cells[FORM]
    assert 'profile = "full" #@param ["smoke", "sample", "full"]' in cells[SET_UP]
    found: dict = {"profile": "sample", "colab_runtime": Runtime()}
    exec(cells[FORM], found)
    exec(cells[APPLY], found)
    assert found["seed"] == 4


# ------------------------------------------------------------------- what it carries


def test_needed_packages(tmp_path):
    script = tmp_path / "a.py"
    script.write_text(
        "import os, torch, skimage.data\nfrom wandb import x\nfind_spec('sklearn')\n"
        "def late():\n    import efficientnet_lite_pytorch, cv2 as c\n"
        "    cv2.ximgproc.f()\nWORDS = 'pandas and more', 'scikit-image'\n"
    )
    assert needed_packages([script], ROOT / "requirements.txt") == {
        "cv2": "opencv-contrib-python-headless<5",
        "cv2.ximgproc": "opencv-contrib-python-headless<5",
        "efficientnet_lite_pytorch": "efficientnet-lite-pytorch==0.1.0",
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
    }


def test_archive_is_the_same_whenever_files_were_written(tmp_path):
    file = tmp_path / "lib/a.py"
    file.parent.mkdir()
    file.write_text("x = 1\n")
    first = packed([file], tmp_path / "lib")
    os.utime(file, (10**9, 10**9))
    file.chmod(0o700)
    assert packed([file], tmp_path / "lib") == first


def test_only_what_is_imported_is_carried(notebooks):
    sizes = {name[:2]: len(str(notebooks[name])) for name in NAMES}
    assert (
        sizes["01"] < 350_000
        and 150_000 < sizes["02"] < 500_000 < 3_000_000 < sizes["04"]
    )


def test_damaged_copy_is_one_line(notebooks):
    source = top(notebooks[NAMES[0]])[CARRIED]
    place = source.index("UEsDB") + 400
    other = "A" if source[place] != "A" else "B"
    with pytest.raises(ValueError, match="damaged: fetch it again"):
        exec(source[:place] + other + source[place + 1 :], {})


def test_set_up_says_what_there_is_to_do(notebooks, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_DATA", "/some/data")
    monkeypatch.delenv("WSLIB_BUILD", raising=False)
    source = top(notebooks[NAMES[1]])[SET_UP].replace(
        'profile = "sample"', 'profile = "full"'
    )
    source = source.replace("NEEDED = {", "NEEDED = {'no_such': 'no-such==1',", 1)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(source, {})
    lines = said.getvalue().splitlines()
    assert lines[0] == "wslib: is here" and lines[1].startswith("device: ")
    assert re.match("stay as they are: torch 2.*, torchvision 0.*, numpy 2", lines[2])
    assert lines[3:] == [
        "packages to install: no-such==1",
        "data and weights to download: VOC2007 (868.8 MiB)",
        f"data in /some/data, results in {tmp_path}/build/colab",
    ]
    monkeypatch.delenv("WSLIB_BUILD")


@pytest.mark.parametrize("status", [0, 1])
def test_wslib_from_the_repository(notebooks, monkeypatch, tmp_path, status):
    """Asked for once, without a password; what fails leaves the carried copy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_DATA", "/some/data")
    monkeypatch.setenv("WSLIB_BUILD", "/some/build")
    real, calls = importlib.util.find_spec, []

    def pip(command, **options):
        calls.append((command, options["env"]["GIT_TERMINAL_PROMPT"]))
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "wslib" else real(n)
    )
    address = "git+https://github.com/ann/book@0123"
    source = top(notebooks[NAMES[0]])[SET_UP]
    source = re.sub("^REPOSITORY = .*", f"REPOSITORY = {address!r}", source, flags=re.M)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(source, {})
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", address]
    assert calls == [(pip, "0")]
    come = "the copy below" if status else f"installed from {address}"
    assert said.getvalue().startswith(f"wslib: {come}\n")
    assert "data in /some/data, results in /some/build\n" in said.getvalue()


# ------------------------------------------------------------ where `wslib` is not

ALONE = """
    import runpy, sys
    from pathlib import Path

    def elsewhere(path):
        return not Path(path or ".", "wslib").exists()

    sys.path[:] = filter(elsewhere, sys.path)
    sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in f"{f}".lower()]
    sys.path_hooks[:] = [h for h in sys.path_hooks if "editable" not in f"{h}".lower()]
    try:
        import wslib
    except ModuleNotFoundError:
        pass
    else:
        sys.exit(f"wslib is here: {wslib}")
"""


@pytest.fixture
def alone(tmp_path, monkeypatch) -> Path:
    """A script before another one: from then on Python does not find this project."""
    for name in [name for name in os.environ if name.startswith("WSLIB")]:
        monkeypatch.delenv(name)
    file = tmp_path / "alone.py"
    file.write_text(textwrap.dedent(ALONE))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    return file


def test_copy_is_unpacked_and_imported(notebooks, alone):
    """Chapter 4's, with its data, and an older package in the way."""
    older = Path("wslib")
    older.mkdir()
    (older / "__init__.py").write_text("raise SystemExit('the older one')")
    chapter = Chapter(ROOT / f"chapters/{NAMES[3]}.py")
    source = top(notebooks[NAMES[3]])[CARRIED].replace("prepare(NEEDED)", "SPAN")
    imports = re.findall(r"^from wslib[^(]*?(?:\(.*?\)|$)", chapter.text, re.M | re.S)
    assert len(imports) > 10
    check = (
        "import wslib\nfrom wslib.models.sam_tiny import WEIGHTS, read_card\n"
        "print(read_card()['parameters'] > 10**6, WEIGHTS.is_file(), wslib.__file__)"
    )
    path = "sys.path.insert(0, '.')"
    script = "\n".join([alone.read_text(), path, source, *imports, check])
    Path("script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "-I", "script.py"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    place, found = done.stdout.splitlines()
    assert found.startswith("True True ") and str(ROOT) not in done.stdout
    folder = Path(place.removeprefix("wslib: "))
    assert found.endswith(f" {folder}/wslib/__init__.py")
    assert not folder.exists()  # no longer than the process


def test_notebook_runs_alone_in_an_empty_folder(notebooks, alone, monkeypatch):
    """Chapter 1 at `smoke`, chosen by the switch, by a kernel without this project."""
    argv = [sys.executable, "-I", str(alone), "-f", "{connection_file}"]
    launch = 'runpy.run_module("ipykernel_launcher", run_name="__main__")\n'
    alone.write_text(f"{alone.read_text()}\n{launch}")
    spec = {"argv": argv, "display_name": "alone", "language": "python"}
    kernel = alone.parent / "kernels/alone/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(alone.parent))
    notebook = nbformat.from_dict(json.loads(json.dumps(notebooks[NAMES[0]])))
    cell = notebook.cells[1]
    cell.source = cell.source.replace('profile = "sample"', 'profile = "smoke"')
    NotebookClient(notebook, timeout=120, kernel_name="alone").execute()

    said = "".join(text for c in notebook.cells for text in streams(c))
    assert "wslib: the copy below\n" in said
    place = re.search(r"^wslib: (/.*)$", said, re.M)[1]
    assert "/wslib-" in place and not place.startswith(str(ROOT))
    assert "packages: all are here, nothing is installed\n" in said
    size = read_yaml(ROOT / f"params/smoke/{NAMES[0]}.yml")["input_size"]
    assert f"profile smoke: input_size = {size}, " in said
    shown = [
        o.data for c in notebook.cells for o in c.get("outputs", []) if "data" in o
    ]
    tables = [d["text/markdown"] for d in shown if "text/markdown" in d]
    chapter = (ROOT / f"chapters/{NAMES[0]}.py").read_text("utf-8")
    count = {kind: chapter.count(f"#| label: {kind}-") for kind in ("tbl", "fig")}
    assert min(count.values()) >= 4
    assert sum("| --" in t or "| :--" in t for t in tables) == count["tbl"]
    assert not any("{.small}" in table for table in tables)
    drawn = sum("image/png" in d or "image/svg+xml" in d for d in shown)
    assert drawn == count["fig"] <= len(list(Path("build/colab/figures").iterdir()))
    assert sorted(path.name for path in Path().iterdir()) == ["build"]


def streams(cell) -> list[str]:
    outputs = cell.get("outputs", [])
    return [o.text for o in outputs if o.output_type == "stream"]
