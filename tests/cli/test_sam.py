"""`wslib sam`: what people type, and what they read."""

from __future__ import annotations

import io
import json
import sys

import pandas as pd
import pytest

from wslib.data.rendered.drawn.segments import WITHOUT_SHAPES
from wslib.models import sam, sam_tiny
from wslib.models.published import PUBLISHED, SAMS, Weights
from wslib.models.sam import sam_predictor
from wslib.models.sam_tiny import build_sam_tiny, save_sam_tiny
from wslib.prompting import sam_training

MiB = 2**20


@pytest.fixture
def wslib(monkeypatch, type_words, tmp_path):
    """Type a line after `wslib sam`; its status or last line, and what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "*")
    return lambda words: type_words("sam", *words.split())[:2]


@pytest.fixture
def published(monkeypatch, tmp_path):
    """A `vit_b` of one megabyte, on a server that does not answer."""
    weights = Weights("http://127.0.0.1:9/sam_b.pth", MiB, "md5:0123", 1_500_000)
    monkeypatch.setitem(PUBLISHED, "vit_b", weights)
    (tmp_path / "data" / "sam").mkdir(parents=True)
    return weights.path


@pytest.mark.parametrize("command", ["list", "fetch", "card", "train-tiny"])
def test_help_gives_an_example(wslib, command):
    status, printed = wslib(f"{command} --help")
    assert status == 0 and f"Example: wslib sam {command}" in printed


def line_of(printed: str, name: str) -> str:
    return next(line for line in printed.splitlines() if line.startswith(name))


def test_list(wslib, published, monkeypatch):
    monkeypatch.setitem(sys.modules, "mobile_sam", None)
    status, printed = wslib("list")
    assert status == 0
    assert [line.split()[0] for line in printed.splitlines()] == [*SAMS, "mobile_sam"]
    told = "vit_b         1.5 M parameters      1.0 MiB  "
    missing = f"{told}not here; `wslib sam fetch vit_b`"
    assert line_of(printed, "vit_b") == missing
    assert line_of(printed, "vit_h").startswith("vit_h       641.1 M parameters")
    part = published.with_name("sam_b.pth.part")
    part.write_bytes(bytes(MiB // 2))
    goes_on = f"{missing} goes on after 0.5 MiB"
    assert line_of(wslib("list")[1], "vit_b") == goes_on
    published.write_bytes(bytes(MiB - 1))
    other = f"{told}{published}: of another size, not the published file"
    assert line_of(wslib("list")[1], "vit_b") == other
    published.write_bytes(bytes(MiB))
    assert line_of(wslib("list")[1], "vit_b") == f"{told}{published}"


def test_list_knows_the_parameters_and_weights_of_sam_tiny(
    wslib, tmp_path, monkeypatch
):
    path = tmp_path / "sam_tiny.pt"
    monkeypatch.setattr(sam_tiny, "WEIGHTS", path)
    count = sum(p.numel() for p in build_sam_tiny().parameters())
    told = line_of(wslib("list")[1], "sam_tiny")
    assert told.split()[1:4] == [f"{count / 1e6:.1f}", "M", "parameters"]
    assert told.endswith(f"{path}: not here")
    save_sam_tiny(path, build_sam_tiny())
    told = line_of(wslib("list")[1], "sam_tiny")
    assert told.endswith(f" {path}") and told.split()[4] != "0.0"


def test_fetch_without_a_network_is_one_line(wslib, published):
    end, _ = wslib("fetch vit_b")
    assert end.startswith("wslib: http://127.0.0.1:9/sam_b.pth: no connection")
    assert "\n" not in end
    assert end.endswith(f"vit_b is expected in {published}, and sam_tiny needs no file")


def test_fetch_checks_what_is_there(wslib, published, monkeypatch):
    published.write_bytes(bytes(MiB))
    end, _ = wslib("fetch vit_b")
    assert end.startswith(f"wslib: {published}: its MD5 is ") and "\n" not in end
    right = Weights(
        "http://127.0.0.1:9/sam_b.pth", MiB, "md5:b6d81b360a5672d80c27430f39153e2c", 1
    )
    monkeypatch.setitem(PUBLISHED, "vit_b", right)
    assert wslib("fetch vit_b") == (0, f"{published}\n")


def test_fetch_other_names(wslib):
    status, printed = wslib("fetch sam_tiny")
    assert status == 0 and printed == f"{sam_tiny.WEIGHTS.absolute()}\n"
    end, _ = wslib("fetch vit_x")
    assert end.startswith("wslib: unknown SAM 'vit_x', expected one of sam_tiny, ")


def test_ctrl_c_says_how_to_go_on(wslib, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sam, "weights_file", interrupted)
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    assert wslib("fetch vit_b")[0] == 130
    assert told.getvalue() == "wslib: interrupted; the same command goes on\n"


def test_card(wslib, tmp_path, monkeypatch):
    card = {
        "seed": 0,
        "IoU by points": {"1": 0.81, "3": 0.9},
        "what it is not": "A segmenter of photographs – it has seen none.",
    }
    path = tmp_path / "sam_tiny.json"
    monkeypatch.setattr(sam_tiny, "CARD", path)
    path.write_text(json.dumps(card), encoding="utf-8")
    assert wslib("card") == (
        0,
        "seed: 0\nIoU by points:\n  '1': 0.81\n  '3': 0.9\n"
        "what it is not: A segmenter of photographs – it has seen none.\n",
    )
    assert json.loads(wslib("card --json")[1]) == card
    path.unlink()
    assert wslib("card")[0] == f"wslib: {path}: No such file or directory"


# -------------------------------------------------------------------------- train-tiny


@pytest.fixture
def calls(monkeypatch):
    """What `train` is called with, and the history that it returns."""
    calls = {"history": pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 0.1234]})}

    def train(out, steps, **how):
        calls.update(out=str(out), steps=steps, **how)
        return calls["history"]

    monkeypatch.setattr(sam_training, "train", train)
    return calls


def test_train_tiny(wslib, calls, tmp_path):
    words = "train-tiny --steps 200 --batch-size 4 --seed 7 --device cpu --out new/tiny"
    assert wslib(words) == (0, "new/tiny/sam_tiny.pt: loss 0.123\n")
    assert (tmp_path / "new/tiny").is_dir()
    calls.pop("history"), calls.update(keep=str(calls["keep"]))
    assert calls == {
        "out": "new/tiny/sam_tiny.pt",
        "steps": 200,
        "pictures": 4,
        "learning_rate": 1e-3,
        "start": None,
        "seed": 7,
        "device": "cpu",
        "style": None,
        "keep": "new/tiny",
    }


def test_train_tiny_without_the_shapes(wslib, calls):
    assert wslib("train-tiny --steps 200 --without-shapes --out o")[0] == 0
    assert calls["style"] is WITHOUT_SHAPES


def test_train_tiny_that_was_stopped(wslib, calls, tmp_path):
    assert wslib("train-tiny --steps 300 --out o") == (130, "")
    (tmp_path / "file").touch()
    end, _ = wslib("train-tiny --out file")
    assert end == "wslib: file/sam_tiny.pt: below a file, expected below a folder"


def test_train_tiny_writes_weights_that_can_be_used(wslib, tmp_path):
    """One step on two pictures: nothing is learnt by it, but the file is right."""
    words = "train-tiny --steps 1 --batch-size 2 --device cpu --out o"
    status, printed = wslib(words)
    assert status == 0 and printed.startswith("o/sam_tiny.pt: loss ")
    assert (tmp_path / "o" / "last.pt").is_file()
    predictor = sam_predictor("sam_tiny", "cpu", tmp_path / "o" / "sam_tiny.pt")
    assert predictor.model.name == "sam_tiny"
    again, _ = wslib(words)  # all is done already
    assert again == 0
