"""Arithmetic of layer sizes."""

from course_utils import validate


def conv_output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    """Height or width, in pixels, of what a convolution or a pooling layer makes of `size` pixels.

    floor((n + 2p - k) / s) + 1, relationship 6 in Dumoulin and Visin, 2016, arXiv:1603.07285. Raises `TypeError`
    for what is no whole number, `ValueError` for a stride below 1, a negative padding, or a kernel larger than the
    padded image.
    """
    size = validate.whole_number("size", size, at_least=1)
    kernel_size = validate.whole_number("kernel_size", kernel_size, at_least=1)
    stride = validate.whole_number("stride", stride, at_least=1)
    padding = validate.whole_number("padding", padding)
    padded = size + 2 * padding
    if kernel_size > padded:
        raise ValueError(
            f"the kernel is larger than the padded image: kernel_size={kernel_size}, but {size} pixels with "
            f"padding={padding} on both sides are {padded}. Use a smaller kernel, a larger image or more padding"
        )
    return (padded - kernel_size) // stride + 1
