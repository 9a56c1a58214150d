"""`wslib caltech`: what people type, what they read, what is refused in one line."""

import json
import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from wslib import cli
from wslib.data import datasets
from wslib.data.caltech import LABELS, load_pixels, read_csv
from wslib.metrics.bootstrap import wilson
from wslib.models.checkpoints import read_checkpoint, save_checkpoint, save_classifier
from wslib.models.classifiers import build_classifier
from wslib.models.two_heads import about_detector, build_detector, load_detector
from wslib.practical import detector_training, predictions
from wslib.practical.detector_training import Predictions, predict

SMALL = "--input-size 64 --epochs 2 --batch-size 4 --split 0.5,0.25,0.25 --device cpu"
TRAIN = f"train --dataset caltech3 {SMALL} --seed 3"
COLOURS = ((220, 60, 40), (40, 160, 60), (50, 80, 220))  # one for each label


def type_line(words: str, capsys) -> tuple[int | str, str, str]:
    """Its status, or its last line; what was printed, and what was told beside it."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["wslib", "caltech", *words.split()])
        cli.main()
    return end.value.code, *capsys.readouterr()


def write_caltech(root, each=4):
    """Pictures 60 wide and 40 high: noise, with a coloured box right of the middle; the
    last airplane's box has no height."""
    generator = np.random.default_rng(0)
    (root / "annotations").mkdir(parents=True)
    for label, colour in zip(LABELS, COLOURS, strict=True):
        folder, lines = root / "images" / label, []
        folder.mkdir(parents=True)
        for k in range(1, each + 1):
            pixels = generator.integers(256, size=(40, 60, 3)).astype(np.uint8)
            x1, y1, x2, y2 = box = 20 + k, 5 + k, 50 + k, 30 + k
            pixels[y1:y2, x1:x2] = colour
            Image.fromarray(pixels).save(folder / f"image_{k:04}.png")
            flat = label == "airplane" and k == each
            box = (*box[:3], box[1]) if flat else box
            lines.append(",".join(map(str, (f"image_{k:04}.png", *box, label))))
        (root / "annotations" / f"{label}.csv").write_text("\n".join(lines))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with data, and what `train` left in `a` and, interrupted in its second
    epoch and typed again, in `b`; and how each of the three lines ended."""
    folder, ends = tmp_path_factory.mktemp("caltech"), []
    write_caltech(folder / "data" / "caltech3")
    validate, epochs = detector_training.validate, []

    def second_is_interrupted(*words):
        epochs.append(len(epochs) + 1)
        if epochs[-1] == 2:
            raise KeyboardInterrupt
        return validate(*words)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WSLIB_DATA", str(folder / "data"))
        for out, measure in (
            ("a", validate),
            ("b", second_is_interrupted),
            ("b", validate),
        ):
            patch.setattr(detector_training, "validate", measure)
            argv = ["wslib", "caltech", *TRAIN.split(), "--out", out]
            patch.setattr(sys, "argv", argv)
            with pytest.raises(SystemExit) as end:
                cli.main()
            history = pd.read_csv(folder / out / "history.csv")
            there = sorted(path.name for path in (folder / out).iterdir())
            ends.append((end.value.code, len(history), there))
    return folder, ends


@pytest.fixture
def caltech(trained, tmp_path, capsys, monkeypatch):
    """Type a line after `wslib caltech`, in a copy of that folder."""
    shutil.copytree(trained[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    return lambda words: type_line(words, capsys)


@pytest.mark.parametrize("command", ["train", "eval", "predict"])
def test_help_gives_an_example(caltech, command):
    status, printed, _ = caltech(f"{command} --help")
    assert status == 0 and f"Example: wslib caltech {command}" in printed


# --------------------------------------------------------------------------- train


def test_training_leaves_its_files(trained):
    folder, ends = trained
    files = ["best.pt", "curves.png", "history.csv", "last.pt", "split.json"]
    assert ends[0] == (0, 2, sorted([*files, "test.csv", "train.csv", "val.csv"]))
    sets = [read_csv(folder / "a" / f"{part}.csv") for part in ("train", "val", "test")]
    assert [len(pictures) for pictures in sets] == [6, 3, 3]
    paths = [path.resolve() for pictures in sets for path in pictures.paths]
    assert len(set(paths)) == 12
    assert [np.bincount(pictures.labels).tolist() for pictures in sets] == [
        [2, 2, 2],
        [1, 1, 1],
        [1, 1, 1],
    ]
    assert sum(pictures.has_box.sum() for pictures in sets) == 11
    with Image.open(folder / "a" / "curves.png") as image:
        assert image.width > 600


def test_training_goes_on_as_if_never_interrupted(trained):
    folder, ends = trained
    assert ends[1][:2] == (130, 1) and ends[2][:2] == (0, 2)
    assert "best.pt" in ends[1][2] and "curves.png" in ends[1][2]
    for name in ("best.pt", "last.pt"):
        one, other = (read_checkpoint(folder / out / name)["model"] for out in "ab")
        assert all(torch.equal(one[key], other[key]) for key in one)
    one, other = (pd.read_csv(folder / out / "history.csv") for out in "ab")
    pd.testing.assert_frame_equal(*(h.drop(columns="seconds") for h in (one, other)))


def test_training_again_tells_the_same_as_eval(caltech):
    """All is done already: what is printed is of val."""
    status, printed, told = caltech(f"{TRAIN} --out a")
    note = "airplane.csv, line 4: image_0004.png: the box 24, 9, 54, 9 has no height"
    assert status == 0 and note in told and "left out" in told
    first, *rest = printed.splitlines()
    assert first.startswith("a/best.pt: simple, epoch ") and "6 pictures" in first
    lines = caltech("eval a/best.pt a/val.csv")[1].splitlines()
    assert rest[0] == "*** validation set accuracy" and rest[1:] == lines[1:]


def test_before_the_first_epoch_ends_there_is_nothing_to_keep(caltech, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(detector_training, "validate", interrupted)
    status, _, told = caltech(f"{TRAIN} --out c")
    assert status == 130 and "wslib: interrupted; the same command goes on" in told


def test_a_share_of_the_training_set_and_the_other_options(caltech):
    words = f"{TRAIN} --share 0.4 --epochs 1 --box-loss l1 --augmentation crop"
    words += " --no-batch-norm --dropout 0 --bfloat16 --learning-rate 1e-4 --out c"
    assert caltech(words)[0] == 0
    assert len(read_csv("c/train.csv")) == 3  # one of each label
    assert len(read_csv("c/val.csv")) == 3
    detector, about = load_detector("c/best.pt")
    told = {"batch_norm": False, "dropout": 0.0, "input_size": 64, "num_classes": 3}
    assert about["options"] == told and about["bfloat16"] and detector.bfloat16
    assert (about["share"], about["box_loss"], about["views"]) == (0.4, "l1", "crop")
    assert about["dataset"] == "caltech3" and about["seed"] == 3


def test_frozen_features_without_a_download(caltech):
    words = f"{TRAIN} --network lite0 --frozen --no-pretrained --epochs 1 --out c"
    assert caltech(words)[0] == 0
    assert load_detector("c/best.pt")[1]["options"]["frozen"] is True


def test_the_rendered_set_says_so(caltech, monkeypatch, tmp_path):
    def drawn(dataset, count):
        assert (dataset, count) == ("rendered", 12)
        (tmp_path / "data" / "caltech3" / "RENDERED.json").write_text("{}")
        return read_csv(tmp_path / "all.csv")

    lines = [
        f"data/caltech3/images/{label}/{line}"
        for label in LABELS
        for line in open(f"data/caltech3/annotations/{label}.csv").read().split()
    ]
    (tmp_path / "all.csv").write_text("\n".join(lines))
    monkeypatch.setattr(datasets, "open_caltech", drawn)
    words = f"train {SMALL} --dataset rendered --count 12 --epochs 1 --out c"
    status, printed, _ = caltech(words)
    assert status == 0 and "*** validation set accuracy (rendered pictures)" in printed


# ---------------------------------------------------------------------------- eval


def recomputed(path, model="a/best.pt"):
    """Which labels are right, and the IoU of each box, one at a time."""
    pictures, (detector, _) = read_csv(path), load_detector(model)
    told = predict(detector, load_pixels(pictures, 64))
    ious = []
    for found, true in zip(told.boxes * 1.0, pictures.ratios, strict=True):
        corners = np.maximum(found[:2], true[:2]), np.minimum(found[2:], true[2:])
        shared = np.prod(np.clip(corners[1] - corners[0], 0, None))
        areas = [np.prod(box[2:] - box[:2]) for box in (found, true)]
        ious.append(shared / (sum(areas) - shared))
    return told.labels == pictures.labels, np.array(ious)


def test_eval_in_json_agrees_with_a_recomputation(caltech):
    status, printed, _ = caltech("eval a/best.pt --json")
    told = json.loads(printed)
    assert status == 0 and (told["network"], told["mirrored"]) == ("simple", False)
    names = [measured["name"] for measured in told["sets"]]
    assert names == ["train set", "validation set", "test set"]
    for part, measured in zip(("train", "val", "test"), told["sets"], strict=True):
        right, ious = recomputed(f"a/{part}.csv")
        assert measured["pictures"] == len(right)
        assert measured["boxes"] == np.isfinite(ious).sum()
        accuracy = measured["measures"]["accuracy"]
        known = wilson(int(right.sum()), len(right))
        assert list(accuracy.values()) == pytest.approx(list(known))
        assert measured["measures"]["iou"]["value"] == pytest.approx(np.nanmean(ious))
        good = np.mean(ious[np.isfinite(ious)] > 0.7)
        assert measured["measures"]["good"]["value"] == pytest.approx(good)
        assert measured["labels"][0]["right"] == right.sum()
        assert [row["label"] for row in measured["labels"]] == ["all", *LABELS]


def test_eval_prints_as_the_practical_does(caltech):
    status, printed, _ = caltech("eval a/best.pt")
    lines = printed.splitlines()
    assert status == 0 and lines[0] == "*** train set accuracy"
    right, ious = recomputed("a/train.csv")
    assert lines[1].startswith(f"Mean accuracy for all labels: {right.mean():.4f} [")
    assert lines[2].startswith("    Mean accuracy for label face: ")
    assert lines[3].endswith(f"{right[:2].sum()} over 2 samples")
    assert f"Mean box IoU: {np.nanmean(ious):.4f} [" in printed
    assert "*** validation set accuracy" in lines and "*** test set accuracy" in lines
    assert lines[-1].startswith("95 % intervals in brackets")


def test_eval_of_a_folder_of_last_pt_and_of_mirror_images(caltech):
    printed = caltech("eval a/last.pt data/caltech3 --json --mirrored")[1]
    [measured] = json.loads(printed)["sets"]
    assert measured["name"] == "data/caltech3" and measured["pictures"] == 12
    assert measured["boxes"] == 11
    detector, _ = load_detector("a/last.pt")
    last = read_checkpoint("a/last.pt")["model"]
    for key, value in detector.state_dict().items():
        assert torch.equal(value, last[key])
    lines = caltech("eval a/last.pt data/caltech3 --mirrored")[1].splitlines()
    assert lines[-1].endswith("; mean of picture and mirror image")


def test_eval_where_no_box_is_known(caltech, tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("data/caltech3/images/face/image_0001.png,,,,,face")
    status, printed, _ = caltech("eval a/best.pt plain.csv")
    assert status == 0 and "No true boxes are known" in printed
    [measured] = json.loads(caltech("eval a/best.pt plain.csv --json")[1])["sets"]
    assert measured["boxes"] == 0 and "iou" not in measured["measures"]
    assert measured["labels"][0]["iou"] is None


# ------------------------------------------------------------------------- predict


def test_predict_a_csv(caltech, tmp_path):
    status, printed, _ = caltech("predict a/best.pt a/train.csv --sheet --out new/out")
    assert status == 0
    told, pictures = pd.read_csv("new/out/predictions.csv"), read_csv("a/train.csv")
    assert told.columns.tolist() == [
        *("path", "label", "probability", "x1", "y1", "x2", "y2", "true_label", "iou")
    ]
    assert told["path"].tolist() == [str(path) for path in pictures.paths]
    detector, _ = load_detector("a/best.pt")
    answers = predict(detector, load_pixels(pictures, 64))
    boxes = answers.boxes * (60, 40, 60, 40)
    np.testing.assert_allclose(told[["x1", "y1", "x2", "y2"]], boxes, atol=0.006)
    assert told["label"].tolist() == [LABELS[k] for k in answers.labels]
    likely = torch.from_numpy(answers.logits).softmax(1).amax(1)
    np.testing.assert_allclose(told["probability"], likely, atol=1e-4)
    np.testing.assert_allclose(told["iou"], recomputed("a/train.csv")[1], atol=1e-4)
    for path in pictures.paths:
        copy = f"new/out/{path.parent.name}/{path.stem}.png"
        with Image.open(copy) as image:
            assert image.width > 700 and image.width > 1.2 * image.height
    assert printed.splitlines()[-1] == "6 of 6 pictures: new/out/predictions.csv"
    with Image.open("new/out/sheet.png") as image:
        assert image.width > 1000


def test_only_failures(caltech, monkeypatch):
    """Of three pictures of which the second has a wrong class, and the third a wrong
    box, two are shown; a box that is not known is not wrong."""
    seen = {}

    def say(detector, pixels, mirrored):
        return seen["told"]

    monkeypatch.setattr(predictions, "predict", say)
    pictures = read_csv("a/test.csv")  # face, motorcycle, airplane
    boxes, logits = pictures.ratios.copy(), 9 * np.eye(3, dtype=np.float32)
    boxes[~pictures.has_box] = 0.5
    boxes[0] = 0, 0, 0.1, 0.1
    logits[1] = 9, 0, 0
    seen["told"] = Predictions(logits, boxes)
    words = "predict a/best.pt a/test.csv --only-failures"
    status, printed, _ = caltech(words)
    assert status == 0 and "2 failures in 3 pictures" in printed
    lines = printed.splitlines()
    assert "face 1.00, IoU 0.00, box 0 0 6 4" in lines[0]
    assert "face 1.00, true: motorcycle, IoU 1.00" in lines[1]
    told = pd.read_csv("build/caltech/failures/predictions.csv")
    assert told["label"].tolist() == ["face", "face"]
    assert told["true_label"].tolist() == ["face", "motorcycle"]
    copies = list((pictures.paths[0].parents[4] / "build").rglob("image_*.png"))
    assert len(copies) == 2
    logits[1], boxes[0] = (0, 9, 0), pictures.ratios[0]
    status, printed, _ = caltech(f"{words} --sheet --out none")
    assert (status, printed) == (0, "0 failures in 3 pictures: none/predictions.csv\n")
    assert pd.read_csv("none/predictions.csv").empty


@pytest.fixture
def own(caltech, tmp_path):
    """A folder with pictures of several kinds, some of them no pictures."""
    folder = tmp_path / "own"
    (folder / "more").mkdir(parents=True)
    whole = Image.open(tmp_path / "data/caltech3/images/face/image_0001.png")
    whole.convert("L").save(folder / "grey.jpg")
    whole.convert("RGBA").save(folder / "more" / "clear.png")
    whole.resize((30, 300)).save(folder / "more" / "tall.bmp")
    whole.save(folder / "grey.png")
    (folder / "notes.txt").write_text("no picture, and not named as one")
    return folder


def test_predict_a_folder_and_single_pictures(caltech, own):
    status, printed, _ = caltech("predict a/best.pt own own/grey.jpg --sheet --out o")
    assert (
        status == 0 and printed.splitlines()[-1] == "4 of 4 pictures: o/predictions.csv"
    )
    told = pd.read_csv("o/predictions.csv")
    assert told.columns.tolist()[-1] == "y2"  # no truth is known
    names = ["own/grey.jpg", "own/grey.png", "own/more/clear.png", "own/more/tall.bmp"]
    assert told["path"].tolist() == names
    for name in ("grey.jpg.png", "grey.png.png", "more/clear.png", "more/tall.png"):
        with Image.open(f"o/{name}") as image:
            assert image.format == "PNG" and min(image.size) > 300
    same = told.set_index("path")[["x1", "y1", "x2", "y2"]]
    assert same.loc["own/grey.png"].equals(same.loc["own/more/clear.png"])
    assert (told["y2"] <= [40, 40, 40, 300]).all()
    assert caltech("predict a/best.pt own/grey.jpg --out single")[0] == 0
    assert pd.read_csv("single/predictions.csv")["path"].tolist() == ["own/grey.jpg"]


def test_what_was_written_is_not_looked_at(caltech, own):
    for _ in range(2):
        status, printed, _ = caltech("predict a/best.pt own --out own/found")
        assert status == 0 and "4 of 4 pictures" in printed


def test_files_that_are_no_pictures_are_named_and_the_others_go_on(caltech, own):
    data = (own / "grey.jpg").read_bytes()
    (own / "half.jpg").write_bytes(data[: len(data) // 2])
    (own / "words.png").write_text("no picture")
    status, printed, told = caltech("predict a/best.pt own own/notes.txt --out o")
    assert status == 1 and "4 of 7 pictures: o/predictions.csv" in printed
    for name in ("half.jpg", "words.png", "notes.txt"):
        assert f"wslib: own/{name}: not a readable image: " in told
    assert len(pd.read_csv("o/predictions.csv")) == 4
    status, printed, _ = caltech("predict a/best.pt own/notes.txt --out p")
    assert status == 1 and "0 of 1 pictures: p/predictions.csv" in printed
    assert pd.read_csv("p/predictions.csv").empty


def test_a_name_that_is_no_text_and_a_camera_that_was_turned(caltech, own):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(own / "grey.png").save(own / os.fsdecode(b"caf\xe9.jpg"), exif=exif)
    status, printed, _ = caltech("predict a/best.pt own --out o")
    assert status == 0 and printed.startswith("own/caf\\udce9.jpg: ")
    frame = pd.read_csv("o/predictions.csv").set_index("path")
    assert len(frame) == 5
    name = os.fsdecode(b"o/caf\xe9.png")
    with Image.open(name) as turned, Image.open("o/grey.png.png") as lying:
        assert turned.height > turned.width and lying.width > lying.height


def test_a_folder_with_annotations_has_its_truth(caltech):
    status, printed, told = caltech(
        "predict a/best.pt data/caltech3 --mirrored --out o"
    )
    assert status == 0 and "12 of 12 pictures" in printed and "has no height" in told
    frame = pd.read_csv("o/predictions.csv")
    assert frame["iou"].isna().tolist() == [False] * 11 + [True]
    assert frame["true_label"].tolist() == [label for label in LABELS for _ in range(4)]


# ----------------------------------------------------------------------- bad input


BAD = [
    ("train --network alex", "network 'alex', expected one of simple, deeper, vgg"),
    ("train --dataset coco", "data set 'coco', expected "),
    ("train --dataset caltech3 --split 0.8,0.2", "--split 0.8,0.2: expected three sh"),
    ("train --dataset caltech3 --split a,b,c", "--split a,b,c: expected three shares"),
    (f"{TRAIN} --split 0.5,0.4,0.4 --out c", "add up to 1.3, expected 1"),
    ("train --box-loss l3", "box loss 'l3', expected one of l1, mse, giou"),
    ("train --augmentation turn", "--augmentation turn, expected one of none, mirror"),
    ("train --frozen --augmentation crop", "crop with --frozen, expected one of none"),
    ("train --share 0", "--share 0.0, expected above 0 and up to 1"),
    ("train --frozen", "simple has no option 'frozen', expected some of"),
    ("train --network lite0 --no-batch-norm", "lite0 has no option 'batch_norm'"),
    ("train --input-size 100000", "input_size is 100000, expected 1 to 2048"),
    ("train --dataset rendered --count 99999999999", "expected 3 to 100000"),
    ("train --input-size 8", "is too small for SimpleDetector, expected 64 or more"),
    (
        "train --dataset caltech3 --count 600",
        "--count: no effect on --dataset caltech3",
    ),
    ("train --device gpu9", "device 'gpu9': not on this machine"),
    ("train --out a/val.csv", "a/val.csv/best.pt: below a file, expected below a fol"),
    (f"{TRAIN} --seed 4 --out a", "a/split.json: another split, with seed 3, not 4; c"),
    (f"{TRAIN} --split 0.4,0.3,0.3 --out a", "a/split.json: another split, with split"),
    (f"{TRAIN} --share 0.5 --out a", "another split, with share 1.0, not 0.5; choose"),
    (f"{TRAIN} --epochs 3 --out a", "a/last.pt: another run, with epochs 2, not 3"),
    (f"{TRAIN} --network deeper --out a", "a/last.pt: another run, with "),
    (f"{TRAIN} --out strange", "strange/val.csv: a split that no split.json tells of"),
    (f"{TRAIN} --out damaged", "damaged/split.json: damaged; choose another --out"),
    ("eval no.pt", "no.pt: no such checkpoint"),
    ("eval classifier.pt a/val.csv", "classifier.pt: no detector: its format is 'ws"),
    ("eval other.pt a/val.csv", "other.pt: no detector: its format is None"),
    ("eval dogs.pt a/val.csv", "val.csv, line 1: label 'face', expected dog, cat"),
    ("eval alone.pt", "alone.pt: no train.csv, val.csv or test.csv beside it"),
    ("eval a/best.pt no.csv", "no.csv: no such file"),
    ("eval a/best.pt empty.csv", "empty.csv: no rows, expected NAME,x1,y1,x2,y2,label"),
    ("eval a/best.pt bare", "bare: no boxes here; expected Annotations/*.xml"),
    ("predict classifier.pt a/val.csv", "classifier.pt: no detector: its format is"),
    ("predict a/best.pt no.jpg", "no.jpg: no such picture, folder or CSV"),
    ("predict a/best.pt bare", "bare: no pictures in this folder, nor below it"),
    ("predict a/best.pt wrong.csv", "wrong.csv, line 1: label 'cat', expected face"),
    ("predict a/best.pt data/caltech3/images/face --only-failures", "0001.png: no tru"),
    ("predict a/best.pt own.png --out .", "own.png: is one of the pictures, and is n"),
    ("predict a/best.pt own.png --out other.pt", "other.pt/predictions.csv: below a "),
]


@pytest.mark.parametrize("words, complaint", BAD, ids=[words for words, _ in BAD])
def test_mistakes_are_one_line(caltech, tmp_path, words, complaint):
    for name in ("bare", "strange", "damaged"):
        (tmp_path / name).mkdir()
    shutil.copy("a/val.csv", "strange/val.csv")
    (tmp_path / "damaged" / "split.json").write_text("[1")
    (tmp_path / "empty.csv").write_text("\n")
    (tmp_path / "wrong.csv").write_text("own.png,1,2,3,4,cat\n")
    Image.new("RGB", (8, 8)).save("own.png")
    save_checkpoint(tmp_path / "other.pt", torch.nn.Linear(2, 2))
    shutil.copy("a/best.pt", "alone.pt")
    if "dogs.pt" in words:
        detector = build_detector("simple", num_classes=2, input_size=64)
        save_checkpoint("dogs.pt", detector, **about_detector(detector, ["dog", "cat"]))
    if "classifier.pt" in words:
        classifier = build_classifier("efficientnet_lite0", 2, pretrained=False)
        save_classifier("classifier.pt", classifier, ["dog", "cat"])
    end, printed, _ = caltech(words)
    assert isinstance(end, str) and end.startswith("wslib: ") and complaint in end, end
    assert "\n" not in end and not printed


def test_a_misspelt_option_is_named(caltech):
    status, printed, told = caltech("train --epoch 3")
    assert status == 2 and not printed and "no such option --epoch;" in told
