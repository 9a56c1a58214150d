"""Scenes: what stands where, what hides what, and the visible extent of everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from wslib.data.rendered.drawn import animals, clutter, people, things
from wslib.data.rendered.drawn.backdrops import Backdrop, backdrop
from wslib.data.rendered.drawn.drawing import Drawing, oversampling, paint
from wslib.data.rendered.drawn.photographs import grain


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
    "aeroplane": Kind(things.aeroplane, 9.0, "gravel", 0.3),
    "bird": Kind(animals.bird, 0.6, "fur"),
    "boat": Kind(things.boat, 4.5, "gravel", 0.5),
    "bottle": Kind(things.bottle, 0.32, "gravel", 0.3),
    "car": Kind(things.car, 3.6, "gravel", 0.3),
    "cat": Kind(animals.cat, 0.9, "fur"),
    "chair": Kind(things.chair, 1.0, "wood", 1),
    "dog": Kind(animals.dog, 1.2, "fur"),
    "horse": Kind(animals.horse, 2.0, "fur"),
    "person": Kind(people.person, 1.75, "grass", 0.4),
    "pottedplant": Kind(things.pottedplant, 0.7, "grass", 0.7),
    "sheep": Kind(animals.sheep, 1.2, "grass"),
    "sofa": Kind(things.sofa, 2.0, "grass", 0.7),
}
# How often each place is chosen, and how often each class stands there.
PLACES = {
    "meadow": (0.33, {"person": 5, "dog": 3, "horse": 3, "sheep": 2.5, "cat": 1.2,
                      "bird": 1.5, "car": 0.6, "aeroplane": 0.5, "chair": 0.2}),
    "street": (0.16, {"person": 5, "car": 5, "dog": 1.8, "cat": 1.2, "bird": 1,
                      "chair": 0.5, "pottedplant": 0.6}),
    "room": (0.22, {"person": 4, "sofa": 4, "chair": 3, "cat": 2.4, "dog": 2.4,
                    "pottedplant": 2.5, "bottle": 1}),
    "table": (0.06, {"bottle": 5, "pottedplant": 1.2, "cat": 0.8, "bird": 0.4}),
    "water": (0.08, {"boat": 5, "bird": 2}),
    "sky": (0.08, {"aeroplane": 5, "bird": 3}),
    "shed": (0.06, {"person": 3, "dog": 2, "cat": 2, "chair": 1.5, "bottle": 1.2,
                    "car": 1}),
}  # fmt: skip
SMALLEST, LARGEST = 0.12, 0.95  # longest side, of the shorter side of the image
VISIBLE = 0.3  # at least so much of an object is seen, or it is left out


@dataclass(frozen=True)
class Thing:
    """One visible object: its class, (H, W) bool mask of what is seen of it, the seen
    fraction of it, and whether that is difficult to recognise."""

    name: str
    mask: np.ndarray
    seen: float
    difficult: bool


@dataclass(frozen=True)
class _Sprite:
    name: str  # empty: clutter without a class
    picture: np.ndarray  # (h, w, 4), as `paint` gives it
    x: int
    y: int
    foot: float  # where it touches the ground; what is lower is nearer
    shadow: float


def render_scene(
    rng: np.random.Generator, width: int, height: int
) -> tuple[np.ndarray, list[Thing]]:
    """Draw one scene: (H, W, 3) uint8 RGB and what is in it, from far to near, at
    least one thing."""
    names = list(PLACES)
    chances = np.array([PLACES[name][0] for name in names])
    seen = []
    while not seen:  # once in a while nothing is left of what was placed
        place = names[rng.choice(len(names), p=chances / chances.sum())]
        behind = backdrop(place, rng, width, height)
        sprites = sorted(_arrange(rng, behind), key=lambda sprite: sprite.foot)
        visible = _visible(sprites, (height, width))
        seen = [_thing(*one) for one in visible if one[0].name]
    for sprite, _, _ in visible:
        _cast_shadow(behind.view, sprite)
        _paste(behind.view, sprite)
    return _photographed(rng, behind.view), seen


def _arrange(rng: np.random.Generator, behind: Backdrop) -> list[_Sprite]:
    """Choose things, and place them as a camera would see them: what is lower in the
    image is nearer and larger."""
    h, w = behind.view.shape[:2]
    names = _choose(rng, behind.kind)
    size = rng.uniform(0.2, 0.45) if rng.random() < 0.18 else rng.uniform(0.45, LARGEST)
    foot = rng.uniform(0.74, 1.02) * h
    depth = max(foot - behind.horizon, 0.12 * h)  # of the main thing, in rows
    near = size * min(w, h) / KINDS[names[0]].metres / depth  # pixels a metre and row
    sprites = []
    for k, name in enumerate(names):
        rows = depth * (1 if k == 0 else rng.uniform(0.25, 1.15))
        pixels = KINDS[name].metres * near * rows * rng.uniform(0.88, 1.15)
        pixels = float(np.clip(pixels, *np.multiply((SMALLEST, LARGEST), min(w, h))))
        sprites.append(_placed(rng, name, pixels, behind, behind.horizon + rows))
    for _ in range(rng.integers(0, 4)):
        draw, metres = _one_of(rng, clutter.CLUTTER[behind.kind])
        rows = depth * rng.uniform(0.1, 1.1)
        pixels = float(np.clip(metres * near * rows, 8, 1.2 * min(w, h)))
        picture, _ = _drawn(rng, draw, pixels)
        x = int(rng.uniform(-0.1, 1) * w)
        y = int(behind.horizon + rows - picture.shape[0])
        sprites.append(_Sprite("", picture, x, y, behind.horizon + rows, 0.4))
    return sprites + _foreground(rng, behind)


def _choose(rng: np.random.Generator, place: str) -> list[str]:
    """One to five class names; the first is the main thing."""
    count = rng.choice([1, 2, 3, 4, 5], p=[0.34, 0.3, 0.18, 0.11, 0.07])
    weights = PLACES[place][1]
    chances = np.array(list(weights.values()))
    picks = rng.choice(list(weights), size=count, p=chances / chances.sum()).tolist()
    if rng.random() < 0.25:  # a herd
        picks = [picks[0]] * count
    return sorted(picks, key="dog".__ne__)  # the course looks for dogs: they come first


def _placed(rng, name: str, pixels: float, behind: Backdrop, foot: float) -> _Sprite:
    h, w = behind.view.shape[:2]
    kind = KINDS[name]
    picture, how = _drawn(rng, kind.draw, pixels, kind.surface, kind.grain)
    high, wide = picture.shape[:2]
    x = rng.uniform(0.1, 0.9) * w - wide / 2
    if rng.random() < 0.8:  # else the border may cut it
        x = np.clip(x, 0, max(w - wide, 0))
    y, shadow = foot - high, 0.5
    if how == "cut":
        y, foot, shadow = h - high * rng.uniform(0.8, 1), h, 0
    elif how == "flies":
        y, foot, shadow = rng.uniform(-0.05, 0.95) * max(behind.horizon - high, 1), 0, 0
    return _Sprite(name, picture, int(x), int(y), foot, shadow)


def _drawn(
    rng, draw, pixels: float, surface: str = "grass", strength: float = 0.8
) -> tuple[np.ndarray, str | None]:
    """A picture whose longest side is about `pixels`, and what `draw` returned."""
    pencil = Drawing().at(0, 0, wide=rng.choice([-1, 1]))
    how = draw(pencil, rng)
    low, high = pencil.extent()
    scale = pixels / (high - low).max()
    finer = oversampling(pixels)
    shape = tuple(int(side * scale * finer) + 8 for side in (high - low)[::-1])
    detail = grain(surface, rng, shape, finer * rng.uniform(0.4, 1), strength)
    return paint(pencil, scale, detail), how


def _foreground(rng, behind: Backdrop) -> list[_Sprite]:
    h, w = behind.view.shape[:2]
    pencil = Drawing()
    if not clutter.foreground(pencil, rng, behind.kind, w / h):
        return []
    low, high = pencil.extent()
    picture = paint(pencil, h)
    return [_Sprite("", picture, int(low[0] * h), int((1 - high[1]) * h), np.inf, 0)]


def _visible(sprites, shape) -> list[tuple[_Sprite, np.ndarray, float]]:
    """Sprites from far to near with the (H, W) mask and the fraction of each that is
    seen; without those with a name of which too little is."""
    covered = np.zeros(shape, bool)
    kept = []
    for sprite in reversed(sprites):
        there, here = _overlap(sprite, shape)
        solid = sprite.picture[:, :, 3] >= 0.5
        mask = np.zeros(shape, bool)
        mask[there] = solid[here]
        seen = mask & ~covered
        fraction = seen.sum() / max(solid.sum(), 1)
        if sprite.name and (fraction < VISIBLE or min(np.ptp(np.nonzero(seen), 1)) < 6):
            continue
        covered |= mask
        kept.append((sprite, seen, float(fraction)))
    return kept[::-1]


def _overlap(sprite: _Sprite, shape) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where sprite and image overlap: slices of the image, slices of the sprite."""
    h, w = sprite.picture.shape[:2]
    y1, x1 = min(max(sprite.y, 0), shape[0]), min(max(sprite.x, 0), shape[1])
    y2, x2 = max(min(sprite.y + h, shape[0]), y1), max(min(sprite.x + w, shape[1]), x1)
    there = np.s_[y1:y2, x1:x2]
    return there, np.s_[y1 - sprite.y : y2 - sprite.y, x1 - sprite.x : x2 - sprite.x]


def _thing(sprite: _Sprite, mask: np.ndarray, seen: float) -> Thing:
    longest = max(np.ptp(np.nonzero(mask), 1)) + 1
    difficult = seen < 0.5 or longest < 0.15 * min(mask.shape)
    return Thing(sprite.name, mask, seen, bool(difficult))


def _paste(view: np.ndarray, sprite: _Sprite) -> None:
    there, here = _overlap(sprite, view.shape)
    picture = sprite.picture[here]
    view[there] = view[there] * (1 - picture[:, :, 3:]) + picture[:, :, :3]


def _cast_shadow(view: np.ndarray, sprite: _Sprite) -> None:
    """Darken the ground where the thing stands, to the right of it."""
    if not sprite.shadow:
        return
    h, w = sprite.picture.shape[:2]
    high = max(4, int(0.14 * h))
    squashed = cv2.resize(
        sprite.picture[:, :, 3], (w, high), interpolation=cv2.INTER_AREA
    )
    soft = cv2.copyMakeBorder(
        squashed, high, high, high, high, cv2.BORDER_CONSTANT, value=0
    )
    soft = cv2.GaussianBlur(soft, (0, 0), high / 4)
    y = int(sprite.y + h - 1.75 * high)
    dark = np.zeros((*soft.shape, 4), np.float32)
    dark[:, :, 3] = soft * sprite.shadow
    _paste(view, _Sprite("", dark, sprite.x - high + w // 14, y, 0, 0))


def _photographed(rng: np.random.Generator, view: np.ndarray) -> np.ndarray:
    """Light, colour, focus and noise of a camera: (H, W, 3) uint8."""
    h, w = view.shape[:2]
    view = view * (rng.uniform(0.8, 1.12) * rng.uniform(0.93, 1.07, 3)).astype(
        np.float32
    )
    view = (view - 118) * np.float32(rng.uniform(0.8, 1.12)) + 118
    x, y = (
        np.linspace(-1, 1, w, dtype=np.float32),
        np.linspace(-1, 1, h, dtype=np.float32),
    )
    slope = rng.uniform(-0.12, 0.12, 2)
    light = 1 + slope[0] * x + slope[1] * y[:, None] - 0.1 * (x**2 + y[:, None] ** 2)
    view *= light.astype(np.float32)[:, :, None]
    blur = rng.uniform(0, 0.9)
    if blur > 0.35:
        view = cv2.GaussianBlur(view, (0, 0), blur)
    view += rng.standard_normal(view.shape, np.float32) * np.float32(
        rng.uniform(0.5, 5.5)
    )
    return np.clip(np.round(view), 0, 255).astype(np.uint8)


def _one_of(rng: np.random.Generator, items):
    return items[rng.integers(len(items))]
