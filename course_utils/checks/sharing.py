"""Checks of notebook 02."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_utils.checks.core import (
    NOTED,
    Hint,
    a_kind,
    call,
    close,
    exercise,
    expect_number,
    expect_numbers,
    expect_tensor,
    unlike,
)
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
        result = call(function, kernel, height, width, said=said)
        found = expect_tensor(result, (rows * columns, height * width), said)
        # Column j of the matrix is what the convolution makes of an image that is 1 at pixel j and 0 elsewhere.
        single_pixels = torch.eye(height * width).view(-1, 1, height, width)
        expected = F.conv2d(single_pixels, kernel[None, None]).flatten(1).T
        if torch.allclose(found, expected, atol=1e-5):
            continue
        flipped = F.conv2d(single_pixels, kernel.flip(0, 1)[None, None]).flatten(1).T
        if torch.allclose(found, flipped, atol=1e-5):
            raise Hint(
                "your kernel is turned by half a turn. Here its top left weight meets the patch's top left pixel."
            )
        wrong = ~torch.isclose(found, expected, atol=1e-5)
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
        counts = [f"the {name} count" for name in _NAMES]
        found = expect_numbers(result, counts, "three numbers should come back: dense, local, shared.")
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
def predicted_accuracy(answer: float) -> str:
    """A prediction in percent: any is noted that could be an accuracy."""
    found = expect_number(answer, "the prediction")
    if 0 < found < 1:
        raise Hint("that looks like a share. Write it in percent, from 0 to 100.")
    if not 0 <= found <= 100:
        raise Hint("an accuracy in percent lies between 0 and 100.")
    return NOTED


@exercise
def equivariance_gap(function) -> None:
    """A function (layer, images (N, C, H, W)) -> the largest difference between two orders, 0 for an equivariant layer.

    First shift, then the layer, against first the layer, then shift; a shift is `torch.roll(images, 1, dims=3)`, one
    pixel to the right. The digits of the check have four black pixels around them, so that no border matters.
    """
    generator = torch.Generator().manual_seed(0)
    images = F.pad(torch.rand(2, 1, 6, 6, generator=generator), [4] * 4)
    with torch.no_grad():
        for name, layer in _layers_for_shifts().items():
            found = expect_number(call(function, layer, images, said=name), "the largest difference")
            expected = _gap(layer, images)
            if found < 0:
                raise Hint("a largest difference is not below 0. Take the differences without their signs: `.abs()`.")
            if not abs(found - expected) < 1e-4:
                raise Hint(_gap_hint(name, found, expected, layer, images))


def _layers_for_shifts() -> dict[str, Callable[[Tensor], Tensor]]:
    """Layers that are equivariant, and some that are not, in ways that a hasty measurement can't tell apart."""
    torch.manual_seed(0)  # inside the check only
    across, down = torch.linspace(-1, 0, 14), torch.linspace(0, 1, 14)
    local = LocallyConnected2d(1, 2, (14, 14), 3, 1)
    with torch.no_grad():
        local.get_parameter("bias").zero_()
    return {
        "a convolution": nn.Conv2d(1, 3, 3, padding=1),
        "a convolution with a ReLU": nn.Sequential(nn.Conv2d(1, 2, 5, padding=2), nn.ReLU()),
        "weights that change from row to row": lambda images: images * down[:, None],
        "weights that change from column to column": lambda images: images * across,
        "a locally connected layer": local,
        "a layer that mirrors the image": lambda images: images.flip(3),
        "max-pooling by 2": nn.MaxPool2d(2),
    }


def _gap(layer: Callable[[Tensor], Tensor], images: Tensor) -> float:
    return float((layer(images.roll(1, 3)) - layer(images).roll(1, 3)).abs().max())


def _gap_hint(name: str, found: float, expected: float, layer: Callable[[Tensor], Tensor], images: Tensor) -> str:
    outputs, of_shifted = layer(images), layer(images.roll(1, 3))
    gaps = (of_shifted - outputs.roll(1, 3)).abs()
    if close(found, float((of_shifted - outputs).abs().max())):
        return (
            f"with {name} you compare the outputs of the shifted images and of the others as they are. That asks "
            "whether the layer is invariant; here the output should move along, so shift it too."
        )
    if close(found, float(gaps.mean())):
        return "that is the mean of the differences. One place is enough to break the rule: take the largest."
    if close(found, float((of_shifted - outputs.roll(1, 3)).max().clamp(min=0))):
        return f"with {name} a difference below 0 got lost. Take the differences without their signs: `.abs()`."
    down = (layer(images.roll(1, 2)) - layer(images).roll(1, 2)).abs().max()
    if down > 1e-4 and close(found, float(down)):
        return f"with {name}: you shift down, along axis 2. To the right is axis 3."
    return f"with {name} it {unlike(expected, found)}. Two orders: shift then layer, and layer then shift."


@exercise
def confounds(function) -> None:
    """A function (arm, other, named) -> the names of the settings in which two arms differ, beside `named`.

    The arms are dicts from names to settings. A setting that only one of them has is a difference too. Any order.
    """
    for arm, other, named in _arms():
        said = f"the arms {arm} and {other}, of which {named!r} is meant to differ,"
        result = call(function, arm, other, named, said=said)
        found = _names_in(result)
        expected = {name for name in {*arm, *other} if name != named and not _has_same(arm, other, name)}
        if found == expected:
            continue
        if found == expected | {named}:
            raise Hint(f"with {said} leave out {named!r} itself: that one is meant to differ.")
        if found - {*arm, *other}:
            raise Hint(f"with {said} {min(found - {*arm, *other})!r} is not the name of a setting.")
        for name in sorted(expected - found):
            where = "only one of the arms has it" if (name in arm) != (name in other) else "it differs too"
            raise Hint(f"with {said} {name!r} is missing: {where}.")
        raise Hint(f"with {said} {min(found - expected)!r} is the same in both.")


def _names_in(result: object) -> set[str]:
    if isinstance(result, str | Tensor | np.ndarray) or not isinstance(result, Iterable):
        raise Hint(f"a list of names should come back, and this is {a_kind(result)}.")
    names = list(result)
    if not all(isinstance(name, str) for name in names):
        raise Hint("the names of the settings should come back, without their values.")
    return set(names)


def _has_same(arm: dict, other: dict, name: str) -> bool:
    return name in arm and name in other and arm[name] == other[name]


def _arms() -> list[tuple[dict, dict, str]]:
    shared = {"layer": "shared", "head": 7850, "pooling": "none", "epochs": 5}
    return [
        (shared, shared | {"layer": "local"}, "layer"),
        (shared, shared | {"layer": "local", "head": 125_450}, "layer"),
        (shared, {"layer": "local", "head": 7850, "pooling": "max", "epochs": 8}, "layer"),
        (shared, {"layer": "shared", "head": 7850, "pooling": "max", "epochs": 5, "weight_decay": 0.1}, "pooling"),
        ({"rate": 0.1, "momentum": 0.0}, {"rate": 0.1}, "rate"),  # 0 is a setting, and the named one doesn't differ
        ({"rate": 0.1, "seed": None}, {"rate": 0.3}, "rate"),
    ]
