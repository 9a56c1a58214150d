"""How hair, beards and caps are drawn. See `portraits` for the unit."""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.caltech.portraits import Person
from wslib.data.rendered.drawn.drawing import Drawing
from wslib.data.rendered.drawn.people import tinted

LONG = {"long": (-2.0, 0.12), "waves": (-1.5, 0.22), "bob": (-0.95, 0.12)}


def hair_behind(d: Drawing, rng: np.random.Generator, who: Person) -> None:
    """Hair behind the face and the neck."""
    dark = who.hair * 0.72
    if who.style in LONG:
        low, out = LONG[who.style]
        low += rng.uniform(-0.3, 0.2)
        x = 1.12 + out
        d.polygon([(-0.6, 1.45), (0.6, 1.45), (x, 0.9), (x + 0.06, -0.2), (x, low),
                   (0.5, low - 0.12), (-0.5, low - 0.12), (-x, low), (-x - 0.06, -0.2),
                   (-x, 0.9)], dark, round=2, grain=1)  # fmt: skip
    elif who.style == "tied" and rng.random() < 0.5:
        d.ellipse(rng.uniform(-0.3, 0.3), 1.5, 0.42, 0.34, dark, grain=1)
    elif who.style == "curly":
        _curls(d, rng, who, 1.0, rng.uniform(-1.3, 0.1))


def hair_before(d: Drawing, rng: np.random.Generator, who: Person) -> None:
    """Hair over the forehead and at the temples, or a cap."""
    if who.style == "bald":
        return
    if who.style == "cap":
        return _cap(d, rng)
    top = rng.uniform(1.36, 1.55) * who.long
    line = rng.uniform(0.62, 0.86)  # where the forehead ends
    part, low = rng.uniform(-0.6, 0.6), rng.uniform(-0.15, 0.3)
    if who.style in LONG:
        low, line = rng.uniform(-0.7, -0.2), rng.uniform(0.45, 0.95)
    if who.style == "thin":
        for s in (-1, 1):
            d.polygon(
                [
                    (s * 1.02, -0.1),
                    (s * 1.12, 0.5),
                    (s * 0.86, 1.05),
                    (s * 0.74, 0.9),
                    (s * 0.9, 0.45),
                ],
                who.hair,
                round=2,
                grain=1,
            )
        return
    out = 1.08 + 0.08 * (who.style in LONG)
    rim = [(-0.97, low), (-out, 0.3), (-out + 0.02, 0.85), (-0.6, top - 0.04), (0, top),
           (0.6, top - 0.04), (out - 0.02, 0.85), (out, 0.3), (0.97, low)]  # fmt: skip
    if who.style == "spikes":
        rim[2:7] = [(x * rng.uniform(0.95, 1.1), y * rng.uniform(0.98, 1.14))
                    for x, y in np.repeat(rim[2:7], 2, 0)]  # fmt: skip
    brow = [(0.9, low + 0.25), (0.82, line - 0.1), (part + 0.3, line),
            (part, line + rng.uniform(0, 0.2)), (part - 0.3, line),
            (-0.82, line - 0.1), (-0.9, low + 0.25)]  # fmt: skip
    if who.style in ("short", "curly", "tied"):
        brow[2:5] = [(0.4, line + 0.12), (-0.4, line + 0.12)]
    d.polygon([*rim, *brow], who.hair, round=1 if who.style == "spikes" else 2,
              puff=0.8, grain=1)  # fmt: skip
    if who.style == "curly":
        _curls(d, rng, who, 0.97, 0.35)
    else:
        _strands(d, rng, who, part, line, top)


def _strands(d: Drawing, rng, who: Person, part: float, line: float, top: float):
    """Lighter and darker locks that fall from the parting."""
    for x in rng.uniform(-1.05, 1.05, 11):
        tone = who.hair * rng.uniform(0.72, 1.4) + rng.uniform(0, 10)
        start = (part * 0.6 + 0.3 * x, top - 0.05 - 0.1 * abs(x))
        bend = (0.75 * x + 0.1 * part, 0.5 * (top + line) + 0.1)
        d.limb(
            [start, bend, (1.05 * x, line - 0.9 * x**2)],
            [0.008, 0.022, 0.008],
            tone,
            puff=0,
            grain=0,
            on=True,
        )


def _curls(d: Drawing, rng, who: Person, out: float, low: float) -> None:
    """Round locks over the crown and down both sides to y = `low`."""
    t = np.linspace(0, np.pi, 13)
    over = np.stack([1.06 * np.cos(t), 0.25 + 1.15 * np.sin(t)], 1) * out  # (13, 2)
    down = [(s * 1.1 * out, y) for y in np.arange(0.05, low, -0.2) for s in (-1, 1)]
    for x, y in [*down[::-1], *over]:
        size = rng.uniform(0.18, 0.27)
        x, y = x + rng.uniform(-0.05, 0.05), y + rng.uniform(-0.05, 0.05)
        d.ellipse(x, y, size, size, who.hair * rng.uniform(0.75, 1.25), grain=1)


def _cap(d: Drawing, rng) -> None:
    cloth = tinted(rng)
    d.polygon(
        [
            (-1.06, 0.55),
            (-1.08, 1.0),
            (-0.7, 1.5),
            (0, 1.62),
            (0.7, 1.5),
            (1.08, 1.0),
            (1.06, 0.55),
        ],
        cloth,
        round=2,
        puff=0.9,
        grain=0.3,
    )
    d.line([(0, 0.5), (0, 1.7)], 0.02, cloth * 0.7, on=True)
    d.blob([(-1.15, 0.62), (0, 0.84), (1.15, 0.62), (0.9, 0.38), (0, 0.52),
            (-0.9, 0.38)], cloth * 0.8, puff=0.6, grain=0.3)  # fmt: skip


def beard_soft(d: Drawing, who: Person) -> None:
    """Stubble or the shadow of a beard, to be blurred."""
    if who.beard in ("stubble", "full"):
        jaw = who.jaw + 0.22
        d.polygon([(-0.98, -0.2), (-jaw, -0.95), (-0.4, -1.36), (0.4, -1.36),
                   (jaw, -0.95), (0.98, -0.2), (0.72, -0.5), (0.4, -0.5), (-0.4, -0.5),
                   (-0.72, -0.5)], who.hair, round=1, puff=0, grain=1)  # fmt: skip


def beard_sharp(d: Drawing, rng: np.random.Generator, who: Person) -> None:
    """Moustache, goatee or a full beard."""
    tone = who.hair * 0.9 + 4
    if who.beard == "full":
        jaw = who.jaw + 0.2
        d.polygon([(-1.0, 0.0), (-jaw - 0.05, -1.0), (-0.4, -1.5), (0.4, -1.5),
                   (jaw + 0.05, -1.0), (1.0, 0.0), (0.8, -0.5), (0.45, -0.62),
                   (0.36, -0.9), (-0.36, -0.9), (-0.45, -0.62), (-0.8, -0.5)],
                  tone, round=2, grain=1, puff=0.6)  # fmt: skip
    if who.beard == "goatee":
        d.blob([(-0.3, -0.86), (0, -0.92), (0.3, -0.86), (0.28, -1.38), (-0.28, -1.38)],
               tone, grain=1)  # fmt: skip
    if who.beard in ("moustache", "goatee", "full"):
        drop = rng.uniform(0.0, 0.14)
        d.limb([(-0.38, -0.68 - drop), (-0.14, -0.55), (0, -0.58), (0.14, -0.55),
                (0.38, -0.68 - drop)], [0.03, 0.07, 0.05, 0.07, 0.03], tone,
               grain=1)  # fmt: skip
