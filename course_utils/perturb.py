"""Images changed on purpose. Offsets are in pixels: dx to the right, dy down."""

import torch.nn.functional as F
from torch import Tensor


def shift(images: Tensor, dx: int, dy: int) -> Tensor:
    """Move images (..., H, W) by whole pixels, black coming in at the edge they leave.

    Raises `ValueError` for a shift by the whole image or more, which would leave nothing to see.
    """
    height, width = images.shape[-2:]
    if abs(dx) >= width or abs(dy) >= height:
        raise ValueError(
            f"a shift by dx={dx}, dy={dy} pixels leaves nothing of an image {height} high and {width} wide; "
            f"use |dx| < {width} and |dy| < {height}"
        )
    # A negative padding cuts pixels off: what leaves at one side comes in, black, at the other.
    return F.pad(images, (dx, -dx, dy, -dy))
