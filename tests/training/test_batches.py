"""Shuffled batches: each example once, with its own label, from a stream of its own."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.training.batches import (
    ShuffledBatches,
    crop_and_flip,
    file_batches,
    flip_some,
    random_crop_and_flip,
    view_batches,
)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def normalize(self, images):
        return 2 * images


def test_an_epoch_has_each_row_once_and_the_next_another_order():
    given = []

    def load(batches, generator):
        given.append(torch.cat(list(batches)).tolist())
        return ((rows, torch.rand(1, generator=generator)) for rows in batches)

    batches = ShuffledBatches(range(11), range(11), 4, 0, load)
    for _ in range(2):
        assert [len(rows) for rows, _ in batches] == [4, 4, 3]
    assert sorted(given[0]) == sorted(given[1]) == list(range(11))
    assert given[0] != given[1]


def test_the_order_and_the_views_are_those_of_the_seed():
    """As they were in the runs that are recorded."""
    kept, labels = torch.arange(2 * 9).view(2, 9), torch.arange(9)

    def read(rows, views):
        return kept[views, rows], labels[rows]

    torch.rand(3)  # the process's random numbers play no part
    batches = view_batches(labels, labels, 4, 5, read)
    generator = torch.Generator().manual_seed(5)
    for _ in range(2):
        order = torch.randperm(9, generator=generator)
        views = torch.randint(2, (9,), generator=generator)
        values, rows = (torch.cat(parts) for parts in zip(*batches, strict=True))
        assert rows.tolist() == order.tolist()
        assert values.tolist() == kept[views[order], order].tolist()
    with pytest.raises(ValueError, match="8 labels for 9 images, expected one each"):
        view_batches(labels, labels[1:], 4, 5, read)


def test_files_come_with_their_own_labels(tmp_path):
    paths = []
    for k in range(7):
        paths.append(tmp_path / f"{k}.png")
        Image.fromarray(np.full((20, 30, 3), 30 * k, np.uint8)).save(paths[-1])
    batches = file_batches(Network(), paths, torch.arange(7), 8, 3, seed=1)
    seen = []
    for images, labels in batches:
        assert images.shape == (len(labels), 3, 8, 8)
        torch.testing.assert_close(images.mean((1, 2, 3)), 2 * 30 * labels / 255)
        seen += labels.tolist()
    assert sorted(seen) == list(range(7)) and seen != sorted(seen)


def test_parts_of_images_by_hand():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    half, middle = torch.full((1, 2), 0.5), torch.zeros(1, 2)
    whole = crop_and_flip(image, torch.ones(1, 2), middle)
    torch.testing.assert_close(whole, image)
    turned = crop_and_flip(image, torch.tensor([[-1.0, 1.0]]), middle)
    torch.testing.assert_close(turned, image.flip(3))
    lower_right = crop_and_flip(image, half, torch.full((1, 2), 0.5))
    steps = np.mean([1.75, 2.25, 2.75, 3])  # between pixels, the last on the border
    assert lower_right.mean() == pytest.approx(4 * steps + steps)
    mixed = flip_some(image.repeat(2, 1, 1, 1), torch.tensor([True, False]))
    assert torch.equal(mixed, torch.cat([image.flip(3), image]))


def test_random_parts_lie_anywhere_within():
    places = torch.linspace(-1, 1, 64)
    image = torch.stack(torch.meshgrid(places, places, indexing="xy"))  # x, y of each
    parts = random_crop_and_flip(
        image.repeat(200, 1, 1, 1), torch.Generator().manual_seed(0), 0.5
    )
    centres = parts.mean((2, 3))  # (B, 2)
    assert (centres.amin(0) < -0.15).all() and (centres.amax(0) > 0.15).all()
    assert centres.mean(0).abs().max() < 0.03
    steps = parts[:, 1, :, 0].diff(dim=1)[:, 1:-1]
    assert (steps > 0).all()  # where the border were repeated there would be none


def test_random_parts_have_any_area_and_half_of_them_are_mirrored():
    across = torch.linspace(-1, 1, 64).expand(400, 1, 64, 64)
    parts = random_crop_and_flip(across, torch.Generator().manual_seed(0), 0.5)
    widths = (parts[:, 0, 0, 40] - parts[:, 0, 0, 23]) * 63 / 34  # of the whole: 1
    assert 170 < (widths < 0).sum() < 230
    areas = widths.square()
    assert 0.5 <= areas.min() < 0.52 and 0.98 < areas.max() < 1.001
    assert areas.mean() == pytest.approx(0.75, abs=0.03)
