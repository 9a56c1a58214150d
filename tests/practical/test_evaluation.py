"""Sets of pictures: which are measured, and what is said of them."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from wslib.data.caltech import LABELS, read_csv
from wslib.data.rendered.own import draw_folder
from wslib.metrics.single_box import measure_boxes
from wslib.models.checkpoints import save_checkpoint
from wslib.models.two_heads import about_detector, build_detector
from wslib.practical.detector_training import predict
from wslib.practical.evaluation import (
    MeasuredSet,
    measure_set,
    open_detector,
    open_sets,
)
from wslib.practical.views import Examples

BOXES = np.array([[0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 0.6, 0.6], [0.0, 0.0, 1.0, 1.0]])


def measured(true_boxes=BOXES) -> MeasuredSet:
    """Of a face, a motorcycle and an airplane, the last is taken for a face; the box of
    the second covers 0.36 / 0.52 of both."""
    boxes = BOXES.copy()
    boxes[1] = 0.2, 0.2, 0.6, 0.6
    boxes[0] = 0.1, 0.1, 0.5, 0.3
    frame = measure_boxes(np.array([0, 1, 0]), boxes, np.arange(3), true_boxes)
    return MeasuredSet("a set", frame, rendered=False)


def test_as_the_practical_prints_it():
    lines = str(measured()).splitlines()
    assert lines[0] == "*** a set accuracy"
    assert lines[1].startswith("Mean accuracy for all labels: 0.6667 [")
    assert lines[2].startswith("    Mean accuracy for label face: 1.0000 [")
    assert lines[3] == "             1 over 1 samples"
    assert lines[7] == "             0 over 1 samples"
    assert lines[8].startswith("Mean box IoU: 0.8333 [")
    assert lines[9] == "    Mean box IoU for label face: 0.5000"
    assert lines[-2].startswith("IoU above 0.7: 0.6667 [")
    assert lines[-1] == "             2 over 3 boxes"
    drawn = MeasuredSet("a set", measured().frame, rendered=True)
    assert str(drawn).startswith("*** a set accuracy (rendered pictures)\n")


def test_for_programs():
    record = measured().record
    assert (record["name"], record["pictures"], record["boxes"]) == ("a set", 3, 3)
    assert record["measures"]["iou"]["value"] == pytest.approx(2.5 / 3)
    assert [row["label"] for row in record["labels"]] == ["all", *LABELS]


def test_where_no_box_is_known():
    unknown = measured(np.full((3, 4), np.nan))
    assert set(unknown.measures) == {"accuracy"} and unknown.record["boxes"] == 0
    assert str(unknown).endswith("\nNo true boxes are known")


def save(path, detector, classes):
    save_checkpoint(path, detector, **about_detector(detector, classes))


@pytest.fixture
def folder(tmp_path):
    """A detector with random weights, and beside it val.csv of 70 small pictures."""
    generator, lines = np.random.default_rng(0), []
    for k in range(70):
        noise = generator.integers(256, size=(20, 30, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{k}.png")
        lines.append(f"{k}.png,1,2,20,15,{LABELS[k % 3]}")
    (tmp_path / "val.csv").write_text("\n".join(lines))
    save(tmp_path / "best.pt", build_detector("simple", input_size=64), LABELS)
    return tmp_path


def test_sets_lie_beside_the_model_or_are_named(folder):
    model = folder / "best.pt"
    assert list(open_sets(model, [])) == ["validation set"]
    named = open_sets(model, [folder / "val.csv"])
    assert list(named) == [str(folder / "val.csv")]
    assert len(named[str(folder / "val.csv")]) == 70
    (folder / "val.csv").unlink()
    with pytest.raises(ValueError, match="best.pt: no train.csv, val.csv or test.csv"):
        open_sets(model, [])


def test_decoded_pictures_and_files_are_measured_alike(folder):
    detector, about = open_detector(folder / "best.pt", "cpu")
    assert about["network"] == "simple"
    pictures = read_csv(folder / "val.csv")
    examples = Examples.read(pictures, 64)
    whole = predict(detector, examples.pixels, mirrored=True)
    one = measure_set(detector, pictures, "val", mirrored=True)
    other = measure_set(detector, pictures, "val", examples, mirrored=True)
    pd.testing.assert_frame_equal(one.frame, other.frame)
    assert one.frame["said"].tolist() == whole.labels.tolist()


def test_pictures_of_other_classes_are_refused(folder, tmp_path):
    detector = build_detector("simple", num_classes=2, input_size=64)
    save(folder / "dogs.pt", detector, ["dog", "cat"])
    _, about = open_detector(folder / "dogs.pt", "cpu")
    assert about["classes"] == ["dog", "cat"]
    with pytest.raises(ValueError, match="val.csv, line 1: label 'face', expected dog"):
        open_sets(folder / "dogs.pt", [folder / "val.csv"], about["classes"])
    own = draw_folder(tmp_path / "own", "CSV", count=4)
    with pytest.raises(ValueError, match="own: pictures of 'ball', expected dog, cat"):
        open_sets(folder / "dogs.pt", [own], about["classes"])
    known = open_sets(folder / "dogs.pt", [own], ["tree", "dog", "ball"])[str(own)]
    assert known.labels.tolist() == [2, 0, 2, 0]
    assert known.classes == ("tree", "dog", "ball")
