"""`wslib data`: what people type, and what they read."""

import io
import json
import shutil
import sys

import pytest

from wslib.data import fetch


@pytest.fixture
def wslib(monkeypatch, type_words, tmp_path):
    """Type a line; returns its status or its last line, and what was printed."""
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "*")
    return lambda words: type_words(*words.split())[:2]


@pytest.fixture
def calls(monkeypatch):
    """What `fetch_data_set` is called with; nothing is fetched."""
    calls = []

    def noted(name, parts, base_url, keep_archives):
        calls.append((name, parts, base_url, keep_archives))

    monkeypatch.setattr(fetch, "fetch_data_set", noted)
    return calls


@pytest.fixture
def roomy(monkeypatch):
    """A disk on which there is room for everything."""
    usage = type("usage", (), {"free": 2**50})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)


@pytest.mark.parametrize("command", ["fetch", "list", "check", "example"])
def test_help_gives_an_example(wslib, command):
    status, printed = wslib(f"data {command} --help")
    assert status == 0 and f"Example: wslib data {command}" in printed


def test_fetch_both_parts_from_the_official_place(wslib, calls):
    assert wslib("data fetch voc2007")[0] == 0
    assert calls == [("voc2007", None, None, False)]
    parts = {source.part: source.url for source in fetch.SOURCES["voc2007"]}
    url = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/"
    assert parts == {"trainval": url, "test": url}


def test_fetch_with_options(wslib, calls):
    mirror = "file:///mnt/voc"
    words = f"data fetch voc2007 --part test --base-url {mirror} --keep-archives"
    assert wslib(words)[0] == 0
    assert calls == [("voc2007", ("test",), mirror, True)]


@pytest.mark.parametrize(
    "words, complaint",
    [
        (
            "voc2012",
            "wslib: data set 'voc2012', expected one of voc2007, ",
        ),
        ("cifar10 --part test", "wslib: --part test: only voc2007 has parts"),
        ("cifar10 --base-url nowhere", "wslib: unknown url type: 'nowhere/cifar-10-b"),
        ("voc2007 --part val", "wslib: part 'val', expected trainval or test"),
        ("voc2007 --base-url nowhere", "wslib: unknown url type: 'nowhere/VOCtrain"),
    ],
)
def test_mistakes_are_one_line(wslib, words, complaint, roomy):
    end, _ = wslib(f"data fetch {words}")
    assert end.startswith(complaint) and "\n" not in end


def test_no_network_is_one_line(wslib, roomy):
    end, printed = wslib("data fetch voc2007 --base-url http://127.0.0.1:9")
    url = "http://127.0.0.1:9/VOCtrainval_06-Nov-2007.tar"
    assert end.startswith(f"wslib: {url}: no connection") and "\n" not in end
    assert printed == f"trainval: from {url}, 438.7 MiB\n"


@pytest.mark.parametrize(
    "name, url",
    [
        ("synthetic_shapes", "https://www.mimuw.edu.pl/~mwrochna/upload/"),
        ("cifar10", "https://www.cs.toronto.edu/~kriz/"),
        ("caltech101", "https://data.caltech.edu/records/mzrjq-6wc02/files/"),
    ],
)
def test_fetch_what_chapters_4_and_5_need(wslib, calls, name, url):
    assert [source.url for source in fetch.SOURCES[name]] == [url]
    assert wslib(f"data fetch {name}")[0] == 0
    assert wslib(f"data fetch {name} --base-url file:///m --keep-archives")[0] == 0
    assert calls == [(name, None, None, False), (name, None, "file:///m", True)]
    end, printed = wslib(f"data fetch {name} --part trainval")
    assert end == f"wslib: --part trainval: only voc2007 has parts, {name} has none"
    assert printed == "" and len(calls) == 2


def test_ctrl_c_says_how_to_go_on(wslib, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "fetch_data_set", interrupted)
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    assert wslib("data fetch voc2007")[0] == 130
    assert told.getvalue() == "wslib: interrupted; the same command goes on\n"


def test_list_what_is_not_here(wslib, tmp_path):
    root = tmp_path / "data"
    status, said = wslib("data list")
    assert status == 0 and said.startswith(
        f"voc2007           {root / 'voc2007' / 'VOCdevkit' / 'VOC2007'}\n"
        "  trainval  not here\n"
        "  test      not here\n"
        f"synthetic_shapes  {root / 'synthetic_shapes'}\n"
        "  not here\n"
        f"cifar10           {root / 'cifar10' / 'cifar-10-batches-bin'}\n"
        "  not here\n"
        f"caltech101        {root / 'caltech101'}\n"
        "  not here\n"
    )
    assert (
        f"caltech3          {root / 'caltech3'}\n"
        "  not here; the practical's own, which cannot be fetched\n"
    ) in said


def test_list_voc2007(wslib, tmp_path):
    folder = tmp_path / "data" / "voc2007" / "VOCdevkit" / "VOC2007"
    for name in ("ImageSets/Main", "JPEGImages", "Annotations"):
        (folder / name).mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "test.txt").write_text("000001\n000002\n")
    for image_id in ("000001", "000002"):
        (folder / "JPEGImages" / f"{image_id}.jpg").touch()
        (folder / "Annotations" / f"{image_id}.xml").touch()
    assert "\n  test      complete, 2 images\n" in wslib("data list")[1]
    (folder / "JPEGImages" / "000002.jpg").unlink()
    said = "\n  test      1 of 2 images; missing: JPEGImages/000002.jpg\n"
    assert said in wslib("data list")[1]


def test_list_shapes_and_cifar10(wslib, tmp_path):
    root = tmp_path / "data"
    for part, ending in (("images", "png"), ("masks", "png"), ("labels", "txt")):
        for split in ("train", "val", "test"):
            (root / "synthetic_shapes" / part / split).mkdir(parents=True)
            (root / "synthetic_shapes" / part / split / f"a.{ending}").touch()
    binary = root / "cifar10" / "cifar-10-batches-bin"
    binary.mkdir(parents=True)
    for name in [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]:
        (binary / f"{name}.bin").write_bytes(bytes(2 * 3073))
    (root / "cifar10_pictures.zip").touch()
    said = wslib("data list")[1]
    assert "\n  complete, 1 train, 1 val, 1 test\n" in said
    assert "\n  complete, 12 pictures\n" in said
    assert f"\n  in its stead: {root / 'cifar10_pictures.zip'}\n" in said
    (root / "synthetic_shapes" / "masks" / "val" / "a.png").unlink()
    (binary / "test_batch.bin").write_bytes(bytes(3072))
    said = wslib("data list")[1]
    assert f"\n  incomplete: {root}/synthetic_shapes/masks/val/a.png: not fo" in said
    assert "test_batch.bin: 3,072 bytes, expected a multiple of 3,073\n  in i" in said


def test_an_example_is_right_and_a_fault_in_it_is_named(wslib, tmp_path):
    folder = tmp_path / "balls"
    assert wslib(f"data example {folder} --layout VOC --count 8") == (
        0,
        f"{folder}: 8 pictures, VOC\n",
    )
    status, said = wslib(f"data check {folder}")
    assert status == 0 and said.startswith(f"{folder}: VOC, 8 pictures\n")
    assert "\n  ball                 4 pictures      4 boxes\n" in said
    assert "\n  splits, drawn: train " in said and said.endswith("\n0 problems\n")
    (folder / "JPEGImages" / "000.jpg").unlink()
    status, said = wslib(f"data check {folder}")
    assert status == 1 and said.endswith("\n1 problems\n")
    assert "\n" + str(folder / "Annotations" / "000.xml") + ": no such picture" in said
    assert json.loads(wslib(f"data check {folder} --json")[1])["layout"] == "VOC"
    assert wslib(f"data example {folder}") == (
        f"wslib: {folder}: not empty; choose another folder",
        "",
    )
