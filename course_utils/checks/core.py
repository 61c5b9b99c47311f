"""How a check speaks: its answers, and calling a learner's function safely."""

import copy
import linecache
import math
import sys
import sysconfig
from collections.abc import Callable, Sequence
from functools import wraps
from html import escape
from numbers import Integral, Real
from pathlib import Path
from traceback import walk_tb
from types import GeneratorType
from typing import Any

import numpy as np
import torch
from IPython.display import display
from torch import Tensor

from course_utils import records

NOTED = "noted"  # what a check returns where there is no right answer
SOLUTION = "# Solution"  # the first line of a folded solution's cell

# A learner's own lines are those that stand neither in the course's package nor in a library.
_LIBRARIES = (str(Path(__file__).parents[1]), *sysconfig.get_paths().values())

# What PyTorch says of a common mistake, and the same in plain words.
_PLAIN_WORDS = {
    "the number of sizes provided (0)": "a tensor of several numbers can't go into one place. Is a sum missing?",
    "cannot be converted to Scalar": "one number is wanted there, and the tensor has several. Is a sum missing?",
    "only one element tensors can be converted": "one number is wanted there, and the tensor has several.",
}

_changed_in_place: list[bool] = []  # whether a function of the learner's changed what the running check gave it


class NotTried(Exception):
    """The stub is still as it was: its answer is `...`."""


class Hint(Exception):
    """The answer is wrong; the message is a hint, not the solution."""


class _Outcome:
    """A sign and a sentence: in colour where HTML can be shown, else as text."""

    def __init__(self, is_right: bool, text: str):
        self.sign, self.colour = ("✓", "#1a7f37") if is_right else ("✗", "#b42318")
        self.text = text

    def __repr__(self) -> str:
        return f"{self.sign} {self.text}"

    def _repr_html_(self) -> str:
        style = f"background:{self.colour};color:#fff;padding:0 0.4em;border-radius:0.3em;font-weight:bold"
        return f'<span style="{style}">{self.sign}</span> {escape(self.text)}'


def exercise(check: Callable[..., str | None]) -> Callable[..., None]:
    """Turn a check into one that prints its outcome: one that raises `NotTried` or `Hint`, or returns None or `NOTED`.

    The first argument of the check is the answer. Torch's random state is left as it was, and what the learner has set
    elsewhere (default device and dtype, no gradients) does not matter inside. A call from a folded solution's cell says
    so, and counts for nothing.
    """

    @wraps(check)
    def print_outcome(answer: Any, *context: Any) -> None:
        is_right, text = _judge(check, answer, context)
        if linecache.getline(sys._getframe(1).f_code.co_filename, 1).startswith(SOLUTION):
            print(f"the solution: {text}")
            return
        if text in ("not tried yet", NOTED):
            print(text)
        else:
            display(_Outcome(is_right, text))
        if is_right:
            records.solve(print_outcome.__name__)

    return print_outcome


def _judge(check: Callable[..., str | None], answer: Any, context: tuple) -> tuple[bool, str]:
    """Whether the answer is right, and what to say."""
    _changed_in_place.clear()
    default_type = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        given(answer)
        with torch.random.fork_rng(devices=[]), torch.enable_grad(), torch.device("cpu"):
            return True, check(answer, *context) or "correct"
    except NotTried:
        return False, "not tried yet"
    except Hint as hint:
        note = " Your function also changes, in place, what it is given. Work on a copy, such as .clone() makes."
        return False, f"not right yet: {hint}{note if any(_changed_in_place) else ''}"
    except Exception as error:  # what a learner can hand in has no end, and a traceback through the check helps nobody
        return False, f"not right yet: the check can't read this answer ({type(error).__name__}: {_first_line(error)})."
    finally:
        torch.set_default_dtype(default_type)


def given(answer: Any) -> Any:
    """The answer, or `NotTried` if it is the stub's `...`."""
    if answer is ...:
        raise NotTried
    return answer


def call(function: Callable, *arguments: Any, said: str) -> Any:
    """What the learner's function returns for copies of `arguments`, which the hints describe as `said`.

    Models and optimizers are handed over themselves: a training step has to change them.
    """
    if not callable(function):
        raise Hint(f"a function is wanted here, and this is {a_kind(function)}. Keep the `def` of the stub.")
    copies = [_copy(argument) for argument in arguments]
    try:
        result = function(*copies)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a learner's code can raise becomes a hint, sys.exit() too
        raise Hint(_stopped(error, said)) from None
    _changed_in_place.append(not all(map(_same, copies, arguments)))
    if result is None:
        raise Hint("your function returns None. Does its last line start with `return`?")
    if isinstance(result, GeneratorType):
        raise Hint("your function has a `yield` in it, so nothing is computed yet. End it with `return`.")
    return given(result)


def _copy(argument: Any) -> Any:
    return copy.deepcopy(argument) if isinstance(argument, Tensor | list | dict) else argument


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return one.shape == other.shape and torch.equal(one, other)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other if isinstance(one, dict) else True


def _stopped(error: BaseException, said: str) -> str:
    """What stopped the function, in plain words where that is known, and the learner's own line where it did."""
    if isinstance(error, SystemExit):
        return f"with {said} your function ends Python itself, by exit(). Let it return its result instead."
    what = f"with {said} your function stopped with {type(error).__name__}: {_first_line(error)}"
    known = next((plain for words, plain in _PLAIN_WORDS.items() if words in str(error)), None)
    what = f"{what}. In plain words: {known}" if known else what
    own = [
        (frame.f_code.co_filename, line)
        for frame, line in walk_tb(error.__traceback__)
        if not frame.f_code.co_filename.startswith((*_LIBRARIES, "<frozen"))
    ]
    if not own:
        return what
    text = linecache.getline(*own[-1]).strip()
    return f"{what.rstrip('.?!')}{what[-1] if what[-1] in '?!' else '.'} It was in line {own[-1][1]} of your cell" + (
        f": `{text}`" if text else "."
    )


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


def a_kind(value: Any) -> str:
    """What `value` is, for a hint: "an int", "a tensor of shape (2, 3)"."""
    if isinstance(value, Tensor | np.ndarray):
        return f"{'a tensor' if isinstance(value, Tensor) else 'an array'} of shape {tuple(value.shape)}"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def expect_number(found: Any, said: str) -> float:
    """`found` as an int or a float, from any number, or a tensor or an array that holds one; otherwise a `Hint`."""
    plain = given(found)
    if isinstance(found, Tensor) and found.numel() == 1 and not found.is_complex() and not found.is_meta:
        plain = found.detach().to_dense().item()
    elif isinstance(found, np.ndarray | np.generic) and found.size == 1:
        plain = found.item()
    if isinstance(plain, Real) and not isinstance(plain, bool):
        try:
            as_float = float(plain)
        except OverflowError:
            return math.inf if plain > 0 else -math.inf
        return int(plain) if isinstance(plain, Integral) else as_float
    advice = ""
    if isinstance(found, str):
        advice = " Write it without quotation marks."
    elif isinstance(found, tuple):
        advice = " A comma makes a tuple: write 12,345 as 12345 or 12_345, and a decimal point as a point."
    elif callable(found) and not isinstance(found, type):
        advice = " Brackets behind its name call it."
    raise Hint(f"{said} should be one number, and this is {a_kind(found)}.{advice}")


def expect_numbers(found: Any, names: Sequence[str], hint: str) -> list[float]:
    """As many numbers as `names`, from a tuple, a list, or a tensor or array of one dimension; else a `Hint`."""
    values = list(given(found)) if isinstance(found, Tensor | np.ndarray) and found.ndim == 1 else found
    if not isinstance(values, tuple | list) or len(values) != len(names):
        raise Hint(hint)
    return [expect_number(value, name) for value, name in zip(values, names, strict=True)]


def expect_tensor(found: Any, shape: tuple[int, ...], said: str) -> Tensor:
    """`found` as float32 on the CPU, if it is a tensor of that shape; otherwise a `Hint`."""
    if not isinstance(given(found), Tensor):
        makes = {list: "torch.tensor(…)", tuple: "torch.tensor(…)", np.ndarray: "torch.from_numpy(…)"}.get(type(found))
        advice = f" {makes} makes one of it." if makes else ""
        raise Hint(f"with {said} a tensor should come back, and this is {a_kind(found)}.{advice}")
    if tuple(found.shape) != shape:
        raise Hint(f"with {said} the shape should be {shape}, and yours is {tuple(found.shape)}.")
    if found.is_complex() or found.is_meta:
        raise Hint(
            f"with {said} a tensor of plain numbers should come back, and yours is {found.dtype}, {found.device}."
        )
    return found.detach().to_dense().to("cpu", torch.float32)


def close(found: float, expected: float, tolerance: float = 1e-5) -> bool:
    """Whether two numbers are the same up to rounding in float32; nan is not near anything."""
    return abs(found - expected) < tolerance * max(1, abs(expected))


def unlike(expected: float, found: float) -> str:
    """ "should be …, not …" with as many decimals as it takes to see the difference; says so of a rounded number."""
    if isinstance(expected, int) and isinstance(found, int):
        return f"should be {expected}, not {found}"
    decimals = next((n for n in range(4, 16) if f"{expected:.{n}f}" != f"{found:.{n}f}"), 16)
    rounded = any(found == round(float(expected), n) for n in range(1, 7))
    note = " (yours is rounded: return what comes out)" if rounded else ""
    return f"should be {expected:.{decimals}f}, not {found:.{decimals}f}{note}"
