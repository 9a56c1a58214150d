"""Train `sam_tiny` from nothing, on pictures that are drawn as it goes.

Each step is a task: new pictures, and prompts for their things, all of one kind: a
point; several points, some of them not on the thing; a box; or both. Everything is in
the frame of the network's input: SIZE pixels, or GRID cells of CELL pixels. In some
steps the best mask goes back in, as in SAM's interactive rounds (Kirillov et al. 2023,
"Efficiency and training", https://arxiv.org/abs/2304.02643).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from segment_anything.modeling import Sam
from torch import Tensor, nn

from wslib.data.rendered.drawn.segments import GRID, SIZE, Style, draw_segments
from wslib.metrics.masks import calibration
from wslib.metrics.overlap import mask_iou
from wslib.models.sam_tiny import (
    build_sam_tiny,
    decode,
    load_sam_tiny,
    save_sam_tiny,
)
from wslib.runtime.device import pick_device
from wslib.training.fit import fit

CELL = SIZE // GRID  # pixels
# (points, of them surely on the thing, box, share of the steps)
KINDS = (
    (1, 1, False, 0.3), (2, 1, False, 0.1), (3, 1, False, 0.1), (5, 1, False, 0.1),
    (0, 0, True, 0.15), (1, 1, True, 0.1), (3, 1, True, 0.15),
)  # fmt: skip
AGAIN = 0.3  # share of the steps in which the best mask goes back in


@dataclass(frozen=True)
class Task:
    """P prompts on B pictures, in the frame of the network's input (SIZE pixels)."""

    pictures: Tensor  # (B, 3, SIZE, SIZE) float32, 0 to 255
    valid: Tensor  # (B, GRID, GRID) bool: the picture, not the padding
    owner: Tensor  # (P,) which picture a prompt is about
    points: tuple[Tensor, Tensor] | None  # (P, n, 2) as x, y; (P, n) labels 1 or 0
    boxes: Tensor | None  # (P, 4) xyxy
    again: bool = False  # put the best mask in, as a second prompt

    def to(self, device) -> Task:
        """Return the task on another device."""
        moved = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        points = self.points and tuple(part.to(device) for part in self.points)
        return replace(self, **moved, points=points)


class Tasks:
    """`steps` tasks, each with its answers (P, GRID, GRID) in 0..1 and which of their
    cells are known; new ones each time, in one `style` (by default all kinds). Raises
    ValueError for a number below 1."""

    def __init__(
        self,
        pictures: int,
        things: int,
        steps: int,
        seed: int,
        device="cpu",
        style: Style | None = None,
    ):
        numbers = {"pictures": pictures, "things": things, "steps": steps}
        for name, value in numbers.items():
            if value < 1:
                raise ValueError(f"{name} is {value}, expected 1 or more")
        self.pictures, self.things, self.steps = pictures, things, steps
        self.generator = torch.Generator().manual_seed(seed)
        self.device, self.style = device, style

    def __iter__(self) -> Iterator[tuple[Task, tuple[Tensor, Tensor]]]:
        shares = torch.tensor([kind[-1] for kind in KINDS])
        jobs = []
        for _ in range(self.steps):
            seed = int(torch.randint(2**62, (), generator=self.generator))
            kind = int(torch.multinomial(shares, 1, generator=self.generator))
            again = float(torch.rand((), generator=self.generator)) < AGAIN
            jobs.append(
                (seed, self.pictures, self.things, KINDS[kind][:3], again, self.style)
            )
        with ThreadPoolExecutor(1) as ahead:  # draws while the network learns
            waiting = ahead.submit(draw_task, *jobs[0])
            for job in [*jobs[1:], None]:
                task, answers = waiting.result()
                waiting = job and ahead.submit(draw_task, *job)
                truth = answers.to(self.device), task.valid[task.owner].to(self.device)
                yield task.to(self.device), truth


def draw_task(
    seed: int,
    pictures: int,
    things: int,
    kind: tuple[int, int, bool],
    again: bool = False,
    style: Style | None = None,
) -> tuple[Task, Tensor]:
    """Draw pictures, choose as many `things` of each, by turns where it has fewer, and
    prompts of one `kind` (points, of them surely on the thing, box); see `KINDS`.

    Returns the task and how much of each cell each thing covers, (P, GRID, GRID) in
    0..1. The pictures and things of a seed are the same for all kinds.
    """
    rng = np.random.default_rng(seed)
    drawn = [draw_segments(rng, style) for _ in range(pictures)]
    valid = np.zeros((pictures, GRID, GRID), bool)
    covers, owner = [], np.repeat(np.arange(pictures), things)
    for segments, known in zip(drawn, valid, strict=True):
        h, w = segments.shape
        known[: h // CELL, : w // CELL] = True
        count = len(segments.covers)
        chosen = rng.permutation(np.resize(rng.permutation(count), things))
        covers += list(segments.covers[chosen])
    points, labels, boxes = zip(
        *(_prompt(rng, c, valid[k], *kind) for c, k in zip(covers, owner, strict=True)),
        strict=True,
    )
    stacked = torch.from_numpy(np.stack([s.picture for s in drawn])).permute(0, 3, 1, 2)
    n_points, _, with_box = kind
    task = Task(
        pictures=stacked.float(),
        valid=torch.from_numpy(valid),
        owner=torch.from_numpy(owner),
        points=(_float(points), _float(labels)) if n_points else None,
        boxes=_float(boxes) if with_box else None,
        again=again,
    )
    return task, _float(covers) / 255


def _float(parts) -> Tensor:
    return torch.from_numpy(np.stack(parts).astype(np.float32))


def _prompt(rng, cover, known, n_points: int, sure: int, box: bool):
    """Points (n, 2), labels (n,) and a box (4,) for one thing, in pixels of the input.

    A point's label says whether it lies on the thing; `sure` of them do, half of these
    far from its border; the others may lie anywhere, most of them near it.
    """
    inside = cover >= 128
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    near = cv2.dilate(inside.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    cells, labels = [], []
    for k in range(n_points):
        label = int(k < sure or rng.random() < 0.35)
        if label:
            deep = rng.random() < 0.5
            among = depth >= 0.6 * depth.max() if deep else inside
        else:
            among = (near if rng.random() < 0.7 else known) & known & (cover < 50)
            among = among if among.any() else known & ~inside
            label = int(not among.any())  # it fills the picture
            among = inside if label else among
        y, x = np.nonzero(among)
        k = rng.integers(len(y))
        cells.append((x[k], y[k]))
        labels.append(label)
    points = np.reshape(cells, (-1, 2)) * CELL + rng.uniform(-0.75, 0.75, (n_points, 2))
    return points, labels, _loose_box(rng, inside, known) if box else ()


def _loose_box(rng, inside: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The thing's box, its sides moved: by about 3 or 12 % of its size, or outwards, as
    those of heat maps are."""
    y, x = np.nonzero(inside)
    box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], float)
    size = np.tile(box[2:] - box[:2], 2)
    how = rng.integers(3)
    moved = rng.normal(0, (0.03, 0.12, 0.05)[how], 4)
    moved += np.array([-1, -1, 1, 1]) * (0 if how < 2 else rng.uniform(0, 0.3))
    y, x = np.nonzero(known)
    most = np.array([x.max() + 1, y.max() + 1] * 2)
    box = np.clip(box + moved * size, 0, most)
    return (box - [0, 0, 1, 1]) * CELL  # SAM adds 0.5: first and last pixel


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
    predicted, true = (logits > 0) & (valid > 0), (cover >= 0.5) & (valid > 0)
    return mask_iou(predicted, true, empty=0.0)


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
    `wslib.metrics.masks`); `count` of the prompts. Boxes are as loose, and
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
    style: Style | None = None,
) -> pd.DataFrame:
    """Train `sam_tiny` and write its weights to `out`; returns the history.

    steps: of `pictures` x `things` prompts each, in rounds of 100. keep: a folder for
    `last.pt` and `history.csv`; the same call goes on there after an interruption.
    start: a file with weights of `sam_tiny` to go on from, instead of random ones.
    style: of the things that are drawn; by default all of them.
    Raises ValueError for numbers below 1 and for a `keep` that holds another run.
    """
    place = pick_device(device)
    sam = load_sam_tiny(start) if start else build_sam_tiny(seed)
    model = Promptable(sam).to(place)
    epochs = max(1, round(steps / STEPS_AN_EPOCH))
    tasks = Tasks(pictures, things, min(steps, STEPS_AN_EPOCH), seed, place, style)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, weight_decay=0.02, betas=(0.9, 0.98)
    )
    about = {"steps": steps, "pictures": pictures, "things": things, "seed": seed}
    about |= {"learning_rate": learning_rate, "start": start and Path(start).name}
    if style:
        about["kinds"] = ", ".join(kind.__name__.strip("_") for kind in style.kinds)
    history = fit(
        *(model, tasks, prompt_loss, optimizer, epochs),
        keep=keep,
        about=about,
        desc="sam_tiny",
    )
    save_sam_tiny(out, sam.cpu(), **about)
    return history
