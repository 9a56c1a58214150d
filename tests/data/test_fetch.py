"""The course's shapes and CIFAR-10, made tiny: fetched whole, or not there at all."""

import errno
import io
import shutil
import stat
import tarfile
import threading
import zipfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from wslib.data import fetch as module
from wslib.data.cifar10 import BATCHES, BINARY, cifar10_contents, cifar10_pictures
from wslib.data.datasets import open_shapes
from wslib.data.fetch import SOURCES, fetch_data_set
from wslib.data.shapes import SPLITS, shapes_contents

fetch_cifar10 = partial(fetch_data_set, "cifar10")
fetch_synthetic_shapes = partial(fetch_data_set, "synthetic_shapes")

SHAPES_ZIP, CIFAR10_TAR = "synthetic_shapes.zip", "cifar-10-binary.tar.gz"
PNG = cv2.imencode(".png", np.full((48, 64, 3), 9, np.uint8))[1].tobytes()
MASK = cv2.imencode(".png", np.full((48, 64), 255, np.uint8))[1].tobytes()
SHAPES = {
    f"{part}/{split}/{name}.{'txt' if part == 'labels' else 'png'}": content
    for part, content in (("images", PNG), ("masks", MASK), ("labels", b"star\n"))
    for split in SPLITS
    for name in ("0001", "0002")
}
CIFAR10 = {
    name: bytes(range(256)) * 12 + b"\0" for names in BATCHES.values() for name in names
}
COMPLETE = "complete, 2 train, 2 val, 2 test"


def zipped(files: dict[str, bytes], top: str = "synthetic_shapes/") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{top}{name}", content)
    return stream.getvalue()


def tarred(files: dict[str, bytes], top: str = "cifar-10-batches-bin/") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{top}{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def mirror(mirror):
    mirror.publish("synthetic_shapes", zipped(SHAPES))
    mirror.publish("cifar10", tarred(CIFAR10))
    return mirror


def there(data: Path) -> list[str]:
    """All files, and folders that are empty, without the locks."""
    found = (p for p in data.rglob("*") if p.is_file() or not list(p.iterdir()))
    return sorted(str(p.relative_to(data)) for p in found if p.suffix != ".lock")


def line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_official_archive():
    (official,) = SOURCES["cifar10"]
    assert official.checksum == "md5:c32a1d4ab5d03f1284b67883e8d87530"
    assert official.size == 170_052_171


# The course's shapes


@pytest.mark.parametrize("top", ["synthetic_shapes/", "", "somebody's copy/"])
def test_shapes_come_whole_and_can_be_read(mirror, data, capsys, top):
    extra = {"__MACOSX/._images": b"x"} if not top else {"README": b"x"}
    mirror.publish("synthetic_shapes", zipped({**SHAPES, **extra}, top))
    folder = fetch_synthetic_shapes(base_url=f"{mirror.url}/")
    assert folder == data / "synthetic_shapes"
    names = [f"synthetic_shapes/{name}" for name in SHAPES]
    assert set(there(data)) - {"synthetic_shapes/README"} == set(names)
    shapes = open_shapes("synthetic_shapes")
    assert shapes.labels(shapes.ids("val")).tolist() == [3, 3]
    assert shapes.mask("test/0002").all()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"synthetic_shapes: from {mirror.url}/synthetic_shapes.zip"
    assert said[1:] == [f"synthetic_shapes: {COMPLETE}, in {folder}"]


def test_what_is_there_is_used_as_it_is(mirror, data, capsys):
    folder = fetch_synthetic_shapes(base_url=mirror.url)
    (folder / "labels" / "val" / "0001.txt").write_text("circle")
    capsys.readouterr()
    assert fetch_synthetic_shapes(base_url=mirror.url) == folder
    assert (folder / "labels" / "val" / "0001.txt").read_text() == "circle"
    assert len(mirror.asked) == 1
    said = f"synthetic_shapes: {COMPLETE}, used as it is: {folder}\n"
    assert capsys.readouterr().out == said


def test_what_is_incomplete_is_left_alone(mirror, data):
    folder = fetch_synthetic_shapes(base_url=mirror.url)
    (folder / "masks" / "val" / "0002.png").unlink()
    assert shapes_contents(data / "synthetic_shapes").startswith("incomplete: ")
    with pytest.raises(RuntimeError, match="masks/val/0002.png: not found") as error:
        fetch_synthetic_shapes(base_url=mirror.url)
    assert line(error).endswith("; remove it to fetch it again")
    assert len(mirror.asked) == 1 and (folder / "images").is_dir()


def test_an_archive_that_is_there_is_used_and_kept(mirror, data, capsys):
    data.mkdir()
    shutil.copy(mirror.folder / SHAPES_ZIP, data)
    fetch_synthetic_shapes(base_url="http://127.0.0.1:9")
    assert mirror.asked == [] and (data / SHAPES_ZIP).exists()
    assert shapes_contents(data / "synthetic_shapes") == COMPLETE
    assert f"{data / SHAPES_ZIP} is no longer needed" in capsys.readouterr().out


def test_an_archive_is_kept_if_asked(mirror, data, tmp_path):
    fetch_synthetic_shapes(tmp_path / "other", base_url=mirror.url, keep_archives=True)
    assert (tmp_path / "other" / SHAPES_ZIP).exists() and not data.exists()


def test_a_cut_connection_goes_on(mirror, data):
    mirror.cut = 700
    with pytest.raises(RuntimeError, match="the same command goes on") as error:
        fetch_synthetic_shapes(base_url=mirror.url)
    assert "cut after 700 of" in line(error)
    assert there(data) == [f"{SHAPES_ZIP}.part", f"{SHAPES_ZIP}.part.json"]
    mirror.cut = None
    fetch_synthetic_shapes(base_url=mirror.url)
    assert mirror.asked[-1] == (SHAPES_ZIP, "bytes=700-")
    assert shapes_contents(data / "synthetic_shapes") == COMPLETE


def test_no_such_file_and_no_network(mirror, data):
    with pytest.raises(RuntimeError, match="HTTP 404") as error:
        fetch_synthetic_shapes(base_url=f"{mirror.url}/elsewhere")
    assert f"{mirror.url}/elsewhere/synthetic_shapes.zip" in line(error)
    for fetch in (fetch_synthetic_shapes, fetch_cifar10):
        with pytest.raises(RuntimeError, match="no connection") as error:
            fetch(base_url="http://127.0.0.1:9")
        assert line(error)
    assert there(data) == ["cifar10"]  # an empty folder


def damaged(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


BAD = {
    "a page": (b"<html>no such lecture</html>", "damaged, or no archive"),
    "nothing": (b"", "damaged, or no archive"),
    "truncated": (zipped(SHAPES)[:-400], "damaged, or no archive"),
    "a wrong byte": (damaged(zipped(SHAPES), 90), "damaged, or no archive"),
    "other files": (zipped({"a.txt": b"a"}), "images: no such folder; expected"),
    "no masks": (
        zipped({k: v for k, v in SHAPES.items() if "masks/val" not in k}),
        "incomplete: masks/val: no such split; there are train, test; nothing was",
    ),
    "a label less": (
        zipped({k: v for k, v in SHAPES.items() if k != "labels/test/0001.txt"}),
        "incomplete: labels/test/0001.txt: not found",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_is_removed_and_nothing_taken(mirror, data, name):
    content, said = BAD[name]
    mirror.publish("synthetic_shapes", content)
    with pytest.raises(RuntimeError, match=said) as error:
        fetch_synthetic_shapes(base_url=mirror.url)
    assert line(error).endswith("; what came was removed") and there(data) == []
    assert str(data / SHAPES_ZIP) in line(error)
    mirror.publish("synthetic_shapes", zipped(SHAPES))
    fetch_synthetic_shapes(base_url=mirror.url)
    assert shapes_contents(data / "synthetic_shapes") == COMPLETE


def test_a_bad_archive_of_ones_own_is_kept(mirror, data):
    data.mkdir()
    (data / SHAPES_ZIP).write_bytes(b"my own")
    with pytest.raises(RuntimeError, match="remove it to fetch it again") as error:
        fetch_synthetic_shapes(base_url=mirror.url)
    assert line(error) and there(data) == [SHAPES_ZIP]


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "C:evil"],
)
def test_a_name_that_leaves_the_folder_is_refused(mirror, data, name):
    mirror.publish("synthetic_shapes", zipped({**SHAPES, name: b"evil"}, ""))
    with pytest.raises(RuntimeError, match="leaves the folder; nothing was t") as error:
        fetch_synthetic_shapes(base_url=mirror.url)
    assert repr(name) in line(error)
    assert there(data) == [] and not list(data.parent.rglob("*evil*"))


def test_links_are_not_unpacked(mirror, data):
    link = zipfile.ZipInfo("images/train/0003.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    stream = io.BytesIO(zipped(SHAPES, ""))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    mirror.publish("synthetic_shapes", stream.getvalue())
    folder = fetch_synthetic_shapes(base_url=mirror.url)
    assert {str(p.relative_to(folder)) for p in folder.rglob("*.*")} == set(SHAPES)


def test_too_little_room_keeps_the_archive(mirror, data, monkeypatch):
    usage = type("usage", (), {"free": 100})
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "disk_usage", lambda _: usage)
        with pytest.raises(RuntimeError, match="0.0 MiB are needed to unpack") as error:
            fetch_synthetic_shapes(base_url=mirror.url)
    assert line(error) and there(data) == [SHAPES_ZIP]
    with monkeypatch.context() as patch:

        def full(*_):
            raise OSError(errno.ENOSPC, "No space")

        patch.setattr(zipfile.ZipFile, "extract", full)
        with pytest.raises(RuntimeError, match="the disk is full; make room") as error:
            fetch_synthetic_shapes(base_url=mirror.url)
    assert line(error) and there(data) == [SHAPES_ZIP]
    fetch_synthetic_shapes(base_url=mirror.url)
    assert (
        shapes_contents(data / "synthetic_shapes") == COMPLETE
        and len(mirror.asked) == 1
    )


def test_ctrl_c_leaves_no_half_folder(mirror, data, monkeypatch):
    def interrupted(entries, desc):
        yield entries[0]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_synthetic_shapes(base_url=mirror.url)
    assert there(data) == [SHAPES_ZIP]
    fetch_synthetic_shapes(base_url=mirror.url)
    assert (
        shapes_contents(data / "synthetic_shapes") == COMPLETE
        and len(mirror.asked) == 1
    )


def test_two_at_once_fetch_once(mirror, data):
    pytest.importorskip("fcntl")
    errors = []

    def one():
        try:
            fetch_synthetic_shapes(base_url=mirror.url)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == [] and len(mirror.asked) == 1
    assert there(data) == sorted(f"synthetic_shapes/{name}" for name in SHAPES)


# CIFAR-10


def test_cifar10_comes_whole_and_can_be_read(mirror, data, capsys):
    assert cifar10_contents(data / BINARY) == "not here"
    mirror.publish("cifar10", tarred({**CIFAR10, "batches.meta.txt": b"cat\n"}))
    folder = fetch_cifar10(base_url=mirror.url)
    assert folder == data / "cifar10" / "cifar-10-batches-bin"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert files == {**CIFAR10, "batches.meta.txt": b"cat\n"}
    assert there(data) == sorted(f"cifar10/{folder.name}/{name}" for name in files)
    assert cifar10_pictures()[0]["train"][4][0, :3].tolist() == [
        [1, 1, 1], [2, 2, 2], [3, 3, 3],
    ]  # fmt: skip
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"cifar10: from {mirror.url}/cifar-10-binary.tar.gz, 0.0 MiB",
        f"cifar10: complete, 6 pictures, in {folder}",
    ]
    fetch_cifar10(base_url=mirror.url)
    assert len(mirror.asked) == 1
    assert "used as it is" in capsys.readouterr().out


def test_cifar10_that_is_incomplete_is_left_alone(mirror, data):
    folder = fetch_cifar10(base_url=mirror.url)
    (folder / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(RuntimeError, match="a multiple of 3,073; rem") as error:
        fetch_cifar10(base_url=mirror.url)
    (folder / "test_batch.bin").unlink()
    with pytest.raises(RuntimeError, match="test_batch.bin: not found; rem") as error:
        fetch_cifar10(base_url=mirror.url)
    assert line(error) and len(mirror.asked) == 1


def test_cifar10_with_a_wrong_checksum(mirror, data):
    path = mirror.folder / CIFAR10_TAR
    path.write_bytes(damaged(path.read_bytes(), 200))
    with pytest.raises(RuntimeError, match="its MD5 is .*, expected .*rem") as error:
        fetch_cifar10(base_url=mirror.url)
    assert line(error) and there(data) == ["cifar10"]


def test_another_file_in_its_stead(mirror, data):
    (mirror.folder / CIFAR10_TAR).write_bytes(b"<html>moved</html>")
    with pytest.raises(RuntimeError, match="offers 18 bytes, expected") as error:
        fetch_cifar10(base_url=mirror.url)
    assert line(error) and there(data) == ["cifar10"]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"no archive", "damaged, or no archive"),
        (tarred(CIFAR10)[:-60], "damaged, or no archive"),
        (tarred({"a": b"a"}), "incomplete: data_batch_1.bin: not found; nothing was"),
        (tarred({**CIFAR10, "../../evil": b"evil"}), "damaged, or no archive.*evil"),
    ],
)
def test_a_bad_tar_changes_nothing(mirror, data, content, said):
    mirror.publish("cifar10", content)
    with pytest.raises(RuntimeError, match=said) as error:
        fetch_cifar10(base_url=mirror.url)
    assert line(error) and there(data) == [f"cifar10/{CIFAR10_TAR}"]
    assert not list(data.parent.rglob("evil"))


def test_cifar10_from_a_cut_connection(mirror, data):
    mirror.cut = 30
    with pytest.raises(RuntimeError, match="cut after 30 of .*same command goes on"):
        fetch_cifar10(base_url=mirror.url)
    mirror.cut = None
    fetch_cifar10(base_url=mirror.url)
    assert mirror.asked[-1] == (CIFAR10_TAR, "bytes=30-")
    assert cifar10_contents(data / BINARY) == "complete, 6 pictures"
