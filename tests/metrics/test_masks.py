"""Measures of points and masks: known answers, and two other libraries."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.metrics import jaccard_score

from wslib.metrics.bootstrap import mean_interval, wilson
from wslib.metrics.masks import (
    centre_of_mass,
    compare,
    distance,
    hit_rate,
    is_good,
    measure_masks,
    paired,
    relative_distance,
    summarise,
)
from wslib.metrics.overlap import mask_iou


def draw(*lines: str) -> np.ndarray:
    """A mask: # is the object."""
    return np.array([[c == "#" for c in line] for line in lines])


WIDE = draw("........", ".....##.", ".....##.")  # 8 x 3, centre 5.5, 1.5


def answer(points, labels, masks, scores, box=None):
    prompt = SimpleNamespace(points=np.array(points), labels=np.array(labels), box=box)
    masks, scores = np.array(masks), np.array(scores)
    return SimpleNamespace(
        prompt=prompt, masks=masks, scores=scores, best=int(scores.argmax())
    )


def test_iou_by_hand():
    a, b = draw("##..", "##.."), draw(".##.", ".##.")
    assert mask_iou(a, b) == 2 / 6
    assert mask_iou(a, a) == 1 and mask_iou(a, ~a) == 0
    assert mask_iou(a & ~a, a) == 0
    assert mask_iou(a & ~a, a & ~a) == 1  # nothing found where nothing is
    assert mask_iou(np.array([a, b, a & b]), a).tolist() == [1, 1 / 3, 0.5]
    assert mask_iou(np.array([a, b])[:, None], np.array([a, b])).shape == (2, 2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 9999))
def test_iou_is_scikit_learns_jaccard_score(seed):
    a, b = np.random.default_rng(seed).random((2, 5, 7)) < 0.4
    if (a | b).any():
        assert mask_iou(a, b) == pytest.approx(jaccard_score(a.ravel(), b.ravel()))
    assert mask_iou(a, b) == mask_iou(b, a) == mask_iou(a.T, b.T)


def test_exactly_0_65_is_good():
    truth, found = np.zeros((2, 4, 5), bool)
    truth[:], found.flat[:13] = True, True
    assert is_good(mask_iou(found, truth)) and mask_iou(found, truth) == 13 / 20
    assert 0.3 + 0.35 < 0.65 and is_good(0.3 + 0.35)
    assert is_good(np.nextafter(0.65, 0)) and not is_good(0.6499999)
    for k in range(1, 200):
        assert is_good(13 * k / (20 * k)) and is_good(1 - 7 * k / (20 * k))
        assert not is_good((13 * k - 1) / (20 * k))
    frame = measure_masks([answer([[0, 0]], [1], [found], [0.9])], [truth], ["a"])
    assert frame["good"].tolist() == [1]


def test_centre_of_mass_is_scipys_with_x_first():
    assert centre_of_mass(WIDE).tolist() == [5.5, 1.5]
    mask = np.random.default_rng(0).random((9, 14)) < 0.3
    y, x = ndimage.center_of_mass(mask)
    np.testing.assert_allclose(centre_of_mass(mask), [x, y])
    assert np.isnan(centre_of_mass(np.zeros((3, 4), bool))).all()


def test_the_centre_of_a_c_is_outside_of_it():
    c = draw("####", "#...", "#...", "####")
    assert hit_rate([centre_of_mass(c)], c) == 0
    assert distance([centre_of_mass(c)], c) == 0


def test_hits_of_x_and_y_not_of_y_and_x():
    assert hit_rate([[5, 1]], WIDE) == 1
    assert hit_rate([[1, 5]], WIDE) == 0  # not even in the picture
    assert hit_rate([[5, 1], [6, 2], [4, 1], [5, 0]], WIDE) == 0.5
    assert np.isnan(hit_rate([], WIDE)) and np.isnan(hit_rate(np.zeros((0, 2)), WIDE))


def test_a_point_belongs_to_the_nearest_pixel():
    inside = [[4.5, 0.5], [6.49, 2.49]]
    outside = [[4.49, 1], [6.5, 1], [5, 0.49], [5, 2.5]]
    assert [hit_rate([p], WIDE) for p in inside] == [1, 1]
    assert [hit_rate([p], WIDE) for p in outside] == [0] * 4


def test_points_outside_of_the_picture_miss_what_is_at_its_other_side():
    everywhere = np.ones((3, 8), bool)
    for point in ([-1, 0], [0, -1], [8, 0], [0, 3], [-0.51, 1], [7.5, 1]):
        assert hit_rate([point], everywhere) == 0
    assert hit_rate([[-0.5, -0.5], [7.49, 2.49]], everywhere) == 1


def test_distances():
    assert distance([[5.5, 1.5]], WIDE) == 0
    assert distance([[2.5, 5.5], [5.5, 1.5]], WIDE) == 2.5  # 3-4-5, and 0
    assert relative_distance([[2.5, 5.5]], WIDE) == 2.5  # the size is 2 pixels
    doubled = WIDE.repeat(2, 0).repeat(2, 1)
    centre = centre_of_mass(doubled)
    assert distance([centre + (6, 8)], doubled) == pytest.approx(10)
    assert relative_distance([centre + (6, 8)], doubled) == pytest.approx(2.5)
    for measure in (distance, relative_distance):
        assert np.isnan(measure([], WIDE)) and np.isnan(measure([[1, 1]], WIDE & False))


def test_an_image_is_a_row():
    half = WIDE & (np.arange(8) < 6)
    found = [
        answer([[5, 1], [0, 0]], [1, 0], [half, WIDE, ~WIDE], [0.9, 0.4, 0.1]),
        answer([[5, 1], [0, 1], [6, 2], [7, 2]], [1, 1, 0, 0], [WIDE], [0.8]),
        answer(np.zeros((0, 2)), [], [half], [0.6], box=np.array([5, 1, 7, 3])),
        answer(np.zeros((0, 2)), [], [WIDE & False], [0.0]),
    ]
    frame = measure_masks(found, [WIDE] * 4, ["a", "b", "c", "d"]).set_index("id")
    nan = np.nan
    np.testing.assert_array_equal(frame["hit"], [1, 0.5, nan, 0])  # d is missed
    np.testing.assert_array_equal(frame["clear"], [1, 0.5, nan, nan])
    root = 0.5**0.5
    far = [root, (root + (5.5**2 + 0.5**2) ** 0.5) / 2, nan, nan]
    np.testing.assert_allclose(frame["distance"], far)
    np.testing.assert_allclose(frame["relative_distance"], np.array(far) / 2)
    assert frame["iou"].tolist() == [0.5, 1, 0.5, 0]
    assert frame["good"].tolist() == [0, 1, 0, 0]
    assert frame["oracle_iou"].tolist() == [1, 1, 0.5, 0]
    assert frame["score"].tolist() == [0.9, 0.8, 0.6, 0]
    assert measure_masks([], [], []).columns[0] == "id"


def images(seed: int, count: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.random((count, 3)), columns=["hit", "iou", "score"])
    frame["distance"] = random.exponential(5, count)
    frame["relative_distance"] = frame["distance"] / 15
    frame["good"] = is_good(frame["iou"]).astype(float)
    frame["oracle_iou"] = frame["iou"] ** 0.5
    return frame.assign(id=np.arange(count))


def test_a_set_has_means_with_intervals():
    frame = images(0)
    summary = summarise(frame, n=200, seed=4).set_index("measure")
    assert summary.index.tolist() == [
        "hit rate", "distance", "relative distance", "IoU", "IoU >= 0.65",
        "IoU of the best mask",
    ]  # fmt: skip
    assert summary.loc["IoU", "value"] == pytest.approx(frame["iou"].mean())
    assert (summary["low"] < summary["value"]).all()
    assert (summary["value"] < summary["high"]).all()
    good = int(frame["good"].sum())
    assert tuple(summary.loc["IoU >= 0.65"]) == wilson(good, 60)
    again = summarise(frame, n=200, seed=4).set_index("measure")
    pd.testing.assert_frame_equal(summary, again)
    other = summarise(frame, n=200, seed=5).set_index("measure")
    assert summary.loc["IoU", "low"] != other.loc["IoU", "low"]


def test_all_hits_are_no_certainty():
    frame = images(0, 50).assign(hit=1.0)
    hit = summarise(frame).set_index("measure").loc["hit rate"]
    assert hit["value"] == hit["high"] == 1 and 0.9 < hit["low"] < 0.95


def test_pictures_of_one_photograph_are_drawn_together():
    frame = images(0).assign(photograph=np.arange(60) // 20)
    summary = summarise(frame, n=200, seed=4).set_index("measure")
    for column, measure in (("iou", "IoU"), ("good", "IoU >= 0.65")):
        expected = mean_interval(frame[column], 200, 4, groups=frame["photograph"])
        assert tuple(summary.loc[measure]) == expected
    better = frame.assign(iou=frame["iou"] + np.arange(60) // 20)
    gap = paired(better.sample(frac=1, random_state=0), frame, n=200)
    assert (gap.value, gap.low, gap.high) == pytest.approx((1, 0, 2))


def test_what_is_not_there_is_left_out():
    frame = images(0)
    frame.loc[:9, "distance"] = np.nan
    frame["hit"] = np.nan
    summary = summarise(frame).set_index("measure")
    assert summary.loc["hit rate"].isna().all()
    known = summarise(frame[10:]).set_index("measure")
    assert (summary.loc["distance"] == known.loc["distance"]).all()


def test_several_sets_side_by_side():
    frames = {"points": images(0), "points and box": images(1, 40)}
    table = compare(frames, n=100, seed=2, level=0.9)
    assert table.index.tolist() == list(frames)
    measures = summarise(images(0), 100)["measure"].tolist()
    assert table.columns.tolist() == [
        column for m in measures for column in (m, f"{m} low", f"{m} high")
    ]
    for name, frame in frames.items():
        alone = summarise(frame, n=100, seed=2, level=0.9).set_index("measure")
        for measure in measures:
            bounds = [f"{measure}{end}" for end in ("", " low", " high")]
            assert table.loc[name, bounds].tolist() == alone.loc[measure].tolist()
    turned = compare(dict(reversed(frames.items())), 100, 2, 0.9)
    pd.testing.assert_frame_equal(turned.loc[list(frames)], table)
    assert (table.to_numpy() != compare(frames, 100, 3, 0.9).to_numpy()).any()


def test_a_set_without_a_measure_beside_one_with_it():
    """A box has no point: nothing hits, nothing is far; the others are as they were."""
    nowhere = images(1).assign(hit=np.nan, distance=np.nan, relative_distance=np.nan)
    table = compare({"box": nowhere, "point": images(0)})
    assert table.loc["box", ["hit rate", "hit rate low", "distance"]].isna().all()
    assert table.loc["point"].notna().all()
    assert table.loc["box", "IoU"] == pytest.approx(nowhere["iou"].mean())
    assert compare({}).empty


def test_pairs_cancel_what_is_hard_for_both():
    frame = images(1)
    noise = np.random.default_rng(0).normal(0, 0.01, 60)
    better = frame.assign(iou=frame["iou"] + 0.05 + noise)[::-1]  # in another order
    gap = paired(better, frame)
    assert 0.04 < gap.low < gap.value < gap.high < 0.06
    back = paired(frame, better)
    assert back.value == pytest.approx(-gap.value) and back.high < 0
    assert tuple(paired(frame, frame, "distance")) == (0, 0, 0)
    assert tuple(paired(frame, frame, "good")) == (0, 0, 0)
    frame.loc[0, "iou"] = np.nan
    assert paired(better, frame).value == pytest.approx(0.05 + noise[1:].mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mask_iou(WIDE, WIDE.T), r"masks \(3, 8\) and \(8, 3\): expected the"),
        (lambda: mask_iou(WIDE, WIDE.astype(int)), r"\(3, 8\), int64: expected"),
        (lambda: mask_iou(WIDE[0], WIDE[0]), r"mask of shape \(8,\)"),
        (lambda: centre_of_mass(WIDE[None]), r"mask of shape \(1, 3, 8\)"),
        (lambda: hit_rate([[5, np.nan]], WIDE), r"points \[\[5.0, nan\]\]"),
        (lambda: hit_rate([5, 1], WIDE), r"points \[5.0, 1.0\]: expected finite"),
        (lambda: distance(np.zeros((3, 3)), WIDE), r"points shape \(3, 3\)"),
        (lambda: measure_masks([], [WIDE], []), "0 answers, 1 masks, 0 ids"),
        (lambda: summarise(images(0, 0)), "0 images, n = 1000"),
        (lambda: compare({"none": images(0, 0)}), "0 images, n = 1000"),
        (lambda: summarise(images(0), n=0), "60 images, n = 0"),
        (lambda: paired(images(0), images(0), level=1), "level 1: expected"),
        (lambda: paired(images(0), images(0, 59)), "id 59 is in one frame only"),
        (lambda: paired(images(0).assign(id=3), images(0)), "frame: id 3 stands twice"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
