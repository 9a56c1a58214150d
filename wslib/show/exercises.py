"""The sentence below an exercise that asks for code: right, or what is not yet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wslib.runtime.project import tell


class Verdict:
    """A sentence about an exercise, and whether its code is `right`."""

    def __init__(self, right: bool, text: str) -> None:
        self.right, self.text = right, text
        tell(f"\nexercise: {text}")

    def _repr_markdown_(self) -> str:
        return f"**{self.text}**" if self.right else self.text

    def __repr__(self) -> str:
        return self.text


def check_exercise(function: Callable, *cases: tuple[tuple, object]) -> Verdict:
    """Call `function` once for each case, `(arguments, expected)`, and compare numbers
    or arrays to a ten-thousandth. Never raises: the book prints unsolved exercises."""
    for number, (arguments, expected) in enumerate(cases, 1):
        try:
            answer = function(*arguments)
        except Exception as error:
            problem = f"case {number} raises {type(error).__name__}: {error}"
        else:
            problem = _difference(answer, np.asarray(expected), number)
        if problem:
            return Verdict(False, f"{function.__name__}: {problem}.")
    return Verdict(True, f"{function.__name__}: right.")


def _difference(answer, expected: np.ndarray, number: int) -> str:
    """Say what is wrong with an answer; nothing if it is right."""
    if answer is None or answer is ...:
        return "not written yet"
    answer = answer.detach() if hasattr(answer, "detach") else answer
    answer = np.asarray(answer)
    if answer.shape != expected.shape:
        return f"case {number} gives the shape {answer.shape}, not {expected.shape}"
    scale = max(1e-12, float(np.abs(expected).max(initial=0)))
    worst = np.abs(answer - expected).max(initial=0) / scale
    if worst <= 1e-4:  # False for NaN
        return ""
    return f"case {number} is wrong, by {100 * worst:.0f} % of the largest value"
