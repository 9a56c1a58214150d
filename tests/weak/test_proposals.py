"""Proposals: the search, its order, and that each image is searched only once."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from PIL import Image

from wslib.data.folders import data_root
from wslib.weak import proposals
from wslib.weak.proposals import (
    most_confident,
    propose,
    selective_search,
    spread,
    tidy,
)

REAL = data_root() / "voc2007" / "VOCdevkit" / "VOC2007" / "JPEGImages" / "000012.jpg"


def blocks(width=90, height=60, seed=0):
    """A picture of flat rectangles with a little noise."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 128)
    image[10:30, 15:45] = 230, 40, 30
    image[35:55, 50:85] = 20, 60, 220
    return (image + rng.integers(-9, 10, image.shape)).clip(0, 255).astype(np.uint8)


def iou(box, others):
    shared = np.prod(
        np.clip(
            np.minimum(box[2:4], others[:, 2:4]) - np.maximum(box[:2], others[:, :2]),
            0,
            None,
        ),
        axis=1,
    )
    areas = np.prod(others[:, 2:4] - others[:, :2], axis=1)
    return shared / (np.prod(box[2:4] - box[:2]) + areas - shared)


# -------------------------------------------------------------------------- search


def test_blocks_are_found():
    found = selective_search(blocks())
    assert found.dtype == np.float32 and found.shape[1] == 5
    assert found[0].tolist() == [0, 0, 90, 60, 1]  # the whole image
    for block in ([15, 10, 45, 30], [50, 35, 85, 55]):
        assert iou(np.array(block), found).max() > 0.95


def test_boxes_of_a_shrunk_image_are_in_its_own_pixels():
    """Both sides differ, and so do their scales: 301 -> 60, 200 -> 40."""
    image = np.kron(blocks(75, 50), np.ones((4, 4, 1), np.uint8))
    image = np.pad(image, ((0, 0), (0, 1), (0, 0)), mode="edge")  # 301 x 200
    found = selective_search(image, longest=60, base_k=50)
    assert found[0, :4].tolist() == [0, 0, 301, 200]
    assert iou(np.array([60, 40, 180, 120]), found).max() > 0.8
    assert (found[:, :2] >= 0).all()
    assert (found[:, 2] <= 301).all() and (found[:, 3] <= 200).all()
    steps = np.unique(found[:, [0, 2]]) / (301 / 60)
    np.testing.assert_allclose(steps, steps.round(), atol=1e-4)


def test_a_small_image_is_not_enlarged(monkeypatch):
    seen = []

    class Search:
        setBaseImage = lambda self, image: seen.append(image.shape)  # noqa: E731
        switchToSelectiveSearchFast = lambda self, _: None  # noqa: E731
        process = lambda self: ()  # noqa: E731

    segmentation = cv2.ximgproc.segmentation
    monkeypatch.setattr(segmentation, "createSelectiveSearchSegmentation", Search)
    selective_search(blocks(90, 60), longest=200)
    selective_search(blocks(90, 60), longest=45)
    selective_search(np.zeros((1, 900, 3), np.uint8), longest=100)
    assert seen == [(60, 90, 3), (30, 45, 3), (1, 100, 3)]


def test_opencv_gets_blue_first(monkeypatch):
    given = {}

    class Search:
        def setBaseImage(self, image):
            given["image"] = image.copy()

        def switchToSelectiveSearchFast(self, base_k):
            given["base_k"] = base_k

        def process(self):
            return np.array([[1, 2, 3, 4]], np.int32)  # x, y, width, height

    segmentation = cv2.ximgproc.segmentation
    monkeypatch.setattr(
        segmentation, "createSelectiveSearchSegmentation", lambda: Search()
    )
    image = np.zeros((20, 30, 3), np.uint8)
    image[..., 0] = 200
    found = selective_search(image, base_k=70)
    assert given["image"][0, 0].tolist() == [0, 0, 200] and given["base_k"] == 70
    assert found.tolist() == [[0, 0, 30, 20, 1], [1, 2, 4, 6, 0.5]]


def test_scores_fall_evenly_and_no_box_comes_twice():
    found = selective_search(blocks(), base_k=20)
    n = len(found)
    np.testing.assert_allclose(found[:, 4], 1 - np.arange(n) / n, rtol=1e-6)
    assert len(np.unique(found[:, :4].round(), axis=0)) == n > 10
    assert (found[:, 2:4] - found[:, :2] >= 1).all()


def test_same_image_same_proposals_also_in_threads():
    """OpenCV's own order comes from C's `rand()`, which all threads share."""
    image = blocks(seed=3)
    once = selective_search(image, base_k=20)
    with ThreadPoolExecutor(4) as pool:
        for again in pool.map(lambda _: selective_search(image, base_k=20), range(8)):
            np.testing.assert_array_equal(again, once)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (40, 30), (900, 1)])
def test_an_image_without_regions_is_one_box(size):
    width, height = size
    found = selective_search(np.full((height, width, 3), 90, np.uint8))
    assert found.tolist() == [[0, 0, width, height, 1]]


def test_the_whole_image_is_there_even_if_opencv_finds_nothing(monkeypatch):
    class Nothing:
        setBaseImage = switchToSelectiveSearchFast = lambda self, _: None
        process = lambda self: ()  # noqa: E731

    segmentation = cv2.ximgproc.segmentation
    monkeypatch.setattr(
        segmentation, "createSelectiveSearchSegmentation", lambda: Nothing()
    )
    assert selective_search(blocks()).tolist() == [[0, 0, 90, 60, 1]]


@pytest.mark.parametrize(
    "image",
    [
        blocks().astype(float),
        blocks()[..., 0],
        blocks()[..., :2],
        np.zeros((0, 5, 3), np.uint8),
        [[1, 2]],
        None,
    ],
)
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\)"):
        selective_search(image)


def test_sides_and_scales_below_one_are_refused():
    with pytest.raises(ValueError, match="longest is 0, expected 1 or more"):
        selective_search(blocks(), longest=0)
    with pytest.raises(ValueError, match="base_k is 0"):
        selective_search(blocks(), base_k=0)


@pytest.mark.skipif(not REAL.is_file(), reason=f"no VOC2007 image {REAL}")
def test_a_photograph_gives_some_hundred_boxes_and_the_car():
    found = selective_search(np.asarray(Image.open(REAL)))
    assert 100 < len(found) < 1500
    car = np.array([155, 96, 351, 270])  # the annotation, half-open
    assert iou(car, most_confident(found, 200)).max() > 0.6


# --------------------------------------------------------------------------- order


def test_order_by_hand():
    """The largest; then what it does not cover, before what it nearly is."""
    whole, nearly, corner, tiny = (
        [0, 0, 16, 16],
        [0, 0, 16, 15],
        [8, 8, 16, 16],
        [0, 0, 1, 1],
    )
    boxes = np.array([tiny, nearly, corner, whole])
    # (1 - 64/256) 64^.25 = 2.12; (1 - 1/256) 1 = 0.996; (1 - 15/16) 240^.25 = 0.246
    assert spread(boxes).tolist() == [3, 2, 0, 1]


def test_order_prefers_large_boxes_by_the_fourth_root():
    """Beside the whole: 81 px of area, or 16 with less in common, (1 - IoU) A^1/4."""
    boxes = np.array([[0, 0, 20, 20], [0, 0, 9, 9], [10, 10, 14, 14]])
    # 0.7975 * 3 = 2.39 against 0.96 * 2 = 1.92
    assert spread(boxes).tolist() == [0, 1, 2]
    boxes[1] = [0, 0, 18, 18]  # 0.19 * 4.24 = 0.81
    assert spread(boxes).tolist() == [0, 2, 1]


def test_order_looks_at_all_boxes_before():
    """A double of the second box waits, though the third has not seen it."""
    boxes = np.array([[0, 0, 10, 10], [50, 0, 59, 10], [50, 0, 59, 9], [90, 0, 93, 3]])
    assert spread(boxes).tolist() == [0, 1, 3, 2]


def test_equals_and_boxes_without_area_come_last():
    boxes = np.array([[2, 2, 2, 9], [0, 0, 4, 4], [0, 0, 4, 4], [5, 5, 6, 6]])
    assert spread(boxes).tolist() == [1, 3, 0, 2]
    assert spread(np.zeros((0, 4))).shape == (0,)
    assert sorted(spread(np.zeros((3, 5)))) == [0, 1, 2]


# ---------------------------------------------------------------------------- tidy


def test_tidy_clips_drops_sorts_and_removes_duplicates():
    boxes = [
        [-5, -5, 10, 10, 0.2],  # clipped
        [1, 1, 9, 9, 0.9],
        [95, 10, 120, 20, 0.5],  # clipped
        [100, 10, 120, 20, 0.8],  # outside
        [1.3, 0.8, 9.4, 9.2, 0.3],  # as the second, rounded
        [4, 4, 4.5, 9, 0.7],  # too narrow
        [4, 4, 9, 4.5, 0.7],  # too low
        [10, 20, 30, 50, 0.2],
        [0, 0, 10, 10, 0.1],  # as the first, once clipped
    ]
    got = tidy(np.array(boxes), 100, 40)
    wanted = [
        [1, 1, 9, 9, 0.9],
        [95, 10, 100, 20, 0.5],
        [0, 0, 10, 10, 0.2],
        [10, 20, 30, 40, 0.2],
    ]
    np.testing.assert_array_equal(got, np.array(wanted, np.float32))
    assert got.dtype == np.float32


def test_tidy_takes_a_smallest_side():
    boxes = np.array([[0, 0, 4, 4, 0.5], [0, 0, 4, 3.9, 0.4], [9, 9, 9, 9, 0.1]])
    assert len(tidy(boxes, 20, 20, smallest=4)) == 1
    assert len(tidy(boxes, 20, 20, smallest=0)) == 2  # two agree, rounded


def test_tidy_leaves_its_argument_and_takes_no_boxes():
    boxes = np.array([[-5, 0, 9, 9, 0.1]], np.float32)
    tidy(boxes, 5, 5)
    assert boxes[0, 0] == -5
    assert tidy(np.zeros((0, 5)), 9, 9).shape == tidy([], 9, 9).shape == (0, 5)
    assert tidy([[20, 20, 30, 30, 1]], 9, 9).shape == (0, 5)


@pytest.mark.parametrize(
    "boxes, message",
    [
        (np.zeros((2, 4)), r"shape \(2, 4\): expected \(P, 5\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        ([[0, 0, 1, 1, 1], [0, 0, np.nan, 1, 1]], "box 1 is .*nan.*: expected finite"),
        ([[0, 0, 1, 1, np.nan]], "box 0"),
        ([[0, 0, np.inf, 1, 1]], "box 0"),
        ([[5, 0, 4, 1, 1]], "expected finite x1 <= x2, y1 <= y2"),
        ([[0, 5, 4, 1, 1]], "y1 <= y2"),
    ],
)
def test_boxes_of_another_kind_are_refused(boxes, message):
    with pytest.raises(ValueError, match=message):
        tidy(boxes, 9, 9)
    with pytest.raises(ValueError, match=message):
        most_confident(boxes, 3)


@pytest.mark.parametrize("sides", [(0, 9), (9, 0), (9, 9, -1), (np.nan, 9)])
def test_sides_that_make_no_sense_are_refused(sides):
    with pytest.raises(ValueError, match="expected pixels above 0"):
        tidy(np.zeros((0, 5)), *sides)


def test_most_confident_are_taken_in_order():
    boxes = np.array([[k, 0, k + 1, 1, s] for k, s in enumerate([0.3, 0.9, 0.3, 0.5])])
    assert most_confident(boxes, 3)[:, 0].tolist() == [1, 3, 0]
    assert most_confident(boxes, 9)[:, 0].tolist() == [1, 3, 0, 2]
    assert most_confident(np.zeros((0, 5)), 2).shape == (0, 5)
    with pytest.raises(ValueError, match="0 boxes, expected 1 or more"):
        most_confident(boxes, 0)


# ------------------------------------------------------------------- files, once


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Four pictures, `proposals` kept below tmp_path, and the images searched."""
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build" / "x"))
    monkeypatch.setattr(proposals, "searched", [], raising=False)
    search = proposals.selective_search

    def counted(image, *words):
        proposals.searched.append(image.shape)
        return search(image, *words)

    monkeypatch.setattr(proposals, "selective_search", counted)
    paths = {}
    for k in range(4):
        paths[f"i{k}"] = tmp_path / f"{k}.png"
        Image.fromarray(blocks(90 + k, 60, k)).save(paths[f"i{k}"])
    return paths


def go(files, **options):
    return propose(list(files), list(files.values()), **options)


def kept(tmp_path):
    return sorted(tmp_path.glob("build/proposals-*/*"))


def test_proposals_of_files_in_order_and_once(files, tmp_path):
    found = go(files, workers=3)
    assert list(found) == ["i0", "i1", "i2", "i3"]
    for k, boxes in enumerate(found.values()):
        assert boxes[0].tolist() == [0, 0, 90 + k, 60, 1]
        np.testing.assert_array_equal(boxes, selective_search(blocks(90 + k, 60, k)))
    assert len(proposals.searched) == 4 and len(kept(tmp_path)) == 4
    again = go(files)
    assert len(proposals.searched) == 4
    for i, boxes in again.items():
        assert boxes.dtype == np.float32
        np.testing.assert_array_equal(boxes, found[i])


def test_bytes_count_and_names_do_not(files, tmp_path):
    go(files)
    moved = tmp_path / "elsewhere.png"
    files["i0"].rename(moved)
    assert propose(["x"], [moved])["x"][0, 2] == 90 and len(proposals.searched) == 4
    Image.fromarray(blocks(50, 60)).save(files["i1"])
    assert propose(["i1"], [files["i1"]])["i1"][0, 2] == 50
    assert len(proposals.searched) == 5 and len(kept(tmp_path)) == 5


def test_another_search_is_kept_elsewhere(files, tmp_path):
    whole, small = go(files), go(files, longest=30)
    assert len(proposals.searched) == 8
    assert len(list(tmp_path.glob("build/proposals-*"))) == 2
    assert len(small["i0"]) < len(whole["i0"])
    np.testing.assert_array_equal(
        small["i0"], selective_search(blocks(90, 60, 0), longest=30)
    )


@pytest.mark.parametrize("damage", ["empty", "half", "text", "other", "shape", "flip"])
def test_a_damaged_file_is_made_anew(files, tmp_path, damage):
    found = go(files)
    path = kept(tmp_path)[0]
    whole = path.read_bytes()
    if damage == "other":
        np.savez(path, points=np.zeros((1, 5), np.float32))
    elif damage == "shape":
        np.savez(path, boxes=np.zeros((1, 4), np.float32))
    else:
        flipped = bytearray(whole)
        flipped[-400] ^= 255
        content = {"empty": b"", "half": whole[: len(whole) // 2], "text": b"no boxes"}
        path.write_bytes(content.get(damage, bytes(flipped)))
    again = go(files)
    assert len(proposals.searched) == 5 and path.read_bytes() == whole
    for i, boxes in again.items():
        np.testing.assert_array_equal(boxes, found[i])


def test_an_error_names_the_file_and_keeps_the_rest(files, tmp_path):
    files["i2"].write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"2\.png: not a readable image"):
        go(files, workers=1)
    assert len(kept(tmp_path)) >= 2
    files["i2"].unlink()
    with pytest.raises(FileNotFoundError, match=r"2\.png: no such image"):
        go(files)
    with pytest.raises(ValueError, match="no file, expected an image"):
        propose(["folder"], [tmp_path])
    assert not list(tmp_path.glob("build/*/.*.part*"))


def test_what_cannot_be_written_leaves_nothing(files, tmp_path, monkeypatch):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        go(files)
    assert kept(tmp_path) == [] and not list(tmp_path.glob("build/*/.*"))


def test_ids_and_paths_must_fit(files):
    paths = list(files.values())
    with pytest.raises(ValueError, match="2 ids, 2 different, 4 paths"):
        propose(["a", "b"], paths)
    with pytest.raises(ValueError, match="4 ids, 3 different, 4 paths"):
        propose(["a", "b", "c", "a"], paths)
    with pytest.raises(ValueError, match="workers is 0, expected 1 or more"):
        go(files, workers=0)
    assert propose([], []) == {}


def test_opencv_keeps_its_threads(files):
    before = cv2.getNumThreads()
    go(files)
    assert cv2.getNumThreads() == before


def test_a_bar_is_shown(files, capsys):
    go(files, desc="boxes of dogs")
    assert "boxes of dogs" in capsys.readouterr().err


SLOW = """
import signal, sys, time
from wslib.weak import proposals
# whoever runs the tests in the background has it ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
found = proposals.selective_search
def slow(image, *words):
    time.sleep(0.3)
    print("searched", flush=True)
    return found(image, *words)
proposals.selective_search = slow
proposals.propose([*map(str, range(len(sys.argv) - 1))], sys.argv[1:], workers=1)
"""


def test_ctrl_c_ends_soon_and_what_is_done_is_kept(tmp_path):
    paths = [tmp_path / f"{k}.png" for k in range(40)]
    for k, path in enumerate(paths):
        Image.fromarray(blocks(40 + k, 30)).save(path)
    environment = {**os.environ, "WSLIB_BUILD": str(tmp_path / "build" / "x")}
    words = [sys.executable, "-c", SLOW, *map(str, paths)]
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        said = process.communicate(timeout=60)[1]
        assert time.monotonic() - began < 6  # all of them would take 12 s
    assert process.returncode != 0 and b"KeyboardInterrupt" in said
    assert 2 <= len(kept(tmp_path)) <= 30
    assert not list(tmp_path.glob("build/*/.*.part*"))
