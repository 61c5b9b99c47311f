"""Every check against untouched stubs, right answers and plausible wrong ones: the tables in cases/, one a notebook."""

import linecache
import math
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

from course_utils import checks
from course_utils.checks import core
from tests.checks.cases import RIGHT, WRONG

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
    assert said(check, answer) == ("noted" if check == "predicted_accuracy" else "✓ correct")


@pytest.mark.parametrize(("check", "answer"), cases(WRONG))
def test_a_wrong_answer_gets_the_hint_that_fits(said, check, answer):
    wrong, hint = answer
    found = said(check, wrong)
    assert found.startswith("✗ not right yet: ")
    assert hint in found
    assert "the check can't read this answer" not in found


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
        (7, "a function is wanted here, and this is an int"),
    ):
        found = said(check, answer)
        assert found.startswith("✗ not right yet: ") and hint in found


@pytest.mark.parametrize("check", VALUES)
@pytest.mark.parametrize("answer", ["15", None, True, [15]], ids=repr)
def test_what_is_no_number_gets_a_hint(said, check, answer):
    kind = "a tensor should come back" if check == "shift_kernel" else "should be one number, and this is a"
    right = next(iter(RIGHT[check].values()))
    for wrong in [(answer, right[1]), (right[0], answer)] if check in TWO_VALUES else [answer]:
        found = said(check, wrong)
        assert found.startswith("✗ not right yet: ") and kind in found


def test_an_interrupt_is_not_swallowed():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.accuracy(interrupted)


def ends_python(*_):
    sys.exit(3)


def calls_itself(*arguments):
    return calls_itself(*arguments)


def yields(*_):
    yield 1


@pytest.mark.parametrize("check", FUNCTIONS)
def test_nothing_a_function_does_gives_a_traceback(said, check):
    for answer, hint in (
        (ends_python, "your function ends Python itself"),
        (calls_itself, "stopped with RecursionError"),
        (yields, "has a `yield` in it"),
        (lambda *_: torch.ones(3, device="meta"), ""),
        (lambda *_: torch.ones(3, 3).to_sparse(), ""),
        (lambda *_: Fraction(1, 3), ""),
        (lambda *_: 10**400, ""),
        (lambda *_: [..., ...], ""),
        (lambda *_: int, ""),
        (lambda *_: torch.tensor(2j), ""),
        (lambda *_: np.array([1.0, 2.0]), ""),
        (torch.nn.Linear, ""),
    ):
        found = said(check, answer)
        assert found.startswith("✗ not right yet: ") or found == "not tried yet"
        assert hint in found and "the check can't read" not in found


@pytest.mark.parametrize("check", [check for check in VALUES if check not in TWO_VALUES and check != "shift_kernel"])
def test_a_number_may_come_in_any_form(said, check):
    right = float(next(iter(RIGHT[check].values())))
    forms = (np.array(right), np.array([right]), np.float32(right), Fraction(right), torch.tensor([right]).to_sparse())
    for form in forms:
        assert said(check, form) in ("✓ correct", "noted")
    for wrong in (10**400, int, print, ("1", 2), torch.ones(1, device="meta"), math.inf):
        assert said(check, wrong).startswith("✗ not right yet: ")


def test_a_tensor_may_come_in_any_form(said):
    right = RIGHT["shift_kernel"]["float"]
    for form in (right.to_sparse(), right.double(), right.bool(), torch.nn.Parameter(right)):
        assert said("shift_kernel", form) == "✓ correct"
    for wrong in (right.numpy(), right.tolist(), right.to("meta"), right * 1j, torch.Tensor):
        assert said("shift_kernel", wrong).startswith("✗ not right yet: ")


def test_a_number_with_a_comma_is_explained(said):
    assert "write 12,345 as 12345" in said("strided_size", ((115, 752),))


def test_what_the_learner_has_set_elsewhere_does_not_matter(said):
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    try:
        for check, answers in RIGHT.items():
            answer = next(iter(answers.values()))
            assert said(check, answer) in ("✓ correct", "noted"), check
        assert torch.get_default_dtype() == torch.float64 and not torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)


@pytest.mark.parametrize(
    "check", sorted({"conv2d", "max_pool", "average_image", "whole_gradient", "trigram_responses"})
)
def test_the_expected_answer_is_not_made_from_what_the_function_has_changed(said, check):
    def empties(*arguments):
        for argument in arguments:
            for one in argument if isinstance(argument, list) else [argument]:
                if isinstance(one, torch.Tensor) and one.is_floating_point():
                    one.zero_()
        return next(iter(RIGHT[check].values()))(*arguments)

    assert "changes, in place, what it is given. Work on a copy" in said(check, empties)


def test_the_line_that_stopped_is_named(said):
    def out_of_range(logits, labels):
        best = 0
        return labels[best + 999]

    line = out_of_range.__code__.co_firstlineno + 2
    found = said("accuracy", out_of_range)
    assert found.endswith(f"It was in line {line} of your cell: `return labels[best + 999]`")
    assert "stopped with IndexError: index 999 is out of bounds" in found


def test_a_forgotten_sum_is_said_in_plain_words(said):
    def no_sum(image, kernel):
        result = torch.zeros(3, 3)
        result[0, 0] = image[:3, :3] * kernel
        return result

    found = said("conv2d", no_sum)
    assert "Is a sum missing?" in found and "`result[0, 0] = image[:3, :3] * kernel`" in found


def test_two_numbers_that_differ_look_different(said):
    right = next(iter(RIGHT["speedup"].values()))
    found = said("speedup", lambda *given: round(right(*given), 4))
    assert "should be 1.42857, not 1.42860 (yours is rounded" in found


def test_in_a_notebook_the_sign_has_a_colour_and_a_solution_has_none(monkeypatch, capsys):
    shown = []
    monkeypatch.setattr(core, "display", shown.append)
    checks.strided_size(15)
    checks.strided_size(14)
    right, wrong = (outcome._repr_html_() for outcome in shown)
    assert "background" in right and right.endswith("✓</span> correct")
    assert "✗</span> not right yet: close." in wrong
    calls = ("strided_size(15)", "predicted_accuracy(5)", "strided_size(3)")
    name, source = "a folded solution", "\n".join(["# Solution: click the dots", *(f"checks.{call}" for call in calls)])
    monkeypatch.setitem(linecache.cache, name, (len(source), None, source.splitlines(True), name))
    solved = []
    monkeypatch.setattr(core.records, "solve", solved.append)
    exec(compile(source, name, "exec"), {"checks": checks})
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == ["the solution: correct", "the solution: noted"]
    assert printed[2].startswith("the solution: not right yet")
    assert len(shown) == 2 and not solved


def test_text_in_a_hint_is_no_html():
    assert "<b>" not in core._Outcome(False, "a <b> & more")._repr_html_()
