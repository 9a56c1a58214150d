"""What people read when something goes wrong: one line."""

from __future__ import annotations

import textwrap

import typer

UsageError = typer.BadParameter.__base__  # typer has no public name for it
EXPECTED = ValueError, RuntimeError, OSError
LONGEST = 400  # characters of a message of several lines that is made one


def explain(error: Exception) -> str:
    """What an error means, for a person, in one line that begins with `wslib: `.

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
    return f"wslib: {text if ours else in_one_line(text)}"


def in_one_line(text: str) -> str:
    """The text as it is if it has one line, else its words, at most `LONGEST` long."""
    return textwrap.shorten(text, LONGEST, placeholder=" ...") if "\n" in text else text


def explain_usage(error: UsageError) -> str:
    """What was mistyped: `wslib voc eval: no such option --splt; did you mean ...`."""
    command = error.ctx.command_path if error.ctx else "wslib"
    near = getattr(error, "possibilities", None)  # of an unknown option
    if near is None:
        said = error.format_message()
    else:
        said = error.message.replace("option: ", "option ")
        said += f"; did you mean {near[0]}?" if near else ""
    said = said.replace(". Did you", "; did you").replace(": Input", ": input")
    said = in_one_line(_with_value(said, error)).rstrip(".")
    return f"{command}: {said[0].lower()}{said[1:]} (see {command} --help)"


def _with_value(said: str, error: UsageError) -> str:
    """Name the value that does not fit: pydantic knows it, typer leaves it out."""
    if not hasattr(error.__cause__, "errors"):
        return said
    value = error.__cause__.errors()[0]["input"]
    return said.replace("Invalid value for", f"Invalid value {value!r} for", 1)
