"""Training both heads: what is learnt, kept, resumed and measured on the way."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from wslib.metrics.overlap import box_iou
from wslib.models.checkpoints import fingerprint
from wslib.models.two_heads import (
    TwoHeadNetwork,
    about_detector,
    build_detector,
    load_detector,
)
from wslib.practical import detector_training
from wslib.practical.detector_training import BEST, predict, train_detector, validate
from wslib.practical.views import Examples, Views, box_batches, frozen_batches
from wslib.training import losses
from wslib.training.losses import DetectorLoss

COLUMNS = ["epoch", "loss", "seconds", "learning_rate"]
COLUMNS += ["class_loss", "box_loss", "accuracy", "val_loss", "val_accuracy", "val_iou"]


class Tiny(TwoHeadNetwork):
    """Three small convolutions: of 32 pixels they leave a map (16, 4, 4)."""

    def __init__(self, dropout=0.0, frozen=False, seed=0):
        torch.manual_seed(seed)
        layers = []
        for inputs, outputs in ((3, 8), (8, 16), (16, 16)):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
            norm = nn.BatchNorm2d(outputs)
            layers += [convolution, norm, nn.ReLU(), nn.MaxPool2d(2)]
        features = nn.Sequential(*layers)
        super().__init__(features, nn.Identity(), 3, 32, (64, 32), dropout, frozen)


def rectangles(count, seed, size=64):
    """Pictures of noise with a red, green or blue rectangle: its colour is its class,
    its outline the box."""
    generator = torch.Generator().manual_seed(seed)
    shape = count, 3, size, size
    pixels = torch.randint(90, shape, generator=generator, dtype=torch.uint8)
    sides = 0.4 + 0.3 * torch.rand(count, 2, generator=generator)
    centres = 0.4 + 0.2 * torch.rand(count, 2, generator=generator)
    corners = torch.cat([centres - sides / 2, centres + sides / 2], 1)
    corners, labels = (corners * size).round().long(), torch.arange(count) % 3
    for i, (x1, y1, x2, y2) in enumerate(corners.tolist()):
        pixels[i, labels[i], y1:y2, x1:x2] = 230
    return Examples(pixels, labels, corners / size)


@pytest.fixture(scope="module")
def few():
    return rectangles(24, seed=5, size=32)


@pytest.fixture(scope="module")
def val():
    return rectangles(12, seed=6, size=32)


def without_seconds(history):
    return history.drop(columns="seconds")


@pytest.mark.parametrize(
    ("augmentation", "box_loss", "least"),
    [("none", "giou", 0.85), ("crop", "giou", 0.8), ("mirror", "giou+l1", 0.8)],
)
def test_rectangles_are_learnt(augmentation, box_loss, least):
    train, val = rectangles(96, seed=0), rectangles(48, seed=1)
    mean_box = train.boxes.mean(0).expand(48, 4)
    assert box_iou(mean_box, val.boxes).mean() < 0.7  # what needs no looking
    detector = Tiny()
    settings = {"learning_rate": 5e-3, "batch_size": 16, "augmentation": augmentation}
    history = train_detector(
        *(detector, train, val), epochs=20, box_loss=box_loss, **settings
    )
    assert list(history.columns) == COLUMNS and len(history) == 20
    assert not detector.training
    told = predict(detector, val.pixels)
    assert (told.labels == val.labels.numpy()).mean() > 0.97
    assert told.boxes.dtype == np.float32 and told.boxes.shape == (48, 4)
    ious = box_iou(torch.from_numpy(told.boxes), val.boxes)
    assert ious.mean() > least
    twice = predict(detector, val.pixels, mirrored=True)
    if augmentation != "none":
        assert box_iou(torch.from_numpy(twice.boxes), val.boxes).mean() > least


def test_the_history_is_what_was_seen(few, val):
    detector = Tiny(dropout=0.3)
    history = train_detector(
        *(detector, few, val, 3), batch_size=8, box_weight=0.5, best=None
    )
    parts = history["class_loss"] + 0.5 * history["box_loss"]
    np.testing.assert_allclose(history["loss"], parts, rtol=1e-5)  # equal batches
    last, told = history.iloc[-1], validate(detector, val, DetectorLoss(weight=0.5))
    assert told == {name: last[name] for name in COLUMNS[-3:]}
    said = predict(detector, val.pixels)
    assert last["val_accuracy"] == pytest.approx(
        (said.labels == val.labels.numpy()).mean()
    )
    shares = 24 * history["accuracy"]
    np.testing.assert_allclose(shares, shares.round(), atol=1e-4)
    cosine = 1e-3 * (1 + np.cos(np.pi * np.arange(3) / 3)) / 2
    np.testing.assert_allclose(history["learning_rate"], cosine, rtol=1e-6)


def test_the_seed_is_all_that_draws(few, val):
    weights, histories = [], []
    for seed in (0, 0, 1):
        detector = Tiny(dropout=0.5)
        torch.rand(3 + len(weights))  # the process's random numbers play no part
        before = torch.get_rng_state()
        history = train_detector(
            *(detector, few, val, 2), augmentation="crop", seed=seed
        )
        assert torch.equal(torch.get_rng_state(), before)
        (
            weights.append(fingerprint(detector)),
            histories.append(without_seconds(history)),
        )
    assert weights[0] == weights[1] != weights[2]
    orders = [train_detector(Tiny(), few, val, 2, seed=seed) for seed in (0, 1)]
    assert orders[0]["val_loss"][0] != orders[1]["val_loss"][0]  # without any dropout
    pd.testing.assert_frame_equal(*histories[:2], check_exact=True)


def test_settings_reach_the_optimizer(few, val):
    def weights(**settings):
        detector = Tiny()
        train_detector(detector, few, val, 2, best=None, **settings)
        return fingerprint(detector)

    names = "weight_decay", "learning_rate", "box_loss", "box_weight", "augmentation"
    defaults = dict(zip(names, (0.05, 1e-3, "giou", 1.0, "mirror"), strict=True))
    others = dict(zip(names, (0, 2e-3, "mse", 2.0, "none"), strict=True))
    assert weights() == weights(**defaults)
    assert all(weights(**{name: others[name]}) != weights() for name in names)


def constant(logits, box):
    """A detector that says the same of each picture."""
    detector = Tiny().eval()
    with torch.no_grad():
        for head, says in ((detector.classify[-1], logits), (detector.locate[-2], box)):
            head.weight.zero_()
            head.bias.copy_(torch.tensor(says))
    return detector


def test_measures_of_val_by_hand():
    logits = [math.log(0.5), math.log(0.3), math.log(0.2)]
    box = torch.tensor([0.75, 0.25, 0.25, 0.5]).logit().tolist()  # x comes inverted
    pixels = torch.zeros(4, 3, 32, 32, dtype=torch.uint8)
    boxes = [[0.25, 0.25, 0.75, 0.5], [0.25, 0.25, 0.75, 0.75], [0, 0, 0.25, 0.25]]
    boxes = torch.tensor([*boxes, [math.nan] * 4])
    shown = Examples(pixels, torch.tensor([0, 1, 2, 0]), boxes)
    detector, loss = constant(logits, box), DetectorLoss("giou", 2.0)
    told = validate(detector, shown, loss)
    assert list(told) == ["val_loss", "val_accuracy", "val_iou"]
    assert told["val_accuracy"] == 0.5
    assert told["val_iou"] == pytest.approx((1 + 0.5 + 0) / 3)
    class_loss = -(2 * math.log(0.5) + math.log(0.3) + math.log(0.2)) / 4
    hull, union = 0.75 * 0.5, 0.5 * 0.25 + 0.25**2
    giou = [0, 0.5, 1 + (hull - union) / hull]
    assert told["val_loss"] == pytest.approx(class_loss + 2 * sum(giou) / 3, rel=1e-5)
    assert not loss.parts  # nothing of val is told as of the training
    unknown = Examples(pixels, shown.labels, torch.full((4, 4), math.nan))
    told = validate(detector, unknown, loss)
    assert math.isnan(told["val_iou"])
    assert told["val_loss"] == pytest.approx(class_loss, rel=1e-5)


def test_boxes_that_are_not_known(few, val):
    boxes = few.boxes.clone()
    boxes[::3] = math.nan
    some = Examples(few.pixels, few.labels, boxes)
    unknown = Examples(val.pixels, val.labels, torch.full_like(val.boxes, math.nan))
    for augmentation in ("mirror", "crop"):
        history = train_detector(
            *(Tiny(), some, unknown, 2), batch_size=4, augmentation=augmentation
        )
        numbers = history.drop(columns="val_iou")
        assert np.isfinite(numbers.to_numpy()).all() and history["val_iou"].isna().all()
    none = Examples(few.pixels, few.labels, torch.full_like(few.boxes, math.nan))
    history = train_detector(Tiny(), none, val, 2)
    assert history["box_loss"].isna().all() and np.isfinite(history["loss"]).all()


class Judge:
    """Stands for `validate`: its numbers are given, and the weights are remembered."""

    def __init__(self, accuracies, losses):
        self.rows, self.seen = list(zip(accuracies, losses, strict=True)), []

    def __call__(self, detector, examples, loss):
        accuracy, value = self.rows[len(self.seen)]
        self.seen.append(fingerprint(detector))
        return {"val_loss": value, "val_accuracy": accuracy, "val_iou": 0.5}


@pytest.mark.parametrize(
    ("accuracies", "losses", "epoch"),
    [
        ((0.5, 0.9, 0.8, 0.7), (4, 3, 2, 1), 2),  # the accuracy decides
        ((0.5, 0.9, 0.9, 0.9), (1, 4, 2, 3), 3),  # among equals the loss
        ((0.5, 0.9, 0.9, 0.9), (1, 2, 3, 2), 2),  # then the earliest
        ((1.0, 1.0, 1.0, 1.0), (2, 2, 2, 2), 1),
        ((0.9, 1.0, math.nan, 1.0), (1, math.nan, 0, 3), 4),  # NaN is never best
    ],
)
def test_the_best_model_is_kept(few, val, monkeypatch, accuracies, losses, epoch):
    judge = Judge(accuracies, losses)
    monkeypatch.setattr(detector_training, "validate", judge)
    detector = Tiny()
    history = train_detector(detector, few, val, 4)
    assert history["val_accuracy"].tolist()[:2] == list(accuracies[:2])
    assert len(set(judge.seen)) == 4
    assert fingerprint(detector) == judge.seen[epoch - 1]
    assert BEST == (("val_accuracy", "max"), ("val_loss", "min"))


def test_the_last_model_is_kept_without_a_rule(few, val, monkeypatch):
    judge = Judge((1.0, 0.5), (1, 2))
    monkeypatch.setattr(detector_training, "validate", judge)
    detector = Tiny()
    train_detector(detector, few, val, 2, best=None)
    assert fingerprint(detector) == judge.seen[1]
    without = Tiny()
    history = train_detector(without, few, None, 2)  # without `val` there is no best
    assert list(history.columns) == COLUMNS[:-3]
    assert fingerprint(without) == fingerprint(detector)


def stopped_in_epoch(kind, epoch):
    """Batches that are interrupted after the first one of this epoch."""

    def stopped(*settings):
        batches, epochs = kind(*settings), []
        load = batches.load

        def until_stopped(rows, generator):
            epochs.append(rows)
            for i, batch in enumerate(load(rows, generator)):
                if len(epochs) == epoch and i == 1:
                    raise KeyboardInterrupt
                yield batch

        batches.load = until_stopped
        return batches

    return stopped


@pytest.mark.parametrize(
    ("frozen", "augmentation"), [(False, "crop"), (False, "mirror"), (True, "mirror")]
)
@pytest.mark.parametrize("done", [1, 3])
def test_resumed_as_if_it_had_never_stopped(
    few, val, tmp_path, monkeypatch, capsys, frozen, augmentation, done
):
    def train(**options):
        detector = Tiny(dropout=0.5, frozen=frozen)
        settings = {"batch_size": 8, "augmentation": augmentation, "seed": 3}
        history = train_detector(
            *(detector, few, val, 5), learning_rate=0.01, **settings, **options
        )
        return detector, history

    whole, expected = train()
    name = "frozen_batches" if frozen else "box_batches"
    kind = frozen_batches if frozen else box_batches
    with monkeypatch.context() as patch:
        patch.setattr(detector_training, name, stopped_in_epoch(kind, done + 1))
        part, history = train(keep=tmp_path / "run")
    assert len(history) == done and not part.training
    assert f"stopped after epoch {done} of 5" in capsys.readouterr().err
    pd.testing.assert_frame_equal(
        *map(without_seconds, (history, expected[:done])), check_exact=True
    )
    torch.rand(7)  # another process has other random numbers
    again, history = train(keep=tmp_path / "run")
    pd.testing.assert_frame_equal(
        *map(without_seconds, (history, expected)), check_exact=True
    )
    assert fingerprint(again) == fingerprint(whole)
    _, history = train(keep=tmp_path / "run")  # nothing is left to do
    assert len(history) == 5
    with pytest.raises(ValueError, match="another run, with box_weight 1.0, not 2"):
        train(keep=tmp_path / "run", box_weight=2)


@pytest.mark.parametrize("augmentation", ["none", "mirror"])
def test_frozen_features_are_left_alone(few, val, augmentation):
    detector = Tiny(frozen=True).train()
    before, heads = fingerprint(detector.features), fingerprint(detector.locate)
    images = few.pixels / 255
    settings = {"learning_rate": 0.01, "augmentation": augmentation}
    history = train_detector(detector, few, val, 12, **settings)
    assert fingerprint(detector.features) == before
    assert fingerprint(detector.locate) != heads
    assert history["loss"].iloc[-1] < 0.8 * history["loss"].iloc[0]
    with torch.no_grad():  # and what it learnt of the maps holds for images
        logits, _ = detector(detector.normalize(images))
    told = predict(detector, few.pixels)
    np.testing.assert_allclose(told.logits, logits.numpy(), atol=1e-4)


def test_maps_teach_what_the_images_teach(few, val, monkeypatch):
    detectors = [Tiny(frozen=True), Tiny(frozen=True)]
    settings = {"epochs": 2, "augmentation": "none", "batch_size": 8}
    train_detector(detectors[0], few, val, **settings)
    monkeypatch.setattr(detector_training, "frozen_batches", box_batches)
    train_detector(detectors[1], few, val, **settings)
    pairs = zip(detectors[0].parameters(), detectors[1].parameters(), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_a_run_leaves_a_detector_that_loads(few, val, tmp_path, monkeypatch):
    judge = Judge((0.75, 0.5), (1.0, 1.0))
    monkeypatch.setattr(detector_training, "validate", judge)
    detector = build_detector("deeper", input_size=32, dropout=0.1)
    told = about_detector(detector, ["red", "green", "blue"])
    history = train_detector(
        *(detector, few, val, 2), keep=tmp_path, about=told, box_loss="l1", seed=4
    )
    again, about = load_detector(tmp_path / "best.pt")
    assert fingerprint(again) == fingerprint(detector) == judge.seen[0]
    assert about["classes"] == ["red", "green", "blue"]
    known = {"images": 24, "seed": 4, "batch_size": 32, "box_loss": "l1"}
    known |= {"box_weight": 1.0, "views": "mirror"}
    assert {key: about[key] for key in known} == known
    assert about["row"] == history.iloc[0].to_dict()
    written = pd.read_csv(tmp_path / "history.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(written, history, check_exact=True)
    last, about = load_detector(tmp_path / "last.pt")
    assert fingerprint(last) == judge.seen[1] != judge.seen[0]
    assert {key: about[key] for key in known} == known


def noise(count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = count, 3, size, size
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="module")
def outspoken():
    """A detector whose answers differ much from picture to picture."""
    detector = Tiny(seed=2).eval()
    with torch.no_grad():
        for head in (detector.classify, detector.locate):
            for layer in head:
                if isinstance(layer, nn.Linear):
                    layer.weight *= 6
        maps = detector.maps(detector.normalize(noise(70, 32) / 255)).values
        for head, last in ((detector.classify, -1), (detector.locate, -2)):
            outputs = head[: last + 1 or None](maps.flatten(1))
            head[last].bias -= outputs.mean(0)
    return detector


def test_answers_are_in_order_and_sorted(outspoken):
    pixels = noise(70, 32)  # more than one batch
    with torch.no_grad():
        logits, boxes = outspoken(outspoken.normalize(pixels / 255))
    assert (boxes[:, :2] > boxes[:, 2:]).any(0).all()  # inverted in both directions
    told = predict(outspoken, pixels)
    np.testing.assert_allclose(told.logits, logits.numpy(), atol=1e-3)
    corners = losses.sort_corners(boxes).numpy()
    np.testing.assert_allclose(told.boxes, corners, atol=1e-4)
    assert (told.labels == told.logits.argmax(1)).all()
    assert len(set(told.labels.tolist())) > 1 and told.labels.shape == (70,)


@pytest.mark.parametrize("size", [32, 64, 45])
def test_the_mirrored_answer_is_that_of_the_mirrored_picture(outspoken, size):
    pixels = noise(9, size)
    one = predict(outspoken, pixels, mirrored=True)
    other = predict(outspoken, pixels.flip(3), mirrored=True)
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-3)
    turned = other.boxes.copy()
    turned[:, [0, 2]] = 1 - other.boxes[:, [2, 0]]
    np.testing.assert_allclose(one.boxes, turned, atol=1e-4)
    plain, mirror = (
        predict(outspoken, pixels),
        predict(outspoken, pixels.flip(3)),
    )
    np.testing.assert_allclose(
        one.logits, (plain.logits + mirror.logits) / 2, atol=1e-3
    )
    back = Views.mirrored(9).of_boxes(torch.from_numpy(mirror.boxes)).numpy()
    np.testing.assert_allclose(one.boxes, (plain.boxes + back) / 2, atol=1e-4)
    assert np.abs(one.boxes - plain.boxes).max() > 0.05


def test_what_cannot_be_trained(few, val, tmp_path):
    wrong = [
        ({"box_loss": "ciou"}, False, "box loss 'ciou', expected one of l1"),
        ({"augmentation": "flip"}, False, "augmentation 'flip', expected none"),
        ({"augmentation": "crop"}, True, "'crop' with frozen features"),
        ({"epochs": 0}, False, "epochs is 0, expected 1 or more"),
        ({"best": ("val_map", "max")}, False, "no column 'val_map' to find the best"),
    ]
    for settings, frozen, text in wrong:
        detector = Tiny(frozen=frozen)
        with pytest.raises(ValueError, match=text) as error:
            train_detector(detector, few, val, **{"epochs": 1, **settings})
        assert "\n" not in str(error.value)
    with pytest.raises(RuntimeError, match="lower the learning rate"):
        train_detector(constant([math.nan] * 3, [0.0] * 4), few, val, 1)
