"""`python -m wslib.cli` is `wslib`."""

from wslib.cli import main

main()
