"""Runs: which epoch is best, and which folder may be resumed from."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import nn

from wslib.models.checkpoints import fingerprint
from wslib.training.runs import Run, best_epoch, rules

NAN = float("nan")
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3, 4, 5],
        "accuracy": [0.5, 0.9, NAN, 0.9, 0.9],
        "loss": [1.0, 0.4, 0.1, 0.3, 0.3],
    }
)


@pytest.mark.parametrize(
    ("best", "epoch"),
    [
        (None, 5),
        (("accuracy", "max"), 2),
        (("accuracy", "min"), 1),
        (["loss", "min"], 3),
        ([("accuracy", "max"), ("loss", "min")], 4),
        ([("accuracy", "max"), ("loss", "max")], 2),
    ],
)
def test_best_epoch(best, epoch):
    assert best_epoch(HISTORY, best) == epoch


def test_best_epoch_where_nothing_is_known():
    assert best_epoch(HISTORY.assign(accuracy=NAN), ("accuracy", "max")) == 1
    with pytest.raises(ValueError, match="no column 'mAP' .*: epoch, accuracy, loss"):
        best_epoch(HISTORY, ("mAP", "max"))


def test_rules():
    assert rules(None) == [("epoch", "max")]
    assert rules(["mAP", "max"]) == rules([("mAP", "max")]) == [("mAP", "max")]


def make(folder, epochs=4, best=("score", "max"), lr=0.1, about=None, width=1,
         pause=0.0, **more):  # fmt: skip
    model = nn.Linear(1, width)
    nn.init.constant_(model.weight, 1.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, **more)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    return Run(model, optimizer, schedule, [], epochs, best, folder, about or {}, pause)


def lived(folder, scores, **options):
    """A run with an epoch for each score, its weight the number of the epoch."""
    run = make(folder, **options)
    for epoch, score in enumerate(scores, 1):
        nn.init.constant_(run.model.weight, float(epoch))
        run.end_epoch({"epoch": epoch, "score": score})
    return run


def test_resume_takes_up_history_and_best(tmp_path):
    lived(tmp_path, [1.0, 3.0, 2.0])
    (tmp_path / "history.csv").unlink()
    run = make(tmp_path)
    run.resume()
    assert [row["score"] for row in run.rows] == [1, 3, 2]
    assert run.model.weight.item() == 3 and run.weights["weight"].item() == 2
    assert list(pd.read_csv(tmp_path / "history.csv")["score"]) == [1, 3, 2]
    assert run.stopped().startswith("stopped after epoch 3 of 4; the model is that of")


def test_killed_between_last_and_best(tmp_path):
    lived(tmp_path, [1.0])
    older = (tmp_path / "best.pt").read_bytes()
    lived(tmp_path, [1.0, 2.0])
    (tmp_path / "best.pt").write_bytes(older)
    run = make(tmp_path)
    run.resume()
    assert run.weights["weight"].item() == 2
    torch.testing.assert_close(
        torch.load(tmp_path / "best.pt", weights_only=True)["model"], run.weights
    )


def test_killed_while_writing_leaves_the_epoch_before(tmp_path, monkeypatch):
    run = lived(tmp_path, [1.0])

    def full(content, path):
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.save", full)
    with pytest.raises(OSError, match="last.pt: cannot be written: No space"):
        run.end_epoch({"epoch": 2, "score": 2.0})
    there = sorted(path.name for path in tmp_path.iterdir())
    assert there == ["best.pt", "history.csv", "last.pt"]
    monkeypatch.undo()
    run = make(tmp_path)
    run.resume()
    assert len(run.rows) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 8}, "another run, with epochs 4, not 8; choose another folder"),
        ({"lr": 0.2}, "initial_lr of group 0 0.1, not 0.2"),
        ({"weight_decay": 0.5}, "weight_decay of group 0 0, not 0.5"),
        ({"best": None}, r"best \[\('score', 'max'\)\], not \[\('epoch', 'max'\)\]"),
        ({"about": {"seed": 2}}, "seed 1, not 2"),
        ({"about": None}, "seed 1, not None"),
        ({"width": 2}, r"last.pt: weights do not fit Linear: bias is \(1,\), expected"),
    ],
)
def test_another_run_is_not_resumed(tmp_path, options, words):
    lived(tmp_path, [1.0], about={"seed": 1})
    run = make(tmp_path, **{"about": {"seed": 1}, **options})
    before = fingerprint(run.model)
    with pytest.raises(ValueError, match=words) as error:
        run.resume()
    assert str(tmp_path / "last.pt") in str(error.value)
    assert "\n" not in str(error.value)
    assert fingerprint(run.model) == before


def test_folders_that_are_no_run(tmp_path):
    run = make(tmp_path)
    run.resume()  # an empty folder is a new run
    assert run.rows == []
    last = tmp_path / "last.pt"
    last.write_text("text")
    with pytest.raises(ValueError, match="last.pt: not a checkpoint"):
        run.resume()
    torch.save({"model": {}}, last)
    with pytest.raises(ValueError, match="last.pt: no run to resume"):
        run.resume()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("text")])
def test_the_best_is_made_anew_from_the_last(tmp_path, damage):
    lived(tmp_path, [2.0, 1.0])
    damage(tmp_path / "best.pt")
    run = make(tmp_path)
    run.resume()
    content = torch.load(tmp_path / "best.pt", weights_only=True)
    assert content["row"] == {"epoch": 1, "score": 2.0}
    assert content["model"]["weight"].item() == run.weights["weight"].item() == 1


def test_short_epochs_are_written_after_a_pause(tmp_path, monkeypatch):
    now = iter([10.0, 10.0, 12.0, 15.0, 15.0, 16.0, 17.0, 17.0])
    monkeypatch.setattr("wslib.training.runs.time.monotonic", lambda: next(now))
    run, kept = make(tmp_path, epochs=5, pause=5.0), []
    for epoch, score in enumerate([1.0, 3.0, 2.0, 2.0, 2.0], 1):
        nn.init.constant_(run.model.weight, float(epoch))
        run.end_epoch({"epoch": epoch, "score": score})
        kept.append(len(torch.load(tmp_path / "last.pt", weights_only=True)["rows"]))
    assert kept == [1, 1, 3, 3, 5]  # the first, after the pause, and the last
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert best["row"]["epoch"] == best["model"]["weight"].item() == 2


def test_a_run_goes_on_from_where_it_was_written(tmp_path):
    lived(tmp_path, [1.0, 3.0, 2.0], pause=1e9)
    run = make(tmp_path)
    run.resume()
    assert [row["score"] for row in run.rows] == [1]
    assert run.model.weight.item() == run.weights["weight"].item() == 1


@pytest.mark.parametrize(
    "key", ["run", "model", "best", "optimizer", "schedule", "random"]
)
@pytest.mark.parametrize("value", [None, "x", {}])
def test_a_damaged_run_is_named(tmp_path, key, value):
    lived(tmp_path, [1.0])
    content = torch.load(tmp_path / "last.pt", weights_only=True)
    torch.save({**content, key: value}, tmp_path / "last.pt")
    words = f"last.pt: (a run without its {key}|damaged|another run|weights do|not a)"
    with pytest.raises(ValueError, match=words) as error:
        make(tmp_path).resume()
    assert "\n" not in str(error.value)
