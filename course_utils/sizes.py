"""Arithmetic of layer sizes."""


def conv_output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0) -> int:
    """Height or width, in pixels, of what a convolution or a pooling layer makes of `size` pixels.

    floor((n + 2p - k) / s) + 1, relationship 6 in Dumoulin and Visin, 2016, arXiv:1603.07285. Raises `ValueError`
    for a value that is no whole number, a stride below 1, a negative padding, or a kernel larger than the padded
    image.
    """
    _whole_number("size", size, least=1)
    _whole_number("kernel_size", kernel_size, least=1)
    _whole_number("stride", stride, least=1)
    _whole_number("padding", padding, least=0)
    padded = size + 2 * padding
    if kernel_size > padded:
        raise ValueError(
            f"the kernel is larger than the padded image: kernel_size={kernel_size}, but {size} pixels with "
            f"padding={padding} on both sides are {padded}. Use a smaller kernel, a larger image or more padding"
        )
    return (padded - kernel_size) // stride + 1


def _whole_number(name: str, value: int, least: int) -> None:
    if type(value) is not int:  # not isinstance: True is an int too
        raise ValueError(
            f"{name} must be a whole number (an int), got {value!r}. In Python `/` always gives a float; `//` divides "
            "and rounds down to an int"
        )
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
