"""WSDDN on regions where it is known which box holds what."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from wslib.boxes.boxes import to_voc
from wslib.boxes.nms import nms
from wslib.models.checkpoints import fingerprint
from wslib.models.wsddn import WSDDN, image_loss, spatial_regulariser
from wslib.weak.proposal_features import ProposalFeatures
from wslib.weak.wsddn_training import (
    detect_proposals,
    measure_images,
    proposal_batches,
    score_proposals,
    train_wsddn,
)

COUNT, P, D = 30, 6, 5
CLASSES = ("cat", "dog")
SIZE = np.array([200, 100])


def objects(seed=0) -> tuple[ProposalFeatures, torch.Tensor, np.ndarray]:
    """Regions of 30 images, their labels, and (N, 2) which box holds each class, or -1.

    A box that holds class c has 1 in number c where its surroundings have 0; in a part
    of it, and in all of its surroundings, there is more of the same. The last box of
    every third image only fills up.
    """
    rng = np.random.default_rng(seed)
    features = 0.05 * rng.standard_normal((COUNT, P, 2, D))
    low = rng.integers(0, 50, (COUNT, P, 2))
    boxes = np.concatenate([low, low + rng.integers(10, 50, (COUNT, P, 2))], 2)
    real = np.ones((COUNT, P), bool)
    real[::3, -1] = False
    labels, which = np.zeros((COUNT, 2), int), np.full((COUNT, 2), -1)
    for k in range(COUNT):
        labels[k] = k % 2, k // 2 % 2
        for c, (whole, part) in enumerate(rng.permutation(4).reshape(2, 2)):
            if labels[k, c]:
                which[k, c] = whole
                features[k, whole, 0, c] += 1
                features[k, part, :, c] += 1
    features = features.reshape(COUNT, P, 2 * D)
    features[~real], boxes[~real] = 0, 0
    views = np.stack([features, features + 0.01 * real[..., None]]).astype(np.float16)
    ids = [f"im{k}" for k in range(COUNT)]
    sizes = np.tile(SIZE, (COUNT, 1))
    regions = ProposalFeatures(ids, sizes, boxes.astype(np.float32), real, views)
    return regions, torch.from_numpy(labels), which


def train(model, regions, labels, epochs=3, **options) -> pd.DataFrame:
    return train_wsddn(model, regions, labels, epochs, 0.05, batch_size=8, **options)


@pytest.fixture(scope="module")
def trained() -> WSDDN:
    regions, labels, _ = objects()
    model = WSDDN(D, 2)
    train(model, regions, labels, 25)
    return model


# Batches


def test_each_image_once_with_what_its_loss_needs():
    regions, _, _ = objects()
    labels = torch.arange(COUNT)[:, None].expand(COUNT, 2)
    batches = proposal_batches(regions, labels, 8, seed=3)
    seen, mirrored = [], 0
    for _ in range(2):
        rows = []
        for batch, (of, boxes) in batches:
            picked = of[:, 0].tolist()
            rows += picked
            assert torch.equal(boxes, regions.ratios(picked))
            assert torch.equal(batch.real, torch.from_numpy(regions.real[picked]))
            for values, row in zip(batch.features, picked, strict=True):
                views = [regions.batch([row], v).features[0] for v in range(2)]
                found = [torch.equal(values, view) for view in views]
                assert found[0] != found[1]
                mirrored += found[1]
        assert sorted(rows) == list(range(COUNT))
        seen.append(rows)
    assert seen[0] != seen[1] and seen[0] != sorted(seen[0])
    assert 15 < mirrored < 45  # of 60


def test_labels_for_each_image():
    regions, labels, _ = objects()
    expected = "29 labels for 30 images, expected one each"
    with pytest.raises(ValueError, match=expected):
        proposal_batches(regions, labels[1:], 8, seed=0)
    model = WSDDN(D, 2)
    with pytest.raises(ValueError, match=expected):
        train(model, regions, labels[1:])


# Training


def test_the_best_box_of_a_class_is_the_one_that_holds_it(trained):
    regions, labels, which = objects(seed=8)  # images that it has not seen
    scores = score_proposals(trained, regions)
    assert scores.shape == (COUNT, P, 2) and scores.dtype == np.float32
    present = labels.numpy() == 1
    assert (scores.argmax(1)[present] == which[present]).all()
    assert measure_images(scores, labels.numpy())["mAP"] > 95
    assert (scores[~regions.real] == 0).all()


def test_without_contrast_a_part_is_as_good_as_the_whole():
    """That is what the contrast is for."""
    regions, labels, which = objects()
    model = WSDDN(D, 2, contrast=False)
    train(model, regions, labels, 25)
    present = labels.numpy() == 1
    best = score_proposals(model, regions).argmax(1)[present]
    right = (best == which[present]).mean()
    assert 0.2 < right < 0.8


def test_training_lowers_the_loss_and_repeats_with_its_seed():
    regions, labels, _ = objects()
    models, told = [WSDDN(D, 2) for _ in range(3)], []
    for model, seed in zip(models, (4, 4, 5), strict=True):
        torch.rand(1)
        history = train(model, regions, labels, 4, seed=seed, on_epoch=told.append)
    assert list(history["epoch"]) == [1, 2, 3, 4] and len(told) == 12
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert history["learning_rate"].iloc[0] == pytest.approx(0.05)
    assert fingerprint(models[0]) == fingerprint(models[1])
    assert fingerprint(models[0]) != fingerprint(models[2])
    assert not model.training


def test_a_weight_decay_makes_smaller_weights():
    regions, labels, _ = objects()
    sizes = []
    for decay in (0.0, 5.0):
        model = WSDDN(D, 2)
        train(model, regions, labels, 5, weight_decay=decay)
        sizes.append(model.classify.weight.norm().item())
    assert sizes[1] < 0.7 * sizes[0]


def test_the_features_are_standardised_before():
    regions, labels, _ = objects()
    regions.features[:] = 10 * regions.features + 3
    model = WSDDN(D, 2)
    train(model, regions, labels, 1)
    boxes = regions.features[0, ..., :D][regions.real].astype(np.float32)
    np.testing.assert_allclose(model.mean, boxes.mean(0), rtol=1e-3)
    np.testing.assert_allclose(model.std, boxes.std(0) + 0.01, rtol=0.01)


def test_the_loss_of_the_first_epoch():
    """One batch of all images, no step before it: the numbers of the formulas."""
    regions, labels, _ = objects()
    regions.features[1] = regions.features[0]
    regions.boxes[:, 2:4] = regions.boxes[:, :1]  # so that some overlap the best one
    torch.manual_seed(0)
    model = WSDDN(D, 2, hidden=3)
    model.standardise(regions.batch(range(COUNT)))
    scored = model(regions.batch(range(COUNT)))
    first = image_loss(scored, labels)
    boxes = regions.ratios(range(COUNT))
    second = spatial_regulariser(scored, labels, boxes)
    assert second > 0
    for spatial in (0.0, 3.0):
        torch.manual_seed(0)
        again = WSDDN(D, 2, hidden=3)
        history = train_wsddn(
            again, regions, labels, 1, batch_size=COUNT, spatial=spatial
        )
        expected = (first + spatial * second).item()
        assert history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_the_regulariser_needs_a_layer_of_its_own(tmp_path):
    regions, labels, _ = objects()
    with pytest.raises(ValueError, match="spatial is 0.5, but without a hidden") as e:
        train(WSDDN(D, 2), regions, labels, spatial=0.5, keep=tmp_path / "run")
    assert "\n" not in str(e.value) and not (tmp_path / "run").exists()
    history = train(WSDDN(D, 2, hidden=4), regions, labels, spatial=0.5)
    assert len(history) == 3


def test_resumed_as_if_it_had_never_stopped(tmp_path):
    regions, labels, _ = objects()

    def made(seed=0):
        torch.manual_seed(seed)
        return WSDDN(D, 2, hidden=4)

    def score(model):
        return {"highest": score_proposals(model, regions).max()}

    whole = made()
    expected = train(whole, regions, labels, 4, spatial=0.1, validate=score)

    def stop(row):
        if row["epoch"] == 2:
            raise RuntimeError("stopped")

    options = {"spatial": 0.1, "validate": score, "keep": tmp_path / "run"}
    with pytest.raises(RuntimeError, match="stopped"):
        train(made(), regions, labels, 4, on_epoch=stop, **options)
    torch.rand(3)  # another process has other random numbers
    resumed = made(seed=7)
    history = train(resumed, regions, labels, 4, **options)
    pd.testing.assert_frame_equal(
        history.drop(columns="seconds"),
        expected.drop(columns="seconds"),
        check_exact=True,
    )
    assert fingerprint(resumed) == fingerprint(whole)
    with pytest.raises(ValueError, match="another run, with spatial 0.1, not 0.2"):
        train(made(), regions, labels, 4, **options | {"spatial": 0.2})
    with pytest.raises(ValueError, match="another run, with seed 0, not 1"):
        train(made(), regions, labels, 4, **options, seed=1)
    with pytest.raises(ValueError, match="another run, with batch_size 8, not 16"):
        train_wsddn(made(), regions, labels, 4, 0.05, **options)


# What it detects


def test_scores_are_those_of_the_model(trained):
    regions, _, _ = objects(seed=8)
    with torch.no_grad():
        views = [trained(regions.batch(range(COUNT), v)).proposals for v in range(2)]
    straight = score_proposals(trained.train(), regions, flip=False)
    np.testing.assert_allclose(straight, views[0], rtol=1e-5, atol=1e-7)
    both = score_proposals(trained, regions, batch_size=7)
    np.testing.assert_allclose(both, (views[0] + views[1]) / 2, rtol=1e-5, atol=1e-7)
    assert not trained.training and not np.allclose(straight, both)
    alone = score_proposals(trained, regions, batch_size=1)
    np.testing.assert_allclose(alone, both, rtol=1e-5, atol=1e-7)


def by_hand() -> tuple[ProposalFeatures, np.ndarray]:
    boxes = np.zeros((2, 4, 4), np.float32)
    boxes[0, :3] = [[0, 0, 10, 10], [0, 0, 10, 8], [50, 20, 60, 40]]
    boxes[1, :1] = [[5, 6, 7, 9]]
    real = np.array([[True, True, True, False], [True, False, False, False]])
    scores = np.zeros((2, 4, 2), np.float32)
    scores[0, :3] = [[0.5, 0.0], [0.25, 0.75], [0.75, 1e-9]]
    scores[1, 0] = 0.125, 0
    regions = ProposalFeatures(["a", "b"], np.tile(SIZE, (2, 1)), boxes, real, None)
    return regions, scores


def test_detections_by_hand():
    found = detect_proposals(*by_hand(), CLASSES)
    assert list(found) == ["cat", "dog"] and list(found["cat"]) == ["a", "b"]
    cats, dogs = found["cat"]["a"], found["dog"]["a"]  # VOC corners, best first
    assert cats.tolist() == [[51, 21, 60, 40, 0.75], [1, 1, 10, 10, 0.5]]
    assert dogs[:, :4].tolist() == [[1, 1, 10, 8], [51, 21, 60, 40]]
    assert dogs[:, 4].tolist() == pytest.approx([0.75, 1e-9])  # no score is too low
    assert found["cat"]["b"].tolist() == [[6, 7, 7, 9, 0.125]]
    assert found["dog"]["b"].tolist() == [[6, 7, 7, 9, 0]]
    loose = detect_proposals(*by_hand(), CLASSES, iou_threshold=0.8)  # equal: it stays
    assert len(loose["cat"]["a"]) == 3
    assert (np.diff(loose["cat"]["a"][:, 4]) < 0).all()


@pytest.mark.parametrize("threshold", [0.2, 0.4])
def test_detections_are_those_of_nms_for_each_class(threshold):
    regions, _, _ = objects()
    scores = np.random.default_rng(0).integers(0, 5, (COUNT, P, 2)) / 4
    scores = scores.astype(np.float32)  # many ties
    found = detect_proposals(regions, scores, CLASSES, threshold)
    for c, name in enumerate(CLASSES):
        for k, image_id in enumerate(regions.ids):
            real = regions.real[k]
            boxes, of = regions.boxes[k, real], scores[k, real, c]
            keep = nms(torch.from_numpy(boxes), torch.from_numpy(of), threshold)
            expected = to_voc(np.column_stack([boxes, of])[keep.numpy()])
            np.testing.assert_array_equal(found[name][image_id], expected)


def test_detections_do_not_change_the_regions():
    regions, scores = by_hand()
    before = regions.boxes.copy()
    detect_proposals(regions, scores, CLASSES)
    np.testing.assert_array_equal(regions.boxes, before)


@pytest.mark.parametrize("shape", [(2, 4, 3), (2, 3, 2), (1, 4, 2), (2, 4)])
def test_scores_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"expected \(2, 4, 2\)") as error:
        detect_proposals(by_hand()[0], np.zeros(shape, np.float32), CLASSES)
    assert "\n" not in str(error.value)


def test_what_is_measured():
    labels = np.array([[1, 0], [0, 1], [1, -1]])
    scores = np.zeros((3, 2, 2), np.float32)
    scores[:, 0] = [[0.5, 0.25], [0.5, 0.25], [0.1, 0.9]]
    scores[:, 1] = [[0.3, 0.0], [0.0, 0.25], [0.1, 0.8]]
    found = measure_images(scores, labels)
    assert found["mAP"] == pytest.approx(100 * ((1 + 2 / 3) / 2 + 1) / 2)
    likely = [0.8, 0.75, 0.5, 0.5, 0.2]  # of what is known, in the images' order
    assert found["val_loss"] == pytest.approx(-np.log(likely).sum() / 3, rel=1e-5)
    scores[0, :, 0] = 0.75  # a sum that is above 1 by rounding, or more
    assert np.isfinite(measure_images(scores, labels)["val_loss"])
