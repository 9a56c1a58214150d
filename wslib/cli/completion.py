"""`wslib completion`: the script that lets a shell complete commands and values."""

from __future__ import annotations

from typer.completion import completion_init, get_completion_script

from wslib.cli.options import named

SHELLS = ("bash", "zsh", "fish")
Shell = named(SHELLS)

completion_init()  # the script asks `wslib` itself, which then knows what to answer


def print_completion(shell: Shell) -> None:
    """Print what makes a shell complete commands, options and values.

    For this shell alone, run the line below; to keep it, put it into ~/.bashrc, or for
    zsh into ~/.zshrc, behind `compinit`. For fish: `wslib completion fish | source`.

    \b
    Example: source <(wslib completion bash)
    """
    if shell not in SHELLS:
        raise ValueError(f"shell {shell!r}, expected {', '.join(SHELLS)}")
    named = {"prog_name": "wslib", "complete_var": "_WSLIB_COMPLETE"}
    print(get_completion_script(shell=shell, **named))
