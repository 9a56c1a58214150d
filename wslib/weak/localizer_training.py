"""Training localizers on feature maps that are kept or on images, and their output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from wslib.boxes.boxes import from_voc
from wslib.boxes.maps import ClassMaps, sweep
from wslib.boxes.recipe import Recipe, best_threshold
from wslib.metrics.classification import mean_average_precision, mean_recall
from wslib.metrics.detection import Boxes
from wslib.metrics.localisation import max_box_acc, pointing_game
from wslib.models.ask import ask, device_of, image_views, join
from wslib.models.features import FeatureMaps, ImageFiles
from wslib.models.localizers import Localizer, framed, pool_map
from wslib.models.two_heads import Maps
from wslib.training.batches import (
    Batches,
    ShuffledBatches,
    file_batches,
    view_batches,
)
from wslib.training.fit import Validate, fit, multilabel_loss

# Each optimizer, and how its rate goes. The latter is what AlexNet was trained with
# (Krizhevsky et al. 2012, section 5, https://doi.org/10.1145/3065386).
OPTIMIZERS = {
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.01}, "cosine"),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "weight_decay": 5e-4}, "steps"),
}


def localizer_batches(
    localizer: Localizer,
    images: FeatureMaps | ImageFiles,
    labels: Tensor,
    batch_size: int,
    seed: int,
) -> ShuffledBatches:
    """Return shuffled batches of what a localizer reads, and the labels (B, n): feature
    maps, each of an image or of its mirror image; or images, as `file_batches`."""
    if isinstance(images, ImageFiles):
        read = (images.paths, labels, images.size)
        return file_batches(localizer, *read, batch_size, seed)

    def read(rows: Tensor, views: Tensor) -> tuple[Maps, Tensor]:
        return Maps(images.batch(rows, views, localizer.channels)), labels[rows]

    return view_batches(images, labels, batch_size, seed, read)


def localizer_views(
    localizer: Localizer, images: FeatureMaps | ImageFiles, batch_size: int, flip: bool
) -> Iterator[tuple[list[Maps | Tensor], Tensor]]:
    """Yield batches for `wslib.models.ask.ask` of what a localizer reads, with `flip`
    mirrored, too, and the sizes of the images."""
    if isinstance(images, ImageFiles):
        read = (images.paths, images.size, batch_size, flip, "images")
        yield from image_views(localizer, *read)
        return
    here = device_of(localizer)
    for views, sizes in images.views(here, batch_size, flip, localizer.channels):
        yield [Maps(view) for view in views], sizes


def train_localizer(
    localizer: Localizer,
    batches: Batches,
    epochs: int,
    learning_rate: float = 1e-3,
    optimizer: str = "adamw",
    validate: Validate | None = None,
    keep: Path | str | None = None,
    about: dict | None = None,
    on_epoch: Callable[[dict[str, float]], object] | None = None,
    on_step: Callable[[Tensor, Tensor, Tensor], object] | None = None,
) -> pd.DataFrame:
    """Train from image labels. Returns the history.

    `optimizer`: "adamw", whose rate falls along half a cosine, or "sgd", whose rate
    falls to a tenth every 30 epochs. The localizer keeps the weights of the last epoch.
    `on_step(loss, logits, labels)` is told what each batch gave: a scalar, (B, n) and
    (B, n). `batches` are `localizer_batches`; `validate`, `keep`, `about`, `on_epoch`
    and errors as `fit`, and ValueError for another optimizer.
    """
    if optimizer not in OPTIMIZERS:
        expected = f"expected one of {', '.join(OPTIMIZERS)}"
        raise ValueError(f"optimizer {optimizer!r}, {expected}")

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        value = multilabel_loss(logits, labels)
        if on_step:
            on_step(value.detach(), logits.detach(), labels)
        return value

    kind, settings, rate = OPTIMIZERS[optimizer]
    trained = [p for p in localizer.parameters() if p.requires_grad]
    about = {**(about or {}), "pooling": localizer.pooling, "rate": rate}
    return fit(
        *(localizer, batches, loss, kind(trained, learning_rate, **settings), epochs),
        **{"validate": validate, "keep": keep, "about": about, "on_epoch": on_epoch},
        **{"desc": f"localizer, {localizer.pooling}", "rate": rate},
    )


def two_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """metric1, mAP, and metric2, recall at a probability of 0.5, which is a logit of 0,
    of `logits` (N, n) against `labels` (N, n) in 1, 0, -1, in percent."""
    return {
        "mAP": 100 * mean_average_precision(logits, labels)[0],
        "recall": 100 * mean_recall(1 / (1 + np.exp(-logits)), labels)[0],
    }


@dataclass(frozen=True)
class LocalizerOutput:
    """The output of a localizer for N images, of each of n classes.

    `logits` (N, n) float32; `places` (N, n, h, w) float16, logits too, over the whole
    image; `sizes` (N, 2): (W, H) of the images in pixels.
    """

    ids: list[str]
    sizes: np.ndarray
    logits: np.ndarray
    places: np.ndarray

    def take(self, rows) -> LocalizerOutput:
        """Return the output for some of the images."""
        arrays = (self.sizes[rows], self.logits[rows], self.places[rows])
        return LocalizerOutput([self.ids[k] for k in rows], *arrays)

    @property
    def probabilities(self) -> np.ndarray:
        """Of each class in each image, (N, n)."""
        return 1 / (1 + np.exp(-self.logits))

    def class_maps(self, target: int) -> ClassMaps:
        """The maps of one class, from the lowest place of each (0) upwards: a map that
        speaks against the class everywhere still says where it does so least."""
        raw = self.places[:, target].astype(np.float32)  # (N, h, w)
        raw = raw - raw.min((1, 2), keepdims=True)
        return ClassMaps(self.ids, target, raw, self.probabilities, self.sizes)

    def measure(self, labels: np.ndarray) -> dict[str, float]:
        """The `two_metrics`, in percent, and the loss; labels (N, n) in 1, 0, -1."""
        loss = multilabel_loss(torch.from_numpy(self.logits), torch.from_numpy(labels))
        return {**two_metrics(self.logits, labels), "val_loss": float(loss)}


def locate(
    localizer: Localizer,
    images: FeatureMaps | ImageFiles,
    batch_size: int = 32,
    flip: bool = True,
) -> LocalizerOutput:
    """Ask a localizer, in eval mode, about images whose feature maps are kept, or about
    images in files; with `flip` the mean over the image and its mirror image."""

    def answer(view: Maps | Tensor) -> tuple[Tensor, Tensor]:
        places = localizer.places(view)
        logits = pool_map(places, localizer.pooling, localizer.sharpness)
        return logits, framed(places)

    answers = ask(answer, localizer_views(localizer, images, batch_size, flip))
    parts = ((logits, places.half(), sizes) for logits, places, sizes in answers)
    logits, places, sizes = (part.numpy() for part in join(parts))
    return LocalizerOutput(images.ids, sizes, logits, places)


def localisation_scores(
    located: LocalizerOutput, truths: Mapping[str, Boxes], thresholds: Sequence[float]
) -> dict[str, float]:
    """Measure how well the maps show the objects, in percent, each the mean over the
    classes that some image holds: `MaxBoxAccV2`, with all components at the
    `thresholds` of the maps, of which it takes the best; `pointing game`; of the places
    above half of the map's maximum, `covered`, the share of the true boxes where they
    are, and `inside`, the share of them that is in a true box.

    truths: {class: {id: (M, 5)}}, VOC corners, in the order of the maps' classes; a
    class is looked for in the images that hold it.
    """
    rows = []
    for target, truth in enumerate(truths.values()):
        inside = [k for k, i in enumerate(located.ids) if len(truth[i])]
        if not inside:
            continue
        maps = located.take(inside).class_maps(target)
        boxes = {i: truth[i] for i in maps.ids}
        mean, _ = max_box_acc(sweep(maps, thresholds, max_boxes=100), boxes)
        pointed = 100 * pointing_game(maps.peaks(), boxes).value
        rows.append((mean, pointed, *_lit(maps, boxes)))
    names = ("MaxBoxAccV2", "pointing game", "covered", "inside")
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


def _lit(maps: ClassMaps, truth: Boxes) -> tuple[float, float]:
    """Means over images: the share of the boxes that is lit, and of what is lit in the
    boxes, in percent."""
    shares = []
    for k, boxes in enumerate(truth.values()):
        lit = maps.heatmap(k) >= 0.5
        object_here = np.zeros_like(lit)
        for x1, y1, x2, y2 in from_voc(boxes).astype(int)[:, :4]:
            object_here[y1:y2, x1:x2] = True
        both = (lit & object_here).sum()
        shares.append((both / object_here.sum(), both / max(lit.sum(), 1)))
    covered, inside = 100 * np.mean(shares, axis=0)
    return float(covered), float(inside)


def map_thresholds(
    located: LocalizerOutput, truths: Mapping[str, Boxes], thresholds: Sequence[float]
) -> dict[str, float]:
    """For each class the threshold of its maps whose boxes, one an image, are best: by
    the mean AP at IoU 0.3, 0.4 and 0.5 on the images that hold it. A class in no image
    has none. Arguments as `localisation_scores`; the images have to be others than
    those to be measured on."""
    return {
        name: best_threshold(Recipe(), located.class_maps(target), truth, thresholds)
        for target, (name, truth) in enumerate(truths.items())
        if any(len(truth[i]) for i in located.ids)
    }
