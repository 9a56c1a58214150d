"""What the maps of many methods are worth, photograph by photograph.

A map is judged by a person, who has drawn a box around the object, and by the network,
from which pixels are taken in the map's order. A third judge asks whether it is a map
of this network at all: it shuffles the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from scipy.stats import rankdata
from torch import Tensor, nn

from wslib.cam.engine import ClassActivationMap, Pass, explain_with
from wslib.metrics.bootstrap import mean_interval
from wslib.metrics.faithfulness import blurred, drop_and_increase, insertion_deletion
from wslib.runtime.progress import progress

MEASURES = ("share", "peak", "insertion", "deletion", "drop", "increase", "shuffled")
PERCENT = {"share", "peak", "drop", "increase"}
BLUR = 1 / 20  # of the image's side: sigma of what pixels are replaced by


class CentreMap(ClassActivationMap):
    """The map of somebody who did not look: highest in the middle, and falling to 0 in
    the corners, for any class. What a method has to beat."""

    def raw_maps(self, run: Pass) -> list[Tensor]:
        sides = [torch.linspace(-1, 1, n) for n in run.image.shape[-2:]]
        y, x = torch.meshgrid(*sides, indexing="ij")
        cone = (1 - torch.hypot(x, y) / 2**0.5).to(run.image)
        return [cone.expand(len(run.image), -1, -1)]


def judge(
    methods: Mapping[str, ClassActivationMap],
    ruined: Mapping[str, ClassActivationMap],
    images: Tensor,
    targets: Sequence[int],
    boxes: np.ndarray,
    steps: int = 8,
    batch_size: int = 8,
) -> pd.DataFrame:
    """Judge each method's map of each image; return a row an image and method.

    methods: of one model; ruined: the same of a model whose weights were shuffled;
    images: (N, 3, H, W), normalised; targets: a class each; boxes: (N, 4) x1, y1, x2,
    y2 as shares of the image. Columns, beside `image` and `method`: `share` of the map
    in the box; `peak`, 1 if its highest place lies there; the areas of `insertion` and
    `deletion`, in place of removed pixels the image blurred, `drop` and `increase`
    (`wslib.metrics.faithfulness`, of the softmax of the logits); `shuffled`, the rank
    correlation with the ruined network's map, of which 0 is right.
    """
    starts = range(0, len(images), batch_size)
    frames = []
    for k in progress(starts, "judging", len(starts)):
        some = slice(k, k + batch_size)
        asked = images[some], list(targets[some])
        found, other = (explain_with(kind, *asked) for kind in (methods, ruined))
        model = next(iter(methods.values())).model
        for name, explanation in found.items():
            row = {"image": range(k, k + len(asked[0])), "method": name}
            row |= _by_person(explanation.maps, np.asarray(boxes)[some])
            row |= _by_network(model, *asked, explanation.maps, steps)
            pairs = zip(explanation.maps, other[name].maps, strict=True)
            row["shuffled"] = [rank_correlation(*pair) for pair in pairs]
            frames.append(pd.DataFrame(row))
    return pd.concat(frames, ignore_index=True)


def _by_person(maps: np.ndarray, boxes: np.ndarray) -> dict[str, list[float]]:
    """How much of each map lies in the box, and whether its peak does."""
    share, peak = [], []
    for heatmap, box in zip(maps, boxes, strict=True):
        height, width = heatmap.shape
        x1, y1, x2, y2 = np.rint(box * (width, height, width, height)).astype(int)
        inside = np.zeros(heatmap.shape, bool)
        inside[y1:y2, x1:x2] = True
        total = heatmap.sum()
        share.append(float(heatmap[inside].sum() / total) if total else 0.0)
        peak.append(float(total and inside.flat[heatmap.argmax()]))
    return {"share": share, "peak": peak}


def _by_network(
    model: nn.Module, images: Tensor, targets: list[int], maps: np.ndarray, steps: int
) -> dict[str, np.ndarray]:
    """What the network says of the pixels that each map shows."""
    classes = torch.tensor(targets, device=images.device)

    def score(shown: Tensor, numbers: Tensor) -> Tensor:
        return model(shown).softmax(1).gather(1, classes[numbers, None])[:, 0]

    maps = torch.from_numpy(maps).to(images.device)
    fill = blurred(images, BLUR * images.shape[-1])
    insertion, deletion = insertion_deletion(score, fill, maps, steps).areas()
    drop, increase = drop_and_increase(score, images, maps)
    values = {"insertion": insertion, "deletion": deletion, "drop": drop}
    values["increase"] = increase.float()
    return {name: value.cpu().numpy() for name, value in values.items()}


def rank_correlation(a, b) -> float:
    """Spearman's rho of two maps; 0 where one is constant and ranks nothing."""
    ranks = [rankdata(np.asarray(m).ravel()) for m in (a, b)]
    if min(np.ptp(rank) for rank in ranks) == 0:
        return 0.0
    return float(np.corrcoef(*ranks)[0, 1])


def summarise(judged: pd.DataFrame, n: int = 1000, seed: int = 0) -> pd.DataFrame:
    """Mean of each measure for each method of `judge`, in its order, with percentile
    intervals over images as NAME low and NAME high; shares in percent. The same images
    are drawn for all."""
    rows = []
    for method, values in judged.groupby("method", sort=False):
        row = {"method": method}
        for name in MEASURES:
            scale = 100 if name in PERCENT else 1
            value, low, high = mean_interval(scale * values[name].to_numpy(), n, seed)
            row |= {name: value, f"{name} low": low, f"{name} high": high}
        rows.append(row)
    return pd.DataFrame(rows)
