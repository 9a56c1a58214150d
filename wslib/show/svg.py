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
OUTLINE = re.compile(rb' d="([MLQCz\d\s.e-]*)"')  # of places, as matplotlib has them
STROKE = re.compile(r"([MLQCz])([^MLQCz]*)")


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
    """Write outlines in tenths of a point, as steps, and nothing that is not drawn: no
    comments, no indentation."""
    drawn = OUTLINE.sub(lambda found: b' d="%s"' % _short(found[1]), svg)
    return re.sub(rb"\n\s*(?:<!--.*?-->\s*)?", b"\n", drawn)


def _short(outline: bytes) -> bytes:
    """The outline in steps instead of places."""
    steps, at, start = [], [0.0, 0.0], [0.0, 0.0]
    for command, numbers in STROKE.findall(outline.decode()):
        places = [round(float(number), 1) for number in numbers.split()]
        moves = (f"{round(x - at[k % 2], 1):g}" for k, x in enumerate(places))
        steps.append(command.lower() + " ".join(moves))
        at = places[-2:] or start
        start = at if command == "M" else start
    return "".join(steps).encode()
