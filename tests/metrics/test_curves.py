"""The area below a precision-recall curve, and where eleven points go wrong."""

import numpy as np
import pytest

from wslib.metrics.curves import average_precision_from_curve, curve


def test_all_points_is_the_area_below_the_envelope():
    recall, precision = [0.25, 0.25, 0.5, 0.75], [1.0, 0.5, 2 / 3, 0.75]
    expected = 0.25 * 1 + 0.5 * 0.75  # the best to the right: 0.75 from 0.25 to 0.75
    assert average_precision_from_curve(recall, precision) == pytest.approx(expected)


def test_eleven_points():
    recall, precision = [0.25, 0.25, 0.5, 0.75], [1.0, 0.5, 2 / 3, 0.75]
    expected = (3 * 1 + 5 * 0.75) / 11  # r = 0, .1, .2; .3 to .7; nothing at .8 to 1
    ap = average_precision_from_curve(recall, precision, 11)
    assert ap == pytest.approx(expected)


@pytest.mark.parametrize("tenths", [3, 5, 6, 7])
def test_recall_on_a_level_counts_for_that_level(tenths):
    found, positives = 2 * tenths, 20
    recall = np.arange(1, found + 1) / positives
    ap = average_precision_from_curve(recall, np.ones(found), 11)
    assert ap == pytest.approx((tenths + 1) / 11)
    levels = np.arange(0, 1.1, 0.1)  # the well-known mistake: 3 * 0.1 > 0.3
    naive = np.mean([(recall >= level).any() for level in levels])
    assert (naive < ap - 0.05) == (tenths != 5)


@pytest.mark.parametrize("points", [11, "all"])
def test_the_ends(points):
    assert average_precision_from_curve([], [], points) == 0
    assert average_precision_from_curve([1.0], [1.0], points) == pytest.approx(1)
    assert average_precision_from_curve([0.0], [0.0], points) == 0
    assert np.isnan(average_precision_from_curve([np.nan], [1.0], points))


def test_errors():
    with pytest.raises(ValueError, match="rising order"):
        average_precision_from_curve([0.5, 0.2], [1, 1])
    with pytest.raises(ValueError, match=r"recall \(2,\) and precision \(1,\)"):
        average_precision_from_curve([0.5, 0.6], [1])
    with pytest.raises(ValueError, match="points 101"):
        average_precision_from_curve([0.5], [1], 101)


def test_equal_scores_give_one_point_or_one_each():
    scores, correct = [0.9, 0.5, 0.5, 0.1], [1, 0, 1, 0]
    recall, precision, at = curve(scores, correct, 4)
    np.testing.assert_allclose(recall, [1 / 4, 2 / 4, 2 / 4])
    np.testing.assert_allclose(precision, [1, 2 / 3, 2 / 4])
    assert at.tolist() == [0.9, 0.5, 0.1]
    recall, precision, _ = curve(scores, correct, 4, grouped=False)
    np.testing.assert_allclose(precision, [1, 1 / 2, 2 / 3, 2 / 4])


def test_weights_repeat_rows():
    scores, correct = np.array([0.9, 0.5, 0.5, 0.1]), np.array([1, 0, 1, 1])
    weights = np.array([0, 2, 1, 3])
    repeated = curve(np.repeat(scores, weights), np.repeat(correct, weights), 9)
    for a, b in zip(curve(scores, correct, 9, weights), repeated, strict=True):
        np.testing.assert_allclose(a, b)


def test_nothing_to_find_has_no_recall():
    recall, precision, _ = curve([0.5], [0], 0)
    assert np.isnan(recall).all() and precision.tolist() == [0]
