"""The checks of notebook 08 against untouched stubs, right answers and plausible wrong ones."""

import pytest
import torch

from course_utils import checks


def said(capsys, check, answer) -> str:
    check(answer)
    return capsys.readouterr().out.strip()


def expect_hint(capsys, check, answer, hint) -> None:
    found = said(capsys, check, answer)
    assert found.startswith("not right yet: ")
    assert hint in found


@pytest.mark.parametrize("check", [checks.whole_gradient, checks.gradient_bytes, checks.speedup])
def test_an_untouched_stub_is_not_tried_yet(capsys, check):
    assert said(capsys, check, ...) == "not tried yet"


@pytest.mark.parametrize("check", [checks.whole_gradient, checks.speedup])
def test_a_function_that_returns_dots_is_not_tried_yet(capsys, check):
    assert said(capsys, check, lambda *_: ...) == "not tried yet"


def weighted(gradients, counts):
    return sum(count / sum(counts) * gradient for count, gradient in zip(counts, gradients, strict=True))


def by_matrix(gradients, counts):
    shares = torch.tensor(counts, dtype=torch.float32)
    return (shares / shares.sum()) @ torch.stack(gradients)


@pytest.mark.parametrize("answer", [weighted, by_matrix])
def test_right_gradients(capsys, answer):
    assert said(capsys, checks.whole_gradient, answer) == "correct"


def one_number_off(gradients, counts):
    result = weighted(gradients, counts)
    result[-1] += 0.001
    return result


def plain_where_a_part_is_empty(gradients, counts):
    return weighted(gradients, counts) if all(counts) else sum(gradients) / len(gradients)


WRONG_GRADIENTS = {
    "plain mean": (lambda gradients, counts: torch.stack(gradients).mean(0), "more say"),
    "sum": (lambda gradients, counts: sum(gradients), "sum of the parts' gradients"),
    "sum over images": (lambda gradients, counts: weighted(gradients, counts) * sum(counts), "Divide by how many"),
    "by parts": (lambda g, c: weighted(g, c) * sum(c) / len(c), "not by the number of parts"),
    "one number off": (one_number_off, "another vector"),
    "wrong for an empty part": (plain_where_a_part_is_empty, "10, 0, 6"),
    "a number": (lambda gradients, counts: 0.5, "a tensor should come back"),
    "a shape": (lambda gradients, counts: weighted(gradients, counts)[None], "the shape should be (5,)"),
    "nothing": (lambda gradients, counts: None, "returns None"),
}


@pytest.mark.parametrize("case", WRONG_GRADIENTS)
def test_wrong_gradients(capsys, case):
    answer, hint = WRONG_GRADIENTS[case]
    expect_hint(capsys, checks.whole_gradient, answer, hint)


@pytest.mark.parametrize("answer", [115_752, 4 * 28_938.0])
def test_right_bytes(capsys, answer):
    assert said(capsys, checks.gradient_bytes, answer) == "correct"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (28_938, "how many numbers"),
        (32 * 28_938, "in bits"),
        (8 * 28_938, "float64"),
        (64 * 115_752, "doesn't depend on how many images"),
        (115_753, "28,938"),
        ("115752", "one number"),
    ],
)
def test_wrong_bytes(capsys, answer, hint):
    expect_hint(capsys, checks.gradient_bytes, answer, hint)


def right_speedup(compute, share, processes):
    return compute / (compute / processes + share * (processes > 1))


def test_right_speedup(capsys):
    assert said(capsys, checks.speedup, right_speedup) == "correct"


WRONG_SPEEDUPS = {
    "shares alone": (lambda c, s, p: c / (c / p + s), "alone, there is nobody"),
    "the time": (lambda c, s, p: c / p + s, "that is the time"),
    "upside down": (lambda c, s, p: (c / p + s) / c, "upside down"),
    "sharing left out": (lambda c, s, p: p, "leaves the sharing out"),
    "sharing divided": (lambda c, s, p: p * c / (c + s), "the sharing is not"),
    "a little off": (lambda c, s, p: right_speedup(c, s, p) + 0.001, "it should be 1.429, not 1.43"),
    "never below 1": (lambda c, s, p: max(1, right_speedup(c, s, p)), "it should be 0.2857, not 1"),
}


@pytest.mark.parametrize("case", WRONG_SPEEDUPS)
def test_wrong_speedups(capsys, case):
    answer, hint = WRONG_SPEEDUPS[case]
    expect_hint(capsys, checks.speedup, answer, hint)
