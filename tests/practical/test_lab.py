"""Trainings that are kept: run once, and anew after a change."""

from __future__ import annotations

import pytest
import torch

from wslib.models.two_heads import load_detector
from wslib.practical.lab import Experiments
from wslib.practical.views import Examples

CLASSES = ("dark", "bright")
SIZE = {"input_size": 64}


def pictures(count, seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    pixels = torch.randint(0, 90, (count, 3, 64, 64), generator=generator)
    pixels = (pixels + 160 * labels.view(-1, 1, 1, 1)).to(torch.uint8)
    boxes = torch.tensor([[0.2, 0.3, 0.7, 0.9]]).expand(count, 4).clone()
    return Examples(pixels, labels, boxes)


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "smoke"))
    splits = {name: pictures(12, k) for k, name in enumerate(("train", "val", "test"))}
    return Experiments(splits, CLASSES, {"epochs": 2, "batch_size": 4})


def folders(tmp_path):
    return sorted(path.name for path in (tmp_path / "runs").iterdir())


def test_a_training_is_run_once(lab, tmp_path, monkeypatch):
    first = lab.train("simple", 3, options={**SIZE, "num_classes": 2})
    assert first.folder.parent == tmp_path / "runs"
    monkeypatch.setattr(torch.Tensor, "backward", None)  # would be called
    again = lab.train("simple", 3, options={**SIZE, "num_classes": 2})
    assert again.history.equals(first.history)
    assert again.best_epoch == first.best_epoch
    said, before = again.answers("test"), first.answers("test")
    assert (said.logits == before.logits).all() and (said.boxes == before.boxes).all()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"rows": [0, 1, 2, 3]},
        {"options": {**SIZE, "num_classes": 2, "dropout": 0.0}},
        {"learning_rate": 5e-4},
        {"box_weight": 0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_setting_is_another_training(lab, tmp_path, change):
    options = {"seed": 3, "options": {**SIZE, "num_classes": 2}}
    lab.train("simple", **options)
    lab.train("simple", **options | change)
    assert len(folders(tmp_path)) == 2


def test_other_pictures_and_other_code_are_another_training(lab, tmp_path, edited):
    options = {"seed": 3, "options": {**SIZE, "num_classes": 2}}
    lab.train("simple", **options)
    other = Experiments(
        {**lab.splits, "val": pictures(12, 9)}, CLASSES, {"epochs": 2, "batch_size": 4}
    )
    other.train("simple", **options)
    assert len(folders(tmp_path)) == 2
    with edited("training/losses", "MORE = 1"):
        lab.train("simple", **options)
    assert len(folders(tmp_path)) == 3
    with edited("metrics/single_box", "MORE = 1"):  # measures what is trained
        lab.train("simple", **options)
    assert len(folders(tmp_path)) == 3


def test_a_damaged_training_is_named_and_made_anew(lab, tmp_path, capsys):
    first = lab.train("simple", 3, options={**SIZE, "num_classes": 2})
    (first.folder / "best.pt").write_bytes(b"half of it")
    again = lab.train("simple", 3, options={**SIZE, "num_classes": 2})
    assert f"{first.folder / 'best.pt'}: damaged" in capsys.readouterr().err
    assert len(folders(tmp_path)) == 1 and again.best_epoch == first.best_epoch
    assert (again.answers("val").logits == first.answers("val").logits).all()


def test_the_last_epoch_and_the_files(lab):
    trained = lab.train("simple", 3, options={**SIZE, "num_classes": 2})
    last = trained.last()
    if trained.best_epoch == len(trained.history):
        assert (last.answers("val").logits == trained.answers("val").logits).all()
    else:
        assert (last.answers("val").logits != trained.answers("val").logits).any()
    detector, about = load_detector(trained.folder / "best.pt")
    assert about["classes"] == list(CLASSES)
    state = trained.detector.state_dict()
    assert all((state[k] == v).all() for k, v in detector.state_dict().items())


def test_measured_beside_the_truth(lab):
    trained = lab.train("simple", 3, options={**SIZE, "num_classes": 2})
    measured = trained.measure("test")
    assert len(measured) == 12 and set(measured["label"]) == {0, 1}
    right = (measured["said"] == measured["label"]).mean()
    assert measured["accuracy"].mean() == pytest.approx(right)
    heads = trained.parameters
    assert heads == sum(p.numel() for p in trained.detector.parameters())
