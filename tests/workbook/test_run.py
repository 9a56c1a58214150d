"""The promises of the workbook, on a tiny project: what runs and what is kept."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from wslib.workbook.runs.build import Build
from wslib.workbook.runs.kernel import surroundings
from wslib.workbook.sources.chapter import Chapter

EXECUTED = "executed in"


def test_two_runs_alike_and_then_nothing_to_do(ready):
    first = ready.outputs("01_one"), ready.outputs("02_two")
    ready.make("clean")
    anew = ready.make("chapter", "CH=0")
    assert anew.returncode == 0, anew.stdout
    assert anew.stdout.count(EXECUTED) == 2
    assert (ready.outputs("01_one"), ready.outputs("02_two")) == first
    began = time.monotonic()
    again = ready.make("chapter", "CH=0")
    assert time.monotonic() - began < 1
    assert again.returncode == 0 and EXECUTED not in again.stdout


def test_parameters_come_from_yaml_and_command_line(ready):
    """An override reaches only the chapter that knows it."""
    ready.write("params/smoke/01_one.yml", "scale: 2\n")
    assert ready.make("chapter", "CH=01").returncode == 0
    assert ready.outputs("01_one") == "84.0"
    done = ready.make("chapter", "CH=0", "SET=scale=0.5")
    assert done.returncode == 0 and ready.outputs("01_one") == "21.0"
    assert (
        "01_one: executed" in done.stdout
        and "02_two" not in done.stdout.split("build")[0]
    )
    assert done.stdout.count(EXECUTED) == 1
    back = ready.make("chapter", "CH=01")
    assert back.returncode == 0 and ready.outputs("01_one") == "84.0"


@pytest.fixture(scope="module")
def reworded(tmp_path_factory, copied, executed):
    """A project whose words were changed, made again; and what make said. Not to be
    changed."""
    project = copied(executed, tmp_path_factory.mktemp("reworded") / "project")
    project.edit("chapters/01_one.py", "says hello", "says good morning")
    project.edit("chapters/02_two.py", "All of them.", "Each of them.")
    return project, project.make("chapter", "CH=0").stdout


def test_changed_sentence_runs_no_code(reworded, ready):
    project, said = reworded
    before, after = ready.notebook("01_one"), project.notebook("01_one")
    assert EXECUTED not in said and "01_one: same code, new prose; nothing ex" in said
    assert "good morning" in after.cells[0].source
    assert project.outputs("01_one") == "42.0"
    assert after.metadata.wslib.date == before.metadata.wslib.date
    assert after.metadata.wslib.blob != before.metadata.wslib.blob


def test_changed_caption_runs_no_code(reworded):
    project, said = reworded
    assert EXECUTED not in said
    assert "Each of them." in project.notebook("02_two").cells[-1].source
    assert project.notebook("02_two").cells[-1].outputs


def test_how_long_it_took_and_on_what_stands_once_below_the_title(reworded):
    project, _ = reworded
    title, _, rest = project.notebook("01_one").cells[0].source.partition("\n\n")
    assert title == "# One {#sec-one}"
    assert re.match(
        r"::: \{\.run-facts\}\nRan in \d+ s on .+ cores, \w+, "
        r"profile \*smoke\*, \d{4}-\d\d-\d\d\.\n:::\n",
        rest,
    )
    assert rest.count("run-facts") == 1 and "says good morning" in rest


def test_changed_module_runs_only_who_imports_it(ready):
    """Also what it imports itself, from beside it."""
    deep = "from .deep import NUMBER\n\n\ndef value():\n    return NUMBER\n"
    for number, answer in ((43, deep), (44, None)):
        ready.write("wslib/deep.py", f"NUMBER = {number}\n")
        if answer:
            ready.write("wslib/answer.py", answer)
        done = ready.make("chapter", "CH=0")
        assert "01_one: executed" in done.stdout and done.stdout.count(EXECUTED) == 1
        assert ready.outputs("01_one") == f"{number}.0"


def test_touched_module_runs_nothing(ready):
    os.utime(ready.root / "wslib/answer.py")
    assert EXECUTED not in ready.make("chapter", "CH=01").stdout


def test_deleted_module_is_no_missing_rule(ready):
    ready.edit("chapters/01_one.py", "from wslib import answer\n", "")
    ready.edit("chapters/01_one.py", "answer.value()", "7")
    (ready.root / "wslib/answer.py").unlink()
    done = ready.make("chapter", "CH=01")
    assert done.returncode == 0, done.stdout
    assert ready.outputs("01_one") == "7.0"


def test_unknown_parameter_is_refused_before_anything_runs(project):
    project.write("params/smoke/02_two.yml", "limti: 5\n")
    done = project.make("chapter", "CH=0")
    assert done.returncode != 0 and EXECUTED not in done.stdout
    assert "params/smoke/02_two.yml: no parameter 'limti'" in done.stdout
    assert "did you mean 'limit'" in done.stdout and "allowed: limit" in done.stdout


def test_unknown_override_names_all_that_is_allowed(project):
    done = project.make("chapter", "CH=0", "SET=sed=5")
    assert done.returncode != 0 and EXECUTED not in done.stdout
    assert "no parameter 'sed'; did you mean 'seed'?" in done.stdout
    assert "limit, scale, seed" in done.stdout


def test_failing_cell_is_named_kept_and_tried_again(ready):
    good = (ready.root / "build/smoke/02_two.ipynb").read_bytes()
    ready.edit("chapters/02_two.py", "range(limit))", "range(limit))\n1 / 0")
    failed = ready.make("chapter", "CH=02")
    assert failed.returncode != 0
    assert "chapters/02_two.py:9: ZeroDivisionError: division by zero" in failed.stdout
    assert "chapter 02_two, cell 2, line 2: 1 / 0" in failed.stdout
    said = failed.stdout.partition("wslib: ")[2].partition("make: ")[0]
    assert said and "Traceback" not in said
    kept = (ready.root / "build/smoke/failed/02_two.ipynb").read_text()
    assert "ZeroDivisionError" in kept
    assert (ready.root / "build/smoke/02_two.ipynb").read_bytes() == good
    assert "ZeroDivisionError" in ready.make("chapter", "CH=02").stdout
    ready.edit("chapters/02_two.py", "\n1 / 0", "")
    mended = ready.make("chapter", "CH=02")
    assert mended.returncode == 0
    assert not (ready.root / "build/smoke/failed/02_two.ipynb").exists()


GROUP = 'raise ExceptionGroup("two things", [ValueError("a"), TypeError("b")])'
CALL = """
# a comment that says helper(0)

# %%
def helper(x):
    y = 1
    return y / x


# %% [markdown]
# helper(0) must fail.

# %%
helper(0)
"""
WRONG = {"call": CALL, "exit": "import sys; sys.exit()", "group": GROUP}


@pytest.fixture(scope="module")
def failed(tmp_path_factory, copied, untouched):
    """A project of whose chapters all but the second fail, and what make said."""
    project = copied(untouched, tmp_path_factory.mktemp("failed") / "project")
    project.edit("chapters/01_one.py", "answer.value()", "undefined")
    for number, (name, code) in enumerate(WRONG.items(), start=3):
        text = (project.root / "chapters/02_two.py").read_text("utf-8")
        text = text.replace("numbers = list(range(limit))", code.strip())
        project.write(f"chapters/{number:02}_{name}.py", text)
        project.write(f"params/smoke/{number:02}_{name}.yml", "")
    done = project.make("-k", "-j2", "chapter", "CH=0")
    assert done.returncode != 0, done.stdout
    return project, done.stdout


def test_other_chapters_finish_when_one_fails(failed):
    assert "NameError" in failed[1] and "02_two: executed" in failed[1]
    assert failed[1].count(EXECUTED) == 1


def test_error_inside_a_function_names_the_call(failed):
    project, said = failed
    text = (project.root / "chapters/03_call.py").read_text().splitlines()
    line = text.index("helper(0)") + 1
    assert (
        f"wslib: chapters/03_call.py:{line}: ZeroDivisionError: division by zero\n"
        "  chapter 03_call, cell 4, line 1: helper(0)\n"
        "  the notebook with the traceback: build/smoke/failed/03_call.ipynb\n"
    ) in said


def test_exit_in_a_cell_is_a_failure(failed):
    project, said = failed
    found = r"04_exit\.py:\d+: .* does one before it call sys\.exit\(\)\?"
    assert re.search(found, said)
    assert not (project.root / "build/smoke/04_exit.ipynb").exists()


def test_groups_of_exceptions_say_what_they_are(failed):
    found = r"05_group\.py:\d+: ExceptionGroup: two things \(2 sub-exceptions\)"
    assert re.search(found, failed[1])


@pytest.mark.parametrize("file", ["chapters/02_two.py", "wslib/answer.py"])
def test_syntax_error_is_one_line(project, file):
    with open(project.root / file, "a") as open_file:
        open_file.write("\n\n# %%\n(1,\n")
    failed = project.make("chapter", "CH=0")
    assert failed.returncode != 0 and "Traceback" not in failed.stdout
    assert f"{file}:" in failed.stdout and "SyntaxError: '(' was never" in failed.stdout


def test_edit_during_the_run_is_not_lost(project):
    go = project.root / "go"
    slow = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.05)"
    slow += "\nnumbers = ['OLD']"
    project.edit("chapters/02_two.py", "numbers = list(range(limit))", slow)
    process = subprocess.Popen(
        ["make", "PROFILE=smoke", "chapter", "CH=02"],
        cwd=project.root, env=project.environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: (project.root / "build/smoke/failed/02_two.ipynb").exists())
    project.edit("chapters/02_two.py", "OLD", "NEW")
    go.touch()
    assert process.wait(timeout=60) == 0
    assert "OLD" in str(project.notebook("02_two").cells[-1].outputs)
    assert EXECUTED in project.make("chapter", "CH=02").stdout
    assert "NEW" in str(project.notebook("02_two").cells[-1].outputs)


def test_override_that_changes_nothing_runs_nothing(ready):
    done = ready.make("chapter", "CH=01", "SET=seed=1")
    assert done.returncode == 0 and EXECUTED not in done.stdout
    assert ready.notebook("01_one").metadata.wslib.set_by == {"seed": "command line"}


def test_results_of_other_settings_are_kept_and_of_a_failed_run_are_not(project):
    """With tables and figures: the plain ones come back, and so do the others."""
    table = 'from wslib.show.tables import Table\nTable(D({"n": [limit]}), "n")\n'
    text = f"\n# %%\nfrom pandas import DataFrame as D\n{table}"
    project.edit("chapters/02_two.py", "\n# %%\nnumbers", f"{text}\n# %%\nnumbers")
    shown = project.root / "build/smoke/tables/n.csv"
    for words, rows in (((), "3"), (("SET=limit=5",), "5")):
        assert EXECUTED in project.make("chapter", "CH=02", *words).stdout
        assert shown.read_text() == f"n\n{rows}\n"
    for words, rows in (((), "3"), (("SET=limit=5",), "5")):
        done = project.make("chapter", "CH=02", *words)
        assert EXECUTED not in done.stdout and "nothing executed" in done.stdout
        assert shown.read_text() == f"n\n{rows}\n"

    # The code changes: nothing of before is still good, and not all is good now.
    numbers = "numbers = list(range(limit))"
    project.edit("chapters/02_two.py", numbers, f"{numbers}\nassert limit < 7")
    assert project.make("chapter", "CH=02", "SET=limit=7").returncode != 0
    assert shown.read_text() == "n\n5\n"
    of_failed = project.root / "build/smoke/failed/02_two/tables/n.csv"
    assert of_failed.read_text() == "n\n7\n"
    assert EXECUTED in project.make("chapter", "CH=02").stdout
    assert shown.read_text() == "n\n3\n" and not of_failed.exists()


BARS = """
from wslib.runtime.progress import progress
from wslib.workbook.runs.build import Build
from wslib.workbook.runs.kernel import surroundings
from wslib.workbook.sources.chapter import Chapter

list(progress(range(3), "counting"))
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory, copied, untouched):
    """A project on GitHub, its chapter 1 made with all that one may say; and what make
    said. Not to be changed."""
    project = copied(untouched, tmp_path_factory.mktemp("asked") / "project")
    project.edit(
        "chapters/01_one.py", "scale:", "names: list[str] = []  # none\nscale:"
    )
    project.edit("chapters/01_one.py", "\n# %%\nfrom", f"\n# %%{BARS}\n# %%\nfrom")
    project.write("prefix.sh", '#!/bin/sh\necho "prefixed: $*"\nexec "$@"\n')
    (project.root / "prefix.sh").chmod(0o755)
    for words in (["init", "-q"], ["remote", "add", "origin", "git@github.com:me/it"]):
        subprocess.run(["git", *words], cwd=project.root, check=True)
    words = ("SET=names=[a, b] seed=3", "RUN=./prefix.sh")
    done = project.make("chapter", "CH=1", *words)
    assert done.returncode == 0, done.stdout
    return project, done.stdout


def test_lists_may_have_spaces_and_chapters_one_digit(asked):
    known = asked[0].notebook("01_one").metadata.wslib.parameters
    assert (known["names"], known["seed"]) == (["a", "b"], 3)


def test_run_is_a_prefix_of_what_executes(asked):
    assert "prefixed: .venv/bin/wslib workbook run chapters/01_one.py" in asked[1]


def test_progress_bars_stay_out_of_the_notebook(asked):
    cells = asked[0].notebook("01_one").cells
    assert any("progress(range(3)" in cell.source for cell in cells)
    assert not [
        output
        for cell in cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    ]


def test_a_chapter_on_github_links_to_its_notebook_in_colab(asked):
    link = "https://colab.research.google.com/github/me/it/blob/colab/01_one.ipynb"
    title = asked[0].notebook("01_one").cells[0].source
    assert f" [Open in Colab]({link})\n:::" in title


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("report CH=01", "make report makes the whole book; of one chapter: make pdf"),
        ("report CH=99", "no chapter 99; there are 01_one 02_two"),
        ("pdf", "make pdf needs CH, such as CH=02"),
        ("raport", "there is no target raport; did you mean report? make help"),
        ("chapter CH=01 DATA=x", "DATA=x: 01_one takes no data of one's own"),
    ],
)
def test_what_make_cannot_do_is_said_in_a_line(project, words, said):
    done = project.make(*words.split())
    assert done.returncode and said in done.stdout, done.stdout


def test_provenance_names_only_what_is_in_the_book(ready):
    build = ready.root / "build/smoke"
    shutil.copy(build / "02_two.ipynb", build / "03_gone.ipynb")
    done = ready.make("report")
    assert done.returncode == 0, done.stdout
    page = (build / "provenance.qmd").read_text()
    assert "`01_one`" in page and "`02_two`" in page and "03_gone" not in page
    assert "neither recorded nor published, nor notes of what was tried" in page
    assert "| `01_one` | `seed` | `1` | profile |" in page
    assert "`limit`" not in page, "a default, which the chapter's own cell says"


def test_chapters_alone_and_side_by_side_have_the_same_threads(project):
    """Their number decides how sums are rounded; it does not hang on -j."""
    names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
    for chapter in ("01_one", "02_two"):
        with open(project.root / f"chapters/{chapter}.py", "a") as file:
            file.write(f"\n# %%\nimport os\n\n[os.environ.get(n) for n in {names}]\n")
    for name in names:
        project.environment.pop(name, None)
    for words, chapters, told in (
        (("-j2", "CH=0"), ("01_one", "02_two"), ["2", "PASSIVE"]),
        (("-j1", "CH=02"), ("02_two",), ["2", None]),
    ):
        assert project.make("chapter", *words).returncode == 0
        for chapter in chapters:
            assert project.outputs(chapter).splitlines()[-1] == str(told)
        project.make("clean")


def test_provenance_travels_with_the_notebook(ready):
    record = ready.notebook("01_one").metadata.wslib
    blob = subprocess.run(
        ["git", "hash-object", "chapters/01_one.py"],
        cwd=ready.root, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert record.blob == blob
    assert record.parameters == {"seed": 1, "scale": 1.0}
    assert record.seed == 1 and record.seconds > 0
    assert "torch" in record.versions and record.profile == "smoke"


def test_kill_in_the_middle_leaves_the_last_notebook_and_the_next_make_right(ready):
    good = (ready.root / "build/smoke/02_two.ipynb").read_bytes()
    ready.edit(
        "chapters/02_two.py", "numbers =", "import time; time.sleep(60)\nnumbers ="
    )
    process = subprocess.Popen(
        ["make", "PROFILE=smoke", "chapter", "CH=02"],
        cwd=ready.root, env=ready.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: (ready.root / "build/smoke/failed/02_two.ipynb").exists())
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (ready.root / "build/smoke/02_two.ipynb").read_bytes() == good
    ready.edit("chapters/02_two.py", "import time; time.sleep(60)\n", "")
    ready.edit("chapters/02_two.py", "range(limit)", "range(limit + 1)")
    done = ready.make("chapter", "CH=02")
    assert done.returncode == 0 and EXECUTED in done.stdout
    assert "| 3 |" in str(ready.notebook("02_two").cells[-1].outputs)


def test_interrupt_is_one_line(project):
    project.edit(
        "chapters/02_two.py", "numbers =", "import time; time.sleep(60)\nnumbers ="
    )
    process = subprocess.Popen(
        ["make", "PROFILE=smoke", "chapter", "CH=02"],
        cwd=project.root, env=project.environment, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    wait_for(lambda: (project.root / "build/smoke/failed/02_two.ipynb").exists())
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "02_two: interrupted; so far: build/smoke/failed/02_two.ipynb" in said
    assert "Traceback" not in said


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="sockets without files: on Linux")
def test_a_kernel_takes_no_port_that_another_could_take(ready):
    facts = "json.load(open(ipykernel.get_connection_file()))['transport']"
    code = f"import json, ipykernel\n{facts}"
    ready.edit("chapters/01_one.py", "answer.value() * scale", code)
    done = ready.make("chapter", "CH=01")
    assert done.returncode == 0, done.stdout
    assert ready.outputs("01_one") == "'ipc'"


def test_the_environment_of_the_kernel_ends_with_its_chapter(tmp_path):
    build, before = Build("smoke", tmp_path), dict(os.environ)
    build.folder.mkdir(parents=True)
    with surroundings(Chapter(tmp_path / "01_one.py"), build) as scratch:
        assert os.environ["WSLIB_BUILD"] == str(build.folder)
        assert (scratch / "data").is_file()
    assert dict(os.environ) == before and not scratch.exists()
