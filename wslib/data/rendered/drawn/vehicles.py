"""How cars, motorcycles and aeroplanes are drawn, from the side, looking right.

Each is one drawing whose numbers make a van or a saloon, a racer or a chopper, an
airliner or a biplane.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing, pick, tinted

PAINTS = ((196, 30, 34), (214, 90, 30), (30, 62, 156), (20, 110, 190), (240, 196, 30),
          (24, 110, 70), (40, 40, 46), (236, 236, 232), (178, 182, 190),
          (110, 24, 36), (90, 60, 130), (130, 140, 60))  # fmt: skip
METALS = ((190, 194, 202), (142, 145, 152), (92, 94, 100), (196, 160, 84))
HULLS = (*((244, 244, 242),) * 3, (206, 210, 216), (96, 104, 72), (122, 108, 80))
LEATHER = ((36, 34, 38), (92, 60, 40), (120, 84, 56))
RUBBER, DARK, WHITE = (32, 32, 36), (44, 48, 56), (244, 242, 236)
GLASS, LAMP, RED = (168, 196, 212), (240, 236, 214), (196, 28, 30)


def _ring(d: Drawing, x, y, outer: float, inner: float, colour, **style) -> None:
    """Draw a ring; one sees through its hole."""
    t = np.linspace(0, 2 * np.pi, 33)
    circle = np.stack([np.cos(t), np.sin(t)], 1)  # (33, 2)
    rims = np.concatenate([circle * outer, circle[::-1] * inner])
    d.polygon(rims + (x, y), colour, **style)


def _spokes(d: Drawing, x, y, r: float, count: int, thick: float, colour, turn) -> None:
    """Draw `count` arms from the hub to the rim."""
    angle = turn + np.arange(count)[:, None] * 2 * np.pi / count
    radius = np.array([0.1 * r, r, r, 0.1 * r])
    wide = np.array([-4, -1, 1, 4]) * thick
    points = [x + radius * np.cos(angle + wide), y + radius * np.sin(angle + wide)]
    d.polygon(np.stack(points, 2).reshape(-1, 2), colour, puff=0.3, grain=0)


def car(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a car: how long and high its cabin is makes a van, an estate, a saloon."""
    paint, glass = tinted(rng, PAINTS), np.array(GLASS) * rng.uniform(0.4, 1)
    back, front = rng.uniform(-0.52, -0.25), rng.uniform(0.0, 0.24)
    roof, hood = rng.uniform(0.36, 0.56), rng.uniform(0.22, 0.3)
    d.polygon([(-0.56, 0.1), (-0.57, 0.24), (-0.53, 0.29), (back, roof), (front, roof),
               (front + 0.16, hood + 0.02), (0.52, hood - 0.03), (0.57, 0.16),
               (0.55, 0.09)], paint, round=2, grain=0.15)  # fmt: skip
    left, right, top = max(back, -0.42), front + 0.1, roof - 0.05
    for k in range(2):  # side windows
        x1, x2 = np.linspace(left, right, 3)[k : k + 2] + (0.01, -0.02)
        corners = [
            (x1 - 0.02, 0.28),
            (x1 + 0.02, top),
            (x2 - 0.08 * k, top),
            (x2, 0.28),
        ]
        d.polygon(corners, glass, grain=0)
    d.line([(-0.55, 0.13), (0.55, 0.13)], 0.022, paint * 0.55)
    d.ellipse(0.53, 0.2, 0.03, 0.025, LAMP, grain=0)
    d.ellipse(-0.55, 0.22, 0.02, 0.03, RED, grain=0)
    for x in (-0.34, 0.34):
        d.ellipse(x, 0.1, 0.115, 0.115, paint * 0.35, puff=0)
        d.ellipse(x, 0.095, 0.095, 0.095, RUBBER)
        d.ellipse(x, 0.095, 0.055, 0.055, METALS[0], grain=0)
        _spokes(d, x, 0.095, 0.05, 5, 0.08, METALS[2], rng.uniform(0, 1))
    return "stands"


@dataclass(frozen=True)
class Cycle:
    """What one motorcycle is like, in metres; wheels stand on y = 0."""

    paint: np.ndarray
    trim: np.ndarray
    metal: np.ndarray
    rear: float  # radius of the rear wheel, whose axle is at x = -0.7
    front: float  # radius of the front wheel
    axle: float  # x of the front wheel
    head: np.ndarray  # top of the fork
    seat: float  # its height
    arms: int  # spokes of a wheel
    tyre: float  # its thickness, as part of the radius
    high: float  # how far the mudguards are above the wheels
    faired: bool


def random_cycle(rng: np.random.Generator) -> Cycle:
    """Choose a motorcycle, somewhere between a racer and a chopper."""
    low = rng.random()  # 1: a chopper, long and low
    rough = rng.random() < 0.2  # made for fields
    paint, trim = np.array(PAINTS, float)[rng.choice(len(PAINTS), 2, replace=False)]
    front = rng.uniform(0.29, 0.37)
    return Cycle(
        paint=np.clip(paint * rng.uniform(0.85, 1.1), 12, 250),
        trim=trim,
        metal=tinted(rng, METALS),
        rear=front * rng.uniform(0.86, 1.02),
        front=front,
        axle=rng.uniform(0.64, 0.76) + 0.24 * low**2,
        head=np.array([0.4 + 0.08 * rng.random(), rng.uniform(0.92, 1.04)]),
        seat=0.9 - 0.24 * low + 0.06 * rough + rng.uniform(-0.04, 0.04),
        arms=int(rng.integers(3, 9)) if low < 0.4 and not rough else 24,
        tyre=rng.uniform(0.16, 0.32) * (1.2 if rough else 1),
        high=rng.uniform(0.1, 0.16) if rough else rng.uniform(0.02, 0.05),
        faired=low < 0.45 and not rough and rng.random() < 0.7,
    )


def motorcycle(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a motorcycle."""
    bike = random_cycle(rng)
    _wheel(d, rng, bike, -0.7, bike.rear)
    _wheel(d, rng, bike, bike.axle, bike.front)
    d.limb([bike.head, (bike.axle, bike.front)], [0.024, 0.032], bike.metal, grain=0)
    for way in ([bike.head, (0.34, 0.3), (-0.22, 0.24), (-0.3, 0.6)],
                [bike.head - (0, 0.06), (-0.1, 0.7), (-0.5, bike.seat - 0.08)],
                [(-0.2, 0.3), (-0.7, bike.rear)]):  # fmt: skip
        d.limb(way, 0.028, DARK, grain=0)
    d.limb([(-0.66, bike.rear + 0.04), (-0.48, bike.seat - 0.08)], 0.035, bike.metal)
    _mudguard(d, bike, -0.7, bike.rear, rng.uniform(10, 60), 165)
    _mudguard(d, bike, bike.axle, bike.front, rng.uniform(0, 60), 165)
    _engine(d, rng, bike)
    _seat_and_tank(d, rng, bike)
    if bike.faired:
        _fairing(d, rng, bike)
    _handlebar(d, rng, bike)
    return "stands"


def _wheel(d: Drawing, rng, bike: Cycle, x: float, r: float) -> None:
    rim, turn = r * (1 - bike.tyre), rng.uniform(0, 6)
    _ring(d, x, r, r, rim, RUBBER, puff=0.7, grain=0.3)
    _ring(d, x, r, rim, rim * 0.86, bike.metal, puff=0.5, grain=0)
    thick = 0.012 if bike.arms > 9 else 0.09
    _spokes(d, x, r, rim * 0.92, bike.arms, thick, bike.metal, turn)
    disc = rim * rng.uniform(0.35, 0.65)
    _ring(d, x, r, disc, disc * 0.7, METALS[1], puff=0.3, grain=0)
    d.ellipse(x, r, 0.05, 0.05, METALS[2], puff=0.8, grain=0)


def _mudguard(d: Drawing, bike: Cycle, x: float, r: float, start, end) -> None:
    t, far = np.radians(np.linspace(start, end, 5)), r + bike.high + 0.01
    arc = np.stack([x + far * np.cos(t), r + far * np.sin(t)], 1)
    d.limb(arc, 0.035, bike.paint, grain=0.15, puff=1)


def _engine(d: Drawing, rng, bike: Cycle) -> None:
    """Draw crankcase, cylinders and exhaust."""
    metal, lean = tinted(rng, METALS[:3]), rng.uniform(0, 28)
    d.blob([(-0.34, 0.22), (-0.34, 0.5), (0.1, 0.6), (0.36, 0.5), (0.3, 0.2)], DARK)
    for tilt in (-lean, lean):
        p = d.at(0.08 - tilt * 0.002, 0.42, 1, tilt)
        p.polygon([(-0.08, 0), (0.08, 0), (0.09, 0.3), (-0.09, 0.3)], metal * 0.45)
        for y in np.linspace(0.05, 0.28, 5):  # cooling fins
            p.limb([(-0.095, y), (0.095, y)], 0.013, metal, puff=0.4, grain=0)
    for x, r in ((-0.13, 0.09), (0.1, 0.11)):
        d.ellipse(x, 0.35, r, r, np.clip(metal * 1.1, 0, 235), puff=1.1, grain=0.4)
        d.ellipse(x, 0.35, r * 0.5, r * 0.5, metal * 0.7, puff=0.9, grain=0.4)
    y, end, rise = rng.uniform((0.2, -1.15, -0.02), (0.28, -0.7, 0.3))
    way = [(0.2, 0.58), (0.38, 0.48), (0.28, 0.26), (-0.25, y), (end, y + rise)]
    d.limb(way, [0.03, 0.03, 0.03, 0.045, 0.055], METALS[0], puff=1, grain=0)


def _seat_and_tank(d: Drawing, rng, bike: Cycle) -> None:
    back, rise = rng.uniform(-1.0, -0.7), rng.uniform(0.0, 0.14)
    seat, high = np.array(pick(rng, LEATHER)), bike.seat
    d.limb([(back, high + rise), (-0.45, high), (-0.1, high)], [0.04, 0.06, 0.05], seat)
    d.polygon([(-0.4, 0.52), (-0.42, high - 0.04), (-0.1, high - 0.04), (-0.14, 0.5)],
              bike.paint * 0.9, round=1, grain=0.1)  # fmt: skip
    if rng.random() < 0.2:  # a bag
        bag = [(-1.05, 0.36), (-1.08, 0.68), (-0.5, 0.68), (-0.48, 0.38)]
        d.polygon(bag, pick(rng, (seat, bike.paint)), round=2)
    x, y = bike.head
    tall = rng.uniform(0.02, 0.12)
    d.blob([(-0.2, 0.74), (-0.16, high + 0.04), (0.1, y + tall), (x, y),
            (x + 0.04, 0.82), (0.2, 0.72)], bike.paint, grain=0.1, puff=1)  # fmt: skip
    d.line([(-0.3, 0.84), (0.6, 0.88)], rng.uniform(0.02, 0.09), bike.trim, on=True)
    shine = np.clip(bike.paint * 0.6 + 110, 0, 255)
    d.line([(-0.05, y - 0.06), (0.2, y - 0.02)], 0.03, shine, on=True)
    d.ellipse(back - 0.02, high + rise - 0.08, 0.05, 0.04, RED, grain=0)


def _fairing(d: Drawing, rng, bike: Cycle) -> None:
    low = rng.choice([0.62, 0.24])
    x, y = bike.head + (0.1, 0)
    d.blob([(x - 0.3, y), (x - 0.05, y + 0.2), (x + 0.2, y - 0.04), (x + 0.12, y - 0.3),
            (0.2, low - 0.06), (-0.2, low), (0.1, 0.66)], bike.paint, grain=0.1,
           puff=0.9)  # fmt: skip
    d.line([(-0.3, low + 0.02), (x + 0.2, y - 0.1)], 0.07, bike.trim, on=True)
    d.polygon([(x - 0.12, y + 0.08), (x - 0.16, y + 0.24), (x + 0.1, y + 0.06)], GLASS,
              round=1, grain=0)  # fmt: skip


def _handlebar(d: Drawing, rng, bike: Cycle) -> None:
    x, y = bike.head
    up = rng.uniform(0.0, 0.06) if bike.faired else rng.uniform(0.06, 0.36)
    bar = [(x, y), (x - 0.02, y + up), (x - 0.14, y + up + 0.03)]
    d.limb(bar, 0.02, bike.metal, grain=0)
    d.limb(bar[1:], 0.028, DARK, grain=0)
    if not bike.faired:
        r = rng.uniform(0.08, 0.13)
        d.ellipse(
            x + 0.12, y - 0.02, r, r, pick(rng, (bike.metal, bike.paint)), puff=0.9
        )
        d.ellipse(x + 0.12 + 0.7 * r, y - 0.02, 0.4 * r, 0.9 * r, LAMP, grain=0)


@dataclass(frozen=True)
class Plane:
    """What one aeroplane is like; its fuselage is of length 1 along y = 0."""

    hull: np.ndarray
    paint: np.ndarray
    wing: np.ndarray
    r: float  # half the height of the fuselage
    nose: float  # how blunt: where it begins to narrow
    sweep: float  # how far behind its root the tip of a wing is
    dip: float  # how far below
    wings: tuple[float, ...]  # heights at which they begin, in r
    fin: float  # how high the tail is above the fuselage
    engines: tuple[float, ...]  # x of those under a wing; below -0.2 at the tail
    propeller: bool


def random_plane(rng: np.random.Generator) -> Plane:
    """Choose an aeroplane: an airliner, or, at four in ten, a small one."""
    small = rng.random() < 0.4
    propeller = small and rng.random() < 0.75  # else a fighter
    hull, paint = tinted(rng, HULLS), tinted(rng, PAINTS)
    liner = ((0.1,), (0.1, 0.0), (0.12,), (-0.28,))
    low, high = ((-0.6,), (-0.6, 1.9), (1.7,)), ((-0.5,), (-0.5,), (0.9,))
    return Plane(
        hull=paint if rng.random() < (0.6 if small else 0.15) else hull,
        paint=tinted(rng, PAINTS),
        wing=hull * rng.uniform(0.65, 0.9),
        r=rng.uniform(0.062, 0.09) if small else rng.uniform(0.042, 0.066),
        nose=0.4 if propeller else rng.uniform(0.1, 0.2) if small else 0.36,
        sweep=rng.uniform(0, 0.05) if propeller else rng.uniform(0.08, 0.22),
        dip=rng.uniform(-0.1, 0.13),
        wings=pick(rng, low if propeller else high),
        fin=rng.uniform(0.09, 0.16),
        engines=() if small else pick(rng, liner),
        propeller=propeller or (not small and rng.random() < 0.2),
    )


def aeroplane(d: Drawing, rng: np.random.Generator, landed: bool = False) -> str:
    """Draw an aeroplane; it has its wheels out where it has `landed`, and maybe in the
    air."""
    plane = random_plane(rng)
    _tailplane(d, plane, 0.7, 0.03)
    for height in plane.wings:
        _wing(d, plane, height, -0.4 * abs(plane.dip) - 0.03, 0.65)
    if landed or rng.random() < 0.25:
        _gear(d, rng, plane)
    root, top = 0.7 * plane.r, plane.r + plane.fin
    d.polygon([(-0.28, root), (-0.4, top), (-0.5, top), (-0.48, root)], plane.paint,
              round=rng.integers(2), grain=0.2)  # fmt: skip
    y = rng.uniform(plane.r, top)
    d.line([(-0.6, y), (-0.2, y)], rng.uniform(0.01, 0.05), pick(rng, PAINTS), on=True)
    _fuselage(d, rng, plane)
    _tailplane(d, plane, 1, -0.035)
    if plane.engines:
        _engines(d, rng, plane)
    elif plane.propeller:
        _propeller(d, rng, 0.5, 0, 0.13)
    for height in plane.wings:
        _wing(d, plane, height, plane.dip, 1)
    if len(plane.wings) == 2:  # struts
        ends = [plane.r * height - plane.dip * 0.6 for height in plane.wings]
        d.line([(0.14, ends[0]), (0.16, ends[1])], 0.014, plane.hull * 0.7)
    return "flies"


def airborne(d: Drawing, rng: np.random.Generator) -> str:
    """Draw an aeroplane that climbs or sinks."""
    return aeroplane(d.at(0, 0.3, 1, rng.uniform(-22, 22)), rng)


def _fuselage(d: Drawing, rng, plane: Plane) -> None:
    r, x = plane.r, plane.nose
    d.polygon([(-0.2, r), (x, r), (x + 0.4 * (0.5 - x), 0.75 * r), (0.5, 0.1 * r),
               (0.5, -0.3 * r), (x + 0.5 * (0.5 - x), -0.85 * r), (x, -r), (-0.2, -r),
               (-0.47, 0.3 * r), (-0.52, 0.7 * r), (-0.46, 0.9 * r)], plane.hull,
              round=2, grain=0.15, puff=1)  # fmt: skip
    y, rise = rng.uniform(-0.6, 0.2) * r, pick(rng, (0, 0, 0.6)) * r
    stripe = [(-0.6, y + rise), (-0.15, y), (0.6, y)]
    d.line(stripe, rng.uniform(0.1, 0.9) * r, plane.paint, on=True)
    if plane.engines:
        for x in np.arange(-0.34, 0.36, rng.uniform(0.018, 0.026)):
            d.ellipse(x, 0.25 * r, 0.005, 0.006, DARK, puff=0, grain=0, on=True)
        d.polygon([(0.4, 0.65 * r), (0.42, 0.25 * r), (0.47, 0.2 * r), (0.45, 0.6 * r)],
                  DARK, puff=0, on=True)  # fmt: skip
        return
    left, right = rng.uniform((-0.14, 0.1), (0.0, 0.24))
    high = r * rng.uniform(1.5, 1.9)
    d.polygon([(left, 0.8 * r), (left + 0.06, high), (right - 0.08, high),
               (right, 0.8 * r)], GLASS, round=1, puff=0.8, grain=0)  # fmt: skip
    for x in np.linspace(left, right, 5)[1:-1]:
        d.line([(x, 0.8 * r), (x, high)], 0.008, plane.hull * 0.5, on=True)


def _wing(d: Drawing, plane: Plane, height: float, dip: float, shade: float) -> None:
    y, tip = plane.r * height, plane.r * height - dip
    tone = plane.wing * shade * (1 if dip > 0 else 0.7)  # from below it is not lit
    d.polygon([(0.16, y + 0.012), (-0.04, y - 0.004), (-0.06 - plane.sweep, tip),
               (0.02 - plane.sweep, tip + 0.014)], tone, puff=0.3,
              grain=0.3)  # fmt: skip


def _tailplane(d: Drawing, plane: Plane, shade: float, up: float) -> None:
    y = 0.5 * plane.r
    d.polygon([(-0.36, y + 0.008), (-0.48, y - 0.008), (-0.56, y + up), (-0.5, y + up)],
              plane.wing * shade, puff=0.3)  # fmt: skip


def _engines(d: Drawing, rng, plane: Plane) -> None:
    """Draw jets, or propellers in front of a wing."""
    cowl = pick(rng, (plane.hull, plane.paint))
    for x in plane.engines:
        y = 0.5 * plane.r if x < -0.2 else plane.wings[0] * plane.r - 0.028
        if plane.propeller and x > -0.2:
            d.limb([(x - 0.14, y), (x + 0.06, y)], [0.012, 0.024], cowl, puff=1)
            _propeller(d, rng, x + 0.09, y, 0.085)
            continue
        d.limb([(x - 0.07, y), (x, y), (x + 0.05, y)], [0.014, 0.027, 0.024], cowl)
        d.ellipse(x + 0.066, y, 0.009, 0.022, DARK, puff=0, grain=0)


def _propeller(d: Drawing, rng, x: float, y: float, r: float) -> None:
    for turn in np.linspace(0, np.pi, rng.integers(2, 4), endpoint=False):
        up = r * np.cos(turn + rng.uniform(-0.3, 0.3))
        d.limb([(x, y - up), (x, y), (x, y + up)], [0.003, 0.007, 0.003], DARK, grain=0)
    d.limb([(x, y), (x + 0.02, y)], [0.016, 0.007], METALS[1], grain=0)


def _gear(d: Drawing, rng, plane: Plane) -> None:
    """Draw legs with wheels on one ground."""
    wheel = rng.uniform(0.016, 0.02) if plane.engines else rng.uniform(0.025, 0.036)
    ground = -plane.r - rng.uniform(1.8, 3) * wheel
    if plane.propeller and not plane.engines:
        ground = min(ground, -0.15)
    for x in (0.34, rng.uniform(-0.1, 0.02)):
        d.limb([(x, -0.6 * plane.r), (x, ground + wheel)], 0.007, METALS[0], grain=0)
        d.ellipse(x, ground + wheel, wheel, wheel, RUBBER, grain=0)
