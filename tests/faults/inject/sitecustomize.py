"""Let one command of wslib fail at a chosen point; Python imports this by itself.

`$FAULT` is COMMAND:KIND:N, such as `run:replace:2`: kill the process right after its
second `os.replace`. With `open` it dies with a file opened and not yet written, with
`full` the disk is full from the Nth file on that is opened for writing. Only files of
the project count, and `$FAULT_DONE` is a file that says that it has happened.
"""

import builtins
import io
import os
import pathlib
import signal
import sys

command, kind, number = (os.environ.get("FAULT") or "::").split(":")
left = int(number or 0)
real_open, real_replace = io.open, os.replace
done = os.environ.get("FAULT_DONE", "")


def ours(path) -> bool:
    text = os.path.abspath(os.fspath(path)) if not isinstance(path, int) else ""
    return text.startswith(os.getcwd()) and "__pycache__" not in text


def due() -> bool:
    global left
    left -= 1
    if left <= 0:
        real_open(done, "w").close()
    return left == 0 or (left < 0 and kind == "full")


def open_for_writing(file, mode="r", *words, **options):
    counts = set(mode) & set("wxa") and not isinstance(file, int) and ours(file)
    if counts and kind == "full" and due():
        raise OSError(28, "No space left on device", os.fspath(file))
    opened = real_open(file, mode, *words, **options)
    if counts and kind == "open" and due():
        os.kill(os.getpid(), signal.SIGKILL)
    return opened


def replace(source, target, **options):
    real_replace(source, target, **options)
    if kind == "replace" and ours(target) and due():
        os.kill(os.getpid(), signal.SIGKILL)


if command and "wslib.cli" in sys.orig_argv and command in sys.orig_argv:
    builtins.open = io.open = open_for_writing
    os.replace = replace
    if hasattr(pathlib, "_normal_accessor"):  # Python below 3.11
        pathlib._normal_accessor.replace = staticmethod(replace)
