"""How people are drawn: whole ones in metres, heads in half the width of a head.

A head's middle is at (0, 0), its chin near (0, -1.35), its crown near (0, 1.25).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing, pick, tinted

DARK, WHITE = (28, 22, 22), (250, 248, 244)
CLOTHES = ((200, 58, 52), (44, 92, 158), (236, 196, 70), (60, 130, 84), (238, 234, 226),
           (52, 54, 66), (150, 86, 140), (232, 140, 74), (110, 160, 190))  # fmt: skip
SKINS = ((242, 202, 176), (232, 186, 156), (214, 164, 126), (190, 138, 100),
         (150, 100, 70), (110, 72, 50), (78, 50, 38))  # fmt: skip
HAIRS = ((30, 24, 22), (58, 42, 32), (92, 62, 40), (140, 92, 50), (206, 170, 96),
         (150, 70, 36), (176, 174, 172))  # fmt: skip
IRISES = ((70, 46, 32), (96, 64, 40), (70, 110, 140), (90, 110, 80))
FLAT = {"puff": 0, "grain": 0}


@dataclass(frozen=True)
class Looks:
    """What one person's head has: lengths in the head's unit, 0 for none."""

    skin: np.ndarray
    hair: np.ndarray
    jaw: float  # half its width
    turn: float  # of the features to one side
    smile: float
    fringe: float  # where the hair begins: above 1.1 the head is bald
    long: float  # how far the hair falls
    curl: float  # how round its locks are
    beard: float  # how thick it is
    glasses: bool
    hat: bool


def random_looks(rng: np.random.Generator) -> Looks:
    """Choose a person."""
    skin = np.array(SKINS[rng.choice(7, p=(0.22, 0.22, 0.18, 0.14, 0.1, 0.08, 0.06))])
    hair = tinted(rng, HAIRS[:3] if skin.mean() < 120 else HAIRS)
    long = rng.uniform(0.6, 1.35) if rng.random() < 0.42 else 0.0
    bald = not long and rng.random() < 0.15
    return Looks(
        skin=skin * rng.uniform(0.95, 1.04, 3),
        hair=hair,
        jaw=rng.uniform(0.56, 0.78),
        turn=rng.normal(0, 0.09),
        smile=float(pick(rng, (0, 0, 0.6, 1))) * rng.uniform(0.5, 1),
        fringe=1.2 if bald else rng.uniform(0.5, 0.92),
        long=long,
        curl=rng.uniform(0.17, 0.27) if rng.random() < 0.25 else 0.0,
        beard=rng.uniform(0.04, 0.3) if not long and rng.random() < 0.45 else 0.0,
        glasses=rng.random() < 0.2,
        hat=rng.random() < 0.12,
    )


def person(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a person: standing, walking, sitting on the ground, or cut at the hips."""
    who, shirt, legs = random_looks(rng), tinted(rng, CLOTHES), tinted(rng, CLOTHES)
    pose = rng.choice(["stand", "walk", "sit", "bust"], p=[0.3, 0.3, 0.14, 0.26])
    lift, size = -0.72 if pose == "sit" else 0.0, rng.uniform(0.1, 0.14)
    step = rng.uniform(0.1, 0.25) if pose == "walk" else 0.02
    for side in (-1, 1) if pose != "bust" else ():
        knee, foot = (side * (0.1 + step * 0.7), 0.46), (side * (0.1 + step), 0.05)
        if pose == "sit":
            knee, foot = (side * 0.34, 0.43 + 0.03 * side), (side * 0.26, 0.05)
        hip = (side * 0.09, 0.86 + lift)
        d.limb([hip, knee, foot], [0.115, 0.09, 0.06], legs * (0.85 if side < 0 else 1))
        d.ellipse(foot[0] + 0.04, 0.04, 0.1, 0.045, DARK)
    d = d.at(0, lift)
    if pose in ("stand", "walk") and rng.random() < 0.3:  # a skirt
        d.polygon([(-0.17, 0.95), (0.17, 0.95), (0.3, 0.5), (-0.3, 0.5)], shirt * 0.95)
    _trunk(d, rng, who.skin, shirt, low=0.98 if pose == "bust" else 0.82)
    d.limb([(0, 1.4), (0, 1.5)], 0.06, who.skin * 0.9)
    h = d.at(0, 1.48 + 1.3 * size, size, rng.uniform(-14, 14))
    head(h, rng, who, back=rng.random() < 0.08)
    return "cut" if pose == "bust" else "stands"


def _trunk(d: Drawing, rng, skin, shirt, low: float) -> None:
    """Draw arms and shirt, from the hips at y = `low` to the shoulders."""
    sleeve = pick(rng, (skin, shirt, shirt))
    for side in (-1, 1):
        lift = rng.choice([0, 0, 0, rng.uniform(0.5, 1.3)])
        elbow = np.array([side * (0.3 + 0.1 * lift), 1.12 + 0.22 * lift])
        hand = elbow + [side * rng.uniform(-0.12, 0.1), -0.27 + 0.52 * lift]
        d.limb([(side * 0.19, 1.38), elbow, hand], [0.075, 0.06, 0.045], sleeve)
        d.limb([(side * 0.19, 1.38), elbow * [0.9, 1]], [0.085, 0.075], shirt)
        d.ellipse(*hand, 0.05, 0.055, skin)
    d.blob([(-0.1, 1.5), (0.1, 1.5), (0.27, 1.42), (0.22, 1.1), (0.2, low),
            (-0.2, low), (-0.22, 1.1), (-0.27, 1.42)], shirt)  # fmt: skip
    if rng.random() < 0.4:  # stripes
        trim = tinted(rng, CLOTHES)
        for y in np.arange(low, 1.4, 0.12):
            d.line([(-0.3, y), (0.3, y)], 0.05, trim, on=True)
    d.polygon([(-0.09, 1.5), (0.09, 1.5), (0, 1.38)], skin * 0.92, puff=0, on=True)


def shoulders(d: Drawing, rng: np.random.Generator, who: Looks) -> None:
    """Draw neck, shoulders and clothes of a head, down to y = -7."""
    wide, neck, slope = rng.uniform(1.8, 2.7), rng.uniform(0.46, 0.58), rng.random()
    cloth, trim = tinted(rng, CLOTHES), tinted(rng, CLOTHES)
    d.limb([(0, -0.8), (0, -2.1)], [neck, neck * 1.12], who.skin * 0.88, grain=0.1)
    half = [(neck, -1.3), (neck + 0.5, -1.52), (wide, -2.1 + 0.3 * slope),
            (wide + 0.4, -3.2), (wide + 0.4, -7)]  # fmt: skip
    outline = half + [(-x, y) for x, y in reversed(half)]
    d.polygon(outline, cloth, round=2, puff=0.7, grain=0.25)
    if rng.random() < 0.3:
        for y in np.arange(-7, -1.4, rng.uniform(0.3, 0.6)):
            d.line([(-3.2, y), (3.2, y)], 0.14, trim, on=True)
    low = rng.uniform(-3.2, -2.2)  # of the collar
    d.polygon([(-neck - 0.2, -1.3), (0, low - 0.2), (neck + 0.2, -1.3)],
              pick(rng, (WHITE, trim)), puff=0.3, on=True)  # fmt: skip
    d.blob([(-neck - 0.2, -1.3), (0, low), (neck + 0.2, -1.3)], who.skin * 0.9,
           puff=0.3, grain=0.1, on=True)  # fmt: skip


def head(d: Drawing, rng: np.random.Generator, who: Looks, back: bool = False) -> None:
    """Draw a head from the front, or from the `back`."""
    if who.long:
        low, out = 0.1 - who.long, 1.12 + 0.6 * who.curl
        d.polygon([(-0.6, 1.45), (0.6, 1.45), (out, 0.9), (out + 0.1, low), (0.5, low),
                   (-0.5, low), (-out - 0.1, low), (-out, 0.9)], who.hair * 0.75,
                  round=2, grain=1)  # fmt: skip
    for side in (-1, 1):
        d.ellipse(side * 0.98, -0.1, 0.14, 0.27, who.skin * 0.9, -10 * side, grain=0.1)
    half = [(0.5, 1.28), (0.96, 0.9), (1.02, 0.25), (0.97, -0.35),
            (who.jaw + 0.14, -0.98), (0.36, -1.34)]  # fmt: skip
    outline = half + [(-x, y) for x, y in reversed(half)]
    d.polygon(outline, who.hair if back else who.skin, round=3, puff=0.75, grain=0.1)
    if back:
        return
    _features(d.at(who.turn, 0), rng, who)
    if who.beard:
        _beard(d.at(who.turn, 0), who)
    if who.glasses:
        _glasses(d.at(who.turn, 0), rng)
    if who.hat:
        _hat(d, rng)
    elif who.fringe <= 1.1:
        _hair(d, rng, who)


def _features(d: Drawing, rng, who: Looks) -> None:
    """Draw eyes, brows, nose, cheeks and mouth."""
    iris, wide, tall = (
        pick(rng, IRISES),
        rng.uniform(0.15, 0.19),
        rng.uniform(0.08, 0.11),
    )
    brow, thick = rng.uniform(0.34, 0.42), rng.uniform(0.03, 0.06)
    rosy, shade = who.skin * (1, 0.92, 0.9), who.skin * 0.8
    for s in (-1, 1):
        d.ellipse(s * 0.56, -0.38, 0.24, 0.2, rosy, **FLAT)
        d.ellipse(s * 0.4, 0.12, wide * 1.3, tall * 1.7, shade, **FLAT)
        d.ellipse(s * 0.4, 0.1, wide, tall, WHITE, **FLAT)
        d.ellipse(s * 0.4, 0.11, 0.08, 0.085, iris, on=True, **FLAT)
        d.ellipse(s * 0.4, 0.11, 0.04, 0.04, DARK, on=True, **FLAT)
        lid = [(s * 0.4 - wide, 0.12), (s * 0.4, 0.12 + tall), (s * 0.4 + wide, 0.12)]
        d.limb(lid, 0.022, who.skin * 0.3, **FLAT)
        eyebrow = [(s * 0.17, brow - 0.02), (s * 0.4, brow + 0.05), (s * 0.62, brow)]
        d.limb(eyebrow, [thick, thick, 0.015], who.hair * 0.8, puff=0)
    d.limb([(0.1, 0.1), (0.14, -0.28)], [0.04, 0.09], shade, **FLAT)
    d.limb(
        [(0, 0.14), (0, -0.3)], [0.05, 0.09], np.clip(who.skin * 1.1, 0, 255), **FLAT
    )
    d.limb([(-0.1, -0.38), (0.1, -0.38)], 0.035, who.skin * 0.5, **FLAT)
    wide, up = rng.uniform(0.28, 0.36) + 0.08 * who.smile, 0.12 * who.smile
    lip = who.skin * (0.86, 0.52, 0.5)
    low = -0.88 - up / 2
    d.blob([(-wide * 1.1, -0.72 + up), (0, -0.62), (wide * 1.1, -0.72 + up),
            (0.14, low), (-0.14, low)], lip, puff=0.5)  # fmt: skip
    inside = WHITE if who.smile > 0.4 else lip * 0.5
    d.limb([(-wide, -0.71 + up), (0, -0.74), (wide, -0.71 + up)],
           [0.01, 0.02 + 0.04 * who.smile, 0.01], inside, **FLAT)  # fmt: skip


def _beard(d: Drawing, who: Looks) -> None:
    """Draw a moustache; with a thick beard, cheeks and chin too."""
    if who.beard > 0.12:
        out, low = who.jaw + 0.2, -1.3 - 0.6 * who.beard
        d.polygon([(-1, 0), (-out, -1), (-0.4, low), (0.4, low), (out, -1), (1, 0),
                   (0.8, -0.5), (0.4, -0.6), (0.36, -0.94), (-0.36, -0.94),
                   (-0.4, -0.6), (-0.8, -0.5)], who.hair * 0.9, round=2,
                  grain=1)  # fmt: skip
    lip = [(-0.38, -0.68), (-0.14, -0.55), (0.14, -0.55), (0.38, -0.68)]
    d.limb(lip, [0.03, 0.07, 0.07, 0.03], who.hair * 0.9, grain=1)


def _glasses(d: Drawing, rng) -> None:
    rim, wide = pick(rng, (DARK, (90, 70, 50), (150, 152, 158))), rng.uniform(0.24, 0.3)
    t = np.linspace(0, 2 * np.pi, 17)
    for s in (-1, 1):
        d.line(np.stack([0.4 * s + wide * np.cos(t), 0.08 + 0.2 * np.sin(t)], 1), 0.04,
               rim)  # fmt: skip
        d.line([(s * (0.4 + wide), 0.1), (s * 0.98, 0.14)], 0.03, rim)
    d.line([(-0.14, 0.1), (0, 0.13), (0.14, 0.1)], 0.035, rim)


def _hat(d: Drawing, rng) -> None:
    cloth, high, brim = tinted(rng, CLOTHES), rng.uniform(1.5, 1.9), rng.uniform(1, 1.6)
    d.blob([(-1.1, 0.5), (-1.1, high), (1.1, high), (1.1, 0.5)], cloth, grain=0.3)
    d.limb([(-brim, 0.6), (0, 0.66), (brim, 0.6)], 0.13, cloth * 0.8, grain=0.3)


def _hair(d: Drawing, rng, who: Looks) -> None:
    """Draw hair over the forehead and at the temples, in locks or in curls."""
    top, part, line = rng.uniform(1.34, 1.55), rng.uniform(-0.6, 0.6), who.fringe
    low = rng.uniform(-0.1, 0.3) - 0.4 * (who.long > 0)
    d.polygon([(-0.97, low), (-1.1, 0.4), (-1.02, 0.95), (-0.5, top), (0.5, top),
               (1.02, 0.95), (1.1, 0.4), (0.97, low), (0.86, line - 0.2),
               (part + 0.3, line), (part, line + rng.uniform(0, 0.2)),
               (part - 0.3, line), (-0.86, line - 0.2)], who.hair, round=2,
              grain=1)  # fmt: skip
    for x in rng.uniform(-1, 1, 0 if who.curl else 9):
        lock = [
            (part * 0.6 + 0.3 * x, top - 0.15),
            (0.8 * x, 1),
            (x, line - 0.7 * x**2),
        ]
        tone = who.hair * rng.uniform(0.72, 1.4)
        d.limb(lock, [0.01, 0.024, 0.01], tone, on=True, **FLAT)
    for t in np.linspace(-0.15, np.pi + 0.15, 15 if who.curl else 0):
        x, y = 1.02 * np.cos(t), 0.3 + 1.08 * np.sin(t)
        tone = who.hair * rng.uniform(0.75, 1.25)
        d.ellipse(x, y, who.curl, who.curl * rng.uniform(0.8, 1.2), tone, grain=1)
