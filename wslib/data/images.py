"""Image files to arrays: the one place that opens a picture; alone, or in batches that
are decoded ahead.

A picture is upright: where a camera noted in EXIF how it was held, it is turned, and
all that is measured on it (boxes, points, masks, sizes) is measured on the turned one.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from wslib.runtime.progress import progress

LYING = (5, 6, 7, 8)  # the notes in EXIF that exchange width and height
LAYERED = ("MPO", "PSD")  # their first picture is the one that is meant
DARK = 64  # of 255: a picture of 16 bits that is nowhere brighter has fewer bits


def read_image(path: Path | str) -> np.ndarray:
    """Read an image file as (H, W, 3) uint8 RGB, upright.

    Grey, palette and CMYK pictures are converted and transparency is dropped. Whole
    numbers of 16 bits are scaled from 0..65535, floats from 0..1 where none is larger,
    else from 0..255.

    Raises FileNotFoundError, or ValueError for what is no file, no image, truncated,
    larger than Pillow's limit, an animation or has several pages, for numbers beyond
    these ranges, and for 16 bits of which the highest two are not used: such a file is
    meant to hold 14 bits or fewer. One line that names the file.
    """
    with _opened(path) as image:
        deep = ";16" in str(image.tile) or image.mode.startswith("I")
        pixels = _rgb(_upright(image))
        if deep and pixels.max() < DARK:
            raise ValueError(
                f"16 bits a pixel, but the brightest is {pixels.max()} of 255, as if "
                "fewer bits were meant; save it with 8"
            )
        return pixels


def image_size(path: Path | str) -> tuple[int, int]:
    """Read width and height of the upright picture, from the file's head. Errors as
    `read_image`, but for those of the pixels."""
    with _opened(path) as image:
        turned = _note(image) in LYING and image.format != "TIFF"  # Pillow turns those
        return image.size[::-1] if turned else image.size


def read_numbers(path: Path | str) -> tuple[str, np.ndarray]:
    """Read the numbers of a mask as they are stored, (H, W) or (H, W, C), upright, and
    Pillow's mode: "1", "L", "P" for a palette's numbers. Errors as `image_size`."""
    with _opened(path) as image:
        return image.mode, np.asarray(_upright(image))


def read_or_complain(path: Path | str) -> np.ndarray | str:
    """Read an image, or return the error of `read_image`: for those who go on."""
    try:
        return read_image(path)
    except (OSError, ValueError) as error:
        return str(error)


@contextmanager
def _opened(path: Path | str) -> Iterator[Image.Image]:
    """Open a file that holds one picture; decoders raise many kinds of errors."""
    if Path(path).exists() and not Path(path).is_file():  # a pipe would be waited for
        raise ValueError(f"{path}: no file, expected an image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # on notes that are damaged
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                _check_single(image)
                yield image
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such image") from None
    except MemoryError:
        raise
    except Exception as error:
        raise ValueError(_complaint(path, error)) from None


def _check_single(image: Image.Image) -> None:
    count = getattr(image, "n_frames", 1)
    if count > 1 and image.format not in LAYERED:
        raise ValueError(f"{count} pictures in one file, expected one; save that alone")


def _note(image: Image.Image) -> int:
    """How the camera was held; 1, upright, where EXIF is damaged or absent."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # of its many readers
        return 1


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    return image if _note(image) == 1 else ImageOps.exif_transpose(image)


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode == "F" or image.mode.startswith("I"):
        return np.repeat(_eight_bits(np.asarray(image))[:, :, None], 3, axis=2)
    if image.mode != "RGB":
        clear = "transparency" in image.info or image.mode in ("La", "RGBa")
        image = image.convert("RGBA") if clear else image
        image = image.convert("RGB")
    return np.array(image)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Scale grey values (H, W), whole numbers or floats, to uint8."""
    low, high, floats = values.min(), values.max(), values.dtype.kind == "f"
    if not 0 <= low <= high <= (255 if floats else 65535):  # nor NaN
        expected = "0 to 1, or 0 to 255" if floats else "0 to 65535"
        raise ValueError(f"its values go from {low:g} to {high:g}, expected {expected}")
    scale = (255 if high <= 1 else 1) if floats else 1 / 257
    return (values * scale).round().astype(np.uint8)


def _complaint(path: Path | str, error: Exception) -> str:
    reason = " ".join(str(error).split()) or type(error).__name__
    if "cannot identify" in reason:
        reason = "expected JPEG, PNG or another image format"
    return f"{path}: not a readable image: {reason}"


def resize_image(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Resize (H, W) or (H, W, C) to `height` x `width`: area means along an axis that
    shrinks, bilinear along one that grows."""
    smaller = min(width, image.shape[1]), min(height, image.shape[0])
    if smaller != image.shape[1::-1]:
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
    if smaller != (width, height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def resize_batch(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images (B, 3, H, W) uint8 -> float32 in [0, 1] at (height, width), bilinear, each
    pixel a mean of those that it stands for where they shrink."""
    images = images.float() / 255
    return F.interpolate(images, size, mode="bilinear", antialias=True)


class ImageBatches:
    """Batches of images, read and resized ahead in threads, in the order of `paths`.

    Iterating yields `images` (B, 3, S, S) float32 in [0, 1], RGB, resized to
    `size` x `size` without keeping the aspect, and `sizes` (B, 2) int64, the width and
    height of each, upright. The last batch may be smaller. It may be iterated again.

    workers: threads; desc: name of a progress bar. A file that cannot be read raises
    the error of `read_image` when its batch is due, and ends the threads, as does
    leaving the loop early.
    """

    def __init__(
        self,
        paths: Sequence[Path | str],
        size: int,
        batch_size: int,
        workers: int = 2,
        desc: str | None = None,
    ) -> None:
        for name, value in (
            ("size", size),
            ("batch_size", batch_size),
            ("workers", workers),
        ):
            if value < 1:
                raise ValueError(f"{name} is {value}, expected 1 or more")
        self.paths, self.size, self.batch_size = list(paths), size, batch_size
        self.workers, self.desc = workers, desc

    def __len__(self) -> int:
        """The number of batches."""
        return -(-len(self.paths) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        batches = self._batches()
        try:
            if self.desc is None:
                yield from batches
            else:
                yield from progress(batches, self.desc, len(self))
        finally:
            batches.close()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix="images")
        try:
            waiting = iter(self.paths)
            ahead = islice(waiting, self.batch_size + 2 * self.workers)
            futures = deque(pool.submit(self._read, path) for path in ahead)
            while futures:
                items = []
                while futures and len(items) < self.batch_size:
                    items.append(futures.popleft().result())
                    for path in islice(waiting, 1):
                        futures.append(pool.submit(self._read, path))
                images, sizes = zip(*items, strict=True)
                yield torch.from_numpy(np.stack(images)), torch.tensor(sizes)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, path: Path | str) -> tuple[np.ndarray, tuple[int, int]]:
        image = read_image(path)  # (H, W, 3)
        height, width = image.shape[:2]
        image = resize_image(image, self.size, self.size)  # (S, S, 3)
        planes = np.ascontiguousarray(image.transpose(2, 0, 1))  # (3, S, S)
        return planes.astype(np.float32) / 255, (width, height)
