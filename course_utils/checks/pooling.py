"""Checks of notebook 03."""

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from course_utils.checks.core import Hint, call, exercise, expect_number, expect_tensor, given
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
        result = F.conv2d(images, found.float(), stride=size)
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


READY_MADE = {"max", "maximum", "fmax", "amax", "where", "max_pool2d", "topk", "sort", "cummax", "logaddexp"}


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
        with _Seen() as seen:
            found = call(function, a.clone(), b.clone(), said=said)
        found = expect_tensor(found, tuple(a.shape), said)
        if ready_made := sorted(seen.names & READY_MADE):
            raise Hint(f"you used {ready_made[0]}, which is the answer itself. Use +, - and relu only.")
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
        if name == "conv2" and found in (4 * expected, 16 * expected):
            raise Hint("conv2: how many weights does one filter have? Does that depend on how far it slides?")
        if name == "out" and found == count_parameters(pooled.get_submodule(name)):
            raise Hint("out: that is the number with pooling. How many numbers reach this layer without it?")
        if name == "out" and found in (expected - 10, 10 * 32 * 14 * 14, 10 * 32 * 14 * 14 + 10):
            raise Hint(
                "out: one bias for each of the 10 outputs is missing."
                if found == expected - 10
                else "out: that is with one pooling left. Without both, the maps stay 28 by 28."
            )
        raise Hint(f"{name}: not {found:g}. Weights of one output, plus its bias, times the number of outputs.")
