"""Two looks, with a predictor that errs at one side, and with the real one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import wslib  # noqa: F401  (lets torchvision import, which segment_anything wants)

# isort: split
from segment_anything import SamPredictor

from wslib.models.sam_tiny import build_sam_tiny
from wslib.prompting.pipelines import (
    ForegroundPipeline,
    MirroredPipeline,
    RefinedPipeline,
    mirror,
)
from wslib.prompting.points import peak
from wslib.prompting.prompter import Prompter

SHAPE = (48, 64)


def disc(x: float, y: float, radius: float = 8) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    return np.hypot(columns - x, rows - y) <= radius


class Squinting:
    """Sees a disc round the point, and something that is not there at the left of
    whatever it looks at. Of its three masks the second is the best."""

    def __init__(self):
        def postprocess_masks(low, input_size, original_size):
            assert input_size == (96, 128)
            return F.interpolate(low, original_size)

        self.model = SimpleNamespace(postprocess_masks=postprocess_masks)
        self.images, self.points = [], []

    def set_image(self, image):
        self.images.append(image)
        self.features = torch.zeros(1)
        self.original_size, self.input_size = image.shape[:2], (96, 128)

    def predict(self, point_coords, multimask_output, **told):
        [[x, y]] = point_coords
        self.points.append([x, y])
        logits = np.where(disc(x, y), 8.0, -8.0).astype(np.float32)
        logits[:, :5] = 6
        logits = np.stack([-logits, logits, -logits])
        scores = np.array([0.1, 0.9 if len(self.points) % 2 else 0.6, 0.2])
        return logits > 0, scores, logits


@pytest.fixture
def scene():
    """A picture, each pixel of it different, and a map with its peak at x 40, y 20."""
    pixels = np.arange(48 * 64 * 3, dtype=np.uint32) % 251
    rows, columns = np.indices(SHAPE)
    heatmap = np.exp(-((columns - 40) ** 2 + (rows - 20) ** 2) / 60)
    return pixels.astype(np.uint8).reshape(*SHAPE, 3), heatmap


def test_the_mirror_turns_columns_round():
    assert mirror(np.array([[1, 2, 3], [4, 5, 6]])).tolist() == [[3, 2, 1], [6, 5, 4]]
    pixels = np.random.default_rng(0).integers(256, size=(4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(mirror(pixels)[:, 0], pixels[:, 4])
    np.testing.assert_array_equal(mirror(mirror(pixels)), pixels)
    assert mirror(pixels).flags.c_contiguous


def test_what_only_one_look_sees_is_gone(scene):
    squinting = Squinting()
    one = ForegroundPipeline(squinting, foreground=peak)
    assert one.run(*scene).mask[:, :5].all()
    found = MirroredPipeline(one).run(*scene)
    np.testing.assert_array_equal(found.mask, disc(40, 20))
    assert squinting.points == [[40, 20], [40, 20], [23, 20]]
    assert len(squinting.images) == 2  # the first was remembered
    np.testing.assert_array_equal(squinting.images[1], scene[0][:, ::-1])


def test_the_answer_is_that_of_the_image_with_the_mean_score(scene):
    pipeline = ForegroundPipeline(Squinting(), foreground=peak)
    found = MirroredPipeline(pipeline).run(*scene)
    assert found.masks.shape == (1, *SHAPE) and found.masks.dtype == bool
    assert found.score == pytest.approx((0.9 + 0.6) / 2) and found.best == 0
    assert found.prompt.points.tolist() == [[40, 20]]
    assert found.logits.shape == (1, *SHAPE) and (found.logits[0, :, :5] == 6).all()


@pytest.mark.parametrize("again", [False, True])
def test_a_mirrored_image_has_the_mirrored_mask(scene, again):
    """To the last pixel, with the real predictor, on a picture that is not square."""
    pipeline = ForegroundPipeline(SamPredictor(build_sam_tiny(seed=1)), foreground=peak)
    pipeline = RefinedPipeline(pipeline) if again else pipeline
    image, heatmap = scene
    alone = pipeline.run(image, heatmap), pipeline.run(mirror(image), mirror(heatmap))
    assert (alone[0].mask != mirror(alone[1].mask)).any()
    both = MirroredPipeline(pipeline)
    one, other = both.run(image, heatmap), both.run(mirror(image), mirror(heatmap))
    np.testing.assert_array_equal(one.mask, mirror(other.mask))
    assert one.score == pytest.approx(other.score)
    agreed = alone[0].mask == mirror(alone[1].mask)
    np.testing.assert_array_equal(one.mask[agreed], alone[0].mask[agreed])


def test_a_map_of_zeros_gives_an_empty_mask(scene):
    squinting = Squinting()
    found = MirroredPipeline(ForegroundPipeline(squinting)).run(
        scene[0], np.zeros(SHAPE)
    )
    assert found.prompt.empty and not found.mask.any() and squinting.points == []


def test_where_the_mirror_image_gives_no_prompt_the_image_alone_answers(scene):
    def right(heatmap):
        points = peak(heatmap)
        return points[points[:, 0] >= SHAPE[1] / 2]

    def pipeline():
        return ForegroundPipeline(Squinting(), foreground=right)

    assert pipeline().run(mirror(scene[0]), mirror(scene[1])).prompt.empty
    alone, found = pipeline().run(*scene), MirroredPipeline(pipeline()).run(*scene)
    np.testing.assert_array_equal(found.masks, alone.masks)
    assert found.score == alone.score


def test_an_embedding_has_no_mirror_image(scene):
    prompter = Prompter(Squinting())
    pipeline = MirroredPipeline(ForegroundPipeline(prompter))
    assert pipeline.prompter is prompter
    with pytest.raises(
        ValueError, match="the mirror wants the image, not its"
    ) as error:
        pipeline.run(prompter.encode(scene[0]), scene[1])
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"heatmap \(64, 48\) for an image of \(48"):
        pipeline.run(scene[0], scene[1].T)


def test_it_is_a_pipeline_like_the_others(scene):
    single = ForegroundPipeline(Squinting(), foreground=peak, multimask=False)
    both = MirroredPipeline(single)
    assert (both.cam, both.size, both.multimask) == (None, None, False)
    assert both.prompt(scene[1]).points.tolist() == [[40, 20]]
    np.testing.assert_array_equal(both.mask(*scene), disc(40, 20))
