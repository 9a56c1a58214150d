"""Oracles: by hand, and that a step up the ladder is no step down."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslib.metrics import errors
from wslib.metrics.detection import PROTOCOLS, Protocol, evaluate
from wslib.metrics.errors import (
    oracle_extent,
    oracle_ladder,
    oracle_presence,
    oracle_threshold,
)

# Objects are 20 wide and 10 high; a box of 20 x k inside one has IoU k / 10.
TRUTH = {"a": [[1, 1, 20, 10]], "b": [[1, 1, 20, 10], [41, 1, 60, 10]], "c": []}
FOUND = {
    "c": [[1, 1, 20, 10, 0.9]],
    "a": [[1, 1, 20, 4, 0.8], [1, 1, 20, 9, 0.3]],
    "b": [[41, 1, 60, 6, 0.7], [1, 31, 20, 60, 0.6]],
}


def test_ladder_by_hand():
    """Right or wrong at IoU 0.5, by falling score (c, a, b, b, a) and three objects:
    0 0 1 0 1, without c 0 1 0 1, with the objects' boxes 0 1 1 0 0 (the second box at
    "a" comes too late), and with both 1 1 0 0."""
    frame = oracle_ladder(FOUND, TRUTH, iou_thresholds=[0.5])
    assert frame["rung"].tolist() == [
        "as measured", "presence", "extent", "presence + extent",
    ]  # fmt: skip
    expected = [2 / 3 * 2 / 5, 2 / 3 * 1 / 2, 2 / 3 * 2 / 3, 2 / 3]
    assert frame["AP 0.5"].tolist() == pytest.approx([100 * e for e in expected])
    assert frame["recall 0.5"].tolist() == pytest.approx([200 / 3] * 4)
    assert frame.attrs["protocol"].startswith("course")
    assert errors.oracle_ladder is oracle_ladder


def test_ladder_has_the_thresholds_where_they_are_given():
    swept = {0.5: FOUND, 0.1: {"a": [[1, 1, 20, 8, 0.8]]}}
    frame = oracle_ladder(FOUND, TRUTH, swept, [0.3, 0.7])
    assert frame["rung"].tolist()[2] == "threshold per image"
    assert frame.columns.tolist() == [
        "rung", "AP 0.3", "AP 0.7", "recall 0.3", "recall 0.7",
    ]  # fmt: skip
    measured = evaluate(FOUND, TRUTH, [0.3, 0.7])
    np.testing.assert_array_equal(
        frame.iloc[0, 1:].astype(float), measured.to_numpy().ravel()
    )


def test_presence_leaves_images_with_objects():
    assert oracle_presence(FOUND, TRUTH) == {i: FOUND[i] for i in "ab"}
    assert oracle_presence(FOUND, {}) == {}


def test_each_image_has_its_own_best_threshold():
    wide, half = [1, 1, 60, 10, 0.7], [1, 1, 20, 5, 0.7]
    swept = {
        0.5: {"a": [half], "b": [[1, 1, 20, 10, 0.7]], "c": [half]},  # mean IoU 1 / 2
        0.2: {"a": [[1, 1, 20, 8, 0.6]], "b": [wide]},  # mean IoU 1 / 3
        0.1: {"a": [[1, 1, 20, 8, 0.7], half]},  # as good, with a box more
        0.3: {"a": [[1, 1, 20, 8, 0.5]]},  # as good, and a higher threshold
    }
    told = oracle_threshold(FOUND, TRUTH, swept)
    assert told == {"c": FOUND["c"], "a": swept[0.2]["a"], "b": swept[0.5]["b"]}
    assert [*told] == [*FOUND]  # ties in list order stay as they are
    none = oracle_threshold(FOUND, TRUTH, {0.5: {}})
    assert none == {"c": FOUND["c"], "a": (), "b": ()}


def test_threshold_per_image_can_lower_ap():
    """Two boxes for two objects fit best; the better scored third one is wrong."""
    found = {"a": [[1, 1, 20, 10, 0.5]]}
    swept = {0.5: found, 0.1: {"a": [[1, 51, 9, 60, 0.9], [1, 1, 20, 10, 0.5],
                                     [41, 1, 60, 3, 0.1]]}}  # fmt: skip
    frame = oracle_ladder(found, {"a": TRUTH["b"]}, swept, [0.5])
    assert frame["AP 0.5"].tolist() == pytest.approx([50, 50, 25, 50, 50])


def test_extent_gives_each_object_to_the_first():
    told = oracle_extent(FOUND, TRUTH)
    assert told["a"].tolist() == [[1, 1, 20, 10, 0.8], [1, 1, 20, 9, 0.3]]
    assert told["b"].tolist() == [[41, 1, 60, 10, 0.7], [1, 31, 20, 60, 0.6]]
    assert told["c"].tolist() == FOUND["c"]
    assert FOUND["a"][0] == [1, 1, 20, 4, 0.8]  # untouched
    far = oracle_extent(FOUND, TRUTH, near=0.5)
    assert far["a"].tolist() == [[1, 1, 20, 4, 0.8], [1, 1, 20, 10, 0.3]]


def test_swapped_x_and_y_are_not_near():
    tall = {"a": [[1, 101, 10, 190, 0.5]]}
    assert oracle_extent(tall, {"a": [[101, 1, 190, 10]]})["a"].tolist() == tall["a"]


corner = st.tuples(*[st.integers(1, 5)] * 2, st.integers(0, 5), st.integers(0, 3))
box = corner.map(lambda c: [c[0], c[1], c[0] + c[2], c[1] + c[3]])
detected = st.tuples(box, st.sampled_from([0.125, 0.5, 0.75])).map(
    lambda pair: [*pair[0], pair[1]]
)
real = st.tuples(box, st.integers(0, 1)).map(lambda pair: [*pair[0], pair[1]])
names = st.sampled_from("abc")
many_detected = st.dictionaries(names, st.lists(detected, max_size=5), max_size=3)
many_real = st.dictionaries(names, st.lists(real, max_size=4), max_size=3)
ALL = [*PROTOCOLS.values(), Protocol("edges", "all", "count", pixel=0)]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(many_detected, many_real, st.sampled_from(ALL), st.sampled_from([0.05, 0.3]))
def test_no_rung_is_below_the_one_it_extends(found, truth, protocol, near):
    frame = oracle_ladder(found, truth, None, [0.3, 0.5], protocol, near)
    frame = frame.set_index("rung")
    measured = evaluate(found, truth, [0.3, 0.5], protocol)
    np.testing.assert_array_equal(frame.loc["as measured"], measured.to_numpy().ravel())
    if measured.isna().all(axis=None):
        assert frame.isna().all(axis=None)
        return
    for low, high in (
        ("as measured", "presence"),
        ("as measured", "extent"),
        ("presence", "presence + extent"),
        ("extent", "presence + extent"),
    ):
        assert (frame.loc[high] >= frame.loc[low] - 1e-9).all(), (low, high)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: oracle_ladder(FOUND, TRUTH, {}), "boxes_by_threshold: empty"),
        (lambda: oracle_ladder(FOUND, TRUTH, near=0.31), "near 0.31: .* IoU of 0.3"),
        (lambda: oracle_extent(FOUND, TRUTH, near=0), "near 0"),
        (lambda: oracle_ladder(FOUND, TRUTH, protocol="voc12"), "protocol 'voc12'"),
        (lambda: oracle_ladder({"7": [[1, 1, 2, 2]]}, TRUTH), r"detections\['7'\]"),
        (
            lambda: oracle_threshold({}, TRUTH, {0.5: {"a": [[1, 1, 2, np.nan, 1]]}}),
            r"detections\['a'\], row 0: .*nan.*finite",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
