"""What the points of a sweep found: one table, one figure."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

from wslib.runtime.kept import write_text
from wslib.show.tables import Table
from wslib.workbook.runs.results import headline, read_specification
from wslib.workbook.runs.sweep import Point, Sweep
from wslib.workbook.sources.book import RenderError
from wslib.workbook.sources.strict_yaml import in_one_line

SEED = "seed"
MOST_COLUMNS, MOST_KNOBS, MOST_PANELS = 7, 4, 3
DIGITS = ".4g"


class PointsFailed(RuntimeError):
    """Some points of a sweep have no result; the message names them."""


def gather(sweep: Sweep, settings: str = "") -> Path:
    """Compare the points of the `sweep`: print a row for each, and with several seeds
    the means over them; write both as `sweep.md` and CSV and JSON below `tables/`, and
    the figure below `figures/` of the sweep's folder, which is returned. `settings` are
    those that all points share, for the note below.

    Raises PointsFailed, after that, naming the points that did not finish.
    """
    found = {point.name: _result(sweep, point) for point in sweep.points}
    missing = [name for name, result in found.items() if not result]
    if len(missing) < len(found):
        _compare(sweep, list(found.values()), settings)
    if missing:
        names = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise PointsFailed(
            f"no result of {len(missing)} of the sweep's {len(found)} points: {names}"
        )
    return sweep.folder


def _result(sweep: Sweep, point: Point) -> dict[str, float]:
    """The numbers that count and the seconds they took; none of a point that failed
    or was not run."""
    build = sweep.build(point)
    if not sweep.done(point).is_file():
        return {}
    try:
        numbers = headline(sweep.root, sweep.chapter.name, build.folder / "tables")
    except (RenderError, FileNotFoundError) as error:
        print(f"{point.name}: {error}", file=sys.stderr)
        return {}
    notebook = nbformat.read(build.file(sweep.chapter, ".ipynb"), as_version=4)
    return {**numbers, "seconds": notebook.metadata["wslib"]["seconds"]}


def _compare(sweep: Sweep, results: list[dict], settings: str) -> None:
    os.environ["WSLIB_BUILD"] = str(sweep.folder)  # for tables and figures
    knobs = list(sweep.over)
    values = [_shown(point.values) for point in sweep.points]
    frame = pd.DataFrame([v | r for v, r in zip(values, results, strict=True)])
    numbers = [name for name in frame if name not in [*knobs, "seconds"]]
    shared = f"profile {sweep.profile}" + (f", `{settings}`" if settings else "")
    note = " ".join([f"{sweep.chapter.name}, {shared}.", *_notes(sweep)])
    tables = [_table_of_points(frame, knobs, numbers, note)]
    if len(sweep.over.get(SEED, [])) > 1:
        tables.append(_table_of_means(frame, knobs, numbers, note))
    print(*tables, sep="\n\n")
    if len(frame) > 1 and len(frame[numbers].drop_duplicates()) == 1:
        print(f"\nnone of these numbers changes with {', '.join(knobs)}")
    picture = draw(frame, knobs, numbers)
    parts = [f"# Sweep of `{sweep.chapter.name}`", *map(Table._repr_markdown_, tables)]
    text = "\n\n".join([*parts, f"![](figures/{picture.path.name})"])
    write_text(sweep.folder / "sweep.md", text + "\n")


def _notes(sweep: Sweep) -> list[str]:
    """The sentences below the chapter's own table that hold for all points, such as the
    units, and whatever one of them says of its data."""
    table = read_specification(sweep.root)[sweep.chapter.name].table
    done = [sweep.build(p).folder for p in sweep.points if sweep.done(p).is_file()]
    files = [folder / f"tables/{table}.json" for folder in done]
    notes = [
        json.loads(file.read_text(encoding="utf-8"))["note"] or "" for file in files
    ]
    told = [re.split(r"(?<=\.) ", note) for note in notes]
    return [
        sentence
        for sentence in dict.fromkeys(s for one in told for s in one if s)
        if sentence.startswith("Data:") or all(sentence in one for one in told)
    ]


def _shown(values: dict) -> dict:
    return {k: v if _is_number(v) else in_one_line(v) for k, v in values.items()}


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# ----------------------------------------------------------------------- the tables


def _table_of_points(frame, knobs: list[str], numbers: list[str], note: str) -> Table:
    rows, head = _with_few_knobs(frame, knobs)
    shown = numbers[: MOST_COLUMNS - len(head) - 1]
    return Table(
        rows[[*head, *shown, "seconds"]],
        "points",
        formats=_formats(rows, head, shown) | {"seconds": ".0f"},
        note=note + _left_out(numbers[len(shown) :]),
    )


def _table_of_means(frame, knobs: list[str], numbers: list[str], note: str) -> Table:
    """A row for each combination of the other knobs, over those seeds that finished."""
    others = [knob for knob in knobs if knob != SEED]
    means = over_seeds(frame, others, numbers)
    rows, head = _with_few_knobs(means, others)
    shown = numbers[: MOST_COLUMNS - len(head) - 1]
    bounds = {n: (f"{n} low", f"{n} high") for n in shown}
    return Table(
        rows[[*head, "n", *shown, *(b for pair in bounds.values() for b in pair)]],
        "means",
        formats=_formats(rows, head, shown),
        intervals=bounds,
        note=f"{note} Means over n seeds with 95 % intervals of Student's t, n - 1 "
        f"degrees of freedom.{_left_out(numbers[len(shown) :])}",
    )


def over_seeds(frame, others: list[str], numbers: list[str]) -> pd.DataFrame:
    """For each combination of the `others`: n, and for each of the `numbers` its mean
    and the ends `NAME low`, `NAME high` of the 95 % t-interval, NaN where n is 1."""
    groups = frame.groupby(others, sort=False) if others else [((), frame)]
    rows = []
    for values, group in groups:
        finished = group.dropna(subset=["seconds"])
        row = dict(zip(others, values, strict=True)) | {"n": len(finished)}
        for number in numbers:
            row[number], low, high = t_interval(finished[number])
            row |= {f"{number} low": low, f"{number} high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def t_interval(values) -> tuple[float, float, float]:
    """Mean, and the ends of its 95 % interval by Student's t with n - 1 degrees of
    freedom: a statement about other seeds, if the values are nearly normal."""
    from scipy import stats

    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return (values.mean() if len(values) else np.nan), np.nan, np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return values.mean(), values.mean() - half, values.mean() + half


def _with_few_knobs(frame, knobs: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """The frame and the knobs in its head; many share one column."""
    if len(knobs) <= MOST_KNOBS:
        return frame, knobs
    words = [", ".join(f"{k}={row[k]}" for k in knobs) for _, row in frame.iterrows()]
    return frame.assign(point=words), ["point"]


def _formats(frame, head: list[str], numbers: list[str]) -> dict[str, str]:
    """Knobs as they were given, numbers in four digits."""
    knobs = [knob for knob in head if pd.api.types.is_float_dtype(frame[knob])]
    return dict.fromkeys(knobs, "g") | dict.fromkeys(numbers, DIGITS)


def _left_out(names: list[str]) -> str:
    return f" Not shown: {', '.join(names)}." if names else ""


# ----------------------------------------------------------------------- the figure


def draw(frame, knobs: list[str], numbers: list[str]):
    """The first `numbers`, a panel each, over the first numeric knob; a series for each
    combination of the others, a pale dot for each run, their mean over the seeds and
    its interval. A knob that is no number is laid out in the order of its values."""
    from wslib.show import figures

    across, others = _roles(frame, knobs)
    groups = list(frame.groupby(others, sort=False)) if others else [((), frame)]
    shown = numbers[:MOST_PANELS]
    fig, axes = figures.new_figure(1, len(shown), height=2.4 if others else 2.2)
    for axis, number in zip(axes.flat, shown, strict=True):
        for k, (values, group) in enumerate(groups):
            words = ", ".join(f"{o} {v}" for o, v in zip(others, values, strict=True))
            shift = (k - (len(groups) - 1) / 2) * min(0.15, 0.6 / len(groups))
            places = _places(frame, across, shift)[group.index]
            colour = figures.SERIES[k % len(figures.SERIES)]
            line = "-" if _is_scale(frame, across) else ""
            _draw_series(axis, places, group[number], line, colour, words)
        _limit(axis, frame[number])
        _label(axis, frame, across)
        axis.set_title(number)
    if others:
        series = axes[0, 0].get_legend_handles_labels()
        fig.legend(*series, loc="outside lower center", ncols=3)
    return figures.Picture(fig, "sweep")


def _roles(frame, knobs: list[str]) -> tuple[str, list[str]]:
    """The knob along the axis, and those that vary beside it and the seed."""
    vary = [k for k in knobs if k != SEED and frame[k].nunique() > 1]
    if not vary:
        return (SEED if SEED in knobs else knobs[0]), []
    across = next((k for k in vary if _is_scale(frame, k)), vary[0])
    return across, [k for k in vary if k != across]


def _is_scale(frame, knob: str) -> bool:
    return knob != SEED and pd.api.types.is_numeric_dtype(frame[knob])


def _places(frame, knob: str, shift: float) -> pd.Series:
    if _is_scale(frame, knob):
        return frame[knob]
    return pd.Series(pd.factorize(frame[knob])[0] + shift, frame.index)


def _draw_series(axis, places, values, line: str, colour: str, words: str) -> None:
    axis.plot(
        places, values, "o", color=colour, alpha=0.4, markersize=5, markeredgewidth=0
    )
    means = pd.DataFrame(
        [t_interval(group) for _, group in values.groupby(places)],
        index=sorted(set(places)),
        columns=["mean", "low", "high"],
    )
    reach = [means["mean"] - means["low"], means["high"] - means["mean"]]
    look = {"color": colour, "linestyle": line, "marker": "_", "markersize": 8}
    look |= {"linewidth": 1.2, "elinewidth": 1, "capsize": 2}
    axis.errorbar(means.index, means["mean"], reach, label=words, **look)


def _limit(axis, values) -> None:
    """Show the dots: the interval of two seeds may be ten times as wide, and is cut."""
    span = values.max() - values.min()
    if span > 0:
        low, high = axis.get_ylim()
        axis.set_ylim(max(low, values.min() - span), min(high, values.max() + span))


def _label(axis, frame, knob: str) -> None:
    axis.set_xlabel(knob)
    values = list(dict.fromkeys(frame[knob]))
    if not _is_scale(frame, knob):
        axis.set_xticks(range(len(values)), map(str, values))
        axis.set_xlim(-0.5, len(values) - 0.5)
        return
    if min(values) > 0 and max(values) / min(values) >= 100:
        axis.set_xscale("log")
    elif len(values) <= 5:
        axis.set_xticks(values)
