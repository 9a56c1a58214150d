"""The tables of the practical, by hand and by the smallest training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from wslib.data.own_photos import Stranger
from wslib.practical import summaries
from wslib.practical.detector_training import Predictions
from wslib.practical.lab import Experiments
from wslib.practical.summaries import Answer
from wslib.practical.views import Examples

NAMES = ("dark", "bright")
BOX, FAR = [0.2, 0.2, 0.6, 0.6], [0.7, 0.7, 0.9, 0.9]
TRUTH = np.array([0, 0, 1]), np.array([BOX] * 3)
PERFECT = Answer(TRUTH[0], TRUTH[1], np.array([0.9, 0.8, 0.7]))
POOR = Answer(np.array([0, 1, -1]), np.array([FAR, BOX, [np.nan] * 4]), np.ones(3))


def test_a_perfect_answer_and_a_poor_one():
    answers = {"perfect": PERFECT, "poor": POOR}
    measured = {name: [a.measure(TRUTH)] for name, a in answers.items()}
    table = summaries.compare_answers(answers, measured, TRUTH, NAMES, 20)
    rows = table.set_index("")
    assert list(rows.loc["perfect", ["mAP", "IoU", "accuracy"]]) == [100, 100, 100]
    assert rows.loc["poor", "mAP"] == 0
    assert rows.loc["poor", "IoU"] == pytest.approx(100 / 3)
    assert {"mAP low", "mAP high", "IoU low"} <= set(rows)


def test_errors_are_sorted_and_counted():
    measured = {"poor": POOR.measure(TRUTH)}
    kinds, table = summaries.sort_errors({"poor": POOR}, measured, TRUTH[1])
    assert kinds["poor"].tolist() == ["too small", "wrong class", "nothing found"]
    assert table.loc["poor", "all right"] == 0 and table.loc["poor"].sum() == 3


def test_the_best_of_the_detections():
    rows = np.array([[10.0, 20, 30, 40, 0.5], [0, 0, 10, 10, 0.4]])
    detections = [[rows, np.zeros((0, 5))], [np.zeros((0, 5))] * 2]
    answer = Answer.of_detectors(detections, np.array([[100, 200], [100, 200]]))
    assert answer.labels.tolist() == [0, -1] and answer.scores.tolist() == [0.5, 0]
    assert np.allclose(answer.boxes[0], [0.1, 0.1, 0.3, 0.2])
    assert np.isnan(answer.boxes[1]).all()


def test_one_class_of_several():
    table = summaries.measure_one_class({"poor": POOR.measure(TRUTH)}, 1)
    assert table.loc["poor", ["found", "IoU", "box loss"]].tolist() == [0, 0, 2]
    assert table.loc["poor", "false alarms"] == 1


def test_gains_are_taken_in_pairs():
    one, other = PERFECT.measure(TRUTH), POOR.measure(TRUTH)
    gain = summaries.paired_gain(one, other, n=50)
    assert gain.value == pytest.approx(200 / 3) and gain.low < gain.high
    assert summaries.paired_gain(one, one, "accuracy", n=5) == (0, 0, 0)


def test_rows_spread_from_the_lowest_to_the_highest():
    frame = pd.DataFrame({"iou": [0.5, np.nan, 0.1, 0.9, 0.3]})
    assert summaries.spread(frame, 4) == [2, 4, 0, 3]
    assert summaries.spread(frame, 2) == [2, 3]


def test_what_strangers_are_called():
    image = np.zeros((4, 4, 3), np.uint8)
    strangers = [Stranger(f"{n}.png", image, n) for n in ("dark", "dark", "", None)]
    logits = np.log(
        np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]], np.float32)
    )
    said = Predictions(logits, np.zeros((4, 4), np.float32))
    assert np.allclose(said.probabilities.sum(1), 1)
    wrong, none, right = summaries.describe_strangers(strangers, said, NAMES)
    assert wrong == ["the dark in `dark.png` a bright, with a probability of 0.80"]
    assert none == [
        "`.png`, which shows none of them, a bright, with a probability of 0.60",
        "`None.png`, of which nobody said what it shows, a bright, "
        "with a probability of 0.70",
    ]
    assert len(right) == 1 and "0.90" in right[0]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "smoke"))
    pixels = torch.randint(0, 255, (6, 3, 64, 64), dtype=torch.uint8)
    part = Examples(pixels, torch.arange(6) % 2, torch.tensor([BOX] * 6))
    splits = dict.fromkeys(("train", "val", "test"), part)
    lab = Experiments(splits, NAMES, {"epochs": 2, "rate": "constant"})
    return lab.train("simple", options={"input_size": 64, "num_classes": 2})


def test_what_a_training_is_summed_up_by(trained):
    rates = trained.history["learning_rate"]
    assert rates.nunique() == 1
    row = summaries.split_accuracies([trained], NAMES)
    assert list(row) == ["train", "val", "test", "test low", "test high", *NAMES]
    assert row["test low"] < row["test"] + 1e-9 and row["train"] == row["test"]
    row = summaries.best_and_last(trained)
    assert row["best epoch"] in (1, 2) and row["best, test"] == row["best, val"]
    ways = {"epochs": {"1%": [trained]}, "steps": {"1%": [trained, trained]}}
    table = summaries.compare_shares(ways, 10)
    assert table.loc["1%", "equal epochs"] == table.loc["1%", "equal steps"]
    assert {"equal steps low", "on train, steps"} <= set(table)
    answer = Answer.of_network(trained, "test")
    assert answer.labels.shape == answer.scores.shape == (6,)
