"""Image files to arrays: one picture, or batches that are decoded ahead."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from wslib.runtime.progress import progress


def read_image(path: Path | str) -> np.ndarray:
    """Read an image file as (H, W, 3) uint8 RGB.

    Grey, palette, CMYK and 16-bit pictures are converted and transparency is dropped.
    The pixels are those of the file: a picture that EXIF marks to be turned is not
    turned, as boxes are measured on the stored pixels.

    Raises FileNotFoundError, or ValueError for a file that is no image, is truncated
    or is larger than Pillow's limit; one line that names the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _rgb(image)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: no such image") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(_complaint(path, error)) from None
    except Image.DecompressionBombWarning as error:
        raise ValueError(_complaint(path, error)) from None


def _rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits a pixel; convert() would only clip them
        grey = (np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)  # (H, W, 3)
    if image.mode == "RGB":
        return np.array(image)
    return np.array(image.convert("RGBA" if "transparency" in image.info else "RGB"))[
        ..., :3
    ].copy()


def _complaint(path: Path | str, error: Exception) -> str:
    reason = " ".join(str(error).split())
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
    height of each file. The last batch may be smaller. It may be iterated again.

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
