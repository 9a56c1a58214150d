"""Masks by colour: they grow from the map to the edges of the object."""

import numpy as np
import pytest

from wslib.boxes.grabcut import grabcut
from wslib.boxes.maps import ClassMaps, detect_masks


@pytest.fixture
def scene():
    """A red block on noise, 90 x 60, and a map that points at its middle."""
    rng = np.random.default_rng(0)
    image = rng.integers(90, 130, (60, 90, 3)).astype(np.uint8)
    image[10:40, 20:70] = (200, 30, 30)
    rows, columns = np.mgrid[:60, :90]
    heat = np.exp(-(((rows - 25) / 18) ** 2 + ((columns - 45) / 26) ** 2))
    return image, heat.astype(np.float32)


def test_the_mask_grows_to_the_edges_of_the_object(scene):
    mask = grabcut(*scene, threshold=0.5)
    truth = np.zeros((60, 90), bool)
    truth[10:40, 20:70] = True
    assert mask.shape == (60, 90) and mask.dtype == bool
    assert (mask & truth).sum() / (mask | truth).sum() > 0.95
    level = scene[1] >= 0.5
    assert (level & truth).sum() / (level | truth).sum() < 0.7  # what it began with


def test_a_map_that_leaves_nothing_to_decide_is_its_own_mask(scene):
    image, _ = scene
    assert not grabcut(image, np.zeros((60, 90), np.float32)).any()
    assert grabcut(image, np.ones((60, 90), np.float32)).all()


def test_sizes_must_match(scene):
    with pytest.raises(ValueError, match=r"\(60, 90, 3\), heatmap \(90, 60\)"):
        grabcut(scene[0], scene[1].T)


def test_boxes_of_masks_have_the_score_of_their_maps(scene):
    image, heat = scene
    maps = ClassMaps(["x"], 0, heat[None], np.array([[0.8]]), np.array([[90, 60]]))
    box = detect_masks(maps, lambda _: image, grabcut)["x"]
    assert box.shape == (1, 5) and box[0, 4] == pytest.approx(0.8)
    assert np.abs(box[0, :4] - [21, 11, 70, 40]).max() <= 2


def test_a_mask_beyond_the_map_still_has_a_box():
    maps = ClassMaps(["x"], 0, np.eye(4, dtype=np.float32)[None], np.array([[0.8]]),
                     np.array([[4, 4]]))  # fmt: skip
    whole = detect_masks(maps, lambda _: None, lambda *_: np.ones((4, 4), bool))["x"]
    assert whole[0].tolist() == pytest.approx([1, 1, 4, 4, 0.8])
