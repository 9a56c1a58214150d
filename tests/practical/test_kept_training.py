"""A split of the pictures, in files, that is made once."""

import json

import numpy as np
import pytest
from PIL import Image

from wslib.data.caltech import LABELS, read_csv
from wslib.practical.kept_training import keep_split

SETTINGS = {"split": {"train": 0.5, "val": 0.25, "test": 0.25}, "share": 1.0, "seed": 3}


@pytest.fixture
def pictures(tmp_path):
    generator, lines = np.random.default_rng(0), []
    for label in LABELS:
        for k in range(4):
            noise = generator.integers(256, size=(40, 60, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / f"{label}{k}.png")
            lines.append(f"{label}{k}.png,1,2,30,20,{label}")
    (tmp_path / "all.csv").write_text("\n".join(lines))
    return read_csv(tmp_path / "all.csv")


def test_made_once_and_then_read(pictures, tmp_path):
    sets = keep_split(tmp_path / "out", pictures, SETTINGS)
    assert {name: len(part) for name, part in sets.items()} == {
        **{"train": 6, "val": 3, "test": 3}
    }
    paths = [path for part in sets.values() for path in part.paths]
    assert set(paths) == set(pictures.paths) and len(paths) == 12
    known = json.loads((tmp_path / "out" / "split.json").read_text())
    assert known == {**SETTINGS, "pictures": 12}
    lines = (tmp_path / "out" / "val.csv").read_text().splitlines()
    (tmp_path / "out" / "val.csv").write_text("\n".join(lines[:2]))
    assert len(keep_split(tmp_path / "out", pictures, SETTINGS)["val"]) == 2


def test_a_share_of_the_training_set(pictures, tmp_path):
    sets = keep_split(tmp_path / "out", pictures, {**SETTINGS, "share": 0.5})
    assert [len(part) for part in sets.values()] == [3, 3, 3]
    whole = keep_split(tmp_path / "other", pictures, SETTINGS)
    assert set(sets["train"].paths) < set(whole["train"].paths)


def test_another_split_is_left_alone(pictures, tmp_path):
    out = tmp_path / "out"
    keep_split(out, pictures, SETTINGS)
    with pytest.raises(ValueError, match="another split, with seed 3, not 4"):
        keep_split(out, pictures, {**SETTINGS, "seed": 4})
    with pytest.raises(ValueError, match="with pictures 12, not 11"):
        keep_split(out, pictures.take(range(11)), SETTINGS)
    (out / "split.json").write_text("[1")
    with pytest.raises(ValueError, match="split.json: damaged; choose another --out"):
        keep_split(out, pictures, SETTINGS)
    (out / "split.json").unlink()
    with pytest.raises(ValueError, match="train.csv: a split that no split.json tells"):
        keep_split(out, pictures, SETTINGS)
