"""Photographs of VOC with one object, and the classes of ImageNet that it may be."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from wslib.data.photographs import KINDS, one_object_photos
from wslib.data.voc import CLASSES, VocObject
from wslib.models.classifiers import imagenet_classes


def test_kinds_are_of_the_class_that_they_stand_by():
    names = imagenet_classes()
    assert set(KINDS) == set(CLASSES) - {"person"}
    both = {
        "dog": ("Chihuahua", "Mexican hairless"),
        "bird": ("cock", "albatross"),
        "cat": ("tabby", "Egyptian cat"),
        "train": ("bullet train", "steam locomotive"),
        "sofa": ("studio couch", "studio couch"),
    }
    for name, (first, last) in both.items():
        assert (names[KINDS[name][0]], names[KINDS[name][-1]]) == (first, last)
    numbers = [number for numbers in KINDS.values() for number in numbers]
    assert len(set(numbers)) == len(numbers)
    assert names[24] == "great grey owl" and names[100] == "black swan"


def test_only_one_object_of_a_class_that_is_known():
    things = {
        "two": (VocObject("dog", (1, 1, 9, 9)), VocObject("cat", (1, 1, 5, 5))),
        "person": (VocObject("person", (1, 1, 9, 9)),),
        "dog": (VocObject("dog", (3, 2, 10, 8)),),
        "sofa": (VocObject("sofa", (1, 1, 12, 10)),),
    }
    voc = SimpleNamespace(
        annotation=lambda i: SimpleNamespace(objects=things[i]),
        image=lambda i: np.zeros((10, 12, 3), np.uint8),
    )
    photos = one_object_photos(voc, list(things), 9)
    assert [(p.name, p.box) for p in photos] == [
        ("dog", (2, 1, 10, 8)),
        ("sofa", (0, 0, 12, 10)),
    ]
    assert len(one_object_photos(voc, list(things), 1)) == 1
