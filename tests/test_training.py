import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.training import (
    TensorBatches,
    fine_tune,
    fit,
    fit_head,
    load_checkpoint,
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


def test_fit_finds_a_line_and_keeps_history():
    x = torch.linspace(-1, 1, 32)[:, None]
    model = nn.Linear(1, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.2)
    history = fit(
        model, TensorBatches(x, 3 * x + 1, 8, seed=0), nn.functional.mse_loss, optimizer,
        epochs=60, validate=lambda m: {"slope": m.weight.item()},
    )  # fmt: skip
    assert list(history.columns) == ["epoch", "loss", "slope"]
    assert list(history["epoch"]) == list(range(1, 61))
    assert history["slope"].iloc[-1] == pytest.approx(3, abs=0.05)
    assert history["loss"].iloc[-1] < 1e-3 < history["loss"].iloc[0]
    assert not model.training


def test_fit_stops_when_the_loss_is_lost():
    x = torch.full((4, 1), float("nan"))
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    batches = TensorBatches(x, x, 4, seed=0)
    with pytest.raises(RuntimeError, match="loss is nan in epoch 1"):
        fit(model, batches, nn.functional.mse_loss, optimizer, epochs=2)


def test_batches_are_shuffled_anew_and_from_the_seed():
    def two_rounds(seed):
        batches = TensorBatches(torch.arange(10), torch.arange(10), 4, seed)
        return [torch.cat([x for x, _ in batches]).tolist() for _ in range(2)]

    first, second = two_rounds(0)
    assert sorted(first) == list(range(10)) and first != second
    assert two_rounds(0) == [first, second] != two_rounds(1)


def test_pooled_features_of_images_then_mirror_images(pictures):
    model = Tiny()
    paths, _ = pictures
    features = pooled_features(model, paths, size=16, batch_size=5, flip=True)
    assert features.shape == (24, 4)
    kernel = model.features.weight.detach().clone()
    model.features.weight.data = kernel.flip(3)  # mirrored filters see mirrored images
    mirrored = pooled_features(model, paths, size=16, batch_size=12)
    torch.testing.assert_close(mirrored, features[12:], rtol=1e-4, atol=1e-5)


def test_head_learns_and_the_backbone_stays(pictures):
    model, (paths, labels) = Tiny(), pictures
    before = model.features.weight.detach().clone()
    history = fit_head(model, paths, labels, 16, 200, 0.1, 0.0)
    assert torch.equal(model.features.weight, before)
    assert history["loss"].iloc[-1] < 0.1 < history["loss"].iloc[0]


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
