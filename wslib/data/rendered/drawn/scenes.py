"""Scenes: what stands where, what hides what, and the visible extent of everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wslib.data.rendered.drawn import animals, clutter, people, things, vehicles
from wslib.data.rendered.drawn.backdrops import Backdrop, backdrop
from wslib.data.rendered.drawn.drawing import Drawing, paint, pick
from wslib.data.rendered.drawn.sprites import (
    Sprite,
    lay_sprite,
    paint_with_detail,
    photograph,
    visible_mask,
)


@dataclass(frozen=True)
class Kind:
    """How a class is drawn (and, said by `draw`, whether it stands, flies or is cut);
    its longest side in metres, about; the photograph whose detail is its surface, and
    how much of that."""

    draw: Callable[[Drawing, np.random.Generator], str]
    metres: float
    surface: str
    grain: float = 1


KINDS = {
    "aeroplane": Kind(vehicles.airborne, 9.0, "gravel", 0.3),
    "bird": Kind(animals.bird, 0.6, "fur"),
    "car": Kind(vehicles.car, 3.6, "gravel", 0.3),
    "cat": Kind(animals.cat, 0.9, "fur"),
    "chair": Kind(things.chair, 1.0, "grass"),
    "dog": Kind(animals.dog, 1.2, "fur"),
    "horse": Kind(animals.horse, 2.0, "fur"),
    "motorbike": Kind(vehicles.motorcycle, 2.1, "gravel", 0.4),
    "person": Kind(people.person, 1.75, "grass", 0.4),
    "pottedplant": Kind(things.pottedplant, 0.7, "grass", 0.7),
    "sheep": Kind(animals.sheep, 1.2, "grass"),
    "sofa": Kind(things.sofa, 2.0, "grass", 0.7),
}
# How often each place is chosen, and how often each class stands there.
PLACES = {
    "meadow": (0.39, {"person": 5, "dog": 2.7, "horse": 3, "sheep": 2.5, "cat": 1.2,
                      "bird": 1.5, "car": 0.6, "aeroplane": 0.5, "motorbike": 0.5}),
    "street": (0.2, {"person": 5, "car": 4, "dog": 1.7, "cat": 1.2, "bird": 1,
                     "motorbike": 2, "chair": 0.5, "pottedplant": 0.8}),
    "room": (0.3, {"person": 4, "sofa": 4, "chair": 3.5, "cat": 2.4, "dog": 2.1,
                   "pottedplant": 3, "bird": 0.4}),
    "sky": (0.11, {"aeroplane": 5, "bird": 3}),
}  # fmt: skip
SMALLEST, LARGEST = 0.12, 0.9  # longest side, of the shorter side of the image
VISIBLE = 0.3  # at least so much of an object is seen, or it is left out


@dataclass(frozen=True)
class Thing:
    """One visible object: its class, (H, W) bool mask of what is seen of it, the seen
    fraction of it, and whether that is difficult to recognise."""

    name: str
    mask: np.ndarray
    seen: float
    difficult: bool


def render_scene(
    rng: np.random.Generator, width: int, height: int
) -> tuple[np.ndarray, list[Thing]]:
    """Draw one scene: (H, W, 3) uint8 RGB and what is in it, from far to near, at
    least one thing."""
    chances = np.array([chance for chance, _ in PLACES.values()])
    seen = []
    while not seen:  # once in a while nothing is left of what was placed
        place = list(PLACES)[rng.choice(len(PLACES), p=chances / chances.sum())]
        behind = backdrop(place, rng, width, height)
        sprites = sorted(_arrange(rng, behind), key=lambda sprite: sprite.foot)
        visible = _find_visible(sprites, (height, width))
        seen = [_thing(*one) for one in visible if one[0].name]
    for sprite, _, _ in visible:
        lay_sprite(behind.view, sprite)
    return photograph(rng, behind.view), seen


def _arrange(rng: np.random.Generator, behind: Backdrop) -> list[Sprite]:
    """Choose things, and place them as a camera would see them: what is lower in the
    image is nearer and larger."""
    h, w = behind.view.shape[:2]
    names = _choose(rng, behind.kind)
    size = rng.uniform(0.2, 0.45) if rng.random() < 0.22 else rng.uniform(0.45, LARGEST)
    depth = max(rng.uniform(0.74, 1.02) * h - behind.horizon, 0.12 * h)  # in rows
    near = size * min(w, h) / KINDS[names[0]].metres / depth  # pixels a metre and row
    sprites = []
    for k, name in enumerate(names):
        rows = depth * (1 if k == 0 else rng.uniform(0.25, 1.15))
        pixels = KINDS[name].metres * near * rows * rng.uniform(0.88, 1.15)
        pixels = float(np.clip(pixels, *np.multiply((SMALLEST, LARGEST), min(w, h))))
        sprites.append(_place(rng, name, pixels, behind, behind.horizon + rows))
    sprites += place_clutter(rng, behind, depth, near, rng.integers(0, 4))
    return sprites + _foreground(rng, behind)


def _choose(rng: np.random.Generator, place: str) -> list[str]:
    """Choose one to five class names; the first is the main thing."""
    count = rng.choice([1, 2, 3, 4, 5], p=[0.34, 0.3, 0.18, 0.11, 0.07])
    weights = PLACES[place][1]
    chances = np.array(list(weights.values()))
    picks = rng.choice(list(weights), size=count, p=chances / chances.sum()).tolist()
    if rng.random() < 0.25:  # a herd
        picks = [picks[0]] * count
    return sorted(picks, key="dog".__ne__)  # the course looks for dogs: they come first


def _place(rng, name: str, pixels: float, behind: Backdrop, foot: float) -> Sprite:
    h, w = behind.view.shape[:2]
    kind = KINDS[name]
    picture, how = _draw(rng, kind.draw, pixels, kind.surface, kind.grain)
    high, wide = picture.shape[:2]
    x = rng.uniform(0, 1) * w - wide / 2
    if rng.random() < 0.7:  # else the border may cut it
        x = np.clip(x, 0, max(w - wide, 0))
    y, shadow = foot - high, 0.5
    if how == "cut":
        y, foot, shadow = h - high * rng.uniform(0.8, 1), h, 0
    elif how == "flies":
        y, foot, shadow = rng.uniform(-0.05, 0.95) * max(behind.horizon - high, 1), 0, 0
    return Sprite(name, picture, int(x), int(y), foot, shadow)


def place_clutter(
    rng, behind: Backdrop, depth: float, near: float, count: int
) -> list[Sprite]:
    """Place `count` things without a class up to `depth` rows below the horizon, with
    `near` pixels a metre and row."""
    h, w = behind.view.shape[:2]
    sprites = []
    for _ in range(count):
        draw, metres = pick(rng, clutter.CLUTTER[behind.kind])
        rows = depth * rng.uniform(0.1, 1.1)
        pixels = float(np.clip(metres * near * rows, 8, 1.2 * min(w, h)))
        picture, _ = _draw(rng, draw, pixels)
        x, foot = int(rng.uniform(-0.1, 1) * w), behind.horizon + rows
        sprites.append(Sprite("", picture, x, int(foot - len(picture)), foot, 0.4))
    return sprites


def _draw(rng, draw, pixels: float, *surface) -> tuple[np.ndarray, str | None]:
    """Draw a picture whose longest side is about `pixels`; give it and what `draw`
    returned."""
    pencil = Drawing().at(0, 0, wide=pick(rng, (-1, 1)))
    how = draw(pencil, rng)
    low, high = pencil.extent()
    scale = pixels / (high - low).max()
    return paint_with_detail(rng, pencil, scale, *surface), how


def _foreground(rng, behind: Backdrop) -> list[Sprite]:
    h, w = behind.view.shape[:2]
    pencil = Drawing()
    if not clutter.foreground(pencil, rng, behind.kind, w / h):
        return []
    low, high = pencil.extent()
    x, y = int(low[0] * h), int((1 - high[1]) * h)
    return [Sprite("", paint(pencil, h), x, y, np.inf)]


def _find_visible(sprites, shape) -> list[tuple[Sprite, np.ndarray, float]]:
    """Find of each sprite, from far to near, the (H, W) mask and the fraction that is
    seen; leave out those with a name of which too little is."""
    covered = np.zeros(shape, bool)
    kept = []
    for sprite in reversed(sprites):
        mask = visible_mask(sprite, shape)
        seen = mask & ~covered
        whole = (sprite.picture[:, :, 3] >= 0.5).sum()
        fraction = seen.sum() / max(whole, 1)
        if sprite.name and (fraction < VISIBLE or min(np.ptp(np.nonzero(seen), 1)) < 6):
            continue
        covered |= mask
        kept.append((sprite, seen, float(fraction)))
    return kept[::-1]


def _thing(sprite: Sprite, mask: np.ndarray, seen: float) -> Thing:
    longest = max(np.ptp(np.nonzero(mask), 1)) + 1
    difficult = seen < 0.5 or longest < 0.15 * min(mask.shape)
    return Thing(sprite.name, mask, seen, bool(difficult))
