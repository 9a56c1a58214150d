"""What is behind motorcycles and aeroplanes: studios, streets, skies, runways."""

from __future__ import annotations

import cv2
import numpy as np

from wslib.data.rendered.drawn import clutter, people, things
from wslib.data.rendered.drawn.caltech.airliners import jet
from wslib.data.rendered.drawn.caltech.layers import cover, sheet, soften
from wslib.data.rendered.drawn.caltech.photos import crop, tinted_crop
from wslib.data.rendered.drawn.drawing import Drawing

ASPHALT = ((112, 112, 116), (140, 138, 134), (86, 88, 94), (170, 164, 152))
LAWNS = ((96, 130, 62), (124, 136, 70), (150, 138, 84), (70, 100, 58))
SKIES = (
    ((60, 112, 180), (176, 204, 228)),
    ((36, 84, 150), (110, 156, 204)),
    ((150, 160, 172), (206, 208, 210)),
    ((40, 104, 128), (110, 150, 160)),
    ((90, 110, 160), (240, 196, 160)),
    ((176, 172, 160), (206, 200, 186)),
    ((20, 60, 124), (44, 110, 180)),
    ((196, 204, 212), (236, 238, 240)),
)
STUDIOS = (
    *((250, 250, 250),) * 5,
    (236, 236, 238),
    (214, 214, 218),
    (28, 28, 32),
    (20, 78, 190),
    (150, 120, 170),
    (206, 190, 160),
    (96, 116, 128),
    (170, 40, 40),
    (60, 92, 80),
)
NAMES = ("GT 350", "TWIN 600", "Road King", "XR 250", "1974", "SALE", "No. 12",
         "Classic", "R 90", "DR 350", "$ 2,900")  # fmt: skip


def studio(rng: np.random.Generator, w: int, h: int, foot: float) -> np.ndarray:
    """A plain or textured backdrop, as in a catalogue, perhaps with a caption."""
    colour = np.array(STUDIOS[rng.integers(len(STUDIOS))], np.float32)
    view = np.empty((h, w, 3), np.float32)
    view[:] = colour
    style = rng.random()
    if style < 0.25:
        part = ("gravel", "grass", "moon")[rng.integers(3)]
        relief = tinted_crop(rng, part, w, h, colour, 0.3)
        view = view * 0.6 + relief * 0.4
    elif style < 0.55:
        view *= np.linspace(*rng.uniform(0.6, 1.1, 2), h, dtype=np.float32)[
            :, None, None
        ]
    if rng.random() < 0.35:
        line = int(np.clip(foot - rng.uniform(0.02, 0.3) * h, 0, h - 1))
        view[line:] *= rng.uniform(0.75, 1.2)
    if rng.random() < 0.2:
        text, ink = NAMES[rng.integers(len(NAMES))], rng.uniform(0, 255, 3).tolist()
        at = int(rng.uniform(0.02, 0.6) * w), int(rng.choice([0.13, 0.97]) * h)
        cv2.putText(
            view,
            text,
            at,
            int(rng.choice([0, 2, 3, 4])),
            rng.uniform(0.4, 0.8),
            ink,
            int(rng.integers(1, 3)),
            cv2.LINE_AA,
        )
    return view


def roadside(rng: np.random.Generator, w: int, h: int, foot: float) -> np.ndarray:
    """A street, a yard, a park or a garage, with something that stands about."""
    horizon = int(np.clip(foot - rng.uniform(0.06, 0.4) * h, 0.2 * h, 0.9 * h))
    kind = rng.choice(["wall", "garage", "photo", "sky", "hedge"])
    if kind == "wall":
        colour = rng.uniform((110, 96, 84), (226, 214, 200))
        view = tinted_crop(rng, "brick", w, h, colour, 0.4)
    elif kind == "garage":
        view = np.empty((h, w, 3), np.float32)
        view[:] = rng.uniform(120, 232) * rng.uniform(0.94, 1.04, 3)
        view[:: int(rng.integers(9, 18))] *= 0.75
        view[:, int(rng.uniform(0.5, 1.2) * w) :] *= 0.6
    elif kind == "photo":
        name = ("pagoda", "lake", "trees", "city")[rng.integers(4)]
        view = crop(rng, name, w, h)
    else:
        view = sky(rng, w, h)
        if kind == "hedge":
            green = np.array(LAWNS[rng.integers(4)]) * 0.7
            top = int(horizon * rng.uniform(0.2, 0.7))
            view[top:] = tinted_crop(rng, "grass", w, h - top, green, 0.6)
        else:
            ridge(view, rng, horizon, rng.uniform(0.08, 0.4))
    pave(view, rng, horizon, lawn=rng.random() < 0.3)
    for _ in range(rng.integers(0, 3)):
        _bystander(view, rng, foot)
    return cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, 1.2))


def _bystander(view: np.ndarray, rng, foot: float) -> None:
    """A tree, a car, a person or a box behind the motorcycle."""
    h, w = view.shape[:2]
    items = ((clutter.tree, 1.0), (clutter.bush, 0.35), (things.car, 0.6),
             (people.person, 0.8), (clutter.box, 0.25), (clutter.hydrant, 0.3),
             (clutter.lamp, 0.9))  # fmt: skip
    draw, high = items[rng.integers(len(items))]
    stand(view, rng, draw, high * h * rng.uniform(0.7, 1.2), rng.uniform(0, 1) * w,
          foot - rng.uniform(0.03, 0.2) * h)  # fmt: skip


def stand(view, rng, draw, high: float, x: float, foot: float) -> np.ndarray:
    """Draw something, `high` pixels high, on the point (x, foot); give its sheet."""
    d = Drawing()
    draw(d.at(0, 0, wide=rng.choice([-1, 1])), rng)
    low, top = d.extent()
    scale = high / (top - low)[1]
    size = view.shape[1], view.shape[0]
    painted = sheet(
        d, scale, (x - scale * (low + top)[0] / 2, foot + low[1] * scale), size
    )
    cover(view, painted)
    return painted


def sky(rng: np.random.Generator, w: int, h: int) -> np.ndarray:
    """Clear, clouded, grey or at dusk."""
    if rng.random() < 0.08:
        return crop(rng, ("dusk", "stars", "lake")[rng.integers(3)], w, h)
    top, low = (np.array(c, np.float32) for c in SKIES[rng.integers(len(SKIES))])
    t = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
    view = np.broadcast_to((1 - t) * top + t * low, (h, w, 3)).copy()
    if rng.random() < 0.5:
        noise = np.zeros((h, w), np.float32)
        for cells in (2, 5, 11):
            coarse = rng.random((cells, 2 * cells), np.float32)
            noise += cv2.resize(coarse, (w, h), interpolation=cv2.INTER_CUBIC) / cells
        veil = np.clip((noise - rng.uniform(0.3, 0.55)) * 2.5, 0, 0.8)[:, :, None]
        view = view * (1 - veil) + veil * np.float32(rng.uniform(190, 250))
    return view


def ridge(view: np.ndarray, rng, horizon: int, rise: float) -> None:
    """Hills or woods up to `rise` of the height above the horizon."""
    h, w = view.shape[:2]
    x = np.arange(w)
    waves = sum(np.sin(x * k / w + rng.uniform(0, 6)) / k**0.7 for k in (4, 11, 37, 90))
    top = horizon - h * rise * (0.5 + 0.18 * waves)
    colour = np.array(((70, 92, 66), (52, 70, 60), (110, 124, 136), (92, 88, 74))[
        rng.integers(4)]) * rng.uniform(0.7, 1.2)  # fmt: skip
    rows = np.arange(h)[:, None]
    wood = (rows > top) & (rows < horizon + 1)
    view[wood] = tinted_crop(rng, "grass", w, h, colour, 0.8)[wood]


def pave(view: np.ndarray, rng, horizon: int, lawn: bool) -> None:
    """Asphalt, gravel or grass from the horizon down, in perspective."""
    h, w = view.shape[:2]
    if h - horizon < 2:
        return
    colours, part = (LAWNS, "grass") if lawn else (ASPHALT, "gravel")
    colour = np.array(colours[rng.integers(4)]) * rng.uniform(0.7, 1.25)
    flat = tinted_crop(rng, part, 200, 200, colour, 0.6)
    weight = np.float32(0.6 if lawn else rng.uniform(0.15, 0.4))
    flat = weight * flat + (1 - weight) * colour.astype(np.float32)
    wide = w * rng.uniform(0.6, 1.5)
    target = np.array(
        [(0, horizon), (w, horizon), (w + wide, h), (-wide, h)], np.float32
    )
    source = np.array([(0, 0), (200, 0), (200, 200), (0, 200)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    floor = cv2.warpPerspective(flat, matrix, (w, h), flags=cv2.INTER_AREA,
                                borderMode=cv2.BORDER_REFLECT_101)  # fmt: skip
    view[horizon:] = floor[horizon:]


def airfield(rng: np.random.Generator, w: int, h: int, foot: float) -> np.ndarray:
    """A runway with grass, woods or buildings behind it, and perhaps other planes."""
    view = sky(rng, w, h)
    horizon = int(np.clip(foot - rng.uniform(0.08, 0.45) * h, 0.12 * h, 0.85 * h))
    if rng.random() < 0.75:
        ridge(view, rng, horizon, rng.uniform(0.05, 0.5))
    if rng.random() < 0.5:
        _buildings(view, rng, horizon)
    pave(view, rng, horizon, lawn=True)
    edge = int(np.clip(foot - rng.uniform(0.0, 0.2) * h, horizon, h - 2))
    if rng.random() < 0.7:
        pave(view, rng, edge, lawn=False)
    if rng.random() < 0.4:
        y = int(min(foot + rng.uniform(0, 0.12) * h, h - 2))
        cv2.line(view, (0, y), (w, y), (226, 214, 140), 1, cv2.LINE_AA)
    if rng.random() < 0.35:
        _parked(view, rng, int(horizon + 0.3 * (edge - horizon)))
    if rng.random() < 0.3:
        stand(view, rng, things.car, h * rng.uniform(0.06, 0.14), rng.uniform(0, w),
              horizon + 0.5 * (foot - horizon))  # fmt: skip
    return cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, 1.1))


def _buildings(view: np.ndarray, rng, horizon: int) -> None:
    """Hangars and terminals with rows of windows."""
    h, w = view.shape[:2]
    x = int(rng.uniform(-0.2, 0.6) * w)
    for _ in range(rng.integers(1, 5)):
        wide, high = int(rng.uniform(0.08, 0.5) * w), rng.uniform(0.08, 0.5) * horizon
        top, x1, x2 = int(horizon - high), max(x, 0), max(min(x + wide, w), 0)
        colour = rng.uniform(60, 220) * rng.uniform(0.9, 1.08, 3)
        view[top:horizon, x1:x2] = colour
        for y in range(top + 3, horizon - 2, int(rng.integers(5, 9))):
            view[y : y + 2, x1 + 2 : max(x2 - 2, 0)] = colour * rng.uniform(0.4, 0.8)
        x += wide + int(rng.uniform(-0.05, 0.15) * w)


def _parked(view: np.ndarray, rng, foot: int) -> None:
    """Another aeroplane, far away."""
    h, w = view.shape[:2]
    d = Drawing()
    jet(d.at(0, 0, 1, 0, rng.choice([-1, 1])), rng, True)
    scale = w * rng.uniform(0.25, 0.5)
    origin = rng.uniform(0, 1) * w, foot + d.extent()[0][1] * scale
    cover(view, soften(sheet(d, scale, origin, (w, h)), 0.6))
