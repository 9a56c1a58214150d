"""Reading pictures of every kind, one by one and in batches."""

import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from wslib.data.images import ImageBatches, read_image, resize_batch, resize_image


@pytest.fixture
def photo() -> np.ndarray:
    """A smooth picture, (40, 60, 3)."""
    y, x = np.mgrid[:40, :60]
    return np.stack([x * 4, y * 6, 255 - x * 4], 2).astype(np.uint8)


def save(image: np.ndarray, path, mode="RGB", **options):
    Image.fromarray(image).convert(mode).save(path, **options)
    return path


def test_jpeg_is_rgb(tmp_path, photo):
    image = read_image(save(photo, tmp_path / "a.jpg", quality=98))
    assert (image.shape, image.dtype) == ((40, 60, 3), np.uint8)
    assert np.abs(image.astype(int) - photo).mean() < 3
    assert image.flags.writeable and image.flags.c_contiguous


@pytest.mark.parametrize(
    "mode, suffix", [("RGBA", "png"), ("P", "png"), ("CMYK", "jpg")]
)
def test_other_modes_become_rgb(tmp_path, photo, mode, suffix):
    image = read_image(save(photo, tmp_path / f"a.{suffix}", mode))
    assert (image.shape, image.dtype) == ((40, 60, 3), np.uint8)
    assert np.abs(image.astype(int) - photo).mean() < 25  # a palette is coarse


def test_grey_has_three_equal_channels(tmp_path, photo):
    image = read_image(save(photo, tmp_path / "a.jpg", "L"))
    assert image.shape == (40, 60, 3)
    assert (image[..., 0] == image[..., 2]).all()


def test_sixteen_bits_are_scaled(tmp_path):
    deep = np.array([[0, 257 * 100, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 100, 255]


def test_a_camera_that_was_turned_changes_nothing(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by 90 degrees
    assert read_image(save(photo, tmp_path / "a.jpg", exif=exif)).shape == (40, 60, 3)


def test_errors_are_one_line_naming_the_file(tmp_path, photo):
    whole = save(photo, tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").write_bytes(b"")
    for name in ("half.jpg", "text.jpg", "empty.jpg"):
        with pytest.raises(ValueError, match=f"{name}: not a readable image") as error:
            read_image(tmp_path / name)
        assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"none\.jpg: no such image"):
        read_image(tmp_path / "none.jpg")
    with pytest.raises((ValueError, OSError), match=tmp_path.name):
        read_image(tmp_path)


def test_resize_takes_area_means_and_bilinear_values():
    board = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (8, 8))
    assert (resize_image(board, 8, 8) == 100).all()
    ramp = np.array([[0, 100]], np.uint8)
    assert resize_image(ramp, 4, 1).tolist() == [[0, 25, 75, 100]]
    tall = np.repeat(ramp, 10, 0)  # shrinks downwards, grows sideways
    assert resize_image(tall, 4, 2).tolist() == [[0, 25, 75, 100]] * 2


def test_a_batch_in_memory_is_resized_by_means(photo):
    board = torch.zeros(1, 3, 8, 12, dtype=torch.uint8)
    board[:, 1, ::2, ::2] = board[:, 1, 1::2, 1::2] = 204
    half = resize_batch(board, (4, 6))
    assert (half.shape, half.dtype) == ((1, 3, 4, 6), torch.float32)
    torch.testing.assert_close(half[0, 1, 1:-1, 1:-1], torch.full((2, 4), 0.4))
    assert half[:, 0].max() == 0  # channels do not mix
    ramp = torch.tensor([0, 255], dtype=torch.uint8).expand(2, 3, 5, 2)
    wide = resize_batch(ramp, (5, 4))
    torch.testing.assert_close(wide[1, 2, 3], torch.tensor([0, 0.25, 0.75, 1]))
    images = torch.from_numpy(photo).permute(2, 0, 1)[None]  # not contiguous
    torch.testing.assert_close(resize_batch(images, (40, 60)), images / 255)
    for size in ((20, 30), (7, 90), (80, 13)):
        resized = resize_batch(images, size)
        assert resized.shape == (1, 3, *size)
        assert resized.min() >= 0 and resized.max() < 1 + 1e-6
        mean = resized.mean((2, 3)) - images.float().mean((2, 3)) / 255
        assert mean.abs().max() < 0.02


def test_a_batch_is_a_stack_of_images_one_by_one(photo):
    images = torch.from_numpy(np.stack([photo, photo[::-1], 255 - photo]))
    images = images.permute(0, 3, 1, 2)
    whole = resize_batch(images, (17, 23))
    alone = torch.cat([resize_batch(image[None], (17, 23)) for image in images])
    torch.testing.assert_close(whole, alone)
    swapped = resize_batch(images, (23, 17))
    assert swapped.shape == (3, 3, 23, 17)  # height first


@pytest.fixture
def paths(tmp_path) -> list:
    """Eleven pictures, each of one colour 10 k, and of its own size."""
    made = []
    for k in range(11):
        flat = np.full((20 + k, 30 + 2 * k, 3), 10 * k, np.uint8)
        made.append(save(flat, tmp_path / f"{k}.png"))
    return made


def image_threads() -> int:
    return sum(t.name.startswith("images") for t in threading.enumerate())


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_keep_order_and_sizes(paths, workers):
    batches = ImageBatches(paths, 16, 4, workers=workers)
    assert len(batches) == 3
    for _ in range(2):  # it can be iterated again
        images, sizes = zip(*batches, strict=True)
        assert [len(batch) for batch in images] == [4, 4, 3]
        images, sizes = torch.cat(images), torch.cat(sizes)
        assert (images.shape, images.dtype) == ((11, 3, 16, 16), torch.float32)
        assert torch.allclose(images[:, 0, 0, 0] * 255, torch.arange(11) * 10.0)
        assert sizes.tolist() == [[30 + 2 * k, 20 + k] for k in range(11)]
    assert image_threads() == 0


def test_batches_of_nothing():
    assert (len(ImageBatches([], 16, 4)), list(ImageBatches([], 16, 4))) == (0, [])


def test_bad_image_is_reported_when_it_is_due(paths, tmp_path):
    (tmp_path / "5.png").write_bytes(b"no")
    done, began = 0, time.time()
    with pytest.raises(ValueError, match=r"5\.png: not a readable image"):
        for images, _ in ImageBatches(paths, 16, 2, desc="reading"):
            done += len(images)
    assert done == 4 and time.time() - began < 5
    assert image_threads() == 0


@pytest.mark.parametrize("desc", [None, "reading"])
def test_leaving_early_ends_the_threads(paths, desc):
    for _ in ImageBatches(paths * 20, 16, 2, desc=desc):
        break
    assert image_threads() == 0


@pytest.mark.parametrize("name", ["size", "batch_size", "workers"])
def test_silly_numbers(name):
    numbers = {"size": 8, "batch_size": 2, "workers": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0, expected 1 or more"):
        ImageBatches([], **numbers)
