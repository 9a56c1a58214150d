"""Average precision and recall of classes, beside two libraries."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, recall_score

from wslib.metrics.classification import (
    average_precision,
    mean_average_precision,
    mean_recall,
)


def random_case(seed: int, size=(200, 5)) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 30, size) / 30  # many ties
    return scores, (random.random(size) < scores / 2).astype(int)


def test_known_answers():
    scores, labels = [0.9, 0.8, 0.7, 0.6], [0, 1, 1, 0]
    assert average_precision(scores, labels) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert average_precision([0.1, 0.9], [0, 1]) == 1
    assert average_precision([0.5, 0.5], [0, 1]) == 0.5  # a tie, in either order
    assert average_precision([0.5, 0.5], [1, 0]) == 0.5


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_scikit_learn(seed):
    scores, labels = random_case(seed)
    mean, each = mean_average_precision(scores, labels)
    expected = average_precision_score(labels, scores, average=None)
    np.testing.assert_allclose(each, expected)
    assert mean == pytest.approx(expected.mean())


@pytest.mark.parametrize("seed", range(5))
def test_left_out_labels_agree_with_torchmetrics(seed):
    functional = pytest.importorskip("torchmetrics.functional.classification")
    torch = pytest.importorskip("torch")
    scores, labels = random_case(seed)
    labels[np.random.default_rng(seed).random(labels.shape) < 0.2] = -1
    _, each = mean_average_precision(scores, labels)
    expected = functional.multilabel_average_precision(
        torch.tensor(scores), torch.tensor(labels), 5, average=None, ignore_index=-1
    )
    np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_order_does_not_matter():
    scores, labels = random_case(0)
    order = np.random.default_rng(1).permutation(len(scores))
    again = mean_average_precision(scores[order], labels[order])[1]
    np.testing.assert_array_equal(again, mean_average_precision(scores, labels)[1])


def test_left_out_rows_change_nothing():
    scores, labels = [0.9, 0.8, 0.7, 0.6], [-1, 1, -1, 0]
    assert average_precision(scores, labels) == average_precision([0.8, 0.6], [1, 0])


def test_classes_without_positives():
    scores, labels = np.full((4, 3), 0.5), np.zeros((4, 3), int)
    labels[:2, 0], labels[:, 1] = 1, -1
    mean, each = mean_average_precision(scores, labels)
    assert mean == 0.5 and np.isnan(each[1:]).all()
    mean, each = mean_average_precision(scores, labels * 0)
    assert np.isnan(mean) and each.shape == (3,)
    assert np.isnan(average_precision([], []))


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1], [1, 0], r"scores \(1,\) and labels \(2,\): expected both \(N,\)"),
        ([[0.1]], [[1]], r"expected both \(N,\)"),
        ([0.1, np.nan], [1, 0], r"scores\[1\]: nan is not finite"),
        ([0.1, 0.2], [1, 2], "label 2: expected 1, 0 or -1"),
        ([0.1, 0.2], [1, 0.5], "label 0.5"),
    ],
)
def test_errors(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        average_precision(scores, labels)


def test_errors_of_many_classes():
    with pytest.raises(ValueError, match=r"expected both \(N, C\)"):
        mean_average_precision([0.1], [1])
    with pytest.raises(ValueError, match=r"scores\[0, 1\]: inf"):
        mean_average_precision([[0.1, np.inf]], [[1, 0]])


def test_recall_by_hand():
    scores = [[0.9, 0.4, 0.6], [0.5, 0.6, 0.6], [0.4, 0.1, 0.6]]
    labels = [[1, 1, 0], [1, 1, 1], [1, 0, -1]]
    mean, each = mean_recall(scores, labels)
    np.testing.assert_allclose(each, [2 / 3, 1 / 2, 1])  # a score of 0.5 counts
    assert mean == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert mean_recall(scores, labels, 0.55)[1].tolist() == pytest.approx(
        [1 / 3, 0.5, 1]
    )
    assert mean_recall(scores, labels, 0.9)[1].tolist() == pytest.approx([1 / 3, 0, 0])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_recall_agrees_with_scikit_learn(seed, threshold):
    scores, labels = random_case(seed)
    mean, each = mean_recall(scores, labels, threshold)
    expected = recall_score(labels, scores >= threshold, average=None)
    np.testing.assert_allclose(each, expected)
    assert mean == pytest.approx(expected.mean())


def test_recall_of_labels_that_are_left_out():
    scores = [[0.9], [0.1], [0.9], [0.1]]
    assert mean_recall(scores, [[-1], [-1], [1], [0]])[0] == 1
    assert mean_recall(scores, [[-1], [1], [-1], [0]])[0] == 0


def test_recall_of_absent_classes_and_of_nothing_predicted():
    scores, labels = np.full((4, 3), 0.5), np.zeros((4, 3), int)
    labels[:2, 0], labels[:, 1] = 1, -1
    mean, each = mean_recall(scores, labels)
    assert mean == 1 and each[0] == 1 and np.isnan(each[1:]).all()
    mean, each = mean_recall(scores * 0, labels)  # nothing predicted
    assert mean == 0 and each[0] == 0 and np.isnan(each[1:]).all()
    with np.errstate(all="raise"):
        mean, each = mean_recall(scores, labels * 0)
    assert np.isnan(mean) and np.isnan(each).all() and each.shape == (3,)
    mean, each = mean_recall(np.zeros((0, 2)), np.zeros((0, 2)))
    assert np.isnan(mean) and each.shape == (2,)


def test_errors_of_recall():
    with pytest.raises(ValueError, match=r"expected both \(N, C\)"):
        mean_recall([0.1], [1])
    with pytest.raises(ValueError, match=r"scores\[0, 1\]: nan is not finite"):
        mean_recall([[0.1, np.nan]], [[1, 0]])
    with pytest.raises(ValueError, match="label 2: expected 1, 0 or -1"):
        mean_recall([[0.1, 0.2]], [[1, 2]])
