"""How people's faces are drawn, from the front. One unit is half the width of a head,
whose middle is at (0, 0); its chin is near (0, -1.35), the crown near (0, 1.25).

A face is skin, soft shades on it and sharp features; a person is that with hair in
front of it and behind it, a neck, shoulders and clothes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing
from wslib.data.rendered.drawn.people import tinted

SKINS = ((242, 202, 176), (232, 186, 156), (222, 172, 134), (198, 146, 108),
         (160, 110, 78), (122, 82, 58), (92, 62, 46))  # fmt: skip
HAIRS = ((34, 28, 26), (44, 34, 30), (70, 48, 34), (104, 72, 46), (140, 98, 58),
         (190, 152, 92), (150, 72, 40), (150, 148, 146), (206, 204, 200))  # fmt: skip
IRISES = ((70, 46, 32), (60, 42, 34), (88, 110, 130), (90, 110, 84), (110, 80, 50))
WHITE, DARK = (236, 232, 226), (34, 26, 26)


@dataclass(frozen=True)
class Person:
    """What a person looks like: colours (3,) and proportions, of 1 on average."""

    skin: np.ndarray
    hair: np.ndarray
    jaw: float  # half width of the jaw
    long: float  # stretches the face
    turn: float  # how far the features are to the right of the middle
    smile: float
    beard: str  # "", "stubble", "moustache", "goatee" or "full"
    glasses: bool
    old: float
    style: str  # of the hair


def someone(rng: np.random.Generator) -> Person:
    """A person."""
    skin = np.array(SKINS[rng.choice(7, p=(0.22, 0.22, 0.18, 0.14, 0.1, 0.08, 0.06))])
    dark = skin.mean() < 150
    hair = np.array(HAIRS[rng.integers(3 if dark else len(HAIRS))], float)
    styles = ("short", "parted", "thin", "bald", "curly", "long", "waves", "bob",
              "tied", "spikes", "cap")  # fmt: skip
    p = (0.17, 0.14, 0.07, 0.05, 0.1, 0.13, 0.09, 0.09, 0.06, 0.05, 0.05)
    style = str(rng.choice(styles, p=p))
    shaven = style in ("long", "waves", "bob", "tied") or rng.random() < 0.5
    kinds = ("stubble", "moustache", "goatee", "full")
    beard = "" if shaven else kinds[rng.choice(4, p=(0.4, 0.2, 0.2, 0.2))]
    return Person(
        skin * (rng.uniform(0.94, 1.04) * rng.uniform(0.97, 1.03, 3)),
        hair * rng.uniform(0.85, 1.15),
        rng.uniform(0.56, 0.74),
        rng.uniform(0.94, 1.1),
        rng.normal(0, 0.07),
        float(rng.choice([0, 0, 0.5, 1])) * rng.uniform(0.5, 1),
        beard,
        rng.random() < 0.22,
        rng.random() ** 2,
        style,
    )


def body(d: Drawing, rng: np.random.Generator, who: Person) -> None:
    """Neck, shoulders and clothes, down to y = -3.8."""
    wide, neck = rng.uniform(1.8, 2.3), rng.uniform(0.46, 0.58)
    cloth, under = tinted(rng), tinted(rng)
    d.limb([(0, -0.8), (0, -2.1)], [neck, neck * 1.12], who.skin * 0.88, grain=0.1)
    slope = rng.uniform(-2.1, -1.8)
    d.polygon([(-neck - 0.1, -1.3), (-neck - 0.5, -1.52), (-wide, slope),
               (-wide - 0.45, -3.2), (-wide - 0.4, -3.8), (wide + 0.4, -3.8),
               (wide + 0.45, -3.2), (wide, slope), (neck + 0.5, -1.52),
               (neck + 0.1, -1.3)], cloth, round=2, puff=0.7, grain=0.25)  # fmt: skip
    low = rng.uniform(-2.5, -1.85)
    d.blob([(-neck - 0.2, -1.3), (0, low - 0.35), (neck + 0.2, -1.3)], who.skin * 0.9,
           puff=0.3, grain=0.1, on=True)  # fmt: skip
    pattern = rng.random()
    if pattern < 0.15:
        for x in np.arange(-2.6, 2.7, 0.34):
            d.line([(x, -3.8), (x * 0.9, -1.4)], 0.06, cloth * 0.75, on=True)
            d.line([(-3, x - 3.2), (3, x - 3.2)], 0.06, cloth * 0.75, on=True)
    elif pattern < 0.3:
        for y in np.arange(-3.8, -1.4, rng.uniform(0.3, 0.6)):
            d.line([(-3, y), (3, y)], 0.14, under, on=True)
    if rng.random() < 0.55:
        _collar(d, rng, cloth, under, neck)


def _collar(d: Drawing, rng, cloth, under, neck: float) -> None:
    """An open shirt, perhaps below a jacket and with a tie."""
    if rng.random() < 0.4:
        shirt = np.array((238, 238, 240)) * rng.uniform(0.8, 1)
        d.polygon([(-neck - 0.25, -1.4), (0, -4.2), (neck + 0.25, -1.4)], shirt,
                  puff=0.3, grain=0.1)  # fmt: skip
        d.polygon([(-0.14, -1.95), (0.14, -1.95), (0.24, -4), (-0.24, -4)], under)
        d.polygon([(-0.17, -1.72), (0.17, -1.72), (0.1, -2.02), (-0.1, -2.02)], under)
        cloth = shirt
    for side in (-1, 1):
        d.polygon(
            [
                (side * (neck + 0.02), -1.3),
                (side * (neck + 0.42), -1.75),
                (side * 0.36, -2.25),
                (side * 0.06, -1.86),
            ],
            np.clip(cloth * 1.1 + 6, 0, 250),
            round=1,
            puff=0.5,
            grain=0.2,
        )


def skull(d: Drawing, rng: np.random.Generator, who: Person) -> None:
    """Ears and the outline of the face, all skin."""
    out = rng.uniform(0.9, 1.04)
    for side in (-1, 1):
        d.ellipse(side * out, -0.1, 0.14, 0.27, who.skin * 0.92, -10 * side, grain=0.1)
        d.ellipse(side * out, -0.1, 0.07, 0.17, who.skin * 0.72, -10 * side, puff=0)
    half = [(0.5, 1.28), (0.96, 0.9), (1.02, 0.25), (0.97, -0.35),
            (who.jaw + 0.14, -0.98), (0.36, -1.34)]  # fmt: skip
    half = [(x, y * who.long) for x, y in half]
    rim = half + [(-x, y) for x, y in reversed(half)]
    d.polygon(rim, who.skin, round=3, puff=0.75, grain=0.1)


def shades(d: Drawing, rng: np.random.Generator, who: Person) -> None:
    """What is darker or redder on the skin, or lighter; to be blurred."""
    dark, red = who.skin * 0.66, who.skin * (1.0, 0.8, 0.76)
    t = who.turn
    flat = {"puff": 0, "grain": 0}
    for side in (-1, 1):
        d.ellipse(side * 0.4 + t, 0.14, 0.25, 0.17, dark, -8 * side, **flat)
        d.ellipse(side * 0.55 + t, -0.36, 0.24, 0.2, red, **flat)
        d.limb([(side * 1.0, 0.5), (side * 0.96, -0.4), (side * 0.7, -1.0)],
               [0.06, 0.12, 0.1], dark, **flat)  # fmt: skip
        line = [(side * 0.24 + t, -0.36), (side * 0.42 + t, -0.66)]
        d.limb(line, 0.02 + 0.05 * max(who.old, who.smile), dark, **flat)
        if who.old > 0.4:
            d.limb(
                [(side * 0.2 + t, -0.02), (side * 0.5 + t, -0.08)], 0.04, dark, **flat
            )
    side = rng.choice([-1, 1])
    d.limb(
        [(side * 0.12 + t, 0.1), (side * 0.17 + t, -0.28)], [0.05, 0.09], dark, **flat
    )
    d.ellipse(t, -0.46, 0.2, 0.06, who.skin * 0.55, **flat)
    d.ellipse(t, -0.98, 0.24, 0.07, dark, **flat)
    d.limb([(-0.6, -1.38), (0, -1.5), (0.6, -1.38)], 0.1, who.skin * 0.45, **flat)
    light = np.clip(who.skin * 1.13 + 12, 0, 255)
    d.ellipse(t, 0.62, 0.42, 0.2, light, **flat)
    d.limb([(t, 0.14), (t, -0.26)], 0.06, light, **flat)
    d.ellipse(t, -1.18, 0.16, 0.09, light, **flat)


def features(d: Drawing, rng: np.random.Generator, who: Person) -> None:
    """Eyes, brows, nose and mouth, and glasses."""
    d = d.at(who.turn, 0)
    iris, flat = IRISES[rng.integers(5)], {"puff": 0, "grain": 0}
    wide, gaze, lid = rng.uniform(0.15, 0.19), rng.normal(0, 0.02), who.skin * 0.42
    brow, heavy = rng.uniform(0.34, 0.42), rng.uniform(0.03, 0.06)
    for s in (-1, 1):
        x, y = 0.39 * s, 0.1
        tall = rng.uniform(0.07, 0.085) * (1 - 0.25 * who.smile)
        d.blob([(x - wide * 1.25, y), (x - wide * 0.5, y + tall * 1.5),
                (x + wide * 0.5, y + tall * 1.5), (x + wide * 1.25, y),
                (x + wide * 0.4, y - tall * 1.2), (x - wide * 0.4, y - tall * 1.2)],
               WHITE, **flat)  # fmt: skip
        d.ellipse(x + gaze, y + 0.008, 0.078, 0.078, iris, on=True, **flat)
        d.ellipse(x + gaze, y + 0.008, 0.038, 0.038, (16, 12, 12), on=True, **flat)
        d.ellipse(x + gaze - 0.025, y + 0.035, 0.02, 0.02, (250, 250, 250), **flat)
        d.limb([(x - wide, y + 0.01), (x, y + tall * 1.35), (x + wide, y + 0.01)],
               [0.012, 0.026, 0.016], lid * 0.6, **flat)  # fmt: skip
        d.limb([(x - wide, y + 0.1), (x, y + 0.17), (x + wide, y + 0.09)], 0.012,
               who.skin * 0.72, **flat)  # fmt: skip
        d.limb(
            [(s * 0.17, brow - 0.02), (s * 0.4, brow + 0.05), (s * 0.62, brow - 0.04)],
            [heavy, heavy, 0.015],
            who.hair * 0.8 + who.skin * 0.1,
            puff=0,
        )
        d.ellipse(0.085 * s, -0.38, 0.042, 0.026, who.skin * 0.38, 20 * s, **flat)
        d.limb([(s * 0.15, -0.28), (s * 0.18, -0.36), (s * 0.12, -0.41)], 0.014,
               who.skin * 0.66, **flat)  # fmt: skip
    _mouth(d, rng, who)
    if who.glasses:
        _glasses(d, rng)


def _mouth(d: Drawing, rng, who: Person) -> None:
    wide, up = rng.uniform(0.3, 0.36) + 0.08 * who.smile, 0.09 * who.smile
    tint = (0.86, 0.58, 0.56) if rng.random() < 0.7 else (0.82, 0.4, 0.42)
    lip, y = np.multiply(who.skin, tint), -0.72
    full = rng.uniform(0.05, 0.09)
    d.blob(
        [
            (-wide * 1.1, y + up),
            (-0.12, y + full * 1.3),
            (0, y + full * 0.9),
            (0.12, y + full * 1.3),
            (wide * 1.1, y + up),
            (0.14, y - full * 2 - up * 0.4),
            (-0.14, y - full * 2 - up * 0.4),
        ],
        lip,
        puff=0.5,
        grain=0,
    )
    if who.smile > 0.45:
        d.blob([(-wide * 0.9, y + up * 0.9), (0, y + 0.01), (wide * 0.9, y + up * 0.9),
                (0, y - 0.13)], (240, 236, 228), puff=0, grain=0)  # fmt: skip
    d.line([(-wide, y + up), (0, y - 0.015), (wide, y + up)], 0.022, lip * 0.5)


def _glasses(d: Drawing, rng) -> None:
    rim = ((30, 28, 30), (90, 70, 50), (170, 150, 110), (150, 152, 158))[
        rng.integers(4)
    ]
    wide, high = rng.uniform(0.25, 0.3), rng.uniform(0.16, 0.24)
    t = np.linspace(0, 2 * np.pi, 25)
    bent = rng.uniform(2, 4)
    x = wide * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / bent)
    y = high * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / bent)
    for s in (-1, 1):
        d.line(np.stack([x + 0.4 * s, y + 0.06], 1), 0.035, rim)
        d.line([(s * (0.4 + wide), 0.1), (s * 0.98, 0.14)], 0.03, rim)
        d.line([(0.4 * s - 0.14, 0.17), (0.4 * s - 0.04, 0.02)], 0.02, (240, 244, 248))
    d.line([(-0.14, 0.1), (0, 0.13), (0.14, 0.1)], 0.035, rim)
