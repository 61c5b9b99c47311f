"""Which weights an output of a dense, a locally connected and a convolutional layer uses, and who else uses them."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from traitlets import Int, List

from course_utils import validate
from course_utils.sizes import conv_output_size
from course_utils.widgets.base import CourseWidget, module

KINDS = ("dense", "local", "shared")
LARGEST_IMAGE = 10  # pixels a side: the matrices would be too large to look at


class Use(NamedTuple):
    """How many weights: those an output uses, those of them that other outputs use too, and those used so far."""

    used: int
    used_by_others: int
    so_far: int


class WeightSharing(CourseWidget):
    """Three layers with the same pixels and the same outputs, side by side: pick an output and see its weights.

    The image has `height` by `width` pixels, 2 to 10 each; the kernel `kernel_size` by `kernel_size`; no padding,
    stride 1, one channel, no bias. `visited` are the outputs picked so far, as [row, column], the last one shown.
    Raises `ValueError` for a kernel larger than the image, `traitlets.TraitError` for sizes out of range and
    `IndexError`, from `uses`, for an output that isn't there.
    """

    title = "Weight sharing"
    _esm = module("weight_sharing")

    height = Int(6, min=2, max=LARGEST_IMAGE).tag(sync=True)
    width = Int(6, min=2, max=LARGEST_IMAGE).tag(sync=True)
    kernel_size = Int(3, min=1, max=LARGEST_IMAGE).tag(sync=True)
    visited = List(List(Int(min=0), minlen=2, maxlen=2), [[0, 0]], minlen=1).tag(sync=True)

    def __init__(self, **traits: Any):
        super().__init__(**traits)
        _ = self.output_size  # raises where the kernel does not fit

    @property
    def output_size(self) -> tuple[int, int]:
        """Rows and columns of the output, in pixels."""
        return (conv_output_size(self.height, self.kernel_size), conv_output_size(self.width, self.kernel_size))

    def weights_of(self, kind: str) -> Tensor:
        """Which weight stands at each place of the layer's matrix: int64 (outputs, pixels), -1 where none does.

        A number names a weight and is not its value: weights are numbered from 0. Row `r * columns + c` belongs to the
        output at row r, column c, and pixels are numbered row by row too, as in notebook 02.
        """
        validate.one_of("layer", kind, KINDS)
        (rows, columns), k = self.output_size, self.kernel_size
        if kind == "dense":
            return torch.arange(rows * columns * self.height * self.width).view(rows * columns, -1)
        matrix = torch.full((rows, columns, self.height, self.width), -1)
        for row in range(rows):
            for column in range(columns):
                first = (row * columns + column) * k * k if kind == "local" else 0
                matrix[row, column, row : row + k, column : column + k] = first + torch.arange(k * k).view(k, k)
        return matrix.view(rows * columns, -1)

    def uses(self, kind: str) -> Use:
        """The counts that the page shows for a layer, for `visited` as it is."""
        rows, columns = self.output_size
        for row, column in self.visited:
            if row >= rows or column >= columns:
                raise IndexError(f"the output is {rows} by {columns} pixels; there is no row {row}, column {column}")
        matrix = self.weights_of(kind)
        visited = [row * columns + column for row, column in self.visited]
        shown = _numbers(matrix[visited[-1]])
        others = _numbers(matrix[[index for index in range(len(matrix)) if index != visited[-1]]])
        return Use(len(shown), len(shown & others), len(_numbers(matrix[visited])))


def _numbers(matrix: Tensor) -> set[int]:
    return set(matrix[matrix >= 0].tolist())
