"""The small SAM: it is one, through and through, and its file is what its card says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import wslib  # noqa: F401  (lets torchvision import, which segment_anything wants)

# isort: split
from scipy.stats import spearmanr
from segment_anything import SamPredictor
from torch import nn

from wslib.metrics.overlap import mask_iou
from wslib.models.checkpoints import fingerprint, load_checkpoint, save_checkpoint
from wslib.models.sam_tiny import (
    CARD,
    DIM,
    IMAGE_SIZE,
    STRIDE,
    WEIGHTS,
    WITHOUT_SHAPES,
    build_sam_tiny,
    decode,
    load_sam_tiny,
    read_card,
    save_sam_tiny,
)
from wslib.prompting.sam_training import Promptable, draw_task, examine, grid_iou

MEGABYTE = 10**6

LOGITS = 4 * IMAGE_SIZE // STRIDE  # side of the low-resolution masks


@pytest.fixture(scope="module")
def sam():
    return build_sam_tiny(seed=1)


def picture(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(height + width)
    return rng.integers(256, size=(height, width, 3), dtype=np.uint8)


def line(error) -> str:
    """What an error says, after a look whether it is one line."""
    assert "\n" not in str(error.value)
    return str(error.value)


# -------------------------------------------------------------------- the network


def test_its_size(sam):
    assert 1e6 < sum(p.numel() for p in sam.parameters()) < 2e6
    assert not sam.training
    with torch.no_grad():
        embedding = sam.image_encoder(torch.zeros(2, 3, IMAGE_SIZE, IMAGE_SIZE))
    assert embedding.shape == (2, DIM, IMAGE_SIZE // STRIDE, IMAGE_SIZE // STRIDE)
    assert sam.prompt_encoder.mask_input_size == (LOGITS, LOGITS)


def test_the_seed_decides_and_the_callers_numbers_stay():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, same, other = (fingerprint(build_sam_tiny(seed)) for seed in (0, 0, 1))
    assert one == same != other
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("height", "width"),
    [(128, 128), (48, 64), (30, 500), (333, 40), (1, 1), (2, 3), (900, 1200)],
)
def test_pictures_of_any_size(sam, height, width):
    predictor = SamPredictor(sam)
    predictor.set_image(picture(height, width))
    assert predictor.features.shape == (1, DIM, 16, 16)
    point = np.array([[width - 1, height - 1]]), np.array([1])
    masks, scores, logits = predictor.predict(*point)
    assert masks.shape == (3, height, width) and masks.dtype == bool
    assert scores.shape == (3,) and np.isfinite(scores).all()
    assert logits.shape == (3, LOGITS, LOGITS) == (3, 64, 64)
    assert np.isfinite(logits).all()
    one, score, logit = predictor.predict(*point, multimask_output=False)
    assert one.shape == (1, height, width)
    assert score.shape == (1,) and logit.shape == (1, 64, 64)


def test_every_kind_of_prompt_counts(sam):
    predictor = SamPredictor(sam)
    predictor.set_image(picture(48, 64))
    point = {"point_coords": np.array([[40, 10]]), "point_labels": np.array([1])}
    box = {"box": np.array([5, 6, 50, 40])}
    mask = {"mask_input": predictor.predict(**point)[2][:1]}
    prompts = {
        "point": point,
        "another point": point | {"point_coords": np.array([[10, 40]])},
        "background": point | {"point_labels": np.array([0])},
        "two points": {
            "point_coords": np.array([[40, 10], [3, 3]]),
            "point_labels": np.array([1, 0]),
        },
        "box": box,
        "point and box": point | box,
        "point and mask": point | mask,
        "all": point | box | mask,
    }
    found = {name: predictor.predict(**told) for name, told in prompts.items()}
    for name, (masks, scores, logits) in found.items():
        assert (masks.shape, scores.shape) == ((3, 48, 64), (3,)), name
        again = predictor.predict(**prompts[name])
        np.testing.assert_array_equal(again[2], logits)
        for other in found:
            different = not np.allclose(logits, found[other][2], atol=1e-6)
            assert different == (name != other), (name, other)


def test_decode_is_the_decoder_without_repeating(sam):
    generator = torch.Generator().manual_seed(0)
    count = 3
    pictures = torch.randn(count, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator)
    points = 128 * torch.rand(count, 2, 2, generator=generator)
    labels = torch.tensor([[1, 0], [0, 0], [1, 1]])
    earlier = torch.randn(count, 1, LOGITS, LOGITS, generator=generator)
    with torch.no_grad():
        embeddings = sam.image_encoder(pictures)
        for masks in (None, earlier):
            told = sam.prompt_encoder((points, labels), None, masks)
            logits, scores = decode(sam, embeddings, *told)
            assert logits.shape == (count, 4, LOGITS, LOGITS)
            assert scores.shape == (count, 4)
            place = sam.prompt_encoder.get_dense_pe()
            for p in range(count):
                one = slice(p, p + 1)
                theirs = sam.mask_decoder.predict_masks(
                    embeddings[one], place, told[0][one], told[1][one]
                )
                torch.testing.assert_close(logits[one], theirs[0], rtol=1e-4, atol=1e-5)
                torch.testing.assert_close(scores[one], theirs[1], rtol=1e-4, atol=1e-5)


def test_decode_goes_backwards_to_everything_that_learns():
    sam = build_sam_tiny().train()
    task, _ = draw_task(0, 2, 1, (1, 1, True), again=True)
    logits, scores = Promptable(sam)(task)
    (logits.mean() + scores.mean()).backward()
    idle = [name for name, p in sam.named_parameters() if p.grad is None]
    assert idle == []


# ----------------------------------------------------------------------- its file


def test_half_precision_there_and_back(tmp_path, sam):
    before, path = fingerprint(sam), tmp_path / "tiny.pt"
    save_sam_tiny(path, sam, steps=7, note="a test")
    assert fingerprint(sam) == before
    assert 2 * MEGABYTE < path.stat().st_size < 3 * MEGABYTE
    stored = torch.load(path, weights_only=True)["model"]
    kinds = {value.dtype for value in stored.values() if value.is_floating_point()}
    assert kinds == {torch.float16}
    loaded = load_sam_tiny(path)
    assert not loaded.training
    for name, value in sam.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.dtype == value.dtype
        error = (found - value).abs()
        assert (error <= value.abs() / 2**11 + 2**-25).all(), name  # half a last place
    assert load_checkpoint(path, build_sam_tiny()) == {"steps": 7, "note": "a test"}
    save_sam_tiny(tmp_path / "again.pt", loaded)
    assert fingerprint(load_sam_tiny(tmp_path / "again.pt")) == fingerprint(loaded)


def test_the_loaded_network_answers_as_the_saved_one(tmp_path, sam):
    save_sam_tiny(tmp_path / "tiny.pt", sam)
    answers = []
    for network in (sam, load_sam_tiny(tmp_path / "tiny.pt")):
        predictor = SamPredictor(network)
        predictor.set_image(picture(48, 64))
        answers.append(predictor.predict(np.array([[9, 9]]), np.array([1])))
    spread = np.abs(answers[0][2]).max()
    np.testing.assert_allclose(answers[0][2], answers[1][2], atol=0.02 * spread)
    np.testing.assert_allclose(answers[0][1], answers[1][1], atol=0.01)


@pytest.mark.parametrize("part", [0, 100, 10_000, 2 * MEGABYTE])
def test_a_damaged_file(tmp_path, sam, part):
    path = tmp_path / "tiny.pt"
    save_sam_tiny(path, sam)
    path.write_bytes(path.read_bytes()[:part])
    with pytest.raises(ValueError, match="not a checkpoint, or damaged") as error:
        load_sam_tiny(path)
    assert line(error).startswith(f"{path}: ")


def test_files_of_something_else(tmp_path, sam):
    path = tmp_path / "other.pt"

    def refused(says: str) -> None:
        with pytest.raises(ValueError, match=says) as error:
            load_sam_tiny(path)
        assert line(error).startswith(f"{path}: ")

    save_checkpoint(path, nn.Linear(3, 2))
    refused("weights do not fit Sam: bias is .2,., expected absent")
    torch.save(sam.state_dict(), path)  # the weights, not under `model`
    refused("no weights in it")
    path.write_text("the weights")
    refused("not a checkpoint")
    lost = dict(sam.state_dict())
    lost["mask_decoder.iou_token.weight"] = torch.full((1, DIM), float("nan"))
    torch.save({"model": lost}, path)
    refused("iou_token.weight holds numbers that are not finite")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="no such checkpoint") as error:
        load_sam_tiny(path)
    assert str(path) in line(error)


# ------------------------------------------------- the weights that come with it


@pytest.fixture(scope="module")
def trained():
    return load_sam_tiny()


@pytest.fixture(scope="module")
def card() -> dict:
    return read_card()


def test_the_card_is_of_these_weights(trained, card):
    assert WEIGHTS.stat().st_size < 3 * MEGABYTE
    assert CARD.parent == WEIGHTS.parent
    assert card["fingerprint"] == fingerprint(trained)


def test_the_second_one_is_the_one_of_the_card(trained, card):
    """Trained on other kinds of things only; see `wslib sam train-tiny --help`."""
    other = build_sam_tiny()
    about = load_checkpoint(WITHOUT_SHAPES, other)
    assert about["kinds"] == "blob, blob, angular, arch"
    assert WITHOUT_SHAPES.stat().st_size < 3 * MEGABYTE
    assert card["without_shapes"]["fingerprint"] == fingerprint(other)


def test_a_part_of_the_held_out_tasks_again(trained, card):
    """120 of the 800 prompts of each kind: an IoU spreads by about 0.2, so that their
    mean and that of all differ by less than 3 x 0.2 / sqrt(120) = 0.055."""
    found = examine(trained, pictures=60).set_index("prompt")
    told = {row["prompt"]: row for row in card["held_out"]}
    assert list(told) == list(found.index)
    assert (found["count"] == 120).all()
    for prompt, row in found.iterrows():
        for column in ("single", "chosen", "best_of_3", "calibration_error"):
            expected = pytest.approx(told[prompt][column], abs=0.055)
            assert row[column] == expected, (prompt, column)
        assert row["chosen"] <= row["best_of_3"]


def test_a_second_look_gives_the_same_numbers(trained):
    one, two = (examine(trained, pictures=4, seed=3) for _ in range(2))
    assert one.equals(two)
    assert not one.equals(examine(trained, pictures=4, seed=4))


def test_the_scores_mean_something(trained):
    model, pairs = Promptable(trained).eval(), []
    for seed in range(3):
        task, answers = draw_task(10**9 + seed, 20, 2, (1, 1, False))
        with torch.no_grad():
            logits, scores = model(task)
        valid = task.valid[task.owner][:, None]
        measured = grid_iou(logits, answers[:, None].expand_as(logits), valid)
        pairs.append(torch.stack([scores, measured])[:, :, 1:])
    predicted, measured = torch.cat(pairs, 1).reshape(2, -1).numpy()
    assert len(predicted) == 360
    assert spearmanr(predicted, measured).statistic > 0.5
    assert -0.1 < predicted.min() and predicted.max() < 1.1


@pytest.mark.parametrize(("height", "width"), [(96, 128), (60, 300), (300, 60)])
def test_a_disc_is_cut_out_where_it_is(trained, height, width):
    """Not where x and y are exchanged, nor at another scale."""
    rows, columns = np.indices((height, width))
    x, y, radius = 0.7 * width, 0.35 * height, 0.3 * min(height, width)
    truth = np.hypot(columns - x, rows - y) <= radius
    image = np.random.default_rng(0).integers(60, 90, (height, width, 3))
    image[truth] = (230, 120, 40)
    predictor = SamPredictor(trained)
    predictor.set_image(image.astype(np.uint8))
    masks, scores, _ = predictor.predict(np.array([[x, y]]), np.array([1]))
    assert mask_iou(masks[scores.argmax()], truth) > 0.8
    box = np.array([x - radius, y - radius, x + radius, y + radius])
    masks, _, _ = predictor.predict(box=box, multimask_output=False)
    assert mask_iou(masks[0], truth) > 0.8
