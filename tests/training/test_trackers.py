"""Trackers: what TensorBoard and wandb are told, without them and with them."""

import os
import sys
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from wslib.training.fit import fit
from wslib.training.trackers import KINDS, open_tracker

NAN = float("nan")
ROWS = [
    {"epoch": 1, "loss": 0.5, "learning_rate": 0.1, "mAP": NAN},
    {"epoch": 2, "loss": 0.25, "learning_rate": 0.05, "mAP": 0.75},
]
PICTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
WRITER = "torch.utils.tensorboard"
OPTIONAL = "optional: requirements-trackers.txt"


class Calls(list):
    """Stands for an object of a package, and keeps what is asked of it."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: self.append((name, args, kwargs))


@pytest.fixture
def calls(monkeypatch):
    """Both packages, replaced by ones that keep what is asked of them."""
    calls = Calls()

    def begin(*args, **kwargs):
        calls.append(("begin", args, kwargs))
        return calls

    tensorboard, wandb = ModuleType(WRITER), ModuleType("wandb")
    tensorboard.SummaryWriter = wandb.init = begin
    wandb.Settings, wandb.Image = SimpleNamespace, lambda image: ("image", image)
    monkeypatch.setitem(sys.modules, WRITER, tensorboard)
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    return calls


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path_factory):
    """No setting of the user's, and none that stays."""
    for name in ("WANDB_MODE", "WANDB_PROJECT", "WANDB_RUN_ID"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp("wandb")))


@pytest.fixture
def nothing_installed(monkeypatch):
    for name in (WRITER, "tensorboard", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)


def track(kind, folder, rows=ROWS, **options):
    with open_tracker(kind, folder, "max", **options) as tracker:
        for row in rows:
            tracker.row(row)
        tracker.picture("heat maps", PICTURE, 1)


def test_none_needs_nothing_and_leaves_nothing(nothing_installed, tmp_path):
    track("none", tmp_path / "new", settings={"seed": 0})
    assert not list(tmp_path.iterdir())


def test_unknown_tracker(tmp_path):
    text = "^tracker 'mlflow', expected one of none, tensorboard, wandb$"
    with pytest.raises(ValueError, match=text):
        track("mlflow", tmp_path)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_missing_package(nothing_installed, tmp_path, kind):
    with pytest.raises(RuntimeError) as error:
        track(kind, tmp_path / "new")
    text = str(error.value)
    assert text.startswith(f"tracker {kind!r}: not there (") and "\n" not in text
    assert text.endswith("; `pip install -r requirements-trackers.txt`")
    assert not list(tmp_path.iterdir())


def test_what_tensorboard_is_told(calls, tmp_path):
    track("tensorboard", tmp_path, settings={"sizes": (512, 448), "data": tmp_path})
    name, (title, text), _ = calls.pop(1)
    assert (name, title) == ("add_text", "settings")
    assert text.startswith('    {\n      "sizes": [\n        512,\n        448\n')
    assert text.endswith(f'      "data": "{tmp_path}"\n    }}')
    scalars = [("loss", 0.5, 1), ("learning_rate", 0.1, 1), ("mAP", NAN, 1)]
    more = [("loss", 0.25, 2), ("learning_rate", 0.05, 2), ("mAP", 0.75, 2)]
    assert calls == [
        ("begin", (str(tmp_path / "max"),), {}),
        *(("add_scalar", scalar, {}) for scalar in scalars),
        ("flush", (), {}),
        *(("add_scalar", scalar, {}) for scalar in more),
        ("flush", (), {}),
        ("add_image", ("heat maps", PICTURE, 1), {"dataformats": "HWC"}),
        ("close", (), {}),
    ]


def test_what_wandb_is_told(calls, tmp_path):
    track("wandb", tmp_path, settings={"sizes": (512, 448), "data": tmp_path})
    (name, args, options), *rest = calls
    assert (name, args) == ("begin", ()) and (tmp_path / "max").is_dir()
    assert vars(options.pop("settings")) == {"silent": True, "console": "off"}
    assert options == {
        "dir": tmp_path / "max",
        "project": "wslib",
        "name": "max",
        "config": {"sizes": [512, 448], "data": str(tmp_path)},
        "mode": "offline",
        "id": None,
        "reinit": "create_new",
    }
    assert os.environ["WANDB_MODE"] == "offline"  # for its telemetry
    assert rest == [
        ("define_metric", ("*",), {"step_metric": "epoch"}),
        *(("log", (row,), {}) for row in ROWS),
        ("log", ({"heat maps": ("image", PICTURE), "epoch": 1},), {}),
        ("finish", (), {"exit_code": 0}),
    ]


def test_wandb_does_as_the_environment_says(calls, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_PROJECT", "course")
    track("wandb", tmp_path)
    options = calls[0][2]
    assert (options["mode"], options["project"]) == ("online", "course")
    assert options["config"] == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_closed_after_an_error(calls, tmp_path, kind, error):
    with pytest.raises(error, match="^stop$"):
        with open_tracker(kind, tmp_path, "max") as tracker:
            tracker.row(ROWS[0])
            raise error("stop")
    last = {"tensorboard": ("close", {}), "wandb": ("finish", {"exit_code": 1})}
    expected = [(name, (), told) for name, told in [last[kind]]] if kind in last else []
    assert calls[-1:] == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "image",
    [PICTURE[..., 0], PICTURE[..., :2], PICTURE / 255, PICTURE[None]],
    ids=["grey", "two channels", "float", "batch"],
)
def test_no_picture(calls, tmp_path, kind, image):
    expected = r"picture 'maps': (uint8|float64) of shape .*, expected uint8 \(H, W, 3"
    with open_tracker(kind, tmp_path, "max") as tracker:
        before = list(calls)
        with pytest.raises(ValueError, match=expected):
            tracker.picture("maps", image, 1)
        assert calls == before


def put(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("of before")


def test_a_record_is_begun_anew(calls, tmp_path):
    folder, other = tmp_path / "max", tmp_path / "average"
    name = "events.out.tfevents.1.here.2.0"
    put(folder / name, folder / "history.csv", other / name)
    track("tensorboard", tmp_path)
    left = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert left == [other / name, folder / "history.csv"]

    runs = "offline-run-20261121_223116-zapxqm9f-1", "run-20261121_223245-zapxqm9f-2"
    put(*(at / "wandb" / run / "a" for at in (folder, other) for run in runs))
    put(folder / "wandb/debug.log", folder / "wandb/tables/a")
    track("wandb", tmp_path)
    left = [path.name for path in sorted((folder / "wandb").iterdir())]
    assert left == ["debug.log", "tables"]
    assert len(list((other / "wandb").iterdir())) == 2
    assert calls[-5][0] == "define_metric" and calls[-6][2]["id"] == "zapxqm9f"


@pytest.mark.parametrize("kind", KINDS[1:])
def test_what_cannot_be_begun_leaves_the_record_before(
    calls, tmp_path, kind, monkeypatch
):
    def fail(*args, **kwargs):
        raise OSError("the disk is full")

    monkeypatch.setattr(sys.modules[WRITER], "SummaryWriter", fail)
    monkeypatch.setattr(sys.modules["wandb"], "init", fail)
    files = [
        tmp_path / "max" / name for name in ("events.out.tfevents.1", "wandb/run-1-2/a")
    ]
    put(*files)
    with pytest.raises(OSError, match="the disk is full"):
        track(kind, tmp_path)
    assert all(file.is_file() for file in files)


def train(folder, on_epoch, stop_in=None):
    """Four epochs of one batch each, kept in `folder`; Ctrl-C in one of them."""
    torch.manual_seed(0)
    model, x = nn.Linear(1, 1), torch.ones(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    validated = []

    def validate(model):
        validated.append(model)
        if len(validated) == stop_in:
            raise KeyboardInterrupt
        return {"mAP": NAN}

    return fit(
        *(model, [(x, x)], nn.functional.mse_loss, optimizer, 4, validate),
        keep=folder / "run",
        on_epoch=on_epoch,
    )


def train_tracked(kind, folder, stop_in=None):
    with open_tracker(kind, folder, "max", {"seed": 0}) as tracker:
        history = train(folder, tracker.row, stop_in)
        for epoch in (2, 4):
            tracker.picture("heat maps", PICTURE, epoch)
    return history


def test_tensorboard_itself(tmp_path):
    pytest.importorskip("tensorboard", reason=OPTIONAL)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for stop_in, epochs in ((3, [1, 2]), (None, [1, 2, 3, 4]), (None, [1, 2, 3, 4])):
        history = train_tracked("tensorboard", tmp_path, stop_in)
        assert len(list((tmp_path / "max").iterdir())) == 1
        record = EventAccumulator(str(tmp_path / "max")).Reload()
        scalars = record.Tags()["scalars"]
        assert sorted(["epoch", *scalars]) == sorted(history.columns)
        for column in scalars:
            events = record.Scalars(column)
            assert [event.step for event in events] == epochs
            values = [event.value for event in events]
            np.testing.assert_array_equal(values, np.float32(history[column]))
        assert [event.step for event in record.Images("heat maps")] == [2, 4]
        assert record.Images("heat maps")[0].width == 6
        (text,) = record.Tensors("settings/text_summary")
        assert text.tensor_proto.string_val[0] == b'    {\n      "seed": 0\n    }'


def test_wandb_itself(tmp_path, capfd):
    pytest.importorskip("wandb", reason=OPTIONAL)
    ids = set()
    for stop_in in (3, None):
        train_tracked("wandb", tmp_path, stop_in)
        (folder,) = (tmp_path / "max" / "wandb").glob("*run-*-*")
        assert folder.name.startswith("offline-run-")
        ids.add(folder.name.split("-")[3])
        (file,) = folder.glob("*.wandb")
        names = b"learning_rate", b"seconds", b"mAP", b"heat maps"
        deadline = time.monotonic() + 20  # another process writes, a little later
        while not all(name in file.read_bytes() for name in names):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert len(list(folder.glob("files/media/images/*.png"))) == 2
    assert len(ids) == 1
    assert "wandb:" not in "".join(capfd.readouterr())  # it is quiet
