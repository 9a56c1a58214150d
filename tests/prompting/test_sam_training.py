"""What sam_tiny learns from its tasks, and how that is measured."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

import wslib  # noqa: F401  (lets torchvision import, which segment_anything wants)

# isort: split
from segment_anything import SamPredictor
from torch import Tensor, nn

from wslib.data.rendered.drawn.segments import GRID
from wslib.models.checkpoints import fingerprint, load_checkpoint
from wslib.models.sam_tiny import build_sam_tiny, load_sam_tiny
from wslib.prompting import sam_training as module
from wslib.prompting.sam_training import (
    CELL,
    EXAMINED,
    Promptable,
    draw_task,
    examine,
    grid_iou,
    prompt_loss,
    train,
)

# -------------------------------------------------------------- answers to a task


@pytest.mark.parametrize("kind", [(3, 1, False), (0, 0, True), (1, 1, True)])
@torch.no_grad()
def test_a_task_is_answered_as_by_the_predictor(kind):
    """In both rounds; in the second, with the mask that scored best in the first."""
    model = Promptable(build_sam_tiny(seed=2)).eval()
    task, _ = draw_task(11, 4, 2, kind, again=True)
    logits, scores = model(task)
    assert logits.shape == (16, 4, GRID, GRID) and scores.shape == (16, 4)
    assert not torch.allclose(logits[:8], logits[8:], atol=1e-4)
    predictor = SamPredictor(model.sam)
    for p, owner in enumerate(task.owner.tolist()):
        h, w = (CELL * task.valid[owner].any(1 - axis).sum() for axis in (0, 1))
        picture = task.pictures[owner, :, :h, :w].permute(1, 2, 0)
        predictor.set_image(picture.byte().numpy())
        told = {} if task.boxes is None else {"box": task.boxes[p].numpy()}
        if task.points:
            coords, labels = (part[p].numpy() for part in task.points)
            told |= {"point_coords": coords, "point_labels": labels}
        for k in (p, 8 + p):
            _, score, logit = predictor.predict(**told)
            np.testing.assert_allclose(logits[k, 1:], logit, rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(scores[k, 1:], score, rtol=1e-3, atol=1e-4)
            told["mask_input"] = logit[[score.argmax()]]


def test_one_round_is_the_first_of_two():
    model = Promptable(build_sam_tiny()).eval()
    two, _ = draw_task(3, 1, 2, (1, 1, False), again=True)
    one, _ = draw_task(3, 1, 2, (1, 1, False))
    with torch.no_grad():
        torch.testing.assert_close(model(two)[0][:2], model(one)[0])


# ------------------------------------------------------------------------- the loss

COVER = torch.tensor([[1.0, 0], [0, 0]])
KNOWN = torch.ones(1, 2, 2, dtype=torch.bool)
RIGHT = 40 * COVER - 20  # logits
LOGITS = torch.stack([RIGHT, RIGHT, 0 * COVER, -RIGHT])[None]  # (1, 4, 2, 2)
IOU = torch.tensor([[1.0, 1, 0, 0]])
UNSURE = 4 * math.log(2) + 1 / 3  # Dice: 1 - (2 * 0.5 + 1) / (1 + 1 + 1)
WRONG = 4 * 20 + 0.8  # Dice: 1 - 1 / (3 + 1 + 1)


def loss(logits: Tensor, scores: Tensor, cover=COVER, known=KNOWN) -> float:
    return prompt_loss((logits, scores), (cover[None], known)).item()


def test_what_is_perfect_costs_nothing():
    perfect = RIGHT.expand(1, 4, 2, 2)
    assert loss(perfect, torch.ones(1, 4)) == pytest.approx(0, abs=1e-6)


def test_the_best_of_three_counts_most():
    others = 0.1 * (0 + UNSURE + WRONG) / 3
    assert loss(LOGITS, IOU) == pytest.approx(others, rel=1e-5)
    turned = loss(LOGITS[:, [0, 3, 1, 2]], IOU[:, [0, 3, 1, 2]])
    assert turned == pytest.approx(others, rel=1e-5)


def test_the_single_mask_counts_by_itself():
    single_wrong = LOGITS[:, [3, 1, 1, 1]], IOU[:, [3, 1, 1, 1]]
    assert loss(*single_wrong) == pytest.approx(WRONG, rel=1e-5)
    three_wrong = LOGITS[:, [1, 3, 3, 2]], IOU[:, [1, 3, 3, 2]]
    expected = 0.9 * UNSURE + 0.1 * (2 * WRONG + UNSURE) / 3
    assert loss(*three_wrong) == pytest.approx(expected, rel=1e-5)


def test_the_scores_are_held_to_what_is_so():
    scores = torch.tensor([[1, 0.5, 0, 0.25]])  # of 1, 1, 0, 0
    honesty = loss(LOGITS, scores) - loss(LOGITS, IOU)
    assert honesty == pytest.approx((0.25 + 0.0625) / 4, abs=2e-6)
    logits = LOGITS.clone().requires_grad_()
    wanted = scores.clone().requires_grad_()
    prompt_loss((logits, wanted), (COVER[None], KNOWN)).backward()
    expected = 2 * (scores - IOU) / 4  # no other part of the loss moves them
    torch.testing.assert_close(wanted.grad, expected)
    assert logits.grad.isfinite().all()


def test_the_padding_does_not_count():
    wide = nn.functional.pad(LOGITS, (0, 1), value=50.0)  # sure, and unknown
    known = nn.functional.pad(KNOWN, (0, 1))
    for beyond in (0.0, 1.0):
        cover = nn.functional.pad(COVER, (0, 1), value=beyond)
        assert loss(wide, IOU, cover, known) == pytest.approx(loss(LOGITS, IOU))


def test_two_rounds_are_judged_by_the_same_truth():
    cover = torch.stack([COVER, COVER.T.flip(1)])  # two prompts
    known = KNOWN.expand(2, 2, 2)
    logits = torch.randn(4, 4, 2, 2, generator=torch.Generator().manual_seed(0))
    scores = torch.rand(4, 4, generator=torch.Generator().manual_seed(1))
    both = prompt_loss((logits, scores), (cover, known))
    halves = zip(logits.split(2), scores.split(2), strict=True)
    each = torch.stack([prompt_loss(half, (cover, known)) for half in halves])
    torch.testing.assert_close(both, each.mean())


def test_iou_by_hand():
    logits = torch.tensor([[5.0, 5, -5, -5], [5, 1e-3, 5, -5], [0, 0, 0, 0]])
    cover = torch.tensor([0.5, 1, 0.499, 0])
    valid = torch.ones(1, 1, 1, 4)
    logits = logits[None, :, None]  # (1, 3, 1, 4)
    cover = cover.expand_as(logits)
    assert grid_iou(logits, cover, valid).tolist() == [[1, pytest.approx(2 / 3), 0]]
    valid[..., 0] = 0
    assert grid_iou(logits, cover, valid).tolist() == [[1, 0.5, 0]]
    valid[..., 1] = 0  # nothing is left of the thing, nothing found in the first
    assert grid_iou(logits, cover, valid.bool()).tolist() == [[0, 0, 0]]


# ------------------------------------------------------------------ the examination


class Oracle(nn.Module):
    """Knows the answers: its third mask is right, and says 0.9; the single mask and the
    first are everything, the second is nothing and says 0.2."""

    answers = None

    def __init__(self, sam):
        super().__init__()
        self.sam = sam

    def forward(self, task):
        right = self.answers - 0.5
        right[self.answers == 0.5] = 1e-3
        everything = torch.ones_like(right)
        logits = torch.stack([everything, everything, -everything, right], 1)
        return logits, torch.tensor([0.5, 0.3, 0.2, 0.9]).expand(len(right), 4)


def test_an_oracle_passes_the_examination(monkeypatch):
    shares, batches = {}, {}

    def draw(seed, pictures, things, kind):
        batches.setdefault(kind, []).append((seed, pictures))
        task, Oracle.answers = draw_task(seed, pictures, things, kind)
        known = task.valid[task.owner]
        right = ((Oracle.answers >= 0.5) & known).sum((1, 2)) / known.sum((1, 2))
        shares.setdefault(kind, []).append(right)
        return task, Oracle.answers

    monkeypatch.setattr(module, "draw_task", draw)
    monkeypatch.setattr(module, "Promptable", Oracle)
    frame = examine(build_sam_tiny(), pictures=25).set_index("prompt")
    for prompt, kind in EXAMINED.items():
        row = frame.loc[prompt]
        assert row["chosen"] == row["best_of_3"] == 1
        assert row["single"] == pytest.approx(torch.cat(shares[kind]).mean().item())
        assert row["calibration_error"] == pytest.approx(0.1)
        assert row["count"] == 50
    seeds = {seed for told in batches.values() for seed, _ in told}
    assert len(seeds) == 2  # the same pictures for each kind, no batch twice
    for told in batches.values():  # so that 20 of a card's pictures can be seen again
        assert [pictures for _, pictures in told] == [20, 5]


def test_the_examination_of_a_network():
    sam = build_sam_tiny(seed=4)
    before = fingerprint(sam)
    frame = examine(sam, pictures=3, seed=5)
    assert list(frame.columns) == [
        "prompt", "single", "chosen", "best_of_3", "calibration_error", "count",
    ]  # fmt: skip
    assert frame["prompt"].tolist() == list(EXAMINED)
    assert (frame["count"] == 6).all()
    numbers = frame.set_index("prompt")
    assert ((numbers[["single", "chosen", "best_of_3"]] <= 1).all()).all()
    assert (numbers["chosen"] <= numbers["best_of_3"]).all()
    pd.testing.assert_frame_equal(frame, examine(sam.train(), pictures=3, seed=5))
    assert fingerprint(sam) == before  # no statistics of batches were taken
    other = examine(sam, pictures=3, seed=6)
    assert not frame["best_of_3"].equals(other["best_of_3"])


# ----------------------------------------------------------------------- the training


@pytest.fixture
def small(monkeypatch):
    """Rounds of two steps; each step on two pictures."""
    monkeypatch.setattr(module, "STEPS_AN_EPOCH", 2)
    return {"steps": 4, "pictures": 2, "things": 1, "device": "cpu"}


def test_a_few_steps_leave_a_history_and_a_file(tmp_path, small):
    history = train(tmp_path / "one.pt", **small)
    assert list(history.columns) == ["epoch", "loss", "seconds", "learning_rate"]
    assert history["epoch"].tolist() == [1, 2]
    assert np.isfinite(history["loss"]).all()
    assert history["learning_rate"].tolist() == pytest.approx([1e-3, 5e-4])
    sam = load_sam_tiny(tmp_path / "one.pt")
    assert fingerprint(sam) != fingerprint(build_sam_tiny())
    told = load_checkpoint(tmp_path / "one.pt", sam)
    assert told == {
        "steps": 4, "pictures": 2, "things": 1, "seed": 0, "learning_rate": 1e-3,
            "start": None,
    }  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["one.pt"]
    torch.rand(3)  # other random numbers of the process, the same training
    train(tmp_path / "two.pt", **small)
    assert fingerprint(load_sam_tiny(tmp_path / "two.pt")) == fingerprint(sam)
    train(tmp_path / "three.pt", **small, seed=1)
    assert fingerprint(load_sam_tiny(tmp_path / "three.pt")) != fingerprint(sam)


def test_fewer_steps_than_a_round(tmp_path, small):
    assert len(train(tmp_path / "one.pt", **small | {"steps": 1})) == 1


def test_the_same_call_goes_on(tmp_path, small, monkeypatch, capsys):
    whole = train(tmp_path / "whole.pt", **small)
    steps = []

    def stopping(*told):
        steps.append(told)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return prompt_loss(*told)

    with monkeypatch.context() as patch:
        patch.setattr(module, "prompt_loss", stopping)
        part = train(tmp_path / "tiny.pt", **small, keep=tmp_path / "run")
    assert len(part) == 1 and "stopped after epoch 1 of 2" in capsys.readouterr().err
    kept = {path.name for path in (tmp_path / "run").iterdir()}
    assert kept >= {"last.pt", "history.csv"}
    again = train(tmp_path / "tiny.pt", **small, keep=tmp_path / "run")
    columns = ["epoch", "loss", "learning_rate"]
    pd.testing.assert_frame_equal(again[columns], whole[columns], check_exact=True)
    told = [load_sam_tiny(tmp_path / f"{name}.pt") for name in ("whole", "tiny")]
    assert fingerprint(told[0]) == fingerprint(told[1])
    with pytest.raises(ValueError, match="run") as error:  # another run
        train(tmp_path / "tiny.pt", **small, seed=3, keep=tmp_path / "run")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["steps", "pictures", "things"])
def test_silly_numbers(tmp_path, small, name):
    with pytest.raises(ValueError, match=f"{name} is 0, expected 1 or more"):
        train(tmp_path / "tiny.pt", **small | {name: 0})
    assert not list(tmp_path.iterdir())


def test_an_examination_without_pictures():
    with pytest.raises(ValueError, match="pictures is 0, expected 1 or more"):
        examine(build_sam_tiny(), pictures=0)


def test_training_can_go_on_from_weights(tmp_path):
    sizes = {"steps": 1, "pictures": 1, "things": 1, "device": "cpu"}
    first = tmp_path / "first.pt"
    train(first, **sizes)
    still = {**sizes, "learning_rate": 1e-12, "seed": 5}
    train(tmp_path / "second.pt", **still, start=first)
    one, two = (load_sam_tiny(tmp_path / f"{n}.pt") for n in ("first", "second"))
    for name, weight in one.named_parameters():
        assert torch.equal(weight, two.get_parameter(name)), name
    with pytest.raises(FileNotFoundError, match="none.pt"):
        train(tmp_path / "third.pt", **sizes, start=tmp_path / "none.pt")
