"""Parameters: what a chapter declares, what a YAML file sets, what the two agree on.

A chapter declares its knobs in one flat cell, with types, defaults and comments:

    seed: int = 0  # of every random choice in this chapter
    iou_thresholds: list[float] = [0.3, 0.4, 0.5]  # where AP is reported

Values come from `params/<profile>/<chapter>.yml` and from the command line, which may
name further files, and are checked against the declaration before anything runs.
"""

from __future__ import annotations

import ast
import difflib
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import TypeAdapter, ValidationError

TYPES = {
    **{t.__name__: t for t in (bool, dict, float, int, list, str)},
    "Literal": Literal,
    "None": None,
}


class ParameterError(ValueError):
    """A parameter that is unknown, of the wrong type, or declared in a wrong way."""


@dataclass(frozen=True)
class Knob:
    """One declared parameter: `name: annotation = default`."""

    name: str
    annotation: str
    type: Any
    default: Any

    def check(self, value: Any, where: str) -> Any:
        """Return `value` as this knob's type; ParameterError names `where` it is from.

        No silent conversion, except from int to float: YAML reads `1e-4` as a string.
        """
        try:
            return TypeAdapter(self.type).validate_python(value, strict=True)
        except ValidationError:
            hint = ' (write "1.0e-4", not "1e-4")' if _looks_like_float(value) else ""
            raise ParameterError(
                f"{where}: {self.name} must be {self.annotation}, not {value!r}{hint}"
            ) from None


def declared_knobs(source: str, where: str) -> dict[str, Knob]:
    """Read the source of a parameters cell: name -> Knob, in order of declaration.

    Raises ParameterError for a line that is not `name: type = literal  # comment`.
    """
    knobs = {}
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ParameterError(
            f"{where}: line {error.lineno} of the parameters cell: {error.msg}"
        ) from None
    for node in body:
        if ast.unparse(node) == "from typing import Literal":
            continue
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
            raise ParameterError(
                f"{where}: the parameters cell may hold only lines of the form "
                f"`name: type = value`, not `{ast.unparse(node)}`"
            )
        knob = _knob(node, where)
        knobs[knob.name] = knob
    return knobs


def _knob(node: ast.AnnAssign, where: str) -> Knob:
    name, annotation = node.target.id, ast.unparse(node.annotation)
    try:
        type_ = eval(annotation, {"__builtins__": {}}, TYPES)
        default = ast.literal_eval(node.value)
    except (NameError, SyntaxError, TypeError, ValueError):
        raise ParameterError(
            f"{where}: `{ast.unparse(node)}` needs a type made of "
            f"{', '.join(TYPES)} and a literal default"
        ) from None
    knob = Knob(name, annotation, type_, default)
    knob.check(default, f"{where}, default")
    return knob


def check(values: Mapping, knobs: Mapping[str, Knob], where: str) -> dict[str, Any]:
    """Return `values`, each as its knob's type. Raises ParameterError, naming `where`
    the values are from, for the first unknown name or wrong type."""
    for name in values:
        if name not in knobs:
            raise ParameterError(unknown_name(name, knobs, where))
    return {name: knobs[name].check(value, where) for name, value in values.items()}


def unknown_name(name: str, allowed: Iterable[str], where: str) -> str:
    """One line: the unknown name, the nearest of the allowed ones, and all of them."""
    allowed = list(allowed)
    nearest = difflib.get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    guess = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"{where}: no parameter {name!r}{guess} (allowed: {', '.join(allowed)})"


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a flat YAML file of parameters; an empty file sets none.

    Raises FileNotFoundError or ParameterError, naming the file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such parameter file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParameterError(
            f"{path}: not YAML: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(values, dict):
        raise ParameterError(f"{path}: expected lines of the form `name: value`")
    return values


def parse_overrides(text: str) -> dict[str, Any]:
    """Read `"params/03_course.yml eval_limit=50 names=[cat,dog]"`: files of parameters
    and single ones, whose values are read as YAML; the later word counts.

    Raises ParameterError for another word or a value that is not YAML; errors of a file
    as `read_yaml`.
    """
    overrides = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ParameterError(f"{text!r}: {error} in the overrides") from None
    for word in words:
        if word.endswith(".yml") and "=" not in word:
            overrides |= read_yaml(Path(word))
            continue
        name, equals, value = word.partition("=")
        if not (equals and name.isidentifier()):
            raise ParameterError(f"{word!r}: expected name=value")
        try:
            overrides[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ParameterError(f"{word!r}: the value is not YAML") from None
    return overrides


def _looks_like_float(value: Any) -> bool:
    try:
        return isinstance(value, str) and float(value) is not None
    except ValueError:
        return False
