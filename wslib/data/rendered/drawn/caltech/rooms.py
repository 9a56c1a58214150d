"""What is behind people: rooms with shelves, boards and windows, walls, gardens."""

from __future__ import annotations

import cv2
import numpy as np

from wslib.data.rendered.drawn.caltech.airliners import jet
from wslib.data.rendered.drawn.caltech.layers import cover, sheet
from wslib.data.rendered.drawn.caltech.motorcycles import sport
from wslib.data.rendered.drawn.caltech.photos import crop, tinted_crop
from wslib.data.rendered.drawn.drawing import Drawing

WALLS = ((222, 214, 196), (206, 206, 200), (170, 160, 138), (150, 156, 140),
         (232, 230, 224), (178, 186, 196), (196, 176, 150), (120, 128, 124),
         (226, 186, 90), (150, 90, 70))  # fmt: skip
WOODS = ((140, 98, 60), (96, 62, 40), (190, 160, 120), (70, 66, 64), (212, 210, 204))
PICTURES = ("pagoda", "flower", "stars", "moon", "tissue", "coins", "cat", "launch",
            "leaves", "flag")  # fmt: skip
GARDENS = ("pagoda", "trees", "lake", "leaves", "flower", "grass", "city")


def surroundings(rng: np.random.Generator, w: int, h: int) -> np.ndarray:
    """Somewhere that a person might be photographed: (h, w, 3) float32."""
    if rng.random() < 0.2:
        view = crop(rng, GARDENS[rng.integers(len(GARDENS))], w, h)
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(1, 4)) * rng.uniform(0.6, 1.2)
        return view.astype(np.float32)
    view = _wall(rng, w, h)
    things = (_shelf, _shelf, _board, _picture, _window, _blinds, _door, _screen)
    for k in rng.choice(len(things), rng.integers(0, 5)):
        things[k](view, rng)
    view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.3:  # the flash does not reach it
        view *= rng.uniform(0.15, 0.6)
        _lamp(view, rng)
    return np.clip(view, 0, 255).astype(np.float32)


def _wall(rng, w: int, h: int) -> np.ndarray:
    colour = np.array(WALLS[rng.integers(len(WALLS))]) * rng.uniform(0.7, 1.08)
    if rng.random() < 0.3:
        part = ("brick", "brick", "gravel", "grass")[rng.integers(4)]
        relief = tinted_crop(rng, part, w, h, colour, 0.35)
        return relief if part == "brick" else 0.3 * relief + 0.7 * colour
    view = np.empty((h, w, 3), np.float32)
    view[:] = colour
    view *= np.linspace(*rng.uniform(0.75, 1.15, 2), w, dtype=np.float32)[:, None]
    if rng.random() < 0.3:  # a curtain or wood in strips
        wave = np.sin(np.arange(w) * rng.uniform(0.2, 0.7)) * rng.uniform(0.03, 0.12)
        view *= (1 + wave).astype(np.float32)[:, None]
    if rng.random() < 0.3:  # a corner of the room
        view[:, int(rng.uniform(0, 1) * w) :] *= rng.uniform(0.6, 0.9)
    return view


def _place(rng, view, wide, high) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of a thing, clipped to the view; parts of its size as ranges."""
    h, w = view.shape[:2]
    tw, th = int(rng.uniform(*wide) * w), int(rng.uniform(*high) * h)
    x, y = int(rng.uniform(-0.15, 0.95) * w), int(rng.uniform(-0.1, 0.4) * h)
    return max(x, 0), max(y, 0), min(x + tw, w), min(y + th, h)


def _fill(view, x1, y1, x2, y2, colour) -> None:
    x1, y1 = max(int(x1), 0), max(int(y1), 0)
    view[y1 : max(int(y2), y1), x1 : max(int(x2), x1)] = colour


def _shelf(view, rng) -> None:
    """A bookcase with books, some leaning."""
    x1, _, x2, _ = _place(rng, view, (0.3, 0.6), (1, 1))
    h = view.shape[0]
    wood = np.array(WOODS[rng.integers(len(WOODS))])
    _fill(view, x1, 0, x2, h, wood * 0.4)
    step, tone = int(h * rng.uniform(0.2, 0.34)), rng.uniform(40, 230, 3)
    for low in range(step, h + step, step):
        x = x1 + 3
        while x < x2 - 3:
            wide = int(rng.integers(3, 9))
            book = tone if rng.random() < 0.3 else rng.uniform(20, 225, 3)
            book = 0.55 * book + 0.45 * book.mean()  # cloth and paper, not neon
            if rng.random() < 0.92:
                top = low - step * rng.uniform(0.55, 0.88)
                _fill(view, x, top, min(x + wide, x2 - 3), low, book)
                _fill(view, x, top + 4, min(x + 1, x2 - 3), low, book * 0.6)
                _fill(view, x, top + 6, min(x + wide, x2 - 3), top + 8, 255 - book)
            x += wide
        _fill(view, x1, low, x2, low + 4, wood)
    _fill(view, x1, 0, x1 + 3, h, wood * 0.9)
    _fill(view, x2 - 3, 0, x2, h, wood * 0.8)


def _board(view, rng) -> None:
    """A board with papers and photographs, or with writing on it."""
    x1, y1, x2, y2 = _place(rng, view, (0.35, 0.8), (0.4, 0.9))
    if x2 - x1 < 30 or y2 - y1 < 30:
        return
    cork = rng.random() < 0.6
    colour = (
        (176, 132, 86) if cork else ((232, 236, 234), (40, 70, 58))[rng.integers(2)]
    )
    relief = tinted_crop(rng, "gravel", x2 - x1, y2 - y1, colour, 0.8)
    weight = 0.5 if cork else 0
    view[y1:y2, x1:x2] = weight * relief + (1 - weight) * np.array(colour)
    for _ in range(rng.integers(3, 12)):
        x, y = int(rng.integers(x1, x2)), int(rng.integers(y1, y2))
        a, b = (
            min(x + int(rng.integers(14, 40)), x2),
            min(y + int(rng.integers(14, 40)), y2),
        )
        if not cork:
            ends = rng.uniform((x1, y1), (x2, y2), (2, 2)).astype(int)
            ink = ((30, 40, 120), (190, 40, 40), (235, 235, 230))[rng.integers(3)]
            cv2.polylines(view, [np.array([(x, y), *ends], np.int32)], False, ink, 1,
                          cv2.LINE_AA)  # fmt: skip
        elif a - x > 8 and b - y > 8 and rng.random() < 0.4:
            name = PICTURES[rng.integers(len(PICTURES))]
            view[y:b, x:a] = crop(rng, name, a - x, b - y, 0.3)
        else:
            _fill(view, x, y, a, b, rng.uniform((200, 190, 170), 255))
            for line in range(y + 3, b - 2, 4):
                _fill(view, x + 3, line, a - int(rng.integers(3, 9)), line + 1, 120)
    cv2.rectangle(view, (x1, y1), (x2 - 1, y2 - 1), (110, 92, 70), 2)


def _picture(view, rng) -> None:
    """A framed photograph, or a poster of a motorcycle or an aeroplane."""
    x1, y1, x2, y2 = _place(rng, view, (0.2, 0.5), (0.25, 0.6))
    w, h = x2 - x1, y2 - y1
    if w < 24 or h < 20:
        return
    view[y1:y2, x1:x2] = crop(rng, PICTURES[rng.integers(len(PICTURES))], w, h)
    if rng.random() < 0.35:
        poster = view[y1:y2, x1:x2] * 0.4 + rng.uniform(60, 150, 3).astype(np.float32)
        d = Drawing()
        if rng.random() < 0.5:
            jet(d.at(0, 0, 1, 5), rng, False)
        else:
            sport(d, rng)
        low, high = d.extent()
        middle, scale = (low + high) / 2, 0.8 * min((w, h) / (high - low))
        origin = w / 2 - middle[0] * scale, h / 2 + middle[1] * scale
        cover(poster, sheet(d, scale, origin, (w, h)))
        view[y1:y2, x1:x2] = poster
    frame = np.multiply(WOODS[rng.integers(len(WOODS))], rng.uniform(0.4, 1)).tolist()
    cv2.rectangle(view, (x1, y1), (x2 - 1, y2 - 1), frame, int(rng.integers(1, 4)))


def _window(view, rng) -> None:
    x1, y1, x2, y2 = _place(rng, view, (0.25, 0.5), (0.5, 0.9))
    if x2 - x1 < 20 or y2 - y1 < 20:
        return
    outside = crop(rng, ("pagoda", "lake", "trees", "city")[rng.integers(4)],
                   x2 - x1, y2 - y1)  # fmt: skip
    view[y1:y2, x1:x2] = outside * rng.uniform(0.7, 1.3)
    frame = np.multiply((230, 228, 222), rng.uniform(0.5, 1)).tolist()
    cv2.rectangle(view, (x1, y1), (x2 - 1, y2 - 1), frame, 4)
    cv2.line(view, ((x1 + x2) // 2, y1), ((x1 + x2) // 2, y2), frame, 3)


def _blinds(view, rng) -> None:
    x1, y1, x2, y2 = _place(rng, view, (0.3, 0.6), (0.6, 1))
    light = rng.uniform(150, 235)
    for y in range(y1, y2, 3):
        _fill(view, x1, y, x2, y + 2, light)
        _fill(view, x1, y + 2, x2, y + 3, light * 0.6)


def _door(view, rng) -> None:
    x1, _, x2, _ = _place(rng, view, (0.2, 0.4), (1, 1))
    wood = np.multiply(WOODS[rng.integers(len(WOODS))], rng.uniform(0.5, 1.1))
    _fill(view, x1, 0, x2, view.shape[0], wood)
    _fill(view, x1, 0, x1 + 3, view.shape[0], wood * 0.5)
    _fill(view, x2 - 3, 0, x2, view.shape[0], np.clip(wood * 1.4, 0, 240))


def _screen(view, rng) -> None:
    """A monitor or a machine on a desk."""
    h, w = view.shape[:2]
    x, y = int(rng.uniform(0, 0.8) * w), int(rng.uniform(0.45, 0.7) * h)
    case = rng.uniform(40, 220)
    _fill(view, x, y, x + 0.3 * w, y + 0.28 * h, (case, case, case * 0.94))
    _fill(
        view, x + 5, y + 5, x + 0.3 * w - 5, y + 0.28 * h - 8, rng.uniform(10, 110, 3)
    )
    desk = np.multiply(WOODS[rng.integers(len(WOODS))], 0.9)
    _fill(view, 0, y + 0.28 * h, w, h, desk)


def _lamp(view, rng) -> None:
    h, w = view.shape[:2]
    for _ in range(rng.integers(0, 3)):
        at = int(rng.integers(w)), int(rng.uniform(0, 0.6) * h)
        glow = np.zeros((h, w), np.float32)
        cv2.circle(glow, at, int(rng.integers(3, 9)), 1.0, -1, cv2.LINE_AA)
        glow = np.clip(glow + 6 * cv2.GaussianBlur(glow, (0, 0), 16), 0, 1)
        view += glow[:, :, None] * np.array((240, 196, 130), np.float32)
