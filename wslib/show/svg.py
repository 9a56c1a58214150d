"""Figures as SVG: lines and letters are vectors, photographs lie within, compressed.

A figure of matplotlib holds each photograph as a PNG. For the web it becomes a WebP; a
PDF takes no WebP as it is, so paper has a JPEG. Masks and other pictures of few colours
lose nothing.
"""

from __future__ import annotations

import base64
import io
import re

from PIL import Image

DPI = 240  # of the photographs, at the size at which a figure is printed
QUALITY = 75  # of 100; at 240 dpi no loss is seen
FEW = 64  # colours
WEB = (  # a photograph, and a picture of few colours
    {"format": "WEBP", "quality": QUALITY, "method": 6},
    {"format": "WEBP", "lossless": True},
)
PAPER = (
    {"format": "JPEG", "quality": QUALITY, "optimize": True},
    {"format": "PNG", "optimize": True},
)

RASTER = re.compile(rb"data:image/\w+;base64,([A-Za-z0-9+/=\s]+)")
OUTLINE = re.compile(rb' d="[^"]*"')


def pack(svg: bytes, ways: tuple[dict, dict] = WEB) -> bytes:
    """Encode each picture inside the `svg` anew."""
    return RASTER.sub(lambda found: _encode(found[1], ways), svg)


def _encode(data: bytes, ways: tuple[dict, dict]) -> bytes:
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        pixels = _on_white(image)
    way, file = ways[pixels.getcolors(FEW) is not None], io.BytesIO()
    pixels.save(file, **way)
    kind, content = way["format"].lower(), base64.b64encode(file.getvalue())
    return b"data:image/%s;base64,%s" % (kind.encode(), content)


def _on_white(image: Image.Image) -> Image.Image:
    """The picture without transparency: a JPEG has none."""
    image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def trim(svg: bytes) -> bytes:
    """Write outlines in hundredths of a point and in one line each, and nothing that is
    not drawn: no comments, no indentation."""

    def short(outline: re.Match) -> bytes:
        return b" ".join(re.sub(rb"(\.\d\d)\d+", rb"\1", outline[0]).split())

    drawn = OUTLINE.sub(lambda outline: b" " + short(outline), svg)
    return re.sub(rb"\n\s*(?:<!--.*?-->\s*)?", b"\n", drawn)
