"""`wslib voc proposals`: boxes that may hold an object, and how many they reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from wslib.boxes.boxes import to_voc
from wslib.cli.interrupted import goes_on
from wslib.cli.printing import print_json
from wslib.cli.voc_networks import open_voc
from wslib.data.proposal_files import read_proposals, write_proposals
from wslib.data.voc import VOC2007
from wslib.metrics.matching import Boxes
from wslib.metrics.proposals import average_recall, proposal_recall
from wslib.show.tables import Table
from wslib.weak.proposals import propose

SAID = "VOC corners; share of the objects with a box of IoU ≥ the number, percent; AR: "
SAID += "its mean over IoU 0.5 to 0.95; difficult objects left out"


def report_proposals(
    where: tuple[str, str, str, int],
    file: Path | None,
    longest: int,
    counts: Sequence[int],
    ious: Sequence[float],
    out: Path | None,
    digits: int,
    for_programs: bool,
) -> None:
    """Find the proposals of `where` (data set, rendered, split, limit), or read them
    from `file`; save them if wanted; print what share of the objects they reach."""
    measure({}, {}, counts, ious)  # checks them before anything is searched
    dataset, rendered, split, limit = where
    voc, _ = open_voc(dataset, rendered)
    ids = voc.ids(split, limit or None)
    proposals = read_proposals(file, ids) if file else _found(voc, ids, longest)
    if out is not None:
        write_proposals(out, proposals)
    truth = objects(voc, proposals)
    frame = measure(proposals, truth, counts, ious)
    about = {"dataset": dataset, "split": split, "images": len(truth)}
    about["objects"] = sum(int((boxes[:, 4] == 0).sum()) for boxes in truth.values())
    about |= {"proposals": str(file)} if file else {"longest": longest}
    _print(frame, about, digits, for_programs)
    if out is not None and not for_programs:
        print(f"saved in {out}")


def _found(voc: VOC2007, ids: list[str], longest: int) -> dict[str, np.ndarray]:
    ids = voc.available(ids)
    with goes_on():
        return propose(ids, [voc.image_path(i) for i in ids], longest)


def objects(voc: VOC2007, ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Of all classes: {id: (M, 5) x1, y1, x2, y2, difficult}, VOC corners."""
    truth = {}
    for image_id in ids:
        things = voc.annotation(image_id).objects
        rows = [(*thing.box, thing.difficult) for thing in things]
        truth[image_id] = np.array(rows, float).reshape(-1, 5)
    return truth


def measure(
    proposals: Mapping[str, np.ndarray],
    truth: Boxes,
    counts: Sequence[int],
    ious: Sequence[float],
) -> pd.DataFrame:
    """A row per count: recall at each IoU, AR, and the mean number of boxes."""
    counts, ious = sorted(set(counts)), list(dict.fromkeys(ious))
    corners = {i: to_voc(boxes) for i, boxes in proposals.items()}
    frame = proposal_recall(corners, truth, counts, ious)
    frame.insert(len(ious) + 1, "AR", average_recall(corners, truth, counts))
    return frame


def _print(frame: pd.DataFrame, about: dict, digits: int, for_programs: bool) -> None:
    if for_programs:
        content = {**about, "protocol": SAID, "recall": frame.to_dict("records")}
        return print_json(content)
    frame.attrs["protocol"] = SAID
    formats = {label: f".{digits}f" for label in frame.columns[1:]}
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(Table(frame, "voc", formats, save=False))
