"""What the values of the chapters' parameters stand for on the network."""

from __future__ import annotations


def downloads() -> dict[str, dict]:
    """Value -> `what` it is, its `size` in words, `path` of what comes of it `below`
    "data" ($WSLIB_DATA) or "torch" (the folder of its weights), what will do `instead`
    of that, and the function that is to `fetch` it first, as a dotted name; None if the
    chapter fetches it."""
    return {**_data_sets(), **_weights()}


def _data_sets() -> dict[str, dict]:
    from wslib.data.archives import VOC2007_FOLDER, VOC2007_PARTS
    from wslib.data.caltech_archive import CALTECH101_FOLDER
    from wslib.data.cifar10 import BINARY, ZIP
    from wslib.data.download import mebibytes
    from wslib.data.shapes_archive import CIFAR10_SIZE, SHAPES_FOLDER

    voc = mebibytes(sum(part.size for part in VOC2007_PARTS.values()))
    archives = "wslib.data.archives.fetch_voc2007"
    shapes = "wslib.data.shapes_archive.fetch_"
    caltech = "wslib.data.caltech_archive.fetch_caltech101"
    rows = {
        "voc2007": ("VOC2007", voc, VOC2007_FOLDER, archives),
        "cifar10": ("CIFAR-10", mebibytes(CIFAR10_SIZE), BINARY, f"{shapes}cifar10"),
        "synthetic_shapes": (
            *("the course's shapes", "size unknown"),
            *(SHAPES_FOLDER, f"{shapes}synthetic_shapes"),
        ),
        "caltech101": ("Caltech-101", "131 MiB", CALTECH101_FOLDER, caltech),
    }
    found = {name: _row(*row[:2], "data", *row[2:]) for name, row in rows.items()}
    found["cifar10"]["instead"] = str(ZIP)
    return found


def _weights() -> dict[str, dict]:
    from torchvision.models import get_model_weights

    from wslib.data.download import mebibytes
    from wslib.models.sam import PUBLISHED

    rows = {}
    for name in ("alexnet", "resnet18", "resnet50"):
        weights = get_model_weights(name).IMAGENET1K_V1
        size = f"{weights.meta['_file_size']:.1f} MB"
        file = weights.url.rsplit("/", 1)[1]
        rows[name] = _row(f"weights of {name}", size, "torch", file)
    for name, published in PUBLISHED.items():
        path = f"sam/{published.path.name}"
        size = mebibytes(published.size)
        rows[name] = _row(f"weights of SAM {name}", size, "data", path)
    return rows


def _row(what: str, size: str, below: str, path, fetch: str | None = None) -> dict:
    return {
        "what": what, "size": size, "below": below, "path": str(path), "fetch": fetch,
        "instead": None,
    }  # fmt: skip
