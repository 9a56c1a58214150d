"""The detector's settings: what is refused, and the thresholds of all classes."""

import math

import numpy as np
import pytest

from wslib.boxes.evidence import KINDS, Evidence
from wslib.boxes.recipe import DEFAULT_RECIPE, Recipe, best_threshold, choose_thresholds

NOTHING = np.zeros((0, 4))


@pytest.fixture
def seen():
    """Two images of 40 x 40 pixels and two classes. The maps of the first class are 1
    in the middle and 0.3 around it; those of the second one are 0."""
    maps = np.zeros((2, 2, 40, 40), np.float16)
    maps[:, 0, 5:35, 5:35] = 0.3
    maps[:, 0, 15:25, 15:25] = 1
    sizes = np.full((2, 2), 40)
    logits = np.zeros((2, 2), np.float32)
    return Evidence(["a", "b"], sizes, logits, maps, maps, maps)


@pytest.mark.parametrize(
    "box, best", [((6, 6, 35, 35), 0.2), ((16, 16, 25, 25), 0.5)], ids=["all", "core"]
)
def test_thresholds_fit_the_boxes_of_each_class(seen, box, best):
    truth = {"a": np.array([[*box]], float), "b": NOTHING}
    absent = {"a": NOTHING, "b": NOTHING}
    recipe = Recipe("posterior")
    assert best_threshold(recipe, recipe.maps(seen, 0), truth, [0.2, 0.5]) == best
    chosen = choose_thresholds(seen, {"dog": truth, "cat": absent}, recipe, [0.2, 0.5])
    assert list(chosen) == list(KINDS)
    assert chosen["gradcam"] == chosen["posterior"] == {"dog": best}


def test_enough_images_choose(seen):
    small, large = np.array([[16, 16, 25, 25.0]]), np.array([[6, 6, 35, 35.0]])
    truth = {"dog": {"a": small, "b": large}}
    first = choose_thresholds(seen, truth, DEFAULT_RECIPE, [0.2, 0.5], enough=1)
    assert first["gradcam"] == {"dog": 0.5}


@pytest.mark.parametrize("threshold", [0, -0.1, 1.01, math.nan])
def test_a_threshold_is_a_share_of_the_maximum(threshold):
    with pytest.raises(ValueError, match="expected above 0, at most 1"):
        Recipe(threshold=threshold)


@pytest.mark.parametrize(
    "name, value, expected",
    [
        *(("area_power", value, "-10 to 10") for value in (math.inf, math.nan, 11)),
        *(("second", value, "0 to 1") for value in (math.nan, -1, 1.5)),
        ("max_boxes", 0, "1 or more"),
    ],
)
def test_numbers_that_nobody_meant(name, value, expected):
    with pytest.raises(ValueError, match=f"{name} {value}: expected {expected}"):
        Recipe(**{name: value})
