"""Weights in files that say what they are, and the files that others have written.

A checkpoint is a dictionary: `model`, the network's `state_dict`, and what is known
about it. Files are written whole or not at all, and read without running any code that
they may hold. Every complaint is one line that names the file.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wslib.data.voc import CLASSES, COURSE_CLASSES
from wslib.models.classifiers import Classifier, build_classifier
from wslib.runtime.kept import hash_bytes, written_whole

FORMAT = "wslib classifier 1"
COURSE_KEY = "model_sdict"  # holds the weights in the course's own file
RESNETS = {(512,): "resnet18", (2048,): "resnet50"}  # by the features their fc sees
NUMPY_NUMBERS = [  # numbers beside the weights, as NumPy 1 and 2 call them; no code
    (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
    (np.float64(0).__reduce__()[0], "numpy._core.multiarray.scalar"),
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("float32", "float64", "int64")),
]


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Put the file's name before the text of a ValueError."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def save_checkpoint(path: Path | str, model: nn.Module | Mapping, **about) -> None:
    """Write the weights of any network, or its `state_dict`, and what is known `about`
    them."""
    weights = model.state_dict() if isinstance(model, nn.Module) else model
    with written_whole(path) as part:
        torch.save({"model": weights, **about}, part)


def json_values(about: Mapping) -> dict:
    """`about` as JSON gives it back: texts, numbers, lists and dictionaries. Raises
    ValueError for anything else, as it could be written, but not be read again."""
    try:
        return json.loads(json.dumps(about))
    except TypeError as error:
        raise ValueError(f"about a checkpoint: {error}") from None


def load_checkpoint(path: Path | str, model: nn.Module) -> dict:
    """Load what `save_checkpoint` wrote into `model`; return what is known about it.

    Errors as `read_checkpoint` and `load_weights`; then `model` is as it was.
    """
    content = read_checkpoint(path)
    with naming(path):
        load_weights(model, content.pop("model", None))
    return content


def read_checkpoint(path: Path | str) -> dict:
    """Read the content of the file, on the CPU. Raises FileNotFoundError, or ValueError
    for a file that is damaged, is no dictionary, or holds more than tensors and
    numbers."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(NUMPY_NUMBERS):
            warnings.simplefilter("ignore")  # of its reader, about old files
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is not its own
        match = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"not a checkpoint, or damaged ({type(error).__name__})"
        reason = f"refused, as it holds {match[1]}, no weights" if match else reason
        raise ValueError(f"{path}: {reason}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: not a checkpoint: {type(content).__name__}")
    return content


def load_weights(model: nn.Module, state: object) -> None:
    """Load a `state_dict` that `read_checkpoint` found into `model`.

    Raises ValueError where a name or a shape does not fit, or a weight is not finite;
    then `model` is as it was.
    """
    name = getattr(model, "name", type(model).__name__)
    given, expected = _tensors(state), model.state_dict()
    for key in sorted(expected.keys() | given.keys()):
        is_, wanted = (
            tuple(s[key].shape) if key in s else "absent" for s in (given, expected)
        )
        if is_ != wanted:
            text = f"{key} is {is_}, expected {wanted}"
            raise ValueError(f"weights do not fit {name}: {text}")
    model.load_state_dict(given)


def _tensors(state: object) -> Mapping[str, Tensor]:
    if not isinstance(state, Mapping) or not state:
        raise ValueError("not a checkpoint: no weights in it")
    for key, value in state.items():
        if not (isinstance(key, str) and isinstance(value, Tensor)):
            raise ValueError(f"not a checkpoint: {key!r} is no weight")
        if value.is_floating_point() and not value.isfinite().all():
            raise ValueError(f"{key} holds numbers that are not finite")
    return state


def fingerprint(module: nn.Module) -> str:
    """12 hexadecimal digits that stand for all weights and persistent buffers: SHA-256
    of names, types, shapes and bytes. The same on any device and in any memory format.
    """
    chunks = []
    for name, value in sorted(module.state_dict().items()):
        value = value.detach().cpu().contiguous()
        chunks.append(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        chunks.append(value.reshape(-1).view(torch.uint8).numpy())
    return hash_bytes(*chunks)[:12]


def about_classifier(classifier: Classifier, classes: Sequence[str]) -> dict:
    """Describe a classifier as `load_classifier` must know it, beside its weights.

    Each of its `heads` has one output per class; see `wslib.models.heads.replace_head`.
    Raises ValueError for a name that comes twice, or where outputs and classes do not
    match.
    """
    outputs, classes = classifier.head.out_features, list(classes)
    if not classes or outputs % len(classes) or len(set(classes)) < len(classes):
        text = f"{outputs} outputs for {len(classes)} classes: "
        raise ValueError(text + "expected a name, each once, for each output of a head")
    return {
        "format": FORMAT,
        "name": classifier.name,
        "classes": classes,
        "heads": outputs // len(classes),
        "input_size": classifier.input_size,
    }


def save_classifier(
    path: Path | str, classifier: Classifier, classes: Sequence[str], **about
) -> None:
    """Write a classifier, the names of its classes in the order of its outputs, and
    what else is known `about` it. Raises ValueError, as `about_classifier`, and for
    weights that are not finite."""
    with naming(path):
        about = {**json_values(about), **about_classifier(classifier, classes)}
        _tensors(classifier.state_dict())
    save_checkpoint(path, classifier, **about)


def load_classifier(
    path: Path | str, classes: Sequence[str] | None = None
) -> tuple[Classifier, dict]:
    """Return the classifier in the file, on the CPU in eval mode, and what is known
    about it: `name`, `classes`, `heads`, `input_size`, and what else was saved.

    Three formats are read: what `save_classifier` wrote; the course's own file, whose
    outputs are in the order of `COURSE_CLASSES`; and the `state_dict` of a ResNet of
    torchvision with an output for each of `classes`, in their order. Outputs for
    classes of VOC are put into the order of `wslib.data.voc.CLASSES`.

    Raises FileNotFoundError or ValueError, one line that names the file: errors of
    `read_checkpoint` and `load_weights`, another architecture, another number of
    classes, names that are missing or unknown or that the file contradicts.
    """
    content = read_checkpoint(path)
    with naming(path):
        if content.get("format") == FORMAT:
            return _own(content, classes)
        if COURSE_KEY in content:
            content, classes = content[COURSE_KEY], classes or COURSE_CLASSES
        elif not any(str(key).endswith("fc.weight") for key in content):
            raise ValueError(
                f"no classifier: expected {FORMAT!r}, the course's {COURSE_KEY!r}, or "
                "the state_dict of a ResNet of torchvision"
            )
        names = list(classes or CLASSES)
        names = CLASSES if set(names) & set(CLASSES) else names  # of another data set
        classifier = _resnet(content, classes, names)
    return classifier, about_classifier(classifier, names)


def _own(about: dict, classes: Sequence[str] | None) -> tuple[Classifier, dict]:
    kinds = {"name": str, "classes": list, "heads": int, "input_size": int}
    for key, kind in kinds.items():
        if not isinstance(about.get(key), kind) or not about[key]:
            raise ValueError(f"a classifier without its {key}")
    names = about["classes"]
    if classes is not None and list(classes) != names:
        raise ValueError(f"its classes are {', '.join(names)}, in this order")
    outputs = about["heads"] * len(names)
    classifier = build_classifier(about["name"], outputs, pretrained=False)
    about_classifier(classifier, names)
    load_weights(classifier, about.pop("model", None))
    classifier.input_size = about["input_size"]
    return classifier, about


def _resnet(
    state: object, names: Sequence[str] | None, wanted: Sequence[str]
) -> Classifier:
    state = _tensors(state)
    if all(key.startswith("module.") for key in state):  # saved from DataParallel
        state = {key.removeprefix("module."): value for key, value in state.items()}
    fc = {key: state[key] for key in ("fc.weight", "fc.bias") if key in state}
    shapes = [tuple(value.shape) for value in fc.values()]  # (n, C), (n,)
    if len(shapes) < 2 or shapes[0][1:] not in RESNETS or shapes[0][:1] != shapes[1]:
        raise ValueError(f"not the weights of {' or '.join(RESNETS.values())}")
    _check_names(names, wanted, outputs=len(fc["fc.bias"]))
    order = [list(names).index(name) for name in wanted]
    fc = {key: value[order] for key, value in fc.items()}
    classifier = build_classifier(RESNETS[shapes[0][1:]], len(wanted), False)
    classifier.load_torchvision_state({**state, **fc})
    return classifier


def _check_names(
    names: Sequence[str] | None, wanted: Sequence[str], outputs: int
) -> None:
    if names is None:
        raise ValueError("names no classes; give them in the order of its outputs")
    for name in names:
        if name not in wanted:
            raise ValueError(f"no class {name!r}; VOC has {', '.join(wanted)}")
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(f"the class names lack {', '.join(missing)}")
    if not len(names) == len(wanted) == outputs:
        counts = f"{outputs} outputs, {len(names)} names"
        raise ValueError(f"{counts}, expected {len(wanted)}")
