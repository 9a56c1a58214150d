"""WSDDN: what its two streams are together, and its losses in two loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wslib.models.wsddn import (
    BOUND,
    WSDDN,
    ProposalBatch,
    ProposalScores,
    image_loss,
    spatial_regulariser,
)

D, N = 5, 4  # numbers a box, classes


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def drawn(seed=0, scale=1.0, **options) -> WSDDN:
    """A network whose streams, which begin at 0, are drawn."""
    torch.manual_seed(seed)
    model = WSDDN(D, N, **options)
    for k, weight in enumerate(model.parameters()):
        weight.data = scale * draw(*weight.shape, seed=10 * seed + k)
    return model


def some(images=2, proposals=6, seed=0, scale=1.0) -> ProposalBatch:
    features = scale * draw(images, proposals, 2 * D, seed=seed)
    return ProposalBatch(features, torch.ones(images, proposals, dtype=torch.bool))


KINDS = [{}, {"contrast": False}, {"hidden": 3}, {"contrast": False, "hidden": 3}]


# Known answers


@pytest.mark.parametrize("options", KINDS)
def test_it_is_the_product_of_two_softmaxes(options):
    model, proposals = drawn(**options), some()
    box, around = proposals.features.chunk(2, 2)
    if options.get("hidden"):
        box, around = model.read(box), model.read(around)
    shown = box - around if options.get("contrast", True) else box
    classes = box @ model.classify.weight.T + model.classify.bias
    where = shown @ model.locate.weight.T
    expected = torch.zeros(2, 6, N)
    for b in range(2):
        for p in range(6):
            for c in range(N):
                which = classes[b, p, c].exp() / classes[b, p].exp().sum()
                share = where[b, p, c].exp() / where[b, :, c].exp().sum()
                expected[b, p, c] = which * share
    scored = model(proposals)
    torch.testing.assert_close(scored.proposals, expected)
    torch.testing.assert_close(scored.image, expected.sum(1))
    torch.testing.assert_close(scored.hidden, box)


def class_softmax(model: WSDDN, proposals: ProposalBatch) -> torch.Tensor:
    box = proposals.features.chunk(2, 2)[0]
    return model.classify(model.read(box)).softmax(2)  # (B, P, n)


@pytest.mark.parametrize("options", KINDS)
def test_uniform_detection_logits_give_the_mean_of_the_class_softmax(options):
    model, proposals = drawn(**options), some()
    torch.nn.init.zeros_(model.locate.weight)
    scored, which = model(proposals), class_softmax(model, proposals)
    torch.testing.assert_close(scored.image, which.mean(1))
    torch.testing.assert_close(scored.proposals, which / 6)


@pytest.mark.parametrize("options", KINDS)
def test_one_proposal_gives_the_class_softmax(options):
    model, proposals = drawn(**options), some(3, 1)
    scored, which = model(proposals), class_softmax(model, proposals)
    torch.testing.assert_close(scored.image, which[:, 0])
    torch.testing.assert_close(scored.image.sum(1), torch.ones(3))


def test_at_first_all_are_alike():
    scored = WSDDN(D, N)(some())
    torch.testing.assert_close(scored.image, torch.full((2, N), 1 / N))
    torch.testing.assert_close(scored.proposals, torch.full((2, 6, N), 1 / N / 6))
    image_loss(scored, torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0]])).backward()


def test_both_streams_learn_from_where_they_begin():
    model = WSDDN(D, N)
    labels = torch.tensor([[1, 0, 0, 0], [0, 1, 0, 0]])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):  # what `locate` learns hangs on what `classify` says
        optimizer.zero_grad()
        image_loss(model(some()), labels).backward()
        optimizer.step()
    assert all(p.grad.abs().max() > 0 for p in model.parameters())


# What it must not depend on


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1000),
    scale=st.sampled_from([0.1, 1.0, 30.0, 1e4]),
    proposals=st.integers(1, 9),
    padding=st.integers(0, 3),
    options=st.sampled_from(KINDS),
)
def test_scores_of_images_lie_in_0_to_1(seed, scale, proposals, padding, options):
    model = drawn(seed, scale, **options)
    batch = some(3, proposals + padding, seed, scale)
    batch.real[:, proposals:] = False
    scored = model(batch)
    assert torch.isfinite(scored.proposals).all()
    assert (scored.proposals >= 0).all()
    assert (scored.image >= 0).all() and (scored.image <= 1).all()
    assert (scored.proposals.sum(1) <= 1 + 1e-5).all()


def test_a_sum_that_is_above_1_by_rounding():
    model = WSDDN(D, 1)
    model.locate.weight.data = draw(1, D)
    scored = model(some(40, 37))
    assert scored.proposals.sum(1).max() > 1 and scored.image.max() == 1


@pytest.mark.parametrize("options", KINDS)
def test_the_order_of_the_proposals_means_nothing(options):
    model, proposals = drawn(**options), some()
    proposals.real[1, 2] = False
    order = torch.randperm(6, generator=torch.Generator().manual_seed(3))
    shuffled = model(
        ProposalBatch(proposals.features[:, order], proposals.real[:, order])
    )
    scored = model(proposals)
    torch.testing.assert_close(shuffled.proposals, scored.proposals[:, order])
    torch.testing.assert_close(shuffled.hidden, scored.hidden[:, order])
    torch.testing.assert_close(shuffled.image, scored.image)


@pytest.mark.parametrize("options", KINDS)
def test_rows_that_only_fill_up_change_nothing(options):
    model, proposals = drawn(**options), some()
    filling = 100 * draw(2, 3, 2 * D, seed=7)
    features = torch.cat([proposals.features, filling], 1)
    real = torch.cat([proposals.real, torch.zeros(2, 3, dtype=torch.bool)], 1)
    filled, scored = model(ProposalBatch(features, real)), model(proposals)
    torch.testing.assert_close(filled.image, scored.image)
    torch.testing.assert_close(filled.proposals[:, :6], scored.proposals)
    assert filled.proposals[:, 6:].abs().max() == 0


def test_rows_that_only_fill_up_teach_nothing():
    model, proposals = drawn(hidden=3), some()
    proposals.real[:, 4:] = False
    proposals.features.requires_grad_()
    image_loss(model(proposals), torch.eye(N)[:2]).backward()
    assert proposals.features.grad[:, 4:].abs().max() == 0
    assert proposals.features.grad[:, :4].abs().min() > 0


def test_one_image_does_not_hear_of_another():
    model, proposals = drawn(), some(3)
    together = model(proposals)
    alone = model(ProposalBatch(proposals.features[1:2], proposals.real[1:2]))
    torch.testing.assert_close(alone.proposals, together.proposals[1:2])


@pytest.mark.parametrize("hidden", [0, 3])
def test_without_contrast_nothing_is_said_about_the_surroundings(hidden):
    proposals = some()
    other = proposals.features.clone()
    other[..., D:] = draw(2, 6, D, seed=5)
    around = proposals._replace(features=other)
    model = drawn(contrast=False, hidden=hidden)
    assert torch.equal(model(proposals).proposals, model(around).proposals)
    model = drawn(contrast=True, hidden=hidden)
    assert not torch.allclose(model(proposals).proposals, model(around).proposals)


@pytest.mark.parametrize("hidden", [0, 3])
def test_boxes_that_look_as_what_is_around_them_are_alike(hidden):
    model, proposals = drawn(hidden=hidden), some()
    proposals.features[..., D:] = proposals.features[..., :D]
    which = class_softmax(model, proposals)
    torch.testing.assert_close(model(proposals).proposals, which / 6)


# Standardised features


def test_the_numbers_of_the_boxes_are_standardised():
    model, proposals = WSDDN(D, N), some(4, 30)
    proposals.features[..., :D] = 3 * proposals.features[..., :D] + 7
    proposals.features[..., D:] += 1000  # what is around them does not count
    proposals.real[:, 20:] = False
    proposals.features[:, 20:] = -500
    proposals.features.requires_grad_()
    model.standardise(proposals)
    assert not model.mean.requires_grad and not model.std.requires_grad
    boxes = proposals.features[:, :20, :D].reshape(-1, D)
    torch.testing.assert_close(model.mean, boxes.detach().mean(0))
    torch.testing.assert_close(model.std, boxes.detach().std(0) + 0.01)
    hidden = model(proposals).hidden[:, :20].reshape(-1, D)
    torch.testing.assert_close(hidden.mean(0), torch.zeros(D), atol=1e-5, rtol=0)
    assert ((hidden.std(0) > 0.98) & (hidden.std(0) < 1)).all()


def test_both_halves_are_standardised_alike_and_bounded():
    model = drawn()
    model.mean.fill_(2.0)
    model.std.fill_(4.0)
    proposals = some(scale=10)
    plain = drawn()
    same = (proposals.features - 2) / 4
    torch.testing.assert_close(
        model(proposals).proposals, plain(proposals._replace(features=same)).proposals
    )
    proposals.features[0, 0, 0] = 1e6
    assert model(proposals).hidden[0, 0, 0] == BOUND
    proposals.features[0, 0, 0] = -1e6
    assert model(proposals).hidden[0, 0, 0] == -BOUND


def test_a_feature_that_never_changes_is_no_number_divided_by_zero():
    model, proposals = drawn(), some()
    proposals.features[..., 1] = 3.0
    model.standardise(proposals)
    assert torch.isfinite(model(proposals).proposals).all()


def test_its_state_holds_the_standard():
    model, other = drawn(hidden=3), drawn(seed=2, hidden=3)
    model.standardise(some(scale=4))
    other.load_state_dict(model.state_dict())
    parts = ("mean", "std", "read.weight", "read.bias")
    streams = ("classify.weight", "classify.bias", "locate.weight")
    assert set(model.state_dict()) == {*parts, *streams}  # a bias locates nothing
    assert torch.equal(model(some()).proposals, other(some()).proposals)


# The losses


def scored_as(image) -> ProposalScores:
    image = torch.tensor(image)
    return ProposalScores(image, image[:, None], image[:, None])


def test_the_loss_by_hand():
    scored = scored_as([[0.8, 0.25], [0.5, 0.1]])
    expected = -math.log(0.8 * 0.75) / 2 - math.log(0.5 * 0.1) / 2
    loss = image_loss(scored, torch.tensor([[1, 0], [0, 1]]))
    assert loss.item() == pytest.approx(expected)


def test_a_label_of_minus_one_says_nothing():
    scored = scored_as([[0.8, 0.25], [0.5, 0.1]])
    loss = image_loss(scored, torch.tensor([[1, -1], [-1, -1]]))
    assert loss.item() == pytest.approx(-math.log(0.8) / 2)  # a mean over both images
    scored.image.requires_grad_()
    image_loss(scored, torch.tensor([[1, -1], [0, 1]])).backward()
    assert scored.image.grad[0, 1] == 0 and scored.image.grad[0, 0] < 0


@pytest.mark.parametrize("scale", [1e2, 1e4, 1e8])
def test_no_nan_at_extreme_logits(scale):
    model, proposals = drawn(scale=scale, hidden=3), some(scale=scale)
    proposals.real[0, 1:] = False
    for labels in (torch.zeros(2, N), torch.ones(2, N), -torch.ones(2, N)):
        model.zero_grad()
        scored = model(proposals)
        loss = image_loss(scored, labels.long())
        loss = loss + spatial_regulariser(scored, labels, nested(6).expand(2, -1, -1))
        loss.backward()
        assert torch.isfinite(loss)
        assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_no_nan_where_the_score_is_exactly_0_or_1():
    scored = scored_as([[0.0, 1.0, 0.0, 1.0]])
    scored.image.requires_grad_()
    loss = image_loss(scored, torch.tensor([[0, 1, 1, 0]]))
    loss.backward()
    assert loss.item() == pytest.approx(2 * -math.log(1e-6), rel=0.01)
    assert torch.isfinite(scored.image.grad).all()


# The spatial regulariser


def nested(count: int) -> torch.Tensor:
    """Boxes (count, 4), one in the other."""
    sides = torch.linspace(0.9, 0.5, count)
    return torch.stack([sides * 0, sides * 0, sides, sides], 1)


def iou(a, b) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def slowly(scored: ProposalScores, labels, boxes, overlap) -> float:
    B, P, n = scored.proposals.shape
    total = 0.0
    for b in range(B):
        for c in range(n):
            if labels[b, c] != 1:
                continue
            best = max(range(P), key=lambda p, b=b, c=c: scored.proposals[b, p, c])
            weight = float(scored.proposals[b, best, c]) ** 2 / 2
            for p in range(P):
                real = any(boxes[b, p].tolist())
                if (
                    real
                    and iou(boxes[b, best].tolist(), boxes[b, p].tolist()) >= overlap
                ):
                    step = scored.hidden[b, best] - scored.hidden[b, p]
                    total += weight * float((step**2).sum())
    return total / (B * n)


def some_scored(seed: int, B=3, P=12, H=5):
    """Scores, labels of all three kinds and boxes that often overlap; the last two
    rows of each image only fill up."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(B, P, N, generator=generator) / P
    corners = torch.rand(B, P, 2, 2, generator=generator) * 0.25
    boxes = torch.cat([corners[:, :, 0], 1 - corners[:, :, 1]], 2)
    scores[:, -2:], boxes[:, -2:] = 0, 0
    labels = torch.randint(-1, 2, (B, N), generator=generator)
    return (
        ProposalScores(scores.sum(1), scores, draw(B, P, H, seed=seed)),
        labels,
        boxes,
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("overlap", [0.3, 0.6, 0.9])
def test_the_regulariser_is_its_formula(seed, overlap):
    scored, labels, boxes = some_scored(seed)
    found = spatial_regulariser(scored, labels, boxes, overlap)
    expected = slowly(scored, labels, boxes, overlap)
    assert expected > 0 or overlap == 0.9
    assert found.item() == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_the_regulariser_by_hand():
    """Boxes of IoU 0.6 with the best count, at 0.5 they don't."""
    boxes = torch.tensor([[[0, 0, 1, 0.625], [0, 0, 1, 0.375], [0, 0, 1, 0.3125]]])
    scores = torch.tensor([[[0.5, 0.0], [0.1, 0.0], [0.2, 0.4]]])
    hidden = torch.tensor([[[1.0, 2.0], [3.0, 2.0], [9.0, 9.0]]])
    scored = ProposalScores(scores.sum(1), scores, hidden)
    labels = torch.tensor([[1, 0]])
    value = spatial_regulariser(scored, labels, boxes)  # 1/2 * 0.25 * 2^2 / (1 * 2)
    assert value.item() == pytest.approx(0.25)
    doubled = ProposalScores(scored.image, 2 * scores, hidden)
    value = spatial_regulariser(doubled, labels, boxes)
    assert value.item() == pytest.approx(1.0)
    # by the other class the last box is best; of the others only the second is near
    value = spatial_regulariser(scored, torch.tensor([[-1, 1]]), boxes)
    assert value.item() == pytest.approx(0.16 / 2 * (6**2 + 7**2) / 2)


def test_boxes_far_apart_are_no_neighbours():
    """Nor are those that only touch, or two without an area at one place."""
    best = [0.0, 0.0, 0.3, 0.3]
    others = [[0.6, 0.6, 0.9, 0.9], [0.3, 0, 0.6, 0.3], [0.1, 0.1, 0.1, 0.1]]
    boxes = torch.tensor([[best, *others]])
    scores = torch.tensor([[[0.5], [0.1], [0.1], [0.1]]])
    scored = ProposalScores(scores.sum(1), scores, draw(1, 4, 3))
    labels = torch.tensor([[1]])
    assert spatial_regulariser(scored, labels, boxes, 0.01).item() == 0
    flat = torch.tensor([others[2] for _ in range(4)])[None]
    assert spatial_regulariser(scored, labels, flat, 0.01).item() == 0


def test_boxes_that_are_alike_cost_nothing():
    scored, labels, boxes = some_scored(0)
    same = scored._replace(hidden=torch.ones_like(scored.hidden))
    assert spatial_regulariser(same, labels, boxes).item() == 0


def test_nothing_present_costs_nothing():
    scored, labels, boxes = some_scored(0)
    scored.hidden.requires_grad_()
    value = spatial_regulariser(scored, labels.clamp(max=0), boxes)
    value.backward()
    assert value.item() == 0 and scored.hidden.grad.abs().max() == 0


def test_the_scores_are_taken_as_they_are():
    scored, labels, boxes = some_scored(1)
    for part in scored:
        part.requires_grad_()
    spatial_regulariser(scored, labels, boxes).backward()
    assert scored.proposals.grad is None and scored.image.grad is None
    assert scored.hidden.grad.abs().max() > 0
    assert scored.hidden.grad[:, -2:].abs().max() == 0  # they only fill up


def test_a_row_that_only_fills_up_is_no_neighbour_whatever_overlaps():
    scored, labels, boxes = some_scored(2)
    found = spatial_regulariser(scored, labels, boxes, overlap=0)
    fewer = ProposalScores(
        scored.image, scored.proposals[:, :-2], scored.hidden[:, :-2]
    )
    expected = spatial_regulariser(fewer, labels, boxes[:, :-2], overlap=0)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "counts", [{"inputs": 0}, {"num_classes": 0}, {"hidden": -1}], ids=str
)
def test_errors(counts):
    given = {"inputs": D, "num_classes": N, "hidden": 0} | counts
    told = f"inputs {given['inputs']}, num_classes {given['num_classes']}, hidden "
    with pytest.raises(ValueError, match=f"{told}{given['hidden']}: expected 1") as e:
        WSDDN(**given)
    assert "\n" not in str(e.value)
