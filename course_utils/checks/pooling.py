"""Checks of notebook 03."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from course_utils.checks.core import Hint, a_kind, call, close, exercise, expect_number, expect_tensor, given, unlike
from course_utils.models import count_parameters, downsampled_cnn


@exercise
def max_pool(function) -> None:
    """A function (images (N, C, H, W), size) -> the largest of each size by size window (N, C, H//size, W//size)."""
    generator = torch.Generator().manual_seed(0)
    for shape, size in (((1, 2, 4, 4), 2), ((2, 3, 6, 4), 2), ((2, 2, 6, 9), 3), ((1, 2, 7, 5), 2), ((1, 3, 8, 8), 4)):
        images = torch.rand(shape, generator=generator) - (
            2 if shape[2] == 7 else 0.5
        )  # one with negative numbers only
        said = f"images of shape {shape} and size {size}"
        found = call(function, images, size, said=said)
        expected = F.max_pool2d(images, size)
        if isinstance(found, torch.Tensor):
            _pool_shape_hints(found, images, size, said)
        found = expect_tensor(found, tuple(expected.shape), said)
        if torch.allclose(found, expected, atol=1e-6):
            continue
        if torch.allclose(found, F.avg_pool2d(images, size), atol=1e-6):
            raise Hint("that is the average of each window. The largest number in it is wanted.")
        if torch.allclose(found, expected.amax(dim=1, keepdim=True).expand_as(expected), atol=1e-6):
            raise Hint(f"with {said} every channel has the largest of all channels. Each channel is pooled by itself.")
        if torch.allclose(found, -F.max_pool2d(-images, size), atol=1e-6):
            raise Hint("that is the smallest number of each window. The largest is wanted.")
        if torch.allclose(found, images[:, :, ::size, ::size][:, :, : expected.shape[2], : expected.shape[3]]):
            raise Hint("that is the top left number of each window, whether it is the largest or not.")
        if torch.allclose(found, expected.relu(), atol=1e-6):
            raise Hint("a window that holds negative numbers only has a negative maximum. Don't start from 0.")
        raise Hint(f"with {said} at least one value is off. Which {size * size} numbers does each one come from?")


def _pool_shape_hints(found: torch.Tensor, images: torch.Tensor, size: int, said: str) -> None:
    """Shapes that show what was misunderstood."""
    count, channels, height, width = images.shape
    if channels > 1 and tuple(found.shape) in (
        (count, 1, height // size, width // size),
        (count, height // size, width // size),
    ):
        raise Hint(f"with {said} the {channels} channels became one. Each channel is pooled by itself.")
    if tuple(found.shape) == (count, channels, -(-height // size), -(-width // size)) and (
        height % size or width % size
    ):
        raise Hint(f"with {said} the last row and column don't fill a window. They are left out: sizes round down.")
    if tuple(found.shape) == (count, channels, height - size + 1, width - size + 1):
        raise Hint(
            f"with {said} your window moves 1 pixel a step. It moves by its own size, so that windows don't overlap."
        )


@exercise
def average_weights(function) -> None:
    """A function (channels, size) -> weights (channels, channels, size, size) with which conv2d is average pooling."""
    generator = torch.Generator().manual_seed(0)
    for channels, size in ((1, 2), (1, 3), (3, 2), (2, 4)):
        said = f"channels={channels} and size={size}"
        found = expect_tensor(call(function, channels, size, said=said), (channels, channels, size, size), said)
        images = torch.randn(2, channels, 2 * size, 3 * size + 1, generator=generator)
        expected = F.avg_pool2d(images, size)
        result = F.conv2d(images, found, stride=size)
        if torch.allclose(result, expected, atol=1e-5):
            continue
        if torch.allclose(result, expected * size * size, atol=1e-5):
            raise Hint("each window is added up. An average divides by the number of pixels in the window.")
        if torch.allclose(result, expected * size, atol=1e-5):
            raise Hint(f"you divide by the window's side. How many pixels does a {size} by {size} window have?")
        mixed = expected.mean(dim=1, keepdim=True).expand_as(expected)
        if channels > 1 and any(torch.allclose(result, mixed * factor, atol=1e-5) for factor in (1, channels)):
            raise Hint(
                f"with {said} every output channel mixes all input channels. Which weights must be 0, so that output "
                "channel 1 sees input channel 1 only?"
            )
        raise Hint(
            f"with {said} at least one output differs from avg_pool2d. weights[o, i] goes from input i to output o."
        )


class _Seen(TorchFunctionMode):
    """Records the names of the torch functions that are called."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.add(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


# What +, - and relu are called where they arrive, and what only looks at a tensor or copies it.
ALLOWED = {
    "add",
    "sub",
    "rsub",
    "neg",
    "add_",
    "sub_",
    "relu",
    "relu_",
    "get",
    "repr",
    "format",
    "clone",
    "size",
    "dim",
}


def _watched(function: Callable, seen: _Seen) -> Callable:
    def watched(*tensors: torch.Tensor) -> object:
        with seen:
            return function(*tensors)

    return watched


@exercise
def larger_of_two(function) -> None:
    """A function (a, b) -> the elementwise larger of two tensors, made of +, - and relu."""
    generator = torch.Generator().manual_seed(0)
    cases = {
        "positive numbers, a above b": (torch.tensor([3.0, 5.0]), torch.tensor([1.0, 2.0])),
        "positive numbers, b above a": (torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])),
        "negative numbers": (torch.tensor([-3.0, -1.0, -2.0]), torch.tensor([-1.0, -3.0, -2.0])),
        "tensors of shape (2, 3, 4)": (
            torch.randn(2, 3, 4, generator=generator),
            torch.randn(2, 3, 4, generator=generator),
        ),
    }
    for said, (a, b) in cases.items():
        seen = _Seen()
        found = call(_watched(function, seen) if callable(function) else function, a, b, said=said)
        found = expect_tensor(found, tuple(a.shape), said)
        if others := sorted({name.strip("_") for name in seen.names} - {name.strip("_") for name in ALLOWED}):
            raise Hint(f"you used {', '.join(others[:3])}. Use +, - and relu only.")
        if torch.allclose(found, torch.maximum(a, b), atol=1e-5):
            continue
        if torch.allclose(found, torch.minimum(a, b), atol=1e-5):
            raise Hint(f"with {said} that is the smaller one. Which difference goes into the ReLU?")
        if torch.allclose(found, torch.maximum(a, b).relu(), atol=1e-5):
            raise Hint(f"with {said} the answer is not 0. The ReLU may see the difference, and not a or b themselves.")
        if torch.allclose(found, (b - a).relu(), atol=1e-5):
            raise Hint("that is by how much b is above a. What do you have to add it to?")
        raise Hint(f"with {said} at least one value is off. How much must be added to a, and when nothing?")


@exercise
def parameters_without_pooling(conv2, out) -> None:
    """The parameters of the second convolution and of the last layer, if both poolings are left out."""
    conv2, out = expect_number(conv2, "conv2"), expect_number(given(out), "out")
    pooled, network = downsampled_cnn("max"), downsampled_cnn("none")
    layers = {"conv2": conv2, "out": out}
    for name, found in layers.items():
        expected = count_parameters(network.get_submodule(name))
        if found == expected:
            continue
        biases = network.get_submodule(name).get_parameter("bias").numel()
        if found == expected - biases:
            raise Hint(f"{name}: the weights are right. The {biases} biases, one for each output channel, are missing.")
        if name == "conv2" and found == 32 * 5 * 5 + 32:
            raise Hint("conv2: each filter has a patch of weights for every one of the 16 channels that come in.")
        if name == "out" and found in (10 * 28 * 28, 10 * 28 * 28 + 10):
            raise Hint("out: that is for one map. Block 2 gives 32 of them.")
        if name == "conv2" and found in (4 * expected, 16 * expected):
            raise Hint("conv2: how many weights does one filter have? Does that depend on how far it slides?")
        if name == "out" and found == count_parameters(pooled.get_submodule(name)):
            raise Hint("out: that is the number with pooling. How many numbers reach this layer without it?")
        if name == "out" and found in (10 * 32 * 14 * 14, 10 * 32 * 14 * 14 + 10):
            raise Hint("out: that is with one pooling left. Without both, the maps stay 28 by 28.")
        raise Hint(f"{name}: not {found:g}. Weights of one output, plus its bias, times the number of outputs.")


@exercise
def unchanged_share(function) -> None:
    """A function (before, after), two tensors of one shape -> share of numbers that stay equal, 0..1, background aside.

    Background is where both are 0: black stays black whatever is moved. All other places count alike.
    """
    generator = torch.Generator().manual_seed(0)
    for shape, ink in (((1, 1, 4, 5), 0.5), ((2, 3, 6, 6), 0.3), ((7,), 0.8), ((3, 2, 5, 4), 0.1)):
        before = torch.randn(shape, generator=generator) * (torch.rand(shape, generator=generator) < ink)
        moved = torch.randn(shape, generator=generator) * (torch.rand(shape, generator=generator) < ink)
        after = torch.where(torch.rand(shape, generator=generator) < 0.5, before, moved)
        before.view(-1)[0], after.view(-1)[0] = 1.0, 0.0  # one place that was ink, one that will be
        before.view(-1)[1], after.view(-1)[1] = 0.0, -1.0
        said = f"tensors of shape {shape}"
        found = expect_number(call(function, before, after, said=said), "the share")
        equal, anything = before == after, (before != 0) | (after != 0)
        right = int((equal & anything).sum())
        expected = right / int(anything.sum())
        if not close(found, expected):
            raise Hint(_share_hint(found, expected, before, after, said))


def _share_hint(found: float, expected: float, before: torch.Tensor, after: torch.Tensor, said: str) -> str:
    equal, anything = before == after, (before != 0) | (after != 0)
    right = (equal & anything).sum()
    readings = [
        (equal.float().mean(), "that counts the background: black that stays black says nothing. Leave it out."),
        (1 - expected, "that is the share that changed."),
        (100 * expected, "that is in percent; a share from 0 to 1 is wanted."),
        (right, "that is how many stay equal. Divide by how many could have changed."),
        (right / len(equal.flatten()), "the background is left out above the line, and counted below it."),
        (
            right / (before != 0).sum(),
            "places that were 0 and are no longer have changed too. They belong below the line.",
        ),
        (right / (after != 0).sum(), "places that have become 0 have changed too. They belong below the line."),
        (
            (equal & (before > 0)).sum() / ((before > 0) | (after > 0)).sum(),
            "numbers below 0 are no background. Only 0 is.",
        ),
    ]
    hint = next((hint for value, hint in readings if close(found, float(value))), None)
    return (
        hint
        or f"with {said} it {unlike(expected, found)}. How many places aren't 0 both times, and how many of those stay?"
    )


@exercise
def judge(function) -> None:
    """A function (mean, low, high, margin) -> "better", "worse" or "no difference shown".

    `mean` is the mean difference of two arms, `low` and `high` the ends of its 95 % interval, `margin` what a reader
    would care about. Better: the whole interval above 0 and the mean at least the margin; worse: the mirror image.
    """
    for mean, low, high, margin in (
        (0.8, 0.5, 1.1, 0.5),
        (0.8, -0.1, 1.7, 0.5),  # large, and not sure
        (0.2, 0.1, 0.3, 0.5),  # sure, and small
        (-0.9, -1.4, -0.4, 0.5),
        (-0.9, -2.0, 0.2, 0.5),
        (-0.1, -0.15, -0.05, 0.5),
        (0.5, 0.2, 0.8, 0.5),  # as large as the margin
        (0.6, 0.4, 0.8, 0.5),  # part of the interval below the margin, and the mean above
        (2.0, 0.0, 4.0, 1.0),  # an interval that begins at 0 is not above it
        (0.0, -0.3, 0.3, 0.0),
    ):
        said = f"mean={mean:g}, low={low:g}, high={high:g} and margin={margin:g}"
        found = call(function, mean, low, high, margin, said=said)
        expected = "no difference shown"
        if low > 0 and mean >= margin:
            expected = "better"
        if high < 0 and mean <= -margin:
            expected = "worse"
        if not isinstance(found, str):
            raise Hint(f'"better", "worse" or "no difference shown" should come back, and this is {a_kind(found)}.')
        if found.strip().lower() == expected:
            continue
        if found.strip().lower() not in ("better", "worse", "no difference shown"):
            raise Hint(f'{found!r:.60} is none of the three: "better", "worse", "no difference shown".')
        raise Hint(_judge_hint(found.strip().lower(), expected, mean, low, high, margin, said))


def _judge_hint(found: str, expected: str, mean: float, low: float, high: float, margin: float, said: str) -> str:
    if {found, expected} == {"better", "worse"}:
        return f"with {said} it is {expected!r}: above 0 is better."
    if found == "no difference shown" and abs(mean) == margin:
        return f"with {said}: the mean is as large as the margin, which is enough (at least, so >=)."
    if found == "no difference shown" and expected == "worse":
        return f"with {said}: it can be worse as well. The whole interval lies below 0."
    if found == "no difference shown":
        return f"with {said}: the whole interval is above 0, and the mean is at least the margin. No more is asked."
    if low <= 0 <= high:
        return f"with {said}: the interval holds 0, so the difference may be none. That is no verdict."
    return f"with {said}: surely a difference, and smaller than a reader would care about."
