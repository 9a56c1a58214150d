"""How airliners are drawn, from the side: with jets or with propellers.

One unit is the length of the fuselage, which looks to the right along y = 0. What has
`landed` has its wheels out; they may be out in the air, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing

PAINTS = ((196, 34, 44), (24, 52, 128), (20, 96, 172), (236, 180, 40), (20, 110, 80),
          (40, 42, 52), (228, 110, 40), (120, 40, 110), (60, 160, 190),
          (110, 24, 36))  # fmt: skip
HULLS = ((244, 244, 242), (232, 234, 236), (206, 210, 216), (186, 192, 200))
GREY, DARK, TYRE = (150, 154, 162), (44, 50, 60), (34, 34, 38)


@dataclass(frozen=True)
class Livery:
    """Colours of the upper and lower hull, of its stripe and of the tail."""

    top: np.ndarray
    belly: np.ndarray
    stripe: np.ndarray
    tail: np.ndarray
    wing: np.ndarray


def livery(rng: np.random.Generator) -> Livery:
    """Mostly white, sometimes painted all over."""
    first, second = (
        np.array(PAINTS[k], float) for k in rng.choice(len(PAINTS), 2, replace=False)
    )
    hull = np.array(HULLS[rng.integers(len(HULLS))], float)
    top = first if rng.random() < 0.14 else hull
    belly = top if rng.random() < 0.4 else np.array((172, 176, 184.0))
    wing = np.array(GREY) * rng.uniform(0.8, 1.15)
    return Livery(top, belly, second if rng.random() < 0.5 else first, first, wing)


def hull(d: Drawing, rng, r: float, look: Livery, hump: float = 0.0) -> None:
    """A round fuselage of half height `r`, with stripe, name, windows and cockpit."""
    long = rng.uniform(0.34, 0.4)  # where the nose begins
    tail = rng.uniform(-0.26, -0.16)
    points = [(tail - 0.04, r), (long - 0.22, r), (long - 0.16, r + hump * 0.2),
              (long - 0.12, r + hump), (long, r + hump), (long + 0.07, 0.72 * r),
              (0.485, 0.12 * r), (0.5, -0.2 * r), (0.485, -0.5 * r), (long + 0.05, -r),
              (long - 0.05, -r), (tail, -r), (tail - 0.1, -0.7 * r), (-0.47, 0.3 * r),
              (-0.505, 0.62 * r), (-0.46, 0.9 * r)]  # fmt: skip
    d.polygon(points, look.top, round=2, grain=0.1, puff=1)
    if look.belly is not look.top:
        y = -rng.uniform(0.1, 0.5) * r
        d.polygon([(-0.6, y), (0.6, y), (0.6, -1), (-0.6, -1)], look.belly, puff=0.6,
                  grain=0.1, on=True)  # fmt: skip
    _stripes(d, rng, r, look)
    _name(d, rng, r, look)
    step, y = rng.uniform(0.017, 0.024), rng.uniform(0.12, 0.3) * r
    for x in np.arange(-0.32, long - 0.02, step):
        d.ellipse(x, y, 0.22 * step, 0.0055, DARK, puff=0, grain=0, on=True)
    for x in (-0.3, long - 0.01):
        d.polygon(
            [(x, -0.4 * r), (x, 0.5 * r), (x + 0.012, 0.5 * r), (x + 0.012, -0.4 * r)],
            look.top * 0.78,
            puff=0,
            on=True,
        )
    x = long + 0.055
    d.polygon([(x, 0.62 * r), (x + 0.012, 0.28 * r), (x + 0.052, 0.22 * r),
               (x + 0.03, 0.62 * r)], DARK, puff=0, grain=0, on=True)  # fmt: skip
    d.limb([(-0.3, 0.72 * r), (0.1, 0.76 * r), (long, 0.66 * r)], 0.07 * r,
           0.4 * look.top + 150, puff=0, grain=0, on=True)  # fmt: skip


def _stripes(d: Drawing, rng, r: float, look: Livery) -> None:
    style = rng.random()
    if style < 0.5:
        y = rng.uniform(-0.15, 0.2) * r
        rise = rng.choice([0, 0, 0.7 * r])
        for k in range(rng.integers(1, 3)):
            way = [(-0.52, y + rise), (-0.2, y - 0.25 * r * k), (0.6, y - 0.25 * r * k)]
            colour = look.stripe if k == 0 else look.tail
            d.line(way, rng.uniform(0.12, 0.3) * r, colour, on=True)
    elif style < 0.75:  # the tail's colour runs down over the rear
        x = rng.uniform(-0.34, -0.2)
        d.polygon([(-0.6, r), (x + 0.1, 1.2 * r), (x, -1.2 * r), (-0.6, -r)], look.tail,
                  puff=0.6, grain=0.1, on=True)  # fmt: skip


def _name(d: Drawing, rng, r: float, look: Livery) -> None:
    """A few marks that look like an airline's name."""
    if rng.random() < 0.35:
        return
    x, high = rng.uniform(0.0, 0.12), rng.uniform(0.18, 0.28) * r
    y, colour = 0.66 * r, np.multiply(look.stripe, 0.8)
    for k in range(rng.integers(4, 10)):
        left, wide = x + k * 0.024, rng.uniform(0.008, 0.014)
        d.line([(left, y - high), (left, y + high)], 0.007, colour, on=True)
        up = y + high * rng.integers(-1, 2)
        d.line([(left, up), (left + wide, up)], 0.006, colour, on=True)


def fin(d: Drawing, rng, r: float, look: Livery, high: float, lean: float) -> None:
    """The upright tail, its top `lean` behind its foot, with a badge."""
    root = 0.8 * r
    d.polygon([(-0.3, root), (-0.35, root + 0.02), (-0.36 - lean, high),
               (-0.43 - lean, high), (-0.46, root)], look.tail, grain=0.15,
              puff=0.5)  # fmt: skip
    middle, style = (-0.4 - lean / 2, (high + r) / 2 + 0.01), rng.random()
    badge = look.stripe if rng.random() < 0.5 else np.array((244, 242, 236))
    if style < 0.35:
        d.ellipse(*middle, 0.03, 0.03, badge, puff=0, on=True)
    elif style < 0.75:
        for k in range(rng.integers(1, 4)):
            y = high - 0.03 - 0.04 * k
            slope = rng.choice([0, 0.1])
            d.line([(-0.8, y - slope), (0, y + slope)], 0.016, badge, on=True)
    d.line([(-0.425 - lean * 0.55, high), (-0.425, root)], 0.004, look.tail * 0.6,
           on=True)  # fmt: skip


def stabiliser(d: Drawing, y: float, colour, x: float = -0.43, near: bool = True):
    """A half of the level tail: towards us, or away from us."""
    side = -1 if near else 0.8
    tip = (x - 0.1, y + side * 0.035)
    d.polygon([(x + 0.06, y + 0.006), (x - 0.03, y - 0.006), (tip[0] - 0.01, tip[1]),
               (tip[0] + 0.03, tip[1] + 0.006)],
              np.multiply(colour, 1 if near else 0.7), puff=0.3)  # fmt: skip


def wing(d: Drawing, x: float, y: float, dip: float, sweep: float, colour) -> None:
    """The near wing: its tip `dip` below its root and `sweep` behind it."""
    shade = 1 if dip > 0 else 0.62  # from above it is lit, from below it is not
    tone = np.multiply(colour, shade)
    d.polygon([(x + 0.1, y + 0.008), (x - 0.09, y - 0.004), (x - 0.1 - sweep, y - dip),
               (x - 0.055 - sweep, y - dip + 0.012)], tone, puff=0.3,
              grain=0.3)  # fmt: skip
    d.line([(x - 0.06, y), (x - 0.09 - sweep, y - dip)], 0.007, tone * 0.75, on=True)


def engine(d: Drawing, x: float, y: float, colour, size: float = 1.0) -> None:
    """A jet engine with its intake on the right."""
    p = d.at(x, y, size)
    p.limb([(-0.065, 0.004), (-0.045, 0.002)], [0.012, 0.018], (70, 70, 74), grain=0)
    p.limb([(-0.045, 0), (0.01, 0), (0.042, 0)], [0.02, 0.029, 0.025], colour, puff=1,
           grain=0.1)  # fmt: skip
    p.ellipse(0.052, 0, 0.01, 0.025, (206, 208, 212), grain=0)
    p.ellipse(0.055, 0, 0.007, 0.019, (40, 42, 48), puff=0, grain=0)


def gear(d: Drawing, x: float, top: float, ground: float, wheels: int, r: float):
    """A leg with one or more wheels; these stand on y = `ground`."""
    d.limb([(x, top), (x, ground + r)], 0.006, (176, 178, 184), grain=0)
    for k in range(wheels):
        centre = x + (k - (wheels - 1) / 2) * 2.1 * r
        d.ellipse(centre, ground + r, r, r, TYRE, grain=0)
        d.ellipse(centre, ground + r, 0.45 * r, 0.45 * r, (170, 172, 178), grain=0)


def jet(d: Drawing, rng: np.random.Generator, landed: bool) -> None:
    """An airliner with jets: below its wings, at its tail, or both; two to four."""
    look, r = livery(rng), rng.uniform(0.042, 0.066)
    kind = rng.choice(["wings", "tail", "four", "jumbo"], p=[0.45, 0.25, 0.15, 0.15])
    rear = kind == "tail"
    hump = 0.5 * r if kind == "jumbo" else 0.0
    high, lean = r + rng.uniform(0.11, 0.16), rng.uniform(0.04, 0.09)
    dip, sweep = rng.uniform(-0.09, 0.11), rng.uniform(0.08, 0.2)
    cowl = look.top if rng.random() < 0.5 else look.stripe
    size = (0.85 if rear else 1.05) * rng.uniform(0.8, 1.1) * (r / 0.05) ** 0.5
    ground = -r - rng.uniform(0.045, 0.062) if landed or rng.random() < 0.35 else None
    x = -0.08 if rear else rng.uniform(0.0, 0.07)
    level = high - 0.008 if rear else 0.55 * r
    back = -0.36 - lean if rear else -0.43
    stabiliser(d, level, look.wing, back, near=False)
    wing(d, x + 0.02, -0.2 * r, -0.5 * abs(dip) - 0.03, sweep * 0.8, look.wing * 0.8)
    if ground is not None:
        gear(d, 0.36, -r, ground, 1, 0.013)
        gear(d, x - 0.05, -0.8 * r, ground, 2, 0.015)
    fin(d, rng, r, look, high, lean)
    hull(d, rng, r, look, hump)
    stabiliser(d, level, look.wing, back)
    if rear:
        engine(d, -0.28, 0.5 * r, cowl, size)
        if rng.random() < 0.3:
            d.limb([(-0.46, 0.9 * r), (-0.34, 1.3 * r)], 0.014, look.tail)
    else:
        engine(d, x + 0.1, -r - 0.012, cowl, size)
        d.limb([(x + 0.08, -0.8 * r), (x + 0.03, -0.6 * r)], 0.009, look.wing * 0.8)
    wing(d, x, -0.55 * r, dip, sweep, look.wing)
    if kind in ("four", "jumbo"):
        engine(d, x - 0.02, -0.75 * r - dip * 0.6 - 0.016, cowl, size * 0.95)


def turboprop(d: Drawing, rng: np.random.Generator, landed: bool) -> None:
    """A regional airliner with propellers, its wing high or low."""
    look, r = livery(rng), rng.uniform(0.058, 0.075)
    top = rng.random() < 0.5
    high = r + rng.uniform(0.13, 0.18)
    ground = -r - 0.055 if landed or rng.random() < 0.3 else None
    level = high - 0.01 if rng.random() < 0.5 else 0.7 * r
    stabiliser(d, level, look.wing, near=False)
    y, dip = (r, rng.uniform(-0.1, 0.03)) if top else (-0.6 * r, rng.uniform(-0.09, 0))
    wing(d, 0.06, y, dip * 0.6 - 0.03, 0.02, look.wing * 0.75)
    if ground is not None:
        gear(d, 0.38, -r, ground, 1, 0.016)
        gear(d, 0.0, -0.9 * r, ground, 1, 0.02)
    fin(d, rng, r, look, high, rng.uniform(0.0, 0.05))
    hull(d, rng, r, look)
    stabiliser(d, level, look.wing)
    wing(d, 0.05, y, dip, rng.uniform(0.0, 0.05), look.wing)
    _propeller_engine(d, rng, 0.1, y + (-0.012 if top else 0.01) - dip * 0.35, look)


def _propeller_engine(d: Drawing, rng, x: float, y: float, look: Livery) -> None:
    d.limb(
        [(x - 0.12, y), (x, y), (x + 0.075, y)],
        [0.012, 0.026, 0.018],
        look.top if rng.random() < 0.6 else look.stripe,
        puff=1,
        grain=0.1,
    )
    propeller(d, rng, x + 0.085, y, 0.085)


def propeller(d: Drawing, rng, x: float, y: float, r: float) -> None:
    """Blades seen from the side, and the spinner."""
    for turn in np.linspace(0, np.pi, rng.integers(2, 4), endpoint=False):
        up = r * np.cos(turn + rng.uniform(-0.3, 0.3))
        d.limb([(x, y - up), (x, y), (x, y + up)], [0.003, 0.007, 0.003],
               (60, 60, 64), puff=0.3, grain=0)  # fmt: skip
    d.limb([(x, y), (x + 0.018, y)], [0.016, 0.007], GREY, grain=0)
