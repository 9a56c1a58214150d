"""How things without a class are drawn: they distract, and they hide what is behind."""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing


def tree(d: Drawing, rng: np.random.Generator) -> None:
    """A tree, 1 high."""
    green = np.array((70, 116, 58)) * rng.uniform(0.7, 1.25, 3)
    if rng.random() < 0.4:
        d.limb([(0, 0), (0, 0.3)], 0.03, (92, 66, 46))
        for k in range(4):
            y, half = 0.16 + 0.19 * k, 0.26 - 0.055 * k
            d.polygon([(-half, y), (half, y), (0, y + 0.32)], green * (0.8 + 0.08 * k))
        return
    d.limb([(0.03, 0), (0, 0.3), (0.02, 0.55)], [0.05, 0.035, 0.03], (98, 72, 50))
    for x, y in rng.uniform((-0.2, 0.5), (0.2, 0.8), (9, 2)):
        d.ellipse(x, y, 0.17, 0.15, green * rng.uniform(0.8, 1.15), puff=0.8, grain=1)


def bush(d: Drawing, rng: np.random.Generator) -> None:
    """A bush, about 1 wide."""
    green = np.array((80, 124, 64)) * rng.uniform(0.7, 1.25, 3)
    for x, y in rng.uniform((-0.36, 0.1), (0.36, 0.34), (9, 2)):
        d.ellipse(x, y, 0.16, 0.15, green * rng.uniform(0.8, 1.15), puff=0.8, grain=1)


def rock(d: Drawing, rng: np.random.Generator) -> None:
    """A rock, about 1 wide."""
    grey = np.array((140, 136, 130)) * rng.uniform(0.6, 1.2)
    t = np.sort(rng.uniform(0, np.pi, 7))
    rim = np.stack([0.5 * np.cos(t), rng.uniform(0.3, 0.5) * np.sin(t)], 1)
    d.polygon([(0.5, 0), *rim, (-0.5, 0)], grey, round=1, puff=1, grain=1)


def ball(d: Drawing, rng: np.random.Generator) -> None:
    """A ball with a stripe, 1 high."""
    d.ellipse(0, 0.5, 0.5, 0.5, rng.uniform(30, 250, 3), puff=1, grain=0.2)
    stripe = d.at(0, 0.5, 1, rng.uniform(0, 180))
    stripe.limb(
        [(-0.6, 0), (0, 0.15), (0.6, 0)], 0.12, rng.uniform(60, 250, 3), on=True
    )


def box(d: Drawing, rng: np.random.Generator) -> None:
    """A cardboard or coloured box, about 1 wide."""
    side = np.array((186, 146, 98)) if rng.random() < 0.6 else rng.uniform(50, 220, 3)
    h, w = rng.uniform(0.4, 1.1), rng.uniform(0.4, 0.6)
    d.polygon([(-w, 0), (w, 0), (w, h), (-w, h)], side, puff=0.3)
    d.polygon(
        [(-w, h), (w, h), (w - 0.12, h + 0.14), (-w + 0.12, h + 0.14)],
        side * 1.15,
        puff=0.2,
    )
    d.line([(0, 0), (0, h)], 0.08, side * 0.85)


def lamp(d: Drawing, rng: np.random.Generator) -> None:
    """A standing lamp, 1 high."""
    d.limb([(0, 0), (0, 0.8)], 0.014, (60, 58, 60))
    d.ellipse(0, 0.01, 0.1, 0.02, (60, 58, 60))
    shade = [(-0.14, 0.72), (0.14, 0.72), (0.08, 0.98), (-0.08, 0.98)]
    d.polygon(shade, rng.uniform(150, 250, 3), puff=0.5, grain=0.3)


def hydrant(d: Drawing, rng: np.random.Generator) -> None:
    """A hydrant, 1 high."""
    paint = np.array(((206, 60, 48), (226, 180, 60), (70, 110, 160))[rng.integers(3)])
    d.limb([(0, 0.06), (0, 0.7)], 0.17, paint)
    d.limb([(-0.28, 0.5), (0.28, 0.5)], 0.08, paint * 0.85)
    d.limb([(-0.24, 0.05), (0.24, 0.05)], 0.06, paint * 0.8)
    d.ellipse(0, 0.82, 0.19, 0.14, paint)
    d.ellipse(0, 0.97, 0.05, 0.05, paint * 0.8)


# What stands about in each place: drawing, size in metres.
CLUTTER = {
    "meadow": ((tree, 5.0), (tree, 4.0), (bush, 1.2), (rock, 0.8), (ball, 0.35)),
    "street": ((hydrant, 0.9), (box, 0.7), (ball, 0.35), (bush, 1.0)),
    "room": ((lamp, 1.6), (box, 0.6), (ball, 0.35), (box, 0.9)),
    "table": ((ball, 0.12), (box, 0.2), (box, 0.16)),
    "water": ((rock, 1.6),),
    "sky": ((tree, 3.0),),
    "shed": ((box, 0.8), (box, 0.6), (ball, 0.35)),
}  # fmt: skip
GREEN_PLACES = ("meadow", "sky", "water")


def foreground(d: Drawing, rng: np.random.Generator, place: str, aspect: float) -> bool:
    """Maybe draw something close to the camera on the frame 0..aspect x 0..1; returns
    whether there is anything."""
    kind = rng.random()
    green = np.array((72, 116, 48)) * rng.uniform(0.6, 1.3, 3)
    if kind < 0.09:
        wood = np.array((120, 96, 74)) * rng.uniform(0.5, 1.6)
        for x in rng.uniform(0.08, 0.92, rng.integers(1, 3)) * aspect:
            d.limb([(x, -0.02), (x, 1.02)], rng.uniform(0.015, 0.04), wood, grain=1)
        if rng.random() < 0.4:
            y = rng.uniform(0.1, 0.3)
            d.limb([(-0.02, y), (aspect + 0.02, y)], 0.02, wood * 0.9, grain=1)
    elif kind < 0.24 and place in GREEN_PLACES:
        for x in rng.uniform(0, aspect, rng.integers(25, 80)):
            top = (x + rng.uniform(-0.12, 0.12), rng.uniform(0.06, 0.3))
            points = [(x, -0.02), (x, top[1] * 0.6), top]
            d.limb(
                points, [0.008, 0.006, 0.001], green * rng.uniform(0.7, 1.25), puff=0.2
            )
    elif kind < 0.34:
        corner = np.array([rng.choice([0, aspect]), rng.choice([0, 1], p=[0.35, 0.65])])
        for x, y in corner + rng.normal(0, (0.16 * aspect, 0.11), (22, 2)):
            colour = green * rng.uniform(0.7, 1.3)
            d.ellipse(x, y, 0.07, 0.028, colour, rng.uniform(0, 180), puff=0.5)
    return bool(d.shapes)
