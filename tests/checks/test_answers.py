"""Every check against untouched stubs, right answers and plausible wrong ones: the tables in cases/, one a notebook."""

import pytest
import torch

from course_utils import checks
from tests.checks.cases import (
    analysis,
    beyond_images,
    building,
    convolution,
    pooling,
    scaling,
    sharing,
    start,
    training,
)

NOTEBOOKS = (start, convolution, sharing, pooling, building, training, analysis, beyond_images, scaling)
RIGHT = {check: answers for notebook in NOTEBOOKS for check, answers in notebook.RIGHT.items()}
WRONG = {check: answers for notebook in NOTEBOOKS for check, answers in notebook.WRONG.items()}
FUNCTIONS = [check for check, answers in RIGHT.items() if all(map(callable, answers.values()))]
VALUES = [check for check in RIGHT if check not in FUNCTIONS]
TWO_VALUES = [check for check in VALUES if isinstance(next(iter(RIGHT[check].values())), tuple)]


@pytest.fixture(autouse=True)
def random_state_is_left_alone():
    torch.manual_seed(123)
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture
def said(capsys, mnist):
    """What a check prints about an answer. A tuple is an answer of several values."""

    def of(check: str, answer) -> str:
        context = [mnist] if check == "sevens" else []
        getattr(checks, check)(*(answer if isinstance(answer, tuple) else [answer]), *context)
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out.removesuffix("\n")

    return of


def cases(table):
    return [
        pytest.param(check, answer, id=f"{check}: {name}") for check in table for name, answer in table[check].items()
    ]


@pytest.mark.parametrize(("check", "answer"), cases(RIGHT))
def test_a_right_answer_is_correct(said, check, answer):
    assert said(check, answer) == "correct"


@pytest.mark.parametrize(("check", "answer"), cases(WRONG))
def test_a_wrong_answer_gets_the_hint_that_fits(said, check, answer):
    wrong, hint = answer
    found = said(check, wrong)
    assert found.startswith("not right yet: ")
    assert hint in found


def test_every_check_is_fed_several_answers():
    assert RIGHT.keys() == WRONG.keys() == set(checks.__all__)
    assert min(map(len, RIGHT.values())) >= 2 and min(map(len, WRONG.values())) >= 3


class StubOfAClass(torch.nn.Module):
    def forward(self, images):
        return ...


def stubs_of(check):
    """What stands there before anything is typed: dots, or a function or a class that returns them."""
    if check in TWO_VALUES:
        one, other = next(iter(RIGHT[check].values()))
        return [(..., ...), (..., other), (one, ...)]
    if check == "mended_network":
        return [..., StubOfAClass]
    return [..., lambda *_: ...] if check in FUNCTIONS else [...]


@pytest.mark.parametrize("check", RIGHT)
def test_an_untouched_stub_is_not_tried_yet(said, check):
    for stub in stubs_of(check):
        assert said(check, stub) == "not tried yet"


def raises(*_):
    raise ZeroDivisionError("something odd")


@pytest.mark.parametrize("check", FUNCTIONS)
def test_what_is_no_answer_gets_a_hint(said, check):
    for answer, hint in (
        (raises, "your function stopped with ZeroDivisionError: something odd"),
        (lambda *_: None, "your function returns None"),
        (lambda *_: "a text", ""),
        (lambda *_: {}, ""),
        (lambda: 1, "" if check == "mended_network" else "your function stopped with TypeError"),
        (None, "a function is wanted here, and this is a NoneType"),
        (7, "a function is wanted here, and this is a int"),
    ):
        found = said(check, answer)
        assert found.startswith("not right yet: ") and hint in found


@pytest.mark.parametrize("check", VALUES)
@pytest.mark.parametrize("answer", ["15", None, True, [15]], ids=repr)
def test_what_is_no_number_gets_a_hint(said, check, answer):
    kind = "a tensor should come back" if check == "shift_kernel" else "should be one number, and this is a"
    right = next(iter(RIGHT[check].values()))
    for wrong in [(answer, right[1]), (right[0], answer)] if check in TWO_VALUES else [answer]:
        found = said(check, wrong)
        assert found.startswith("not right yet: ") and kind in found


def test_an_interrupt_is_not_swallowed():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.accuracy(interrupted)
