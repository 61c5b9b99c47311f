"""The checks of notebook 02 against untouched stubs, several right answers and plausible wrong ones."""

import math

import pytest
import torch
import torch.nn.functional as F

from course_utils import checks


def said(capsys, check, answer) -> str:
    check(answer)
    return capsys.readouterr().out.strip()


def stub(*_):
    return ...


@pytest.mark.parametrize("check", [checks.conv_matrix, checks.layer_parameters, checks.predicted_accuracy])
def test_an_untouched_stub_is_not_tried_yet(capsys, check):
    assert said(capsys, check, ...) == "not tried yet"


@pytest.mark.parametrize("check", [checks.conv_matrix, checks.layer_parameters])
def test_a_function_that_returns_dots_is_not_tried_yet(capsys, check):
    assert said(capsys, check, stub) == "not tried yet"


def matrix_by_loops(kernel, height, width):
    kernel_height, kernel_width = kernel.shape
    rows, columns = height - kernel_height + 1, width - kernel_width + 1
    matrix = torch.zeros(rows * columns, height * width)
    for row in range(rows):
        for column in range(columns):
            for i in range(kernel_height):
                for j in range(kernel_width):
                    matrix[row * columns + column, (row + i) * width + column + j] = kernel[i, j]
    return matrix


def matrix_by_slices(kernel, height, width):
    kernel_height, kernel_width = kernel.shape
    rows = []
    for row in range(height - kernel_height + 1):
        for column in range(width - kernel_width + 1):
            image = torch.zeros(height, width)
            image[row : row + kernel_height, column : column + kernel_width] = kernel
            rows.append(image.flatten())
    return torch.stack(rows)


def matrix_by_single_pixels(kernel, height, width):
    pixels = torch.eye(height * width).view(-1, 1, height, width)
    return F.conv2d(pixels, kernel[None, None]).flatten(1).T.double()


@pytest.mark.parametrize("answer", [matrix_by_loops, matrix_by_slices, matrix_by_single_pixels])
def test_right_matrices(capsys, answer):
    assert said(capsys, checks.conv_matrix, answer) == "correct"


def one_value_off(kernel, height, width):
    matrix = matrix_by_loops(kernel, height, width)
    matrix[-1, -1] += 0.01
    return matrix


def one_value_not_a_number(kernel, height, width):
    matrix = matrix_by_loops(kernel, height, width)
    matrix[3, 3] = math.nan
    return matrix


def height_for_width(kernel, height, width):
    """Right for square images: the row length of the flattened image is taken to be the height."""
    kernel_height, kernel_width = kernel.shape
    rows, columns = height - kernel_height + 1, width - kernel_width + 1
    matrix = torch.zeros(rows * columns, height * width)
    for row in range(rows):
        for column in range(columns):
            for i in range(kernel_height):
                for j in range(kernel_width):
                    matrix[row * columns + column, ((row + i) * height + column + j) % (height * width)] = kernel[i, j]
    return matrix


def three_by_three_only(kernel, height, width):
    """Right for any 3x3 kernel."""
    return matrix_by_loops(kernel[:3, :3], height, width)[: (height - 2) * (width - 2)]


def turned(kernel, height, width):
    return matrix_by_loops(kernel.flip(0, 1), height, width)


def upside_down(kernel, height, width):
    """Right for all but even kernels: they are read from the wrong end."""
    even = kernel.shape[0] % 2 == 0
    return matrix_by_loops(kernel.flip(0) if even else kernel, height, width)


def transposed(kernel, height, width):
    return matrix_by_loops(kernel, height, width).T


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (one_value_off, "1 of 16 rows are off, the first of them row 15: it belongs to output row 3, output column 3"),
        (one_value_not_a_number, "1 of 16 rows are off, the first of them row 3"),
        (height_for_width, "an image of 4 by 7"),
        (three_by_three_only, "a kernel of 2 by 2 and an image of 5 by 3"),
        (upside_down, "a kernel of 2 by 2 and an image of 5 by 3"),
        (turned, "turned by half a turn"),
        (transposed, "the shape should be (16, 36), and yours is (36, 16)"),
        (lambda kernel, height, width: None, "returns None"),
        (lambda kernel, height, width: matrix_by_loops(kernel, height, width).tolist(), "this is a list"),
        (lambda kernel: kernel, "stopped with TypeError"),
        (5, "a function is wanted here"),
    ],
)
def test_wrong_matrices_get_a_fitting_hint(capsys, answer, hint):
    found = said(capsys, checks.conv_matrix, answer)
    assert found.startswith("not right yet: ")
    assert hint in found


def counts(in_channels, out_channels, height, width, kernel_size, padding):
    positions = (height + 2 * padding - kernel_size + 1) * (width + 2 * padding - kernel_size + 1)
    patch = in_channels * kernel_size**2
    return (
        out_channels * positions * (in_channels * height * width + 1),
        out_channels * positions * (patch + 1),
        out_channels * (patch + 1),
    )


def counts_as_tensors(*arguments):
    return [torch.tensor(count) for count in counts(*arguments)]


@pytest.mark.parametrize("answer", [counts, counts_as_tensors])
def test_right_counts(capsys, answer):
    assert said(capsys, checks.layer_parameters, answer) == "correct"


def without(index: int, biases):
    """The right counts, less the biases of one of them."""

    def answer(*arguments):
        found = list(counts(*arguments))
        _, out_channels, height, width, kernel_size, padding = arguments
        positions = (height + 2 * padding - kernel_size + 1) * (width + 2 * padding - kernel_size + 1)
        found[index] -= biases(out_channels, positions)
        return found

    return answer


def same_size(in_channels, out_channels, height, width, kernel_size, padding):
    """Right where the padding keeps the size."""
    return counts(in_channels, out_channels, height, width, 1, 0)[0], *counts(
        in_channels, out_channels, height, width, kernel_size, (kernel_size - 1) // 2
    )[1:]


def one_channel(in_channels, *rest):
    return counts(1, *rest)


def square(in_channels, out_channels, height, width, kernel_size, padding):
    return counts(in_channels, out_channels, height, height, kernel_size, padding)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (without(0, lambda channels, positions: channels * positions), "weights of the dense layer are right"),
        (without(1, lambda channels, positions: channels * positions), "weights of the local layer are right"),
        (without(1, lambda channels, positions: channels * positions - channels), "don't share a bias either"),
        (without(2, lambda channels, positions: channels), "weights of the shared layer are right"),
        (same_size, "an image of 6 by 6"),
        (one_channel, "in_channels=3"),
        (square, "an image of 5 by 8"),
        (lambda *arguments: counts(*arguments)[::-1], "the dense count should be 9,847,040"),
        (lambda *arguments: sum(counts(*arguments)), "three numbers should come back"),
        (
            lambda *arguments: (counts(*arguments)[0] + 1, *counts(*arguments)[1:]),
            "the dense count should be 9,847,040",
        ),
        (lambda *arguments: ("many", "fewer", "few"), "the dense count should be one number, and this is a str"),
    ],
)
def test_wrong_counts_get_a_fitting_hint(capsys, answer, hint):
    found = said(capsys, checks.layer_parameters, answer)
    assert found.startswith("not right yet: ")
    assert hint in found


@pytest.mark.parametrize("answer", [0, 100, 57, 11.35, torch.tensor(40.0)])
def test_any_possible_accuracy_is_accepted_as_a_prediction(capsys, answer):
    assert said(capsys, checks.predicted_accuracy, answer) == "correct"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (0.5, "that looks like a share"),
        (101, "lies between 0 and 100"),
        (-3, "lies between 0 and 100"),
        (math.nan, "lies between 0 and 100"),
        ("fifty", "should be one number, and this is a str"),
        (True, "should be one number"),
    ],
)
def test_impossible_predictions_get_a_hint(capsys, answer, hint):
    found = said(capsys, checks.predicted_accuracy, answer)
    assert found.startswith("not right yet: ")
    assert hint in found
