"""The book in a browser while it is written: what is saved is soon on the screen.

A changed sentence is joined to the outputs that exist, here and now; everything else
that needs a run goes through Make, as in `make report`, beside it. The report and its
folder are not touched.
"""

from __future__ import annotations

import glob
import os
import signal
import sys
import time
import webbrowser
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from wslib.workbook.preview.serve import Live, listen
from wslib.workbook.preview.watch import Watch
from wslib.workbook.preview.web import WebBookMaker
from wslib.workbook.report import quarto
from wslib.workbook.runs.job import Job
from wslib.workbook.runs.run import Build, run
from wslib.workbook.runs.turn import MAKE
from wslib.workbook.sources.book import load_book
from wslib.workbook.sources.chapter import Chapter, code_of

PAUSE = 0.2  # seconds between two looks at what runs
WATCHED = ("chapters/*.py", "_quarto*.yml", "report/*.*", "wslib/**/*.py")


def preview(
    root: Path,
    profile: str,
    only: str,
    host: str,
    port: int,
    browse: bool,
    data: str = "",
) -> None:
    """Show the book of `profile` at `host`:`port`, or the next free port, until Ctrl-C.

    Runs the chapters whose names begin with `only`, those that need it, and follows
    their files; of the others it shows what is there. `browse` opens the browser where
    there is a display; `data` is a folder of one's own pictures. Raises ValueError for
    a chapter, a host or a port that cannot be had, RenderError for a profile.
    """
    os.environ.pop(MAKE, None)  # whoever saves a file does not wait for our end
    _handle_signals(signal.default_int_handler)  # all of them end like Ctrl-C
    session = Preview(root, profile, only, data)
    try:
        address = "http://{}:{}/".format(
            *listen(session.live, host, port).server_address
        )
        known = quarto.find()
        without = "by the embedded renderer, not by Quarto; " if known else ""
        print(f"preview: {address} {without}Ctrl-C ends it", flush=True)
        if browse and _has_display():
            webbrowser.open(address)
        session.begin()
        session.follow()
    except KeyboardInterrupt:
        print("preview: ended", file=sys.stderr)
    finally:
        _handle_signals(signal.SIG_IGN)  # a second one does not keep us from tidying up
        session.close()


def needs(
    changed: Iterable[str], profile: str, rules: Mapping[str, str]
) -> tuple[set[str], set[str]]:
    """Return the chapters to look at, and those for Make, after files have `changed`
    (names relative to the root). The rest of the book is assembled anew in any case.

    `rules` has for each chapter what Make knows of its dependencies.
    """
    look, make = set(), set()
    for file in map(Path, changed):
        if file.parent == Path("chapters"):
            look |= {file.stem} & rules.keys()
        elif file.parent == Path("params", profile):
            make |= {file.stem} & rules.keys()
        elif file.parts[0] == "wslib":
            make |= {n for n, rule in rules.items() if file.as_posix() in rule.split()}
    return look - make, make


class Preview:
    """A session: what is shown, what runs, what waits, and what has to be mended."""

    def __init__(self, root: Path, profile: str, only: str = "", data: str = ""):
        self.root, self.build = root, Build(profile, root)
        self.only, self.data = only, data
        self.read_book()
        self.live, self.maker = Live(), WebBookMaker(root, profile)
        self.job: Job | None = None
        self.codes: dict[str, str] = {}  # what the job's chapters execute
        self.waiting = set(self.names)  # for a job
        self.blocked: set[str] = set()  # until something is mended
        self.edited: set[str] = set()  # their prose, during the job
        self.problems: dict[str, str] = {}  # by chapter, or "make", or "book"
        self.watch = Watch(root, self.patterns)

    def read_book(self) -> None:
        """Find out which chapters to follow, and which files belong to the book."""
        pages = [page.file for page in load_book(self.root, self.build.profile).pages]
        names = [Path(page).stem for page in pages if page.endswith(".ipynb")]
        self.names = [name for name in names if name.startswith(self.only)]
        if not self.names:
            raise ValueError(f"no chapter {self.only}; there are {', '.join(names)}")
        parameters = f"params/{self.build.profile}/*.yml"
        self.patterns = [*WATCHED, parameters, *map(glob.escape, pages)]

    def begin(self) -> None:
        """Make the first page; before that, the chapters that have never been run."""
        there = [
            self.build.file(self.chapter(n), ".ipynb").is_file() for n in self.names
        ]
        while not all(there) and (self.waiting or self.job):
            self.advance()
            time.sleep(PAUSE)
        self.assemble()

    def follow(self) -> None:
        """Do what each saved file needs, for ever."""
        while True:
            changed = self.watch.changes()
            if changed:
                self.react(changed)
            self.advance()

    def react(self, changed: set[str]) -> None:
        """Show new prose; leave to Make what needs more."""
        known = set(self.names)
        scripts = {Path(n).stem for n in changed if n.startswith("chapters/")}
        if scripts - known or any(name.startswith("_quarto") for name in changed):
            self.attempt("book", self.read_book)
            self.watch = Watch(self.root, self.patterns)
        look, make = needs(changed, self.build.profile, self.rules())
        for name in look:
            with suppress(Exception):  # it is half written, or gone
                self.live.tell(changed=self.chapter(name).label)
        make |= set(self.names) - known
        make |= {name for name in look if self.needs_run(name)}
        if make:
            self.waiting |= make | self.blocked
            self.blocked = set()
        if self.job and make & set(self.job.names):
            self.stop_job()
        self.assemble()

    def needs_run(self, name: str) -> bool:
        """Join a chapter's prose to its outputs; True if that is not enough."""
        if self.job and self.codes.get(name) == self.code(name):
            self.edited.add(name)
            return False
        joined = self.attempt(name, lambda: self.join(name))
        if joined and self.job and self.job.running == name:
            self.stop_job()  # what it runs is not wanted any more
        if joined:
            self.waiting.discard(name)
        return joined is None and name not in self.problems

    def join(self, name: str) -> Path | None:
        chapter = self.chapter(name)
        checked = self.build.file(chapter, ".json").is_file()
        return run(chapter, self.build, execute=False) if checked else None

    def attempt(self, name: str, call: Callable):
        """Return what `call` does; None, and keep a problem by this name, if it
        fails."""
        self.problems.pop(name, None)
        try:
            return call()
        except Exception as error:  # whatever it is, the next save may mend it
            kind = type(error)
            ours = kind is ValueError or kind.__module__.startswith("wslib.")
            self.problems[name] = (
                str(error) if ours else f"{name}: {kind.__name__}: {error}"
            )

    def assemble(self) -> None:
        """Put the book on the page as it is now."""
        began, before = time.monotonic(), self.live.state.version
        book = self.attempt("book", self.maker.make)
        if book:
            self.live.show(book)
        if self.live.state.version != before:
            print(f"preview: new page, {time.monotonic() - began:.1f} s", flush=True)

    def advance(self) -> None:
        """Look after the job, and tell the browser."""
        if self.job and self.job.advance():
            self.finish_job()
        if self.waiting and not self.job:
            self.start_job()
        name, share = (self.job.running, self.job.share) if self.job else ("", None)
        running = f"{name} is running ..." if name else ""
        problem = "\n\n".join(self.problems.values())
        self.live.tell(running=running, share=share, problem=problem)

    def start_job(self) -> None:
        """Run the chapters that wait."""
        names, self.waiting = self.waiting, set()
        for name in ("make", *names):
            self.problems.pop(name, None)
        self.codes = {name: self.code(name) for name in names}
        alone = len(names) == 1 and not self.data  # which it need not take
        only = next(iter(names)) if alone else self.only
        self.job = Job(self.root, self.build.profile, names, only, self.data)
        os.environ[MAKE] = str(self.job.pid)  # its turn is ours

    def finish_job(self) -> None:
        """Take over what failed; let wait what was edited meanwhile."""
        failures = self.job.failures()
        if "" in failures:
            self.problems["make"] = failures.pop("")
            self.blocked = set(self.job.names)
        self.problems |= failures
        self.forget_job()
        edited, self.edited = self.edited, set()
        for name in edited - failures.keys() - self.blocked:
            self.needs_run(name)
        self.assemble()

    def stop_job(self) -> None:
        self.job.stop()
        self.waiting |= set(self.job.names)
        self.forget_job()

    def forget_job(self) -> None:
        self.job = None
        os.environ.pop(MAKE, None)

    def close(self) -> None:
        """Leave nothing behind that runs or lies about."""
        if self.job:
            self.job.stop()
            self.forget_job()
        self.maker.close()

    def chapter(self, name: str) -> Chapter:
        return Chapter(self.root / "chapters" / f"{name}.py")

    def code(self, name: str) -> str:
        """Return a digest of what the chapter executes, as it is on the disk."""
        with suppress(Exception):
            return code_of(self.chapter(name).notebook())
        return ""

    def rules(self) -> dict[str, str]:
        """Read what Make knows of the chapters' dependencies."""
        rules = dict.fromkeys(self.names, "")
        for name in self.names:
            with suppress(OSError):
                rules[name] = self.build.file(self.chapter(name), ".d").read_text()
        return rules


def _handle_signals(handler) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _has_display() -> bool:
    """Say whether a browser would have a screen to be shown on."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
