"""The one loop that asks a network: order, mirror images, and where answers go."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.data.images import resize_batch
from wslib.models.ask import (
    ask,
    average_views,
    image_views,
    join,
    mirror_maps,
    picture_views,
    stack_views,
)


class Network(nn.Module):
    """Answers with a logit, the mean, and a map that depends on the column."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def normalize(self, images):
        return 2 * images - 1

    def forward(self, images):
        ramp = torch.arange(images.shape[3]) * self.weight
        return images.mean((1, 2, 3))[:, None], images[:, :1] * ramp


@pytest.fixture
def pixels():
    generator = torch.Generator().manual_seed(0)
    size = (7, 3, 6, 8)
    return torch.randint(256, size, generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 20])
@pytest.mark.parametrize("flip", [False, True])
def test_answers_are_those_to_all_inputs_at_once(pixels, batch_size, flip):
    network = Network()
    batches = picture_views(network, pixels, (6, 8), batch_size, flip)
    logits, maps = join(ask(network, batches))
    images = 2 * (pixels / 255) - 1
    ramp = torch.arange(8.0)
    ramp = (ramp + ramp.flip(0)) / 2 if flip else ramp  # a mirrored map comes back
    torch.testing.assert_close(maps, images[:, :1] * ramp)
    torch.testing.assert_close(logits, images.mean((1, 2, 3))[:, None])


def test_views_side_by_side(pixels):
    batches = picture_views(Network(), pixels, (6, 8), 4, True)
    (views,) = zip(*ask(lambda x: x, batches, stack_views), strict=True)
    views = torch.cat(views, 1)
    assert views.shape == (2, 7, 3, 6, 8)
    assert torch.equal(views[1], views[0].flip(3))


def test_what_belongs_to_a_batch_stays_with_it():
    batches = [([torch.zeros(2, 1)], torch.tensor([5, 6]), "a")]
    ((answer, numbers, name),) = ask(lambda x: x + 1, batches)
    assert answer.tolist() == [[1], [1]] and numbers.tolist() == [5, 6] and name == "a"


def test_only_maps_are_mirrored_back():
    flat, boxes, maps = torch.rand(2, 3), torch.rand(2, 5, 3), torch.rand(2, 3, 4, 5)
    parts = mirror_maps([flat, boxes, maps])
    assert parts[0] is flat and parts[1] is boxes
    assert torch.equal(parts[2], maps.flip(3))
    mean = average_views([[flat], [flat + 2]], back=lambda parts: [10 * parts[0]])
    torch.testing.assert_close(mean[0], (flat + 10 * (flat + 2)) / 2)
    assert average_views([[flat]])[0] is flat


def test_no_gradient_is_kept(pixels):
    network = Network()
    batches = picture_views(network, pixels, (6, 8), 4, False)
    for logits, maps in ask(network, batches):
        assert not logits.requires_grad and not maps.requires_grad


def test_pictures_in_order_at_the_size_that_is_asked_for(pixels):
    batches = list(picture_views(Network(), pixels, (4, 5), 3, True))
    assert [len(views[0]) for (views,) in batches] == [3, 3, 1]
    images = torch.cat([views[0] for (views,) in batches])
    torch.testing.assert_close(images, 2 * resize_batch(pixels, (4, 5)) - 1)
    for (views,) in batches:
        torch.testing.assert_close(views[1], views[0].flip(3))


def test_files_in_order_with_their_sizes(tmp_path):
    paths = []
    for k, (width, height) in enumerate([(40, 30), (64, 64), (20, 50)]):
        paths.append(tmp_path / f"{k}.png")
        Image.fromarray(np.full((height, width, 3), 50 * k, np.uint8)).save(paths[-1])
    batches = image_views(Network(), paths, 32, 2, True, "images")
    means, sizes = join(ask(lambda x: x.mean((1, 2, 3)), batches))
    assert sizes.tolist() == [[40, 30], [64, 64], [20, 50]]
    expected = 2 * torch.tensor([0, 50, 100]) / 255 - 1
    torch.testing.assert_close(means, expected)
    Image.linear_gradient("L").rotate(90).save(paths[0])
    for (image, mirrored), _ in image_views(
        Network(), paths[:1], 32, 2, True, "images"
    ):
        assert torch.equal(mirrored, image.flip(3)) and not mirrored.equal(image)
    alone = image_views(Network(), paths, 32, 2, False, "images")
    assert [len(views) for views, _ in alone] == [1, 1]
