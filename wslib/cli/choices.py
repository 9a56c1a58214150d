"""Read the choices of options where they stand, without importing what computes.

A table of names stands beside the code that it belongs to. Importing that code would
load torch, which `--help` and a shell that completes a word need not wait for.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import wslib

PACKAGE = Path(wslib.__file__).parent


def names_in(module: str, table: str) -> tuple[str, ...]:
    """Read the items of a tuple, or the keys of a dictionary: those of `table`, at the
    top of `module`, such as "models.two_heads". Raises LookupError without it."""
    value = _value(module, table)
    items = value.keys if isinstance(value, ast.Dict) else value.elts
    return tuple(ast.literal_eval(item) for item in items)


def settings_in(module: str, name: str) -> dict[str, object]:
    """Read the keyword arguments of the call that makes `name`, as `names_in` does."""
    call = _value(module, name)
    return {item.arg: ast.literal_eval(item.value) for item in call.keywords}


def _value(module: str, name: str) -> ast.expr:
    """Parse what is assigned to `name`, up to the next line that is not indented."""
    path = PACKAGE.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    source = path.read_text("utf-8")
    found = re.search(rf'^{name}\b.*?(?=^[\w@"]|\Z)', source, re.M | re.DOTALL)
    if not found:
        raise LookupError(f"wslib.{module}: no {name}")
    return ast.parse(found[0]).body[0].value
