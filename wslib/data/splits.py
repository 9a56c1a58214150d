"""Divide pictures into parts to learn from and to be examined on: by seed, each class
in its share, and what belongs together on one side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.optimize import linprog


def stratified_split(
    labels: np.ndarray,
    parts: Mapping[str, float] | Mapping[str, int],
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Divide N pictures: the rows of each part, ascending int64, no row in two parts.

    labels: (N,) int class numbers; parts: name -> share, which add up to 1, or
    name -> number of pictures, which add up to N; groups: (N,) int, pictures of one
    number stay together.

    Each part gets of each class its share, rounded up or down, but at least one
    picture; shares of N are rounded down, and what is left goes to the smallest parts.
    Groups too large for their part shift this. The same seed gives the
    same rows, in whatever order the parts are named.

    Raises ValueError for parts that do not add up or are empty, and for a class with
    fewer pictures, or groups, than there are parts.
    """
    labels = np.asarray(labels)
    count = len(labels)
    groups = np.arange(count) if groups is None else np.asarray(groups)
    if labels.ndim != 1 or groups.shape != labels.shape or not count:
        shapes = f"labels {labels.shape} and groups {groups.shape}"
        raise ValueError(f"{shapes}, expected N of each, at least one")
    names = sorted(parts, key=lambda name: (parts[name], name))  # the smallest first
    sizes = _sizes({name: parts[name] for name in names}, count)  # (P,)
    _, numbers = np.unique(labels, return_inverse=True)  # (N,) from 0
    _, groups = np.unique(groups, return_inverse=True)
    for number in range(numbers.max() + 1):
        there = len(np.unique(groups[numbers == number]))
        if there < len(names):
            label = labels[numbers == number][0]
            raise ValueError(
                f"class {label}: {there} pictures or groups, expected at least "
                f"{len(names)}, one for each of {', '.join(parts)}"
            )
    part = _deal(numbers, groups, _quotas(np.bincount(numbers), sizes), seed)
    return {name: np.flatnonzero(part == names.index(name)) for name in parts}


def subset(labels: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Rows of a stratified part of N pictures, ascending int64: of each class its
    share, rounded, and at least one picture.

    With one seed, a smaller share lies within a larger one. Raises ValueError for a
    share that is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}, expected more than 0 and up to 1")
    labels, rows = np.asarray(labels), []
    for number, label in enumerate(np.unique(labels)):
        order = np.random.default_rng([seed, number]).permutation(
            np.flatnonzero(labels == label)
        )
        rows.append(order[: max(1, round(share * len(order)))])
    return np.sort(np.concatenate(rows)) if rows else np.zeros(0, np.int64)


def _sizes(parts: Mapping[str, float] | Mapping[str, int], count: int) -> np.ndarray:
    """The number of pictures of each part, (P,)."""
    values = np.array(list(parts.values()))  # (P,)
    expected = count if values.dtype.kind in "iu" else 1
    if not len(values) or not (values > 0).all():
        raise ValueError(f"parts {dict(parts)}, expected some, each more than 0")
    if abs(values.sum() - expected) > 1e-6:
        raise ValueError(
            f"parts {dict(parts)} add up to {values.sum():g}, expected {expected}"
        )
    exact = values * (count / expected)
    sizes = np.floor(exact + 1e-6).astype(int)
    sizes[: count - sizes.sum()] += 1
    return sizes


def _quotas(counts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """How many pictures of each class each part gets, (C, P): rows add up to `counts`,
    columns to `sizes`, each within one of its share."""
    exact = np.outer(counts, sizes / sizes.sum())
    quotas = np.floor(exact + 1e-6).astype(int)
    rows = np.kron(np.eye(len(counts)), np.ones(len(sizes)))  # one sum for each class
    columns = np.kron(np.ones(len(counts)), np.eye(len(sizes)))  # and for each part
    left = np.concatenate([counts - quotas.sum(1), sizes - quotas.sum(0)])
    up = linprog(  # which to round up: the corners of these bounds are whole numbers
        (quotas - exact).ravel(),
        A_eq=np.vstack([rows, columns]),
        b_eq=left,
        bounds=(0, 1),
        method="highs-ds",  # a simplex ends in a corner
    )
    quotas += up.x.round().astype(int).reshape(quotas.shape)
    for row in quotas:
        for empty in np.flatnonzero(row == 0):
            row[[empty, row.argmax()]] += 1, -1
    return quotas


def _deal(
    numbers: np.ndarray, groups: np.ndarray, quotas: np.ndarray, seed: int
) -> np.ndarray:
    """The part of each picture, (N,). Large groups first, each by lot into a part that
    has room for it, or else into the one that it overfills least."""
    generator = np.random.default_rng(seed)
    classes, parts = quotas.shape
    holds = np.zeros((groups.max() + 1, classes), int)  # of each group, by class
    np.add.at(holds, (groups, numbers), 1)
    order = generator.permutation(len(holds))
    order = order[np.argsort(-holds[order].sum(1), kind="stable")]
    room, part_of = quotas.T.copy(), np.zeros(len(holds), int)  # (P, C)
    for group in order:
        hold = holds[group]
        lacking = np.maximum(hold - room, 0)[:, hold > 0].sum(1)  # (P,)
        fits = lacking == lacking.min()
        lots = fits * np.maximum(room[:, hold > 0].sum(1), 1e-9)
        part_of[group] = generator.choice(parts, p=lots / lots.sum())
        room[part_of[group]] -= hold
    return part_of[groups]
