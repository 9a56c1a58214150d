"""How classic motorcycles, cruisers and tourers are drawn. See `motorcycles`."""

from __future__ import annotations

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
    mudguard,
    pipe,
    shock,
    wheel,
)
from wslib.data.rendered.drawn.caltech.motorcycles import (
    AMBER,
    GLASS,
    LEATHER,
    RED,
    Look,
    gloss,
    handlebars,
    one_of,
    paintwork,
    stripe,
)
from wslib.data.rendered.drawn.drawing import Drawing


def classic(d: Drawing, rng: np.random.Generator) -> None:
    """An upright motorcycle with wire wheels, a bench and one or two cylinders."""
    paint, trim = paintwork(rng)
    r, metal = rng.uniform(0.31, 0.36), one_of(rng, (STEEL, CHROME, DARK_STEEL))
    look = Look(rng.uniform(0.14, 0.2), CHROME, "wire", brake=one_of(rng, (0.35, 0.6)))
    wheel(d, rng, -0.68, r, look)
    d.limb([(-0.68, r), (-0.15, 0.42)], 0.028, BLACK, grain=0)
    wheel(d, rng, 0.7, r, look)
    guard = one_of(rng, (CHROME, paint, paint))
    mudguard(d, -0.68, r, 15, 150, guard)
    mudguard(d, 0.7, r, 25, 175, guard)
    fork(d, (0.7, r), (0.46, 0.95), STEEL, gaiters=rng.random() < 0.5)
    for points in ([(0.45, 0.92), (0.32, 0.34), (-0.2, 0.28), (-0.25, 0.7)],
                   [(0.45, 0.88), (-0.2, 0.72), (-0.7, 0.72)]):  # fmt: skip
        d.limb(points, 0.024, BLACK, grain=0)
    shock(d, (-0.62, r + 0.04), (-0.48, 0.74), CHROME)
    crankcase(d, rng, 0.03, 0.37, metal, rng.uniform(0.85, 1.0))
    if rng.random() < 0.25:  # flat twin
        d.limb([(0.02, 0.46), (0.12, 0.46)], 0.1, STEEL, grain=0.3)
        d.ellipse(0.08, 0.46, 0.12, 0.09, CHROME, puff=0.9, grain=0.1)
    else:
        for lean in one_of(rng, ((0,), (-3, 12), (-6,), (-18, 24))):
            cylinder(d, 0.1 - 0.005 * lean, 0.44, lean, metal, rng.uniform(0.85, 1))
    d.ellipse(-0.17, 0.56, 0.09, 0.09, one_of(rng, (BLACK, paint, STEEL)), grain=0.1)
    way = [(0.16, 0.56), (0.34, 0.5), (0.3, 0.28), (-0.1, 0.22), (-0.95, 0.28)]
    pipe(d, way, 0.026, CHROME, rng.uniform(0.04, 0.06))
    d.polygon([(-0.36, 0.55), (-0.38, 0.72), (-0.1, 0.72), (-0.14, 0.52)],
              paint if rng.random() < 0.6 else BLACK, round=1, grain=0.1)  # fmt: skip
    high = rng.uniform(0.8, 0.9)
    seat = np.array(one_of(rng, LEATHER))
    if rng.random() < 0.25:  # a sprung saddle
        for x in (-0.5, -0.36):
            d.line([(x, high - 0.12), (x, high)], 0.04, STEEL)
        d.blob([(-0.62, high), (-0.6, high + 0.1), (-0.3, high + 0.04),
                (-0.14, high + 0.02), (-0.16, high - 0.04)], seat)  # fmt: skip
    else:
        d.limb([(-0.9, high + 0.04), (-0.5, high), (-0.16, high - 0.02)],
               [0.045, 0.055, 0.05], seat)  # fmt: skip
        d.line([(-0.95, high - 0.02), (-0.1, high - 0.06)], 0.014, CHROME, on=True)
    d.blob([(-0.2, 0.76), (-0.16, 0.96), (0.15, 1.04), (0.42, 0.98), (0.48, 0.84),
            (0.2, 0.74)], paint, grain=0.1, puff=1)  # fmt: skip
    if rng.random() < 0.6:
        d.ellipse(0.08, 0.82, 0.17, 0.08, one_of(rng, (trim, CHROME)), 8, on=True)
    stripe(d, rng, [(-0.2, 0.9), (0.5, 0.93)], trim, 0.03)
    gloss(d, [(-0.1, 0.92), (0.1, 0.98), (0.34, 0.96)], paint)
    d.ellipse(-0.95, 0.72, 0.05, 0.04, RED, grain=0)
    handlebars(d, rng, rng.uniform(1.04, 1.18))
    lamp(d, 0.56, 0.96, rng.uniform(0.09, 0.12), one_of(rng, (CHROME, BLACK, paint)))


def cruiser(d: Drawing, rng: np.random.Generator, tourer: bool = False) -> None:
    """A long, low motorcycle with a V engine: plain, chopped, or with a screen and
    bags."""
    paint, trim = paintwork(rng)
    if rng.random() < 0.3:
        paint = np.array((34.0, 33, 36))
    chop = 0.0 if tourer or rng.random() < 0.6 else rng.uniform(0.05, 0.3)
    front, r, rear = 0.78 + chop, rng.uniform(0.32, 0.36), rng.uniform(0.3, 0.33)
    spokes = "wire" if chop or rng.random() < 0.6 else one_of(rng, ("cast", "disc"))
    white = rng.random() < 0.2
    wheel(d, rng, -0.72, rear, Look(0.3, CHROME, spokes, brake=0.4, whitewall=white))
    thin = Look(0.18 if chop else 0.26, CHROME, spokes, brake=0.5, whitewall=white)
    wheel(d, rng, front, r, thin)
    fork(d, (front, r), (0.46, 1.0), one_of(rng, (CHROME, STEEL)))
    _frame(d, rng, front, rear)
    mudguard(d, -0.72, rear, 10, 168, paint, 0.06)
    stripe(d, rng, [(-1.1, 0.55), (-0.7, 0.66), (-0.4, 0.5)], trim, 0.02)
    if not chop or rng.random() < 0.4:
        mudguard(d, front, r, -5 if tourer else 20, 160, paint, 0.045)
    _v_engine(d, rng)
    _pipes(d, rng)
    seat = np.array(one_of(rng, LEATHER))
    low = rng.uniform(0.64, 0.7)
    d.blob([(-0.5, low + 0.04), (-0.42, low + 0.1), (-0.2, low), (0.02, low + 0.1),
            (0.04, low - 0.02), (-0.3, low - 0.08)], seat)  # fmt: skip
    d.limb([(-0.92, low + 0.1), (-0.46, low + 0.09)], [0.04, 0.06], seat)
    d.blob([(-0.1, 0.72), (0.0, 0.9), (0.22, 0.98), (0.42, 0.94), (0.48, 0.84),
            (0.2, 0.72)], paint, grain=0.1, puff=1)  # fmt: skip
    if rng.random() < 0.6:
        d.blob([(0.0, 0.76), (0.1, 0.9), (0.4, 0.9), (0.44, 0.82), (0.2, 0.74)], trim,
               on=True, puff=0.4, grain=0.1)  # fmt: skip
    gloss(d, [(0.04, 0.86), (0.2, 0.93), (0.36, 0.91)], paint, 0.03)
    if rng.random() < 0.5:  # a backrest
        top = rng.uniform(0.95, 1.25)
        d.line([(-0.8, 0.7), (-0.9, top), (-0.86, top)], 0.025, CHROME)
        d.limb([(-0.86, top - 0.14), (-0.88, top - 0.03)], 0.05, seat)
    if tourer:
        _luggage(d, rng, paint, trim, seat)
    d.ellipse(-1.02, 0.6, 0.045, 0.04, RED, grain=0)
    d.ellipse(-0.94, 0.52, 0.03, 0.03, AMBER, grain=0)
    handlebars(d, rng, rng.uniform(1.05, 1.42) if not tourer else 1.12, 0.34)
    lamp(d, 0.58, 0.95, rng.uniform(0.09, 0.13), CHROME)
    if tourer or rng.random() < 0.2:
        _windscreen(d, rng, paint if rng.random() < 0.5 else None)


def tourer(d: Drawing, rng: np.random.Generator) -> None:
    """A cruiser with bags and a windscreen."""
    cruiser(d, rng, tourer=True)


def _frame(d: Drawing, rng, front: float, rear: float) -> None:
    for points in ([(0.46, 0.96), (0.36, 0.3), (-0.2, 0.22), (-0.3, 0.6)],
                   [(0.46, 0.9), (-0.1, 0.68), (-0.4, 0.58), (-0.72, rear)],
                   [(-0.2, 0.3), (-0.72, rear)]):  # fmt: skip
        d.limb(points, 0.028, BLACK, grain=0)
    if rng.random() < 0.6:
        shock(d, (-0.68, rear + 0.03), (-0.46, 0.6), CHROME)
    d.limb([(0.36, 0.26), (0.46, 0.26)], 0.03, BLACK)  # foot peg


def _v_engine(d: Drawing, rng) -> None:
    metal = one_of(rng, (STEEL, CHROME, (70, 70, 74)))
    size, lean = rng.uniform(0.95, 1.15), rng.uniform(20, 28)
    for sign in (1, -1):
        cylinder(d, 0.08 - sign * 0.03, 0.42, sign * lean, metal, size)
    crankcase(d, rng, 0.06, 0.34, metal, size)
    d.ellipse(0.08, 0.6, 0.1, 0.08, CHROME, puff=1, grain=0)  # air filter
    d.ellipse(0.08, 0.6, 0.06, 0.045, one_of(rng, (BLACK, STEEL)), grain=0)


def _pipes(d: Drawing, rng) -> None:
    y, end = rng.uniform(0.2, 0.28), rng.uniform(-1.15, -0.75)
    rise = rng.uniform(-0.02, 0.12)
    thick = rng.uniform(0.04, 0.06)
    pipe(d, [(-0.04, 0.56), (-0.14, 0.42), (-0.3, y + 0.12), (end, y + 0.1 + rise)],
         0.03, CHROME, thick)  # fmt: skip
    pipe(d, [(0.2, 0.58), (0.38, 0.5), (0.3, 0.28), (-0.2, y), (end, y + rise * 0.8)],
         0.03, CHROME, thick)  # fmt: skip


def _luggage(d: Drawing, rng, paint, trim, seat) -> None:
    """A saddlebag of leather or painted, and maybe a case on top."""
    leather = rng.random() < 0.5
    colour = seat if leather else paint
    d.polygon([(-1.06, 0.36), (-1.1, 0.66), (-0.5, 0.66), (-0.46, 0.4), (-0.56, 0.34)],
              colour, round=2, grain=0.5 if leather else 0.1)  # fmt: skip
    if leather:
        for x in (-0.92, -0.66):
            d.line([(x, 0.4), (x, 0.68)], 0.035, np.multiply(colour, 0.6), on=True)
            d.ellipse(x, 0.48, 0.02, 0.02, CHROME, puff=0, grain=0)
    else:
        stripe(d, rng, [(-1.1, 0.52), (-0.4, 0.52)], trim, 0.03)
    if rng.random() < 0.4:
        d.polygon([(-1.2, 0.76), (-1.2, 1.06), (-0.84, 1.06), (-0.8, 0.76)],
                  paint, round=2, grain=0.1)  # fmt: skip
        d.line([(-1.2, 0.92), (-0.7, 0.92)], 0.02, CHROME, on=True)


def _windscreen(d: Drawing, rng, fairing=None) -> None:
    top = rng.uniform(1.25, 1.5)
    glass = np.array(GLASS) * rng.uniform(0.75, 1.05)
    d.polygon([(0.66, 0.95), (0.44, top), (0.36, top), (0.5, 0.98)], glass, puff=0.3,
              grain=0)  # fmt: skip
    d.line([(0.62, 1.0), (0.42, top - 0.04)], 0.02, (246, 248, 250), on=True)
    if fairing is not None:
        d.blob([(0.36, 1.02), (0.62, 1.12), (0.78, 0.92), (0.7, 0.76), (0.46, 0.76)],
               fairing, grain=0.1, puff=0.9)  # fmt: skip
        d.ellipse(0.72, 0.92, 0.05, 0.08, (236, 240, 242), grain=0)
