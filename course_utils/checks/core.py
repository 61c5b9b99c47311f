"""How a check speaks: the three answers, and calling a learner's function safely."""

from collections.abc import Callable
from functools import wraps
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from course_utils import records


class NotTried(Exception):
    """The stub is still as it was: its answer is `...`."""


class Hint(Exception):
    """The answer is wrong; the message is a hint, not the solution."""


def exercise(check: Callable[..., None]) -> Callable[..., None]:
    """Turn a check that raises `NotTried` or `Hint`, or returns, into one that prints its outcome.

    The first argument of the check is the answer. Torch's random state is left as it was.
    """

    @wraps(check)
    def print_outcome(answer: Any, *context: Any) -> None:
        try:
            given(answer)
            with torch.random.fork_rng(devices=[]):
                check(answer, *context)
        except NotTried:
            print("not tried yet")
        except Hint as hint:
            print(f"not right yet: {hint}")
        else:
            print("correct")
            records.solve(print_outcome.__name__)

    return print_outcome


def given(answer: Any) -> Any:
    """The answer, or `NotTried` if it is the stub's `...`."""
    if answer is ...:
        raise NotTried
    return answer


def call(function: Callable, *arguments: Any, said: str) -> Any:
    """What the learner's function returns for `arguments`, which the hints describe as `said`."""
    if not callable(function):
        raise Hint(f"a function is wanted here, and this is a {type(function).__name__}. Keep the `def` of the stub.")
    try:
        result = function(*arguments)
    except Exception as error:  # whatever a learner's code can raise becomes a hint
        raise Hint(f"with {said} your function stopped with {type(error).__name__}: {error}") from None
    if result is None:
        raise Hint("your function returns None. Does its last line start with `return`?")
    return given(result)


def expect_number(found: Any, said: str) -> float:
    """`found` as a float, from a number or a tensor that holds one; otherwise a `Hint`."""
    if isinstance(found, Tensor) and found.numel() == 1 and not found.is_complex():
        return found.item()
    if isinstance(found, Real) and not isinstance(found, bool):  # Python's numbers, and NumPy's
        return found
    what = f"a tensor of shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
    raise Hint(f"{said} should be one number, and this is {what}.")


def expect_tensor(found: Any, shape: tuple[int, ...], said: str) -> Tensor:
    """`found` as float32, if it is a tensor of that shape; otherwise a `Hint`."""
    if not isinstance(found, Tensor):
        raise Hint(f"with {said} a tensor should come back, and this is a {type(found).__name__}.")
    if tuple(found.shape) != shape:
        raise Hint(f"with {said} the shape should be {shape}, and yours is {tuple(found.shape)}.")
    return found.detach().float()
