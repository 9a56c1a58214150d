"""What the classic detectors share: pictures in, one answer out."""

import numpy as np
import pytest
from PIL import Image

from wslib.practical.classic import best_answer, check_boxes, detect_each, pixels

NONE = np.zeros((0, 5))


def test_the_best_score_of_all_classes_answers():
    few = np.array([[1, 2, 3, 4, 0.2], [5, 6, 7, 8, 0.9]])  # in no order
    label, box = best_answer([few, NONE, [[0, 0, 9, 9, 0.8]]])
    assert label == 0 and box.tolist() == [5, 6, 7, 8]
    label, box = best_answer([NONE, [[0, 0, 9, 9, -3.0]], NONE])
    assert (label, box.tolist()) == (1, [0, 0, 9, 9])
    box[:] = 0
    assert few[1, 0] == 5


def test_equal_scores_go_to_the_lower_class():
    label, box = best_answer([NONE, [[1, 1, 2, 2, 0.5]], [[3, 3, 4, 4, 0.5]]])
    assert (label, box.tolist()) == (1, [1, 1, 2, 2])


@pytest.mark.parametrize("found", [[], [NONE], [NONE, NONE, []]])
def test_nothing_found_is_no_label_and_no_box(found):
    label, box = best_answer(found)
    assert label == -1
    assert box.shape == (4,) and np.isnan(box).all()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([NONE, np.ones((2, 4))], r"class 1: \(2, 4\), expected \(N, 5\)"),
        ([[0.0, 0, 1, 1, 1]], r"class 0: \(5,\)"),
        ([[[0, 0, 1, 1, np.nan]]], "class 0: a box or score is NaN"),
    ],
)
def test_answers_need_whole_rows(found, message):
    with pytest.raises(ValueError, match=message):
        best_answer(found)


@pytest.mark.parametrize("workers", [1, 3])
def test_arrays_and_files_are_looked_at_in_their_order(tmp_path, workers):
    pictures = [np.full((4, 5, 3), shade, np.uint8) for shade in range(9)]
    for k in (2, 5):
        Image.fromarray(pictures[k]).save(tmp_path / f"{k}.png")
        pictures[k] = tmp_path / f"{k}.png"
    pictures[5] = str(pictures[5])
    found = detect_each(lambda image: int(image.mean()), pictures, "x", workers)
    assert found == list(range(9))


def test_the_first_error_ends_it(tmp_path):
    looked_at = []
    pictures = [np.zeros((4, 4, 3), np.uint8), tmp_path / "no.png"]
    with pytest.raises(FileNotFoundError, match="no.png: no such image"):
        detect_each(looked_at.append, pictures, "x")
    assert len(looked_at) == 1
    with pytest.raises(ValueError, match="workers is 0"):
        detect_each(looked_at.append, pictures, "x", workers=0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        [[1, 2], [3, 4]],
    ],
)
def test_a_picture_is_rgb_bytes(image):
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8 RGB") as error:
        pixels(image)
    assert "\n" not in str(error.value)


def test_boxes_may_be_missing_but_not_empty():
    boxes = check_boxes([[0, 1, 2, 3], [np.nan] * 4], 2)
    assert boxes.dtype == float and boxes[0].tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"boxes \(2, 4\) for 3 images"):
        check_boxes(boxes, 3)
    for bad in ([5, 0, 1, 1], [0, 1, 9, 1], [0, 0, np.inf, 1]):
        with pytest.raises(ValueError, match=r"box 1 is \[.*expected x1 < x2, y1 < y2"):
            check_boxes([[0, 0, 1, 1], bad], 2)
