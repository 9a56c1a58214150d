import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from wslib.models.checkpoints import (
    about_classifier,
    fingerprint,
    load_checkpoint,
    load_classifier,
)
from wslib.models.classifiers import build_classifier
from wslib.training.batches import pixel_batches, random_crop_and_flip
from wslib.training.fit import fine_tune, fit, multilabel_loss, train_classifier


class Tiny(nn.Module):
    """A classifier of the package's form: features, pool, head, normalize."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4, 2)

    def normalize(self, images):
        return images - 0.5

    def forward(self, images):
        return self.head(self.pool(self.features(images)))


def test_loss_ignores_unknown_labels():
    logits = torch.tensor([[0.0, 100.0], [0.0, -3.0]])
    labels = torch.tensor([[1, -1], [0, -1]])
    assert multilabel_loss(logits, labels).item() == pytest.approx(np.log(2))


LINE = torch.linspace(-1, 1, 32)[:, None]


def batches(x, y):
    return list(zip(x.split(8), y.split(8), strict=True))


def test_fit_finds_a_line_and_keeps_history():
    model = nn.Linear(1, 1)
    history = fit(
        model,
        batches(LINE, 3 * LINE + 1),
        nn.functional.mse_loss,
        torch.optim.Adam(model.parameters(), lr=0.2),
        epochs=60,
        validate=lambda m: {"slope": m.weight.item()},
    )
    columns = ["epoch", "loss", "seconds", "learning_rate", "slope"]
    assert list(history.columns) == columns
    assert (history["seconds"] > 0).all()
    cosine = 0.1 * (1 + np.cos(np.pi * np.arange(60) / 60))
    np.testing.assert_allclose(history["learning_rate"], cosine, atol=1e-9)
    assert list(history["epoch"]) == list(range(1, 61))
    assert history["slope"].iloc[-1] == pytest.approx(3, abs=0.05)
    assert history["loss"].iloc[-1] < 1e-3 < history["loss"].iloc[0]
    assert not model.training


def test_fit_stops_when_the_loss_is_lost():
    x, model = torch.full((4, 1), float("nan")), nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    with pytest.raises(RuntimeError, match="loss is nan in epoch 1"):
        fit(model, batches(x, x), nn.functional.mse_loss, optimizer, epochs=2)


def test_a_batch_that_batch_norm_learns_nothing_of():
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    with pytest.raises(
        ValueError, match="a batch of one, with maps of 1 x 1: expected"
    ):
        fit(model, batches(LINE[:9], LINE[:9]), nn.functional.mse_loss, optimizer, 2)


def test_fine_tuning_trains_all_and_repeats_with_its_seed(red_and_green):
    paths, labels = red_and_green
    weights = []
    for _ in range(2):
        model = Tiny()
        before = model.features.weight.detach().clone()
        history = fine_tune(model, paths, labels, 16, 3, batch_size=4, seed=3)
        assert not torch.equal(model.features.weight, before)
        assert len(history) == 3
        weights.append(model.features.weight.detach())
    assert torch.equal(*weights)


def test_crop_and_flip():
    ramp = torch.arange(64.0).expand(40, 1, 64, 64)  # brightness is x
    parts = random_crop_and_flip(ramp, torch.Generator().manual_seed(0))
    slopes = parts[:, 0, 32, 40] - parts[:, 0, 32, 39]  # side of the part, signed
    assert parts.shape == ramp.shape
    assert (slopes.abs() <= 1.0001).all() and (slopes.abs() >= 0.765**0.5 - 1e-4).all()
    assert 5 < (slopes < 0).sum() < 35
    whole = random_crop_and_flip(ramp, torch.Generator().manual_seed(0), least_area=1)
    same = torch.where((slopes < 0)[:, None, None, None], ramp.flip(3), ramp)
    torch.testing.assert_close(whole, same)


class Batches:
    """Batches of a line with noise, in another order each time."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(7)

    def __iter__(self):
        order = torch.randperm(32, generator=self.generator)
        noise = torch.randn(32, 1, generator=self.generator)
        yield from batches(LINE[order], (3 * LINE + 1 + noise)[order])


class Training:
    """The same run each time it is made: a network with batch norm and dropout, whose
    random numbers are PyTorch's own; its tests, one for each epoch, are given."""

    def __init__(self, tests=(3, 1, 4, 1, 5, 0), **options):
        torch.manual_seed(11)
        layers = nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1)
        self.model = nn.Sequential(*layers)
        self.tests, self.seen, self.options = tests, {}, options
        self.stop_in_step = None

    def fit(self, epochs=6, lr=0.05, weight_decay=0.1):
        optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=lr, weight_decay=weight_decay
        )
        self.steps, parts = 0, (self.model, Batches(), self.loss, optimizer, epochs)
        return fit(*parts, validate=self.validate, **self.options)

    def loss(self, outputs, targets):
        self.steps += 1
        if self.steps == self.stop_in_step:
            raise KeyboardInterrupt
        return nn.functional.mse_loss(outputs, targets)

    def validate(self, model):
        assert not model.training
        digits = fingerprint(model)
        self.seen[digits] = None
        return {"score": self.tests[len(self.seen) - 1]}


def without_seconds(history):
    return history.drop(columns="seconds")


@pytest.mark.parametrize(
    ("best", "epoch"),
    [
        (None, 6),
        (("score", "max"), 5),
        (["score", "min"], 6),
        ([("score", "max"), ("loss", "min")], 5),
    ],
)
def test_the_model_ends_with_its_best_weights(best, epoch):
    run = Training(best=best)
    run.fit()
    assert fingerprint(run.model) == list(run.seen)[epoch - 1]
    assert not run.model.training


def test_ties_fall_to_the_next_column_then_to_the_earliest():
    nan = float("nan")
    run = Training(tests=(nan, 2, nan, 2, 2, 1), best=("score", "max"))
    run.fit()
    assert fingerprint(run.model) == list(run.seen)[1]
    run = Training(tests=(2, 2, 2, 1, 1, 1), best=[("score", "max"), ("loss", "min")])
    history = run.fit()
    least = int(history["loss"][:3].argmin())
    assert least > 0
    assert fingerprint(run.model) == list(run.seen)[least]


def test_folder_of_a_run(tmp_path):
    about = {"name": "line", "sizes": (1, 8)}
    run = Training(best=("score", "max"), keep=tmp_path / "run", about=about)
    history = run.fit()
    folder = tmp_path / "run"
    there = sorted(path.name for path in folder.iterdir())
    assert there == ["best.pt", "history.csv", "last.pt"]
    written = pd.read_csv(folder / "history.csv", float_precision="round_trip")
    pd.testing.assert_frame_equal(written, history, check_exact=True)
    other = Training().model
    known = load_checkpoint(folder / "best.pt", other)
    assert known.pop("row") == history.iloc[4].to_dict()
    assert known == {"name": "line", "sizes": [1, 8]}
    assert fingerprint(other) == fingerprint(run.model) == list(run.seen)[4]
    load_checkpoint(folder / "last.pt", other)
    assert fingerprint(other) == list(run.seen)[5]


@pytest.mark.parametrize("stop_in_step", [5, 12, 13, 22])  # four steps make an epoch
@pytest.mark.parametrize("best", [None, ("score", "max")])
def test_resumed_as_if_it_had_never_stopped(tmp_path, capsys, stop_in_step, best):
    whole = Training(best=best)
    expected = whole.fit()

    one = Training(best=best, keep=tmp_path)
    one.stop_in_step = stop_in_step
    part, done = one.fit(), (stop_in_step - 1) // 4
    pd.testing.assert_frame_equal(
        without_seconds(part), without_seconds(expected[:done]), check_exact=True
    )
    at = done if best is None else 1 + int(np.argmax(one.tests[:done]))
    assert fingerprint(one.model) == list(whole.seen)[at - 1]
    assert not one.model.training
    assert capsys.readouterr().err.strip().split("\r")[-1] == (
        f"training: stopped after epoch {done} of 6; the model is that of epoch {at}; "
        f"the same call goes on from {tmp_path}"
    )

    two = Training(best=best, keep=tmp_path, tests=one.tests[done:])
    torch.rand(3)  # another process has other random numbers
    history = two.fit()
    assert two.steps == 4 * (6 - done)
    pd.testing.assert_frame_equal(
        without_seconds(history), without_seconds(expected), check_exact=True
    )
    assert list(history["seconds"][:done]) == list(part["seconds"])
    assert fingerprint(two.model) == fingerprint(whole.model)
    again = Training(best=best, keep=tmp_path)  # nothing is left to do
    pd.testing.assert_frame_equal(again.fit(), history, check_exact=True)
    assert again.steps == 0 and fingerprint(again.model) == fingerprint(whole.model)


def test_a_constant_rate_makes_a_short_training_the_begin_of_a_long_one():
    def train(epochs, rate):
        torch.manual_seed(1)
        model = nn.Linear(2, 1)
        optimizer = torch.optim.AdamW(model.parameters(), 0.1)
        batches = [(torch.eye(2), torch.ones(2, 1))]
        loss = nn.functional.mse_loss
        return fit(model, batches, loss, optimizer, epochs, rate=rate)

    short, long = train(3, "constant"), train(6, "constant")
    assert set(long["learning_rate"]) == {0.1}
    assert list(short["loss"]) == list(long["loss"][:3])
    assert train(6, "cosine")["learning_rate"].is_monotonic_decreasing
    with pytest.raises(ValueError, match="rate 'stepped', expected one of cosine"):
        train(1, "stepped")


def test_a_rate_in_steps_is_a_tenth_after_every_thirty_epochs():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    batches = [(torch.eye(2), torch.ones(2, 1))]
    options = {"epochs": 61, "rate": "steps"}
    history = fit(model, batches, nn.functional.mse_loss, optimizer, **options)
    expected = np.repeat([0.1, 0.01, 0.001], [30, 30, 1])
    np.testing.assert_allclose(history["learning_rate"], expected)


def test_interrupted_without_a_folder(capsys):
    run = Training(best=("score", "max"))
    run.stop_in_step = 11
    assert len(run.fit()) == 2
    assert fingerprint(run.model) == list(run.seen)[0]
    assert "stopped after epoch 2 of 6; the model is that of epoch 1\n" in (
        capsys.readouterr().err
    )


def test_interrupted_in_the_first_epoch(tmp_path):
    run = Training(keep=tmp_path)
    run.stop_in_step = 4
    with pytest.raises(KeyboardInterrupt):
        run.fit()
    assert not list(tmp_path.iterdir())


class Told(list):
    """An `on_epoch` that keeps what it is told, spoils it, and may be stopped."""

    def __init__(self, error=None, epoch=None):
        self.error, self.epoch = error, epoch

    def __call__(self, row):
        self.append(dict(row))
        row.clear()
        if self[-1]["epoch"] == self.epoch:
            raise self.error


def test_each_epoch_is_told_once_it_is_kept(tmp_path):
    nan, epochs = float("nan"), []
    told = Told()

    def on_epoch(row):
        epochs.append(len(pd.read_csv(tmp_path / "history.csv")))
        told(row)

    tests = (3, 1, nan, 1, 5, 0)
    run = Training(tests, best=("score", "max"), keep=tmp_path, on_epoch=on_epoch)
    history = run.fit()
    pd.testing.assert_frame_equal(pd.DataFrame(told), history, check_exact=True)
    assert epochs == [1, 2, 3, 4, 5, 6]
    plain = Training(tests, best=("score", "max"))
    expected = plain.fit()
    pd.testing.assert_frame_equal(
        without_seconds(history), without_seconds(expected), check_exact=True
    )
    assert fingerprint(run.model) == fingerprint(plain.model)


def test_a_run_that_goes_on_tells_all_epochs(tmp_path):
    whole = Training()
    whole.fit()
    one = Training(keep=tmp_path, on_epoch=Told())
    one.stop_in_step = 10  # in the third epoch
    part = one.fit()
    assert one.options["on_epoch"] == part.to_dict("records") and len(part) == 2
    for steps in (4 * 4, 0):  # the second time nothing is left to do
        told = Told()
        run = Training(keep=tmp_path, tests=whole.tests[2:], on_epoch=told)
        history = run.fit()
        assert told == history.to_dict("records") and run.steps == steps
        assert [row["epoch"] for row in told] == [1, 2, 3, 4, 5, 6]
        assert fingerprint(run.model) == fingerprint(whole.model)


def test_stopped_where_an_epoch_is_told(tmp_path, capsys):
    told = Told(KeyboardInterrupt(), 2)
    assert len(Training(keep=tmp_path, on_epoch=told).fit()) == 2
    assert "stopped after epoch 2 of 6" in capsys.readouterr().err
    told = Told(KeyboardInterrupt(), 1)  # of those before
    assert len(Training(keep=tmp_path, on_epoch=told).fit()) == 2
    assert "stopped after epoch 2 of 6" in capsys.readouterr().err
    told = Told(OSError("the disk is full"), 4)
    with pytest.raises(OSError, match="the disk is full"):
        Training(keep=tmp_path, on_epoch=told).fit()
    assert len(told) == len(pd.read_csv(tmp_path / "history.csv")) == 4


def test_fit_says_what_it_cannot_do(tmp_path):
    x, model = torch.ones(4, 1), nn.Linear(1, 1)

    def train(data=None, epochs=2, **options):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        data = batches(x, x) if data is None else data
        fit(model, data, nn.functional.mse_loss, optimizer, epochs, **options)

    with pytest.raises(ValueError, match="epochs is 0, expected 1 or more"):
        train(epochs=0)
    with pytest.raises(ValueError, match="no batches to train on"):
        train(iter(batches(x, x)))  # one pass is all that an iterator has
    with pytest.raises(ValueError, match="validate gives 'loss'"):
        train(validate=lambda model: {"loss": 1})
    with pytest.raises(ValueError, match="no column 'mAP' to find the best by: epoch"):
        train(best=("mAP", "max"))
    for wrong in ("mAP", ("mAP", "high"), [], ("mAP",)):
        with pytest.raises(ValueError, match="expected such as"):
            train(best=wrong)
    with pytest.raises(ValueError, match="Path is not JSON serializable"):
        train(keep=tmp_path, about={"folder": tmp_path})


def test_fine_tuning_leaves_a_classifier_that_loads(red_and_green, tmp_path):
    paths, labels = red_and_green
    model = build_classifier("resnet18", 2, pretrained=False)
    told = about_classifier(model, ["red", "green"])
    options = {"batch_size": 6, "best": ("score", "max"), "keep": tmp_path}
    tests = iter([0.5, 0.25])
    history = fine_tune(
        *(model, paths, labels, 32, 2),
        **options,
        validate=lambda model: {"score": next(tests)},
        about=told,
    )
    again, about = load_classifier(tmp_path / "best.pt")
    assert fingerprint(again) == fingerprint(model)
    assert about["classes"] == ["red", "green"]
    assert (about["images"], about["size"], about["seed"]) == (12, 32, 0)
    assert about["row"]["score"] == 0.5 and len(history) == 2


@pytest.fixture
def colours():
    """Thirty pictures, 12 high and 16 wide, of red (class 0), green (1) or blue (2),
    with a grey stripe at the left, whose brightness tells them apart."""
    labels = torch.arange(30) % 3
    images = torch.full((30, 3, 12, 16), 20, dtype=torch.uint8)
    images[torch.arange(30), labels] = 200
    images[:, :, :, :4] = 4 * torch.arange(30, dtype=torch.uint8)[:, None, None, None]
    return images, labels


def test_pixel_batches_show_each_image_once_mirrored_or_not(colours):
    images, labels = colours
    batches = pixel_batches(Tiny(), images, labels, (12, 16), 8, seed=0)
    orders, mirrored = [], []
    for _ in range(3):
        told = list(batches)
        assert [len(told_labels) for _, told_labels in told] == [8, 8, 8, 6]
        shown = torch.cat([batch for batch, _ in told])
        given = torch.cat([batch for _, batch in told])
        shown = (255 * (shown + 0.5)).round().byte()  # undo `normalize`
        stripes = torch.stack([shown[:, 0, 0, 0], shown[:, 0, 0, -1]])
        left = shown[:, :, 0, 0].amax(1) == shown[:, :, 0, 0].amin(1)  # grey
        number = torch.where(left, *stripes) // 4
        orders.append(number.tolist()), mirrored.append((~left).tolist())
        assert sorted(orders[-1]) == list(range(30))
        assert torch.equal(given, labels[number.long()])
        whole = images[number.long()]
        expected = torch.where(left[:, None, None, None], whole, whole.flip(3))
        assert torch.equal(shown, expected)
    assert orders[0] != orders[1] != orders[2] and mirrored[0] != mirrored[1]
    assert 25 < sum(map(sum, mirrored)) < 65  # half of 90
    again = pixel_batches(Tiny(), images, labels, (12, 16), 8, seed=0)
    other = pixel_batches(Tiny(), images, labels, (12, 16), 8, seed=0)
    for (one, _), (same, _) in zip(again, other, strict=True):
        assert torch.equal(one, same)


def test_pixel_batches_are_resized(colours):
    images, labels = colours
    for size in ((24, 32), (6, 8), (16, 12)):
        shown, _ = next(iter(pixel_batches(Tiny(), images, labels, size, 5, seed=1)))
        assert shown.shape == (5, 3, *size) and shown.dtype == torch.float32
        assert -0.5 <= shown.min() and shown.max() <= 0.5
    with pytest.raises(ValueError, match="29 labels for 30 images, expected one each"):
        pixel_batches(Tiny(), images, labels[:29], (12, 16), 5, seed=1)


class ThreeColours(Tiny):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)


def test_a_classifier_learns_what_a_colour_is_called(colours):
    images, labels = colours
    weights, histories = [], []

    def validate(model):
        with torch.no_grad():
            told = model(model.normalize(images / 255)).argmax(1)
        return {"accuracy": (told == labels).double().mean()}

    for seed in (0, 0, 1):
        model = ThreeColours()
        torch.rand(seed + len(weights))  # the process's random numbers play no part
        options = {"learning_rate": 0.02, "batch_size": 10, "seed": seed}
        history = train_classifier(
            *(model, images, labels, (12, 16), 40),
            **options,
            validate=validate,
            best=[("accuracy", "max"), ("loss", "min")],
        )
        assert validate(model)["accuracy"] == 1 and not model.training
        weights.append(fingerprint(model)), histories.append(without_seconds(history))
    columns = ["epoch", "loss", "learning_rate", "accuracy"]
    assert list(histories[0].columns) == columns and len(histories[0]) == 40
    assert histories[0]["accuracy"].iloc[0] < 1
    assert histories[0]["loss"].iloc[-1] < 0.5 * histories[0]["loss"].iloc[0]
    assert weights[0] == weights[1] != weights[2]
    pd.testing.assert_frame_equal(histories[0], histories[1], check_exact=True)


def test_the_whole_classifier_is_trained_and_the_best_is_kept(colours):
    images, labels = colours
    model, seen, tests = ThreeColours(), [], iter([3, 5, 1])
    before = model.features.weight.detach().clone()

    def validate(model):
        seen.append(fingerprint(model))
        return {"score": next(tests)}

    history = train_classifier(
        *(model, images, labels, (6, 8), 3), validate=validate, best=("score", "max")
    )
    assert history["score"].tolist() == [3, 5, 1]
    assert history["learning_rate"].iloc[0] == 2e-3
    assert fingerprint(model) == seen[1] != seen[2]
    assert not torch.equal(model.features.weight, before)
    with pytest.raises(ValueError, match="no column 'accuracy' to find the best by"):
        train_classifier(model, images, labels, (6, 8), 1, best=("accuracy", "max"))
