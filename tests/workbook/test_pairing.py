"""Chapters and notebooks: what is edited on one side arrives on the other, alone."""

from __future__ import annotations

import difflib
import errno
import json
import os
import shutil
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupytext.config import load_jupytext_config
from nbformat import v4

from wslib.cli import main
from wslib.workbook.sources import pairing
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.pairing import NotSynced, Pair, find_pairs, sync, sync_all
from wslib.workbook.sources.percent import read_notebook, read_script, write_script

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = sorted((ROOT / "chapters").glob("*.py"))
every_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.stem)

HEADER = """\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""
SMALL = """\
# %% [markdown]
# # Demo {#sec-demo}
#
# `#| label` and $x$ stand here.
# #| not: an option

# %% tags=["parameters"]
seed: int = 0  # of nothing


# %%
def double(x):
    return 2 * x  # fmt: skip


# %%
#| label: tbl-demo
#| tbl-cap: "Twice."
double(21)

# %%
# ls: only a comment

# %% [markdown]
# The end.
"""


@pytest.fixture
def pair(tmp_path) -> Pair:
    return new_pair(tmp_path, SMALL)


def new_pair(root: Path, text: str, name: str = "06_demo") -> Pair:
    (root / "chapters").mkdir(exist_ok=True)
    shutil.copy(ROOT / "jupytext.toml", root)
    pair = Pair(name, root)
    pair.chapter.write_text(text, encoding="utf-8")
    assert sync(pair) == f"{pair.notebook}: made from {pair.chapter}"
    return pair


def load(pair: Pair) -> dict:
    return json.loads(pair.notebook.read_text(encoding="utf-8"))


def save(pair: Pair, notebook: dict) -> None:
    pair.notebook.write_text(json.dumps(notebook), encoding="utf-8")


def edit(pair: Pair, old: str, new: str) -> None:
    text = pair.chapter.read_text(encoding="utf-8")
    assert text.count(old) == 1
    pair.chapter.write_text(text.replace(old, new), encoding="utf-8")


def edit_notebook(pair: Pair, number: int, old: str, new: str) -> None:
    notebook = load(pair)
    source = "".join(notebook["cells"][number]["source"])
    assert old in source
    notebook["cells"][number]["source"] = source.replace(old, new)
    save(pair, notebook)


def stamps(pair: Pair) -> list[tuple[int, int]]:
    """Of both sides: what changes if a file is written or replaced."""
    sides = pair.chapter.stat(), pair.notebook.stat()
    return [(side.st_mtime_ns, side.st_ino) for side in sides]


def make_noise(notebook: dict) -> None:
    """All that Jupyter, VS Code, Colab and papermill leave in a notebook."""
    notebook["nbformat_minor"] = 5
    notebook["metadata"] |= {
        "kernelspec": {"display_name": ".venv (3.12)", "language": "", "name": "venv"},
        "language_info": {"name": "python", "version": "3.12.1"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
        "colab": {"provenance": [], "toc_visible": True},
        "accelerator": "GPU",
        "papermill": {"duration": 1.5, "parameters": {"seed": 3}},
        "vscode": {"interpreter": {"hash": "31f2"}},
    }
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"other-{number}"
        cell["metadata"] |= {
            "execution": {"iopub.execute_input": "2026-11-22T01:00:00Z"},
            "papermill": {"status": "completed"},
            "collapsed": True,
            "scrolled": True,
            "editable": True,
            "slideshow": {"slide_type": ""},
            "jupyter": {"outputs_hidden": True, "source_hidden": True},
            "vscode": {"languageId": "python"},
            "colab": {"base_uri": "https://localhost/"},
            "id": "aBcD",
            "cellView": "form",
        }
        cell["metadata"].setdefault("tags", [])
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            stream = {"output_type": "stream", "name": "stdout", "text": [f"{number}"]}
            cell["outputs"] = [stream]
    injected = v4.new_code_cell("# Parameters\nseed = 3")
    injected.metadata["tags"] = ["injected-parameters"]
    notebook["cells"].insert(2, injected)
    notebook["cells"].append(v4.new_code_cell(""))


def outputs(pair: Pair) -> list[str]:
    """The text of each output."""
    return [
        "".join(output["text"])
        for cell in load(pair)["cells"]
        for output in cell.get("outputs", [])
    ]


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, as `diff` prints them; blank ones don't count."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)
    return [x for x in list(lines)[2:] if x[:2] != "@@" and len(x) > 1]


# ------------------------------------------------------------------ the real chapters


@every_chapter
def test_jupyter_saves_a_chapter_as_it_is(chapter, tmp_path):
    """As jupytext's contents manager does: the text through the notebook and back,
    with what the kernel and others note."""
    text, config = chapter.read_text(encoding="utf-8"), load_jupytext_config(chapter)
    notebook = json.loads(jupytext.writes(jupytext.reads(text, "py:percent"), "ipynb"))
    make_noise(notebook)
    del notebook["cells"][-1], notebook["cells"][2]
    for cell in notebook["cells"]:
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if v != []}
    noisy = nbformat.reads(json.dumps(notebook), as_version=4)
    back = jupytext.writes(noisy, "py:percent", config=config)
    assert changed(text, back) == [] and back == text


@every_chapter
def test_noise_stays_in_the_notebook(chapter, tmp_path):
    pair = new_pair(tmp_path, chapter.read_text(encoding="utf-8"), chapter.stem)
    notebook = load(pair)
    make_noise(notebook)
    save(pair, notebook)
    before = stamps(pair)
    assert sync(pair) is None
    assert stamps(pair) == before
    assert pair.chapter.read_bytes() == chapter.read_bytes()


@every_chapter
def test_an_edit_arrives_alone(chapter, tmp_path):
    text = chapter.read_text(encoding="utf-8")
    pair = new_pair(tmp_path, text, chapter.stem)
    notebook = load(pair)
    make_noise(notebook)
    cells = notebook["cells"]
    deleted = "".join(cells[-2]["source"]).splitlines()
    del cells[-2]
    cells[0]["source"].insert(2, "A new sentence.\n")
    cells[1]["source"].append("\nmore: int = 7  # of it")
    cells.insert(4, v4.new_markdown_cell("A new cell."))
    save(pair, notebook)
    assert sync(pair) == f"{pair.chapter}: takes the edits of {pair.notebook}"
    after = pair.chapter.read_text(encoding="utf-8")
    lines = changed(text, after)
    assert [line for line in lines if line[0] == "+"] == [
        "+# A new sentence.", "+more: int = 7  # of it",
        "+# %% [markdown]", "+# A new cell.",
    ]  # fmt: skip
    gone = [line[1:].removeprefix("# ") for line in lines if line[0] == "-"]
    assert [line for line in gone if line != "#" and line[:2] != "%%"] == [
        line for line in deleted if line
    ]
    assert sync(pair) is None


@every_chapter
def test_a_moved_cell_is_moved(chapter, tmp_path):
    text = chapter.read_text(encoding="utf-8")
    pair = new_pair(tmp_path, text, chapter.stem)
    notebook = load(pair)
    cells = notebook["cells"]
    cells.insert(len(cells) // 2 + 3, cells.pop(len(cells) // 2))
    save(pair, notebook)
    sync(pair)
    lines = changed(text, pair.chapter.read_text(encoding="utf-8"))
    assert sorted(x[1:] for x in lines if x[0] == "+") == sorted(
        x[1:] for x in lines if x[0] == "-"
    )
    now = [cell.source for cell in Chapter(pair.chapter).notebook().cells]
    assert now == ["".join(cell["source"]) for cell in cells]


# --------------------------------------------------------------------------- one side


def test_a_chapters_edit_keeps_the_outputs_of_the_rest(pair):
    notebook = load(pair)
    make_noise(notebook)
    save(pair, notebook)
    edit(pair, "return 2 * x", "return x + x")
    edit(pair, "Twice.", "Two times.")
    edit(pair, "The end.", "The very end.")
    before = stamps(pair)[0]
    assert sync(pair) == f"{pair.notebook}: takes the edits of {pair.chapter}"
    assert stamps(pair)[0] == before
    assert outputs(pair) == ["1", "3", "4"]  # but not of `double`, cell 2
    after = load(pair)
    assert after["metadata"]["colab"] and after["metadata"]["widgets"]
    assert after["metadata"]["kernelspec"]["name"] == "venv"
    assert [cell["id"] for cell in after["cells"]] == [f"other-{n}" for n in range(6)]
    assert after["cells"][0]["metadata"]["cellView"] == "form"
    assert "".join(after["cells"][-1]["source"]) == "The very end."
    assert sync(pair) is None


def test_old_notebooks_without_ids(pair):
    """VS Code writes format 4.2."""
    notebook = load(pair)
    notebook["nbformat_minor"] = 2
    for cell in notebook["cells"]:
        del cell["id"]
    save(pair, notebook)
    assert sync(pair) is None
    edit(pair, "The end.", "The very end.")
    assert sync(pair)
    nbformat.validate(load(pair))


def test_sources_with_the_ends_of_windows_lines(pair):
    notebook = load(pair)
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n") + "\r\n"
    save(pair, notebook)
    assert sync(pair) is None


def test_a_chapter_with_windows_lines_keeps_them(pair):
    pair.chapter.write_bytes(SMALL.replace("\n", "\r\n").encode())
    assert sync(pair) is None
    edit_notebook(pair, 5, "The end.", "The very end.")
    assert sync(pair)
    expected = SMALL.replace("The end.", "The very end.").replace("\n", "\r\n")
    assert pair.chapter.read_bytes() == expected.encode()


@pytest.mark.parametrize(
    "old, new",
    [
        ("# %% [markdown]\n# # Demo", HEADER + "# %% [markdown]\n# # Demo"),
        ("seed: int = 0  # of nothing\n\n", "seed: int = 0  # of nothing\n\n\n\n"),
        ("# %%\n# ls", "#%%\n# ls"),
        ("# %% [markdown]\n# The", "# %% [markdown] more=1\n# The"),
    ],
)
def test_a_chapter_in_a_form_of_its_own_keeps_it(tmp_path, old, new):
    text = SMALL.replace(old, new)
    assert text != SMALL
    pair = new_pair(tmp_path, text)
    assert pair.chapter.read_text() == text and sync(pair) is None
    edit_notebook(pair, 3, "21", "22")
    assert sync(pair)
    assert pair.chapter.read_text() == text.replace("21", "22")


def test_an_edit_beside_such_a_form_is_no_conflict(tmp_path):
    """Git cannot tell, but only the notebook was edited."""
    pair = new_pair(
        tmp_path, SMALL.replace("# %% [markdown]\n# The", "#%% [md]\n# The")
    )
    edit_notebook(pair, 5, "The end.", "The very end.")
    assert sync(pair) == f"{pair.chapter}: takes the edits of {pair.notebook}"
    assert "The very end.\n" in pair.chapter.read_text()
    edit_notebook(pair, 5, "The very end.", "The end.")
    sync(pair)
    assert pair.chapter.read_text() == SMALL


def test_a_tag_that_the_chapter_drops_is_dropped(pair):
    edit(pair, '# %% tags=["parameters"]', "# %%")
    assert sync(pair) and "tags" not in load(pair)["cells"][1]["metadata"]
    assert sync(pair) is None


def test_a_picture_pasted_into_the_words_stays(pair):
    notebook = load(pair)
    notebook["cells"][5]["attachments"] = {"a.png": {"image/png": "iVBORw0KGgo="}}
    save(pair, notebook)
    edit(pair, "The end.", "The very end.")
    sync(pair)
    assert load(pair)["cells"][5]["attachments"] == notebook["cells"][5]["attachments"]


def test_gaps_are_those_of_the_chapter(pair):
    """A notebook of a program that drops metadata that it does not know."""
    notebook = load(pair)
    for cell in notebook["cells"]:
        cell["metadata"] = {k: v for k, v in cell["metadata"].items() if k == "tags"}
    save(pair, notebook)
    assert sync(pair) is None
    edit_notebook(pair, 5, "The end.", "The very end.")
    sync(pair)
    assert pair.chapter.read_text() == SMALL.replace("The end.", "The very end.")


def test_a_tag_is_an_edit_and_a_title(pair):
    notebook = load(pair)
    notebook["cells"][3]["metadata"]["tags"] = ["summary"]
    notebook["cells"][4]["metadata"]["title"] = "Nothing"
    save(pair, notebook)
    sync(pair)
    assert changed(SMALL, pair.chapter.read_text()) == [
        "-# %%", '+# %% tags=["summary"]', "-# %%", "+# %% Nothing",
    ]  # fmt: skip


# -------------------------------------------------------------------------- both sides


def test_edits_at_different_places_are_joined(pair):
    edit(pair, "return 2 * x", "return x + x")
    edit_notebook(pair, 5, "The end.", "The very end.")
    said = sync(pair)
    assert said.endswith("each takes the other's edits") and "06_demo.ipynb" in said
    expected = SMALL.replace("2 * x", "x + x").replace("The end.", "The very end.")
    assert pair.chapter.read_text() == expected == pair.synced.read_text()
    assert "return x + x" in "".join(load(pair)["cells"][2]["source"])
    assert sync(pair) is None


def test_the_same_edit_on_both_sides_is_none(pair):
    edit(pair, "The end.", "The very end.")
    edit_notebook(pair, 5, "The end.", "The very end.")
    before = stamps(pair)
    assert sync(pair) is None
    assert stamps(pair) == before
    edit_notebook(pair, 5, "very end", "end")
    assert sync(pair) and pair.chapter.read_text() == SMALL


def conflict(pair: Pair) -> tuple[bytes, bytes]:
    edit(pair, "The end.", "The chapter's end.")
    edit_notebook(pair, 5, "The end.", "The notebook's end.")
    return pair.chapter.read_bytes(), pair.notebook.read_bytes()


def test_both_edited_keeps_both(pair):
    sides = conflict(pair)
    for _ in range(2):
        with pytest.raises(NotSynced) as error:
            sync(pair)
        assert "\n" not in str(error.value)
        for path in (pair.chapter, pair.notebook, pair.beside("notebook")):
            assert str(path) in str(error.value)
        assert (pair.chapter.read_bytes(), pair.notebook.read_bytes()) == sides
    assert pair.synced.read_text() == SMALL
    told = pair.beside("notebook").read_text()
    assert told == SMALL.replace("The end.", "The notebook's end.")


def test_only_looking_writes_nothing_beside(pair):
    conflict(pair)
    with pytest.raises(NotSynced):
        sync(pair, write=False)
    assert not pair.beside("notebook").exists()


@pytest.mark.parametrize(
    "keep, other", [("chapter", "notebook"), ("notebook", "chapter")]
)
def test_whose_text_counts_can_be_said(pair, keep, other):
    conflict(pair)
    sync(pair, keep)
    assert pair.chapter.read_text() == SMALL.replace("The end.", f"The {keep}'s end.")
    assert f"The {keep}'s end." in load(pair)["cells"][5]["source"]
    aside = pair.beside(other).read_text()
    assert aside == SMALL.replace("The end.", f"The {other}'s end.")
    assert not pair.beside(keep).exists()
    assert sync(pair) is None


def test_without_git_nothing_is_joined(pair, monkeypatch):
    monkeypatch.setattr(pairing.shutil, "which", lambda name: None)
    edit(pair, "return 2 * x", "return x + x")
    assert sync(pair)
    edit_notebook(pair, 5, "The end.", "The very end.")
    assert sync(pair)
    edit(pair, "The very end.", "The end.")
    edit_notebook(pair, 3, "21", "22")
    with pytest.raises(NotSynced):
        sync(pair)


def test_strangers_that_differ_are_a_conflict(pair):
    """No sync yet: nothing tells which side is the older one."""
    pair.synced.unlink()
    assert sync(pair) is None and pair.synced.read_text() == SMALL
    pair.synced.unlink()
    edit_notebook(pair, 5, "The end.", "The very end.")
    with pytest.raises(NotSynced, match="from-notebook.py"):
        sync(pair)
    assert pair.chapter.read_text() == SMALL and not pair.synced.exists()


# -------------------------------------------------------------------------- sides gone


def test_a_notebook_that_is_gone_is_made_again(pair):
    pair.notebook.unlink()
    assert sync(pair) == f"{pair.notebook}: made from {pair.chapter}"
    nbformat.validate(load(pair))
    assert load(pair)["metadata"]["kernelspec"]["name"] == "python3"


def test_a_new_notebook_becomes_a_chapter(pair):
    new = Pair("07_new", pair.root)
    shutil.copy(pair.notebook, new.notebook)
    assert sync(new) == f"{new.chapter}: made from {new.notebook}"
    assert new.chapter.read_text() == SMALL


def test_a_chapter_that_was_removed_stays_so(pair):
    pair.chapter.unlink()
    assert sync(pair) is None and not pair.chapter.exists()
    edit_notebook(pair, 5, "The end.", "The very end.")  # which must not be lost
    assert sync(pair) == f"{pair.chapter}: made from {pair.notebook}"
    assert "very end" in pair.chapter.read_text()
    pair.chapter.unlink()
    assert sync(pair, keep="notebook") and pair.chapter.exists()


def test_only_numbered_notebooks_are_chapters(pair):
    for name in (
        "scratch",
        "Untitled",
        "06_demo-Copy1",
        "6_x",
        "06_demo.from-notebook",
    ):
        shutil.copy(pair.notebook, pair.notebook.with_name(f"{name}.ipynb"))
    (pair.root / "chapters/draft.py").write_text("")
    assert find_pairs(pair.root) == [pair]


# ----------------------------------------------------------------------- broken things


def cut(text: str) -> str:
    return text[: len(text) // 2]


def marked(text: str) -> str:
    return text.replace('"cells"', '<<<<<<< HEAD\n=======\n>>>>>>> main\n"cells"', 1)


def of_format_3(text: str) -> str:
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": []})


@pytest.mark.parametrize(
    "spoil",
    [
        cut, marked, of_format_3, lambda t: "", lambda t: "[]", lambda t: "null",
        lambda t: "{}", lambda t: json.dumps({**json.loads(t), "cells": []}),
        lambda t: json.dumps({**json.loads(t), "cells": [1]}),
        lambda t: json.dumps({**json.loads(t), "cells": [{"cell_type": "code"}]}),
        lambda t: t.replace('"cell_type": "markdown"', '"cell_type": "prose"'),
        lambda t: json.dumps({**json.loads(t), "nbformat": "four"}),
        lambda t: json.dumps({**json.loads(t), "metadata": None}),
    ],
)  # fmt: skip
def test_a_broken_notebook_is_left_as_it_is(pair, spoil, capfd):
    pair.notebook.write_text(spoil(pair.notebook.read_text()))
    edit(pair, "The end.", "The very end.")
    before = pair.chapter.read_bytes(), pair.notebook.read_bytes()
    assert sync_all([pair]) == (0, 1)
    said = capfd.readouterr()
    expected = f"wslib: {pair.notebook}: not a whole notebook of format 4 with cells\n"
    assert (said.out, said.err) == ("", expected)
    assert (pair.chapter.read_bytes(), pair.notebook.read_bytes()) == before


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda t: t.replace("seed", "<<<<<<< HEAD\nseed"), "unfinished merge"),
        (lambda t: "", "holds no cell"),
        (
            lambda t: HEADER.replace("jupytext:", "- [") + t,
            "no percent script",
        ),
    ],
)
def test_a_broken_chapter_is_left_as_it_is(pair, spoil, reason):
    pair.chapter.write_text(spoil(SMALL))
    before = pair.notebook.read_bytes()
    with pytest.raises(NotSynced, match=reason) as error:
        sync(pair)
    assert "\n" not in str(error.value) and str(pair.chapter) in str(error.value)
    assert pair.notebook.read_bytes() == before


def test_a_file_in_another_coding_is_named(pair):
    pair.chapter.write_bytes(SMALL.replace("end", "énd").encode("latin-1"))
    with pytest.raises(NotSynced, match="06_demo.py: not in UTF-8"):
        sync(pair)


@pytest.mark.parametrize(
    "kind, source",
    [("markdown", "%% foo\nbar"), ("code", "x = 1\n# %% in code\ny = 2")],
)
def test_what_a_script_cannot_say_is_not_lost(pair, kind, source):
    notebook = load(pair)
    notebook["cells"].append(
        {"id": "x", "cell_type": kind, "metadata": {}, "source": source}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
    )
    save(pair, notebook)
    with pytest.raises(NotSynced, match="cell 7 of the notebook cannot stand"):
        sync(pair)
    assert pair.chapter.read_text() == SMALL


def test_the_others_are_synced_beside_one_that_is_not(tmp_path, capfd):
    pairs = [new_pair(tmp_path, SMALL, name) for name in ("06_a", "07_b", "08_c")]
    conflict(pairs[0])
    pairs[1].notebook.write_text("{")
    edit_notebook(pairs[2], 5, "The end.", "The very end.")
    assert sync_all(pairs) == (1, 2)
    assert "very end" in pairs[2].chapter.read_text()
    said = capfd.readouterr()
    assert len(said.out.splitlines()) == 1 and len(said.err.splitlines()) == 2


# ------------------------------------------------------------------------------- files


def test_a_full_disk_leaves_all_as_it_was(pair, monkeypatch):
    edit_notebook(pair, 5, "The end.", "The very end.")

    def full(self, *words, **more):
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError) as error:
            sync(pair)
    assert error.value.filename == str(pair.chapter)
    assert pair.chapter.read_text() == SMALL
    assert [p for p in pair.root.rglob("*.part*")] == []
    assert sync(pair) and "very end" in pair.chapter.read_text()


@pytest.mark.parametrize("stop_at", [1, 2, 3])
def test_stopped_between_two_files_the_next_sync_goes_on(pair, monkeypatch, stop_at):
    edit(pair, "return 2 * x", "return x + x")
    edit_notebook(pair, 5, "The end.", "The very end.")
    real, calls = os.replace, []

    def interrupted(*paths):
        calls.append(paths)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        real(*paths)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sync(pair)
    sync(pair)
    expected = SMALL.replace("2 * x", "x + x").replace("The end.", "The very end.")
    assert pair.chapter.read_text() == expected == pair.synced.read_text()
    assert (
        write_script(
            read_notebook(pair.notebook.read_text(), pair.notebook), pair.chapter
        )
        == expected
    )
    assert [p for p in pair.root.rglob("*.part*")] == []


def test_a_file_that_is_saved_meanwhile_is_not_overwritten(pair, monkeypatch):
    edit_notebook(pair, 5, "The end.", "The very end.")
    real = pairing.three_way

    def slow(*texts):
        edit(pair, "return 2 * x", "return x + x")
        return real(*texts)

    with monkeypatch.context() as patch:
        patch.setattr(pairing, "three_way", slow)
        with pytest.raises(NotSynced, match="06_demo.py: was saved in the meantime"):
            sync(pair)
    assert pair.chapter.read_text() == SMALL.replace("2 * x", "x + x")
    assert sync(pair).endswith("each takes the other's edits")


def test_the_mode_of_a_file_stays(pair):
    pair.chapter.chmod(0o755)
    edit_notebook(pair, 5, "The end.", "The very end.")
    sync(pair)
    assert pair.chapter.stat().st_mode & 0o777 == 0o755


def test_a_linked_chapter_stays_a_link(pair, tmp_path):
    real = tmp_path / "real.py"
    pair.chapter.rename(real)
    pair.chapter.symlink_to(real)
    edit_notebook(pair, 5, "The end.", "The very end.")
    sync(pair)
    assert pair.chapter.is_symlink() and "The very end." in real.read_text()


def test_a_write_protected_chapter_is_not_replaced(pair, capsys):
    pair.chapter.chmod(0o444)
    edit_notebook(pair, 5, "The end.", "The very end.")
    assert sync_all([pair]) == (0, 1)
    said = capsys.readouterr().err
    assert "06_demo.py: cannot be written: it is write-protected" in said
    assert pair.chapter.read_text() == SMALL
    pair.chapter.chmod(0o644)
    assert sync_all([pair]) == (1, 0) and "very end" in pair.chapter.read_text()


def test_a_byte_order_mark_is_no_text(tmp_path):
    pair = new_pair(tmp_path, "\ufeff" + SMALL)
    assert load(pair)["cells"][0]["cell_type"] == "markdown"
    assert sync(pair) is None and pair.chapter.read_bytes().startswith(b"\xef\xbb\xbf")


# ------------------------------------------------------------ the command line and Make


@pytest.fixture
def wslib(pair, monkeypatch, capfd):
    """`wslib workbook sync WORDS` in the project: status, output, errors."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.chdir(pair.root)
        monkeypatch.setattr(sys, "argv", ["wslib", "workbook", "sync", *words])
        with pytest.raises(SystemExit) as end:
            main()
        if isinstance(end.value.code, str):  # as the interpreter does
            return 1, capfd.readouterr().out, end.value.code + "\n"
        return end.value.code or 0, *capfd.readouterr()

    return run


def test_the_command(pair, wslib):
    assert wslib() == (0, "1 chapter: 0 synced\n", "")
    edit_notebook(pair, 5, "The end.", "The very end.")
    line = "chapters/06_demo.py: takes the edits of notebooks/06_demo.ipynb\n"
    assert wslib("--check") == (1, line + "1 chapter: 1 differ\n", "")
    assert pair.chapter.read_text() == SMALL
    assert wslib() == (0, line + "1 chapter: 1 synced\n", "")
    edit(pair, "The very end.", "The end.")
    edit_notebook(pair, 5, "The very end.", "The other end.")
    status, said, error = wslib()
    assert (status, said) == (1, "1 chapter: 0 synced, 1 not\n")
    assert error.count("\n") == 1 and "edited at the same place" in error
    assert wslib("chapters/06_demo.py", "--keep", "chapter")[0] == 0
    assert pair.chapter.read_text() == SMALL


def test_nobody_needs_notebooks(pair, wslib):
    shutil.rmtree(pair.root / "notebooks")
    assert wslib("--check") == (0, "1 chapter: 0 differ\n", "")
    assert not (pair.root / "notebooks").exists()


@pytest.mark.parametrize(
    "words, said",
    [
        (["chapters/09_none.py"], "wslib: chapters/09_none.py: no such chapter\n"),
        (["--keep", "both"], "wslib: --keep both: expected chapter or notebook\n"),
        (["jupytext.toml"], "wslib: jupytext.toml: neither chapters/NAME.py nor "),
    ],
)
def test_the_command_refuses_in_one_line(wslib, words, said):
    status, _, error = wslib(*words)
    assert status == 1 and error.startswith(said) and error.count("\n") == 1


def test_a_newer_notebook_is_nothing_to_make(project):
    """The build reads the scripts alone."""
    finished = "build/smoke/01_one.ipynb\n"
    assert project.make("chapter", "CH=01").stdout.endswith(finished)
    shutil.copy(ROOT / "jupytext.toml", project.root)
    pair = Pair("01_one", project.root)
    sync(pair)
    edit_notebook(pair, 0, "One", "Number one")
    os.utime(pair.notebook, (2e9, 2e9))
    assert project.make("chapter", "CH=01").stdout == finished
    assert sync(pair)
    done = project.make("chapter", "CH=01")
    assert "same code, new prose; nothing executed" in done.stdout
    assert "Number one" in project.notebook("01_one").cells[0].source


# --------------------------------------------------------------------- all that may be

LINES = st.lists(
    st.sampled_from(
        ["", "x = 1", "# a comment", "#| label: a", "# %% no", "%matplotlib inline",
         "!ls", "%%bash", "def f():", "    return 1", '"""', "---", "# ---", "\t"]
    ),
    min_size=1, max_size=5,
)  # fmt: skip
CELLS = st.lists(
    st.tuples(st.sampled_from(["code", "markdown", "raw"]), LINES.map("\n".join)),
    min_size=1,
    max_size=5,
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(CELLS)
def test_a_script_says_it_all_or_it_is_refused(tmp_path_factory, cells):
    root = tmp_path_factory.mktemp("pair")
    shutil.copy(ROOT / "jupytext.toml", root)
    new = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell}
    notebook = v4.new_notebook(
        cells=[new.get(kind, v4.new_raw_cell)(source) for kind, source in cells]
    )
    path = root / "chapters/06_x.py"
    try:
        text = write_script(notebook, path)
    except NotSynced:
        return
    assert write_script(read_script(text, path), path) == text
    said = [c.source for c in read_script(text, path).cells if c.source.strip()]
    told = [source.rstrip().lstrip("\n") for _, source in cells if source.strip()]
    assert [s.rstrip().lstrip("\n") for s in said] == told
