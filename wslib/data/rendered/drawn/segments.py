"""Pictures to learn segmentation from: drawn things on textured ground, with masks.

Nothing here has a name. Outlines, fillings and grounds are drawn at random, so that a
network has to learn what holds things together: an edge all the way round, one colour,
one texture, a veil of one colour over whatever lies behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from wslib.data.backgrounds import OTHERS, photograph_path
from wslib.data.images import read_image

SIZE = 128  # pixels, the longer side of a picture; the rest is black and unknown
GRID = SIZE // 2  # side of the masks: a cell is two pixels wide
FINE = 2 * SIZE  # side of the canvas on which outlines are drawn
LEAST = 16  # cells of a thing that are to be seen, else it does not count
ASPECTS = (1, 4 / 3, 3 / 4, 3 / 2, 2 / 3)
PHOTOGRAPHS = OTHERS  # the reserved ones are left to tests


@dataclass(frozen=True)
class Segments:
    """A picture (SIZE, SIZE, 3) uint8, black beyond `shape` = (height, width), and how
    much of each cell its things cover: (n, GRID, GRID) uint8, 255 for all of it."""

    picture: np.ndarray
    shape: tuple[int, int]
    covers: np.ndarray


def draw_segments(rng: np.random.Generator, style: Style | None = None) -> Segments:
    """Draw one picture with one to four things, each perhaps with a part of its own. At
    least one of them is to be seen: has `LEAST` cells or more, covered by half."""
    style = style or ALL
    while True:
        aspect = ASPECTS[rng.integers(len(ASPECTS))]
        shape = (round(SIZE / max(aspect, 1)), round(SIZE * min(aspect, 1)))
        view = ground(rng, shape, style)
        covers = []
        for _ in range(rng.choice([1, 1, 2, 2, 3, 4])):
            outline = random_outline(rng, shape, style)
            _paint(view, covers, rng, outline, style)
            if rng.random() < 0.3:  # a part of the thing, and maybe a hole in it
                _paint(view, covers, rng, _inner(rng, outline), style, part=True)
        cells = _cells(covers)
        seen = (cells >= 128).sum((1, 2)) >= LEAST
        if seen.any():
            picture = np.zeros((SIZE, SIZE, 3), np.uint8)
            picture[: shape[0], : shape[1]] = as_a_camera(rng, view)
            return Segments(picture, shape, cells[seen])


def _paint(
    view, covers: list, rng, outline: np.ndarray, style: Style, part: bool = False
) -> None:
    """Lay a thing over the picture and over what was there; a part hides nothing."""
    cover = _cover(outline)[: view.shape[0], : view.shape[1]]  # (h, w) in 0..1
    if not part:
        for other in covers:
            other[: cover.shape[0], : cover.shape[1]] *= 1 - cover
    whole = np.zeros((SIZE, SIZE), np.float32)
    whole[: cover.shape[0], : cover.shape[1]] = cover
    covers.append(whole)
    y, x = np.nonzero(cover)
    if not len(y):
        return
    window = slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)
    beneath, cover = view[window], cover[window][:, :, None]
    alpha = rng.uniform(0.35, 0.8) if rng.random() < style.veiled else 1.0
    view[window] += alpha * cover * (filling(rng, beneath) - beneath)


def _cells(covers: list[np.ndarray]) -> np.ndarray:
    """Masks (SIZE, SIZE) in 0..1 -> (n, GRID, GRID) uint8, means of 2 x 2 pixels."""
    means = np.stack(covers).reshape(-1, GRID, 2, GRID, 2).mean((2, 4))
    return np.rint(255 * means).astype(np.uint8)


def random_outline(
    rng, shape: tuple[int, int], style: Style | None = None
) -> np.ndarray:
    """A closed line (n, 2) of x, y in pixels, somewhere in a picture of that shape."""
    size = min(shape) * np.exp(rng.uniform(np.log(0.07), np.log(0.42)))  # half of it
    kinds = (style or ALL).kinds
    points = kinds[rng.integers(len(kinds))](rng) * size
    points[:, 0] *= rng.uniform(0.6, 1.6) if rng.random() < 0.4 else 1
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.6 else rng.normal(0, 0.1)
    c, s = np.cos(turn), np.sin(turn)
    centre = rng.uniform(0.06, 0.94, 2) * shape[::-1]
    return points @ np.array([[c, s], [-s, c]]) + centre


def _polygon(rng) -> np.ndarray:
    """A regular polygon, or nearly: triangle, square, diamond, hexagon, circle."""
    corners = rng.choice([3, 4, 4, 5, 6, 8, 48, 48])
    at = np.arange(corners) + (0.5 if corners == 4 else 0) + rng.normal(0, 0.03)
    return _around(2 * np.pi * at / corners - np.pi / 2, 1)


def _star(rng) -> np.ndarray:
    points = rng.integers(4, 8)
    at = np.arange(2 * points) * np.pi / points - np.pi / 2
    return _around(at, np.where(np.arange(2 * points) % 2, rng.uniform(0.35, 0.65), 1))


def _blob(rng) -> np.ndarray:
    at = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = np.ones(64)
    for k in range(2, rng.integers(3, 8)):
        radius += rng.normal(0, 0.5 / k) * np.cos(k * at + rng.uniform(0, 6.3))
    return _around(at, np.clip(radius, 0.25, 1.8))


def _angular(rng) -> np.ndarray:
    """A polygon with corners at random."""
    at = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(4, 9)))
    return _around(at, rng.uniform(0.45, 1.2, len(at)))


def _arch(rng) -> np.ndarray:
    """A letter C, whose centre of mass lies outside of it."""
    at = np.linspace(0, rng.uniform(3.6, 5.4), 40) + rng.uniform(0, 6.3)
    inside = _around(at[::-1], rng.uniform(0.5, 0.72))
    return np.concatenate([_around(at, 1), inside])


def _bar(rng) -> np.ndarray:
    half = rng.uniform(0.12, 0.4)
    return np.array([[-1, -half], [1, -half], [1, half], [-1, half]])


def _around(angles: np.ndarray, radius) -> np.ndarray:
    return np.stack([np.cos(angles), np.sin(angles)], 1) * np.reshape(radius, (-1, 1))


@dataclass(frozen=True)
class Style:
    """How things are drawn: the kinds of their outlines, each as often as it stands
    here, and the share of them through which one sees what is behind."""

    kinds: tuple[Callable, ...]
    veiled: float


ALL = Style((*3 * [_polygon], *2 * [_star], *2 * [_blob], _angular, _arch, _bar), 0.6)
# No triangle, square, diamond, circle or star, and nothing half transparent.
WITHOUT_SHAPES = Style((_blob, _blob, _angular, _arch), 0.0)


def _inner(rng, outline: np.ndarray) -> np.ndarray:
    """The outline shrunk towards a place inside."""
    centre, shrink = outline.mean(0), rng.uniform(0.3, 0.65)
    away = rng.uniform(-0.3, 0.3) * (outline[0] - centre)
    return centre + away + (outline - centre) * shrink


def _cover(outline: np.ndarray) -> np.ndarray:
    """How much of each pixel is inside: (SIZE, SIZE) float32 in 0..1."""
    canvas = np.zeros((FINE, FINE), np.uint8)
    corners = np.rint(outline * (FINE / SIZE * 16)).astype(np.int32)
    cv2.fillPoly(canvas, [corners], 255, cv2.LINE_AA, shift=4)
    fine = cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return fine / np.float32(255)


def ground(rng, shape: tuple[int, int], style: Style | None = None) -> np.ndarray:
    """What things lie on: (h, w, 3) float32, 0 to 255."""
    choice = rng.random()
    if choice < 0.55:
        view = _photographed(rng, shape)
    elif choice < 0.85:
        view = _leaves(rng, shape, style)
    else:
        view = _smooth(rng, shape)
    if rng.random() < 0.5:  # as a small picture that was enlarged
        small = tuple(max(8, int(n / rng.uniform(2, 5))) for n in shape[::-1])
        view = cv2.resize(view, small, interpolation=cv2.INTER_AREA)
        view = cv2.resize(view, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(view, np.float32)


def _photographed(rng, shape) -> np.ndarray:
    """A piece of a photograph, its colours exchanged, darkened or lightened."""
    photo = _photograph(PHOTOGRAPHS[rng.integers(len(PHOTOGRAPHS))])
    most = min(photo.shape[0] / shape[0], photo.shape[1] / shape[1])
    zoom = np.exp(rng.uniform(np.log(min(0.4, most)), np.log(most)))
    h, w = (max(2, int(n * zoom)) for n in shape)
    y, x = rng.integers(photo.shape[0] - h + 1), rng.integers(photo.shape[1] - w + 1)
    piece = photo[y : y + h, x : x + w][:, :: rng.choice([-1, 1])]
    piece = piece[:, :, rng.permutation(3)].astype(np.float32)
    how = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
    piece = cv2.resize(piece, shape[::-1], interpolation=how)
    gain = rng.uniform(0.6, 1.3) * rng.uniform(0.8, 1.2, 3)
    return np.clip(piece * gain + rng.normal(0, 15, 3), 0, 255).astype(np.float32)


@cache
def _photograph(name: str) -> np.ndarray:
    """At most 640 pixels wide or high; small pieces of it are textures."""
    image = read_image(photograph_path(name))
    scale = min(1, 640 / max(image.shape))
    size = tuple(round(n * scale) for n in image.shape[1::-1])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _leaves(rng, shape, style: Style | None) -> np.ndarray:
    """Many plain things over one another, whose sizes follow a power law: a picture
    with the statistics of natural ones (Lee, Mumford & Huang 2001)."""
    palette = rng.uniform(0, 255, (5, 3))
    view = np.full((*shape, 3), palette[0], np.float32)
    for _ in range(rng.integers(6, 36)):
        outline = random_outline(rng, shape, style)
        colour = palette[rng.integers(5)] + rng.normal(0, 25, 3)
        corners = np.rint(outline * 16).astype(np.int32)
        cv2.fillPoly(view, [corners], np.clip(colour, 0, 255), cv2.LINE_AA, shift=4)
    return view


def _smooth(rng, shape) -> np.ndarray:
    """A few colours that run into one another."""
    cells = rng.uniform(0, 255, (rng.integers(1, 5), rng.integers(1, 5), 3))
    return cv2.resize(np.float32(cells), shape[::-1], interpolation=cv2.INTER_CUBIC)


def filling(rng, beneath: np.ndarray) -> np.ndarray:
    """What a thing is made of: a colour that is not that beneath, mostly plain."""
    mean = beneath.mean((0, 1))
    colour = rng.uniform(0, 255, 3)
    while np.linalg.norm(colour - mean) < 50:
        colour = rng.uniform(0, 255, 3)
    choice = rng.random()
    if choice < 0.7:
        return colour.astype(np.float32)
    size = beneath.shape[:2]
    if choice < 0.85:
        return _smooth(rng, size) * 0.4 + 0.6 * colour.astype(np.float32)
    piece = _photographed(rng, tuple(max(n, 4) for n in size))[: size[0], : size[1]]
    return np.clip(piece - piece.mean((0, 1)) + colour, 0, 255).astype(np.float32)


def as_a_camera(rng, view: np.ndarray) -> np.ndarray:
    """Blur, grain, and what JPEG leaves of it: uint8."""
    if rng.random() < 0.4:  # as a small picture that was enlarged
        h, w = view.shape[:2]
        small = cv2.resize(view, (w // 2, h // 2), interpolation=cv2.INTER_AREA)
        view = cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
    elif rng.random() < 0.2:
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.5, 1.5))
    if rng.random() < 0.3:
        noise = rng.standard_normal(view.shape, np.float32)
        view = view + rng.uniform(2, 12) * noise
    picture = np.clip(view, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], 1)
    return picture
