"""The preview: what a saved file needs, what is on the page, what has to be mended."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output

from wslib.workbook.preview.preview import Preview, needs
from wslib.workbook.preview.serve import Live, State, listen
from wslib.workbook.preview.watch import Watch
from wslib.workbook.preview.web import WebBook, WebBookMaker
from wslib.workbook.runs import run, settings
from wslib.workbook.runs.job import Job
from wslib.workbook.sources.book import RenderError
from wslib.workbook.sources.chapter import Chapter, code_cells

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="144pt" height="72pt"/>'
TABLE = "| n |\n|--:|\n| 0 |\n| 1 |"
ONE = """
# %% [markdown]
# # One {#sec-one}
#
# The first chapter says hello; see @tbl-numbers, @sec-more and @zhou2016.
#
# ## More {#sec-more}
#
# $$ a = b $$ {#eq-a}
#
# ```python
# code = "in words"
# ```

# %% tags=["parameters"]
seed: int = 0  # of nothing at all

# %%
#| label: fig-one
#| fig-cap: "A picture."
from wslib import answer

answer.value()
"""
FAR = "\n".join(f"# Line {n} of many.\n#" for n in range(60))
TWO = f"""
# %% [markdown]
# # Two {{#sec-two}}
#
# Of @fig-one and @eq-a [@selvaraju2017].
#
# ## Far below {{#sec-far}}
#
{FAR}
#
# ## The end {{#sec-end}}
#
# So it ends.

# %% tags=["parameters"]
limit: int = 3  # how many

# %%
#| label: tbl-numbers
#| tbl-cap: "All of them."
limit
"""
CHANGED = [  # by a run, in its environment
    *("WSLIB_BUILD", "WSLIB_RESULTS", "WSLIB_DERIVED", "WSLIB_PROGRESS"),
    *("WSLIB_DATA_NOTES", "WSLIB_DEVICE_NOTE", "PYTHONPATH"),
]
OUTPUTS = {
    "fig-one": {"image/svg+xml": PICTURE},
    "tbl-numbers": {"text/markdown": TABLE},
}


def pretend(notebook, output, **options):
    """Take the place of papermill and a kernel."""
    for cell in code_cells(notebook):
        cell.execution_count = 1
        label = re.search(r"#\| label: (\S+)", cell.source)
        shown = OUTPUTS[label[1]] if label else {"text/markdown": "42"}
        cell.outputs = [new_output("display_data", shown)]
    nbformat.write(notebook, output)


@pytest.fixture
def written(project, monkeypatch):
    """The tiny project with other words; nothing in it has been executed."""
    monkeypatch.setattr(run, "PACKAGE", project.root / "wslib")
    monkeypatch.chdir(project.root)
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    project.write("params/smoke/01_one.yml", "")
    project.write("chapters/01_one.py", ONE)
    project.write("chapters/02_two.py", TWO)
    project.write("index.qmd", "# Preface {.unnumbered}\n\nSee @sec-provenance.\n")
    return project


@pytest.fixture
def book(written, monkeypatch):
    """The same, with both chapters executed, as far as one can see."""
    build = run.Build("smoke", written.root)
    chapters = [
        Chapter(written.root / f"chapters/{n}.py") for n in ("01_one", "02_two")
    ]
    settings.check(chapters, build, {})
    with monkeypatch.context() as context:
        context.setattr("papermill.execute_notebook", pretend)
        for name in CHANGED:
            context.setenv(name, "")  # and put back at the end
        for chapter in chapters:
            run.run(chapter, build)
    return written


# ------------------------------------------------------------------ what a file needs

RULES = {"01_one": "build/smoke/01_one.ipynb: wslib/cam.py", "02_two": "x: wslib/a.py"}


@pytest.mark.parametrize(
    "changed, look, make",
    [
        ({"chapters/01_one.py"}, {"01_one"}, set()),
        ({"chapters/03_other.py"}, set(), set()),
        ({"params/smoke/02_two.yml"}, set(), {"02_two"}),
        ({"params/full/02_two.yml"}, set(), set()),
        ({"wslib/cam.py"}, set(), {"01_one"}),
        ({"wslib/c.py"}, set(), set()),
        ({"index.qmd", "report/book.css", "_quarto.yml"}, set(), set()),
        ({"wslib/cam.py", "chapters/01_one.py"}, set(), {"01_one"}),
    ],
)
def test_what_a_changed_file_needs(changed, look, make):
    assert needs(changed, "smoke", RULES) == (look, make)


def test_saving_in_any_manner_is_one_change(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("1")
    (tmp_path / "deep/er").mkdir(parents=True)
    watch = Watch(tmp_path, ["[a-z].py", "deep/**/*.py"])
    assert watch.changes() == set()
    file.write_text("2 2")
    assert watch.changes() == {"a.py"} and watch.changes() == set()
    (tmp_path / "a.new").write_text("2 3")
    os.replace(tmp_path / "a.new", file)
    (tmp_path / "deep/er/b.py").write_text("")
    (tmp_path / "deep/c.py").write_text("")
    assert watch.changes() == {"a.py", "deep/er/b.py", "deep/c.py"}
    times = file.stat()
    (tmp_path / "a.new").write_text("2 4")
    os.utime(tmp_path / "a.new", ns=(times.st_atime_ns, times.st_mtime_ns))
    os.replace(tmp_path / "a.new", file)
    assert watch.changes() == {"a.py"}
    for name in (".a.py.swp", "a.py~", ".#a.py", "notes.txt", "deep/notes.txt"):
        (tmp_path / name).write_text("")
    assert watch.changes() == set()


def test_file_that_is_gone_for_a_moment_is_one_change(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("1")
    watch = Watch(tmp_path, ["*.py"])
    file.unlink()
    threading.Timer(0.02, file.write_text, ["2"]).start()
    assert watch.changes() == {"a.py"} and file.read_text() == "2"
    file.unlink()
    assert watch.changes() == {"a.py"} and watch.changes() == set()


def test_change_between_two_calls_is_not_missed(tmp_path):
    watch = Watch(tmp_path, ["*.py"])
    (tmp_path / "a.py").write_text("1")
    time.sleep(0.3)
    (tmp_path / "b.py").write_text("1")
    assert watch.changes() | watch.changes() == {"a.py", "b.py"}


# ----------------------------------------------------------------- page and messages


def get(url, timeout=5):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read(), answer.headers


def test_page_pictures_and_state():
    live = Live()
    server = listen(live, "127.0.0.1", 18700)
    url = "http://{}:{}/".format(*server.server_address)
    try:
        assert b"state.json" in get(url)[0]
        first = json.loads(get(url + "state.json")[0])
        live.show(WebBook("<body>Say </body> twice</body>", {"a.svg": b"<svg/>"}))
        live.tell(running="01 is running ...", share=0.5, problem="two\nlines")
        state, headers = get(url + "state.json")
        assert headers["Cache-Control"] == "no-store"
        state = json.loads(state)
        version = state.pop("version")
        assert first["version"] != version
        assert state == {
            "running": "01 is running ...", "share": 0.5, "problem": "two\nlines",
            "changed": "",
        }  # fmt: skip
        page, headers = get(url)
        assert page.startswith(b"<body>Say </body> twice<script data-version=")
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert f'data-version="{version}"'.encode() in page
        picture, headers = get(url + "picture/a.svg")
        assert picture == b"<svg/>" and headers["Content-Type"] == "image/svg+xml"
        assert "immutable" in headers["Cache-Control"]
        for name in ("picture/b.svg", "a.svg", "picture/../a.svg", "etc/passwd"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                get(url + name)
    finally:
        server.shutdown()
        server.server_close()


def test_only_names_of_this_machine_are_answered():
    live = Live()
    server = listen(live, "127.0.0.1", 18700)
    port = server.server_address[1]
    try:
        for host, status in (("127.0.0.1", 200), ("localhost", 200), ("evil.org", 403)):
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            asked.request("GET", "/", headers={"Host": f"{host}:{port}"})
            assert asked.getresponse().status == status, host
            asked.close()
    finally:
        server.shutdown()
        server.server_close()


def test_next_port_if_one_is_in_use(monkeypatch):
    with socket.create_server(("127.0.0.1", 18731)):
        server = listen(Live(), "127.0.0.1", 18731)
        server.shutdown()
        server.server_close()
        assert server.server_address[1] == 18732
        monkeypatch.setattr("wslib.workbook.preview.serve.TRIES", 1)
        with pytest.raises(ValueError, match="^port 18731: in use, like the next"):
            listen(Live(), "127.0.0.1", 18731)
    with pytest.raises(ValueError, match=r"^no\.such\.host\.invalid:18731: "):
        listen(Live(), "no.such.host.invalid", 18731)


# ------------------------------------------------------------------ the book in parts


@pytest.fixture
def maker(book):
    maker = WebBookMaker(book.root, "smoke")
    yield maker
    maker.close()


def whole(book) -> str:
    """The page that is made with nothing to go on from."""
    fresh = WebBookMaker(book.root, "smoke")
    text = fresh.make().html
    fresh.close()
    return text


def notebook(book, name, old, new):
    """Change an executed notebook."""
    book.edit(f"build/smoke/{name}.ipynb", old, new)


IN_PARTS = [
    ("02_two", "Of @fig-one", "Of @fig-one, @eq-a and [@deng2009]"),
    ("02_two", "[@selvaraju2017]", ""),
    ("01_one", "says hello", "says *good* morning; see @tbl-numbers"),
    ("01_one", "A picture.", "Two pictures, [here](#sec-end)."),
    ("01_one", "code = ", "# coding\\ncode = "),
]
AS_A_WHOLE = [
    ("01_one", "## More", "## Much *more*"),
    ("02_two", "So it ends.", "So it ends.[^1]\\n\\n[^1]: Not."),
    ("02_two", "So it ends.", "$$ c $$ {#eq-c}"),
    ("01_one", "hello;", "hello\\n\\n```\\na\\n```\\n\\n"),
    ("01_one", "hello;", "hello\\n\\n```python\\na\\n```\\n\\n"),
]


def test_chapters_made_anew_are_what_the_whole_book_has(book, maker):
    last = maker.make().html
    for change in IN_PARTS:
        notebook(book, *change)
        before, made = last, maker.make()
        last = made.html
        assert before != last and len(made.parts) == 1, change
    assert last == whole(book)


@pytest.mark.parametrize("name, old, new", AS_A_WHOLE)
def test_what_the_rest_depends_on_makes_the_whole_book(book, maker, name, old, new):
    maker.make()
    notebook(book, name, old, new)
    made = maker.make()
    assert made.parts is None and made.html == whole(book)


def test_words_of_a_footnote_make_the_whole_book(book, maker):
    notebook(book, "02_two", "So it ends.", "So it ends.[^1]\\n\\n[^1]: Early.")
    assert "Early." in maker.make().html
    notebook(book, "02_two", "Early.", "Late.")
    assert "Late." in maker.make().html


def test_parts_that_do_not_fit_make_the_whole_book(book, maker, monkeypatch):
    maker.make()
    monkeypatch.setattr("wslib.workbook.preview.web.splice", lambda *_: None)
    notebook(book, "02_two", "So it ends.", "Here it ends.")
    assert "Here it ends." in maker.make().html


def test_nothing_changed_nothing_is_made(book, maker):
    before, again = maker.make(), maker.make()
    assert again.parts == frozenset()
    assert (again.html, again.pictures) == (before.html, before.pictures)


def test_other_looks_make_the_whole_book(book, maker):
    maker.make()
    book.write("report/book.css", "body { color: teal }")
    assert "color: teal" in maker.make().html
    book.edit("_quarto.yml", "Seeing without boxes", "Another title")
    assert "<title>Another title" in maker.make().html


def test_new_picture_has_a_new_name(book, maker):
    before = maker.make()
    (name,) = before.pictures
    assert f'src="picture/{name}"' in before.html
    assert str(maker.folder) not in before.html
    notebook(book, "01_one", "144pt", "145pt")
    after = maker.make()
    assert after.pictures.keys().isdisjoint([name]) and after.html == whole(book)


@pytest.mark.parametrize(
    "old, new, said",
    [
        (
            "@fig-one",
            "@fig-none",
            "chapters/02_two.py: @fig-none: no such figure",
        ),
        ("selvaraju2017", "nobody", "chapters/02_two.py: @nobody: not in the"),
        (
            "#| tbl-cap: ",
            "#| tbl-cap: [",
            "chapters/02_two.py: options of cell 3",
        ),
        ("#sec-end", "#sec-one", "chapters/02_two.py: the label sec-one is used"),
    ],
)
def test_mistakes_are_named_and_mended(book, maker, old, new, said):
    before = maker.make()
    notebook(book, "02_two", old, new)
    with pytest.raises(RenderError) as error:
        maker.make()
    assert str(error.value).startswith(said)
    notebook(book, "02_two", new, old)
    assert maker.make().html == before.html


def test_label_that_others_refer_to_is_missed(book, maker):
    maker.make()
    notebook(book, "01_one", "{#eq-a}", "")
    with pytest.raises(RenderError, match="02_two.py:\\d+: @eq-a: no such equation"):
        maker.make()


def test_chapter_that_was_never_executed_has_words_and_labels(book, maker):
    (book.root / "build/smoke/01_one.ipynb").unlink()
    text = maker.make().html
    assert "The first chapter says hello" in text and "has not run" in text
    assert 'id="fig-one"' in text and 'href="#fig-one" class="ref"' in text


# -------------------------------------------------------------------- what Make is for


def finished(job, seconds=60):
    end = time.monotonic() + seconds
    while not job.advance():
        assert time.monotonic() < end, job.names
        time.sleep(0.05)
    return job.failures()


def test_parameters_that_are_refused_block_all(book, monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "n")  # as if below `make -n preview`
    book.write("params/smoke/01_one.yml", "sede: 1\n")
    failures = finished(Job(book.root, "smoke", ["01_one", "02_two"]))
    assert list(failures) == [""] and "\n" not in failures[""]
    assert failures[""].startswith("params/smoke/01_one.yml: no parameter 'sede'")
    assert finished(Job(book.root, "smoke", ["02_two"], "02_two")) == {}


def test_a_folder_of_ones_own_reaches_make_as_it_is(book, monkeypatch):
    book.write("bin/make", '#!/bin/sh\nprintf "%s\\n" "$@" > asked\n')
    (book.root / "bin/make").chmod(0o755)
    monkeypatch.setenv("PATH", f"{book.root}/bin:{os.environ['PATH']}")
    session = Preview(book.root, "smoke", "0", "my $(pictures)")
    session.waiting = {"01_one"}
    settle(session)
    session.close()
    asked = (book.root / "asked").read_text().splitlines()
    assert "DATA=my $(pictures)" in asked and "CH=0" in asked


def test_failures_are_told_apart(book, monkeypatch):
    said = (
        "01_one: profile smoke\n\r01_one:  50%|#####     | 1/2 [00:01<00:01]\r"
        "wslib: chapters/01_one.py:9: NameError: x\n  chapter 01_one, cell 2\n"
        "make: *** [Makefile:80: build/smoke/01_one.ipynb] Error 1\n"
        "02_two: profile smoke\nwslib: chapters/02_two.py:7: the kernel died\n"
        "make: *** [build/smoke/02_two.ipynb] Error 1\n"
    )
    book.write("said", said)
    book.write("bin/make", "#!/bin/sh\ncat said; sleep 0.5; exit 2\n")
    (book.root / "bin/make").chmod(0o755)
    monkeypatch.setenv("PATH", f"{book.root}/bin:{os.environ['PATH']}")
    job = Job(book.root, "smoke", ["01_one", "02_two"])
    while not job.running:
        job.advance()
    assert finished(job) == {
        "01_one": "chapters/01_one.py:9: NameError: x\n  chapter 01_one, cell 2",
        "02_two": "chapters/02_two.py:7: the kernel died",
    }
    assert (job.running, job.share) == ("02_two", None)


# ------------------------------------------------------------------------- a session


@pytest.fixture
def session(book):
    session = Preview(book.root, "smoke")
    session.waiting.clear()
    session.begin()
    yield session
    session.close()


def saved(session, book, name, old, new):
    """Edit a file, and let the session see it; returns what the page holds."""
    book.edit(name, old, new)
    session.react(session.watch.changes())
    session.advance()
    return session.live.page.decode()


def settle(session, seconds=60):
    end = time.monotonic() + seconds
    while session.job or session.waiting:
        assert time.monotonic() < end
        session.advance()
        time.sleep(0.05)
    session.advance()
    return session.live.state


def test_sentence_and_caption_are_joined_and_the_report_is_left(session, book, capsys):
    version = session.live.state.version
    page = saved(session, book, "chapters/02_two.py", "So it ends", "Here it ends")
    assert "Here it ends" in page and not session.job
    state = session.live.state
    assert state == State(state.version, changed="sec-two")
    assert session.live.state.version != version
    page = saved(session, book, "chapters/01_one.py", "A picture.", "A *new* picture.")
    assert "A <em>new</em> picture." in page and not session.job
    assert "nothing executed" in capsys.readouterr().out
    for name in ("01_one", "02_two"):  # in the page about the runs
        assert Chapter(book.root / f"chapters/{name}.py").blob[:7] in page
    assert not (book.root / "report/_output").exists()


def test_half_written_chapter_is_shown_until_it_is_mended(session, book):
    page = session.live.page
    saved(session, book, "chapters/01_one.py", "answer.value()", "answer.value(")
    assert session.live.page == page and not session.job
    assert session.live.state.problem.endswith("SyntaxError: '(' was never closed")
    assert re.match(r"\S*chapters/01_one\.py:2\d: ", session.live.state.problem)
    saved(session, book, "chapters/02_two.py", "@eq-a", "@eq-b")
    problems = session.live.state.problem.split("\n\n")
    assert problems[1] == "chapters/02_two.py:4: @eq-b: no such equation"
    saved(session, book, "chapters/01_one.py", "answer.value(", "answer.value()")
    assert session.live.state.problem == problems[1] and not session.job
    saved(session, book, "chapters/02_two.py", "@eq-b", "@eq-a")
    assert session.live.state.problem == "" and session.live.page == page


def test_broken_book_is_shown_until_it_is_mended(session, book):
    saved(session, book, "_quarto-smoke.yml", "chapters:", "chapters: [")
    assert "_quarto-smoke.yml: not YAML" in session.live.state.problem
    saved(session, book, "_quarto-smoke.yml", "chapters: [", "chapters:")
    assert session.live.state.problem == ""


def test_a_new_chapter_joins_the_book(session, book):
    text = (book.root / "chapters/02_two.py").read_text("utf-8")
    book.write("chapters/03_three.py", text)
    session.react(session.watch.changes())
    assert session.names == ["01_one", "02_two", "03_three"]
    assert session.waiting == {"03_three"}


def test_no_mistake_ends_the_session(session, book):
    page, file = session.live.page, book.root / "chapters/02_two.py"
    good = file.read_bytes()
    for spoil, said in (
        (lambda: file.write_bytes(good + b"# \xff"), "02_two.py: not in UTF-8 (byte "),
        (file.unlink, "02_two: FileNotFoundError: "),
    ):
        spoil()
        session.react(session.watch.changes())
        session.advance()
        assert said in session.live.state.problem
        file.write_bytes(good)
        session.react(session.watch.changes())
        session.advance()
        assert session.live.state.problem == "" and session.live.page == page


class FakeJob:
    """Stands for a call of Make that ends when it is told to."""

    made: list = []

    def __init__(self, root, profile, names, only="", data=""):
        self.names, self.only = sorted(names), only
        self.running, self.share = self.names[0], 0.25
        self.ended, self.stopped, self.failed = False, False, {}
        self.pid = os.getpid()
        FakeJob.made.append(self)

    def advance(self):
        return self.ended

    def failures(self):
        return self.failed

    def stop(self):
        self.stopped = True


@pytest.fixture
def jobs(monkeypatch):
    monkeypatch.setattr("wslib.workbook.preview.preview.Job", FakeJob)
    monkeypatch.setattr(FakeJob, "made", [])
    return FakeJob.made


def test_changed_code_is_left_to_make(session, book, jobs):
    saved(session, book, "chapters/01_one.py", "answer.value()", "answer.value() + 1")
    assert [(job.names, job.only) for job in jobs] == [(["01_one"], "01_one")]
    state = session.live.state
    assert (state.running, state.share) == ("01_one is running ...", 0.25)
    jobs[0].failed = {"01_one": "chapters/01_one.py:9: NameError: x"}
    jobs[0].ended = True
    session.advance()
    assert session.live.state.running == ""
    assert session.live.state.problem == "chapters/01_one.py:9: NameError: x"
    saved(session, book, "chapters/02_two.py", "So it ends", "Here it ends")
    assert session.live.state.problem and len(jobs) == 1
    saved(session, book, "chapters/01_one.py", "value() + 1", "value()")
    assert session.live.state.problem == "" and len(jobs) == 1


def test_words_written_during_a_run_do_not_stop_it(session, book, jobs):
    saved(session, book, "chapters/01_one.py", "answer.value()", "answer.value() + 1")
    page = saved(session, book, "chapters/02_two.py", "So it ends", "Here it ends")
    assert "Here it ends" in page
    saved(session, book, "chapters/01_one.py", "says hello", "says nothing")
    assert len(jobs) == 1 and not jobs[0].stopped
    saved(session, book, "chapters/01_one.py", "value() + 1", "value() + 2")
    assert jobs[0].stopped and len(jobs) == 2 and jobs[1].names == ["01_one"]
    page = saved(session, book, "chapters/01_one.py", "value() + 2", "value()")
    assert jobs[1].stopped and "says nothing" in page
    assert session.job is None and not session.waiting


def is_at_work(book, name) -> bool:
    return (book.root / f"build/smoke/failed/{name}.ipynb").exists()


def slowly(seconds: float) -> str:
    """The code of a picture that takes its time."""
    shown = f"from IPython.display import SVG; SVG({PICTURE!r})"
    return f"import time; time.sleep({seconds}); {shown}"


def test_words_of_another_chapter_do_not_wait_for_a_run(session, book):
    saved(session, book, "chapters/01_one.py", "answer.value()", slowly(600))
    while not is_at_work(book, "01_one"):
        session.advance()
        time.sleep(0.1)
    page = saved(session, book, "chapters/02_two.py", "So it ends", "Here it ends")
    assert "Here it ends" in page and session.job.running == "01_one"
    page = saved(session, book, "chapters/02_two.py", "Here it", "There it")
    assert "There it ends" in page and session.job.running == "01_one"


def test_a_preview_and_a_report_wait_for_each_other(session, book, capfd):
    book.edit("chapters/01_one.py", "answer.value()", slowly(5))
    book.edit("index.qmd", "See", "Do see")
    with subprocess.Popen(
        ["make", "PROFILE=smoke", "report"], cwd=book.root, env=book.environment
    ) as make:
        while not is_at_work(book, "01_one"):
            time.sleep(0.1)
        page = saved(session, book, "chapters/02_two.py", "So it ends", "Here it ends")
        assert not is_at_work(book, "01_one") and "Here it ends" in page
    assert make.returncode == 0
    assert (
        "build/smoke: another make is at work there; waiting" in capfd.readouterr()[1]
    )
    saved(session, book, "chapters/01_one.py", slowly(5), slowly(6))
    while not is_at_work(book, "01_one"):
        session.advance()
        time.sleep(0.1)
    with subprocess.Popen(
        ["make", "PROFILE=smoke", "report"], cwd=book.root, env=book.environment
    ) as make:
        assert settle(session).problem == ""
    out, err = capfd.readouterr()
    assert make.returncode == 0 and "build/smoke: another make is at work" in err
    assert out.count("01_one: executed in") == 1  # the report takes the preview's run
    report = (book.root / "report/_output/smoke/index.html").read_text("utf-8")
    assert "Here it ends" in report and "Do see" in report


def test_module_and_parameters_concern_those_who_depend_on_them(session, book, jobs):
    saved(session, book, "wslib/answer.py", "42", "43")
    assert [job.names for job in jobs] == [["01_one"]]
    book.write("params/smoke/02_two.yml", "limit: 4\n")
    session.react(session.watch.changes())
    session.advance()
    assert len(jobs) == 1  # one after the other
    jobs[0].failed = {"01_one": "broken"}
    jobs[0].ended = True
    session.advance()
    assert jobs[1].names == ["02_two"]
    jobs[1].failed = {"": "no parameter"}
    jobs[1].ended = True
    session.advance()
    assert session.live.state.problem == "broken\n\nno parameter"
    assert session.job is None
    saved(session, book, "wslib/answer.py", "43", "44")
    assert jobs[2].names == ["01_one", "02_two"] and not session.live.state.problem


def test_only_one_chapter(book):
    session = Preview(book.root, "smoke", "02")
    assert session.names == ["02_two"] == [*session.waiting]
    session.close()
    with pytest.raises(ValueError, match="^no chapter 3; there are 01_one, 02_two$"):
        Preview(book.root, "smoke", "3")
    with pytest.raises(RenderError, match="^_quarto-none.yml: "):
        Preview(book.root, "none")


# ------------------------------------------------------------- the command, a browser


class Command:
    """`wslib workbook preview`, as it is typed."""

    def __init__(self, project, *words):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "wslib.cli", "workbook", "preview", "--no-open"]
            + ["--profile", "smoke", "--port", "18800", *words],
            cwd=project.root, env=project.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def address(self) -> str:
        for line in self.process.stdout:
            if line.startswith("preview: http"):
                return line.split()[1].rstrip(";")
        raise AssertionError("the preview ended")

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=10)
        return self.process.returncode


def those_in(folder: Path) -> set[str]:
    """The ids of the processes that work in `folder`."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if Path(os.readlink(process / "cwd")) == folder.resolve():
                found.add(process.name)
    return found


@pytest.fixture
def page():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1000, "height": 600})
        page.set_default_timeout(30_000)
        yield page
        browser.close()


@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
def test_in_a_browser(book, page):
    command = Command(book)
    try:
        address = command.address()
        page.goto(address)
        page.wait_for_function("document.querySelector('main section')")
        book.edit("chapters/02_two.py", "So it ends", "So it may end")
        page.wait_for_function("location.hash == '#sec-two'")  # not on the preface
        page.get_by_text("So it may end").wait_for()  # the page is loaded anew
        page.goto(address + "#sec-far")
        page.get_by_text("Line 30").wait_for(state="attached")
        page.wait_for_function("scrollY > 100")
        page.mouse.wheel(0, 400)
        page.wait_for_function("scrollY > 500")
        page.wait_for_timeout(300)
        before = page.evaluate("[location.hash, scrollY]")
        seconds = []
        for words in ("Line 30 is new.", "Line 30 is newer.", "Line 30 is newest."):
            began = time.monotonic()
            text = (book.root / "chapters/02_two.py").read_text()
            text = re.sub("Line 30 .*", words, text)
            (book.root / "chapters/02_two.py").write_text(text)
            page.get_by_text(words).wait_for()
            seconds.append(time.monotonic() - began)
        assert sorted(seconds)[1] < 3, seconds  # the median
        assert page.evaluate("[location.hash, scrollY]") == before
        top = "document.querySelector('#sec-far').getBoundingClientRect().top"
        place = page.evaluate(top)
        book.edit(
            "chapters/02_two.py", "# Of @fig", "# More.\n#\n# Still more.\n#\n# Of @fig"
        )
        page.get_by_text("Still more.").wait_for(state="attached")
        page.wait_for_function(f"Math.abs({top} - {place}) < 2")
        book.edit("chapters/01_one.py", "answer.value()", "answer.velue()")
        page.get_by_text("01_one is running ...").wait_for()
        page.get_by_text("AttributeError: module 'wslib.answer' has no").wait_for()
        assert page.get_by_text("Line 30 is newest.").is_visible()
        book.edit("chapters/01_one.py", "answer.velue()", "answer.value()")
        page.get_by_role("alert").wait_for(state="hidden")
        assert command.end() == 0
    finally:
        command.process.kill()
    done = book.make("report")
    assert done.returncode == 0 and "executed in" not in done.stdout, done.stdout
    html = (book.root / "report/_output/smoke/index.html").read_text()
    assert "Line 30 is newest." in html and "state.json" not in html


def test_ctrl_c_ends_what_runs(written):
    written.edit("chapters/01_one.py", "answer.value()", "import time; time.sleep(99)")
    before = those_in(written.root)
    command = Command(written, "--chapter", "01")
    try:
        failed = written.root / "build/smoke/failed/01_one.ipynb"
        while not failed.is_file():
            assert command.process.poll() is None
            time.sleep(0.1)
        assert len(those_in(written.root) - before) > 2
        assert command.end() in (0, 130)
    finally:
        command.process.kill()
    end = time.monotonic() + 5
    while those_in(written.root) - before and time.monotonic() < end:
        time.sleep(0.1)
    assert those_in(written.root) <= before


def test_command_errs_in_one_line(written):
    for words, said in (
        (["--profile", "none"], "_quarto-none.yml: the book needs this file"),
        (["--chapter", "9"], "no chapter 9; there are 01_one, 02_two"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid:18800: "),
    ):
        process = Command(written, *words).process
        text, _ = process.communicate(timeout=20)
        assert process.returncode == 1 and text.startswith(f"wslib: {said}")
        assert text.count("\n") == 1
