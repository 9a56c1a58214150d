"""What a map costs beside the bare forward pass, here and in two other libraries.

A ResNet with random weights, last stage, one batch. All contestants run in turns within
one process, so that a busy machine disturbs them alike. Printed are the median of the
repetitions, the median over rounds of the ratio to the same round's forward pass, the
ratio of the minima, and the memory that one run takes above what was there before it,
each measured in a process of its own. With --asking the methods that ask the network
once a channel, on one image and a smaller network.

    python benchmarks/cam.py --batch 8 --repeats 15 --threads 2
    python benchmarks/cam.py --asking --size 112 --repeats 3
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import wslib  # noqa: F401  (lets torchvision import)
from wslib import cam
from wslib.metrics.faithfulness import imputed

# A method here, in pytorch-grad-cam and in torch-cam; None where it has none.
ONE_PASS = {
    "GradCAM": ("GradCAM", "GradCAM"),
    "HiResCAM": ("HiResCAM", None),
    "LayerCAM": ("LayerCAM", "LayerCAM"),
    "GradCAMPlusPlus": ("GradCAMPlusPlus", "GradCAMpp"),
    "XGradCAM": ("XGradCAM", "XGradCAM"),
    "EigenCAM": ("EigenCAM", None),
    "FinerCAM": ("FinerCAM", "FinerCAM"),
    "GuidedGradCAM": (None, None),
}
ASKING = {"ScoreCAM": ("ScoreCAM", "ScoreCAM"), "AblationCAM": ("AblationCAM", None)}
Runs = dict[str, Callable[[], object]]


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    runs = contestants(options)
    if options.alone:
        print(memory(runs[options.alone]))
        return
    times = measure(runs, options.repeats)  # (repeats, contestants) in seconds
    print(
        f"{'ResNet-18' if options.asking else 'ResNet-50'}, batch {options.batch}, "
        f"{options.size} x {options.size}, {options.threads} threads, "
        f"{options.repeats} repetitions in turns\n"
    )
    print(f"{'':<34}{'median ms':>10}{'ratio':>9}{'of minima':>11}{'MiB':>7}")
    median, least = 1000 * np.median(times, 0), times.min(0)
    ratio = np.median(times / times[:, :1], 0)  # within each round
    for k, name in enumerate(runs):
        extra = memory_alone(name, options) if options.memory else float("nan")
        print(
            f"{name:<34}{median[k]:>10.1f}{ratio[k]:>9.3f}"
            f"{least[k] / least[0]:>11.3f}{extra:>7.0f}"
        )


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--batch", type=int, default=8, help="images (default 8)")
    parser.add_argument("--size", type=int, default=224, help="pixels (default 224)")
    parser.add_argument("--repeats", type=int, default=15, help="rounds (default 15)")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads"
    )
    parser.add_argument(
        "--asking", action="store_true", help="Score-CAM, Ablation-CAM and ROAD"
    )
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--alone", help="print the memory of this contestant, in MiB")
    options = parser.parse_args()
    for name in ("batch", "size", "repeats", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    if options.asking:
        options.batch = 1
    return options


def contestants(options: argparse.Namespace) -> Runs:
    """Name -> a call that explains class 0 in each image; the forward pass first."""
    import torchvision

    torch.manual_seed(0)
    build = (
        torchvision.models.resnet18 if options.asking else torchvision.models.resnet50
    )
    model = build(weights=None).eval()
    images = torch.randn(options.batch, 3, options.size, options.size)
    targets = [0] * options.batch
    table = ASKING if options.asking else ONE_PASS
    methods = {name: getattr(cam, name)(model, [model.layer4]) for name in table}

    def forward():
        with torch.no_grad():
            return model(images)

    runs: Runs = {"forward pass, no_grad": forward}
    for name, (grad_cam, torch_cam) in table.items():
        runs[f"wslib {name}"] = lambda m=methods[name]: m(images, targets)
        runs |= _pytorch_grad_cam(grad_cam, model, images, targets)
        runs |= _torchcam(torch_cam, model, images, targets)
    if options.asking:
        return runs | _imputation(images)
    del methods["GuidedGradCAM"]  # needs a pass of its own
    runs[f"wslib, these {len(methods)} at once"] = lambda: cam.explain_with(
        methods, images, targets
    )
    smooth = cam.Smoothed(methods["GradCAM"])
    runs[f"wslib Smoothed, {1 + len(smooth.views)} views"] = lambda: smooth(
        images, targets
    )
    return runs


def _pytorch_grad_cam(name: str | None, model, images, targets) -> Runs:
    try:
        import pytorch_grad_cam as peers
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError:
        return {}

    def run():
        wanted = [ClassifierOutputTarget(t) for t in targets]
        wanted = None if name == "FinerCAM" else wanted  # takes the top class
        kinds = {"model": model, "target_layers": [model.layer4]}
        with getattr(peers, name)(**kinds) as peer, quiet():
            return peer(images, wanted)

    return {f"pytorch-grad-cam {name}": run} if name else {}


def _torchcam(name: str | None, model, images, targets) -> Runs:
    try:
        import torchcam.methods as peers
    except ImportError:
        return {}

    def run():
        with getattr(peers, name)(model, target_layer=model.layer4) as peer:
            return peer(targets, model(images))

    return {f"torch-cam {name}": run} if name else {}


def _imputation(images) -> Runs:
    """ROAD's linear system for an image without its middle quarter."""
    keep = torch.ones(1, *images.shape[2:], dtype=torch.bool)
    high, wide = images.shape[2:]
    keep[:, high // 4 : -high // 4, wide // 4 : -wide // 4] = False
    fill, number = imputed(images, noise=0), torch.tensor([0])
    runs: Runs = {"wslib imputed": lambda: fill(number, keep)}
    try:
        from pytorch_grad_cam.metrics.road import NoisyLinearImputer
    except ImportError:
        return runs
    slow = NoisyLinearImputer(noise=0)
    return runs | {"pytorch-grad-cam imputer": lambda: slow(images[0], keep[0].float())}


@contextlib.contextmanager
def quiet():
    """Without the progress bars that a library prints."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


def measure(runs: Runs, repeats: int) -> np.ndarray:
    """Seconds (repeats, contestants), after one round to warm up; in random order."""
    times = np.zeros((repeats + 1, len(runs)))
    calls, order = list(runs.values()), np.random.default_rng(0)
    for i in range(repeats + 1):
        for j in order.permutation(len(calls)):  # nobody always follows the same one
            start = time.perf_counter()
            calls[j]()
            times[i, j] = time.perf_counter() - start
    return times[1:]


def memory(run: Callable[[], object]) -> float:
    """MiB by which the process grows at most while it runs once; NaN off Linux.

    The kernel's high-water mark of this program alone: `ru_maxrss` would begin at the
    parent's.
    """
    before = _peak()
    run()
    return (_peak() - before) / 1024


def _peak() -> float:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    return float(status.split("VmHWM:")[1].split()[0])  # kB


def memory_alone(name: str, options: argparse.Namespace) -> float:
    """`memory` of one contestant in a process of its own."""
    sizes = ("batch", "size", "threads")
    words = [f"--{size}={getattr(options, size)}" for size in sizes]
    words += ["--asking"] if options.asking else []
    command = [sys.executable, __file__, f"--alone={name}", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()
