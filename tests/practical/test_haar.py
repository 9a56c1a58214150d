"""Faces by cascade: one astronaut, and pictures without a face."""

import threading

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from wslib.metrics.overlap import box_iou
from wslib.practical.classic import HaarFaces, detect_each

FACE = [170, 65, 275, 185]  # x1, y1, x2, y2, by hand: brows' ends to chin
HEAD = [180, 30, 270, 190]  # as another person might draw it, hair and all


@pytest.fixture(scope="module")
def picture():
    return astronaut()


@pytest.mark.parametrize("cascade", ["default", "alt2"])
def test_it_finds_the_face(picture, cascade):
    found = HaarFaces(f"haarcascade_frontalface_{cascade}").detect(picture)
    assert found.shape == (1, 5)
    assert box_iou(found[0], FACE) > 0.5
    assert found[0, 2] - found[0, 0] == found[0, 3] - found[0, 1]  # a square


def test_it_is_where_opencv_has_it_when_it_gives_no_scores(picture):
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    peer = cv2.CascadeClassifier(
        f"{cv2.data.haarcascades}haarcascade_frontalface_default.xml"
    )
    squares = peer.detectMultiScale(grey, 1.2, 1, minSize=(51, 51))
    found = HaarFaces(scale_factor=1.2, min_neighbours=1, min_size=0.1).detect(picture)
    ours = np.column_stack([found[:, :2], found[:, 2:4] - found[:, :2]])
    assert sorted(ours.tolist()) == sorted(squares.astype(float).tolist())


def test_boxes_move_with_the_picture_and_the_best_comes_first(picture):
    found = HaarFaces().detect(picture)[0]
    moved = np.full((600, 700, 3), 128, np.uint8)
    moved[60:572, 150:662] = picture
    assert box_iou(HaarFaces().detect(moved)[0], found + [150, 60, 150, 60, 0]) > 0.8
    twice = np.concatenate([picture, picture[:, ::-1]], axis=1)
    many = HaarFaces(min_neighbours=0).detect(twice)
    assert len(many) > 10
    assert (np.diff(many[:, 4]) <= 0).all()


@pytest.mark.parametrize("size", [(200, 300), (30, 1), (1, 1)])
@pytest.mark.parametrize("min_size", [0, 0.15, 1])
def test_nothing_in_a_plain_picture(size, min_size):
    plain = np.full((*size, 3), 90, np.uint8)
    assert HaarFaces(min_size=min_size).detect(plain).shape == (0, 5)


def test_many_pictures_and_threads(picture):
    faces, plain = HaarFaces(), np.zeros((80, 90, 3), np.uint8)
    found = faces.detect_all([plain, picture, plain])
    assert [len(rows) for rows in found] == [0, 1, 0]
    again = detect_each(faces.detect, [picture] * 4, "threads", workers=3)
    assert all(np.array_equal(rows, found[1]) for rows in again)
    assert threading.active_count() < 20


def test_a_fitted_box_is_the_one_that_was_drawn(picture):
    plain = np.zeros((80, 90, 3), np.uint8)
    images = [picture, picture[:, ::-1].copy(), plain, picture]
    mirrored = [512 - HEAD[2], HEAD[1], 512 - HEAD[0], HEAD[3]]
    boxes = [HEAD, mirrored, [1, 1, 9, 9], [np.nan] * 4]
    before = HaarFaces()
    after = before.fit_boxes(images[:1], boxes[:1])
    np.testing.assert_allclose(after.detect(picture)[0, :4], HEAD)
    assert after.fit_boxes(images[:1], boxes[:1]) == after  # from the square anew
    assert before.corners == (0, 0, 1, 1)
    both = before.fit_boxes(images, boxes)
    assert box_iou(both.detect(images[1])[0], mirrored) > 0.85
    np.testing.assert_array_equal(
        both.detect(picture)[:, 4], before.detect(picture)[:, 4]
    )


def test_a_fitted_box_stays_in_the_picture(picture):
    wide = HaarFaces(corners=(-9, -9, 9, 9))
    assert wide.detect(picture)[0, :4].tolist() == [0, 0, 512, 512]


def test_a_square_on_something_else_does_not_fit(picture):
    far, huge = [300, 300, 400, 420], [0, 0, 512, 512]
    for box in (far, huge, [np.nan] * 4):
        with pytest.raises(ValueError, match="no face found in any of 1 images' boxes"):
            HaarFaces().fit_boxes([picture], [box])
    with pytest.raises(ValueError, match=r"boxes \(1, 4\) for 2 images"):
        HaarFaces().fit_boxes([picture] * 2, [FACE])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale_factor": 1.0}, "scale_factor 1.0: expected above 1"),
        ({"scale_factor": np.nan}, "scale_factor nan"),
        ({"min_neighbours": -1}, "min_neighbours -1"),
        ({"min_size": 24}, "min_size 24: expected a share"),
        ({"corners": (1, 0, 0, 1)}, r"corners \(1, 0, 0, 1\)"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        HaarFaces(**options)


def test_cascades_that_are_none(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="dog: no such cascade.*frontalface_alt"
    ):
        HaarFaces("dog")
    (tmp_path / "bad.xml").write_text("<opencv_storage></opencv_storage>")
    (tmp_path / "worse.xml").write_text("not XML")
    for name in ("bad.xml", "worse.xml"):
        with pytest.raises(ValueError, match=f"{name}: not a cascade of OpenCV"):
            HaarFaces(str(tmp_path / name))


def test_grey_pictures_are_refused():
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8 RGB"):
        HaarFaces().detect(np.zeros((80, 80), np.uint8))
