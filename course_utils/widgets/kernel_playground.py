"""One image, one small kernel, and what each position of the kernel gives."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from traitlets import Dict, Int, List

from course_utils.sizes import conv_output_size
from course_utils.widgets.base import Converted, CourseWidget, grey_image, module

LARGEST_KERNEL = 7
LARGEST_IMAGE = 64  # pixels a side: more could not be told apart
LARGEST_WEIGHT = 1000
NINTH = 1 / 9
SOBEL: list[list[float]] = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]

PRESETS = {
    "brighter on the right than on the left (Sobel)": SOBEL,
    "brighter below than above (Sobel)": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "a thin vertical line": [[-1, 2, -1]] * 3,
    "a thin horizontal line": [[-1, -1, -1], [2, 2, 2], [-1, -1, -1]],
    "different from the four neighbours": [[0, -1, 0], [-1, 4, -1], [0, -1, 0]],
    "blur": [[NINTH] * 3] * 3,
    "blur more": [[0.04] * 5] * 5,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "the pixel itself": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
}


class Position(NamedTuple):
    """What the kernel sees at one position and what it makes of it: `window` and `products` are (k, k)."""

    window: Tensor
    products: Tensor
    sum: float


def _small_image(value: Any) -> list[list[float]]:
    image = grey_image(value)
    if max(image.shape) > LARGEST_IMAGE:
        raise ValueError(
            f"expected an image of at most {LARGEST_IMAGE} by {LARGEST_IMAGE} pixels, got {tuple(image.shape)}. "
            "Cut a piece out: image[:64, :64]"
        )
    return image.tolist()


def _small_kernel(value: Any) -> list[list[float]]:
    on_cpu = value.cpu() if isinstance(value, Tensor) else value  # first: an accelerator may have no float64
    kernel = torch.as_tensor(on_cpu, dtype=torch.float64)
    shape = tuple(kernel.shape)
    if kernel.dim() != 2 or shape[0] != shape[1] or not 1 <= shape[0] <= LARGEST_KERNEL:
        raise ValueError(
            f"expected a square kernel of shape (k, k), with k from 1 to {LARGEST_KERNEL}, got {shape}. "
            "Of a layer's weights, (out, in, k, k), take one: layer.weight[0, 0]"
        )
    if not (kernel.abs() <= LARGEST_WEIGHT).all():  # false for NaN too
        raise ValueError(f"expected weights from -{LARGEST_WEIGHT} to {LARGEST_WEIGHT}, got {kernel.tolist()}")
    return kernel.tolist()


class KernelPlayground(CourseWidget):
    """Slide a kernel over an image: every number of it can be changed, and every output pixel be looked into.

    `image` is (H, W) or (1, H, W), up to 64 by 64 pixels in 0..1. `kernel` is (k, k), k from 1 to 7. `stride` and
    `padding` are in pixels. All four can be set later too; what is changed in the page arrives here. Raises
    `ValueError` for an image or a kernel that is not so, and for a kernel larger than the padded image;
    `traitlets.TraitError` for a stride or padding out of range.
    """

    title = "Kernel playground"
    _esm = module("kernel_playground")

    image = Converted(_small_image).tag(sync=True)
    kernel = Converted(_small_kernel).tag(sync=True)
    stride = Int(1, min=1, max=7).tag(sync=True)
    padding = Int(0, min=0, max=7).tag(sync=True)
    # Row and column of the output pixel that is looked into. The page keeps it inside the output.
    position = List(Int(min=0), [0, 0], minlen=2, maxlen=2).tag(sync=True)
    presets = Dict(PRESETS).tag(sync=True)

    def __init__(self, image: Tensor, kernel: Tensor | list[list[float]] = SOBEL, **traits: Any):
        super().__init__(image=image, kernel=kernel, **traits)
        if "position" not in traits:
            self.position = [size // 2 for size in self.output_size]

    @property
    def output_size(self) -> tuple[int, int]:
        """Height and width of `output`, in pixels; `ValueError` where the kernel is larger than the padded image."""
        sizes = len(self.image), len(self.image[0])
        height, width = (conv_output_size(size, len(self.kernel), self.stride, self.padding) for size in sizes)
        return height, width

    @property
    def output(self) -> Tensor:
        """All responses, float32 (H', W'), with (H', W') = `output_size`."""
        _ = self.output_size  # its error says what to do, where F.conv2d's does not
        image, kernel = torch.tensor(self.image), torch.tensor(self.kernel)
        return F.conv2d(image[None, None], kernel[None, None], stride=self.stride, padding=self.padding)[0, 0]

    def at(self, row: int, column: int) -> Position:
        """What the kernel sees at one output pixel. Raises `IndexError` for a pixel outside `output`."""
        rows, columns = self.output_size
        if not (0 <= row < rows and 0 <= column < columns):
            raise IndexError(f"the output is {rows} by {columns} pixels; there is no row {row}, column {column}")
        kernel = torch.tensor(self.kernel)
        padded = F.pad(torch.tensor(self.image), [self.padding] * 4)
        top, left = row * self.stride, column * self.stride
        window = padded[top : top + len(kernel), left : left + len(kernel)]
        products = window * kernel
        return Position(window, products, products.sum().item())
