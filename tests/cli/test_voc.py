"""`wslib voc`: what people type, what they read, and what is refused in one line."""

import functools
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from wslib import cli
from wslib.boxes import networks, training
from wslib.boxes.detections import Detections, load_detections, save_detections
from wslib.boxes.recipe import DEFAULT_RECIPE
from wslib.data.folders import data_root
from wslib.models.checkpoints import read_checkpoint, save_checkpoint
from wslib.models.dense import load_dense

REAL = data_root() / "voc2007" / "VOCdevkit" / "VOC2007"
RENDERED = "--dataset rendered --rendered train=10,val=6,test=4"
COMMANDS = ["train", "eval", "baselines", "detect", "score", "show"]


def type_line(words: str, capsys) -> tuple[int | str, str]:
    """Its status, or its last line, and what was printed."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["wslib", "voc", *words.split()])
        cli.main()
    return end.value.code, capsys.readouterr().out


@pytest.fixture
def voc(capsys, tmp_path, monkeypatch):
    """Type a line after `wslib voc`, in an empty folder, beside a tiny VOC2007."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    write_voc(tmp_path / "data" / "voc2007" / "VOCdevkit" / "VOC2007")
    return lambda words: type_line(words, capsys)


DOG = "<object><name>{}</name><bndbox>{}</bndbox></object>"
SIDES = ("xmin", "ymin", "xmax", "ymax")


def dog(*box, name="dog"):
    corners = zip(SIDES, box, strict=True)
    return DOG.format(name, "".join(f"<{s}>{c}</{s}>" for s, c in corners))


def write_voc(root, objects=None):
    """Three pictures of 100 x 100 pixels: none, a dog in the middle, one aside."""
    objects = objects or {"1": "", "2": dog(23, 23, 77, 77), "3": dog(1, 1, 10, 10)}
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for image_id, things in objects.items():
        noise = np.random.default_rng(int(image_id)).integers(256, size=(100, 100, 3))
        picture = Image.fromarray(noise.astype(np.uint8))
        picture.save(root / "JPEGImages" / f"{image_id}.jpg")
        size = "<size><width>100</width><height>100</height></size>"
        text = f"<annotation>{size}{things}</annotation>"
        (root / "Annotations" / f"{image_id}.xml").write_text(text)
    for split in ("val", "test"):
        (root / "ImageSets/Main" / f"{split}.txt").write_text("\n".join(objects))


def root(tmp_path):
    return tmp_path / "data" / "voc2007" / "VOCdevkit" / "VOC2007"


def saved(path, boxes, **other):
    fields = {"class_name": "dog", "recipe": {"kind": "combined", "threshold": 0.2}}
    fields |= {"model": "0123456789ab", "dataset": "voc2007", "split": "val", **other}
    rows = {i: np.array(b, float).reshape(-1, 5) for i, b in boxes.items()}
    save_detections(path, Detections(boxes=rows, **fields))


FOUND = {"1": [[1, 1, 50, 50, 0.9]], "2": [[23, 23, 77, 77, 0.8]], "3": []}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_gives_an_example(voc, command):
    status, printed = voc(f"{command} --help")
    assert status == 0 and f"Example: wslib voc {command}" in printed


# ----------------------------------------------------------------------- baselines


def test_baselines_by_hand(voc):
    """A: wrong, right, wrong, in list order; B: right, wrong."""
    status, printed = voc("baselines --digits 2")
    assert status == 0
    lines = [line.split() for line in printed.splitlines()]
    assert printed.startswith("class dog, dataset voc2007, split test, images 3, obj")
    assert lines[2] == ["A", *["25"] * 3, *["50"] * 3]
    assert lines[3] == ["B", *["50"] * 3, *["50"] * 3]
    assert printed.splitlines()[-1].startswith("Protocol: course: all-point AP, IoU >")


def test_baselines_for_programs_at_other_ious_and_protocols(voc):
    printed = voc("baselines --json --iou 0.9 --protocol voc07 --limit 2")[1]
    told = json.loads(printed)
    assert told["images"] == 2 and told["objects"] == 1 and told["class"] == "dog"
    assert told["protocol"].startswith("voc07: 11-point AP")
    A, B = told["baselines"]  # all of A has the same score, and counts at once
    assert A == {"detector": "A", "AP 0.9": 50, "recall 0.9": 100}
    assert B == {"detector": "B", "AP 0.9": 100, "recall 0.9": 100}


def test_baselines_of_a_class_that_is_not_there_are_unknown(voc):
    printed = voc("baselines --class cat --json")[1]
    assert json.loads(printed)["baselines"][0]["AP 0.3"] is None
    assert voc("baselines --class cat")[1].splitlines()[2].split()[1] == "–"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no VOC2007 in {REAL}")
def test_baseline_b_on_the_real_annotations_to_the_last_digit(capsys):
    status, printed = type_line("baselines", capsys)
    assert status == 0
    B = "B 40.296106 22.182328 4.509091 54 38 16"
    assert B.split() in [line.split() for line in printed.splitlines()]


# --------------------------------------------------------------------------- score


def test_score_by_hand_without_images(voc, tmp_path):
    """Wrong at 0.9, right at 0.8, one dog missed: AP 1/2 * 1/2, recall 1/2."""
    saved(tmp_path / "dogs.json", FOUND)
    for image in (root(tmp_path) / "JPEGImages").iterdir():
        image.unlink()
    status, printed = voc("score dogs.json --json --bootstrap 50")
    told = json.loads(printed)
    assert status == 0
    assert (told["images"], told["objects"], told["boxes"]) == (3, 2, 2)
    assert told["model"] == "0123456789ab" and told["recipe"]["threshold"] == 0.2
    measured = {(m["metric"], m["iou"]): m for m in told["measures"]}
    for iou in (0.3, 0.4, 0.5):
        assert measured["ap", iou]["value"] == 25
        assert measured["recall", iou]["value"] == 50
        assert measured["corloc", iou]["value"] == 50
        assert measured["ap", iou]["low"] <= 25 <= measured["ap", iou]["high"]
    kinds = {
        k["kind"]: (k["objects"], k["detections"]) for k in told["errors"]["kinds"]
    }
    assert kinds["right"] == (1, 1) and kinds["false image"] == (0, 1)
    assert kinds["missed"] == (1, 0)


def test_score_as_a_table_and_above_a_score(voc, tmp_path):
    saved(tmp_path / "dogs.json", FOUND)
    printed = voc("score dogs.json --iou 0.5 --bootstrap 20")[1]
    lines = printed.splitlines()
    assert "images 3, objects 2, boxes 2" in lines[0] and "threshold 0.2" in lines[1]
    assert lines[3].split() == ["IoU", "AP", "recall", "CorLoc"]
    assert lines[4].startswith("0.5  25.0 [")
    assert lines[5].startswith("Protocol: course")
    assert "Errors at IoU 0.5" in printed and "false image" in printed
    told = json.loads(voc("score dogs.json --min-score 0.85 --json --bootstrap 9")[1])
    assert told["boxes"] == 1 and {m["value"] for m in told["measures"]} == {0}


def test_no_boxes_at_all_have_ap_0(voc, tmp_path):
    saved(tmp_path / "none.json", {"1": [], "2": [], "3": []})
    status, printed = voc("score none.json --json --bootstrap 9")
    assert status == 0
    told = json.loads(printed)
    assert {m["value"] for m in told["measures"]} == {0} and told["boxes"] == 0


# ----------------------------------------------------------------------- bad input


BAD = [
    ("baselines --class wolf", "no class 'wolf'; VOC has aeroplane, "),
    ("baselines --split dev", "VOC2007: no split 'dev'; there are val, test"),
    ("baselines --dataset coco", "data set 'coco', expected 'voc2007', 'rendered' or"),
    (
        "baselines --protocol coco",
        "protocol 'coco': expected one of course, voc07, voc10",
    ),
    ("baselines --iou nan", "IoU threshold nan: expected 0 to 1"),
    ("baselines" + 4 * " --iou 0.{}", "--iou given 4 times: a row has room for 3"),
    ("baselines --detector no.pt", "no.pt: no such checkpoint"),
    ("baselines --dataset rendered --rendered train=x", "train=x: expected a whole"),
    ("baselines --dataset rendered --rendered dev=1", "expected some of"),
    ("score no.json", "no.json: no such file of detections"),
    ("score data", "data: a folder, expected a file of detections"),
    ("score nan.json", "nan.json: image 2, box 0: [1, 2, 3, 4, nan], expected finite"),
    ("score files.json", "files.json: found in files of no data set"),
    ("score cats.json", "cats.json: no cat in its 3 images"),
    ("score stranger.json", "9.xml: no such file"),
    ("score counts.json", "counts.json: n_train is x, expected 1 to 100000"),
    ("score huge.json", "huge.json: n_train is 99999999999, expected 1 to 100000"),
    ("score list.json", "list.json: rendered [3], expected counts"),
    (
        "baselines --dataset rendered --rendered train=99999999999",
        "train is 99999999999, expected 1 to 100000",
    ),
    (
        "baselines --dataset rendered --rendered train=yes",
        "--rendered train=yes: expected a whole number",
    ),
    ("show dogs.json --image 7", "dogs.json: no image '7' in it"),
    ("show dogs.json --out data", "data: no file, expected the name of one to write"),
    ("score dogs.json --min-score nan", "the least score is nan, expected a number"),
    ("score dogs.json --threshold 0.1", "dogs.json: recipe {'kind': 'combined', 'thr"),
    ("score whole.json --threshold 2", "threshold 2.0: expected above 0, at most 1"),
    ("score whole.json --threshold 0.1", "whole.maps.npz: no such file; `wslib voc"),
    ("detect --out dogs.json/a.json", "dogs.json/a.json: below a file, expected"),
    ("detect --out /dev/null", "/dev/null: no file, expected the name of one to"),
    ("detect data --checkpoint no.pt", "data: no images in this folder"),
    ("train --split val --out dogs.json", "dogs.json/detector.pt: below a file"),
    ("show dogs.json --detector a.pt --checkpoint b.pt", "give one of --detector FILE"),
    ("detect", "give one of --detector FILE and --checkpoint FILE"),
    ("detect none.jpg --checkpoint no.pt", "none.jpg: no such image"),
    ("detect --checkpoint data", "data: no such checkpoint"),
    ("detect --detector other.pt", "other.pt: no detector; `wslib voc train` makes"),
    ("detect --checkpoint other.pt", "other.pt: no classifier: expected "),
    (
        "detect --checkpoint other.pt --device gpu9",
        "device 'gpu9': not on this machine",
    ),
    ("eval --split dev --checkpoint other.pt", "no split 'dev'; there are val, test"),
    ("eval --checkpoint other.pt --size 8", "other.pt: no classifier"),
    ("train --split dev", "no split 'dev'; there are val, test"),
    ("train --split val --validate test", "--validate test: 3 images of it are learnt"),
    ("train --split val --backbone vgg16", "unknown classifier 'vgg16', expected one"),
    ("train --split val --size 1000000", "size is 1000000, expected 32 to 2048 pixels"),
    ("train --split val --size 4", "size is 4, expected 32 to 2048 pixels"),
    # options without effect
    ("detect none.jpg --limit 3", "--limit: no effect on images that are named"),
    ("detect none.jpg --dataset rendered", "--dataset: no effect on images that"),
    ("baselines --device cpu", "--device cpu: no effect without a network"),
    ("detect --masks --second 0.1", "--second: no effect with --masks"),
    ("detect --detector a.pt --class-names cat", "--class-names cat: names the outpu"),
    (
        "baselines --class-names cat",
        "outputs of a --checkpoint FILE, and there is none",
    ),
    ("baselines --rendered val=3", "--rendered val=3: no effect on --dataset voc2007"),
    ("score dogs.json --threshold 0.1 --bootstrap 9", "--bootstrap: no effect with"),
    ("show dogs.json --image 1 --seed 0", "--seed: no effect with --image"),
    # names that say another format than what is written
    ("detect --out a.csv", "a.csv: expected NAME.json, as that is written"),
    ("show dogs.json --out a.jpg", "a.jpg: expected NAME.png, as that is written"),
]


@pytest.mark.parametrize("words, complaint", BAD, ids=[words for words, _ in BAD])
def test_mistakes_are_one_line(voc, tmp_path, words, complaint):
    saved(tmp_path / "dogs.json", FOUND)
    saved(tmp_path / "cats.json", FOUND, class_name="cat")
    saved(tmp_path / "files.json", FOUND, dataset="files", split="")
    saved(tmp_path / "stranger.json", {"9": []})
    counts = {"counts": {"n_train": "x"}, "huge": {"train": 99999999999}, "list": [3]}
    for name, value in counts.items():
        recipe = {"rendered": value}
        saved(tmp_path / f"{name}.json", FOUND, dataset="rendered", recipe=recipe)
    saved(tmp_path / "whole.json", FOUND, recipe=asdict(DEFAULT_RECIPE))
    text = (tmp_path / "dogs.json").read_text()
    text = text.replace("23, 23, 77, 77, 0.8", "1, 2, 3, 4, NaN")
    (tmp_path / "nan.json").write_text(text)
    save_checkpoint(tmp_path / "other.pt", torch.nn.Linear(2, 2))
    end, printed = voc(words.format(1, 2, 3, 4))
    assert isinstance(end, str) and end.startswith("wslib: ") and complaint in end, end
    assert "\n" not in end and not printed


@pytest.mark.parametrize(
    "box, complaint",
    [
        ((1, 1, 20, 200), None),  # leaves the image: clipped, with a warning
        ((120, 1, 140, 20), "3.xml: dog with the box (120.0, 1.0, 140.0, 20.0), outs"),
        ((20, 1, 10, 20), "expected x1 <= x2, y1 <= y2"),
        (("nan", 1, 10, 20), "3.xml: dog with the box (nan, "),
    ],
)
def test_boxes_outside_the_image(voc, tmp_path, box, complaint):
    write_voc(root(tmp_path), {"1": "", "2": dog(23, 23, 77, 77), "3": dog(*box)})
    if complaint is None:
        with pytest.warns(UserWarning, match="3.xml: a box left the image"):
            status, printed = voc("baselines --json")
        assert status == 0 and json.loads(printed)["objects"] == 2
    else:
        end, _ = voc("baselines")
        assert end.startswith("wslib: ") and complaint in end and "\n" not in end


def test_other_broken_annotations(voc, tmp_path):
    path = root(tmp_path) / "Annotations" / "2.xml"
    write_voc(root(tmp_path), {"1": "", "2": dog(1, 1, 9, 9, name="wolf")})
    assert "2.xml: object of unknown class 'wolf'" in voc("baselines")[0]
    path.write_text("<annotation>")
    end = voc("baselines")[0]
    assert end.startswith("wslib: ") and "2.xml: " in end and "\n" not in end
    path.unlink()
    assert "2.xml: no such file" in voc("baselines")[0]
    write_voc(root(tmp_path), {"1": "", "2": ""})  # no objects: no error
    assert voc("baselines")[0] == 0


# ------------------------------------------------------- with networks: train to show


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder that `train --epochs 1` filled, in two goes: it was interrupted after
    the fine-tuning, and went on without doing it again."""
    folder = tmp_path_factory.mktemp("voc")
    words = f"train {RENDERED} --split train --validate val --size 64 --epochs 1"
    argv = ["wslib", "voc", *words.split(), "--seed", "3", "--out", str(folder / "out")]
    ends = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WSLIB_BUILD", str(folder / "build" / "x"))
        patch.setattr(sys, "argv", argv)
        two_folds = functools.partial(training.cross_fit, folds=2)
        patch.setattr(training, "cross_fit", two_folds)  # faster, as is a head
        patch.setattr(training, "PENALTY", 10.0)  # that is kept near to nothing
        with patch.context() as at_first, pytest.raises(SystemExit) as end:
            at_first.setattr(training, "extract_features", interrupted)
            cli.main()
        ends.append(end.value.code)
        ends.append((folder / "out" / "history.csv").read_text())
        ends.append((folder / "out" / "detector.pt").exists())
        patch.setattr(training, "replace_head", None)  # must not be called again
        with pytest.raises(SystemExit) as end:
            cli.main()
        ends.append(end.value.code)
    return folder, ends


def interrupted(*_):
    raise KeyboardInterrupt


read_once = functools.cache(load_dense)


@pytest.fixture
def made(trained, capsys, monkeypatch):
    """Type a line after `wslib voc`, where the trained detector lies."""
    monkeypatch.chdir(trained[0])
    monkeypatch.setenv("WSLIB_BUILD", str(trained[0] / "build" / "x"))
    monkeypatch.setattr(networks, "load_dense", read_once)
    return lambda words: type_line(words, capsys)


def test_training_goes_on_after_an_interruption(trained, made):
    folder, (end, history, was_there, status) = trained
    assert end == 130
    assert not was_there and status == 0
    assert (folder / "out" / "history.csv").read_text() == history
    rows = pd.read_csv(folder / "out" / "history.csv")
    assert rows["epoch"].tolist() == [1] and 0 <= rows["mAP"][0] <= 100
    left = {"last.pt", "best.pt", "history.csv", "curves.png", "detector.pt"}
    assert set(os.listdir(folder / "out")) == left
    with Image.open(folder / "out" / "curves.png") as image:
        assert image.width > 300


def test_trained_already_or_another_training(made):
    words = (
        f"train {RENDERED} --split train --validate val --size 64 --out out --seed 3"
    )
    status, printed = made(f"{words} --epochs 1")
    assert status == 0 and "trained already" in printed
    end, _ = made(f"{words} --epochs 2")
    told = "out/detector.pt: another detector, with epochs 1, not 2; choose another"
    assert end.startswith(f"wslib: {told}")


def test_eval_of_both_kinds_of_files(made):
    for option in ("--detector out/detector.pt", "--checkpoint out/best.pt"):
        status, printed = made(f"eval {RENDERED} {option} --json")
        assert status == 0
        told = json.loads(printed)
        known = [ap for ap in told["AP"].values()]
        assert told["images"] == 6 and told["mAP"] == pytest.approx(np.mean(known))
    history = pd.read_csv("out/history.csv")  # measured the same while training
    assert told["mAP"] == pytest.approx(history["mAP"][0])
    lines = made(f"eval {RENDERED} {option}")[1].splitlines()
    assert lines[0] == "dataset rendered, split val, images 6"
    assert lines[1].split() == ["class", "images", "AP"]
    assert lines[-1].startswith("mAP ") and "average precision" in lines[-2]


def test_detect_score_and_show(made):
    options = "--detector out/detector.pt --class person --out found.json"
    status, printed = made(f"detect {RENDERED} --split train {options}")
    found = load_detections("found.json")
    boxes = sum(map(len, found.boxes.values()))
    told = f"{boxes} person boxes in 10 images, saved in found.json\n"
    assert (status, printed) == (0, told) and boxes > 0
    assert found.recipe["kind"] == "combined" and found.recipe["size"] == 64
    chosen = read_once("out/detector.pt")[1]["thresholds"]["combined"]["person"]
    assert (
        found.recipe.items() >= {**asdict(DEFAULT_RECIPE), "threshold": chosen}.items()
    )
    assert found.recipe["rendered"] == {"train": 10, "val": 6, "test": 4}
    assert (found.dataset, found.split, len(found.model)) == ("rendered", "train", 12)
    assert made("score found.json --bootstrap 9")[0] == 0
    for words in ("--n 3", "--image 000001 --detector out/detector.pt"):
        assert made(f"show found.json {words} --out new/show.png") == (
            0,
            "new/show.png\n",
        )
        with Image.open("new/show.png") as image:
            assert image.format == "PNG"
    end, _ = made("show found.json --checkpoint out/best.pt")
    assert end.startswith("wslib: found.json: its boxes were found by network")
    assert not os.path.exists("build/voc/show.png")


def test_other_thresholds_are_scored_as_if_detected_with_them(made, monkeypatch):
    """To the last digit, and without a network, from the maps beside the boxes."""
    options = "--split train --detector out/detector.pt --class cat"
    assert made(f"detect {RENDERED} {options} --out cats.json")[0] == 0
    thresholds = (0.06, 0.3, 0.7)
    expected = []
    for t in thresholds:
        made(f"detect {RENDERED} {options} --threshold {t} --out at.json")
        told = json.loads(made("score at.json --bootstrap 1 --json")[1])
        of = {(m["metric"], m["iou"]): m["value"] for m in told["measures"]}
        names = {"AP": "ap", "recall": "recall"}
        row = {f"{n} {i}": of[names[n], i] for n in names for i in (0.3, 0.4, 0.5)}
        expected.append({"threshold": t, **row})
    monkeypatch.setattr(networks, "open_network", None)  # must not be called
    words = "score cats.json" + "".join(f" --threshold {t}" for t in thresholds)
    told = json.loads(made(f"{words} --json")[1])
    assert told["thresholds"] == expected
    found = [{**row, "threshold": None} for row in expected]
    assert found[0] != found[-1]  # it makes a difference
    lines = [line.split() for line in made(words)[1].splitlines()]
    assert [line[0] for line in lines[2:5]] == ["0.06", "0.3", "0.7"]
    assert lines[1][0] == "threshold" and lines[1].count("recall") == 3
    told = json.loads(made(f"{words} --min-score 2 --json")[1])
    assert {row["AP 0.3"] for row in told["thresholds"]} == {0}


def test_masks_at_another_threshold_read_the_images(made):
    options = "--split train --detector out/detector.pt --class person --masks"
    assert made(f"detect {RENDERED} {options} --limit 3 --out masks.json")[0] == 0
    made(f"detect {RENDERED} {options} --limit 3 --threshold 0.5 --out at.json")
    again = json.loads(made("score masks.json --threshold 0.5 --json")[1])
    told = json.loads(made("score at.json --bootstrap 1 --json")[1])
    ap = [m["value"] for m in told["measures"] if m["metric"] == "ap"]
    assert [again["thresholds"][0][f"AP {i}"] for i in (0.3, 0.4, 0.5)] == ap


def test_another_threshold_or_class_of_maps(made):
    words = f"detect {RENDERED} --detector out/detector.pt --class person --json"
    low, high = (json.loads(made(f"{words} --threshold {t}")[1]) for t in (0.05, 0.9))
    area = {name: sum(map(box_area, told["boxes"].values()))
            for name, told in (("low", low), ("high", high))}  # fmt: skip
    assert low["recipe"]["threshold"] == 0.05 and area["low"] > area["high"] > 0
    told = json.loads(made(f"{words} --kind gradcam --max-boxes 1 --limit 2")[1])
    assert told["recipe"]["kind"] == "gradcam" and len(told["boxes"]) == 2
    assert all(len(boxes) <= 1 for boxes in told["boxes"].values())
    end, _ = made(f"{words} --kind layercam")
    kinds = "'layercam' maps, it has combined, posterior, gradcam"
    assert end == f"wslib: out/detector.pt: {kinds}"
    assert "threshold 1.5: expected above 0" in made(f"{words} --threshold 1.5")[0]
    for name, value in (("area-power", "nan"), ("second", "nan"), ("second", "-1")):
        end, _ = made(f"{words} --{name} {value}")
        assert f"{name.replace('-', '_')} {float(value)}: expected" in end
    assert "size is 0, expected 32 to 2048" in made(f"{words} --size 0")[0]
    end, _ = made(words.replace("person", "bus"))  # there are no buses in the pictures
    assert "no threshold for bus on combined maps; give --threshold" in end


def box_area(boxes):
    return sum((x2 - x1 + 1) * (y2 - y1 + 1) for x1, y1, x2, y2, _ in boxes)


def test_a_plain_classifier_finds_boxes_in_files(made, trained, capsys):
    image = next(trained[0].rglob("JPEGImages")) / "000001.jpg"
    Image.open(image).save("own.png")
    words = f"detect own.png {image} --checkpoint out/best.pt --masks"
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["wslib", "voc", *words.split(), "--class", "cat"])
        cli.main()
    out, err = capsys.readouterr()
    assert end.value.code == 0 and "out/best.pt: threshold 0.12, as none was" in err
    for line in out.splitlines():
        name, x1, y1, x2, y2, score = line.split()
        assert name in ("own.png", str(image)) and 0 < float(score) < 1
        assert 1 <= float(x1) <= float(x2) and 1 <= float(y1) <= float(y2)
    assert made(f"{words} --out own.json --threshold 0.3")[0] == 0
    assert list(load_detections("own.json").boxes) == ["own.png", str(image)]
    assert made("show own.json --checkpoint out/best.pt --out own-show.png")[0] == 0
    end, _ = made(f"{words} --kind combined")
    assert end == "wslib: out/best.pt: 'combined' maps, it has gradcam"


def test_bad_files_do_not_cost_the_others(made, trained, capsys):
    """Two of the three have boxes; later, one of these two can be drawn."""
    whole = next(trained[0].rglob("JPEGImages")) / "000001.jpg"
    for name in ("one.jpg", "two$a$.jpg"):
        Path(name).write_bytes(whole.read_bytes())
    Path("bad.jpg").write_bytes(whole.read_bytes()[:3000])
    words = "detect one.jpg bad.jpg two$a$.jpg --detector out/detector.pt"
    assert made(f"{words} --class person --out three.json")[0] == 1
    assert list(load_detections("three.json").boxes) == ["one.jpg", "two$a$.jpg"]
    assert made("show three.json --out three.png")[0] == 0
    Path("one.jpg").unlink()
    assert made("show three.json --detector out/detector.pt --out two.png")[0] == 1
    assert Path("two.png").is_file()
    assert made("detect bad.jpg --detector out/detector.pt --out none.json")[0] == 1
    assert not Path("none.json").exists()


def test_baseline_c_has_the_scores_of_a_network(made):
    words = f"baselines {RENDERED} --class cat --split train"
    told = json.loads(made(f"{words} --detector out/detector.pt --json")[1])
    assert [row["detector"] for row in told["baselines"]] == ["A", "B", "C"]
    A, B, C = told["baselines"]
    assert A["recall 0.3"] == B["recall 0.3"] == C["recall 0.3"] > 0  # the same boxes
    assert A["AP 0.3"] != C["AP 0.3"]  # in another order


DAMAGED = [
    ({"classes": None}, "a detector whose classes are None, expected their names"),
    ({"classes": [1, 2]}, "a detector whose classes are [1, 2], expected their names"),
    ({"classes": ["dog", "dog"]}, "2 classes, expected each once, and one or more"),
    ({"name": ["resnet18"]}, "no detector; `wslib voc train` makes one"),
    ({"size": "448"}, "size is '448', expected 32 to 2048 pixels"),
    (
        {"thresholds": [0.2]},
        "no threshold for person on combined maps; give --threshold",
    ),
    (
        {"thresholds": {"combined": {"person": "x"}}},
        "no threshold for person on combined",
    ),
    ({"thresholds": {"combined": 0.2}}, "no threshold for person on combined maps"),
]


@pytest.mark.parametrize(
    "changes, complaint", DAMAGED, ids=[str(c) for c, _ in DAMAGED]
)
def test_damaged_detectors_are_one_line(made, trained, monkeypatch, changes, complaint):
    content = read_checkpoint("out/detector.pt")
    monkeypatch.setattr(networks, "load_dense", load_dense)
    torch.save({**content, **changes}, "damaged.pt")
    words = f"detect {RENDERED} --class person --limit 1 --detector damaged.pt"
    end, printed = made(words)
    assert end.startswith("wslib: damaged.pt: ") and complaint in end, end
    assert "\n" not in end and not printed


def test_a_folder_with_a_detector_of_unknown_training_is_left_alone(made):
    content = read_checkpoint("out/detector.pt")
    os.makedirs("unknown", exist_ok=True)
    torch.save({**content, "trained": 3}, "unknown/detector.pt")
    end, _ = made(f"train {RENDERED} --out unknown")
    told = "another detector, with dataset None, not 'rendered'; choose another --out"
    assert end.startswith(f"wslib: unknown/detector.pt: {told}")


@pytest.fixture(scope="module")
def weights():
    """Of a ResNet-18 with an output for each class, as torchvision names them."""
    import torchvision

    torch.manual_seed(0)
    return torchvision.models.resnet18(weights=None, num_classes=20).state_dict()


def test_the_courses_own_file(voc, weights):
    torch.save({"model_sdict": weights, "epoch": 3}, "own.pt")
    words = "detect --checkpoint own.pt --size 64 --threshold 0.5"
    status, _ = voc(f"{words} --out dogs.json")
    found = load_detections("dogs.json")
    assert status == 0 and list(found.boxes) == ["1", "2", "3"]
    assert found.recipe["kind"] == "gradcam" and found.recipe["size"] == 64
    torch.save(weights, "plain.pt")
    plain = words.replace("own.pt", "plain.pt")
    assert "plain.pt: names no classes; give them in the order" in voc(plain)[0]
    assert "no class 'wolf'" in voc(f"{plain} --class-names wolf,person")[0]
    weights = {**weights, "fc.bias": weights["fc.bias"] * np.nan}
    torch.save({"model_sdict": weights}, "x.pt")
    end, _ = voc("eval --checkpoint x.pt")
    assert end == "wslib: x.pt: fc.bias holds numbers that are not finite"


def test_an_image_that_is_gone(voc, tmp_path, weights):
    torch.save({"model_sdict": weights}, "own.pt")
    (root(tmp_path) / "JPEGImages" / "2.jpg").unlink()
    words = "--checkpoint own.pt --threshold 0.5 --size 64"
    end, _ = voc(f"detect {words}")
    assert "JPEGImages: 1 of 3 images are missing (2)" in end and "\n" not in end
    saved(tmp_path / "dogs.json", FOUND)
    end, _ = voc("show dogs.json")
    assert end == 1 and (tmp_path / "build/voc/show.png").is_file()  # of the others
    (root(tmp_path) / "JPEGImages" / "2.jpg").write_bytes(b"\xff\xd8 half")
    end, _ = voc(f"detect {words}")
    assert "2.jpg: not a readable image" in end and "\n" not in end
