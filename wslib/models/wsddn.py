"""WSDDN: a detector of proposals that learns from image labels (Bilen & Vedaldi 2016,
https://arxiv.org/abs/1511.02853).

Two streams read the same features of each proposal. One asks of every proposal: which
class? The other asks of every class: which proposal? Their product is the score of a
proposal, and the sum over proposals that of the image, for which there are labels.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from wslib.metrics.overlap import box_iou

TINY = 1e-6
BOUND = 8.0  # standard deviations from the mean; further out is noise


class ProposalBatch(NamedTuple):
    """Features of the proposals of B images, filled up to the same number of them.

    features: (B, P, 2 D), D numbers of each box and D of what is around it; real:
    (B, P) bool, false where a row only fills up.
    """

    features: Tensor
    real: Tensor


class ProposalScores(NamedTuple):
    """Scores of B images and of their proposals, for n classes.

    image: (B, n), in [0, 1]; proposals: (B, P, n), of each class at most 1 in sum, 0
    where a row only fills up; hidden: (B, P, H), what the streams read of the boxes.
    """

    image: Tensor
    proposals: Tensor
    hidden: Tensor


class WSDDN(nn.Module):
    """Two linear streams on the features of proposals, which nothing else has trained.

    With x_c and x_d the outputs of the streams `classify` and `locate`, (B, P, n), the
    scores of proposals and image are (equations 1 to 3 of the paper)

        s = softmax over classes (x_c) * softmax over proposals (x_d),   y = sum_p s.

    The order of the proposals means nothing. x_c reads the box. So does x_d in the
    paper, whose features are trained with the streams. With `contrast` it reads the
    difference of the box and what is around it, in which a part of an object, all
    around which there is more of the same, has nothing (Kantorov et al. 2016,
    https://arxiv.org/abs/1609.04331, the contrastive model).

    `hidden` > 0 puts a linear layer D -> `hidden` before both streams: the features
    that `spatial_regulariser` can act on. The features are first standardised by the
    buffers `mean` and `std` (D,), see `standardise`. Streams begin at 0, where all
    proposals and classes are alike. Raises ValueError for counts below 1.
    """

    def __init__(
        self, inputs: int, num_classes: int, contrast: bool = True, hidden: int = 0
    ) -> None:
        super().__init__()
        if inputs < 1 or num_classes < 1 or hidden < 0:
            given = f"inputs {inputs}, num_classes {num_classes}, hidden {hidden}"
            raise ValueError(f"{given}: expected 1 or more, hidden 0 or more")
        self.contrast = contrast
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))
        self.read = nn.Linear(inputs, hidden) if hidden else nn.Identity()
        self.classify = nn.Linear(hidden or inputs, num_classes)
        self.locate = nn.Linear(hidden or inputs, num_classes, bias=False)
        for stream in (self.classify, self.locate):
            nn.init.zeros_(stream.weight)
        nn.init.zeros_(self.classify.bias)

    @torch.no_grad()
    def standardise(self, proposals: ProposalBatch) -> None:
        """Take mean and standard deviation from the boxes of some images."""
        boxes = proposals.features.chunk(2, 2)[0][proposals.real]  # (N, D)
        self.mean.copy_(boxes.mean(0))
        self.std.copy_(boxes.std(0) + 1e-2)

    def forward(self, proposals: ProposalBatch) -> ProposalScores:
        """Score the proposals of B images, and with them the images."""
        features, real = proposals
        parts = features.unflatten(2, (2, len(self.mean)))  # (B, P, 2, D)
        box, around = (((parts - self.mean) / self.std).clamp(-BOUND, BOUND)).unbind(2)
        hidden = self.read(box)  # (B, P, H)
        shown = hidden - self.read(around) if self.contrast else hidden
        which_class = self.classify(hidden).softmax(2)  # (B, P, n)
        where = self.locate(shown).masked_fill(~real[..., None], -torch.inf)
        scores = which_class * where.softmax(1)  # (B, P, n)
        return ProposalScores(scores.sum(1).clamp(0, 1), scores, hidden)


def image_loss(scored: ProposalScores, labels: Tensor) -> Tensor:
    """Binary cross-entropy of the image scores (B, n), summed over classes and averaged
    over images (equation 5); labels (B, n) in 1, 0, -1, of which -1 says nothing."""
    known, present = labels >= 0, labels == 1
    scores = scored.image.clamp(TINY, 1 - TINY)
    losses = -torch.where(present, scores, 1 - scores).log()  # NaN stays NaN
    return (losses * known).sum(1).mean()


def spatial_regulariser(
    scored: ProposalScores, labels: Tensor, boxes: Tensor, overlap: float = 0.6
) -> Tensor:
    """Pull what overlaps the best proposal of a class toward its features (section
    3.4).

    Over the classes present in each image, the mean over all B n of

        1/2 s*^2 sum_r |h* - h_r|^2,

    with s* and h* the score, taken as a constant, and the hidden features of the best
    proposal, and r those of IoU >= `overlap` with it. `boxes` (B, P, 4), `labels`
    (B, n): only 1 counts as present.
    """
    image, target = (labels == 1).nonzero(as_tuple=True)  # (K,) each
    scores = scored.proposals.detach()[image, :, target]  # (K, P)
    best_score, best = scores.max(1)
    near = box_iou(boxes[image, best][:, None], boxes[image]) >= overlap  # (K, P)
    near &= boxes[image].any(2)  # a row that only fills up is no neighbour
    hidden = scored.hidden[image]  # (K, P, H)
    distance = (hidden - scored.hidden[image, best][:, None]).square().sum(2)  # (K, P)
    total = (best_score.square() / 2 * (distance * near).sum(1)).sum()
    return total / labels.numel()
