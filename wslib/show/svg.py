"""Figures as SVG: lines and letters are vectors, photographs lie within, compressed.

A figure of matplotlib holds each photograph as a PNG. For the web it becomes a WebP; a
PDF takes no WebP as it is, so paper has a JPEG. Where a picture of few colours is
smaller without loss, it is kept so.
"""

from __future__ import annotations

import base64
import io
import re

from PIL import Image

DPI = 240  # of the photographs, at the size at which a figure is printed
QUALITY = 75  # of 100; at 240 dpi no loss is seen
WEB = (
    {"format": "WEBP", "quality": QUALITY, "method": 6},
    {"format": "WEBP", "lossless": True},
)
PAPER = (
    {"format": "JPEG", "quality": QUALITY, "optimize": True},
    {"format": "PNG", "optimize": True},
)

RASTER = re.compile(rb"data:image/\w+;base64,([A-Za-z0-9+/=\s]+)")
OUTLINE = re.compile(rb' d="[^"]*"')


def pack(svg: bytes, ways: tuple[dict, ...] = WEB) -> bytes:
    """Encode each photograph in the `svg` anew, in the shortest of the `ways`."""
    return RASTER.sub(lambda found: _encode(found[1], ways), svg)


def _encode(data: bytes, ways: tuple[dict, ...]) -> bytes:
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        pixels = _on_white(image)
    kind, short = min((_saved(pixels, way) for way in ways), key=lambda one: len(one[1]))
    return b"data:image/%s;base64,%s" % (kind.lower().encode(), base64.b64encode(short))


def _saved(pixels: Image.Image, way: dict) -> tuple[str, bytes]:
    file = io.BytesIO()
    pixels.save(file, **way)
    return way["format"], file.getvalue()


def _on_white(image: Image.Image) -> Image.Image:
    """The picture without transparency: a JPEG has none."""
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def trim(svg: bytes) -> bytes:
    """Write outlines in hundredths of a point, and in one line each."""

    def short(outline: re.Match) -> bytes:
        return b" ".join(re.sub(rb"(\.\d\d)\d+", rb"\1", outline[0]).split())

    return OUTLINE.sub(lambda outline: b" " + short(outline), svg)
