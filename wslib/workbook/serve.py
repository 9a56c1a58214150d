"""The page of the preview for a browser, and the news about it as they come.

Server-sent events tell a small script, `preview.js`, which version of the page there
is, what is running and what has to be mended.
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
from wslib.workbook.web import WebBook

SCRIPT = Path(__file__).with_name("preview.js")
NOTHING = "<!DOCTYPE html>\n<title>Preview</title>\n<body></body>\n"
TRIES = 20  # ports, from the first one on
HEARTBEAT = 10  # seconds; shows who is no longer there


@dataclass(frozen=True)
class State:
    """What the browser is told: the `share` of what is `running` is from 0 to 1."""

    version: str = ""
    running: str = ""
    share: float | None = None
    problem: str = ""

    def message(self) -> bytes:
        """As a server-sent event."""
        return f"data: {json.dumps(asdict(self))}\n\n".encode()


class Live:
    """The page as it is now, and the state; threads wait here for what is new."""

    def __init__(self):
        self._news = threading.Condition()
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
        with self._news:
            self.page, self.pictures = page.encode(), book.pictures
            self.tell(version=version)

    def tell(self, **news) -> None:
        """Change some of the state; who waits hears of it if it is new."""
        with self._news:
            state = replace(self.state, **news)
            if state != self.state:
                self.state = state
                self._news.notify_all()

    def after(self, state: State | None) -> State | None:
        """The state when it differs from `state`; None if it does not for a while."""
        with self._news:
            new = self._news.wait_for(lambda: self.state != state, HEARTBEAT)
            return self.state if new else None


class Handler(BaseHTTPRequestHandler):
    """Answers a browser; `live` and `names` are set by `listen`."""

    live: Live
    names: frozenset[str]  # under which a browser may ask, other pages' names may not
    protocol_version = "HTTP/1.1"  # one connection for many pictures

    def do_GET(self) -> None:
        if (
            self.names
            and self.headers.get("Host", "").rpartition(":")[0] not in self.names
        ):
            return self.send_error(HTTPStatus.FORBIDDEN)
        path = self.path.partition("?")[0]
        folder, _, name = path.rpartition("/")
        picture = self.live.pictures.get(name) if folder == "/picture" else None
        if path in ("/", "/index.html"):
            self._answer(self.live.page, "text/html; charset=utf-8", "no-store")
        elif path == "/events":
            self._events()
        elif picture is not None:
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            self._answer(picture, kind, "max-age=31536000, immutable")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _head(self, kind: str, cache: str, **headers) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {
            "Content-Type": kind, "Cache-Control": cache, **headers
        }.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, content: bytes, kind: str, cache: str) -> None:
        self._head(kind, cache, **{"Content-Length": str(len(content))})
        self.wfile.write(content)

    def _events(self) -> None:
        self._head("text/event-stream", "no-store", Connection="close")
        state = None
        while True:
            news = self.live.after(state)
            self.wfile.write(news.message() if news else b": still here\n\n")
            state = news or state

    def log_message(self, format: str, *args) -> None:
        """Say nothing of each request."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address) -> None:
        """A browser that goes away is no error."""
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
