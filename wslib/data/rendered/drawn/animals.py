"""How animals are drawn: dog, cat, horse, sheep, bird. One unit is about one body.

Each function takes a pencil and a generator, and draws one animal that looks to the
right. It returns "stands" (on y = 0), "flies" or "cut" (it goes on below the drawing,
which must end at the lower border of the image).
"""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing
from wslib.data.rendered.drawn.faces import cat_face, dog_face, dog_profile

FURS = (
    (176, 122, 70), (120, 78, 46), (62, 48, 42), (44, 44, 48), (226, 214, 196),
    (200, 160, 108), (150, 146, 142), (205, 128, 62), (110, 104, 100), (238, 232, 224),
)  # fmt: skip
DARK, WHITE = (28, 22, 22), (250, 248, 244)


def dog(d: Drawing, rng: np.random.Generator) -> str:
    """A dog: long snout, black nose, ears that mostly hang."""
    coat = _Coat(rng)
    pose = rng.choice(
        ["stand", "sit", "front", "lie", "head"], p=[0.4, 0.2, 0.16, 0.14, 0.1]
    )
    small, tail = rng.uniform(0.85, 1.2), rng.uniform(0.1, 0.45)
    face = dog_face if pose in ("front", "head") or rng.random() < 0.2 else dog_profile
    thick = rng.uniform(0.8, 1.3)
    if pose == "stand":
        up = [(-0.44, 0.7), (-0.62, 0.72 + tail / 2), (-0.66 - tail / 2, 0.8 + tail)]
        d.limb(up, [0.06, 0.05, 0.03], coat.main)
        _body(d, rng, coat, thick)
        nod = rng.uniform(-0.25, 0.12)
        d.limb([(0.36, 0.68), (0.58, 1.0 + nod)], [0.18, 0.13], coat.main)
        face(d.at(0.62, 1.04 + nod, 0.17 * small, rng.uniform(-25, 12)), rng, coat)
    elif pose == "lie":
        _lying(d, coat)
        y = rng.choice([0.3, 0.52])
        face(d.at(0.58, y, 0.18 * small, rng.uniform(-15, 8)), rng, coat)
    elif pose == "sit":
        d.limb(
            [(-0.2, 0.14), (-0.5, 0.08), (-0.66, 0.16 + tail)],
            [0.06, 0.05, 0.03],
            coat.main,
        )
        _sitting(d, coat, thick)
        face(d.at(0.24, 0.98, 0.2 * small, rng.uniform(-15, 15)), rng, coat)
    else:
        _front(d, rng, coat, thick, head_only=pose == "head")
        face(d.at(0, 0.98, 0.3 * small, rng.uniform(-12, 12)), rng, coat)
    return "cut" if pose == "head" else "stands"


def cat(d: Drawing, rng: np.random.Generator) -> str:
    """A cat: round flat face, pointed ears, whiskers, a long thin tail."""
    coat = _Coat(rng, stripes=0.55)
    pose = rng.choice(
        ["stand", "sit", "front", "lie", "head"], p=[0.28, 0.22, 0.24, 0.14, 0.12]
    )
    bend = rng.uniform(-0.1, 0.3)
    if pose == "stand":
        tail = [(-0.44, 0.66), (-0.7, 0.7), (-0.78, 1.0 + bend), (-0.62, 1.18 + bend)]
        d.limb(tail, [0.045, 0.04, 0.04, 0.035], coat.main)
        _body(d, rng, coat, 0.72)
        cat_face(d.at(0.56, 0.94 + bend / 3, 0.2, rng.uniform(-12, 12)), rng, coat)
    elif pose == "lie":
        d.limb([(-0.5, 0.1), (-0.86, 0.06), (-1.0, 0.2 + bend)], 0.045, coat.main)
        _lying(d, coat)
        cat_face(d.at(0.5, 0.5, 0.22, rng.uniform(-15, 15)), rng, coat)
    elif pose == "sit":
        tail = [(-0.2, 0.1), (-0.5, 0.06), (-0.62, 0.3), (-0.5, 0.5 + bend)]
        d.limb(tail, 0.045, coat.main)
        _sitting(d, coat, 0.8)
        cat_face(d.at(0.22, 0.94, 0.22, rng.uniform(-12, 12)), rng, coat)
    else:
        if pose == "front":
            d.limb([(0.25, 0.08), (0.6, 0.06), (0.66, 0.3 + bend)], 0.05, coat.main)
        _front(d, rng, coat, 0.85, head_only=pose == "head")
        cat_face(d.at(0, 0.96, 0.29, rng.uniform(-12, 12)), rng, coat)
    return "cut" if pose == "head" else "stands"


def horse(d: Drawing, rng: np.random.Generator) -> str:
    """A horse, walking or grazing."""
    coat = _Coat(rng, patches=0.25)
    mane = (
        np.multiply(coat.main, rng.choice([0.35, 0.5])) if rng.random() < 0.8 else WHITE
    )
    _legs(d, rng, coat, 0.98, 0.42, 0.072, hoof=DARK)
    body = [(-0.62, 0.9), (-0.52, 1.2), (-0.1, 1.12), (0.3, 1.2), (0.58, 1.18),
             (0.64, 0.9), (0.5, 0.72), (0, 0.7), (-0.45, 0.72)]  # fmt: skip
    d.limb([(-0.52, 1.08), (-0.68, 1.0), (-0.7, 0.45)], [0.05, 0.07, 0.03], mane)
    d.blob(body, coat.main)
    coat.marks(d, rng, -0.4, 0.4, 0.78, 1.1)
    _legs(d, rng, coat, 0.98, 0.42, 0.078, hoof=DARK, near=True)
    down = rng.random() < 0.25
    top = np.array([1.0, 0.62] if down else [0.84, rng.uniform(1.45, 1.65)])
    d.limb(
        [(0.42, 1.0), top * [0.85, 1] + [0, -0.05], top], [0.24, 0.16, 0.12], coat.main
    )
    d.limb([(0.4, 1.18), top + [-0.16, 0.02], top + [-0.04, 0.12]], 0.07, mane)
    h = d.at(*top, 0.17, -75 if down else rng.uniform(-55, -35))
    for x in (-0.35, 0.0):
        h.polygon([(x - 0.2, 0.5), (x - 0.1, 1.25), (x + 0.2, 0.55)], coat.main)
    h.limb([(0, 0.1), (2.1, 0)], [0.72, 0.42], coat.main)
    if rng.random() < 0.5:
        h.limb([(0.5, 0.35), (1.8, 0.25)], [0.14, 0.08], WHITE, on=True)
    h.ellipse(2.2, 0.0, 0.35, 0.38, coat.dark)
    h.ellipse(2.35, 0.12, 0.08, 0.06, DARK, puff=0)
    h.ellipse(0.45, 0.3, 0.13, 0.13, DARK, puff=0)
    return "stands"


def sheep(d: Drawing, rng: np.random.Generator) -> str:
    """A sheep: a cloud of wool on thin legs, a dark or a white face."""
    wool = np.array([232, 226, 212]) * rng.uniform(0.75, 1)
    face = np.array(DARK if rng.random() < 0.5 else (206, 190, 170)) + 18
    coat = _Coat(rng, colour=face)
    _legs(d, rng, coat, 0.5, 0.3, 0.05, hoof=DARK)
    _legs(d, rng, coat, 0.5, 0.3, 0.05, hoof=DARK, near=True)
    d.ellipse(0, 0.62, 0.46, 0.28, wool)
    for t in np.linspace(0, 2 * np.pi, 15)[:-1] + rng.uniform(0, 1):
        x, y = 0.42 * np.cos(t), 0.62 + 0.24 * np.sin(t)
        d.ellipse(x, y, 0.13, 0.12, wool * rng.uniform(0.94, 1.04), puff=0.8)
    for x, y in rng.uniform((-0.28, 0.5), (0.28, 0.75), (6, 2)):
        d.ellipse(x, y, 0.14, 0.12, wool, puff=0.5)
    h = d.at(0.56, rng.uniform(0.5, 0.85), 0.13, rng.uniform(-60, -20))
    h.ellipse(-0.5, 0.9, 0.75, 0.3, face, degrees=120)
    h.limb([(0, 0), (1.2, 0)], [0.8, 0.5], face)
    h.ellipse(-0.4, 0.5, 0.75, 0.6, wool)
    h.ellipse(0.5, 0.3, 0.14, 0.14, DARK if face.mean() > 90 else WHITE, puff=0)
    return "stands"


def bird(d: Drawing, rng: np.random.Generator) -> str:
    """A bird: perched, or flying with its wings up."""
    palette = [(196, 70, 52), (66, 110, 178), (214, 170, 56),
                (90, 84, 80), (236, 234, 230), (70, 128, 84),
                (126, 92, 66), (44, 44, 52)]  # fmt: skip
    body, wing = (np.array(palette[k], float) for k in rng.choice(len(palette), 2))
    beak = (230, 160, 50) if rng.random() < 0.7 else DARK
    fly, tilt = rng.random() < 0.4, rng.uniform(-15, 20)
    b = d.at(0, 0.5, 1, tilt)
    if fly:
        far = [(0.12, 0.1), (-0.02, 0.62), (-0.3, 0.8), (-0.28, 0.3), (-0.2, 0.05)]
        b.polygon(far, wing * 0.7, round=2)
    else:
        for x in (-0.06, 0.05):
            d.line([(x, 0.4), (x + 0.02, 0.12), (x, 0)], 0.028, beak)
            d.line([(x - 0.06, 0), (x + 0.09, 0)], 0.025, beak)
    b.polygon([(-0.25, 0.06), (-0.78, 0.1), (-0.8, -0.04), (-0.25, -0.1)], wing * 0.85)
    b.blob([(-0.5, 0.04), (-0.1, 0.26), (0.3, 0.24), (0.42, 0.0), (0.15, -0.26),
            (-0.25, -0.18)], body)  # fmt: skip
    b.ellipse(0.12, -0.1, 0.2, 0.12, np.clip(body * 1.2 + 25, 0, 255), on=True)
    b.polygon([(0.46, 0.3), (0.7, 0.22), (0.46, 0.18)], beak)
    b.ellipse(0.36, 0.25, 0.17, 0.16, body)
    if rng.random() < 0.4:
        b.ellipse(0.38, 0.34, 0.16, 0.1, wing, on=True)
    b.ellipse(0.41, 0.28, 0.035, 0.035, DARK, puff=0)
    b.ellipse(0.42, 0.29, 0.012, 0.012, WHITE, puff=0)
    if fly:
        near = [
            (0.18, 0.08),
            (0.3, 0.5),
            (0.12, 0.95),
            (-0.2, 0.9),
            (-0.26, 0.3),
            (-0.2, 0),
        ]
        b.polygon(near, wing, round=2)
    else:
        b.blob(
            [(0.2, 0.12), (0.12, -0.14), (-0.25, -0.12), (-0.62, 0.0), (-0.2, 0.2)],
            wing,
        )
    for k in range(3):
        y = 0.25 + 0.15 * k if fly else -0.06 + 0.05 * k
        b.line([(-0.2, y), (0.05, y + 0.02)], 0.018, wing * 0.6, on=True)
    return "flies" if fly else "stands"


class _Coat:
    """The fur of one animal: colours, and patches, spots or stripes."""

    def __init__(self, rng, stripes=0.0, patches=0.45, colour=None) -> None:
        colour = FURS[rng.integers(len(FURS))] if colour is None else colour
        self.main = np.clip(np.array(colour) * rng.uniform(0.85, 1.1, 1), 8, 245)
        self.dark, self.far = self.main * 0.62, self.main * 0.72
        light = rng.random() < 0.6
        self.light = (
            0.35 * self.main + 0.65 * np.array(WHITE) if light else self.main * 1.1
        )
        other = (
            np.array(WHITE)
            if self.main.mean() < 150
            else np.array(FURS[rng.integers(4)])
        )
        self.second = other * rng.uniform(0.85, 1)
        kind = rng.random()
        self.stripes = kind < stripes
        self.patches = not self.stripes and rng.random() < patches

    def marks(self, d: Drawing, rng, x1, x2, y1, y2) -> None:
        """Patches or stripes on the shape drawn last, within a rectangle."""
        if self.stripes:
            for x in np.linspace(x1, x2, 7):
                bend = rng.uniform(-0.05, 0.05)
                top = [(x, y2), (x + bend, (y1 + y2) / 2), (x, y1)]
                d.limb(top, [0.03, 0.022, 0.004], self.dark, puff=0, on=True)
        if self.patches:
            for x, y in rng.uniform((x1, y1), (x2, y2), (rng.integers(1, 5), 2)):
                a, b = rng.uniform(0.06, 0.24, 2)
                d.ellipse(x, y, a, b, self.second, rng.uniform(0, 180), puff=0, on=True)


def _legs(d, rng, coat, height, reach, width, hoof=None, near=False) -> None:
    """The two far legs, or the two near ones, in some phase of a walk."""
    colour = coat.main if near else coat.far
    for x, knee in ((reach, 0.02), (-reach, -0.07)):
        swing = rng.uniform(-0.16, 0.16) * height
        foot = (x + swing, width)
        points = [(x, height), (x + swing * 0.3 - knee * height, height * 0.5), foot]
        d.limb(points, [width * 1.9, width * 1.05, width * 0.85], colour)
        d.ellipse(foot[0] + width / 2, width * 0.8, width * 1.5, width *
                  0.8, coat.light * (1 if near else 0.75) if hoof is
                  None else hoof)  # fmt: skip


def _body(d, rng, coat, thick) -> None:
    """Legs and trunk of a standing dog or cat."""
    _legs(d, rng, coat, 0.58, 0.35, 0.052 * thick)
    low = 0.6 - 0.18 * thick
    d.blob([(-0.55, 0.62), (-0.46, 0.8), (-0.1, 0.78), (0.25, 0.82), (0.5, 0.82),
            (0.58, 0.62), (0.42, low - 0.04), (0.1, low - 0.02), (-0.2, low + 0.06),
            (-0.5, low + 0.02)], coat.main)  # fmt: skip
    coat.marks(d, rng, -0.42, 0.38, 0.5, 0.78)
    _legs(d, rng, coat, 0.58, 0.35, 0.056 * thick, near=True)


def _sitting(d, coat, thick) -> None:
    d.limb([(0.14, 0.5), (0.16, 0.05)], [0.09, 0.05], coat.far)
    d.limb([(-0.16, 0.24), (0, 0.5), (0.16, 0.82)], [0.25 * thick, 0.22 * thick, 0.15
            * thick], coat.main)  # fmt: skip
    for k in range(4 * coat.stripes):
        y = 0.35 + 0.12 * k
        d.limb(
            [(-0.28 + 0.1 * k, y), (0, y - 0.06)],
            [0.03, 0.005],
            coat.dark,
            puff=0,
            on=True,
        )
    d.ellipse(0.17, 0.58, 0.1, 0.2, coat.light, puff=0.3, on=True)
    d.ellipse(-0.12, 0.21, 0.23 * thick, 0.21, coat.main)
    d.limb([(-0.1, 0.05), (0.14, 0.05)], 0.055, coat.main)
    d.limb([(0.2, 0.56), (0.26, 0.3), (0.26, 0.06)], [0.1, 0.065, 0.055], coat.main)
    d.ellipse(0.3, 0.05, 0.08, 0.05, coat.light)


def _lying(d, coat) -> None:
    d.limb([(0.3, 0.12), (0.72, 0.06)], 0.06, coat.far)
    d.blob([(-0.68, 0.0), (-0.7, 0.34), (-0.3, 0.46), (0.2, 0.42), (0.5, 0.5),
            (0.6, 0.25), (0.45, 0.0), (-0.3, -0.02)], coat.main)  # fmt: skip
    for k in range(6 * coat.stripes):
        x = -0.4 + 0.13 * k
        d.limb([(x, 0.42), (x - 0.03, 0.15)], [0.03, 0.005], coat.dark, puff=0, on=True)
    if coat.patches:
        d.ellipse(-0.05, 0.3, 0.2, 0.14, coat.second, puff=0, on=True)
    d.ellipse(-0.42, 0.18, 0.22, 0.18, coat.main)
    d.limb([(-0.4, 0.05), (-0.1, 0.05)], 0.055, coat.main)
    d.limb([(0.36, 0.16), (0.76, 0.05)], [0.09, 0.055], coat.main)
    d.ellipse(0.8, 0.05, 0.075, 0.05, coat.light)


def _front(d, rng, coat, thick, head_only) -> None:
    """A body seen from the front; only its shoulders with `head_only`."""
    if head_only:
        d.blob([(-0.3, 0.9), (0.3, 0.9), (0.5, 0.5), (-0.5, 0.5)], coat.main)
        d.ellipse(0, 0.62, 0.2, 0.2, coat.light, puff=0.3, on=True)
        return
    w = 0.42 * thick
    for side in (-1, 1):
        d.ellipse(side * w * 0.8, 0.15, 0.17, 0.17, coat.main)
        d.ellipse(side * w, 0.05, 0.1, 0.05, coat.light)
    d.blob([(-0.22, 0.9), (0.22, 0.9), (w, 0.5), (w, 0.1), (0.2, -0.02),
            (-0.2, -0.02), (-w, 0.1), (-w, 0.5)], coat.main)  # fmt: skip
    coat.marks(d, rng, -0.3, 0.3, 0.15, 0.6)
    d.ellipse(0, 0.55, 0.13, 0.24, coat.light, puff=0.3, on=True)
    for x in (-0.11, 0.11):
        d.limb([(x, 0.5), (x, 0.06)], [0.085, 0.065], coat.main)
        d.ellipse(x, 0.045, 0.09, 0.05, coat.light)
