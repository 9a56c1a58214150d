"""Files of proposals: the course's MATLAB ones, our JSON, and what is refused."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from wslib.data.proposal_files import (
    check_name,
    gather_proposals,
    read_proposals,
    write_proposals,
)


def cells(*entries, down=False):
    array = np.empty((len(entries), 1) if down else (1, len(entries)), object)
    for k, entry in enumerate(entries):
        array.flat[k] = entry
    return array


# ymin, xmin, ymax, xmax, from 1, the last pixel included
ONE = np.array([[1, 2, 30, 40], [5, 6, 7, 8], [1, 1, 1, 1]], np.uint16)
TWO = np.array([[3, 4, 5, 6]], np.uint16)
SCORES = np.array([[0.25], [0.75], [0.5]])
FOUND = {  # ours, best first
    "000005": [[5, 4, 8, 7, 0.75], [0, 0, 1, 1, 0.5], [1, 0, 40, 30, 0.25]],
    "000007": [[3, 2, 6, 5, 9]],
}


def course(path, compress=False, **other):
    content = {
        "images": cells("000005", "000007", down=True),
        "boxes": cells(ONE, TWO),
        "boxScores": cells(SCORES, np.array([[9.0]])),
        **other,
    }
    content = {key: value for key, value in content.items() if value is not None}
    savemat(path, content, do_compression=compress)
    return path


def check(found, wanted):
    assert list(found) == list(wanted)
    for i, rows in wanted.items():
        assert found[i].dtype == np.float32
        np.testing.assert_array_equal(found[i], np.array(rows, np.float32))


# -------------------------------------------------------------------------- MATLAB


@pytest.mark.parametrize("compress", [False, True])
def test_course_file_by_hand(tmp_path, compress):
    """Unsigned integers, from 1: the first pixel must not become 65535."""
    check(read_proposals(course(tmp_path / "a.mat", compress)), FOUND)


def test_ids_select_and_order(tmp_path):
    path = course(tmp_path / "a.MAT")
    check(read_proposals(path, ["000007"]), {"000007": FOUND["000007"]})
    assert list(read_proposals(path, ["000007", "000005"])) == ["000007", "000005"]
    assert read_proposals(path, []) == {}


def test_without_scores_the_first_is_best(tmp_path):
    found = read_proposals(course(tmp_path / "a.mat", boxScores=None))
    assert found["000005"][:, 0].tolist() == [1, 5, 0]
    np.testing.assert_allclose(found["000005"][:, 4], [1, 2 / 3, 1 / 3], rtol=1e-6)
    assert found["000007"][0, 4] == 1


NESTED = [
    {"images": cells("000005", "000007")},
    {"images": cells(cells("000005"), cells("000007"))},
    {"images": cells(cells("000005", "000007", down=True))},
    {"images": np.array(["000005", "000007"])},  # rows of a char matrix
    {"images": cells("000005.jpg", " 000007 ")},
    {"images": np.array([[5], [7]], np.uint32)},  # WSDDN's files number the images
    {"images": cells(np.uint32(5), np.uint32(7))},
    {"boxes": cells(ONE, TWO, down=True)},
    {"boxes": cells(cells(ONE, TWO)), "boxScores": cells(cells(SCORES, [[9.0]]))},
    {"boxes": cells(cells(ONE), cells(TWO))},
    {"boxScores": cells(SCORES.T, 9.0)},
    {"boxScores": cells(cells(SCORES), cells(9.0))},
    {"boxes": cells(ONE.astype(float), TWO.astype(np.int8))},
]


@pytest.mark.parametrize("other", NESTED)
def test_nestings(tmp_path, other):
    check(read_proposals(course(tmp_path / "a.mat", **other)), FOUND)


def test_one_image_and_images_without_boxes(tmp_path):
    one = {"images": cells("000005"), "boxes": cells(ONE), "boxScores": cells(SCORES)}
    path = course(tmp_path / "one.mat", **one)
    check(read_proposals(path), {"000005": FOUND["000005"]})
    boxes = cells(np.zeros((0, 0)), np.zeros((0, 4)))
    scores = cells(np.zeros((0, 0)), np.zeros((0, 1)))
    path = course(tmp_path / "none.mat", boxes=boxes, boxScores=scores)
    empty = np.zeros((0, 5))
    check(read_proposals(path), {"000005": empty, "000007": empty})


def test_several_files_each_image_from_the_first_that_has_it(tmp_path, monkeypatch):
    """As the course's: one for trainval, one for test."""
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(tmp_path / "notes"))
    first = course(tmp_path / "trainval.mat")
    other = {"000009": np.float32([[1, 2, 3, 4, 0.5]])}
    other |= {"000007": np.float32([[0, 0, 9, 9, 1]])}
    write_proposals(tmp_path / "test.json", other)
    files = [first, tmp_path / "test.json"]
    found = gather_proposals(files, ["000009", "000007"])
    check(found, {"000009": other["000009"], "000007": FOUND["000007"]})
    assert (tmp_path / "notes").read_text().split() == [str(file) for file in files]
    text = r"trainval\.mat, \S+test\.json: no proposals of 1 of 2 images \(000008, "
    with pytest.raises(ValueError, match=text):
        gather_proposals(files, ["000009", "000008"])


def test_equal_scores_keep_their_order(tmp_path):
    many = np.ones((60, 4), np.uint16)
    many[:, 1] = many[:, 3] = np.arange(1, 61)
    scores = cells(np.tile([[0.5], [0.9]], (30, 1)), 1.0)
    path = course(tmp_path / "a.mat", boxes=cells(many, TWO), boxScores=scores)
    found = read_proposals(path)["000005"][:, 0].tolist()
    assert found == [*range(1, 60, 2), *range(0, 60, 2)]


WRONG = [
    ({"images": None}, "no 'images' in it"),
    ({"boxes": None}, "no 'boxes' in it"),
    ({"boxes": cells(ONE)}, "2 images, 1 boxes, 2 boxScores: expected an entry"),
    ({"boxScores": cells(SCORES)}, "2 images, 2 boxes, 1 boxScores"),
    ({"boxScores": cells(SCORES[:2], 9.0)}, "image 000005: 3 boxes, 2 scores"),
    ({"images": cells("000005", "000005")}, "'000005' comes twice"),
    ({"images": cells("000005", 7.5)}, "images holds .*7.5.*, expected the id"),
    ({"boxes": cells(ONE[:, :3], TWO)}, r"image 000005: boxes \(3, 3\), expected"),
    ({"boxes": cells(ONE, cells(TWO, TWO))}, "image 000007: boxes: expected numbers"),
    ({"boxes": cells(ONE, "a")}, "image 000007: boxes: expected numbers"),
    ({"boxes": cells(ONE + np.nan, TWO)}, "image 000005, box 0: .*nan.* finite"),
    ({"boxScores": cells(SCORES * np.nan, 9.0)}, "image 000005, box 0: .*nan"),
    ({"boxes": cells(ONE, TWO[:, [2, 1, 0, 3]])}, "image 000007, box 0: .*y1 <= y2"),
    ({"boxes": cells(ONE, TWO[:, [0, 3, 2, 1]])}, "image 000007, box 0: .*x1 <= x2"),
]


@pytest.mark.parametrize("other, message", WRONG)
def test_wrong_course_files_are_refused_in_a_line(tmp_path, other, message):
    path = course(tmp_path / "a.mat", **other)
    with pytest.raises(ValueError, match=message) as error:
        read_proposals(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_truncated_course_files_are_refused(tmp_path, share, compress):
    path = course(tmp_path / "a.mat", compress)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"a\.mat: ") as error:
        read_proposals(path)
    assert "\n" not in str(error.value)


def test_newer_matlab_files_are_told_of(tmp_path):
    path = tmp_path / "a.mat"
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    path.write_bytes(head.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n" + b"\0" * 512)
    with pytest.raises(ValueError, match=r"a\.mat: a MATLAB 7.3 file .*HDF5.*-v7"):
        read_proposals(path)


# ---------------------------------------------------------------------------- JSON


def test_json_by_hand(tmp_path):
    path = tmp_path / "a.json"
    boxes = [[1, 0, 40, 30], [5, 4, 8, 7], [0, 0, 1, 1]]
    content = {"000005": {"boxes": boxes, "scores": [0.25, 0.75, 0.5]}}
    content["000007"] = {"boxes": [[3, 2, 6, 5]], "scores": [9]}
    path.write_text(json.dumps(content))
    check(read_proposals(path), FOUND)
    check(read_proposals(path, ["000007"]), {"000007": FOUND["000007"]})


def test_json_without_scores_or_boxes(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '{"a": {"boxes": [[0, 0, 1, 1], [2, 2, 3, 3]]}, "b": {"boxes": []}}'
    )
    found = read_proposals(path)
    assert found["a"][:, 4].tolist() == [1, 0.5] and found["b"].shape == (0, 5)


def test_written_and_read_again(tmp_path):
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 50, (30, 5)).astype(np.float32)
    boxes[:, 2:4] += boxes[:, :2]
    boxes = boxes[np.argsort(-boxes[:, 4])]
    given = {"000007": boxes, 'ünï "q"': np.zeros((0, 5)), "x": boxes[:1]}
    path = tmp_path / "new" / "a.json"
    write_proposals(path, given)
    check(read_proposals(path), given)
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_written_as_people_read_it(tmp_path):
    path = tmp_path / "a.json"
    write_proposals(path, {"b": np.array([[0, 1, 2.1, 3, 0.1]], np.float32), "a": NONE})
    assert path.read_text() == (
        '{\n"b": {"boxes": [[0.0, 1.0, 2.1, 3.0]], "scores": [0.1]},\n'
        '"a": {"boxes": [], "scores": []}\n}\n'
    )


NONE = np.zeros((0, 5))


def test_best_is_written_first(tmp_path):
    write_proposals(tmp_path / "a.json", {"a": [[0, 0, 1, 1, 0.1], [2, 2, 3, 3, 0.9]]})
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["a"]["scores"] == [0.9, 0.1]


@pytest.mark.parametrize(
    "boxes, message",
    [
        (np.zeros((2, 4)), r"image b: shape \(2, 4\), expected \(P, 5\)"),
        (np.zeros(5), r"image b: shape \(5,\)"),
        (np.full((1, 5), np.nan), "image b, box 0: .*nan"),
        ([[3, 0, 1, 1, 1]], "image b, box 0: .*x1 <= x2"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path, boxes, message):
    path = tmp_path / "a.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=message) as error:
        write_proposals(path, {"a": NONE, "b": boxes})
    assert str(error.value).startswith(f"{path}: ")
    assert path.read_text() == "{}" and len(list(tmp_path.iterdir())) == 1


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_proposals(path, {"a": NONE})
    before = path.read_text()

    def full(self, text, **_):
        self.write_bytes(text.encode()[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write_proposals(path, {"b": NONE})
    assert path.read_text() == before and len(list(tmp_path.iterdir())) == 1


def test_nothing_is_left_of_what_cannot_be_written(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(OSError):
        write_proposals(tmp_path / "a.json", {"a": NONE})
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


WRONG_JSON = [
    ("", "not JSON, or damaged: Expecting value"),
    ('{"a": {"boxes": [[0, 0', "not JSON, or damaged"),
    ("[" * 200_000, "not JSON, or damaged"),
    ("[]", "expected an object of images"),
    ('{"a": []}', "image a: no 'boxes'"),
    ('{"a": {"scores": []}}', "image a: no 'boxes'"),
    ('{"a": {"boxes": []}, "a": {"boxes": []}}', "'a' comes twice"),
    ('{"a": {"boxes": [[0, 0, 1, 1]], "scores": []}}', "image a: 1 boxes, 0 scores"),
    ('{"a": {"boxes": [], "scores": [1]}}', "image a: 0 boxes, 1 scores"),
    ('{"a": {"boxes": [[0, 0, 1]]}}', r"image a: boxes \(1, 3\), expected \(P, 4\)"),
    ('{"a": {"boxes": [0, 0, 1, 1]}}', r"image a: boxes \(4,\)"),
    ('{"a": {"boxes": [[0, 0, 1, 1], [0]]}}', "image a: boxes: expected numbers"),
    ('{"a": {"boxes": [["0", "0", "1", "1"]]}}', "image a: boxes: expected numbers"),
    ('{"a": {"boxes": [[true, true, true, true]]}}', "boxes: expected numbers"),
    ('{"a": {"boxes": null}}', "image a: boxes: expected numbers"),
    ('{"a": {"boxes": {"0": 1}}}', "image a: boxes: expected numbers"),
    ('{"a": {"boxes": [[0, 0, 1, 1]], "scores": ["x"]}}', "scores: expected numbers"),
    ('{"a": {"boxes": [[0, 0, 1, NaN]]}}', "image a, box 0: .*nan"),
    ('{"a": {"boxes": [[0, 0, 1, 1e300]]}}', "image a, box 0: .*inf"),
    ('{"a": {"boxes": [[0, 0, 1, 1]], "scores": [NaN]}}', "image a, box 0: .*nan"),
    ('{"a": {"boxes": [[0, 0, 1, 1], [0, 3, 1, 2]]}}', "image a, box 1: .*y1 <= y2"),
]


@pytest.mark.parametrize("text, message", WRONG_JSON, ids=range(len(WRONG_JSON)))
@pytest.mark.filterwarnings("error")
def test_wrong_json_is_refused_in_a_line(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_proposals(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ValueError, match=r"a\.json: not JSON"):
        read_proposals(tmp_path / "a.json")


# ---------------------------------------------------------------------------- both


def test_images_that_are_missing_are_counted(tmp_path):
    path = course(tmp_path / "a.mat")
    message = r"a\.mat: lacks the proposals of 2 of 3 images \(000006, \.\.\.\)"
    with pytest.raises(ValueError, match=message):
        read_proposals(path, ["000005", "000006", "000009"])


def test_images_that_are_not_asked_for_are_not_looked_at(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"a": {"boxes": [[9, 0, 1, 1]]}, "b": {"boxes": []}}')
    assert list(read_proposals(path, ["b"])) == ["b"]


def test_names_of_files(tmp_path):
    with pytest.raises(ValueError, match=r"a\.txt: expected .*\.mat or \.json"):
        read_proposals(tmp_path / "a.txt")
    for name in ("a.mat", "a.json"):
        with pytest.raises(FileNotFoundError, match=f"{name}: no such file"):
            read_proposals(tmp_path / name)
    with pytest.raises(ValueError, match=r"a\.mat: .* JSON, expected NAME\.json"):
        write_proposals(tmp_path / "a.mat", {})
    assert check_name("a.JSON") is None and not list(tmp_path.iterdir())
