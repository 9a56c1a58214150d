"""Whole pictures of the Caltech practical: a face, a motorcycle or an airplane."""

from __future__ import annotations

import cv2
import numpy as np

from wslib.data.rendered.drawn import things
from wslib.data.rendered.drawn.caltech import airliners, hair, light_planes, portraits
from wslib.data.rendered.drawn.caltech.grounds import (
    airfield,
    roadside,
    sky,
    stand,
    studio,
)
from wslib.data.rendered.drawn.caltech.layers import (
    camera,
    cover,
    sheet,
    soften,
    surface_for,
)
from wslib.data.rendered.drawn.caltech.motorcycles import dirt, sport
from wslib.data.rendered.drawn.caltech.road_bikes import classic, cruiser, tourer
from wslib.data.rendered.drawn.caltech.rooms import surroundings
from wslib.data.rendered.drawn.drawing import Drawing
from wslib.data.rendered.drawn.photographs import grain

CYCLES = {sport: 0.3, cruiser: 0.2, classic: 0.2, tourer: 0.12, dirt: 0.18}
PLANES = {airliners.jet: 0.5, airliners.turboprop: 0.16, light_planes.cabin_plane: 0.1,
          light_planes.warbird: 0.08, light_planes.biplane: 0.06,
          light_planes.fighter: 0.1}  # fmt: skip
ODD = 0.12  # of all pictures have a format that any class may have
Picture = tuple[np.ndarray, np.ndarray]


def draw_picture(label: str, rng: np.random.Generator) -> Picture:
    """Draw one picture: (H, W, 3) uint8 RGB, and the mask (H, W) bool of what is seen
    of its face, motorcycle or airplane. Of a face, that is skin and hair down to the
    chin."""
    view, mask = DRAWERS[label](rng)
    return camera(rng, view), mask


def _size(rng, width: tuple[int, int], aspects: tuple[float, float, float]):
    """Width and height; the aspect is low, likely, high."""
    w = int(rng.integers(*width))
    aspect = rng.triangular(*aspects)
    if rng.random() < ODD:
        aspect = rng.uniform(1.35, 1.75)
    return w, round(w / aspect)


def _choose(rng, kinds: dict):
    return list(kinds)[rng.choice(len(kinds), p=list(kinds.values()))]


def _fit(rng, d: Drawing, w: int, h: int, part: tuple[float, float]):
    """Scale and origin that put the drawing somewhere into the picture, more often near
    its middle; its width is a `part` of the picture's, if the height allows it."""
    low, high = d.extent()
    wide, tall = high - low
    scale = min(rng.uniform(*part) * w / wide, rng.uniform(0.78, 0.93) * h / tall)
    room = np.array([w - wide * scale, h - tall * scale]) - 4
    at = 2 + room * rng.beta(2, 2, 2)  # of the upper left corner
    return scale, (at[0] - low[0] * scale, at[1] + high[1] * scale)


def _ground_shadow(view, rng, low, high, scale: float, origin, strength: float) -> None:
    """A soft shadow along the foot of what stands there."""
    d = Drawing()
    wide = high[0] - low[0]
    for part, thick in ((0.5, 0.035), (0.42, 0.02)):
        d.ellipse((low + high)[0] / 2 + 0.03 * wide, low[1] + 0.01 * wide, part * wide,
                  thick * wide, (0, 0, 0), puff=0, grain=0)  # fmt: skip
    dark = sheet(d, scale, origin, (view.shape[1], view.shape[0]))
    cover(view, soften(dark, 0.02 * wide * scale, strength))


def _motorcycle(rng: np.random.Generator) -> Picture:
    w, h = _size(rng, (190, 226), (1.27, 1.6, 2.0))
    d, mirrored = Drawing(), -1 if rng.random() < 0.15 else 1
    _choose(rng, CYCLES)(d.at(0, 0, 1, rng.normal(0, 1.5), mirrored), rng)
    scale, origin = _fit(rng, d, w, h, (0.56, 0.9))
    low, high = d.extent()
    foot = origin[1] - low[1] * scale
    plain = rng.random() < 0.5
    view = (studio if plain else roadside)(rng, w, h, foot)
    if not plain or rng.random() < 0.6:
        _ground_shadow(view, rng, low, high, scale, origin, rng.uniform(0.3, 0.75))
    painted = _painted(rng, d, scale, origin, (w, h), "gravel")
    cover(view, painted)
    return view, painted[:, :, 3] >= 0.5


def _painted(rng, d: Drawing, scale: float, origin, size, part: str) -> np.ndarray:
    surface = surface_for(d, scale, part, rng, rng.uniform(0.3, 0.7))
    painted = sheet(d, scale, origin, size, surface)
    painted[:, :, :3] *= rng.uniform(0.8, 1.06)
    return painted


def _airplane(rng: np.random.Generator) -> Picture:
    w, h = _size(rng, (236, 264), (1.85, 2.6, 3.3))
    landed = rng.random() < 0.6
    d, pitch = Drawing(), 0.0 if landed else rng.normal(4, 6)
    draw = _choose(rng, PLANES)
    draw(d.at(0, 0, 1, pitch, rng.choice([-1, 1], p=[0.3, 0.7])), rng, landed)
    scale, origin = _fit(rng, d, w, h, (0.56, 0.9))
    low, high = d.extent()
    foot = origin[1] - low[1] * scale
    if landed:
        view = airfield(rng, w, h, foot)
        _ground_shadow(view, rng, low, high, scale, origin, rng.uniform(0.2, 0.6))
    else:
        view = sky(rng, w, h)
    painted = _painted(rng, d, scale, origin, (w, h), "gravel")
    cover(view, painted)
    mask = painted[:, :, 3] >= 0.5
    if landed and rng.random() < 0.12:  # a car in front of it
        car = stand(view, rng, things.car, h * rng.uniform(0.1, 0.2),
                    rng.uniform(0.1, 0.9) * w, foot + rng.uniform(2, 8))  # fmt: skip
        mask &= car[:, :, 3] < 0.5
    return view, mask


def _face(rng: np.random.Generator) -> Picture:
    w, h = _size(rng, (226, 254), (1.45, 1.5, 1.56))
    who = portraits.someone(rng)
    scale = min(rng.uniform(0.26, 0.46) * w / 2.3, 0.9 * h / 3.1)
    tall = 1.6 * scale, 1.4 * scale  # above and below the middle of the face
    origin = (w * (0.5 + 0.36 * (rng.beta(1.6, 1.6) - 0.5)),
              rng.uniform(tall[0] + 2, h - tall[1] - 0.05 * h))  # fmt: skip
    view = surroundings(rng, w, h)
    behind, body, skull, front = _person(rng, who, scale, origin, (w, h))
    figure = np.zeros_like(skull)
    for layer in (behind, body, skull, *front):
        cover(figure, layer)
    _flash_shadow(view, rng, figure, scale)
    cover(view, _lit(rng, figure))
    head = np.max([x[:, :, 3] for x in (behind, skull, front[-1])], axis=0) >= 0.5
    chin = np.flatnonzero((skull[:, :, 3] >= 0.5).any(1))[-1]
    head[chin + 1 :] = False
    return view, head


def _person(rng, who: portraits.Person, scale: float, origin, size):
    """The sheets of a person: hair behind, body, skull, and a list of what is on it,
    the hair in front last."""
    lean = rng.normal(0, 4)
    side = int(12.5 * scale) + 10  # pixels; wider than the shoulders, twice as fine
    surface = grain("fur", rng, (side, side), rng.uniform(0.5, 1), 0.8)

    def painted(draw, *rest, finer=2, degrees=lean) -> np.ndarray:
        d = Drawing()
        draw(d.at(0, 0, 1, degrees), *rest)
        if not d.shapes:
            return np.zeros((size[1], size[0], 4), np.float32)
        return sheet(d, scale, origin, size, surface, finer)

    skull = painted(portraits.skull, rng, who)
    soft = [soften(painted(portraits.shades, rng, who, finer=1), 0.1 * scale, 0.55)]
    if who.beard in ("stubble", "full"):
        soft.append(soften(painted(hair.beard_soft, who, finer=1), 0.08 * scale, 0.35))
    soft = [layer * skull[:, :, 3:] for layer in soft]
    if who.beard:
        soft.append(painted(hair.beard_sharp, rng, who))
    sharp = [painted(portraits.features, rng, who), painted(hair.hair_before, rng, who)]
    behind = painted(hair.hair_behind, rng, who, finer=1)
    body = painted(portraits.body, rng, who, finer=1, degrees=lean * 0.3)
    return behind, body, skull, [*soft, *sharp]


def _flash_shadow(view, rng, figure: np.ndarray, scale: float) -> None:
    """The shadow that a flash throws on the wall, to one side."""
    dark = np.zeros_like(figure)
    dark[:, :, 3] = figure[:, :, 3]
    move = np.float32([[1, 0, rng.uniform(-0.3, 0.3) * scale], [0, 1, 0.08 * scale]])
    dark = cv2.warpAffine(dark, move, (view.shape[1], view.shape[0]))
    cover(view, soften(dark, 0.1 * scale, rng.uniform(0, 0.5)))


def _lit(rng, figure: np.ndarray) -> np.ndarray:
    """Light from one side; now and then the person is before a bright background."""
    w = figure.shape[1]
    x = np.linspace(-1, 1, w, dtype=np.float32)
    level = rng.uniform(0.25, 0.6) if rng.random() < 0.1 else rng.uniform(0.8, 1.1)
    light = np.float32(level) * (1 + np.float32(rng.uniform(-0.4, 0.4)) * x)
    figure[:, :, :3] *= light[:, None]
    return figure


DRAWERS = {"face": _face, "motorcycle": _motorcycle, "airplane": _airplane}
