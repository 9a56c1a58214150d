"""The parts of motorcycles: wheels, forks, engines, pipes. One unit is a metre.

A motorcycle looks to the right and stands on y = 0.
"""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing

RUBBER, BLACK, CHROME = (30, 30, 33), (38, 38, 42), (190, 194, 202)
STEEL, DARK_STEEL = (142, 145, 152), (92, 94, 100)


def ring(d: Drawing, x: float, y: float, outer, inner, colour, **style) -> None:
    """A ring between two radii, or pairs of half axes; one sees through its hole."""
    t = np.linspace(0, 2 * np.pi, 41)
    circle = np.stack([np.cos(t), np.sin(t)], 1)  # (41, 2)
    rims = [circle * outer, circle[::-1] * inner]
    d.polygon(np.concatenate(rims) + (x, y), colour, **style)


def star(
    d: Drawing, x: float, y: float, count: int, radii, wide, colour, turn=0.0, **style
) -> None:
    """`count` arms from the first to the second of `radii`, of half widths `wide` (in
    radians there and at the tip)."""
    radius = np.array([radii[0], radii[1], radii[1], radii[0]])
    angle = np.array([-wide[0], -wide[1], wide[1], wide[0]])
    angle = turn + np.arange(count)[:, None] * 2 * np.pi / count + angle  # (count, 4)
    points = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 2)
    d.polygon(points.reshape(-1, 2), colour, **style)


def wheel(d: Drawing, rng, x: float, r: float, look) -> None:
    """A wheel on the ground: tyre, rim, spokes, brake."""
    tyre, turn = look.tyre * r, rng.uniform(0, 6)
    if look.knobs:
        star(d, x, r, 34, (r - tyre, r), (0.05, 0.045), RUBBER, turn, puff=0.2)
        ring(d, x, r, r * 0.965, r - tyre, RUBBER, puff=0.5, grain=0.3)
    else:
        ring(d, x, r, r, r - tyre, RUBBER, puff=0.7, grain=0.2)
        ring(d, x, r, r * 0.97, r * 0.95, (74, 74, 80), puff=0, grain=0)
    if look.whitewall:
        ring(d, x, r, r * 0.9, r * 0.78, (236, 234, 226), puff=0, grain=0)
    rim = r - tyre
    ring(d, x, r, rim, rim * 0.88, look.rim, puff=0.5, grain=0)
    if look.spokes == "wire":
        for k in (0.0, 0.11):
            star(d, x, r, 18, (0.03, rim * 0.9), (0.02 / rim * 0.3, 0.016),
                 look.wire, turn + k, puff=0, grain=0)  # fmt: skip
    elif look.spokes == "disc":
        d.ellipse(x, r, rim * 0.9, rim * 0.9, look.rim, puff=0.6, grain=0)
        star(d, x, r, 8, (rim * 0.45, rim * 0.75), (0.12, 0.1), BLACK, turn, puff=0)
    else:
        star(d, x, r, look.arms, (0.03, rim * 0.92), (0.5, 0.13), look.rim, turn,
             puff=0.5, grain=0)  # fmt: skip
        if look.split:
            star(d, x, r, look.arms, (rim * 0.3, rim * 0.9), (0.05, 0.05),
                 BLACK, turn, puff=0)  # fmt: skip
    disc = rim * look.brake
    ring(d, x, r, disc, disc * 0.74, (168, 170, 176), puff=0.3, grain=0)
    star(d, x, r, 5, (0.02, disc * 0.78), (0.3, 0.08), DARK_STEEL, turn, puff=0)
    d.ellipse(x, r, 0.05, 0.05, STEEL, puff=0.8, grain=0)
    d.ellipse(x, r, 0.018, 0.018, BLACK, puff=0, grain=0)


def mudguard(d: Drawing, x, r: float, start: float, end: float, colour, thick=0.03):
    """A band round a wheel of radius `r`, from `start` to `end` degrees."""
    t = np.radians(np.linspace(start, end, 5))
    arc = np.stack([x + (r + 0.04) * np.cos(t), r + (r + 0.04) * np.sin(t)], 1)
    d.limb(arc, thick, colour, grain=0.15, puff=1)
    shine = np.clip(np.multiply(colour, 1.1) + 60, 0, 255)
    d.line(arc[1:4] + (0, thick * 0.4), thick * 0.5, shine, on=True)


def fork(d: Drawing, axle, head, colour, gaiters: bool = False, bright=CHROME) -> None:
    """A telescopic fork from the steering head to the front axle."""
    axle, head = np.array(axle), np.array(head)
    d.limb([head, axle], 0.02, bright, puff=0.7, grain=0)
    d.limb([axle + 0.5 * (head - axle), axle], [0.028, 0.032], colour, grain=0)
    if gaiters:
        for t in np.linspace(0.5, 0.8, 7):
            d.ellipse(*(axle + t * (head - axle)), 0.042, 0.02, BLACK, -20, grain=0)


def shock(d: Drawing, low, high, colour) -> None:
    """A spring round a damper."""
    low, high = np.array(low), np.array(high)
    d.limb([low, high], 0.02, STEEL, grain=0)
    for t in np.linspace(0.15, 0.85, 7):
        middle = low + t * (high - low)
        d.limb([middle - (0.036, 0.012), middle + (0.036, 0.012)], 0.011, colour,
               grain=0)  # fmt: skip


def crankcase(d: Drawing, rng, x: float, y: float, colour, size=1.0) -> None:
    """The lower part of an engine, with round covers."""
    p = d.at(x, y, size)
    p.blob([(-0.34, -0.14), (-0.34, 0.14), (0.1, 0.24), (0.32, 0.16), (0.28, -0.14)],
           BLACK, puff=0.2)  # fmt: skip
    p.blob([(-0.27, -0.1), (-0.3, 0.06), (-0.12, 0.15), (0.16, 0.13), (0.26, 0.0),
            (0.2, -0.13)], np.multiply(colour, 0.8), grain=0.6, puff=0.8)  # fmt: skip
    shine = np.clip(np.multiply(colour, 1.15) + 8, 0, 235)
    for cx, r in ((-0.13, 0.085), (0.1, 0.1)):
        p.ellipse(cx, -0.005, r * 1.12, r * 1.12, np.multiply(colour, 0.4), puff=0)
        p.ellipse(cx, 0, r, r, shine, puff=1.1, grain=0.4)
        p.ellipse(cx, 0, r * 0.5, r * 0.5, np.multiply(shine, 0.7), puff=0.9, grain=0.4)
        p.limb([(cx - r * 0.5, r * 0.5), (cx + r * 0.1, r * 0.72)], r * 0.1,
               (240, 242, 244), puff=0, grain=0)  # fmt: skip
    p.limb([(-0.24, -0.13), (0.18, -0.14)], 0.02, np.multiply(colour, 0.5))


def cylinder(d: Drawing, x, y, degrees: float, colour, size=1.0, fins=6) -> None:
    """A finned cylinder that stands on (x, y) and leans to the left by `degrees`."""
    p = d.at(x, y, size, degrees)
    p.polygon([(-0.07, 0), (0.07, 0), (0.08, 0.26), (-0.08, 0.26)],
              np.multiply(colour, 0.45), puff=0.2)  # fmt: skip
    for k, up in enumerate(np.linspace(0.03, 0.2, fins)):
        half = 0.085 + 0.012 * (k % 2)
        p.limb([(-half, up), (half, up)], 0.011, colour, puff=0.4, grain=0)
    p.blob([(-0.09, 0.2), (-0.1, 0.3), (0.1, 0.3), (0.09, 0.2)],
           np.clip(np.multiply(colour, 1.15), 0, 245), grain=0.1)  # fmt: skip


def pipe(d: Drawing, points, width: float, colour=CHROME, silencer=None) -> None:
    """An exhaust pipe; its last piece is a `silencer` of that half width."""
    d.limb(points, width * 1.15, np.multiply(colour, 0.35), puff=0, grain=0)
    d.limb(points, width, colour, puff=0.9, grain=0)
    if silencer:
        start, end = np.array(points[-2]), np.array(points[-1])
        start = start + 0.25 * (end - start)
        widths = [width, silencer, silencer, silencer * 0.8]
        way = [start, start + 0.2 * (end - start), start + 0.8 * (end - start), end]
        d.limb(way, np.multiply(widths, 1.08), np.multiply(colour, 0.4), grain=0)
        d.limb(way, widths, np.multiply(colour, 0.9), puff=1, grain=0)
        bright = np.clip(np.multiply(colour, 1.3) + 20, 0, 255)
        for up, wide, tone in (
            (0.4, 0.35, bright),
            (-0.55, 0.4, np.multiply(bright, 0.5)),
        ):
            lift = (0, silencer * up)
            d.line([start + lift, end + lift], silencer * wide, tone, on=True)
        d.ellipse(*end, silencer * 0.45, silencer * 0.7, BLACK, grain=0)


def lamp(d: Drawing, x: float, y: float, r: float, shell) -> None:
    """A round headlamp seen from the side."""
    d.ellipse(x, y, r, r * 0.95, shell, puff=0.9, grain=0)
    d.ellipse(x + r * 0.75, y, r * 0.4, r * 0.9, (232, 236, 238), puff=0.6, grain=0)


def mirror(d: Drawing, x: float, y: float, lean: float, colour=BLACK) -> None:
    """A mirror on its stalk."""
    d.line([(x, y - 0.02), (x + lean, y + 0.13)], 0.024, colour)
    d.ellipse(x + lean - 0.02, y + 0.15, 0.075, 0.042, colour, 8, grain=0)
