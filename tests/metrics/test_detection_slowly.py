"""Detection measures once more, slowly and obviously, in exact fractions."""

from fractions import Fraction
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wslib.metrics.detection import PROTOCOLS, Protocol, evaluate

COCO_LIKE = Protocol("coco-like", 11, "count", pixel=0)
ALL = [*PROTOCOLS.values(), COCO_LIKE]


def slow_iou(a, b, pixel) -> Fraction:
    width = min(a[2], b[2]) - max(a[0], b[0]) + pixel
    height = min(a[3], b[3]) - max(a[1], b[1]) + pixel
    areas = [(c[2] - c[0] + pixel) * (c[3] - c[1] + pixel) for c in (a, b)]
    if width <= 0 or height <= 0:
        return Fraction(0)
    return Fraction(width * height, sum(areas) - width * height)


def slow_best(box, objects, protocol):
    """Number and IoU of the object that a detection belongs to."""
    ranked = []
    for k, (*corners, difficult) in enumerate(objects):
        iou = slow_iou(box, corners, protocol.pixel)
        counts = not difficult or protocol.difficult == "count"
        place = (not counts, *corners) if protocol.ties == "group" else (k,)
        ranked.append((-iou, place, k))
    return (min(ranked)[2], -min(ranked)[0]) if ranked else (None, Fraction(0))


def slow_rows(detections, truth, threshold, protocol):
    """(score, right or not) of every detection that counts, in order."""
    rows = [(-box[4], i, box) for i, boxes in detections.items() for box in boxes]
    taken, result = set(), []
    for score, i, box in sorted(rows, key=lambda row: row[0]):
        k, iou = slow_best(box[:4], truth.get(i, []), protocol)
        if iou == 0 or not (
            iou > threshold or (iou == threshold and not protocol.strict)
        ):
            result.append((score, False))
        elif protocol.difficult == "count" or not truth[i][k][4]:
            result.append((score, (i, k) not in taken))
            taken.add((i, k))
    return result


def slow_evaluate(detections, truth, threshold, protocol):
    """AP and recall as fractions: for each level of recall the best precision there."""
    rows = slow_rows(detections, truth, threshold, protocol)
    objects = [o for objects in truth.values() for o in objects]
    positives = sum(protocol.difficult == "count" or not o[4] for o in objects)
    if not positives:
        return None
    points = [(Fraction(0), Fraction(0))]
    for k in range(1, len(rows) + 1):
        tied = k < len(rows) and rows[k][0] == rows[k - 1][0]
        if not (tied and protocol.ties == "group"):
            right = sum(correct for _, correct in rows[:k])
            points.append((Fraction(right, positives), Fraction(right, k)))
    if protocol.points == 11:
        levels = [Fraction(i, 10) for i in range(11)]
    else:
        levels = [Fraction(i, positives) for i in range(1, positives + 1)]
    best = [max([p for r, p in points if r >= level], default=0) for level in levels]
    return sum(best) / len(levels), points[-1][0]


corner = st.tuples(*[st.integers(1, 4)] * 2, *[st.integers(0, 4)] * 2)
box = corner.map(lambda c: (c[0], c[1], c[0] + c[2], c[1] + c[3]))
detected = st.tuples(box, st.sampled_from([0.125, 0.5, 0.75])).map(
    lambda pair: (*pair[0], pair[1])
)
real = st.tuples(box, st.integers(0, 1)).map(lambda pair: (*pair[0], pair[1]))
images = st.sampled_from("abc")
many_detected = st.dictionaries(images, st.lists(detected, max_size=5), max_size=3)
many_real = st.dictionaries(images, st.lists(real, max_size=4), max_size=3)
cases = settings(max_examples=1500, deadline=None, derandomize=True, database=None)


@cases
@given(many_detected, many_real, st.sampled_from(ALL))
def test_agrees_with_the_slow_version(detections, truth, protocol):
    thresholds = [Fraction(3, 10), Fraction(1, 2), Fraction(2, 3)]
    frame = evaluate(detections, truth, [float(t) for t in thresholds], protocol)
    for threshold in thresholds:
        expected = slow_evaluate(detections, truth, threshold, protocol)
        got = frame[float(threshold)]
        if expected is None:
            assert got.isna().all()
        else:
            np.testing.assert_allclose(got, [100 * float(e) for e in expected])


@cases
@given(many_detected, many_real, st.sampled_from(["voc07", "voc10"]), st.integers(0))
def test_no_order_matters_where_ties_are_grouped(detections, truth, protocol, seed):
    random = Random(seed)

    def shuffled(boxes):
        ids = random.sample(list(boxes), len(boxes))
        return {i: random.sample(boxes[i], len(boxes[i])) for i in ids}

    again = evaluate(shuffled(detections), shuffled(truth), protocol=protocol)
    expected = evaluate(detections, truth, protocol=protocol)
    np.testing.assert_array_equal(again, expected)  # to the last bit
