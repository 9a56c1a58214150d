"""Reading pictures of every kind, one by one and in batches."""

import os
import struct
import threading
import time
import zlib

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from wslib.data.images import (
    ImageBatches,
    image_size,
    read_image,
    read_numbers,
    read_or_complain,
    resize_batch,
    resize_image,
)


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
    for name, kind in (("a.png", np.uint16), ("a.tif", np.uint16), ("b.tif", np.int32)):
        Image.fromarray(deep.astype(kind)).save(tmp_path / name)
        assert read_image(tmp_path / name)[0, :, 0].tolist() == [0, 100, 255]


@pytest.mark.parametrize("largest, whole", [(1, 255), (255, 1)])
def test_floats_are_shares_or_grey_values(tmp_path, largest, whole):
    values = np.array([[0, 0.25 * largest, largest]], np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert read_image(tmp_path / "a.tif")[0, :, 2].tolist() == [0, 64, 255]


@pytest.mark.parametrize(
    "values, kind, complaint",
    [
        ([0, np.nan], np.float32, "its values go from nan to nan, expected 0 to 1, or"),
        ([-0.1, 1], np.float32, "its values go from -0.1 to 1, expected 0 to 1, or 0"),
        ([0, 300], np.float32, "its values go from 0 to 300, expected 0 to 1, or 0 to"),
        ([0, 70000], np.int32, "its values go from 0 to 70000, expected 0 to 65535"),
        ([-1, 9], np.int32, "its values go from -1 to 9, expected 0 to 65535"),
        ([0, 4095], np.uint16, "16 bits a pixel, but the brightest is 16 of 255"),
    ],
)
def test_numbers_that_are_no_grey_values(tmp_path, values, kind, complaint):
    Image.fromarray(np.array([values], kind)).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=f"a.tif: not a readable image: {complaint}"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_colours_of_twelve_bits_in_sixteen_are_refused(tmp_path, ending):
    file, ramp = tmp_path / f"a.{ending}", np.linspace(0, 65535, 192)
    deep = ramp.astype(np.uint16).reshape(8, 8, 3)
    cv2.imwrite(str(file), deep)
    assert read_image(file).max() == 255
    cv2.imwrite(str(file), deep >> 4)
    with pytest.raises(ValueError, match=f"a.{ending}: .*the brightest is 15 of 255"):
        read_image(file)


TURNED = {  # the note in EXIF: the upright picture
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("note", TURNED)
def test_a_camera_that_was_turned(tmp_path, photo, note, ending):
    exif = Image.Exif()
    exif[0x0112] = note
    file = save(photo, tmp_path / f"a.{ending}", exif=exif)
    image, upright = read_image(file), TURNED[note](photo)
    assert image.shape == upright.shape and image_size(file) == image.shape[1::-1]
    assert np.abs(image.astype(int) - upright).mean() < 6
    ((_, sizes),) = ImageBatches([file], 8, 1)
    assert sizes.tolist() == [[*image.shape[1::-1]]]


def test_a_note_that_is_damaged_turns_nothing(tmp_path, photo):
    file = save(photo, tmp_path / "a.jpg", exif=b"Exif\0\0no TIFF at all")
    assert read_image(file).shape == (40, 60, 3) and image_size(file) == (60, 40)


def test_masks_are_turned_too(tmp_path):
    numbers, exif = np.arange(6, dtype=np.uint8).reshape(2, 3), Image.Exif()
    exif[0x0112] = 6
    mask = Image.fromarray(numbers)
    mask.putpalette([9] * 18)
    mask.save(tmp_path / "a.png", exif=exif)
    mode, found = read_numbers(tmp_path / "a.png")
    assert mode == "P" and found.tolist() == [[3, 0], [4, 1], [5, 2]]


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_several_pictures_in_one_file_are_refused(tmp_path, photo, ending):
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    file = tmp_path / f"a.{ending}"
    frames[0].save(file, save_all=True, append_images=frames[1:])
    for read in (read_image, image_size, read_numbers):
        with pytest.raises(ValueError, match=f"a.{ending}: .*2 pictures in one file"):
            read(file)


def test_the_first_picture_of_a_phone_is_the_one_that_is_meant(tmp_path, photo):
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    frames[0].save(tmp_path / "a.mpo", save_all=True, append_images=frames[1:])
    image = read_image(tmp_path / "a.mpo")
    assert np.abs(image.astype(int) - photo).mean() < 6


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path, tmp_path / "a.jpg"):
        with pytest.raises(ValueError, match=f"{path}: no file, expected an image"):
            read_image(path)


def test_those_who_go_on_get_the_complaint(tmp_path, photo):
    good = save(photo, tmp_path / "a.png")
    np.testing.assert_array_equal(read_or_complain(good), photo)
    told = read_or_complain(tmp_path / "none.png")
    assert told == f"{tmp_path / 'none.png'}: no such image"


def test_a_picture_that_is_too_large_is_refused_by_its_head(tmp_path, photo):
    file = save(photo, tmp_path / "a.png")
    head = bytearray(file.read_bytes())
    head[16:24] = struct.pack(">II", 100_000, 100_000)
    head[29:33] = struct.pack(">I", zlib.crc32(head[12:29]))
    file.write_bytes(head)
    with pytest.raises(ValueError, match=r"a.png: .*Image size \(10000000000 pixels\)"):
        read_image(file)


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


def test_resize_takes_area_means_and_bilinear_values():
    board = np.tile(np.array([[0, 200], [200, 0]], np.uint8), (8, 8))
    assert (resize_image(board, 8, 8) == 100).all()
    spot = np.zeros((8, 12), np.uint8)
    spot[1, 1] = 160  # one of the sixteen pixels that become one
    assert resize_image(spot, 3, 2).tolist() == [[10, 0, 0], [0, 0, 0]]
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


def test_no_pixel_of_a_batch_is_skipped(photo):
    """As Pillow, a quarter of the size; without the means a spot would be gone."""
    grey = np.array(photo[..., 0])
    grey[0, 0] = grey[21, 33] = 255
    images = torch.from_numpy(np.stack([grey] * 3))[None]
    whole = Image.fromarray(grey.astype(np.float32) / 255)
    expected = np.asarray(whole.resize((15, 10), Image.Resampling.BILINEAR))
    found = resize_batch(images, (10, 15))[0]
    np.testing.assert_allclose(found, np.stack([expected] * 3), atol=1e-5)


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
