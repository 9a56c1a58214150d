"""Judges of maps, on maps and networks whose worth is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from wslib.cam import GradCAM
from wslib.cam.judging import CentreMap, judge, rank_correlation, summarise


@pytest.fixture
def network():
    """Class 0 is the red of the picture, class 1 what is not red."""
    head = nn.Linear(3, 2, bias=False)
    head.weight.data = torch.tensor([[40.0, 0, 0], [0, 1, 1]])
    layers = nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    return nn.Sequential(*layers).eval()


def pictures(*corners):
    """Black, with a red square of 6 x 6 pixels at each of the corners (x, y)."""
    images = torch.zeros(len(corners), 3, 24, 24)
    for image, (x, y) in zip(images, corners, strict=True):
        image[0, y : y + 6, x : x + 6] = 1
    return images


CORNERS = [(0, 12), (14, 2), (16, 17)]
BOXES = np.array([[x, y, x + 6, y + 6] for x, y in CORNERS]) / 24


def test_a_perfect_map_and_one_that_does_not_look(network):
    methods = {"true": GradCAM(network, [network[0]])}
    methods["centre"] = CentreMap(network, [network[0]])
    judged = judge(methods, methods, pictures(*CORNERS), [0, 0, 0], BOXES, 8, 2)
    assert judged["image"].tolist() == [0, 1, 0, 1, 2, 2]
    true, centre = (judged[judged["method"] == name] for name in methods)
    np.testing.assert_allclose(true["share"], 1)
    assert true["peak"].tolist() == [1, 1, 1] and centre["peak"].tolist() == [0, 0, 0]
    assert (centre["share"] < 0.1).all()
    for name, better in (("insertion", 1), ("deletion", -1)):
        gain = better * (true[name].to_numpy() - centre[name].to_numpy())
        assert (gain > 0.002).all(), name
    np.testing.assert_allclose(true["drop"], 0, atol=1e-6)  # nothing is hidden
    assert (centre["drop"] > 0.01).all()
    np.testing.assert_allclose(judged["shuffled"], 1)


def test_boxes_are_x_before_y(network):
    methods = {"true": GradCAM(network, [network[0]])}
    turned = BOXES[:1, [1, 0, 3, 2]]
    judged = judge(methods, methods, pictures(CORNERS[0]), [0], turned)
    assert judged["share"][0] == 0 and judged["peak"][0] == 0


def test_the_centre_is_highest_and_the_corners_are_0(network):
    (heatmap,) = CentreMap(network, [network[0]])(torch.zeros(1, 3, 9, 15), [0])
    assert heatmap[4, 7] == 1 and heatmap[0, 0] == heatmap[8, 14] == 0


def test_rank_correlation_is_spearmans():
    a, b = np.random.default_rng(0).random((2, 5, 6)).round(1)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel())[0])
    assert rank_correlation(a, -a) == pytest.approx(-1)
    assert rank_correlation(a, np.ones_like(a)) == 0


def test_means_with_intervals_in_percent_where_they_are_shares(network):
    methods = {"true": GradCAM(network, [network[0]])}
    judged = judge(methods, methods, pictures(*CORNERS), [0, 0, 0], BOXES)
    judged.loc[2, "share"] = 0.7
    (row,) = summarise(judged, n=200).to_dict("records")
    assert row["share"] == pytest.approx(90)
    assert row["share low"] == pytest.approx(70) and row["share high"] == 100
    assert row["insertion"] == pytest.approx(judged["insertion"].mean())
