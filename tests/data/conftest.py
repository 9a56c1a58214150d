"""A server on this machine that publishes archives, and notes what it is asked for."""

import dataclasses
import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wslib.data import download
from wslib.data.fetch import SOURCES


class Mirror:
    """A server's folder, and of each request the file and the range. An answer ends
    after `cut` bytes, but one to a request for the rest does not."""

    def __init__(self, folder: Path, patch):
        self.folder, self.patch, self.asked, self.cut = folder, patch, [], None
        folder.mkdir()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.asked]

    def path(self, data_set: str, part: str = "") -> Path:
        (source,) = (s for s in SOURCES[data_set] if s.part == part)
        return self.folder / source.archive.name

    def publish(self, data_set: str, content: bytes, part: str = "") -> None:
        """Put an archive here, and make its size and checksum the official ones, where
        there are any."""
        self.path(data_set, part).write_bytes(content)
        checksum = f"md5:{hashlib.md5(content).hexdigest()}"
        real = {"size": len(content), "checksum": checksum}
        known = []
        for source in SOURCES[data_set]:
            tiny = {k: v for k, v in real.items() if getattr(source, k) is not None}
            tiny = tiny if source.part == part else {}
            known.append(dataclasses.replace(source, **tiny))
        self.patch.setitem(SOURCES, data_set, tuple(known))


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        mirror = self.server.mirror
        mirror.asked.append((self.path.rsplit("/", 1)[-1], self.headers["Range"]))
        if mirror.cut is not None and not self.headers["Range"]:
            content = (mirror.folder / mirror.asked[-1][0]).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", '"one"')
            self.end_headers()
            self.wfile.write(content[: mirror.cut])
        else:
            super().do_GET()

    def log_message(self, *args):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("WSLIB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(download, "PAUSES", ())
    mirror = Mirror(tmp_path / "mirror", monkeypatch)
    handler = partial(Handler, directory=str(mirror.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.mirror, mirror.url = mirror, f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield mirror
        server.shutdown()
        thread.join()


@pytest.fixture
def data(tmp_path) -> Path:
    return tmp_path / "data"
