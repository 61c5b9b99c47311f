"""Checks of notebook 01."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_utils.checks.core import Hint, a_kind, call, exercise, expect_number, expect_tensor, unlike
from course_utils.perturb import shift

# Image (H, W) and kernel (H, W): not square, even kernels, kernels as large as the image, and one pixel.
VALID_CASES = [
    ((5, 5), (3, 3)),
    ((7, 9), (3, 3)),
    ((6, 6), (2, 2)),
    ((5, 8), (2, 4)),
    ((6, 4), (4, 1)),
    ((3, 2), (3, 2)),
]
# The same with stride and padding. The last kernel fits only because of the padding.
STRIDED_CASES = [
    ((6, 8), (3, 3), 1, 0),
    ((7, 9), (3, 3), 1, 1),
    ((5, 7), (3, 3), 2, 0),
    ((9, 6), (2, 3), 3, 0),
    ((8, 5), (4, 4), 2, 2),
    ((6, 6), (1, 1), 2, 1),
    ((4, 7), (5, 2), 1, 3),
    ((2, 3), (5, 6), 3, 2),
]


@exercise
def conv2d(function) -> None:
    """A function (image (H, W), kernel (h, w)) -> its responses (H - h + 1, W - w + 1)."""
    for image_size, kernel_size in VALID_CASES:
        image, kernel = _random(image_size, kernel_size)
        said = f"an image of {_by(image_size)} and a kernel of {_by(kernel_size)}"
        found = call(function, image, kernel, said=said)
        _compare(found, image, kernel, 1, 0, said)


@exercise
def conv2d_stride_padding(function) -> None:
    """A function (image (H, W), kernel (h, w), stride, padding) -> its responses."""
    for image_size, kernel_size, stride, padding in STRIDED_CASES:
        image, kernel = _random(image_size, kernel_size)
        said = f"an image of {_by(image_size)}, a kernel of {_by(kernel_size)}, stride={stride} and padding={padding}"
        found = call(function, image, kernel, stride, padding, said=said)
        _compare(found, image, kernel, stride, padding, said)
    _refuses_what_does_not_fit(function)


def _refuses_what_does_not_fit(function) -> None:
    image, kernel = _random((2, 5), (3, 3))
    try:
        found = function(image, kernel, 1, 0)
    except (
        Exception,
        SystemExit,
    ):  # any error will do: PyTorch's own is a RuntimeError, conv_output_size's a ValueError
        return
    raise Hint(
        "a kernel of 3 by 3 does not fit into an image of 2 by 5 without padding, and your function returned "
        f"{a_kind(found)}. conv_output_size raises an error there; take the size of the result from it."
    )


@exercise
def conv2d_channels(function) -> None:
    """A function (image (C, H, W), kernel (C, h, w)) -> one map of responses (H - h + 1, W - w + 1).

    The kernel has a layer of weights for each channel; the products of all channels are added up.
    """
    for channels, image_size, kernel_size in (
        (2, (5, 5), (3, 3)),
        (1, (4, 5), (2, 2)),
        (3, (6, 4), (3, 2)),
        (4, (3, 6), (2, 4)),
        (3, (3, 3), (3, 3)),
    ):
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(channels, *image_size, generator=generator)
        kernel = torch.randn(channels, *kernel_size, generator=generator)
        said = f"{channels} channel{'s' * (channels > 1)} of {_by(image_size)} and kernels of {_by(kernel_size)}"
        found = call(function, image, kernel, said=said)
        each = F.conv2d(image[None], kernel[:, None], groups=channels)[0]  # (C, rows, columns), not yet added up
        if isinstance(found, Tensor) and channels > 1 and found.shape == each.shape:
            raise Hint(f"with {said} you have {channels} maps, one for each channel. Add them up to one.")
        found = expect_tensor(found, tuple(each.shape[1:]), said)
        if torch.allclose(found, each.sum(0), atol=1e-5):
            continue
        raise Hint(_channels_hint(found, image, kernel, each, said))


def _channels_hint(found: Tensor, image: Tensor, kernel: Tensor, each: Tensor, said: str) -> str:
    mistakes = {
        "that is the mean over the channels. Their sum is wanted": each.mean(0),
        "only the first channel counts in yours": each[0],
        "only the last channel counts in yours. Is the sum begun anew with each channel?": each[-1],
        "every channel is met by the weights of the first": _oracle(image.sum(0), kernel[0]),
        "the channels are added up before the products are made. Each has weights of its own": _oracle(
            image.sum(0), kernel.sum(0)
        ),
        "the channels of the kernel are in the opposite order": F.conv2d(image[None], kernel.flip(0)[None])[0, 0],
        "that is the largest of the channels. Their sum is wanted": each.amax(0),
        "the kernel is flipped. Lay it on as it is": F.conv2d(image[None], kernel.flip(1, 2)[None])[0, 0],
        "negative responses are cut off; they should stay": each.sum(0).relu(),
        "negative responses of each channel are cut off before the sum": each.relu().sum(0),
    }
    for hint, values in mistakes.items():
        if torch.allclose(found, values, atol=1e-5):
            return f"with {said}: {hint}."
    row, column = (~torch.isclose(found, each.sum(0), atol=1e-5)).nonzero()[0].tolist()
    expected, yours = each.sum(0)[row, column].item(), found[row, column].item()
    return f"with {said} the response at row {row}, column {column} {unlike(expected, yours)}."


@exercise
def catches_mistakes(function) -> None:
    """A function (convolve) -> True if `convolve(image, kernel)` does what conv2d should, False if it doesn't.

    It is tried on right functions and on wrong ones: a test is worth something if it can fail.
    """
    right = {"PyTorch's": _oracle, "one that adds up window by window": _by_windows}
    for name, convolve in (right | _BROKEN).items():
        said = f"a right function, {name}," if name in right else "a broken function"
        found = call(function, convolve, said=said)
        if isinstance(found, Tensor | np.ndarray):
            if math.prod(found.shape) != 1:
                raise Hint("one answer should come back, and yours is a table. Is it true of all its places? `.all()`")
            found = found.tolist()
        if not isinstance(found, bool | np.bool_):
            raise Hint(f"True or False should come back, and this is {a_kind(found)}.")
        if name in right and not found:
            raise Hint(
                f"your test says that {said} is wrong. Sums of float32 numbers differ in their last digit, by the "
                "order of adding: torch.allclose allows for that."
            )
        if name not in right and found:
            raise Hint(f"a broken function passes your test: {name}. Which image and kernel would show it?")


def _by_windows(image: Tensor, kernel: Tensor) -> Tensor:
    windows = image.unfold(0, kernel.shape[0], 1).unfold(1, kernel.shape[1], 1)  # (rows, columns, h, w)
    products = [windows[:, :, i, j] * kernel[i, j] for i in range(kernel.shape[0]) for j in range(kernel.shape[1])]
    return torch.stack(products).sum(0)


def _only_square(image: Tensor, kernel: Tensor) -> Tensor:
    """Right for square images, else of a size that is off."""
    responses = _oracle(image, kernel)
    return responses[: responses.shape[1], : responses.shape[0]]


# What a test may miss that looks at shapes only, at one symmetric kernel, at positive numbers or at square images.
_BROKEN = {
    "it returns zeros, of the right shape": lambda image, kernel: torch.zeros_like(_oracle(image, kernel)),
    "it turns the kernel by half a turn": lambda image, kernel: _oracle(image, kernel.flip(0, 1)),
    "it mirrors the kernel, left for right": lambda image, kernel: _oracle(image, kernel.flip(1)),
    "it takes the mean of the products": lambda image, kernel: _oracle(image, kernel) / kernel.numel(),
    "it cuts off negative responses": lambda image, kernel: _oracle(image, kernel).relu(),
    "it leaves the last row at 0": lambda image, kernel: torch.cat(
        [_oracle(image, kernel)[:-1], torch.zeros_like(_oracle(image, kernel)[-1:])]
    ),
    "it is right for square images only": _only_square,
}


@exercise
def shift_kernel(answer: Tensor) -> None:
    """A kernel (3, 3) whose responses, with padding=1, are the image moved one pixel to the right."""
    kernel = expect_tensor(answer, (3, 3), "this exercise")
    image = torch.rand(1, 1, 7, 9, generator=torch.Generator().manual_seed(0))
    moved = F.conv2d(image, kernel[None, None], padding=1)
    if torch.allclose(moved, shift(image, 1, 0), atol=1e-6):
        return
    wrong_ways = {"to the left": (-1, 0), "down": (0, 1), "up": (0, -1), "nowhere": (0, 0)}
    for way, (dx, dy) in wrong_ways.items():
        if torch.allclose(moved, shift(image, dx, dy), atol=1e-6):
            raise Hint(f"this kernel moves the image {way}. Which pixel of the old image should the window copy?")
    if (kernel != 0).sum() == 1:
        raise Hint("one weight is set. Is it the right place, and does its size leave the brightness as it was?")
    raise Hint("the window should copy one pixel and leave out the other eight. Which weights do that?")


@exercise
def strided_size(answer: int) -> None:
    """The size that 28 pixels become with kernel size 3, stride 2 and padding 2."""
    found = expect_number(answer, "the size")
    size, kernel_size, stride, padding = 28, 3, 2, 2
    expected = F.conv1d(torch.zeros(1, 1, size), torch.zeros(1, 1, kernel_size), None, stride, padding).shape[-1]
    if found == expected:
        return
    hints = {
        size + 2 * padding: "that is the padded image. How many positions has the kernel on it?",
        size + 2 * padding - kernel_size + 1: "that is the number with stride 1; here the kernel takes steps of two.",
        size: "the size is not kept here.",
        14: "close. Halving forgets something: the padding is on both sides, and the first position takes no step.",
        13: "that is the size without padding.",
        15.5: "there is no half position. What happens to a last step for which there is no room?",
        16: "the last step has no room for the whole kernel, so it is not taken.",
    }
    raise Hint(hints.get(found, "write down the padded size first, then the first position, then count steps of two."))


def _random(image_size: tuple[int, int], kernel_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """An image and a kernel with positive and negative values; such a kernel is never its own mirror image."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(image_size, generator=generator), torch.randn(kernel_size, generator=generator)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} by {size[1]}"


def _oracle(image: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    return F.conv2d(image[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]


def _compare(found: object, image: Tensor, kernel: Tensor, stride: int, padding: int, said: str) -> None:
    """Raise the fitting `Hint` unless `found` are the responses that PyTorch computes."""
    expected = _oracle(image, kernel, stride, padding)
    shape = tuple(expected.shape)
    if isinstance(found, Tensor) and tuple(found.shape) != shape:
        _explain_shape(tuple(found.shape), shape, image, kernel, stride, padding, said)
    found = expect_tensor(found, shape, said)
    if not torch.allclose(found, expected, atol=1e-5):
        _explain_values(found, expected, image, kernel, stride, padding, said)


def _explain_shape(
    found: tuple, expected: tuple, image: Tensor, kernel: Tensor, stride: int, padding: int, said: str
) -> None:
    """Raise a `Hint` for the shapes that usual mistakes give; return for any other."""
    if found == expected[::-1]:
        raise Hint(f"with {said} rows and columns have changed places: {found} should be {expected}.")
    if padding and _shape_fits(found, image, kernel, stride, 0):
        raise Hint(f"with {said} the result has the size it would have without padding.")
    if padding and found == tuple(
        (n + padding - k) // stride + 1 for n, k in zip(image.shape, kernel.shape, strict=True)
    ):
        raise Hint(f"with {said} the shape is {found} instead of {expected}. Padding goes on both sides.")
    if found == tuple(size - 1 for size in expected):
        raise Hint(
            f"with {said} the last row and the last column are missing: the kernel fits at {expected[0]} by "
            f"{expected[1]} places, the last of which ends at the image's edge."
        )
    if stride > 1 and _shape_fits(found, image, kernel, 1, padding):
        raise Hint(f"with {said} the result has the size it would have with stride 1.")
    if found == tuple(image.shape):
        raise Hint(f"with {said} the result is as large as the image. At how many places does the whole kernel fit?")


def _shape_fits(found: tuple, image: Tensor, kernel: Tensor, stride: int, padding: int) -> bool:
    return found == tuple((n + 2 * padding - k) // stride + 1 for n, k in zip(image.shape, kernel.shape, strict=True))


def _explain_values(
    found: Tensor, expected: Tensor, image: Tensor, kernel: Tensor, stride: int, padding: int, said: str
) -> None:
    """Raise the `Hint` for the mistake that gives just these values, or for the first value that is off."""
    mistakes = {
        "the kernel is flipped. That is the convolution of mathematics; here the kernel is laid on as it is": _oracle(
            image, kernel.flip(0, 1), stride, padding
        ),
        "the products are averaged; they should be added up": expected / kernel.numel(),
        "all responses are 0. Is each sum stored in its place?": torch.zeros_like(expected),
        "negative responses are cut off; they should stay": expected.relu(),
    }
    if kernel.shape[0] == kernel.shape[1]:
        mistakes["the kernel lies on its side: its first index is the row, as in the image"] = _oracle(
            image, kernel.T, stride, padding
        )
    if expected.shape[0] == expected.shape[1]:
        mistakes["rows and columns of the result have changed places"] = expected.T
    if padding:
        mistakes |= _wrong_paddings(image, kernel, stride, padding)
    if stride > 1:
        rows, columns = expected.shape
        mistakes["the windows lie side by side as with stride 1. Where does window number i begin?"] = _oracle(
            image, kernel, 1, padding
        )[:rows, :columns]
    for hint, values in mistakes.items():
        if torch.allclose(found, values, atol=1e-5):
            raise Hint(f"with {said}: {hint}.")
    off = ~torch.isclose(found, expected, atol=1e-5)
    if off[-1].all() and off[:, -1].all() and not off[:-1, :-1].any():
        raise Hint(f"with {said} the last row and the last column are off. range(n) ends with n - 1.")
    row, column = off.nonzero()[0].tolist()
    raise Hint(
        f"with {said} the response at row {row}, column {column} "
        f"{unlike(expected[row, column].item(), found[row, column].item())}."
    )


def _wrong_paddings(image: Tensor, kernel: Tensor, stride: int, padding: int) -> dict[str, Tensor]:
    """The responses with something other than zeros around the image."""
    around = [padding] * 4
    padded = {
        "the padding repeats the edge of the image; it should be zeros": F.pad(image[None], around, mode="replicate"),
        "the padding is filled with ones; it should be zeros": F.pad(image[None], around, value=1.0),
    }
    if padding < min(image.shape):
        padded["the padding mirrors the image; it should be zeros"] = F.pad(image[None], around, mode="reflect")
    return {hint: _oracle(values[0], kernel, stride) for hint, values in padded.items()}
