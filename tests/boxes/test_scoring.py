"""Detections beside the truth, by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from wslib.boxes import scoring
from wslib.boxes.detections import Detections
from wslib.data.voc import CLASSES

DOG = np.array([[23, 23, 77, 77, 0.0]])  # VOC corners, not difficult
NONE = np.zeros((0, 5))
TRUTH = {"1": NONE, "2": DOG}


class Hundred:
    """A data set whose images are all of 100 x 100 pixels."""

    def annotation(self, image_id):
        return SimpleNamespace(width=100, height=100)


def detections(boxes, **other):
    fields = {"recipe": {}, "model": "0123456789ab", "dataset": "voc2007"}
    return Detections("dog", boxes, **{**fields, "split": "val", **other})


def test_central_boxes_by_hand():
    images = SimpleNamespace(voc=Hundred())
    found = scoring.centre_detections(images, TRUTH, np.array([0.25, 0.5]))
    assert {name: list(boxes) for name, boxes in found.items()} == {
        "A": ["1", "2"],
        "B": ["2"],
        "C": ["1", "2"],
    }
    low, high = 50 - 50 * 0.3**0.5, 50 + 50 * 0.3**0.5
    np.testing.assert_allclose(found["A"]["1"], [[low, low, high, high, 1]])
    np.testing.assert_allclose(found["C"]["2"], [[low, low, high, high, 0.5]])
    assert list(scoring.centre_detections(images, TRUTH)) == ["A", "B"]


def test_detectors_beside_each_other():
    """All of A has the same score: one wrong, one right, in list order."""
    boxes = scoring.centre_detections(SimpleNamespace(voc=Hundred()), TRUTH)
    frame = scoring.compare_detectors(boxes, TRUTH, [0.3, 0.9], "course")
    assert frame.to_dict("list") == {
        "detector": ["A", "B"],
        **{"AP 0.3": [50, 100], "AP 0.9": [50, 100]},
        **{"recall 0.3": [100, 100], "recall 0.9": [100, 100]},
    }
    assert frame.attrs["protocol"].startswith("course")
    with pytest.raises(ValueError, match="--iou given 4 times: a row has room for 3"):
        scoring.compare_detectors(boxes, TRUTH, [0.1, 0.2, 0.3, 0.4], "course")


def test_measures_with_corloc_below_and_a_row_for_each_iou():
    boxes = {"1": np.array([[1, 1, 50, 50, 0.9]]), "2": np.array([[23, 23, 77, 77, 1]])}
    frame = scoring.measure_detections(boxes, TRUTH, [0.3, 0.5], "voc07", draws=9)
    assert frame["metric"].tolist()[-2:] == ["corloc", "corloc"]
    assert set(frame["value"]) == {100}
    wide = scoring.arrange_by_iou(frame)
    assert wide["IoU"].tolist() == ["0.3", "0.5"]
    assert wide["AP"].tolist() == wide["recall"].tolist() == [100, 100]
    assert wide["CorLoc"].tolist() == [100, 100] and "CorLoc low" in wide
    assert wide.attrs == frame.attrs


def test_bounds_stay_beside_their_number():
    values = {"ap": 5, "recall": 6, "corloc": 7}
    rows = [(name, 0.5, v, v - 1, v + 2) for name, v in values.items()]
    frame = pd.DataFrame(rows, columns=["metric", "iou", "value", "low", "high"])
    (row,) = scoring.arrange_by_iou(frame).to_dict("records")
    assert (row["recall low"], row["recall"], row["recall high"]) == (5, 6, 8)
    assert (row["CorLoc low"], row["CorLoc"], row["CorLoc high"]) == (6, 7, 9)


def test_boxes_are_judged_by_an_iou_above_a_half():
    """The first covers the object, the second exactly one half of it, as VOC counts."""
    boxes = np.array([[1, 1, 10, 10, 0.9], [1, 1, 10, 5, 0.8], [50, 50, 60, 60, 0.7]])
    judged = scoring.judge_boxes(boxes, np.array([[1, 1, 10, 10, 0]]))
    assert judged["true"][:, :4].tolist() == [[0, 0, 10, 10]]
    assert judged["found"].tolist() == [[0, 0, 10, 10, 0.9]]
    assert judged["wrong"].tolist() == [[0, 0, 10, 5, 0.8], [49, 49, 60, 60, 0.7]]
    unknown = scoring.judge_boxes(boxes, None)
    assert len(unknown["found"]) == 3 and not len(unknown["true"])
    assert len(scoring.judge_boxes(boxes, NONE)["wrong"]) == 3


def test_images_are_drawn_from_a_seed_or_named():
    some = detections({str(k): NONE for k in range(9)})
    drawn = scoring.choose_images("a.json", some, 4, 1, [])
    assert len(set(drawn)) == 4 and set(drawn) < set(some.boxes)
    assert drawn == scoring.choose_images("a.json", some, 4, 1, [])
    assert drawn != scoring.choose_images("a.json", some, 4, 2, [])
    assert scoring.choose_images("a.json", some, 4, 1, ["7", "3", "7"]) == ["7", "3"]
    with pytest.raises(ValueError, match="a.json: no image '12' in it"):
        scoring.choose_images("a.json", some, 4, 1, ["12"])


def test_files_of_no_data_set_have_no_truth():
    with pytest.raises(ValueError, match="a.json: found in files of no data set"):
        scoring.open_images("a.json", detections({}, dataset="files"))
    counts = detections({}, dataset="rendered", recipe={"rendered": {"n_train": "x"}})
    with pytest.raises(ValueError, match="a.json: n_train is x, expected 1 to"):
        scoring.open_images("a.json", counts)


def test_classification_by_hand():
    """Two images of dogs, ranked first and third; classes that are absent are left."""
    labels = np.zeros((4, 20), np.int8)
    dog = CLASSES.index("dog")
    labels[[0, 2], dog] = 1
    probabilities = np.zeros((4, 20))
    probabilities[:, dog] = 0.9, 0.8, 0.7, 0.6
    mean, frame = scoring.measure_classes(probabilities, SimpleNamespace(labels=labels))
    assert frame["class"].tolist() == ["dog"] and frame["images"].tolist() == [2]
    assert mean == frame["AP"].item() == pytest.approx(100 * (1 + 2 / 3) / 2)


def test_boxes_are_counted():
    assert scoring.count_boxes({"a": DOG, "b": NONE, "c": np.zeros((2, 5))}) == 3
