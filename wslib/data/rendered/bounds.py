"""What a drawn set may be asked for: before a list, a folder or a picture is made."""

from __future__ import annotations

MOST = 100_000  # images of a split: far more than any chapter draws, hours of drawing
LARGEST_SEED = 2**32 - 1  # that all libraries take


def check_count(name: str, count: int, least: int = 1) -> None:
    """Raise ValueError unless `count` is a whole number from `least` to `MOST`."""
    if type(count) is not int or not least <= count <= MOST:
        raise ValueError(f"{name} is {count}, expected {least} to {MOST}")


def check_seed(seed: int) -> None:
    """Raise ValueError for a seed that some library cannot take."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ValueError(f"seed is {seed}, expected 0 to {LARGEST_SEED}")
