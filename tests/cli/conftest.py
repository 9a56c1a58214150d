"""The command line as a person types it."""

import sys

import pytest

from wslib import cli


@pytest.fixture
def type_words(monkeypatch, capsys):
    """Types words after `wslib`; returns its status or its last line, what was printed
    and what was told beside it."""

    def run(*words: str) -> tuple[int | str, str, str]:
        monkeypatch.setattr(sys, "argv", ["wslib", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, *capsys.readouterr()

    return run
