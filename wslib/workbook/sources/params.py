"""Parameters: what a chapter declares, what a YAML file sets, what the two agree on.

A chapter declares its knobs in one flat cell, with types, defaults and comments:

    seed: int = 0  # of every random choice in this chapter
    iou_thresholds: list[float] = [0.3, 0.4, 0.5]  # where AP is reported

Values come from `params/<profile>/<chapter>.yml` and from the command line, which may
name further files, and are checked against the declaration before anything runs. A
type may say which values there are, `Literal["max", "mean"]`; with `| str` behind it, a
folder will do as well.
"""

from __future__ import annotations

import ast
import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from wslib.workbook.sources.strict_yaml import NotYaml, parse_yaml, read_mapping

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

    @property
    def choices(self) -> tuple:
        """The values that its type names; none where any will do."""
        return tuple(_literals(self.type))

    @property
    def takes_folder(self) -> bool:
        """Whether a folder may stand in the place of the choices."""
        return bool(self.choices) and str in get_args(self.type)

    def among(self, values: Sequence[str]) -> Knob:
        """The same knob for these values alone, the first one in the place of a default
        that is none of them."""
        default = self.default if self.default in values else values[0]
        annotation = f"Literal[{', '.join(map(repr, values))}]"
        return replace(
            self, annotation=annotation, type=Literal[tuple(values)], default=default
        )

    def check(self, value: Any, where: str) -> Any:
        """Return `value` as this knob's type; ParameterError names `where` it is from.

        No silent conversion, except from int to float, and no number that is not
        finite.
        """
        try:
            adapter = TypeAdapter(self.type, config=ConfigDict(allow_inf_nan=False))
            value = adapter.validate_python(value, strict=True)
        except ValidationError:
            pass
        else:
            known = not self.takes_folder or value in self.choices
            if known or Path(value).is_dir():
                return value
        raise ParameterError(
            f"{where}: {self.name} must be {self._expected}, not {value!r}"
            f"{self._hint(value)}"
        )

    @property
    def _expected(self) -> str:
        if not self.choices:
            return self.annotation
        kind = "a list of" if get_origin(self.type) is list else "one of"
        end = ", or a folder that is there" if self.takes_folder else ""
        return f"{kind} {', '.join(map(str, self.choices))}{end}"

    def _hint(self, value: Any) -> str:
        for word in value if isinstance(value, list) else [value]:
            near = difflib.get_close_matches(str(word), map(str, self.choices), 1)
            if near and near[0] != word:
                return f"; did you mean {near[0]!r}?"
        return ""


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

    Raises FileNotFoundError and what `read_mapping` raises, naming the file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such parameter file")
    return read_mapping(path)


def read_profile(path: Path) -> dict[str, Any]:
    """Read what a profile sets in a chapter, in `params/PROFILE/NAME.yml`: nothing
    where it has no such file. Raises ParameterError for an unknown profile."""
    profile, folders = path.parent, path.parent.parent
    if not profile.is_dir():
        known = sorted(folder.name for folder in folders.glob("*") if folder.is_dir())
        there = f"there are {', '.join(known)}" if known else "there is none"
        raise ParameterError(f"{profile}: no such profile; {there}")
    return read_yaml(path) if path.exists() else {}


def parse_overrides(text: str) -> dict[str, Any]:
    """Read `"params/03_course.yml eval_limit=50 names=[cat, dog]"`: files of parameters
    and single ones, whose values are read as YAML; the later word counts.

    Raises ParameterError for another word, a value that is not YAML and a name that is
    given twice outside of files; errors of a file as `read_yaml`.
    """
    overrides, given = {}, set()
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ParameterError(f"{text!r}: {error} in the overrides") from None
    for word in whole(words):
        if word.endswith(".yml") and "=" not in word:
            overrides |= read_yaml(Path(word))
            continue
        name, equals, value = word.partition("=")
        if not (equals and name.isidentifier()):
            raise ParameterError(f"{word!r}: expected name=value")
        if name in given:
            raise ParameterError(f"{name} is given twice in {text!r}")
        given.add(name)
        try:
            overrides[name] = parse_yaml(value)
        except NotYaml as error:
            raise ParameterError(f"{word!r}: the value is not YAML: {error}") from None
    return overrides


def whole(words: list[str]) -> Iterator[str]:
    """Join the words of a list or a mapping that spaces have parted."""
    part = ""
    for word in words:
        part = f"{part} {word}".strip()
        if sum(map(part.count, "[{")) <= sum(map(part.count, "]}")):
            yield part
            part = ""
    if part:
        yield part


def _literals(type_: Any) -> Iterator:
    """Yield the values of each Literal in a type."""
    if get_origin(type_) is Literal:
        yield from get_args(type_)
    else:
        for inner in get_args(type_):
            yield from _literals(inner)
