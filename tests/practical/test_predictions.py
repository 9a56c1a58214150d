"""Class and box of files, beside the truth where it is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from wslib.data.caltech import LABELS
from wslib.models.two_heads import build_detector
from wslib.practical import predictions
from wslib.practical.detector_training import Predictions
from wslib.practical.predictions import (
    UNKNOWN,
    Prediction,
    check_known,
    gather_targets,
    predict_files,
    write_csv,
)

NAN = np.full(4, np.nan)


def prediction(**changes) -> Prediction:
    """A face of 0.9 in the left half of a picture, which is right."""
    fields = {"path": Path("a.png"), "image": None, "label": 0, "probability": 0.9}
    fields |= {"box": np.array([0.0, 0, 10, 20]), "true_label": 0, "iou": 0.875}
    fields |= {"true_box": np.array([0.0, 0, 12, 20]), "good": True}
    return Prediction(**{**fields, **changes})


def test_captions_say_what_is_known():
    assert prediction().captions == ["face 0.90", "IoU 0.88"]
    wrong = prediction(true_label=2, good=False)
    assert wrong.captions == ["face 0.90", "true: airplane, IoU 0.88"]
    unknown = prediction(true_label=UNKNOWN, true_box=NAN, iou=np.nan)
    assert unknown.captions == ["face 0.90"]
    assert str(unknown) == "a.png: face 0.90, box 0 0 10 20"


def test_boxes_are_drawn_by_kind():
    right, wrong = prediction(), prediction(good=False, true_box=NAN)
    assert list(right.drawn_boxes) == ["true", "found"]
    assert (
        list(wrong.drawn_boxes) == ["true", "wrong"] and not wrong.drawn_boxes["true"]
    )


def test_rows_have_the_truth_where_it_is_known(tmp_path):
    def written(*rows):
        write_csv(tmp_path / "p.csv", rows)
        return pd.read_csv(tmp_path / "p.csv")

    unknown = prediction(true_label=UNKNOWN, true_box=NAN, iou=np.nan)
    assert written(prediction()).columns.tolist()[-2:] == ["true_label", "iou"]
    assert written(unknown).columns.tolist()[-1] == "y2"
    both = written(prediction(), unknown)
    assert both["true_label"].fillna("-").tolist() == ["face", "-"]
    assert written().columns.tolist()[0] == "path"


def test_a_small_picture_has_small_boxes(tmp_path):
    Image.new("RGB", (200, 100)).save(tmp_path / "a.png")
    box = np.array([20.0, 10, 100, 50])
    small = prediction(path=tmp_path / "a.png", box=box, true_box=NAN).shrink(50)
    assert small.image.shape == (25, 50, 3) and small.box.tolist() == [5, 2.5, 25, 12.5]
    assert prediction(path=tmp_path / "a.png").shrink(900).image.shape == (100, 200, 3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A CSV with two pictures, one of them without a box; a third; a damaged one."""
    monkeypatch.chdir(tmp_path)
    Path("own").mkdir()
    for k, name in enumerate(("a", "b", "own/c")):
        Image.new("RGB", (60, 40), (k, 9, 9)).save(f"{name}.png")
    Path("own/bad.png").write_text("no picture")
    Path("some.csv").write_text("a.png,0,0,30,40,face\nb.png,,,,,airplane\n")
    return tmp_path


def test_targets_of_csvs_folders_and_files_each_once(folder):
    paths = [Path("some.csv"), Path("own"), Path("a.png")]
    targets = gather_targets(paths, Path("out"))
    names = [path.name for path in targets.files]
    assert names == ["a.png", "b.png", "bad.png", "c.png"]
    assert targets.labels.tolist() == [0, 2, UNKNOWN, UNKNOWN]
    assert targets.boxes[0].tolist() == [0, 0, 30, 40]
    assert np.isnan(targets.boxes[1:]).all()
    assert len(targets.notes) == 1 and "b.png: no box; left out" in targets.notes[0]
    with pytest.raises(ValueError, match=r"bad.png: no true label is known"):
        check_known(targets)
    check_known(targets.take([0, 1]))


def test_files_are_predicted_and_judged(folder, monkeypatch):
    """The first box is the left half, as it should be; the second class is wrong."""
    logits = np.log(np.array([[8, 1, 1], [8, 1, 1], [1, 8, 1]], np.float32) / 10)
    boxes = np.array([[0, 0, 0.5, 1], [0, 0, 1, 1], [0, 0, 1, 1]], np.float32)

    def say(detector, pixels, mirrored):
        assert pixels.shape == (3, 3, 64, 64) and pixels.dtype == torch.uint8
        assert mirrored
        return Predictions(logits, boxes)

    monkeypatch.setattr(predictions, "predict", say)
    targets = gather_targets([Path("some.csv"), Path("own")], Path("out"))
    detector = build_detector("simple", num_classes=len(LABELS), input_size=64)
    (a, b, c), complaints = predict_files(detector, targets, mirrored=True)
    assert complaints[0].startswith("own/bad.png: not a readable image")
    assert a.box.tolist() == [0, 0, 30, 40] and a.iou == 1 and a.good
    assert b.label == 0 and b.true_label == 2 and np.isnan(b.iou) and not b.good
    assert c.label == 1 and c.probability == pytest.approx(0.8) and c.good
    assert predict_files(detector, targets.take([2])) == ([], complaints)
