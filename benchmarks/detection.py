"""From image files to dog boxes: this package beside pytorch-grad-cam and OpenCV.

The same work, twice: decode, resize to a square, explain class `dog` in the image and
its mirror image with Grad-CAM at the last layer of EfficientNet-Lite0, resize the map
to the image, threshold, components, boxes. Each contestant runs in a process of its
own, with the same number of threads, in turns; before that, all files are read once.
The last line is this package's whole chain, which makes four times as many places and
the maps of all twenty classes. Images are the first of VOC2007's `val` where
`$WSLIB_DATA` holds them, and rendered ones elsewhere.

    python benchmarks/detection.py --images 500 --rounds 1 --threads 2
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

import wslib  # noqa: F401  (lets torchvision import)

TARGET, THRESHOLD = 11, 0.12  # dog; of the map's maximum


def main() -> None:
    options = parse_options()
    if options.run:
        print(json.dumps(CONTESTANTS[options.run](options)))
        return
    results = {name: [] for name in CONTESTANTS}
    _, voc, ids = prepared(options)
    for image_id in ids:
        voc.image_path(image_id).read_bytes()
    for _ in range(options.rounds):
        for name, rounds in results.items():
            rounds.append(in_its_own_process(name, options))
    report(results, options)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--images", type=int, default=500, help="(default 500)")
    parser.add_argument("--size", type=int, default=448, help="pixels (default 448)")
    parser.add_argument("--batch", type=int, default=8, help="images (default 8)")
    parser.add_argument("--rounds", type=int, default=1, help="of each (default 1)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--run", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    for name in ("images", "size", "batch", "rounds", "threads"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return options


def in_its_own_process(name: str, options: argparse.Namespace) -> dict:
    command = [sys.executable, __file__, "--run", name]
    for option in ("images", "size", "batch", "threads"):
        command += [f"--{option}", str(getattr(options, option))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(results: dict[str, list[dict]], options: argparse.Namespace) -> None:
    print(
        f"{options.images} images, {options.size} pixels, batch {options.batch}, "
        f"{options.threads} threads, median of {options.rounds} rounds\n"
    )
    print(f"{'':<34}{'seconds':>9}{'ms/image':>10}{'ratio':>8}{'first box: IoU':>16}")
    seconds = {n: statistics.median(r["seconds"] for r in results[n]) for n in results}
    ours = next(iter(results))
    for name, took in seconds.items():
        each, ratio = 1000 * took / options.images, took / seconds[ours]
        same = agreement(results[ours][0]["boxes"], results[name][0]["boxes"])
        print(f"{name:<34}{took:>9.1f}{each:>10.1f}{ratio:>8.2f}{same:>16.2f}")


def agreement(ours: dict, theirs: dict) -> float:
    """Mean IoU of the first boxes, over the images where both have one."""
    from wslib.metrics.overlap import box_iou

    both = [i for i in ours if ours[i] and theirs[i]]
    pairs = [(ours[i][0][:4], theirs[i][0][:4]) for i in both]
    return statistics.mean(float(box_iou(a, b, pixel=1)) for a, b in pairs)


def prepared(options: argparse.Namespace):
    """The network, with a head of twenty classes, and the images; not timed."""
    import torch

    from wslib.data.datasets import open_voc2007
    from wslib.models.classifiers import build_classifier

    torch.set_num_threads(options.threads)
    try:
        voc, split = open_voc2007("voc2007"), "val"
        ids = voc.available(voc.ids(split, options.images))
    except FileNotFoundError:
        voc = open_voc2007("rendered", train=1, val=1, test=options.images)
        ids = voc.ids("test")
    return build_classifier("efficientnet_lite0", 20), voc, ids


def with_wslib(options: argparse.Namespace) -> dict:
    from wslib.boxes.maps import class_maps, detect
    from wslib.cam import GradCAM
    from wslib.runtime.device import pick_device

    pick_device("cpu")
    model, voc, ids = prepared(options)
    started = time.perf_counter()
    paths = [voc.image_path(i) for i in ids]
    cam = GradCAM(model, [model.target_layer])
    maps = class_maps(cam, ids, paths, TARGET, options.size, options.batch)
    return timed(started, detect(maps, THRESHOLD))


def with_peer(options: argparse.Namespace) -> dict:
    import cv2
    import numpy as np
    import torch
    from pytorch_grad_cam import GradCAM as Peer
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model, voc, ids = prepared(options)
    started, boxes = time.perf_counter(), {}
    with Peer(model=model, target_layers=[model.target_layer]) as peer:
        for start in range(0, len(ids), options.batch):
            batch = ids[start : start + options.batch]
            files = [cv2.imread(str(voc.image_path(i)))[:, :, ::-1] for i in batch]
            side = (options.size, options.size)
            small = np.stack([cv2.resize(file, side) for file in files])  # (B, S, S, 3)
            x = torch.from_numpy(small.transpose(0, 3, 1, 2).astype(np.float32) / 255)
            x = model.normalize(x)
            targets = [ClassifierOutputTarget(TARGET)] * len(x)
            maps, logits = [], []
            for view in (x, x.flip(3)):
                maps.append(peer(view, targets))
                logits.append(peer.outputs[:, TARGET].detach())
            maps = (maps[0] + maps[1][:, :, ::-1]) / 2
            scores = ((logits[0] + logits[1]) / 2).sigmoid().tolist()
            for i, file, heat, score in zip(batch, files, maps, scores, strict=True):
                boxes[i] = peer_box(cv2.resize(heat, file.shape[1::-1]), score)
    return timed(started, boxes)


def peer_box(heat, score: float):
    """The box of the heaviest component, VOC corners and the score."""
    import cv2
    import numpy as np

    bright = (heat >= THRESHOLD * heat.max()).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    if count < 2 or heat.max() <= 0:
        return np.zeros((0, 5))
    mass = np.bincount(labels.ravel(), heat.ravel())[1:]
    x, y, width, height, _ = stats[1 + mass.argmax()]
    return np.array([[x + 1, y + 1, x + width, y + height, score]], float)


def with_chain(options: argparse.Namespace) -> dict:
    from wslib.boxes.evidence import extract_features, gather_evidence
    from wslib.boxes.fitting import fit_heads
    from wslib.boxes.recipe import Recipe
    from wslib.models.classifiers import build_classifier
    from wslib.models.dense import DenseClassifier
    from wslib.runtime.device import pick_device

    pick_device("cpu")
    _, voc, ids = prepared(options)
    network = DenseClassifier(build_classifier("efficientnet_lite0"), 20)
    paths = [voc.image_path(i) for i in ids]
    few = [k for k in range(len(ids))][:100]
    features = extract_features(network, [paths[k] for k in few], 128)
    fit_heads(network, features, voc.labels([ids[k] for k in few]))
    started = time.perf_counter()
    evidence = gather_evidence(network, ids, paths, options.size, options.batch)
    return timed(started, Recipe("combined", threshold=0.3).detect(evidence, TARGET))


def timed(started: float, boxes: dict) -> dict:
    took = time.perf_counter() - started
    return {"seconds": took, "boxes": {i: b[:1].tolist() for i, b in boxes.items()}}


CONTESTANTS = {
    "wslib GradCAM": with_wslib,
    "pytorch-grad-cam and OpenCV": with_peer,
    "wslib, whole chain, all classes": with_chain,
}


if __name__ == "__main__":
    main()
