"""`wslib voc proposals`: found or read, saved, and measured."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from wslib import cli
from wslib.data.folders import data_root
from wslib.data.proposal_files import read_proposals, write_proposals

REAL = data_root() / "voc2007"
SIDES = ("xmin", "ymin", "xmax", "ymax")


@pytest.fixture
def voc(capsys, tmp_path, monkeypatch):
    """Type a line after `wslib voc proposals`, in an empty folder, beside two images
    of 90 x 60 pixels: a red dog; a blue car and a difficult bottle. Returns its status,
    or its last line, and what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build" / "x"))
    root = tmp_path / "data" / "voc2007" / "VOCdevkit" / "VOC2007"
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True, exist_ok=True)
    write_image(root, "000001", (230, 40, 30), [("dog", (16, 11, 45, 30), 0)])
    things = [("car", (16, 11, 45, 30), 0), ("bottle", (80, 50, 84, 59), 1)]
    write_image(root, "000002", (20, 60, 220), things)
    (root / "ImageSets/Main/val.txt").write_text("000001\n000002\n")

    def type_line(words):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
            line = ["wslib", "voc", "proposals", *words.split()]
            patch.setattr(sys, "argv", line)
            cli.main()
        return end.value.code, capsys.readouterr().out

    return type_line


def write_image(root, image_id, colour, things):
    image = np.full((60, 90, 3), 128)
    image[10:30, 15:45] = colour
    image += np.random.default_rng(0).integers(-9, 10, image.shape)
    picture = Image.fromarray(image.clip(0, 255).astype(np.uint8))
    picture.save(root / "JPEGImages" / f"{image_id}.jpg", quality=95)
    text = "<annotation><size><width>90</width><height>60</height></size>"
    for name, box, difficult in things:
        corners = "".join(f"<{s}>{c}</{s}>" for s, c in zip(SIDES, box, strict=True))
        text += f"<object><name>{name}</name><difficult>{difficult}</difficult>"
        text += f"<bndbox>{corners}</bndbox></object>"
    (root / "Annotations" / f"{image_id}.xml").write_text(text + "</annotation>")


GOOD, ASIDE = [15, 10, 45, 30], [60, 40, 90, 60]  # half-open; the object, and elsewhere


def saved(path, first, second):
    rows = [np.column_stack([b, np.linspace(1, 0.1, len(b))]) for b in (first, second)]
    write_proposals(path, {"000001": rows[0], "000002": rows[1]})
    return path


def test_help_gives_an_example(voc):
    status, printed = voc("--help")
    assert status == 0 and "Example: wslib voc proposals" in printed


def test_found_saved_and_kept(voc, tmp_path):
    status, printed = voc("--out new/p.json")
    assert status == 0
    lines = printed.splitlines()
    assert lines[0] == "dataset voc2007, split val, images 2, objects 2, longest 200"
    assert lines[1].split() == [
        "count",
        *"recall 0.5 recall 0.7".split(),
        "AR",
        "boxes",
    ]
    assert lines[6].split()[:3] == ["1000", "100.0", "100.0"]
    assert "IoU ≥ the number" in lines[7] and "difficult objects left out" in lines[7]
    assert lines[8] == "saved in new/p.json"
    found = read_proposals("new/p.json")
    assert list(found) == ["000001", "000002"]
    assert found["000001"][0].tolist() == [0, 0, 90, 60, 1]
    kept = list(tmp_path.glob("build/proposals-*/*.npz"))
    assert len(kept) == 2
    stamps = [path.stat().st_mtime_ns for path in kept]
    assert voc("--out new/p.json") == (status, printed)
    assert [path.stat().st_mtime_ns for path in kept] == stamps


def test_saved_ones_by_hand(voc):
    """Our frame in the file, VOC's corners for the numbers: an IoU of exactly 1."""
    saved("p.json", [GOOD], [ASIDE, GOOD])
    status, printed = voc("--from p.json --count 2 --count 1 --iou 1 --digits 2")
    assert status == 0
    lines = [line.split() for line in printed.splitlines()]
    assert printed.splitlines()[0].endswith("objects 2, proposals p.json")
    assert lines[1] == ["count", "recall", "1.0", "AR", "boxes"]
    assert lines[2] == ["1", "50.00", "50.00", "1.00"]
    assert lines[3] == ["2", "100.00", "100.00", "1.50"]


def test_the_course_file_is_read_and_turned_into_ours(voc, tmp_path):
    """The images need not be there."""
    for path in tmp_path.glob("data/**/*.jpg"):
        path.unlink()
    cells = {k: np.empty((1, 2), object) for k in ("images", "boxes", "boxScores")}
    cells["images"][0, :] = "000001", "000002"
    for k in range(2):
        cells["boxes"][0, k] = np.array([[11, 16, 30, 45], [41, 61, 60, 90]], np.uint16)
        cells["boxScores"][0, k] = np.array([[0.2], [0.4]])
    savemat("c.mat", cells)
    status, printed = voc("--from c.mat --count 1 --count 2 --out p.json")
    assert status == 0
    lines = [line.split() for line in printed.splitlines()]
    assert lines[2] == ["1", "0.0", "0.0", "0.0", "1.0"]
    assert lines[3] == ["2", "100.0", "100.0", "100.0", "2.0"]
    np.testing.assert_array_equal(read_proposals("p.json")["000002"][1, :4], GOOD)


def test_for_programs(voc):
    saved("p.json", [GOOD], [ASIDE])
    status, printed = voc("--from p.json --limit 1 --count 5 --json --out q.json")
    assert status == 0
    told = json.loads(printed)
    assert told["images"] == 1 and told["objects"] == 1 and told["split"] == "val"
    row = {"count": 5, "recall 0.5": 100, "recall 0.7": 100, "AR": 100, "boxes": 1}
    assert told["recall"] == [row] and told["protocol"].startswith("VOC corners")
    assert list(read_proposals("q.json")) == ["000001"]


def test_without_objects_recall_is_unknown(voc, tmp_path):
    root = next(tmp_path.glob("data/**/Annotations"))
    for path in root.iterdir():
        size = "<size><width>90</width><height>60</height></size>"
        path.write_text(f"<annotation>{size}</annotation>")
    saved("p.json", [GOOD], [ASIDE])
    assert json.loads(voc("--from p.json --json")[1])["recall"][0]["AR"] is None
    assert voc("--from p.json")[1].splitlines()[2].split()[1] == "–"


def test_a_smaller_search_finds_fewer(voc):
    many = json.loads(voc("--json --longest 90")[1])
    few = json.loads(voc("--json --longest 20")[1])
    assert few["longest"] == 20
    assert few["recall"][-1]["boxes"] < many["recall"][-1]["boxes"]


def test_ctrl_c_is_told_of(voc, monkeypatch):
    def interrupted(*words):
        raise KeyboardInterrupt

    monkeypatch.setattr("wslib.weak.proposals.propose", interrupted)
    monkeypatch.setattr(sys, "stderr", said := io.StringIO())
    assert voc("")[0] == 130
    assert said.getvalue() == "wslib: interrupted; the same command goes on\n"


@pytest.mark.parametrize(
    "words, message",
    [
        ("--from no.json", "no.json: no such file of proposals"),
        ("--from p.txt", "p.txt: expected a file of proposals, .mat or .json"),
        ("--from one.json", "one.json: lacks the proposals of 1 of 2 images (000002,"),
        ("--out p.txt", "p.txt: proposals are written as JSON, expected NAME.json"),
        ("--out data/x.json/y.json", "below a file"),
        ("--from one.json --longest 200", "--longest: no effect with --from"),
        ("--split test", "no split 'test'"),
        ("--dataset coco", "data set 'coco', expected"),
        ("--iou 0", "IoU threshold 0.0: expected above 0, at most 1"),
    ],
)
def test_what_is_refused_in_a_line(voc, tmp_path, words, message):
    write_proposals("one.json", {"000001": np.zeros((0, 5))})
    (tmp_path / "data" / "x.json").write_text("")
    line = voc(words)[0]
    assert line.startswith("wslib: ") and message in line and "\n" not in line
    assert not (tmp_path / "p.txt").exists()


@pytest.mark.parametrize("words", ["--count 0", "--longest 0", "--digits -1"])
def test_numbers_out_of_range_are_refused(voc, words):
    assert voc(words)[0] == 2


def test_a_mistyped_option_costs_no_search(voc, monkeypatch):
    monkeypatch.setattr("wslib.weak.proposals.propose", None)
    assert "expected NAME.json" in voc("--out p.txt")[0]
    assert "IoU threshold 2.0" in voc("--iou 2")[0]


def test_missing_images_are_told_of(voc, tmp_path):
    next(tmp_path.glob("data/**/000002.jpg")).unlink()
    assert "1 of 2 images are missing" in voc("")[0]


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no VOC2007 in {REAL}")
def test_photographs(voc, monkeypatch):
    monkeypatch.setenv("WSLIB_DATA", str(REAL.parent.absolute()))
    told = json.loads(voc("--split train --limit 3 --json --count 30 --count 999")[1])
    assert told["images"] == 3 and told["objects"] > 2
    first, last = told["recall"]
    assert 0 <= first["recall 0.5"] <= last["recall 0.5"] > 30
    assert first["boxes"] == 30 and 100 < last["boxes"] < 999
