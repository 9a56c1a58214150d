"""`--help`: a table of contents, examples that can be typed, nothing cut off."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from wslib import cli
from wslib.cli import options

ROOT = Path(__file__).resolve().parents[2]
BOOK = typer.main.get_command(cli.app)
LINE = re.compile(r"\bwslib (?!doctor\) )[^`)\n]+")


def tree(command=BOOK, path=("wslib",)):
    """(path, command) of each command and group, the root first."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from tree(inner, (*path, name))


GROUPS = {" ".join(p): c for p, c in tree() if isinstance(c, TyperGroup)}
COMMANDS = {" ".join(p): c for p, c in tree() if not isinstance(c, TyperGroup)}


def parse(line: str) -> tuple[object, typer.Context]:
    """The command of a line, and what its own parser reads."""
    words = shlex.split(line, comments=True)
    command, used = BOOK, 1
    while isinstance(command, TyperGroup):
        assert words[used] in command.commands, line
        command, used = command.commands[words[used]], used + 1
    return command, command.make_context(" ".join(words[:used]), words[used:])


def check(line: str) -> None:
    """A line that is shown can be typed: options, values, and names that are known."""
    command, context = parse(line)
    for param in command.params:
        value, items = context.params[param.name], param.shell_complete(context, "")
        allowed = [item.value for item in items if item.type == "plain"]
        if allowed and isinstance(value, str) and "path/to" not in value:
            assert value in allowed, f"{line}: {value}"


def help_of(command, path: str, width: int = 80) -> str:
    context = typer.Context(command, info_name=path, terminal_width=width - 2)
    return command.get_help(context)


@pytest.mark.parametrize("path", COMMANDS)
def test_each_command_has_an_example_that_can_be_typed(path):
    lines = re.findall(r"^ *Example: .*$", help_of(COMMANDS[path], path), re.M)
    assert lines, f"{path}: no line that begins with `Example: `"
    for line in lines:
        assert len(line) <= 80, line
        example = LINE.search(line)[0]
        assert f"{example} ".startswith(f"{path} "), line
        check(example)


def test_a_misspelt_option_in_an_example_would_be_found():
    with pytest.raises(typer.BadParameter.__base__):
        check("wslib voc eval --splt val")
    with pytest.raises(typer.BadParameter):
        check("wslib voc eval --limit many")
    with pytest.raises(AssertionError, match="valid"):
        check("wslib voc eval --split valid")
    with pytest.raises(AssertionError, match="voc evaluate"):
        check("wslib voc evaluate")


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
def test_lines_of_the_documents_can_be_typed(file):
    path = ROOT / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```", text, re.M | re.DOTALL)
    joined = "".join(blocks).replace("\\\n", " ")
    line_of = r"^(?:\S+=\S+ )*(?:\.venv/bin/)?(wslib (?!--help).+)$"
    for line in re.findall(line_of, joined, re.M):
        check(line)


@pytest.mark.parametrize("path", GROUPS)
def test_a_group_lists_each_command_on_one_full_line(path):
    group, text = GROUPS[path], help_of(GROUPS[path], path)
    assert "..." not in text.replace("[ARGS]...", "")
    assert max(map(len, text.splitlines())) <= 80
    for name, command in group.commands.items():
        line = re.search(rf"^  {name} +(\S.*)$", text, re.M)[1]
        assert line.endswith("."), f"{path} {name}: {line!r} is not all, or no sentence"
        assert line == command.get_short_help_str(1000)


def test_what_is_too_long_is_wrapped_in_a_narrow_terminal():
    text = help_of(BOOK, "wslib", 52)
    assert "..." not in text.replace("[ARGS]...", "")
    whole = BOOK.commands["segment"].get_short_help_str(1000)
    assert whole in " ".join(text.split())


def test_the_contents_are_in_the_order_of_the_book():
    text = help_of(BOOK, "wslib")
    named = [name for names in cli.Book.chapters.values() for name in names]
    assert sorted(named) == sorted(BOOK.commands)
    places = [text.index(f"\n  {name} ") for name in named]
    assert places == sorted(places) and "Commands:" not in text
    headings = [text.index(f"\n{heading}:\n") for heading in cli.Book.chapters]
    assert headings == sorted(headings)
    assert "train, eval, baselines, proposals, detect, score, show\n" in text
    assert text.index("Options:") > places[-1]


def test_the_examples_below_the_contents_can_be_typed():
    below = help_of(BOOK, "wslib").partition("Examples:\n")[2]
    lines = re.findall(r"^ +(wslib .*)$", below, re.M)
    assert len(lines) >= 3
    for line in lines:
        check(line)


@pytest.mark.parametrize("path", COMMANDS)
def test_each_option_and_argument_says_what_it_is(path):
    for param in COMMANDS[path].params:
        assert param.help, f"{path}: {param.opts[0]} has no help"


@pytest.mark.parametrize("path", COMMANDS)
def test_json_is_the_same_option_everywhere_and_its_keys_are_told(path):
    command = COMMANDS[path]
    (declared,) = options.Json.__metadata__
    found = [param for param in command.params if "--json" in param.opts]
    if not found:
        assert "JSON:" not in command.help
        return
    (param,) = found
    assert (param.name, param.opts, param.help, param.is_flag, param.default) == (
        *("as_json", ["--json"], declared.help, True, False),
    )
    assert re.search(r"^JSON: \S", command.help, re.M), f"{path}: which keys?"


READ_BY_PROGRAMS = (
    "doctor, cam, segment, data list, voc eval, voc baselines, voc proposals, "
    "voc detect, voc score, sam list, sam card, caltech eval, caltech predict"
)


@pytest.mark.parametrize("path", READ_BY_PROGRAMS.split(", "))
def test_what_a_program_may_read_has_json(path):
    assert "--json" in [o for p in COMMANDS[f"wslib {path}"].params for o in p.opts]


@pytest.mark.parametrize("words", ["", "voc", "workbook", "--help"])
def test_without_a_command_the_help_is_printed(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["wslib", *words.split()])
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr()
    assert end.value.code == 0 and not told.err
    assert told.out.startswith("Usage: wslib ") and "\x1b" not in told.out


def test_help_imports_nothing_heavy():
    heavy = "torch numpy cv2 matplotlib pandas scipy nbformat pydantic rich".split()
    code = f"import sys, wslib.cli; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
