"""Caltech-101, made tiny: fetched whole, or not there at all; read as it is."""

import io
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from wslib.data import caltech101
from wslib.data import fetch as module
from wslib.data.caltech101 import caltech101_contents, read_caltech101
from wslib.data.datasets import open_caltech
from wslib.data.fetch import SOURCES, fetch_data_set

fetch_caltech101 = partial(fetch_data_set, "caltech101")

CALTECH101_ZIP = "caltech-101.zip"
COMPLETE = "complete, 2 face, 1 motorcycle, 1 airplane"


def picture(width: int = 40, height: int = 30) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (9, 9, 9)).save(stream, "JPEG")
    return stream.getvalue()


def annotation(*box_coord: float) -> bytes:
    stream = io.BytesIO()
    savemat(stream, {"box_coord": [box_coord], "obj_contour": np.zeros((2, 5))})
    return stream.getvalue()


IMAGES = {
    "Faces/image_0001.jpg": picture(),
    "Faces/image_0002.jpg": picture(50),
    "Faces_easy/image_0001.jpg": picture(),
    "Motorbikes/image_0001.jpg": picture(),
    "airplanes/image_0001.jpg": picture(),
}
ANNOTATIONS = {  # y1, y2, x1, x2
    "Faces_2/annotation_0001.mat": annotation(2, 22, 1, 11),
    "Faces_2/annotation_0002.mat": annotation(5, 15, 10, 20),
    "Faces_3/annotation_0001.mat": annotation(0, 1, 2, 3),
    "Motorbikes_16/annotation_0001.mat": annotation(3.5, 9, 7, 30),
    "Airplanes_Side_2/annotation_0001.mat": annotation(8, 8, 3, 30),
}


def tarred(files: dict[str, bytes], top: str, mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def published(images=IMAGES, annotations=ANNOTATIONS, **more: bytes) -> bytes:
    """The ZIP of the site, with its two tar files and what else is in it."""
    files = {
        "101_ObjectCategories.tar.gz": tarred(images, "101_ObjectCategories", "w:gz"),
        "Annotations.tar": tarred(annotations, "Annotations", "w"),
        "show_annotation.m": b"%",
        **more,
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            if content:
                archive.writestr(f"caltech-101/{name}", content)
        archive.writestr("__MACOSX/caltech-101/._Annotations.tar", b"no tar")
    return stream.getvalue()


def less(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: content for key, content in files.items() if name not in key}


@pytest.fixture
def mirror(mirror, monkeypatch):
    counts = {"face": 2, "motorcycle": 1, "airplane": 1}
    monkeypatch.setattr(caltech101, "COUNTS", counts)
    mirror.publish("caltech101", published())
    return mirror


def there(data: Path) -> list[str]:
    """All files, and folders that are empty, without the locks."""
    found = (p for p in data.rglob("*") if p.is_file() or not list(p.iterdir()))
    return sorted(str(p.relative_to(data)) for p in found if p.suffix != ".lock")


def line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_official_archive():
    official = "md5:3138e1922a9193bfa496528edbbc45d0"
    assert SOURCES["caltech101"][0].checksum == official
    assert caltech101.COUNTS == {"face": 435, "motorcycle": 798, "airplane": 800}


def test_it_comes_whole_and_can_be_read(mirror, data, capsys):
    assert caltech101_contents(data / "caltech101") == "not here"
    folder = fetch_caltech101(base_url=mirror.url)
    assert (
        folder == data / "caltech101"
        and caltech101_contents(data / "caltech101") == COMPLETE
    )
    wanted = [f"101_ObjectCategories/{name}" for name in less(IMAGES, "easy")]
    wanted += [f"Annotations/{name}" for name in less(ANNOTATIONS, "Faces_3")]
    assert there(data) == sorted(f"caltech101/{name}" for name in wanted)
    assert capsys.readouterr().out.splitlines() == [
        f"caltech101: from {mirror.url}/caltech-101.zip",
        f"caltech101: {COMPLETE}, in {folder}",
    ]
    fetch_caltech101(base_url=mirror.url)
    assert len(mirror.asked) == 1 and "used as it is" in capsys.readouterr().out


def test_read_what_came(mirror, data, tmp_path, monkeypatch):
    folder = fetch_caltech101(base_url=mirror.url)
    monkeypatch.setenv("WSLIB_DATA_NOTES", str(tmp_path / "notes"))
    for pictures in (open_caltech("caltech101"), read_caltech101(folder)):
        assert pictures.labels.tolist() == [0, 0, 1, 2] and not pictures.rendered
        assert pictures.sizes.tolist() == [[40, 30], [50, 30], [40, 30], [40, 30]]
        assert pictures.boxes[:3].tolist() == [
            [1, 2, 11, 22], [10, 5, 20, 15], [7, 3.5, 30, 9],
        ]  # fmt: skip
        assert pictures.has_box.tolist() == [True, True, True, False]
        path = folder / "Annotations" / "Airplanes_Side_2" / "annotation_0001.mat"
        said = "image_0001.jpg: the box 3, 8, 30, 8 has no height; left out"
        assert pictures.notes == [f"{path}: {said}"]
    noted = set((tmp_path / "notes").read_text().splitlines())
    assert {
        str(folder),
        str(folder / "101_ObjectCategories" / "Faces"),
        str(folder / "Annotations" / "Motorbikes_16"),
    } <= noted


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "annotation_0002.mat: no box_coord of y1, y2, x1, x2"),
        (b"no mat", "annotation_0002.mat: no box_coord"),
        (annotation(1, 2, 3, 4)[:-40], "annotation_0002.mat: no box_coord"),
        (annotation(1, 2, 3), "annotation_0002.mat: no box_coord"),
        (b"\0" * 300, "annotation_0002.mat: no box_coord"),
    ],
)
def test_a_damaged_annotation_is_named(mirror, content, said):
    folder = fetch_caltech101(base_url=mirror.url)
    (folder / "Annotations" / "Faces_2" / "annotation_0002.mat").write_bytes(content)
    with pytest.raises(ValueError, match=said) as error:
        read_caltech101(folder)
    assert line(error).startswith(str(folder))


def test_missing_files_are_named(mirror, data):
    folder = fetch_caltech101(base_url=mirror.url)
    faces = folder / "101_ObjectCategories" / "Faces"
    (faces / "image_0001.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="image_0001.jpg: not a readable image") as e:
        read_caltech101(folder)
    assert line(e)
    (folder / "Annotations" / "Faces_2" / "annotation_0002.mat").unlink()
    with pytest.raises(FileNotFoundError, match="annotation_0002.mat: no such ann"):
        read_caltech101(folder)
    with pytest.raises(RuntimeError, match="0002.mat: no such annotation; rem") as e:
        fetch_caltech101(base_url=mirror.url)
    assert line(e) and len(mirror.asked) == 1
    for path in faces.iterdir():
        path.unlink()
    with pytest.raises(ValueError, match="Faces: no pictures, expected image_0001"):
        read_caltech101(folder)
    with pytest.raises(FileNotFoundError, match="nowhere.*Faces: no such folder"):
        read_caltech101(data / "nowhere")


def test_pictures_that_are_missing_are_counted(mirror, data):
    folder = fetch_caltech101(base_url=mirror.url)
    (folder / "101_ObjectCategories" / "Faces" / "image_0002.jpg").unlink()
    faces = folder / "101_ObjectCategories" / "Faces"
    assert (
        caltech101_contents(data / "caltech101")
        == f"incomplete: {faces}: 1 of 2 pictures"
    )


def test_keep_the_archive(mirror, data, capsys):
    fetch_caltech101(base_url=mirror.url, keep_archives=True)
    assert (data / CALTECH101_ZIP).is_file()
    assert "caltech-101.zip is no longer needed" in capsys.readouterr().out


def test_an_archive_that_was_there_is_used_and_kept(mirror, data):
    data.mkdir()
    content = (mirror.folder / CALTECH101_ZIP).read_bytes()
    (data / CALTECH101_ZIP).write_bytes(content)
    fetch_caltech101(base_url="http://127.0.0.1:9")
    assert (data / CALTECH101_ZIP).read_bytes() == content and mirror.asked == []


def test_a_wrong_checksum(mirror, data):
    with open(mirror.folder / CALTECH101_ZIP, "ab") as file:
        file.write(b"!")
    with pytest.raises(RuntimeError, match="its MD5 is .*, expected .*; what") as error:
        fetch_caltech101(base_url=mirror.url)
    assert line(error) and there(data) == []


def test_a_cut_connection_goes_on(mirror, data):
    mirror.cut = 700
    with pytest.raises(RuntimeError, match="cut after 700 of .*same command goes on"):
        fetch_caltech101(base_url=mirror.url)
    assert caltech101_contents(data / "caltech101") == "not here"
    mirror.cut = None
    fetch_caltech101(base_url=mirror.url)
    assert mirror.asked[-1] == (CALTECH101_ZIP, "bytes=700-")
    assert caltech101_contents(data / "caltech101") == COMPLETE


def test_no_such_file_and_no_network(mirror, data):
    with pytest.raises(RuntimeError, match="HTTP 404") as error:
        fetch_caltech101(base_url=f"{mirror.url}/elsewhere")
    assert f"{mirror.url}/elsewhere/caltech-101.zip" in line(error)
    with pytest.raises(RuntimeError, match="no connection") as error:
        fetch_caltech101(base_url="http://127.0.0.1:9")
    assert line(error) and there(data) == []


@pytest.mark.parametrize(
    "content, said",
    [
        (b"no archive", "damaged, or no archive"),
        (published(**{"Annotations.tar": b""}), "no Annotations.tar in it; nothing"),
        (published(**{"Annotations.tar": b"no tar"}), "damaged, or no archive"),
        (published(less(IMAGES, "Motorbikes")), "Motorbikes: no such folder; noth"),
        (published(less(IMAGES, "Faces/image_0002")), "1 of 2 pictures; nothing was"),
        (published(IMAGES, less(ANNOTATIONS, "Faces_2/")), "Faces_2: no such fold"),
        (published({**IMAGES, "../../evil": b"evil"}), "damaged, or no archive.*evil"),
    ],
)
def test_another_archive_changes_nothing(mirror, data, content, said):
    mirror.publish("caltech101", content)
    with pytest.raises(RuntimeError, match=said) as error:
        fetch_caltech101(base_url=mirror.url)
    assert line(error) and there(data) == [CALTECH101_ZIP]
    assert not list(data.parent.rglob("evil"))


def test_ctrl_c_leaves_no_half_folder(mirror, data, monkeypatch):
    def interrupted(members, what):
        if "tar" in what:
            raise KeyboardInterrupt
        return members

    with monkeypatch.context() as patch:
        patch.setattr(module, "progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_caltech101(base_url=mirror.url)
    assert there(data) == [CALTECH101_ZIP]
    fetch_caltech101(base_url=mirror.url)
    assert (
        caltech101_contents(data / "caltech101") == COMPLETE and len(mirror.asked) == 1
    )


def test_open_by_name(mirror, data):
    with pytest.raises(FileNotFoundError, match="wslib data fetch caltech101") as error:
        open_caltech("caltech101")
    assert line(error)
    with pytest.raises(FileNotFoundError, match="caltech3.annotations: not f") as error:
        open_caltech("caltech3")
    assert "set WSLIB_DATA" in line(error)
    with pytest.raises(ValueError, match="data set 'voc', expected 'caltech3', 'cal"):
        open_caltech("voc")
