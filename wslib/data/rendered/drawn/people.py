"""How people are drawn. One unit is a metre; a head's own unit is its width."""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn.drawing import Drawing

DARK, WHITE = (28, 22, 22), (250, 248, 244)
CLOTHES = ((200, 58, 52), (44, 92, 158), (236, 196, 70), (60, 130, 84),
            (238, 234, 226), (52, 54, 66), (150, 86, 140), (232, 140, 74),
            (110, 160, 190), (214, 216, 220))  # fmt: skip
SKINS = ((244, 208, 178), (228, 182, 144), (196, 142, 100), (140, 92, 62), (96, 64, 46))
HAIRS = ((40, 30, 26), (84, 54, 34), (140, 92, 50), (206, 170, 96), (150, 60, 36),
          (168, 164, 160))  # fmt: skip


def tinted(rng: np.random.Generator, colours=CLOTHES) -> np.ndarray:
    """One of some colours, a little lighter or darker."""
    return np.clip(
        np.array(colours[rng.integers(len(colours))]) * rng.uniform(0.8, 1.1), 0, 250
    )


def person(d: Drawing, rng: np.random.Generator) -> str:
    """A person: standing, walking, sitting on the ground, or head and shoulders."""
    skin, shirt, legs = tinted(rng, SKINS), tinted(rng), tinted(rng)
    pose = rng.choice(["stand", "walk", "sit", "bust"], p=[0.3, 0.3, 0.14, 0.26])
    head, lift = rng.uniform(0.115, 0.165), 0.0
    step = rng.uniform(0.1, 0.25) if pose == "walk" else 0.02
    if pose == "sit":
        lift = -0.72
        for side, knee in ((-1, 0.4), (1, 0.46)):
            points = [(side * 0.1, 0.14), (side * 0.34, knee), (side * 0.26, 0.05)]
            d.limb(points, [0.11, 0.095, 0.06], legs * (0.8 if side < 0 else 1))
            d.ellipse(side * 0.3, 0.04, 0.11, 0.05, DARK)
    elif pose != "bust":
        for side in (-1, 1):
            foot = (side * (0.1 + step), 0.05)
            points = [(side * 0.09, 0.86), (side * (0.1 + step * 0.7), 0.46), foot]
            d.limb(points, [0.115, 0.085, 0.06], legs * (0.85 if side < 0 else 1))
            d.ellipse(foot[0] + 0.04, 0.04, 0.1, 0.045, DARK)
    d = d.at(0, lift)
    if pose in ("stand", "walk") and rng.random() < 0.3:
        d.polygon([(-0.17, 0.95), (0.17, 0.95), (0.3, 0.5), (-0.3, 0.5)], shirt * 0.95)
    _trunk(d, rng, skin, shirt, low=0.98 if pose == "bust" else 0.82)
    d.limb([(0, 1.4), (0, 1.52)], 0.06, skin * 0.9)
    turn = rng.uniform(-14, 14)
    _face(d.at(0, 1.5 + head, head, turn), rng, skin, back=rng.random() < 0.08)
    return "cut" if pose == "bust" else "stands"


def _trunk(d: Drawing, rng, skin, shirt, low: float) -> None:
    """Arms and shirt, from the hips at y = `low` to the shoulders."""
    bare = rng.random() < 0.4
    for side in (-1, 1):
        lift = rng.choice([0, 0, 0, rng.uniform(0.5, 1.3)])
        elbow = np.array([side * (0.3 + 0.1 * lift), 1.12 + 0.22 * lift])
        hand = elbow + [side * rng.uniform(-0.12, 0.1), -0.27 + 0.52 * lift]
        d.limb(
            [(side * 0.19, 1.38), elbow, hand],
            [0.075, 0.06, 0.045],
            skin if bare else shirt,
        )
        if bare:
            d.limb([(side * 0.19, 1.38), elbow * [0.9, 1]], [0.085, 0.075], shirt)
        d.ellipse(*hand, 0.05, 0.055, skin)
    d.blob([(-0.1, 1.5), (0.1, 1.5), (0.27, 1.42), (0.22, 1.1), (0.2, low),
            (-0.2, low), (-0.22, 1.1), (-0.27, 1.42)], shirt)  # fmt: skip
    trim = tinted(rng)
    if rng.random() < 0.4:
        for y in np.arange(low, 1.4, 0.12):
            d.line([(-0.3, y), (0.3, y)], 0.05, trim, on=True)
    elif rng.random() < 0.4:
        d.line([(0, low), (0, 1.5)], 0.03, shirt * 0.7, on=True)
    d.polygon([(-0.09, 1.5), (0.09, 1.5), (0, 1.38)], skin * 0.92, puff=0, on=True)


def _face(d: Drawing, rng: np.random.Generator, skin, back: bool = False) -> None:
    """A human head from the front, or from behind, with hair or a hat."""
    hair = HAIRS[rng.integers(len(HAIRS))]
    long = rng.random() < 0.45
    if long:
        y = rng.uniform(-1.6, -0.7)
        d.blob(
            [(-1.1, 1.1), (1.1, 1.1), (1.2, 0), (1.05, y), (-1.05, y), (-1.2, 0)], hair
        )
    for side in (-1, 1):
        d.ellipse(side * 0.82, -0.05, 0.16, 0.24, skin)
    d.ellipse(0, 0, 0.84, 1.06, hair if back else skin)
    if back:
        return
    _features(d, rng, skin, hair)
    if rng.random() < 0.2:
        colour = rng.uniform(40, 220, 3)
        d.blob([(-0.9, 0.5), (-0.75, 1.4), (0.75, 1.4), (0.9, 0.5)], colour)
        d.limb([(-1.2, 0.5), (1.2, 0.5)], 0.14, np.multiply(colour, 0.8))
        return
    part = rng.uniform(-0.4, 0.4)
    fringe = [(-0.92, 0), (-1.0, 0.9), (-0.4, 1.35), (0.4, 1.35),
               (1.0, 0.9), (0.92, 0), (0.7, 0.6), (part,
               rng.uniform(0.35, 0.75)), (-0.7, 0.6)]  # fmt: skip
    d.polygon(fringe, hair, round=2)


def _features(d: Drawing, rng: np.random.Generator, skin, hair) -> None:
    """Eyes, brows, nose, mouth."""
    rosy = np.multiply(skin, (0.95, 0.72, 0.7))
    for side in (-1, 1):
        d.ellipse(side * 0.34, 0.08, 0.13, 0.085, WHITE, puff=0, grain=0)
        d.ellipse(side * 0.34, 0.08, 0.075, 0.09, (60, 42, 32), puff=0, grain=0)
        d.line([(side * 0.2, 0.3), (side * 0.5, 0.28)], 0.07, np.multiply(hair, 0.8))
        d.ellipse(
            side * 0.48, -0.28, 0.18, 0.13, 0.5 * rosy + 0.5 * np.array(skin), puff=0
        )
    d.limb([(0, 0.05), (0.02, -0.22)], [0.05, 0.12], np.multiply(skin, 0.95), puff=0.9)
    smile = rng.uniform(-0.04, 0.16)
    lips = [(-0.3, -0.5), (0, -0.55 - smile), (0.3, -0.5)]
    d.line(lips, 0.1, rosy * 0.8 if np.mean(skin) > 90 else rosy * 1.3)
    if rng.random() < 0.3:
        d.polygon([*lips, (0.2, -0.5), (-0.2, -0.5)], WHITE, puff=0, grain=0)
