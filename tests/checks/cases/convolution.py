"""Answers to the exercises of notebook 01."""

import numpy as np
import torch
import torch.nn.functional as F

from course_utils.sizes import conv_output_size


def loops(image, kernel, stride=1, padding=0):
    """The way the notebook goes."""
    padded = F.pad(image, (padding,) * 4)
    shape = [conv_output_size(*sizes, stride, padding) for sizes in zip(image.shape, kernel.shape, strict=True)]
    result = torch.zeros(shape)
    for i in range(shape[0]):
        for j in range(shape[1]):
            window = padded[i * stride : i * stride + kernel.shape[0], j * stride : j * stride + kernel.shape[1]]
            result[i, j] = (window * kernel).sum()
    return result


def unfolded(image, kernel, stride=1, padding=0):
    """All windows at once, in double precision."""
    windows = (
        F.pad(image.double(), (padding,) * 4).unfold(0, kernel.shape[0], stride).unfold(1, kernel.shape[1], stride)
    )
    return torch.einsum("ijrc,rc->ij", windows, kernel.double())


def library(image, kernel, stride=1, padding=0):
    return F.conv2d(image[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]


def one_weight(row, column, weight=1.0):
    kernel = torch.zeros(3, 3)
    kernel[row, column] = weight
    return kernel


def channels_by_loop(image, kernel):
    return sum(loops(one, weights) for one, weights in zip(image, kernel, strict=True))


def a_test(*sizes, make=torch.randn, same=torch.allclose):
    """A test of conv2d on images and kernels of these sizes."""

    def agrees(convolve):
        torch.manual_seed(1)
        pairs = [(make(image), make(kernel)) for image, kernel in sizes]
        return all(same(convolve(image, kernel), loops(image, kernel)) for image, kernel in pairs)

    return agrees


def a_test_that_sees_shapes(convolve):
    return convolve(torch.randn(5, 7), torch.randn(2, 3)).shape == (4, 5) and convolve(
        torch.randn(7, 5), torch.randn(3, 3)
    ).shape == (5, 3)


def close_and_of_one_size(one, other):
    return one.shape == other.shape and torch.allclose(one, other, atol=1e-5)


RIGHT = {
    "conv2d_channels": {
        "loop": channels_by_loop,
        "library": lambda image, kernel: F.conv2d(image[None], kernel[None])[0, 0],
        "double": lambda image, kernel: F.conv2d(image[None].double(), kernel[None].double())[0, 0],
    },
    "catches_mistakes": {
        "two sizes": a_test(((6, 5), (3, 2)), ((4, 7), (2, 2)), same=close_and_of_one_size),
        "a tensor": lambda convolve: torch.tensor(
            a_test(((6, 5), (3, 2)), ((5, 9), (2, 2)), same=close_and_of_one_size)(convolve)
        ),
        "numpy": lambda convolve: np.bool_(
            a_test(((9, 4), (3, 3)), ((4, 9), (3, 3)), same=close_and_of_one_size)(convolve)
        ),
    },
    "conv2d": {"loops": loops, "unfolded": unfolded, "library": library},
    "conv2d_stride_padding": {"loops": loops, "unfolded": unfolded, "library": library},
    "shift_kernel": {"float": one_weight(1, 0), "int": one_weight(1, 0).int()},
    "strided_size": {"int": 15, "float": 15.0, "tensor": torch.tensor(15)},
}


def last_position_left_at_zero(image, kernel):
    result = loops(image, kernel)
    result[-1], result[:, -1] = 0, 0
    return result


def one_value_off(image, kernel):
    result = loops(image, kernel)
    result[-1, 0] += 0.01
    return result


def odd_kernels_only(image, kernel):
    half = kernel.shape[0] // 2
    rows, columns = (range(half, size - half) for size in image.shape)
    windows = [image[i - half : i + half + 1, j - half : j + half + 1] for i in rows for j in columns]
    return torch.stack([(window * kernel).sum() for window in windows]).view(len(rows), len(columns))


def padded_by(*around, **how):
    """Convolution with another kind of padding; `around` (left, right, top, bottom) in units of the padding."""

    def answer(image, kernel, stride, padding):
        return loops(F.pad(image[None], [padding * side for side in around], **how)[0], kernel, stride)

    return answer


def windows_not_moved_by_stride(image, kernel, stride, padding):
    rows, columns = loops(image, kernel, stride, padding).shape
    return loops(image, kernel, 1, padding)[:rows, :columns]


def rounds_up(image, kernel, stride, padding):
    return loops(F.pad(image, (padding, padding + stride - 1) * 2), kernel, stride)


def nothing_for_what_does_not_fit(image, kernel, stride, padding):
    fits = kernel.shape[0] <= image.shape[0] + 2 * padding
    return loops(image, kernel, stride, padding) if fits else torch.zeros(0, 3)


def off_with_stride_three(image, kernel, stride, padding):
    result = loops(image, kernel, stride, padding)
    result[0, 0] += 0.01 * (stride == 3)
    return result


WRONG = {
    "conv2d_channels": {
        "kept apart": (
            lambda image, kernel: torch.stack([loops(*pair) for pair in zip(image, kernel, strict=True)]),
            "you have 2 maps, one for each channel",
        ),
        "mean": (lambda image, kernel: channels_by_loop(image, kernel) / len(image), "the mean over the channels"),
        "first": (lambda image, kernel: loops(image[0], kernel[0]), "only the first channel counts"),
        "overwritten": (lambda image, kernel: loops(image[-1], kernel[-1]), "begun anew with each channel"),
        "one kernel": (lambda image, kernel: loops(image.sum(0), kernel[0]), "met by the weights of the first"),
        "grey first": (lambda image, kernel: loops(image.sum(0), kernel.sum(0)), "Each has weights of its own"),
        "ReLU": (lambda image, kernel: channels_by_loop(image, kernel).relu(), "negative responses are cut off"),
    },
    "catches_mistakes": {
        "shapes only": (a_test_that_sees_shapes, "a broken function passes your test: it returns zeros"),
        "ones": (a_test(((5, 4), (2, 2)), make=torch.ones, same=close_and_of_one_size), "it turns the kernel"),
        "square": (a_test(((5, 5), (3, 3)), same=close_and_of_one_size), "it is right for square images only"),
        "always right": (lambda convolve: True, "a broken function passes"),
        "always wrong": (lambda convolve: False, "says that a right function, PyTorch's, is wrong"),
        "too strict": (
            a_test(((6, 5), (3, 3)), ((4, 7), (3, 3)), same=torch.equal),
            "torch.allclose allows for that",
        ),
        "a table": (
            lambda convolve: convolve(torch.ones(3, 4), torch.ones(2, 2)) == 4,
            "Is it true of all its places?",
        ),
        "stops at another size": (
            a_test(((5, 4), (2, 2)), ((4, 6), (3, 3))),
            "with a broken function your function stopped with RuntimeError",
        ),
    },
    "conv2d": {
        "flipped": (lambda image, kernel: loops(image, kernel.flip(0, 1)), "the kernel is flipped"),
        "on its side": (lambda image, kernel: loops(image, kernel.T), "lies on its side"),
        "transposed": (lambda image, kernel: loops(image, kernel).T, "have changed places"),
        "mean": (lambda image, kernel: loops(image, kernel) / kernel.numel(), "they should be added up"),
        "ReLU": (lambda image, kernel: loops(image, kernel).relu(), "negative responses are cut off"),
        "zeros": (lambda image, kernel: torch.zeros_like(loops(image, kernel)), "all responses are 0"),
        "padded": (lambda image, kernel: loops(image, kernel, padding=1), "as large as the image"),
        "last position forgotten": (lambda image, kernel: loops(image, kernel)[:-1, :-1], "last column are missing"),
        "last position left at 0": (last_position_left_at_zero, "range(n) ends with n - 1"),
        "square kernels only": (
            lambda image, kernel: loops(image, kernel if kernel.shape[0] == kernel.shape[1] else kernel.flip(0)),
            "a kernel of 2 by 4 the response at row 0, column 0 should be",
        ),
        "odd kernels only": (odd_kernels_only, "a kernel of 2 by 2 your function stopped with RuntimeError"),
        "one value off": (one_value_off, "the response at row 2, column 0 should be"),
        "one axis more": (lambda image, kernel: loops(image, kernel)[None], "(3, 3), and yours is (1, 3, 3)"),
        "list": (lambda image, kernel: loops(image, kernel).tolist(), "a tensor should come back"),
    },
    "conv2d_stride_padding": {
        "no padding": (lambda image, kernel, stride, padding: loops(image, kernel, stride), "without padding"),
        "stride 1": (lambda image, kernel, stride, padding: loops(image, kernel, 1, padding), "with stride 1"),
        "flipped": (lambda image, kernel, *rest: loops(image, kernel.flip(0, 1), *rest), "the kernel is flipped"),
        "transposed": (lambda *arguments: loops(*arguments).T, "rows and columns have changed places"),
        "edge repeated": (padded_by(1, 1, 1, 1, mode="replicate"), "it should be zeros"),
        "mirrored": (padded_by(1, 1, 1, 1, mode="reflect"), "it should be zeros"),
        "ones": (padded_by(1, 1, 1, 1, value=1.0), "it should be zeros"),
        "below and right": (padded_by(0, 1, 0, 1), "Padding goes on both sides"),
        "windows side by side": (windows_not_moved_by_stride, "Where does window number i begin?"),
        "rounded up": (rounds_up, "the shape should be (3, 2), and yours is (4, 2)"),
        "stride for rows only": (lambda image, kernel, s, p: loops(image, kernel, 1, p)[::s], "the shape should be"),
        "off with stride 3": (off_with_stride_three, "stride=3 and padding=0 the response at row 0, column 0"),
        "what does not fit": (nothing_for_what_does_not_fit, "does not fit into an image of 2 by 5"),
    },
    "shift_kernel": {
        "left": (one_weight(1, 2), "moves the image to the left"),
        "down": (one_weight(0, 1), "moves the image down"),
        "up": (one_weight(2, 1), "moves the image up"),
        "nowhere": (one_weight(1, 1), "moves the image nowhere"),
        "too dark": (one_weight(1, 0, weight=0.99), "does its size leave the brightness"),
        "corner": (one_weight(0, 0), "Is it the right place"),
        "two weights": (one_weight(1, 0) + one_weight(1, 1, 0.1), "leave out the other eight"),
        "one axis more": (one_weight(1, 0)[None], "the shape should be (3, 3)"),
    },
    "strided_size": {
        "kept": (28, "not kept"),
        "stride 1": (30, "stride 1"),
        "padded size": (32, "padded image"),
        "halved": (14, "both sides"),
        "no padding": (13, "without padding"),
        "rounded up": (16, "no room"),
        "not rounded": (15.5, "no half position"),
        "another": (7, "write down the padded size"),
    },
}
