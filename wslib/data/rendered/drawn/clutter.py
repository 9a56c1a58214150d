"""How things without a class are drawn: they distract, and they hide what is behind."""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing, pick

GREEN_PLACES = ("meadow", "sky", "airfield")


def tree(d: Drawing, rng: np.random.Generator) -> None:
    """Draw a tree, 1 high: a cone or a crown of leaves."""
    green = np.array((70, 116, 58)) * rng.uniform(0.7, 1.25, 3)
    d.limb([(0.02, 0), (0, 0.55)], [0.045, 0.03], (96, 70, 48))
    if rng.random() < 0.4:
        for k in range(4):
            y, half = 0.16 + 0.19 * k, 0.26 - 0.055 * k
            d.polygon([(-half, y), (half, y), (0, y + 0.32)], green * (0.8 + 0.08 * k))
    else:
        _leaves(d, rng, green, (-0.2, 0.5), (0.2, 0.8))


def bush(d: Drawing, rng: np.random.Generator) -> None:
    """Draw a bush, about 1 wide."""
    green = np.array((80, 124, 64)) * rng.uniform(0.7, 1.25, 3)
    _leaves(d, rng, green, (-0.36, 0.1), (0.36, 0.34))


def _leaves(d: Drawing, rng, green, low, high) -> None:
    for x, y in rng.uniform(low, high, (9, 2)):
        d.ellipse(x, y, 0.16, 0.15, green * rng.uniform(0.8, 1.15), puff=0.8, grain=1)


def ball(d: Drawing, rng: np.random.Generator) -> None:
    """Draw a ball with a stripe, 1 high."""
    d.ellipse(0, 0.5, 0.5, 0.5, rng.uniform(30, 250, 3), puff=1, grain=0.2)
    stripe = d.at(0, 0.5, 1, rng.uniform(0, 180))
    colour = rng.uniform(60, 250, 3)
    stripe.limb([(-0.6, 0), (0, 0.15), (0.6, 0)], 0.12, colour, on=True)


def box(d: Drawing, rng: np.random.Generator) -> None:
    """Draw a cardboard or coloured box, about 1 wide."""
    side = np.array((186, 146, 98)) if rng.random() < 0.6 else rng.uniform(50, 220, 3)
    h, w = rng.uniform(0.4, 1.1), rng.uniform(0.4, 0.6)
    d.polygon([(-w, 0), (w, 0), (w, h), (-w, h)], side, puff=0.3)
    lid = [(-w, h), (w, h), (w - 0.12, h + 0.14), (-w + 0.12, h + 0.14)]
    d.polygon(lid, side * 1.15, puff=0.2)
    d.line([(0, 0), (0, h)], 0.08, side * 0.85)


def post(d: Drawing, rng: np.random.Generator) -> None:
    """Draw a lamp or a hydrant, 1 high: a post, thick or thin, and what is on it."""
    colour, thick = rng.uniform(40, 230, 3), rng.choice([0.015, 0.16])
    d.limb([(0, 0), (0, 0.75)], thick, colour * 0.8)
    d.ellipse(0, 0.02, thick + 0.08, 0.04, colour * 0.7)
    d.polygon([(-0.15, 0.72), (0.15, 0.72), (0.08, 1), (-0.08, 1)], colour, round=1)


# What stands about in each place: drawing, size in metres.
CLUTTER = {
    "meadow": ((tree, 5.0), (tree, 4.0), (bush, 1.2), (bush, 0.8), (ball, 0.35)),
    "street": ((post, 0.9), (post, 2.5), (box, 0.7), (ball, 0.35), (bush, 1.0)),
    "room": ((post, 1.6), (box, 0.6), (ball, 0.35), (box, 0.9)),
    "airfield": ((tree, 3.0), (tree, 4.0), (bush, 1.5), (box, 1.2)),
    "sky": ((tree, 3.0),),
}


def foreground(d: Drawing, rng: np.random.Generator, place: str, aspect: float) -> bool:
    """Draw, now and then, something close to the camera on the frame 0..aspect x 0..1:
    posts, grass or leaves. Returns whether there is anything."""
    kind = rng.random()
    green = np.array((72, 116, 48)) * rng.uniform(0.6, 1.3, 3)
    if kind < 0.11:
        wood = np.array((120, 96, 74)) * rng.uniform(0.5, 1.6)
        for x in rng.uniform(0.08, 0.92, rng.integers(1, 4)) * aspect:
            d.limb([(x, -0.02), (x, 1.02)], rng.uniform(0.015, 0.04), wood, grain=1)
    elif kind < 0.26 and place in GREEN_PLACES:
        for x in rng.uniform(0, aspect, rng.integers(25, 80)):
            top = (x + rng.uniform(-0.12, 0.12), rng.uniform(0.06, 0.3))
            blade, tone = [(x, -0.02), (x, top[1] * 0.6), top], rng.uniform(0.7, 1.25)
            d.limb(blade, [0.008, 0.006, 0.001], green * tone, puff=0.2)
    elif kind < 0.38:
        corner = np.array([pick(rng, (0, aspect)), rng.choice([0, 1], p=[0.35, 0.65])])
        for x, y in corner + rng.normal(0, (0.16 * aspect, 0.11), (22, 2)):
            colour, turn = green * rng.uniform(0.7, 1.3), rng.uniform(0, 180)
            d.ellipse(x, y, 0.07, 0.028, colour, turn, puff=0.5)
    return bool(d.shapes)
