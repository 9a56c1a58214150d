"""The profiles of a checkout, and what the parameters of each ask for."""

from __future__ import annotations

from pathlib import Path

PROFILES = ("smoke", "sample", "full")
CAUTIONS = {"smoke": "Profile smoke: a few pictures; shows that it runs."}
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
    from wslib.workbook.params import read_yaml

    needed = set()
    for file in folder.glob("*.yml"):
        for name, value in read_yaml(file).items():
            if name in CHOICES or name.endswith("backbone"):
                needed.update(map(str, value if isinstance(value, list) else [value]))
    return needed
