"""Pictures of one thing each: a face, a motorcycle or an airplane."""

from __future__ import annotations

import numpy as np

from wslib.data.rendered.drawn import people, vehicles
from wslib.data.rendered.drawn.backdrops import Backdrop, backdrop
from wslib.data.rendered.drawn.drawing import Drawing, pick
from wslib.data.rendered.drawn.scenes import place_clutter
from wslib.data.rendered.drawn.sprites import (
    Sprite,
    lay_sprite,
    paint_with_detail,
    photograph,
    visible_mask,
)

ODD = 0.12  # of all pictures have a format that any class may have
Picture = tuple[np.ndarray, np.ndarray]


def draw_picture(label: str, rng: np.random.Generator) -> Picture:
    """Draw one picture: (H, W, 3) uint8 RGB, and the mask (H, W) bool of what is seen
    of its face, motorcycle or airplane. Of a face, that is skin and hair down to the
    chin."""
    view, mask = DRAWERS[label](rng)
    return photograph(rng, view), mask


def _size(rng, width: tuple[int, int], aspects: tuple[float, float, float]):
    """Choose width and height; the aspect is low, likely, high."""
    w = int(rng.integers(*width))
    aspect = rng.triangular(*aspects)
    if rng.random() < ODD:
        aspect = rng.uniform(1.35, 1.75)
    return w, round(w / aspect)


def _motorcycle(rng: np.random.Generator) -> Picture:
    w, h = _size(rng, (190, 226), (1.27, 1.6, 2.0))
    mirrored = -1 if rng.random() < 0.15 else 1
    d = Drawing()
    pencil = d.at(0, 0, 1, rng.normal(0, 1.5), mirrored * rng.uniform(0.84, 1.04))
    vehicles.motorcycle(pencil, rng)
    place = pick(rng, ("studio", "studio", "street", "meadow"))
    sprite = _fit(rng, d, w, h, rng.uniform(0, 0.7))
    behind = backdrop(place, rng, w, h, sprite.foot - rng.uniform(0.06, 0.4) * h)
    return _compose(rng, behind, sprite, 3)


def _airplane(rng: np.random.Generator) -> Picture:
    w, h = _size(rng, (236, 264), (1.85, 2.6, 3.3))
    landed = rng.random() < 0.6
    pitch, mirrored = rng.normal(4, 6), rng.choice([-1, 1], p=[0.3, 0.7])
    d = Drawing()
    pencil = d.at(0, 0, 1, 0 if landed else pitch, mirrored * rng.uniform(0.8, 1.04))
    vehicles.aeroplane(pencil, rng, landed)
    sprite = _fit(rng, d, w, h, rng.uniform(0.1, 0.6) * landed)
    if not landed:
        return _compose(rng, backdrop("sky", rng, w, h), sprite, 14)
    horizon = sprite.foot - rng.uniform(0.08, 0.45) * h
    return _compose(rng, backdrop("airfield", rng, w, h, horizon), sprite, 14)


def _fit(rng, d: Drawing, w: int, h: int, shadow: float) -> Sprite:
    """Put a drawing somewhere into the picture, more often near its middle; its width
    is a random part of the picture's, if the height allows it."""
    low, high = d.extent()
    scale = min(np.array([rng.uniform(0.5, 0.92) * w, 0.9 * h]) / (high - low))
    picture = paint_with_detail(rng, d, scale, "gravel", rng.uniform(0.2, 0.6))
    room = np.array([w, h]) - picture.shape[1::-1]
    x, y = (room * rng.beta(2, 2, 2)).astype(int)
    return Sprite("", _lit(rng, picture), x, y, y + len(picture), shadow)


def _lit(rng, picture: np.ndarray) -> np.ndarray:
    """Light a painted thing from one side; now and then it is dark before the light."""
    w = picture.shape[1]
    level = rng.uniform(0.3, 0.6) if rng.random() < 0.08 else rng.uniform(0.8, 1.08)
    slope = np.linspace(-1, 1, w) * rng.uniform(-0.3, 0.3)
    picture[:, :, :3] *= (level * (1 + slope)).astype(np.float32)[:, None]
    return np.minimum(picture, 255)


def _compose(rng, behind: Backdrop, sprite: Sprite, metres: float) -> Picture:
    """Lay the sprite, so many metres long, over its backdrop and what stands about,
    perhaps in front."""
    h, w = behind.view.shape[:2]
    mask, depth = visible_mask(sprite, (h, w)), max(sprite.foot - behind.horizon, 8)
    count = 0 if behind.kind == "studio" else rng.integers(0, 3)
    near = sprite.picture.shape[1] / metres / depth
    others = place_clutter(rng, behind, depth, near, count)
    for other in sorted([*others, sprite], key=lambda one: one.foot):
        lay_sprite(behind.view, other)
        if other.foot > sprite.foot:
            mask &= ~visible_mask(other, (h, w))
    return behind.view, mask


def _face(rng: np.random.Generator) -> Picture:
    w, h = _size(rng, (226, 254), (1.45, 1.5, 1.56))
    who, lean = people.random_looks(rng), rng.normal(0, 5)
    scale = min(rng.uniform(0.2, 0.46) * w / 2.3, 0.3 * h)
    x = w * (0.5 + 0.4 * (rng.beta(1.6, 1.6) - 0.5))
    y = rng.uniform(max(1.65 * scale, h - 6.5 * scale), h - 1.5 * scale)
    place = pick(rng, ("room", "room", "room", "street", "meadow"))
    behind = backdrop(place, rng, w, h, h * rng.uniform(0.6, 1.2))
    body, head = Drawing(), Drawing()
    people.shoulders(body.at(0, 0, 1, lean * 0.3), rng, who)
    pencil = head.at(0, 0, 1, lean, rng.uniform(0.86, 1.04))
    people.head(pencil, rng, who)
    state = rng.integers(2**32)  # one light for both
    for drawing in (body, head):
        sprite = _at(rng, drawing, scale, (x, y), np.random.default_rng(state))
        lay_sprite(behind.view, sprite)
    mask = visible_mask(sprite, (h, w))
    mask[int(y + 1.36 * scale) + 1 :] = False  # below the chin
    return behind.view, mask


def _at(rng, d: Drawing, scale: float, origin, light: np.random.Generator) -> Sprite:
    """Paint a drawing with its (0, 0) at the pixel `origin`."""
    low, high = d.extent()
    picture = paint_with_detail(rng, d, scale, "fur", 0.8)
    x, y = origin[0] + low[0] * scale - 1, origin[1] - high[1] * scale - 1
    return Sprite("", _lit(light, picture), round(x), round(y), 0)


DRAWERS = {"face": _face, "motorcycle": _motorcycle, "airplane": _airplane}
