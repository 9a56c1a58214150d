"""Views of pictures: where a bright rectangle is seen, and where its box says it is."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from wslib.data.caltech import read_csv
from wslib.data.images import resize_batch
from wslib.models.two_heads import build_detector
from wslib.practical.views import (
    SIDES,
    Examples,
    Views,
    box_batches,
    frozen_batches,
    squares,
)

NAN = [math.nan] * 4
RECTANGLES = torch.tensor(  # x1, y1, x2, y2 in pixels of 64; none in the centre
    [[4, 6, 30, 14], [40, 3, 46, 39], [20, 30, 62, 41], [9, 44, 18, 60]]
)


def bright(rectangles, size=64):
    """Pictures (N, 3, size, size), black, with one white rectangle each."""
    pixels = torch.zeros(len(rectangles), 3, size, size, dtype=torch.uint8)
    for picture, (x1, y1, x2, y2) in zip(pixels, rectangles.tolist(), strict=True):
        picture[:, y1:y2, x1:x2] = 255
    return pixels


def found(image):
    """Where the picture is bright: x1, y1, x2, y2 as a ratio of it, None if nowhere."""
    y, x = (image[0] > 0.5).nonzero().unbind(1)
    if not len(x):
        return None
    height, width = image.shape[1:]
    box = [x.min() / width, y.min() / height]
    return torch.stack([*box, (x.max() + 1) / width, (y.max() + 1) / height])


def test_a_mirrored_picture_by_hand():
    pixels, boxes = bright(RECTANGLES), RECTANGLES / 64
    views = Views.mirrored(4)
    images, moved = views.of_images(pixels, 64), views.of_boxes(boxes)
    by_hand = [[34, 6, 60, 14], [18, 3, 24, 39], [2, 30, 44, 41], [46, 44, 55, 60]]
    assert torch.equal(moved, torch.tensor(by_hand) / 64)
    assert torch.equal(images, pixels.flip(3) / 255)
    for image, box in zip(images, moved, strict=True):
        assert torch.equal(found(image), box)
    assert torch.equal(views.of_boxes(moved), boxes)
    again = views.of_images((255 * images).byte(), 64)
    assert torch.equal(again, pixels / 255)


def test_a_part_by_hand():
    # the right half and the upper quarter of it, seen from behind
    views = Views(torch.tensor([[0.75, 0.125]]), torch.tensor([[-0.5, 0.25]]))
    box = torch.tensor([[0.5, 0.0, 0.625, 0.125]])  # at the left edge, half as high
    assert views.of_boxes(box).tolist() == [[0.75, 0, 1, 0.5]]
    pixels = bright(torch.tensor([[32, 0, 40, 8]]))
    image = views.of_images(pixels, 32)[0]
    torch.testing.assert_close(found(image), torch.tensor([0.75, 0, 1, 0.5]))
    assert views.of_boxes(torch.tensor([NAN])).isnan().all()
    clipped = views.of_boxes(torch.tensor([[0, 0, 0.75, 1.0], [0, 0.5, 0.2, 0.6]]))
    assert clipped.tolist() == [[0.5, 0, 1, 1], [1, 1, 1, 1]]  # the second is not seen


def test_a_picture_beside_its_centre_is_no_whole_picture():
    views = Views(torch.tensor([[0.75, 0.5]]), torch.ones(1, 2))
    pixels = bright(RECTANGLES[1:2])
    expected = torch.tensor([40 - 16, 3, 46 - 16, 39]) / 64
    assert torch.equal(found(views.of_images(pixels, 64)[0]), expected)
    assert torch.equal(views.of_boxes(RECTANGLES[1:2] / 64)[0], expected)


@pytest.mark.parametrize("size", [64, 96, 40])
def test_whatever_is_cropped_the_box_is_where_it_is_seen(size):
    count = 200
    rows = torch.arange(count) % len(RECTANGLES)
    views = Views.draw(count, "crop", torch.Generator().manual_seed(0))
    images = views.of_images(bright(RECTANGLES)[rows], size)
    boxes = views.of_boxes(RECTANGLES[rows] / 64)
    assert images.shape == (count, 3, size, size) and images.dtype == torch.float32
    assert (boxes >= 0).all() and (boxes <= 1).all()
    assert (boxes[:, :2] <= boxes[:, 2:]).all()
    seen = 0
    for image, box in zip(images, boxes, strict=True):
        where = found(image)
        if where is None:  # less than a pixel of it is left
            assert (box[2:] - box[:2]).min() <= 1 / size
        else:
            assert (where - box).abs().max() <= 1 / size
            seen += 1
    assert seen > 0.9 * count


def test_what_is_drawn():
    generator = torch.Generator().manual_seed(0)
    none = Views.draw(1000, "none", generator)
    assert (none.sides == 1).all() and (none.centres == 0.5).all()
    mirror = Views.draw(1000, "mirror", generator)
    assert (mirror.sides[:, 1] == 1).all() and (mirror.centres == 0.5).all()
    assert set(mirror.sides[:, 0].tolist()) == {-1, 1}
    assert 440 < (mirror.sides[:, 0] < 0).sum() < 560
    crop = Views.draw(1000, "crop", generator)
    sides = crop.sides.abs()
    assert 440 < (crop.sides[:, 0] < 0).sum() < 560 and (crop.sides[:, 1] > 0).all()
    least, most = SIDES
    assert least <= sides.min() and sides.amin(0).max() < least + 0.005
    assert sides.max() <= most and most - 0.005 < sides.amax(0).min()
    draws = torch.cat([sides, crop.centres, crop.sides[:, :1].sign()], 1)  # (1000, 5)
    together = torch.corrcoef(draws.T) - torch.eye(5)
    assert together.abs().max() < 0.12  # so the aspect changes too
    low, high = crop.centres - sides / 2, crop.centres + sides / 2
    for axis in (0, 1):
        within = sides[:, axis] <= 1
        inside = (low[:, axis] >= -1e-6) & (high[:, axis] <= 1 + 1e-6)
        around = (low[:, axis] <= 1e-6) & (high[:, axis] >= 1 - 1e-6)
        assert inside[within].all() and around[~within].all()
        lowest, highest = low[within, axis], high[within, axis]
        assert lowest.min() < 0.01 and highest.max() > 0.99  # anywhere within
        assert lowest.max() > 0.8 * (1 - least)
    same = Views.draw(50, "crop", torch.Generator().manual_seed(3))
    again = Views.draw(50, "crop", torch.Generator().manual_seed(3))
    assert torch.equal(same.sides, again.sides)
    assert torch.equal(same.centres, again.centres)


@pytest.mark.parametrize("size", [64, 48, 80])
def test_the_whole_view_is_the_resized_picture(size):
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(256, (4, 3, 64, 64), generator=generator, dtype=torch.uint8)
    whole = Views.draw(4, "none", generator)
    resized = resize_batch(pixels, (size, size))
    assert torch.equal(whole.of_images(pixels, size), resized)
    assert torch.equal(whole.of_boxes(RECTANGLES / 64), RECTANGLES / 64)
    views = Views.draw(4, "mirror", torch.Generator().manual_seed(1))
    seen = views.of_images(pixels, size)
    for image, plain, side in zip(seen, resized, views.sides[:, 0], strict=True):
        assert torch.equal(image, plain.flip(2) if side < 0 else plain)


def test_the_border_is_repeated_outside():
    pixels = torch.full((1, 3, 20, 20), 51, dtype=torch.uint8)
    pixels[:, :, :, :2] = 255
    views = Views(torch.tensor([[0.5, 0.5]]), torch.tensor([[1.5, 1.5]]))
    image = views.of_images(pixels, 30)[0]  # 5 pixels outside on each side
    assert torch.allclose(image[:, :, :6], torch.ones(3, 30, 6))
    assert torch.allclose(image[:, :, 8:], torch.full((3, 30, 22), 0.2))


def examples(count=23):
    """Pictures whose rectangles tell them apart; the class is the number modulo 3."""
    x = torch.arange(count)
    corners = torch.stack([2 * x + 4, 3 + x, 2 * x + 12, 2 * x + 15], 1)
    boxes = corners / 64
    boxes[count // 4] = math.nan
    return Examples(bright(corners), x % 3, boxes)


def unnormalized(detector, images):
    return (images * detector.std + detector.mean).clamp(0, 1)


@pytest.fixture(scope="module")
def detector():
    return build_detector("simple", input_size=64)


@pytest.fixture(scope="module")
def frozen():
    return build_detector("lite0", frozen=True, input_size=64)


@pytest.mark.parametrize("augmentation", ["none", "mirror"])
def test_batches_show_each_picture_once_an_epoch(detector, augmentation):
    shown = examples()
    batches = box_batches(detector, shown, 8, augmentation, seed=0)
    orders, mirrored = [], 0
    for _ in range(3):
        told, epoch = [], list(batches)
        assert [len(images) for images, _ in epoch] == [8, 8, 7]
        for images, (labels, boxes) in epoch:
            assert images.shape[1:] == (3, 64, 64)
            whole = unnormalized(detector, images)
            for image, label, box in zip(whole, labels, boxes, strict=True):
                where = 64 * found(image)
                if not box.isnan().any():
                    torch.testing.assert_close(where, 64 * box)
                number = int(where[1].round()) - 3  # y1 is 3 + number
                turned = int(where[0].round()) != 2 * number + 4
                mirrored += turned
                assert label == number % 3
                assert bool(box.isnan().all()) == (number == 5)
                told.append(number)
        assert sorted(told) == list(range(23))
        orders.append(told)
    assert orders[0] != orders[1] != orders[2]
    assert mirrored == 0 if augmentation == "none" else 20 < mirrored < 50


def test_crops_show_each_picture_once_where_its_box_is(detector):
    shown = examples()
    labels, seen = [], 0
    for images, (told, boxes) in box_batches(detector, shown, 8, "crop", seed=1):
        labels += told.tolist()
        for image, box in zip(unnormalized(detector, images), boxes, strict=True):
            where = found(image)
            if where is not None and not box.isnan().any():
                assert (where - box).abs().max() <= 1 / 64
                seen += 1
    assert sorted(labels) == sorted(shown.labels.tolist()) and seen > 15


def test_batches_repeat_with_their_seed(detector, frozen):
    shown = examples()
    for kind, network, how in (
        (box_batches, detector, "crop"),
        (box_batches, detector, "mirror"),
        (frozen_batches, frozen, "mirror"),
    ):
        one, same, other = (kind(network, shown, 8, how, seed) for seed in (1, 1, 2))
        before = torch.get_rng_state()
        torch.rand(3)  # the process's random numbers play no part
        epochs = [[pairs(batch) for batch in batches] for batches in (one, same, other)]
        torch.set_rng_state(before)
        for left, right in zip(epochs[0], epochs[1], strict=True):
            for a, b in zip(left, right, strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)
        firsts = epochs[0][0], epochs[2][0]
        assert not torch.equal(*(first[0] for first in firsts))


def pairs(batch):
    images, (labels, boxes) = batch
    return images if isinstance(images, torch.Tensor) else images.values, labels, boxes


@pytest.mark.parametrize("augmentation", ["none", "mirror"])
def test_maps_are_those_of_the_pictures_themselves(frozen, augmentation):
    shown = examples()
    maps = frozen_batches(frozen, shown, 8, augmentation, seed=4)
    images = box_batches(frozen, shown, 8, augmentation, seed=4)
    for _ in range(2):
        for left, right in zip(maps, images, strict=True):
            (ready, (labels, boxes)), (seen, (same, others)) = left, right
            with torch.no_grad():
                direct = frozen.maps(seen).values
            torch.testing.assert_close(ready.values, direct, atol=1e-4, rtol=1e-4)
            assert torch.equal(labels, same)
            torch.testing.assert_close(boxes, others, equal_nan=True)
    assert not torch.equal(frozen.maps(seen).values, frozen.maps(seen.flip(3)).values)


def test_maps_are_something_to_learn_from(frozen):
    (maps, _) = next(iter(frozen_batches(frozen, examples(), 8, "mirror", seed=0)))
    logits, boxes = frozen(maps)
    (logits.sum() + boxes.sum()).backward()
    assert frozen.neck[0].weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in frozen.features.parameters())
    frozen.zero_grad()


def test_examples_of_some_rows():
    shown = examples(6)
    some = shown.take([4, 0])
    assert len(some) == 2 and some.labels.tolist() == [1, 0]
    assert torch.equal(some.pixels, shown.pixels[[4, 0]])
    assert torch.equal(some.boxes, shown.boxes[[4, 0]])
    chosen = shown.take((shown.labels == 2).numpy())
    assert torch.equal(chosen.boxes, shown.boxes[[2, 5]])
    pixels, labels, boxes = shown.pixels, shown.labels, shown.boxes
    wrong = [
        ((pixels[:5], labels, boxes), "5 pictures, 6 labels, 6 boxes"),
        ((pixels, labels, boxes[:1]), "6 pictures, 6 labels, 1 boxes"),
        ((pixels[:0], labels[:0], boxes[:0]), "0 pictures, 0 labels, 0 boxes"),
    ]
    for parts, text in wrong:
        with pytest.raises(ValueError, match=f"^{text}: expected one each, and at le"):
            Examples(*parts)


def test_images_become_squares():
    generator = np.random.default_rng(0)
    images = [generator.integers(256, size=(h, 16, 3)) for h in (16, 8)]
    images = [image.astype(np.uint8) for image in images]
    pixels = squares(images, 16)
    assert pixels.shape == (2, 3, 16, 16) and pixels.dtype == torch.uint8
    assert torch.equal(pixels[0], torch.from_numpy(images[0]).permute(2, 0, 1))
    rectangle = np.zeros((40, 80, 3), np.uint8)
    rectangle[10:20, 40:60] = 255
    box = found(squares([rectangle], 64)[0] / 255)
    assert torch.equal(box, torch.tensor([0.5, 0.25, 0.75, 0.5]))


def test_examples_from_files(tmp_path):
    rectangle = np.zeros((40, 80, 3), np.uint8)
    rectangle[10:20, 40:60] = 255
    for name in ("one.png", "two.png"):
        Image.fromarray(rectangle).save(tmp_path / name)
    rows = "one.png,40,10,60,20,airplane\ntwo.png,,,,,face\n"
    (tmp_path / "all.csv").write_text(rows)
    shown = Examples.read(read_csv(tmp_path / "all.csv"), 32)
    assert shown.pixels.shape == (2, 3, 32, 32) and shown.labels.tolist() == [2, 0]
    assert shown.boxes.dtype == torch.float32 and shown.boxes[1].isnan().all()
    assert torch.equal(found(shown.pixels[0] / 255), shown.boxes[0])


def test_unknown_augmentation(detector, frozen):
    expected = "^augmentation 'turn', expected none, mirror, crop$"
    with pytest.raises(ValueError, match=expected):
        box_batches(detector, examples(), 8, "turn", seed=0)
    expected = "^augmentation 'crop' with frozen features, expected none or mirror$"
    with pytest.raises(ValueError, match=expected):
        frozen_batches(frozen, examples(), 8, "crop", seed=0)
