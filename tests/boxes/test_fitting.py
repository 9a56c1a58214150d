import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.boxes.evidence import (
    Evidence,
    evidence_from_features,
    extract_features,
    gather_evidence,
    scaled,
)
from wslib.boxes.fitting import cross_fit, fit_heads, seeds
from wslib.boxes.recipe import Recipe, select_steps, sweep_thresholds
from wslib.models.dense import DenseClassifier


def zero_head(inputs: int, outputs: int) -> nn.Linear:
    head = nn.Linear(inputs, outputs)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


class Colours(DenseClassifier):
    """A dense classifier without a backbone: the features are red, green and blue of
    each 4 x 4 pixels, and ImageNet's first three classes are these colours."""

    def __init__(self, n: int = 2):
        nn.Module.__init__(self)
        self.num_classes, self.narrow = n, 3
        self.before, self.after = nn.AvgPool2d(4), nn.Identity()
        self.top = nn.Identity()
        self.imagenet_head = nn.Linear(3, 1000)
        self.imagenet_head.weight.data.zero_()
        self.imagenet_head.weight.data[:3] = 20 * torch.eye(3)
        self.imagenet_head.bias.data = torch.full((1000,), -9.0)
        self.imagenet_head.bias.data[3] = 5.0  # of what has no colour
        sizes = {"image": (3, n), "cam": (3, n), "posterior": (1000, n)}
        sizes["place"] = (6, n + 1)
        self.heads = nn.ModuleDict({k: zero_head(*s) for k, s in sizes.items()})
        self.eval().requires_grad_(False)

    def normalize(self, images):
        return images


@pytest.fixture(scope="module")
def squares(tmp_path_factory):
    """48 pictures, 80 x 40: a red square (class 0), a green one (1), both, or none, on
    grey; labels (48, 2); and the place of the red one, as VOC corners."""
    folder, rng = tmp_path_factory.mktemp("squares"), np.random.default_rng(0)
    paths, labels, truth = [], [], {}
    for k in range(48):
        view = rng.integers(70, 110, (40, 80, 3)).astype(np.uint8)
        x, y, has = rng.integers(0, 20), rng.integers(0, 24), (k % 2, k // 2 % 2)
        if has[0]:
            view[y : y + 16, x : x + 20] = (255, 0, 0)
        if has[1]:
            view[y : y + 16, x + 40 : x + 60] = (0, 255, 0)
        paths.append(folder / f"{k}.png")
        Image.fromarray(view).save(paths[-1])
        labels.append(has)
        boxes = [[x + 1, y + 1, x + 20, y + 16]] * has[0]
        truth[str(k)] = np.array(boxes, float).reshape(-1, 4)
    return [str(k) for k in range(48)], paths, np.array(labels, np.int8), truth


@pytest.fixture(scope="module")
def taught(squares):
    network, (_, paths, labels, _) = Colours(), squares
    features = extract_features(network, paths, 64, batch_size=5)
    fit_heads(network, features, labels)
    return network, features


def test_features_are_seen_once_and_sized(squares, taught):
    features = taught[1]
    assert features.pooled.shape == (2, 48, 3)
    assert features.posteriors.shape == (2, 48, 1000)
    assert features.places.shape == (48, 6, 8, 8)  # every second of 16 x 16
    assert features.sizes.tolist() == [[80, 40]] * 48
    torch.testing.assert_close(features.pooled[0], features.pooled[1])  # no place in it


def test_heads_tell_the_labels_and_places_show_the_squares(squares, taught):
    ids, paths, labels, truth = squares
    seen = gather_evidence(taught[0], ids, paths, 64)
    assert ((seen.probabilities() > 0.5) == labels).all()
    k = 1  # a red square only
    heat = seen.class_maps(0).heatmap(k)  # (40, 80)
    x1, y1, x2, y2 = truth["1"][0].astype(int)
    inside = heat[y1 + 2 : y2 - 3, x1 + 2 : x2 - 3]
    assert inside.min() > 0.8 and heat[:, 50:].max() < 0.2
    assert seen.places[k, 1].max() < 0.3  # nothing green


def test_what_is_kept_is_what_is_seen_at_every_second_place(squares, taught):
    ids, paths, _, _ = squares
    network, features = taught
    seen, kept = (
        gather_evidence(network, ids, paths, 64, flip=False),
        evidence_from_features(network, ids, features),
    )
    np.testing.assert_allclose(kept.logits, seen.logits, atol=1e-3)
    for name in ("gradcam", "posterior", "places"):
        whole = getattr(seen, name)[:, :, ::2, ::2].astype(float)
        np.testing.assert_allclose(getattr(kept, name), whole, 1e-2, 5e-2)


def test_mirror_images_give_mirrored_maps(squares, taught, tmp_path):
    _, paths, _, _ = squares
    mirrored = tmp_path / "mirrored.png"
    Image.open(paths[1]).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored)
    a, b = (
        gather_evidence(taught[0], ["x"], [path], 64) for path in (paths[1], mirrored)
    )
    np.testing.assert_allclose(a.places, b.places[:, :, :, ::-1], atol=1e-3)
    np.testing.assert_allclose(a.logits, b.logits, atol=1e-4)


def test_batches_do_not_matter(squares, taught):
    ids, paths, _, _ = squares
    a, b = (
        gather_evidence(taught[0], ids[:5], paths[:5], 64, batch_size=n) for n in (1, 5)
    )
    np.testing.assert_allclose(a.posterior, b.posterior, atol=1e-2)


def test_seeds_by_hand():
    maps = np.zeros((2, 2, 1, 4))
    maps[0, 0] = [10, 2.9, 0.5, -5]  # of its maximum: 1, .29, .05, 0
    maps[0, 1] = [8, 8, 0, 0]  # 1, 1, 0, 0: ties go to the first class
    maps[1, 0] = [5, 1, 0, 0]
    labels = np.array([[1, 1], [1, -1]])
    assert seeds(maps, labels)[0].tolist() == [[0, 1, 2, 2]]
    assert seeds(maps, labels)[1].tolist() == [
        [0, -1, -1, -1]
    ]  # who knows what is there
    assert seeds(maps, np.array([[0, 1], [0, 0]]))[0].tolist() == [[1, 1, 2, 2]]
    assert (seeds(maps, np.array([[0, 0], [0, 0]])) == 2).all()
    with pytest.raises(ValueError, match="low 0.5, high 0.3"):
        seeds(maps, labels, 0.3, 0.5)


def test_a_map_without_evidence_is_no_seed():
    maps = -np.ones((1, 1, 2, 2))
    assert (seeds(maps, np.array([[1]]), high=0.0, low=0.0) == -1).all()
    assert (scaled(maps) == 0).all()


def test_held_out_images_are_seen_by_heads_of_the_others(squares):
    network, (ids, paths, labels, _) = Colours(), squares
    features = extract_features(network, paths, 64)
    evidence = cross_fit(network, ids, features, labels, folds=3, seed=4)
    assert evidence.ids == ids and not network.heads["image"].weight.any()
    dealt = np.random.default_rng(4).permutation(48) % 3
    rest, held = np.flatnonzero(dealt != 1), np.flatnonzero(dealt == 1)
    fit_heads(network, features.take(rest), labels[rest], seed=4)
    alone = evidence_from_features(network, [ids[k] for k in held], features.take(held))
    np.testing.assert_array_equal(alone.logits, evidence.logits[held])
    np.testing.assert_array_equal(alone.places, evidence.places[held])


def test_the_same_seed_gives_the_same_heads(squares, taught):
    again = Colours()
    fit_heads(again, taught[1], squares[2])
    for a, b in zip(taught[0].parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros((3, 2), np.int8)}, r"shape \(3, 2\), expected \(48, 2\)"),
        ({"penalties": {"tel": 1.0}}, "'tel'"),
        ({"penalties": {"image": 0.0}}, "penalty is 0.0"),
    ],
)
def test_bad_options_are_one_line(squares, taught, change, message):
    options = {"labels": squares[2]} | change
    with pytest.raises(ValueError, match=message):
        fit_heads(Colours(), taught[1], **options)


def test_folds_need_images(squares, taught):
    with pytest.raises(
        ValueError, match="48 images to learn from, in 1 folds: expected 2"
    ):
        cross_fit(taught[0], squares[0], taught[1], squares[2], folds=1)


def evidence(**maps) -> Evidence:
    """Of two classes in 10 images of 40 x 20 pixels, class 0 in the even ones."""
    arrays = {name: np.zeros((10, 2, 4, 8), np.float16) for name in
              ("gradcam", "posterior", "places")} | maps  # fmt: skip
    logits = np.where(np.arange(10)[:, None] % 2, -2.0, 2.0) * np.ones((1, 2))
    ids = [str(k) for k in range(10)]
    return Evidence(ids, np.array([[40, 20]] * 10), logits, **arrays)


def test_probabilities_join_image_and_surest_place():
    places = np.full((10, 2, 4, 8), 0.25, np.float16)
    places[0, 0, 1, 2] = 0.75
    told = evidence(places=places).probabilities(0.5)
    odds = np.exp(2) * 3**0.5  # of the logit 2 and of half the logit of 3/4
    assert told[0, 0] == pytest.approx(odds / (1 + odds), rel=1e-3)
    assert evidence().probabilities(0)[0, 0] == pytest.approx(1 / (1 + np.exp(-2)))


def test_taught_maps_are_the_geometric_mean():
    posterior, places = np.zeros((2, 10, 2, 4, 8), np.float16)
    posterior[0, 1], places[0, 1] = 8, 0.16
    posterior[0, 1, 2, 2] = 2
    raw = evidence(posterior=posterior, places=places).class_maps(1).raw
    assert raw[0, 0, 0] == pytest.approx(0.4, abs=1e-3)
    assert raw[0, 2, 2] == pytest.approx(0.2, abs=1e-3) and not raw[1].any()
    with pytest.raises(ValueError, match="'grad'"):
        evidence().class_maps(0, "grad")


@pytest.fixture
def scene():
    """Truth: the left half of the even images. Grad-CAM shows a quarter of it, the
    posterior all of it, and places also what is there in the odd images."""
    truth = {str(k): np.zeros((0, 4)) for k in range(10)}
    gradcam, posterior, places = np.zeros((3, 10, 2, 4, 8), np.float16)
    for k in range(0, 10, 2):
        truth[str(k)] = np.array([[1.0, 1, 20, 20]])
        gradcam[k, 0, :2, :2] = 1
        posterior[k, 0, :, :4] = 1
    maps = {"gradcam": gradcam, "posterior": posterior, "places": places}
    return evidence(**maps), truth


def test_steps_that_gain_are_kept_and_the_others_left_out(scene):
    seen, truth = scene
    steps = {
        "begin": {"kind": "gradcam"},
        "nothing": {"max_boxes": 3},
        "posterior": {"kind": "posterior"},
        "nowhere": {"kind": "combined"},
    }
    recipe, frame = select_steps(steps, seen, 0, truth, [0.3, 0.5], n=50)
    assert frame["kept"].tolist() == [True, False, True, False]
    assert frame["AP 0.5"].tolist() == [0, 0, 100, 0]
    assert (recipe.kind, recipe.max_boxes) == ("posterior", 1)
    assert recipe.threshold in (0.3, 0.5)
    assert len(recipe.detect(seen, 0)["0"]) == 1


def test_thresholds_are_swept_on_images_with_the_class(scene):
    seen, truth = scene
    swept = sweep_thresholds(
        Recipe(), seen.class_maps(0, "posterior"), truth, [0.2, 0.9], [0.3, 0.9]
    )
    assert swept.shape == (2, 2) and swept.loc[0.9, 0.3] == 100
    nothing = {i: np.zeros((0, 4)) for i in truth}
    with pytest.raises(ValueError, match="holds the class"):
        sweep_thresholds(Recipe(), seen.class_maps(0, "gradcam"), nothing, [0.2])


def test_masks_need_the_images(scene):
    with pytest.raises(ValueError, match="give `read`"):
        Recipe(masks=True).detect(scene[0], 0)
