"""Training WSDDN on proposal features that are kept, and detecting with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from wslib.boxes.boxes import to_voc
from wslib.boxes.nms import nms_of_classes
from wslib.metrics.classification import mean_average_precision
from wslib.metrics.detection import Boxes
from wslib.models.ask import ask, join
from wslib.models.wsddn import WSDDN, ProposalScores, image_loss, spatial_regulariser
from wslib.runtime.progress import progress
from wslib.training.batches import ShuffledBatches, view_batches
from wslib.training.fit import Validate, fit
from wslib.weak.proposal_features import ProposalFeatures

STANDARD = 200  # images that the features are standardised by


def proposal_batches(
    regions: ProposalFeatures, labels: Tensor, batch_size: int, seed: int
) -> ShuffledBatches:
    """Return shuffled batches of regions, each image as it is or mirrored, and what
    their loss needs: labels (B, n) and boxes (B, P, 4) as a ratio of the image."""

    def read(rows: Tensor, views: Tensor) -> tuple:
        truth = labels[rows], regions.ratios(rows.numpy())
        return regions.batch(rows.numpy(), views), truth

    return view_batches(regions, labels, batch_size, seed, read)


def train_wsddn(
    model: WSDDN,
    regions: ProposalFeatures,
    labels: Tensor,
    epochs: int,
    learning_rate: float = 3e-3,
    weight_decay: float = 1e-4,
    batch_size: int = 16,
    spatial: float = 0.0,
    seed: int = 0,
    validate: Validate | None = None,
    keep: Path | str | None = None,
    on_epoch: Callable[[dict[str, float]], object] | None = None,
) -> pd.DataFrame:
    """Train from image labels (N, n) in 1, 0, -1. Returns the history.

    The loss is `image_loss` plus `spatial` times `spatial_regulariser`, which acts on
    the hidden layer. The model keeps the weights of the last epoch; `validate`, `keep`,
    `on_epoch` and errors as `fit`, and ValueError for another number of labels, and for
    a regulariser without a hidden layer.
    """
    if spatial and not list(model.read.parameters()):
        raise ValueError(f"spatial is {spatial}, but without a hidden layer of its own")
    batches = proposal_batches(regions, labels, batch_size, seed)
    some = np.linspace(0, len(regions) - 1, min(STANDARD, len(regions))).astype(int)
    model.standardise(regions.batch(some))

    def loss(scored: ProposalScores, truth: tuple[Tensor, Tensor]) -> Tensor:
        """Add the loss of the images and, with a weight, the regulariser."""
        labels, boxes = truth
        value = image_loss(scored, labels)
        if not spatial:
            return value
        return value + spatial * spatial_regulariser(scored, labels, boxes)

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=weight_decay
    )
    about = {"images": len(regions), "seed": seed, "spatial": spatial}
    about["contrast"] = model.contrast
    return fit(
        *(model, batches, loss, optimizer, epochs, validate),
        **{"keep": keep, "about": {**about, "batch_size": batch_size}},
        **{"desc": "WSDDN", "on_epoch": on_epoch},
    )


def score_proposals(
    model: WSDDN, regions: ProposalFeatures, batch_size: int = 32, flip: bool = True
) -> np.ndarray:
    """Return the scores of all proposals, (N, P, n) float32; with `flip` the mean over
    the image and its mirror image. The scores of an image are their sum over
    proposals."""
    batches = regions.views(batch_size, flip)
    return join(ask(lambda r: model.eval()(r).proposals, batches))[0].numpy()


def measure_images(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Measure the scores of images that those of proposals (N, P, n) add up to: mAP in
    percent, and the loss; labels (N, n) in 1, 0, -1."""
    image = scores.sum(1).clip(0, 1)  # (N, n)
    scored = ProposalScores(torch.from_numpy(image), torch.empty(0), torch.empty(0))
    loss = image_loss(scored, torch.from_numpy(labels))
    mean = mean_average_precision(image, labels)[0]
    return {"mAP": 100 * mean, "val_loss": float(loss)}


def detect_proposals(
    regions: ProposalFeatures,
    scores: np.ndarray,
    classes: Sequence[str],
    iou_threshold: float = 0.4,
) -> dict[str, Boxes]:
    """Boxes of each class: {class: {id: (K, 5)}}, VOC corners and a score, best first.

    Of the proposals of an image that overlap, the best of each class remain (`nms`). No
    score is too low: average precision reads the whole list. Errors as `nms`, and
    ValueError for scores that are not (N, P, n).
    """
    expected = (*regions.real.shape, len(classes))
    if scores.shape != expected:
        raise ValueError(f"scores {scores.shape}: expected {expected}")
    detections: dict[str, Boxes] = {name: {} for name in classes}
    for k, image_id in enumerate(progress(regions.ids, "boxes")):
        real = regions.real[k]
        boxes, real_scores = torch.from_numpy(regions.boxes[k, real]), scores[k, real]
        kept = nms_of_classes(
            boxes, torch.from_numpy(real_scores), iou_threshold
        ).numpy()
        for name, column, keep in zip(classes, real_scores.T, kept.T, strict=True):
            rows = np.column_stack([boxes[keep], column[keep]]).astype(float)
            order = np.argsort(-rows[:, 4], kind="stable")
            detections[name][image_id] = to_voc(rows[order])
    return detections
