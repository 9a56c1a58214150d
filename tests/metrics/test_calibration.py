"""Expected against measured IoU: known answers."""

from types import SimpleNamespace

import numpy as np
import pytest

from wslib.metrics.masks import calibration, every_mask


def test_calibration_by_hand():
    gap, frame = calibration([0.1, 0.2, 0.9, 1.0, 1.2], [0.2, 0.2, 0.9, 0.7, 0.5], 4)
    assert frame[["low", "high", "count"]].to_numpy().tolist() == [
        [0, 0.25, 2], [0.75, 1, 3]
    ]  # fmt: skip
    np.testing.assert_allclose(frame["score"], [0.15, 3.1 / 3])
    np.testing.assert_allclose(frame["iou"], [0.2, 0.7])
    assert gap == pytest.approx((2 * 0.05 + 3 * (3.1 / 3 - 0.7)) / 5)
    exact = np.random.default_rng(0).random(99)
    assert calibration(exact, exact)[0] == pytest.approx(0)
    assert calibration([-0.5, 0.5], [0, 0.5], 2)[1]["count"].tolist() == [1, 1]


def test_every_mask_of_all_answers_counts():
    left, right = np.zeros((2, 4), bool), np.zeros((2, 4), bool)
    left[:, :2], right[:, 2:] = True, True
    first = SimpleNamespace(masks=np.stack([left, left | right]), scores=[0.9, 0.4])
    other = SimpleNamespace(masks=right[None], scores=[0.2])
    scores, ious = every_mask([first, other], [left, left])
    np.testing.assert_allclose(scores, [0.9, 0.4, 0.2])
    np.testing.assert_allclose(ious, [1, 0.5, 0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: calibration([0.5], [0.5, 0.6]), r"scores \(1,\) and ious \(2,\)"),
        (lambda: calibration([], []), r"scores \(0,\)"),
        (lambda: calibration([np.nan], [0.5]), "all finite"),
        (lambda: calibration([0.5], [0.5], 0), "bins 0"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
