"""The page of the preview for a browser, and the state that it asks for.

`preview.js` in the page asks a few times a second for `state.json`: which version of
the page there is, what is running and what has to be mended.
"""

from __future__ import annotations

import errno
import json
import mimetypes
import sys
import threading
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from wslib.runtime.kept import digest
from wslib.workbook.preview.web import WebBook

SCRIPT = Path(__file__).with_name("preview.js")
NOTHING = "<!DOCTYPE html>\n<title>Preview</title>\n<body></body>\n"
TRIES = 20  # ports, from the first one on


@dataclass(frozen=True)
class State:
    """News for the browser: the `share` of what is `running` is from 0 to 1; `changed`
    is the label of the chapter that was last saved."""

    version: str = ""
    running: str = ""
    share: float | None = None
    problem: str = ""
    changed: str = ""


class Live:
    """The page as it is now, its pictures, and the state."""

    def __init__(self):
        self.state = State()
        self.show(WebBook(NOTHING, {}))

    def show(self, book: WebBook) -> None:
        """Put the `book` in the place of the last one."""
        version = digest(book.html)
        script = SCRIPT.read_text(encoding="utf-8")
        before, end, after = book.html.rpartition("</body>")
        page = (
            f'{before}<script data-version="{version}">\n{script}</script>{end}{after}'
        )
        self.page, self.pictures = page.encode(), book.pictures
        self.tell(version=version)

    def tell(self, **news) -> None:
        """Change some of the state."""
        self.state = replace(self.state, **news)

    def content(self, path: str) -> bytes | None:
        """Return what there is under this path of the address, if anything."""
        folder, _, name = path.rpartition("/")
        if path == "/state.json":
            return json.dumps(asdict(self.state)).encode()
        if folder == "/picture":
            return self.pictures.get(name)
        return self.page if path in ("/", "/index.html") else None


class Handler(BaseHTTPRequestHandler):
    """The answers to a browser; `live` and `names` are set by `listen`."""

    live: Live
    names: frozenset[str]  # under which a browser may ask, other pages' names may not
    protocol_version = "HTTP/1.1"  # one connection for many pictures

    def do_GET(self) -> None:
        """Answer with what is kept under the path, or with an error."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        path = self.path.partition("?")[0]
        content = self.live.content(path)
        if self.names and host not in self.names:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif content is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._answer(path, content)

    def _answer(self, path: str, content: bytes) -> None:
        """Send the content; a picture never changes under its name."""
        kept = path.startswith("/picture/")
        kind = mimetypes.guess_type(path)[0] or "text/html"
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind if kept else f"{kind}; charset=utf-8")
        self.send_header(
            "Cache-Control", "max-age=31536000, immutable" if kept else "no-store"
        )
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args) -> None:
        """Say nothing of each request."""


class Server(ThreadingHTTPServer):
    """A server that ends with the process, and lets browsers go away."""

    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """Report an error, unless a browser has gone away."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def listen(live: Live, host: str, port: int) -> Server:
    """Answer browsers at `host` on the first free one of the 20 ports from `port` on.

    Raises ValueError for a host or a port that cannot be had.
    """
    anywhere = host in ("", "0.0.0.0")
    names = frozenset() if anywhere else frozenset({host, "localhost", "127.0.0.1"})
    handler = type("PreviewHandler", (Handler,), {"live": live, "names": names})
    for candidate in range(port, min(port + TRIES, 65536)):
        try:
            server = Server((host, candidate), handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                why = error.strerror or error
                raise ValueError(f"{host}:{candidate}: {why}") from None
        else:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            return server
    raise ValueError(f"port {port}: in use, like the next ones; choose another --port")
