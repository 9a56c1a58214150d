"""Where rendered things stand: meadow, street, room, table, water, sky, shed.

Sky, walls and floors are drawn; their textures, pictures and views are crops of the
photographs that scikit-image ships.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from wslib.data.rendered.drawn.photographs import textured


@dataclass(frozen=True)
class Backdrop:
    """A view (H, W, 3) float32, 0 to 255; the row `horizon` where the ground begins."""

    kind: str
    view: np.ndarray
    horizon: float


def backdrop(kind: str, rng: np.random.Generator, width: int, height: int) -> Backdrop:
    """Draw a backdrop of one of `KINDS`."""
    low, high = HORIZONS[kind]
    horizon = int(height * rng.uniform(low, high))
    view = KINDS[kind](rng, width, height, horizon)
    blur = rng.uniform(0, 2.2)
    if blur > 0.4:
        view = cv2.GaussianBlur(view, (0, 0), blur)
    return Backdrop(kind, np.clip(view, 0, 255).astype(np.float32), horizon)


def _meadow(rng, w, h, horizon) -> np.ndarray:
    view = _sky(rng, w, h)
    for k in range(rng.integers(1, 4)):
        _hills(
            view, rng, horizon, 0.3 - 0.08 * k, (70 + 18 * k, 104 + 10 * k, 84 - 10 * k)
        )
    lawns = (
        (96, 142, 58),
        (128, 150, 66),
        (168, 154, 90),
        (72, 118, 62),
        (226, 230, 234),
    )
    lawn = lawns[rng.choice(5, p=[0.34, 0.26, 0.18, 0.16, 0.06])]
    _ground(view, rng, "grass", lawn, horizon)
    for _ in range(rng.choice([0, 0, 25, 60])):
        x, y = int(rng.integers(w)), int(rng.uniform(horizon + 4, h))
        size = 1 + int(3 * (y - horizon) / (h - horizon))
        colour = ((250, 240, 240), (244, 206, 70), (214, 92, 120))[rng.integers(3)]
        cv2.circle(view, (x, y), size, colour, -1, cv2.LINE_AA)
    return view


def _street(rng, w, h, horizon) -> np.ndarray:
    view = textured("brick", rng, w, h, rng.uniform(0.4, 0.8)) * _tint(
        rng, ((186, 104, 84), (206, 180, 150), (150, 150, 156), (222, 206, 180))
    )
    for x in np.arange(rng.uniform(-40, 30), w, rng.uniform(70, 130)):
        if rng.random() < 0.6:
            _window(
                view, rng, int(x), int(horizon * 0.2), 44, int(horizon * 0.5), False
            )
    _ground(
        view, rng, "gravel", rng.uniform(120, 170) * np.array((1, 1, 1.03)), horizon
    )
    curb = horizon + int(0.14 * (h - horizon))
    view[horizon:curb] = view[horizon:curb] * 0.35 + 128
    return view


def _room(rng, w, h, horizon) -> np.ndarray:
    colours = (
        (214, 196, 160),
        (164, 190, 186),
        (196, 170, 176),
        (176, 184, 206),
        (206, 200, 190),
    )
    view = np.empty((h, w, 3), np.float32)
    view[:] = np.array(colours[rng.integers(5)]) * rng.uniform(0.75, 1.08)
    view *= np.linspace(1.08, 0.88, w, dtype=np.float32)[None, :, None]
    style, period = rng.integers(3), int(rng.integers(14, 34))
    if style == 1:
        view[:, np.arange(w) % period < period // 2] *= 0.93
    elif style == 2:
        x, y = np.meshgrid(np.arange(w), np.arange(h))
        dots = ((x % period - period / 2) ** 2 + (y % period - period / 2) ** 2) < 14
        view[dots] *= 0.86
    for _ in range(rng.integers(0, 3)):
        _window(view, rng, int(rng.uniform(-0.05, 0.8) * w),
                int(rng.uniform(0.03, 0.2) * h), int(rng.uniform(0.18, 0.36) * w),
                int(rng.uniform(0.3, 0.55) * horizon))  # fmt: skip
    floor = ("wood", "wood", "concrete", "grass")[rng.integers(4)]
    carpets = ((150, 144, 136), (136, 70, 60), (76, 92, 128), (190, 170, 140))
    carpet = carpets[rng.integers(4)] if floor == "grass" else None
    _ground(view, rng, floor, carpet, horizon)
    view[horizon - 5 : horizon] = np.array((236, 230, 220)) * rng.uniform(0.5, 1)
    if rng.random() < 0.5:
        rug = (
            int(w * rng.uniform(0.3, 0.7)),
            int(horizon + (h - horizon) * rng.uniform(0.4, 0.8)),
        )
        axes = (
            int(w * rng.uniform(0.25, 0.5)),
            int((h - horizon) * rng.uniform(0.2, 0.35)),
        )
        for shrink in (1, 0.85, 0.6):
            size = tuple(int(a * shrink) for a in axes)
            cv2.ellipse(
                view, rug, size, 0, 0, 360, rng.uniform(70, 220, 3), -1, cv2.LINE_AA
            )
    return view


def _table(rng, w, h, horizon) -> np.ndarray:
    part = ("cup", "shelf", "coins", "brick", "grass")[rng.integers(5)]
    view = textured(part, rng, w, h, rng.uniform(0.6, 1.4))
    view = cv2.GaussianBlur(view, (0, 0), rng.uniform(3, 9)) * rng.uniform(0.7, 1.1)
    _ground(view, rng, "wood", None, horizon)
    return view


def _water(rng, w, h, horizon) -> np.ndarray:
    view = _sky(rng, w, h)
    if rng.random() < 0.6:
        _hills(view, rng, horizon, 0.18, (104, 124, 120))
    near = np.array(((44, 104, 140), (60, 128, 130), (90, 120, 140))[rng.integers(3)])
    t = np.linspace(0, 1, h - horizon, dtype=np.float32)[:, None, None]
    view[horizon:] = (1 - t) * (
        near * 0.4 + view[horizon - 1 : horizon] * 0.6
    ) + t * near
    for _ in range(90):
        y = horizon + (h - horizon) * rng.random() ** 1.5
        x, long = rng.uniform(-20, w), 4 + 40 * (y - horizon) / (h - horizon)
        light = view[min(int(y), h - 1), int(np.clip(x, 0, w - 1))] + rng.uniform(
            -22, 34
        )
        start, end = (int(x), int(y)), (int(x + long), int(y + rng.uniform(-1, 1)))
        cv2.line(view, start, end, np.clip(light, 0, 255).tolist(), 1, cv2.LINE_AA)
    return view


def _open_sky(rng, w, h, horizon) -> np.ndarray:
    choice = rng.random()
    if choice < 0.14:
        view = textured("stars", rng, w, h, rng.uniform(0.5, 1.2)) + (12, 16, 40)
    elif choice < 0.3:
        view = textured("dusk", rng, w, h, rng.uniform(0.9, 1.4)) * rng.uniform(1, 1.6)
    else:
        view = _sky(rng, w, h)
    if rng.random() < 0.6:
        _hills(view, rng, horizon, 0.12, (70, 92, 80))
        _ground(view, rng, "grass", (106, 130, 74), horizon)
    return view.astype(np.float32)


def _shed(rng, w, h, horizon) -> np.ndarray:
    view = textured("shelf", rng, w, h, rng.uniform(1.2, 2.2)) * rng.uniform(0.7, 1.1)
    _ground(view, rng, "concrete", None, horizon)
    return view


KINDS: dict[str, Callable[..., np.ndarray]] = { "meadow": _meadow,
"street": _street, "room": _room, "table": _table, "water": _water,
"sky": _open_sky, "shed": _shed, }  # fmt: skip
HORIZONS = {
    "meadow": (0.25, 0.55), "street": (0.4, 0.62), "room": (0.45, 0.7),
    "table": (0.45, 0.7), "water": (0.3, 0.55), "sky": (0.85, 0.97),
    "shed": (0.5, 0.7),
}  # fmt: skip


def _tint(rng, colours) -> np.ndarray:
    return np.array(colours[rng.integers(len(colours))], np.float32) / 150


def _sky(rng, w: int, h: int) -> np.ndarray:
    skies = (((84, 140, 206), (206, 226, 240)), ((150, 170, 190),
              (222, 222, 220)), ((96, 110, 168), (246, 196, 150)),
              ((60, 120, 190), (170, 208, 236)))  # fmt: skip
    top, low = (np.array(c, np.float32) for c in skies[rng.integers(len(skies))])
    t = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    view = np.broadcast_to((1 - t) * top + t * low, (h, w, 3)).copy()
    noise = np.zeros((h, w), np.float32)
    for cells in (3, 6, 12):
        coarse = rng.random((cells, cells + 1), np.float32)
        noise += cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC) * 3 / cells
    clouds = np.clip((noise - rng.uniform(0.75, 1.1)) * 1.6, 0, 1)[:, :, None]
    return view * (1 - 0.8 * clouds) + 0.8 * clouds * 248


def _hills(view, rng, horizon: int, rise: float, colour) -> None:
    h, w = view.shape[:2]
    x = np.linspace(0, 1, 24)
    ridge = sum(
        rng.uniform(0.2, 1) / k * np.sin(k * 3 * x + rng.uniform(0, 6))
        for k in (1, 2, 5)
    )
    y = horizon - h * rise * (0.35 + 0.25 * ridge)
    points = np.stack([x * w, y], 1).round().astype(int).tolist()
    area = np.array([*points, [w, horizon + 2], [0, horizon + 2]], np.int32)
    tone = np.array(colour) * rng.uniform(0.8, 1.15, 3)
    cv2.fillPoly(view, [area], tone.tolist(), cv2.LINE_AA)


def _ground(view, rng, part: str, colour, horizon: int) -> None:
    """Lay a photographed texture from the horizon to the lower border, in perspective;
    with a `colour`, only its light and dark is used."""
    h, w = view.shape[:2]
    texture = textured(part, rng, 420, 420, 0.5)
    if part == "gravel":  # smaller stones
        texture = np.tile(cv2.resize(texture, (210, 210)), (2, 2, 1))
    if colour is not None:
        grey = np.sqrt(texture.mean(2, keepdims=True))
        texture = grey / grey.mean() * np.array(colour, np.float32)
    else:
        texture *= rng.uniform(0.75, 1.2)
    spread = rng.uniform(1, 2.2)
    corners = [(0, horizon), (w, horizon), (w * (1 + spread), h), (-w * spread, h)]
    source = np.array([(0, 0), (420, 0), (420, 420), (0, 420)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, np.array(corners, np.float32))
    floor = cv2.warpPerspective(texture, matrix, (w, h), flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    fade = np.linspace(1.12, 0.86, h - horizon, dtype=np.float32)[:, None, None]
    view[horizon:] = floor[horizon:] * fade


def _window(view, rng, x: int, y: int, w: int, h: int, pictures: bool = True) -> None:
    """A framed view: a window, or maybe a picture on the wall."""
    x1, y1, x2, y2 = (
        max(x, 0),
        max(y, 0),
        min(x + w, view.shape[1]),
        min(y + h, view.shape[0]),
    )
    if x2 - x1 < 12 or y2 - y1 < 12:
        return
    part = ("cup", "dusk", "stars", "moon", "coins", "grass", None, None)[
        rng.integers(8) if pictures else -1
    ]
    inside = (
        _sky(rng, x2 - x1, y2 - y1)
        if part is None
        else textured(part, rng, x2 - x1, y2 - y1, 0.4)
    )
    view[y1:y2, x1:x2] = inside
    frame = (np.array(((236, 232, 226), (96, 64, 40), (40, 40, 44),
             (190, 150, 70))[rng.integers(4)]) *
             rng.uniform(0.8, 1)).tolist()  # fmt: skip
    cv2.rectangle(view, (x1, y1), (x2 - 1, y2 - 1), frame, 4)
    if part is None:
        cv2.line(view, ((x1 + x2) // 2, y1), ((x1 + x2) // 2, y2 - 1), frame, 2)
        cv2.line(view, (x1, (y1 + y2) // 2), (x2 - 1, (y1 + y2) // 2), frame, 2)
