import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from wslib.models.heads import (
    logistic_regression,
    pooled_features,
    replace_head,
    softmax_regression,
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
    scaled = ((x - x.mean(0)) / (x.std(0) + 1e-2)).numpy()
    peer = LogisticRegression(C=1 / (0.1 * 60), tol=1e-8)  # of the mean over all 60
    peer.fit(scaled[1::2], y[1::2, 1].numpy())
    told = peer.decision_function(scaled)
    np.testing.assert_allclose(one(x)[:, 1].detach(), told, atol=2e-3)


def test_logistic_regression_needs_a_penalty():
    with pytest.raises(ValueError, match="penalty is 0"):
        logistic_regression(torch.zeros(4, 2), torch.zeros(4, 1), 0)


def test_pooled_features_of_images_then_mirror_images(red_and_green):
    model = Tiny()
    paths, _ = red_and_green
    features = pooled_features(model, paths, size=16, batch_size=5, flip=True)
    assert features.shape == (24, 4)
    kernel = model.features.weight.detach().clone()
    model.features.weight.data = kernel.flip(3)  # mirrored filters see mirrored images
    mirrored = pooled_features(model, paths, size=16, batch_size=12)
    torch.testing.assert_close(mirrored, features[12:], rtol=1e-4, atol=1e-5)


def test_heads_learn_and_the_backbone_stays(red_and_green):
    model, (paths, labels) = Tiny(), red_and_green
    before = model.features.weight.detach().clone()
    replace_head(model, paths, labels, 16, penalties=[1e-3, 1.0], batch_size=5)
    assert torch.equal(model.features.weight, before)
    with torch.no_grad():
        logits = model.head(pooled_features(model, paths, 16, 5))  # (12, 2 + 2)
    assert torch.equal(logits[:, :2] > 0, labels.bool())
    free, pressed = model.head.weight.detach().split(2)
    assert pressed.norm() < free.norm() / 2


def test_softmax_regression_agrees_with_scikit_learn():
    """A class of n rows weighs sqrt(n), not n."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 5, generator=generator) * torch.tensor([1, 2, 0.5, 1, 9.0])
    noise = torch.randn(200, generator=generator)
    classes = torch.bucketize(x[:, 0] + noise, torch.tensor([-1.5, 0.5]))
    penalty, counts = 0.02, torch.bincount(classes)
    head = softmax_regression(x, classes, 3, penalty)
    mean, std = x.mean(0), x.std(0) + 1e-2
    weights = dict(enumerate((1 / counts.sqrt()).tolist()))
    total = float(counts.sqrt().sum())
    peer = LogisticRegression(C=1 / (penalty * total), tol=1e-8, class_weight=weights)
    peer.fit(((x - mean) / std).numpy(), classes.numpy())
    likely = peer.predict_proba(((x - mean) / std).numpy())
    np.testing.assert_allclose(head(x).softmax(1).detach(), likely, atol=2e-3)


def test_softmax_regression_needs_rows_and_a_penalty():
    with pytest.raises(ValueError, match="softmax regression: no rows to fit to"):
        softmax_regression(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), 3, 1)
    with pytest.raises(ValueError, match="penalty is -1, expected a number above 0"):
        softmax_regression(torch.ones(2, 2), torch.tensor([0, 1]), 2, -1)
