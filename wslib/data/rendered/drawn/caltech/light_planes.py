"""How small aeroplanes, biplanes and fighters are drawn. See `airliners`."""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.caltech.airliners import (
    DARK,
    PAINTS,
    gear,
    propeller,
)
from wslib.data.rendered.drawn.drawing import Drawing

GLASS = (150, 180, 200)
WAR = ((96, 104, 72), (122, 108, 80), (132, 140, 150), (196, 200, 206), (70, 84, 96))
ROUNDELS = (((30, 50, 120), (236, 234, 226), (190, 30, 40)),
            ((240, 240, 236), (200, 30, 40), (200, 30, 40)),
            ((236, 196, 40), (40, 60, 120), (236, 234, 226)))  # fmt: skip


def _pick(rng: np.random.Generator, colours) -> np.ndarray:
    return np.array(colours[rng.integers(len(colours))], float) * rng.uniform(0.85, 1.1)


def _roundel(d: Drawing, rng, x: float, y: float, r: float) -> None:
    rings = ROUNDELS[rng.integers(len(ROUNDELS))]
    for colour, part in zip(rings, (1, 0.65, 0.32), strict=True):
        d.ellipse(x, y, r * part, r * part, colour, puff=0, grain=0, on=True)


def _canopy(d: Drawing, left: float, right: float, low: float, high: float) -> None:
    """A bubble of glass with its frames and a reflection."""
    middle = left + 0.55 * (right - left)
    d.polygon([(left, low), (left + 0.03, high), (middle, high + 0.012), (right, low)],
              GLASS, round=2, puff=0.8, grain=0)  # fmt: skip
    d.limb([(left + 0.04, high - 0.02), (middle, high - 0.012)], 0.008, (236, 242, 246),
           puff=0, grain=0, on=True)  # fmt: skip
    for x in np.linspace(left, right, 5)[1:-1]:
        d.line([(x, low - 0.01), (x + 0.005, high + 0.02)], 0.007, DARK, on=True)


def _body(d: Drawing, rng, nose: float, r: float, colour, trim) -> None:
    """A short fuselage that tapers to the tail, with a coloured line or nose."""
    d.polygon([(0.42, nose * 0.6), (0.4, r), (0.1, r * 1.05), (-0.25, r * 0.6),
               (-0.5, r * 0.45), (-0.5, 0.0), (-0.2, -0.75 * r), (0.2, -r),
               (0.4, -0.9 * r)], colour, round=2, puff=1, grain=0.2)  # fmt: skip
    if rng.random() < 0.6:
        y = rng.uniform(-0.3, 0.3) * r
        d.line([(-0.5, 0.25 * r), (0.0, y), (0.5, y)], rng.uniform(0.12, 0.4) * r,
               trim, on=True)  # fmt: skip
    if rng.random() < 0.5:
        x = rng.uniform(0.22, 0.36)
        d.polygon(
            [(x, 1), (0.6, 1), (0.6, -1), (x + 0.03, -1)], trim, puff=0.8, on=True
        )
    for k, x in enumerate((-0.34, -0.29, -0.24, -0.19)):
        if rng.random() < 0.8:
            d.line([(x, 0.2 * r), (x + 0.012 * (k % 2), 0.55 * r)], 0.014, trim * 0.8,
                   on=True)  # fmt: skip


def _tail(d: Drawing, rng, r: float, high: float, colour, trim) -> None:
    d.polygon([(-0.3, r * 0.55), (-0.44, high), (-0.53, high), (-0.53, r * 0.3)],
              colour, round=1, puff=0.5, grain=0.2)  # fmt: skip
    if rng.random() < 0.7:
        y = high - rng.uniform(0.02, 0.06)
        d.line([(-0.7, y), (0, y)], rng.uniform(0.02, 0.05), trim, on=True)
    d.polygon([(-0.36, r * 0.4), (-0.5, r * 0.45), (-0.58, r * 0.1), (-0.46, r * 0.08)],
              np.multiply(colour, 0.85), puff=0.4)  # fmt: skip


def _legs(d: Drawing, rng, r: float, nose_wheel: bool) -> None:
    """A fixed undercarriage."""
    ground = -r - rng.uniform(0.09, 0.12)
    if nose_wheel:
        gear(d, 0.36, -0.6 * r, ground, 1, 0.03)
        d.limb([(0.02, -0.8 * r), (-0.02, ground + 0.03)], 0.01, (200, 202, 206))
        gear(d, -0.02, ground + 0.05, ground, 1, 0.033)
    else:
        gear(d, 0.2, -0.6 * r, ground, 1, 0.042)
        gear(d, -0.46, 0.02, -0.05, 1, 0.018)


def _on_its_tail(d: Drawing, landed: bool) -> Drawing:
    """Nose up, as a plane with a tail wheel stands."""
    return d.at(0, 0, 1, 12.0 if landed else 0.0)


def cabin_plane(d: Drawing, rng: np.random.Generator, landed: bool) -> None:
    """A small plane with a high wing on struts, or with a low one."""
    colour = _pick(rng, ((244, 242, 236), (244, 242, 236), (240, 200, 60), *PAINTS))
    trim, r = _pick(rng, PAINTS), rng.uniform(0.07, 0.085)
    high, nose_wheel = rng.random() < 0.6, rng.random() < 0.7
    d = _on_its_tail(d, landed and not nose_wheel)
    _legs(d, rng, r, nose_wheel)
    dip = rng.uniform(-0.1, 0.13)
    top = 1.75 * r
    y = top if high else -0.6 * r
    d.polygon([(0.22, y + 0.02), (0.05, y), (0.06, y + 0.02 + abs(dip) * 0.5),
               (0.2, y + 0.03 + abs(dip) * 0.5)], colour * 0.65, puff=0.3)  # fmt: skip
    _tail(d, rng, r, 2.6 * r, colour, trim)
    d.polygon([(-0.16, r * 0.7), (-0.02, top), (0.18, top), (0.28, r * 0.8)],
              np.multiply(GLASS, 0.75), round=1, puff=0.4, grain=0)  # fmt: skip
    for x in (-0.05, 0.08, 0.19):
        d.line([(x, top), (x + 0.02, r * 0.6)], 0.016, colour * 0.9, on=True)
    _body(d, rng, 0.05, r, colour, trim)
    if high:
        d.line([(0.1, -0.5 * r), (0.12, y - dip * 0.6)], 0.01, colour * 0.7)
    d.polygon([(0.22, y + 0.025), (0.04, y + 0.01), (0.0, y - dip - 0.004),
               (0.17, y - dip + 0.012)], colour * (0.95 if dip > 0 else 0.7), round=1,
              puff=0.3, grain=0.2)  # fmt: skip
    propeller(d, rng, 0.43, 0.02, 0.13)


def warbird(d: Drawing, rng: np.random.Generator, landed: bool) -> None:
    """A fighter or a trainer with a propeller, under a canopy of glass."""
    colour = _pick(rng, WAR if rng.random() < 0.6 else PAINTS)
    trim, r = _pick(rng, PAINTS), rng.uniform(0.07, 0.095)
    if landed:
        nose_wheel = rng.random() < 0.3
        d = _on_its_tail(d, not nose_wheel)
        _legs(d, rng, r, nose_wheel)
    _tail(d, rng, r, rng.uniform(2.2, 2.8) * r, colour, trim)
    _canopy(d, rng.uniform(-0.2, -0.1), rng.uniform(0.14, 0.22), r * 0.8, r * 1.75)
    _body(d, rng, 0.03, r, colour, trim)
    _camouflage(d, rng, r, colour)
    _roundel(d, rng, -0.24, 0.02, 0.034)
    dip, y = rng.uniform(-0.08, 0.1), -0.55 * r
    d.polygon([(0.2, y + 0.02), (-0.04, y - 0.006), (-0.06, y - dip - 0.01),
               (0.06, y - dip + 0.006)], colour * (0.95 if dip > 0 else 0.6), round=1,
              puff=0.3, grain=0.3)  # fmt: skip
    for x in (0.2, 0.24, 0.28, 0.32):
        d.line([(x, 0.35 * r), (x - 0.02, 0.2 * r)], 0.014, DARK)
    propeller(d, rng, 0.425, 0.01, 0.15)


def _camouflage(d: Drawing, rng, r: float, colour) -> None:
    if rng.random() < 0.5:
        return
    tone = _pick(rng, WAR)
    for x in rng.uniform(-0.45, 0.35, 4):
        d.blob([(x, 1.3 * r), (x + 0.14, r), (x + 0.06, -0.1 * r), (x - 0.05, 0.2 * r)],
               tone, puff=0.5, grain=0.4, on=True)  # fmt: skip


def biplane(d: Drawing, rng: np.random.Generator, landed: bool) -> None:
    """Two wings, wires and an open cockpit."""
    colour, trim = _pick(rng, PAINTS), _pick(rng, PAINTS + ((240, 238, 230),) * 5)
    r = rng.uniform(0.075, 0.09)
    d = _on_its_tail(d, landed)
    _legs(d, rng, r, nose_wheel=False)
    _tail(d, rng, r, 2.1 * r, trim, colour)
    d.ellipse(-0.08, r * 1.25, 0.032, 0.036, (110, 76, 54))  # the pilot
    _body(d, rng, 0.04, r, colour, trim)
    d.line([(0.0, r), (0.03, r * 1.6)], 0.02, GLASS)
    _roundel(d, rng, -0.28, 0.02, 0.03)
    upper, lower, dip = 2.2 * r, -0.8 * r, rng.uniform(-0.05, 0.08)
    for x in (0.06, 0.2):
        d.line([(x, lower), (x + 0.04, upper)], 0.012, (120, 90, 60))
        d.line([(x, lower - dip), (x + 0.05, upper - dip)], 0.012, (150, 112, 72))
    d.line([(0.06, lower - dip), (0.25, upper - dip)], 0.005, DARK)
    d.line([(0.2, lower - dip), (0.11, upper - dip)], 0.005, DARK)
    for x, y, slip in ((0.04, lower, 0.02), (0.1, upper, 0.0)):
        d.polygon([(x + 0.19, y + 0.018), (x, y + 0.006), (x - slip, y - dip - 0.01),
                   (x + 0.17 - slip, y - dip + 0.008)], trim, round=1, puff=0.4,
                  grain=0.3)  # fmt: skip
    d.ellipse(0.4, 0.01, 0.03, r * 0.9, (96, 96, 100), grain=0.6)
    propeller(d, rng, 0.43, 0.01, 0.16)


def fighter(d: Drawing, rng: np.random.Generator, landed: bool) -> None:
    """A jet fighter with swept or delta wings."""
    colour = _pick(rng, (*WAR, (170, 176, 184), (206, 40, 44), (30, 50, 110)))
    trim, r = _pick(rng, PAINTS), rng.uniform(0.045, 0.06)
    high, dip = r + rng.uniform(0.1, 0.15), rng.uniform(-0.04, 0.07)
    if landed:
        gear(d, 0.2, -r, -r - 0.07, 1, 0.02)
        gear(d, -0.1, -r, -r - 0.07, 1, 0.024)
    d.polygon([(-0.26, r), (-0.42, high), (-0.5, high), (-0.46, r * 0.5)], colour,
              puff=0.5, grain=0.2)  # fmt: skip
    d.line([(-0.7, high - 0.03), (0, high - 0.02)], 0.03, trim, on=True)
    d.limb([(-0.5, 0.0), (-0.42, 0)], [r * 0.6, r * 0.75], (60, 60, 64), grain=0)
    _canopy(d, 0.06, 0.3, r * 0.6, r * 1.55)
    d.polygon([(0.56, -0.1 * r), (0.36, 0.7 * r), (0.05, r), (-0.46, 0.8 * r),
               (-0.46, -0.6 * r), (0.05, -r), (0.36, -0.8 * r)], colour, round=2,
              puff=1, grain=0.2)  # fmt: skip
    _camouflage(d, rng, r, colour)
    _roundel(d, rng, -0.16, 0.1 * r, 0.026)
    d.polygon([(0.14, -0.6 * r), (0.1, 0.5 * r), (0.06, 0.5 * r), (0.08, -0.7 * r)],
              DARK, puff=0, on=True)  # fmt: skip
    y = -0.25 * r
    d.polygon([(0.08, y + 0.01), (-0.3, y - 0.006), (-0.34, y - dip - 0.01),
               (-0.22, y - dip - 0.004)], colour * (0.9 if dip > 0 else 0.6), puff=0.3,
              grain=0.3)  # fmt: skip
    d.polygon([(-0.32, y + 0.01), (-0.48, y), (-0.54, y - 0.03), (-0.46, y - 0.03)],
              colour * 0.85, puff=0.3)  # fmt: skip
    if rng.random() < 0.5:
        d.limb([(-0.14, -r * 1.2), (0.06, -r * 1.2)], [0.008, 0.014], trim)
