import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from torch import nn

from wslib.training import (
    fine_tune,
    fit,
    fit_heads,
    load_checkpoint,
    logistic_regression,
    multilabel_loss,
    pooled_features,
    random_crop_and_flip,
    save_checkpoint,
)


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


@pytest.fixture
def pictures(tmp_path):
    """Twelve files, red ones (class 0) and green ones (class 1) by turns."""
    paths = []
    for i in range(12):
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[..., i % 2] = 200
        pixels[:, :10] = 90  # the left third differs, so that mirroring shows
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(pixels).save(paths[-1])
    labels = torch.tensor([[1, 0] if i % 2 == 0 else [0, 1] for i in range(12)])
    return paths, labels


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
    assert list(history.columns) == ["epoch", "loss", "slope"]
    assert list(history["epoch"]) == list(range(1, 61))
    assert history["slope"].iloc[-1] == pytest.approx(3, abs=0.05)
    assert history["loss"].iloc[-1] < 1e-3 < history["loss"].iloc[0]
    assert not model.training


def test_fit_stops_when_the_loss_is_lost():
    x, model = torch.full((4, 1), float("nan")), nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    with pytest.raises(RuntimeError, match="loss is nan in epoch 1"):
        fit(model, batches(x, x), nn.functional.mse_loss, optimizer, epochs=2)


def test_logistic_regression_agrees_with_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=generator) * torch.tensor([1, 2, 0.5, 1, 9.0])
    y = (x[:, :1] + torch.randn(200, 1, generator=generator) > 0.3).long()
    penalty = 0.02
    head = logistic_regression(x, y, penalty)
    mean, std = x.mean(0), x.std(0) + 1e-2
    peer = LogisticRegression(C=1 / (penalty * 200), tol=1e-8)
    peer.fit(((x - mean) / std).numpy(), y[:, 0].numpy())
    told = peer.decision_function(((x - mean) / std).numpy())
    np.testing.assert_allclose(head(x)[:, 0].detach(), told, atol=2e-3)


def test_logistic_regression_passes_over_unknown_labels():
    x = torch.randn(60, 3, generator=torch.Generator().manual_seed(1))
    y = torch.stack([x[:, 0] > 0, x[:, 1] > 0], 1).long()
    some = y.clone()
    some[::2, 1] = -1
    one, two = logistic_regression(x, some, 0.1), logistic_regression(x, y, 0.1)
    assert torch.allclose(one.weight[0], two.weight[0], atol=2e-3)
    assert not torch.allclose(one.weight[1], two.weight[1], atol=2e-2)


def test_logistic_regression_needs_a_penalty():
    with pytest.raises(ValueError, match="penalty is 0"):
        logistic_regression(torch.zeros(4, 2), torch.zeros(4, 1), 0)


def test_pooled_features_of_images_then_mirror_images(pictures):
    model = Tiny()
    paths, _ = pictures
    features = pooled_features(model, paths, size=16, batch_size=5, flip=True)
    assert features.shape == (24, 4)
    kernel = model.features.weight.detach().clone()
    model.features.weight.data = kernel.flip(3)  # mirrored filters see mirrored images
    mirrored = pooled_features(model, paths, size=16, batch_size=12)
    torch.testing.assert_close(mirrored, features[12:], rtol=1e-4, atol=1e-5)


def test_heads_learn_and_the_backbone_stays(pictures):
    model, (paths, labels) = Tiny(), pictures
    before = model.features.weight.detach().clone()
    fit_heads(model, paths, labels, 16, penalties=[1e-3, 1.0], batch_size=5)
    assert torch.equal(model.features.weight, before)
    with torch.no_grad():
        logits = model.head(pooled_features(model, paths, 16, 5))  # (12, 2 + 2)
    assert torch.equal(logits[:, :2] > 0, labels.bool())
    free, pressed = model.head.weight.detach().split(2)
    assert pressed.norm() < free.norm() / 2


def test_fine_tuning_trains_all_and_repeats_with_its_seed(pictures):
    paths, labels = pictures
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


def test_checkpoint_round_trip_and_errors(tmp_path):
    model, file = Tiny(), tmp_path / "models" / "tiny.pt"
    save_checkpoint(file, model, name="tiny", classes=["red", "green"])
    other = Tiny()
    nn.init.zeros_(other.head.weight)
    about = load_checkpoint(file, other)
    assert about == {"name": "tiny", "classes": ["red", "green"]}
    assert torch.equal(other.head.weight, model.head.weight)
    assert not list(file.parent.glob("*.tmp"))
    with pytest.raises(FileNotFoundError, match="none.pt: no such checkpoint"):
        load_checkpoint(tmp_path / "none.pt", other)
    with pytest.raises(ValueError, match="tiny.pt: no checkpoint of this network"):
        load_checkpoint(file, nn.Linear(2, 2))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match="tiny.pt: no checkpoint of this network"):
        load_checkpoint(file, other)
