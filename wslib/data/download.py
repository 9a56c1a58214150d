"""Download one file over HTTP: resumed where it stopped, checked, whole or not there.

Until then its bytes lie in `NAME.part`; `NAME.part.json` beside it says of which
version of the file on the server they are (RFC 9110, sections 13.1.5 and 14).
"""

from __future__ import annotations

import errno
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from http.client import BadStatusLine, HTTPException
from pathlib import Path
from urllib.error import HTTPError

from wslib.runtime.kept import hash_file, move, write_json
from wslib.runtime.progress import progress_bytes

TIMEOUT = 30.0  # seconds in which nothing comes
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each further try
CHUNK = 1 << 20  # bytes
BUSY = (408, 429)  # of the 4xx, those that may be gone in a moment
CUT = (TimeoutError, ConnectionResetError, ConnectionAbortedError, BadStatusLine)


class _Passing(Exception):
    """A failure that may be gone in a moment: the server's, or a cut connection."""


def fetch(
    url: str, path: Path | str, checksum: str | None = None, size: int | None = None
) -> Path:
    """Download `url` to `path`, or go on where an earlier call stopped; returns `path`.

    `checksum` is such as "md5:0123...", whole or its first digits, `size` in bytes. A
    file that is there already is checked and left as it is. After a cut connection, a
    timeout or an answer 5xx the rest is asked for again, four times if nothing new
    comes. What came stays in `path.part` unless its checksum is wrong. Two processes
    must not fetch the same path at once: see `wslib.runtime.kept.alone`.

    Raises RuntimeError, one line, for whatever goes wrong on the way.
    """
    path = Path(path)
    if path.exists():
        if wrong := _wrong(path, checksum, size):
            raise RuntimeError(f"{path}: {wrong}; remove it to download it again")
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    download = _Download(url, path, checksum, size)
    _persist(download)
    if wrong := _wrong(download.part, checksum, size):
        download.discard()
        raise RuntimeError(f"{url}: {wrong}; what came was removed")
    move(download.part, path)
    download.note.unlink(missing_ok=True)
    return path


def mebibytes(count: int) -> str:
    """A number of bytes as people read it, such as "438.7 MiB"."""
    return f"{count / 2**20:,.1f} MiB"


def disk_is_full(error: OSError) -> bool:
    """Whether `error` says that the disk, or the part of it that is ours, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def _wrong(path: Path, checksum: str | None, size: int | None) -> str | None:
    found = path.stat().st_size
    if size is not None and found != size:
        return f"{found:,} bytes, expected {size:,}"
    if checksum is None:
        return None
    name, expected = checksum.split(":")
    found = hash_file(path, name)
    wrong = f"its {name.upper()} is {found}, expected {expected}"
    return None if found.startswith(expected.lower()) else wrong


def _persist(download: _Download) -> None:
    """Attempt until all is there; give up after tries that bring nothing new."""
    tries, most = 0, download.done
    while not download.size or download.done != download.size:
        try:
            return download.attempt()
        except _Passing as problem:
            if download.done > most:
                tries, most = 0, download.done
            if tries == len(PAUSES):
                raise RuntimeError(download.line(problem)) from None
            time.sleep(PAUSES[tries])
            tries += 1


class _Download:
    """One download: what is there of it, and how the rest is asked for."""

    def __init__(self, url: str, path: Path, checksum: str | None, size: int | None):
        self.url, self.checksum, self.size = url, checksum, size
        self.part = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")
        if size is not None and self.done > size:
            self.discard()

    @property
    def done(self) -> int:
        """The number of bytes that are there."""
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def line(self, problem: object) -> str:
        """One line: what went wrong, and that nothing is lost."""
        if not self.done:
            return f"{self.url}: {problem}"
        there = f"{mebibytes(self.done)} are in {self.part}"
        return f"{self.url}: {problem}; {there}, and the same command goes on"

    def attempt(self) -> None:
        """Ask once for what is missing, and append what comes."""
        with self._open() as response:
            start, total = self._extent(response)
            if self.size is not None and total not in (None, self.size):
                raise RuntimeError(
                    f"{self.url}: the server offers {total:,} bytes, expected "
                    f"{self.size:,}; it is another file, or a page in its stead"
                )
            total = total or self.size
            try:
                self._write(response, start, total)
            except OSError as error:
                if not disk_is_full(error):
                    raise
                needed = f"{mebibytes(total - self.done)} more" if total else "more"
                problem = f"the disk is full, {needed} needed"
                raise RuntimeError(self.line(problem)) from None
        if total is not None and self.done < total:
            raise _Passing(f"cut after {self.done:,} of {total:,} bytes")

    def _open(self):
        headers = {"User-Agent": "wslib", **self._resuming()}
        request = urllib.request.Request(self.url, headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT)
        except HTTPError as error:
            error.close()
            problem = f"HTTP {error.code} {error.reason}"
            if error.code == 416:  # there is no such rest: ours is of another version
                self.discard()
            if error.code >= 500 or error.code in (*BUSY, 416):
                raise _Passing(problem) from None
        except (OSError, HTTPException) as error:
            problem = getattr(error, "reason", None) or error
            if isinstance(problem, CUT):
                raise _Passing(f"no answer ({problem})") from None
            problem = f"no connection ({problem})"
        raise RuntimeError(self.line(problem))

    def _resuming(self) -> dict[str, str]:
        """Headers that ask for the rest, if what is there is the start of the same
        file: the server says so (If-Range), or the checksum will tell."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            note = {}
        version = note.get("version") if note.get("url") == self.url else None
        if not self.done or not (version or self.checksum):
            return {}
        rest = {"Range": f"bytes={self.done}-"}
        return {**rest, "If-Range": version} if version else rest

    def _extent(self, response) -> tuple[int, int | None]:
        """Where the answer starts in the file, and how long the file is, if told."""
        if response.status != 206:
            length = response.headers["Content-Length"]
            return 0, int(length) if length else None
        told = response.headers["Content-Range"] or ""
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", told.strip())
        if not found or int(found[1]) != self.done:
            self.discard()
            raise _Passing(f"asked for the rest, the server sent {told or 'no range'}")
        return int(found[1]), None if found[2] == "*" else int(found[2])

    def _write(self, response, start: int, total: int | None) -> None:
        with open(self.part, "ab" if start else "wb") as file:
            if not start:  # the old bytes are gone: only now another version's name
                self._note_version(response.headers)
            chunks = _chunks(response)
            for chunk in progress_bytes(chunks, self.part.stem, total, start):
                file.write(chunk)

    def _note_version(self, headers) -> None:
        tag = headers["ETag"] or ""
        weak = not tag or tag.startswith("W/")  # these are no good for If-Range
        version = headers["Last-Modified"] if weak else tag
        write_json(self.note, {"url": self.url, "version": version})


def _chunks(response) -> Iterator[bytes]:
    try:
        while chunk := response.read1(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _Passing(f"the connection was cut ({error})") from None
