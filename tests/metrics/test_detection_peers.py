"""Detection measures beside pycocotools and scikit-learn, where definitions meet."""

import contextlib
import io

import numpy as np
import pytest

from wslib.metrics.detection import Protocol, evaluate, precision_recall

COCO_LIKE = Protocol("coco-like", 11, "count", pixel=0)


def ap(detections, ground_truth, threshold=0.5, protocol="voc10") -> float:
    frame = evaluate(detections, ground_truth, [threshold], protocol)
    return frame.loc["ap", threshold]


def coco_ap(detections, truth, threshold, levels) -> float:
    """AP of pycocotools in percent, boxes with edges, at the given recall levels."""
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    ids = {i: k for k, i in enumerate(sorted({*detections, *truth}), start=1)}
    real = coco.COCO()
    real.dataset = {
        "images": [{"id": k} for k in ids.values()],
        "categories": [{"id": 1}],
        "annotations": list(coco_rows(truth, ids)),
    }
    with contextlib.redirect_stdout(io.StringIO()):
        real.createIndex()
        found = real.loadRes(list(coco_rows(detections, ids)))
        peer = cocoeval.COCOeval(real, found, "bbox")
        peer.params.iouThrs, peer.params.recThrs = np.array([threshold]), levels
        peer.params.areaRng, peer.params.areaRngLbl = [[0, 1e10]], ["all"]
        peer.params.maxDets = [100]
        peer.evaluate()
        peer.accumulate()
    return 100 * float(peer.eval["precision"].mean())


def coco_rows(boxes, ids):
    """Boxes as COCO's records: x, y, width, height, and a score if there is one."""
    rows = [(i, *box) for i, image_boxes in boxes.items() for box in image_boxes]
    for k, (i, x1, y1, x2, y2, *score) in enumerate(rows, start=1):
        bbox = [x1, y1, x2 - x1, y2 - y1]
        row = {"id": k, "image_id": ids[i], "category_id": 1, "bbox": bbox}
        yield row | {"iscrowd": 0, "area": 1} | ({"score": score[0]} if score else {})


def test_a_second_match_is_false_although_another_object_is_free():
    """VOC matches by the best object, COCO by the best one that is free."""
    truth = {"a": [[0, 0, 10, 10], [0, 0, 10, 8]]}
    found = {"a": [[0, 0, 10, 10, 0.9], [0, 0, 10, 9.9, 0.8]]}
    for protocol in ("course", "voc10", Protocol("edges", "all", pixel=0)):
        assert ap(found, truth, protocol=protocol) == pytest.approx(50)
    assert coco_ap(found, truth, 0.5, np.linspace(0, 1, 101)) == pytest.approx(100)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_coco_where_the_definitions_meet(seed):
    """One object per image (no rivals to be matched), scores that differ, edges for
    corners, and COCO's 101 levels of recall replaced by VOC's eleven."""
    random = np.random.default_rng(seed)
    truth = {
        i: random.integers([[0, 0, 30, 30]], [[20, 20, 60, 60]]) for i in range(40)
    }
    truth = {i: boxes.tolist() for i, boxes in truth.items() if i % 3}
    found = {}
    for i in range(40):
        near = np.array(truth.get(i, [[5, 5, 40, 40]])).repeat(3, axis=0)
        near = near + random.integers(-9, 9, near.shape)
        scores = random.permutation(1000)[:3, None] / 1000 + i * 1e-5
        found[i] = np.hstack([near, scores]).tolist()
    levels = np.arange(11) / 10
    for threshold in (0.3, 0.5, 0.75):
        ours = ap(found, truth, threshold, COCO_LIKE)
        assert ours == pytest.approx(coco_ap(found, truth, threshold, levels), abs=1e-9)
        assert 0 < ours < 100


def test_agrees_with_scikit_learn_where_the_definitions_meet():
    """All objects found at some score: then recall has the same denominator, and the
    curves are the same, ties included."""
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    right, scores = random.random(300) < 0.3, random.integers(0, 40, 300) / 40
    found = {i: [[1, 1, 9, 9, s]] for i, s in enumerate(scores)}
    truth = {int(i): [[1, 1, 9, 9]] for i in np.flatnonzero(right)}
    ours = precision_recall(found, truth, 0.5, "voc10")
    precision, recall, _ = metrics.precision_recall_curve(right, scores)
    np.testing.assert_allclose(ours["precision"], precision[-2::-1])
    np.testing.assert_allclose(ours["recall"], recall[-2::-1])
