"""`wslib segment` and `wslib cam`: what is written, and what is refused in one line."""

from __future__ import annotations

import io
import json
import os
import shlex
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.boxes.explainer import Explainer, ImageExplanation
from wslib.cam import METHODS
from wslib.cli import segment
from wslib.data.images import read_image
from wslib.models.checkpoints import save_classifier
from wslib.models.classifiers import build_classifier
from wslib.models.sam_tiny import build_sam_tiny, save_sam_tiny
from wslib.prompting import named_pipelines
from wslib.show import figures

NAMES = ["circle", "Square", "star"]


@pytest.fixture
def wslib(type_words, tmp_path, monkeypatch):
    """Type a line in an empty folder; its status or last line, and what it printed.
    What it complained of is `wslib.told`."""
    monkeypatch.chdir(tmp_path)

    def run(words: str):
        code, printed, run.told = type_words(*shlex.split(words))
        return code, printed

    return run


def picture(path, shape=(40, 60, 3), seed=0, **how):
    """A picture of noise, 60 wide and 40 high."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)
    Image.fromarray(noise).save(path, **how)
    return path


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Disc:
    """A predictor whose best mask is a disc of 5 pixels round the mean of the points of
    the object, or the inside of the box; it remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.features = self.original_size = self.input_size = None

    def set_image(self, image):
        assert image.dtype == np.uint8 and image.shape[2] == 3
        self.original_size = self.input_size = image.shape[:2]

    def predict(self, point_coords, point_labels, box, mask_input, multimask_output):
        self.asked.append((point_coords, point_labels, box, mask_input))
        rows, columns = np.indices(self.original_size)
        if point_coords is None:
            x1, y1, x2, y2 = box
            best = (columns >= x1) & (columns <= x2) & (rows >= y1) & (rows <= y2)
        else:
            x, y = point_coords[point_labels == 1].mean(0)
            best = np.hypot(columns - x, rows - y) <= 5
        masks = np.stack([best & False, best, best | True])
        return masks, np.array([0.1, 0.75, 0.5]), np.zeros((3, 8, 8))


@pytest.fixture
def disc(monkeypatch):
    disc = Disc()
    monkeypatch.setattr(named_pipelines, "sam_predictor", lambda *_: disc)
    return disc


HOT = np.zeros((40, 60), np.float32)
HOT[9:20, 31:48] = 0.3
HOT[10:19, 32:47] = 1  # 15 wide, 9 high, round (39, 14)


@pytest.fixture
def hot(monkeypatch):
    """Every image is a star with a probability of 0.5, seen where HOT is."""
    star = ImageExplanation("star", 0.5, HOT)
    monkeypatch.setattr(Explainer, "explain", lambda *_: star)

    def every(self, images, _):
        return [dict.fromkeys(self.cams, star) for _ in images]

    monkeypatch.setattr(Explainer, "explain_batch", every)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An EfficientNet-Lite0 with random weights and the three classes of NAMES."""
    path = tmp_path_factory.mktemp("model") / "shapes.pt"
    classifier = build_classifier("efficientnet_lite0", 3, pretrained=False, seed=1)
    nn.init.normal_(classifier.head.weight, generator=torch.manual_seed(0))
    save_classifier(path, classifier, NAMES, size=64)
    return path


@pytest.mark.parametrize("command", ["segment", "cam"])
def test_help_gives_an_example(wslib, command):
    status, printed = wslib(f"{command} --help")
    assert status == 0 and f"Example: wslib {command}" in printed


# -------------------------------------------------------------------- what is written


def test_a_mask_an_overlay_and_the_points(wslib, tmp_path, model, disc, hot):
    picture(tmp_path / "a.png")
    status, printed = wslib(f"segment a.png --model {model} --out new/masks")
    assert status == 0 and names(tmp_path / "new/masks") == [
        "a_mask.png", "a_overlay.png", "a_points.json",
    ]  # fmt: skip
    rows, columns = np.indices((40, 60))
    inside = np.hypot(columns - 39, rows - 14) <= 5
    mask = Image.open("new/masks/a_mask.png")
    assert mask.mode == "L" and mask.size == (60, 40)
    np.testing.assert_array_equal(np.asarray(mask), 255 * inside)
    assert json.loads((tmp_path / "new/masks/a_points.json").read_text()) == {
        "image": "a.png",
        "size": [60, 40],
        "target": "star",
        "probability": 0.5,
        "points": [[39, 14]],
        "labels": [1],
        "box": [32, 10, 47, 19],
        "score": 0.75,
        "area": int(inside.sum()),
        "sam": "sam_tiny",
        "pipeline": "points+box",
        "threshold": 0.5,
    }
    overlay = read_image("new/masks/a_overlay.png")
    assert overlay.shape[1] > overlay.shape[0] > 200 and overlay.std() > 10
    share = f"{inside.mean():.1%} of the picture, score 0.75"
    assert printed == f"a.png: star 0.50, {share}: new/masks/a_mask.png\n"


@pytest.mark.parametrize(
    "pipeline, points, labels, box",
    [
        ("centre", [[30, 20]], [1], None),
        ("points", [[39, 14]], [1], None),
        ("points+background", [[39, 14]], [1, 0, 0, 0, 0], None),
        ("box", [], [], [32, 10, 47, 19]),
        ("points+box", [[39, 14]], [1], [32, 10, 47, 19]),
    ],
)
def test_pipelines(wslib, tmp_path, model, disc, hot, pipeline, points, labels, box):
    picture(tmp_path / "a.png")
    words = f"segment a.png --model {model} --pipeline {pipeline} --json"
    status, printed = wslib(words)
    assert status == 0
    (told,) = json.loads(printed)
    assert told["points"][: len(points)] == points and told["labels"] == labels
    assert told["box"] == box and told["pipeline"] == pipeline
    written = json.loads((tmp_path / "build/segment/a_points.json").read_text())
    assert written == told and [asked[3] for asked in disc.asked] == [None]


def test_a_pipeline_that_asks_again(wslib, tmp_path, model, disc, hot):
    picture(tmp_path / "a.png")
    words = f"segment a.png --model {model} --pipeline points+mask --json"
    assert json.loads(wslib(words)[1])[0]["pipeline"] == "points+mask"
    (*first, nothing), (*second, mask) = disc.asked
    assert nothing is None and mask.shape == (1, 8, 8)
    np.testing.assert_array_equal(first[0], second[0])


def test_a_threshold_widens_the_box(wslib, tmp_path, model, disc, hot):
    picture(tmp_path / "a.png")
    words = f"segment a.png --model {model} --threshold 0.3 --json"
    assert json.loads(wslib(words)[1])[0]["box"] == [31, 9, 48, 20]
    end, _ = wslib(f"segment a.png --model {model} --threshold 2")
    assert end == "wslib: threshold 2.0: expected above 0, at most 1"


def test_a_map_of_zeros_gives_an_empty_mask(wslib, tmp_path, model, disc, monkeypatch):
    nothing = ImageExplanation("star", 0.1, np.zeros((40, 60), np.float32))
    monkeypatch.setattr(Explainer, "explain", lambda *_: nothing)
    picture(tmp_path / "a.png")
    status, printed = wslib(f"segment a.png --model {model}")
    assert status == 0 and "nothing speaks for it, the mask is empty" in printed
    assert not read_image("build/segment/a_mask.png").any() and not disc.asked
    told = json.loads((tmp_path / "build/segment/a_points.json").read_text())
    assert told["points"] == [] and told["box"] is None and told["score"] == 0


def test_what_is_there_is_replaced_and_nothing_else_is_left(
    wslib, tmp_path, model, disc, hot
):
    picture(tmp_path / "a.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_mask.png").write_text("old")
    for _ in range(2):
        assert wslib(f"segment a.png --model {model} --out out")[0] == 0
        assert read_image("out/a_mask.png").any()
    assert len(names(tmp_path / "out")) == 3


def test_with_the_real_sam_tiny(wslib, tmp_path, model):
    """Its architecture; what its weights give is said in its card."""
    picture(tmp_path / "a.png")
    save_sam_tiny(tmp_path / "tiny.pt", build_sam_tiny(seed=1))
    words = f"segment a.png --target star --model {model} --sam-checkpoint tiny.pt"
    status, printed = wslib(words)
    assert status == 0 and printed.startswith("a.png: star ")
    assert read_image("build/segment/a_mask.png").shape == (40, 60, 3)


# ---------------------------------------------------------------------------- pictures


def test_grey_and_transparent_pictures_and_a_palette(wslib, tmp_path, model, disc, hot):
    picture(tmp_path / "grey.png", (40, 60))
    picture(tmp_path / "clear.png", (40, 60, 4))
    Image.new("P", (60, 40), 3).save(tmp_path / "few.gif")
    Image.new("I;16", (60, 40), 30000).save(tmp_path / "deep.png")
    words = "segment grey.png clear.png few.gif deep.png --out o"
    assert wslib(f"{words} --model {model}")[0] == 0
    assert len(names(tmp_path / "o")) == 12


def test_a_folder_stands_for_the_images_right_in_it(wslib, tmp_path, model, disc, hot):
    picture(tmp_path / "in" / "b.JPG", format="JPEG")
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "deeper" / "c.png")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    status, printed = wslib(f"segment in in/a.png --model {model} --json")
    told = [each["image"] for each in json.loads(printed)]
    assert status == 0 and told == ["in/a.png", "in/b.JPG"]


def refused(wslib, words) -> str:
    end, _ = wslib(words)
    assert end.startswith("wslib: ") and "\n" not in end
    return end.removeprefix("wslib: ")


def test_images_that_are_not_there(wslib, tmp_path):
    (tmp_path / "empty").mkdir()
    assert refused(wslib, "segment none.jpg") == "none.jpg: no such image"
    assert refused(wslib, "cam empty") == "empty: no images in this folder"


@pytest.mark.parametrize("command", ["segment", "cam"])
def test_a_bad_picture_does_not_cost_the_others(
    wslib, tmp_path, model, disc, hot, command
):
    """A folder from a Mac, with a picture that was cut off and one that is a line."""
    whole = picture(tmp_path / "in" / "a.png").read_bytes()
    (tmp_path / "in" / "._a.png").write_bytes(b"\0\5\x16\7")
    (tmp_path / "in" / "b.png").write_bytes(whole[: len(whole) // 2])
    os.mkfifo(tmp_path / "in" / "c.jpg")
    picture(tmp_path / "in" / "d.png", seed=1)
    status, printed = wslib(f"{command} in --model {model} --out o --json")
    assert status == 1
    assert [row["image"] for row in json.loads(printed)] == ["in/a.png", "in/d.png"]
    assert {name[0] for name in names(tmp_path / "o")} == {"a", "d"}
    first, second, third = wslib.told.splitlines()
    assert first.startswith("wslib: in/._a.png: not a readable image: expected JPEG")
    assert second.startswith("wslib: in/b.png: not a readable image:")
    assert third == "wslib: in/c.jpg: no file, expected an image"


def test_a_slender_picture_is_named(wslib, tmp_path, model, disc):
    picture(tmp_path / "thin.png", (2, 300, 3))
    picture(tmp_path / "wide.png", (2, 200, 3))
    status, printed = wslib(f"segment thin.png wide.png --model {model} --json")
    assert status == 1, status
    assert json.loads(printed)[0]["size"] == [200, 2]
    text = "image of 300 x 2 pixels: expected sides of up to 100 to 1"
    assert wslib.told == f"wslib: thin.png: {text}\n"


@pytest.mark.parametrize("shape", [(2, 3000, 3), (3000, 2, 3), (1, 1, 3)])
def test_a_map_of_a_picture_of_any_shape(wslib, tmp_path, model, shape):
    picture(tmp_path / "a.png", shape)
    assert wslib(f"cam a.png --model {model} --npy --size 32")[0] == 0
    assert np.load("build/cam/a_cam.npy").shape == shape[:2]
    height, width, _ = read_image("build/cam/a_cam.png").shape
    assert 20 < width < 900 and 20 < height < 900


def test_a_name_that_is_no_text(wslib, tmp_path, model, hot):
    name = os.fsdecode(b"in/caf\xe9 $a$ 1$.png")
    picture(tmp_path / name)
    status, printed = wslib(f"cam in --model {model} --json")
    assert status == 0 and json.loads(printed)[0]["image"] == name
    assert wslib(f"cam in --model {model}")[0] == 0
    assert os.listdir(b"build/cam") == [b"caf\xe9 $a$ 1$_cam.png"]


def test_no_image_is_written_over_and_no_result_twice(wslib, tmp_path):
    picture(tmp_path / "a.png")
    picture(tmp_path / "a_mask.png")
    picture(tmp_path / "other" / "a.jpg")
    told = refused(wslib, "segment a.png a_mask.png --out .")
    text = "is one of the images, and is not replaced; choose another --out"
    assert told == f"a_mask.png: {text}"
    told = refused(wslib, "cam a.png other/a.jpg --out o")
    assert told == "o/a_cam.png: would be of both a.png and other/a.jpg"
    (tmp_path / "o" / "a_cam.png").mkdir(parents=True)
    told = refused(wslib, "cam a.png --out o")
    assert told == "o/a_cam.png: no file, expected the name of one to write"
    told = refused(wslib, "cam a.png --out a.png")
    assert told == "a.png/a_cam.png: below a file, expected below a folder"


def test_a_note_to_turn_the_picture_is_obeyed(wslib, tmp_path, model, disc):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(tmp_path / "a.jpg", exif=exif)
    status, printed = wslib(f"segment a.jpg --model {model} --json")
    assert status == 0 and json.loads(printed)[0]["size"] == [40, 60]
    assert read_image("build/segment/a_mask.png").shape == (60, 40, 3)


def test_low_scores_of_sam_tiny_say_what_it_learnt_from(
    wslib, tmp_path, model, disc, hot, monkeypatch
):
    picture(tmp_path / "a.jpg")
    for low, times in ((0.5, 0), (0.9, 1)):
        monkeypatch.setattr(segment, "LOW", low)
        told = io.StringIO()
        monkeypatch.setattr(sys, "stderr", told)
        assert wslib(f"segment a.jpg --model {model}")[0] == 0
        assert told.getvalue().count("sam_tiny learnt from drawn pictures") == times
    assert "`wslib sam fetch vit_b`, then the same command with --sam vit_b" in (
        told.getvalue()
    )


# ---------------------------------------------------------------------- the classifier


def test_mistakes_are_one_line_before_anything_is_written(wslib, tmp_path, model):
    picture(tmp_path / "a.png")
    (tmp_path / "text.pt").write_text("no checkpoint")
    words = f"segment a.png --model {model} "
    cases = {
        "--target moon": "no class 'moon' among 3; expected one of circle, Square, ",
        "--pipeline dots": "pipeline 'dots', expected one of centre, points, ",
        "--pipeline +mask": "pipeline '+mask', expected one of centre, points, ",
        "--method cams": "method 'cams', expected one of gradcam, layercam, ",
        "--layer stage9": f"{model}: no layer 'stage9'; it has stem, stage1, ",
        "--threshold nan": "threshold nan: expected above 0, at most 1",
        "--size 0": "size is 0, expected 32 to 2048 pixels",
        "--size 1000000": "size is 1000000, expected 32 to 2048 pixels",
        "--size 8": "size is 8, expected 32 to 2048 pixels",
        "--sam vit_x": "unknown SAM 'vit_x', expected one of sam_tiny, vit_b, ",
        "--sam-checkpoint no.pt": "no.pt: no such checkpoint",
        "--sam-checkpoint text.pt": "text.pt: not a checkpoint, or damaged",
        "--sam vit_b --sam-checkpoint " + str(model): f"{model}: not the weights of a",
        "--device abacus": "device 'abacus': not on this machine",
        "--model text.pt": "text.pt: not a checkpoint, or damaged",
    }
    for options, complaint in cases.items():
        assert refused(wslib, words + options).startswith(complaint), options
    assert not any(tmp_path.glob("build/segment/*"))
    end = refused(wslib, f"cam a.png --model {model} --method cam --layer stage5")
    assert end.startswith("CAM needs logits = head(mean of A)")


# --------------------------------------------------------------------------------- cam


def test_cam_draws_the_map_and_writes_its_numbers(wslib, tmp_path, model, hot):
    picture(tmp_path / "a.png")
    status, printed = wslib(f"cam a.png --model {model}")
    assert status == 0 and names(tmp_path / "build/cam") == ["a_cam.png"]
    where = "highest at (32, 10): build/cam/a_cam.png"
    assert printed == f"a.png: star 0.50, {where}\n"
    assert read_image("build/cam/a_cam.png").std() > 10
    words = f"cam a.png --model {model} --npy --json --method layercam --out o"
    (told,) = json.loads(wslib(words)[1])
    assert told == {
        "image": "a.png",
        "target": "star",
        "method": "layercam",
        "probability": 0.5,
        "peak": [32, 10],
    }
    found = np.load("o/a_cam.npy", allow_pickle=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, HOT)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "cam"])
def test_cam_by_every_method(wslib, tmp_path, model, method):
    picture(tmp_path / "a.png")
    words = f"cam a.png --target SQUARE --model {model} --npy --out o --size 64"
    assert wslib(f"{words} --method {method} --layer stage5")[0] == 0
    heatmap = np.load("o/a_cam.npy")
    assert heatmap.shape == (40, 60) and 0 <= heatmap.min() < heatmap.max() <= 1


def test_all_methods_side_by_side(wslib, tmp_path, model, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        figures, "heatmap_overlay", lambda axis, _, m, title: drawn.append((title, m))
    )
    picture(tmp_path / "a.png")
    words = f"cam a.png --model {model} --size 64 --method layercam --npy --compare"
    status, printed = wslib(words)
    assert status == 0 and printed.endswith("build/cam/a_compare.png\n")
    assert names(tmp_path / "build/cam") == ["a_cam.npy", "a_cam.png", "a_compare.png"]
    maps = dict(drawn[1:])
    assert list(maps) == list(METHODS)
    np.testing.assert_allclose(maps["layercam"], np.load("build/cam/a_cam.npy"))
    assert wslib(f"{words} --layer stage5")[0] == 0
    assert "cam" not in dict(drawn[-10:]) and "gradcam" in dict(drawn[-10:])


def test_a_folder_is_explained_in_batches_with_progress(
    wslib, tmp_path, model, monkeypatch
):
    for k in range(5):
        picture(tmp_path / "in" / f"{k}.png", (40 + k, 60, 3), seed=k)
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    words = f"cam in --model {model} --size 64 --npy --json"
    status, printed = wslib(f"{words} --batch-size 2 --out some")
    assert status == 0 and "maps: " in told.getvalue() and "/3 [" in told.getvalue()
    single = wslib(f"{words} --batch-size 1 --out one")[1]
    rows, alone = json.loads(printed), json.loads(single)
    assert [row["image"] for row in rows] == [f"in/{k}.png" for k in range(5)]
    for k, (row, other) in enumerate(zip(rows, alone, strict=True)):
        assert row["target"] == other["target"]
        some, one = (np.load(f"{folder}/{k}_cam.npy") for folder in ("some", "one"))
        assert some.shape == (40 + k, 60)
        np.testing.assert_allclose(some, one, atol=1e-3)
    assert wslib(f"{words} --batch-size 0")[0] == 2


def test_the_bar_moves_with_each_picture_that_is_compared(
    wslib, tmp_path, model, monkeypatch
):
    for k in range(3):
        picture(tmp_path / "in" / f"{k}.png", seed=k)
    monkeypatch.setattr(sys, "stderr", told := io.StringIO())
    words = f"cam in --model {model} --size 64 --compare"
    assert wslib(words)[0] == 0 and "/3 [" in told.getvalue()


def test_lines_stand_above_the_bar(wslib, tmp_path, model, monkeypatch):
    picture(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_text("no picture")
    both = io.StringIO()  # as in a terminal
    monkeypatch.setattr(sys, "stderr", both)
    monkeypatch.setattr(sys, "stdout", both)
    wslib(f"cam in --model {model} --size 64 --batch-size 1")
    lines = [line.split("\r")[-1] for line in both.getvalue().split("\n")]
    assert [line.split(":")[0] for line in lines[:2]] == ["in/a.png", "wslib"]


def test_ctrl_c(wslib, tmp_path, model, disc, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Explainer, "explain", interrupted)
    picture(tmp_path / "a.png")
    assert wslib(f"segment a.png --model {model}")[0] == 130
    assert names(tmp_path / "build/segment") == []
