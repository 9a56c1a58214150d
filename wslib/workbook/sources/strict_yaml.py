"""YAML, read here and nowhere else, as Quarto reads it: a number is a decimal number.

By itself PyYAML knows YAML 1.1: 010 is 8, 1:30 is 90, `No` is false, and of a key that
is given twice the last one counts. Here 010, 0x1f, 1:30, 1_000, .inf and .nan are text,
which a parameter that is a number refuses by name, and so is `No`.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from wslib.runtime.kept import read_text

INTEGER = r"(?:0|[1-9][0-9]*)"
SCALARS = {
    "null": ("~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": ("true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (f"[-+]?{INTEGER}", list("-+0123456789")),
    "float": (
        rf"[-+]?(?:\.[0-9]+|{INTEGER}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
}


class NotYaml(ValueError):
    """A text that is no YAML, or holds what nobody meant; one line says where."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}


class _Dumper(yaml.SafeDumper):
    """Puts in quotation marks what either version would take for something else."""


def _mapping(loader: _Loader, node: yaml.MappingNode):
    names = []
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if name in names:
            raise _error(f"{name} is given twice", key)
        names.append(name)
    yield from loader.construct_yaml_map(node)


def _float(loader: _Loader, node: yaml.ScalarNode) -> float:
    value = loader.construct_yaml_float(node)
    if not math.isfinite(value):
        raise _error(f"{node.value} is no finite number", node)
    return value


def _error(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


TAG = "tag:yaml.org,2002:"
_Loader.add_constructor(f"{TAG}map", _mapping)
_Loader.add_constructor(f"{TAG}float", _float)
for _kind, (_pattern, _first) in SCALARS.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"{TAG}{_kind}", re.compile(rf"(?:{_pattern})\Z"), _first
        )


def parse_yaml(text: str) -> Any:
    """Return what the text says. Raises NotYaml, one line."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise NotYaml("nested too deeply") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        reason = getattr(error, "problem", None) or str(error)
        raise NotYaml(place + " ".join(reason.split())) from None


def read_mapping(file: Path) -> dict[str, Any]:
    """Return the names and values of a file; none for an empty one. Raises NotYaml,
    naming the file, for anything but lines `name: value`, and the errors of reading."""
    try:
        content = parse_yaml(read_text(file))
    except NotYaml as error:
        raise NotYaml(f"{file}: not YAML: {error}") from None
    if not isinstance(content, dict | None):
        raise NotYaml(f"{file}: expected lines of the form `name: value`")
    return content or {}


def to_yaml(value: Any) -> str:
    """Return the value in lines that `parse_yaml` and Quarto read."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def in_one_line(value: Any) -> str:
    """Return the value as `parse_yaml` reads it, in one line."""
    text = yaml.dump([value], Dumper=_Dumper, default_flow_style=True, width=math.inf)
    return text.strip()[1:-1]
