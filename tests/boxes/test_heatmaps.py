"""Many pictures at once: the maps and logits of each are those it has alone."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.boxes.maps import classify_images, explain_images
from wslib.cam import GradCAM
from wslib.data.images import resize_batch
from wslib.models.classifiers import Classifier

SIZE = (24, 40)


@pytest.fixture(scope="module")
def cam():
    """Three classes, the means of red, green and blue; the map is where each is."""
    layer = nn.Conv2d(3, 3, 5, padding=2, bias=False)
    head = nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 5, 5) / 25)
        head.weight.copy_(torch.eye(3))
    mean_std = (0.0,) * 3, (1.0,) * 3
    model = Classifier("colours", nn.Sequential(layer), head, mean_std).eval()
    return GradCAM(model, [model.target_layer])


@pytest.fixture(scope="module")
def images():
    """Seven dark pictures, 48 high and 64 wide, each with a patch of one colour."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(30, size=(7, 3, 48, 64), dtype=np.uint8))
    for i in range(7):
        images[i, i % 3, 30:44, 6 + 7 * i : 18 + 7 * i] = 255
    return images


def test_the_map_shows_where_the_class_is(cam, images):
    told = explain_images(cam, images, SIZE)
    assert told.maps.shape == (7, 48, 64) and told.maps.dtype == np.float32
    assert told.logits.shape == (7, 3) and told.logits.dtype == np.float32
    assert told.targets.dtype == np.int64
    assert told.classes.tolist() == told.targets.tolist() == [i % 3 for i in range(7)]
    for i, heatmap in enumerate(told.maps):
        assert 0 <= heatmap.min() < 0.2 and 0.9 < heatmap.max() <= 1
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        assert 30 <= y < 44 and 6 + 7 * i <= x < 18 + 7 * i


@pytest.mark.parametrize("size", [SIZE, (48, 64), (30, 30), (96, 128)])
def test_batches_are_pictures_one_by_one(cam, images, size):
    whole = explain_images(cam, images, size)
    for batch_size in (1, 3, 7):
        parts = explain_images(cam, images, size, batch_size)
        np.testing.assert_allclose(parts.maps, whole.maps, atol=1e-5)
        np.testing.assert_allclose(parts.logits, whole.logits, atol=1e-6)
        np.testing.assert_array_equal(parts.targets, whole.targets)
    for i in (0, 4):
        alone = explain_images(cam, images[i : i + 1], size)
        np.testing.assert_allclose(alone.maps[0], whole.maps[i], atol=1e-5)
        shown = cam.model.normalize(resize_batch(images[i : i + 1], size))
        np.testing.assert_allclose(alone.logits, cam.model(shown).detach(), atol=1e-6)


def test_at_their_own_size_the_maps_are_those_of_the_cam(cam, images):
    maps = cam(cam.model.normalize(images / 255))
    told = explain_images(cam, images, (48, 64), batch_size=2)
    np.testing.assert_allclose(told.maps, maps, atol=1e-6)


def test_the_class_that_is_asked_for_is_explained(cam, images):
    own = explain_images(cam, images, SIZE)
    for targets in ([2] * 7, np.full(7, 2), torch.full((7,), 2)):
        told = explain_images(cam, images, SIZE, batch_size=3, targets=targets)
        assert told.targets.tolist() == [2] * 7
        assert told.classes.tolist() == own.classes.tolist()  # what it says is the same
        np.testing.assert_array_equal(told.logits.argmax(1), own.classes)
        np.testing.assert_allclose(told.maps[2], own.maps[2], atol=1e-5)  # blue is top
        assert not np.allclose(told.maps[0], own.maps[0], atol=0.1)
    mixed = [0, 1, 2, 2, 1, 0, 0]
    one, other = (explain_images(cam, images, SIZE, b, mixed) for b in (2, 7))
    assert one.targets.tolist() == mixed
    np.testing.assert_allclose(one.maps, other.maps, atol=1e-5)


@pytest.mark.parametrize("count", [0, 5, 8])
def test_a_target_for_each_picture(cam, images, count):
    said = f"{count} targets for 7 images, expected one each"
    with pytest.raises(ValueError, match=said):
        explain_images(cam, images, SIZE, targets=[1] * count)


def test_wrong_targets_and_no_pictures(cam, images):
    with pytest.raises(ValueError, match="3"):
        explain_images(cam, images, SIZE, targets=[3] * 7)
    with pytest.raises(ValueError, match=r"shape \(0, 3, 48, 64\): expected \(N"):
        explain_images(cam, images[:0], SIZE)
    with pytest.raises(ValueError, match=r"shape \(0, 3, 48, 64\): expected \(N"):
        classify_images(cam.model, images[:0], SIZE)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_classifying_gives_the_same_logits(cam, images, batch_size):
    told = classify_images(cam.model, images, SIZE, batch_size)
    assert told.shape == (7, 3) and told.dtype == np.float32
    np.testing.assert_allclose(
        told, explain_images(cam, images, SIZE).logits, atol=1e-6
    )


def test_the_pictures_stay_as_they_are(cam, images):
    before = images.clone()
    explain_images(cam, images, SIZE), classify_images(cam.model, images, SIZE)
    assert torch.equal(images, before)
    assert all(p.grad is None for p in cam.model.parameters())


def test_mirrored_is_the_mean_of_both_looks_and_the_same_in_the_mirror(cam, images):
    told = explain_images(cam, images, SIZE, mirrored=True)
    flipped = explain_images(cam, images.flip(3), SIZE, mirrored=True)
    np.testing.assert_allclose(told.maps, flipped.maps[:, :, ::-1], atol=1e-5)
    np.testing.assert_allclose(told.logits, flipped.logits, atol=1e-5)
    targets = told.logits.argmax(1)
    np.testing.assert_array_equal(told.targets, targets)
    looks = [explain_images(cam, x, SIZE, 2, targets) for x in (images, images.flip(3))]
    mean = (looks[0].maps + looks[1].maps[:, :, ::-1]) / 2
    np.testing.assert_allclose(told.maps, mean, atol=1e-5)
    named = explain_images(cam, images, SIZE, targets=[2] * 7, mirrored=True)
    assert named.targets.tolist() == [2] * 7


@pytest.mark.parametrize("size", [(96, 128), (70, 150)])
def test_maps_that_shrink_are_means_of_all_their_places(cam, images, size):
    """As Pillow resizes them: a place that is skipped would be an alias."""
    large = cam(cam.model.normalize(resize_batch(images, size)))
    told = explain_images(cam, images, size)
    for found, heatmap in zip(told.maps, large, strict=True):
        whole = Image.fromarray(heatmap).resize((64, 48), Image.Resampling.BILINEAR)
        np.testing.assert_allclose(found, np.asarray(whole), atol=1e-5)
    assert told.maps.max() <= 1  # though sums of rounded weights may exceed it
