"""Templates taught on crosses and rings that are drawn on noise."""

import cv2
import numpy as np
import pytest
from scipy.special import expit

from wslib.metrics.overlap import box_iou
from wslib.practical.classic import best_answer
from wslib.practical.hog import (
    DEPTH,
    Example,
    Pyramid,
    Template,
    Window,
    teach_templates,
)
from wslib.practical.hog_detectors import HogDetector, HogDetectors

CROSS, RING = 0, 1


def draw(label: int, rng: np.random.Generator) -> tuple[np.ndarray, list[float]]:
    """A cross, half as high as it is wide, or a ring, on noise, 160 x 120."""
    image = rng.normal(110, 14, (120, 160, 3))
    width = rng.integers(50, 90)
    height = width // 2 if label == CROSS else width
    x, y = rng.integers(2, 158 - width), rng.integers(2, 118 - height)
    ends = [(int(x), int(y)), (int(x + width), int(y + height))]
    if label == CROSS:
        cv2.line(image, *ends, (220, 210, 190), 6)
        cv2.line(
            image, (ends[0][0], ends[1][1]), (ends[1][0], ends[0][1]), (230,) * 3, 6
        )
    else:
        centre = int(x + width // 2), int(y + height // 2)
        cv2.circle(image, centre, int(width // 2 - 3), (230, 220, 180), 6)
    return image.clip(0, 255).astype(np.uint8), [x, y, x + width, y + height]


def drawn(count: int, seed: int):
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images, boxes = zip(*[draw(label, rng) for label in labels], strict=True)
    return list(images), np.array(boxes, float), labels


@pytest.fixture(scope="module")
def taught() -> HogDetectors:
    return HogDetectors.fit(*drawn(40, 0), seed=3)


def test_it_finds_what_it_was_taught(taught):
    images, boxes, labels = drawn(30, 1)
    answers = [best_answer(found) for found in taught.detect_all(images)]
    right = np.array([label for label, _ in answers]) == labels
    overlap = box_iou(np.array([box for _, box in answers]), boxes)
    assert right.mean() >= 0.95
    assert overlap.mean() > 0.7
    assert (overlap > 0.5).mean() >= 0.95


def test_boxes_lie_in_the_picture_and_go_by_score(taught):
    for found in taught.detect_all(drawn(6, 2)[0]):
        assert len(found) == 2
        for boxes in found:
            assert boxes.shape[1] == 5 and len(boxes) <= 10
            assert ((boxes[:, :4] >= 0) & (boxes[:, :4] <= [160, 120] * 2)).all()
            assert (np.diff(boxes[:, 4]) <= 0).all()
            assert ((boxes[:, 4] > 0) & (boxes[:, 4] < 1)).all()


def test_a_larger_file_has_larger_boxes(taught):
    image, box = draw(RING, np.random.default_rng(5))
    assert box_iou(taught.detect(image)[RING][0], box) > 0.7
    large = cv2.resize(image, (480, 360), interpolation=cv2.INTER_LINEAR)
    found = taught.detect(large)[RING][0]
    assert box_iou(found, np.multiply(box, 3)) > 0.7


def test_one_class_and_all_classes_agree_in_any_number_of_threads(taught):
    images = drawn(5, 4)[0]
    both = taught.detect_all(images, workers=3)
    for label, detector in enumerate(taught.detectors):
        alone = detector.detect_all(images, workers=1)
        for found, single in zip(both, alone, strict=True):
            np.testing.assert_array_equal(found[label], single)


def test_scores_part_the_classes(taught):
    images, _, labels = drawn(30, 6)
    found = taught.detect_all(images)
    for label in (CROSS, RING):
        best = np.array([f[label][0, 4] if len(f[label]) else 0 for f in found])
        pairs = best[labels == label][:, None] > best[labels != label]
        assert pairs.mean() > 0.95


def test_scores_are_probabilities_of_the_class(taught):
    images, _, labels = drawn(24, 6)
    few = np.flatnonzero((labels == RING) | (np.arange(24) < 12))  # 6 and 12
    again = taught.calibrated([images[row] for row in few], labels[few])
    levels = [again.pyramid(images[row]) for row in few]
    for share, detector in zip((1 / 3, 2 / 3), again.detectors, strict=True):
        responses = np.array([detector.best_response(found) for found in levels])
        scores = expit(detector.slope * responses + detector.intercept)
        assert scores.mean() == pytest.approx(
            share, abs=1e-3
        )  # where its gradient is 0
        assert detector.slope > 1
    assert again.detectors[0].template is taught.detectors[0].template
    best = again.detect(images[few[-1]])[RING][0, 4]
    assert best == pytest.approx(scores[-1], abs=1e-6)


def test_the_same_seed_gives_the_same_detectors():
    data = drawn(24, 7)
    one, same, other = (HogDetectors.fit(*data, seed) for seed in (1, 1, 2))
    for a, b in zip(one.detectors, same.detectors, strict=True):
        np.testing.assert_array_equal(a.template.weights, b.template.weights)
        assert (a.slope, a.intercept) == (b.slope, b.intercept)
    weights = [d.detectors[0].template.weights for d in (one, other)]
    assert weights[0].shape != weights[1].shape or (weights[0] != weights[1]).any()


def test_images_without_a_box_are_left_out(taught):
    images, boxes, labels = drawn(40, 0)
    images.append(np.zeros((9, 9, 3), np.uint8))
    boxes = np.concatenate([boxes, [[np.nan] * 4]])
    again = HogDetectors.fit(images, boxes, np.append(labels, RING), seed=3)
    for a, b in zip(again.detectors, taught.detectors, strict=True):
        np.testing.assert_array_equal(a.template.weights, b.template.weights)


def test_no_more_pictures_than_enough_are_opened(tmp_path):
    images, boxes, labels = drawn(12, 8)
    images[8:] = [tmp_path / "none.png"] * 4
    with pytest.raises(FileNotFoundError, match="none.png"):
        HogDetectors.fit(images, boxes, labels, seed=0)
    boxes[8:] = np.nan
    HogDetectors.fit(images, boxes, labels, seed=0, enough=4)


@pytest.mark.parametrize("shape", [(120, 2), (3, 160), (1, 1), (7, 9)])
def test_small_and_slender_pictures(taught, shape):
    for boxes in taught.detect(np.full((*shape, 3), 77, np.uint8)):
        assert boxes.ndim == 2 and boxes.shape[1] == 5


def test_where_the_template_does_not_fit_nothing_is_found(taught):
    slender = np.random.default_rng(0).integers(0, 256, (4, 160, 3), np.uint8)
    assert taught.detect(slender)[RING].shape == (0, 5)
    levels = taught.pyramid(slender)
    assert taught.detectors[RING].best_response(levels) == -2


def test_options_of_a_detector():
    window = Window(4, 4, 24, 24)
    flat = Template(window, np.zeros((4, 4, DEPTH), np.float32), 0.25)
    image = drawn(1, 0)[0][0]
    found = HogDetector(flat, iou_threshold=0.0, max_boxes=3).detect(image)
    assert len(found) == 3
    assert found[:, 4] == pytest.approx(1 / (1 + np.exp(-0.25)))
    apart = box_iou(found[:, None], found[None])
    np.testing.assert_allclose(apart, np.eye(3))
    assert HogDetector(flat, threshold=0.3).detect(image).shape == (0, 5)


def test_negatives_are_other_classes_and_places_off_the_object():
    window = Window(4, 4, 24.0, 24.0)
    image = drawn(1, 0)[0][0]
    levels = Pyramid(size=160, levels=2)(image)
    box = window.boxes(levels[0], np.array(5), np.array(7))
    example = Example(levels, RING, box)
    assert all(mask.all() for mask in example.negatives(window, CROSS))
    first, _ = example.negatives(window, RING)
    assert first.shape == window.places(levels[0])
    off = {(int(i), int(j)) for i, j in np.argwhere(~first)}
    # a cell aside, 16 of 24 pixels are shared: an IoU of 16 / 32, which is not below
    assert off == {(5, 7), (4, 7), (6, 7), (5, 6), (5, 8)}


def test_objects_that_fill_every_picture_leave_nothing_to_learn_from():
    images, _, labels = drawn(4, 0)
    one = np.zeros(4, int)
    whole = np.tile([0.0, 0, 160, 120], (4, 1))
    with pytest.raises(ValueError, match="no window in any picture"):
        teach_templates(images, whole, one, Pyramid(size=64, levels=1), 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"boxes": np.zeros((7, 4))}, r"boxes \(7, 4\) for 8 images"),
        ({"boxes": np.ones((8, 4))}, "box 0 is .*expected x1 < x2"),
        ({"boxes": np.full((8, 4), np.nan)}, "class 0 has 0 pictures with a box"),
        (
            {"labels": np.zeros(7, int)},
            r"labels \(7,\) int64: expected integers \(8,\)",
        ),
        ({"labels": np.zeros(8)}, r"labels \(8,\) float64"),
        ({"labels": np.zeros(8, int)}, "expected the numbers of at least two classes"),
        ({"labels": np.arange(8) - 1}, "expected the numbers"),
        ({"labels": np.arange(8) % 3}, "class 0 has 3 pictures .*at least 4"),
        ({"labels": np.arange(8) % 2 * 2}, "class 1 has 0 pictures"),
    ],
)
def test_bad_input(change, message):
    images, boxes, labels = drawn(8, 9)
    given = {"boxes": boxes, "labels": labels} | change
    with pytest.raises(ValueError, match=message) as error:
        HogDetectors.fit(images, **given, seed=0)
    assert "\n" not in str(error.value)


def test_grey_pictures_are_refused(taught):
    grey = drawn(1, 0)[0][0][..., 0]
    for detect in (taught.detect, taught.detectors[0].detect):
        with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8 RGB"):
            detect(grey)
    images, boxes, labels = drawn(8, 9)
    with pytest.raises(ValueError, match="expected .H, W, 3. uint8 RGB"):
        HogDetectors.fit([image[..., 0] for image in images], boxes, labels, seed=0)
