"""Runs of weak localisation: trained once, kept, and the same after an interruption."""

from __future__ import annotations

import io
import json
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wslib.models import localizers
from wslib.models.checkpoints import fingerprint
from wslib.models.classifiers import IMAGENET_MEAN_STD
from wslib.models.features import FeatureMaps, ImageFiles
from wslib.training.runs import Run
from wslib.weak import runs as module
from wslib.weak.localizer_training import locate
from wslib.weak.proposal_features import ProposalFeatures
from wslib.weak.runs import (
    EpochSnapshots,
    keep_array,
    map_pictures,
    read_array,
    run_localizer,
    run_wsddn,
)
from wslib.weak.wsddn_training import measure_images, score_proposals

COUNT, P, D = 10, 4, 3
OPTIONAL = "optional: requirements-trackers.txt"
LABELS = np.array([[k % 2, k // 2 % 2] for k in range(COUNT)])


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    """Runs go to a folder of their own; a backbone that changes nothing."""
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "smoke"))
    tiny = lambda pretrained: (nn.Identity(), 2, IMAGENET_MEAN_STD)  # noqa: E731
    monkeypatch.setitem(localizers.BACKBONES, "tiny", tiny)
    return tmp_path


def some_maps(count=COUNT, digest="maps", seed=0) -> FeatureMaps:
    """Maps whose channel 1 + c is lit somewhere where class c is there."""
    rng = np.random.default_rng(seed)
    values = 0.1 * rng.random((count, 3, 5, 6))
    for k, c in np.argwhere(LABELS[:count]):
        values[k, 1 + c, rng.integers(1, 4), rng.integers(1, 5)] += 2
    values = np.stack([values, values[..., ::-1]]).astype(np.float16)
    sizes = np.tile([[60, 50]], (count, 1))
    return FeatureMaps([f"im{k}" for k in range(count)], sizes, values, digest)


def some_regions(digest="regions", seed=0) -> ProposalFeatures:
    """Regions of which one of each image looks like the classes that are there."""
    rng = np.random.default_rng(seed)
    features = 0.1 * rng.standard_normal((COUNT, P, 2, D))
    features[:, 1, 0, :2] += 2 * LABELS
    low = rng.integers(0, 20, (COUNT, P, 2))
    boxes = np.concatenate([low, low + 20], 2).astype(np.float32)
    features = features.reshape(COUNT, P, 2 * D)
    views = np.stack([features, features + 0.05]).astype(np.float16)
    ids, sizes = [f"im{k}" for k in range(COUNT)], np.tile([[60, 50]], (COUNT, 1))
    real = np.ones((COUNT, P), bool)
    return ProposalFeatures(ids, sizes, boxes, real, views, digest)


def localizer_run(**changes):
    data = {
        "pooling": "average",
        "train": (some_maps(), LABELS),
        "examine": (some_maps(6, "examined", seed=1), LABELS[:6]),
        "watched": (some_maps(2, "watched", seed=2), [0, 1]),
    }
    how = {"backbone": "tiny", "epochs": 3, "batch_size": 4}
    return run_localizer(**{**data, **how, **changes})


def wsddn_run(**changes):
    examined = some_regions("examined", seed=1)
    data = {"train": (some_regions(), LABELS), "examine": (examined, LABELS)}
    return run_wsddn(**{**data, "epochs": 3, "batch_size": 4, **changes})


RUNS = {"localizer": localizer_run, "wsddn": wsddn_run}
both = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


def network(result) -> nn.Module:
    return result.localizer if hasattr(result, "localizer") else result.model


def folders(root) -> list[str]:
    return sorted(folder.name for folder in (root / "runs").iterdir())


def count_steps(monkeypatch, last: int = 0) -> list:
    """Note each step of an optimizer; Ctrl-C comes before number `last`, from 1."""
    steps, real = [], torch.optim.AdamW.step

    def step(*args, **options):
        steps.append(1)
        if len(steps) == last:
            raise KeyboardInterrupt
        return real(*args, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    return steps


def assert_same(one, other):
    """The same training, but for the time that it took."""
    a, b = (result.history.drop(columns="seconds") for result in (one, other))
    assert a.equals(b)
    assert fingerprint(network(one)) == fingerprint(network(other))
    for epoch in a["epoch"]:
        np.testing.assert_array_equal(
            one.snapshots.at(epoch), other.snapshots.at(epoch)
        )
    if hasattr(one, "first_steps"):
        np.testing.assert_array_equal(one.first_steps, other.first_steps)
        np.testing.assert_array_equal(one.located.logits, other.located.logits)
        np.testing.assert_array_equal(one.located.places, other.located.places)
    else:
        np.testing.assert_array_equal(one.scores, other.scores)


# What is watched


def test_arrays_are_kept_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "array.npy"
    keep_array(path, np.arange(3))
    assert read_array(path).tolist() == [0, 1, 2]

    def half(file, array):
        file.write(b"half of it")
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "save", half)
    with pytest.raises(OSError, match="array.npy: cannot be written"):
        keep_array(path, np.arange(4))
    assert read_array(path).tolist() == [0, 1, 2]
    assert [file.name for file in path.parent.iterdir()] == ["array.npy"]


def test_a_watch_looks_at_the_epoch_that_comes_next(tmp_path):
    said = iter(np.arange(1.0, 4.0))
    snapshots = EpochSnapshots(tmp_path, lambda: np.array([next(said)]))
    snapshots.take()
    snapshots.take()  # the epoch was not kept, and is trained again
    for epoch in (1.0, 2.0):  # rows of a history hold floats
        snapshots.note({"epoch": epoch, "loss": 0.5})
    snapshots.take()
    assert snapshots.at(1).tolist() == [2] and snapshots.at(3).tolist() == [3]
    assert EpochSnapshots(tmp_path, list).at(3).tolist() == [3]


def test_what_was_not_kept(tmp_path):
    snapshots = EpochSnapshots(tmp_path, lambda: np.zeros(1))
    with pytest.raises(FileNotFoundError, match=r"epoch-003\.npy: not there; remove"):
        snapshots.at(3)


# What a run gives


def test_a_run_of_a_localizer():
    result = localizer_run()
    history = result.history
    assert history["epoch"].tolist() == [1, 2, 3]
    assert {"loss", "mAP", "recall", "val_loss"} <= set(history)
    assert result.localizer.pooling == "average" and not result.localizer.training
    assert len(result.first_steps) == 3  # 10 images by 4
    assert result.first_steps.mean() == pytest.approx(history["loss"][0], abs=1e-6)
    examined, watched = some_maps(6, seed=1), some_maps(2, seed=2)
    located = locate(result.localizer, examined)
    np.testing.assert_array_equal(result.located.logits, located.logits)
    np.testing.assert_array_equal(result.located.places, located.places)
    plain = locate(result.localizer, examined, flip=False).measure(LABELS[:6])
    for column, value in plain.items():
        assert history[column].iloc[-1] == pytest.approx(value, rel=1e-6)
    shown = [result.snapshots.at(epoch) for epoch in (1, 2, 3)]
    assert {(of.shape, of.dtype.name) for of in shown} == {((2, 2, 5, 6), "float16")}
    seen = locate(result.localizer, watched).places
    np.testing.assert_array_equal(shown[2], seen)
    assert (shown[0] != shown[1]).any() and (shown[1] != shown[2]).any()


def test_a_run_of_wsddn():
    result = wsddn_run()
    history, examined = result.history, some_regions(seed=1)
    assert history["epoch"].tolist() == [1, 2, 3]
    assert {"loss", "mAP", "val_loss"} <= set(history)
    assert not result.model.training
    assert len(result.model.mean) == D and result.model.contrast
    np.testing.assert_array_equal(
        result.scores, score_proposals(result.model, examined)
    )
    plain = score_proposals(result.model, examined, flip=False)
    assert (plain != result.scores).any()
    for column, value in measure_images(plain, LABELS).items():
        assert history[column].iloc[-1] == pytest.approx(value, rel=1e-6)
    shown = [result.snapshots.at(epoch) for epoch in (1, 2, 3)]
    assert all(of.shape == (COUNT, P, 2) for of in shown)
    np.testing.assert_allclose(shown[2], plain, rtol=1e-3, atol=1e-7)
    assert (shown[0] != shown[1]).any() and (shown[1] != shown[2]).any()


def test_settings_reach_the_networks():
    of = localizer_run(pooling="max", batch_size=5, epochs=2, bfloat16=True)
    assert of.localizer.pooling == "max" and of.localizer.bfloat16
    assert len(of.first_steps) == 2 and len(of.history) == 2
    assert of.history["learning_rate"][0] == 1e-3
    assert localizer_run(learning_rate=0.02).history["learning_rate"][0] == 0.02
    assert not localizer_run().localizer.bfloat16
    of = wsddn_run(contrast=False, hidden=5, epochs=2, learning_rate=0.04)
    assert not of.model.contrast and of.model.read.out_features == 5
    assert len(of.history) == 2 and of.history["learning_rate"][0] == 0.04
    without, little = (wsddn_run(hidden=5, spatial=s) for s in (0.0, 3.0))
    assert without.history["loss"][0] < little.history["loss"][0]  # it costs something


@both
def test_the_labels_and_features_are_those_that_were_given(run):
    history = run(epochs=8, learning_rate=0.05).history
    assert history["mAP"].iloc[-1] > 85
    train = some_maps() if run is localizer_run else some_regions()
    turned = run(epochs=8, learning_rate=0.05, train=(train, 1 - LABELS)).history
    assert turned["mAP"].iloc[-1] < 60  # measured on the labels as they are


@both
def test_a_label_that_nobody_knows(run):
    unknown = LABELS.copy()
    unknown[0] = -1
    train = some_maps() if run is localizer_run else some_regions()
    assert np.isfinite(run(train=(train, unknown)).history["loss"]).all()


# The features trained along


@pytest.fixture
def files(tmp_path):
    """Images in files that are lit, red for class 0 and green for class 1."""
    rng, paths = np.random.default_rng(0), []
    for k, labels in enumerate(LABELS):
        pixels = rng.integers(0, 40, (50, 60, 3))
        pixels[20:40, 10:50, :2] += 200 * labels
        paths.append(tmp_path / f"im{k}.png")
        Image.fromarray(pixels.astype(np.uint8)).save(paths[-1])
    return ImageFiles([path.stem for path in paths], paths, 64)


def course_run(files, count=2, **changes):
    """As the course trains, but for the weights, which are drawn."""
    watched = ImageFiles(files.ids[:count], files.paths[:count], files.size)
    data = {"train": (files, LABELS), "examine": (files, LABELS)}
    how = {"backbone": "alexnet", "pretrained": False, "optimizer": "sgd"}
    how |= {"watched": (watched, [0, 1][:count]), "epochs": 2, "learning_rate": 0.01}
    return run_localizer(
        **{"pooling": "average", "batch_size": 4, **how, **data, **changes}
    )


def test_images_in_place_of_maps_train_the_features_along(files):
    run = course_run(files)
    drawn = localizers.build_localizer("alexnet", 2, "average", pretrained=False)
    for layers in ("features", "head"):
        before, after = (
            getattr(net, layers)[0].weight for net in (drawn, run.localizer)
        )
        assert before.shape == after.shape and not torch.equal(before, after)
    assert run.history["learning_rate"].tolist() == [0.01, 0.01]
    assert run.snapshots.at(2).shape == (2, 2, 3, 3)  # places of 64 x 64 pixels
    assert run.located.sizes.tolist() == [[60, 50]] * COUNT
    again = locate(run.localizer, files)
    np.testing.assert_array_equal(run.located.logits, again.logits)
    mirrored = locate(run.localizer, files, flip=False)
    assert not np.array_equal(mirrored.logits, again.logits)


def test_images_that_change_are_another_run(files, build):
    course_run(files)
    Image.new("RGB", (60, 50)).save(files.paths[3])
    course_run(ImageFiles(files.ids, files.paths, files.size))
    course_run(ImageFiles(files.ids, files.paths, 96))
    assert len(folders(build)) == 3


def test_the_maps_of_files_are_shown_to_a_tracker(files, monkeypatch):
    pictures = []
    record(monkeypatch, pictures)
    course_run(files, tracker="tensorboard")
    assert [name for name, *_ in pictures] == ["map/im0", "map/im1"] * 2
    assert {picture.shape for _, picture, _ in pictures} == {(50, 60, 3)}


# Kept


@both
def test_a_run_is_kept_and_not_trained_again(run, build, monkeypatch):
    first = run()
    (folder,) = folders(build)
    name = "localizer-average-" if run is localizer_run else "wsddn"
    assert folder.startswith(name)
    steps = count_steps(monkeypatch)
    assert_same(run(), first)
    assert not steps
    assert folders(build) == [folder]


@both
def test_the_same_run_elsewhere_is_the_same(run, tmp_path, monkeypatch):
    torch.manual_seed(1)
    first = run()
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "other/smoke"))
    torch.manual_seed(2)
    assert_same(run(), first)


@both
def test_the_seed_changes_the_training(run):
    losses = [run(seed=seed).history["loss"].tolist() for seed in (0, 1)]
    assert losses[0] != losses[1]


def test_the_seed_draws_the_first_weights_and_the_order_of_a_localizer(monkeypatch):
    drawn, real = [], module.localizer_batches
    note = lambda *args: drawn.append(args[-1]) or real(*args)  # noqa: E731
    monkeypatch.setattr(module, "localizer_batches", note)
    runs = [localizer_run(seed=seed, learning_rate=1e-9) for seed in (0, 1)]
    assert drawn == [0, 1]
    one, other = (run.localizer.head[0].weight for run in runs)
    assert not torch.allclose(one, other)


def test_the_seed_draws_the_hidden_layer():
    one, other = (wsddn_run(hidden=3, seed=s, learning_rate=1e-9) for s in (0, 1))
    assert not torch.allclose(one.model.read.weight, other.model.read.weight)


OTHER_LOCALIZERS = {
    "pooling": {"pooling": "max"},
    "epochs": {"epochs": 2},
    "rate": {"learning_rate": 2e-3},
    "batch": {"batch_size": 5},
    "bfloat16": {"bfloat16": True},
    "seed": {"seed": 1},
    "optimizer": {"optimizer": "sgd"},
    "weights": {"pretrained": False},
    "backbone": {"backbone": "tiny as well"},
    "maps": {"train": (some_maps(digest="others"), LABELS)},
    "labels": {"train": (some_maps(), 1 - LABELS)},
    "examined": {"examine": (some_maps(6, "others", 1), LABELS[:6])},
    "examined labels": {"examine": (some_maps(6, "examined", 1), 1 - LABELS[:6])},
    "watched": {"watched": (some_maps(2, "others", seed=2), [0, 1])},
    "watched classes": {"watched": (some_maps(2, "watched", seed=2), [1, 1])},
}
OTHER_WSDDNS = {
    "contrast": {"contrast": False},
    "hidden": {"hidden": 3},
    "epochs": {"epochs": 2},
    "rate": {"learning_rate": 2e-3},
    "batch": {"batch_size": 5},
    "seed": {"seed": 1},
    "regions": {"train": (some_regions("others"), LABELS)},
    "labels": {"train": (some_regions(), 1 - LABELS)},
    "examined": {"examine": (some_regions("others", 1), LABELS)},
    "examined labels": {"examine": (some_regions("examined", 1), 1 - LABELS)},
}


@pytest.mark.parametrize("changes", OTHER_LOCALIZERS.values(), ids=OTHER_LOCALIZERS)
def test_another_localizer_has_another_folder(changes, build, monkeypatch):
    tiny = localizers.BACKBONES["tiny"]
    monkeypatch.setitem(localizers.BACKBONES, "tiny as well", tiny)
    localizer_run()
    localizer_run(**changes)
    assert len(folders(build)) == 2


@pytest.mark.parametrize("changes", OTHER_WSDDNS.values(), ids=OTHER_WSDDNS)
def test_another_wsddn_has_another_folder(changes, build):
    wsddn_run()
    wsddn_run(**changes)
    assert len(folders(build)) == 2


def test_the_spatial_weight_has_a_folder_of_its_own(build):
    wsddn_run(hidden=3)
    wsddn_run(hidden=3, spatial=0.5)
    assert len(folders(build)) == 2


@both
def test_other_code_has_another_folder(run, build, edited):
    run()
    for name in ("training/fit", "models/localizers", "weak/runs"):
        with edited(name, "MORE = 1"):
            run()
    assert len(folders(build)) == 4
    with edited("training/fit", "# words"), edited("practical/haar", "MORE = 1"):
        run()
    assert len(folders(build)) == 4


@both
@pytest.mark.parametrize("name", ["last.pt", "best.pt", "epoch-002.npy"])
def test_a_damaged_run_is_named_and_made_anew(run, build, capsys, name):
    first = run()
    (folder,) = (build / "runs").iterdir()
    os.truncate(folder / name, (folder / name).stat().st_size // 2)
    capsys.readouterr()
    assert_same(run(), first)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "damaged" in line] == [lines[0]]
    assert lines[0].startswith(f"{folder / name}: damaged"), lines[0]
    assert len(folders(build)) == 1


# Interrupted


class Killed(Exception):
    pass


def die(done: list, last: int) -> None:
    if len(done) == last - 1:
        raise Killed


def killed(monkeypatch, where: str, call: int) -> None:
    """Stop at the `call`-th call of a function of `wslib.weak.runs`, from 1."""
    calls, real = [], getattr(module, where)

    def function(*args, **options):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return real(*args, **options)

    monkeypatch.setattr(module, where, function)


@pytest.mark.parametrize(
    ("run", "where", "call"),
    [
        (localizer_run, "locate", 1),  # twice an epoch, before it is kept
        (localizer_run, "locate", 4),
        (localizer_run, "locate", 7),  # examined at the end
        (wsddn_run, "score_proposals", 1),
        (wsddn_run, "score_proposals", 2),
        (wsddn_run, "score_proposals", 4),
    ],
)
def test_a_killed_run_goes_on(run, where, call, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        killed(patch, where, call)
        with pytest.raises(Killed):
            run()
    steps = count_steps(monkeypatch)
    torch.manual_seed(5)
    went_on, part = run(), len(steps)
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "other/smoke"))
    assert_same(went_on, run())
    epochs = 3 - (call - 1) // (2 if run is localizer_run else 1)
    assert 3 * part == epochs * (len(steps) - part)


@both
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_killed_as_soon_as_an_epoch_is_kept(run, epoch, tmp_path, monkeypatch):
    """Between the checkpoint and whatever is told of the epoch."""
    with monkeypatch.context() as patch:
        saved, real = [], Run.end_epoch

        def end_epoch(self, row):
            real(self, row)
            saved.append(die(saved, epoch))

        patch.setattr(Run, "end_epoch", end_epoch)
        with pytest.raises(Killed):
            run()
    went_on = run()
    monkeypatch.setenv("WSLIB_BUILD", str(tmp_path / "other/smoke"))
    assert_same(went_on, run())


def test_ctrl_c_ends_it_and_the_same_call_goes_on(tmp_path, monkeypatch):
    """`fit` ends early without an error, and with the epochs that there are."""
    for name, run in RUNS.items():
        with monkeypatch.context() as patch:
            patch.setenv("WSLIB_BUILD", str(tmp_path / f"{name}/smoke"))
            steps = count_steps(patch)
            run()
        with monkeypatch.context() as patch:
            count_steps(patch, last=2 * len(steps) // 3 + 1)  # the third epoch's first
            with pytest.raises(KeyboardInterrupt):
                run()
        went_on = run()
        with monkeypatch.context() as patch:
            patch.setenv("WSLIB_BUILD", str(tmp_path / "other/smoke"))
            assert_same(went_on, run())


# Tracked


def record(monkeypatch, pictures=None) -> list:
    """Note what a tracker is told, in place of a tracker."""
    told, pictures = [], [] if pictures is None else pictures

    @contextmanager
    def tracker(kind, folder, name, settings):
        told.append((kind, folder, name, settings))
        yield SimpleNamespace(
            row=lambda row: told.append(dict(row)),
            picture=lambda *picture: pictures.append(picture),
        )

    monkeypatch.setattr(module, "open_tracker", tracker)
    return told


@both
def test_no_tracker_leaves_nothing(run, build):
    run()
    assert [path.name for path in build.iterdir()] == ["runs"]


@both
def test_a_tracker_is_told_the_history(run, build, monkeypatch):
    told = record(monkeypatch)
    history = run(tracker="tensorboard", seed=3).history
    (kind, folder, name, settings), *rows = told
    assert kind == "tensorboard" and [name] == folders(build)
    assert str(folder).startswith(str(build)) and "runs" not in str(folder)
    assert settings["seed"] == 3 and settings["epochs"] == 3
    assert rows == history.to_dict("records")


@both
def test_a_run_that_is_kept_can_be_tracked_later(run, build, monkeypatch):
    history = run().history
    told = record(monkeypatch)
    steps = count_steps(monkeypatch)
    run(tracker="wandb")
    assert not steps
    assert told[0][0] == "wandb" and told[1:] == history.to_dict("records")
    assert len(folders(build)) == 1


def test_a_tracker_is_shown_the_maps(monkeypatch):
    pictures = []
    record(monkeypatch, pictures)
    run = localizer_run(tracker="tensorboard")
    epochs = run.history["epoch"].tolist()
    names = [(name, epoch) for name, _, epoch in pictures]
    assert names == [(f"map/im{k}", epoch) for epoch in epochs for k in (0, 1)]
    for (_, picture, epoch), k in zip(pictures, [0, 1] * 3, strict=True):
        assert picture.shape == (50, 60, 3) and picture.dtype == np.uint8
        assert picture.min() < 20 and picture.max() == 255
        place = run.snapshots.at(epoch)[k, k]
        y, x = np.unravel_index(place.argmax(), place.shape)
        lit = np.argwhere(picture[..., 0] == 255).mean(0)
        assert abs(lit - [10 * y + 5, 10 * x + 5]).max() < 8


def pictures_of(run, epoch: int) -> dict[str, np.ndarray]:
    return dict(map_pictures(run.snapshots.at(epoch), some_maps(2, seed=2), [0, 1]))


def test_event_files_of_tensorboard_hold_what_the_chapter_sends(build):
    """Opened as TensorBoard itself opens them: the curves of both kinds of training,
    and the maps of the watched images after each epoch, to the pixel."""
    pytest.importorskip("tensorboard", reason=OPTIONAL)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    runs = {"localizer-average": localizer_run, "wsddn": wsddn_run}
    for name, run in runs.items():
        run = run(tracker="tensorboard")
        (folder,) = (build / "tracking").glob(f"{name}-*")
        record = EventAccumulator(str(folder)).Reload()
        curves = record.Tags()["scalars"]
        assert {"epoch", *curves} == set(run.history)
        for curve in curves:
            events = record.Scalars(curve)
            assert [event.step for event in events] == [1, 2, 3]
            values = [event.value for event in events]
            np.testing.assert_array_equal(values, np.float32(run.history[curve]))
        names = record.Tags()["images"]
        assert names == (["map/im0", "map/im1"] if name != "wsddn" else [])
        for picture in names:
            for event in record.Images(picture):
                shown = Image.open(io.BytesIO(event.encoded_image_string))
                sent = pictures_of(run, event.step)[picture]
                np.testing.assert_array_equal(np.asarray(shown), sent)
            assert event.step == 3


def records_of_wandb(data: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: LevelDB's log format, after a head of 7 bytes."""
    at, record, block = 7, b"", 2**15
    while at + 7 <= len(data):
        if block - at % block < 7:  # no room for the head of a part
            at += block - at % block
            continue
        size, kind = struct.unpack("<4xHB", data[at : at + 7])
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # the whole of it, or its last part
            yield record
            record = b""


def test_event_files_of_wandb_hold_what_the_chapter_sends(build, monkeypatch):
    """Curves in its log of records, and the maps as files, to the pixel."""
    pytest.importorskip("wandb", reason=OPTIONAL)
    from wandb.proto.wandb_internal_pb2 import Record

    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(build / "wandb"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    run = localizer_run(tracker="wandb")
    (folder,) = (build / "tracking").glob("localizer-average-*/wandb/offline-run-*")
    (file,) = folder.glob("*.wandb")
    deadline, records = time.monotonic() + 20, []
    while not any(r.HasField("exit") for r in records):  # which another process writes
        assert time.monotonic() < deadline
        records = [Record.FromString(r) for r in records_of_wandb(file.read_bytes())]
    rows = [
        {"/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
        for record in records
    ]
    curves = [row for row in rows if "loss" in row]
    for column, values in run.history.items():
        assert [row[column] for row in curves] == values.tolist(), column
    for epoch in (1, 2, 3):
        for name, sent in pictures_of(run, epoch).items():
            (told,) = [r for r in rows if f"{name}/path" in r and r["epoch"] == epoch]
            shown = Image.open(folder / "files" / told[f"{name}/path"])
            np.testing.assert_array_equal(np.asarray(shown), sent)


def test_the_history_has_what_the_training_steps_saw(monkeypatch):
    """At a rate of 0 the network of the steps is that of the end, image for image."""
    run = localizer_run(learning_rate=0.0, train=(twins := some_twins(), LABELS))
    seen = locate(run.localizer, twins, flip=False).measure(LABELS)
    for name in ("mAP", "recall"):
        column = run.history[f"train_{name}"]
        np.testing.assert_allclose(column, seen[name], rtol=1e-6)


def some_twins() -> FeatureMaps:
    """Maps of images that are their own mirror images."""
    maps = some_maps()
    values = np.stack([maps.values[0]] * 2)
    return FeatureMaps(maps.ids, maps.sizes, values, "twins")


# Bad input


@both
def test_another_tracker(run):
    with pytest.raises(ValueError, match="tracker 'paper'"):
        run(tracker="paper")


def test_bad_input():
    with pytest.raises(ValueError, match="9 labels for 10 images"):
        localizer_run(train=(some_maps(), LABELS[1:]))
    with pytest.raises(ValueError, match="9 labels for 10 images"):
        wsddn_run(train=(some_regions(), LABELS[1:]))
    with pytest.raises(ValueError, match="pooling 'median'"):
        localizer_run(pooling="median")
    with pytest.raises(ValueError, match="backbone 'vgg'"):
        localizer_run(backbone="vgg")
    with pytest.raises(ValueError, match="spatial is 1"):
        wsddn_run(spatial=1.0)
    for run in RUNS.values():
        with pytest.raises(ValueError, match="epochs is 0"):
            run(epochs=0)
