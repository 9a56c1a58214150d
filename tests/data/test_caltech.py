"""Faces, motorcycles and airplanes on disk: read as they are, or refused by name."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wslib.data.caltech import (
    LABELS,
    load_pixels,
    read_caltech,
    read_csv,
    write_csv,
)
from wslib.data.datasets import open_caltech

REAL = Path(os.environ.get("WSLIB_DATA", "data"), "caltech3")
ROWS = {
    "face": "a.jpg,1,2,11,22,face\nb.jpg,0,0,40,30,face\n",
    "motorcycle": "a.jpg,5.5,6.25,30,28,motorcycle\n",
    "airplane": "a.jpg,3,4,5,6,airplane\nb.jpg,0,0,9,9,airplane\n",
}


@pytest.fixture
def root(tmp_path) -> Path:
    """Five pictures of 40 x 30 in the practical's layout; a face is left half red."""
    root = tmp_path / "set"
    (root / "annotations").mkdir(parents=True)
    for label, rows in ROWS.items():
        (root / "images" / label).mkdir(parents=True)
        (root / "annotations" / f"{label}.csv").write_text(rows)
        for name in {row.split(",")[0] for row in rows.split()}:
            image = Image.new("RGB", (40, 30), (0, 0, 255))
            image.paste((255, 0, 0), (0, 0, 20, 30))
            image.save(root / "images" / label / name, quality=95)
    return root


def line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def face(root: Path, rows: str | bytes) -> Path:
    path = root / "annotations" / "face.csv"
    path.write_bytes(rows if isinstance(rows, bytes) else rows.encode())
    return path


def test_read_a_set(root):
    pictures = read_caltech(root)
    assert LABELS == ("face", "motorcycle", "airplane")
    assert len(pictures) == 5 and pictures.notes == [] and not pictures.rendered
    assert pictures.paths[1] == root / "images" / "face" / "b.jpg"
    assert pictures.labels.tolist() == [0, 0, 1, 2, 2]
    assert pictures.labels.dtype == pictures.sizes.dtype == np.int64
    assert pictures.boxes[[0, 2]].tolist() == [[1, 2, 11, 22], [5.5, 6.25, 30, 28]]
    assert pictures.sizes.tolist() == [[40, 30]] * 5  # width, height
    assert pictures.ratios.dtype == np.float32
    assert pictures.ratios[0] == pytest.approx([1 / 40, 2 / 30, 11 / 40, 22 / 30])
    assert pictures.ratios[1].tolist() == [0, 0, 1, 1] and pictures.has_box.all()


def test_boxes_are_of_the_upright_picture(root):
    """A camera held upright has stored 40 x 30 pixels lying: 30 x 40 are meant."""
    exif, file = Image.Exif(), root / "images" / "face" / "a.jpg"
    exif[0x0112] = 6
    Image.open(file).save(file, exif=exif)
    face(root, "a.jpg,1,2,30,40,face\n")
    pictures = read_caltech(root)
    assert pictures.sizes[0].tolist() == [30, 40] and pictures.notes == []
    assert pictures.boxes[0].tolist() == [1, 2, 30, 40]
    above, below = load_pixels(pictures.take([0]), 8)[0, 0].float().split(4)
    assert above.mean() > 200 and below.mean() < 50  # what was left is at the top


def test_a_rendered_set_says_so(root):
    (root / "RENDERED.json").write_text("{}")
    assert read_caltech(root).rendered and read_caltech(root).take([1]).rendered
    write_csv(root.parent / "some.csv", read_caltech(root))
    assert read_csv(root.parent / "some.csv").rendered


def test_open_the_rendered_set(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "build" / "smoke"))
    pictures = open_caltech(count=3, seed=1)
    assert pictures.rendered and pictures.labels.tolist() == [0, 1, 2]
    assert pictures.has_box.all() and tmp_path in pictures.paths[0].parents


def test_open_the_practicals_set_and_note_it(root, tmp_path, monkeypatch):
    root.rename(tmp_path / "caltech3")
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path))
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(tmp_path / "notes"))
    assert len(open_caltech("caltech3")) == 5
    noted = (tmp_path / "notes").read_text().splitlines()
    for name in ("annotations/face.csv", "images/airplane"):
        assert str(tmp_path / "caltech3" / name) in noted


@pytest.mark.parametrize(
    "box, said",
    [
        ("3,5,20,5", "the box 3, 5, 20, 5 has no height; left out"),
        ("3,5,3,9", "the box 3, 5, 3, 9 has no width; left out"),
        ("20,5,3,9", "the box 20, 5, 3, 9 is inverted; left out"),
        ("3,9,20,5", "the box 3, 9, 20, 5 is inverted; left out"),
        ("3,5,41,9", "the box 3, 5, 41, 9 leaves the picture of 40 x 30; left out"),
        ("-1,5,8,9", "the box -1, 5, 8, 9 leaves the picture of 40 x 30; left out"),
        ("50,5,60,9", "the box 50, 5, 60, 9 leaves the picture of 40 x 30; left out"),
        (",,,", "no box; left out"),
    ],
)
def test_a_box_that_cannot_be_used_is_noted(root, box, said):
    path = face(root, f"a.jpg,1,2,11,22,face\nb.jpg,{box},face\n")
    pictures = read_caltech(root)
    assert pictures.notes == [f"{path}, line 2: b.jpg: {said}"]
    assert pictures.has_box.tolist() == [True, False, True, True, True]
    assert np.isnan(pictures.boxes[1]).all() and np.isnan(pictures.ratios[1]).all()
    assert pictures.labels[1] == 0 and len(pictures) == 5


@pytest.mark.parametrize(
    "rows, error, said",
    [
        (
            "a.jpg,1,2,3,face\n",
            ValueError,
            "line 1: 'a.jpg,1,2,3,face', expected NAME,x1",
        ),
        ("a.jpg,1,2,3,4,face,1\n", ValueError, "line 1: .*,face,1', expected NAME"),
        (",1,2,3,4,face\n", ValueError, "line 1: ',1,2,3,4,face', expected NAME"),
        ("\na.jpg,1,2,3,x,face\n", ValueError, "line 2: could not .* float: 'x'"),
        ("a.jpg,1,2,3,,face\n", ValueError, "line 1: could not convert"),
        ("name,x1,y1,x2,y2,label\n", ValueError, "line 1: could not convert.*'x1'"),
        ("a.jpg,1,2,nan,4,face\n", ValueError, "line 1: the box .*, expected finite"),
        ("a.jpg,1,2,inf,4,face\n", ValueError, "line 1: the box .*, expected finite"),
        ("a.jpg,1,2,3,4,cat\n", ValueError, "line 1: label 'cat', expected face, mo"),
        ("a.jpg,1,2,3,4,Face\n", ValueError, "line 1: label 'Face', expected face"),
        ("c.jpg,1,2,3,4,face\n", FileNotFoundError, "line 1: .*c.jpg: no such pict"),
        ("a.jpg,1,2,3,4,face\n" * 2, ValueError, "line 2: .*a.jpg has an annotation a"),
        ("", ValueError, "face.csv: no rows, expected NAME,x1,y1,x2,y2,label"),
        (" \n,,\n\r\n", ValueError, "face.csv: no rows"),
        (b"\xff\xfea.jpg", ValueError, "face.csv: no CSV in UTF-8"),
        ('"a.jpg,1,2,3,4,face\n', ValueError, "line 1: .*, expected NAME"),
    ],
)
def test_bad_rows_are_named(root, rows, error, said):
    path = face(root, rows)
    with pytest.raises(error, match=said) as caught:
        read_caltech(root)
    assert line(caught).startswith(str(path))


@pytest.mark.parametrize(
    "rows",
    [
        "a.jpg,1,2,11,22,face\r\nb.jpg,0,0,40,30,face\r\n",
        "a.jpg,1,2,11,22,face\n\nb.jpg,0,0,40,30,face",
        "a.jpg,1,2,11,22,face\nb.jpg,0,0,40,30,face\n \n\n",
        b"\xef\xbb\xbfa.jpg,1,2,11,22,face\nb.jpg,0,0,40,30,face\n",
        "a.jpg, 1, 2, 11.0, 22 ,face\n b.jpg ,0,0,40,30, face\n",
    ],
)
def test_line_ends_blank_lines_and_blanks_do_not_matter(root, rows):
    expected = read_caltech(root)
    face(root, rows)
    assert read_caltech(root).paths == expected.paths
    assert (read_caltech(root).boxes == expected.boxes).all()


def test_a_missing_csv_and_a_missing_folder(root, tmp_path):
    (root / "annotations" / "airplane.csv").unlink()
    with pytest.raises(FileNotFoundError, match="airplane.csv: no such file; exp") as e:
        read_caltech(root)
    assert line(e)
    with pytest.raises(FileNotFoundError, match="nowhere.annotations.face.csv: no su"):
        read_caltech(tmp_path / "nowhere")


def test_a_file_that_is_no_picture(root):
    (root / "images" / "face" / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="face.csv, line 2: .*b.jpg: not a reada") as e:
        read_caltech(root)
    assert line(e)


def test_take_rows(root):
    face(root, "a.jpg,9,2,1,22,face\nb.jpg,0,0,40,30,face\n")
    (root / "annotations" / "airplane.csv").write_text(
        "a.jpg,3,4,5,6,airplane\nb.jpg,0,0,0,9,airplane\n"
    )
    pictures = read_caltech(root)
    assert len(pictures.notes) == 2
    some = pictures.take([4, 1, 2])
    assert some.paths == [pictures.paths[row] for row in (4, 1, 2)]
    assert some.labels.tolist() == [2, 0, 1] and some.notes == pictures.notes[1:]
    assert some.take(np.array([0])).notes == pictures.notes[1:]
    assert pictures.take(np.array([4, 0])).notes == pictures.notes[::-1]
    with_box = pictures.take(pictures.has_box)
    assert len(with_box) == 3 and with_box.notes == [] and with_box.has_box.all()
    none = pictures.take([])
    assert len(none) == 0 and none.boxes.shape == none.ratios.shape == (0, 4)
    with pytest.raises(IndexError):
        pictures.take([5])


def test_write_and_read_again(root, tmp_path):
    face(root, "a.jpg,0.1,2,11,22.125,face\nb.jpg,9,0,4,30,face\n")
    pictures = read_caltech(root)
    path = tmp_path / "runs" / "one" / "train.csv"
    write_csv(path, pictures.take([2, 1, 0]))
    assert path.read_text().splitlines() == [
        "../../set/images/motorcycle/a.jpg,5.5,6.25,30,28,motorcycle",
        "../../set/images/face/b.jpg,,,,,face",
        "../../set/images/face/a.jpg,0.1,2,11,22.125,face",
    ]
    again = read_csv(path)
    assert again.paths == [pictures.paths[row] for row in (2, 1, 0)]
    assert again.labels.tolist() == [1, 0, 0]
    assert np.array_equal(again.boxes, pictures.boxes[[2, 1, 0]], equal_nan=True)
    assert again.notes == [f"{path}, line 2: b.jpg: no box; left out"]
    assert [p.name for p in path.parent.iterdir()] == ["train.csv"]


def test_the_set_may_move_with_its_csv(root, tmp_path):
    write_csv(root / "all.csv", read_caltech(root))
    shutil.move(root, tmp_path / "elsewhere")
    moved = read_csv(tmp_path / "elsewhere" / "all.csv")
    assert moved.paths[0] == tmp_path / "elsewhere" / "images" / "face" / "a.jpg"


def test_absolute_paths_commas_and_other_errors_of_a_csv(root, tmp_path):
    picture = tmp_path / "a, b.png"
    Image.new("L", (8, 6)).save(picture)
    path = tmp_path / "own.csv"
    path.write_text(f'"{picture}",1,1,7,5,face\n')
    own = read_csv(path)
    assert own.paths == [picture] and own.sizes.tolist() == [[8, 6]]
    write_csv(path, own)
    assert read_csv(path).paths == [picture]
    for content, said in (("", "no rows"), ("x.png,1,1,7,5,face\n", "x.png: no such")):
        path.write_text(content)
        with pytest.raises((ValueError, FileNotFoundError), match=said) as error:
            read_csv(path)
        assert line(error).startswith(str(path))
    with pytest.raises(FileNotFoundError, match="none.csv: no such file"):
        read_csv(tmp_path / "none.csv")


def test_an_interrupted_writer_leaves_the_old_file(root, tmp_path, monkeypatch):
    pictures, path = read_caltech(root), tmp_path / "train.csv"
    write_csv(path, pictures)
    before = path.read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        write_csv(path, pictures.take([0]))
    assert path.read_text() == before
    assert not [p for p in tmp_path.iterdir() if ".part" in p.name]


def test_load_pixels(root):
    pixels = load_pixels(read_caltech(root), 8)
    assert pixels.shape == (5, 3, 8, 8) and pixels.dtype == torch.uint8
    red, blue = pixels[0, :, 4, 1].tolist(), pixels[0, :, 4, 6].tolist()
    assert red[0] > 245 and red[2] < 10 and blue[2] > 245 and blue[0] < 10
    assert torch.equal(pixels, load_pixels(read_caltech(root), 8, workers=1))
    assert load_pixels(read_caltech(root).take([]), 8).shape == (0, 3, 8, 8)


def test_grey_rgba_and_palette_are_converted(root):
    folder = root / "images" / "face"
    Image.new("L", (40, 30), 77).save(folder / "a.jpg", format="PNG")
    Image.new("RGBA", (40, 30), (10, 20, 30, 128)).save(folder / "b.jpg", format="PNG")
    palette = Image.new("RGB", (40, 30), (1, 2, 3)).convert("P", palette=Image.ADAPTIVE)
    palette.save(root / "images" / "motorcycle" / "a.jpg", format="PNG")
    pixels = load_pixels(read_caltech(root), 4)
    assert [pixels[k, :, 2, 2].tolist() for k in range(3)] == [
        [77, 77, 77], [10, 20, 30], [1, 2, 3],
    ]  # fmt: skip


def test_a_truncated_picture_is_named_when_it_is_decoded(root):
    path = root / "images" / "motorcycle" / "a.jpg"
    path.write_bytes(path.read_bytes()[:-20])
    pictures = read_caltech(root)  # its header is whole
    with pytest.raises(
        ValueError, match="motorcycle.a.jpg: not a readable im"
    ) as error:
        load_pixels(pictures, 8)
    assert line(error)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": 8, "workers": 0}])
def test_a_size_or_workers_below_one(root, wrong):
    with pytest.raises(ValueError, match="is 0, expected 1 or more"):
        load_pixels(read_caltech(root), **wrong)


def test_a_path_that_no_csv_holds(root, tmp_path):
    odd = root.rename(tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(ValueError, match=r"a\.csv: cannot hold the path .*caf\\udce9"):
        write_csv(tmp_path / "a.csv", read_caltech(odd))
    assert not (tmp_path / "a.csv").exists()


def test_pictures_that_no_memory_holds(root):
    with pytest.raises(ValueError, match="5 pictures of 20000 x 20000: expected 1,000"):
        load_pixels(read_caltech(root), 20_000)


@pytest.mark.skipif(not REAL.is_dir(), reason="WSLIB_DATA has no caltech3")
def test_the_real_set():
    pictures = read_caltech(REAL)
    assert np.bincount(pictures.labels).tolist() == [435, 798, 800]
    assert not pictures.rendered and pictures.has_box.sum() == 2032
    row = int(np.flatnonzero(~pictures.has_box)[0])
    image = REAL / "images" / "airplane" / "image_0118.jpg"
    assert pictures.paths[row].resolve() == image.resolve()
    assert pictures.labels[row] == LABELS.index("airplane")
    assert pictures.notes == [
        f"{REAL / 'annotations' / 'airplane.csv'}, line 118: image_0118.jpg: "
        "the box 104, 38, 126, 38 has no height; left out"
    ]
    assert np.nanmin(pictures.ratios) >= 0 and np.nanmax(pictures.ratios) <= 1
    some = pictures.take(range(0, 2033, 200))
    assert load_pixels(some, 32).float().std() > 40
