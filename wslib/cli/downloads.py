"""What the values of the chapters' parameters stand for on the network."""

from __future__ import annotations


def downloads() -> dict[str, dict]:
    """Value -> `what` it is, its `size` in words, `path` of what comes of it `below`
    "data" ($WSLIB_DATA) or "torch" (the folder of its weights), what will do `instead`
    of that, and the function that is to `fetch` it first, as a dotted name; None if the
    chapter fetches it."""
    return {**_data_sets(), **_weights()}


def _data_sets() -> dict[str, dict]:
    from wslib.data.download import mebibytes
    from wslib.data.fetch import SOURCES

    words = {
        "voc2007": "VOC2007", "synthetic_shapes": "the course's shapes",
        "cifar10": "CIFAR-10", "caltech101": "Caltech-101",
    }  # fmt: skip
    rows = {}
    for name, sources in SOURCES.items():
        sizes = [source.size for source in sources]
        size = mebibytes(sum(sizes)) if all(sizes) else "size unknown"
        size = "131 MiB" if name == "caltech101" else size
        fetch = f"wslib.data.fetch.fetch_{name}"
        rows[name] = _row(words[name], size, "data", sources[0].folder, fetch)
        rows[name]["instead"] = sources[0].instead and str(sources[0].instead)
    return rows


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
