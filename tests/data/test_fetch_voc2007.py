"""VOC2007's archives, made tiny: fetched, unpacked beside, moved in, finished later."""

import errno
import io
import os
import tarfile
import threading
from functools import partial
from pathlib import Path

import pytest

from wslib.data import download, fetch
from wslib.data.fetch import SOURCES, fetch_data_set
from wslib.data.folders import data_root
from wslib.data.voc import voc2007_contents

fetch_voc2007 = partial(fetch_data_set, "voc2007")

INSIDE = "VOCdevkit/VOC2007"
IDS = {
    "train": ("000001", "000002"),
    "val": ("000003",),
    "trainval": ("000001", "000002", "000003"),
    "test": ("000004", "000005"),
}


def files_of(part: str) -> dict[str, bytes]:
    """What is in the archive of a part: {name: bytes}."""
    splits = ("train", "val", "trainval") if part == "trainval" else ("test",)
    lists = {f"{INSIDE}/ImageSets/Main/{s}.txt": lines(IDS[s]) for s in splits}
    lists[f"{INSIDE}/ImageSets/Main/dog_{part}.txt"] = b"000001  1\r\n"
    pictures = {f"{INSIDE}/JPEGImages/{i}.jpg": b"j" * 3000 for i in IDS[part]}
    texts = {f"{INSIDE}/Annotations/{i}.xml": i.encode() for i in IDS[part]}
    return {**lists, **texts, **pictures}


def lines(ids) -> bytes:
    return "".join(f"{i}\r\n" for i in ids).encode()


def sources() -> dict[str, fetch.Source]:
    return {source.part: source for source in SOURCES["voc2007"]}


def tarred(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def mirror(mirror):
    for part in ("trainval", "test"):
        mirror.publish("voc2007", tarred(files_of(part)), part)
    return mirror


@pytest.fixture
def folder(tmp_path):
    """Where the data set comes to lie."""
    return tmp_path / "data" / "voc2007" / INSIDE


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def expected(*parts: str) -> dict[str, bytes]:
    files = {name: data for part in parts for name, data in files_of(part).items()}
    return {name.removeprefix(f"{INSIDE}/"): data for name, data in files.items()}


def beside(folder: Path) -> list[str]:
    """What else there is, from the root of the data down."""
    root = folder.parents[2]
    found = (str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    return sorted(name for name in found if INSIDE not in name)


def test_official_archives():
    trainval, test = (sources()[part] for part in ("trainval", "test"))
    assert trainval.checksum == "md5:c52e279531787c972589f7e41ab4ae64"
    assert test.checksum == "md5:b6e924de25625d8de591ea690078ad9f"
    assert {trainval.size % 512, test.size % 512} == {0}  # a tar file is of blocks


def test_both_parts_come_into_one_folder(mirror, folder, capsys):
    assert fetch_voc2007(base_url=f"{mirror.url}/") == folder
    assert tree(folder) == expected("trainval", "test")
    assert beside(folder) == [".voc2007.lock"]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"trainval: from {mirror.url}/VOCtrainval_06-Nov-2007.t")
    assert said[0].endswith(", 0.0 MiB")
    assert said[1] == f"trainval: complete, 3 images, in {folder}"
    assert said[3] == f"test: complete, 2 images, in {folder}"


def test_what_is_complete_is_used_as_it_is(mirror, folder, capsys):
    fetch_voc2007(base_url=mirror.url)
    (folder / "JPEGImages" / "000001.jpg").write_bytes(b"my own copy")
    capsys.readouterr()
    fetch_voc2007(base_url=mirror.url)
    assert len(mirror.asked) == 2
    assert (folder / "JPEGImages" / "000001.jpg").read_bytes() == b"my own copy"
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"trainval: complete, 3 images, used as it is: {folder}"
    assert len(said) == 2


def test_one_part_alone_and_its_archive_kept(mirror, folder, tmp_path):
    root = tmp_path / "elsewhere"
    fetch_voc2007(root, parts=["test"], base_url=mirror.url, keep_archives=True)
    assert tree(root / "voc2007" / INSIDE) == expected("test")
    archive = root / "voc2007" / "VOCtest_06-Nov-2007.tar"
    assert archive.read_bytes() == mirror.path("voc2007", "test").read_bytes()
    assert not folder.exists()


def test_an_archive_that_is_there_is_used_and_kept(mirror, folder, capsys):
    own = folder.parents[1] / "VOCtest_06-Nov-2007.tar"
    own.parent.mkdir(parents=True)
    own.write_bytes(mirror.path("voc2007", "test").read_bytes())
    fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert mirror.asked == [] and own.exists() and tree(folder) == expected("test")
    assert f"{own} is no longer needed" in capsys.readouterr().out


def test_an_incomplete_part_is_completed(mirror, folder, capsys):
    fetch_voc2007(base_url=mirror.url)
    (folder / "JPEGImages" / "000002.jpg").unlink()
    (folder / "JPEGImages" / "own.jpg").write_bytes(b"own")
    mirror.asked.clear()
    fetch_voc2007(base_url=mirror.url)
    assert mirror.names == ["VOCtrainval_06-Nov-2007.tar"]
    assert tree(folder) == {
        **expected("trainval", "test"),
        "JPEGImages/own.jpg": b"own",
    }


def test_contents(mirror, folder):
    assert str(voc2007_contents("test", folder)) == "not here"
    fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert str(voc2007_contents("trainval", folder)) == "not here"
    assert str(voc2007_contents("test", folder)) == "complete, 2 images"
    (folder / "JPEGImages" / "000005.jpg").unlink()
    (folder / "Annotations" / "000004.xml").unlink()
    contents = voc2007_contents("test", folder)
    assert contents.missing == ("JPEGImages/000005.jpg", "Annotations/000004.xml")
    said = "1 of 2 images; missing: JPEGImages/000005.jpg and 1 more"
    assert str(contents) == said
    (folder / "ImageSets" / "Main" / "test.txt").write_bytes(b"")
    assert voc2007_contents("test", folder).missing == ("ImageSets/Main/test.txt",)


def test_an_unknown_part_stops_before_anything_is_fetched(mirror):
    with pytest.raises(ValueError, match="part 'val', expected trainval or test"):
        fetch_voc2007(parts=["test", "val"], base_url=mirror.url)
    assert mirror.asked == []


def test_no_room_is_said_before_anything_is_fetched(mirror, folder, monkeypatch):
    usage = shutil_usage(free=2 * 2**20)
    monkeypatch.setattr(fetch.shutil, "disk_usage", usage)
    for part, size in (("trainval", 4 * 2**20), ("test", 2**20)):
        mirror.publish("voc2007", bytes(size), part)
    with pytest.raises(RuntimeError, match="9.0 MiB are needed.*2.0 MiB are free") as e:
        fetch_voc2007(base_url=mirror.url)
    assert all(
        f"{mirror.url}/{s.archive.name}" in str(e.value) for s in sources().values()
    )
    with pytest.raises(RuntimeError, match="10.0 MiB are needed") as error:
        fetch_voc2007(base_url=mirror.url, keep_archives=True)
    assert "\n" not in str(error.value) and str(folder.parents[1]) in str(error.value)
    assert mirror.asked == [] and not folder.parents[2].exists()
    part = folder.parents[1] / "VOCtrainval_06-Nov-2007.tar.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(3 * 2**20))  # needs no room any more
    with pytest.raises(RuntimeError, match="6.0 MiB are needed"):
        fetch_voc2007(base_url=mirror.url)


def shutil_usage(free: int):
    def disk_usage(path):
        assert Path(path).exists()
        return type("usage", (), {"free": free})

    return disk_usage


def test_interrupted_between_the_archives(mirror, folder, monkeypatch):
    def interrupted(url, *rest):
        if "VOCtest" in url:
            raise KeyboardInterrupt
        return download.fetch(url, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "fetch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_voc2007(base_url=mirror.url)
    assert tree(folder) == expected("trainval")
    fetch_voc2007(base_url=mirror.url)
    assert tree(folder) == expected("trainval", "test")
    assert mirror.names == ["VOCtrainval_06-Nov-2007.tar", "VOCtest_06-Nov-2007.tar"]


def test_interrupted_while_unpacking(mirror, folder, monkeypatch):
    def interrupted(members, desc):
        yield from list(members)[:4]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fetch, "progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch_voc2007(base_url=mirror.url)
    assert not folder.exists() and list(folder.parent.iterdir()) == []
    fetch_voc2007(base_url=mirror.url)
    assert tree(folder) == expected("trainval", "test")
    assert len(mirror.asked) == 2  # the archive was there


@pytest.mark.parametrize("moves", range(10))
def test_interrupted_while_moving(mirror, folder, monkeypatch, moves):
    left = [moves]

    def replace(source, target):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        os.rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(fetch.os, "replace", interruptible(replace))
        with pytest.raises(KeyboardInterrupt):
            fetch_voc2007(parts=["trainval"], base_url=mirror.url)
    for split in ("train", "val", "trainval"):  # a list that is seen has its images
        if (folder / "ImageSets" / "Main" / f"{split}.txt").exists():
            for image_id in IDS[split]:
                assert (folder / "JPEGImages" / f"{image_id}.jpg").exists()
                assert (folder / "Annotations" / f"{image_id}.xml").exists()
    assert voc2007_contents("trainval", folder).missing
    fetch_voc2007(parts=["trainval"], base_url=mirror.url)
    assert tree(folder) == expected("trainval")
    assert [path.name for path in folder.parent.iterdir()] == ["VOC2007"]


def interruptible(replace):
    """Only the moves from the unpacked archive; the download has moves of its own."""
    real = os.replace

    def move(source, target):
        (replace if INSIDE in str(target) else real)(source, target)

    return move


def test_remains_of_a_killed_process_are_swept(mirror, folder):
    remains = folder.parent / ".VOC2007.test" / INSIDE / "JPEGImages"
    remains.mkdir(parents=True)
    (remains / "000009.jpg").write_bytes(b"half")
    fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert tree(folder) == expected("test")


@pytest.mark.parametrize("name", ["../evil", f"{INSIDE}/../../../../evil"])
def test_a_name_that_leaves_the_folder_is_refused(mirror, folder, name):
    mirror.publish("voc2007", tarred({**files_of("test"), name: b"evil"}), "test")
    with pytest.raises(RuntimeError, match="damaged, or no archive.*evil") as error:
        fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert "\n" not in str(error.value)
    assert not folder.exists()
    assert not list(folder.parents[3].rglob("evil"))


def test_links_are_not_unpacked(mirror, folder, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    stream = io.BytesIO(mirror.path("voc2007", "test").read_bytes())
    with tarfile.open(fileobj=stream, mode="a") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo(f"{INSIDE}/link{kind.decode()}")
            link.type, link.linkname = kind, str(tmp_path / "secret")
            tar.addfile(link)
    mirror.publish("voc2007", stream.getvalue(), "test")
    fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert tree(folder) == expected("test")


LAST = 4 * 1024 + 512 + 3072  # where the header of the last picture starts


@pytest.mark.parametrize(
    "stop, complaint",
    [
        (0, "damaged, or no archive"),
        (LAST + 100, "1 of 2 images"),  # within a header
        (LAST + 600, "damaged, or no archive"),  # within a picture
        (LAST, "1 of 2 images; missing: JPEGImages/000005.jpg; nothing was taken"),
    ],
)
def test_a_truncated_archive_changes_nothing(mirror, folder, stop, complaint):
    mirror.publish("voc2007", tarred(files_of("test"))[:stop], "test")
    with pytest.raises(RuntimeError, match=complaint) as error:
        fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert "\n" not in str(error.value) and not folder.exists()


def test_an_archive_without_an_image_changes_nothing(mirror, folder):
    files = files_of("test")
    del files[f"{INSIDE}/JPEGImages/000005.jpg"]
    mirror.publish("voc2007", tarred(files), "test")
    with pytest.raises(RuntimeError, match="1 of 2 images.*000005.*nothing was"):
        fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert not folder.exists()


def test_wrong_checksum(mirror, folder):
    content = bytearray(mirror.path("voc2007", "test").read_bytes())
    content[600] ^= 1
    mirror.path("voc2007", "test").write_bytes(content)
    with pytest.raises(RuntimeError, match="its MD5 is .*, expected .*removed"):
        fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert beside(folder) == [".voc2007.lock"] and not folder.exists()


def test_disk_full_while_unpacking_keeps_the_archive(mirror, folder, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space")

    monkeypatch.setattr(tarfile, "copyfileobj", full)
    with pytest.raises(RuntimeError, match="disk is full; make room, and the") as error:
        fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert "\n" not in str(error.value)
    assert beside(folder) == [".voc2007.lock", "voc2007/VOCtest_06-Nov-2007.tar"]
    assert list(folder.parent.iterdir()) == []


def test_a_folder_that_is_a_link_is_filled_where_it_lies(mirror, folder, tmp_path):
    (tmp_path / "big disk" / "VOC2007").mkdir(parents=True)
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path / "big disk" / "VOC2007")
    there = fetch_voc2007(parts=["test"], base_url=mirror.url)
    assert there == tmp_path / "big disk" / "VOC2007"  # unpacked beside it, too
    assert folder.is_symlink() and tree(folder.resolve()) == expected("test")
    assert [path.name for path in (tmp_path / "big disk").iterdir()] == ["VOC2007"]


def test_two_at_once_fetch_once(mirror, folder):
    pytest.importorskip("fcntl")
    errors = []

    def one():
        try:
            fetch_voc2007(base_url=mirror.url)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert errors == [] and len(mirror.asked) == 2
    assert tree(folder) == expected("trainval", "test")


@pytest.mark.skipif(not os.environ.get("WSLIB_DATA"), reason="WSLIB_DATA is not set")
def test_the_photographs_that_are_here():
    contents = voc2007_contents("trainval", data_root() / sources()["test"].folder)
    if not contents.expected:
        pytest.skip("needs the lists of VOC2007 in WSLIB_DATA")
    assert contents.expected == 5011
    assert contents.images + sum("JPEG" in name for name in contents.missing) == 5011
