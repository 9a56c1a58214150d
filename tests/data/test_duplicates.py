"""Copies of photographs are found however they were made; look-alikes are not."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from wslib.data.caltech import load_pixels, read_caltech
from wslib.data.duplicates import _group, near_duplicates
from wslib.data.images import resize_image

REAL = Path(os.environ.get("WSLIB_DATA", "data"), "caltech3")
PHOTOGRAPHS = [data.chelsea(), data.coffee(), data.astronaut(), data.rocket()]


def pixels(images) -> torch.Tensor:
    """Images (H, W, 3) of any sizes -> (N, 3, 64, 64) uint8."""
    return torch.stack(
        [torch.from_numpy(resize_image(i, 64, 64)).permute(2, 0, 1) for i in images]
    )


def encoded(image: np.ndarray) -> np.ndarray:
    quality = (cv2.IMWRITE_JPEG_QUALITY, 20)
    return cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)


def cropped(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    return np.ascontiguousarray(image[height // 20 : -height // 25, width // 20 :])


CHANGES = {
    "copy": lambda image: image.copy(),
    "JPEG at quality 20": encoded,
    "mirror image": lambda image: image[:, ::-1].copy(),
    "5 % off three sides": cropped,
    "mirrored crop": lambda image: cropped(image)[:, ::-1].copy(),
    "other colours": lambda image: image[..., ::-1].copy(),
    "darker": lambda image: (image * 0.6).astype(np.uint8),
    "half the size": lambda i: resize_image(i, i.shape[1] // 2, i.shape[0] // 2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_joins_its_photograph(change):
    copies = [CHANGES[change](image) for image in PHOTOGRAPHS]
    groups = near_duplicates(pixels(PHOTOGRAPHS + copies[::-1]))
    assert groups.dtype == np.int64
    assert groups.tolist() == [0, 1, 2, 3, 3, 2, 1, 0]


def test_photographs_and_their_halves_are_not_the_same():
    halves = [image[:, : image.shape[1] // 2] for image in PHOTOGRAPHS]
    groups = near_duplicates(pixels(PHOTOGRAPHS + halves))
    assert groups.tolist() == list(range(8))


def test_noise_and_plain_pictures():
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 256, (20, 3, 64, 64)).astype(np.uint8)
    assert near_duplicates(torch.from_numpy(noise)).tolist() == list(range(20))
    grey = torch.arange(5, dtype=torch.uint8)[:, None, None, None] * 40
    plain = grey.expand(5, 3, 64, 64)
    assert near_duplicates(plain).tolist() == list(range(5))
    assert near_duplicates(plain[[0, 1, 0, 2, 1]]).tolist() == [0, 1, 0, 2, 1]


def test_many_copies_of_one_are_one_group():
    assert near_duplicates(pixels(PHOTOGRAPHS[:1] * 30)).tolist() == [0] * 30


def test_few_pictures_and_wrong_ones():
    assert near_duplicates(torch.zeros(0, 3, 8, 8, dtype=torch.uint8)).shape == (0,)
    assert near_duplicates(torch.zeros(1, 3, 8, 8, dtype=torch.uint8)).tolist() == [0]
    for wrong in (torch.zeros(2, 3, 8, 8), torch.zeros(2, 8, 8, 3, dtype=torch.uint8)):
        with pytest.raises(ValueError, match=r"expected \(N, 3, S, S\) uint8"):
            near_duplicates(wrong)


def test_a_chain_of_strangers_is_cut():
    """0-1-2-3: neighbours correlate by 0.9, all others not at all."""
    chain = np.eye(4) + 0.9 * (np.eye(4, k=1) + np.eye(4, k=-1))
    assert _group(chain).tolist() == [0, 0, 1, 1]
    akin = np.where(chain > 0, chain, 0.75)  # the others are akin: one family
    assert _group(akin).tolist() == [0, 0, 0, 0]
    below = np.where(np.eye(4) > 0, 1, 0.84)  # akin, but no two are the same
    assert _group(below).tolist() == [0, 1, 2, 3]


@pytest.mark.skipif(not REAL.is_dir(), reason="WSLIB_DATA has no caltech3")
def test_what_the_eye_found_in_the_real_set():
    pictures = read_caltech(REAL)
    names = [f"{path.parent.name} {path.stem[-4:]}" for path in pictures.paths]
    together = [  # twice the same, painted anew, one crop; frames shot in one go
        ("motorcycle 0192", "motorcycle 0195"), ("motorcycle 0506", "motorcycle 0507"),
        ("motorcycle 0419", "motorcycle 0420"), ("motorcycle 0565", "motorcycle 0634"),
        ("motorcycle 0543", "motorcycle 0544"), ("motorcycle 0472", "motorcycle 0493"),
        ("face 0113", "face 0124"), ("face 0159", "face 0160"),
    ]  # fmt: skip
    apart = [  # other models before the same wall, other planes of the same type
        ("motorcycle 0083", "motorcycle 0090"), ("motorcycle 0390", "motorcycle 0729"),
        ("airplane 0700", "airplane 0712"), ("motorcycle 0007", "motorcycle 0015"),
    ]  # fmt: skip
    rows = sorted({names.index(name) for pair in together + apart for name in pair})
    rows += list(range(0, len(pictures), 20))
    rows = list(dict.fromkeys(rows))
    groups = near_duplicates(load_pixels(pictures.take(rows), 64))
    group = {names[row]: number for row, number in zip(rows, groups, strict=True)}
    assert all(group[a] == group[b] for a, b in together)
    assert all(group[a] != group[b] for a, b in apart)
    assert len(set(groups.tolist())) <= len(rows) - len(together)
