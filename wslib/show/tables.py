"""Numbers to tables: Markdown for the book, CSV and JSON for whoever checks it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Hashable, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from wslib.runtime.kept import write_json, write_text
from wslib.runtime.project import results_folder, tell

MAX_COLUMNS = 7
MISSING = "–"
SPECIAL = re.compile(r"([\\`*_|\[\]{}<>$@#~^&])")


class Table:
    """A data frame that shows itself as a pipe table and leaves its numbers on disk.

    Put it last in a cell: the book takes its Markdown; a chapter that runs as a plain
    script prints it.

    frame: a row per line, simple column labels. The index is the first column, unless
        it is the nameless 0, 1, 2... of a new frame.
    name: of the files `$WSLIB_BUILD/tables/NAME.csv` and `.json` (`build/interactive`
        without that variable), written here and now, in full precision, unless `save`
        is false.
    formats: format specification per column (`{"ap": ".1f"}`), or one for all columns
        of numbers. Without one, floats have two decimals.
    best: `{column: "max" | "min"}`; whatever prints like the best value is bold.
    units: `{column: "%"}`, shown in the head.
    intervals: `{column: (low, high)}`, names of two other columns, which then don't
        stand by themselves, or two vectors; set small, with the decimals of the value.
    note: Markdown, in a small line below; the frame's `.attrs["protocol"]` joins it. To
        that of a table that is saved the build may add a caution, `$WSLIB_CAUTION`.
    markdown: columns whose text is Markdown as it stands, a link for instance.

    Raises ValueError for more than seven columns (the index counts), for labels that
    come twice or aren't in the frame, for a MultiIndex, and for a name that is no file
    name.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        name: str,
        formats: Mapping[Hashable, str] | str | None = None,
        best: Mapping[Hashable, Literal["max", "min"]] | None = None,
        units: Mapping[Hashable, str] | None = None,
        intervals: Mapping[Hashable, tuple] | None = None,
        note: str | None = None,
        save: bool = True,
        markdown: Collection[Hashable] = (),
    ) -> None:
        caution = os.environ.get("WSLIB_CAUTION") if save and note else None
        self.name, self.note = name, f"{note} {caution}" if caution else note
        self.saved = save
        self.protocol = frame.attrs.get("protocol")
        if not re.fullmatch(r"[\w-][\w.-]*", name):
            raise ValueError(f"table name {name!r}: expected letters, digits, - and _")
        self.frame, bounds, shown = _with_intervals(_flat(frame, name), intervals or {})
        best, units = best or {}, units or {}
        by_column = {} if isinstance(formats, str) else formats or {}
        for label in [*by_column, *best, *units]:
            if label not in self.frame:
                raise ValueError(f"table {name}: no column {label!r} in the frame")
        if len(shown) > MAX_COLUMNS:
            raise ValueError(
                f"table {name}: {len(shown)} columns, at most {MAX_COLUMNS} fit the "
                "page (the index counts): drop some, or transpose it"
            )
        default = formats if isinstance(formats, str) else None
        self._columns = [
            _Column(
                self.frame[label],
                by_column.get(label, default),
                best.get(label),
                units.get(label),
                bounds.get(label),
                escape=label not in markdown,
            )
            for label in shown
        ]
        if save:
            self._save()

    def _repr_markdown_(self) -> str:
        """Return a pipe table, with note and protocol in a paragraph below."""
        columns = self._columns
        head = [_escape(column.head) for column in columns]
        rule = [column.rule() for column in columns]
        rows = zip(*(column.markdown() for column in columns), strict=True)
        lines = ["| " + " | ".join(row) + " |" for row in (head, rule, *rows)]
        protocol = _escape(f"Protocol: {self.protocol}.") if self.protocol else None
        below = " ".join(part for part in (self.note, protocol) if part)
        return "\n".join(lines + (["", f"[{below}]{{.small}}"] if below else [])) + "\n"

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        """Return the Markdown, and for the book the name of the file of the numbers."""
        named = {"wslib": {"table": self.name}} if self.saved else {}
        return {"text/markdown": self._repr_markdown_()}, named

    def __repr__(self) -> str:
        """Return the table in plain text, columns aligned."""
        texts = [[column.head, *column.plain()] for column in self._columns]
        widths = [max(map(len, column)) for column in texts]
        lines = [
            "  ".join(
                cell.rjust(width) if column.numbers else cell.ljust(width)
                for cell, width, column in zip(row, widths, self._columns, strict=True)
            ).rstrip()
            for row in zip(*texts, strict=True)
        ]
        protocol = f"Protocol: {self.protocol}." if self.protocol else None
        return "\n".join([*lines, *(part for part in (self.note, protocol) if part)])

    def _save(self) -> None:
        folder = results_folder() / "tables"
        record = {
            "name": self.name,
            "columns": [str(label) for label in self.frame],
            "rows": [[_plain(v) for v in row] for row in self.frame.to_numpy(object)],
            "protocol": self.protocol,
            "note": self.note,
        }
        write_json(folder / f"{self.name}.json", record)
        write_text(folder / f"{self.name}.csv", self.frame.to_csv(index=False))
        tell(f"\ntable: {folder / self.name}.csv\n{self!r}")


def number_table(
    frame: pd.DataFrame, name: str, digits: int, measured: Collection[Hashable] = ()
) -> Table:
    """Make a table, not saved, with so many digits; columns of whole numbers have none.

    The columns in `measured` have all digits, and their bounds in columns that end on
    " low" and " high".
    """
    formats = {
        label: ".0f"
        if label not in measured and (values.round(9) % 1 == 0).all()
        else f".{digits}f"
        for label, values in frame.select_dtypes("float").items()
        if not str(label).endswith((" low", " high"))
    }
    bounds = {label: (f"{label} low", f"{label} high") for label in measured}
    return Table(frame, name, formats, intervals=bounds, save=False)


def percent_table(
    frame: pd.DataFrame,
    name: str,
    note: str,
    formats: Mapping[Hashable, str] | None = None,
    units: Mapping[Hashable, str] | None = None,
    best: Collection[Hashable] = (),
    bare: Collection[Hashable] = (),
) -> Table:
    """Make a table of shares in percent, with one decimal.

    Columns in `formats` are no shares: they have this form, and the unit of `units`, if
    any. A column whose bounds are beside it, as `NAME low` and `NAME high`, is shown
    with them, unless it is in `bare`. Of the columns in `best` the largest is bold, of
    one with the word "loss" in its name the smallest.
    """
    formats, units = dict(formats or {}), dict(units or {})
    bounded = [m for m in frame if f"{m} low" in frame]
    ends = {f"{m} {end}" for m in bounded for end in ("low", "high")}
    numbers = [m for m in frame if frame[m].dtype.kind == "f" and m not in ends]
    units = {m: "%" for m in numbers if m not in formats} | units
    shown = frame.drop(columns=[f"{m} {e}" for m in bare for e in ("low", "high")])
    return Table(
        shown,
        name,
        {m: ".1f" for m in numbers} | formats,
        {m: "min" if "loss" in str(m) else "max" for m in best},
        units,
        {m: (f"{m} low", f"{m} high") for m in bounded if m not in bare},
        note,
    )


def points(interval: tuple[float, float, float]) -> str:
    """Say a difference (value, low, high) in percentage points with its interval, and
    where that holds 0 that it is too little to tell."""
    value, low, high = interval
    text = f"{value:+z.1f} points [{low:+z.1f} to {high:+z.1f}]".replace("-", "−")
    return text if low > 0 or high < 0 else f"{text}, too little to tell from 0"


class _Column:
    """The cells of one column: as plain text, and as Markdown."""

    def __init__(
        self,
        values: pd.Series,
        spec: str | None,
        best: str | None,
        unit: str | None,
        bounds: tuple[np.ndarray, np.ndarray] | None,
        escape: bool = True,
    ) -> None:
        self.escape = _escape if escape else str
        name = str(values.name).replace(">=", "≥")
        self.head = f"{name} ({unit})" if unit else name
        known = values.dropna()
        self.numbers = len(known) > 0 and all(map(_is_number, known))
        whole = all(isinstance(v, (int, np.integer)) for v in known)
        self.spec = spec or ("d" if whole else ".2f")
        self.texts = [self._text(value) for value in values]
        self.bounds = self._bounds(bounds)
        self.best = self._text(getattr(known, best)()) if self._has(best) else None

    def plain(self) -> list[str]:
        pairs = zip(self.texts, self.bounds, strict=True)
        return [f"{text} [{bounds}]" if bounds else text for text, bounds in pairs]

    def markdown(self) -> list[str]:
        """Return the cells, the best one bold, bounds small."""
        cells = []
        for text, bounds in zip(self.texts, self.bounds, strict=True):
            cell = f"**{text}**" if text == self.best else self.escape(text)
            cells.append(f"{cell} [[{bounds}]]{{.small}}" if bounds else cell)
        return cells

    def rule(self) -> str:
        """Return the dashes below the head; pandoc shares out a long table's width in
        proportion to their number."""
        width = max(map(len, [self.head, *self.plain()]))
        return "-" * max(width, 3) + ":" if self.numbers else ":" + "-" * max(width, 3)

    def _has(self, best: str | None) -> bool:
        if best not in (None, "max", "min"):
            raise ValueError(f"column {self.head}: best {best!r}, expected max or min")
        if best and not self.numbers and any(t != MISSING for t in self.texts):
            raise ValueError(f"column {self.head}: no best value, not all are numbers")
        return bool(best and self.numbers)

    def _text(self, value: object) -> str:
        if _missing(value):
            return MISSING
        if isinstance(value, (bool, np.bool_)):
            return "yes" if value else "no"
        if not (self.numbers and _is_number(value)):
            return " ".join(str(value).split())
        whole = self.spec.endswith("d")
        try:
            text = format(round(value) if whole else float(value), self.spec)
        except (ValueError, OverflowError):
            raise ValueError(
                f"column {self.head}: cannot write {value} with the format "
                f"{self.spec!r}"
            ) from None
        if np.isfinite(value) and not re.search("[1-9]", text):
            text = text.lstrip("-")  # -0.0 says nothing
        return text.replace("-", "−")

    def _bounds(self, bounds: tuple[np.ndarray, np.ndarray] | None) -> list[str]:
        if bounds is None:
            return [""] * len(self.texts)
        cells = []
        for text, low, high in zip(self.texts, *bounds, strict=True):
            low, high = self._text(low), self._text(high)
            between = " to " if {"−", "+"} & set(low + high) else "–"
            unknown = MISSING in (text, low, high)
            cells.append("" if unknown else f"{low}{between}{high}")
        return cells


def _flat(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a copy whose index, if it says anything, has become the first column."""
    for labels in (frame.index, frame.columns):
        if isinstance(labels, pd.MultiIndex):
            raise ValueError(f"table {name}: a MultiIndex; flatten it, reset_index()")
    plain = frame.index.equals(pd.RangeIndex(len(frame))) and frame.index.name is None
    flat = frame.copy()
    if not plain:
        label = "" if frame.index.name is None else frame.index.name
        if label not in flat:
            flat.insert(0, label, frame.index.to_numpy())
        else:
            raise ValueError(f"table {name}: index and a column are both {label!r}")
    if not flat.columns.is_unique:
        twice = flat.columns[flat.columns.duplicated()][0]
        raise ValueError(f"table {name}: column {twice!r} comes twice")
    return flat.reset_index(drop=True)


def _with_intervals(
    frame: pd.DataFrame, intervals: Mapping[Hashable, tuple]
) -> tuple[pd.DataFrame, dict[Hashable, tuple], list[Hashable]]:
    """Return the frame with all bounds as columns, (low, high) per column, and the
    labels of the columns that are shown."""
    frame, bounds, hidden = frame.copy(), {}, set()
    for label, pair in intervals.items():
        if label not in frame or len(pair) != 2:
            raise ValueError(f"interval of {label!r}: expected a column, (low, high)")
        names = [f"{label} low", f"{label} high"]
        for k, side in enumerate(pair):
            if pd.api.types.is_scalar(side):
                names[k] = side
            elif len(side) == len(frame):
                frame[names[k]] = np.asarray(side, float)
            if names[k] not in frame:
                raise ValueError(
                    f"interval of {label!r}: expected two columns of the frame, or "
                    f"two vectors of its {len(frame)} rows"
                )
        hidden.update(names)
        bounds[label] = tuple(frame[n].to_numpy(float) for n in names)
    return frame, bounds, [label for label in frame if label not in hidden]


def _missing(value: object) -> bool:
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _is_number(value: object) -> bool:
    number = isinstance(value, (int, float, np.integer, np.floating))
    return number and not isinstance(value, bool)


def _plain(value: object) -> object:
    """Return what JSON can hold: NaN and infinities are null."""
    if _missing(value):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, (bool, int, float)) else str(value)


def _escape(text: str) -> str:
    return SPECIAL.sub(r"\\\1", text)
