"""CIFAR-10's pictures: red is red, from the binary files and from the zip."""

import zipfile

import cv2
import numpy as np
import pytest

from wslib.data.cifar10 import BATCHES, BINARY, cifar10_contents, cifar10_pictures

RED = (230, 60, 20)


@pytest.fixture
def binary(tmp_path):
    row = b"\3" + b"".join(bytes([value]) * 1024 for value in RED)
    (tmp_path / BINARY).mkdir(parents=True)
    for names in BATCHES.values():
        for name in names:
            (tmp_path / BINARY / name).write_bytes(2 * row)
    return tmp_path


@pytest.fixture
def zipped(tmp_path):
    picture = np.full((32, 32, 3), RED, np.uint8)
    _, code = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    with zipfile.ZipFile(tmp_path / "cifar10_pictures.zip", "w") as archive:
        for part in BATCHES:
            archive.writestr(f"cifar10_pictures/{part}/ship/0001.jpg", code.tobytes())
    return tmp_path


@pytest.mark.parametrize("kind", ["binary", "zipped"])
def test_red_is_red(kind, request):
    parts, _ = cifar10_pictures(request.getfixturevalue(kind))
    for pictures in parts.values():
        np.testing.assert_allclose(pictures[0].mean((0, 1)), RED, atol=3)


def test_contents(binary):
    folder = binary / BINARY
    assert cifar10_contents(folder) == "complete, 12 pictures"
    (folder / "test_batch.bin").write_bytes(b"short")
    said = "test_batch.bin: 5 bytes, expected a multiple of 3,073"
    assert cifar10_contents(folder) == f"incomplete: {folder}/{said}"
    (folder / "test_batch.bin").unlink()
    assert cifar10_contents(folder).endswith("test_batch.bin: not found")
    assert cifar10_contents(binary / "nowhere") == "not here"


def test_pictures_come_in_the_order_of_their_files(binary):
    """Two in each file, of the greys 1 and 2, 11 and 12, 21 and 22, ..."""
    for k, name in enumerate(BATCHES["train"]):
        rows = b"".join(b"\0" + bytes([10 * k + n]) * 3072 for n in (1, 2))
        (binary / BINARY / name).write_bytes(rows)
    pictures = cifar10_pictures(binary)[0]["train"]
    greys = [int(picture[5, 7, 1]) for picture in pictures]
    assert greys == [10 * k + n for k in range(5) for n in (1, 2)]
    assert len(pictures) == 10 and pictures[-1][0, 0, 0] == 42
    with pytest.raises(IndexError):
        pictures[10]
