"""How motorcycles are drawn, from the side. One unit is a metre; they look to the right
and stand on y = 0, their wheels round x = -0.7 and 0.7, about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wslib.data.rendered.drawn.caltech.cycle_parts import (
    BLACK,
    CHROME,
    DARK_STEEL,
    STEEL,
    crankcase,
    cylinder,
    fork,
    lamp,
    mirror,
    mudguard,
    pipe,
    shock,
    wheel,
)
from wslib.data.rendered.drawn.drawing import Drawing

PAINTS = ((196, 30, 34), (214, 60, 30), (30, 62, 156), (20, 110, 190), (240, 196, 30),
          (236, 120, 24), (24, 110, 70), (36, 36, 40), (44, 44, 50), (236, 236, 232),
          (178, 182, 190), (110, 24, 36), (90, 60, 130), (130, 140, 60))  # fmt: skip
LEATHER = ((34, 32, 34), (40, 38, 42), (92, 60, 40), (120, 84, 56))
GOLD, AMBER, RED, GLASS = (196, 160, 84), (240, 150, 40), (190, 24, 30), (206, 220, 228)


@dataclass(frozen=True)
class Look:
    """What is common to both wheels: `tyre` and `brake` as parts of the radius."""

    tyre: float
    rim: tuple
    spokes: str = "cast"  # or "wire" or "disc"
    arms: int = 5
    split: bool = False
    brake: float = 0.6
    knobs: bool = False
    whitewall: bool = False
    wire: tuple = (178, 180, 186)


def one_of(rng: np.random.Generator, items):
    """One of `items`, each as likely."""
    return items[rng.integers(len(items))]


def paintwork(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The colour of the body and a second one that differs from it."""
    first = np.array(one_of(rng, PAINTS), float) * rng.uniform(0.8, 1.1)
    while True:
        second = np.array(one_of(rng, PAINTS), float)
        if np.abs(first - second).sum() > 160:
            return np.clip(first, 12, 250), second


def gloss(d: Drawing, points, colour, width: float = 0.04) -> None:
    """The sky's reflection on the part that was drawn last."""
    d.limb(points, [width * 0.2, width, width * 0.2], 0.45 * np.array(colour) + 140,
           puff=0, grain=0, on=True)  # fmt: skip


def stripe(d: Drawing, rng, points, colour, width: float = 0.05) -> None:
    """A stripe over the part that was drawn last, perhaps with a thin one beside it."""
    d.line(points, width, colour, on=True)
    if rng.random() < 0.5:
        beside = np.add(points, (0, -width))
        d.line(beside, width * 0.3, np.add(colour, 30) * 0.8, on=True)


def sport(d: Drawing, rng: np.random.Generator) -> None:
    """A sports motorcycle with a full or a half fairing, or with none."""
    paint, trim = paintwork(rng)
    bare, r = rng.random() < 0.25, 0.3
    rims = ((36, 36, 40), (60, 60, 64), (214, 214, 218), GOLD, tuple(trim))
    look = Look(0.24, one_of(rng, rims), arms=int(one_of(rng, (3, 5, 6))),
                split=rng.random() < 0.4, brake=0.64)  # fmt: skip
    tail, nose = rng.uniform(0.82, 1.02), rng.uniform(0.78, 0.9)
    wheel(d, rng, -0.7, r, look)
    d.limb([(-0.7, r), (-0.25, 0.4)], [0.035, 0.06], one_of(rng, (STEEL, DARK_STEEL)))
    wheel(d, rng, 0.7, r, look)
    mudguard(d, 0.7, r, 40, 165, paint if rng.random() < 0.7 else BLACK, 0.025)
    fork(d, (0.7, r), (0.47, 0.88), one_of(rng, (BLACK, GOLD, STEEL)), bright=STEEL)
    d.limb([(0.42, 0.86), (0.1, 0.62), (-0.25, 0.42)], 0.055, (150, 152, 158))
    d.blob([(-0.3, 0.26), (-0.34, 0.7), (0.3, 0.86), (0.46, 0.62), (0.36, 0.26)],
           (26, 26, 29), puff=0.2)  # fmt: skip
    crankcase(d, rng, 0.08, 0.38, (86, 86, 92), 1.05)
    if bare:
        cylinder(d, 0.14, 0.46, -20, one_of(rng, (STEEL, (80, 80, 84))), 1.0)
    can = one_of(rng, (STEEL, CHROME, (60, 60, 64)))
    low = rng.random() < 0.4
    end = (-0.86, 0.36) if low else (-0.88, rng.uniform(0.52, 0.7))
    pipe(d, [(0.1, 0.22), (-0.2, 0.26), (-0.4, 0.34), end], 0.03, can, 0.07)
    d.polygon(
        [
            (-1.0, tail),
            (-0.62, tail - 0.05),
            (-0.25, 0.72),
            (-0.2, 0.58),
            (-0.5, 0.62),
            (-0.8, tail - 0.14),
        ],
        paint,
        round=2,
        grain=0.1,
    )
    stripe(d, rng, [(-1, tail - 0.09), (-0.3, 0.66)], trim)
    d.ellipse(-0.97, tail - 0.04, 0.045, 0.03, RED, grain=0)
    d.limb([(-0.7, tail - 0.03), (-0.55, tail - 0.06)], 0.045, BLACK)
    d.blob([(-0.62, 0.72), (-0.6, 0.82), (-0.22, 0.8), (-0.12, 0.7)], BLACK)
    d.blob([(-0.3, 0.7), (-0.26, 0.9), (0.0, 1.02), (0.26, 0.98), (0.4, 0.84),
            (0.1, 0.68)], paint, grain=0.1, puff=1)  # fmt: skip
    stripe(d, rng, [(-0.3, 0.78), (0.4, 0.86)], trim)
    gloss(d, [(-0.2, 0.9), (0.0, 0.95), (0.24, 0.92)], paint)
    if bare:
        d.line([(0.4, 0.95), (0.38, 1.08), (0.24, 1.08)], 0.03, BLACK)
        lamp(d, 0.56, 0.9, 0.1, one_of(rng, (CHROME, BLACK, paint)))
        mirror(d, 0.36, 1.06, rng.uniform(-0.06, 0.04))
        return
    _fairing(d, rng, paint, trim, nose, full=rng.random() < 0.75)


def _fairing(d: Drawing, rng, paint, trim, nose: float, full: bool) -> None:
    screen = np.multiply(one_of(rng, (GLASS, (120, 130, 140), (60, 66, 74))), 0.95)
    top = rng.uniform(1.08, 1.24)
    d.polygon([(0.74, nose + 0.03), (0.5, top - 0.05), (0.34, top), (0.3, 0.98)],
              screen, round=2, grain=0)  # fmt: skip
    d.line([(0.62, nose + 0.06), (0.4, top - 0.06)], 0.025, (244, 246, 248), on=True)
    low = [(0.62, 0.62), (0.44, 0.36), (0.3, 0.16), (-0.28, 0.15), (-0.42, 0.27),
           (-0.16, 0.36), (-0.06, 0.52), (0.12, 0.66)]  # fmt: skip
    half = [(0.6, 0.64), (0.4, 0.5), (0.3, 0.52), (0.2, 0.66)]
    d.polygon([(0.3, 0.9), (0.5, 1.0), (0.84, nose), (0.85, nose - 0.08),
               *(low if full else half)], paint, round=2, grain=0.1)  # fmt: skip
    style = rng.random()
    if style < 0.4:  # a lower half in the second colour
        y = rng.uniform(0.34, 0.6)
        d.polygon([(-0.6, y - 0.2), (0.9, y + 0.2), (0.9, 0), (-0.6, 0)], trim,
                  puff=0.5, grain=0.1, on=True)  # fmt: skip
    elif style < 0.8:
        x = rng.uniform(-0.1, 0.2)
        for k in range(rng.integers(1, 4)):
            d.polygon([(x + 0.12 * k, 0.1), (x + 0.07 + 0.12 * k, 0.1),
                       (x + 0.5 + 0.1 * k, 1), (x + 0.36 + 0.1 * k, 1)],
                      trim, puff=0.2, grain=0, on=True)  # fmt: skip
    _letters(d, rng, 0.0, 0.24, 0.4, trim if style > 0.4 else paint)
    gloss(d, [(0.32, 0.86), (0.5, 0.92), (0.72, nose)], paint)
    gloss(d, [(0.1, 0.3), (0.3, 0.42), (0.44, 0.6)], paint, 0.025)
    if rng.random() < 0.6:  # an opening that shows the engine
        d.blob([(0.16, 0.56), (0.38, 0.66), (0.42, 0.5), (0.2, 0.4)], BLACK, on=True)
    d.blob([(0.66, nose + 0.02), (0.85, nose), (0.84, nose - 0.09),
            (0.7, nose - 0.07)], (226, 234, 240), puff=0.9, grain=0)  # fmt: skip
    d.line([(0.4, 1.0), (0.36, 1.12)], 0.018, BLACK)
    d.ellipse(0.35, 1.13, 0.08, 0.04, paint if rng.random() < 0.5 else BLACK, -10)


def _letters(d: Drawing, rng, x: float, y: float, wide: float, colour) -> None:
    """A few marks that look like a name."""
    if rng.random() < 0.5:
        return
    for k in np.arange(x - wide / 2, x + wide / 2, 0.075):
        for line in (
            [(k, y), (k + 0.02, y + 0.07)],
            [(k, y + 0.035 * rng.integers(3)), (k + 0.045, y + 0.035)],
        ):
            d.line(line, 0.02, colour, on=True)


def dirt(d: Drawing, rng: np.random.Generator) -> None:
    """A dirt bike: knobs, long forks, a long flat seat, a high mudguard."""
    paint, trim = paintwork(rng)
    r, rear = rng.uniform(0.34, 0.37), rng.uniform(0.31, 0.35)
    rim = one_of(rng, ((170, 172, 178), GOLD, (40, 42, 110), (40, 40, 44)))
    look = Look(0.2, rim, "wire", brake=0.36, knobs=True)
    wheel(d, rng, -0.68, rear, look)
    d.limb([(-0.68, rear), (-0.15, 0.44)], [0.03, 0.045], (190, 192, 198), grain=0.1)
    wheel(d, rng, 0.74, r, look)
    fork(d, (0.74, r), (0.42, 1.08), one_of(rng, (GOLD, STEEL, trim)), bright=CHROME)
    frame = one_of(rng, ((40, 40, 44), tuple(trim), (190, 192, 196)))
    for points in ([(0.4, 1.0), (0.3, 0.35), (-0.1, 0.3), (-0.16, 0.75)],
                   [(0.4, 1.0), (-0.16, 0.8), (-0.6, 0.95)],
                   [(-0.55, 0.9), (-0.15, 0.5)]):  # fmt: skip
        d.limb(points, 0.024, frame, grain=0)
    shock(d, (-0.2, 0.45), (-0.08, 0.8), one_of(rng, ((236, 200, 40), RED, CHROME)))
    crankcase(d, rng, 0.06, 0.4, (110, 110, 116), 0.9)
    cylinder(d, 0.14, 0.5, -8, (130, 132, 138), 0.9)
    pipe(d, [(0.16, 0.6), (0.32, 0.62), (0.26, 0.74), (-0.2, 0.74), (-0.8, 0.86)],
         0.028, one_of(rng, (STEEL, (64, 60, 58))), 0.055)  # fmt: skip
    d.polygon([(-0.4, 0.58), (-0.72, 0.94), (-0.2, 0.92), (-0.14, 0.68)],
              one_of(rng, ((238, 238, 234), paint)), round=1, grain=0.1)  # fmt: skip
    if rng.random() < 0.6:
        d.at(-0.42, 0.8, 1.3).line([(-0.04, -0.05), (0.02, 0.06)], 0.025, trim, on=True)
    d.polygon([(-0.45, 0.94), (-1.08, 1.08), (-1.14, 1.04), (-0.6, 0.88)],
              one_of(rng, (paint, (238, 238, 234))), round=1, grain=0.1)  # fmt: skip
    d.limb([(-0.72, 0.98), (-0.3, 0.98), (0.05, 0.96), (0.2, 1.0)],
           [0.03, 0.05, 0.05, 0.03],
           one_of(rng, (BLACK, BLACK, tuple(trim), (40, 60, 150))))  # fmt: skip
    d.polygon([(-0.06, 0.76), (-0.02, 0.98), (0.2, 1.06), (0.4, 1.0), (0.5, 0.66),
               (0.34, 0.58), (0.16, 0.72)], paint, round=2, grain=0.1)  # fmt: skip
    stripe(d, rng, [(-0.1, 0.84), (0.5, 0.8)], trim, 0.07)
    _letters(d, rng, 0.2, 0.9, 0.22, BLACK)
    d.polygon([(0.4, 0.86), (0.66, 0.88), (1.06, 0.76), (1.05, 0.8), (0.62, 0.95),
               (0.42, 0.95)], paint, round=1, grain=0.1)  # fmt: skip
    plate = [(0.52, 0.94), (0.46, 1.2), (0.54, 1.22), (0.62, 0.95)]
    d.polygon(plate, one_of(rng, (paint, (240, 240, 236))), round=1, grain=0)
    if rng.random() < 0.5:
        lamp(d, 0.57, 1.06, 0.07, paint)
    d.line([(0.42, 1.1), (0.38, 1.24), (0.22, 1.25)], 0.03, (60, 60, 64))
    d.limb([(0.26, 1.25), (0.12, 1.23)], 0.025, BLACK)


def handlebars(d: Drawing, rng, high: float, x: float = 0.3) -> None:
    """Handlebars up to the height `high`, with a grip and maybe mirrors."""
    reach = rng.uniform(0.05, 0.16)
    grip = (x - 0.1 - reach, high - rng.uniform(0, 0.1))
    d.line([(x + 0.08, 0.95), (x + 0.03, high), grip], 0.026, CHROME)
    d.limb([(grip[0] + 0.08, grip[1]), grip], 0.024, BLACK)
    if rng.random() < 0.7:
        mirror(d, x + 0.02, high - 0.04, rng.uniform(-0.05, 0.08),
               one_of(rng, (BLACK, CHROME)))  # fmt: skip
