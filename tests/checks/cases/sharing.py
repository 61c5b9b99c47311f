"""Answers to the exercises of notebook 02."""

import math

import torch
import torch.nn.functional as F


def matrix_by_loops(kernel, height, width):
    rows, columns = height - kernel.shape[0] + 1, width - kernel.shape[1] + 1
    matrix = torch.zeros(rows, columns, height, width)
    for row in range(rows):
        for column in range(columns):
            matrix[row, column, row : row + kernel.shape[0], column : column + kernel.shape[1]] = kernel
    return matrix.flatten(2).flatten(0, 1)


def matrix_by_single_pixels(kernel, height, width):
    pixels = torch.eye(height * width).view(-1, 1, height, width)
    return F.conv2d(pixels, kernel[None, None]).flatten(1).T.double()


def counts(in_channels, out_channels, height, width, kernel_size, padding):
    positions = (height + 2 * padding - kernel_size + 1) * (width + 2 * padding - kernel_size + 1)
    patch = in_channels * kernel_size**2
    return (
        out_channels * positions * (in_channels * height * width + 1),
        out_channels * positions * (patch + 1),
        out_channels * (patch + 1),
    )


def gap(layer, images):
    return (layer(images.roll(1, 3)) - layer(images).roll(1, 3)).abs().max()


def also_differs(arm, other, named):
    return [name for name in {**arm, **other} if name != named and arm.get(name, "-") != other.get(name, "-")]


RIGHT = {
    "equivariance_gap": {
        "roll": gap,
        "number": lambda layer, images: gap(layer, images).item(),
        "subtracted": lambda layer, images: torch.dist(layer(images.roll(1, 3)), layer(images).roll(1, 3), p=torch.inf),
    },
    "confounds": {
        "list": also_differs,
        "set": lambda *arms: set(also_differs(*arms)),
        "keys": lambda *arms: dict.fromkeys(also_differs(*arms)).keys(),
        "tuple": lambda *arms: tuple(sorted(also_differs(*arms))),
    },
    "conv_matrix": {"loops": matrix_by_loops, "single pixels": matrix_by_single_pixels},
    "layer_parameters": {
        "formula": counts,
        "tensors": lambda *arguments: [torch.tensor(count) for count in counts(*arguments)],
    },
    "predicted_accuracy": {"none": 0, "all": 100, "whole": 57, "chance": 11.35, "tensor": torch.tensor(40.0)},
}


def with_value(row, column, value):
    def answer(*arguments):
        matrix = matrix_by_loops(*arguments)
        matrix[row, column] += value
        return matrix

    return answer


def height_for_width(kernel, height, width):
    """Right for square images: a row of the flattened image is taken to be as long as the image is high."""
    by_rows = matrix_by_loops(kernel, height, width).unflatten(1, (height, width))
    return by_rows.transpose(1, 2).flatten(1) if height != width else by_rows.flatten(1)


def three_by_three_only(kernel, height, width):
    return matrix_by_loops(kernel[:3, :3], height, width)[: (height - 2) * (width - 2)]


def odd_kernels_only(kernel, height, width):
    return matrix_by_loops(kernel.flip(0) if kernel.shape[0] % 2 == 0 else kernel, height, width)


def without_biases(index, of_outputs=1, of_channels=0):
    """The right counts, but one: less a bias for each output, perhaps with one for each channel."""

    def answer(in_channels, out_channels, height, width, kernel_size, padding):
        found = list(counts(in_channels, out_channels, height, width, kernel_size, padding))
        positions = (height + 2 * padding - kernel_size + 1) * (width + 2 * padding - kernel_size + 1)
        found[index] -= out_channels * (of_outputs * positions - of_channels)
        return found

    return answer


def same_size(in_channels, out_channels, height, width, kernel_size, padding):
    """Right where the padding keeps the size."""
    return counts(in_channels, out_channels, height, width, kernel_size, (kernel_size - 1) // 2)


WRONG = {
    "equivariance_gap": {
        "invariance": (
            lambda layer, images: (layer(images.roll(1, 3)) - layer(images)).abs().max(),
            "asks whether the layer is invariant",
        ),
        "mean": (
            lambda layer, images: (layer(images.roll(1, 3)) - layer(images).roll(1, 3)).abs().mean(),
            "that is the mean of the differences",
        ),
        "signed": (
            lambda layer, images: (layer(images.roll(1, 3)) - layer(images).roll(1, 3)).max(),
            "without their signs",
        ),
        "down": (
            lambda layer, images: (layer(images.roll(1, 2)) - layer(images).roll(1, 2)).abs().max(),
            "To the right is axis 3",
        ),
        "always 0": (lambda layer, images: 0.0, "it should be"),
        "predicate": (lambda layer, images: gap(layer, images) < 1e-4, "should be one number"),
    },
    "confounds": {
        "with the named one": (lambda arm, other, named: {*also_differs(arm, other, ""), named}, "leave out 'layer'"),
        "those of both only": (
            lambda arm, other, named: [n for n in arm if n in other and n != named and arm[n] != other[n]],
            "'weight_decay' is missing: only one of the arms has it",
        ),
        "those of the first": (
            lambda arm, other, named: [n for n in arm if n != named and arm[n] != other.get(n)],
            "'weight_decay' is missing",
        ),
        "missing is None": (
            lambda arm, other, named: [n for n in {**arm, **other} if n != named and arm.get(n) != other.get(n)],
            "'seed' is missing: only one of the arms has it",
        ),
        "missing is nothing": (
            lambda arm, other, named: [
                n for n in {**arm, **other} if n != named and (arm.get(n) or 0) != (other.get(n) or 0)
            ],
            "'momentum' is missing: only one of the arms has it",
        ),
        "all": (lambda arm, other, named: [name for name in arm if name != named], "is the same in both"),
        "how many": (lambda *arms: len(also_differs(*arms)), "a list of names should come back"),
        "pairs": (lambda arm, other, named: list(arm.items()), "without their values"),
        "one name": (lambda *arms: "head", "a list of names should come back, and this is a str"),
        "another": (lambda *arms: ["width"], "is not the name of a setting"),
    },
    "conv_matrix": {
        "one value off": (with_value(-1, -1, 0.01), "1 of 16 rows are off, the first of them row 15: it belongs to"),
        "nan": (with_value(3, 3, math.nan), "1 of 16 rows are off, the first of them row 3"),
        "height for width": (height_for_width, "an image of 4 by 7"),
        "3 by 3 only": (three_by_three_only, "a kernel of 2 by 2 and an image of 5 by 3"),
        "odd kernels only": (odd_kernels_only, "a kernel of 2 by 2 and an image of 5 by 3"),
        "turned": (lambda kernel, *size: matrix_by_loops(kernel.flip(0, 1), *size), "turned by half a turn"),
        "transposed": (lambda *arguments: matrix_by_loops(*arguments).T, "should be (16, 36), and yours is (36, 16)"),
        "list": (lambda *arguments: matrix_by_loops(*arguments).tolist(), "this is a list"),
    },
    "layer_parameters": {
        "dense without biases": (without_biases(0), "weights of the dense layer are right"),
        "local without biases": (without_biases(1), "weights of the local layer are right"),
        "local with a bias a channel": (without_biases(1, of_channels=1), "don't share a bias either"),
        "shared without biases": (without_biases(2, 0, -1), "weights of the shared layer are right"),
        "same size": (same_size, "an image of 6 by 6"),
        "one channel": (lambda in_channels, *rest: counts(1, *rest), "in_channels=3"),
        "square": (lambda i, o, height, width, k, p: counts(i, o, height, height, k, p), "an image of 5 by 8"),
        "other order": (lambda *arguments: counts(*arguments)[::-1], "the dense count should be 9,847,040"),
        "sum": (lambda *arguments: sum(counts(*arguments)), "three numbers should come back"),
        "two": (lambda *arguments: counts(*arguments)[:2], "three numbers should come back"),
        "words": (lambda *arguments: ("many", "fewer", "few"), "the dense count should be one number"),
    },
    "predicted_accuracy": {
        "share": (0.5, "that looks like a share"),
        "above 100": (101, "lies between 0 and 100"),
        "below 0": (-3, "lies between 0 and 100"),
        "nan": (math.nan, "lies between 0 and 100"),
    },
}
