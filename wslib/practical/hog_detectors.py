"""Objects by HOG templates, one a class, slid over a picture at many sizes.

After Dalal & Triggs 2005 (see `wslib.practical.hog`), who look for one class. The
scores of several must be comparable: each template's is turned into a probability on
pictures that it has not learnt from (Platt, "Probabilistic outputs for support vector
machines", 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from wslib.boxes.nms import nms
from wslib.practical.classic import Picture, check_boxes, detect_each, pixels
from wslib.practical.hog import Level, Pyramid, Template, teach_templates

DEFAULT = Pyramid()
LOOKED_AT = 100  # windows of the highest responses, from which the boxes are chosen
NOTHING = -2.0  # the response where no window fits; an SVM's negatives are below -1


@dataclass(frozen=True, eq=False)
class HogDetector:
    """Finds the objects of one class.

    threshold: windows of a lower response are not looked at; 1 and -1 are the edges of
    the SVM's margin on the side of objects and of others. Windows that overlap a better
    one by an IoU above `iou_threshold` are dropped, and `max_boxes` kept. slope and
    intercept make a response the logit of the score.
    """

    template: Template
    pyramid: Pyramid = DEFAULT
    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = -1.0
    iou_threshold: float = 0.3
    max_boxes: int = 10

    def detect(self, image: np.ndarray) -> np.ndarray:
        """The objects (N, 5) in an image (H, W, 3) uint8 RGB, clipped, best first.

        The score is a probability, see `HogDetectors`. Where nothing reaches the
        threshold, or the image is too slender for the template, the array is (0, 5).
        """
        return self.detect_in(self.pyramid(pixels(image)))

    def detect_all(
        self, images: Sequence[Picture], desc: str = "HOG", workers: int = 2
    ) -> list[np.ndarray]:
        """`detect` in each of the images or files, in threads."""
        return detect_each(self.detect, images, desc, workers)

    def detect_in(self, levels: Sequence[Level]) -> np.ndarray:
        """As `detect`, in the levels of an image that there are already."""
        windows = np.concatenate([self._windows(level) for level in levels])  # (N, 5)
        windows = windows[np.argsort(-windows[:, 4], kind="stable")][:LOOKED_AT]
        boxes, responses = torch.from_numpy(windows).split([4, 1], 1)
        kept = nms(boxes, responses[:, 0], self.iou_threshold)[: self.max_boxes]
        windows = windows[kept.numpy()]
        windows[:, 4] = expit(self.slope * windows[:, 4] + self.intercept)
        return windows

    def best_response(self, levels: Sequence[Level]) -> float:
        """The highest of all windows, and -2 where none fits into the image."""
        responses = [self.template.respond(level) for level in levels]
        return float(max((r.max() for r in responses if r.size), default=NOTHING))

    def _windows(self, level: Level) -> np.ndarray:
        responses = self.template.respond(level)
        places = np.nonzero(responses >= self.threshold)
        boxes = self.template.window.boxes(level, *places)
        return np.column_stack([boxes, responses[places]])


@dataclass(frozen=True, eq=False)
class HogDetectors:
    """A `HogDetector` for each class, by class number, that share a picture's pyramid.

    A score is the probability that the picture shows an object of the class, as far as
    its template can tell, so that `wslib.practical.classic.best_answer` may compare
    classes.
    """

    detectors: list[HogDetector]
    pyramid: Pyramid = DEFAULT

    @classmethod
    def fit(
        cls,
        images: Sequence[Picture],
        boxes: np.ndarray,
        labels: np.ndarray,
        seed: int,
        pyramid: Pyramid = DEFAULT,
        enough: int = 100,
    ) -> HogDetectors:
        """Teach a template to each class, on pictures of one object each.

        images: N arrays (H, W, 3) or files; boxes: (N, 4) in their pixels, a row of NaN
        where there is none, which leaves the image out; labels: (N,) class numbers,
        from 0 without a gap. At most `enough` images of a class are used, drawn by
        `seed`. A quarter of them calibrates the scores; the rest makes the templates,
        whose aspect is the median of their class. A window of another class's image is
        a negative, and so is one whose IoU with the object's box is below 0.5. The same
        seed gives the same detectors. Three hundred images take about ten seconds.

        Raises ValueError for other shapes, for a box without area, and for fewer than
        two classes, or a class of fewer than 4 pictures with a box.
        """
        boxes = check_boxes(boxes, len(images))
        labels = np.asarray(labels)
        groups = _draw(labels, boxes, enough, np.random.default_rng(seed))
        learn = np.concatenate([rows[len(rows) // 4 :] for rows in groups])
        rest = np.concatenate([rows[: len(rows) // 4] for rows in groups])
        pictures = [images[row] for row in learn]
        templates = teach_templates(
            pictures, boxes[learn], labels[learn], pyramid, seed
        )
        detectors = cls([HogDetector(t, pyramid) for t in templates], pyramid)
        return detectors.calibrated([images[row] for row in rest], labels[rest])

    def detect(self, image: np.ndarray) -> list[np.ndarray]:
        """`HogDetector.detect` for each class: a list of (N, 5) by class number."""
        levels = self.pyramid(pixels(image))
        return [detector.detect_in(levels) for detector in self.detectors]

    def detect_all(
        self, images: Sequence[Picture], desc: str = "HOG", workers: int = 2
    ) -> list[list[np.ndarray]]:
        """`detect` in each of the images or files, in threads."""
        return detect_each(self.detect, images, desc, workers)

    def calibrated(self, images: Sequence[Picture], labels: np.ndarray) -> HogDetectors:
        """The same templates with scores fitted to these pictures: for each class a
        logistic regression of whether it is shown on its template's best response. The
        pictures should be new to the templates, and some have to be of each class."""
        every_response = detect_each(self._best_responses, images, "calibration")
        detectors = []
        for label, responses in enumerate(np.transpose(every_response)):
            line = LogisticRegression().fit(responses[:, None], labels == label)
            slope, intercept = float(line.coef_[0, 0]), float(line.intercept_[0])
            old = self.detectors[label]
            detectors.append(replace(old, slope=slope, intercept=intercept))
        return replace(self, detectors=detectors)

    def _best_responses(self, image: np.ndarray) -> list[float]:
        levels = self.pyramid(image)
        return [detector.best_response(levels) for detector in self.detectors]


def _draw(
    labels: np.ndarray, boxes: np.ndarray, enough: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """For each class the rows of at most `enough` pictures, those with a box, mixed."""
    if labels.shape != boxes.shape[:1] or labels.dtype.kind not in "iu":
        given = f"labels {labels.shape} {labels.dtype}"
        raise ValueError(f"{given}: expected integers ({len(boxes)},)")
    if not len(labels) or labels.min() < 0 or labels.max() < 1:
        raise ValueError("labels: expected the numbers of at least two classes, from 0")
    known = np.isfinite(boxes).all(1)
    groups = []
    for label in range(labels.max() + 1):
        rows = rng.permutation(np.flatnonzero(known & (labels == label)))[:enough]
        if len(rows) < 4:
            counted = f"{len(rows)} pictures with a box"
            raise ValueError(f"class {label} has {counted}: expected at least 4")
        groups.append(rows)
    return groups
