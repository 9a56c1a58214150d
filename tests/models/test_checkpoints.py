"""Checkpoints: what comes back, in which order, and what is refused in one line."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from wslib.data.voc import CLASSES, COURSE_CLASSES
from wslib.models.checkpoints import (
    about_classifier,
    fingerprint,
    load_checkpoint,
    load_classifier,
    read_checkpoint,
    save_checkpoint,
    save_classifier,
)
from wslib.models.classifiers import build_classifier


class Stranger:
    """A class of somebody's own, as pickles hold them."""


def small(outputs=3, seed=0):
    return build_classifier("resnet18", outputs, pretrained=False, seed=seed)


IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def logits(model):
    return model(IMAGES)


@pytest.fixture(scope="module")
def course():
    """A ResNet-50 of torchvision as the course has it, its outputs in its order."""
    import torchvision

    torch.manual_seed(1)
    network = torchvision.models.resnet50(weights=None, num_classes=20).eval()
    nn.init.normal_(network.fc.bias)
    return network


def one_line(kind, load, *words):
    with pytest.raises(kind) as error:
        load()
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text, text


def test_course_classes_are_vocs_in_another_order():
    assert sorted(COURSE_CLASSES) == sorted(CLASSES)
    assert COURSE_CLASSES[4] == "dog" and CLASSES[11] == "dog"


def test_any_network_and_what_is_known_about_it(tmp_path):
    model, file = nn.Linear(2, 3), tmp_path / "models" / "line.pt"
    save_checkpoint(file, model, name="line", classes=["red", "green"])
    other = nn.Linear(2, 3)
    assert load_checkpoint(file, other) == {"name": "line", "classes": ["red", "green"]}
    assert torch.equal(other.weight, model.weight)
    assert [path.name for path in file.parent.iterdir()] == ["line.pt"]
    before = other.weight.detach().clone()
    save_checkpoint(file, nn.Linear(2, 4))
    wanted = "bias is (4,), expected (3,)"
    one_line(ValueError, lambda: load_checkpoint(file, other), "line.pt: ", wanted)
    wanted = "fit Conv2d: weight is (4, 2), expected (1, 1, 1, 1)"
    conv = nn.Conv2d(1, 1, 1, bias=False)
    save_checkpoint(file, nn.Linear(2, 4, bias=False))
    one_line(ValueError, lambda: load_checkpoint(file, conv), wanted)
    one_line(ValueError, lambda: load_checkpoint(file, other), "bias is absent")
    assert torch.equal(other.weight, before)


def test_not_a_checkpoint(tmp_path):
    one_line(
        FileNotFoundError,
        lambda: read_checkpoint(tmp_path / "none.pt"),
        "none.pt: no such checkpoint",
    )
    one_line(FileNotFoundError, lambda: read_checkpoint(tmp_path), "no such checkpoint")
    file = tmp_path / "bad.pt"
    file.write_text("epoch,loss\n1,0.5\n")
    one_line(ValueError, lambda: read_checkpoint(file), "bad.pt: not a checkpoint")
    file.write_bytes(b"")
    one_line(ValueError, lambda: read_checkpoint(file), "bad.pt: not a checkpoint")
    save_classifier(file, small(), "abc")
    file.write_bytes(file.read_bytes()[:100_000])
    one_line(ValueError, lambda: load_classifier(file), "bad.pt: not a checkpoint")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme", "text")
    one_line(ValueError, lambda: read_checkpoint(file), "bad.pt: not a checkpoint")
    torch.save(torch.zeros(3), file)
    one_line(ValueError, lambda: read_checkpoint(file), "not a checkpoint: Tensor")
    for content in ({"model_sdict": {}}, {"model_sdict": {"fc.weight": [1.0]}}):
        torch.save(content, file)
        one_line(ValueError, lambda: load_classifier(file), "bad.pt: not a checkpoint")


def test_pickles_that_could_run_code_are_refused(tmp_path):
    file = tmp_path / "strange.pt"
    torch.save({"model_sdict": {}, "config": Stranger()}, file)
    one_line(
        ValueError, lambda: load_classifier(file), "strange.pt: refused", "Stranger"
    )


@pytest.mark.parametrize("heads", [1, 2])
def test_classifier_round_trip(tmp_path, heads):
    model, file = small(3 * heads), tmp_path / "model.pt"
    model.features.bn1.running_mean += 0.5
    model.input_size = 448
    names = ["red", "green", "blue"]
    save_classifier(file, model, names, seed=4, scale=np.float64(0.5), sizes=(1, 2))
    again, about = load_classifier(file)
    torch.testing.assert_close(logits(again), logits(model), rtol=0, atol=0)
    assert (again.name, again.input_size, again.training) == ("resnet18", 448, False)
    assert about == {
        "format": "wslib classifier 1",
        "name": "resnet18",
        "classes": names,
        "heads": heads,
        "input_size": 448,
        "seed": 4,
        "scale": 0.5,
        "sizes": [1, 2],
    }
    assert fingerprint(again) == fingerprint(model)
    load_classifier(file, names)
    one_line(
        ValueError,
        lambda: load_classifier(file, ["green", "red", "blue"]),
        "model.pt: its classes are red, green, blue",
    )


def test_what_cannot_be_saved(tmp_path):
    file = tmp_path / "model.pt"
    for names in (["a", "b"], ["a", "b", "a"], []):
        one_line(
            ValueError,
            lambda names=names: save_classifier(file, small(), names),
            f"model.pt: 3 outputs for {len(names)} classes",
        )
    one_line(
        ValueError,
        lambda: save_classifier(file, small(), "abc", source=tmp_path),
        "Path is not JSON serializable",
    )
    model = small()
    model.head.weight.data[1, 2] = float("nan")
    one_line(
        ValueError,
        lambda: save_classifier(file, model, "abc"),
        "model.pt: head.weight holds numbers that are not finite",
    )
    assert not list(tmp_path.iterdir())


def test_own_file_that_contradicts_itself(tmp_path):
    model, file = small(), tmp_path / "model.pt"
    about = about_classifier(model, ["a", "b", "c"])
    for wrong, words in (
        ({"name": "vgg"}, "unknown classifier 'vgg'"),
        ({"name": "efficientnet_lite0"}, "weights do not fit efficientnet_lite0"),
        ({"classes": ["a", "b"]}, "head.bias is (3,), expected (2,)"),
        (
            {"classes": ["a", "a", "b"]},
            "3 outputs for 3 classes: expected a name, each",
        ),
        ({"heads": 2}, "head.bias is (3,), expected (6,)"),
        ({"heads": None}, "a classifier without its heads"),
        ({"classes": []}, "a classifier without its classes"),
        ({"format": "wslib classifier 2"}, "no classifier: expected"),
    ):
        save_checkpoint(file, model, **{**about, **wrong})
        one_line(ValueError, lambda: load_classifier(file), "model.pt: ", words)
    model.features.bn1.running_var[0] = float("inf")
    save_checkpoint(file, model, **about)
    one_line(ValueError, lambda: load_classifier(file), "bn1.running_var holds numbers")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_courses_file(tmp_path, course, prefix):
    file = tmp_path / "course.pt"
    state = {prefix + key: value for key, value in course.state_dict().items()}
    torch.save({"model_sdict": state, "epoch": 20, "mAP": np.float64(0.84)}, file)
    model, about = load_classifier(file)
    found, expected = logits(model), logits(course)
    for name in CLASSES:
        torch.testing.assert_close(
            found[:, CLASSES.index(name)], expected[:, COURSE_CLASSES.index(name)]
        )
    assert not torch.allclose(found, expected)
    assert (about["name"], about["heads"]) == ("resnet50", 1)
    assert about["classes"] == list(CLASSES)


def test_a_bare_resnet_needs_its_classes_named(tmp_path, course):
    file = tmp_path / "bare.pt"
    torch.save(course.state_dict(), file)
    one_line(ValueError, lambda: load_classifier(file), "bare.pt: names no classes")
    order = CLASSES[::-1]
    model, _ = load_classifier(file, order)
    torch.testing.assert_close(logits(model).flip(1), logits(course))
    for wrong, words in (
        (["doggo", *order[1:]], "no class 'doggo'; VOC has aeroplane, "),
        (order[2:], "the class names lack train, tvmonitor"),
        ([*order, "dog"], "20 outputs, 21 names, expected 20"),
    ):
        one_line(ValueError, lambda w=wrong: load_classifier(file, w), words)


def test_a_bare_resnet_of_another_data_set_keeps_its_order(tmp_path):
    import torchvision

    file, names = tmp_path / "shapes.pt", ("square", "circle", "star")
    network = torchvision.models.resnet18(weights=None, num_classes=3).eval()
    torch.save(network.state_dict(), file)
    model, about = load_classifier(file, names)
    assert about["classes"] == list(names)
    torch.testing.assert_close(logits(model), logits(network))
    few = "3 outputs, 2 names, expected 2"
    one_line(ValueError, lambda: load_classifier(file, names[:2]), few)


def test_another_architecture(tmp_path, course):
    from torchvision import models

    file = tmp_path / "other.pt"
    state = dict(course.state_dict())
    nan = {**state, "layer1.0.conv1.weight": state["layer1.0.conv1.weight"] * np.nan}
    squeeze = models.squeezenet1_1(weights=None).state_dict()
    for content, words in (
        (squeeze, "no classifier: expected"),
        ({"model_sdict": squeeze}, "not the weights of resnet18 or resnet50"),
        (
            {"model_sdict": models.resnet18(weights=None).state_dict()},
            "1000 outputs, 20 names",
        ),
        (
            {"model_sdict": models.resnet34(num_classes=20).state_dict()},
            "weights do not fit resnet18: features.layer1.2.bn1.bias",
        ),
        (
            {"model_sdict": {k: v for k, v in state.items() if k != "fc.bias"}},
            "not the weights of",
        ),
        ({"model_sdict": nan}, "layer1.0.conv1.weight holds numbers that are not fin"),
    ):
        torch.save(content, file)
        one_line(ValueError, lambda: load_classifier(file), "other.pt: ", words)


def test_fingerprint():
    model, same = small(), small()
    digits = fingerprint(model)
    assert len(digits) == 12 and int(digits, 16)
    assert digits == fingerprint(same) == fingerprint(same.train())
    assert digits == fingerprint(same.to(memory_format=torch.contiguous_format))
    assert digits != fingerprint(small(seed=1))
    same.features.bn1.running_mean[3] = 1e-7
    assert digits != fingerprint(same)
    with_buffer = nn.Linear(1, 1)
    before = fingerprint(with_buffer)
    with_buffer.register_buffer("passing", torch.ones(1), persistent=False)
    assert fingerprint(with_buffer) == before
    with_buffer.register_buffer("kept", torch.tensor(True))
    assert fingerprint(with_buffer) != before


def test_fingerprint_minds_names_and_shapes():
    def network(**parameters):
        module = nn.Module()
        for name, value in parameters.items():
            module.register_parameter(name, nn.Parameter(value))
        return module

    four = torch.arange(4.0)
    digits = fingerprint(network(a=four))
    assert digits != fingerprint(network(b=four))
    assert digits != fingerprint(network(a=four.view(2, 2)))
    assert digits != fingerprint(network(a=four.flip(0)))
    one, two = network(a=four, b=four), network(b=four, a=four)
    assert fingerprint(one) == fingerprint(two)
    square = network(a=four.view(2, 2))
    turned = network(a=four.view(2, 2).T.contiguous().T)
    assert turned.a.stride() != square.a.stride()
    assert fingerprint(turned) == fingerprint(square)


def test_a_full_disk_is_named_and_nothing_is_left(tmp_path, monkeypatch):
    def full(content, path):
        path.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672]")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"a\.pt: cannot be written: is the disk full\?"):
        save_checkpoint(tmp_path / "a.pt", torch.nn.Linear(2, 2))
    assert not list(tmp_path.iterdir())


def test_a_device_is_not_replaced_by_a_file():
    with pytest.raises(ValueError, match="/dev/null: is no file"):
        save_checkpoint("/dev/null", torch.nn.Linear(2, 2))
