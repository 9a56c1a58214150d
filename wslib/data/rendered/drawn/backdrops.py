"""Where drawn things stand: meadow, street, room, studio, airfield or sky.

Sky, walls and floors are drawn; their textures, pictures and views are pieces of
photographs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from wslib.data.rendered.drawn.drawing import pick, tinted
from wslib.data.rendered.drawn.photographs import crop, tinted_crop

SKIES = (((84, 140, 206), (206, 226, 240)), ((150, 170, 190), (222, 222, 220)),
         ((96, 110, 168), (246, 196, 150)), ((36, 90, 160), (140, 186, 226)),
         ((176, 172, 160), (206, 200, 186)))  # fmt: skip
LAWNS = ((96, 142, 58), (128, 150, 66), (168, 154, 90), (72, 118, 62), (226, 230, 234))
WALLS = ((214, 196, 160), (164, 190, 186), (196, 170, 176), (176, 184, 206),
         (206, 200, 190), (150, 90, 70), (120, 128, 124))  # fmt: skip
BRICKS = ((186, 104, 84), (206, 180, 150), (150, 150, 156), (222, 206, 180))
FLOORS = ((150, 144, 136), (136, 70, 60), (76, 92, 128), (190, 170, 140), (150, 98, 58))
STUDIOS = (*((250, 250, 250),) * 5, (214, 214, 218), (28, 28, 32), (20, 78, 190),
           (150, 120, 170), (206, 190, 160), (96, 116, 128), (60, 92, 80))  # fmt: skip
FRAMES = ((236, 232, 226), (96, 64, 40), (40, 40, 44), (190, 150, 70))
VIEWS = ("pagoda", "trees", "city", "dusk")


@dataclass(frozen=True)
class Backdrop:
    """A view (H, W, 3) float32, 0 to 255; the row `horizon` where the ground begins."""

    kind: str
    view: np.ndarray
    horizon: int


def backdrop(
    kind: str,
    rng: np.random.Generator,
    width: int,
    height: int,
    horizon: float | None = None,
) -> Backdrop:
    """Draw a backdrop of one of `PLACES`; its horizon is given in rows, or random."""
    draw, low, high = PLACES[kind]
    row = height * rng.uniform(low, high) if horizon is None else horizon
    row = int(np.clip(row, 0.1 * height, height - 3))
    view = draw(rng, width, height, row)
    blur = rng.uniform(0, 2.2)
    if blur > 0.4:
        view = cv2.GaussianBlur(view, (0, 0), blur)
    return Backdrop(kind, np.clip(view, 0, 255).astype(np.float32), row)


def _meadow(rng, w, h, horizon) -> np.ndarray:
    view = _sky(rng, w, h)
    for k in range(rng.integers(1, 4)):
        tone = (70 + 18 * k, 104 + 10 * k, 84 - 10 * k)
        _hills(view, rng, horizon, 0.3 - 0.08 * k, tone)
    lawn = LAWNS[rng.choice(5, p=[0.34, 0.26, 0.18, 0.16, 0.06])]
    _ground(view, rng, "grass", lawn, horizon)
    for _ in range(rng.choice([0, 0, 25, 60])):  # flowers
        x, y = int(rng.integers(w)), int(rng.uniform(horizon, h))
        size = 1 + int(3 * (y - horizon) / (h - horizon))
        colour = pick(rng, ((250, 240, 240), (244, 206, 70), (214, 92, 120)))
        cv2.circle(view, (x, y), size, colour, -1, cv2.LINE_AA)
    return view


def _street(rng, w, h, horizon) -> np.ndarray:
    view = tinted_crop("brick", rng, w, h, tinted(rng, BRICKS), 0.4)
    for x in np.arange(rng.uniform(-40, 30), w, rng.uniform(70, 130)):
        if rng.random() < 0.6:
            _window(view, rng, x, horizon * 0.2, 44, horizon * 0.5, "")
    _ground(view, rng, "gravel", rng.uniform(90, 170) * np.ones(3), horizon)
    curb = horizon + int(0.14 * (h - horizon))
    view[horizon:curb] = view[horizon:curb] * 0.35 + 128
    return view


def _room(rng, w, h, horizon) -> np.ndarray:
    view = np.empty((h, w, 3), np.float32)
    view[:] = tinted(rng, WALLS) * rng.uniform(0.7, 1)
    view *= np.linspace(1.08, 0.88, w, dtype=np.float32)[:, None]
    style, period = rng.integers(4), int(rng.integers(14, 34))
    if style == 1:  # stripes
        view[:, np.arange(w) % period < period // 2] *= 0.93
    elif style == 2:  # boards, or blinds
        view[np.arange(h) % period < 2] *= rng.uniform(0.6, 0.9)
    elif style == 3:
        view *= tinted_crop(pick(rng, ("brick", "gravel")), rng, w, h, np.ones(3))
    for _ in range(rng.integers(0, 4)):
        size = rng.uniform(0.15, 0.36) * w, rng.uniform(0.3, 0.6) * horizon
        corner = rng.uniform(-0.05, 0.85) * w, rng.uniform(0.03, 0.25) * h
        seen = pick(rng, (*VIEWS, "flower", "stars", "moon", "coins", "", "", ""))
        _window(view, rng, *corner, *size, seen)
    _ground(view, rng, pick(rng, ("grass", "gravel")), tinted(rng, FLOORS), horizon)
    view[max(horizon - 5, 0) : horizon] = np.array((236, 230, 220)) * rng.random()
    if rng.random() < 0.5:
        _rug(view, rng, horizon)
    return view


def _rug(view, rng, horizon: int) -> None:
    h, w = view.shape[:2]
    deep = h - horizon
    centre = int(w * rng.uniform(0.3, 0.7)), int(horizon + deep * rng.uniform(0.4, 0.8))
    axes = w * rng.uniform(0.25, 0.5), deep * rng.uniform(0.2, 0.35)
    for shrink in (1, 0.85, 0.6):
        size, colour = tuple(int(a * shrink) for a in axes), rng.uniform(70, 220, 3)
        cv2.ellipse(view, centre, size, 0, 0, 360, colour, -1, cv2.LINE_AA)


def _studio(rng, w, h, horizon) -> np.ndarray:
    """A plain or textured ground, as in a catalogue."""
    view = np.empty((h, w, 3), np.float32)
    view[:] = colour = np.array(pick(rng, STUDIOS), np.float32)
    if rng.random() < 0.25:
        part = pick(rng, ("gravel", "grass", "moon"))
        view = view * 0.6 + tinted_crop(part, rng, w, h, colour, 0.3) * 0.4
    elif rng.random() < 0.4:
        view *= np.linspace(*rng.uniform(0.6, 1.1, 2), h)[:, None, None].astype("f4")
    if rng.random() < 0.4:
        view[horizon:] *= rng.uniform(0.75, 1.2)
    return view


def _airfield(rng, w, h, horizon) -> np.ndarray:
    """A runway in the grass, with woods or buildings behind it."""
    view = _sky(rng, w, h)
    _hills(view, rng, horizon, rng.uniform(0.1, 0.4), (70, 92, 72))
    x = int(rng.uniform(-0.2, 0.8) * w)
    for _ in range(rng.integers(0, 4)):
        wide, top = int(rng.uniform(0.1, 0.4) * w), int(rng.uniform(0.5, 0.9) * horizon)
        part = view[top:horizon, max(x, 0) : max(x + wide, 0)]
        part[:] = tone = rng.uniform(60, 220) * rng.uniform(0.9, 1.08, 3)
        part[3:-2:6, 2:-2] = tone * rng.uniform(0.4, 0.8)  # rows of windows
        x += wide + int(rng.uniform(0, 0.15) * w)
    _ground(view, rng, "grass", pick(rng, LAWNS[:4]), horizon)
    edge = horizon + int(rng.uniform(0, 0.7) * (h - horizon))
    if rng.random() < 0.8:
        _ground(view, rng, "gravel", rng.uniform(85, 170) * np.ones(3), edge)
    return view


def _open_sky(rng, w, h, horizon) -> np.ndarray:
    if rng.random() < 0.16:
        name = pick(rng, ("stars", "dusk"))
        view = crop(name, rng, w, h) * rng.uniform(1, 1.6) + np.float32((6, 8, 20))
    else:
        view = _sky(rng, w, h)
    if rng.random() < 0.6:
        _hills(view, rng, horizon, 0.12, (70, 92, 80))
        _ground(view, rng, "grass", (106, 130, 74), horizon)
    return view


# How each place is drawn, and between which heights its horizon lies.
PLACES = {
    "meadow": (_meadow, 0.25, 0.55),
    "street": (_street, 0.4, 0.62),
    "room": (_room, 0.45, 0.7),
    "studio": (_studio, 0.5, 0.8),
    "airfield": (_airfield, 0.4, 0.7),
    "sky": (_open_sky, 0.85, 0.97),
}


def _sky(rng, w: int, h: int) -> np.ndarray:
    top, low = (np.array(c, np.float32) for c in pick(rng, SKIES))
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
    waves = [np.sin(k * 3 * x + rng.uniform(0, 6)) / k for k in (1, 2, 5)]
    y = horizon - h * rise * (0.35 + 0.25 * (rng.uniform(0.2, 1, 3) @ waves))
    ridge = np.stack([x * w, y], 1).round().astype(int).tolist()
    area = np.array([*ridge, [w, horizon + 2], [0, horizon + 2]], np.int32)
    tone = np.array(colour) * rng.uniform(0.8, 1.15, 3)
    cv2.fillPoly(view, [area], tone.tolist(), cv2.LINE_AA)


def _ground(view, rng, part: str, colour, horizon: int) -> None:
    """Lay a photographed texture in a colour from the horizon to the lower border, in
    perspective."""
    h, w = view.shape[:2]
    texture = tinted_crop(part, rng, 420, 420, colour, 0.8)
    if part == "gravel":  # smaller stones
        texture = np.tile(cv2.resize(texture, (210, 210)), (2, 2, 1))
    spread = rng.uniform(1, 2.2)
    corners = [(0, horizon), (w, horizon), (w * (1 + spread), h), (-w * spread, h)]
    source = np.array([(0, 0), (420, 0), (420, 420), (0, 420)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, np.array(corners, np.float32))
    floor = cv2.warpPerspective(texture, matrix, (w, h), flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    fade = np.linspace(1.12, 0.86, h - horizon, dtype=np.float32)[:, None, None]
    view[horizon:] = floor[horizon:] * fade


def _window(view, rng, x, y, w, h, seen: str) -> None:
    """Draw a picture on the wall that shows the piece `seen`, or a window."""
    x1, y1, x2, y2 = int(max(x, 0)), int(max(y, 0)), int(x + w), int(y + h)
    y2, x2 = min(y2, view.shape[0]), min(x2, view.shape[1])
    if min(x2 - x1, y2 - y1) < 12:
        return
    size = x2 - x1, y2 - y1
    view[y1:y2, x1:x2] = crop(seen, rng, *size) if seen else _sky(rng, *size)
    frame = tinted(rng, FRAMES).tolist()
    cv2.rectangle(view, (x1, y1), (x2 - 1, y2 - 1), frame, 4)
    if not seen:
        middle = (x1 + x2) // 2, (y1 + y2) // 2
        cv2.line(view, (middle[0], y1), (middle[0], y2 - 1), frame, 2)
        cv2.line(view, (x1, middle[1]), (x2 - 1, middle[1]), frame, 2)
