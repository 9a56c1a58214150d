"""`wslib caltech train`: from pictures to best.pt, or on from where it was."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from wslib.cli.caltech_pictures import draw_curves
from wslib.cli.caltech_reports import PARTS, Measured, measure, read_examples, report
from wslib.cli.interrupted import STATUS
from wslib.cli.options import check_out
from wslib.data.caltech import LABELS, Pictures, read_csv, write_csv
from wslib.data.datasets import open_caltech
from wslib.data.duplicates import duplicate_groups
from wslib.data.splits import stratified_split, subset
from wslib.models.checkpoints import written_whole
from wslib.models.two_heads import TwoHeadNetwork, about_detector, build_detector
from wslib.practical.detector_training import BEST, train_detector
from wslib.practical.views import AUGMENTATIONS
from wslib.runtime.device import pick_device
from wslib.training.losses import DetectorLoss
from wslib.training.runs import best_epoch


@dataclass(frozen=True)
class Training:
    """What is learnt, from which pictures, and where it is kept."""

    network: str
    switches: dict  # options of `build_detector` that differ from its own
    dataset: str
    count: int
    split: str
    share: float
    epochs: int
    input_size: int
    batch_size: int
    learning_rate: float
    box_loss: str
    box_weight: float
    augmentation: str
    seed: int
    device: str
    bfloat16: bool
    out: Path

    def run(self) -> None:
        """Train, or go on; what is done is not done again."""
        self._check()
        detector = self._detector()
        sets = self._sets()
        examples = {
            part: read_examples(sets[part], self.input_size, PARTS[part])
            for part in ("train", "val")
        }
        history = train_detector(
            *(detector, examples["train"], examples["val"]),
            *(self.epochs, self.learning_rate),
            batch_size=self.batch_size,
            box_loss=self.box_loss,
            box_weight=self.box_weight,
            augmentation=self.augmentation,
            seed=self.seed,
            keep=self.out,
            about={**self._told, **about_detector(detector, LABELS)},
        )
        draw_curves(history, self.out / "curves.png")
        if len(history) < self.epochs:  # `fit` has said so
            raise typer.Exit(STATUS)
        best = f"epoch {best_epoch(history, BEST)} of {self.epochs}"
        learnt = f"learnt from {len(sets['train'])} pictures"
        print(f"{self.out / 'best.pt'}: {self.network}, {best}, {learnt}")
        frame = measure(detector, examples["val"], mirrored=False)
        told = Measured(PARTS["val"], frame, sets["val"].rendered)
        report([told], {"mirrored": False}, for_programs=False)

    def _check(self) -> None:
        """Raise ValueError for what would fail only after the pictures are read."""
        DetectorLoss(self.box_loss)
        shown = AUGMENTATIONS[:2] if self.switches.get("frozen") else AUGMENTATIONS
        if self.augmentation not in shown:
            frozen = " with --frozen" if self.switches.get("frozen") else ""
            text = f"--augmentation {self.augmentation}{frozen}"
            raise ValueError(f"{text}, expected one of {', '.join(shown)}")
        if not 0 < self.share <= 1:
            raise ValueError(f"--share {self.share}, expected above 0 and up to 1")
        check_out(self.out / "best.pt")

    def _detector(self) -> TwoHeadNetwork:
        device = pick_device(self.device)
        options = {**self.switches, "input_size": self.input_size}
        detector = build_detector(self.network, self.seed, **options)
        detector.bfloat16 = self.bfloat16
        return detector.to(device)

    @property
    def _told(self) -> dict:
        """Which pictures it learns from; the rest is known to `train_detector`."""
        told = {"dataset": self.dataset, "split": self._shares(), "share": self.share}
        return told | ({"count": self.count} if self.dataset == "rendered" else {})

    def _shares(self) -> dict[str, float]:
        """`--split` as numbers; that they add up is asked of them elsewhere."""
        try:
            shares = [float(word) for word in self.split.split(",")]
        except ValueError:
            shares = []
        if len(shares) != len(PARTS):
            text = "expected three shares, such as 0.8,0.1,0.1"
            raise ValueError(f"--split {self.split}: {text}")
        return dict(zip(PARTS, shares, strict=True))

    def _sets(self) -> dict[str, Pictures]:
        """The pictures of train.csv, val.csv and test.csv, which are written first
        where they are not there. Raises ValueError for those of another split."""
        shares = self._shares()
        drawn = {"count": self.count} if self.dataset == "rendered" else {}
        pictures = open_caltech(self.dataset, **drawn)
        for note in pictures.notes:
            print(f"wslib: {note}", file=sys.stderr)
        files = {part: self.out / f"{part}.csv" for part in PARTS}
        told = {**self._told, "seed": self.seed, "pictures": len(pictures)}
        self._check_same_split(told)
        if not all(file.is_file() for file in files.values()):
            rows = self._divide(pictures, shares)
            self._note_split(told)
            for part, file in files.items():
                write_csv(file, pictures.take(rows[part]))
        return {part: read_csv(file) for part, file in files.items()}

    def _divide(self, pictures: Pictures, shares: dict[str, float]) -> dict:
        """The rows of each part; of the training set only the share that is wanted."""
        groups = duplicate_groups(pictures)
        rows = stratified_split(pictures.labels, shares, self.seed, groups)
        train = rows["train"]
        some = subset(pictures.labels[train], self.share, self.seed)
        return {**rows, "train": train[some]}

    def _check_same_split(self, told: dict) -> None:
        path = self.out / "split.json"
        there = [f"{part}.csv" for part in PARTS if (self.out / f"{part}.csv").exists()]
        advice = "choose another --out, or remove it"
        if not path.is_file():
            if there:
                text = "a split that no split.json tells of"
                raise ValueError(f"{self.out / there[0]}: {text}; {advice}")
            return
        try:
            known = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            raise ValueError(f"{path}: damaged; {advice}") from None
        for key, value in told.items():
            if known.get(key) != value:
                text = f"another split, with {key} {known.get(key)}, not {value}"
                raise ValueError(f"{path}: {text}; {advice}")

    def _note_split(self, told: dict) -> None:
        with written_whole(self.out / "split.json") as part:
            part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
