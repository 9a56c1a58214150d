"""Tasks to train on: prompts must say of a thing what is so."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

import wslib  # noqa: F401  (lets torchvision import, which segment_anything wants)

# isort: split
from wslib.data.rendered.drawn.segments import GRID, SIZE
from wslib.models.sam_tiny import IMAGE_SIZE, STRIDE
from wslib.prompting.sam_training import AGAIN, CELL, KINDS, Task, Tasks, draw_task

POINTS, BOX = (5, 1, False), (0, 0, True)


def cells_of(task: Task) -> np.ndarray:
    """The cell at which each point was aimed, (P, n, 2) as x, y."""
    points = task.points[0].numpy()
    cells = np.rint(points / CELL).astype(int)
    assert np.abs(points - CELL * cells).max() <= 0.7501  # pixels, in x and in y
    return cells


def same(one: Task, two: Task) -> bool:
    some, others = parts(one), parts(two)
    return len(some) == len(others) and all(map(torch.equal, some, others))


def parts(task: Task) -> list[torch.Tensor]:
    boxes = [] if task.boxes is None else [task.boxes]
    return [task.pictures, task.valid, task.owner, *(task.points or ()), *boxes]


def test_the_frame_is_the_networks():
    assert (SIZE, GRID, CELL) == (IMAGE_SIZE, 4 * IMAGE_SIZE // STRIDE, 2)
    assert sum(kind[-1] for kind in KINDS) == pytest.approx(1)


@pytest.mark.parametrize("kind", [kind[:3] for kind in KINDS])
def test_shapes_and_ranges(kind):
    n, _, box = kind
    task, covers = draw_task(4, 3, 2, kind)
    assert (task.pictures.shape, task.pictures.dtype) == (
        (3, 3, SIZE, SIZE),
        torch.float32,
    )
    assert task.pictures.min() == 0 and 128 < task.pictures.max() <= 255
    assert task.valid.shape == (3, GRID, GRID) and task.valid.dtype == torch.bool
    assert task.owner.tolist() == [0, 0, 1, 1, 2, 2]
    assert covers.shape == (6, GRID, GRID) and covers.dtype == torch.float32
    assert covers.min() == 0 and 0.5 < covers.max() <= 1
    assert (task.points is None) == (n == 0) and (task.boxes is None) == (not box)
    if n:
        points, labels = task.points
        assert (points.shape, labels.shape) == ((6, n, 2), (6, n))
        assert points.min() > -1 and points.max() < SIZE
        assert set(labels.unique().tolist()) <= {0, 1}
    if box:
        assert task.boxes.shape == (6, 4)
        assert task.boxes.min() >= -CELL and task.boxes.max() <= SIZE - CELL
    assert not task.again and draw_task(4, 1, 1, kind, again=True)[0].again


def test_the_picture_is_known_and_the_padding_is_not():
    task, _ = draw_task(0, 30, 1, POINTS)
    known = task.valid.repeat_interleave(CELL, 1).repeat_interleave(CELL, 2)
    padding = torch.where(known[:, None], 0, task.pictures)
    sides = task.valid.sum(1).amax(1), task.valid.sum(2).amax(1)  # heights, widths
    padding[sides[0] == 42, :, 84] = 0  # half a cell, of which nobody asks
    padding[sides[1] == 42, :, :, 84] = 0
    assert padding.max() == 0
    shapes = set(zip(*(side.tolist() for side in sides), strict=True))
    assert shapes == {(64, 64), (48, 64), (64, 48), (42, 64), (64, 42)}
    assert (task.valid.sum((1, 2)) == sides[0] * sides[1]).all()  # a rectangle


def test_the_seed_decides():
    one, two = (draw_task(7, 3, 2, (3, 1, True)) for _ in range(2))
    assert same(one[0], two[0]) and torch.equal(one[1], two[1])
    assert not same(one[0], draw_task(8, 3, 2, (3, 1, True))[0])
    box = draw_task(7, 3, 2, BOX)
    assert torch.equal(one[0].pictures, box[0].pictures)  # whatever is asked
    assert torch.equal(one[1], box[1])


def test_points_lie_where_their_labels_say():
    seen = np.zeros(2, int)
    for seed in range(40):
        task, covers = draw_task(seed, 3, 2, POINTS)
        labels = task.points[1].numpy().astype(bool)
        for cells, label, cover, owner in zip(
            cells_of(task), labels, covers.numpy(), task.owner, strict=True
        ):
            there = cover[cells[:, 1], cells[:, 0]]  # not [x, y]
            assert (there[label] >= 0.5).all() and (there[~label] < 0.5).all()
            known = task.valid[owner].numpy()[cells[:, 1], cells[:, 0]]
            assert known[~label].all()
            seen += (label.sum(), (~label).sum())
        assert labels[:, 0].all()  # the first is surely on the thing
    assert seen.min() > 400  # of 1,200


def test_a_point_alone_is_often_deep_inside():
    """Half of them are no nearer to the border than 0.6 of what is possible."""
    from scipy.ndimage import distance_transform_edt

    depths = []
    for seed in range(20):
        task, covers = draw_task(seed, 5, 2, (1, 1, False))
        for [(x, y)], cover in zip(cells_of(task), covers.numpy(), strict=True):
            depth = distance_transform_edt(cover >= 128 / 255)
            depths.append(depth[y, x] / depth.max())
    assert 0.5 < (np.array(depths) > 0.55).mean() < 0.9
    assert (np.array(depths) < 0.4).mean() > 0.1


def test_things_are_asked_for_by_turns():
    for seed in range(10):
        task, covers = draw_task(seed, 2, 6, POINTS)
        for picture in range(2):
            flat = covers[task.owner == picture].flatten(1)
            _, counts = flat.unique(dim=0, return_counts=True)
            assert counts.max() - counts.min() <= 1


def box_against_thing(box, cover) -> tuple[float, float]:
    """The share of the thing in the box, and its box's IoU with the tight one. The last
    cell of a box is a part of it."""
    y, x = np.nonzero(cover >= 128 / 255)
    x1, y1, x2, y2 = np.array(box) / CELL + [0, 0, 1, 1]
    inside = (x1 <= x + 0.5) & (x + 0.5 < x2) & (y1 <= y + 0.5) & (y + 0.5 < y2)
    tight = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
    low, high = np.maximum(tight[:2], (x1, y1)), np.minimum(tight[2:], (x2, y2))
    both = (high - low).clip(0).prod()
    union = (tight[2:] - tight[:2]).prod() + (x2 - x1) * (y2 - y1) - both
    return inside.mean(), both / union


def test_boxes_hold_the_thing_tightly_or_loosely():
    measured = []
    for seed in range(40):
        task, covers = draw_task(seed, 4, 2, BOX)
        pairs = zip(task.boxes.numpy(), covers.numpy(), strict=True)
        measured += [box_against_thing(*pair) for pair in pairs]
    share, iou = np.array(measured).T
    assert share.mean() > 0.93 and np.quantile(share, 0.05) > 0.7
    assert 0.25 < (iou > 0.85).mean() < 0.6  # the tight third, and some of the others
    assert share[iou > 0.85].min() > 0.85
    assert 0.05 < (iou < 0.55).mean() < 0.4  # larger, as those of heat maps are


def test_tasks_repeat_with_their_seed_and_go_on_with_new_ones():
    one, two = (Tasks(2, 2, 6, seed=3) for _ in range(2))
    first = list(one)
    assert len(first) == 6
    for (task, truth), (other, others) in zip(first, two, strict=True):
        assert same(task, other) and task.again == other.again
        assert all(torch.equal(a, b) for a, b in zip(truth, others, strict=True))
    after = list(one)
    assert not any(same(a[0], b[0]) for a, b in zip(first, after, strict=True))
    state = two.generator.get_state()  # after one round: what a resumed run knows
    three = Tasks(2, 2, 6, seed=99)
    three.generator.set_state(state)
    assert all(same(a[0], b[0]) for a, b in zip(after, three, strict=True))


def test_tasks_bring_their_answers():
    for task, (cover, valid) in Tasks(3, 2, 3, seed=0):
        assert cover.shape == valid.shape == (6, GRID, GRID)
        assert torch.equal(valid, task.valid[task.owner])


def test_the_kinds_have_their_shares(monkeypatch):
    """400 steps, none of them drawn."""
    drawn, drawing = [], draw_task(0, 1, 1, (1, 1, False))

    def note(seed, pictures, things, kind, again, style):
        drawn.append((kind, again))
        return drawing

    monkeypatch.setattr("wslib.prompting.sam_training.draw_task", note)
    list(Tasks(1, 1, 400, seed=1))
    for *kind, share in KINDS:
        count = sum(k == tuple(kind) for k, _ in drawn)
        assert count == pytest.approx(400 * share, abs=3.5 * (400 * share) ** 0.5)
    again = np.mean([a for _, a in drawn])
    assert again == pytest.approx(AGAIN, abs=0.08)


def test_leaving_early_ends_the_thread():
    before = threading.active_count()
    for _ in Tasks(1, 1, 50, seed=0):
        break
    assert threading.active_count() == before


def test_a_task_moves_as_a_whole():
    task, _ = draw_task(0, 1, 2, (2, 1, True))
    there = task.to("meta")
    assert all(part.is_meta for part in parts(there))
    assert isinstance(there.points, tuple) and there.again == task.again
    alone, _ = draw_task(0, 1, 2, BOX)
    assert alone.to("cpu").points is None
