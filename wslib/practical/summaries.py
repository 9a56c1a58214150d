"""What the practical compares: epochs, splits, and whatever says one box a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from wslib.data.own_photos import Stranger
from wslib.metrics.bootstrap import Interval, mean_interval
from wslib.metrics.classwise import mean_ap
from wslib.metrics.detection import Protocol
from wslib.metrics.single_box import (
    ERRORS,
    as_detections,
    by_label,
    error_kinds,
    measure_boxes,
    table_of_runs,
)
from wslib.practical.classic import best_answer
from wslib.practical.detector_training import Predictions
from wslib.practical.lab import Trained

EDGES = Protocol("all points", "all", pixel=0)  # of boxes whose x2, y2 are edges
DRAWS = 200  # at most, of mAP


class Answer(NamedTuple):
    """One label (N,), box (N, 4) as a ratio of the picture and score (N,) to each of N
    pictures; -1 and NaN where nothing was found."""

    labels: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def of_network(cls, trained: Trained, split: str, mirrored: bool = False) -> Answer:
        """What a network says of a split, with its probability."""
        said = trained.answers(split, mirrored)
        return cls(said.labels, said.boxes, said.probabilities.max(1))

    @classmethod
    def of_detectors(
        cls, detections: Iterable[Sequence[np.ndarray]], sizes: np.ndarray
    ) -> Answer:
        """The best of the detections (n, 5) of each class, for each picture, in its
        pixels; `sizes` (N, 2) are the pictures' widths and heights."""
        detections = list(detections)
        labels, boxes = zip(*map(best_answer, detections), strict=True)
        scores = [
            max((d[0, 4] for d in rows if len(d)), default=0.0) for rows in detections
        ]
        ratios = np.stack(boxes) / np.tile(sizes, 2)
        return cls(np.array(labels), ratios, np.array(scores))

    def measure(self, truth: tuple[np.ndarray, np.ndarray]) -> pd.DataFrame:
        """`measure_boxes` against the true labels (N,) and boxes (N, 4)."""
        return measure_boxes(self.labels, self.boxes, *truth)


def split_accuracies(
    trainings: Sequence[Trained], names: Sequence[str]
) -> dict[str, float]:
    """Return the mean accuracy in percent on `train`, `val` and `test`, there with
    Wilson's bounds and by class."""
    shares = {}
    for split in ("train", "val", "test"):
        rows = [by_label(t.measure(split), names).set_index("label") for t in trainings]
        means = 100 * sum(rows) / len(rows)
        shares[split] = means.loc["all", "accuracy"]
    bounds = {f"test {end}": means.loc["all", end] for end in ("low", "high")}
    return shares | bounds | means["accuracy"].drop("all").to_dict()


def best_and_last(trained: Trained) -> dict[str, float]:
    """Return, in percent, the accuracy on the training pictures as they came in the
    last epoch, that of the best and of the last model; and the *restlessness*: the mean
    change of the validation accuracy from one epoch to the next, in the second half."""
    half = trained.history.iloc[len(trained.history) // 2 :]
    row = {"best epoch": trained.best_epoch, "on train": half["accuracy"].iloc[-1]}
    row["best, val"] = trained.measure("val")["accuracy"].mean()
    row["best, test"] = trained.measure("test")["accuracy"].mean()
    row["last, test"] = trained.last().measure("test")["accuracy"].mean()
    row["restlessness"] = np.nan_to_num(half["val_accuracy"].diff().abs().mean())
    return {name: v if name == "best epoch" else 100 * v for name, v in row.items()}


def compare_shares(
    ways: Mapping[str, Mapping[str, Sequence[Trained]]],
    n: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return a row for each share of the training set; for each of the `ways` to count
    (share -> trainings) the accuracy on the test set in percent, `equal WAY` with its
    bounds, and `on train, WAY`: as the training pictures came in the last epoch."""
    frame = pd.DataFrame(index=pd.Index(next(iter(ways.values())), name="share"))
    for way, by_share in ways.items():
        tests = {s: [t.measure("test") for t in runs] for s, runs in by_share.items()}
        drawn = table_of_runs(tests, ["accuracy"], n, seed, groups=groups)
        for end in ("", " low", " high"):
            frame[f"equal {way}{end}"] = drawn[f"accuracy{end}"].to_numpy()
        ends = [
            np.mean([t.history["accuracy"].iloc[-1] for t in runs])
            for runs in by_share.values()
        ]
        frame[f"on train, {way}"] = 100 * np.array(ends)
    return frame


def spread(measured: pd.DataFrame, count: int) -> list[int]:
    """Return `count` rows of a frame of `measure_boxes`, evenly from the lowest IoU to
    the highest; pictures without a true box are passed over."""
    order = measured["iou"].dropna().sort_values(kind="stable").index
    return order[np.linspace(0, len(order) - 1, count).round().astype(int)].tolist()


def compare_answers(
    answers: Mapping[str, Answer],
    measured: Mapping[str, Sequence[pd.DataFrame]],
    truth: tuple[np.ndarray, np.ndarray],
    names: Sequence[str],
    n: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return `table_of_runs` of what is `measured` of each answer, with mAP at IoU 0.5
    of the `answers` as second column, its bounds as "mAP low" and "mAP high"."""
    detections = {name: as_detections(*a, names) for name, a in answers.items()}
    true = as_detections(*truth, np.ones(len(truth[0])), names)
    true = {name: {k: b[:, :4] for k, b in of.items()} for name, of in true.items()}
    images = range(len(truth[0]))
    ap = mean_ap(detections, true, images, 0.5, EDGES, min(n, DRAWS), seed)
    shown = ["IoU", "accuracy", "IoU > 0.7", "box loss"]
    frame = table_of_runs(measured, shown, n, seed, groups=groups)
    frame.insert(1, "mAP", ap["mAP"].to_numpy())
    return frame.assign(**{"mAP low": ap["low"], "mAP high": ap["high"]})


def paired_gain(
    frame: pd.DataFrame, other: pd.DataFrame, measure: str = "iou", **drawn
) -> Interval:
    """Return how much more of a measure the first frame of `measure_boxes` has, in
    points, with the interval of the difference on the same pictures; `drawn` goes to
    `mean_interval`."""
    pair = (100 * f[measure].to_numpy() for f in (frame, other))
    return mean_interval(np.subtract(*pair)[None], **drawn)


def sort_errors(
    answers: Mapping[str, Answer],
    measured: Mapping[str, pd.DataFrame],
    true_boxes: np.ndarray,
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Return the `error_kinds` of each answer, and a table of how many there are."""
    kinds = {
        n: error_kinds(measured[n], a.boxes, true_boxes) for n, a in answers.items()
    }
    counts = {name: pd.Series(of).value_counts() for name, of in kinds.items()}
    table = pd.DataFrame(counts).T.reindex(columns=["", *ERRORS]).fillna(0).astype(int)
    return kinds, table.rename(columns={"": "all right"}).rename_axis("detector")


def measure_one_class(measured: Mapping[str, pd.DataFrame], label: int) -> pd.DataFrame:
    """Return a table of detectors of one class: in how many of its pictures they find
    it, IoU and box loss there, and how many others they take for it."""
    rows = {}
    for name, frame in measured.items():
        its = frame["label"] == label
        found, iou, loss = frame.loc[its, ["accuracy", "iou", "box_loss"]].mean()
        alarms = int((frame.loc[~its, "said"] == label).sum())
        rows[name] = {"found": 100 * found, "IoU": 100 * iou, "box loss": loss}
        rows[name]["false alarms"] = alarms
    table = pd.DataFrame(rows).T.astype({"false alarms": int})
    return table.rename_axis("detector")


def describe_strangers(
    strangers: Sequence[Stranger], predictions: Predictions, names: Sequence[str]
) -> tuple[list[str], list[str], list[str]]:
    """Say what pictures from elsewhere are called: the wrong ones, those that show none
    of the `names` or nobody knows what, and the right ones, a sentence's end each."""
    wrong, none, right = [], [], []
    for stranger, p in zip(strangers, predictions.probabilities, strict=True):
        said = names[p.argmax()]
        article = "an" if said[0] in "aeiou" else "a"
        called = f"{article} {said}, with a probability of {p.max():.2f}"
        is_right = stranger.is_right(said)
        if is_right is None:
            shows = "of which nobody said what it shows"
            if stranger.label == "":
                shows = "which shows none of them"
            none.append(f"`{stranger.name}`, {shows}, {called}")
        elif is_right:
            right.append(f"the {said} in `{stranger.name}` {called}")
        else:
            wrong.append(f"the {stranger.label} in `{stranger.name}` {called}")
    return wrong, none, right
