"""Kinds of error: by hand, slowly in exact fractions, and mended in the boxes."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wslib.metrics.curves import average_precision_from_curve
from wslib.metrics.detection import PROTOCOLS, Protocol, evaluate
from wslib.metrics.errors import KINDS, error_budget, fates, object_fates

# One of each kind. Objects are 20 wide and 10 high.
TRUTH = {
    "found": [[1, 1, 20, 10]],
    "part": [[1, 1, 20, 10]],
    "pair": [[1, 1, 20, 10], [41, 1, 60, 10], [1, 91, 20, 100]],
    "empty": [],
    "lost": [[101, 101, 120, 110]],
}
FOUND = {
    "found": [[1, 1, 20, 9, 0.6], [1, 1, 20, 10, 0.9]],  # duplicate, right
    "part": [[1, 1, 8, 10, 0.8]],  # IoU 0.4
    "pair": [[1, 1, 60, 10, 0.7]],  # IoU 1 / 3 with each of two
    "empty": [[1, 1, 20, 10, 0.95]],
    "other": [[1, 1, 20, 10, 0.1]],  # an image of which the truth says nothing
    "lost": [[1, 1, 20, 10, 0.5]],
}


def budget(*args, **options) -> dict:
    """The rows of the frame as {kind: (objects, detections, points of AP)}."""
    frame = error_budget(*args, **options)
    assert frame.columns.tolist() == ["kind", "objects", "detections", "ap_lost"]
    return {row[0]: row[1:] for row in frame.itertuples(index=False, name=None)}


def test_one_of_each_kind_by_hand():
    """Right or wrong, by falling score: 0 (empty), 1 (found), 0 (part), 0 (pair), 0
    (duplicate), 0 (lost), 0 (other): one of six objects at precision 1 / 2."""
    rows = budget(FOUND, TRUTH)
    assert {kind: row[:2] for kind, row in rows.items()} == {
        "right": (1, 1),
        "duplicate": (0, 1),
        "wrong extent": (1, 1),
        "merged": (2, 1),
        "false image": (0, 2),
        "background": (0, 1),
        "missed": (2, 0),
    }
    lost = {kind: row[2] for kind, row in rows.items()}
    ap = 1 / 6 * 1 / 2
    expected = {
        "right": 0,
        "duplicate": 0,  # behind the last right one
        "wrong extent": 2 / 6 * 2 / 3 - ap,  # 0 1 1
        "merged": 3 / 6 * 3 / 5 - ap,  # 0 1 0 1 1
        "false image": 1 / 6 - ap,  # 1
        "background": 0,
        "missed": 1 / 4 * 1 / 2 - ap,  # two objects fewer
    }
    assert lost == pytest.approx({kind: 100 * v for kind, v in expected.items()})
    attrs = error_budget(FOUND, TRUTH).attrs
    assert attrs["ap"] == pytest.approx(100 * ap) and attrs["iou"] == 0.5
    assert attrs["protocol"].startswith("course")


def test_fates_name_the_box():
    frame = fates(FOUND, TRUTH)
    assert frame.columns.tolist() == ["image", "row", "score", "iou", "fate"]
    assert frame.to_dict("split")["data"] == [
        ["empty", 0, 0.95, 0, "false image"],
        ["found", 1, 0.9, 1, "right"],
        ["part", 0, 0.8, pytest.approx(0.4), "wrong extent"],
        ["pair", 0, 0.7, pytest.approx(1 / 3), "merged"],
        ["found", 0, 0.6, pytest.approx(0.9), "duplicate"],
        ["lost", 0, 0.5, 0, "background"],
        ["other", 0, 0.1, 0, "false image"],
    ]


def test_object_fates_name_the_object_and_the_box():
    frame = object_fates(FOUND, TRUTH)
    assert frame.columns.tolist() == ["image", "row", "iou", "detection", "fate"]
    assert frame.to_dict("split")["data"] == [
        ["found", 0, 1, 1, "right"],
        ["part", 0, pytest.approx(0.4), 0, "wrong extent"],
        ["pair", 0, pytest.approx(1 / 3), 0, "merged"],
        ["pair", 1, pytest.approx(1 / 3), 0, "merged"],
        ["pair", 2, 0, -1, "missed"],
        ["lost", 0, 0, -1, "missed"],
    ]


def test_thresholds_decide():
    """At IoU 0.3 the part and the pair are found; the other of the pair is merged."""
    rows = budget(FOUND, TRUTH, 0.3)
    assert rows["right"][:2] == (3, 3)
    assert rows["merged"][:2] == (1, 0) and rows["merged"][2] > 0
    assert rows["wrong extent"][:2] == (0, 0)
    rows = budget(FOUND, TRUTH, 0.5, near=0.41)
    assert rows["wrong extent"][:2] == (0, 0)
    assert rows["background"][:2] == (0, 2)
    assert rows["missed"][:2] == (3, 0)
    assert rows["merged"][:2] == (2, 1)  # whatever its IoU
    half = {"a": [[1, 1, 20, 5, 1.0]]}  # IoU 0.5 is enough for some
    assert fates(half, {"a": TRUTH["part"]})["fate"][0] == "wrong extent"
    assert fates(half, {"a": TRUTH["part"]}, protocol="voc10")["fate"][0] == "right"


def test_near_is_near_enough():
    found = {"a": [[1, 1, 2, 10, 1.0]]}  # IoU 0.1
    for near, kinds in (
        (0.1, ["wrong extent", "wrong extent"]),
        (0.11, ["background", "missed"]),
    ):
        args = found, {"a": TRUTH["part"]}, 0.5, "course", near
        assert [f(*args)["fate"][0] for f in (fates, object_fates)] == kinds


def test_a_merged_box_is_charged_with_the_object_that_it_is_nearest_to():
    """It holds two small objects, and a third of the large one around both."""
    truth = {"a": [[1, 1, 100, 100], [1, 1, 10, 10], [21, 1, 30, 10]]}
    found = {"a": [[1, 1, 60, 60, 0.5]]}
    assert fates(found, truth)["fate"].tolist() == ["merged"]
    assert object_fates(found, truth)["fate"].tolist() == ["merged"] * 3
    assert budget(found, truth)["merged"] == (3, 1, 100)
    kinds = object_fates(found, truth, near=0.4)["fate"].tolist()
    assert kinds == ["missed", "merged", "merged"]


def test_a_box_that_holds_less_than_half_of_the_second_is_not_merged():
    truth = {"a": [[1, 1, 20, 10], [41, 1, 60, 10]]}
    for x2, fate in ((49, "wrong extent"), (50, "merged")):
        found = {"a": [[1, 1, x2, 10, 1.0]]}
        assert fates(found, truth)["fate"].tolist() == [fate]
        kinds = object_fates(found, truth)["fate"].tolist()
        assert kinds == [fate, "missed" if x2 == 49 else "merged"]


def test_the_closest_wrong_box_is_charged():
    truth = {"a": [[1, 1, 20, 10], [41, 1, 60, 10]]}
    found = {"a": [[1, 1, 60, 10, 0.9], [1, 1, 8, 10, 0.1]]}  # IoU 1 / 3 and 0.4
    frame = object_fates(found, truth)
    assert frame["fate"].tolist() == ["wrong extent", "merged"]
    assert frame["detection"].tolist() == [1, 0]


def test_a_box_for_another_object_is_not_charged():
    """It overlaps the second by IoU 0.18, but it is right for the first."""
    truth = {"a": [[1, 1, 20, 10], [15, 1, 34, 10]]}
    found = {"a": [[1, 1, 20, 10, 0.9]]}
    assert object_fates(found, truth)["fate"].tolist() == ["right", "missed"]


def test_mended_extent_that_finds_an_object_twice_is_no_gain_below():
    """The better scored part takes the object; the box that had found it vanishes."""
    truth = {"a": [[1, 1, 20, 10]], "b": [[1, 1, 20, 10]]}
    found = {
        "a": [[1, 1, 8, 10, 0.9], [1, 1, 20, 10, 0.3]],
        "b": [[1, 1, 20, 10, 0.2]],
    }
    rows = budget(found, truth)
    assert rows["wrong extent"] == (0, 1, pytest.approx(100 * (1 - 2 / 3)))


def test_swapped_x_and_y_are_errors():
    turned = {i: [[y1, x1, y2, x2] for x1, y1, x2, y2 in b] for i, b in TRUTH.items()}
    right = {i: [[*b, 0.5] for b in boxes] for i, boxes in TRUTH.items()}
    assert budget(right, TRUTH)["right"][:2] == (6, 6)
    assert budget(right, turned)["right"][:2] == (0, 0)
    tall = {i: [[y1, x1, y2, x2, s] for x1, y1, x2, y2, s in b]
            for i, b in FOUND.items()}  # fmt: skip
    assert budget(tall, turned) == budget(FOUND, TRUTH)


def test_difficult_objects_are_ignored_or_count():
    truth = {"a": [[1, 1, 20, 10, 1], [41, 1, 60, 10, 0]]}
    found = {"a": [[1, 1, 20, 10, 0.9], [41, 1, 60, 10, 0.8], [1, 1, 8, 10, 0.7]]}
    rows = budget(found, truth, protocol="voc07")
    assert rows["ignored"] == (1, 1, 0)
    assert rows["right"][:2] == (1, 1) and rows["wrong extent"][:2] == (0, 1)
    assert object_fates(found, truth, protocol="voc07")["detection"].tolist() == [1, -1]
    assert "ignored" not in budget(found, truth)
    assert budget(found, truth)["right"][:2] == (2, 2)


def test_nothing_found_and_nothing_to_find():
    for none in ({}, {"found": []}, {"x": np.zeros((0, 5))}):
        rows = budget(none, TRUTH)
        assert rows["missed"][:2] == (6, 0)
        assert np.isnan(rows["missed"][2])  # nothing is left to be looked for
        assert [rows[k] for k in KINDS[:6]] == [(0, 0, 0)] * 6
        assert len(fates(none, TRUTH)) == 0
        assert object_fates(none, TRUTH)["detection"].tolist() == [-1] * 6
        rows = budget(FOUND, none)
        assert rows["false image"][:2] == (0, 7)
        assert all(np.isnan(row[2]) for row in rows.values())
        assert sum(row[1] for row in budget(none, none).values()) == 0
        assert len(object_fates(FOUND, none)) == 0


# The same once more, obviously and with exact overlaps.

EDGES = Protocol("edges", "all", "count", pixel=0)
ALL = [*PROTOCOLS.values(), EDGES]
corner = st.tuples(*[st.integers(1, 5)] * 2, st.integers(0, 5), st.integers(0, 3))
box = corner.map(lambda c: [c[0], c[1], c[0] + c[2], c[1] + c[3]])
detected = st.tuples(box, st.sampled_from([0.125, 0.5, 0.75])).map(
    lambda pair: [*pair[0], pair[1]]
)
real = st.tuples(box, st.integers(0, 1)).map(lambda pair: [*pair[0], pair[1]])
names = st.sampled_from("abc")
many_detected = st.dictionaries(names, st.lists(detected, max_size=5), max_size=3)
many_real = st.dictionaries(names, st.lists(real, max_size=4), max_size=3)
cases = settings(max_examples=120, deadline=None, derandomize=True, database=None)


def area(b, pixel) -> int:
    return max(b[2] - b[0] + pixel, 0) * max(b[3] - b[1] + pixel, 0)


def shared(a, b, pixel) -> int:
    low = map(max, zip(a[:2], b[:2], strict=True))
    high = map(min, zip(a[2:4], b[2:4], strict=True))
    return area([*low, *high], pixel)


def overlap(a, b, pixel) -> Fraction:
    common = shared(a, b, pixel)
    union = area(a, pixel) + area(b, pixel) - common
    return Fraction(common, union) if union else Fraction(0)


class Slow:
    """Fates of the detections (image, row), in order, and of the objects."""

    def __init__(self, found, truth, threshold, protocol, near):
        self.p, self.truth = protocol, truth
        self.real = {(i, k): o for i, b in truth.items() for k, o in enumerate(b)}
        self.found = {(i, k): d for i, b in found.items() for k, d in enumerate(b)}
        self.iou = {
            (d, o): overlap(a, b, protocol.pixel)
            for d, a in self.found.items()
            for o, b in self.real.items()
            if d[0] == o[0]
        }
        self.best = {d: self.best_object(d) for d in self.found}
        self.order = sorted(self.found, key=self.rank)  # stable
        self.fate, taken = {}, {}
        for d in self.order:
            self.fate[d] = self.judge(d, threshold, near, taken)
        self.objects = {o: self.charge(o, taken, near) for o in self.real}

    def counts(self, o):
        return self.p.difficult == "count" or not self.real[o][4]

    def rank(self, d):
        score = -self.found[d][4]
        return (score, -self.best[d][0]) if self.p.ties == "group" else score

    def best_object(self, d):
        def key(o):
            place = (not self.counts(o), *self.real[o][:4])
            return (-self.iou[d, o], *(place if self.p.ties == "group" else ()), o[1])

        mine = [o for o in self.real if o[0] == d[0]]
        best = min(mine, key=key, default=None)
        return (self.iou[d, best], best) if mine else (Fraction(0), None)

    def held(self, d):
        pixel, a = self.p.pixel, self.found[d]
        mine = [
            o
            for o, b in self.real.items()
            if o[0] == d[0] and 0 < area(b, pixel) <= 2 * shared(a, b, pixel)
        ]
        return mine if len(mine) > 1 else []

    def judge(self, d, threshold, near, taken):
        iou, best = self.best[d]
        if iou > threshold or (iou == threshold and not self.p.strict):
            if not self.counts(best):
                return "ignored"
            return "right" if taken.setdefault(best, d) == d else "duplicate"
        if best is None:
            return "false image"
        if self.held(d):
            return "merged"
        return "wrong extent" if iou >= near else "background"

    def charge(self, o, taken, near):
        if not self.counts(o):
            return "ignored", None
        if o in taken:
            return "right", taken[o]
        claims = []
        for k, d in enumerate(self.order):
            fate, (iou, best) = self.fate[d], self.best[d]
            if o in self.held(d):
                claims.append((-self.iou[d, o], k, "merged", d))
            elif best == o and iou >= near and fate in ("wrong extent", "merged"):
                claims.append((-iou, k, fate, d))
        return min(claims)[2:] if claims else ("missed", None)

    def mended_ap(self, kind):
        """Walk down the list; who comes first has the object."""
        rows, taken = [], set()
        for d in self.order:
            hits = [o for o, (k, by) in self.objects.items() if k == kind and by == d]
            if self.fate[d] in ("right", "wrong extent") and (
                self.fate[d] in ("right", kind)
            ):
                hits.append(self.best[d][1])
            if self.fate[d] == kind == "merged":
                hits += self.held(d)
            if self.fate[d] not in ("right", "ignored", kind):
                rows.append((self.found[d][4], 0))
            for o in dict.fromkeys(hits):
                if self.counts(o) and o not in taken:
                    taken.add(o)
                    rows.append((self.found[d][4], 1))
        fates = [k for k, _ in self.objects.values()]
        positives = len(fates) - fates.count("ignored")
        if kind == "missed":
            positives -= fates.count("missed")
        return 100 * self.ap(rows, positives)

    def ap(self, rows, positives):
        if not positives:
            return float("nan")
        points = [
            (sum(right for _, right in rows[: k + 1]), k + 1)
            for k in range(len(rows))
            if self.p.ties != "group" or [*rows, (None, 0)][k + 1][0] != rows[k][0]
        ]
        recall = [hits / positives for hits, _ in points]
        precision = [hits / count for hits, count in points]
        return average_precision_from_curve(recall, precision, self.p.points)


@cases
@given(many_detected, many_real, st.sampled_from(ALL), st.sampled_from([3, 5]))
def test_agrees_with_the_slow_version(found, truth, protocol, tenths):
    slow = Slow(found, truth, Fraction(tenths, 10), protocol, Fraction(1, 10))
    args = found, truth, tenths / 10, protocol
    frame = fates(*args)
    assert [*zip(frame["image"], frame["row"], strict=True)] == slow.order
    assert frame["fate"].tolist() == [slow.fate[d] for d in slow.order]
    frame = object_fates(*args)
    got = {(i, k): (fate, by) for i, k, _, by, fate in frame.itertuples(index=False)}
    assert got == {o: (f, d[1] if d else -1) for o, (f, d) in slow.objects.items()}
    frame = error_budget(*args)
    assert frame["objects"].sum() == sum(map(len, truth.values()))
    assert frame["detections"].sum() == sum(map(len, found.values()))
    ap = slow.mended_ap("right")
    np.testing.assert_allclose(frame.attrs["ap"], ap, atol=1e-9)
    for kind, lost in zip(frame["kind"], frame["ap_lost"], strict=True):
        np.testing.assert_allclose(lost, slow.mended_ap(kind) - ap, atol=1e-9)
        assert np.isnan(lost) or lost > -1e-9


@cases
@given(many_detected, many_real, st.sampled_from(ALL))
def test_mending_is_what_it_is_with_the_boxes_themselves(found, truth, protocol):
    """Taken out of the lists of boxes, and measured again from the start."""
    frame = error_budget(found, truth, 0.5, protocol).set_index("kind")
    ap = evaluate(found, truth, [0.5], protocol).loc["ap", 0.5]
    np.testing.assert_allclose(frame.attrs["ap"], ap, atol=1e-9)
    each, objects = (f(found, truth, 0.5, protocol) for f in (fates, object_fates))
    for kind in ("duplicate", "false image", "background", "missed"):
        bad, lost = (
            {(i, k) for i, k in f.loc[f["fate"] == kind, ["image", "row"]].to_numpy()}
            for f in (each, objects)
        )
        kept, sought = (
            {i: [b for k, b in enumerate(bs) if (i, k) not in out]
             for i, bs in boxes.items()}
            for boxes, out in ((found, bad), (truth, lost))
        )  # fmt: skip
        mended = evaluate(kept, sought, [0.5], protocol).loc["ap", 0.5]
        np.testing.assert_allclose(frame.loc[kind, "ap_lost"], mended - ap, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: error_budget(FOUND, TRUTH, near=0), "near 0: expected above 0"),
        (lambda: fates(FOUND, TRUTH, 0.3, near=0.4), "near 0.4: .* IoU of 0.3"),
        (lambda: object_fates(FOUND, TRUTH, near=np.nan), "near nan"),
        (lambda: error_budget(FOUND, TRUTH, 50), "IoU threshold 50"),
        (lambda: error_budget(FOUND, TRUTH, protocol="voc12"), "protocol 'voc12'"),
        (
            lambda: error_budget({"7": [[1, 1, 2, 2, np.nan]]}, TRUTH),
            r"detections\['7'\], row 0: .*nan.*finite",
        ),
        (lambda: fates({"7": [[1, 1, 2, 2]]}, {}), r"detections\['7'\]: shape"),
        (lambda: error_budget({}, {"7": [[1, 5, 2, 2]]}), r"ground_truth\['7'\], row"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)
