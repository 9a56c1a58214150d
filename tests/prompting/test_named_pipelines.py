"""Pipelines by name: of which classes they are, and what they refuse."""

import pytest

from wslib.models.sam_tiny import build_sam_tiny, save_sam_tiny
from wslib.prompting.named_pipelines import PIPELINES, check_pipeline, open_pipeline
from wslib.prompting.pipelines import (
    MirroredPipeline,
    PointsBoxPipeline,
    RefinedPipeline,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("sam") / "tiny.pt"
    save_sam_tiny(path, build_sam_tiny(seed=1))
    return path


def opened(name, weights, threshold=0.5):
    return open_pipeline(name, "sam_tiny", weights, threshold, "cpu")


@pytest.mark.parametrize("name", PIPELINES)
def test_each_name_opens_its_class(name, weights):
    kind, finders = PIPELINES[name]
    pipeline = opened(name, weights, 0.25)
    assert type(pipeline) is kind
    for finder in finders:
        assert getattr(pipeline, finder).keywords == {"threshold": 0.25}


def test_an_ending_wraps_the_pipeline(weights):
    refined = opened("points+box+mask", weights)
    assert type(refined) is RefinedPipeline
    assert type(refined.pipeline) is PointsBoxPipeline
    assert type(opened("centre+mirror", weights)) is MirroredPipeline


@pytest.mark.parametrize("name", ["dots", "+mask", "points+mask+mirror", ""])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="expected one of centre, .* each also with"):
        check_pipeline(name)


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_a_threshold_is_a_share_of_the_maximum(threshold, weights):
    with pytest.raises(
        ValueError, match=f"threshold {threshold}: expected above 0, at"
    ):
        opened("points", weights, threshold)
