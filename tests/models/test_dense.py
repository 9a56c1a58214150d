import pytest
import torch
from torch import nn

from wslib.cam import GradCAM
from wslib.models import two_heads
from wslib.models.checkpoints import read_checkpoint, save_checkpoint
from wslib.models.classifiers import build_classifier
from wslib.models.dense import DenseClassifier, load_dense, save_dense


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))


def dense(name: str) -> tuple:
    """A classifier with random weights, and its dense twin with random heads."""
    classifier = build_classifier(name, pretrained=False, seed=1)
    network = DenseClassifier(classifier, 4)
    generator = torch.Generator().manual_seed(2)
    for weight in network.heads.parameters():
        weight.data = 0.1 * torch.randn(weight.shape, generator=generator)
    return classifier, network


@pytest.fixture(scope="module")
def resnet():
    return dense("resnet18")


@pytest.mark.parametrize(
    ("name", "first"), [("resnet18", 0), ("efficientnet_lite0", 1)]
)
def test_every_second_place_sees_what_the_strided_network_sees(name, first, images):
    classifier, network = dense(name)
    with torch.no_grad():
        strided = classifier.features(images)  # (2, K, 3, 2)
        spread = network.features(network.trunk(images))  # (2, K, 6, 4)
    assert strided.shape[2:] == (3, 2) and spread.shape[2:] == (6, 4)
    torch.testing.assert_close(
        spread[:, :, first::2, first::2], strided, rtol=1e-3, atol=1e-4
    )


class Ending(nn.Module):
    """The images' logits from one head, as a network that can be explained."""

    def __init__(self, network, head, target):
        super().__init__()
        self.network, self.head, self.target = network, head, target

    def forward(self, images):
        A = self.network.features(self.network.trunk(images))
        if self.head == "posterior":
            A = self.network.posteriors(A)
        return self.network.heads[self.head](self.target(A).mean((2, 3)))


@pytest.mark.parametrize(("head", "output"), [("cam", 1), ("posterior", 2)])
def test_maps_are_grad_cam_of_each_class_times_the_places(head, output, resnet, images):
    network, target = resnet[1], nn.Identity()
    seen = network(images)[output]  # (2, 4, 6, 4)
    cam = GradCAM(Ending(network, head, target), [target])
    for c in range(4):
        raw = cam.explain(images, [c, c]).raw[0]  # (2, 6, 4)
        torch.testing.assert_close(24 * raw, seen[:, c], rtol=1e-3, atol=1e-6)


def test_logits_are_the_mean_of_what_the_telling_head_says_at_each_place(
    resnet, images
):
    network = resnet[1]
    A = network.features(network.trunk(images))
    tell = network.heads["image"]
    by_place = tell(A.permute(0, 2, 3, 1)).mean((1, 2))
    torch.testing.assert_close(network(images).logits, by_place, rtol=1e-4, atol=1e-5)


def test_probabilities_of_the_places_sum_to_one(resnet, images):
    places = resnet[1](images).places
    assert places.shape == (2, 5, 6, 4)
    torch.testing.assert_close(places.sum(1), torch.ones(2, 6, 4))


def test_the_classifier_is_left_alone(images):
    classifier = build_classifier("resnet18", pretrained=False)
    before = classifier(images)
    DenseClassifier(classifier, 3)
    assert torch.equal(classifier(images), before)
    assert all(p.requires_grad for p in classifier.parameters())


def test_a_head_that_is_not_imagenets_is_refused():
    with pytest.raises(ValueError, match="20 outputs, expected ImageNet's 1000"):
        DenseClassifier(build_classifier("resnet18", 20, pretrained=False), 20)


def test_a_detector_comes_back_from_its_file(tmp_path, resnet, images):
    path = tmp_path / "detector.pt"
    save_dense(path, resnet[1], list("abcd"), size=64, thresholds={"a": 0.3})
    network, about = load_dense(path)
    assert about["classes"] == list("abcd") and about["thresholds"] == {"a": 0.3}
    for a, b in zip(network(images), resnet[1](images), strict=True):
        assert torch.equal(a, b)


def test_files_are_told_apart_by_name_and_old_ones_by_their_keys(tmp_path, resnet):
    ours, theirs = tmp_path / "ours.pt", tmp_path / "theirs.pt"
    save_dense(ours, resnet[1], list("abcd"))
    network = two_heads.build_detector("simple", input_size=64)
    about = two_heads.about_detector(network, list("abc"))
    save_checkpoint(theirs, network, **about)
    formats = {read_checkpoint(path)["format"] for path in (ours, theirs)}
    assert formats == {"wslib dense classifier 1", "wslib detector 1"}
    content = {**read_checkpoint(ours), "format": "wslib detector 1"}  # the old form
    torch.save(content, ours)
    assert load_dense(ours)[1]["classes"] == list("abcd")
    assert two_heads.load_detector(theirs)[1]["classes"] == list("abc")
    with pytest.raises(ValueError, match=r"theirs\.pt: no detector; `wslib voc train`"):
        load_dense(theirs)
    with pytest.raises(ValueError, match=r"ours\.pt: a detector without its network"):
        two_heads.load_detector(ours)


def test_an_earlier_file_still_loads(tmp_path, resnet, images):
    path, names = tmp_path / "detector.pt", {"image": "tell", "cam": "show"}
    weights = resnet[1].state_dict()
    for new, old in names.items():
        for part in ("weight", "bias"):
            weights[f"heads.{old}.{part}"] = weights.pop(f"heads.{new}.{part}")
    about = {"format": "wslib detector 1", "name": "resnet18", "classes": list("abcd")}
    thresholds = {"taught": {"a": 0.3}, "gradcam": {"a": 0.2}}
    torch.save({"model": weights, **about, "thresholds": thresholds}, path)
    network, about = load_dense(path)
    assert about["thresholds"] == {"combined": {"a": 0.3}, "gradcam": {"a": 0.2}}
    for a, b in zip(network(images), resnet[1](images), strict=True):
        assert torch.equal(a, b)


def test_another_file_is_no_detector(tmp_path, resnet):
    path = tmp_path / "other.pt"
    torch.save({"model": resnet[0].state_dict()}, path)
    with pytest.raises(ValueError, match=r"other\.pt: no detector"):
        load_dense(path)
    with pytest.raises(FileNotFoundError, match=r"absent\.pt"):
        load_dense(tmp_path / "absent.pt")


@pytest.mark.parametrize(
    "classes, complaint",
    [
        (None, "a detector whose classes are None, expected their names"),
        ([1, 2], r"a detector whose classes are \[1, 2\], expected their names"),
        ([], "0 classes, expected each once, and one or more"),
        (["a", "a"], "2 classes, expected each once, and one or more"),
    ],
)
def test_classes_are_names_each_of_them_once(tmp_path, classes, complaint):
    path = tmp_path / "detector.pt"
    about = {"format": "wslib dense classifier 1", "name": "resnet18"}
    torch.save({**about, "classes": classes}, path)
    with pytest.raises(ValueError, match=rf"detector\.pt: {complaint}"):
        load_dense(path)
