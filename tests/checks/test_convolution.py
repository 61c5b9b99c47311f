"""The checks of notebook 01, fed with untouched stubs, several right answers and plausible wrong ones."""

import pytest
import torch
import torch.nn.functional as F

from course_utils import checks
from course_utils.sizes import conv_output_size


def loops(image, kernel, stride=1, padding=0):
    """The way the notebook goes."""
    padded = F.pad(image, (padding, padding, padding, padding))
    (height, width), (rows, columns) = image.shape, kernel.shape
    result = torch.zeros(
        conv_output_size(height, rows, stride, padding), conv_output_size(width, columns, stride, padding)
    )
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            window = padded[i * stride : i * stride + rows, j * stride : j * stride + columns]
            result[i, j] = (window * kernel).sum()
    return result


def unfolded(image, kernel, stride=1, padding=0):
    """Another right way: all windows at once, in double precision."""
    padded = F.pad(image.double(), (padding,) * 4)
    windows = padded.unfold(0, kernel.shape[0], stride).unfold(1, kernel.shape[1], stride)
    return torch.einsum("ijrc,rc->ij", windows, kernel.double())


def library(image, kernel, stride=1, padding=0):
    return F.conv2d(image[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]


def output_of(capsys, check, answer):
    check(answer)
    return capsys.readouterr().out.strip()


STUBS = [(checks.conv2d, 2), (checks.conv2d_stride_padding, 4)]


@pytest.mark.parametrize(("check", "arguments"), STUBS)
def test_untouched_function_is_not_tried_yet(capsys, check, arguments):
    assert output_of(capsys, check, ...) == "not tried yet"
    stub = {2: lambda image, kernel: ..., 4: lambda image, kernel, stride, padding: ...}[arguments]
    assert output_of(capsys, check, stub) == "not tried yet"


@pytest.mark.parametrize("check", [checks.shift_kernel, checks.strided_size])
def test_untouched_value_is_not_tried_yet(capsys, check):
    assert output_of(capsys, check, ...) == "not tried yet"


@pytest.mark.parametrize("check", [checks.conv2d, checks.conv2d_stride_padding])
@pytest.mark.parametrize("function", [loops, unfolded, library])
def test_right_ways_are_correct(capsys, check, function):
    assert output_of(capsys, check, function) == "correct"


def last_position_forgotten(image, kernel):
    return loops(image, kernel)[:-1, :-1]


def last_position_left_at_zero(image, kernel):
    result = loops(image, kernel)
    result[-1], result[:, -1] = 0, 0
    return result


def square_kernels_only(image, kernel):
    return loops(image, kernel) if kernel.shape[0] == kernel.shape[1] else loops(image, kernel.flip(0))


def one_value_off(image, kernel):
    result = loops(image, kernel)
    result[-1, 0] += 0.01
    return result


def odd_kernels_only(image, kernel):
    half = kernel.shape[0] // 2
    result = torch.zeros(image.shape[0] - 2 * half, image.shape[1] - 2 * half)
    for i in range(half, image.shape[0] - half):
        for j in range(half, image.shape[1] - half):
            result[i - half, j - half] = (image[i - half : i + half + 1, j - half : j + half + 1] * kernel).sum()
    return result


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda image, kernel: loops(image, kernel.flip(0, 1)), "the kernel is flipped"),
        (lambda image, kernel: loops(image, kernel.T), "lies on its side"),
        (lambda image, kernel: loops(image, kernel).T, "rows and columns of the result have changed places"),
        (lambda image, kernel: loops(image, kernel) / kernel.numel(), "they should be added up"),
        (lambda image, kernel: loops(image, kernel).relu(), "negative responses are cut off"),
        (lambda image, kernel: torch.zeros_like(loops(image, kernel)), "all responses are 0"),
        (lambda image, kernel: loops(image, kernel, padding=1), "as large as the image"),
        (last_position_forgotten, "the last row and the last column are missing"),
        (last_position_left_at_zero, "range(n) ends with n - 1"),
        (square_kernels_only, "a kernel of 2 by 4 the response at row 0, column 0 should be"),
        (odd_kernels_only, "a kernel of 2 by 2 your function stopped with RuntimeError"),
        (one_value_off, "the response at row 2, column 0 should be"),
        (lambda image, kernel: loops(image, kernel)[None], "the shape should be (3, 3), and yours is (1, 3, 3)"),
        (lambda image, kernel: loops(image, kernel).tolist(), "a tensor should come back"),
        (lambda image, kernel: None, "returns None"),
        (torch.ones(3, 3), "a function is wanted"),
    ],
)
def test_wrong_conv2d_gets_its_hint(capsys, wrong, hint):
    said = output_of(capsys, checks.conv2d, wrong)
    assert said.startswith("not right yet: ") and hint in said


def padded_with(mode):
    return lambda image, kernel, stride, padding: loops(
        F.pad(image[None], (padding,) * 4, mode=mode)[0], kernel, stride
    )


def padded_with_ones(image, kernel, stride, padding):
    return loops(F.pad(image, (padding,) * 4, value=1.0), kernel, stride)


def padded_below_and_right(image, kernel, stride, padding):
    return loops(F.pad(image, (0, padding, 0, padding)), kernel, stride)


def windows_not_moved_by_stride(image, kernel, stride, padding):
    shape = loops(image, kernel, stride, padding).shape
    return loops(image, kernel, 1, padding)[: shape[0], : shape[1]]


def rounds_up(image, kernel, stride, padding):
    return loops(F.pad(image, (padding, padding + stride - 1, padding, padding + stride - 1)), kernel, stride)


def nothing_for_what_does_not_fit(image, kernel, stride, padding):
    if kernel.shape[0] > image.shape[0] + 2 * padding:
        return torch.zeros(0, 3)
    return loops(image, kernel, stride, padding)


def rows_only(image, kernel, stride, padding):
    return loops(image, kernel, 1, padding)[::stride]


def one_value_off_with_stride_three(image, kernel, stride, padding):
    result = loops(image, kernel, stride, padding)
    result[0, 0] += 0.01 * (stride == 3)
    return result


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda image, kernel, stride, padding: loops(image, kernel, stride), "the size it would have without padding"),
        (lambda image, kernel, stride, padding: loops(image, kernel, 1, padding), "would have with stride 1"),
        (lambda image, kernel, s, p: loops(image, kernel.flip(0, 1), s, p), "the kernel is flipped"),
        (lambda image, kernel, s, p: loops(image, kernel, s, p).T, "rows and columns have changed places"),
        (padded_with("replicate"), "it should be zeros"),
        (padded_with("reflect"), "it should be zeros"),
        (padded_with_ones, "it should be zeros"),
        (padded_below_and_right, "Padding goes on both sides"),
        (windows_not_moved_by_stride, "Where does window number i begin?"),
        (rounds_up, "the shape should be (3, 2), and yours is (4, 2)"),
        (rows_only, "the shape should be"),
        (one_value_off_with_stride_three, "stride=3 and padding=0 the response at row 0, column 0 should be"),
        (nothing_for_what_does_not_fit, "does not fit into an image of 2 by 5"),
        (lambda image, kernel, stride, padding: loops(image, kernel), "the size it would have without padding"),
    ],
)
def test_wrong_stride_or_padding_gets_its_hint(capsys, wrong, hint):
    said = output_of(capsys, checks.conv2d_stride_padding, wrong)
    assert said.startswith("not right yet: ") and hint in said


def one_weight(row, column, weight=1.0):
    kernel = torch.zeros(3, 3)
    kernel[row, column] = weight
    return kernel


def test_right_shift_kernel(capsys):
    assert output_of(capsys, checks.shift_kernel, one_weight(1, 0)) == "correct"
    assert output_of(capsys, checks.shift_kernel, one_weight(1, 0).int()) == "correct"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (one_weight(1, 2), "moves the image to the left"),
        (one_weight(0, 1), "moves the image down"),
        (one_weight(2, 1), "moves the image up"),
        (one_weight(1, 1), "moves the image nowhere"),
        (one_weight(1, 0, weight=0.99), "does its size leave the brightness"),
        (one_weight(0, 0), "Is it the right place"),
        (one_weight(1, 0) + one_weight(1, 1, 0.1), "leave out the other eight"),
        (one_weight(1, 0)[None], "the shape should be (3, 3)"),
        ([[0, 0, 0], [1, 0, 0], [0, 0, 0]], "a tensor should come back"),
    ],
)
def test_wrong_shift_kernel_gets_its_hint(capsys, wrong, hint):
    said = output_of(capsys, checks.shift_kernel, wrong)
    assert said.startswith("not right yet: ") and hint in said


@pytest.mark.parametrize("right", [15, 15.0, torch.tensor(15)])
def test_right_size(capsys, right):
    assert output_of(capsys, checks.strided_size, right) == "correct"


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (28, "not kept"),
        (30, "stride 1"),
        (14, "both sides"),
        (13, "without padding"),
        (16, "no room"),
        (15.5, "no half position"),
        (7, "write down the padded size"),
        ((15, 15), "should be one number"),
    ],
)
def test_wrong_size_gets_its_hint(capsys, wrong, hint):
    said = output_of(capsys, checks.strided_size, wrong)
    assert said.startswith("not right yet: ") and hint in said
