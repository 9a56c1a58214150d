"""One file over HTTP, from a server of our own that fails as real ones do."""

import errno
import hashlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from wslib.data import download
from wslib.data.download import disk_is_full, fetch, mebibytes

SIZE = 3_000_000
CONTENT = np.random.default_rng(0).bytes(SIZE)
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
CUT = 1_200_000


class Server(ThreadingHTTPServer):
    """Serves `content` under any name. `faults` are taken one a request: a number is a
    status, ("cut", n) ends after n bytes, "stall" sends nothing, "odd" another range
    than the one that was asked for, None is no fault."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.version = CONTENT, {"ETag": '"one"'}
        self.ranges, self.tells_length = True, True
        self.faults, self.requests, self.sent = [], [], []
        self.stop = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/file.bin"

    def handle_error(self, *_):  # a client that went away
        pass


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        fault = server.faults.pop(0) if server.faults else None
        if fault == "stall":
            server.stop.wait(20)
        elif fault == "hang up":
            self.close_connection = True
        elif isinstance(fault, int):
            self.send_error(fault)
        else:
            self._send(fault)

    def _send(self, fault):
        server, size = self.server, len(self.server.content)
        asked = self.headers["Range"]
        same = self.headers["If-Range"] in (None, *server.version.values())
        start = int(asked[6:-1]) if asked and server.ranges and same else 0
        if start >= size:
            return self.send_error(416)
        stop = start + fault[1] if isinstance(fault, tuple) else size
        rest = server.content[start:stop]
        server.sent.append(len(rest))  # before the client can see any of it
        self.send_response(206 if start else 200)
        if start:
            told = start + 7 if fault == "odd" else start
            self.send_header("Content-Range", f"bytes {told}-{size - 1}/{size}")
        if server.tells_length:
            self.send_header("Content-Length", str(size - start))
        for header in server.version.items():
            self.send_header(*header)
        self.end_headers()
        self.wfile.write(rest)

    def log_message(self, *args):
        pass


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSES", (0, 0))


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.stop.set()
        server.shutdown()
        thread.join()


def line(error) -> str:
    """What an error says, after a look whether it is one line."""
    assert "\n" not in str(error.value)
    return str(error.value)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def cut_once(server, path, **options):
    """Leave `path.part` behind, with CUT bytes."""
    server.faults = [("cut", CUT), 404]
    with pytest.raises(RuntimeError, match="404"):
        fetch(server.url, path, MD5, **options)
    server.requests.clear(), server.sent.clear()


def test_a_good_file_and_nothing_beside_it(server, tmp_path):
    path = tmp_path / "sub" / "file.bin"
    assert fetch(server.url, path, MD5, SIZE) == path
    assert path.read_bytes() == CONTENT and names(path.parent) == ["file.bin"]
    assert "Range" not in server.requests[0]
    sha256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest().upper()}"
    fetch(server.url, path, sha256, SIZE)  # there already: nobody is asked
    assert len(server.requests) == 1


def test_neither_length_nor_checksum(server, tmp_path):
    server.tells_length = False
    fetch(server.url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_file_that_is_there_and_wrong_is_not_touched(server, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(b"mine")
    with pytest.raises(RuntimeError, match="4 bytes, expected 3,000,000; rem") as error:
        fetch(server.url, path, MD5, SIZE)
    assert line(error).startswith(str(path)) and path.read_bytes() == b"mine"
    with pytest.raises(RuntimeError, match="its MD5 is .*, expected "):
        fetch(server.url, path, MD5)
    assert server.requests == []


def test_wrong_checksum_leaves_nothing(server, tmp_path):
    server.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(RuntimeError, match="its MD5 is .*; what came was rem") as error:
        fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert line(error).startswith(server.url) and MD5[4:] in line(error)
    assert names(tmp_path) == []


def test_a_cut_connection_is_resumed_and_only_the_rest_travels(server, tmp_path):
    server.faults = [("cut", CUT)]
    fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert [r.get("Range") for r in server.requests] == [None, f"bytes={CUT}-"]
    assert server.requests[1]["If-Range"] == '"one"'
    assert server.sent == [CUT, SIZE - CUT]
    assert names(tmp_path) == ["file.bin"]


def test_the_next_call_goes_on(server, tmp_path):
    server.faults = [("cut", CUT), ("cut", 0), ("cut", 0)]
    with pytest.raises(RuntimeError, match="cut after 1,200,000 of 3,000,000") as error:
        fetch(server.url, tmp_path / "file.bin")
    assert "1.1 MiB are in" in line(error) and "same command goes on" in line(error)
    assert names(tmp_path) == ["file.bin.part", "file.bin.part.json"]
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:CUT]
    server.sent.clear()
    fetch(server.url, tmp_path / "file.bin")  # without a checksum: the ETag is enough
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.sent == [SIZE - CUT]


def test_tries_are_counted_anew_while_something_comes(server, tmp_path):
    server.faults = [("cut", 400_000)] * 6  # more than PAUSES allows
    fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert server.sent == [400_000] * 6 + [600_000]


def test_last_modified_in_place_of_a_weak_tag(server, tmp_path):
    date = "Tue, 06 Nov 2007 10:00:00 GMT"
    server.version = {"ETag": 'W/"one"', "Last-Modified": date}
    cut_once(server, tmp_path / "file.bin")
    fetch(server.url, tmp_path / "file.bin")
    assert server.requests[0]["If-Range"] == date and server.sent == [SIZE - CUT]


def test_a_file_that_changed_on_the_server_starts_anew(server, tmp_path):
    cut_once(server, tmp_path / "file.bin")
    server.content, server.version = CONTENT[::-1], {"ETag": '"two"'}
    server.faults = [("cut", CUT)]
    fetch(server.url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT[::-1]
    asked = [r["If-Range"] for r in server.requests]
    assert asked == ['"one"', '"two"'] and server.sent == [CUT, SIZE - CUT]


@pytest.mark.parametrize("checksum, sent", [(None, SIZE), (MD5, SIZE - CUT)])
def test_without_a_version_only_a_checksum_makes_it_safe(
    server, tmp_path, checksum, sent
):
    server.version = {}
    cut_once(server, tmp_path / "file.bin")
    fetch(server.url, tmp_path / "file.bin", checksum)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT and server.sent == [sent]


def test_a_mirror_goes_on_with_what_came_from_another(server, tmp_path):
    cut_once(server, tmp_path / "file.bin")
    server.version = {"ETag": '"mirror"'}
    fetch(server.url.replace("file.bin", "mirror.bin"), tmp_path / "file.bin", MD5)
    assert "If-Range" not in server.requests[0] and server.sent == [SIZE - CUT]


def test_a_server_without_ranges_starts_anew(server, tmp_path):
    server.ranges, server.faults = False, [("cut", CUT)]
    fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.sent == [CUT, SIZE]
    assert server.requests[1]["Range"] == f"bytes={CUT}-"


def test_a_server_without_ranges_that_always_cuts_is_given_up(server, tmp_path):
    server.ranges, server.faults = False, [("cut", CUT)] * 9
    with pytest.raises(RuntimeError, match="cut after 1,200,000"):
        fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert server.sent == [CUT] * 3


def test_another_range_than_asked_for_is_not_joined(server, tmp_path):
    server.faults = [("cut", CUT), "odd"]
    fetch(server.url, tmp_path / "file.bin")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert "Range" not in server.requests[2]


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    for size in (SIZE, None):
        (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
        fetch(server.url, tmp_path / "file.bin", MD5, size)
        assert (tmp_path / "file.bin").read_bytes() == CONTENT
        (tmp_path / "file.bin").unlink()
    asked = [r.get("Range") for r in server.requests]
    assert asked == [None, f"bytes={SIZE + 4}-", None]


def test_a_part_that_is_whole_needs_no_server(tmp_path):
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    (tmp_path / "file.bin.part.json").write_text("{half")
    fetch("http://127.0.0.1:9/", tmp_path / "file.bin", MD5, SIZE)
    assert names(tmp_path) == ["file.bin"]


def test_a_note_that_is_damaged_is_no_version(server, tmp_path):
    cut_once(server, tmp_path / "file.bin")
    (tmp_path / "file.bin.part.json").write_text('{"url": ')
    fetch(server.url, tmp_path / "file.bin")
    assert server.sent == [SIZE]


def test_404_is_final(server, tmp_path):
    server.faults = [404]
    with pytest.raises(RuntimeError, match=r"file\.bin: HTTP 404 Not Found$") as error:
        fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert line(error) and len(server.requests) == 1 and names(tmp_path) == []


@pytest.mark.parametrize("fault", [500, 503, 429, "hang up"])
def test_passing_faults_are_tried_again(server, tmp_path, fault):
    server.faults = [fault, fault]
    fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_faults_that_do_not_pass(server, tmp_path, monkeypatch):
    waited = []
    monkeypatch.setattr(download, "PAUSES", (1, 2, 4))
    monkeypatch.setattr(download.time, "sleep", waited.append)
    server.faults = [502] * 9
    with pytest.raises(RuntimeError, match="HTTP 502 Bad Gateway$") as error:
        fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert line(error) and waited == [1, 2, 4] and len(server.requests) == 4


def test_a_server_that_is_silent(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    server.faults = ["stall"] * 3
    with pytest.raises(RuntimeError, match="no answer .timed out.$") as error:
        fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert line(error) and len(server.requests) == 3


@pytest.mark.parametrize(
    "url, reason",
    [
        ("http://127.0.0.1:9/x", "no connection .*refused"),
        ("gopher://127.0.0.1/x", "no connection .unknown url type"),
    ],
)
def test_no_network(tmp_path, url, reason):
    with pytest.raises(RuntimeError, match=reason) as error:
        fetch(url, tmp_path / "x", MD5, SIZE)
    assert line(error).startswith(url) and names(tmp_path) == []


def test_no_name_server(tmp_path, monkeypatch):
    def lookup(*_, **__):
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(RuntimeError, match="no connection.*name resolution") as error:
        fetch("http://voc.example/x", tmp_path / "x", MD5, SIZE)
    assert line(error)


def test_no_network_any_more(server, tmp_path):
    cut_once(server, tmp_path / "file.bin")
    with pytest.raises(RuntimeError, match="refused.*1.1 MiB are in .*goes on"):
        fetch("http://127.0.0.1:9/x", tmp_path / "file.bin", MD5, SIZE)
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:CUT]


def test_a_page_in_its_stead_costs_nothing(server, tmp_path):
    cut_once(server, tmp_path / "file.bin", size=SIZE)
    server.content, server.ranges = b"<html>Please log in", False
    with pytest.raises(
        RuntimeError, match="offers 19 bytes, expected 3,000,0"
    ) as error:
        fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert line(error)
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:CUT]


def stop_after(count: int, error: BaseException):
    """A `progress_bytes` after whose `count` bytes something happens."""

    def chunks(iterable, *_):
        came = 0
        for chunk in iterable:
            keep = chunk[: count - came]
            came += len(keep)
            yield keep
            if came == count:
                raise error

    return chunks


def test_ctrl_c_keeps_what_came(server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(download, "progress_bytes", stop_after(CUT, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert (tmp_path / "file.bin.part").read_bytes() == CONTENT[:CUT]
    fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert server.requests[1]["Range"] == f"bytes={CUT}-"
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


class FullDisk:
    """A file on a disk that has room for CUT bytes."""

    def __init__(self, path, mode):
        self.file = open(path, mode)
        self.room = CUT - self.file.tell()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, chunk):
        self.file.write(chunk[: self.room])
        self.room -= min(self.room, len(chunk))
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_disk_full_keeps_what_came(server, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(download, "open", FullDisk, raising=False)
        with pytest.raises(RuntimeError, match="disk is full, 1.7 MiB more") as error:
            fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert "1.1 MiB are in" in line(error) and len(server.requests) == 1
    fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert server.requests[1]["Range"] == f"bytes={CUT}-"
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_other_troubles_with_files_are_not_called_a_full_disk(server, tmp_path):
    (tmp_path / "file.bin.part").mkdir()
    with pytest.raises(IsADirectoryError):
        fetch(server.url, tmp_path / "file.bin")
    assert not disk_is_full(OSError(errno.EACCES, "no"))
    assert disk_is_full(OSError(errno.EDQUOT, "quota"))


def test_the_note_names_its_url(server, tmp_path):
    cut_once(server, tmp_path / "file.bin")
    note = json.loads((tmp_path / "file.bin.part.json").read_text())
    assert note == {"url": server.url, "version": '"one"'}


def test_a_file_on_this_machine(tmp_path):
    (tmp_path / "mirror.bin").write_bytes(CONTENT)
    fetch((tmp_path / "mirror.bin").as_uri(), tmp_path / "file.bin", MD5, SIZE)
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_the_bar_is_seen_in_the_terminal(server, tmp_path, capsys):
    fetch(server.url, tmp_path / "file.bin", MD5, SIZE)
    assert "file.bin" in capsys.readouterr().err


def test_mebibytes():
    assert mebibytes(460_032_000) == "438.7 MiB"
    assert mebibytes(2**31) == "2,048.0 MiB"
