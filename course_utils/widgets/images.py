"""Batches of digits on their way into the page."""

import torch
from torch import Tensor

from course_utils.validate import IMAGE_SHAPE
from course_utils.widgets.base import grey_image


def digit_images(images: Tensor, name: str) -> Tensor:
    """Images as float32 (N, 28, 28), from (N, 1, 28, 28) or (N, 28, 28); `name` is how an error calls them.

    Raises `ValueError` for another shape, for no image at all, and for pixels that are not finite or not in 0..1.
    """
    batch = torch.as_tensor(images)
    if batch.numel() and tuple(batch.shape[1:]) not in (IMAGE_SHAPE, IMAGE_SHAPE[1:]):
        raise ValueError(
            f"expected {name} of shape (N, 1, 28, 28) or (N, 28, 28), got {tuple(batch.shape)}. "
            "One image is a batch of one: images[:1]"
        )
    if len(batch) == 0:
        raise ValueError(f"{name} is empty: there must be at least one image")
    return torch.stack([grey_image(image, f"{name}[{index}]") for index, image in enumerate(batch)])


def as_bytes(picture: Tensor) -> bytes:
    """Pixels in 0..1, any shape, as one byte each, row by row: 0 is black, 255 white."""
    return picture.mul(255).round().to(torch.uint8).numpy().tobytes()
