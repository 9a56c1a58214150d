"""How faces are drawn: dog and cat. One unit is the radius of the skull."""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing

DARK, WHITE, PINK = (28, 22, 22), (250, 248, 244), (226, 124, 130)
EYES = ((206, 190, 70), (120, 170, 80), (222, 150, 50), (110, 160, 190))


def dog_profile(d: Drawing, rng: np.random.Generator, coat) -> None:
    """A dog's head from the side, its snout to the right."""
    long = rng.uniform(1.45, 2.1)
    pricked = rng.random() < 0.25
    if pricked:
        d.polygon([(-0.35, 0.5), (-0.1, 1.7), (0.35, 0.7)], coat.far)
    d.ellipse(0, 0, 1, 0.95, coat.main)
    if rng.random() < 0.3:
        d.limb([(1.3, -0.7), (1.35, rng.uniform(-1.5, -1.2))], [0.2, 0.18], PINK)
    d.limb([(0.2, -0.2), (0.9, -0.3), (long, -0.36)], [0.75, 0.5, 0.4], coat.main)
    d.limb([(0.7, -0.55), (long, -0.5)], [0.3, 0.25], coat.light, puff=0.3, on=True)
    d.line([(long + 0.3, -0.55), (1.2, -0.72), (0.75, -0.5)], 0.09, DARK)
    d.ellipse(long + 0.22, -0.12, 0.27, 0.22, DARK, puff=1)
    d.ellipse(long + 0.16, -0.04, 0.07, 0.05, WHITE, puff=0)
    if coat.patches:
        d.ellipse(0.4, 0.25, 0.42, 0.4, coat.second, puff=0)
    _eye(d, 0.52, 0.25, 0.17)
    if pricked:
        d.polygon([(-0.8, 0.3), (-0.62, 1.7), (0.1, 0.75)], coat.dark, round=1)
        return
    tip = rng.uniform(-1.2, -0.6)
    ear = [
        (-0.75, 0.85),
        (0.1, 0.95),
        (0.12, 0),
        (-0.2, tip),
        (-0.75, tip),
        (-0.95, 0.1),
    ]
    d.blob(ear, coat.dark)


def dog_face(d: Drawing, rng: np.random.Generator, coat) -> None:
    """A dog's head from the front."""
    hang, pricked = rng.uniform(0.5, 1.2), rng.random() < 0.2
    for side in (-1, 1):
        if pricked:
            d.polygon([(side * 0.95, 0.1), (side * 0.85, 1.5), (side * 0.15, 0.8)],
                       coat.dark, round=1)  # fmt: skip
    d.blob([(-0.7, 1.15), (0.7, 1.15), (1.15, 0.3), (0.75, -0.9), (0.35, -1.25),
            (-0.35, -1.25), (-0.75, -0.9), (-1.15, 0.3)], coat.main)  # fmt: skip
    if coat.patches:
        d.ellipse(0.42, 0.28, 0.42, 0.46, coat.second, puff=0, on=True)
    elif rng.random() < 0.4:
        d.limb([(0, 1), (0, 0)], [0.12, 0.2], coat.light, puff=0, on=True)
    if rng.random() < 0.45:
        d.limb([(0.05, -1), (0.08, rng.uniform(-1.6, -1.3))], 0.22, PINK)
    d.ellipse(0, -0.58, 0.56, 0.52, coat.light)
    d.line([(0, -0.4), (0, -0.8)], 0.06, DARK)
    d.line(
        [(-0.36, -0.75), (-0.18, -0.93), (0, -0.78), (0.18, -0.93), (0.36, -0.75)],
        0.07,
        DARK,
    )
    d.ellipse(0, -0.32, 0.28, 0.2, DARK, puff=1)
    d.ellipse(-0.08, -0.25, 0.09, 0.05, WHITE, puff=0)
    for side in (-1, 1):
        _eye(d, side * 0.42, 0.22, 0.15)
        if not pricked:
            x = np.array([0.35, 0.95, 1.45, 1.4, 1.0, 0.8])
            y = np.array([1.0, 1.1, 0.5, -hang, -hang - 0.1, 0.2])
            d.blob(np.stack([side * x, y], 1), coat.dark)


def _eye(d: Drawing, x: float, y: float, r: float) -> None:
    d.ellipse(x, y, r, r * 1.1, (52, 32, 22), puff=0.5, grain=0)
    d.ellipse(x - r * 0.3, y + r * 0.4, r * 0.35, r * 0.35, WHITE, puff=0, grain=0)


def cat_face(d: Drawing, rng: np.random.Generator, coat) -> None:
    """A cat's head from the front, or half turned away."""
    d = d.at(0, 0, wide=rng.uniform(0.82, 1))
    for side in (-1, 1):
        d.polygon(
            [(side * 1.0, 0.1), (side * 0.95, 1.5), (side * 0.15, 0.75)], coat.main
        )
        d.polygon([(side * 0.85, 0.5), (side * 0.86, 1.25), (side * 0.4, 0.75)],
                   (216, 150, 144), puff=0.2)  # fmt: skip
    d.blob([(-0.65, 1.0), (0.65, 1.0), (1.3, 0.1), (1.15, -0.6), (0.4, -1.05),
            (-0.4, -1.05), (-1.15, -0.6), (-1.3, 0.1)], coat.main)  # fmt: skip
    if coat.stripes:
        for x in (-0.28, 0, 0.28):
            d.limb(
                [(x * 1.5, 0.9), (x, 0.45)], [0.08, 0.03], coat.dark, puff=0, on=True
            )
        for side in (-1, 1):
            for y in (-0.1, -0.35):
                d.limb([(side * 1.2, y), (side * 0.75, y)], [0.07, 0.02], coat.dark,
                        puff=0, on=True)  # fmt: skip
    elif coat.patches:
        d.ellipse(0.55, 0.45, 0.6, 0.5, coat.second, puff=0, on=True)
    for side in (-1, 1):
        d.ellipse(side * 0.23, -0.5, 0.3, 0.24, coat.light, puff=0.4)
    d.polygon([(-0.15, -0.18), (0.15, -0.18), (0, -0.38)], PINK, puff=0.2)
    d.line(
        [(-0.3, -0.52), (-0.15, -0.64), (0, -0.5), (0.15, -0.64), (0.3, -0.52)],
        0.055,
        DARK,
    )
    iris, slit = EYES[rng.integers(len(EYES))], rng.uniform(0.05, 0.13)
    for side in (-1, 1):
        d.ellipse(side * 0.5, 0.12, 0.29, 0.25, DARK, puff=0, grain=0)
        d.ellipse(side * 0.5, 0.12, 0.25, 0.21, iris, puff=0.5, grain=0)
        d.ellipse(side * 0.5, 0.12, slit, 0.2, DARK, puff=0, grain=0)
        d.ellipse(side * 0.5 - 0.08, 0.2, 0.06, 0.06, WHITE, puff=0, grain=0)
        for k in (-1, 0, 1):
            ends = [(side * 0.35, -0.45), (side * 1.65, -0.4 + 0.25 * k)]
            d.line(ends, 0.028, (235, 232, 226))
