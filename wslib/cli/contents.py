"""Help that reads like a table of contents: headings, and each command on one line."""

from __future__ import annotations

from inspect import cleandoc
from typing import ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from wslib.cli.console import UsageError

WHOLE = 10_000  # characters: what is too long for its line is wrapped, not cut off


class Contents(TyperGroup):
    """A group of commands, which prints its help where none is named.

    `chapters` gives a heading to the names of commands, in the order of the help. A
    command that is in no chapter stands below the others.
    """

    chapters: ClassVar[dict[str, tuple[str, ...]]] = {}

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        alone = not args and not ctx.resilient_parsing
        return super().parse_args(ctx, ["--help"] if alone else args)

    def invoke(self, ctx: typer.Context) -> object:
        """Run the command; an error of its words names it."""
        try:
            return super().invoke(ctx)
        except UsageError as error:  # typer does not always say of which command
            name = ctx.invoked_subcommand
            if error.ctx is None and name in self.commands:
                error.ctx = typer.Context(self.commands[name], ctx, name)
            raise

    def list_commands(self, ctx: typer.Context) -> list[str]:
        named = [name for names in self.chapters.values() for name in names]
        return sorted(self.commands, key=[*named, *self.commands].index)

    def format_options(self, ctx: typer.Context, formatter) -> None:
        self.format_commands(ctx, formatter)
        TyperCommand.format_options(self, ctx, formatter)

    def format_commands(self, ctx: typer.Context, formatter) -> None:
        """Write the commands below their headings."""
        names = self.list_commands(ctx)
        width = max(map(len, names))  # the same below all headings
        heading_of = {n: head for head, some in self.chapters.items() for n in some}
        for heading in [*self.chapters, "Commands"]:
            here = [n for n in names if heading_of.get(n, "Commands") == heading]
            if here:
                with formatter.section(heading):
                    rows = [row for n in here for row in self._rows(ctx, n, width)]
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: typer.Context, formatter) -> None:
        if self.epilog:
            formatter.write_paragraph()
            formatter.write_text(cleandoc(self.epilog))

    def _rows(self, ctx: typer.Context, name: str, width: int) -> list[tuple[str, str]]:
        """A command and what it does; below a group, what is in it."""
        command = self.commands[name]
        rows = [(name.ljust(width), command.get_short_help_str(WHOLE))]
        if isinstance(command, TyperGroup):
            rows.append((" " * width, ", ".join(command.list_commands(ctx))))
        return rows
