"""The rendered sample of the Caltech practical: drawn faces, motorcycles and airplanes.

In the layout of the photographs: a folder of images and a CSV file of boxes for each
label. It says what it is: `RENDERED.json`.
"""

from __future__ import annotations

import csv
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from wslib.data.folders import derived_root
from wslib.data.rendered.bounds import check_count, check_seed
from wslib.data.rendered.drawn.portraits import draw_picture
from wslib.data.rendered.drawn.sprites import extent
from wslib.data.voc import RENDERED
from wslib.runtime.kept import keep
from wslib.runtime.progress import progress

# As many of each label as in the photographs, or in proportion. A label's place in this
# list is part of its seeds.
REAL = {"face": 435, "motorcycle": 798, "airplane": 800}


def rendered_caltech(count: int = 600, seed: int = 0) -> Path:
    """Return the folder of a rendered set, drawn now if it is not there yet.

    It lies in `derived_root()/data/caltech3-rendered-HASH`; the hash is that of the
    arguments, of the code that draws and of the libraries that it uses. Errors as
    `render_caltech`.
    """
    label_counts(count)
    settings, place = {"count": count, "seed": seed}, derived_root() / "data"
    return keep(
        *(place / "caltech3-rendered", settings),
        *(lambda part: render_caltech(part, **settings), cv2, np),
    )


def label_counts(count: int) -> dict[str, int]:
    """How many of `count` pictures each label has: as in the photographs, 435 to 798
    to 800, rounded so that they add up, and at least one of each.

    Raises ValueError for fewer than 3, or more than `bounds.MOST`.
    """
    check_count("count", count, least=len(REAL))
    total = sum(REAL.values())
    rest = count - len(REAL)  # beyond one of each
    parts = {label: rest * real / total for label, real in REAL.items()}
    counts = {label: 1 + int(part) for label, part in parts.items()}
    for label in sorted(parts, key=lambda k: parts[k] % 1, reverse=True):
        counts[label] += sum(counts.values()) < count
    return counts


def render_caltech(
    folder: Path | str, count: int = 600, seed: int = 0, workers: int | None = None
) -> Path:
    """Draw `count` pictures and write them and their boxes into `folder`; return it.

    `folder`/images/LABEL/image_0001.jpg and so on, and `folder`/annotations/LABEL.csv
    with a row `NAME,x1,y1,x2,y2,LABEL` for each picture, without a header. A box goes
    round the pixels in which the object is seen, in pixels, so that x2 - x1 is its
    width; a face's goes from the hair to the chin, with the ears.

    Picture number k of a label depends on the seed, the label and k only, not on how
    many there are or on the number of `workers` (threads; by default one for each
    processor, up to 8).
    Raises ValueError for a count below 3, a negative seed, no workers.
    """
    counts = label_counts(count)
    check_seed(seed)
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}, expected 1 or more")
    folder = Path(folder)
    for label in counts:
        (folder / "images" / label).mkdir(parents=True, exist_ok=True)
    jobs = [(label, k) for label, n in counts.items() for k in range(1, n + 1)]
    with ThreadPoolExecutor(workers or min(os.cpu_count() or 1, 8)) as pool:
        drawn = pool.map(lambda job: _render_one(folder, *job, seed), jobs)
        rows = list(progress(drawn, "drawing the sample images", len(jobs)))
    (folder / "annotations").mkdir(exist_ok=True)
    for label in counts:
        path = folder / "annotations" / f"{label}.csv"
        with open(path, "w", newline="", encoding="utf-8") as file:
            mine = [row for row in rows if row[-1] == label]
            csv.writer(file, lineterminator="\n").writerows(mine)
    about = {
        "about": "drawn by code; only textures and views in it are photographed",
        "seed": seed,
        "count": count,
        **counts,
    }
    (folder / RENDERED).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return folder


def _render_one(folder: Path, label: str, k: int, seed: int) -> tuple:
    """Draw picture `k` (from 1) of a label and write it; its row of the CSV file."""
    rng = np.random.default_rng((seed, list(REAL).index(label), k))
    image, mask = draw_picture(label, rng)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 95))]
    _, code = cv2.imencode(".jpg", image[:, :, ::-1], quality)
    name = f"image_{k:04d}.jpg"
    (folder / "images" / label / name).write_bytes(code.tobytes())
    return name, *extent(mask), label
