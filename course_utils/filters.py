"""Filters made by hand: what was computed from images before filters were learned."""

import torch
from torch import Tensor, nn

from course_utils import validate

# The eight pixels around the middle of a 3x3 kernel, clockwise from the top left.
RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def turned(middle: float, ring: list[float], count: int) -> Tensor:
    """`count` kernels (count, 3, 3), each the one before turned by 45 degrees clockwise.

    `ring` holds the eight outer values of the first, clockwise from the top left.
    """
    kernels = torch.full((count, 3, 3), middle)
    for turn in range(count):
        for place, (row, column) in enumerate(RING):
            kernels[turn, row, column] = ring[(place - turn) % 8]
    return kernels


def hand_made_kernels() -> Tensor:
    """Twelve kernels (12, 3, 3): edges in eight directions, then lines in four.

    The edges are Sobel's kernel turned in steps of 45 degrees, the compass masks of Robinson, 1977; its
    response lies within -4..4 for pixels in 0..1.
    """
    edges = turned(0.0, [-1.0, 0.0, 1.0, 2.0, 1.0, 0.0, -1.0, -2.0], count=8)
    lines = turned(2.0, [-1.0, 2.0, -1.0, -1.0, -1.0, 2.0, -1.0, -1.0], count=4)
    return torch.cat([edges, lines])


class HandMadeFeatures(nn.Module):
    """The responses of the twelve hand-made filters, negative ones cut to 0, and pooled. Nothing in it is trained.

    Takes images (N, 1, 28, 28) and returns (N, 12, 28 / pool, 28 / pool), with the errors of `CNN`. `pool` is in
    pixels: the average is taken over squares of that side.
    """

    kernels: Tensor

    def __init__(self, pool: int = 4):
        super().__init__()
        self.pool = validate.whole_number("pool", pool, at_least=1, at_most=28)
        self.register_buffer("kernels", hand_made_kernels().unsqueeze(1))  # (12, 1, 3, 3)

    def forward(self, images: Tensor) -> Tensor:
        validate.images(images, validate.IMAGE_SHAPE)
        responses = nn.functional.conv2d(images, self.kernels, padding=1).relu()
        return nn.functional.avg_pool2d(responses, self.pool)


def linear_on_pixels() -> nn.Sequential:
    """One linear layer on the raw pixels: images (N, 1, 28, 28) to logits (N, 10)."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 10))


def linear_on_hand_made_features(pool: int = 4) -> nn.Sequential:
    """One linear layer on `HandMadeFeatures`: images (N, 1, 28, 28) to logits (N, 10)."""
    return nn.Sequential(HandMadeFeatures(pool), nn.Flatten(), nn.Linear(12 * (28 // pool) ** 2, 10))
