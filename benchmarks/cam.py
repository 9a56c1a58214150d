"""What Grad-CAM costs beside the bare forward pass, here and in two other libraries.

ResNet-50 with random weights, last stage, one batch. All contestants run in turns
within one process, so that a busy machine disturbs them alike. Printed are median and
minimum of the repetitions, the median over rounds of the ratio to the same round's
forward pass, and the ratio of the minima.

    python benchmarks/cam.py --batch 8 --repeats 15 --threads 2
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

import wslib  # noqa: F401  (lets torchvision import)
from wslib.cam import GradCAM


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    runs = contestants(options.batch, options.size)
    times = measure(runs, options.repeats)  # (repeats, contestants) in seconds
    print(
        f"ResNet-50, batch {options.batch}, {options.size} x {options.size}, "
        f"{options.threads} threads, {options.repeats} repetitions in turns\n"
    )
    print(f"{'':<26}{'median ms':>10}{'min ms':>9}{'ratio':>8}{'of minima':>11}")
    median, least = 1000 * np.median(times, 0), 1000 * times.min(0)
    ratio = np.median(times / times[:, :1], 0)  # within each round
    for name, m, s, r in zip(runs, median, least, ratio, strict=True):
        print(f"{name:<26}{m:>10.1f}{s:>9.1f}{r:>8.3f}{s / least[0]:>11.3f}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--batch", type=int, default=8, help="images (default 8)")
    parser.add_argument("--size", type=int, default=224, help="pixels (default 224)")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (default 15)")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads"
    )
    options = parser.parse_args()
    for name in ("batch", "size", "repeats", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return options


def contestants(batch: int, size: int) -> dict[str, Callable[[], object]]:
    """Name -> a call that explains class 0 in each image; the forward pass first."""
    import torchvision

    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None).eval()
    images, targets = torch.randn(batch, 3, size, size), [0] * batch
    cam = GradCAM(model, [model.layer4])

    def forward():
        with torch.no_grad():
            return model(images)

    return {
        "forward pass, no_grad": forward,
        "wslib GradCAM": lambda: cam(images, targets),
        **_pytorch_grad_cam(model, images, targets),
        **_torchcam(model, images, targets),
    }


def _pytorch_grad_cam(model, images, targets) -> dict[str, Callable[[], object]]:
    try:
        from pytorch_grad_cam import GradCAM as Peer
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        return {}

    def run():
        with Peer(model=model, target_layers=[model.layer4]) as peer:
            return peer(images, [ClassifierOutputTarget(t) for t in targets])

    return {"pytorch-grad-cam GradCAM": run}


def _torchcam(model, images, targets) -> dict[str, Callable[[], object]]:
    try:
        from torchcam.methods import GradCAM as Peer
    except ImportError:
        return {}

    def run():
        with Peer(model, target_layer=model.layer4) as peer:
            return peer(targets, model(images))

    return {"torch-cam GradCAM": run}


def measure(runs: dict[str, Callable[[], object]], repeats: int) -> np.ndarray:
    """Seconds (repeats, contestants), after one round to warm up."""
    times = np.zeros((repeats + 1, len(runs)))
    calls = list(runs.values())
    for i in range(repeats + 1):
        for step in range(len(calls)):
            j = (i + step) % len(calls)  # each round begins with another one
            start = time.perf_counter()
            calls[j]()
            times[i, j] = time.perf_counter() - start
    return times[1:]


if __name__ == "__main__":
    main()
