"""Saved detections: they come back as they were, or are refused in one line."""

import json
import os

import numpy as np
import pytest

from wslib.boxes.detections import (
    Detections,
    as_json,
    load_detections,
    load_maps,
    save_detections,
)
from wslib.boxes.maps import ClassMaps

BOXES = {
    "000002": np.array([[1, 2, 30, 40.5, 0.1 + 0.2], [5, 5, 5, 5, 0.25]]),
    "000001": np.zeros((0, 5)),
}
RECIPE = {"kind": "combined", "threshold": 0.12, "flip": True, "max_boxes": 3}


def made(boxes=None, **other):
    fields = {"class_name": "dog", "recipe": RECIPE, "model": "0123456789ab"}
    fields |= {"dataset": "voc2007", "split": "val", **other}
    return Detections(boxes=BOXES if boxes is None else boxes, **fields)


def test_all_comes_back_to_the_last_digit_and_in_order(tmp_path):
    path = tmp_path / "new" / "dogs.json"
    save_detections(path, made())
    back = load_detections(path)
    assert list(back.boxes) == ["000002", "000001"]
    for image_id, boxes in BOXES.items():
        assert back.boxes[image_id].dtype == float
        np.testing.assert_array_equal(back.boxes[image_id], boxes)
        assert back.boxes[image_id].shape == boxes.shape
    assert (back.class_name, back.model) == ("dog", "0123456789ab")
    assert (back.dataset, back.split, back.recipe) == ("voc2007", "val", RECIPE)
    assert [file.name for file in path.parent.iterdir()] == ["dogs.json"]


def maps(ids=tuple(BOXES)) -> ClassMaps:
    """Of class 1 of 3, with numbers that half precision would change."""
    draws = np.random.default_rng(0)
    raw = draws.random((2, 3, 4)).astype(np.float32)
    probabilities = draws.random((2, 3)).astype(np.float32)
    return ClassMaps(list(ids), 1, raw, probabilities, np.array([[40, 30], [7, 9]]))


def test_maps_beside_the_boxes_come_back_to_the_last_digit(tmp_path):
    path = tmp_path / "new" / "dogs.json"
    save_detections(path, made(maps=maps()))
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ["dogs.json", "dogs.maps.npz"]
    back = load_maps(path, load_detections(path))
    assert back.ids == list(BOXES)
    for name in ("raw", "scores", "sizes"):
        there, here = getattr(back, name), getattr(maps(), name)
        assert there.dtype == here.dtype
        np.testing.assert_array_equal(there, here)


def test_maps_that_are_not_there_or_belong_to_other_boxes(tmp_path):
    path = tmp_path / "dogs.json"
    save_detections(path, made())
    with pytest.raises(FileNotFoundError, match=r"dogs\.maps\.npz: no such"):
        load_maps(path, made())
    save_detections(path, made(maps=maps()))
    for other in (
        made(model="ba9876543210"),
        made(class_name="cat"),
        made(recipe={**RECIPE, "kind": "gradcam"}),
        made(dict(reversed(BOXES.items()))),
    ):
        with pytest.raises(ValueError, match=r"dogs\.maps\.npz: maps of another"):
            load_maps(path, other)
    for damaged in (b"", b"PK", (tmp_path / "dogs.maps.npz").read_bytes()[:-30]):
        (tmp_path / "dogs.maps.npz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"dogs\.maps\.npz: damaged"):
            load_maps(path, made())


def test_a_person_can_read_it():
    lines = as_json(made()).splitlines()
    assert lines[1] == ' "format": "wslib detections 1",'
    assert lines[2] == ' "class": "dog",'
    assert lines[-4:] == [
        '  "000002": [[1, 2, 30, 40.5, 0.30000000000000004], [5, 5, 5, 5, 0.25]],',
        '  "000001": []',
        " }",
        "}",
    ]


def test_scores_below_are_left_out_and_images_stay():
    above = made().above(0.26)
    assert list(above.boxes) == list(BOXES)
    assert above.boxes["000002"].tolist() == [[1, 2, 30, 40.5, 0.1 + 0.2]]
    assert made().above(0.25).boxes["000002"].shape == (2, 5)


def one_line(call, *words, kind=ValueError):
    with pytest.raises(kind) as error:
        call()
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


BAD_ROWS = [
    ([[1, 2, 3, 4, float("nan")]], "image 000002, box 0", "expected finite numbers"),
    ([[1, 2, float("inf"), 4, 1]], "image 000002, box 0", "expected finite numbers"),
    ([[1, 2, 3, 4, 1], [3, 2, 1, 4, 1]], "box 1", "expected x1 <= x2 and y1 <= y2"),
    ([[1, 4, 3, 2, 1]], "000002", "expected x1 <= x2 and y1 <= y2"),
    ([[1, 2, 3, 4]], "image 000002, box 0: 4 columns, expected x1, y1, x2, y2, score"),
    ([1, 2, 3, 4, 1], "image 000002, box 0: 1, expected numbers"),
    ([[1, 2, 3, 4, "0.5"]], "image 000002, box 0", "expected numbers"),
    ([[1, 2, 3, 4, True]], "image 000002, box 0", "expected numbers"),
    ([[1, 2, 3, None, 1]], "image 000002, box 0", "expected numbers"),
    ({"x": 1}, "image 000002: of type dict, expected a list of boxes"),
    ([[1, 2, 10**400, 4, 1]], "image 000002, box 0", "expected finite numbers"),
]


@pytest.mark.parametrize("rows, words", [(row[0], row[1:]) for row in BAD_ROWS])
def test_bad_boxes_are_refused_when_written_and_when_read(tmp_path, rows, words):
    path = tmp_path / "dogs.json"
    save_detections(path, made())
    text = path.read_text()
    bad = made({"000001": np.zeros((0, 5)), "000002": rows})
    one_line(lambda: save_detections(path, bad), "dogs.json: image ", *words)
    assert path.read_text() == text  # as it was
    content = json.loads(text) | {"boxes": {"000001": [], "000002": rows}}
    path.write_text(json.dumps(content))  # Python writes NaN and Infinity
    one_line(lambda: load_detections(path), "dogs.json: image ", *words)


def test_an_infinity_in_disguise(tmp_path):
    save_detections(tmp_path / "x", made())
    text = (tmp_path / "x").read_text().replace("0.25", "1e999")
    (tmp_path / "x").write_text(text)
    one_line(lambda: load_detections(tmp_path / "x"), "image 000002, box 1", "inf")


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"class": "wolf"}, "no class 'wolf'; VOC has aeroplane, "),
        ({"class": None}, "'class' is missing"),
        ({"format": "wslib detections 2"}, "format 'wslib detections 2', exp"),
        ({"dataset": "coco"}, "data set 'coco', expected voc2007, rendered, files"),
        ({"boxes": []}, "'boxes' is of type list"),
        ({"boxes": {}}, "no images"),
        ({"recipe": {"threshold": float("nan")}}, "recipe: "),
        ({"model": 7}, "'model' is of type int"),
    ],
)
def test_other_content_is_refused(tmp_path, changed, words):
    path = tmp_path / "dogs.json"
    path.write_text(json.dumps(json.loads(as_json(made())) | changed))
    one_line(lambda: load_detections(path), "dogs.json: ", words)


@pytest.mark.parametrize(
    "text, words",
    [
        (b"", "empty, expected 'wslib detections 1'"),
        (b" \n", "empty"),
        (b"000001 0.5 1 2 3 4\n", "not JSON"),
        (b'{"format": "wslib detections 1", ', "not JSON"),
        (b"[1, 2]", "format None"),
        (b"\xff\xd8\xff\xe0 JFIF", "not JSON"),
        (b'{"a": 1, "a": 2}', "'a' comes twice"),
        (b"[" * 100_000, "not JSON"),
    ],
    ids=range(8),
)
def test_other_files_are_refused(tmp_path, text, words):
    (tmp_path / "dogs.json").write_bytes(text)
    one_line(lambda: load_detections(tmp_path / "dogs.json"), "dogs.json: ", words)


def test_no_file_and_a_folder(tmp_path):
    missing = tmp_path / "none.json"
    one_line(lambda: load_detections(missing), "none.json", kind=FileNotFoundError)
    one_line(lambda: load_detections(tmp_path), f"{tmp_path}: a folder")


def test_unknown_class_and_no_image_are_not_written(tmp_path):
    path = tmp_path / "dogs.json"
    one_line(lambda: save_detections(path, made(class_name="wolf")), "'wolf'")
    one_line(lambda: save_detections(path, made({})), "dogs.json: no images")
    bad = made(recipe={"threshold": float("nan")})
    one_line(lambda: save_detections(path, bad), "dogs.json: recipe: ")
    one_line(lambda: save_detections(path, made(recipe={"x": {1}})), "recipe: ")
    assert not list(tmp_path.iterdir())


def test_no_score_is_above_nan():
    with pytest.raises(ValueError, match="the least score is nan"):
        made().above(float("nan"))


def test_a_name_that_is_no_text_comes_back(tmp_path):
    """As a folder on an old disk gives it, beside one with letters of its own."""
    names = [os.fsdecode(b"caf\xe9.jpg"), "café.jpg"]
    found = made({name: [] for name in names}, dataset="files")
    save_detections(tmp_path / "a.json", found)
    assert list(load_detections(tmp_path / "a.json").boxes) == names
    assert "café.jpg" in (tmp_path / "a.json").read_text("utf-8")
