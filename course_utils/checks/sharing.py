"""Checks of notebook 02."""

import torch
import torch.nn.functional as F
from torch import nn

from course_utils.checks.core import Hint, call, exercise, expect_number, expect_tensor
from course_utils.models import LocallyConnected2d, count_parameters


@exercise
def conv_matrix(function) -> None:
    """A function (kernel (h, w), height, width) -> matrix of the convolution without padding, (H' * W', H * W)."""
    generator = torch.Generator().manual_seed(0)
    for (kernel_height, kernel_width), height, width in (
        ((3, 3), 6, 6),
        ((3, 3), 4, 7),
        ((2, 2), 5, 3),
        ((1, 4), 3, 6),
    ):
        kernel = torch.randn(kernel_height, kernel_width, generator=generator)
        rows, columns = height - kernel_height + 1, width - kernel_width + 1
        said = f"a kernel of {kernel_height} by {kernel_width} and an image of {height} by {width}"
        result = call(function, kernel.clone(), height, width, said=said)
        found = expect_tensor(result, (rows * columns, height * width), said).detach()
        # Column j of the matrix is what the convolution makes of an image that is 1 at pixel j and 0 elsewhere.
        single_pixels = torch.eye(height * width).view(-1, 1, height, width)
        expected = F.conv2d(single_pixels, kernel[None, None]).flatten(1).T
        if torch.allclose(found.float(), expected, atol=1e-6):
            continue
        flipped = F.conv2d(single_pixels, kernel.flip(0, 1)[None, None]).flatten(1).T
        if torch.allclose(found.float(), flipped, atol=1e-6):
            raise Hint(
                "your kernel is turned by half a turn. Here its top left weight meets the patch's top left pixel."
            )
        wrong = ~torch.isclose(found.float(), expected, atol=1e-6)
        row = int(wrong.any(1).nonzero()[0])
        raise Hint(
            f"with {said}, {int(wrong.any(1).sum())} of {rows * columns} rows are off, the first of them row {row}: it "
            f"belongs to output row {row // columns}, output column {row % columns}. Which pixels does its patch "
            "cover, and where do they stand in the flattened image?"
        )


@exercise
def layer_parameters(function) -> None:
    """A function (in_channels, out_channels, height, width, kernel_size, padding) -> (dense, local, shared) counts."""
    for arguments in (
        (1, 16, 28, 28, 5, 2),
        (1, 1, 6, 6, 3, 0),
        (3, 2, 5, 8, 3, 1),
        (2, 4, 6, 9, 3, 0),
        (2, 3, 4, 7, 2, 1),
    ):
        in_channels, out_channels, height, width, kernel_size, padding = arguments
        said = (
            f"in_channels={in_channels}, out_channels={out_channels}, an image of {height} by {width}, "
            f"kernel_size={kernel_size}, padding={padding}"
        )
        result = call(function, *arguments, said=said)
        if not isinstance(result, tuple | list) or len(result) != 3:
            raise Hint("three numbers should come back: dense, local, shared.")
        found = [expect_number(value, f"the {name} count") for value, name in zip(result, _NAMES, strict=True)]
        for name, count, (expected, biases) in zip(_NAMES, found, _expected_counts(*arguments), strict=True):
            if count != expected:
                raise Hint(_count_hint(name, count, expected, biases, out_channels, said))


_NAMES = ("dense", "local", "shared")


def _expected_counts(in_channels, out_channels, height, width, kernel_size, padding) -> list[tuple[int, int]]:
    """Parameters and biases of the three layers, read off real ones; the dense one takes no memory on "meta"."""
    with torch.device("meta"):
        local = LocallyConnected2d(in_channels, out_channels, (height, width), kernel_size, padding)
        shared = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding)
        rows, columns = local.output_size
        dense = nn.Linear(in_channels * height * width, out_channels * rows * columns)
    return [(count_parameters(layer), layer.get_parameter("bias").numel()) for layer in (dense, local, shared)]


def _count_hint(name: str, found: float, expected: int, biases: int, out_channels: int, said: str) -> str:
    if found == expected - biases:
        return f"the weights of the {name} layer are right. Where are its biases?"
    if name == "local" and found == expected - biases + out_channels:
        return "the weights of the local layer are right. Its outputs don't share a bias either: one for each output."
    what = {
        "dense": "each output number has one weight for every input number, of all channels",
        "local": "each output number has its own patch of weights, in every input channel",
        "shared": "each output channel has one filter, whatever the size of the image",
    }[name]
    return f"with {said} the {name} count should be {expected:,}, not {found:,.0f}: {what}, and a bias."


@exercise
def predicted_accuracy(answer: float) -> None:
    """A prediction in percent: any is correct that could be an accuracy."""
    found = expect_number(answer, "the prediction")
    if 0 < found < 1:
        raise Hint("that looks like a share. Write it in percent, from 0 to 100.")
    if not 0 <= found <= 100:
        raise Hint("an accuracy in percent lies between 0 and 100.")
