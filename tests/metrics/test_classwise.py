"""AP and CorLoc of many classes, mAP and its intervals: by hand, and slowly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from wslib.metrics.classwise import classwise_ap, classwise_corloc, mean_ap
from wslib.metrics.detection import evaluate
from wslib.metrics.localisation import corloc

# Objects are 10 x 10. A box of 10 x k inside one has IoU k / 10.
OBJECT = [1, 1, 10, 10]
TRUTHS = {
    "cat": {"a": [OBJECT], "b": [OBJECT], "c": []},
    "dog": {"a": [], "b": [], "c": [OBJECT]},
    "bird": {"a": [], "b": [], "c": []},
    "bus": {"a": [[*OBJECT, 1]], "b": [], "c": []},  # difficult
}


def strip(k: int, score: float = 1.0, x: int = 1) -> list[float]:
    return [x, 1, x + 9, k, score]


def elsewhere(score: float) -> list[float]:
    return strip(10, score, x=51)


FOUND = {
    "cat": {"a": [strip(10, 0.9)], "b": [strip(6, 0.7), elsewhere(0.8)]},
    "bird": {"a": [strip(10, 0.9)]},
    "bus": {"a": [strip(10, 0.2)]},
}


# Average precision of each class


def test_ap_by_hand():
    ap = classwise_ap(FOUND, TRUTHS, protocol="voc10")
    assert ap.index.tolist() == ["cat", "dog", "bird", "bus"]
    # right, wrong, right: half of the recall at precision 1, half at 2/3
    assert ap["cat"] == pytest.approx(100 * (1 / 2 + 1 / 2 * 2 / 3))
    assert ap["dog"] == 0  # nothing found
    assert np.isnan(ap["bird"])  # nothing to be found, whatever is said of it
    assert np.isnan(ap["bus"])  # nor here: it is difficult
    assert ap.mean() == pytest.approx(ap["cat"] / 2)


def test_without_another_word_it_is_voc07_at_one_half():
    ap = classwise_ap(FOUND, TRUTHS)
    assert ap["cat"] == pytest.approx(100 * (6 * 1 + 5 * 2 / 3) / 11)
    assert ap.equals(classwise_ap(FOUND, TRUTHS, 0.5, "voc07"))


def test_iou_threshold_and_protocol_are_passed_on():
    at = {t: classwise_ap(FOUND, TRUTHS, t, "voc10")["cat"] for t in (0.6, 0.7)}
    assert at[0.6] == pytest.approx(100 * 5 / 6)  # IoU 0.6 is enough for 0.6
    assert at[0.7] == 50
    assert classwise_ap(FOUND, TRUTHS, 0.6, "course")["cat"] == 50  # but not there
    assert classwise_ap(FOUND, TRUTHS, protocol="course")["bus"] == 100


def test_a_class_that_has_no_truth_is_not_reported():
    ap = classwise_ap({**FOUND, "sofa": {"a": [strip(10)]}}, TRUTHS)
    assert ap.index.tolist() == list(TRUTHS)
    assert classwise_corloc({**FOUND, "sofa": {}}, TRUTHS).index.tolist() == list(
        TRUTHS
    )


def test_false_positives_of_images_without_the_class_count():
    found = {"dog": {"a": [elsewhere(0.9)], "c": [strip(10, 0.5)]}}
    assert classwise_ap(found, TRUTHS, protocol="voc10")["dog"] == 50


def test_the_same_as_one_class_at_a_time():
    found, truths = drawn(seed=3)
    for protocol in ("voc07", "voc10", "course"):
        ap = classwise_ap(found, truths, 0.4, protocol)
        for name, truth in truths.items():
            one = evaluate(found[name], truth, [0.4], protocol).loc["ap", 0.4]
            assert ap[name] == pytest.approx(one)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "voc12"}, "protocol 'voc12'"),
        ({"iou_threshold": 1.5}, "IoU threshold 1.5"),
        ({"detections": {"cat": {"a": [[1, 1, 10, 10]]}}}, r"detections\['a'\]"),
        ({"truths": {"cat": {"a": [[10, 1, 1, 10]]}}}, r"ground_truth\['a'\]"),
    ],
)
def test_bad_input(change, message):
    given = {"detections": FOUND, "truths": TRUTHS, **change}
    with pytest.raises(ValueError, match=message):
        classwise_ap(**given)
    systems = {"one": given.pop("detections")}
    with pytest.raises(ValueError, match=message):
        mean_ap(systems, images=["a", "b", "c"], n=3, **given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"systems": {}}, "0 detectors, 3 images, n = 5: expected 1 or more of each"),
        ({"images": []}, "1 detectors, 0 images"),
        ({"n": 0}, "n = 0"),
    ],
)
def test_nothing_to_draw_from(change, message):
    given = {"systems": {"one": FOUND}, "truths": TRUTHS, "images": list("abc"), "n": 5}
    with pytest.raises(ValueError, match=message):
        mean_ap(**{**given, **change})


# CorLoc


def test_corloc_by_hand():
    right = classwise_corloc(FOUND, TRUTHS)
    assert right.index.tolist() == ["cat", "dog", "bird", "bus"]
    assert right["cat"] == 50  # in b the better box is the wrong one
    assert right["dog"] == 0
    assert np.isnan(right["bird"])
    assert right["bus"] == 100  # a difficult object is one, too


def test_corloc_reads_scores_and_the_threshold():
    found = {"cat": {"a": [strip(5, 0.1), strip(10, 0.2, x=21)], "b": [strip(5, 0.1)]}}
    assert classwise_corloc(found, TRUTHS)["cat"] == 50  # IoU 0.5 is enough
    assert classwise_corloc(found, TRUTHS, 0.51)["cat"] == 0
    found["cat"]["a"][0][4] = 0.3
    assert classwise_corloc(found, TRUTHS)["cat"] == 100


def test_corloc_asks_only_in_images_that_hold_the_class():
    found = {"dog": {"a": [elsewhere(0.9)], "b": [strip(10)], "c": [strip(10, 0.1)]}}
    assert classwise_corloc(found, TRUTHS)["dog"] == 100
    found, truths = drawn(seed=4)
    right = classwise_corloc(found, truths, 0.3)
    for name, truth in truths.items():
        assert right[name] == pytest.approx(100 * corloc(found[name], truth, 0.3).value)


def test_corloc_of_arrays_without_rows():
    truths = {"cat": {"a": np.array([OBJECT]), "b": np.zeros((0, 5))}}
    found = {"cat": {"a": np.zeros((0, 5)), "b": np.array([strip(10)])}}
    assert classwise_corloc(found, truths)["cat"] == 0


# mAP of several detectors


def drawn(seed=0, images=9, classes=("cat", "dog", "bird")):
    """Objects, some difficult, and boxes near some of them, and elsewhere."""
    rng = np.random.default_rng(seed)
    found, truths = {}, {}
    for name in classes:
        found[name], truths[name] = {}, {}
        for i in range(images):
            low = rng.integers(1, 30, (rng.integers(3), 2))
            hard = rng.random(len(low)) < 0.2
            truth = np.column_stack([low, low + 9, hard]).astype(float)
            near = np.column_stack([low + rng.integers(0, 5, low.shape)] * 2)
            far = rng.integers(1, 60, (1, 2))
            boxes = np.vstack([near, np.tile(far, 2)]).astype(float)
            boxes[:, 2:] += 9
            scores = rng.integers(1, 6, len(boxes)) / 5  # some are equal
            truths[name][i] = truth
            found[name][i] = np.column_stack([boxes, scores])
    return found, truths


COLUMNS = ["system", "mAP", "low", "high", "gain", "gain low", "gain high"]


def test_map_is_the_mean_of_the_classes_that_have_an_object():
    frame = mean_ap({"one": FOUND}, TRUTHS, ["a", "b", "c"], protocol="voc10", n=10)
    assert frame.columns.tolist() == COLUMNS and frame["system"].tolist() == ["one"]
    assert frame.loc[0, "mAP"] == pytest.approx(100 * 5 / 6 / 2)
    found, truths = drawn()
    frame = mean_ap({"one": found}, truths, range(9), 0.3, "course", n=10)
    assert frame.loc[0, "mAP"] == pytest.approx(
        classwise_ap(found, truths, 0.3, "course").mean()
    )
    frame = mean_ap({"one": found}, truths, range(9), n=10)
    assert frame.loc[0, "mAP"] == pytest.approx(classwise_ap(found, truths).mean())


def test_a_detector_gains_nothing_over_itself():
    found, truths = drawn()
    again = {name: {i: b.copy() for i, b in f.items()} for name, f in found.items()}
    frame = mean_ap({"one": found, "two": again}, truths, range(9), n=50)
    assert (frame.iloc[:, 4:] == 0).all(None)  # on every draw
    assert frame.loc[0, COLUMNS[1:]].equals(frame.loc[1, COLUMNS[1:]])
    assert frame.loc[0, "low"] < frame.loc[0, "mAP"] < frame.loc[0, "high"]


def test_gain_is_over_the_first_and_of_the_same_draws():
    """One finds a's object, the other all of them: it gains what the first lacks."""
    truths = {"cat": {"a": [OBJECT], "b": [OBJECT]}}
    one, all_of_them = (
        {"cat": {i: [strip(10)] for i in ids}} for ids in (["a"], ["a", "b"])
    )
    nothing = {"dog": {"a": [strip(10)]}}  # says nothing of cats
    systems = {"one": one, "all": all_of_them, "nothing": nothing}
    frame = mean_ap(systems, truths, ["a", "b"], protocol="voc10", n=200)
    assert frame["system"].tolist() == ["one", "all", "nothing"]
    rows = frame.set_index("system")
    assert rows.loc["one"].tolist() == [50, 0, 100, 0, 0, 0]  # b, b; a, a
    assert rows.loc["all"].tolist() == [100, 100, 100, 50, 0, 100]
    assert rows.loc["nothing"].tolist() == [0, 0, 0, -50, -100, 0]
    backwards = {"all": all_of_them, "one": one}
    rows = mean_ap(backwards, truths, ["a", "b"], protocol="voc10", n=200)
    assert rows.iloc[1].tolist() == ["one", 50, 0, 100, -50, -100, 0]


def test_a_draw_takes_all_classes_of_an_image():
    """With cats in a, dogs in b: a draw of a alone has a mean over cats alone."""
    truths = {"cat": {"a": [OBJECT], "b": []}, "dog": {"a": [], "b": [OBJECT]}}
    found = {"cat": {"a": [strip(10)]}}
    frame = mean_ap({"one": found}, truths, ["a", "b"], n=200)
    assert frame.loc[0, ["mAP", "low", "high"]].tolist() == [50, 0, 100]


def slowly(systems, truths, images, n, seed, level, protocol):
    """mAP of draws in which an image that is taken twice is there twice."""
    rng = np.random.default_rng(seed)
    values = {name: [] for name in systems}
    for _ in range(n):
        taken = [images[k] for k in rng.integers(len(images), size=len(images))]

        def copies(boxes, taken=taken):
            return {
                c: {(k, i): of[i] for k, i in enumerate(taken)}
                for c, of in boxes.items()
            }

        for name, found in systems.items():
            ap = classwise_ap(copies(found), copies(truths), 0.5, protocol)
            values[name].append(ap.mean())
    tails = [(1 - level) / 2, (1 + level) / 2]
    first = np.array(next(iter(values.values())))
    rows = [
        [*np.quantile(of, tails), *np.quantile(np.array(of) - first, tails)]
        for of in values.values()
    ]
    return pd.DataFrame(rows, columns=["low", "high", "gain low", "gain high"])


@pytest.mark.parametrize("protocol", ["voc07", "voc10"])
def test_intervals_are_those_of_images_drawn_again(protocol):
    found, truths = drawn(seed=1)
    others = drawn(seed=1)[0]
    others["cat"] = {i: b[:1] for i, b in others["cat"].items()}
    del others["bird"]
    systems, how = {"one": found, "two": others}, {"seed": 5, "level": 0.8}
    frame = mean_ap(systems, truths, range(9), protocol=protocol, n=25, **how)
    expected = slowly(systems, truths, range(9), 25, protocol=protocol, **how)
    np.testing.assert_allclose(frame[expected.columns], expected, atol=1e-9)


def test_seed_level_and_number_of_draws():
    found, truths = drawn(seed=2)
    of = {
        name: mean_ap({"one": found}, truths, range(9), **options).loc[0]
        for name, options in {
            "default": {},
            "same": {"n": 200, "seed": 0, "level": 0.95},
            "seed": {"seed": 1},
            "level": {"level": 0.5},
            "one": {"n": 1},
        }.items()
    }
    assert of["default"].equals(of["same"])
    assert not of["default"].equals(of["seed"])
    assert of["default"]["low"] < of["level"]["low"] < of["level"]["high"]
    assert of["level"]["high"] < of["default"]["high"]
    assert of["one"]["low"] == of["one"]["high"]
    assert len({row["mAP"] for row in of.values()}) == 1


def test_only_the_images_that_are_named_count():
    frame = mean_ap({"one": FOUND}, TRUTHS, ["a"], n=20)
    assert frame.loc[0, ["mAP", "low", "high"]].tolist() == [100, 100, 100]
    found, truths = drawn()
    some = [2, 5, 7]
    kept = [
        {c: {i: of[i] for i in some} for c, of in boxes.items()}
        for boxes in (found, truths)
    ]
    frame = mean_ap({"one": found}, truths, some, n=20)
    assert frame.loc[0, "mAP"] == pytest.approx(classwise_ap(*kept).mean())
    assert frame.equals(mean_ap({"one": kept[0]}, kept[1], some, n=20))


def test_draws_without_any_object_are_left_out():
    truths = {"cat": {"a": [OBJECT], "b": []}}
    found = {"cat": {"a": [strip(10)]}}
    with np.errstate(all="raise"):
        frame = mean_ap({"one": found, "two": {}}, truths, ["a", "b"], n=100)
    assert frame.iloc[0].tolist() == ["one", 100, 100, 100, 0, 0, 0]
    assert frame.iloc[1].tolist() == ["two", 0, 0, 0, -100, -100, -100]


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_nothing_to_find_has_no_map():
    truths = {name: TRUTHS[name] for name in ("bird", "bus")}
    frame = mean_ap({"one": FOUND}, truths, ["a", "b", "c"], n=5)
    assert frame.iloc[0, 1:].isna().all()
