"""The book as `_quarto.yml` describes it, with the profile's file merged over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wslib.workbook.sources.strict_yaml import read_mapping


class RenderError(RuntimeError):
    """The book cannot be made; the message has a line for each thing to mend."""


@dataclass(frozen=True)
class Page:
    """One chapter of the book: `file` as the book names it, relative to the root."""

    file: str
    appendix: bool = False


@dataclass(frozen=True)
class Book:
    """The settings of one profile. Paths in it are relative to `root`."""

    root: Path
    profile: str
    settings: dict

    def get(self, path: str, default=None):
        """The setting at a dotted path, such as `format.html.code-fold`."""
        value = self.settings
        for key in path.split("."):
            if not isinstance(value, dict) or key not in value:
                return default
            value = value[key]
        return value

    @property
    def pages(self) -> list[Page]:
        """Chapters first, then appendices, in the order of the book."""
        chapters = [Page(name) for name in _files(self.get("book.chapters", []))]
        appendices = _files(self.get("book.appendices", []))
        return [*chapters, *(Page(name, appendix=True) for name in appendices)]

    @property
    def authors(self) -> str:
        """Their names, from any form that Quarto takes: a name, a mapping, a list."""
        given = self.get("book.author", "")
        return ", ".join(map(_name, given if isinstance(given, list) else [given]))

    @property
    def output(self) -> Path:
        """The folder of the finished book."""
        return self.root / self.get("project.output-dir", "_book")

    @property
    def bibliography(self) -> list[Path]:
        names = self.get("bibliography", [])
        return [self.root / n for n in ([names] if isinstance(names, str) else names)]

    @property
    def code_fold(self) -> str:
        """What the code cells of the web book do unless they say otherwise."""
        return str(self.get("format.html.code-fold", False)).lower()


def read_book(root: Path, profile: str) -> Book:
    """The book that `load_book` finds; RenderError names each file that it lacks."""
    book = load_book(root, profile)
    _expect([*(root / page.file for page in book.pages), *book.bibliography], root)
    return book


def load_book(root: Path, profile: str) -> Book:
    """Read `_quarto.yml` and `_quarto-<profile>.yml` of the project in `root`.

    Mappings are merged and lists joined, as Quarto does. In the list of chapters,
    `FOLDER/*.ipynb` is the notebook of each script in `chapters/`, made already or not.
    Raises RenderError naming each of the two that is missing, is no YAML or lists no
    chapter.
    """
    files = [root / "_quarto.yml", root / f"_quarto-{profile}.yml"]
    _expect(files, root)
    try:
        settings = _merge(*map(read_mapping, files))
    except ValueError as error:
        raise RenderError(str(error)) from None
    if listed := Book(root, profile, settings).get("book.chapters"):
        settings["book"]["chapters"] = list(_with_scripts(root, listed))
    book = Book(root, profile, settings)
    if not book.pages:
        raise RenderError(f"{files[1].name}: lists no chapters under book: chapters:")
    return book


def _name(author: str | dict | None) -> str:
    if not isinstance(author, dict):
        return "" if author is None else str(author)
    if "family" in author or "given" in author:
        parts = (author.get(key) for key in ("given", "family"))
        return " ".join(str(part) for part in parts if part)
    return _name(author.get("name", author.get("literal")))


def _expect(files: list[Path], root: Path) -> None:
    absent = [str(file.relative_to(root)) for file in files if not file.is_file()]
    if absent:
        lines = (
            f"{name}: the book needs this file, which is not there" for name in absent
        )
        raise RenderError("\n".join(lines))


def _merge(base, over):
    if isinstance(base, dict) and isinstance(over, dict):
        keys = dict.fromkeys([*base, *over])
        return {k: _merge(base.get(k), over[k]) if k in over else base[k] for k in keys}
    if isinstance(base, list) and isinstance(over, list):
        return base + [item for item in over if item not in base]
    return over


def _with_scripts(root: Path, entries: list) -> Iterator[str | dict]:
    """The entries, `FOLDER/*.ipynb` replaced by the notebooks that are to be there."""
    for entry in entries:
        if isinstance(entry, str) and entry.endswith("/*.ipynb"):
            scripts = sorted((root / "chapters").glob("[0-9][0-9]_*.py"))
            yield from (entry.replace("*", script.stem) for script in scripts)
        else:
            yield entry


def _files(entries: list) -> Iterator[str]:
    """The files of a list of chapters, which may be grouped in parts."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif "file" in entry:
            yield entry["file"]
        else:
            yield from _files(entry.get("chapters", []))
