"""AP and recall: known answers, and the published baseline on the real dogs."""

import os
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from wslib.boxes.boxes import centre_box
from wslib.metrics.detection import PROTOCOLS, Protocol, evaluate, precision_recall

EMPTY = np.zeros((0, 5))


def ap(detections, ground_truth, threshold=0.5, protocol="voc10") -> float:
    frame = evaluate(detections, ground_truth, [threshold], protocol)
    return frame.loc["ap", threshold]


@pytest.mark.parametrize(("protocol", "found"), [("course", 0), ("voc10", 100)])
def test_iou_on_the_threshold(protocol, found):
    truth = {"a": [[1, 1, 10, 10]]}
    half = {"a": [[1, 1, 10, 5, 1.0]]}
    third = {"a": [[1, 1, 10, 3, 1.0]]}
    assert ap(half, truth, 0.5, protocol) == found
    assert ap(third, truth, 0.3, protocol) == found
    assert ap(third, truth, 0.299, protocol) == 100


def test_difficult_objects():
    truth = {"a": [[1, 1, 10, 10, 0], [50, 50, 60, 60, 1]]}
    found = {"a": [[50, 50, 60, 60, 0.9], [50, 50, 60, 61, 0.8], [1, 1, 10, 10, 0.7]]}
    ignore = evaluate(found, truth, [0.5], "voc10")[0.5]
    assert ignore.tolist() == [100, 100]  # neither right, wrong nor missed
    count = evaluate(found, truth, [0.5], "course")[0.5]
    assert count["recall"] == 100
    assert count["ap"] == pytest.approx(100 * (0.5 + 0.5 * 2 / 3))  # one is double


def test_ties_in_list_order_or_at_once():
    truth = {"a": [[1, 1, 10, 10]]}
    right, wrong = [[1, 1, 10, 10, 0.5]], [[20, 20, 30, 30, 0.5]]
    first, last = {"a": right, "b": wrong}, {"b": wrong, "a": right}
    assert ap(first, truth, 0.5, "course") == 100
    assert ap(last, truth, 0.5, "course") == 50
    assert ap(first, truth) == ap(last, truth) == 50
    one = {"a": [*wrong, *right]}
    assert ap(one, truth, 0.5, "course") == 50


def test_of_objects_that_overlap_alike_the_one_that_counts_is_taken():
    twice = {"a": [[1, 1, 4, 4, 1], [1, 1, 4, 4, 0]]}
    found = {"a": [[1, 1, 4, 4, 0.5]]}
    assert ap(found, twice, protocol="voc10") == 100
    listed = Protocol("listed", ties="list order")  # the devkit: the first one
    assert ap(found, twice, protocol=listed) == 0


def test_nothing_found_and_nothing_to_find():
    truth = {"a": [[1, 1, 10, 10]]}
    found = {"a": [[1, 1, 10, 10, 0.5]]}
    for protocol in PROTOCOLS:
        for none in ({}, {"a": EMPTY}, {"a": []}, {"b": np.zeros(0)}):
            assert (evaluate(none, truth, protocol=protocol) == 0).all(axis=None)
            assert evaluate(found, none, protocol=protocol).isna().all(axis=None)
            assert evaluate(none, none, protocol=protocol).isna().all(axis=None)
    hard = {"a": [[1, 1, 10, 10, 1]]}
    assert evaluate(found, hard, protocol="voc07").isna().all(axis=None)
    assert (evaluate(found, hard, protocol="course") == 100).all(axis=None)


def test_frame_and_protocol_in_words():
    frame = evaluate({}, {"a": [[1, 1, 2, 2]]}, (0.25, 0.5), "voc07")
    assert frame.index.tolist() == ["ap", "recall"]
    assert frame.columns.tolist() == [0.25, 0.5]
    assert frame.attrs["protocol"] == (
        "voc07: 11-point AP, IoU ≥ threshold, difficult objects ignored, +1 pixel, "
        "equal scores counted at once"
    )
    assert str(PROTOCOLS["course"]) == (
        "course: all-point AP, IoU > threshold, difficult objects counted, +1 pixel, "
        "equal scores in list order"
    )


def test_precision_recall_is_the_curve_behind_the_number():
    truth = {"a": [[1, 1, 10, 10]], "b": [[1, 1, 10, 10]]}
    found = {
        "a": [[1, 1, 10, 10, 0.9], [30, 30, 40, 40, 0.8]],
        "b": [[1, 1, 10, 10, 0.1]],
    }
    frame = precision_recall(found, truth, 0.5)
    assert frame["score"].tolist() == [0.9, 0.8, 0.1]
    assert frame["recall"].tolist() == [0.5, 0.5, 1.0]
    np.testing.assert_allclose(frame["precision"], [1, 1 / 2, 2 / 3])
    assert frame.attrs["protocol"].startswith("course")


def test_five_thousand_images_take_no_time():
    random = np.random.default_rng(0)
    low = random.uniform(1, 200, (5000, 6, 2))
    boxes = np.concatenate([low, low + random.uniform(1, 200, low.shape)], axis=2)
    scores = random.random((5000, 6, 1))
    found = dict(enumerate(np.concatenate([boxes, scores], axis=2)))
    truth = dict(enumerate(boxes[:, :2] + 3))
    start = time.perf_counter()
    evaluate(found, truth)
    assert time.perf_counter() - start < 5  # 0.2 s where this was written


def first_dogs(count: int) -> tuple[dict, dict]:
    """Sizes of the first images of VOC2007's test list, and the dogs on them."""
    root = Path(os.environ.get("WSLIB_DATA", "")) / "voc2007/VOCdevkit/VOC2007"
    listing = root / "ImageSets/Main/test.txt"
    if "WSLIB_DATA" not in os.environ or not listing.exists():
        pytest.skip("needs the annotations of VOC2007 under $WSLIB_DATA")
    sizes, dogs = {}, {}
    for i in listing.read_text().split()[:count]:
        tree = ElementTree.parse(root / f"Annotations/{i}.xml").getroot()
        sizes[i] = tuple(int(tree.findtext(f"size/{s}")) for s in ("width", "height"))
        dogs[i] = [
            [float(o.findtext(f"bndbox/{c}")) for c in ("xmin", "ymin", "xmax", "ymax")]
            for o in tree.iter("object")
            if o.findtext("name") == "dog"
        ]
    return sizes, dogs


def test_centre_box_baselines_on_the_real_dogs():
    """B, only where there is a dog, is published, to these digits. A, on every image,
    is one tie of 500: its number says more about the order of the list than of the
    method. The published 3.868 / 2.157 / 0.284 come from another order."""
    sizes, dogs = first_dogs(500)
    assert sum(map(len, dogs.values())) == 50
    every = {i: centre_box(*size) for i, size in sizes.items()}
    cheat = {i: box for i, box in every.items() if dogs[i]}
    published = [[40.296106, 22.182328, 4.509091], [54, 38, 16]]
    np.testing.assert_allclose(evaluate(cheat, dogs), published, rtol=0, atol=5e-7)

    listed = evaluate(every, dogs)
    np.testing.assert_allclose(listed.loc["ap"], [4.326, 2.694, 0.455], atol=5e-4)
    turned = evaluate(dict(reversed(every.items())), dogs)
    np.testing.assert_allclose(turned.loc["ap"], [3.925, 2.274, 0.381], atol=5e-4)
    at_once = evaluate(every, dogs, protocol=Protocol("grouped", "all", "count"))
    share = np.array([0.54, 0.38, 0.16])  # one point: recall, and 50 * recall of 500
    np.testing.assert_allclose(at_once.loc["ap"], 100 * share * share * 50 / 500)
