"""The kernel of a chapter: this very Python, without a reader's own settings.

While it runs, its progress bars are shown here, and it ends with this process.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from traitlets import default
from traitlets.config import Config

from wslib.workbook.runs.build import Build
from wslib.workbook.runs.turn import MAKE
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.profiles import CAUTIONS, threads_of

STARTED: list[int] = []  # the kernels of this process, each the first of its group
STARTING = threading.RLock()  # held while one starts and is not yet among these


class OwnKernel(AsyncKernelManager):
    """A kernel of the Python that runs this, whatever else Jupyter calls python3."""

    @default("kernel_spec_manager")
    def _know_no_other(self) -> KernelSpecManager:
        return KernelSpecManager(kernel_dirs=[])

    async def _async_launch_kernel(self, *words, **options) -> None:
        with STARTING:
            await super()._async_launch_kernel(*words, **options)
            STARTED.append(self.provisioner.pid)

    async def _async_interrupt_kernel(self) -> None:
        """Leave a kernel alone that has nothing more to do: asked to end while it
        starts to, it now and then would complain of a KeyboardInterrupt."""


def _configure(folder: Path) -> Config:
    """What papermill starts it with. Its connection file lies in `folder`. Without the
    encryption each kernel warns that others on this machine could listen."""
    file = str(folder / "kernel.json")
    kernel = {"connection_file": file, "transport_encryption": "auto", **_sockets()}
    client = {"kernel_manager_class": OwnKernel}
    return Config(KernelManager=kernel, NotebookClient=client)


def _sockets() -> dict[str, str]:
    """Where kernel and command talk: by names that are theirs alone, where the system
    has such without files. A port that is free when it is chosen may be another
    kernel's when it is used."""
    if sys.platform != "linux":
        return {}
    return {"transport": "ipc", "ip": f"@wslib-{secrets.token_hex(8)}"}


def _clean_environment(environment: dict[str, str], folder: Path) -> None:
    """Let no profile of IPython, no startup file and no backend of matplotlib that a
    reader has chosen take part: "Agg" would give a book without figures."""
    environment["IPYTHONDIR"] = str(folder / "ipython")
    for name in ("PYTHONSTARTUP", "MPLBACKEND", "MATPLOTLIBRC"):
        environment.pop(name, None)


def execute(chapter: Chapter, notebook, output: Path, scratch: Path) -> None:
    """Execute in a thread of its own, so that Ctrl-C comes here, which ends the kernel
    at once and without a word of its own."""
    bar = {
        "desc": chapter.name,
        "leave": False,
        "ncols": 80,
        # None: where there is no terminal, as in a cluster's job
        "disable": None if not os.environ.get("WSLIB_BARS") else False,
    }
    settings = {"config": _configure(scratch), "progress_bar": bar}
    interrupted = f"\n{chapter.name}: interrupted; so far: {output}"
    with _ended_by_signals(interrupted, scratch), ThreadPoolExecutor(1) as pool:
        work = papermill.execute_notebook
        running = pool.submit(work, notebook, str(output), **settings)
        while not wait([running], timeout=0.5).done:
            pass  # a signal that comes just before a wait is heard before the next
        running.result()


@contextmanager
def _ended_by_signals(said: str, scratch: Path) -> Iterator[None]:
    """Let Ctrl-C, and what else is taken for it, say so and end all at once. An
    exception would not do: a second signal can come where nothing catches it."""

    def _hear(number, frame) -> None:
        for each in usual:  # a second one ends also a run that cannot say so
            signal.signal(each, lambda *_: _end(scratch, 130))
        try:
            print(said, file=sys.stderr, flush=True)
        finally:  # who read this may have ended first, or Make may interrupt again
            _end(scratch, 130)

    all_three, usual = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), {}
    for number in all_three:
        if signal.getsignal(number) == signal.default_int_handler:
            usual[number] = signal.signal(number, _hear)
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


@contextmanager
def surroundings(chapter: Chapter, build: Build) -> Iterator[Path]:
    """The environment of the kernel, as long as the chapter runs, and a thread that
    shows its progress bars.

    Yields a folder for as long. In its files `data` and `device` the kernel notes the
    data it reads and its device.
    """
    scratch = build.folder.resolve() / f".{chapter.name}"
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
    scratch.mkdir()
    for name in ("bars", "data", "device"):
        (scratch / name).touch()
    before, finished = dict(os.environ), threading.Event()
    _replace_environment(_environment(chapter, build, scratch))
    echo = threading.Thread(target=_echo, args=(scratch, finished), daemon=True)
    echo.start()
    try:
        yield scratch
    finally:
        finished.set()
        echo.join()
        _replace_environment(before)
        shutil.rmtree(scratch, ignore_errors=True)


def _environment(chapter: Chapter, build: Build, scratch: Path) -> dict[str, str]:
    """What the kernel of a chapter finds there, beside what is there already."""
    jobs = int(os.environ.get("WSLIB_JOBS") or 1)
    root = str(build.root.resolve())
    environment = {
        **threads_of(build.profile, jobs),
        **os.environ,
        "WSLIB_BUILD": str(build.folder.resolve()),
        "WSLIB_RESULTS": str(build.results(chapter).resolve()),
        "WSLIB_DERIVED": str((build.root / "build").resolve()),
        "WSLIB_PROGRESS": str(scratch / "bars"),
        "WSLIB_DATA_NOTES": str(scratch / "data"),
        "WSLIB_DEVICE_NOTE": str(scratch / "device"),
        "WSLIB_CAUTION": CAUTIONS.get(build.profile, ""),
        "PYTHONPATH": os.pathsep.join(
            filter(None, [root, os.environ.get("PYTHONPATH")])
        ),
    }
    _clean_environment(environment, scratch)
    return environment


def _replace_environment(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _echo(scratch: Path, finished: threading.Event) -> None:
    """Copy what appears in the file `bars` to the terminal, if there is one. Where a
    make that was killed has left us behind, end."""
    parent = os.getppid()
    with open(scratch / "bars", encoding="utf-8", newline="") as file:
        while not finished.wait(0.3):
            text = file.read()
            if text and sys.stderr.isatty():
                print(text, end="", file=sys.stderr, flush=True)
            if MAKE in os.environ and os.getppid() != parent:
                _end(scratch, 129)


def _end(scratch: Path, status: int) -> None:
    """End at once, and the kernels with what they have started. One that is about to
    be started is waited for; no other starts any more."""
    with STARTING:
        for kernel in STARTED:
            with suppress(OSError):  # it has ended
                os.killpg(kernel, signal.SIGKILL)
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(status)
