"""Results on their pictures: how many axes, boxes by kind, and colours."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from wslib.show import figures, pictures

IMAGE = np.full((40, 60, 3), 128, np.uint8)
HEAT = np.linspace(0, 1, 2400).reshape(40, 60)
BOX = np.array([[10.0, 5, 30, 20]])


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def edges(axis) -> list[str]:
    return [to_hex(patch.get_edgecolor()) for patch in axis.patches]


def test_a_map_is_drawn_as_wide_as_its_picture_is_tall():
    wide = pictures.draw_map(IMAGE, "dog: 0.9", HEAT)
    tall = pictures.draw_map(IMAGE.transpose(1, 0, 2), "dog: 0.9", HEAT.T)
    assert wide.get_figwidth() == figures.WIDE > tall.get_figwidth()
    assert wide.axes[0].get_title() == "dog: 0.9" and len(wide.axes[0].images) == 2


def test_a_segmentation_has_the_prompt_and_the_mask():
    points, nothing = np.array([[20.0, 10]]), np.zeros((0, 2))
    drawn = (HEAT, (points, nothing), BOX[0], HEAT > 0.5)
    fig = pictures.draw_segmentation(IMAGE, ("dog", "score"), *drawn)
    left, right = fig.axes
    assert (left.get_title(), right.get_title()) == ("dog", "score")
    assert len(left.patches) == 1 and not right.patches
    assert not left.collections and right.collections  # the outline
    drawn = (HEAT, (points, nothing), None, HEAT > 2)
    left, right = pictures.draw_segmentation(IMAGE, ("a", "b"), *drawn).axes
    assert not left.patches and not right.collections


def test_boxes_have_the_colours_of_their_kinds():
    boxes = [{"true": BOX, "found": BOX, "wrong": BOX}, {"true": BOX}]
    fig = pictures.draw_detections([IMAGE] * 2, ["a", "b"], boxes)
    first, second = fig.axes
    colours = [figures.TEAL, figures.ORANGE, figures.VERMILION]
    assert edges(first) == [to_hex(colour) for colour in colours]
    assert len(second.patches) == 1 and len(first.images) == 1
    fig = pictures.draw_detections([IMAGE], ["a"], boxes[:1], [HEAT])
    assert len(fig.axes[0].images) == 2


def test_one_picture_below_its_caption():
    fig = pictures.draw_prediction(IMAGE, "face 0.9", {"true": [], "found": BOX})
    assert fig.get_figwidth() == figures.WIDE
    assert fig.get_figheight() == pytest.approx(figures.WIDE * 40 / 60 + pictures.HEAD)
    assert fig.axes[0].get_title() == "face 0.9" and len(fig.axes[0].patches) == 1
    narrow = pictures.draw_prediction(np.zeros((300, 30, 3), np.uint8), "a", {})
    assert narrow.get_figwidth() == pictures.CAPTION


def test_a_sheet_has_six_in_a_row():
    count = 8
    fig = pictures.draw_sheet([IMAGE] * count, ["a"] * count, [{"wrong": BOX}] * count)
    rows = {round(axis.get_subplotspec().rowspan.start) for axis in fig.axes}
    assert rows == {0, 1} and sum(len(axis.patches) for axis in fig.axes) == count


def test_a_name_has_one_colour_in_all_panels():
    columns = {"loss": [2, 1], "val_loss": [3, 2], "val_iou": [0.1, 0.2]}
    history = pd.DataFrame({"epoch": [1, 2], **columns})
    panels = {"loss": {"train": "loss", "val": "val_loss"}, "IoU": {"val": "val_iou"}}
    left, right = pictures.draw_history(history, panels).axes
    train, val = (line.get_color() for line in left.lines)
    assert right.lines[0].get_color() == val != train
    assert right.lines[0].get_ydata().tolist() == [0.1, 0.2]
    assert right.lines[0].get_marker() == "o" and right.get_ylabel() == "IoU"
    long = pd.DataFrame({"epoch": range(1, 31), "loss": range(30)})
    (axis,) = pictures.draw_history(long, {"loss": {"train": "loss"}}).axes
    assert axis.lines[0].get_marker() == ""


def test_the_one_box_of_each_image():
    images = [np.zeros((10, 20, 3), np.uint8)] * 2
    boxes = np.array([[0.0, 0, 0.5, 1], [np.nan] * 4])
    true = np.array([[0.0, 0, 1, 1], [0, 0, 1, 1]])
    fig = pictures.draw_one_box_each(images, ["a", "b"], boxes, [False, True], true)
    one, other = fig.axes[:2]
    colours = [to_hex(patch.get_edgecolor()) for patch in one.patches]
    assert sorted(colours) == sorted([figures.TEAL, figures.VERMILION])
    assert {p.get_width() for p in one.patches} == {10, 20}
    assert len(other.patches) == 1


def test_panels_side_by_side():
    lines = {"train": ([1, 2], [3, 4]), "val": ([1, 2], [4, 3])}
    panels = {"loss": lines, "IoU": lines}
    fig = pictures.draw_panels(panels, across=[None, 0.5], at=2, legends=1)
    loss, iou = fig.axes
    assert [axis.get_ylabel() for axis in fig.axes] == ["loss", "IoU"]
    assert len(loss.lines) == 3 and len(iou.lines) == 4
    assert loss.get_legend() and not iou.get_legend()
