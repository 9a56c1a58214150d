"""How HOG templates are taught: the objects, random windows, then the hard ones.

Dalal & Triggs 2005 (see `wslib.practical.hog`), section 4: a linear SVM learns the
objects from windows drawn at random, is shown all others, and learns again with those
that it took for an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.svm import LinearSVC

from wslib.metrics.overlap import box_iou
from wslib.practical.classic import Picture, pixels
from wslib.practical.hog import DEPTH, Level, Pyramid, Template, Window
from wslib.runtime.progress import progress

ROUNDS = 2  # of looking for hard negatives
RANDOM, HARD = 20, 10  # negatives of a picture: at first, and at most in each round
MARGIN = -1.0  # the response above which a negative is hard
APART = 0.5  # a window whose IoU with the object is below this is a negative
C = 0.1  # of the SVM, whose results hardly depend on it


@dataclass(frozen=True, eq=False)
class Example:
    """A picture to learn from: its levels, its class and its object's box."""

    levels: list[Level]
    label: int
    box: np.ndarray

    def negatives(self, window: Window, label: int) -> list[np.ndarray]:
        """At which places of each level the window is no object of class `label`: (R,
        C) bool each. All places of a picture of another class, and those of this class
        whose box is not the object's."""
        if self.label != label:
            return [np.ones(window.places(level), bool) for level in self.levels]
        boxes = [window.all_boxes(level) for level in self.levels]
        return [box_iou(found, self.box) < APART for found in boxes]


def teach_templates(
    images: Sequence[Picture],
    boxes: np.ndarray,
    labels: np.ndarray,
    pyramid: Pyramid,
    seed: int,
) -> list[Template]:
    """A template for each class, 0 to the largest of `labels`, from images that all
    have a box. See `wslib.practical.hog_detectors.HogDetectors.fit`."""
    classes = range(labels.max() + 1)
    windows = [Window.of(boxes[labels == label]) for label in classes]
    objects: list[list[np.ndarray]] = [[] for _ in classes]
    examples = []
    pictures = zip(images, labels.tolist(), boxes, strict=True)
    for image, label, box in progress(pictures, "pyramids", len(images)):
        image = pixels(image)
        examples.append(Example(pyramid(image), label, box))
        objects[label].append(windows[label].look(image, box))
    taught = progress(classes, "templates", len(classes))
    return [_teach(windows[k], np.stack(objects[k]), examples, k, seed) for k in taught]


def _teach(
    window: Window,
    objects: np.ndarray,
    examples: Sequence[Example],
    label: int,
    seed: int,
) -> Template:
    """objects: (N, rows, columns, 36), of class number `label`."""
    rng = np.random.default_rng([seed, label])
    allowed = [example.negatives(window, label) for example in examples]
    chance = ([rng.random(a.shape) for a in masks] for masks in allowed)
    places = _highest(chance, allowed, RANDOM)
    for _ in range(ROUNDS):
        template = _svm(window, objects, _windows(window, examples, places), seed)
        responses = ([template.respond(level) for level in e.levels] for e in examples)
        hard = _highest(responses, allowed, HARD, MARGIN)
        places = np.unique(np.concatenate([places, hard]), axis=0)
    return _svm(window, objects, _windows(window, examples, places), seed)


def _highest(
    values: Iterable[list[np.ndarray]],
    allowed: Iterable[list[np.ndarray]],
    count: int,
    above: float = -np.inf,
) -> np.ndarray:
    """Of each picture those `count` allowed places of all levels that have the highest
    values, if `above` a value: rows (P, 4) of picture, level, row, column."""
    found = []
    for picture, (levels, masks) in enumerate(zip(values, allowed, strict=True)):
        masks = [mask & (v > above) for v, mask in zip(levels, masks, strict=True)]
        heights = np.concatenate([v[m] for v, m in zip(levels, masks, strict=True)])
        rows = np.concatenate(
            [_rows(k, mask) for k, mask in enumerate(masks)]
        )  # (n, 3)
        best = rows[np.argsort(-heights, kind="stable")[:count]]
        found.append(np.insert(best, 0, picture, axis=1))
    return np.concatenate(found)


def _rows(level: int, mask: np.ndarray) -> np.ndarray:
    """Where a level's mask (R, C) is true: (n, 3) level, row, column."""
    return np.insert(np.argwhere(mask), 0, level, axis=1)


def _windows(
    window: Window, examples: Sequence[Example], places: np.ndarray
) -> np.ndarray:
    """The blocks (P, rows, columns, 36) at places (P, 4), as `_highest` gives them."""
    blocks = np.zeros((len(places), window.rows, window.columns, DEPTH), np.float32)
    for k, (picture, level, i, j) in enumerate(places):
        whole = examples[picture].levels[level].blocks
        blocks[k] = whole[i : i + window.rows, j : j + window.columns]
    return blocks


def _svm(
    window: Window, objects: np.ndarray, others: np.ndarray, seed: int
) -> Template:
    if not len(others):
        raise ValueError("no window in any picture to tell the objects from")
    blocks = np.concatenate([objects, others]).astype(float)
    is_object = np.arange(len(blocks)) < len(objects)
    svm = LinearSVC(C=C, tol=1e-3, max_iter=10_000, dual=True, random_state=seed)
    svm.fit(blocks.reshape(len(blocks), -1), is_object)
    weights = svm.coef_.reshape(objects.shape[1:]).astype(np.float32)
    return Template(window, weights, float(svm.intercept_[0]))
