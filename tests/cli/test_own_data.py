"""A person's own folder through the commands: train, measure, detect, score, show."""

from __future__ import annotations

import json

import pytest

from wslib.data.rendered.own import draw_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_folder(tmp_path_factory.mktemp("own") / "balls", "COCO", count=16)


@pytest.fixture
def wslib(monkeypatch, type_words, tmp_path):
    """Type a line; its status or last line, and what was printed and noted."""
    monkeypatch.chdir(tmp_path)
    return lambda words: type_words(*words.split())


def test_voc_learns_and_finds_its_classes(wslib, folder):
    data = f"--dataset {folder}"
    status, said, _ = wslib(f"voc train {data} --size 128 --device cpu")
    assert status == 0 and "learnt from 12 images of trainval" in said
    detector = "--detector build/voc/detector.pt --device cpu"
    status, said, _ = wslib(f"voc eval {data} --split test {detector} --json")
    measured = json.loads(said)
    assert status == 0 and {*measured["AP"]} == {"ball", "tree"}
    words = f"voc detect {data} --split test --class tree {detector} --max-boxes 1"
    status, said, _ = wslib(f"{words} --out trees.json")
    assert status == 0 and "tree boxes in 4 images" in said
    found = json.loads(open("trees.json").read())
    assert {1} <= {len(boxes) for boxes in found["boxes"].values()} <= {0, 1}
    status, said, _ = wslib("voc score trees.json --bootstrap 20")
    assert status == 0 and "class tree" in said and "images 4" in said
    assert wslib("voc show trees.json --n 1")[0] == 0
    assert "class 'dog'; balls has ball, tree" in wslib(f"voc baselines {data}")[0]
    assert (
        "its classes lack dog; it has ball, tree"
        in (wslib(f"voc detect {data} --split test {detector}")[0])
    )
    status, said, _ = wslib(f"voc detect {folder}/images {detector} --class ball")
    assert status == 0 and "000.jpg" in said


def test_caltech_learns_names_and_measures_its_classes(wslib, folder):
    words = f"caltech train --dataset {folder} --input-size 64 --epochs 1 --split"
    status, said, _ = wslib(f"{words} 0.5,0.25,0.25 --device cpu")
    assert status == 0 and "Mean accuracy for label tree: " in said
    model = "build/caltech/simple/best.pt"
    status, said, _ = wslib(f"caltech eval {model} {folder} --device cpu --json")
    labels = [row["label"] for row in json.loads(said)["sets"][0]["labels"]]
    assert status == 0 and labels == ["all", "ball", "tree"]
    status, said, noted = wslib(f"caltech predict {model} {folder}/images --device cpu")
    assert status == 0 and "16 of 16 pictures" in said
    assert f"wslib: {model}: it knows ball, tree, and takes all for one" in noted


def test_a_training_without_pictures_leaves_no_folder(wslib, tmp_path):
    status = wslib("caltech train --dataset no/such/folder")[0]
    assert status == "wslib: no/such/folder: no such folder"
    assert "no such folder" in wslib("voc train --dataset no/such/folder")[0]
    assert not [*tmp_path.iterdir()]
