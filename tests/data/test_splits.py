"""Splits: nothing in two parts, each class in its share, groups on one side."""

import numpy as np
import pytest

from wslib.data.splits import stratified_split, subset

PARTS = {"train": 0.8, "val": 0.1, "test": 0.1}
REAL = np.repeat([0, 1, 2], [435, 798, 800])  # the labels of the real set


def sizes(split) -> dict[str, int]:
    return {name: len(rows) for name, rows in split.items()}


def test_the_real_sets_numbers():
    split = stratified_split(REAL, PARTS, seed=3)
    assert sizes(split) == {"train": 1626, "val": 203, "test": 204}
    assert list(split) == ["train", "val", "test"]
    rows = np.concatenate(list(split.values()))
    assert rows.dtype == np.int64 and sorted(rows) == list(range(2033))
    assert all((np.diff(part) > 0).all() for part in split.values())


@pytest.mark.parametrize("seed", range(20))
def test_each_class_in_its_share_within_one_picture(seed):
    generator = np.random.default_rng(seed)
    counts = generator.integers(30, 200, generator.integers(2, 6))
    shares = generator.dirichlet([3, 2, 2]).clip(0.05)
    shares = shares / shares.sum()
    labels = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    split = stratified_split(labels, dict(zip("abc", shares, strict=True)), seed)
    for name, share in zip("abc", shares, strict=True):
        there = np.bincount(labels[split[name]], minlength=len(counts))
        exact = counts * len(split[name]) / len(labels)
        assert (np.abs(there - exact) < 1).all()
        assert abs(len(split[name]) - share * len(labels)) < 1


def test_seeds_differ_and_the_order_of_names_does_not_matter():
    one = stratified_split(REAL, PARTS, seed=1)
    again = stratified_split(REAL, {k: PARTS[k] for k in ("test", "val", "train")}, 1)
    other = stratified_split(REAL, PARTS, seed=2)
    for name in PARTS:
        assert (one[name] == again[name]).all()
        assert len(one[name]) == len(other[name])
    assert len(np.intersect1d(one["test"], other["test"])) < 60  # about 20 by chance


def test_groups_stay_together_and_sizes_hold():
    generator = np.random.default_rng(0)
    groups = np.arange(2033)
    groups[435:600] = 435 + generator.integers(0, 40, 165)  # 40 groups of about 4
    groups[900:911] = 900  # one of 11
    homes = set()
    for seed in range(12):
        split = stratified_split(REAL, PARTS, seed, groups)
        assert sizes(split) == {"train": 1626, "val": 203, "test": 204}
        parts = [set(groups[rows]) for rows in split.values()]
        assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
        homes |= {name for name, rows in split.items() if 905 in rows}
        counts = [np.bincount(REAL[rows]).tolist() for rows in split.values()]
        assert counts == [[348, 638, 640], [43, 80, 80], [44, 80, 80]]
    assert len(homes) > 1  # not always in the largest part


def test_groups_across_classes_and_groups_too_large():
    labels = np.repeat([0, 1], 10)
    pairs = np.tile(np.arange(10), 2)  # each group has one picture of each class
    split = stratified_split(labels, {"a": 0.5, "b": 0.5}, 0, pairs)
    assert sizes(split) == {"a": 10, "b": 10}
    assert (np.bincount(labels[split["a"]]) == 5).all()
    halves = np.r_[np.zeros(9, int), np.arange(1, 12)]  # 9 of 10 of a class as one
    split = stratified_split(labels, {"a": 0.5, "b": 0.5}, 0, halves)
    assert sorted(sizes(split).values()) == [6, 14]  # 9 and 5, 1 and 5
    assert {len(set(halves[rows]) & {0}) for rows in split.values()} == {0, 1}


def test_numbers_of_pictures_in_place_of_shares():
    split = stratified_split(REAL, {"train": 1633, "test": 300, "val": 100}, 0)
    assert sizes(split) == {"train": 1633, "test": 300, "val": 100}


def test_the_smallest_share_has_one_of_each_class():
    labels = np.repeat([0, 1, 2], [40, 70, 90])
    split = stratified_split(labels, {"train": 0.895, "val": 0.005, "test": 0.1}, 0)
    assert np.bincount(labels[split["val"]]).tolist() == [1, 1, 1]
    assert sum(map(len, split.values())) == 200


@pytest.mark.parametrize(
    "labels, parts, groups, said",
    [
        ([0] * 9, {"a": 0.5, "b": 0.4}, None, "add up to 0.9, expected 1"),
        ([0] * 9, {"a": 5, "b": 5}, None, "add up to 10, expected 9"),
        ([0] * 9, {"a": 1.0, "b": 0.0}, None, "each more than 0"),
        ([0] * 9, {"a": 1.5, "b": -0.5}, None, "each more than 0"),
        ([0] * 9, {"a": float("nan"), "b": 0.5}, None, "each more than 0"),
        ([0] * 9, {}, None, "expected some"),
        ([0] * 9 + [7], {"a": 0.5, "b": 0.5}, None, "class 7: 1 pictures or groups, e"),
        ([0] * 4, {"a": 0.5, "b": 0.5}, [1] * 4, "class 0: 1 pictures or groups"),
        ([0] * 4, {"a": 0.5, "b": 0.5}, [1] * 3, r"groups \(3,\), expected N of each"),
        ([], {"a": 0.5, "b": 0.5}, None, r"labels \(0,\) and .*at least one"),
    ],
)
def test_mistakes_are_one_line(labels, parts, groups, said):
    with pytest.raises(ValueError, match=said) as error:
        stratified_split(np.array(labels, int), parts, 0, groups)
    assert "\n" not in str(error.value)


def test_a_part_to_learn_from_is_nested_and_stratified():
    last = np.zeros(0, int)
    for share in (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0):
        rows = subset(REAL, share, seed=5)
        there = np.bincount(REAL[rows], minlength=3)
        assert (np.abs(there - share * np.bincount(REAL)) <= 0.5).all() or share < 0.01
        assert there.min() >= 1 and np.isin(last, rows).all()
        assert (np.diff(rows) > 0).all()
        last = rows
    assert len(last) == 2033
    assert subset(REAL, 0.01, 5).tolist() == subset(REAL, 0.01, 5).tolist()
    assert subset(REAL, 0.01, 5).tolist() != subset(REAL, 0.01, 6).tolist()


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_out_of_range(share):
    with pytest.raises(ValueError, match=r"expected more than 0 and up to 1"):
        subset(REAL, share)
