"""The check of an exercise: what it says of answers, right and wrong."""

import numpy as np
import pytest
import torch

from wslib.show.exercises import check_exercise

CASES = [((2,), [2.0, 4.0]), ((3,), [3.0, 6.0])]


def check(answer):
    def twice(x):
        return answer(x)

    return check_exercise(twice, *CASES)


@pytest.mark.parametrize("kind", [np.array, torch.tensor, list])
def test_right_is_said_of_every_kind_of_array(kind):
    verdict = check(lambda x: kind([x, 2.0 * x]))
    assert verdict.right and repr(verdict) == "twice: right."
    assert verdict._repr_markdown_() == "**twice: right.**"


def test_a_gradient_and_a_rounding_error_do_not_matter():
    assert check(lambda x: torch.tensor([x, 2.0 * x], requires_grad=True)).right
    assert check(lambda x: [x + 1e-5, 2 * x]).right
    assert not check(lambda x: [x + 1e-3, 2 * x]).right


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda x: None, "not written yet"),
        (lambda x: ..., "not written yet"),
        (lambda x: [2.0, 4.0], "case 2 is wrong, by 33 % of the largest value"),
        (lambda x: [x], "case 1 gives the shape (1,), not (2,)"),
        (lambda x: [x, np.nan], "case 1 is wrong, by nan % of the largest value"),
        (lambda x: x / 0, "case 1 raises ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_not_right_is_said(answer, said):
    verdict = check(answer)
    assert not verdict.right and verdict.text == f"twice: {said}."
    assert verdict._repr_markdown_() == verdict.text


def test_exact_zero_is_an_answer_too():
    def nothing():
        return np.zeros(2)

    assert check_exercise(nothing, ((), np.zeros(2))).right
    assert not check_exercise(nothing, ((), np.ones(2))).right
