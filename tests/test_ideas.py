"""The lines of an idea that stand in a chapter compute what the package computes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch.nn.utils.rnn import pad_sequence

from wslib.boxes.boxes import boxes_from_heatmap
from wslib.boxes.nms import nms
from wslib.cam import CAM, GradCAM
from wslib.metrics.faithfulness import insertion_deletion, replaced
from wslib.metrics.overlap import box_iou, generalised_iou, mask_iou
from wslib.models.classifiers import Classifier, build_classifier
from wslib.models.dense import at_each_place
from wslib.models.localizers import POOLINGS, pool_map
from wslib.models.sam import sam_predictor
from wslib.models.wsddn import WSDDN, ProposalBatch
from wslib.prompting.pipelines import (
    BasicSamPipeline,
    ForegroundBackgroundPipeline,
    ForegroundPipeline,
)
from wslib.prompting.points import background_points, weighted_centre
from wslib.prompting.prompter import Prompter
from wslib.training.losses import DetectorLoss
from wslib.weak.proposal_features import SAMPLES, roi_align
from wslib.workbook.sources.chapter import Chapter, code_cells

CHAPTERS = Path(__file__).resolve().parents[1] / "chapters"


def functions(chapter: str, *names: str):
    """The functions and classes of a chapter, by their names, without what the chapter
    runs."""
    tree = ast.parse(next(CHAPTERS.glob(f"{chapter}_*.py")).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.ClassDef
    there = {node.name: node for node in tree.body if isinstance(node, kinds)}
    space = {"torch": torch, "np": np, "box_iou": box_iou, "ndimage": ndimage, "F": F}
    space |= {"BasicSamPipeline": BasicSamPipeline, "pad_sequence": pad_sequence}
    space |= {"background_points": background_points}
    wanted = ast.Module([there[name] for name in names], [])
    exec(compile(wanted, chapter, "exec"), space)
    return [space[name] for name in names]


def lines(chapter: str, *beginnings: str) -> str:
    """The code cells of a chapter that begin so, one after the other."""
    file = next(CHAPTERS.glob(f"{chapter}_*.py"))
    cells = [cell.source for cell in code_cells(Chapter(file).notebook())]
    bare = [re.sub(r"^#\|.*\n", "", source, flags=re.M) for source in cells]
    found = [[s for s in bare if s.startswith(words)] for words in beginnings]
    return "\n".join(source for (source,) in found)


def test_cam_and_gradcam_by_hand():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3), torch.nn.ReLU())
    model = Classifier("tiny", layers, torch.nn.Linear(5, 4)).eval()
    images, targets, last = torch.randn(2, 3, 8, 9), [2, 0], [model.target_layer]
    space = {"torch": torch, "model": model, "images": images, "targets": targets}
    cells = ("with torch.no_grad():\n    A =", "M = torch", "A = A.requires_grad_()")
    exec(lines("01", *cells), space)
    of_cam, of_gradcam = (
        m(model, last).explain(images, targets) for m in (CAM, GradCAM)
    )
    torch.testing.assert_close(space["M"], of_cam.raw[0][0])
    torch.testing.assert_close(space["L"], of_gradcam.raw[0][:1])
    torch.testing.assert_close(space["y_c"], of_cam.logits[0, 2])


def test_the_area_below_a_deletion():
    (deletion,) = functions("01", "deletion")
    images, maps = torch.rand(2, 3, 6, 7), torch.rand(2, 6, 7)
    blank = torch.rand(2, 3, 6, 7)
    curves = insertion_deletion(
        lambda x, _: x.amax((1, 2, 3)), replaced(images, blank), maps, 5
    )
    for i, area in enumerate(curves.areas()[1]):
        ours = deletion(torch.max, images[i], blank[i], maps[i], 5)
        torch.testing.assert_close(ours, area)


def test_a_head_as_a_map():
    (head_as_map,) = functions("02", "head_as_map")
    A, head = torch.randn(2, 5, 3, 4), torch.nn.Linear(5, 6)
    M, y = head_as_map(A, head.weight, head.bias)
    torch.testing.assert_close(M, at_each_place(head, A, bias=False))
    torch.testing.assert_close(y, head(A.mean((2, 3))))


def test_from_a_map_to_boxes():
    (boxes_of,) = functions("02", "boxes_of")
    draws = np.random.default_rng(0)
    for t in (0.3, 0.6, 0.9):
        M = draws.random((9, 12))
        ours = np.array(boxes_of(M, t))
        np.testing.assert_allclose(ours, boxes_from_heatmap(M, t, max_boxes=99))


def test_iou_of_boxes():
    (iou,) = functions("02", "iou")
    corners = np.sort(np.random.default_rng(0).random((2, 50, 2, 2)), axis=2)
    a, b = corners.reshape(2, 50, 4)
    ours = [iou(*pair) for pair in zip(a, b, strict=True)]
    np.testing.assert_allclose(ours, box_iou(a, b))
    assert min(ours) == 0 < max(ours)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_pooling(pooling):
    (pool,) = functions("03", "pool")
    x = torch.randn(3, 4, 5, 6)
    torch.testing.assert_close(pool(x, pooling), pool_map(x, pooling))


def test_features_of_a_box():
    _, features_of = functions("03", "weights_of", "features_of")
    A = torch.randn(7, 9, 11)
    for box in ([0.1, 0.2, 0.65, 0.9], [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5]):
        features, weights = features_of(box, A)
        aligned = roi_align(A, torch.tensor([box]), 1, SAMPLES)[0, :, 0, 0]
        torch.testing.assert_close(features, aligned)
        assert float(weights.sum()) == pytest.approx(1)


def test_scores_of_wsddn():
    (wsddn_scores,) = functions("03", "wsddn_scores")
    model = WSDDN(5, 4, contrast=False)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    features = torch.randn(1, 6, 10)  # of the box and of what is around it
    box = features[0, :, :5]
    s, y = wsddn_scores(model.classify(box), model.locate(box))
    scored = model(ProposalBatch(features, torch.ones(1, 6, dtype=torch.bool)))
    # The model standardises by mean 0 and deviation 1, and so changes nothing here.
    torch.testing.assert_close(s, scored.proposals[0])
    torch.testing.assert_close(y, scored.image[0])


def test_suppression():
    (suppress,) = functions("03", "suppress")
    corners = torch.rand(40, 2, 2).sort(1).values  # (P, low and high, x and y)
    boxes, scores = corners.reshape(40, 4), torch.rand(40).round(decimals=1)
    for overlap in (0.1, 0.4, 0.8):
        kept = torch.stack(suppress(boxes, scores, overlap))
        assert torch.equal(kept, nms(boxes, scores, overlap))


def test_the_loss_of_two_heads():
    area, giou, loss = functions("05", "area", "giou", "loss")
    loss.__globals__.update(area=area, giou=giou)
    giou.__globals__.update(area=area)
    torch.manual_seed(0)
    z, b, y = torch.randn(6, 3), torch.rand(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    t = torch.tensor([[0.1, 0.2, 0.5, 0.9]]).repeat(6, 1)
    other = t + torch.linspace(0, 1, 6)[:, None]
    torch.testing.assert_close(giou(other, t), generalised_iou(other, t))
    t[2] = torch.nan  # not known
    for weight in (0.0, 1.0, 2.5):
        expected = DetectorLoss("giou", weight)((z, b), (y, t))
        torch.testing.assert_close(loss(z, b, y, t, weight), expected)


@pytest.fixture(scope="module")
def classifier():
    return build_classifier("efficientnet_lite0", 5, seed=1)


def smooth(*shape: int, seed: int = 0, sigma: float = 4.0) -> np.ndarray:
    """Noise from 0 to 1 that looks like heat maps, or like pictures."""
    noise = np.random.default_rng(seed).random(shape)
    noise = ndimage.gaussian_filter(noise, (0, *[0] * (len(shape) - 3), sigma, sigma))
    return (noise - noise.min()) / np.ptp(noise)


@pytest.mark.parametrize("names", [["stage6"], ["stage3", "stage5"]])
@pytest.mark.parametrize("targets", [None, [4, 0, 4]])
def test_grad_cam_by_hand(classifier, names, targets):
    _, by_hand = functions("04", "heat_map", "GradCAM")
    layers = [getattr(classifier.features, name) for name in names]
    images = torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    maps = by_hand(classifier, layers)(images, targets)
    assert maps.shape == (3, 64, 96)
    assert maps.min() >= 0 and (len(names) > 1 or maps.max() == pytest.approx(1))
    expected = GradCAM(classifier, layers)(images, targets)
    np.testing.assert_allclose(maps, expected, atol=1e-4)
    assert not any(layer._forward_hooks for layer in layers)


def test_grad_cam_by_hand_of_a_constant_map_is_zero():
    (heat_map,) = functions("04", "heat_map")
    A = torch.ones(2, 3, 4, 5)
    assert not heat_map(A, A, (8, 10)).any()


def test_centre_of_mass():
    (centre_of_mass,) = functions("04", "centre_of_mass")
    for L in smooth(40, 24, 32):
        for t in (0.3, 0.6, 0.9):
            expected = weighted_centre(L, t)[0]
            np.testing.assert_allclose(centre_of_mass(L, t), expected)
    c_shape = np.zeros((9, 9))
    c_shape[1:8, 1] = c_shape[1, 1:8] = c_shape[7, 1:8] = 1
    nearest = centre_of_mass(c_shape, 0.5)
    assert c_shape[nearest[1], nearest[0]]
    np.testing.assert_array_equal(nearest, weighted_centre(c_shape, 0.5)[0])


def test_iou_of_masks():
    (iou,) = functions("04", "iou")
    a, b = smooth(2, 30, 9, 11, sigma=1) > 0.5
    ours = [iou(*pair) for pair in zip(a, b, strict=True)]
    np.testing.assert_allclose(ours, mask_iou(a, b))


@pytest.mark.parametrize(
    "name, package",
    [
        ("Foreground", ForegroundPipeline),
        ("ForegroundBackground", ForegroundBackgroundPipeline),
    ],
)
def test_pipelines_that_override_call(classifier, name, package):
    _, by_hand = functions("04", "centre_of_mass", name)
    assert issubclass(by_hand, BasicSamPipeline) and "__call__" in vars(by_hand)
    settings = (
        Prompter(sam_predictor("sam_tiny", torch.device("cpu"))),
        GradCAM(classifier, [classifier.features.stage6]),
        (96, 128),
    )
    pixels = (255 * smooth(4, 3, 48, 64)).astype(np.uint8)
    images = classifier.normalize(torch.from_numpy(pixels) / 255)
    masks = by_hand(*settings)(images)
    assert masks.shape == (4, 48, 64) and masks.dtype == torch.bool
    expected = package(*settings, foreground=weighted_centre)(images)
    assert torch.equal(masks, expected) and masks.any()
