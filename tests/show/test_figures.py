"""Figures: the same bytes each time, drawn where the numbers say."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from wslib.show import figures


@pytest.fixture(autouse=True)
def build_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path))
    return tmp_path


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def example(image):
    fig, axes = figures.image_grid([image, image], ["one", "two"], columns=2)
    figures.draw_boxes(axes[0], true=[[1, 2, 20, 10]], labels={"true": ["dog"]})
    figures.draw_points(axes[1], foreground=[[3, 4]], background=[[9, 9]])
    return fig


def test_picture_is_shown_and_saved_with_the_same_bytes(build_folder, image):
    first = figures.Picture(example(image), "example")
    second = figures.Picture(example(image), "again")
    assert first.data == second.data
    assert first.path == build_folder / "figures" / "example.svg"
    assert first.path.read_bytes() == first.data
    assert first._repr_mimebundle_() == {"image/svg+xml": first.data.decode()}
    assert b"<text" not in first.data  # letters are paths


def test_nothing_of_a_readers_own_matplotlibrc(tmp_path, image):
    own = (
        "image.origin: lower\nsavefig.bbox: tight\naxes.facecolor: red\naxes.grid: True"
    )
    code = (
        "import sys, numpy as np; from wslib.show import figures;"
        "image = np.zeros((30, 40, 3), np.uint8); image[:9, :9] = 200;"
        "fig, [[a, b]] = figures.new_figure(1, 2, 3, 2); a.plot([1, 3]);"
        "figures.show_image(b, image); figures.draw_boxes(b, true=[[0, 0, 9, 9]]);"
        "sys.stdout.buffer.write(figures.Picture(fig, 'x').data)"
    )
    pictures = []
    for lines in ("", own):
        (tmp_path / "matplotlibrc").write_text(lines)
        environment = {**os.environ, "MATPLOTLIBRC": str(tmp_path)}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE)
        pictures.append(done.stdout)
    assert b"<svg" in pictures[0] and pictures[0] == pictures[1]


@pytest.mark.parametrize("name", ["", "a/b", "../x", "a b", "x.png"])
def test_names_are_plain(name):
    fig, _ = figures.new_figure()
    with pytest.raises(ValueError, match="picture name"):
        figures.Picture(fig, name)


def test_no_pyplot_and_any_backend(image):
    code = (
        "import sys; from wslib.show import figures; import numpy as np;"
        "fig, axes = figures.image_grid([np.zeros((4, 4))]);"
        "figures.Picture(fig, 'x'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_images_of_all_kinds(image):
    np.testing.assert_array_equal(figures.as_pixels(image), image)
    tensor = torch.from_numpy(image).permute(2, 0, 1) / 255  # (C, H, W)
    np.testing.assert_allclose(figures.as_pixels(tensor), image / 255, atol=1e-6)
    assert figures.as_pixels(image[..., :1]).shape == (30, 40)
    assert figures.as_grey(image).shape == (30, 40)
    white = np.full((2, 2, 3), 255, np.uint8)
    np.testing.assert_allclose(figures.as_grey(white), 1)
    colours = np.eye(3)[None]  # red, green, blue
    np.testing.assert_allclose(figures.as_grey(colours), [[0.299, 0.587, 0.114]])
    with pytest.raises(ValueError, match="expected HW, HWC or CHW"):
        figures.as_pixels(np.zeros((1, 2, 3, 4)))


def test_boxes_are_drawn_in_the_images_pixels(image):
    fig, axes = figures.image_grid([image])
    boxes = {"true": [[0, 5, 40, 30]], "found": [[1, 2, 4, 8, 0.9]], "wrong": []}
    figures.draw_boxes(axes[0], **boxes)
    true, found = axes[0].patches
    assert true.get_bbox().extents.tolist() == [0, 5, 40, 30]
    assert found.get_bbox().extents.tolist() == [1, 2, 4, 8]
    assert to_hex(true.get_edgecolor()) == figures.TEAL
    assert to_hex(found.get_edgecolor()) == figures.ORANGE
    assert axes[0].get_xlim() == (0, 40) and axes[0].get_ylim() == (30, 0)


def test_points_sit_at_pixel_centres(image):
    _, axes = figures.image_grid([image])
    figures.draw_points(axes[0], foreground=[[3, 4], [5, 6]], background=[])
    discs, crosses = axes[0].lines
    assert discs.get_xydata().tolist() == [[3.5, 4.5], [5.5, 6.5]]
    assert len(crosses.get_xydata()) == 0


def test_a_point_at_the_edge_is_whole_and_moves_no_image(image):
    fig, axes = figures.image_grid([image, image], ["one", "two"], columns=2)
    fig.draw_without_rendering()
    before = [axis.get_position().bounds for axis in axes]
    figures.draw_points(axes[0], background=[[0, 0]])
    assert not axes[0].lines[1].get_clip_on()
    fig.draw_without_rendering()
    after = [axis.get_position().bounds for axis in axes]
    np.testing.assert_allclose(after, before)


def test_mask_outline_follows_the_masks_edge(image):
    _, axes = figures.image_grid([image])
    mask = np.zeros((30, 40), bool)
    mask[10:20, 0:8] = True
    figures.draw_mask(axes[0], mask)
    outline = np.concatenate([p.vertices for p in axes[0].collections[0].get_paths()])
    np.testing.assert_allclose(outline.min(0), [0, 10], atol=0.01)
    np.testing.assert_allclose(outline.max(0), [8, 20], atol=0.01)


def test_heatmap_is_stretched_over_the_image(image):
    fig, axes = figures.new_figure(1, 2)
    drawn = figures.heatmap_overlay(axes[0, 0], image, np.zeros((3, 4)), alpha=0.4)
    assert drawn.get_extent() == [0, 40, 30, 0] and drawn.get_alpha() == 0.4
    assert drawn.get_clim() == (0, 1)
    alone = figures.heatmap_overlay(axes[0, 1], None, np.zeros((3, 4)))
    assert alone.get_alpha() == 1
    figures.add_colour_bar(fig, drawn, axes, "Grad-CAM")
    assert fig.axes[-1].get_ylabel() == "Grad-CAM"


def test_grid_hides_what_is_left_over(image):
    fig, axes = figures.image_grid([image] * 5, columns=3, heatmaps=[None] * 5)
    assert len(axes) == 5 and len(fig.axes) == 6
    assert not fig.axes[-1].axison
    with pytest.raises(ValueError, match="no images"):
        figures.image_grid([])


def test_lines():
    fig, axes = figures.new_figure(1, 2)
    series = {"a": ([0, 1], [2, 3]), "b": ([0, 1], [1, 1])}
    figures.draw_lines(axes[0, 0], series, "x", "y", bands={"a": ([1, 2], [3, 4])})
    assert [line.get_label() for line in axes[0, 0].lines] == ["a", "b"]
    assert to_hex(axes[0, 0].lines[0].get_color()) == figures.TEAL
    assert axes[0, 0].get_legend() is not None and len(axes[0, 0].collections) == 1


@pytest.mark.parametrize("heatmaps", [None, [np.zeros((4, 4))]])
def test_a_name_is_drawn_as_it_is(image, heatmaps):
    """Between two $ there would be a formula, as wide as what is between."""
    widths = []
    for name in ("x", "$x$", "$$x$$"):
        fig, (axis,) = figures.image_grid([image], [name], heatmaps=heatmaps)
        fig.draw_without_rendering()
        widths.append(axis.title.get_window_extent().width)
    assert widths[2] - widths[1] == pytest.approx(widths[1] - widths[0], rel=0.2)
    assert widths[1] > 1.5 * widths[0]
    assert figures.as_written("\udce9$") == r"\udce9\$"


@pytest.mark.parametrize("shape", [(1, 3000, 3), (3000, 1, 3), (1, 1, 3)])
def test_a_slender_image_has_room_of_ten_to_one(shape):
    fig, _ = figures.image_grid([np.zeros(shape, np.uint8)], ["one"], width=2)
    width, height = fig.get_size_inches()
    assert width == 2 and 0.2 < height < 21
