"""What a profile needs from the network: named, counted, fetched, resumed, checked.

The server is this machine; the files are small, and so are what is expected of them.
"""

import dataclasses
import hashlib
import io
import shutil
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wslib import cli
from wslib.data import fetch
from wslib.models import downloads, published
from wslib.models.downloads import fetch_downloads, find_downloads

WEIGHTS = bytes(range(256)) * 40
DIGITS = hashlib.sha256(WEIGHTS).hexdigest()[:8]


def shapes() -> bytes:
    """The course's shapes, as small as they can be."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for part, end in (("images", "png"), ("masks", "png"), ("labels", "txt")):
            for split in ("train", "val", "test"):
                archive.writestr(f"top/{part}/{split}/1.{end}", b"star\n")
    return stream.getvalue()


class Server:
    """Serves `files`, name -> content, with ranges; the first answer of each in `cut`
    ends after so many bytes. `asked`: the names and ranges."""

    def __init__(self):
        self.files, self.cut, self.asked = {}, {}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, request) -> None:
        name, told = request.path.rpartition("/")[2], request.headers["Range"]
        self.asked.append((name, told))
        if name not in self.files:
            return request.send_error(404)
        content, start = self.files[name], int(told[6:-1]) if told else 0
        request.send_response(206 if told else 200)
        request.send_header("ETag", '"one"')
        request.send_header("Content-Length", str(len(content) - start))
        if told:
            extent = f"bytes {start}-{len(content) - 1}/{len(content)}"
            request.send_header("Content-Range", extent)
        request.end_headers()
        end = start + self.cut.pop(name, len(content))
        request.wfile.write(content[start:end])


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Serves a resnet18, a SAM and the shapes, which then are the published ones."""
    server = Server()
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr("wslib.data.download.PAUSES", (0.01, 0.01))
    monkeypatch.setattr(downloads, "HUB_URL", server.url)
    file = f"resnet18-{DIGITS}.pth"
    monkeypatch.setitem(published.HUB, "resnet18", (file, len(WEIGHTS) / 2**20))
    sam = published.PUBLISHED["vit_b"]
    checksum = f"md5:{hashlib.md5(WEIGHTS).hexdigest()}"
    small = {"url": f"{server.url}sam.pth", "size": len(WEIGHTS), "checksum": checksum}
    monkeypatch.setitem(published.PUBLISHED, "vit_b", dataclasses.replace(sam, **small))
    (source,) = fetch.SOURCES["synthetic_shapes"]
    here = (dataclasses.replace(source, url=server.url),)
    monkeypatch.setitem(fetch.SOURCES, "synthetic_shapes", here)
    server.files = {file: WEIGHTS, "sam.pth": WEIGHTS, source.archive.name: shapes()}
    yield server
    server.http.shutdown()
    server.http.server_close()


NAMES = ("vit_b", "resnet18", "synthetic_shapes", "sam_tiny", "rendered", "vit_b")


def names(found) -> list[str]:
    return [one.what for one in found if not one.here]


# --------------------------------------------------------------------- what is needed


def test_what_is_on_the_network_is_found_once(server):
    found = find_downloads(NAMES, ())
    assert [one.name for one in found] == ["vit_b", "resnet18", "synthetic_shapes"]
    assert [one.size for one in found] == [len(WEIGHTS), len(WEIGHTS), None]
    assert not any(one.here for one in found)
    assert str(found[0]) == "weights of SAM vit_b, 0.0 MiB"
    assert str(found[2]) == "the course's shapes, size unknown"


@pytest.mark.parametrize(
    ("splits", "parts"),
    [(("train", "val"), ["VOC2007 trainval"]), (("test",), ["VOC2007 test"]),
     (("trainval", "test"), ["VOC2007 trainval", "VOC2007 test"]), ((), [])],
)  # fmt: skip
def test_of_voc_only_the_parts_of_the_splits(server, splits, parts):
    assert names(find_downloads(["voc2007"], splits)) == parts


def test_a_part_of_voc_whose_lists_are_here_is_used_as_it_is(server, tmp_path):
    lists = tmp_path / "data/voc2007/VOCdevkit/VOC2007/ImageSets/Main"
    lists.mkdir(parents=True)
    for split in ("train", "val"):
        (lists / f"{split}.txt").write_text("000001\n")
    assert names(find_downloads(["voc2007"], ["val"])) == ["VOC2007 trainval"]
    (lists / "trainval.txt").write_text("000001\n")
    assert names(find_downloads(["voc2007"], ["val"])) == []


def test_what_will_do_instead_is_enough(server, tmp_path):
    assert names(find_downloads(["cifar10"], ())) == ["CIFAR-10"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/cifar10_pictures.zip").write_bytes(b"")
    assert names(find_downloads(["cifar10"], ())) == []


# -------------------------------------------------------------------- what is fetched


def test_all_is_fetched_once(server, tmp_path, capsys):
    fetch_downloads(find_downloads(NAMES, ()))
    said = capsys.readouterr().out
    assert f"vit_b, 0.0 MiB: goes to {tmp_path}/data/sam/sam.pth" in said
    assert f"{tmp_path}: 0.0 MiB to download, " in said
    file = tmp_path / f"torch/hub/checkpoints/resnet18-{DIGITS}.pth"
    assert file.read_bytes() == WEIGHTS
    assert (tmp_path / "data/synthetic_shapes/labels/val/1.txt").is_file()
    asked = len(server.asked)
    fetch_downloads(find_downloads(NAMES, ()))
    assert len(server.asked) == asked == 3
    assert f"vit_b, 0.0 MiB: is in {tmp_path}/data" in capsys.readouterr().out


def test_a_cut_connection_is_resumed(server, tmp_path):
    server.cut["sam.pth"] = 4000
    fetch_downloads(find_downloads(["vit_b"], ()))
    assert server.asked == [("sam.pth", None), ("sam.pth", "bytes=4000-")]
    assert (tmp_path / "data/sam/sam.pth").read_bytes() == WEIGHTS


@pytest.mark.parametrize("name", ["vit_b", "resnet18"])
def test_other_bytes_are_refused(server, tmp_path, name):
    for file in server.files:
        server.files[file] = WEIGHTS[::-1]
    with pytest.raises(RuntimeError, match="expected .*; what came was removed"):
        fetch_downloads(find_downloads([name], ()))
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".pth"]


def test_what_came_before_a_failure_stays(server):
    del server.files["synthetic_shapes.zip"]
    with pytest.raises(RuntimeError, match="HTTP 404"):
        fetch_downloads(find_downloads(NAMES, ()))
    assert names(find_downloads(NAMES, ())) == ["the course's shapes"]


def test_without_room_for_all_nothing_is_fetched(server, monkeypatch, capsys):
    usage = type("usage", (), {"free": 2 * len(WEIGHTS) - 1})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RuntimeError, match="make room, or set WSLIB_DATA"):
        fetch_downloads(find_downloads(NAMES, ()))
    assert server.asked == []


# ---------------------------------------------------------------------- what is typed

CHAPTER = """
# %% tags=["parameters"]
dataset: str = "rendered"  # pictures
backbone: str = "efficientnet_lite0"  # of it
{name}_backbone: str = "alexnet"  # another
{name}_pretrained: bool = False  # so alexnet's weights are not needed
sam: str = "sam_tiny"  # of all
"""


@pytest.fixture
def type_in(server, monkeypatch, capsys, tmp_path):
    """Type a line in a project of two chapters; returns status and what was said."""
    for number in (1, 2):
        file = tmp_path / f"chapters/0{number}_x.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(CHAPTER.format(name="localizer"))
    params = tmp_path / "params/full"
    params.mkdir(parents=True)
    (params / "01_x.yml").write_text("{sam: vit_b, dataset: synthetic_shapes}")
    (params / "02_x.yml").write_text("backbone: resnet18")
    monkeypatch.chdir(tmp_path)

    def run(words: str):
        monkeypatch.setattr(sys, "argv", ["wslib", "workbook", *words.split("|")])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, capsys.readouterr().out

    return run


BOTH = "chapters/01_x.py|chapters/02_x.py|--profile|full"
ALL = ("vit_b, 0.0 MiB; the course's shapes, size unknown; weights of resnet18, "
       "0.0 MiB")  # fmt: skip


def test_a_check_names_all_that_is_missing_and_the_command(type_in, server):
    status, _ = type_in(f"check|{BOTH}")
    lacking = "; ".join(sorted(ALL.split("; ")))
    words = "; ".join(sorted(status.split("not here: ")[1].split("; to fetch")[0]
                             .replace("weights of SAM ", "").split("; ")))  # fmt: skip
    assert words == lacking
    assert status.endswith("; to fetch it: make data PROFILE=full")
    assert server.asked == []
    status, _ = type_in("check|chapters/02_x.py|--profile|full|--set|sam=vit_b seed=1")
    assert "no parameter 'seed'" in status
    status, _ = type_in("check|chapters/02_x.py|--profile|full|--set|sam=vit_b")
    assert status.endswith('make data PROFILE=full CH=02 SET="sam=vit_b"')


def test_then_it_is_fetched_and_the_check_is_content(type_in, server):
    status, said = type_in(f"fetch|{BOTH}")
    assert (status, len(server.asked)) == (0, 3), said
    assert said.endswith("PROFILE=full: all that it needs is here\n")
    assert type_in(f"check|{BOTH}") == (0, "")


def test_what_cannot_be_fetched_is_said_and_all_else_is_fetched(
    type_in, server, monkeypatch, tmp_path
):
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    by_hand = "chapters/02_x.py|--profile|full|--set|dataset=caltech3"
    where = f"wslib: {tmp_path / 'data' / 'caltech3'}: not here; the practical's own"
    assert type_in(f"check|{by_hand}")[0].startswith(where) and not server.asked
    assert type_in(f"fetch|{by_hand}")[0].startswith(where) and len(server.asked) == 1


def test_what_comes_with_packages_needs_nothing(type_in, server):
    own = "chapters/02_x.py|--profile|full|--set|backbone=efficientnet_lite0"
    assert type_in(f"check|{own}") == (0, "")
    assert type_in(f"fetch|{own}")[1] == "PROFILE=full: all that it needs is here\n"


def test_the_real_chapters_at_full(server, monkeypatch):
    """By the parameters as they are: each data set and all weights, and no more."""
    from wslib.workbook.runs.build import Build
    from wslib.workbook.runs.settings import resolve
    from wslib.workbook.sources.chapter import Chapter
    from wslib.workbook.sources.profiles import named, splits

    monkeypatch.chdir(Path(__file__).parents[2])
    paths = sorted(Path("chapters").glob("[0-9]*.py"))
    values = [resolve(Chapter(p), Build("full"), {})["parameters"] for p in paths]
    found = find_downloads(
        [name for one in values for name in named(one)],
        [name for one in values for name in splits(one)],
    )
    assert sorted(one.what for one in found) == [
        "CIFAR-10", "Caltech-101", "VOC2007 test", "VOC2007 trainval",
        "weights of SAM vit_b", "weights of resnet18", "weights of resnet50",
    ]  # fmt: skip
