"""How furniture and plants are drawn. Each stands on y = 0."""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing, tinted
from wslib.data.rendered.drawn.people import CLOTHES

WOODS = ((150, 98, 56), (96, 60, 38), (206, 172, 120), (226, 222, 212), (70, 110, 120))
POTS = ((186, 96, 58), (230, 226, 216), (80, 112, 130), (90, 70, 56))


def _rectangle(d: Drawing, x1, y1, x2, y2, colour, **style) -> None:
    d.polygon([(x1, y1), (x1, y2), (x2, y2), (x2, y1)], colour, **style)


def chair(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a wooden chair, half turned; its back has bars across or upright."""
    wood = tinted(rng, WOODS)
    seat, top, skew = 0.5, rng.uniform(0.95, 1.2), rng.uniform(0.08, 0.2)
    cushion = tinted(rng, CLOTHES) if rng.random() < 0.5 else wood
    for x in (-0.22 + skew, 0.24 + skew):
        d.limb([(x, 0.1), (x, seat), (x + 0.03, top)], 0.027, wood * 0.75)
    across = rng.random() < 0.5
    for t in np.linspace(0.25, 0.9, 4):
        y, x = seat + t * (top - seat), -0.22 + skew + t * 0.48
        bar = [(x, seat), (x + 0.02, top)]
        bar = [(-0.2 + skew, y), (0.26 + skew, y)] if across else bar
        d.limb(bar, 0.028, wood * 0.95)
    d.limb([(-0.2 + skew, top - 0.02), (0.27 + skew, top - 0.02)], 0.04, wood)
    for x in (-0.26, 0.22):
        d.limb([(x, 0.02), (x, seat)], 0.03, wood * 0.85)
    d.polygon([(-0.3, seat - 0.05), (0.26, seat - 0.05), (0.29 + skew, seat + 0.08),
               (-0.24 + skew, seat + 0.08)], cushion, round=1)  # fmt: skip
    _rectangle(d, -0.3, seat - 0.09, 0.27, seat - 0.03, wood * 0.8)
    return "stands"


def sofa(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a sofa with two or three seats."""
    cloth, seats = tinted(rng, CLOTHES), rng.integers(2, 4)
    half = 0.3 * seats
    d.limb([(-half, 0.03), (half, 0.03)], 0.03, (84, 58, 38))
    _rectangle(d, -half - 0.03, 0.1, half + 0.03, 0.8, cloth * 0.85, round=1)
    for x in np.arange(seats) * 0.6 + 0.3 - half:
        _rectangle(d, x - 0.29, 0.3, x + 0.29, 0.78, cloth, round=2)
        light = np.clip(cloth * 1.1, 0, 255)
        _rectangle(d, x - 0.3, 0.22, x + 0.3, 0.44, light, round=2)
    _rectangle(d, -half, 0.08, half, 0.25, cloth * 0.8)
    for x in (-half, half):
        _rectangle(d, x - 0.13, 0.07, x + 0.13, 0.6, cloth, round=2)
    for x in rng.uniform(-half * 0.7, half * 0.7, rng.integers(0, 3)):
        p = d.at(x, 0.55, 1, rng.uniform(-30, 30))
        _rectangle(p, -0.17, -0.17, 0.17, 0.17, tinted(rng, CLOTHES), round=1, puff=1)
    return "stands"


def pottedplant(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a plant with broad or narrow leaves, in a pot."""
    pot, green = tinted(rng, POTS), np.array((58, 122, 52)) * rng.uniform(0.7, 1.25, 3)
    broad = rng.choice([0.035, rng.uniform(0.07, 0.11)])
    for angle in rng.permutation(np.linspace(-75, 75, rng.integers(9, 15))):
        long, colour = rng.uniform(0.4, 0.72), green * rng.uniform(0.75, 1.2)
        leaf = d.at(0, 0.36, 1, -angle)
        way = [(0, 0), (0, long * 0.6), (np.sign(angle) * 0.12, long)]
        leaf.limb(way, [0.012, broad, 0.012], colour)
        leaf.line(way, 0.012, colour * 0.7, on=True)
    d.polygon([(-0.16, 0), (-0.22, 0.36), (0.22, 0.36), (0.16, 0)], pot)
    d.limb([(-0.22, 0.36), (0.22, 0.36)], 0.035, pot * 1.05)
    return "stands"
