"""One check of a GPU, within five minutes: the same tables as on the CPU, and how fast.

    python benchmarks/gpu.py                        # cuda against cpu; writes gpu.json
    python benchmarks/gpu.py --device cpu --only sam       # tries the check itself

Needs torch, torchvision and this package. Each step runs in a process of its own, on
the CPU and on the device, and says its seconds and its peak memory:

chapters  each chapter at the sizes of `smoke`, with all its trainings. A number of a
          table agrees if it differs by less than --tolerance of the largest one in its
          column; columns of seconds are left out.
passes    the backbones of the profile `full`: logits and Grad-CAM, images a second;
          logits agree within 1 % of the largest.
sam       what ViT-B, with random weights, makes of pictures one by one, as chapter 4
          does: images a second; they agree within 1 % of the largest.

What the time is over for is named as skipped. The status is 1 where numbers differ.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import wslib  # noqa: F401  (lets torchvision import)

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted(path.stem for path in (ROOT / "chapters").glob("[0-9]*.py"))
STEPS = ("passes", "sam", *CHAPTERS)
PASSES = (  # network, batch, pixels: as the chapters ask them
    ("efficientnet_lite0", 8, 448),
    ("resnet18", 32, 224),
    ("resnet50", 8, 320),
)
CLOSE = 0.01  # of the largest value, between two ways to compute it
TIMED = {  # columns of measured time whose names don't say so
    "gradcam_judges": "passes",
    "gradcam_methods": "passes",
    "sam-ladder": "cost",
    "caltech-choices": "epoch",
    "caltech-networks": "epoch",
}
TIMES = re.compile(r"second|time|\bms\b|\bs\b", re.I)  # columns that never agree


def main() -> None:
    options = parse_options()
    if options.step:
        print(json.dumps(STEP[options.step](options)))
        return
    began, report = time.monotonic(), describe(options)
    for name in STEPS:
        if name.startswith(options.only):
            left = 60 * options.minutes - (time.monotonic() - began)
            report["steps"][name] = both(name, options, left)
            print(f"{name}: {in_words(report['steps'][name])}", flush=True)
    report["seconds"] = round(time.monotonic() - began, 1)
    Path(options.out).write_text(json.dumps(report, indent=1) + "\n")
    print(f"{report['seconds']:.0f} s; {options.out}")
    wrong = [n for n, step in report["steps"].items() if not step.get("agrees", True)]
    sys.exit(f"not the same as on the CPU: {', '.join(wrong)}" if wrong else 0)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="(default cuda)")
    parser.add_argument("--out", default="gpu.json", help="(default gpu.json)")
    parser.add_argument("--only", default="", help="steps: passes, sam, 02 ...")
    parser.add_argument("--minutes", type=float, default=5, help="in all (default 5)")
    parser.add_argument("--tolerance", type=float, default=0.1, help="(default 0.1)")
    parser.add_argument("--images", type=int, default=64, help="for speed (default 64)")
    parser.add_argument("--step", choices=["passes", "sam", "chapter"])
    parser.add_argument("--chapter", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.minutes <= 0 or options.tolerance <= 0 or options.images < 1:
        parser.error("--minutes, --tolerance and --images must be above 0")
    if not any(name.startswith(options.only) for name in STEPS):
        parser.error(f"--only {options.only}: expected one of {', '.join(STEPS)}")
    return options


def describe(options: argparse.Namespace) -> dict:
    """Say what is compared, on which machine. Exits where there is no such device."""
    import torch

    name = platform.processor() or platform.machine()
    if options.device.startswith("cuda"):
        if not torch.cuda.is_available():
            sys.exit("gpu.py: no CUDA here; --device cpu tries the check itself")
        name = torch.cuda.get_device_name(options.device)
    same = "the CPU with itself: shows that the check runs, and no more"
    return {
        "device": options.device,
        "name": name,
        "compared": same if options.device == "cpu" else f"{name} with the CPU",
        "torch": torch.__version__,
        "cpus": os.cpu_count(),
        "tolerance": {"tables": options.tolerance, "passes": CLOSE, "sam": CLOSE},
        "steps": {},
    }


# ------------------------------------------------------------------ one step, two ways


def both(name: str, options: argparse.Namespace, left: float) -> dict:
    """Run a step on the CPU and on the device, in at most `left` seconds."""
    found, end = {}, time.monotonic() + left
    with tempfile.TemporaryDirectory() as folder:
        for place, device in (("cpu", "cpu"), ("device", options.device)):
            files = Path(folder, place)  # nothing that one has kept helps the other
            try:
                rest = end - time.monotonic()
                found[place] = alone(name, device, files, options, rest)
            except subprocess.TimeoutExpired:
                return {"skipped": "the time is over", **found}
    values = [found[place].pop("values") for place in ("cpu", "device")]
    close = options.tolerance if name in CHAPTERS else CLOSE
    differing = compare(*values, close)
    return {**found, "agrees": not differing, "differing": differing}


def alone(name: str, device: str, folder: Path, options, left: float) -> dict:
    """Run a step in a process of its own: its values, seconds, peak memory in MiB."""
    if left <= 0:
        raise subprocess.TimeoutExpired(name, left)
    step = ["--step", "chapter", "--chapter", name]
    words = step if name in CHAPTERS else ["--step", name]
    command = [sys.executable, __file__, *words, f"--device={device}"]
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
    done = subprocess.run(
        [*command, f"--images={options.images}"],
        cwd=ROOT, timeout=left, capture_output=True, text=True,
        env={**os.environ, "WSLIB_BUILD": str(folder / "build"), "MPLBACKEND": "agg",
             "WSLIB_DERIVED": str(folder), "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        sys.exit(f"gpu.py: {name} on {device}: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def measured(device: str, began: float, values: dict, **more) -> dict:
    """What a step says at its end; MiB is the peak of the process, or of the GPU."""
    import torch

    if device.startswith("cuda"):
        mebibytes = torch.cuda.max_memory_allocated(device) / 2**20
    else:
        mebibytes = peak_memory()
    seconds = round(time.perf_counter() - began, 2)
    return {"seconds": seconds, "MiB": round(mebibytes), **more, "values": values}


def peak_memory() -> float:
    """MiB that this process held at most, of all it holds."""
    text = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) / 1024


def in_words(step: dict) -> str:
    if "skipped" in step:
        return f"skipped, {step['skipped']}"
    parts = []
    for place in ("cpu", "device"):
        one = step[place]
        speed = [f"{k} {v}/s" for k, v in one.get("images a second", {}).items()]
        parts.append(", ".join([f"{one['seconds']} s, {one['MiB']} MiB", *speed]))
    worst = "the same" if step["agrees"] else f"differs: {step['differing']}"
    return f"{' | '.join(parts)}; {worst}"


def compare(first: dict, second: dict, close: float) -> dict[str, float | str]:
    """Table -> what is not the same: the difference, as a share of the largest value in
    its column, or which rows or words. `{}` where all agrees."""
    differing: dict[str, float | str] = {}
    for name in sorted(first.keys() | second.keys()):
        one, two = first.get(name, {}), second.get(name, {})
        for column in sorted(one.keys() | two.keys()):
            far = distance(one.get(column, []), two.get(column, []))
            if not isinstance(far, float) or far > close:
                differing[f"{name}: {column}"] = far
    return differing


def distance(one: list, two: list) -> float | str:
    """The largest difference of two columns, by their largest value; or in words."""
    if len(one) != len(two):
        return f"{len(one)} and {len(two)} rows"
    pairs = list(zip(one, two, strict=True))
    numbers = [p for p in pairs if all(isinstance(v, int | float) for v in p)]
    words = [p for p in pairs if p not in numbers and p[0] != p[1]]
    if words:
        return f"{words[0][0]} and {words[0][1]}"
    largest = max((abs(value) for pair in numbers for value in pair), default=0)
    return max((abs(a - b) for a, b in numbers), default=0.0) / (largest or 1.0)


# ----------------------------------------------------------------------- the chapters


def run_chapter(options: argparse.Namespace) -> dict:
    """Execute a chapter at `smoke`; its tables are the values."""
    import yaml

    began = time.perf_counter()
    file = ROOT / f"chapters/{options.chapter}.py"
    text = file.read_text(encoding="utf-8")
    given = yaml.safe_load((ROOT / f"params/smoke/{file.stem}.yml").read_text()) or {}
    given["device"] = options.device
    end = text.index("\n# %%", text.index('tags=["parameters"]'))
    stand_in_for_ipython()
    code = f"{text[:end]}\nglobals().update({given!r})\n{text[end:]}"
    exec(compile(code, str(file), "exec"), {"__name__": "chapter"})
    return measured(options.device, began, read_tables())


def stand_in_for_ipython() -> None:
    """Chapters show sentences with it; here nobody reads them."""
    if importlib.util.find_spec("IPython") is None:
        display = types.ModuleType("IPython.display")
        display.Markdown = str
        sys.modules["IPython"] = types.ModuleType("IPython")
        sys.modules["IPython"].get_ipython = lambda: None
        sys.modules["IPython.display"] = display


def read_tables() -> dict[str, dict[str, list]]:
    """Table -> column -> values, without those of seconds."""
    tables = {}
    for file in sorted(Path(os.environ["WSLIB_BUILD"], "tables").glob("*.json")):
        record = json.loads(file.read_text(encoding="utf-8"))
        columns = zip(record["columns"], zip(*record["rows"], strict=True), strict=True)
        timed = TIMED.get(file.stem)
        tables[file.stem] = {
            name: list(values)
            for name, values in columns
            if name != timed and not TIMES.search(name)
        }
    return tables


# ------------------------------------------------------------------------- the passes


def pass_images(options: argparse.Namespace) -> dict:
    """Ask each backbone, and have it explained: logits of one batch, images/second."""
    import torch

    from wslib.cam import GradCAM
    from wslib.models.classifiers import build_classifier
    from wslib.runtime.device import pick_device

    device, began = pick_device(options.device), time.perf_counter()
    values, speeds = {}, {}
    for name, batch, size in PASSES:
        torch.manual_seed(0)
        network = build_classifier(name, 20, pretrained=False).eval().to(device)
        images = torch.randn(batch, 3, size, size).to(device)
        cam = GradCAM(network, [network.features[-1]])
        with torch.no_grad():
            logits = network(images)
        values[name] = {"logits": logits.flatten().tolist()}
        calls = {"forward": lambda n=network, i=images: forward(n, i),
                 "Grad-CAM": lambda c=cam, i=images: c(i, [0] * len(i))}  # fmt: skip
        for what, call in calls.items():
            speeds[f"{name} {what}"] = speed(call, batch, options.images)
    more = {"images a second": speeds}
    return measured(options.device, began, values, **more)


def forward(network, images):
    import torch

    with torch.no_grad():
        return network(images).sum().item()  # waits for the device


def speed(call, batch: int, images: int) -> float:
    """Images a second, after one call to warm up."""
    call()
    began, calls = time.perf_counter(), max(1, images // batch)
    for _ in range(calls):
        call()
    return round(calls * batch / (time.perf_counter() - began), 2)


# -------------------------------------------------------------------------------- SAM


def embed(options: argparse.Namespace) -> dict:
    """Encode pictures of chapter 4's size with ViT-B, one by one, weights random."""
    import numpy as np
    import torch
    from segment_anything import SamPredictor, sam_model_registry

    from wslib.prompting.prompter import Prompter
    from wslib.runtime.device import pick_device

    device, began = pick_device(options.device), time.perf_counter()
    torch.manual_seed(0)
    predictor = SamPredictor(sam_model_registry["vit_b"]().eval().to(device))
    prompter = Prompter(predictor)
    count = 1 + max(1, options.images // 32)
    pictures = np.random.default_rng(0).integers(0, 256, (count, 48, 64, 3), np.uint8)
    first = prompter.encode(pictures[0]).features.cpu()
    start = time.perf_counter()
    for picture in pictures[1:]:
        prompter.encode(picture).features.sum().item()
    rate = round((count - 1) / (time.perf_counter() - start), 3)
    values = {"vit_b": {"features": first[:, :4].flatten().tolist()}}
    more = {"images a second": {"vit_b": rate}}
    return measured(options.device, began, values, **more)


STEP = {"passes": pass_images, "sam": embed, "chapter": run_chapter}

if __name__ == "__main__":
    main()
