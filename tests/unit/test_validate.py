"""The guards as one table: what each takes, what it refuses, as which kind of error, and what that error names."""

import math
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from course_utils import perturb, validate
from course_utils.analysis import receptive_field
from course_utils.models import LocallyConnected2d, dense_of_size
from course_utils.plots import image_grid
from course_utils.sizes import conv_output_size


def said(error: type[Exception], call, *words: str) -> str:
    """What `call` says as it raises `error`, which must hold all the words."""
    with pytest.raises(error) as raised:
        call()
    message = str(raised.value)
    assert type(raised.value) is error and all(word in message for word in words), message
    return message


# What takes a whole number, and what it calls it.
WHOLE = [
    ("size", lambda value: conv_output_size(value, 1)),
    ("kernel_size", lambda value: receptive_field([(5, 1, 2), (value, 1, 0)])),
    ("stride", lambda value: receptive_field([(5, value, 2)])),
    ("inputs", lambda value: dense_of_size(100, value, 10)),
    ("outputs", lambda value: dense_of_size(100, 10, value)),
    ("columns", lambda value: plt.close(image_grid(torch.rand(3, 2, 2), columns=value))),
    ("kernel_size", lambda value: conv_output_size(9, value)),
    ("stride", lambda value: conv_output_size(9, 3, stride=value)),
    ("in_channels", lambda value: LocallyConnected2d(value, 1, (9, 9), 3)),
    ("out_channels", lambda value: LocallyConnected2d(1, value, (9, 9), 3)),
    ("kernel_size", lambda value: LocallyConnected2d(1, 1, (9, 9), value)),
    ("the height in image_size", lambda value: LocallyConnected2d(1, 1, (value, 9), 1)),
    ("the width in image_size", lambda value: LocallyConnected2d(1, 1, (9, value), 1)),
]


@pytest.mark.parametrize(("name", "call"), WHOLE)
def test_whole_numbers(name, call):
    for taken in (3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)):
        call(taken)
    for wrong in (3.0, 2.5, "3", True, None, np.float64(3), torch.tensor(3.0), torch.tensor(True), torch.tensor([3])):
        message = said(TypeError, lambda wrong=wrong: call(wrong), name, "whole number", repr(wrong))
        assert ("//" in message) == ("." in repr(wrong) and not isinstance(wrong, str))
    for wrong in (0, -1, np.int64(-1)):
        said(ValueError, lambda wrong=wrong: call(wrong), name, "at least 1", f"{wrong}")
    for call in (lambda: conv_output_size(9, 3, padding=-1), lambda: receptive_field([(3, 1, -1)])):
        said(ValueError, call, "padding", "at least 0", "-1")


@pytest.mark.parametrize("value", [28, (28,), (1, 28, 28), None])
def test_a_size_that_is_no_pair(value):
    said(TypeError, lambda: LocallyConnected2d(1, 1, value, 3), "image_size", "(height, width)", repr(value))


def test_numbers():
    for taken in (1, 0.5, np.float32(0.5), np.int8(1), Fraction(1, 2), np.array(0.5), torch.tensor(0.5)):
        assert validate.number("x", taken, above=0, at_most=1) == float(taken)
    for wrong in ("0.5", None, True, 1j, [0.5], torch.tensor([0.5])):
        said(TypeError, lambda wrong=wrong: validate.number("x", wrong), "x", "number", repr(wrong))
    for limits, words, wrong in (
        ({}, "finite", (math.nan, math.inf, -math.inf)),
        ({"above": 0}, "above 0", (0, -1, math.nan, math.inf)),
        ({"at_least": 0}, "at least 0", (-0.1, -math.inf)),
        ({"below": 1}, "below 1", (1, torch.tensor(2.0))),
        ({"at_least": 0, "at_most": 1}, "at least 0 and of at most 1", (-0.1, 1.1)),
    ):
        for value in wrong:
            said(ValueError, lambda value=value, limits=limits: validate.number("x", value, **limits), words, "x must")
    said(ValueError, lambda: validate.number("accuracy", 99.9, at_most=1), "99.9", "percent", "0.999")
    said(TypeError, lambda: perturb.rotate(torch.zeros(1, 1, 4, 4), "15"), "degrees", "'15'")


@pytest.mark.parametrize(
    ("shape", "wanted", "mends"),
    [
        ((1, 28, 28), (1, 28, 28), [".unsqueeze(0)", ".unsqueeze(1)"]),
        ((28, 28), (1, 28, 28), ["[None, None]"]),
        ((5, 28, 28), (1, 28, 28), [".unsqueeze(1)"]),
        ((5, 28, 28, 1), (1, 28, 28), [".movedim(-1, 1)"]),
        ((5, 3, 28, 28), (1, 28, 28), []),
        ((5, 1, 28, 27), (1, 28, 28), []),
        ((5, 784), (1, 28, 28), []),
        ((2, 5, 1, 28, 28), (1, 28, 28), []),
        ((), (1, 28, 28), []),
        ((6, 8), ("C", "H", "W"), ["[None, None]"]),
        ((3, 6, 8), ("C", "H", "W"), [".unsqueeze(0)", ".unsqueeze(1)"]),
        ((4, 6, 8, 3), (3, 6, 8), [".movedim(-1, 1)"]),
        ((5, 8000), (1, 8000), [".unsqueeze(1)"]),
        ((8000,), (1, 8000), ["[None, None]"]),
        ((76, 24), (76, "L"), [".unsqueeze(0)"]),
        ((3, 1, 6, 8), ("H", "W"), [".squeeze(1)"]),
        ((3, 2, 6, 8), ("H", "W"), []),
    ],
    ids=str,
)
def test_a_batch_of_another_shape_is_told_what_would_mend_it(shape, wanted, mends):
    things = torch.zeros(shape)
    expected = f"(N, {', '.join(map(str, wanted))})"
    message = said(ValueError, lambda: validate.batch("things", things, wanted), expected, f"got {shape}")
    assert {mend for _, mend, _ in validate.MENDS if f"things{mend}" in message} == set(mends)
    for mend in mends:  # and it does
        validate.batch("things", eval(f"things{mend}", {"things": things}), wanted)


LABELS = torch.tensor([0, 2, 1])
PROBABILITIES = torch.eye(3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: validate.images(np.zeros((1, 1, 4, 4))), TypeError, ("images", "ndarray", "as_tensor")),
        (lambda: validate.images(torch.zeros(1, 1, 4, 4).byte()), TypeError, ("uint8", "images.float() / 255")),
        (lambda: validate.waves(torch.zeros(1, 1, 8000).short()), TypeError, ("int16", "float32")),
        (lambda: validate.in_unit_range("pixels", torch.tensor([0.0, 255])), ValueError, ("0 to 255", "Divide")),
        (lambda: validate.in_unit_range("pixels", torch.tensor([0.0, math.nan])), ValueError, ("nan",)),
        (lambda: validate.not_empty("images", torch.zeros(0, 3)), ValueError, ("nothing to look at", "(0, 3)")),
        (lambda: validate.finite("maps", torch.tensor([[1, math.inf], [1, 2]])), ValueError, ("1 of 2 rows", "maps")),
        (lambda: validate.finite("x", torch.tensor(math.nan)), ValueError, ("1 of 1",)),
        (lambda: validate.scores("scores", torch.zeros(3, 2)), ValueError, ("scores", "(3, 2)")),
        (lambda: validate.scores("scores", torch.tensor([math.nan, 1])), ValueError, ("1 of 2 rows",)),
        (lambda: validate.rows("logits", torch.zeros(10)), ValueError, ("(N, K)", "(10,)")),
        (lambda: validate.probabilities(torch.tensor([[3.0, -2.0]])), ValueError, ("from -2", "Are these logits")),
        (lambda: validate.probabilities(torch.tensor([[0.5, 0.4]])), ValueError, ("0.9",)),
        (lambda: validate.labels([0, 2, 1], PROBABILITIES), TypeError, ("labels", "list")),
        (lambda: validate.labels(LABELS[:2], PROBABILITIES), ValueError, ("(3,)", "(2,)")),
        (lambda: validate.labels(PROBABILITIES.long(), PROBABILITIES), ValueError, ("(3,)", "(3, 3)")),
        (lambda: validate.labels(LABELS.float(), PROBABILITIES), TypeError, ("int64", "float32")),
        (lambda: validate.labels(LABELS + 1, PROBABILITIES, classes=3), ValueError, ("0 and 2", "1 to 3")),
        (lambda: validate.labels(LABELS - 1, PROBABILITIES, classes=3), ValueError, ("0 and 2", "-1 to 1")),
        (
            lambda: validate.one_of("head", "mean", ("global", "flatten")),
            ValueError,
            ("head 'mean'", "global, flatten"),
        ),
        (lambda: validate.one_of("head", ["mean"], {"global": 1}), ValueError, ("['mean']", "global")),
    ],
)
def test_tensors_that_are_refused(call, error, words):
    said(error, call, *words)


def test_what_is_taken_comes_back_as_promised():
    for kind in (torch.uint8, torch.int32, torch.int64):
        assert validate.labels(LABELS.to(kind), PROBABILITIES, classes=3).dtype == torch.int64
    assert validate.labels(LABELS == 1, PROBABILITIES).tolist() == [0, 0, 1]
    assert validate.rows("logits", torch.tensor([[1, 2]])).is_floating_point()
    assert validate.in_unit_range("pixels", torch.tensor([-1e-6, 1 + 1e-6])).numel() == 2
    assert validate.images(torch.zeros(0, 1, 4, 4)).shape == (0, 1, 4, 4)
    assert validate.one_of("head", "global", {"global": 1}) == "global"
