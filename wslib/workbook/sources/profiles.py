"""The profiles of a checkout: what the parameters of each ask for, and its threads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

PROFILES = ("smoke", "sample", "full")
CAUTIONS = {"smoke": "Profile smoke: a few pictures; shows that it runs."}
THREADS = {"smoke": 2, "sample": 2}  # of each chapter, so that all machines agree
CHOICES = ("dataset", "sam", "pretrained")  # parameters that name data and weights


def find_profiles(root: Path) -> dict[str, set[str]]:
    """Find the profiles below `root`, ours first, and the data sets and weights that
    the parameters of each name. Errors as `read_yaml`."""
    folders = [folder for folder in (root / "params").glob("*") if folder.is_dir()]
    names = {folder.name for folder in folders}
    ordered = [name for name in PROFILES if name in names]
    ordered += sorted(names - set(PROFILES))
    return {name: _needs(root / "params" / name) for name in ordered}


def _needs(folder: Path) -> set[str]:
    """Gather what the parameters of a profile choose among."""
    from wslib.workbook.sources.params import read_yaml

    return {name for file in folder.glob("*.yml") for name in named(read_yaml(file))}


def named(parameters: Mapping) -> Iterator[str]:
    """Yield the values of parameters that name data sets and weights; not the backbone
    X_backbone where X_pretrained is off."""
    for name, value in parameters.items():
        trained = parameters.get(name.replace("backbone", "pretrained"))
        if name in CHOICES or (name.endswith("backbone") and trained is not False):
            yield from map(str, value if isinstance(value, list) else [value])


def splits(parameters: Mapping) -> Iterator[str]:
    """Yield the splits of its data set that a chapter with these parameters reads."""
    for name, value in parameters.items():
        if name.endswith("_split"):
            yield value


def threads_of(profile: str, jobs: int) -> dict[str, str]:
    """What OpenMP hears of a chapter that is one of `jobs` side by side.

    The number of threads decides how sums are rounded, and so which of two close
    results wins: a profile that has its number gives one book, whatever the machine
    and `make -j`. Side by side, threads that have to wait sleep.
    """
    granted = int(os.environ.get("SLURM_CPUS_ON_NODE") or 0)  # often without binding
    number = None if granted else THREADS.get(profile)
    if number is None and (granted or jobs > 1):  # who shares processors thrashes
        number = max(1, (granted or os.cpu_count() or 1) // jobs)
    said = {"OMP_NUM_THREADS": str(number)} if number else {}
    return said | ({"OMP_WAIT_POLICY": "PASSIVE"} if jobs > 1 else {})
