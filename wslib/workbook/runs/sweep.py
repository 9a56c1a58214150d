"""A chapter run once for each combination of values: what there is to run.

    make sweep CH=02 OVER="input_size=224,320,448 seed=0,1,2"

Each combination is a point: a build of its own, `build/<profile>/sweep/<point>`, by the
same rule of Make that runs every chapter.
"""

from __future__ import annotations

import itertools
import math
import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wslib.runtime.kept import digest, write_text
from wslib.workbook.runs.build import Build
from wslib.workbook.runs.results import read_specification
from wslib.workbook.runs.settings import resolve_all
from wslib.workbook.sources import params
from wslib.workbook.sources.chapter import Chapter
from wslib.workbook.sources.strict_yaml import NotYaml, in_one_line, parse_yaml


@dataclass(frozen=True)
class Point:
    """One combination: knob -> value."""

    values: dict[str, Any]

    @cached_property
    def name(self) -> str:
        """Of its folder, such as `input_size-224+seed-0`."""
        return folder_name(
            f"{knob}-{in_one_line(value)}" for knob, value in self.values.items()
        )

    @property
    def settings(self) -> str:
        """The values as the variable SET takes them."""
        words = (f"{knob}={in_one_line(value)}" for knob, value in self.values.items())
        return " ".join(map(shlex.quote, words))


@dataclass(frozen=True)
class Sweep:
    """A chapter and the values of `over`: knob -> values, in the order in which the
    chapter declares its knobs."""

    chapter: Chapter
    profile: str
    over: dict[str, list]
    root: Path = Path(".")

    @cached_property
    def points(self) -> list[Point]:
        combinations = itertools.product(*self.over.values())
        return [Point(dict(zip(self.over, c, strict=True))) for c in combinations]

    @property
    def place(self) -> Path:
        return Path("build", self.profile, "sweep")

    @property
    def folder(self) -> Path:
        """Where what was gathered lies."""
        lists = (
            f"{knob}-{','.join(map(in_one_line, values))}"
            for knob, values in self.over.items()
        )
        return self.root / self.place / self.chapter.name / folder_name(lists)

    def build(self, point: Point) -> Build:
        return Build(self.profile, self.root, self.place / point.name)

    def done(self, point: Point) -> Path:
        """The file that Make leaves when the point is up to date."""
        return self.build(point).file(self.chapter, ".done")


def read_sweep(chapters: list[Path], profile: str, over: str, limit: int) -> Sweep:
    """The sweep of one chapter `over` lists of values, `"seed=0,1 names=[a,b],[c]"`.

    Raises ParameterError for anything but one chapter, for an unknown knob, a value of
    the wrong type or one that comes twice, and for more than `limit` points.
    """
    if len(chapters) != 1:
        names = ", ".join(path.stem for path in chapters)
        raise params.ParameterError(f"a sweep is of one chapter, not of {names}")
    chapter = Chapter(chapters[0])
    lists, knobs = parse_over(over), chapter.knobs
    for name in lists:
        if name not in knobs:
            raise params.ParameterError(params.unknown_name(name, knobs, "OVER"))
    ordered = {
        name: _checked(knob, lists[name])
        for name, knob in knobs.items()
        if name in lists
    }
    sweep = Sweep(chapter, profile, ordered)
    count = math.prod(map(len, sweep.over.values()))
    if count > limit:
        raise params.ParameterError(
            f"OVER makes {count} points, more than {limit}; LIMIT={count} allows them"
        )
    return sweep


def plan(sweep: Sweep, overrides: dict) -> list[Point]:
    """Check all points, with `overrides` for each of them, and leave in the folder of
    each what its build has to set. Nothing is executed, and nobody's turn taken there:
    a make of its own may run each point.

    Raises ParameterError for a knob that is set both ways, and what `resolve_all`
    raises; ValueError for a chapter of which `report/results.yml` does not say what
    counts.
    """
    for name in overrides.keys() & sweep.over.keys():
        raise params.ParameterError(f"{name}: is in OVER and in SET; take one of them")
    if sweep.chapter.name not in read_specification(sweep.root):
        raise ValueError(
            f"report/results.yml: has no entry {sweep.chapter.name}, which says what "
            "number a sweep compares"
        )
    first = sweep.points[0]  # values do not depend on each other: one speaks for all
    asked = {**overrides, **first.values}
    resolve_all([sweep.chapter], sweep.build(first), asked)
    for point in sweep.points:
        build = sweep.build(point)
        write_text(build.file(sweep.chapter, ".set"), point.settings + "\n")
        sweep.done(point).unlink(missing_ok=True)
    return sweep.points


def parse_over(text: str) -> dict[str, list]:
    """Read `"seed=0,1 names=[a,b],[c]"`: knob -> values, each read as YAML.

    Raises ParameterError for a word that is not `name=value,value`.
    """
    over: dict[str, list] = {}
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise params.ParameterError(f"{text!r}: {error} in OVER") from None
    if not words:
        raise params.ParameterError('OVER is empty; expected such as OVER="seed=0,1,2"')
    for word in params.whole(words):
        name, equals, values = word.partition("=")
        if not (equals and name.isidentifier() and values):
            raise params.ParameterError(f"OVER: {word!r}: expected name=value,value")
        if name in over:
            raise params.ParameterError(f"OVER: {name} comes twice")
        try:
            over[name] = parse_yaml(f"[{values}]")
        except NotYaml:
            raise params.ParameterError(
                f"OVER: {word!r}: the values are not YAML, with commas between them"
            ) from None
    return over


def _checked(knob: params.Knob, values: list) -> list:
    checked = [knob.check(value, "OVER") for value in values]
    for place, value in enumerate(checked):
        if value in checked[:place]:
            raise params.ParameterError(
                f"OVER: {knob.name}: {in_one_line(value)} comes twice"
            )
    return checked


def folder_name(parts) -> str:
    """The parts joined to a name that file systems, shells and Make take as it is; a
    digest ends the name of those that have to be changed or cut for it."""
    text = "+".join(parts)
    name = re.sub(r"[^A-Za-z0-9_.,+-]+", "_", text)[:100]
    return name if name == text else f"{name}-{digest(text)[:6]}"
