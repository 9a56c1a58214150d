"""A training run: its history, its best epoch, and the folder to resume it from."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from wslib.models.checkpoints import (
    json_values,
    load_weights,
    naming,
    read_checkpoint,
    save_checkpoint,
)
from wslib.runtime.kept import write_text

FORMAT = "wslib run 1"
PARTS = {  # of last.pt, beside the format
    **dict.fromkeys(("run", "model", "best", "optimizer", "schedule", "random"), dict),
    "rows": list,
}
Best = tuple[str, str] | Sequence[tuple[str, str]]


def rules(best: Best | None) -> list[tuple[str, str]]:
    """`best` as a list: ("mAP", "max") -> [("mAP", "max")], None -> [("epoch", "max")].
    Raises ValueError for anything but pairs of a column and "max" or "min"."""
    if best is None:
        return [("epoch", "max")]
    pairs = [best] if len(best) and isinstance(best[0], str) else best
    pairs = [tuple(pair) for pair in pairs]
    if not pairs or not all(len(p) == 2 and p[1] in ("max", "min") for p in pairs):
        raise ValueError(f'best is {best!r}, expected such as ("mAP", "max")')
    return pairs


def best_epoch(history: pd.DataFrame, best: Best | None) -> int:
    """The epoch of the best row of a history; None stands for the last one.

    The first column of `best` decides, the next ones among equals, then the earliest
    epoch. NaN is never best. Raises ValueError for a column that is not there.
    """
    pairs = rules(best)
    for column, _ in pairs:
        if column not in history:
            there = ", ".join(history.columns)
            raise ValueError(f"no column {column!r} to find the best by: {there}")
    columns, ways = zip(*pairs, ("epoch", "min"), strict=True)
    ranked = history.sort_values(list(columns), ascending=[w == "min" for w in ways])
    return int(ranked["epoch"].iloc[0])


@dataclass
class Run:
    """The state of a training run after its last whole epoch.

    `rows` are the rows of its history, `weights` the model's `state_dict` after the
    best of them. With a folder `keep`, each epoch leaves there `last.pt`, from which
    the run is resumed, `best.pt`, the model and what is known `about` it, and
    `history.csv`; all of them are written whole or not at all. With a `pause`, an epoch
    that ends fewer seconds after the last writing leaves nothing, unless it is the last
    one: of short epochs the writing would take longer than the training.

    `epochs`, `best`, the optimizer's settings and `about` say which run it is: no other
    is resumed from the folder.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    batches: object
    epochs: int
    best: Best | None = None
    keep: Path | str | None = None
    about: dict = field(default_factory=dict)
    pause: float = 0.0
    rows: list[dict[str, float]] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.about = json_values(self.about)
        rules(self.best)
        self._written = float("-inf")  # when, on a clock of this process

    def end_epoch(self, row: dict[str, float]) -> None:
        """Add a row to the history, and keep what there is after this epoch."""
        rows = [*self.rows, row]
        if best_epoch(pd.DataFrame(rows), self.best) == row["epoch"]:
            self.weights = copy.deepcopy(self.model.state_dict())
        self.rows = rows
        waited = time.monotonic() - self._written >= self.pause
        if self.keep is not None and (waited or len(rows) == self.epochs):
            self._write()

    def _write(self) -> None:
        """`last.pt` goes first: killed after it, the rest can be made from it."""
        save_checkpoint(self._file("last.pt"), self.model, **self._state())
        self._save_best()
        self._save_history()
        self._written = time.monotonic()

    def resume(self) -> None:
        """Go back to where `last.pt` was written, if there is one: the weights, the
        optimizer, the schedule, the history, and the random numbers of PyTorch.

        Raises ValueError, one line that names the file, for that of another run or
        network.
        """
        if self.keep is None or not self._file("last.pt").is_file():
            return
        path = self._file("last.pt")
        content = read_checkpoint(path)
        if content.get("format") != FORMAT:
            raise ValueError(f"{path}: no run to resume; choose another folder")
        for key, kind in PARTS.items():
            if not isinstance(content.get(key), kind):
                raise ValueError(f"{path}: a run without its {key}; remove the folder")
        self._check_same_run(path, content["run"])
        with naming(path):
            for key in ("best", "model"):  # the latter stays
                load_weights(self.model, content[key])
        self._restore(path, content)
        self.rows, self.weights = content["rows"], content["best"]
        self._save_best()
        self._save_history()

    def _restore(self, path: Path, content: dict) -> None:
        try:
            self.optimizer.load_state_dict(content["optimizer"])
            if self.schedule.state_dict().keys() != content["schedule"].keys():
                raise KeyError("schedule")  # which takes whatever it is given
            self.schedule.load_state_dict(content["schedule"])
            self._set_random_state(content["random"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            text = f"damaged ({type(error).__name__}); remove the folder"
            raise ValueError(f"{path}: {text}") from None

    def stopped(self) -> str:
        """A note for whoever stopped it after a whole epoch."""
        epoch = best_epoch(pd.DataFrame(self.rows), self.best)
        text = f"stopped after epoch {len(self.rows)} of {self.epochs}"
        text += f"; the model is that of epoch {epoch}"
        return text + (f"; the same call goes on from {self.keep}" if self.keep else "")

    def _file(self, name: str) -> Path:
        return Path(self.keep) / name

    def _state(self) -> dict:
        return {
            "format": FORMAT,
            "run": self._settings(),
            "rows": self.rows,
            "best": self.weights,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": self._random_state(),
        }

    def _settings(self) -> dict:
        """Collect what makes it this run and no other."""
        settings = {"epochs": self.epochs, "best": rules(self.best), **self.about}
        settings["optimizer"] = type(self.optimizer).__name__
        for i, group in enumerate(self.optimizer.param_groups):
            settings[f"parameters of group {i}"] = len(group["params"])
            for name in ("initial_lr", "weight_decay", "momentum", "betas"):
                if name in group:
                    settings[f"{name} of group {i}"] = group[name]
        return settings

    def _check_same_run(self, path: Path, there: dict) -> None:
        here = self._settings()
        for key in sorted(here.keys() | there.keys()):
            if here.get(key) != there.get(key):
                raise ValueError(
                    f"{path}: another run, with {key} {there.get(key)}, not "
                    f"{here.get(key)}; choose another folder, or remove this one"
                )

    def _random_state(self) -> dict:
        device = next(self.model.parameters()).device
        own = getattr(self.batches, "generator", None)
        return {
            "cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            "batches": None if own is None else own.get_state(),
        }

    def _set_random_state(self, states: dict) -> None:
        device = next(self.model.parameters()).device
        own = getattr(self.batches, "generator", None)
        torch.set_rng_state(states["cpu"])
        if device.type == "cuda" and states["cuda"] is not None:
            torch.cuda.set_rng_state(states["cuda"], device)
        if own is not None and states["batches"] is not None:
            own.set_state(states["batches"])

    def _save_best(self) -> None:
        row = self.rows[best_epoch(pd.DataFrame(self.rows), self.best) - 1]
        save_checkpoint(self._file("best.pt"), self.weights, **self.about, row=row)

    def _save_history(self) -> None:
        text = pd.DataFrame(self.rows).to_csv(index=False)
        write_text(self._file("history.csv"), text)
