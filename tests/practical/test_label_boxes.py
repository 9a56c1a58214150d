"""Boxes around the maps of a network that was shown labels alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from wslib.models.two_heads import build_detector
from wslib.practical.label_boxes import (
    ClassHead,
    best_map_threshold,
    class_maps,
    map_boxes,
)


def test_the_box_is_a_ratio_of_the_map():
    maps = np.zeros((2, 10, 20), np.float32)
    maps[0, 2:4, 5:15], maps[0, 8, 0] = 1, 0.5
    assert np.allclose(map_boxes(maps, 0.6)[0], [0.25, 0.2, 0.75, 0.4])
    assert np.isnan(map_boxes(maps, 0.6)[1]).all()


def test_the_threshold_of_the_best_boxes():
    maps = np.zeros((3, 10, 10), np.float32)
    maps[:, 2:8, 2:8], maps[:, 4:6, 4:6] = 0.5, 1
    wide, unknown = np.array([0.2, 0.2, 0.8, 0.8]), np.full(4, np.nan)
    assert best_map_threshold(maps, np.stack([wide] * 3), [0.3, 0.4, 0.9]) == 0.3
    narrow = np.stack([unknown, wide / 2 + 0.25, wide / 2 + 0.25])
    assert best_map_threshold(maps, narrow, [0.3, 0.9]) == 0.9


@pytest.mark.parametrize("pooled", [True, False])
def test_maps_of_the_class_that_is_said(pooled):
    options = {"input_size": 64, "pretrained": False, "frozen": True, "pooled": pooled}
    detector = build_detector("lite0", 1, **options)
    pixels = torch.randint(0, 255, (3, 3, 80, 80), dtype=torch.uint8)
    maps = class_maps(detector, pixels)
    assert maps.shape == (3, 80, 80) and maps.min() >= 0 and maps.max() <= 1
    images = detector.normalize(torch.rand(2, 3, 64, 64))
    assert torch.equal(ClassHead(detector)(images), detector(images)[0])
