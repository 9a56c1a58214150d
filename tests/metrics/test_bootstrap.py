"""Intervals: the fast way against the slow one, and against textbook values."""

import time

import numpy as np
import pytest

from wslib.metrics.bootstrap import (
    compare_detectors,
    evaluate_with_intervals,
    mean_interval,
    paired_difference,
    wilson,
)
from wslib.metrics.detection import evaluate


def slow_bootstrap(images, statistic, n, seed, level=0.95) -> list[float]:
    """A statistic of the images, and its quantiles over lists drawn one by one."""
    generator = np.random.default_rng(seed)
    draws = [
        statistic(
            [images[k] for k in generator.integers(len(images), size=len(images))]
        )
        for _ in range(n)
    ]
    return [statistic(images), *np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])]


def random_detections(seed: int, count: int, noise: float) -> tuple[dict, dict]:
    random = np.random.default_rng(seed)
    found, truth = {}, {}
    for i in range(count):
        low = random.uniform(1, 50, (2, 2))
        boxes = np.hstack([low, low + random.uniform(20, 60, (2, 2))])
        if i % 2:
            truth[i] = np.hstack([boxes, [[0], [i % 4 == 1]]])
        near = boxes + random.normal(0, noise, boxes.shape)
        found[i] = np.hstack([near, random.integers(0, 9, (2, 1)) / 9])
    return found, truth


@pytest.mark.parametrize("protocol", ["voc07", "voc10"])
def test_reweighting_equals_matching_again(protocol):
    found, truth = random_detections(0, 30, noise=5)
    images = list(range(40))  # ten with nothing on them

    def measure(metric):
        def statistic(drawn):
            copies = dict(enumerate(drawn))
            again = [
                {k: boxes[i] for k, i in copies.items() if i in boxes}
                for boxes in (found, truth)
            ]
            return evaluate(*again, [0.5], protocol).loc[metric, 0.5]

        return statistic

    fast = evaluate_with_intervals(found, truth, [0.5], protocol, images, n=60, seed=3)
    for metric in ("ap", "recall"):
        slow = slow_bootstrap(images, measure(metric), n=60, seed=3)
        row = fast[fast["metric"] == metric].iloc[0]
        np.testing.assert_allclose(row[["value", "low", "high"]].astype(float), slow)


def test_frame():
    found, truth = random_detections(0, 40, noise=5)
    frame = evaluate_with_intervals(found, truth, n=200)
    assert frame["metric"].tolist() == ["ap"] * 3 + ["recall"] * 3
    assert frame["iou"].tolist() == [0.3, 0.4, 0.5] * 2
    np.testing.assert_array_equal(
        frame["value"], evaluate(found, truth).to_numpy().ravel()
    )
    assert (frame["low"] < frame["value"]).all() and (
        frame["value"] < frame["high"]
    ).all()
    assert frame.attrs["protocol"].startswith("course")


def test_same_seed_same_interval_another_seed_another():
    found, truth = random_detections(0, 40, noise=5)
    first, again, other = (
        evaluate_with_intervals(found, truth, n=50, seed=s) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(first["low"], again["low"])
    assert (first["low"] != other["low"]).any()


def test_wider_level_wider_interval():
    found, truth = random_detections(0, 40, noise=5)
    narrow, wide = (evaluate_with_intervals(found, truth, level=c) for c in (0.5, 0.99))
    assert (wide["low"] < narrow["low"]).all() and (wide["high"] > narrow["high"]).all()


def test_paired_difference_is_narrower_than_what_two_intervals_suggest():
    found, truth = random_detections(0, 200, noise=4)
    worse = {i: b + [0, 0, 2, 2, 0] for i, b in found.items()}
    better, other = (evaluate_with_intervals(d, truth) for d in (found, worse))
    gap = paired_difference(found, worse, truth)
    np.testing.assert_allclose(gap["value"], better["value"] - other["value"])
    width = gap["high"] - gap["low"]
    apart = np.hypot(better["high"] - better["low"], other["high"] - other["low"])
    assert (width < apart).all()
    assert (width[gap["metric"] == "ap"] < 0.3 * apart[gap["metric"] == "ap"]).all()
    same = paired_difference(found, found, truth, n=20)
    assert (same[["value", "low", "high"]] == 0).all(axis=None)


def test_compared_detectors_are_rows_of_their_own_intervals():
    truth = {i: np.array([[1, 1, 9, 9]], float) for i in range(30)}
    good = {i: np.array([[1, 1, 9, 9, i]], float) for i in range(20)}
    poor = {i: np.array([[40, 40, 49, 49, i]], float) for i in range(30)}
    frame = compare_detectors({"good": good, "poor": poor}, truth, [0.5], n=50)
    alone = evaluate_with_intervals(good, truth, [0.5], n=50, images=None)
    assert list(frame["detector"]) == ["good", "poor"]
    assert frame.loc[0, "AP 0.5"] == pytest.approx(100 * 2 / 3)
    assert frame.loc[1, ["AP 0.5", "recall 0.5", "recall 0.5 high"]].tolist() == [0] * 3
    for name, metric in (("AP 0.5", "ap"), ("recall 0.5", "recall")):
        row = alone[alone["metric"] == metric].iloc[0]
        assert frame.loc[0, [f"{name} low", name, f"{name} high"]].tolist() == [
            row["low"], row["value"], row["high"],
        ]  # fmt: skip
    assert "course" in frame.attrs["protocol"]


def test_mean_has_the_textbook_interval():
    values = np.random.default_rng(0).normal(10, 2, 400)
    value, low, high = mean_interval(values, n=2000)
    half = 1.96 * values.std() / 20
    assert value == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.15 * half)


def test_the_interval_of_a_mean_is_that_of_its_drawn_lists():
    values = np.random.default_rng(3).random(60)
    slow = slow_bootstrap(range(60), lambda drawn: values[drawn].mean(), 300, 7, 0.9)
    np.testing.assert_allclose(mean_interval(values, 300, 7, 0.9), slow)
    np.testing.assert_allclose(mean_interval([0.4] * 9), [0.4] * 3)


def test_whole_groups_are_drawn():
    values = np.random.default_rng(3).random(60)
    groups = np.repeat(list("caterpillar")[:6], [5, 5, 10, 10, 10, 20])
    places = [np.flatnonzero(groups == name) for name in dict.fromkeys(groups)]
    slow = slow_bootstrap(
        range(len(places)),
        lambda drawn: values[np.concatenate([places[k] for k in drawn])].mean(),
        *(300, 7, 0.9),
    )
    told = mean_interval(values, 300, 7, 0.9, groups)
    np.testing.assert_allclose(told, slow)
    alone = mean_interval(values, 300, 7, 0.9, range(60))
    assert alone == mean_interval(values, 300, 7, 0.9)
    one = mean_interval(values, groups=["x"] * 60)
    assert one.low == pytest.approx(one.value) == pytest.approx(one.high)
    holes = np.append(values, np.nan)  # a group that nothing is known of
    assert mean_interval(holes, 300, 7, 0.9, [*groups, "new"]) == told
    with pytest.raises(ValueError, match="59 groups, 60 images: expected one for each"):
        mean_interval(values, groups=groups[1:])


def test_nothing_to_find():
    frame = evaluate_with_intervals({"a": [[1, 1, 2, 2, 0.5]]}, {}, n=5)
    assert frame[["value", "low", "high"]].isna().all(axis=None)
    rare = {"a": [[1, 1, 9, 9]]}  # some draws have no object: left out
    frame = evaluate_with_intervals({}, rare, images=["a", "b", "c"], n=50)
    assert (frame[["value", "low", "high"]] == 0).all(axis=None)


def test_five_hundred_images_take_no_time():
    found, truth = random_detections(0, 500, noise=5)
    start = time.perf_counter()
    evaluate_with_intervals(found, truth, n=1000)
    assert time.perf_counter() - start < 5  # 0.4 s where this was written


def test_wilson_known_values():
    share, low, high = wilson(17, 50)
    assert share == 0.34
    assert (round(100 * low), round(100 * high)) == (22, 48)
    assert wilson(0, 10)[1:] == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(10, 10)[1:] == pytest.approx((0.7225, 1), abs=1e-4)
    assert wilson(81, 263)[1:] == pytest.approx((0.2553, 0.3662), abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson(3, 2), "3 of 2"),
        (lambda: wilson(0, 0), "0 of 0"),
        (lambda: mean_interval([]), "0 images"),
        (lambda: mean_interval([1], n=0), "n = 0"),
        (lambda: mean_interval([1], level=95), "level 95"),
        (lambda: evaluate_with_intervals({}, {}), "0 images"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_copies_are_drawn_together():
    values = np.random.default_rng(1).random(30)
    copies = np.repeat(np.arange(30), 4)
    alone = mean_interval(values, 400, 2)
    together = mean_interval(values[copies], 400, 2, groups=copies)
    assert np.allclose(together, alone)
    apart = mean_interval(values[copies], 400, 2)
    assert apart.high - apart.low < 0.7 * (alone.high - alone.low)
    unknown = np.where(copies < 3, np.nan, values[copies])
    known = mean_interval(values[3:], 400, 2)
    assert np.allclose(mean_interval(unknown, 400, 2, groups=copies), known)


@pytest.mark.parametrize("total", [1, 2, 3, 7, 10, 49, 133, 1000])
def test_wilson_ends_at_nothing_and_at_all(total):
    """Exactly, and the share lies between its bounds: rounding is cut off."""
    assert wilson(0, total)[:2] == (0, 0) and wilson(total, total)[2] == 1
    for successes in range(0, total + 1, max(1, total // 9)):
        share, low, high = wilson(successes, total)
        assert 0 <= low <= share <= high <= 1
