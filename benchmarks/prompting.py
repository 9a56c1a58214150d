"""Several ways to prompt, on the same pictures: what shared work saves.

The course's pipeline looks at each picture anew: every pipeline computes its heat maps
and calls `set_image` before each prompt. Here maps are computed once and embeddings are
kept. Both ways run in turns on rendered shapes with a classifier that was not trained,
whose maps cost the same; their masks must be equal.

    python benchmarks/prompting.py --pictures 40 --repeats 3 --threads 2
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

import wslib  # noqa: F401  (lets torchvision import)
from wslib.boxes.maps import explain_images
from wslib.cam import GradCAM
from wslib.data.datasets import open_shapes
from wslib.models.classifiers import build_classifier
from wslib.models.sam import sam_predictor
from wslib.prompting.pipelines import (
    BasicSamPipeline,
    BoxPipeline,
    ForegroundBackgroundPipeline,
    ForegroundPipeline,
    PointsBoxPipeline,
    run_all,
)
from wslib.prompting.prompter import Prompter
from wslib.runtime.device import pick_device

SIZE = (96, 128)
KINDS = (
    BasicSamPipeline, ForegroundPipeline, ForegroundBackgroundPipeline, BoxPipeline,
    PointsBoxPipeline,
)  # fmt: skip


def main() -> None:
    options = parse_options()
    pick_device("cpu")
    torch.set_num_threads(options.threads)
    count = options.pictures
    pictures = open_shapes("rendered", 5, 5, count, seed=0).load("test", count)
    classifier = build_classifier("efficientnet_lite0", 5)
    cam = GradCAM(classifier, [classifier.features.stage6])
    predictor = sam_predictor(options.sam, "cpu")
    ways = {"maps and embeddings kept": shared, "everything anew": anew}
    times = {name: [] for name in ways}
    for _ in range(options.repeats):
        masks = []
        for name, way in ways.items():
            began = time.perf_counter()
            masks.append(way(predictor, cam, pictures))
            times[name].append(time.perf_counter() - began)
        if not np.array_equal(*masks):
            raise SystemExit("the two ways gave different masks")
    print(f"{len(KINDS)} pipelines, {count} pictures, {options.sam}, ", end="")
    print(f"{options.threads} threads, median of {options.repeats} in turns\n")
    least = np.median(times["maps and embeddings kept"])
    for name, seconds in times.items():
        here = np.median(seconds)
        print(f"{name:<28}{here:>8.2f} s{here / least:>8.2f}")


def shared(predictor, cam, pictures) -> np.ndarray:
    """One pass for the maps, one embedding a picture, for all pipelines."""
    maps = explain_images(cam, pictures.pixels, SIZE).maps
    prompter = Prompter(predictor, keep=len(pictures))
    return masks(lambda kind: kind(prompter), pictures, lambda: maps)


def anew(predictor, cam, pictures) -> np.ndarray:
    """Every pipeline by itself, as it would be in a notebook of five answers."""
    return masks(
        lambda kind: kind(Prompter(predictor, keep=1)),
        pictures,
        lambda: explain_images(cam, pictures.pixels, SIZE).maps,
    )


def masks(make, pictures, maps) -> np.ndarray:
    """The masks of all pipelines, (kinds, N, H, W) bool."""
    answers_of_all = [run_all(make(kind), pictures.images, maps()) for kind in KINDS]
    return np.array([[answer.mask for answer in answers] for answers in answers_of_all])


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pictures", type=int, default=40, help="(default 40)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--sam", default="sam_tiny", help="(default sam_tiny)")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads"
    )
    options = parser.parse_args()
    for name in ("pictures", "repeats", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return options


if __name__ == "__main__":
    main()
