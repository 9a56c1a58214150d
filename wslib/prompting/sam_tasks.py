"""What `sam_tiny` is asked while it learns: new pictures, and prompts for their things.

All prompts of a task are of one kind: a point; several points, some of them not on the
thing; a box; or both. Everything is in the frame of the network's input: SIZE pixels,
or GRID cells of CELL pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from wslib.data.rendered.drawn.segments import GRID, SIZE, draw_segments

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
        moved = {
            name: value.to(device)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        points = self.points and tuple(part.to(device) for part in self.points)
        return replace(self, **moved, points=points)


class Tasks:
    """`steps` tasks, each with its answers (P, GRID, GRID) in 0..1 and which of their
    cells are known; new ones each time. Raises ValueError for a number below 1."""

    def __init__(self, pictures: int, things: int, steps: int, seed: int, device="cpu"):
        numbers = {"pictures": pictures, "things": things, "steps": steps}
        for name, value in numbers.items():
            if value < 1:
                raise ValueError(f"{name} is {value}, expected 1 or more")
        self.pictures, self.things, self.steps = pictures, things, steps
        self.generator = torch.Generator().manual_seed(seed)
        self.device = device

    def __iter__(self) -> Iterator[tuple[Task, tuple[Tensor, Tensor]]]:
        shares = torch.tensor([kind[-1] for kind in KINDS])
        jobs = []
        for _ in range(self.steps):
            seed = int(torch.randint(2**62, (), generator=self.generator))
            kind = int(torch.multinomial(shares, 1, generator=self.generator))
            again = float(torch.rand((), generator=self.generator)) < AGAIN
            jobs.append((seed, self.pictures, self.things, KINDS[kind][:3], again))
        with ThreadPoolExecutor(1) as ahead:  # draws while the network learns
            waiting = ahead.submit(draw_task, *jobs[0])
            for job in [*jobs[1:], None]:
                task, answers = waiting.result()
                waiting = job and ahead.submit(draw_task, *job)
                truth = answers.to(self.device), task.valid[task.owner].to(self.device)
                yield task.to(self.device), truth


def draw_task(
    seed: int, pictures: int, things: int, kind: tuple[int, int, bool], again=False
) -> tuple[Task, Tensor]:
    """Draw pictures, choose as many `things` of each, by turns where it has fewer, and
    prompts of one `kind` (points, of them surely on the thing, box); see `KINDS`.

    Returns the task and how much of each cell each thing covers, (P, GRID, GRID) in
    0..1. The pictures and things of a seed are the same for all kinds.
    """
    rng = np.random.default_rng(seed)
    drawn = [draw_segments(rng) for _ in range(pictures)]
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
