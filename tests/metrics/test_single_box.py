"""One label and one box to a picture: frames, tables and intervals by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from wslib.metrics.bootstrap import mean_interval, wilson
from wslib.metrics.single_box import (
    ERRORS,
    GOOD_IOU,
    as_detections,
    by_label,
    error_kinds,
    mean_boxes,
    measure_boxes,
    summarise,
    table_of_runs,
)

NAN = [math.nan] * 4
TRUE = [[0, 0, 0.5, 0.5]] * 4 + [[0, 0, 1, 0.5], NAN]
SAID = [
    [0, 0, 0.5, 0.5],  # right
    [0, 0, 0.5, 0.35],  # 7 tenths of it, no more
    [0, 0, 0.5, 0.36],
    NAN,  # nothing was found
    [0.5, 0.5, 1, 1],  # a corner of it in the other half
    [0.1, 0.1, 0.2, 0.2],  # nobody knows
]
LABELS, TRUE_LABELS = [0, 0, 1, -1, 2, 2], [0, 0, 0, 1, 2, 2]


def frame(**changes):
    parts = {"labels": LABELS, "boxes": SAID}
    parts |= {"true_labels": TRUE_LABELS, "true_boxes": TRUE, **changes}
    return measure_boxes(*(np.array(part) for part in parts.values()))


def test_each_picture_by_hand():
    measured = frame()
    columns = ["label", "said", "accuracy", "iou", "good", "box_loss"]
    assert list(measured.columns) == columns
    assert measured["label"].tolist() == TRUE_LABELS
    assert measured["said"].tolist() == LABELS
    assert measured["accuracy"].tolist() == [1, 1, 0, 0, 1, 1]
    ious = [1, 0.7, 0.72, 0, 0, math.nan]
    np.testing.assert_allclose(measured["iou"], ious, atol=1e-12)
    np.testing.assert_array_equal(measured["good"], [1, 0, 1, 0, 0, math.nan])
    outside = 1 + (1 - 0.75) / 1  # the hull is all, three quarters are covered
    np.testing.assert_allclose(
        measured["box_loss"], [0, 0.3, 0.28, 2, outside, math.nan], atol=1e-12
    )


def test_above_seven_tenths_is_good_and_seven_tenths_is_not():
    assert GOOD_IOU == 0.7
    said = np.array([[0, 0, 0.7, 1], [0, 0, 0.71, 1], [0, 0, 1, 0.69]])
    true = np.array([[0, 0, 1.0, 1]] * 3)
    good = measure_boxes(np.zeros(3), said, np.zeros(3), true)["good"]
    assert good.tolist() == [0, 1, 0]


def test_pixels_or_ratios_are_the_same():
    size = np.array([300, 200] * 2)
    pixels = frame(boxes=np.array(SAID) * size, true_boxes=np.array(TRUE) * size)
    exact = {"check_exact": False, "atol": 1e-9}
    pd.testing.assert_frame_equal(pixels.drop(index=1), frame().drop(index=1), **exact)


def test_half_a_box_is_none():
    said = [[0.1, 0.1, math.nan, 0.3]]
    measured = measure_boxes(*map(np.array, ([-1], said, [0], [[0, 0, 1.0, 1]])))
    assert measured[["accuracy", "iou", "good", "box_loss"]].iloc[0].tolist() == [
        *(0, 0, 0, 2)
    ]


def test_the_loss_of_the_classes():
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]], dtype=np.float32)
    said, true = np.array([0, 2]), np.array([0, 1])
    boxes = np.array([[0, 0, 1.0, 1]] * 2)
    measured = measure_boxes(said, boxes, true, boxes, logits)
    np.testing.assert_allclose(measured["loss"], -np.log([0.5, 0.1]), rtol=1e-6)
    assert measured["accuracy"].tolist() == [1, 0]
    logits[1, 2] = math.nan
    with pytest.raises(ValueError, match="^NaN logits of picture 1$"):
        measure_boxes(said, boxes, true, boxes, logits)


def test_rows_that_do_not_match():
    boxes = np.zeros((3, 4))
    for labels, said, true, logits in (
        (np.zeros(2), boxes, boxes, None),
        (np.zeros(3), boxes[:2], boxes, None),
        (np.zeros(3), boxes, boxes[:2], None),
        (np.zeros(3), boxes, boxes, np.zeros((2, 3))),
    ):
        with pytest.raises(ValueError, match=r"^rows \[2, 3\], expected as many of ea"):
            measure_boxes(labels, said, np.zeros(3, int), true, logits)


def test_mean_boxes_by_hand():
    labels = np.array([0, 1, 0, 1, 0, 3, 0])
    boxes = [[0, 0, 0.5, 1], [0.2, 0.2, 0.4, 0.6], [0.5, 0.25, 1, 0.5]]
    boxes = np.array([*boxes, [0.4, 0.0, 0.8, 0.8], NAN, NAN, [1, 0.5, 0.75, 0.9]])
    expected = [[0.5, 0.25, 0.75, 0.8], [0.3, 0.1, 0.6, 0.7], NAN, NAN]
    with np.errstate(all="raise"):
        np.testing.assert_allclose(mean_boxes(labels, boxes), expected)


def test_tables_by_class():
    table = by_label(frame(), ["face", "motorcycle", "airplane", "boat"])
    columns = ["label", "count", "right", "accuracy", "low", "high", "iou", "good"]
    assert list(table.columns) == columns
    assert table["label"].tolist() == ["all", "face", "motorcycle", "airplane"]
    assert table["count"].tolist() == [6, 3, 1, 2]
    assert table["right"].tolist() == [4, 2, 0, 2]
    np.testing.assert_allclose(table["accuracy"], [4 / 6, 2 / 3, 0, 1])
    np.testing.assert_allclose(table["iou"], [2.42 / 5, 2.42 / 3, 0, 0])
    np.testing.assert_allclose(table["good"], [2 / 5, 2 / 3, 0, 0])
    for row in table.itertuples():
        assert (row.accuracy, row.low, row.high) == wilson(row.right, row.count)


def test_a_share_of_one_run_is_wilsons():
    measured = frame(labels=TRUE_LABELS)  # right in each picture
    told = summarise([measured], n=200)
    assert list(told) == ["accuracy", "iou", "good", "box_loss"]
    assert told["accuracy"] == wilson(6, 6)
    assert told["accuracy"].low < 0.65 and told["accuracy"].high == 1
    assert told["good"] == wilson(2, 5)  # the sixth box is not known
    assert told["iou"].value == pytest.approx(2.42 / 5)
    twice = summarise([measured, measured], n=200)
    assert twice["accuracy"] == wilson(6, 6)  # no spread to draw from


def random_runs(runs, count, seed=0):
    generator = np.random.default_rng(seed)
    frames = []
    for _ in range(runs):
        values = generator.random((count, 2))
        columns = {"accuracy": (values[:, 0] < 0.7) * 1.0, "iou": values[:, 1]}
        frames.append(pd.DataFrame(columns))
    return frames


def test_intervals_hold_the_mean_and_repeat_with_their_seed():
    runs = random_runs(3, 60)
    told = summarise(runs, n=400)
    for name, interval in told.items():
        mean = np.mean([run[name].mean() for run in runs])
        assert interval.value == pytest.approx(mean)
        assert interval.low < interval.value < interval.high
    assert told == summarise(runs, n=400)
    assert told != summarise(runs, n=400, seed=1)
    wider, narrower = (summarise(runs, n=400, level=x)["iou"] for x in (0.99, 0.5))
    assert wider.low < told["iou"].low < narrower.low
    assert narrower.high < told["iou"].high < wider.high


def test_the_interval_of_a_mean_is_as_wide_as_it_must_be():
    values = np.random.default_rng(1).normal(5, 2, size=(1, 400))
    interval = mean_interval(values, n=2000)
    assert interval.value == pytest.approx(values.mean())
    half = 1.96 * values.std() / 20
    assert interval.value - interval.low == pytest.approx(half, rel=0.1)
    assert interval.high - interval.value == pytest.approx(half, rel=0.1)


def test_runs_are_drawn_too():
    apart = np.repeat([[0.2], [0.4], [0.9]], 50, axis=1)  # each run is sure of itself
    interval = mean_interval(apart, n=2000)
    assert interval.value == pytest.approx(0.5)
    assert interval.low == pytest.approx(0.2) and interval.high == pytest.approx(0.9)
    same = np.repeat([[0.2, 0.4, 0.9]], 50, axis=0)  # now the pictures are apart
    interval = mean_interval(same, n=2000)
    assert interval.low == pytest.approx(0.2) and interval.high == pytest.approx(0.9)


def test_unknown_boxes_are_left_out_of_means():
    values = np.random.default_rng(2).random((2, 30))
    padded = np.insert(values, [0, 7, 30], math.nan, axis=1)
    assert mean_interval(padded, n=100) == mean_interval(values, n=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = mean_interval(np.full((2, 5), math.nan), n=10)
    assert np.isnan(nothing).all()
    padded[0, 3] = math.nan
    with pytest.raises(ValueError, match="boxes of other pictures: expected the same"):
        mean_interval(padded)


def test_pictures_without_any_known_box():
    told = summarise([frame(true_boxes=[NAN] * 6)], n=20)
    assert told["accuracy"] == wilson(4, 6)
    for name in ("iou", "good", "box_loss"):
        assert np.isnan(told[name]).all()


def test_a_table_of_runs():
    logits = np.zeros((6, 3), np.float32)
    runs = {"simple": [frame(logits=logits)] * 2, "mean box": [frame()]}
    shown = ["box loss", "loss", "accuracy", "IoU", "IoU > 0.7"]
    table = table_of_runs(runs, shown, n=50, others={"weights": [94_743, 0]})
    bounds = [f"{title} {end}" for title in shown for end in ("low", "high")]
    assert list(table.columns) == ["", "weights", *shown, *bounds]
    assert table[""].tolist() == ["simple", "mean box"]
    assert table["weights"].tolist() == [94_743, 0]
    values = [(0.3 + 0.28 + 2 + 1.25) / 5, math.log(3), 100 * 4 / 6, 242 / 5, 40]
    np.testing.assert_allclose(table.iloc[0][shown].tolist(), values)
    told = summarise(runs["simple"], n=50)
    for title, key, scale in (("IoU", "iou", 100), ("box loss", "box_loss", 1)):
        bounds = table.iloc[0][[f"{title} low", f"{title} high"]].tolist()
        assert bounds == [scale * told[key].low, scale * told[key].high]
    share = wilson(4, 6)  # of the one run that the mean box is
    bounds = table.iloc[1][["accuracy low", "accuracy high"]].tolist()
    np.testing.assert_allclose(bounds, [100 * share.low, 100 * share.high])
    assert table.iloc[1][["loss", "loss low", "loss high"]].isna().all()  # no logits


def test_kinds_of_errors_by_hand():
    true = np.array([[0.25, 0.25, 0.75, 0.75]] * 8)
    said = [
        true[0].tolist(),
        true[0].tolist(),
        NAN,
        [0.45, 0.25, 0.85, 0.75],  # eight tenths as large, and elsewhere
        [0.1, 0.1, 0.9, 0.9],
        [0.4, 0.4, 0.6, 0.6],
        [0.0, 0.45, 0.9, 0.55],  # wide and flat: of less area
        [0.4, 0.4, 0.6, 0.6],
    ]
    true[7] = math.nan
    labels = np.array([0, 1, -1, 0, 0, 0, 0, 0])
    measured = measure_boxes(labels, np.array(said), np.zeros(8, int), true)
    kinds = error_kinds(measured, np.array(said), true)
    right, small = "", "too small"
    expected = [right, "wrong class", "nothing found", "shifted", "too large"]
    assert kinds.tolist() == [*expected, small, small, right]
    assert set(kinds) - {""} == set(ERRORS)


def test_one_answer_a_picture_as_detections_by_class():
    boxes = np.array([[0, 0, 1, 1], [0, 0, 0.5, 1], [np.nan] * 4, [0, 0, 1, 0.5]])
    found = as_detections(
        np.array([1, 0, 1, -1]), boxes, np.array([0.9, 0.8, 0.7, 0.6]), ("a", "b")
    )
    assert {name: list(of) for name, of in found.items()} == {"a": [1], "b": [0]}
    assert found["a"][1].tolist() == [[0, 0, 0.5, 1, 0.8]]


def test_groups_widen_the_interval_of_a_share():
    right = np.repeat([1.0, 0.0, 1.0, 1.0], 5)
    frame = pd.DataFrame({"accuracy": right})
    copies = np.repeat(np.arange(4), 5)
    alone, together = (
        summarise([frame], 200, groups=groups)["accuracy"] for groups in (None, copies)
    )
    assert together.high - together.low > alone.high - alone.low
    perfect = summarise([frame.assign(accuracy=1.0)], 50, groups=copies)["accuracy"]
    assert perfect == wilson(4, 4)
