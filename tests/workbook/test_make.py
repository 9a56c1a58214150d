"""What Make promises when files are damaged, names are odd and two work at once."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wslib.cli import main
from wslib.workbook.runs import run
from wslib.workbook.sources.chapter import Chapter

EXECUTED = "executed in"
TABLE = """
import pandas as pd
from wslib.show.tables import Table

Table(pd.DataFrame({"name": ["a"], "n": [limit]}), "numbers")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, copied, untouched):
    """A project whose two chapters were run, the second with a table that is kept."""
    project = copied(untouched, tmp_path_factory.mktemp("made") / "project")
    with open(project.root / "chapters/02_two.py", "a", encoding="utf-8") as file:
        file.write(f"\n# %%{TABLE}")
    done = project.make("chapter", "CH=0")
    assert done.returncode == 0, done.stdout
    return project


def start(project, *words, **environment) -> subprocess.Popen:
    return subprocess.Popen(
        ["make", "PROFILE=smoke", *words], cwd=project.root, text=True,
        env={**project.environment, **environment}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def running(project) -> list[str]:
    """The commands at work in the project, kernels among them."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True)
    return [line for line in listed.stdout.splitlines() if str(project.root) in line]


# ------------------------------------------------------------------------ what is lost

DAMAGE = {
    "02_two.json": [None, b"", b'{"chapter"', b"{}", b"[1]", b"\xff\xfe\0"],
    "02_two.ipynb": [b"", b"{}", b'{"cells": [], "nbformat": 4}', b"\0\xff"],
    "tables/numbers.json": [None, b"", b"{}"],
    "tables/numbers.csv": [None, b"n\n7\n"],
    ".turn": [b"\0\xff 12", b"99999999999999999999 1", b"1"],
}  # fmt: skip
TOGETHER = [  # what does not hide one another
    {"02_two.json": None, "02_two.d": None, ".turn": b"\0\xff 12"},
    {"02_two.json": b"\xff\xfe\0", "02_two.d": b"", ".turn": b"1"},
    {"02_two.d": b"garbage: : %\n\t!!\n", ".settings": None},
    {"02_two.d": b"\0\xff", ".settings": b"\0\xff", ".turn": b"9" * 20 + b" 1"},
    {".checked0": None},
    {"02_two.ipynb": b"\0\xff"},
    {"tables/numbers.json": None},
    {"tables/numbers.csv": b"n\n7\n"},
]


def spoil(file: Path, content: bytes | None) -> None:
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_bytes(content)


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_damaged_is_not_taken_for_whole(made, monkeypatch, capsys, name):
    """A run wants settings and turn anew, and of the results that they be executed."""
    monkeypatch.chdir(made.root)
    monkeypatch.setattr(run, "PACKAGE", made.root / "wslib")
    chapter, folder = Chapter(Path("chapters/02_two.py")), made.root / "build/smoke"
    files = [folder / name, folder / "02_two.ipynb", folder / "02_two.json"]
    whole = {file: file.read_bytes() for file in files}
    is_result = name == "02_two.ipynb" or name.startswith("tables/")
    for content in DAMAGE[name]:
        spoil(folder / name, content)
        done = run.run(chapter, run.Build("smoke", made.root), execute=False)
        assert (done is None) == is_result, content
        said = "".join(capsys.readouterr())
        assert ("nothing executed" in said) != is_result
        if name in ("02_two.json", "02_two.ipynb") and content is not None:
            assert f"{name}: damaged" in said
        for file, bytes_ in whole.items():
            file.write_bytes(bytes_)


@pytest.mark.parametrize("damage", TOGETHER, ids=" ".join)
def test_what_is_damaged_is_made_anew(made, damage):
    good, numbers = made.outputs("02_two"), made.root / "build/smoke/tables/numbers"
    whole = {e: numbers.with_suffix(e).read_bytes() for e in (".csv", ".json")}
    for name, content in damage.items():
        spoil(made.root / "build/smoke" / name, content)
    for target in ("help", "-n clean"):
        assert made.make(*target.split()).returncode == 0, target
    if "02_two.json" not in damage:  # of which Make sees that it is new
        os.utime(made.root / "chapters/02_two.py")
    done = made.make("chapter", "CH=0")
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout and "unexpected" not in done.stdout
    assert made.outputs("02_two") == good
    for name, content in damage.items():
        if name in ("02_two.json", "02_two.ipynb") and content is not None:
            assert f"build/smoke/{name}: damaged" in done.stdout
        assert (made.root / "build/smoke" / name).read_bytes() != content
    assert all(numbers.with_suffix(e).read_bytes() == whole[e] for e in whole)
    assert EXECUTED not in made.make("chapter", "CH=0").stdout


def test_without_its_rule_a_chapter_still_follows_its_modules(made):
    for content in (None, ""):
        rule = made.root / "build/smoke/01_one.d"
        rule.unlink() if content is None else rule.write_text(content)
        value = 43 if content is None else 42
        made.write("wslib/answer.py", f"def value():\n    return {value}\n")
        assert made.make("chapter", "CH=0").returncode == 0
        assert made.outputs("01_one") == f"{value}.0"


def test_report_names_what_was_lost_and_the_next_one_has_it(made):
    shutil.rmtree(made.root / "build/smoke/tables")
    failed = made.make("report")
    assert failed.returncode != 0
    assert "build/smoke/02_two.ipynb: damaged" in failed.stdout
    done = made.make("report")
    assert done.returncode == 0 and "02_two: executed" in done.stdout
    assert (made.root / "build/smoke/tables/numbers.json").is_file()


# ----------------------------------------------------------------------- what is typed


def test_settings_are_text_to_make(project):
    words = ["US$100", "$(shell touch executed)", "$$HOME ${HOME} `touch executed`"]
    knobs = "".join(f'word{n}: str = ""\n' for n in range(len(words)))
    project.edit("chapters/01_one.py", "seed: int = 0", f"{knobs}seed: int = 0")
    project.edit("chapters/01_one.py", "answer.value() * scale", "word0, word1, word2")
    said = " ".join(f"'word{n}={word}'" for n, word in enumerate(words))
    done = project.make("chapter", "CH=01", f"SET={said}")
    assert done.returncode == 0, done.stdout
    assert project.outputs("01_one") == repr(tuple(words))
    for word in words:
        refused = project.make("chapter", "CH=01", f"DATA={word}").stdout
        assert f"DATA={word}: 01_one takes no data of one's own" in refused
    assert not (project.root / "executed").exists()
    twice = project.make("chapter", "CH=01", "SET=seed=1 seed=2")
    assert twice.returncode != 0 and "seed is given twice" in twice.stdout


@pytest.mark.parametrize("value", [".inf", ".nan", "1:30", "0x1f", "1e999"])
def test_numbers_that_nobody_meant_are_refused(made, monkeypatch, value):
    """By the check that comes before a run."""
    monkeypatch.chdir(made.root)
    words = ["check", "chapters/01_one.py", "--profile", "smoke", "--set"]
    argv = ["wslib", "workbook", *words, f"scale={value}"]
    monkeypatch.setattr(sys, "argv", argv)
    with pytest.raises(SystemExit, match="^wslib: ") as refused:
        main()
    said = refused.value.code  # which Python prints at the end, with status 1
    assert value in said and "unexpected" not in said and "\n" not in said


# --------------------------------------------------------------------- where things lie


ODD = ["pictures", "share:server=nas", "a;b|c", "x*?[y]", "a b#c$d%"]


def test_data_folders_with_odd_names_are_dependencies(project, tmp_path):
    """Of a folder that has changed Make sees it, of one that is gone the chapter."""
    data = [tmp_path / name / "set" for name in ODD]
    for folder in data:
        folder.mkdir(parents=True)
    note = (
        "from wslib.runtime.project import note_dependency\n"
        f"import os; folders = {list(map(str, data))!r}\n"
        "[note_dependency(f) or len(os.listdir(f)) for f in folders]"
    )
    project.edit("chapters/01_one.py", "answer.value() * scale", note)
    assert project.make("chapter", "CH=01").returncode == 0
    for target in ("help", "-n clean"):
        assert project.make(*target.split()).returncode == 0
    assert EXECUTED not in project.make("chapter", "CH=01").stdout

    checked = ("-o", "build/smoke/.settings", "-o", "build/smoke/.checked01")
    look = ("-n", *checked, "chapter", "CH=01")  # what Make would do
    assert "workbook run" not in project.make(*look).stdout
    time.sleep(0.05)
    for folder in data:
        before = folder.stat()
        (folder / "new.jpg").touch()
        assert "workbook run" in project.make(*look).stdout, folder
        os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert "workbook run" not in project.make(*look).stdout, folder
    os.utime(data[-1])
    assert EXECUTED in project.make("chapter", "CH=01").stdout
    assert project.outputs("01_one") == str([1] * len(ODD))
    for name in ODD:
        shutil.rmtree(tmp_path / name)
        would = project.make(*look)
        assert would.returncode == 0 and "workbook run" in would.stdout, would.stdout
        (tmp_path / name).mkdir()
    assert "FileNotFoundError" in project.make("chapter", "CH=01").stdout


def test_a_profile_without_a_file_for_the_chapter_leaves_its_defaults(ready):
    def shown():
        assert ready.make("chapter", "CH=02").returncode == 0
        return str(ready.notebook("02_two").cells[-1].outputs)

    usual = shown()
    ready.write("params/smoke/02_two.yml", "limit: 4\n")
    assert shown() != usual
    (ready.root / "params/smoke/02_two.yml").unlink()
    assert shown() == usual


def test_a_project_in_a_folder_with_an_odd_name(tmp_path, copied, executed):
    project = copied(executed, tmp_path / "Ann's $HOME; course, & more")
    project.edit("chapters/01_one.py", "answer.value()", "answer.value() + 1")
    done = project.make("report")
    assert done.returncode == 0 and "01_one: executed" in done.stdout, done.stdout
    assert (project.root / "report/_output/smoke/workbook.pdf").is_file()


def test_a_python_that_is_gone_is_named_and_made_anew(project):
    (project.root / ".venv/bin/python").symlink_to("/nowhere/python3")
    said = project.make("doctor")
    assert said.returncode != 0 and "its Python is gone" in said.stdout
    would = project.make("-n", "chapter", "CH=01")
    assert "-m venv --clear .venv" in would.stdout


# ------------------------------------------------------------------------- whose Python


def test_this_python_without_a_profile_executes(project, tmp_path):
    kernel = tmp_path / "jupyter/kernels/python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(
        '{"argv": ["/bin/false"], "display_name": "Other", "language": "python"}'
    )
    startup = tmp_path / ".ipython/profile_default/startup/00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("raise SystemExit; MINE = 1")
    (tmp_path / "start.py").write_text("MINE = 1")
    (tmp_path / "matplotlibrc").write_text("image.origin: lower\n")
    ask = (
        "import sys, matplotlib\nprint(sys.executable)\n"
        "'MINE' in dir(), matplotlib.rcParams['image.origin']"
    )
    project.edit("chapters/01_one.py", "answer.value() * scale", ask)
    done = project.make(
        "chapter", "CH=01", JUPYTER_PATH=str(tmp_path / "jupyter"), HOME=str(tmp_path),
        JUPYTER_PREFER_ENV_PATH="0", PYTHONSTARTUP=str(tmp_path / "start.py"),
        MATPLOTLIBRC=str(tmp_path),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert project.outputs("01_one") == "(False, 'upper')"
    assert sys.executable in str(project.notebook("01_one").cells[-1].outputs)


DRAWN = """
# %%
import numpy as np
from wslib.show import figures

fig, [[axis]] = figures.new_figure(1, 1, 3, 2)
figures.show_image(axis, np.arange(96, dtype=np.uint8).reshape(8, 12))
axis.set_title("a share ≥ 0.5")
figures.Picture(fig, "square")

# %%
values = np.random.default_rng(seed).normal(size=3) * 1000
print("≥", {f"name {n}" for n in range(9)} and values, 1 / 3)
Table(pd.DataFrame({"name": ["ä", "b", "c"], "n": values}), "values")
"""
HOME = {
    ".config/matplotlib/matplotlibrc": "image.origin: lower\nfont.size: 30\n"
    "savefig.facecolor: red\nsavefig.dpi: 30\naxes.formatter.use_locale: True\n",
    ".ipython/profile_default/startup/00.py": "import numpy, pandas\n"
    "numpy.set_printoptions(precision=1)\npandas.set_option('display.precision', 1)\n",
    ".ipython/profile_default/ipython_config.py": "get_config()"
    ".InteractiveShell.ast_node_interactivity = 'all'\n",
    "jupyter/kernels/python3/kernel.json": '{"argv": ["/bin/false"], '
    '"display_name": "Other", "language": "python"}',
}


def results(project) -> dict[str, object]:
    """All tables and figures as bytes, and what each cell shows."""
    build = project.root / "build/smoke"
    files = [*build.glob("tables/*"), *build.glob("figures/*")]
    shown = {name: project.notebook(name).cells for name in ("01_one", "02_two")}
    outputs = {name: [c.get("outputs") for c in cells] for name, cells in shown.items()}
    return outputs | {str(f.relative_to(build)): f.read_bytes() for f in files}


def test_one_tree_makes_one_book_wherever_and_for_whom(tmp_path, copied, untouched):
    home = tmp_path / "other home"
    for name, text in HOME.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    other = {
        "HOME": home, "XDG_CONFIG_HOME": home / ".config",
        "IPYTHONDIR": home / ".ipython",
        "JUPYTER_PATH": home / "jupyter", "JUPYTER_PREFER_ENV_PATH": "0",
        "MATPLOTLIBRC": home / ".config/matplotlib", "MPLBACKEND": "pdf",
        "LC_ALL": "C", "LANG": "de_DE.UTF-8", "TZ": "Pacific/Kiritimati",
        "PYTHONIOENCODING": "latin-1", "PYTHONHASHSEED": "3", "TERM": "dumb",
        "COLUMNS": "30",
    }  # fmt: skip
    seen = []
    for path, words, around in (("a", ["-j1"], {}), ("b ü; c/d", ["-j2"], other)):
        project = copied(untouched, tmp_path / path)
        project.environment.pop("OMP_NUM_THREADS", None)
        with open(project.root / "chapters/01_one.py", "a", encoding="utf-8") as file:
            file.write(f"\n# %%{TABLE.replace('limit', 'seed')}{DRAWN}")
        around = {name: str(value) for name, value in around.items()}
        done = project.make(*words, "chapter", "CH=0", **around)
        assert done.returncode == 0, done.stdout
        seen.append(results(project))
    assert {"figures/square.svg", "tables/values.json"} < seen[0].keys()
    assert seen[0] == seen[1]


def test_the_book_runs_two_chapters_at_a_time_unless_told_otherwise(ready):
    ready.edit("chapters/01_one.py", "hello", "goodbye")
    for words, jobs in (
        (["report"], 2),
        (["report", "-j1"], 1),
        (["report", "-j3"], 3),
        (["chapter", "CH=01"], 1),
        (["clean", "report"], 1),
        (["report", "RUN=srun"], None),
    ):
        said = ready.make("-n", *words).stdout
        assert re.findall(r"WSLIB_JOBS=(\d+)", said)[:1] == ([str(jobs)] * bool(jobs))
    said = ready.make("-n", "report", MAKEFLAGS="-j1").stdout
    assert "WSLIB_JOBS=1 " in said


# ---------------------------------------------------------------------- how files begin


def test_a_byte_order_mark_and_other_encodings(ready):
    chapter = ready.root / "chapters/01_one.py"
    chapter.write_bytes(b"\xef\xbb\xbf" + chapter.read_bytes())
    done = ready.make("chapter", "CH=01")
    assert done.returncode == 0 and EXECUTED not in done.stdout, done.stdout
    assert ready.notebook("01_one").cells[0].cell_type == "markdown"
    text = chapter.read_text("utf-8-sig")
    chapter.write_bytes(text.replace("hello", "gr\xfc\xdfe").encode("latin-1"))
    done = ready.make("chapter", "CH=01")
    assert done.returncode != 0
    assert "chapters/01_one.py: not in UTF-8 (byte" in done.stdout
    chapter.write_text(text.replace("hello", "hel\u2028lo"), "utf-8")
    done = ready.make("chapter", "CH=01")
    assert "chapters/01_one.py:4: holds the character U+2028" in done.stdout


# -------------------------------------------------------------------------- two at once


def test_a_second_make_waits_and_both_are_right(ready):
    go = ready.root / "go"
    waits = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)"
    ready.edit("chapters/02_two.py", "numbers =", f"{waits}\nnumbers =")
    first = start(ready, "chapter", "CH=0", "SET=limit=2")
    wait_for(lambda: (ready.root / "build/smoke/failed/02_two.ipynb").exists())
    second = start(ready, "chapter", "CH=0", "SET=limit=4")
    heard = next(line for line in second.stdout if "waiting" in line)
    go.touch()
    said, more = first.communicate(timeout=100)[0], second.communicate(timeout=100)[0]
    more = heard + more
    assert (first.returncode, second.returncode) == (0, 0), said + more
    assert "another make is at work there; waiting" in more
    assert "waiting" not in said and said.count(EXECUTED) == more.count(EXECUTED) == 1
    assert "| 3 |" in str(ready.notebook("02_two").cells[-1].outputs)
    assert EXECUTED not in ready.make("chapter", "CH=0", "SET=limit=4").stdout


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc")
def test_a_make_that_has_ended_is_not_waited_for_though_nobody_asked(made):
    with subprocess.Popen(["true"]) as ended:
        stat = Path("/proc", str(ended.pid), "stat")
        wait_for(lambda: ") Z " in stat.read_text())
        start = stat.read_text().rpartition(")")[2].split()[19]
        (made.root / "build/smoke/.turn").write_text(f"{ended.pid} {start}")
        os.utime(made.root / "chapters/01_one.py")
        done = made.make("chapter", "CH=01")
    assert done.returncode == 0 and "waiting" not in done.stdout, done.stdout


def at_work(project) -> Callable[[], bool]:
    """Let the second chapter take ten minutes; returns what says that it is at it."""
    begun = project.root / "begun"
    code = f"import time; open({str(begun)!r}, 'w'); time.sleep(600)"
    project.edit("chapters/02_two.py", "numbers =", f"{code}\nnumbers =")
    return begun.exists


def test_nothing_runs_on_when_make_alone_is_ended(project):
    is_at_work = at_work(project)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP):
        make = start(project, "chapter", "CH=02")
        wait_for(is_at_work)
        os.kill(make.pid, number)
        if number == signal.SIGHUP:  # Make hears it when its commands have
            os.killpg(make.pid, number)
        make.wait(90)
        wait_for(lambda: not running(project), 20)
        assert "waiting" not in make.stdout.read(), number  # for the one before
        left = {path.name for path in (project.root / "build/smoke").iterdir()}
        left -= {"02_two.json", ".checked02", ".settings", ".turn", "failed"}
        assert left <= {".02_two"}, number  # which the next run sweeps away
        (project.root / "begun").unlink()
    project.edit("chapters/02_two.py", "time.sleep(600)", "")
    done = project.make("chapter", "CH=02")
    assert done.returncode == 0 and "waiting" not in done.stdout, done.stdout
    assert not (project.root / "build/smoke/.02_two").exists()


@pytest.fixture
def foster_parent():
    """This process takes in the orphans, as the user's service manager of a desktop
    does; the kernels know only of orphans that go to the first process."""
    adopt = 36  # PR_SET_CHILD_SUBREAPER
    try:
        failed = ctypes.CDLL(None).prctl(adopt, 1)
    except AttributeError:
        pytest.skip("only Linux lets a process take in orphans")
    assert not failed
    yield
    ctypes.CDLL(None).prctl(adopt, 0)


@pytest.mark.parametrize("seconds", [0, 0.2, 0.5])
def test_nothing_runs_on_when_interrupted_at_the_start(project, seconds, foster_parent):
    at_work(project)
    make = start(project, "chapter", "CH=02")
    wait_for(lambda: (project.root / "build/smoke/failed/02_two.ipynb").exists())
    time.sleep(seconds)
    os.killpg(make.pid, signal.SIGINT)
    said, _ = make.communicate(timeout=20)
    assert "02_two: interrupted" in said and "Traceback" not in said
    wait_for(lambda: not running(project), 20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_runs_on_when_nobody_reads_any_more(project, number):
    """As Ctrl-C in `make chapter | tee log`, which ends tee as well."""
    is_at_work = at_work(project)
    make = start(project, "chapter", "CH=02")
    wait_for(is_at_work)
    make.stdout.close()
    for _ in range(3):  # Make hands on what its commands have heard already
        os.killpg(make.pid, number)
    make.wait(90)
    wait_for(lambda: not running(project), 20)
