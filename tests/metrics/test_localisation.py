"""MaxBoxAcc, PxAP, pointing game and CorLoc: made by hand, slowly, and by a peer."""

import time
import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from wslib.metrics.bootstrap import wilson
from wslib.metrics.localisation import corloc, max_box_acc, pointing_game, pxap
from wslib.metrics.overlap import box_iou

# Objects 10 x 10; "c" has none. A box of 10 x k inside one has IoU k / 10.
TRUTH = {"a": [[1, 1, 10, 10]], "b": [[1, 1, 10, 10], [31, 1, 40, 10]], "c": []}


def strip(k: int, x: int = 1, score: float = 1.0) -> list[float]:
    return [x, 1, x + 9, k, score]


SWEPT = {
    0.5: {"a": [strip(4)], "b": [strip(3)], "c": [strip(9)]},
    0.2: {"a": [strip(6), strip(2)], "b": [strip(1), strip(7, x=31, score=0.1)]},
    0.8: {"a": [strip(8)], "b": []},
}


def test_max_box_acc_by_hand():
    mean, frame = max_box_acc(SWEPT, TRUTH)
    assert frame.columns.tolist() == ["iou", "accuracy", "threshold"]
    assert frame["iou"].tolist() == [0.3, 0.5, 0.7]
    assert frame["accuracy"].tolist() == [100, 100, 50]
    assert frame["threshold"].tolist() == [0.2, 0.2, 0.2]  # the lowest of equals
    assert mean == pytest.approx(250 / 3)
    mean, frame = max_box_acc({t: SWEPT[t] for t in (0.5, 0.8)}, TRUTH, [0.4, 0.7])
    assert frame["accuracy"].tolist() == [50, 50]  # IoU 0.4 is enough for 0.4
    assert frame["threshold"].tolist() == [0.5, 0.8]
    assert mean == 50


def test_max_box_acc_takes_any_box_not_the_best_scored():
    both = {0.5: {"a": [strip(2, score=0.9), strip(9, score=0.1)]}}
    assert max_box_acc(both, {"a": TRUTH["a"]}, [0.5])[0] == 100
    assert corloc(both[0.5], {"a": TRUTH["a"]}).value == 0


def test_max_box_acc_is_the_same_without_scores_and_without_dictionary_order():
    bare = {
        t: {i: np.array(b, float).reshape(-1, 5)[:, :4] for i, b in found.items()}
        for t, found in reversed(SWEPT.items())
    }
    (mean, frame), (expected, other) = (
        max_box_acc(bare, TRUTH),
        max_box_acc(SWEPT, TRUTH),
    )
    assert mean == expected and frame.equals(other)


@pytest.mark.parametrize("seed", range(5))
def test_max_box_acc_slowly(seed):
    random = np.random.default_rng(seed)

    def boxes(count):
        low = random.integers(1, 30, (count, 2))
        return np.hstack([low, low + random.integers(0, [60, 20], (count, 2))])

    truth = {i: boxes(random.integers(0, 3)) for i in range(20)}
    swept = {
        t: {i: boxes(random.integers(0, 4)) for i in range(20)} for t in (0.1, 0.4, 0.7)
    }
    held = [i for i in truth if len(truth[i])]
    expected = []
    for delta in (0.3, 0.5, 0.7):
        shares = []
        for found in swept.values():
            right = [
                any(
                    box_iou(a, b, 1) >= delta
                    for a in found[i].tolist()
                    for b in truth[i].tolist()
                )
                for i in held
            ]
            shares.append(100 * sum(right) / len(held))
        expected.append(max(shares))
    mean, frame = max_box_acc(swept, truth)
    assert frame["accuracy"].tolist() == pytest.approx(expected)
    assert mean == pytest.approx(sum(expected) / 3)


def test_pxap_by_hand():
    maps = [np.array([[0.9, 0.2, 0.6], [0.0, 0.6, 0.4]])]
    masks = [np.array([[1, 0, 1], [0, 0, 1]], bool)]
    expected = (1 + 2 / 3 + 3 / 4) / 3  # at 0.9; two equal ones at 0.6; at 0.4
    assert pxap(maps, masks) == pytest.approx(expected)
    void = [np.array([[0, 0, 0], [0, 1, 0]], bool)]
    assert pxap(maps, masks, void) == 1
    assert pxap(maps, masks, [None]) == pytest.approx(expected)
    assert pxap(maps, [~masks[0]]) < 0.5
    assert pxap([np.zeros((2, 3))], masks) == 0.5  # one tie: the share of the object


def test_pxap_is_one_ranking_over_images():
    """Each image alone is perfect; together the second one's object comes last."""
    maps = [np.array([[1.0, 0.8]]), np.array([[0.4, 0.2]])]
    masks = [np.array([[True, False]])] * 2
    assert [pxap([m], [t]) for m, t in zip(maps, masks, strict=True)] == [1, 1]
    assert pxap(maps, masks) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pxap_agrees_with_scikit_learn(seed, dtype):
    random = np.random.default_rng(seed)
    shapes = [(7, 13), (30, 20), (1, 5)]
    maps = [(random.integers(0, 1001, s) / 1000).astype(dtype) for s in shapes]
    masks = [random.random(s) < m / 2 for s, m in zip(shapes, maps, strict=True)]
    void = [random.random(s) < 0.1 for s in shapes]
    flat = [np.concatenate([a.ravel() for a in arrays]) for arrays in (maps, masks)]
    assert pxap(maps, masks) == pytest.approx(average_precision_score(*flat[::-1]))
    kept = ~np.concatenate([v.ravel() for v in void])
    expected = average_precision_score(flat[1][kept], flat[0][kept])
    assert pxap(iter(maps), iter(masks), iter(void)) == pytest.approx(expected)


def test_pxap_of_values_between_the_levels_is_near():
    random = np.random.default_rng(0)
    values = random.random((100, 200))
    mask = random.random(values.shape) < values
    exact = average_precision_score(mask.ravel(), values.ravel())
    assert pxap([values], [mask]) == pytest.approx(exact, abs=1e-3)


def test_pxap_holds_no_pixels_and_is_quick():
    """500 images would be 750 MB of numbers to sort."""
    random = np.random.default_rng(0)
    values = random.random((375, 500), np.float32)
    mask = values > 0.6
    start = time.perf_counter()
    tracemalloc.start()
    pxap((values for _ in range(100)), (mask for _ in range(100)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    assert time.perf_counter() - start < 5  # 0.5 s where this was written


def test_pxap_of_nothing_is_nan():
    assert np.isnan(pxap([], []))
    assert np.isnan(pxap([np.ones((2, 3))], [np.zeros((2, 3), bool)]))


def test_pointing_game_by_hand():
    """A flat box: what lies on it lies beside it with x and y swapped."""
    truth = {"a": [[101, 11, 200, 20]]}
    for (x, y), hit in {
        (100, 10): 1,  # 0-based: the first pixel of the box
        (199, 19): 1,  # the last one
        (99, 10): 0,
        (100, 9): 0,
        (200, 19): 0,
        (199, 20): 0,
        (10, 100): 0,
        (15, 150): 0,
    }.items():
        assert pointing_game({"a": (x, y)}, truth, 0).value == hit
    for (x, y), hit in {
        (85, 34): 1,
        (84, 34): 0,
        (85, 35): 0,
        (214, -5): 1,
        (215, 0): 0,
    }.items():
        assert pointing_game({"a": (x, y)}, truth).value == hit
    both = {"a": [[1, 1, 5, 5], [101, 11, 200, 20]]}
    assert pointing_game({"a": np.array([150, 15])}, both).value == 1


def test_pointing_game_counts_the_images_of_the_class():
    points = {"a": (5, 5), "c": (5, 5), "e": (5, 5)}  # "b": no peak, missed
    assert pointing_game(points, TRUTH) == wilson(1, 2)
    assert pointing_game({}, TRUTH) == wilson(0, 2)


def test_corloc_by_hand():
    found = {
        "a": [strip(9, score=0.2), strip(5, score=0.9)],  # first: IoU 0.5
        "b": [strip(4, score=0.9), strip(9, x=31, score=0.8)],
        "c": [strip(9)],
    }
    assert corloc(found, TRUTH) == wilson(1, 2)
    assert corloc(found, TRUTH, strict=True) == wilson(0, 2)
    assert corloc(found, TRUTH, 0.4) == wilson(2, 2)
    assert corloc(found, TRUTH, 0.51) == wilson(0, 2)
    tied = {"a": [strip(9, score=0.5), strip(1, score=0.5)]}
    assert corloc(tied, TRUTH) == wilson(1, 2)
    assert corloc({"a": tied["a"][::-1]}, TRUTH) == wilson(0, 2)
    assert corloc({}, TRUTH) == corloc({"x": tied["a"]}, TRUTH) == wilson(0, 2)


def test_pixel_is_added_or_not():
    """Edges 4 wide of 9: 0.44. As pixels 5 of 10: 0.5."""
    truth, found = {"a": [[1, 1, 10, 10]]}, {"a": [strip(5)]}
    assert corloc(found, truth, pixel=1).value == 1
    assert corloc(found, truth, pixel=0).value == 0
    assert max_box_acc({0.5: found}, truth, [0.5], pixel=1)[0] == 100
    assert max_box_acc({0.5: found}, truth, [0.5], pixel=0)[0] == 0


def test_swapped_x_and_y_are_wrong():
    truth, found = {"a": [[1, 1, 100, 20]]}, {"a": [[1, 1, 20, 100, 1.0]]}
    assert corloc(found, truth, 0.3).value == 0
    assert max_box_acc({0.5: found}, truth)[0] == 0
    wide = np.zeros((2, 5), bool)
    wide[0] = True
    with pytest.raises(ValueError, match=r"masks\[0\]: shape \(2, 5\).*\(5, 2\)"):
        pxap([np.ones((5, 2))], [wide])


def test_difficult_objects_are_objects():
    truth = {"a": [[1, 1, 10, 10, 1]]}
    assert corloc({"a": [strip(9)]}, truth).value == 1
    assert pointing_game({"a": (5, 5)}, truth).value == 1
    assert max_box_acc({0.5: {"a": [strip(9)]}}, truth)[0] == 100


ONE, MASK = np.ones((2, 3)), np.ones((2, 3), bool)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: max_box_acc({}, TRUTH), "no thresholds"),
        (lambda: max_box_acc(SWEPT, TRUTH, []), "no thresholds"),
        (lambda: max_box_acc(SWEPT, {"c": []}), "ground_truth: no image has a box"),
        (lambda: max_box_acc(SWEPT, TRUTH, [50]), "IoU threshold 50"),
        (
            lambda: max_box_acc({0.5: {"a": [[1, 1, 2, np.nan]]}}, TRUTH),
            r"detections\['a'\], row 0: .*nan.*finite",
        ),
        (lambda: max_box_acc({0.5: {"a": [1, 1, 2, 2]}}, TRUTH), r"shape \(4,\)"),
        (lambda: max_box_acc(SWEPT, TRUTH, pixel=2), "pixel 2"),
        (lambda: corloc({}, {}), "ground_truth: no image has a box"),
        (lambda: corloc({}, TRUTH, 0), "IoU threshold 0"),
        (lambda: corloc({"a": [strip(4, score=np.nan)]}, TRUTH), "nan.*finite"),
        (lambda: corloc({}, {"7": [[5, 1, 2, 2]]}), r"ground_truth\['7'\], row 0"),
        (lambda: pointing_game({}, {"c": []}), "no image has a box"),
        (lambda: pointing_game({"a": (1, np.nan)}, TRUTH), r"points\['a'\]: .*nan"),
        (lambda: pointing_game({"a": (1, 2, 3)}, TRUTH), r"points\['a'\]: \[1.0, 2.0"),
        (lambda: pointing_game({}, TRUTH, -1), "tolerance -1"),
        (lambda: pointing_game({}, {"a": [[1, 2, 3]]}), r"ground_truth\['a'\]: shape"),
        (lambda: pxap([ONE], [MASK, MASK]), "maps: no number 1"),
        (lambda: pxap([ONE, ONE], [MASK]), "masks: no number 1"),
        (lambda: pxap([ONE], [MASK.astype(int)]), r"masks\[0\]: int64, expected bool"),
        (lambda: pxap([ONE], [MASK], [MASK.T]), r"ignore\[0\]: shape \(3, 2\)"),
        (lambda: pxap([ONE[0]], [MASK[0]]), r"masks\[0\]: shape \(3,\)"),
        (lambda: pxap([ONE, 2 * ONE], [MASK] * 2), r"maps\[1\]: from 2.0 to 2.0"),
        (lambda: pxap([ONE * np.nan], [MASK]), r"maps\[0\]: from nan"),
        (lambda: pxap([ONE], [MASK], levels=1), "levels 1"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
