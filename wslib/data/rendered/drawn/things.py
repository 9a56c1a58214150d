"""How vehicles, furniture and smaller things are drawn.

A function looks to the right and returns "stands" (on y = 0), "flies" or "cut" (it goes
on below the drawing, which must end at the lower border of the image).
"""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing
from wslib.data.rendered.drawn.people import DARK, WHITE, tinted

GLASS, STEEL = (168, 200, 214), (150, 152, 158)


def car(d: Drawing, rng: np.random.Generator) -> str:
    """A car from the side, or from the front."""
    paint = tinted(rng)
    if rng.random() < 0.3:
        _car_front(d, rng, paint)
        return "stands"
    back, front = rng.uniform(-0.5, -0.28), rng.uniform(0.05, 0.16)
    roof, hood = rng.uniform(0.38, 0.48), rng.uniform(0.23, 0.28)
    d.polygon([(-0.56, 0.1), (-0.57, 0.24), (-0.5, 0.29), (back, roof), (front, roof),
               (front + 0.18, hood + 0.02), (0.52, hood - 0.03), (0.57, 0.16),
               (0.55, 0.09)], paint, round=2, grain=0.15)  # fmt: skip
    left = max(back + 0.05, -0.42)
    middle = (left + front) / 2
    glass = np.array(GLASS) * rng.uniform(0.4, 1)
    _pane(
        d, glass, roof - 0.05, (left - 0.05, left + 0.03, middle - 0.02, middle - 0.02)
    )
    _pane(d, glass, roof - 0.05, (middle + 0.02, middle + 0.02, front, front + 0.13))
    d.line([(middle, 0.27), (middle, 0.1)], 0.008, paint * 0.5)
    d.line([(middle - 0.1, 0.225), (middle - 0.05, 0.225)], 0.014, WHITE)
    d.line([(-0.55, 0.13), (0.55, 0.13)], 0.022, paint * 0.55)
    d.ellipse(0.53, 0.2, 0.03, 0.025, (250, 240, 190), grain=0)
    d.ellipse(-0.55, 0.22, 0.02, 0.03, (200, 30, 30), grain=0)
    for x in (-0.34, 0.34):
        d.ellipse(x, 0.1, 0.115, 0.115, paint * 0.35, puff=0)
        d.ellipse(x, 0.095, 0.095, 0.095, (34, 34, 38))
        d.ellipse(x, 0.095, 0.055, 0.055, (196, 198, 204), grain=0)
        for angle in range(0, 180, 45):
            d.at(x, 0.095, 1, angle).line([(-0.05, 0), (0.05, 0)], 0.012, STEEL)
    return "stands"


def _pane(d: Drawing, glass, top: float, corners) -> None:
    """A side window with a reflection; the x of its corners, clockwise from below."""
    x1, x2, x3, x4 = corners
    d.polygon([(x1, 0.27), (x2, top), (x3, top), (x4, 0.27)], glass, grain=0)
    shine = [(x1 + 0.02, 0.27), (x2 + 0.03, top), (x2 + 0.06, top), (x1 + 0.06, 0.27)]
    d.polygon(shine, np.clip(glass * 1.3, 0, 255), puff=0, on=True)


def _car_front(d: Drawing, rng, paint) -> None:
    for side in (-1, 1):
        d.polygon([(side * 0.2, 0), (side * 0.32, 0), (side * 0.32, 0.2),
                   (side * 0.2, 0.2)], (34, 34, 38))  # fmt: skip
        d.ellipse(side * 0.38, 0.38, 0.06, 0.04, paint * 0.8)
    d.polygon([(-0.36, 0.08), (-0.37, 0.3), (-0.25, 0.58), (0.25, 0.58), (0.37, 0.3),
               (0.36, 0.08)], paint, round=2, grain=0.15)  # fmt: skip
    glass = np.array(GLASS) * rng.uniform(0.4, 1)
    d.polygon(
        [(-0.29, 0.36), (-0.21, 0.54), (0.21, 0.54), (0.29, 0.36)], glass, grain=0
    )
    d.polygon([(-0.1, 0.36), (-0.02, 0.54), (0.06, 0.54), (-0.02, 0.36)],
               np.clip(glass * 1.3, 0, 255), puff=0, on=True)  # fmt: skip
    d.polygon([(-0.18, 0.12), (-0.18, 0.22), (0.18, 0.22), (0.18, 0.12)], DARK, round=1)
    for y in (0.15, 0.19):
        d.line([(-0.16, y), (0.16, y)], 0.012, STEEL)
    for side in (-1, 1):
        d.ellipse(side * 0.26, 0.24, 0.065, 0.045, (252, 246, 214), grain=0)


def aeroplane(d: Drawing, rng: np.random.Generator) -> str:
    """An airliner, or a small one with a propeller."""
    paint, small = tinted(rng), rng.random() < 0.35
    hull = np.array(WHITE) if not small and rng.random() < 0.75 else paint
    thick = 1.35 if small else 1
    d = d.at(0, 0.3, 1, rng.uniform(-22, 22))
    d.polygon([(0.0, 0.02), (0.12, 0.02), (-0.06, 0.2), (-0.13, 0.2)], hull * 0.7)
    d.polygon(
        [(-0.44, 0.03), (-0.58, 0.25), (-0.47, 0.25), (-0.3, 0.05)], paint, grain=0.2
    )
    d.limb([(-0.56, 0.04), (-0.2, 0), (0.4, 0), (0.54, -0.03)], [0.02, 0.07 * thick,
            0.07 * thick, 0.035], hull, grain=0.2)  # fmt: skip
    d.line([(-0.6, 0.0), (0.6, -0.015)], 0.02, paint * 0.8, on=True)
    if small:
        d.polygon(
            [(0.05, 0.07), (0.1, 0.15), (0.24, 0.15), (0.32, 0.07)],
            np.array(GLASS) * 0.8,
        )
        d.ellipse(0.58, -0.03, 0.015, 0.2, STEEL, puff=0)
        d.ellipse(0.58, -0.03, 0.04, 0.035, paint * 0.7)
    else:
        for x in np.arange(-0.36, 0.36, 0.055):
            d.ellipse(x, 0.03, 0.012, 0.015, (60, 76, 100), puff=0, grain=0)
        d.polygon(
            [(0.43, 0.055), (0.52, 0.02), (0.47, 0.015), (0.41, 0.025)], (40, 52, 70)
        )
        d.limb([(-0.02, -0.13), (0.13, -0.13)], [0.035, 0.045], STEEL, grain=0.2)
    d.polygon(
        [(-0.06, -0.02), (0.16, -0.02), (-0.1, -0.3), (-0.22, -0.3)],
        hull * 0.86,
        grain=0.2,
    )
    d.polygon(
        [(-0.5, 0.04), (-0.36, 0.03), (-0.52, -0.08), (-0.6, -0.08)],
        hull * 0.8,
        grain=0.2,
    )
    return "flies"


def boat(d: Drawing, rng: np.random.Generator) -> str:
    """A sailing boat, or a motor boat with a cabin."""
    hull, trim = tinted(rng), tinted(rng)
    sailing = rng.random() < 0.6
    if sailing:
        mast, sail = (
            rng.uniform(0.9, 1.3),
            np.array(tinted(rng) if rng.random() < 0.4 else WHITE),
        )
        d.line([(0.02, 0.1), (0.02, mast)], 0.025, (120, 90, 60))
        d.polygon(
            [(-0.02, 0.3), (-0.02, mast - 0.03), (-0.3, 0.6), (-0.46, 0.3)],
            sail,
            round=1,
        )
        for y in (0.45, 0.62):
            d.line([(-0.5, y), (-0.02, y)], 0.012, sail * 0.8, on=True)
        d.polygon([(0.06, 0.28), (0.06, mast - 0.1), (0.46, 0.26)], sail * 0.92)
    else:
        d.polygon(
            [(-0.32, 0.2), (-0.3, 0.42), (0.1, 0.42), (0.22, 0.2)], WHITE, round=1
        )
        for x in (-0.22, -0.08, 0.06):
            d.ellipse(x, 0.32, 0.045, 0.045, (60, 90, 120), grain=0)
        d.polygon([(-0.2, 0.42), (-0.18, 0.58), (-0.08, 0.58), (-0.06, 0.42)], trim)
    d.polygon([(-0.52, 0.24), (0, 0.21), (0.62, 0.27), (0.42, 0.02), (0.36, 0),
               (-0.42, 0), (-0.46, 0.03)], hull, round=1, grain=0.4)  # fmt: skip
    d.limb([(-0.52, 0.21), (0, 0.185), (0.6, 0.24)], 0.018, trim, on=True)
    return "stands"


def bottle(d: Drawing, rng: np.random.Generator) -> str:
    """A bottle of glass with a label."""
    glass = tinted(
        rng,
        ((40, 92, 56), (110, 62, 30), (58, 104, 150), (196, 214, 206), (150, 36, 40)),
    )
    neck, shoulder, width = (
        rng.uniform(0.05, 0.08),
        rng.uniform(0.5, 0.68),
        rng.uniform(0.14, 0.22),
    )
    half = [(width, 0), (width, shoulder), (neck, shoulder + 0.14), (neck, 0.96)]
    outline = half + [(-x, y) for x, y in reversed(half)]
    d.polygon([(-neck, 0.92), (-neck, 1.03), (neck, 1.03), (neck, 0.92)], tinted(rng))
    d.polygon(outline, glass, round=2, puff=1.0, grain=0.1)
    d.line(
        [(-width * 0.6, 0.08), (-width * 0.62, shoulder)],
        0.03,
        glass * 0.4 + 150,
        on=True,
    )
    d.line(
        [(-neck * 0.4, shoulder + 0.15), (-neck * 0.4, 0.9)],
        0.02,
        glass * 0.4 + 150,
        on=True,
    )
    low, high = rng.uniform(0.1, 0.18), rng.uniform(0.34, 0.46)
    label = np.clip(tinted(rng) * 0.5 + 120, 0, 255)
    d.polygon(
        [(-0.3, low), (0.3, low), (0.3, high), (-0.3, high)], label, puff=0, on=True
    )
    for y in np.linspace(low, high, 5)[1:-1]:
        d.line([(-width * 0.6, y), (width * 0.6, y)], 0.016, label * 0.5, on=True)
    return "stands"


def chair(d: Drawing, rng: np.random.Generator) -> str:
    """A wooden chair, half turned."""
    wood = tinted(
        rng,
        ((150, 98, 56), (96, 60, 38), (206, 172, 120), (226, 222, 212), (70, 110, 120)),
    )
    seat, top, skew = 0.5, rng.uniform(0.95, 1.2), rng.uniform(0.08, 0.2)
    for x in (-0.22 + skew, 0.24 + skew):
        d.limb([(x, 0.1), (x, seat)], 0.026, wood * 0.65)
    for x in (-0.22 + skew, 0.24 + skew):
        d.limb([(x, seat), (x + 0.03, top)], [0.03, 0.025], wood * 0.9)
    slats = rng.random() < 0.5
    for t in np.linspace(0.3, 0.95, 3) if slats else np.linspace(0.2, 0.8, 4):
        if slats:
            y = seat + t * (top - seat)
            d.limb([(-0.2 + skew, y), (0.26 + skew, y)], 0.035, wood)
        else:
            x = -0.22 + skew + t * 0.48
            d.limb([(x, seat), (x + 0.02, top)], 0.02, wood * 0.95)
    d.limb([(-0.2 + skew, top - 0.02), (0.27 + skew, top - 0.02)], 0.04, wood)
    for x in (-0.26, 0.22):
        d.limb([(x, 0.02), (x, seat)], 0.03, wood * 0.85)
    d.line([(-0.26, 0.2), (0.22, 0.2)], 0.03, wood * 0.7)
    cushion = tinted(rng) if rng.random() < 0.5 else wood
    d.polygon([(-0.3, seat - 0.05), (0.26, seat - 0.05), (0.29 + skew, seat + 0.08),
               (-0.24 + skew, seat + 0.08)], cushion, round=1)  # fmt: skip
    d.polygon([(-0.3, seat - 0.09), (0.27, seat - 0.09), (0.27, seat - 0.03),
               (-0.3, seat - 0.03)], wood * 0.8)  # fmt: skip
    return "stands"


def sofa(d: Drawing, rng: np.random.Generator) -> str:
    """A sofa with two or three seats."""
    cloth, seats = tinted(rng), rng.integers(2, 4)
    half = 0.3 * seats
    for x in (-half, half):
        d.limb([(x, 0.1), (x, 0.02)], 0.03, (84, 58, 38))
    d.polygon(
        [(-half, 0.1), (-half - 0.03, 0.8), (half + 0.03, 0.8), (half, 0.1)],
        cloth * 0.85,
        round=1,
    )
    for k in range(seats):
        x = -half + 0.6 * k + 0.3
        d.polygon(
            [(x - 0.29, 0.3), (x - 0.29, 0.78), (x + 0.29, 0.78), (x + 0.29, 0.3)],
            cloth,
            round=2,
        )
        d.polygon([(x - 0.3, 0.22), (x - 0.3, 0.44), (x + 0.3, 0.44),
                   (x + 0.3, 0.22)], np.clip(cloth * 1.1, 0, 255), round=2)  # fmt: skip
    d.polygon([(-half, 0.08), (-half, 0.25), (half, 0.25), (half, 0.08)], cloth * 0.8)
    for side in (-1, 1):
        x = side * (half + 0.03)
        d.polygon(
            [(x - 0.11, 0.07), (x - 0.13, 0.6), (x + 0.13, 0.6), (x + 0.11, 0.07)],
            cloth,
            round=2,
        )
    for x in rng.uniform(-half * 0.7, half * 0.7, rng.integers(0, 3)):
        p = d.at(x, 0.55, 1, rng.uniform(-30, 30))
        p.polygon(
            [(-0.17, -0.17), (0.17, -0.17), (0.17, 0.17), (-0.17, 0.17)],
            tinted(rng),
            round=1,
            puff=1,
        )
    return "stands"


def pottedplant(d: Drawing, rng: np.random.Generator) -> str:
    """A plant with broad or narrow leaves, in a pot."""
    pot = tinted(rng, ((186, 96, 58), (230, 226, 216), (80, 112, 130), (90, 70, 56)))
    narrow, green = (
        rng.random() < 0.5,
        np.array((58, 122, 52)) * rng.uniform(0.7, 1.25, 3),
    )
    for angle in rng.permutation(np.linspace(-75, 75, rng.integers(9, 15))):
        long = rng.uniform(0.4, 0.72)
        leaf = d.at(0, 0.36, 1, -angle)
        wide = 0.035 if narrow else rng.uniform(0.07, 0.11)
        bend = np.sign(angle) * 0.12
        colour = green * rng.uniform(0.75, 1.2)
        leaf.limb([(0, 0), (0, long * 0.6), (bend, long)], [0.012, wide, 0.012], colour)
        leaf.line([(0, 0), (0, long * 0.6), (bend, long)], 0.012, colour * 0.7, on=True)
    d.polygon([(-0.16, 0), (-0.22, 0.36), (0.22, 0.36), (0.16, 0)], pot)
    d.limb([(-0.22, 0.36), (0.22, 0.36)], 0.035, pot * 1.05)
    return "stands"
