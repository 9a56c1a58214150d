"""Train `sam_tiny` from nothing, on pictures that are drawn as it goes.

Each step is a task of `wslib.prompting.sam_tasks`. In some of them the best mask goes
back in, as in SAM's interactive rounds (Kirillov et al. 2023, "Efficiency and
training", https://arxiv.org/abs/2304.02643).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from segment_anything.modeling import Sam
from torch import Tensor, nn

from wslib.data.rendered.drawn.segments import SIZE
from wslib.metrics.calibration import calibration
from wslib.metrics.overlap import mask_iou
from wslib.models.sam_tiny import (
    build_sam_tiny,
    decode,
    load_sam_tiny,
    save_sam_tiny,
)
from wslib.prompting.sam_tasks import Task, Tasks, draw_task
from wslib.runtime.device import pick_device
from wslib.training.fit import fit

STEPS_AN_EPOCH = 100


class Promptable(nn.Module):
    """A `Sam` that answers a whole `Task` at once."""

    def __init__(self, sam: Sam):
        super().__init__()
        self.sam = sam

    def forward(self, task: Task) -> tuple[Tensor, Tensor]:
        """Logits (R P, 4, GRID, GRID) and predicted IoU (R P, 4) of R = 1 or 2 rounds,
        a round after the other."""
        pictures = (task.pictures - self.sam.pixel_mean) / self.sam.pixel_std
        known = F.interpolate(task.valid[:, None].float(), SIZE)  # nearest
        embeddings = self.sam.image_encoder(pictures * known)[task.owner]
        rounds = [self._answer(task, embeddings, None)]
        if task.again:
            logits, scores = (part.detach() for part in rounds[0])
            best = 1 + scores[:, 1:].argmax(1)  # (P,)
            mask = logits[torch.arange(len(best)), best][:, None]
            rounds.append(self._answer(task, embeddings, mask))
        return tuple(torch.cat(parts) for parts in zip(*rounds, strict=True))

    def _answer(self, task: Task, embeddings, mask) -> tuple[Tensor, Tensor]:
        sparse, dense = self.sam.prompt_encoder(task.points, task.boxes, mask)
        return decode(self.sam, embeddings, sparse, dense)


# ----------------------------------------------------------------------------- loss


def prompt_loss(outputs: tuple[Tensor, Tensor], truth: tuple[Tensor, Tensor]) -> Tensor:
    """Cross-entropy and Dice of the single mask, of the best of three (the others with
    a tenth of the weight, so that none is forgotten), and the squared error of the IoU
    that each mask says it has.

    outputs: of `Promptable`; truth: covers (P, GRID, GRID) in 0..1 and which cells are
    known, bool. What lies beyond the picture does not count. A scalar.
    """
    logits, scores = outputs
    cover, valid = (part.repeat(len(logits) // len(part), 1, 1) for part in truth)
    cover, valid = cover[:, None].expand_as(logits), valid[:, None].float()
    area = valid.sum((2, 3))
    wrong = F.binary_cross_entropy_with_logits(logits, cover, reduction="none")
    wrong = (wrong * valid).sum((2, 3)) / area  # (P, 4)
    p, c = logits.sigmoid() * valid, cover * valid
    overlap = 2 * (p * c).sum((2, 3)) + 1
    dice = 1 - overlap / (p.square().sum((2, 3)) + c.square().sum((2, 3)) + 1)
    each = 4 * wrong + dice  # (P, 4)
    three = 0.9 * each[:, 1:].amin(1) + 0.1 * each[:, 1:].mean(1)
    honesty = (scores - grid_iou(logits, cover, valid)).square().mean()
    return each[:, 0].mean() + three.mean() + honesty


@torch.no_grad()
def grid_iou(logits: Tensor, cover: Tensor, valid: Tensor) -> Tensor:
    """IoU (P, 4) of the masks logits > 0 and cover >= 0.5, cell by cell; 0 where both
    are empty. logits, cover (P, 4, h, w); valid (P, 1, h, w), the cells that count."""
    found, true = (logits > 0) & (valid > 0), (cover >= 0.5) & (valid > 0)
    return mask_iou(found, true, empty=0.0)


# ---------------------------------------------------------------------- examination

EXAMINED = {
    "1 point": (1, 1, False), "3 points": (3, 1, False), "5 points": (5, 1, False),
    "box": (0, 0, True), "box and point": (1, 1, True),
}  # fmt: skip


@torch.no_grad()
def examine(sam: Sam, pictures: int = 400, seed: int = 1_000_000_007) -> pd.DataFrame:
    """Measure a `Sam` of this size on new pictures, two things each; a row per prompt.

    IoU, cell by cell, of the `single` mask, of the `chosen` one of three (by its score)
    and of the best of three; `calibration_error` of the chosen one's score (see
    `wslib.metrics.calibration`); `count` of the prompts. Boxes are as loose, and
    points as badly placed, as those in training. `sam` is left in eval mode. Raises
    ValueError for no pictures.
    """
    if pictures < 1:
        raise ValueError(f"pictures is {pictures}, expected 1 or more")
    model, batch = Promptable(sam).eval(), 20
    rows = []
    for name, kind in EXAMINED.items():
        parts = []
        for k in range(-(-pictures // batch)):
            here = min(batch, pictures - k * batch)
            parts.append(_measured(model, *draw_task(seed + k, here, 2, kind)))
        single, chosen, best, score = torch.cat(parts).T.numpy()  # (P,) each
        gap, _ = calibration(score, chosen)
        means = {"single": single, "chosen": chosen, "best_of_3": best}
        row = {"prompt": name, **{k: float(v.mean()) for k, v in means.items()}}
        rows.append({**row, "calibration_error": gap, "count": len(single)})
    return pd.DataFrame(rows)


def _measured(model: Promptable, task: Task, answers: Tensor) -> Tensor:
    """IoU of the single, the chosen and the best mask, and the chosen one's score."""
    device = next(model.parameters()).device
    task, answers = task.to(device), answers.to(device)
    logits, scores = model(task)
    valid = task.valid[task.owner][:, None]
    iou = grid_iou(logits, answers[:, None].expand_as(logits), valid)  # (P, 4)
    chosen = 1 + scores[:, 1:].argmax(1, keepdim=True)
    columns = iou[:, :1], iou.gather(1, chosen), iou[:, 1:].amax(1, keepdim=True)
    return torch.cat([*columns, scores.gather(1, chosen)], 1).cpu()  # (P, 4)


# ------------------------------------------------------------------------- training


def train(
    out: Path | str,
    steps: int = 9000,
    pictures: int = 16,
    things: int = 2,
    learning_rate: float = 1e-3,
    seed: int = 0,
    device: str = "auto",
    keep: Path | str | None = None,
    start: Path | str | None = None,
) -> pd.DataFrame:
    """Train `sam_tiny` and write its weights to `out`; returns the history.

    steps: of `pictures` x `things` prompts each, in rounds of 100. keep: a folder for
    `last.pt` and `history.csv`; the same call goes on there after an interruption.
    start: a file with weights of `sam_tiny` to go on from, instead of random ones.
    Raises ValueError for numbers below 1 and for a `keep` that holds another run.
    """
    place = pick_device(device)
    sam = load_sam_tiny(start) if start else build_sam_tiny(seed)
    model = Promptable(sam).to(place)
    epochs = max(1, round(steps / STEPS_AN_EPOCH))
    tasks = Tasks(pictures, things, min(steps, STEPS_AN_EPOCH), seed, place)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=0.02, betas=(0.9, 0.98)
    )
    about = {"steps": steps, "pictures": pictures, "things": things, "seed": seed}
    about |= {"learning_rate": learning_rate, "start": start and Path(start).name}
    history = fit(
        *(model, tasks, prompt_loss, optimizer, epochs),
        keep=keep,
        about=about,
        desc="sam_tiny",
    )
    save_sam_tiny(out, sam.cpu(), **about)
    return history
