"""What a cell says of itself on top: `#| label: fig-maps` and its like."""

from __future__ import annotations

from wslib.workbook.sources.strict_yaml import NotYaml, parse_yaml

OPTIONS = {
    "label", "fig-cap", "fig-alt", "tbl-cap",
    "echo", "output", "include", "code-fold",
}  # fmt: skip
CHOICES = {
    "echo": (True, False),
    "include": (True, False),
    "output": (True, False, "asis"),
    "code-fold": (True, False, "show"),
}


def split_options(source: str) -> tuple[dict, str]:
    """The `#| key: value` lines at the head of a cell as a dict, and the code below.

    Raises NotYaml, one line, for what is no YAML and for options and values that the
    book does not know.
    """
    lines = source.split("\n")
    count = next((i for i, line in enumerate(lines) if line[:2] != "#|"), len(lines))
    options = parse_yaml("\n".join(line[2:] for line in lines[:count])) or {}
    if not isinstance(options, dict):
        raise NotYaml("expected lines such as `#| label: fig-name`")
    for name, value in options.items():
        _check_option(name, value)
    return options, "\n".join(lines[count:]).strip("\n")


def _check_option(name: str, value: object) -> None:
    if name == "tags":
        raise NotYaml('tags stand behind the percent signs: # %% tags=["slide"]')
    if name not in OPTIONS:
        raise NotYaml(f"no option {name!r} (there are {', '.join(sorted(OPTIONS))})")
    if isinstance(value, list | dict):
        raise NotYaml(f"{name}: expected text, not {value!r}")
    if name in CHOICES and value not in CHOICES[name]:
        words = " or ".join(str(choice).lower() for choice in CHOICES[name])
        raise NotYaml(f"{name}: expected {words}, not {value!r}")
