"""How animals are drawn: dog, cat, horse, sheep, bird. One unit is about one body.

Each function draws one animal that looks to the right. It returns "stands" (on y = 0),
"flies" or "cut" (it goes on below the drawing, which must end at the lower border of
the image). A face's unit is the radius of the skull.
"""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing, pick

FURS = ((176, 122, 70), (120, 78, 46), (62, 48, 42), (44, 44, 48), (226, 214, 196),
        (200, 160, 108), (150, 146, 142), (205, 128, 62), (110, 104, 100),
        (238, 232, 224))  # fmt: skip
FEATHERS = ((196, 70, 52), (66, 110, 178), (214, 170, 56), (90, 84, 80),
            (236, 234, 230), (70, 128, 84), (126, 92, 66), (44, 44, 52))  # fmt: skip
DARK, WHITE, PINK = (28, 22, 22), (250, 248, 244), (226, 124, 130)
EYES = ((206, 190, 70), (120, 170, 80), (222, 150, 50), (110, 160, 190))
POSES = ("stand", "sit", "front", "lie", "head")


def dog(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a dog: long snout, black nose, ears that mostly hang."""
    coat, pose = Coat(rng), rng.choice(POSES, p=[0.4, 0.2, 0.16, 0.14, 0.1])
    tail, thick, nod = rng.uniform((0.1, 0.8, -0.25), (0.45, 1.3, 0.12))
    ways = {
        "stand": [
            (-0.44, 0.7),
            (-0.62, 0.72 + tail / 2),
            (-0.66 - tail / 2, 0.8 + tail),
        ],
        "sit": [(-0.2, 0.14), (-0.5, 0.08), (-0.66, 0.16 + tail)],
    }
    if pose in ways:
        d.limb(ways[pose], [0.06, 0.05, 0.03], coat.main)
    BODIES[pose](d, rng, coat, thick)
    if pose == "stand":
        d.limb([(0.36, 0.68), (0.58, 1.0 + nod)], [0.18, 0.13], coat.main)
    places = {"stand": (0.62, 1.04 + nod, 0.17), "sit": (0.24, 0.98, 0.2),
              "lie": (0.58, pick(rng, (0.3, 0.52)), 0.18)}  # fmt: skip
    x, y, size = places.get(pose, (0, 0.98, 0.3))
    face = dog_profile if pose in places and rng.random() < 0.8 else dog_face
    face(d.at(x, y, size * rng.uniform(0.85, 1.2), rng.uniform(-18, 12)), rng, coat)
    return "cut" if pose == "head" else "stands"


def cat(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a cat: round flat face, pointed ears, whiskers, a long thin tail."""
    coat, pose = Coat(rng, 0.55), rng.choice(POSES, p=[0.28, 0.22, 0.24, 0.14, 0.12])
    bend = rng.uniform(-0.1, 0.3)
    tails = {
        "stand": [(-0.44, 0.66), (-0.7, 0.7), (-0.78, 1 + bend), (-0.62, 1.18 + bend)],
        "sit": [(-0.2, 0.1), (-0.5, 0.06), (-0.62, 0.3), (-0.5, 0.5 + bend)],
        "lie": [(-0.5, 0.1), (-0.86, 0.06), (-1.0, 0.2 + bend)],
        "front": [(0.25, 0.08), (0.6, 0.06), (0.66, 0.3 + bend)],
    }
    if pose in tails:
        d.limb(tails[pose], 0.045, coat.main)
    BODIES[pose](d, rng, coat, 0.78)
    places = {"stand": (0.56, 0.94 + bend / 3, 0.2), "sit": (0.22, 0.94, 0.22),
              "lie": (0.5, 0.5, 0.22)}  # fmt: skip
    x, y, size = places.get(pose, (0, 0.96, 0.29))
    cat_face(d.at(x, y, size, rng.uniform(-12, 12)), rng, coat)
    return "cut" if pose == "head" else "stands"


def horse(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a horse, walking or grazing."""
    coat = Coat(rng, patches=0.25)
    mane = coat.main * rng.choice([0.35, 0.5]) if rng.random() < 0.8 else WHITE
    body = [(-0.62, 0.9), (-0.52, 1.2), (-0.1, 1.12), (0.3, 1.2), (0.58, 1.18),
             (0.64, 0.9), (0.5, 0.72), (0, 0.7), (-0.45, 0.72)]  # fmt: skip
    _legs(d, rng, coat, 0.98, 0.42, 0.072, hoof=DARK)
    d.limb([(-0.52, 1.08), (-0.68, 1.0), (-0.7, 0.45)], [0.05, 0.07, 0.03], mane)
    d.blob(body, coat.main)
    coat.mark(d, rng, -0.4, 0.4, 0.78, 1.1)
    _legs(d, rng, coat, 0.98, 0.42, 0.078, hoof=DARK, near=True)
    down = rng.random() < 0.25
    top = np.array([1.0, 0.62] if down else [0.84, rng.uniform(1.45, 1.65)])
    neck = [(0.42, 1.0), top * [0.85, 1] + [0, -0.05], top]
    d.limb(neck, [0.24, 0.16, 0.12], coat.main)
    d.limb([(0.4, 1.18), top + [-0.16, 0.02], top + [-0.04, 0.12]], 0.07, mane)
    h = d.at(*top, 0.17, -75 if down else rng.uniform(-55, -35))
    for x in (-0.35, 0.0):
        h.polygon([(x - 0.2, 0.5), (x - 0.1, 1.25), (x + 0.2, 0.55)], coat.main)
    h.limb([(0, 0.1), (2.1, 0)], [0.72, 0.42], coat.main)
    h.ellipse(2.2, 0.0, 0.35, 0.38, coat.dark)
    h.ellipse(0.45, 0.3, 0.13, 0.13, DARK, puff=0)
    return "stands"


def sheep(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a sheep: a cloud of wool on thin legs, a dark or a white face."""
    wool = np.array([232, 226, 212]) * rng.uniform(0.75, 1)
    face = np.array(pick(rng, (DARK, (206, 190, 170)))) + 18
    coat = Coat(rng, colour=face)
    for near in (False, True):
        _legs(d, rng, coat, 0.5, 0.3, 0.05, hoof=DARK, near=near)
    d.ellipse(0, 0.62, 0.46, 0.28, wool)
    for t in np.linspace(0, 2 * np.pi, 15)[:-1] + rng.uniform(0, 1):
        x, y = 0.42 * np.cos(t), 0.62 + 0.24 * np.sin(t)
        d.ellipse(x, y, 0.13, 0.12, wool * rng.uniform(0.94, 1.04), puff=0.8)
    h = d.at(0.56, rng.uniform(0.5, 0.85), 0.13, rng.uniform(-60, -20))
    h.ellipse(-0.5, 0.9, 0.75, 0.3, face, degrees=120)
    h.limb([(0, 0), (1.2, 0)], [0.8, 0.5], face)
    h.ellipse(-0.4, 0.5, 0.75, 0.6, wool)
    h.ellipse(0.5, 0.3, 0.14, 0.14, DARK if face.mean() > 90 else WHITE, puff=0)
    return "stands"


def bird(d: Drawing, rng: np.random.Generator) -> str:
    """Draw a bird: perched, or flying with its wings up."""
    body, wing = np.array(FEATHERS, float)[rng.choice(len(FEATHERS), 2)]
    beak = (230, 160, 50) if rng.random() < 0.7 else DARK
    fly = rng.random() < 0.4
    spread = [
        (0.18, 0.08),
        (0.3, 0.5),
        (0.12, 0.95),
        (-0.2, 0.9),
        (-0.26, 0.3),
        (-0.2, 0),
    ]
    folded = [(0.2, 0.12), (0.12, -0.14), (-0.25, -0.12), (-0.62, 0.0), (-0.2, 0.2)]
    b = d.at(0, 0.5, 1, rng.uniform(-15, 20))
    if fly:
        b.at(-0.1, 0.02, 0.85).polygon(spread, wing * 0.7, round=2)
    for x in () if fly else (-0.06, 0.05):
        d.line([(x, 0.4), (x + 0.02, 0.12), (x, 0), (x + 0.08, 0)], 0.028, beak)
    b.polygon([(-0.25, 0.06), (-0.78, 0.1), (-0.8, -0.04), (-0.25, -0.1)], wing * 0.85)
    b.blob([(-0.5, 0.04), (-0.1, 0.26), (0.3, 0.24), (0.42, 0.0), (0.15, -0.26),
            (-0.25, -0.18)], body)  # fmt: skip
    b.ellipse(0.12, -0.1, 0.2, 0.12, np.clip(body * 1.2 + 25, 0, 255), on=True)
    b.polygon([(0.46, 0.3), (0.7, 0.22), (0.46, 0.18)], beak)
    b.ellipse(0.36, 0.25, 0.17, 0.16, body)
    b.ellipse(0.41, 0.28, 0.035, 0.035, DARK, puff=0)
    b.polygon(spread if fly else folded, wing, round=2)
    for k in range(3):
        y = 0.25 + 0.15 * k if fly else -0.06 + 0.05 * k
        b.line([(-0.2, y), (0.05, y + 0.02)], 0.018, wing * 0.6, on=True)
    return "flies" if fly else "stands"


class Coat:
    """The fur of one animal: colours, and patches or stripes."""

    def __init__(self, rng, stripes=0.0, patches=0.45, colour=None) -> None:
        colour = pick(rng, FURS) if colour is None else colour
        self.main = np.clip(np.array(colour) * rng.uniform(0.85, 1.1), 8, 245)
        self.dark, self.far = self.main * 0.62, self.main * 0.72
        bright = 0.35 * self.main + 0.65 * np.array(WHITE)
        self.light = bright if rng.random() < 0.6 else self.main * 1.1
        other = WHITE if self.main.mean() < 150 else pick(rng, FURS[:4])
        self.second = np.array(other) * rng.uniform(0.85, 1)
        self.striped = rng.random() < stripes
        self.patched = not self.striped and rng.random() < patches

    def mark(self, d: Drawing, rng, x1, x2, y1, y2) -> None:
        """Draw patches or stripes on the last shape, within a rectangle."""
        for x in np.linspace(x1, x2, 7 * self.striped):
            bend = rng.uniform(-0.05, 0.05)
            way = [(x, y2), (x + bend, (y1 + y2) / 2), (x, y1)]
            d.limb(way, [0.03, 0.022, 0.004], self.dark, puff=0, on=True)
        count = rng.integers(1, 5) if self.patched else 0
        for x, y in rng.uniform((x1, y1), (x2, y2), (count, 2)):
            a, b = rng.uniform(0.06, 0.24, 2)
            d.ellipse(x, y, a, b, self.second, rng.uniform(0, 180), puff=0, on=True)


def _legs(d, rng, coat, height, reach, width, hoof=None, near=False) -> None:
    """Draw the two far legs, or the two near ones, in some phase of a walk."""
    colour = coat.main if near else coat.far
    hoof = coat.light * (1 if near else 0.75) if hoof is None else hoof
    for x, knee in ((reach, 0.02), (-reach, -0.07)):
        swing = rng.uniform(-0.16, 0.16) * height
        foot = (x + swing, width)
        way = [(x, height), (x + swing * 0.3 - knee * height, height * 0.5), foot]
        d.limb(way, [width * 1.9, width * 1.05, width * 0.85], colour)
        d.ellipse(foot[0] + width / 2, width * 0.8, width * 1.5, width * 0.8, hoof)


def _standing(d, rng, coat, thick) -> None:
    low = 0.6 - 0.18 * thick
    _legs(d, rng, coat, 0.58, 0.35, 0.052 * thick)
    d.blob([(-0.55, 0.62), (-0.46, 0.8), (-0.1, 0.78), (0.25, 0.82), (0.5, 0.82),
            (0.58, 0.62), (0.42, low - 0.04), (0.1, low - 0.02), (-0.2, low + 0.06),
            (-0.5, low + 0.02)], coat.main)  # fmt: skip
    coat.mark(d, rng, -0.42, 0.38, 0.5, 0.78)
    _legs(d, rng, coat, 0.58, 0.35, 0.056 * thick, near=True)


def _sitting(d, rng, coat, thick) -> None:
    d.limb([(0.14, 0.5), (0.16, 0.05)], [0.09, 0.05], coat.far)
    back = [(-0.16, 0.24), (0, 0.5), (0.16, 0.82)]
    d.limb(back, [0.25 * thick, 0.22 * thick, 0.15 * thick], coat.main)
    coat.mark(d, rng, -0.25, 0.15, 0.35, 0.75)
    d.ellipse(0.17, 0.58, 0.1, 0.2, coat.light, puff=0.3, on=True)
    d.ellipse(-0.12, 0.21, 0.23 * thick, 0.21, coat.main)
    d.limb([(-0.1, 0.05), (0.14, 0.05)], 0.055, coat.main)
    d.limb([(0.2, 0.56), (0.26, 0.3), (0.26, 0.06)], [0.1, 0.065, 0.055], coat.main)
    d.ellipse(0.3, 0.05, 0.08, 0.05, coat.light)


def _lying(d, rng, coat, thick) -> None:
    d.limb([(0.3, 0.12), (0.72, 0.06)], 0.06, coat.far)
    d.blob([(-0.68, 0.0), (-0.7, 0.34), (-0.3, 0.46), (0.2, 0.42), (0.5, 0.5),
            (0.6, 0.25), (0.45, 0.0), (-0.3, -0.02)], coat.main)  # fmt: skip
    coat.mark(d, rng, -0.4, 0.35, 0.15, 0.42)
    d.ellipse(-0.42, 0.18, 0.22, 0.18, coat.main)
    d.limb([(-0.4, 0.05), (-0.1, 0.05)], 0.055, coat.main)
    d.limb([(0.36, 0.16), (0.76, 0.05)], [0.09, 0.055], coat.main)
    d.ellipse(0.8, 0.05, 0.075, 0.05, coat.light)


def _facing_us(d, rng, coat, thick) -> None:
    w = 0.42 * thick
    for side in (-1, 1):
        d.ellipse(side * w * 0.8, 0.15, 0.17, 0.17, coat.main)
        d.ellipse(side * w, 0.05, 0.1, 0.05, coat.light)
    d.blob([(-0.22, 0.9), (0.22, 0.9), (w, 0.5), (w, 0.1), (0.2, -0.02),
            (-0.2, -0.02), (-w, 0.1), (-w, 0.5)], coat.main)  # fmt: skip
    coat.mark(d, rng, -0.3, 0.3, 0.15, 0.6)
    d.ellipse(0, 0.55, 0.13, 0.24, coat.light, puff=0.3, on=True)
    for x in (-0.11, 0.11):
        d.limb([(x, 0.5), (x, 0.06)], [0.085, 0.065], coat.main)
        d.ellipse(x, 0.045, 0.09, 0.05, coat.light)


def _shoulders(d, rng, coat, thick) -> None:
    d.blob([(-0.3, 0.9), (0.3, 0.9), (0.5, 0.5), (-0.5, 0.5)], coat.main)
    d.ellipse(0, 0.62, 0.2, 0.2, coat.light, puff=0.3, on=True)


BODIES = dict(
    zip(POSES, (_standing, _sitting, _facing_us, _lying, _shoulders), strict=True)
)


def dog_profile(d: Drawing, rng: np.random.Generator, coat: Coat) -> None:
    """Draw a dog's head from the side, its snout to the right."""
    long, tip = rng.uniform(1.45, 2.1), rng.uniform(-1.2, -0.6)
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
    if coat.patched:
        d.ellipse(0.4, 0.25, 0.42, 0.4, coat.second, puff=0)
    _eye(d, 0.52, 0.25, 0.17)
    hanging = [(-0.75, 0.85), (0.1, 0.95), (0.12, 0), (-0.2, tip), (-0.75, tip),
               (-0.95, 0.1)]  # fmt: skip
    pointed = [(-0.8, 0.3), (-0.62, 1.7), (0.1, 0.75)]
    d.polygon(pointed if pricked else hanging, coat.dark, round=1 if pricked else 3)


def dog_face(d: Drawing, rng: np.random.Generator, coat: Coat) -> None:
    """Draw a dog's head from the front."""
    hang, pricked = rng.uniform(0.5, 1.2), rng.random() < 0.2
    pointed = np.array([(0.95, 0.1), (0.85, 1.5), (0.15, 0.8)])
    hanging = np.array([(0.35, 1.0), (0.95, 1.1), (1.45, 0.5), (1.4, -hang),
                        (1.0, -hang - 0.1), (0.8, 0.2)])  # fmt: skip
    for side in (-1, 1) if pricked else ():
        d.polygon(pointed * (side, 1), coat.dark, round=1)
    d.blob([(-0.7, 1.15), (0.7, 1.15), (1.15, 0.3), (0.75, -0.9), (0.35, -1.25),
            (-0.35, -1.25), (-0.75, -0.9), (-1.15, 0.3)], coat.main)  # fmt: skip
    if coat.patched:
        d.ellipse(0.42, 0.28, 0.42, 0.46, coat.second, puff=0, on=True)
    elif rng.random() < 0.4:
        d.limb([(0, 1), (0, 0)], [0.12, 0.2], coat.light, puff=0, on=True)
    if rng.random() < 0.45:
        d.limb([(0.05, -1), (0.08, rng.uniform(-1.6, -1.3))], 0.22, PINK)
    d.ellipse(0, -0.58, 0.56, 0.52, coat.light)
    d.line([(0, -0.4), (0, -0.8)], 0.06, DARK)
    mouth = [(-0.36, -0.75), (-0.18, -0.93), (0, -0.78), (0.18, -0.93), (0.36, -0.75)]
    d.line(mouth, 0.07, DARK)
    d.ellipse(0, -0.32, 0.28, 0.2, DARK, puff=1)
    for side in (-1, 1):
        _eye(d, side * 0.42, 0.22, 0.15)
        if not pricked:
            d.blob(hanging * (side, 1), coat.dark)


def _eye(d: Drawing, x: float, y: float, r: float) -> None:
    d.ellipse(x, y, r, r * 1.1, (52, 32, 22), puff=0.5, grain=0)
    d.ellipse(x - r * 0.3, y + r * 0.4, r * 0.35, r * 0.35, WHITE, puff=0, grain=0)


def cat_face(d: Drawing, rng: np.random.Generator, coat: Coat) -> None:
    """Draw a cat's head from the front, or half turned away."""
    d = d.at(0, 0, wide=rng.uniform(0.82, 1))
    for s in (-1, 1):
        d.polygon([(s, 0.1), (s * 0.95, 1.5), (s * 0.15, 0.75)], coat.main)
        d.polygon([(s * 0.85, 0.5), (s * 0.86, 1.25), (s * 0.4, 0.75)], PINK, puff=0.2)
    d.blob([(-0.65, 1.0), (0.65, 1.0), (1.3, 0.1), (1.15, -0.6), (0.4, -1.05),
            (-0.4, -1.05), (-1.15, -0.6), (-1.3, 0.1)], coat.main)  # fmt: skip
    for x in (-0.28, 0, 0.28) if coat.striped else ():
        way = [(x * 1.5, 0.9), (x, 0.45)]
        d.limb(way, [0.08, 0.03], coat.dark, puff=0, on=True)
    if coat.patched:
        d.ellipse(0.55, 0.45, 0.6, 0.5, coat.second, puff=0, on=True)
    for s in (-1, 1):
        d.ellipse(s * 0.23, -0.5, 0.3, 0.24, coat.light, puff=0.4)
    d.polygon([(-0.15, -0.18), (0.15, -0.18), (0, -0.38)], PINK, puff=0.2)
    mouth = [(-0.3, -0.52), (-0.15, -0.64), (0, -0.5), (0.15, -0.64), (0.3, -0.52)]
    d.line(mouth, 0.055, DARK)
    iris, slit = pick(rng, EYES), rng.uniform(0.05, 0.13)
    for s in (-1, 1):
        d.ellipse(s * 0.5, 0.12, 0.29, 0.25, DARK, puff=0, grain=0)
        d.ellipse(s * 0.5, 0.12, 0.25, 0.21, iris, puff=0.5, grain=0)
        d.ellipse(s * 0.5, 0.12, slit, 0.2, DARK, puff=0, grain=0)
        for y in (-0.65, -0.4, -0.15):  # whiskers
            d.line([(s * 0.35, -0.45), (s * 1.65, y)], 0.028, (235, 232, 226))
