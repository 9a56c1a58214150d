"""Prompts and pipelines, with a predictor whose answer is a disc round the point."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from wslib.boxes.maps import ClassMaps, detect_masks
from wslib.cam import GradCAM
from wslib.models.classifiers import IMAGENET_MEAN_STD, LITE_MEAN_STD, Classifier
from wslib.prompting.pipelines import (
    BasicSamPipeline,
    BoxPipeline,
    ForegroundBackgroundPipeline,
    ForegroundPipeline,
    PointsBoxPipeline,
    RefinedPipeline,
    run_all,
    run_together,
)
from wslib.prompting.points import (
    background_points,
    peak,
    spread_peaks,
    weighted_centre,
)
from wslib.prompting.prompter import Embedding, Prompt, Prompter, Segmentation

R = 4


class Discs:
    """Three discs round the first foreground point, of radius R, 2 R and 3 R, cut by
    the box; the second is the best. Only where the image's red is not 0, so that a
    wrong embedding shows. A mask makes all of them one pixel wider."""

    def __init__(self):
        self.is_image_set, self.features, self.images, self.calls = False, None, 0, []

    def set_image(self, image):
        assert image.flags["C_CONTIGUOUS"]
        self.images += 1
        self.features = torch.from_numpy(image[..., 0].copy())
        self.original_size, self.input_size = image.shape[:2], image.shape[:2]
        self.is_image_set = True

    def predict(self, multimask_output=True, **told):
        assert self.is_image_set
        self.calls.append(told | {"multimask_output": multimask_output})
        rows, columns = np.indices(self.original_size)
        box, points = told["box"], told["point_coords"]
        (x, y) = (box[:2] + box[2:]) / 2 if points is None else points[0]
        away = np.hypot(columns - x, rows - y) - (told["mask_input"] is not None)
        masks = away <= np.array([R, 2 * R, 3 * R])[:, None, None]
        if box is not None:
            x1, y1, x2, y2 = box  # the last pixel belongs to it
            masks &= (x1 <= columns) & (columns <= x2) & (y1 <= rows) & (rows <= y2)
        masks &= self.features.numpy() > 0
        scores = np.array([0.5, 0.9, 0.7], np.float32)
        logits = np.where(masks, 8, -8)[:, ::4, ::4].astype(np.float32)
        return (masks, scores, logits)[:3] if multimask_output else (
            masks[:1], scores[:1], logits[:1])  # fmt: skip


@pytest.fixture
def discs():
    return Discs()


@pytest.fixture
def scene():
    """48 high, 64 wide; the object, and the map, at x = 60."""
    image = np.random.default_rng(0).integers(1, 256, (48, 64, 3)).astype(np.uint8)
    return image, blob(60, 23)


def blob(x: float, y: float, shape=(48, 64), radius: float = R) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * radius**2))


def disc(x: float, y: float, radius: float, shape=(48, 64)) -> np.ndarray:
    rows, columns = np.indices(shape)
    return np.hypot(columns - x, rows - y) <= radius


def classifier(mean_std=IMAGENET_MEAN_STD) -> Classifier:
    """Class 0 is red, class 1 blue; the map is where that colour is."""
    layer = nn.Conv2d(3, 2, 5, padding=2, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[0, 0], layer.weight[1, 2] = 1 / 25, 1 / 25
    head = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
    return Classifier("colours", nn.Sequential(layer), head, mean_std).eval()


@pytest.fixture
def cam():
    model = classifier()
    return GradCAM(model, [model.target_layer])


@pytest.fixture
def batch(cam):
    """Normalised pictures with a red square at x 40 to 48 or 10 to 18, y 30 to 38, and
    what is in them as uint8."""
    pixels = np.full((2, 48, 64, 3), (40, 40, 10), np.uint8)
    pixels[0, 30:39, 40:49] = (250, 40, 30)
    pixels[1, 30:39, 10:19] = (250, 40, 30)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
    return cam.model.normalize(images), pixels


PIPELINES = [
    BasicSamPipeline,
    ForegroundPipeline,
    ForegroundBackgroundPipeline,
    BoxPipeline,
    PointsBoxPipeline,
    lambda *args: RefinedPipeline(ForegroundPipeline(*args)),
]


def test_the_point_reaches_the_predictor_as_x_and_y(discs, scene):
    found = ForegroundPipeline(discs).run(*scene)
    assert found.prompt.points.tolist() == [[60, 23]]
    assert discs.calls[0]["point_coords"].tolist() == [[60, 23]]
    assert discs.calls[0]["point_labels"].tolist() == [1]
    np.testing.assert_array_equal(found.mask, disc(60, 23, 2 * R))
    assert (found.best, found.score) == (1, pytest.approx(0.9))
    assert found.masks.shape == (3, 48, 64) and found.masks.dtype == bool
    assert found.logits.shape == (3, 12, 16)


def test_the_baseline_prompts_with_the_centre_whatever_the_map(discs, scene):
    for heatmap in (scene[1], np.zeros((48, 64))):
        found = BasicSamPipeline(discs).run(scene[0], heatmap)
        assert found.prompt.points.tolist() == [[32, 24]]


def test_each_pipeline_has_its_prompt(discs, scene):
    image, heatmap = scene
    both = ForegroundBackgroundPipeline(discs).run(image, heatmap).prompt
    around = background_points(heatmap)
    assert both.labels.tolist() == [1] + [0] * len(around) and len(around) > 1
    np.testing.assert_array_equal(both.points[1:], around)
    box = BoxPipeline(discs).run(image, heatmap)
    assert not len(box.prompt.points) and discs.calls[-1]["point_coords"] is None
    assert box.prompt.box.tolist() == [56, 19, 64, 28]  # half-open
    assert discs.calls[-1]["box"].tolist() == [56, 19, 63, 27]  # SAM's: pixels
    pair = PointsBoxPipeline(discs).run(image, heatmap)
    assert pair.prompt.points.tolist() == [[60, 23]]
    np.testing.assert_array_equal(pair.prompt.box, box.prompt.box)
    y, x = np.nonzero(pair.masks[2])
    assert (x.min(), y.min(), x.max(), y.max()) == (56, 19, 63, 27)


def test_points_are_found_as_one_likes(discs):
    c = np.zeros((48, 64))
    c[10:30, 10:30], c[15:25, 15:30] = 1, 0
    image = np.full((48, 64, 3), 9, np.uint8)
    for find in (peak, partial(weighted_centre, threshold=0.3)):
        [point] = ForegroundPipeline(discs, foreground=find).run(image, c).prompt.points
        assert c[int(point[1]), int(point[0])] == 1
    several = partial(spread_peaks, k=3, distance=0.3)
    prompt = ForegroundPipeline(discs, foreground=several).run(image, c).prompt
    assert prompt.labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize("make", PIPELINES[1:])
def test_a_map_of_zeros_gives_an_empty_mask_and_asks_nothing(discs, scene, make):
    found = make(discs).run(scene[0], np.zeros((48, 64)))
    assert found.prompt.empty and found.prompt.points.shape == (0, 2)
    assert found.mask.shape == (48, 64) and not found.mask.any()
    assert (found.score, found.best, discs.calls) == (0, 0, [])


@pytest.mark.parametrize("make", PIPELINES)
def test_a_constant_map_is_no_error(discs, scene, make):
    assert make(discs).mask(scene[0], np.full((48, 64), 0.5)).shape == (48, 64)


def test_one_mask_where_one_is_asked_for(discs, scene):
    found = ForegroundPipeline(discs, multimask=False).run(*scene)
    assert found.masks.shape == (1, 48, 64) and found.score == 0.5
    assert not discs.calls[0]["multimask_output"]


def test_refining_tells_the_best_mask_and_all_that_was_told_before(discs, scene):
    first = PointsBoxPipeline(discs).run(*scene)
    found = RefinedPipeline(PointsBoxPipeline(discs), multimask=False).run(*scene)
    np.testing.assert_array_equal(discs.calls[-1]["mask_input"], first.logits[[1]])
    np.testing.assert_array_equal(found.prompt.points, first.prompt.points)
    np.testing.assert_array_equal(found.prompt.box, first.prompt.box)
    assert len(discs.calls) == 3 and found.masks.shape == (1, 48, 64)
    assert not discs.calls[-1]["multimask_output"]
    assert discs.calls[-2]["multimask_output"]


def test_one_look_an_image_over_many_pipelines(discs, scene, cam, batch):
    prompter = Prompter(discs)
    for make in PIPELINES:
        make(prompter).run(*scene)
        make(prompter).run(scene[0].copy(), scene[1])
    assert discs.images == 1
    for make in PIPELINES:
        make(prompter, cam)(batch[0])
    assert discs.images == 3
    ForegroundPipeline(Prompter(discs)).run(*scene)
    assert discs.images == 4  # another prompter, another memory


def test_an_embedding_is_as_good_as_its_image(discs, scene):
    image, heatmap = scene
    dark, small = image.copy(), image[:20, :30]
    dark[..., 0] = 0
    pipeline = ForegroundPipeline(discs)
    seen = [pipeline.prompter.encode(picture) for picture in (image, dark, small)]
    assert isinstance(seen[0], Embedding)
    assert pipeline.run(seen[0], heatmap).mask.sum() == disc(60, 23, 2 * R).sum()
    assert not pipeline.run(seen[1], heatmap).mask.any()
    assert pipeline.run(seen[2], heatmap[:20, -30:]).mask.shape == (20, 30)
    assert discs.images == 3


def test_only_the_last_images_are_kept(discs):
    prompter = Prompter(discs, keep=2)
    a, b, c = (np.full((5, 7, 3), k, np.uint8) for k in (1, 2, 3))
    for image in (a, b, a, c, a):  # c drives b out, not a
        prompter.encode(image)
    assert discs.images == 3
    prompter.encode(b)
    assert discs.images == 4
    prompter.encode(b.reshape(7, 5, 3))  # the same bytes
    assert discs.images == 5
    with pytest.raises(ValueError, match="keep 0"):
        Prompter(discs, keep=0)


def test_many_images_are_asked_about_in_their_order(discs, scene):
    image, heatmap = scene
    images = [image, image[:, ::-1], np.full((20, 30, 3), 9, np.uint8), image]
    maps = [heatmap, heatmap[:, ::-1], blob(7, 12, (20, 30)), np.zeros((48, 64))]
    found = run_all(ForegroundPipeline(discs), images, maps)
    points = [answer.prompt.points.tolist() for answer in found]
    assert points == [[[60, 23]], [[3, 23]], [[7, 12]], []]
    assert [answer.mask.shape for answer in found] == [(48, 64)] * 2 + [
        (20, 30),
        (48, 64),
    ]
    assert found[3].prompt.empty and not found[3].mask.any()
    for answer, told in zip(found, zip(images, maps, strict=True), strict=True):
        alone = ForegroundPipeline(Discs()).run(*told)
        np.testing.assert_array_equal(answer.masks, alone.masks)
        np.testing.assert_array_equal(answer.scores, alone.scores)
    assert discs.images == 3  # the last is the first
    stacked = run_all(BasicSamPipeline(discs), np.stack(images[:2]), np.stack(maps[:2]))
    assert [answer.prompt.points.tolist() for answer in stacked] == [[[32, 24]]] * 2


def test_as_many_maps_as_images(discs, scene):
    for images, maps in ([scene[0]] * 2, [scene[1]]), ([scene[0]], [scene[1]] * 2):
        with pytest.raises(ValueError) as error:
            run_all(ForegroundPipeline(discs), images, maps)
        assert "\n" not in str(error.value)
    assert run_all(ForegroundPipeline(discs), [], []) == []


def test_images_need_not_be_contiguous(discs, scene):
    image, heatmap = scene
    mirrored = ForegroundPipeline(discs).run(image[:, ::-1], heatmap[:, ::-1])
    assert mirrored.prompt.points.tolist() == [[3, 23]]
    ForegroundPipeline(discs).run(image.transpose(1, 0, 2), heatmap.T)
    assert discs.calls[-1]["point_coords"].tolist() == [[23, 60]]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 6, 3)), "float64, expected uint8, 0 to 255; multiply by 255"),
        (np.zeros((4, 6, 3), np.float32), "float32, expected uint8"),
        (np.zeros((4, 6, 3), np.int64), "int64, expected uint8, 0 to 255$"),
        (np.zeros((4, 6), np.uint8), r"\(4, 6\): expected \(H, W, 3\)"),
        (np.zeros((3, 4, 6), np.uint8), r"\(3, 4, 6\): expected"),
        (np.zeros((4, 6, 4), np.uint8), r"\(4, 6, 4\): expected"),
        (np.zeros((0, 6, 3), np.uint8), r"\(0, 6, 3\): expected"),
        (torch.zeros(4, 6, 3), "Tensor, expected a NumPy array"),
    ],
)
def test_what_is_no_image(discs, image, message):
    with pytest.raises(ValueError, match=message) as error:
        ForegroundPipeline(discs).run(image, np.ones((4, 6)))
    assert "\n" not in str(error.value) and discs.images == 0


def test_the_sizes_of_map_and_image_must_match(discs, scene):
    with pytest.raises(ValueError, match=r"heatmap \(64, 48\) for an image of \(48, 6"):
        ForegroundPipeline(discs).run(scene[0], scene[1].T)
    with pytest.raises(ValueError, match="nan"):
        ForegroundPipeline(discs).run(scene[0], scene[1] * np.nan)


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(), "the prompt is empty"),
        (Prompt([[64, 5]], [1]), r"point \[64.0, 5.0\] outside 64 x 48 pixels"),
        (Prompt([[5, 60]], [1]), r"point \[5.0, 60.0\] outside"),  # x and y swapped
        (Prompt([[3, 3], [-1, 5]], [1, 0]), r"point \[-1.0, 5.0\] outside"),
        (Prompt([[63.5, 5]], [1]), r"point \[63.5"),
        (Prompt([[np.nan, 5]], [1]), r"point \[nan"),
        (Prompt([[5, 5]], [2]), r"label 2: expected 1 \(foreground\) or 0 \(not"),
        (Prompt([[5, 5]], [-1]), "label -1"),
        (Prompt([[5, 5]], [0.5]), "label 0.5"),
        (Prompt([[5, 5], [6, 6]], [1]), r"labels of shape \(1,\) for 2 points"),
        (Prompt([[5, 5]]), r"labels of shape \(0,\) for 1 points"),
        (Prompt([[5, 5, 5]], [1]), r"points of shape \(1, 3\)"),
        (Prompt([5, 5], [1, 1]), r"points of shape \(2,\)"),
        (Prompt(box=[0, 0, 65, 48]), r"box \[0.0, 0.0, 65.0, 48.0\]: expected"),
        (Prompt(box=[9, 0, 9, 48]), "with an area in 64 x 48"),
        (Prompt(box=[0, 0, np.nan, 48]), "box"),
        (Prompt(box=[[0, 0, 9, 9]]), "box"),
        (Prompt([[5, 5]], [1], mask=np.zeros((3, 8, 8))), r"mask of shape \(3, 8, 8\)"),
        (Prompt(mask=np.full((1, 8, 8), np.inf)), "mask: expected finite"),
    ],
)
def test_what_is_no_prompt(discs, scene, prompt, message):
    prompter = Prompter(discs)
    with pytest.raises(ValueError, match=message) as error:
        prompter.prompt(prompter.encode(scene[0]), prompt)
    assert "\n" not in str(error.value) and not discs.calls


def test_points_at_the_very_edge_are_inside(discs, scene):
    for point in ([0, 0], [63, 47], [-0.5, 47.4]):
        Prompt([point], [1]).check((48, 64, 3))
    Prompt(box=[0, 0, 64, 48]).check((48, 64))


def test_a_box_of_one_pixel_is_not_turned_over(discs, scene):
    prompter = Prompter(discs)
    prompter.prompt(prompter.encode(scene[0]), Prompt(box=[5, 6, 6, 6.5]))
    assert discs.calls[-1]["box"].tolist() == [5, 6, 5, 6]


@pytest.mark.parametrize("mean_std", [IMAGENET_MEAN_STD, LITE_MEAN_STD])
def test_un_normalising_gives_every_colour_back(discs, mean_std):
    model = classifier(mean_std)
    pipeline = BasicSamPipeline(discs, GradCAM(model, [model.target_layer]))
    pixels = np.arange(256 * 3).reshape(1, 16, 16, 3).astype(np.uint8)
    pixels = np.concatenate([pixels, pixels[..., ::-1]])
    images = model.normalize(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)
    np.testing.assert_array_equal(pipeline.pixels(images), pixels)
    assert pipeline.pixels(images).dtype == np.uint8


@pytest.mark.parametrize("size", [None, 32, (24, 40)])
@pytest.mark.parametrize("make", PIPELINES[1:])
def test_from_normalised_images_to_masks(discs, cam, batch, make, size):
    images, pixels = batch
    masks = make(discs, cam, size)(images)
    assert masks.shape == (2, 48, 64) and masks.dtype == torch.bool
    truth = torch.from_numpy(pixels[..., 0] == 250)
    assert (masks & truth).sum((1, 2)).min() >= 35  # of 81: boxes are tight
    assert masks.sum((1, 2)).max() <= 253  # the refined disc, of radius 9
    for mask, centre in zip(masks, ((44, 34), (14, 34)), strict=True):
        rows, columns = np.nonzero(mask.numpy())
        assert (columns.mean(), rows.mean()) == pytest.approx(centre, abs=1.5)
    alone = torch.cat([make(discs, cam, size)(images[i : i + 1]) for i in (0, 1)])
    assert torch.equal(masks, alone)


def test_maps_are_made_in_one_call_at_their_own_size(discs, batch):
    model, seen = classifier(), []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    pipeline = ForegroundPipeline(discs, GradCAM(model, [model.target_layer]), (24, 40))
    maps = pipeline.heatmaps(batch[0])
    assert seen == [(2, 3, 24, 40)]
    assert maps.shape == (2, 48, 64) and 0 <= maps.min() <= maps.max() <= 1


def test_the_baseline_on_a_batch(discs, cam, batch):
    masks = BasicSamPipeline(discs, cam)(batch[0])
    np.testing.assert_array_equal(masks[1], disc(32, 24, 2 * R))


def test_the_courses_segment(discs, cam, batch):
    pipeline = BasicSamPipeline(discs, cam)
    coords = torch.tensor([[[60, 23], [0, 0]], [[5, 40], [9, 9]]])
    labels = torch.tensor([[1, 0], [1, -1]])  # the last one only fills up
    masks = pipeline.segment(batch[0], coords, labels)
    np.testing.assert_array_equal(masks[0], disc(60, 23, 2 * R))
    np.testing.assert_array_equal(masks[1], disc(5, 40, 2 * R))
    assert [call["point_labels"].tolist() for call in discs.calls] == [[1, 0], [1]]
    again = pipeline.segment(batch[0], coords.numpy(), labels.numpy())
    assert torch.equal(masks, again) and discs.images == 2
    for wrong in (coords[:1], coords[:, :1], coords[0]):
        with pytest.raises(ValueError, match=r"labels \(2, 2\): expected \(B, n, 2\)"):
            pipeline.segment(batch[0], wrong, labels)
    with pytest.raises(ValueError, match="B = 2"):
        pipeline.segment(batch[0], coords[:1], labels[:1])
    with pytest.raises(ValueError, match=r"point \[23.0, 60.0\] outside 64 x 48"):
        pipeline.segment(batch[0], coords.flip(2), labels)


def test_a_student_overrides_call(discs, cam, batch):
    class Brightest(BasicSamPipeline):
        def __call__(self, images):
            points = [peak(heatmap) for heatmap in self.heatmaps(images)]
            labels = np.ones((len(images), 1), int)
            return self.segment(images, np.stack(points), labels)

    masks = Brightest(discs, cam)(batch[0])
    assert masks[0, 34, 44] and masks[1, 34, 14]
    assert torch.equal(masks, ForegroundPipeline(discs, cam, foreground=peak)(batch[0]))


def test_batches_that_are_none(discs, cam, batch):
    pipeline = ForegroundPipeline(discs, cam)
    for images, message in [
        (batch[0][0], r"shape \(3, 48, 64\)"),
        (batch[0][:, :2], r"shape \(2, 2, 48, 64\): expected \(B, 3, H, W\)"),
        (batch[0] * np.nan, "from nan to nan once"),
        (torch.from_numpy(batch[1]).permute(0, 3, 1, 2).float(), "give normalised"),
    ]:
        with pytest.raises(ValueError, match=message) as error:
            pipeline.pixels(images)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="need a cam"):
        ForegroundPipeline(discs)(batch[0])


def test_masks_for_boxes(discs, scene):
    """The interface of GrabCut: chapter 2's boxes from a pipeline's masks."""
    image, heat = scene
    maps = ClassMaps(["x"], 0, heat[None].astype(np.float32), np.array([[0.8]]),
                     np.array([[64, 48]]))  # fmt: skip
    box = detect_masks(maps, lambda _: image, ForegroundPipeline(discs).mask)["x"]
    assert box[0].tolist() == pytest.approx([53, 16, 64, 32, 0.8])


def test_the_first_of_equal_scores_is_the_best():
    masks, logits = np.zeros((3, 4, 5), bool), np.zeros((3, 2, 2))
    found = Segmentation(Prompt(), masks, np.array([0.2, 0.7, 0.7]), logits)
    assert (found.best, found.score) == (1, 0.7)


@pytest.fixture(scope="module")
def sam_predictor():
    """The real predictor round the real network, tiny and with random weights."""
    sam = pytest.importorskip("segment_anything")
    from segment_anything import modeling as m

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = m.ImageEncoderViT(
            64, depth=1, embed_dim=32, num_heads=2, out_chans=32, patch_size=16
        )
        prompts = m.PromptEncoder(32, (4, 4), (64, 64), 4)
        transformer = m.TwoWayTransformer(2, 32, 2, 64)
        decoder = m.MaskDecoder(transformer_dim=32, transformer=transformer)
        return sam.SamPredictor(m.Sam(encoder, prompts, decoder).eval())


def test_the_real_predictor_is_put_back_to_an_earlier_image(sam_predictor, scene):
    image, other = scene[0], scene[0][:40, ::-1]
    point, box = np.array([[60.0, 23.0]]), np.array([50, 10, 64, 40])
    told = {"point_coords": point, "point_labels": np.array([1])}
    sam_predictor.set_image(image)
    masks, scores, logits = sam_predictor.predict(**told, box=box - [0, 0, 1, 1])
    prompter = Prompter(sam_predictor)
    embedding = prompter.encode(image)
    prompter.encode(other)
    found = prompter.prompt(embedding, Prompt(point, [1], box))
    np.testing.assert_array_equal(found.masks, masks)
    np.testing.assert_array_equal(found.scores, scores)
    np.testing.assert_array_equal(found.logits, logits)
    assert found.masks.shape == (3, 48, 64)
    single = prompter.prompt(prompter.encode(other), Prompt(point - 1, [1]), False)
    assert single.masks.shape == (1, 40, 64)
    sam_predictor.reset_image()
    np.testing.assert_array_equal(
        prompter.prompt(embedding, Prompt(point, [1], box)).masks, masks
    )


@pytest.mark.parametrize("make", PIPELINES)
def test_pipelines_with_the_real_predictor(sam_predictor, scene, make):
    found = make(sam_predictor).run(*scene)
    assert found.masks.shape == (3, 48, 64) and found.masks.dtype == bool
    assert found.logits.shape == (3, 16, 16) and found.scores.shape == (3,)


def test_together_each_image_is_encoded_once(discs, scene):
    image, _ = scene
    images = [image, 255 - image, image // 2 + 1]
    maps = np.stack([blob(10, 10), blob(50, 30), blob(30, 20)])
    prompter = Prompter(discs, keep=1)
    jobs = {
        "point": (ForegroundPipeline(prompter), maps),
        "centre": (BasicSamPipeline(prompter), maps),
        "elsewhere": (ForegroundPipeline(prompter), maps[::-1]),
    }
    answers, seconds = run_together(jobs, images)
    assert discs.images == 3 and all(s > 0 for s in seconds.values())
    for name, (pipeline, own) in jobs.items():
        alone = run_all(pipeline, images, own)
        for a, b in zip(answers[name], alone, strict=True):
            assert (a.masks == b.masks).all() and (a.scores == b.scores).all()
