"""Regions: which proposals are looked at, and what is seen in and around them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wslib.models.features import FeatureMaps
from wslib.weak import proposal_features
from wslib.weak.proposal_features import (
    CONTEXT,
    SMALLEST,
    ProposalFeatures,
    inside_and_around,
    keep_proposal_features,
    mirrored,
    roi_align,
)

SIZES = np.array([[100, 50], [64, 64], [40, 90]])


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "smoke"))
    return tmp_path


def some_maps(seed=0, digest="one") -> FeatureMaps:
    values = np.random.default_rng(seed).random((3, 2, 8, 12))
    values = np.stack([values, values[..., ::-1]]).astype(np.float16)
    return FeatureMaps(["a", "b", "c"], SIZES, values, digest)


def some_proposals() -> dict[str, np.ndarray]:
    return {
        "a": np.array([
            [0, 0, 100, 50, 0.1],
            [10, 5, 60, 45, 0.9],
            [10, 5, 17, 45, 0.8],  # 7 pixels wide
            [20, 20, 28, 28, 0.5],  # 8 x 8
        ]),
        "b": np.array([[4, 8, 40, 60, 0.5], [0, 0, 30, 30, 0.5], [8, 8, 60, 16, 0.6]]),
        "c": np.array([[0, 30, 40, 90, 3.0]]),
    }  # fmt: skip


def test_the_most_confident_that_are_large_enough(build):
    found = keep_proposal_features(some_maps(), some_proposals(), 3)
    assert len(found) == 3 and found.ids == ["a", "b", "c"]
    assert found.sizes.tolist() == SIZES.tolist()
    assert found.boxes.shape == (3, 3, 4) and found.boxes.dtype == np.float32
    assert found.boxes[0].tolist() == [
        [10, 5, 60, 45],
        [20, 20, 28, 28],
        [0, 0, 100, 50],
    ]
    assert found.boxes[1].tolist() == [[8, 8, 60, 16], [4, 8, 40, 60], [0, 0, 30, 30]]
    assert found.boxes[2].tolist() == [[0, 30, 40, 90], [0] * 4, [0] * 4]
    assert found.real.tolist() == [[True] * 3, [True] * 3, [True, False, False]]
    assert found.features.shape == (2, 3, 3, 4) and found.features.dtype == np.float16
    fewer = keep_proposal_features(some_maps(), some_proposals(), 1)
    assert fewer.boxes[:, 0].tolist() == found.boxes[:, 0].tolist()
    np.testing.assert_array_equal(fewer.features[:, :, 0], found.features[:, :, 0])


def test_ratios_and_batches(build):
    maps = some_maps()
    maps.values[1] += 1  # so that one can tell the views apart
    found = keep_proposal_features(maps, some_proposals(), 3)
    ratios = found.ratios([2, 0])
    assert ratios.shape == (2, 3, 4) and ratios.dtype == torch.float32
    first = torch.tensor([[0, 30 / 90, 1, 1], [0] * 4, [0] * 4])
    torch.testing.assert_close(ratios[0], first)
    torch.testing.assert_close(ratios[1, 0], torch.tensor([0.1, 0.1, 0.6, 0.9]))
    batch = found.batch([2, 0], [0, 1])
    assert batch.features.dtype == torch.float32 and batch.features.shape == (2, 3, 4)
    values = torch.from_numpy(np.array(found.features)).float()
    assert torch.equal(batch.features, torch.stack([values[0, 2], values[1, 0]]))
    assert batch.real.tolist() == [[True, False, False], [True] * 3]
    mirror = found.batch(np.array([1, 2]), 1)
    assert torch.equal(mirror.features, values[1, 1:])
    with pytest.raises(ValueError):
        found.batch([0, 1, 2], [0, 1])


def test_features_are_those_of_each_box_in_its_own_image(build):
    maps = some_maps()
    found = keep_proposal_features(maps, some_proposals(), 3)
    for k in range(3):
        boxes = found.ratios([k])[0, found.real[k]]
        for view, seen in enumerate((boxes, mirrored(boxes))):
            expected = inside_and_around(maps.batch([k], view)[0], seen)
            kept = torch.tensor(found.features[view, k, : len(boxes)]).float()
            torch.testing.assert_close(kept, expected, rtol=1e-3, atol=1e-3)
            inside = roi_align(maps.batch([k], view)[0], seen, 1, 6)[:, :, 0, 0]
            torch.testing.assert_close(expected[:, :2], inside)
    assert (found.features[:, 2, 1:] == 0).all()
    np.testing.assert_allclose(found.features[0], found.features[1], atol=2e-3)


def test_a_view_that_is_no_mirror_image_is_seen_as_it_is(build):
    maps = some_maps()
    maps.values[1] = 5.0
    found = keep_proposal_features(maps, {**some_proposals()}, 1)
    assert (found.features[1, :, 0, :2] == 5).all()
    assert (found.features[0] < 1.1).all()


def test_boxes_that_leave_the_image_are_looked_at_where_they_are_in_it(build):
    over = {**some_proposals(), "c": np.array([[-20, 30, 60, 120, 1.0]])}
    within = {**some_proposals(), "c": np.array([[0, 30, 40, 90, 1.0]])}
    one, two = (keep_proposal_features(some_maps(), p, 1) for p in (over, within))
    np.testing.assert_array_equal(one.features, two.features)
    assert one.boxes[2, 0].tolist() == [-20, 30, 60, 120]


# What is inside and around


def lit(box, size=36) -> torch.Tensor:
    """A map (1, size, size), 1 inside a box and 0 elsewhere."""
    x1, y1, x2, y2 = (round(size * side) for side in box)
    trunk = torch.zeros(1, size, size)
    trunk[:, y1:y2, x1:x2] = 1
    return trunk


@pytest.mark.parametrize(
    "box", [(0.25, 0.25, 0.75, 0.75), (0.25, 0.5, 0.5, 0.75), (0.5, 0.25, 1.0, 0.75)]
)
def test_a_lit_box_stands_out_from_what_is_around_it(box):
    inside, around = inside_and_around(lit(box), torch.tensor([box]))[0]
    assert inside > 0.97 and -0.01 < around < 0.25
    inside, around = inside_and_around(1 - lit(box), torch.tensor([box]))[0]
    assert inside < 0.03 and 0.75 < around < 1.01


def test_a_part_has_more_of_the_same_around_it():
    part = torch.tensor([[0.4, 0.4, 0.6, 0.6]])
    inside, around = inside_and_around(lit((0.25, 0.25, 0.75, 0.75)), part)[0]
    assert inside == 1 and around == pytest.approx(1, abs=1e-5)


def test_on_a_ramp_each_has_the_value_of_its_middle():
    """Of a box at the border, what is around it lies to one side of it."""
    ramp = ((torch.arange(40) + 0.5) / 40).expand(1, 30, 40)  # x as a ratio
    boxes = torch.tensor([[0.3, 0.4, 0.5, 0.6], [0.6, 0.4, 1.0, 0.6]])
    inside, around = inside_and_around(ramp, boxes).unbind(1)
    assert inside.tolist() == pytest.approx([0.4, 0.8], abs=0.01)
    # the second, enlarged, is 0.44 to 1 wide and 0.36 high: (whole - box) / rest
    whole, box = 0.56 * 0.36, 0.4 * 0.2
    expected = (whole * 0.72 - box * 0.8) / (whole - box)
    assert around.tolist() == pytest.approx([0.4, expected], abs=0.01)


def test_the_whole_image_has_nothing_around_it():
    trunk = torch.rand(3, 6, 6) + 1
    almost = torch.tensor(
        [[0, 0, 1, 1], [0, 0, 1, 0.96], [0, 0, 1, 0.9], [0, 0, 1, 0.5]]
    )
    seen = inside_and_around(trunk, almost)
    assert (seen[:2, 3:] == 0).all()
    assert (seen[2:, 3:] != 0).all()
    whole = roi_align(trunk, almost[:1], 1, 6).flatten()
    torch.testing.assert_close(seen[0, :3], whole)


def test_a_constant_map_is_the_same_inside_and_around():
    corners = torch.rand(20, 2, 2, generator=torch.Generator().manual_seed(0)) * 0.4
    boxes = torch.cat([corners[:, 0], 1 - corners[:, 1]], 1)
    seen = inside_and_around(torch.full((2, 9, 9), 4.0), boxes)
    torch.testing.assert_close(seen[:, :2], torch.full((20, 2), 4.0))
    around = seen[:, 2:]
    assert (((around - 4).abs() < 1e-3) | (around == 0)).all()
    assert (around != 0).any()


def test_how_much_around():
    """A place lit outside of the enlarged box is not around the box."""
    assert CONTEXT == 1.8 and SMALLEST == 8
    box = torch.tensor([[0.4, 0.4, 0.6, 0.6]])  # enlarged: 0.32 to 0.68
    trunk = torch.ones(1, 100, 100)
    trunk[:, 31:69, 31:69] = 0
    assert inside_and_around(trunk, box).abs().max() < 1e-6
    trunk = torch.ones(1, 100, 100)
    trunk[:, 36:64, 36:64] = 0
    assert inside_and_around(trunk, box)[0, 1] > 0.3


# What is kept


def kept(build) -> list[str]:
    return [p.name for p in build.iterdir() if "regions-" in p.name and p.is_dir()]


def test_they_are_made_once(build, monkeypatch):
    first = keep_proposal_features(some_maps(), some_proposals(), 3)
    monkeypatch.setattr(proposal_features, "inside_and_around", None)  # would be called
    again = keep_proposal_features(some_maps(), some_proposals(), 3)
    np.testing.assert_array_equal(again.features, first.features)
    np.testing.assert_array_equal(again.boxes, first.boxes)
    assert kept(build) == [f"regions-{first.digest}"] and again.digest == first.digest


@pytest.mark.parametrize("change", ["maps", "box", "count", "order"])
def test_after_a_change_they_are_made_anew(build, change):
    maps, proposals, count = some_maps(), some_proposals(), 2
    first = keep_proposal_features(maps, proposals, count)
    if change == "maps":
        maps = some_maps(1, digest="two")
    elif change == "box":
        proposals["c"][0, 3] -= 1
    elif change == "count":
        count = 3
    else:
        proposals["a"][0, 4] = 1.0  # the most confident now
    again = keep_proposal_features(maps, proposals, count)
    assert len(kept(build)) == 2 and again.digest != first.digest
    boxes = again.ratios([2])[0, :1]
    expected = inside_and_around(maps.batch([2])[0], boxes)
    found = again.batch([2]).features[0, :1]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_a_failure_leaves_nothing(build, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space left"):
        keep_proposal_features(some_maps(), some_proposals(), 2)
    assert kept(build) == []


@pytest.mark.parametrize(
    "none", [np.zeros((0, 5)), np.array([[0, 0, 7.9, 60, 1.0]])], ids=["none", "small"]
)
def test_an_image_without_proposals(build, none):
    proposals = {**some_proposals(), "b": none}
    with pytest.raises(ValueError, match="image b: no proposal of 8 pixels") as error:
        keep_proposal_features(some_maps(), proposals, 2)
    assert "\n" not in str(error.value) and kept(build) == []


def test_errors(build):
    with pytest.raises(ValueError, match="count of proposals is 0, expected 1 or more"):
        keep_proposal_features(some_maps(), some_proposals(), 0)
    with pytest.raises((ValueError, KeyError), match="b"):
        keep_proposal_features(some_maps(), {"a": some_proposals()["a"]}, 2)
    assert isinstance(
        keep_proposal_features(some_maps(), some_proposals(), 1), ProposalFeatures
    )
