"""Photographs in figures: compressed for the web and for paper, below sharp lines."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from wslib.show import figures, svg


@pytest.fixture
def picture(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path))
    fig, axes = figures.image_grid([data.chelsea()], ["cat"], 1, figures.NARROW)
    figures.draw_boxes(axes[0], found=[[100, 20, 400, 280]], labels={"found": ["0.9"]})
    return figures.Picture(fig, "cat").data


def photographs(picture: bytes) -> list[Image.Image]:
    found = svg.RASTER.findall(picture)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in found]


def test_a_photograph_has_240_dots_an_inch_and_fits_a_budget(picture):
    [photograph] = photographs(picture)
    assert photograph.format == "WEBP"
    assert photograph.width / figures.NARROW == pytest.approx(240, rel=0.05)
    assert len(picture) < 0.25 * photograph.width * photograph.height  # a byte of four


def test_boxes_and_letters_are_lines_over_the_photograph(picture):
    after = picture[picture.index(b"<image") :]
    assert figures.ORANGE.encode() in after and b"STIXGeneral" in after


def test_on_paper_the_same_photograph_is_a_jpeg(picture):
    [web], [paper] = photographs(picture), photographs(svg.pack(picture, svg.PAPER))
    assert paper.format == "JPEG" and paper.size == web.size
    difference = np.asarray(web.convert("RGB"), float) - np.asarray(paper, float)
    assert abs(difference).mean() < 4


def test_a_picture_of_few_colours_loses_nothing():
    mask = np.zeros((90, 120), np.uint8)
    mask[20:60, 30:90] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    text = b'<image xlink:href="data:image/png;base64,%s"/>'
    drawn = text % base64.b64encode(file.getvalue())
    for ways in (svg.WEB, svg.PAPER):
        [kept] = photographs(svg.pack(drawn, ways))
        assert (np.asarray(kept.convert("L")) == mask).all()


def test_outlines_are_short_and_glyphs_keep_their_scale():
    drawn = b"""<!-- two -->
     <path d="M 1.23456 2
L 3 4.5
z
M 10 10
Q 11 12 13 1e-05
" transform="scale(0.015625)"/>"""
    short = b'd="m1.2 2l1.8 2.5zm8.8 8q1 2 3 -10" transform="scale(0.015625)"'
    assert svg.trim(b"<g>\n  " + drawn) == b"<g>\n<path " + short + b"/>"


def test_the_outline_of_a_mask_has_corners_and_no_steps(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path))
    y, x = np.mgrid[:300, :400]
    fig, [axis] = figures.image_grid([np.zeros((300, 400))], columns=1)
    figures.draw_mask(axis, (x - 200) ** 2 + (y - 150) ** 2 < 100**2)
    picture = svg.RASTER.sub(b"", figures.Picture(fig, "mask").data)
    assert b"#e69f00" in picture and len(picture) < 7_000
