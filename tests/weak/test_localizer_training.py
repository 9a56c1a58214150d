"""Localizers on maps where it is known what is where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from wslib.models.checkpoints import fingerprint
from wslib.models.features import FeatureMaps
from wslib.models.localizers import POOLINGS, Localizer, framed
from wslib.models.two_heads import Maps
from wslib.weak.localizer_training import (
    LocalizerOutput,
    localisation_scores,
    localizer_batches,
    locate,
    map_thresholds,
    train_localizer,
)

CORNERS = [(2, 2), (2, 9), (8, 2), (8, 9)]  # (y, x) of the middle of a lit square
COUNT, H, W = 24, 11, 12
RATE = 3e-3


def corners(seed=0) -> tuple[FeatureMaps, torch.Tensor, np.ndarray]:
    """Maps of 24 images with noise, their labels and (N, 2) where each class is, or -1.

    Of class c, channel 2 + c is lit in one corner; channels 0 and 1 are not read.
    """
    rng = np.random.default_rng(seed)
    values = 0.1 * rng.random((COUNT, 4, H, W))
    values[:, :2] = 100
    labels = np.zeros((COUNT, 2), int)
    where = np.full((COUNT, 2), -1)
    for k in range(COUNT):
        labels[k] = k % 2, k // 2 % 2
        for c, corner in enumerate(rng.permutation(4)[:2]):
            if labels[k, c]:
                (y, x), where[k, c] = CORNERS[corner], corner
                values[k, 2 + c, y - 1 : y + 2, x - 1 : x + 2] += 1
    values = np.stack([values, values[..., ::-1]]).astype(np.float16)
    sizes = np.tile([[120, 110]], (COUNT, 1))
    maps = FeatureMaps([str(k) for k in range(COUNT)], sizes, values, "none")
    return maps, torch.from_numpy(labels), where


def localizer_of(pooling="max", seed=0) -> Localizer:
    torch.manual_seed(seed)
    return Localizer(nn.Identity(), 2, 2, pooling).eval()


def mirror(maps: FeatureMaps) -> FeatureMaps:
    """The same maps of the mirror images of all images."""
    return FeatureMaps(maps.ids, maps.sizes, maps.values[::-1].copy(), "mirror")


def train(localizer, maps, labels, epochs=3, **options) -> pd.DataFrame:
    batches = localizer_batches(localizer, maps, labels, 8, seed=1)
    return train_localizer(localizer, batches, epochs, RATE, **options)


@pytest.fixture(scope="module")
def trained():
    maps, labels, where = corners()
    localizers = {}
    for pooling in POOLINGS:
        localizers[pooling] = localizer_of(pooling)
        train(localizers[pooling], maps, labels, epochs=12)
    return localizers


# Batches


def test_each_image_once_with_its_own_labels():
    maps, labels, _ = corners()
    labels = torch.stack([torch.arange(COUNT), torch.arange(COUNT)], 1)
    batches = localizer_batches(localizer_of(), maps, labels, 10, seed=3)
    seen, mirrored = [], 0
    for _ in range(2):
        rows = []
        for given, of in batches:
            assert isinstance(given, Maps) and given.values.dtype == torch.float32
            assert given.values.shape == (len(of), 2, H, W) and len(of) in (10, 4)
            for values, row in zip(given.values, of[:, 0].tolist(), strict=True):
                views = [maps.batch([row], view, 2)[0] for view in range(2)]
                found = [torch.equal(values, view) for view in views]
                assert any(found)
                mirrored += found[1]
                rows.append(row)
        assert sorted(rows) == list(range(COUNT))
        seen.append(rows)
    assert seen[0] != seen[1] and seen[0] != sorted(seen[0])
    assert 12 < mirrored < 36  # of 48


def test_the_seed_says_which_batches():
    maps, labels, _ = corners()

    def drawn(seed):
        batches = localizer_batches(localizer_of(), maps, labels, 8, seed)
        return torch.cat([given.values for given, _ in batches])

    torch.manual_seed(1)
    one = drawn(5)
    torch.manual_seed(2)
    assert torch.equal(drawn(5), one) and not torch.equal(drawn(6), one)


def test_labels_for_each_image():
    maps, labels, _ = corners()
    with pytest.raises(ValueError, match="23 labels for 24 images, expected one each"):
        localizer_batches(localizer_of(), maps, labels[1:], 8, seed=0)


# Training


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_peak_of_the_map_is_where_the_class_is(trained, pooling):
    maps, labels, where = corners(seed=9)  # images that it has not seen
    located = locate(trained[pooling], maps)
    measured = located.measure(labels.numpy())
    assert measured["mAP"] == 100 and measured["recall"] > 90
    for c in range(2):
        class_maps = located.class_maps(c)
        assert class_maps.target == c and class_maps.raw.shape == (COUNT, H, W)
        peaks = class_maps.peaks()
        for k in np.flatnonzero(labels[:, c].numpy()):
            y, x = CORNERS[where[k, c]]  # places of 10 x 10 pixels
            found = peaks[str(k)]
            assert abs(found[0] - 10 * x - 5) < 30 and abs(found[1] - 10 * y - 5) < 30


@pytest.mark.parametrize("pooling", POOLINGS)
def test_training_lowers_the_loss_and_only_trains_the_head(pooling):
    maps, labels, _ = corners()
    localizer = localizer_of(pooling)
    torch.manual_seed(0)
    localizer.features = nn.Conv2d(2, 2, 1).requires_grad_(False)
    before = localizer.features.weight.clone()
    rows, steps = [], []
    told = {"on_epoch": rows.append, "on_step": lambda loss, *_: steps.append(loss)}
    history = train(localizer, maps, labels, 6, **told)
    assert list(history["epoch"]) == list(range(1, 7)) and len(rows) == 6
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    means = np.reshape(steps, (6, 3)).mean(1)  # three batches of eight
    np.testing.assert_allclose(history["loss"], means, rtol=1e-5)
    assert history["learning_rate"].iloc[0] == pytest.approx(RATE)
    assert torch.equal(localizer.features.weight, before)
    assert not localizer.training


class Number(nn.Module):
    """One weight, which is the logit of each image."""

    pooling = "max"

    def __init__(self):
        super().__init__()
        self.w, self.fixed = (nn.Parameter(torch.ones(1, 1)) for _ in range(2))
        self.fixed.requires_grad_(False)

    def forward(self, images):
        return images * self.fixed + self.w


BATCH = [(torch.zeros(1, 1), torch.zeros(1, 1))]


def test_two_steps_of_the_course_by_hand():
    """SGD with momentum (Krizhevsky et al. 2012, section 5), at the same rate."""
    w, v = 1.0, 0.0
    for _ in range(2):
        v = 0.9 * v + 1 / (1 + np.exp(-w)) + 5e-4 * w
        w -= 0.1 * v
    model = Number()
    history = train_localizer(model, BATCH, 2, 0.1, "sgd")
    assert model.w.item() == pytest.approx(w, abs=1e-6) and model.fixed.item() == 1
    assert history["learning_rate"].tolist() == [0.1, 0.1]
    text = "^optimizer 'adam', expected one of adamw, sgd$"
    with pytest.raises(ValueError, match=text):
        train_localizer(model, BATCH, 2, 0.1, "adam")


def test_two_steps_by_hand():
    """AdamW (Loshchilov & Hutter 2019, algorithm 2) along half a cosine."""
    w, m, v, losses = 1.0, 0.0, 0.0, []
    for step in range(2):
        rate = 0.1 * (1 + np.cos(np.pi * step / 2)) / 2
        losses.append(np.log1p(np.exp(w)))
        gradient = 1 / (1 + np.exp(-w))
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        unbiased = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
        w -= rate * (unbiased[0] / unbiased[1] ** 0.5 + 0.01 * w)
    model, told = Number(), []
    told_of = {"on_step": lambda loss, *_: told.append(float(loss))}
    history = train_localizer(model, BATCH, 2, 0.1, **told_of)
    assert model.w.item() == pytest.approx(w, abs=1e-5) and model.fixed.item() == 1
    assert told == pytest.approx(losses, abs=1e-5)
    assert list(history["loss"]) == pytest.approx(losses, abs=1e-5)


def test_unknown_labels_teach_nothing():
    maps, labels, _ = corners()
    one, other = localizer_of(), localizer_of()
    unknown = labels.clone()
    unknown[:, 1] = -1
    train(one, maps, unknown, 1)
    last, first = one.head[-1].bias, other.head[-1].bias
    assert last[1] == first[1] == 0 and last[0] != 0


def test_resumed_as_if_it_had_never_stopped(tmp_path):
    maps, labels, _ = corners()

    def score(model):
        return locate(model, maps).measure(labels.numpy())

    whole = localizer_of("logsumexp")
    expected = train(whole, maps, labels, 4, validate=score)
    assert {"mAP", "recall", "val_loss"} <= set(expected.columns)

    def stop(row):
        if row["epoch"] == 2:
            raise RuntimeError("stopped")

    options = {"validate": score, "keep": tmp_path / "run", "about": {"data": "here"}}
    with pytest.raises(RuntimeError, match="stopped"):
        train(localizer_of("logsumexp"), maps, labels, 4, on_epoch=stop, **options)
    torch.rand(3)  # another process has other random numbers
    resumed, told = localizer_of("logsumexp", seed=5), []
    history = train(resumed, maps, labels, 4, on_epoch=told.append, **options)
    assert [row["epoch"] for row in told] == [1, 2, 3, 4]
    pd.testing.assert_frame_equal(
        history.drop(columns="seconds"),
        expected.drop(columns="seconds"),
        check_exact=True,
    )
    assert fingerprint(resumed) == fingerprint(whole)
    with pytest.raises(
        ValueError, match="another run, with pooling logsumexp, not max"
    ):
        train(localizer_of("max"), maps, labels, 4, **options)
    with pytest.raises(ValueError, match="another run, with data here, not None"):
        train(resumed, maps, labels, 4, keep=tmp_path / "run")


# What it sees in others


@pytest.mark.parametrize("pooling", POOLINGS)
def test_of_mirror_images_the_mirror_is_seen(trained, pooling):
    maps, _, _ = corners(seed=4)
    one, other = (locate(trained[pooling], m) for m in (maps, mirror(maps)))
    np.testing.assert_allclose(other.logits, one.logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        other.places, one.places[..., ::-1], rtol=1e-3, atol=0.01
    )
    straight = locate(trained[pooling], maps, flip=False)
    assert not np.allclose(straight.places, one.places, atol=0.01)
    again = locate(trained[pooling], mirror(maps), flip=False)
    means = (straight.places.astype(float) + again.places[..., ::-1]) / 2
    np.testing.assert_allclose(one.places, means, rtol=2e-3, atol=0.02)
    means = (straight.logits + again.logits) / 2
    np.testing.assert_allclose(one.logits, means, rtol=1e-5, atol=1e-5)


def test_what_is_located_is_what_the_localizer_says(trained):
    maps, _, _ = corners(seed=4)
    localizer = trained["max"]
    located = locate(localizer, maps, flip=False, batch_size=7)
    with torch.no_grad():
        given = Maps(maps.batch(range(COUNT)))
        logits, places = localizer(given), framed(localizer.places(given))
    assert located.ids == maps.ids
    np.testing.assert_array_equal(located.sizes, maps.sizes)
    assert located.logits.dtype == np.float32 and located.places.dtype == np.float16
    assert located.places.shape == (COUNT, 2, H, W)
    np.testing.assert_allclose(located.logits, logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(located.places, places, rtol=1e-3, atol=5e-3)
    for size in (1, 24, 100):
        again = locate(localizer, maps, batch_size=size, flip=False)
        np.testing.assert_allclose(again.logits, logits, rtol=1e-5, atol=1e-5)


def located_by_hand() -> LocalizerOutput:
    logits = np.array([[0, 2], [-3, np.log(3)], [1, -1]], np.float32)
    places = np.arange(3 * 2 * 2 * 2).reshape(3, 2, 2, 2).astype(np.float16) - 20
    places[1, 1] = 7
    return LocalizerOutput(
        ["a", "b", "c"], np.array([[2, 2], [4, 6], [3, 3]]), logits, places
    )


def test_numbers_of_what_is_located():
    located = located_by_hand()
    assert located.probabilities[0, 0] == 0.5
    assert located.probabilities[1, 1] == pytest.approx(0.75)
    maps = located.class_maps(1)
    assert maps.raw.dtype == np.float32 and maps.raw[0].tolist() == [[0, 1], [2, 3]]
    assert (maps.raw[1] == 0).all()  # nothing stands out
    assert maps.scores[1] == pytest.approx(0.75)
    some = located.take([2, 0])
    assert some.ids == ["c", "a"] and some.sizes.tolist() == [[3, 3], [2, 2]]
    assert some.logits.tolist() == located.logits[[2, 0]].tolist()
    assert (some.places == located.places[[2, 0]]).all()


def test_what_is_measured():
    labels = np.array([[1, 1], [0, -1], [0, 1]])
    measured = located_by_hand().measure(labels)
    assert measured["mAP"] == pytest.approx(100 * (1 / 2 + 1) / 2)
    assert measured["recall"] == pytest.approx(100 * (1 + 1 / 2) / 2)  # 0.5 counts
    losses = [np.log(2), np.log1p(np.exp(-2)), np.log1p(np.exp(-3))]
    losses += [np.log1p(np.exp(1)), np.log1p(np.exp(1))]
    assert measured["val_loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def lit_at(*where: tuple[int, int]) -> np.ndarray:
    """A map of 4 x 6 places, each of which is 10 x 10 pixels, lit at (y, x)."""
    places = np.full((4, 6), -5.0)
    for place in where:
        places[place] = 3.0
    return places


def test_localisation_scores_by_hand():
    """A cat where the map is lit, a dog elsewhere; no bird anywhere."""
    cat = lit_at((1, 1), (1, 2), (2, 1), (2, 2))
    dog = lit_at((0, 0))
    places = np.stack([np.stack([cat, dog, cat]), np.stack([dog, dog, dog])])
    sizes = np.array([[60, 40], [60, 40]])
    located = LocalizerOutput(
        ["a", "b"], sizes, np.zeros((2, 3), np.float32), places.astype(np.float16)
    )
    none = np.zeros((0, 5))
    truths = {
        "cat": {"a": np.array([[11, 11, 30, 30, 0]]), "b": none},  # VOC corners
        "dog": {"a": none, "b": np.array([[41, 21, 60, 40, 0]])},
        "bird": {"a": none, "b": none},
    }
    scores = localisation_scores(located, truths, [0.3, 0.5])
    names = ["MaxBoxAccV2", "pointing game", "covered", "inside"]
    assert list(scores) == names and scores["pointing game"] == 50
    assert 0 < scores["MaxBoxAccV2"] <= 50
    alone = localisation_scores(located, {"cat": truths["cat"]}, [0.3, 0.5])
    assert 80 < alone["covered"] < 100  # all but its corners
    assert scores["covered"] == pytest.approx(alone["covered"] / 2)
    assert scores["inside"] == pytest.approx(alone["inside"] / 2)


def test_what_the_map_covers_and_what_is_beside():
    """Lit is the left half of the image; boxes that overlap count once."""
    places = lit_at(*((y, x) for y in range(4) for x in range(3)))[None, None]
    located = LocalizerOutput(
        ["a"], np.array([[60, 40]]), np.zeros((1, 1), np.float32), places
    )

    def lit(*boxes):
        truth = {"cat": {"a": np.array(boxes, float)}}
        scores = localisation_scores(located, truth, [0.5])
        return scores["covered"], scores["inside"]

    whole = [1, 1, 60, 40]
    assert lit(whole) == pytest.approx((50, 100))
    assert lit(whole, [1, 1, 20, 10]) == pytest.approx((50, 100))
    assert lit([1, 1, 60, 20]) == pytest.approx((50, 50))
    assert lit([41, 1, 60, 40]) == pytest.approx((0, 0))


def located_at(*classes: np.ndarray) -> LocalizerOutput:
    """Of one image of 60 x 40 pixels, a map for each class."""
    places, n = np.stack(classes)[None].astype(np.float16), len(classes)
    return LocalizerOutput(
        ["a"], np.array([[60, 40]]), np.zeros((1, n), np.float32), places
    )


def test_each_class_is_looked_for_in_its_own_map():
    left = lit_at((1, 1), (1, 2), (2, 1), (2, 2))
    right = lit_at((2, 4), (2, 5), (3, 4), (3, 5))
    box, other = [11, 11, 30, 30], [41, 21, 60, 40]  # VOC corners
    truths = {"cat": box, "bird": None, "cow": box, "dog": other}
    truths = {
        name: {"a": np.array([box] if box else np.zeros((0, 4)), float)}
        for name, box in truths.items()
    }
    scores = localisation_scores(located_at(left, right, left, right), truths, [0.3])
    swapped = localisation_scores(located_at(right, left, left, left), truths, [0.3])
    assert scores["pointing game"] == 100 and scores["covered"] > 80
    assert swapped["pointing game"] == pytest.approx(100 / 3)
    assert swapped["covered"] < 33


def test_a_map_that_is_the_same_everywhere_shows_nothing():
    truths = {"cat": {"a": np.array([[11.0, 11, 30, 30]])}}
    with np.errstate(all="raise"):
        scores = localisation_scores(located_at(lit_at()), truths, [0.5])
    assert scores["covered"] == scores["inside"] == scores["pointing game"] == 0


def test_the_lesser_of_two_lit_places_is_found_too():
    lit = lit_at((0, 0), (0, 1), (1, 0), (1, 1), (2, 3), (2, 4), (2, 5), (3, 4), (3, 5))
    for box in ([1, 1, 20, 20], [39, 21, 60, 40]):
        truth = {"cat": {"a": np.array([box], float)}}
        scores = localisation_scores(located_at(lit), truth, [0.5])
        assert scores["MaxBoxAccV2"] >= 200 / 3  # at IoU 0.3 and 0.5


def test_thresholds_are_those_of_the_best_boxes():
    """A map with a bright core on a half-lit object: the lower level has all of it."""
    places = np.zeros((4, 6), np.float16)
    places[1:3, 1:5], places[1:3, 2:4] = 0.6, 1.0
    located = LocalizerOutput(
        ["a", "b"],
        np.array([[60, 40], [60, 40]]),
        np.zeros((2, 2), np.float32),
        np.stack([[places, places], [places.T.reshape(4, 6), places]]),
    )
    nobody = np.zeros((0, 5))
    truths = {
        "cat": {"a": np.array([[11.0, 11, 50, 30, 0]]), "b": nobody},
        "core": {"a": nobody, "b": np.array([[21.0, 13, 40, 28, 0]])},
    }
    chosen = map_thresholds(located, truths, [0.4, 0.75])
    assert chosen == {"cat": 0.4, "core": 0.75}
    truths["core"] = {"a": nobody, "b": nobody}
    assert map_thresholds(located, truths, [0.4, 0.75]) == {"cat": 0.4}
