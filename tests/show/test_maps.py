"""Heat maps beside each other: how many, under which names, on which scale."""

import numpy as np
import pytest

from wslib.show import figures, maps

IMAGE = np.full((40, 60, 3), 128, np.uint8)
HEAT = np.linspace(0, 1, 2400).reshape(40, 60)


def limits(axis) -> tuple[float, float]:
    return axis.images[1].get_clim()


def test_a_table_of_maps_names_its_rows_and_columns():
    row = {"early": HEAT, "late": HEAT}
    fig = maps.draw_map_table(IMAGE, {"one": row, "two": row})
    assert [axis.get_title() for axis in fig.axes] == ["early", "late", "", ""]
    assert [axis.get_ylabel() for axis in fig.axes] == ["one", "", "two", ""]
    assert all(len(axis.images) == 2 for axis in fig.axes)  # the image and its map


def test_raw_maps_share_the_scale_of_the_first():
    raw = np.stack([HEAT[:4, :6] - 0.01, HEAT[:4, :6] / 2])
    fig = maps.draw_scaling(IMAGE, ["cat", "cup"], raw, np.stack([HEAT, HEAT]))
    first, second = fig.axes[0], fig.axes[3]
    assert (first.get_ylabel(), second.get_ylabel()) == ("cat", "cup")
    assert limits(first) == limits(second) == (raw[0].min(), raw[0].max())
    assert limits(fig.axes[1]) == limits(fig.axes[2]) == (0, 1)


@pytest.mark.parametrize("count", [5, 9])
def test_shuffled_maps_stand_above_their_correlations(count):
    steps = ["intact", *"abcdefgh"][:count]
    rho = np.array([np.linspace(1, 0, count), np.linspace(1, 0.2, count)])
    fig = maps.draw_shuffled(IMAGE, [HEAT] * count, steps, rho)
    *panels, curve = fig.axes
    assert panels[0].get_title() == "intact" and len(panels) == 5
    assert panels[4].get_title() == f"… to {steps[-1]}"
    np.testing.assert_allclose(curve.lines[0].get_ydata(), rho.mean(0))
    assert [label.get_text() for label in curve.get_xticklabels()] == steps


def test_outline_of_nothing_is_none():
    _, [[axis]] = figures.new_figure()
    maps.outline(axis, np.zeros((4, 6)), 0.5)
    assert not axis.collections
    maps.outline(axis, HEAT, 0.5)
    assert axis.collections
