"""What `wslib` says when something goes wrong, and what programs read of it."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from wslib import cli
from wslib.cli import console
from wslib.data import inventory
from wslib.data.caltech import LABELS
from wslib.models.checkpoints import save_checkpoint
from wslib.models.two_heads import about_detector, build_detector
from wslib.workbook.sources.book import RenderError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def wslib(monkeypatch, type_words, tmp_path):
    """Type a line in an empty folder; its status, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("WSLIB_DEBUG", raising=False)

    def run(words: str):
        code, out, err = type_words(*words.split())
        if isinstance(code, str):  # which Python prints, and ends with status 1
            return 1, out, f"{err}{code}\n"
        return code, out, err

    return run


@pytest.mark.parametrize(
    "words, complaint",
    [
        ("voc eval --splt x", "no such option --splt; did you mean --split?"),
        ("voc eval --zzz", "no such option --zzz"),
        ("voc vale", "no such command 'vale'; did you mean 'eval'?"),
        ("data fetch", "missing argument 'name'"),
        ("voc detect --out", "option '--out' requires an argument"),
        ("data list more", "got unexpected extra argument(s) (more)"),
        (
            "voc eval --limit -3",
            "invalid value '-3' for '--limit': input should be greater than or equal "
            "to 0",
        ),
        (
            "voc score a.json --iou half",
            "invalid value ['half'] for '--iou': input should be a valid number, "
            "unable to parse string as a number",
        ),
        ("nothing", "no such command 'nothing'"),
        ("--verson", "no such option --verson; did you mean --version?"),
    ],
)
def test_what_is_mistyped_is_told_in_one_line(wslib, words, complaint):
    status, printed, told = wslib(words)
    depth = {"voc eval", "voc detect", "voc score", "data fetch", "data list"}
    two = " ".join(words.split()[:2])
    path = f"wslib {two}" if two in depth else "wslib"
    path = "wslib voc" if words == "voc vale" else path
    expected = f"{path}: {complaint} (see {path} --help)\n"
    if "--iou" in words:  # typer says one value of the list, or all
        expected, told = (
            text.replace("['half']", "'half'") for text in (expected, told)
        )
    assert (status, printed, told) == (2, "", expected)


@pytest.mark.parametrize(
    "error, line",
    [
        (ValueError("a.png: no picture"), "a.png: no picture"),
        (RuntimeError("CUDA error:\n  bad\n\nframe #0"), "CUDA error: bad frame #0"),
        (FileNotFoundError(2, "No such file or directory", "x"), "x: No such file or"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("libtorch.so: cannot open"), "libtorch.so: cannot open"),
        (MemoryError(), "not enough memory"),
        (MemoryError("Unable to allocate 3 GiB"), "not enough memory: Unable to all"),
        (
            ModuleNotFoundError("No module named 'cv2'"),
            "No module named 'cv2'; `wslib d",
        ),
        (KeyError("boxes"), "unexpected KeyError: 'boxes'; WSLIB_DEBUG=1 shows where"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_one_line_and_status_1(wslib, monkeypatch, error, line):
    monkeypatch.setattr(
        inventory, "list_data_sets", lambda: (_ for _ in ()).throw(error)
    )
    status, printed, told = wslib("data list")
    assert (status, printed) == (1, "")
    assert told.startswith(f"wslib: {line}") and told.count("\n") == 1


def test_problems_of_the_book_keep_their_lines():
    text = "01.ipynb: @fig-x: no such label\n02.ipynb: not here"
    assert console.explain(RenderError(text)) == f"wslib: {text}"


def test_a_long_foreign_message_is_shortened():
    line = console.explain(RuntimeError("\n".join(["frame of C++"] * 200)))
    assert len(line) < 420 and line.endswith(" ...") and "\n" not in line


def test_a_traceback_for_who_asks(wslib, monkeypatch):
    def broken():
        raise ValueError("here")

    monkeypatch.setattr(inventory, "list_data_sets", broken)
    monkeypatch.setenv("WSLIB_DEBUG", "1")
    monkeypatch.setattr(sys, "argv", ["wslib", "data", "list"])
    with pytest.raises(ValueError, match="here"):
        cli.main()
    assert wslib("data lst")[0] == 2  # no traceback helps with a typing error


@pytest.mark.parametrize(
    "error, expected",
    [(KeyboardInterrupt(), 130), (typer.Exit(3), 3), (BrokenPipeError(32, "x"), 1)],
)
def test_some_ends_are_silent(wslib, monkeypatch, error, expected):
    monkeypatch.setattr(
        inventory, "list_data_sets", lambda: (_ for _ in ()).throw(error)
    )
    assert wslib("data list") == (expected, "", "")


def test_ctrl_c_before_any_command_is_silent(wslib, monkeypatch):
    def interrupted(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    assert wslib("data list") == (130, "", "")


def start(words: str, stdout, **environment: str) -> subprocess.Popen:
    """A process that keeps back what it prints until its end, unless told otherwise."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    return subprocess.Popen(
        [sys.executable, "-m", "wslib.cli", *words.split()],
        cwd=ROOT,
        env={**kept, **environment},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


UNBUFFERED = pytest.mark.parametrize("how", [{}, {"PYTHONUNBUFFERED": "1"}])


@UNBUFFERED
def test_a_reader_that_has_gone_away_is_no_error(how):
    there, here = os.pipe()
    os.close(there)
    with start("completion bash", here, **how) as process:
        os.close(here)
        assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 1


@UNBUFFERED
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_what_cannot_be_written_is_one_line(how):
    with (
        open("/dev/full", "w") as full,
        start("completion bash", full, **how) as process,
    ):
        told = process.communicate(timeout=60)[1]
    assert (process.returncode, told) == (1, "wslib: No space left on device\n")


def test_version(wslib, monkeypatch):
    status, printed, _ = wslib("--version")
    python = ".".join(map(str, sys.version_info[:3]))
    assert status == 0 and printed.startswith("wslib 0.")
    assert ", torch 2." in printed and printed.endswith(f", Python {python}\n")

    def none(name):
        raise cli.PackageNotFoundError(name)

    monkeypatch.setattr(cli, "version", none)
    assert ", torch not installed, " in wslib("--version")[1]


def test_json_has_no_nan_and_no_type_of_numpy(capsys):
    rows = np.array([[1.5, np.nan], [np.inf, -0.0]])
    content = {
        1: rows,
        "n": np.int64(3),
        "b": np.True_,
        "p": Path("a/b"),
        "t": (1, "é"),
    }
    console.print_json({**content, "none": None, "name": "\udcff"})
    assert json.loads(capsys.readouterr().out) == {
        "1": [[1.5, None], [None, 0.0]],
        **{"n": 3, "b": True, "p": "a/b", "t": [1, "é"], "none": None},
        "name": "\udcff",
    }


def test_data_list_for_programs(wslib, tmp_path):
    root = tmp_path / "data"
    for name in LABELS:
        (root / "caltech3" / "images" / name).mkdir(parents=True)
        (root / "caltech3" / "images" / name / "a.jpg").touch()
    (root / "caltech3" / "annotations").mkdir()
    (root / "cifar10_pictures.zip").touch()
    status, printed, told = wslib("data list --json")
    assert (status, told) == (0, "")
    rows = json.loads(printed)
    assert [(row["name"], row["part"], row["here"]) for row in rows][:6] == [
        ("voc2007", "trainval", False),
        ("voc2007", "test", False),
        ("synthetic_shapes", None, False),
        ("cifar10", None, False),
        ("cifar10", None, True),
        ("caltech101", None, False),
    ]
    folder = root / "caltech3"
    lost = f"incomplete: {folder / 'annotations' / 'face.csv'}: not found"
    (row,) = (row for row in rows if row["name"] == "caltech3")
    assert row == {
        **{"name": "caltech3", "part": None, "folder": str(folder)},
        **{"here": False, "contents": lost},
    }
    for name in LABELS:
        (folder / "annotations" / f"{name}.csv").touch()
    assert f"{folder}\n  complete, 3 pictures\n" in wslib("data list")[1]


def test_sam_list_for_programs(wslib, tmp_path):
    rows = json.loads(wslib("sam list --json")[1])
    assert [row["name"] for row in rows][:2] == ["sam_tiny", "vit_b"]
    assert set(rows[0]) == {"name", "parameters", "bytes", "path", "here", "found"}
    assert rows[0]["here"] and rows[0]["parameters"] > 1_000_000
    assert not rows[1]["here"] and rows[1]["bytes"] == 375_042_383
    assert rows[1]["path"] == str(tmp_path / "data" / "sam" / "sam_vit_b_01ec64.pth")


def test_predict_for_programs(wslib, tmp_path):
    detector = build_detector("simple", num_classes=3, input_size=64)
    save_checkpoint("best.pt", detector, **about_detector(detector, LABELS))
    noise = np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save("one.png")
    (tmp_path / "two.png").write_text("no picture")
    status, printed, told = wslib("caltech predict best.pt one.png two.png --json")
    (row,) = json.loads(printed)
    assert set(row) == {"path", "label", "probability", "x1", "y1", "x2", "y2"}
    assert row["path"] == "one.png" and row["label"] in LABELS
    assert status == 1 and told.splitlines()[-1].startswith("wslib: two.png: ")


@pytest.mark.parametrize(
    "encoding, printed",
    [
        ("ascii", "IoU >= 0.5, -1 \\xe9 \\udce9"),
        ("cp1252", "IoU >= 0.5, -1 é \\udce9"),
        ("utf-8", "IoU ≥ 0.5, −1 é \\udce9"),
    ],
)
def test_a_console_that_lacks_characters(monkeypatch, encoding, printed):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    console.spell_out()
    print("IoU ≥ 0.5, −1 é \udce9", end="", flush=True)
    assert stream.buffer.getvalue().decode(encoding) == printed


SEEDED = ("voc train", "voc show a.json", "sam train-tiny", "caltech train")


@pytest.mark.parametrize("command", SEEDED)
@pytest.mark.parametrize("seed", ["-1", 30 * "9"])
def test_a_seed_that_some_library_cannot_take(wslib, command, seed):
    status, printed, told = wslib(f"{command} --seed {seed}")
    assert (status, printed) == (2, "")
    assert f"invalid value '{seed}' for '--seed': input should be " in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("command", ["voc train", "voc eval", "voc detect"])
@pytest.mark.parametrize("size", [0, -8, 10**9])
def test_a_batch_that_fits(wslib, command, size):
    status, _, told = wslib(f"{command} --batch-size {size}")
    assert status == 2 and f"invalid value '{size}' for '--batch-size'" in told


@pytest.mark.parametrize("words", ["show a.json --n", "score a.json --bootstrap"])
def test_more_than_memory_or_patience_holds(wslib, words):
    status, _, told = wslib(f"voc {words} 100000000")
    option = words.split()[-1]
    assert status == 2 and f"invalid value '100000000' for '{option}'" in told
