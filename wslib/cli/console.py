"""Print for people and for programs, write files whole, explain errors in one line."""

from __future__ import annotations

import codecs
import json
import math
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import typer

UsageError = typer.BadParameter.__base__  # typer has no public name for it
EXPECTED = ValueError, RuntimeError, OSError
LONGEST = 400  # characters of a message of several lines that is made one
SPELT = {"≥": ">=", "≤": "<=", "−": "-", "–": "-", "—": "-", "×": "x", "±": "+/-"}
INTERRUPTED = 130  # the status of a program that Ctrl-C has ended


@contextmanager
def resumable() -> Iterator[None]:
    """Say after Ctrl-C that the same command goes on; typer would say nothing."""
    try:
        yield
    except KeyboardInterrupt:
        print("wslib: interrupted; the same command goes on", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def read_each(
    paths: Iterable[Path], unread: list[str], check: Callable | None = None
) -> Iterator[tuple]:
    """Yield each picture's path and its pixels, (H, W, 3) uint8, after a `check`. Those
    that cannot be read or used are complained of by name, and join `unread`."""
    from wslib.data.images import read_image
    from wslib.runtime.progress import say

    for path in paths:
        try:
            image = read_image(path)
            image = check(image) if check else image
        except (FileNotFoundError, ValueError) as error:
            text = _in_one_line(str(error))
            unread.append(text if text.startswith(f"{path}:") else f"{path}: {text}")
            say(f"wslib: {unread[-1]}", sys.stderr)
        else:
            yield path, image


def fail_if(complaints: object) -> None:
    """End with status 1 where there are any."""
    if complaints:
        raise typer.Exit(1)


def spell_out() -> None:
    """Print what a console's encoding lacks in ASCII: >= for a sign of one character,
    and of a file's name what is no text in its encoding as \\udce9."""
    codecs.register_error("wslib", _spell)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="wslib")


def _spell(error: UnicodeError) -> tuple[str, int]:
    lacking = error.object[error.start : error.end]
    spelt = (c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(map(SPELT.get, lacking, spelt)), error.end


# ---------------------------------------------------------------------------- results


def print_json(content: object) -> None:
    """Print what a program reads. A number that is not finite is null."""
    print(_json(content))


def print_about(about: Mapping, **options) -> None:
    """Print a line of names and values: "split val, images 6"."""
    print(", ".join(f"{key} {value}" for key, value in about.items()), **options)


def print_notes(notes: Iterable[str]) -> None:
    """Print lines that are no results on standard error."""
    for note in notes:
        print(f"wslib: {note}", file=sys.stderr)


def write_json(path: Path, content: object) -> None:
    """Write what `print_json` prints, whole or not at all."""
    from wslib.runtime.kept import write_text

    write_text(path, _json(content) + "\n")


def save_figure(figure, path: Path) -> None:
    """Write a figure of matplotlib as PNG, whole or not at all."""
    from wslib.runtime.kept import written_whole
    from wslib.show.figures import DPI

    with written_whole(path) as part:
        figure.savefig(part, format="png", dpi=DPI)


def check_out(path: Path | None, ending: str = "") -> None:
    """Make the folder of a file that is to be written, if one is, before anything is
    computed.

    Raises ValueError for what is there and is no file, below a file, and for a name
    without the `ending` of what is written.
    """
    if path is None:
        return
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: no file, expected the name of one to write")
    if not path.name.lower().endswith(ending):
        raise ValueError(f"{path}: expected NAME{ending}, as that is written")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{path}: below a file, expected below a folder") from None


def _json(content: object) -> str:
    return json.dumps(_plain(content), indent=1, allow_nan=False)


def _plain(value: object) -> object:
    """Turn NumPy's numbers and arrays into Python's, and paths into text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


# ----------------------------------------------------------------------------- errors


def explain(error: Exception) -> str:
    """Describe an error to a person, in one line that begins with `wslib: `.

    Errors that the workbook defines itself may have several lines: each is a thing to
    mend, or says where to look.
    """
    if isinstance(error, MemoryError):
        text = f"not enough memory: {error}" if str(error) else "not enough memory"
    elif isinstance(error, ImportError):
        text = f"{error}; `wslib doctor` says what is missing"
    elif isinstance(error, OSError) and error.strerror:
        named = "" if error.filename is None else f"{error.filename}: "
        text = named + error.strerror
    elif isinstance(error, EXPECTED):
        text = str(error) or type(error).__name__
    else:
        kind = f"unexpected {type(error).__name__}"
        text = f"{kind}: {error}; WSLIB_DEBUG=1 shows where"
    ours = type(error).__module__.startswith("wslib.")
    return f"wslib: {text if ours else _in_one_line(text)}"


def explain_usage(error: UsageError) -> str:
    """Describe what was mistyped: `wslib voc eval: no such option --splt`."""
    command = error.ctx.command_path if error.ctx else "wslib"
    near = getattr(error, "possibilities", None)  # of an unknown option
    if near is None:
        text = error.format_message()
    else:
        text = error.message.replace("option: ", "option ")
        text += f"; did you mean {near[0]}?" if near else ""
    text = text.replace(". Did you", "; did you").replace(": Input", ": input")
    text = _in_one_line(_with_value(text, error)).rstrip(".")
    return f"{command}: {text[0].lower()}{text[1:]} (see {command} --help)"


def _with_value(text: str, error: UsageError) -> str:
    """Name the value that does not fit: pydantic knows it, typer leaves it out."""
    if not hasattr(error.__cause__, "errors"):
        return text
    value = error.__cause__.errors()[0]["input"]
    return text.replace("Invalid value for", f"Invalid value {value!r} for", 1)


def _in_one_line(text: str) -> str:
    """Leave a text of one line as it is; join the words of others, up to `LONGEST`."""
    return textwrap.shorten(text, LONGEST, placeholder=" ...") if "\n" in text else text
