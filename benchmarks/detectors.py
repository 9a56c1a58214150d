"""Training with a label and a box for each picture: the pictures, and the networks.

First the input pipeline, an epoch of shuffled batches: pictures decoded once and kept
as bytes, with boxes that move along, beside torchvision's `ImageFolder`, which decodes
each picture in each epoch, mirrors half of them, and knows no boxes. Then training: the
step of each network (forward pass, losses, backward pass, AdamW), and what is left of
it where features are frozen and their maps kept. Weights are random, as they cost the
same. A table's contestants run in turns, so that a busy machine disturbs them alike.

    python benchmarks/detectors.py --dataset caltech3 --pictures 500 --rounds 5
"""

from __future__ import annotations

import argparse
import platform
import re
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

import wslib  # noqa: F401  (lets torchvision import)
from wslib.data.caltech import Pictures
from wslib.data.datasets import open_caltech
from wslib.models.two_heads import NETWORKS, build_detector
from wslib.practical.views import Examples, box_batches, frozen_batches
from wslib.runtime.device import pick_device
from wslib.training.losses import DetectorLoss

EPOCH = 1626  # pictures, four fifths of the practical's 2,033
SETS = ("rendered", "caltech3", "caltech101")  # the last two in $WSLIB_DATA
BACKBONES = ("resnet18", "lite0")  # of networks that can be frozen
COUNTS = {
    "pictures": (160, "drawn, or taken at random"),
    "batch": (32, "images in a batch"),
    "size": (96, "pixels a side of the networks' images"),
    "rounds": (5, "of each contestant, after one to warm up"),
    "threads": (torch.get_num_threads(), "of PyTorch"),
}


def main() -> None:
    options = parse_options()
    pick_device("cpu")
    torch.set_num_threads(options.threads)
    pictures = open_caltech(options.dataset, options.pictures)
    chosen = np.random.default_rng(0).permutation(len(pictures))[: options.pictures]
    print(f"{processor()}, {options.threads} threads, torch {torch.__version__}")
    print(f"{options.dataset}, {len(chosen)} pictures, batch {options.batch}", end=", ")
    print(f"median of {options.rounds} rounds in turns")
    compare_pipelines(pictures.take(chosen), options)
    compare_networks(pictures.take(chosen[: options.batch]), options)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dataset", choices=SETS, default=SETS[0])
    sizes = {"type": int, "nargs": "+", "metavar": "SIZE", "default": [64, 128, 224]}
    parser.add_argument("--sizes", **sizes, help="of the pipelines (64 128 224)")
    for name, (n, text) in COUNTS.items():
        text += f" (default {n})"
        parser.add_argument(f"--{name}", type=int, default=n, help=text)
    options = parser.parse_args()
    for name in COUNTS:
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if min(options.size, *options.sizes) < 64:
        parser.error("the simple network needs 64 pixels or more")
    if options.pictures < max(3, options.batch):
        parser.error("--pictures must be at least 3, and a batch")
    return options


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = re.findall("model name.*: (.+)", info.read_text() if info.is_file() else "")
    return names[0] if names else platform.processor() or platform.machine()


def timed(run: Callable[..., object], *given) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    run(*given)
    return time.perf_counter() - began


def in_turns(runs: dict[str, Callable], rounds: int) -> dict:
    """Name -> the median of what a run returns, over rounds after one to warm up."""
    names, times = list(runs), {name: [] for name in runs}
    for i in range(rounds + 1):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            times[name].append(runs[name]())
    return {name: np.median(rows[1:], 0) for name, rows in times.items()}


def show(name: str, *cells: str) -> None:
    print(f"{name:<34}" + "".join(f"{cell:>10}" for cell in cells))


def compare_pipelines(pictures: Pictures, options: argparse.Namespace) -> None:
    print("\nInput pipeline: images a second over 1, 10, 20 epochs, with the decoding")
    show("", "1", "10", "20", "ratio", "decode s", "epoch s")
    for size in options.sizes:
        seconds = in_turns(pipelines(pictures, size, options.batch), options.rounds)
        decoding, least = seconds.pop("decode"), None
        for name, epoch in seconds.items():
            once = decoding if "wslib" in name else 0.0
            each = {n: once / n + epoch for n in (1, 10, 20)}  # seconds an epoch
            least = least or each[20]
            rates = [f"{len(pictures) / took:.0f}" for took in each.values()]
            ratio, decode = f"{each[20] / least:.2f}", f"{once:.2f}" if once else "anew"
            show(f"{size} pixels, {name}", *rates, ratio, decode, f"{epoch:.3f}")
    print("ratio: of the time over 20 epochs; ImageFolder knows no boxes")


def pipelines(pictures: Pictures, size: int, batch: int) -> dict:
    """Name -> a call that decodes all pictures, or makes the batches of an epoch."""
    detector = build_detector("simple", input_size=size)
    shared = detector, Examples.read(pictures, size), batch
    epochs = {
        "wslib, mirror": box_batches(*shared, "mirror", seed=0),
        "wslib, crop and mirror": box_batches(*shared, "crop", seed=0),
        "ImageFolder, 0 workers": plain_loader(pictures, detector, batch, 0),
        "ImageFolder, 2 workers": plain_loader(pictures, detector, batch, 2),
    }
    runs = {name: partial(timed, deque, epoch, 0) for name, epoch in epochs.items()}
    return {"decode": partial(timed, Examples.read, pictures, size), **runs}


def plain_loader(pictures: Pictures, detector, batch: int, workers: int):
    """torchvision's loader of the same files."""
    from torchvision import datasets, transforms

    resize = transforms.Resize((detector.input_size, detector.input_size))
    changes = [resize, transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    changes += [transforms.Normalize(detector.mean.flatten(), detector.std.flatten())]
    root, files = pictures.paths[0].parents[1], set(map(str, pictures.paths))
    how = {"is_valid_file": files.__contains__, "allow_empty": True}
    folder = datasets.ImageFolder(root, transforms.Compose(changes), **how)
    if len(folder) != len(pictures):
        raise RuntimeError(f"{root}: {len(folder)} of {len(pictures)} pictures")
    return torch.utils.data.DataLoader(folder, batch, True, num_workers=workers)


def compare_networks(pictures: Pictures, options: argparse.Namespace) -> None:
    examples = Examples.read(pictures, options.size)
    print(f"\nTraining, {options.size} pixels: a step, and {EPOCH:,} pictures")
    show("", "step ms", "images/s", "ratio", "maps s", "epoch s")
    seconds, least = in_turns(trainings(examples), options.rounds), None
    for name, (maps, batch, step) in seconds.items():
        least, scale = least or step, EPOCH / len(examples)
        rates = f"{1000 * step:.1f}", f"{len(examples) / step:.0f}"
        once = f"{maps * scale:.1f}" if "frozen" in name else "-"
        spent = f"{(batch + step) * scale:.1f}"
        show(name, *rates, f"{step / least:.2f}", once, spent)
    print("maps: of all pictures and mirror images, once; epoch: batches and steps")


def trainings(examples: Examples) -> dict:
    """Name -> a call that trains for one step, see `training`."""
    runs, size = {}, examples.pixels.shape[-1]
    for network in (*NETWORKS, "lite0, frozen"):
        name, *frozen = network.split(", ")
        how = {"pretrained": False, "frozen": bool(frozen)} if name in BACKBONES else {}
        for kind in ("float32", "bfloat16"):
            detector = build_detector(name, input_size=size, **how)
            detector.bfloat16 = kind == "bfloat16"
            runs[f"{network}, {kind}"] = training(detector, examples)
    return runs


def training(detector, examples: Examples) -> Callable[[], list[float]]:
    """A call that trains for one step, on all examples, and returns its seconds: before
    the first batch, for making the batch, for the step."""
    kind = frozen_batches if detector.frozen else box_batches
    trained = [p for p in detector.parameters() if p.requires_grad]
    loss, optimizer = DetectorLoss(), torch.optim.AdamW(trained)

    def step(inputs, targets):
        optimizer.zero_grad()
        loss(detector(inputs), targets).backward()
        optimizer.step()

    def train() -> list[float]:
        began = time.perf_counter()
        batches = kind(detector.train(), examples, len(examples), "mirror", seed=0)
        ready = time.perf_counter()
        [batch] = batches
        return [ready - began, time.perf_counter() - ready, timed(step, *batch)]

    return train


if __name__ == "__main__":
    main()
